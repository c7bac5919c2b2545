package tracing

import (
	"context"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/postroom/postroom"
)

// TestNothing has a tracer that is not there do nothing, and cost nothing.
func TestNothing(t *testing.T) {
	var none *Tracer
	ctx := context.Background()
	job := &postroom.Job{Event: &postroom.Event{ID: postroom.NewID[postroom.EventKind](time.Now())}}
	f := &postroom.Finish{}
	at := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		_, receive := none.Receive(ctx, job.Event.WorkspaceID, postroom.SourceID{})
		receive.End(nil)
		inner, publish := none.Publish(ctx, job.Event.WorkspaceID, 1)
		none.Begun(inner, job.Event.ID)
		none.Commit(inner).End(nil)
		publish.End(nil)
		attempt := none.Attempt(ctx, job, "POST", at)
		if attempt.Headers() != nil {
			t.Error("there are headers")
		}
		attempt.Attempted(f)
	}); n != 0 {
		t.Errorf("nothing allocates %v times", n)
	}
	handler := http.NewServeMux()
	if none.Handler(handler) != http.Handler(handler) {
		t.Error("a handler is wrapped for nothing")
	}
	if err := none.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// TestMemory forgets the oldest events.
func TestMemory(t *testing.T) {
	var m memory
	ids := &postroom.IDs{}
	now := time.Now()
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	var events []postroom.EventID
	for range remembered + 10 {
		id := postroom.Next[postroom.EventKind](ids, now)
		events = append(events, id)
		m.put(id, span)
		m.put(id, span) // again, as after a change of subscriptions
	}
	m.put(postroom.Next[postroom.EventKind](ids, now), trace.SpanContext{}) // no span
	for i, id := range events {
		if known := m.get(id).IsValid(); known != (i >= 10) {
			t.Fatalf("event %d of %d is known: %v", i, len(events), known)
		}
	}
	if len(m.spans) != remembered || len(m.order) != remembered {
		t.Errorf("%d spans are kept", len(m.spans))
	}
}
