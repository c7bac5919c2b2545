package bench

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestConfigDefaults(t *testing.T) {
	t.Setenv(EnvPostgres, "postgres://somewhere/x")
	c, err := Config{}.complete()
	if err != nil {
		t.Fatal(err)
	}
	if c.Executable == "" || c.Output != os.Stdout || c.Progress == nil {
		t.Errorf("got %+v", c)
	}
	c.Executable, c.Output, c.Progress = "", nil, nil
	want := Config{
		Scenarios: []string{"one", "bulk", "fanout", "paced", "hang", "backlog", "start", "memory", "logs", "intake"}, Databases: []string{"sqlite", "postgres"},
		Events: 20000, Publishers: 64, Runs: 3, Warmup: 1000, BulkLines: 100, Rate: 200, Paced: 10 * time.Second, Backlog: 1000000, Attempts: 1000000, Webhooks: 100000,
		Patience: 30 * time.Second, Dir: os.TempDir(), Format: Table, settle: 250 * time.Millisecond,
	}
	if diff := cmp.Diff(want, c, cmp.AllowUnexported(Config{})); diff != "" {
		t.Errorf("the defaults differ: -want +got:\n%s", diff)
	}
	if c.pacedEvents() != 2000 {
		t.Errorf("%d events a second for %v are %d", c.Rate, c.Paced, c.pacedEvents())
	}
}

func TestConfigRefuses(t *testing.T) {
	for want, c := range map[string]Config{
		"events is -1, and must be from 1 to 100000000":                   {Events: -1},
		"publishers is 10001, and must be from 1 to 10000":                {Publishers: 10001},
		"bulk lines is 10001, and must be from 1 to 10000":                {BulkLines: 10001},
		"durations must be positive":                                      {Patience: -1},
		"makes 0 events, and must make from 1":                            {Rate: 1, Paced: time.Millisecond},
		`there is no scenario "two"; there are one, bulk, fanout`:         {Scenarios: []string{"one", "two"}},
		"must be sqlite, postgres, or the URL of an empty database":       {Databases: []string{"mysql://user:secret@host/x"}},
		`the format is "xml", and must be table, json or markdown`:        {Format: "xml"},
		"a database must be sqlite, postgres, or the URL of an empty dat": {Databases: []string{"sqlite:x.db"}},
	} {
		_, err := c.complete()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %s", c, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("a password is shown: %v", err)
		}
	}
}

func TestParseDatabase(t *testing.T) {
	t.Setenv(EnvPostgres, "")
	for in, want := range map[string]database{
		"sqlite": {kind: sqlite}, "postgres": {kind: postgres},
		"postgres://a/b": {kind: postgres, url: "postgres://a/b"}, "postgresql://a/b": {kind: postgres, url: "postgresql://a/b"},
	} {
		if got, err := parseDatabase(in); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", in, got, err)
		}
	}
	t.Setenv(EnvPostgres, "postgres://c/d")
	if got, err := parseDatabase("postgres"); err != nil || got.url != "postgres://c/d" {
		t.Errorf("got %+v, %v", got, err)
	}
}
