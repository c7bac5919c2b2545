package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// The roles of child processes.
const (
	roleCommand   = "bench-role" // the command that calls Role
	roleReceiver  = "receiver"
	roleForwarder = "forwarder"
	roleHandler   = "handler"
)

// listening begins the one line that a role writes to its standard output; the address it listens on follows.
const listening = "listening "

// Role is what `postroom bench-role NAME ARGUMENT…` does: a child process of a benchmark that listens on a free port of
// 127.0.0.1, says so on the standard output, and serves until ctx ends or the standard input does, as it does with the
// process that started it.
//
//	receiver
//	forwarder --to URL [--workers 64]
//	handler
func Role(ctx context.Context, name string, args []string) error {
	return runRole(ctx, name, args, os.Stdin, os.Stdout)
}

func runRole(ctx context.Context, name string, args []string, stdin io.Reader, stdout io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it too
	to := flags.String("to", "", "URL to post to")
	workers := flags.Int("workers", forwarderWorkers, "how many post at once")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		drain(stdin)
		cancel()
	}()
	switch name {
	case roleReceiver:
		return serveLoopback(ctx, newReceiver(), stdout)
	case roleHandler:
		return serveLoopback(ctx, http.HandlerFunc(answering), stdout)
	case roleForwarder:
		if u, err := url.Parse(*to); err != nil || u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("%s: --to is %q, and must be a URL with http", name, *to)
		}
		if *workers < 1 {
			return fmt.Errorf("%s: --workers is %d, and must be at least 1", name, *workers)
		}
		f := newForwarder(ctx, *to, *workers)
		defer f.workers.Wait()
		defer cancel()
		return serveLoopback(ctx, f, stdout)
	default:
		return fmt.Errorf("there is no role %q; there are %s, %s and %s", name, roleReceiver, roleForwarder, roleHandler)
	}
}

// serveLoopback serves until ctx ends, then cuts what is open: some of it hangs on purpose.
func serveLoopback(ctx context.Context, handler http.Handler, stdout io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if _, err := fmt.Fprintf(stdout, "%s%s\n", listening, listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
