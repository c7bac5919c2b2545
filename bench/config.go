package bench

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Config says what is measured, and how results look. What is zero or nil takes the default that its comment names.
type Config struct {
	// Executable is the postroom program that is started for `serve` and `bench-role`; by default the one that runs.
	Executable string
	Version    string // of Postroom, for the report

	Scenarios []string // names that Scenarios lists; by default all of them
	// Databases are "sqlite" (a new file for each run), "postgres" (a private server for each run, on Linux), or
	// the URL of an empty database, postgres://…, which all runs share. By default sqlite, and postgres where it
	// is installed or EnvPostgres holds a URL.
	Databases []string

	Events     int           // how many events a run publishes, 20,000; five webhooks get each of them in `fanout`
	Publishers int           // how many connections publish, 64
	Runs       int           // how often each thing is measured, 3; the median counts
	Warmup     int           // events before each measurement, 1,000
	BulkLines  int           // events in a request of `bulk`, 100
	Rate       int           // events a second in `paced` and `hang`, 200
	Paced      time.Duration // how long they are sent at that rate, 10 s
	Backlog    int           // deliveries that wait in `backlog`, `start` and `memory`, 1,000,000
	Attempts   int           // how many the log has in `logs`, 1,000,000
	Webhooks   int           // how many there are in `memory`, 100,000

	// Patience is how long nothing may arrive before what is missing counts as lost, 30 s.
	Patience time.Duration
	// Dir is where databases are made, by default the system's temporary directory. Durable writes cost what its
	// file system and disk make them cost.
	Dir string
	// CPUProfile is a file that each Postroom server writes its CPU profile (pprof) to, so it holds that of the last.
	CPUProfile string

	Format   Format    // Table by default
	Output   io.Writer // gets the report; by default the standard output
	Progress io.Writer // gets a line after each measurement; by default nothing is told

	// settle is how long a server may still work after the last arrival, such as storing what became of it, before its
	// CPU time is read. It is not part of the time measured. 250 ms; tests need not wait.
	settle time.Duration
}

// EnvPostgres names the environment variable with the URL of an empty PostgreSQL database that "postgres" stands for,
// instead of a private server.
const EnvPostgres = "POSTROOM_BENCH_POSTGRES"

// EnvCPUProfile names the environment variable by which a server is told where to write its CPU profile.
const EnvCPUProfile = "POSTROOM_CPUPROFILE"

// Format is how a report looks.
type Format string

// The formats.
const (
	Table    Format = "table"    // for a terminal
	JSON     Format = "json"     // a Report
	Markdown Format = "markdown" // a table for documentation
)

// maxEvents keeps the numbers of all events of a run at one width; see firstSeq.
const maxEvents = 100_000_000

// complete fills in the defaults and refuses what cannot be measured.
func (c Config) complete() (Config, error) {
	c.Events = cmp.Or(c.Events, 20_000)
	c.Publishers = cmp.Or(c.Publishers, 64)
	c.Runs = cmp.Or(c.Runs, 3)
	c.Warmup = cmp.Or(c.Warmup, 1_000)
	c.BulkLines = cmp.Or(c.BulkLines, 100)
	c.Rate = cmp.Or(c.Rate, 200)
	c.Paced = cmp.Or(c.Paced, 10*time.Second)
	c.Backlog = cmp.Or(c.Backlog, 1_000_000)
	c.Attempts = cmp.Or(c.Attempts, 1_000_000)
	c.Webhooks = cmp.Or(c.Webhooks, 100_000)
	c.Patience = cmp.Or(c.Patience, 30*time.Second)
	c.settle = cmp.Or(c.settle, 250*time.Millisecond)
	c.Dir = cmp.Or(c.Dir, os.TempDir())
	c.Format = cmp.Or(c.Format, Table)
	if c.Output == nil {
		c.Output = os.Stdout
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	if len(c.Scenarios) == 0 {
		c.Scenarios = Scenarios()
	}
	if len(c.Databases) == 0 {
		c.Databases = foundDatabases()
	}
	if err := c.check(); err != nil {
		return c, err
	}
	if c.Executable == "" {
		path, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("the program that is to be measured: %w", err)
		}
		c.Executable = path
	}
	return c, nil
}

func (c Config) check() error {
	var errs []error
	for _, n := range []struct {
		name       string
		value, max int
	}{
		{"events", c.Events, maxEvents}, {"publishers", c.Publishers, 10_000}, {"runs", c.Runs, 1_000},
		{"warm-up", c.Warmup, maxEvents}, {"bulk lines", c.BulkLines, 10_000}, {"rate", c.Rate, 100_000}, {"backlog", c.Backlog, maxEvents},
		{"attempts", c.Attempts, maxEvents}, {"webhooks", c.Webhooks, 1_000_000},
	} {
		if n.value < 1 || n.value > n.max {
			errs = append(errs, fmt.Errorf("%s is %d, and must be from 1 to %d", n.name, n.value, n.max))
		}
	}
	if c.Paced < 0 || c.Patience < 0 {
		errs = append(errs, errors.New("durations must be positive"))
	}
	if c.pacedEvents() < 1 || c.pacedEvents() > maxEvents {
		errs = append(errs, fmt.Errorf("%d events a second for %v makes %d events, and must make from 1 to %d", c.Rate, c.Paced, c.pacedEvents(), maxEvents))
	}
	for _, name := range c.Scenarios {
		if !slices.Contains(Scenarios(), name) {
			errs = append(errs, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(Scenarios(), ", ")))
		}
	}
	for _, name := range c.Databases {
		if _, err := parseDatabase(name); err != nil {
			errs = append(errs, err)
		}
	}
	if !slices.Contains([]Format{Table, JSON, Markdown}, c.Format) {
		errs = append(errs, fmt.Errorf("the format is %q, and must be %s, %s or %s", c.Format, Table, JSON, Markdown))
	}
	return errors.Join(errs...)
}

// pacedEvents is how many events a run at a steady rate publishes.
func (c Config) pacedEvents() int { return int(float64(c.Rate) * c.Paced.Seconds()) }
