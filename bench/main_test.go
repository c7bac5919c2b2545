package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/server"
)

// TestMain lets the test binary stand for the postroom program, since a benchmark starts its own executable again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role := childOf(os.Args[1]); role != nil {
			exit(role(os.Args[2:]))
		}
	}
	// With the race detector each process would sleep for a second when it ends, and there are many.
	if err := os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0")); err != nil {
		exit(err)
	}
	os.Exit(m.Run())
}

// childOf is what this process does when it was started for a command, nil when it was started to test.
func childOf(command string) func(args []string) error {
	inContext := func(do func(ctx context.Context, args []string) error) func([]string) error {
		return func(args []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return do(ctx, args)
		}
	}
	switch command {
	case roleCommand:
		return inContext(func(ctx context.Context, args []string) error { return Role(ctx, args[0], args[1:]) })
	case "serve":
		if os.Getenv(realServer) != "" {
			return inContext(serveReal)
		}
		return inContext(serveFake)
	case "leave-orphan":
		return func(args []string) error { return leaveOrphan(args[0], args[1]) }
	default:
		return nil
	}
}

// realServer names the environment variable by which tests ask for Postroom itself, where the fake will not do.
const realServer = "BENCH_TEST_REAL"

func serveReal(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "", "")
	if err := flags.Parse(args[:2]); err != nil {
		return err
	}
	cfg, err := config.Load(config.Given{Flags: map[string][]string{"listen": {*listen}, "dev": {"true"}}, Environ: os.Environ()})
	if err != nil {
		return err
	}
	return server.Run(ctx, cfg, server.Options{Version: "test"})
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// testConfig is a benchmark that takes a moment.
func testConfig(t *testing.T) Config {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Executable: executable, Dir: t.TempDir(), Databases: []string{"sqlite"},
		Events: 500, Publishers: 16, Runs: 1, Warmup: 20, BulkLines: 50, Rate: 500, Paced: 100 * time.Millisecond, Backlog: 120, settle: time.Millisecond,
	}
}

// testSession is a session of such a benchmark.
func testSession(t *testing.T) *session {
	t.Helper()
	cfg, err := testConfig(t).complete()
	if err != nil {
		t.Fatal(err)
	}
	s, err := openSession(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// cancelWhen gives a context that ends once check is true.
func cancelWhen(t *testing.T, check func() bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		_ = poll(ctx, 5*time.Millisecond, func() (bool, error) { return check(), nil }) // or the test has ended
	}()
	return ctx, cancel
}
