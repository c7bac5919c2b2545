package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/postroom/postroom"
)

// TailRequestsInput says what to follow.
type TailRequestsInput struct {
	Source string // its id or uid
	// Lost, unless nil, is told why the connection was lost, before it is made anew.
	Lost func(err error)
	// Connected, unless nil, is called when a connection was made.
	Connected func()
}

// storedLate is how much later than one that arrived after it a request may be stored.
const storedLate = 5 * time.Second

// TailRequests follows the requests that a source receives from now on, each whole, until ctx ends or the loop does. A connection that is lost
// is made anew, and what came meanwhile is caught up with, up to 1,000 requests. The last error says why it ended.
func (c *Client) TailRequests(ctx context.Context, in TailRequestsInput) iter.Seq2[postroom.SourceRequest, error] {
	return func(yield func(postroom.SourceRequest, error) bool) {
		t := requestTail{in: in, yield: yield}
		if err := (&following{client: c, lost: in.Lost, connected: in.Connected}).run(ctx, t.connect); err != nil {
			yield(postroom.SourceRequest{}, err)
		}
	}
}

// requestTail is one run of TailRequests.
type requestTail struct {
	in    TailRequestsInput
	yield func(postroom.SourceRequest, error) bool
	began time.Time // by the server's clock
	last  time.Time // when the newest that was seen arrived
	seen  seen
}

// connect follows one connection until it is lost.
func (t *requestTail) connect(ctx context.Context, f *following, again bool) error {
	r := request{path: path("v1", "sources", t.in.Source, "requests", "tail")}
	if again && !t.began.IsZero() {
		since := t.began
		if late := t.last.Add(-storedLate); late.After(since) {
			since = late
		}
		r.header = http.Header{"Last-Event-Id": {postroom.FirstID[postroom.RequestKind](since).String()}}
	}
	begun := func(_ context.Context, resp *http.Response) error {
		if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil && t.began.IsZero() {
			t.began = at
		}
		return nil
	}
	return f.read(ctx, r, begun, func(data []byte) error {
		var got postroom.SourceRequest
		if err := json.Unmarshal(data, &got); err != nil {
			return fmt.Errorf("what the server sent cannot be read: %w", err)
		}
		if !t.seen.fresh(got.ID.String()) {
			return nil
		}
		if got.ReceivedAt.After(t.last) {
			t.last = got.ReceivedAt.Time
		}
		if !t.yield(got, nil) {
			return errEnough
		}
		return nil
	})
}
