package bench

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand for the postroom program, since a benchmark starts its own executable again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		switch os.Args[1] {
		case roleCommand:
			exit(Role(ctx, os.Args[2], os.Args[3:]))
		case "serve":
			exit(serveFake(ctx, os.Args[2:]))
		case "leave-orphan":
			exit(leaveOrphan(os.Args[2], os.Args[3]))
		}
	}
	// With the race detector each process would sleep for a second when it ends, and there are many.
	if err := os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0")); err != nil {
		exit(err)
	}
	os.Exit(m.Run())
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
