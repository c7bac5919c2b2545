package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/server"
)

// Config is what the command line works with: a process, or what a test has in place of one.
type Config struct {
	Version string // of Postroom

	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // NAME=value, as os.Environ gives it
	Terminal       Terminal
	Now            func() time.Time
	Zone           *time.Location // in which times are shown

	// What `serve`, `migrate` and `doctor` do. Serve ends when ctx does, after what is under way has ended.
	Serve   func(ctx context.Context, cfg config.Config) error
	Migrate func(ctx context.Context, cfg config.Config, out io.Writer) error
	Doctor  func(ctx context.Context, cfg config.Config) (server.Checkup, error)

	// What `dialect test` does.
	TestDialects func(dir string, update bool, out io.Writer) error
}

// Terminal says which of the standard streams are a terminal, and how wide it is.
type Terminal struct {
	Stdin, Stdout, Stderr bool
	Width                 int // in columns; 0 when Stdout is not a terminal
}

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // refused or failed
	exitUsage  = 2 // not used as it should be
)

// Process is the Config of this process.
func Process(version string) Config {
	return Config{
		Version:  version,
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Environ:  os.Environ(),
		Terminal: terminal(),
		Now:      time.Now,
		Zone:     time.Local,
		Serve: func(ctx context.Context, cfg config.Config) error {
			return server.Run(ctx, cfg, server.Options{Version: version, Stdout: os.Stdout, Stderr: os.Stderr, CPUProfile: os.Getenv("POSTROOM_CPUPROFILE")})
		},
		Migrate:      server.Migrate,
		Doctor:       server.Doctor,
		TestDialects: server.TestDialects,
	}
}

func terminal() Terminal {
	is := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	t := Terminal{Stdin: is(os.Stdin), Stdout: is(os.Stdout), Stderr: is(os.Stderr)}
	if t.Stdout {
		t.Width, _, _ = term.GetSize(int(os.Stdout.Fd())) // 0 is "unknown", which cuts nothing
	}
	return t
}

// WithSignals gives a context that the first SIGINT or SIGTERM ends, so that what runs can end well. The second one
// ends the process at once, as signals do by default, however soon after the first it comes.
func WithSignals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals, done := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
			return
		}
		select {
		case s := <-signals:
			signal.Reset()
			if number, ok := s.(syscall.Signal); ok {
				_ = syscall.Kill(syscall.Getpid(), number)
			}
		case <-done:
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		cancel()
	})
}

// Run runs the command that args, without the program's name, ask for. It returns the exit status.
func Run(ctx context.Context, args []string, c Config) int {
	s := &session{Config: c, ctx: ctx}
	var g grammar
	exited := false // kong has printed the help that was asked for
	parser, err := newParser(&g, c, func(int) { exited = true })
	if err != nil {
		return s.report(err)
	}
	parsed, err := parser.Parse(args)
	if exited {
		return exitOK
	}
	var wrong *kong.ParseError
	if errors.As(err, &wrong) {
		return s.misused(parser, wrong)
	}
	if err != nil {
		return s.report(err)
	}
	s.global, s.kong = g.globals, parsed
	return s.report(parsed.Run(s))
}
