package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestForwarder measures the real forwarder with the real receiver, each in a process of its own.
func TestForwarder(t *testing.T) {
	s := testSession(t)
	m, err := s.withForwarder(t.Context(), load{eventType: measuredType, events: 500, lanes: 1})
	if err != nil {
		t.Fatal(err)
	}
	if m.Target != bareForwarder || m.Events != 500 || m.Deliveries != 500 || m.Arrived != 500 || m.Duplicates != 0 || m.loss() != nil {
		t.Errorf("got %+v", m)
	}
	if m.Seconds <= 0 || m.PerSecond <= 0 || m.PublishSeconds <= 0 || m.Publish.P50 <= 0 || m.Publish.Max < m.Publish.P99 {
		t.Errorf("got %+v", m)
	}
	if m.Latency.P50 <= 0 || m.Latency.P50 > m.Latency.P95 || m.Latency.P99 > m.Latency.Max {
		t.Errorf("latencies are %+v", m.Latency)
	}
	var names []string
	for _, u := range m.Processes {
		names = append(names, u.Process)
		if u.CPUSeconds < 0 || u.PeakBytes < 1<<20 {
			t.Errorf("got %+v", u)
		}
	}
	if got := strings.Join(names, " "); got != "publisher forwarder receiver" && got != "" { // nothing where there is no /proc
		t.Errorf("the processes are %s", got)
	}
}

func TestPacedLoad(t *testing.T) {
	s := testSession(t)
	m, err := s.withForwarder(t.Context(), load{eventType: measuredType, events: 50, lanes: 1, rate: 1000})
	if err != nil {
		t.Fatal(err)
	}
	// The last of 50 events is due 49 ms after the first, and is never early.
	if m.Arrived != 50 || m.PublishSeconds < 0.049 {
		t.Errorf("got %+v", m)
	}
}

// TestRun runs every scenario that fills no database, with a fake in the place of Postroom.
func TestRun(t *testing.T) {
	cfg := testConfig(t)
	cfg.Scenarios = []string{"one", "bulk", "fanout", "paced", "hang", "intake"}
	cfg.Runs = 2
	var out, progress bytes.Buffer
	cfg.Output, cfg.Progress, cfg.Format = &out, &progress, JSON
	if err := Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	var report Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	events := map[string][2]int{ // deliveries of base and subject, by scenario and metric
		"one throughput": {500, 500}, "bulk throughput": {500, 500}, "fanout throughput": {500, 2500}, "paced p99": {50, 50},
		"hang p99_ratio": {450, 450}, "hang throughput": {450, 450},
		"intake answers": {500, 500}, "intake with contacts answers": {500, 500},
	}
	for _, c := range report.Comparisons {
		name := c.Scenario + " " + string(c.Metric)
		contacts := strings.Contains(c.What, "a new contact for each call")
		if contacts {
			name = c.Scenario + " with contacts " + string(c.Metric)
		}
		want, ok := events[name]
		if !ok || c.Database != "SQLite" || len(c.Pairs) != 2 || (c.Goal == nil) != contacts {
			t.Errorf("an unexpected comparison: %+v", c)
			continue
		}
		delete(events, name)
		if c.Median <= 0 || c.Lowest > c.Median || c.Highest < c.Median {
			t.Errorf("%s: %v, from %v to %v", name, c.Median, c.Lowest, c.Highest)
		}
		for _, p := range c.Pairs {
			if p.Base.Arrived != want[0] || p.Subject.Arrived != want[1] || p.Base.Duplicates+p.Subject.Duplicates != 0 {
				t.Errorf("%s: got %+v, want %v arrivals", name, p, want)
			}
		}
	}
	if len(events) > 0 {
		t.Errorf("not measured: %v", events)
	}
	if got := strings.Count(progress.String(), "\n"); got != 2*(2+2+2+2+4+3) {
		t.Errorf("%d lines of progress:\n%s", got, progress.String())
	}
	left, err := os.ReadDir(cfg.Dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind in its directory: %v (%v)", left, err)
	}
}

