package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/postroom/postroom/bench"
)

type benchCmd struct {
	Scenarios  []string      `arg:"" optional:"" placeholder:"SCENARIO" help:"What is measured: one, bulk, fanout, paced, hang, backlog, start, memory, logs, intake; by default all."`
	Database   []string      `placeholder:"DATABASE" help:"sqlite, postgres (a private server, which Debian's package postgresql has), or the postgres://… URL of an empty database; by default sqlite, and postgres where it is installed."`
	Events     int           `placeholder:"N" default:"20000" help:"How many events a run publishes."`
	Publishers int           `placeholder:"N" default:"64" help:"How many connections publish."`
	Runs       int           `placeholder:"N" default:"3" help:"How often each is measured; the median counts."`
	Rate       int           `placeholder:"N" default:"200" help:"Events a second where the rate is steady."`
	Paced      time.Duration `placeholder:"DURATION" default:"10s" help:"How long a steady rate is kept."`
	Backlog    int           `placeholder:"N" default:"1000000" help:"Deliveries that wait in backlog, start and memory."`
	Webhooks   int           `placeholder:"N" default:"100000" help:"Webhooks in memory."`
	Attempts   int           `placeholder:"N" default:"1000000" help:"Attempts in logs; ten million need some 20 GB of disk."`
	Dir        string        `placeholder:"DIR" help:"Where databases are made; by default the system's temporary directory."`
	CPUProfile string        `name:"cpuprofile" placeholder:"FILE" help:"File for the server's CPU profile; it holds that of the last run."`
	Markdown   bool          `help:"Print the table for docs/performance.md."`
}

// Help is shown by `postroom bench --help`.
func (benchCmd) Help() string {
	return `Starts Postroom on an empty database, a receiver and publishers, all on loopback, and in turn a bare forwarder: a small
server that posts each event once and keeps nothing. For intake it is one that answers each call and keeps nothing. What counts is
the ratio of the two.

    postroom bench one
    postroom bench --database sqlite --runs 5 one fanout
    postroom bench intake
    postroom bench --markdown`
}

// Run measures.
func (c benchCmd) Run(s *session) error {
	for _, name := range c.Scenarios {
		if !contains(bench.Scenarios(), name) {
			return usagef("%q is not a scenario: they are %s", name, strings.Join(bench.Scenarios(), ", "))
		}
	}
	for name, n := range map[string]int{"--events": c.Events, "--publishers": c.Publishers, "--runs": c.Runs, "--rate": c.Rate, "--backlog": c.Backlog,
		"--webhooks": c.Webhooks, "--attempts": c.Attempts} {
		if n < 1 {
			return usagef("%s must be at least 1", name)
		}
	}
	format := bench.Table
	switch {
	case c.Markdown:
		format = bench.Markdown
	case s.global.Output != nil && *s.global.Output == asJSON:
		format = bench.JSON
	case s.global.Output != nil && *s.global.Output != asTable:
		return usagef("a benchmark's result is a table or json")
	}
	return bench.Run(s.ctx, bench.Config{Version: s.Version, Scenarios: c.Scenarios, Databases: c.Database, Events: c.Events, Publishers: c.Publishers,
		Runs: c.Runs, Rate: c.Rate, Paced: c.Paced, Backlog: c.Backlog, Webhooks: c.Webhooks, Attempts: c.Attempts, Dir: c.Dir, CPUProfile: c.CPUProfile, Format: format, Output: s.Stdout,
		Progress: progressTo(s)})
}

// progressTo is where progress is told: to people only.
func progressTo(s *session) io.Writer {
	if s.Terminal.Stderr {
		return s.Stderr
	}
	return nil
}

func contains(all []string, one string) bool {
	for _, a := range all {
		if a == one {
			return true
		}
	}
	return false
}

// benchRoleCmd is what `postroom bench` starts as its children.
type benchRoleCmd struct {
	Name string   `arg:""`
	Args []string `arg:"" optional:"" passthrough:""`
}

// Run plays the role.
func (c benchRoleCmd) Run(s *session) error {
	if err := bench.Role(s.ctx, c.Name, c.Args); err != nil {
		return fmt.Errorf("bench-role %s: %w", c.Name, err)
	}
	return nil
}
