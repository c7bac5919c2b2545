package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// testConfig is a configuration of a server that keeps SQLite in a folder of the test's own.
func testConfig(t *testing.T) config.Config {
	t.Helper()
	cfg, err := config.Load(config.Given{Flags: map[string][]string{"database": {"sqlite:" + filepath.Join(t.TempDir(), "postroom.db")},
		"listen": {"127.0.0.1:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func openParts(t *testing.T, cfg config.Config) *parts {
	t.Helper()
	p, err := open(t.Context(), cfg, "1.2.3", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// family is what is known of a metric.
type family struct {
	kind, help string
	labels     []string
	values     map[string]float64 // of a gauge, by its labels' values
}

// gathered are the metrics of a server that has done each thing once, by name.
func gathered(t *testing.T) map[string]family {
	t.Helper()
	p := openParts(t, testConfig(t))
	m := newMetrics(p)
	m.observe(api.Observation{Method: "GET", Route: "/v1/events", Status: 200})
	p.engine.Metrics().Attempts.WithLabelValues("succeeded", "none").Inc()
	return gather(t, m)
}

func gather(t *testing.T, m *metrics) map[string]family {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]family{}
	for _, f := range families {
		found := family{kind: strings.ToLower(f.GetType().String()), help: f.GetHelp(), values: map[string]float64{}}
		for i, one := range f.GetMetric() {
			var values []string
			for _, label := range one.GetLabel() {
				if values = append(values, label.GetValue()); i == 0 {
					found.labels = append(found.labels, label.GetName())
				}
			}
			found.values[strings.Join(values, ",")] = one.GetGauge().GetValue()
		}
		all[f.GetName()] = found
	}
	return all
}

var metricRow = regexp.MustCompile("(?m)^\\| `(postroom_[a-z_]+)` \\| ([a-z]+) \\|([^|]*)\\|[^|]+\\|$")

// TestMetricsAreDocumented compares /metrics with the table in docs/operations.md: names, types and labels.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	documented, real := map[string]string{}, map[string]string{}
	for _, row := range metricRow.FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = row[2] + " " + strings.TrimSpace(strings.ReplaceAll(row[3], "`", ""))
	}
	for name, f := range gathered(t) {
		if !strings.HasPrefix(name, "postroom_") {
			continue
		}
		real[name] = strings.TrimSpace(f.kind + " " + strings.Join(f.labels, ", "))
	}
	// Labels come sorted from the registry, and are documented in the order of their weight.
	for name, said := range documented {
		kind, labels, _ := strings.Cut(said, " ")
		list := strings.Split(labels, ", ")
		slices.Sort(list)
		documented[name] = strings.TrimSpace(kind + " " + strings.Join(list, ", "))
	}
	if diff := cmp.Diff(documented, real); diff != "" {
		t.Errorf("docs/operations.md and /metrics differ (-documented +real):\n%s", diff)
	}
}

// TestMetricNames holds names and values against the conventions of Prometheus.
func TestMetricNames(t *testing.T) {
	for name, f := range gathered(t) {
		if strings.HasPrefix(name, "postroom_") && (f.kind == "counter") != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s", name, f.kind)
		}
		if f.help == "" {
			t.Errorf("%s has no help", name)
		}
	}
}

var metricName = regexp.MustCompile(`\b(?:postroom|process|go)_[a-z_]+\b`)

// TestExamplesNameRealMetrics looks for each metric that the dashboard and the alerts name.
func TestExamplesNameRealMetrics(t *testing.T) {
	known := map[string]bool{}
	for name, f := range gathered(t) {
		known[name] = true
		if f.kind == "histogram" {
			known[name+"_bucket"], known[name+"_count"], known[name+"_sum"] = true, true, true
			delete(known, name)
		}
	}
	used := map[string]bool{}
	check := func(where, expression string) {
		t.Helper()
		if strings.Count(expression, "(") != strings.Count(expression, ")") || strings.Count(expression, "{") != strings.Count(expression, "}") {
			t.Errorf("%s: brackets in %q", where, expression)
		}
		names := metricName.FindAllString(expression, -1)
		if len(names) == 0 && !strings.HasPrefix(expression, "up{") {
			t.Errorf("%s: %q names no metric", where, expression)
		}
		for _, name := range names {
			used[name] = true
			if !known[name] {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
	for _, p := range dashboard(t).Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			check("panel "+p.Title, target.Expr)
		}
	}
	for name := range known { // the dashboard leaves nothing out
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "postroom_") && name != "postroom_build_info" && !used[name] && !used[base+"_bucket"] && !used[base+"_count"] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	for _, rule := range alerts(t) {
		check("alert "+rule.Alert, rule.Expr)
		if rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
			t.Errorf("the alert %s has no summary or severity", rule.Alert)
		}
	}
}

type grafana struct {
	Title  string
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ X, Y, W, H int }
		Targets []struct{ Expr string }
	}
}

