package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/server"
)

// servers are the commands that run a server, or work on one's database.
func servers() []string { return []string{"serve", "migrate", "doctor"} }

// runServer runs one of servers, and gives the settings that it got.
func runServer(t *testing.T, environ []string, fail error, args ...string) (got config.Config, r ran) {
	t.Helper()
	r = run(t, newFakeServer(t), given{environ: environ, change: func(c *Config) {
		take := func(_ context.Context, cfg config.Config, out io.Writer) error {
			got = cfg
			_, _ = io.WriteString(out, "done\n")
			return fail
		}
		c.Serve = func(ctx context.Context, cfg config.Config) error { return take(ctx, cfg, c.Stdout) }
		c.Migrate = take
		c.Doctor = func(ctx context.Context, cfg config.Config) (server.Checkup, error) {
			return server.Checkup{OK: true}, take(ctx, cfg, c.Stdout)
		}
	}}, args...)
	return got, r
}

func TestServerCommandsTakeSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "postroom.yaml")
	if err := os.WriteFile(file, []byte("retention: 48h\nmax_body: 2MiB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range servers() {
		cfg, r := runServer(t, []string{"POSTROOM_LISTEN=:1", "POSTROOM_MAX_BODY=3MiB"}, nil,
			command, "--listen", ":9090", "--allow-net", "10.0.0.0/8,fd00::/8", "--allow-net=192.168.0.0/16", "--allow-http", "--dev=false", "--config", file)
		if r.exit != exitOK || !strings.HasPrefix(r.stdout, "done\n") {
			t.Fatalf("%s: exit %d, %s%s", command, r.exit, r.stdout, r.stderr)
		}
		if cfg.Listen != ":9090" || len(cfg.AllowNets) != 3 || !cfg.AllowHTTP || cfg.Dev || cfg.Retention != 48*time.Hour || cfg.MaxBody != 3<<20 {
			t.Errorf("%s got %v", command, cfg)
		}
	}
}

// TestEverySettingIsAFlag gives each flag what is wrong, and sees that it is the flag that is blamed.
func TestEverySettingIsAFlag(t *testing.T) {
	for _, s := range config.Settings() {
		if s.Flag == "" {
			continue
		}
		wrong := "--" + s.Flag + "=!"
		if s.Kind == config.Bool {
			wrong = "--" + s.Flag + "=maybe"
		}
		_, r := runServer(t, nil, nil, "serve", wrong)
		if r.exit != exitUsage || !strings.Contains(r.stderr, "--"+s.Flag) {
			t.Errorf("%s: exit %d, %s", wrong, r.exit, r.stderr)
		}
	}
}

func TestWrongSettings(t *testing.T) {
	_, r := runServer(t, []string{"POSTROOM_RETENTOIN=1h"}, nil, "serve", "--retention", "5m")
	want := "postroom: POSTROOM_RETENTOIN is not a setting; did you mean POSTROOM_RETENTION?\n" +
		"postroom: --retention is \"5m\", but must be a duration of at least 1h, such as 720h\n"
	if r.exit != exitUsage || r.stderr != want || r.stdout != "" {
		t.Errorf("exit %d, %s%s", r.exit, r.stdout, r.stderr)
	}
}

func TestServerThatFails(t *testing.T) {
	for _, command := range servers() {
		_, r := runServer(t, nil, errors.New("the disk is full"), command)
		if r.exit != exitFailed || r.stderr != "postroom: the disk is full\n" {
			t.Errorf("%s: exit %d, %s", command, r.exit, r.stderr)
		}
	}
}

func TestBuildWithoutServer(t *testing.T) {
	for _, command := range servers() {
		r := run(t, newFakeServer(t), given{}, command)
		if r.exit != exitFailed || r.stderr != "postroom: this build has no server\n" {
			t.Errorf("%s: exit %d, %s", command, r.exit, r.stderr)
		}
	}
}

// TestDoctor shows findings, and fails when there is trouble.
func TestDoctor(t *testing.T) {
	doctor := func(c server.Checkup, args ...string) ran {
		return run(t, newFakeServer(t), given{change: func(with *Config) {
			with.Doctor = func(context.Context, config.Config) (server.Checkup, error) { return c, nil }
		}}, append([]string{"doctor"}, args...)...)
	}
	c := server.Checkup{OK: true, Findings: []server.Finding{{Check: "disk", Status: server.Well, Finding: "There is room."},
		{Check: "queue", Status: server.Warning, Finding: "One waits.", Advice: "Have patience."}}}
	want := "✓ disk             There is room.\n! queue            One waits.\n                   Have patience.\n"
	if r := doctor(c, "-o", "table"); r.exit != exitOK || r.stdout != want || r.stderr != "" {
		t.Errorf("exit %d, %s%s", r.exit, r.stdout, r.stderr)
	}
	c.OK = false
	c.Findings[0] = server.Finding{Check: "disk", Status: server.Trouble, Finding: "It is full."}
	if r := doctor(c, "-o", "table"); r.exit != exitFailed || !strings.HasPrefix(r.stdout, "✗ disk             It is full.\n") || r.stderr != "" {
		t.Errorf("exit %d, %s%s", r.exit, r.stdout, r.stderr)
	}
	if r := doctor(c); r.exit != exitFailed || !strings.Contains(r.stdout, `"status": "trouble"`) || !strings.Contains(r.stdout, `"ok": false`) {
		t.Errorf("exit %d, %s%s", r.exit, r.stdout, r.stderr)
	}
}

func TestVersion(t *testing.T) {
	r := run(t, newFakeServer(t), given{}, "version")
	if !strings.HasPrefix(r.stdout, "postroom v1.2.3 (go") {
		t.Errorf("it said %q", r.stdout)
	}
	r = run(t, newFakeServer(t), given{}, "version", "-o", "json")
	if !strings.HasPrefix(r.stdout, "{\n  \"version\": \"v1.2.3\",\n") {
		t.Errorf("it said %q", r.stdout)
	}
}

// TestWithoutCommand shows what there is, and is a failure all the same: a script has left something out.
func TestWithoutCommand(t *testing.T) {
	for _, args := range [][]string{{}, {"webhooks"}} {
		r := run(t, newFakeServer(t), given{}, args...)
		help := run(t, newFakeServer(t), given{}, append(args, "--help")...)
		if r.exit != exitUsage || r.stdout != "" || r.stderr != help.stdout {
			t.Errorf("%v: exit %d, %s%s", args, r.exit, r.stdout, r.stderr)
		}
	}
}
