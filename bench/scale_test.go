package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/testenv"
)

// TestFilled runs the scenarios that fill a database, and those of sources, with Postroom itself on both databases.
func TestFilled(t *testing.T) {
	t.Setenv(realServer, "1")
	for kind, database := range map[string]string{"SQLite": "sqlite", "PostgreSQL": ""} {
		t.Run(kind, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Attempts, cfg.Webhooks, cfg.Backlog = 4000, 40, 400
			cfg.Format = JSON
			for _, scenario := range []string{"backlog", "start", "memory", "logs", "intake"} {
				if cfg.Databases = []string{database}; database == "" {
					cfg.Databases = []string{testenv.Postgres(t)} // each wants an empty one
				}
				var out bytes.Buffer
				cfg.Output, cfg.Scenarios = &out, []string{scenario}
				if err := Run(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
				var report Report
				if err := json.Unmarshal(out.Bytes(), &report); err != nil {
					t.Fatal(err)
				}
				want := 1
				if scenario == "intake" {
					want = 2
				}
				if len(report.Comparisons) != want || report.Comparisons[0].Median <= 0 {
					t.Fatalf("%s: %s", scenario, out.String())
				}
				if scenario == "logs" {
					checkLogs(t, report.Comparisons[0])
				}
			}
		})
	}
}

// checkLogs looks at how much the searches have found: 2,000 events, of which ten are rare ones.
func checkLogs(t *testing.T, c Comparison) {
	t.Helper()
	if len(c.Details) < 50 || len(c.Details) != len(c.Values) {
		t.Errorf("%d searches were made", len(c.Details))
	}
	want := map[string]string{
		"events?": "50, and a cursor", "events?type=email.complained": "20", "events?type=unknown.type": "0", "events?contact=reader-8@example.com": "5",
		"events?contact=rare@example.com": "20", "events?contact=nobody@example.com": "0", "events?campaign=rare": "20", "events?q=needle": "20",
		"deliveries?webhook=RARE": "20", "deliveries?event=EVENT": "2", "deliveries?type=email.complained": "40", "deliveries?status=failed": "48",
		"deliveries?status=cancelled": "20", "deliveries?status_code=404": "20", "deliveries?status_code=202": "20", "deliveries?status_code=418": "0",
		"deliveries?status=held": "0", "deliveries?status=pending": "4", "deliveries?status=failed&webhook=BUSY": "16",
		"deliveries?status=succeeded&status_code=202": "20", "deliveries?type=email.complained&webhook=BUSY": "20",
	}
	for _, d := range c.Details {
		w, known := want[d.What]
		if known && !strings.HasPrefix(d.Found, w) {
			t.Errorf("%s: found %s, want %s", d.What, d.Found, w)
		}
		delete(want, d.What)
	}
	for what := range want {
		t.Errorf("there was no search %s", what)
	}
}
