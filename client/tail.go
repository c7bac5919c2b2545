package client

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// TailInput says what to follow.
type TailInput struct {
	Types []string // names, "group.*" or "*"; all types if there are none
	// Lost, unless nil, is told why the connection was lost, before it is made anew.
	Lost func(err error)
}

const (
	tailIdle     = 45 * time.Second // the server sends something every 15 seconds
	tailWait     = time.Second      // before a connection is made anew, then twice as long, and so on
	tailLongWait = 15 * time.Second
	tailGap      = 10_000 // most events that are caught up with after a loss
)

// Tail follows what is published from now on, until ctx ends or the loop does. A connection that is lost is made anew,
// and what was published meanwhile is caught up with. Events can still be missing where the loop is slower than
// publishers are: to miss none, use a webhook. The last error says why it ended.
func (c *Client) Tail(ctx context.Context, in TailInput) iter.Seq2[postroom.EventResource, error] {
	return func(yield func(postroom.EventResource, error) bool) {
		t := tail{client: c, in: in, yield: yield}
		if err := t.run(ctx); err != nil {
			yield(postroom.EventResource{}, err)
		}
	}
}

var errEnough = errors.New("the loop has ended")

// tail is one run of Tail.
type tail struct {
	client *Client
	in     TailInput
	yield  func(postroom.EventResource, error) bool
	since  time.Time // from when on events may have been missed, by the server's clock
	seen   []string  // ids of the latest events, to know them again
	got    bool      // something came over the present connection
}

// run connects again and again. It is nil when the loop has had enough.
func (t *tail) run(ctx context.Context) error {
	wait := tailWait
	for again := false; ; again = true {
		t.got = false
		err := t.connect(ctx, again)
		var refused *Error
		switch {
		case errors.Is(err, errEnough):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusTooManyRequests:
			return err
		case !again && !t.got:
			return err // it never worked
		}
		if t.got {
			wait = tailWait
		}
		if t.in.Lost != nil {
			t.in.Lost(err)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, tailLongWait)
	}
}

// connect follows one connection until it is lost.
func (t *tail) connect(ctx context.Context, again bool) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	query := url.Values{}
	filter(query).text("type", strings.Join(t.in.Types, ","))
	resp, err := t.client.do(ctx, request{
		method: http.MethodGet, path: "/v1/events/tail", query: query, accept: "text/event-stream", stream: true,
	}, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	idle := time.AfterFunc(tailIdle, func() { stop(fmt.Errorf("nothing came for %v", tailIdle)) })
	defer idle.Stop()
	if again {
		if err := t.catchUp(ctx); err != nil {
			return err
		}
	} else if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		t.since = at
	}
	in := bufio.NewReader(resp.Body)
	for {
		data, err := nextMessage(in, func() {
			t.got = true
			idle.Reset(tailIdle)
		})
		if errors.Is(err, io.EOF) {
			return errors.New("the server ended the connection")
		} else if err != nil {
			return cmp.Or(context.Cause(ctx), err)
		}
		var e postroom.EventResource
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("what the server sent cannot be read: %w", err)
		}
		if err := t.take(e); err != nil {
			return err
		}
	}
}

// nextMessage reads the data of the next message of an event stream (HTML, 9.2), and calls alive for each line. Comments
// and fields other than data are left out.
func nextMessage(in *bufio.Reader, alive func()) ([]byte, error) {
	var data []byte
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil, err // what was not ended by an empty line is not a message
		}
		alive()
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			if data != nil {
				return bytes.TrimSuffix(data, []byte("\n")), nil
			}
			continue
		}
		if value, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(append(data, bytes.TrimPrefix(value, []byte(" "))...), '\n')
		}
	}
}

// take yields an event, unless it was yielded before.
func (t *tail) take(e postroom.EventResource) error {
	if slices.Contains(t.seen, e.ID) {
		return nil
	}
	if len(t.seen) >= 256 {
		t.seen = slices.Delete(t.seen, 0, 128)
	}
	t.seen = append(t.seen, e.ID)
	if e.PublishedAt.After(t.since) {
		t.since = e.PublishedAt.Time
	}
	if !t.yield(e, nil) {
		return errEnough
	}
	return nil
}

// catchUp yields what was published while there was no connection, oldest first.
func (t *tail) catchUp(ctx context.Context) error {
	if t.since.IsZero() {
		return nil
	}
	var missed []postroom.EventResource
	for e, err := range t.client.Events(ctx, postroom.EventFilter{After: t.since}) {
		if err != nil {
			return err
		}
		if t.follows(e.Type) {
			missed = append(missed, e)
		}
		if len(missed) == tailGap {
			break
		}
	}
	for _, e := range slices.Backward(missed) {
		if err := t.take(e); err != nil {
			return err
		}
	}
	return nil
}

// follows tells whether a type is among those that are followed.
func (t *tail) follows(name string) bool {
	if len(t.in.Types) == 0 {
		return true
	}
	return slices.ContainsFunc(t.in.Types, func(pattern string) bool {
		group, isGroup := strings.CutSuffix(pattern, "*")
		return pattern == name || isGroup && strings.HasPrefix(name, group)
	})
}