func TestRunFaults(t *testing.T) {
	for _, test := range []struct {
		fault    string
		scenario string
		wants    []string // of the error; none if there is no error
		out      string   // part of the report
	}{
		{"lose", "one", []string{"one on SQLite, run 1, Postroom: 50 of 500 deliveries did not arrive"}, "50 missing"},
		{"repeat", "one", nil, "0 missing, 50 delivered twice"},
		{"refuse", "one", []string{"50 of 500 events were refused, the first one with: 503 Service Unavailable the fake refuses"}, "50 refused, 0 missing"},
		{"refuse", "bulk", []string{`50 of 500 events were refused, the first one with: {"error":{"detail":"the fake refuses"}}`}, "50 refused"},
		{"lose", "intake", []string{"intake on SQLite, run 1, Postroom: ", " calls that were answered with 200 are not stored"}, "0 refused, "},
		{"refuse", "intake", []string{"50 of 500 calls were refused, the first one with: 503 Service Unavailable the fake refuses"}, "50 refused, 0 missing"},
		{"die", "intake", []string{"intake on SQLite: ", "the Postroom ended during the measurement", "the fake dies"}, ""},
		{"repeat", "backlog", []string{"backlog on SQLite: ", "no such table: webhooks"}, ""}, // nothing can be filled that is not Postroom's
		{"die", "one", []string{"one on SQLite: ", "the Postroom ended during the measurement", "the fake dies"}, ""},
		{"sick", "one", []string{"start Postroom on SQLite: it has ended", "the fake is sick"}, ""},
	} {
		t.Run(test.fault+" "+test.scenario, func(t *testing.T) {
			t.Setenv(fakeFault, test.fault)
			cfg := testConfig(t)
			cfg.Scenarios = []string{test.scenario}
			cfg.Patience = 100 * time.Millisecond
			var out bytes.Buffer
			cfg.Output = &out
			err := Run(t.Context(), cfg)
			if (err == nil) != (len(test.wants) == 0) {
				t.Fatalf("got the error %v", err)
			}
			for _, want := range test.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
			if test.out == "" != (out.Len() == 0) || !strings.Contains(out.String(), test.out) {
				t.Errorf("got %s\nwant %s", out.String(), test.out)
			}
		})
	}
}

// TestRunEnds checks that a benchmark which is told to end leaves nothing behind.
func TestRunEnds(t *testing.T) {
	cfg := testConfig(t)
	cfg.Rate, cfg.Paced, cfg.Scenarios = 1, time.Hour, []string{"paced"}
	ctx, cancel := cancelWhen(t, func() bool {
		found, _ := filepath.Glob(filepath.Join(cfg.Dir, "postroom-bench-*", "forwarder.log"))
		return len(found) > 0
	})
	defer cancel()
	cfg.Output = new(bytes.Buffer)
	if err := Run(ctx, cfg); err == nil {
		t.Error("it did not say that it was told to end")
	}
	left, err := os.ReadDir(cfg.Dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind in its directory: %v (%v)", left, err)
	}
}

// TestGivenDatabase checks that webhooks are removed from a database that stays, and that one that has others is refused.
func TestGivenDatabase(t *testing.T) {
	s := testSession(t)
	db := database{kind: sqlite, url: "sqlite:" + filepath.Join(t.TempDir(), "given.db")}
	g, err := s.startPostroom(t.Context(), db, s.lanes(2))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if len(g.webhooks) != 2 {
		t.Errorf("it made the webhooks %q", g.webhooks)
	}
	err = g.createWebhooks(t.Context(), s.lanes(1))
	if err == nil || !strings.Contains(err.Error(), "must be empty") {
		t.Errorf("a database with webhooks: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.removeWebhooks(ctx); err != nil {
		t.Error(err)
	}
	if err := g.createWebhooks(t.Context(), s.lanes(1)); err != nil || len(g.webhooks) != 1 {
		t.Errorf("a database whose webhooks were removed: %v, %q", err, g.webhooks)
	}
}
