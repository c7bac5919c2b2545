package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom/config"
)

const asServer = "POSTROOM_TEST_AS_SERVER"

// TestMain lets the test's own program be the one that signals are sent to.
func TestMain(m *testing.M) {
	if os.Getenv(asServer) == "" {
		os.Exit(m.Run())
	}
	os.Exit(serveForTests())
}

// serveForTests serves until a signal comes.
func serveForTests() int {
	ctx, stop := WithSignals(context.Background())
	defer stop()
	c := Process("test")
	c.Serve = func(ctx context.Context, _ config.Config) error {
		fmt.Println("running")
		<-ctx.Done()
		fmt.Println("stopping")
		if os.Getenv(asServer) == "slow" {
			<-time.After(time.Minute) // what the second signal ends
		}
		return nil
	}
	return Run(ctx, []string{"serve"}, c)
}

// startServer starts a process that serves.
func startServer(t *testing.T, kind string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), asServer+"="+kind)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// says waits for a line.
func says(t *testing.T, out *bufio.Scanner, want string) {
	t.Helper()
	if !out.Scan() || out.Text() != want {
		t.Fatalf("it said %q, %v; want %q", out.Text(), out.Err(), want)
	}
}

func TestFirstSignalStopsTheServerWell(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd, out := startServer(t, "quick")
		says(t, out, "running")
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		says(t, out, "stopping")
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
	}
}

func TestSecondSignalEndsTheServerAtOnce(t *testing.T) {
	cmd, out := startServer(t, "slow")
	says(t, out, "running")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	says(t, out, "stopping")
	// The first signal's handler goes at about the same time, so the second signal may have to be sent again.
	ended := make(chan error, 1)
	go func() {
		_, _ = io.Copy(io.Discard, cmd.Stdout.(io.Reader))
		ended <- cmd.Wait()
	}()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
				t.Errorf("it ended with %v", err)
			}
			return
		case <-again.C:
			_ = cmd.Process.Signal(os.Interrupt) // it may have ended meanwhile
		}
	}
}
