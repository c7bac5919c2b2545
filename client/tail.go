package client

import (
	"context"
	"encoding/json"
	"fmt"
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
	// Connected, unless nil, is called when a connection was made.
	Connected func()
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
		if err := (&following{client: c, lost: in.Lost, connected: in.Connected}).run(ctx, t.connect); err != nil {
			yield(postroom.EventResource{}, err)
		}
	}
}

// tail is one run of Tail.
type tail struct {
	client *Client
	in     TailInput
	yield  func(postroom.EventResource, error) bool
	since  time.Time // from when on events may have been missed, by the server's clock
	seen   seen
}

// connect follows one connection until it is lost.
func (t *tail) connect(ctx context.Context, f *following, again bool) error {
	query := url.Values{}
	filter(query).text("type", strings.Join(t.in.Types, ","))
	begun := func(ctx context.Context, resp *http.Response) error {
		if again {
			return t.catchUp(ctx)
		}
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			t.since = at
		}
		return nil
	}
	return f.read(ctx, request{path: "/v1/events/tail", query: query}, begun, func(data []byte) error {
		var e postroom.EventResource
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("what the server sent cannot be read: %w", err)
		}
		return t.take(e)
	})
}

// take yields an event, unless it was yielded before.
func (t *tail) take(e postroom.EventResource) error {
	if !t.seen.fresh(e.ID) {
		return nil
	}
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
