package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type listenCmd struct {
	Forward     string   `required:"" placeholder:"URL" help:"Server on this machine that gets them, such as http://localhost:3000/hooks."`
	Source      string   `xor:"what" placeholder:"ID" help:"Bring the requests of this source, by id or uid, as they came."`
	Events      []string `short:"e" xor:"what" placeholder:"TYPES" help:"Bring events of these types, such as email.*,order.paid; by default all."`
	Secret      *string  `placeholder:"SECRET" help:"Sign events with this (whsec_…), @FILE, - for stdin, or env:NAME; by default with a new one, which is printed."`
	Timeout     string   `default:"30s" placeholder:"DURATION" help:"How long to wait for an answer."`
	AllowRemote bool     `help:"Let --forward be on another machine."`
}

// Help is shown by `postroom listen --help`.
func (listenCmd) Help() string {
	return `It ends with Ctrl-C. Nothing has to be reachable from outside: this machine asks, and what comes is sent to the local server, one after the
other, with a line for each that says what it answered. A connection that is lost is made anew, and what came meanwhile is brought
too, up to 1,000 requests or 10,000 events. Nothing is tried again: Postroom's own deliveries and answers do not depend on it.

Requests come with their method, path, headers and body; a path in --forward is taken in place of theirs. Credentials were not kept,
so they are left out. Events come as a webhook of the standard dialect sends them, signed as Standard Webhooks says.

    postroom listen --forward http://localhost:3000 --source signup
    postroom listen --forward http://localhost:3000/hooks --events 'email.*'`
}

// Run forwards until it is interrupted.
func (cmd listenCmd) Run(s *session) error {
	to, err := cmd.target()
	if err != nil {
		return err
	}
	timeout, err := duration("--timeout", cmd.Timeout)
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	f := &forwarder{session: s, to: to, timeout: time.Duration(timeout), http: &http.Client{
		Timeout:       time.Duration(timeout),
		Transport:     &http.Transport{DisableCompression: true}, // no proxy: it is this machine
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	defer f.http.CloseIdleConnections()
	if cmd.Source != "" {
		if cmd.Secret != nil {
			return usagef("--secret is for events: requests of a source come with the signatures that they have")
		}
		in := client.TailRequestsInput{Source: cmd.Source, Lost: s.lost, Connected: f.connected("requests of source " + cmd.Source)}
		return forwardAll(f, c.TailRequests(s.ctx, in), f.ofRequest)
	}
	if err := f.setSecret(cmd.Secret); err != nil {
		return err
	}
	what := "events"
	if len(cmd.Events) > 0 {
		what = "events " + strings.Join(cmd.Events, ", ")
	}
	in := client.TailInput{Types: cmd.Events, Lost: s.lost, Connected: f.connected(what)}
	return forwardAll(f, c.Tail(s.ctx, in), f.ofEvent)
}

// target is where things are sent. It is this machine unless another one is asked for, so that a slip of the pen sends nothing away.
func (cmd listenCmd) target() (*url.URL, error) {
	to, err := url.Parse(cmd.Forward)
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return nil, usagef("--forward is %q, but must be a URL such as http://localhost:3000/hooks", cmd.Forward)
	}
	ip := net.ParseIP(to.Hostname())
	if local := to.Hostname() == "localhost" || ip != nil && ip.IsLoopback(); !local && !cmd.AllowRemote {
		return nil, usagef("--forward leads to %s, which is not this machine", to.Hostname()).hint("Give --allow-remote if that is meant.")
	}
	to.Fragment = ""
	return to, nil
}

// lost says that a connection was lost.
func (s *session) lost(err error) {
	sentence, _ := s.unreachable(err)
	s.complain("the connection was lost, and is made anew: "+sentence, "")
}

// forwarder brings things to a local server.
type forwarder struct {
	*session
	to      *url.URL
	timeout time.Duration
	http    *http.Client
	secret  string // of events, as people see it
	key     []byte // its bytes
}

// connected says once that it has begun, and then that it goes on.
func (f *forwarder) connected(what string) func() {
	again := false
	return func() {
		p := f.screen(f.Stderr, f.Terminal.Stderr)
		switch {
		case again:
			p.done("Connected again")
		case f.secret != "":
			p.done("Listening: %s go to %s, signed with %s", what, f.to, f.secret)
		default:
			p.done("Listening: %s go to %s", what, f.to)
		}
		p.flush()
		again = true
	}
}

// forwarded is what a local server answered to one thing.
type forwarded struct {
	ID         string             `json:"id"`
	Time       postroom.Timestamp `json:"time"`
	Type       string             `json:"type,omitempty"` // of an event
	Method     string             `json:"method"`
	URL        string             `json:"url"`
	StatusCode int                `json:"status_code"` // 0 without an answer
	DurationMs float64            `json:"duration_ms"`
	Error      string             `json:"error,omitempty"`
}

// waiting is how many things may wait for the local server.
const waiting = 1000

// forwardAll brings what comes to the local server, one after the other. The reading goes on meanwhile, so that the server that it comes from
// need not wait.
func forwardAll[T any](f *forwarder, from iter.Seq2[T, error], call func(T) (*http.Request, forwarded, error)) error {
	type item struct {
		thing T
		err   error
	}
	ctx, stop := context.WithCancel(f.ctx)
	defer stop()
	queue := make(chan item, waiting)
	go func() {
		defer close(queue)
		for thing, err := range from {
			select {
			case queue <- item{thing, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	for next := range queue {
		if f.ctx.Err() != nil {
			break
		}
		if next.err != nil {
			return next.err
		}
		req, made, err := call(next.thing)
		if err != nil {
			made.Error = err.Error()
		} else {
			f.send(req, &made)
		}
		if err := f.line(made, func(p *screen) { p.forwarded(made) }); err != nil {
			return err
		}
	}
	return nil // interrupted, which is how it ends
}

// send makes the call, and notes what came of it.
func (f *forwarder) send(req *http.Request, made *forwarded) {
	began := time.Now()
	resp, err := f.http.Do(req.WithContext(f.ctx))
	made.DurationMs = float64(time.Since(began).Microseconds()) / 1000
	if err != nil {
		made.Error = f.noAnswer(err)
		return
	}
	made.StatusCode = resp.StatusCode
	_ = resp.Body.Close()
}

// noAnswer says in a sentence why the local server did not answer.
func (f *forwarder) noAnswer(err error) string {
	var call *url.Error
	at := f.to.Scheme + "://" + f.to.Host
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing answers at " + at + ": is the server running?"
	case errors.As(err, &call) && call.Timeout():
		return fmt.Sprintf("%s did not answer within %s", at, postroom.Duration(f.timeout))
	case errors.As(err, &call):
		return fmt.Sprintf("the call to %s failed: %v", at, call.Err)
	}
	return err.Error()
}

// forwarded shows a line.
func (p *screen) forwarded(made forwarded) {
	what := made.Method
	if made.Type != "" {
		what = made.Type
	}
	if u, err := url.Parse(made.URL); err == nil && made.Type == "" {
		what += " " + u.RequestURI()
	}
	p.printf("%s  %s  %s  ", p.time(made.Time.Time), clean(what), clean(made.ID))
	if made.Error != "" {
		p.printf("%s %s\n", p.paint(red, "→"), p.paint(red, clean(made.Error)))
		return
	}
	c := green
	if made.StatusCode/100 != 2 {
		c = red
	}
	p.printf("%s %s  %s\n", p.paint(c, "→"), p.paint(c, statusText(made.StatusCode)), milliseconds(made.DurationMs))
}
