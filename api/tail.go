package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
)

// writeTimeout is how long a caller of a stream may take to read what is written to it before it is taken to be gone.
const writeTimeout = 30 * time.Second

type tailInput struct {
	Type string `query:"type" doc:"Only events of these types: names, groups as in email.*, with commas between them; all if left out." example:"email.*,order.paid"`
}

// stream is an answer that is written bit by bit.
type stream struct {
	Body func(huma.Context)
}

func (a *api) routeTail(rt *router) {
	register(rt, operation{
		ID: "tail-events", Method: http.MethodGet, Path: publishPath + "/tail", Tag: "Events", Role: postroom.RoleViewer,
		Summary: "Follow events",
		Description: "Server-sent events: what is published from now on, an Event as JSON in each message, until the caller goes away. A comment is sent " +
			"every 15 seconds, so that a dead connection is noticed. When the caller reads too slowly, events are left out.",
		Produces: []string{"text/event-stream"},
	}, a.tailEvents)
}

func (a *api) tailEvents(ctx context.Context, c *call, in *tailInput) (*stream, error) {
	var types []string
	for name := range strings.SplitSeq(in.Type, ",") {
		if name = strings.TrimSpace(name); name != "" {
			types = append(types, name)
		}
	}
	events, err := a.App.WatchEvents(ctx, c.who, types)
	if err != nil {
		return nil, err
	}
	return &stream{func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		writeTail(ctx, w, a.heartbeat, "events", events, func(e postroom.Event) []byte { return message("", showEvent(e)) })
	}}, nil
}

// message is one message of an event stream: a value as JSON, with an id if it is not empty.
func message(id string, v any) []byte {
	data, err := marshal(v) // one line: white space is taken out
	if err != nil {         // cannot be: what is in it was valid JSON
		panic(err)
	}
	var m []byte
	if id != "" {
		m = append(append(m, "id: "+id...), '\n')
	}
	return append(append(append(m, "data: "...), data...), "\n\n"...)
}

// writeTail writes messages of what comes, until ctx ends, the channel is closed, or the caller is gone.
func writeTail[T any](ctx context.Context, w http.ResponseWriter, heartbeat time.Duration, what string, from <-chan T, message func(T) []byte) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold messages back
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	out := flusher{w, http.NewResponseController(w)}
	next := []byte(": " + what + " from now on\n\n")
	for {
		if out.write(next) != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			next = []byte(": still here\n\n")
		case v, ok := <-from:
			if !ok {
				return
			}
			next = message(v)
		}
	}
}

// flusher sends what is written at once, in place of the server's own timeout for a whole answer with one for each piece.
type flusher struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
}

func (f flusher) write(b []byte) error {
	_ = f.ctrl.SetWriteDeadline(time.Now().Add(writeTimeout)) // not all writers have deadlines
	if _, err := f.w.Write(b); err != nil {
		return err
	}
	return f.ctrl.Flush()
}
