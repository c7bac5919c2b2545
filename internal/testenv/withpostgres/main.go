//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/postroom/postroom/internal/testenv/postgres"
	"github.com/postroom/postroom/internal/testenv/scratch"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status of the command, 1 when the server failed, and 2 when no command was given.
func run(command []string, stdout, stderr io.Writer) (status int) {
	if len(command) == 0 {
		fmt.Fprintln(stderr, "usage: withpostgres COMMAND [ARGUMENT]...")
		return 2
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	if os.Getenv(postgres.URLVariable) == "" {
		dir, err := scratch.New()
		if err != nil {
			fmt.Fprintln(stderr, "withpostgres:", err)
			return 1
		}
		// Closing the directory stops the server in it.
		defer func() {
			if err := dir.Close(); err != nil {
				fmt.Fprintln(stderr, "withpostgres:", err)
				status = max(status, 1)
			}
		}()
		server, err := postgres.New(postgres.Config{Scratch: dir})
		if err != nil {
			fmt.Fprintln(stderr, "withpostgres:", err)
			return 1
		}
		cmd.Env = append(os.Environ(), postgres.URLVariable+"="+server.URL("postgres"))
	}
	return runCommand(cmd, stderr)
}

// runCommand passes the signals that ask for an end on to the command and waits for it, so that the server is stopped
// after the command and not under it.
func runCommand(cmd *exec.Cmd, stderr io.Writer) int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(stderr, "withpostgres:", err)
		return 1
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
				fmt.Fprintln(stderr, "withpostgres:", err)
			}
		case err := <-ended:
			return exitStatus(err, stderr)
		}
	}
}

// exitStatus is the command's own, or 128 and its signal's number, as shells have it.
func exitStatus(err error, stderr io.Writer) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		fmt.Fprintln(stderr, "withpostgres:", err)
		return 1
	case exit.ExitCode() >= 0:
		return exit.ExitCode()
	default:
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
	}
}