// dashboard reads the dashboard, whose panels must not lie on each other.
func dashboard(t *testing.T) (d grafana) {
	t.Helper()
	text, err := os.ReadFile("../examples/grafana/postroom.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	taken, ids := map[string]string{}, map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				place := fmt.Sprint(p.GridPos.X+x, p.GridPos.Y+y)
				if other := taken[place]; other != "" || p.GridPos.X+x >= 24 {
					t.Fatalf("the panel %q lies on %q", p.Title, other)
				}
				taken[place] = p.Title
			}
		}
	}
	return d
}

type alert struct {
	Alert               string
	Expr                string
	Labels, Annotations map[string]string
}

func alerts(t *testing.T) (all []alert) {
	t.Helper()
	text, err := os.ReadFile("../examples/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) < 10 {
		t.Errorf("there are %d alerts", len(all))
	}
	return all
}

// TestQueueReadings asks the database again only after a while, and reports nothing while it does not answer.
func TestQueueReadings(t *testing.T) {
	p := openParts(t, testConfig(t))
	m := newMetrics(p)
	now := time.Now()
	for _, c := range []struct {
		what  string
		later time.Duration
		want  bool
	}{{"at first", 0, true}, {"soon after the database was closed", time.Second, true}, {"when it is asked again", time.Minute, false}} {
		p.readings.now = func() time.Time { return now.Add(c.later) }
		families := gather(t, m)
		_, queue := families["postroom_queue_deliveries"]
		_, commits := families["postroom_commits_total"]
		if queue != c.want || !commits {
			t.Errorf("%s there are %v", c.what, slices.Sorted(maps.Keys(families)))
		}
		if c.later == 0 {
			if err := p.store.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestUpkeep does both tasks: what is older than the retention goes, which is on unless told otherwise, and statistics are moved.
func TestUpkeep(t *testing.T) {
	cfg := testConfig(t)
	if cfg.Retention != 30*24*time.Hour {
		t.Errorf("the retention is %s", cfg.Retention)
	}
	var webhook postroom.Webhook
	installation(t, cfg, func(_ context.Context, p *parts, _ app.Caller, w postroom.Webhook) {
		for _, age := range []time.Duration{cfg.Retention + time.Hour, cfg.Retention - time.Hour} {
			fail(t, p, w, time.Now().Add(-age))
		}
		webhook = w
	})
	p := openParts(t, cfg)
	began := float64(time.Now().Unix())
	for _, task := range []string{taskCompact, taskExpire} {
		p.upkeepDone.WithLabelValues(task).Set(0)
	}
	p.compact(t.Context(), slog.New(slog.DiscardHandler), time.Now())
	p.expire(t.Context(), cfg, slog.New(slog.DiscardHandler), time.Now(), true)
	left, _, err := p.store.Deliveries(t.Context(), webhook.WorkspaceID, postroom.DeliveryFilter{}, nil, 10)
	if err != nil || len(left) != 1 {
		t.Errorf("%d deliveries are left, want the young one; %v", len(left), err)
	}
	if open, some, err := p.store.OpenSince(t.Context()); some || err != nil {
		t.Errorf("statistics of %s are still to be moved, %v", open, err)
	}
	for task, at := range gather(t, newMetrics(p))["postroom_upkeep_done_timestamp_seconds"].values {
		if at < began {
			t.Errorf("%s was done at %v", task, at)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.upkeep(ended, cfg, slog.New(slog.DiscardHandler)) // ends with ctx
}

// A request that panicked is counted, as are attempts that did, so that somebody notices.
func TestPanicsAreCounted(t *testing.T) {
	p := openParts(t, testConfig(t))
	m := newMetrics(p)
	m.observe(api.Observation{Method: "GET", Route: "/v1/events", Status: 200})
	m.observe(api.Observation{Method: "GET", Route: "/v1/events", Status: 500, Panicked: true})
	w := httptest.NewRecorder()
	m.handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{"postroom_http_panics_total 1\n", "postroom_attempt_panics_total 0\n",
		`postroom_http_request_seconds_count{method="GET",route="/v1/events",status="500"} 1` + "\n"} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
}
