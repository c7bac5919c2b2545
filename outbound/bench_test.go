package outbound

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

// quickStore commits at once and keeps nothing: what remains is the engine's own work.
type quickStore struct{ *fakeStore }

func (quickStore) Publish(context.Context, []*postroom.Publication) error { return nil }
func (quickStore) Finish(context.Context, []*postroom.Finish) error       { return nil }

// BenchmarkEngine takes 1 KiB events the whole way, from Publish to the stored result, with a database and receivers that
// cost nothing. An operation is one event; allocations are those of all its deliveries.
func BenchmarkEngine(b *testing.B) {
	for _, c := range []struct{ webhooks, batch int }{{1, 1}, {1, 100}, {5, 1}, {1000, 1}} {
		b.Run(strconv.Itoa(c.webhooks)+"webhooks/"+strconv.Itoa(c.batch)+"batch", func(b *testing.B) {
			benchmarkEngine(b, c.webhooks, c.batch)
		})
	}
}

func benchmarkEngine(b *testing.B, webhooks, batch int) {
	r := &rig{store: newFakeStore(), workspace: postroom.NewID[postroom.WorkspaceKind](time.Now())}
	secret := []postroom.StoredSecret{{Sealed: []byte(NewSecret(postroom.SecretHMAC))}}
	var ids []postroom.WebhookID
	for range webhooks {
		ids = append(ids, r.webhook("a", func(w *storedHook) { w.secrets = secret }))
	}
	// More than fits into a lane would be left to the database, which has nothing.
	places := make(chan struct{}, laneWindow/2)
	arrived := sender(func(*http.Request) (*egress.Result, error) {
		<-places
		return &egress.Result{StatusCode: http.StatusAccepted, Header: http.Header{"Content-Length": {"0"}}}, nil
	})
	e := New(Config{Store: quickStore{r.store}, Sender: arrived, Opener: plain{}, IDs: &postroom.IDs{}, UserAgent: "Postroom/1", Dialects: dialectSet(b)})
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) }) // it returns nil
	data := []byte(`{"contact":{"email":"a@example.com"},"text":"` + strings.Repeat("x", 970) + `"}`)
	perEvent := min(webhooks, 5) // of a thousand, five at a time
	b.ReportAllocs()
	b.SetParallelism(64 / batch)
	var next sync.Mutex
	turn := 0
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var events []*postroom.Outgoing
		for more := true; more; {
			events = events[:0]
			for len(events) < batch {
				if more = pb.Next(); !more {
					break
				}
				next.Lock()
				from := turn
				turn = (turn + perEvent) % webhooks
				for range perEvent { // one publisher at a time, or all might wait with a part of what they need
					places <- struct{}{}
				}
				next.Unlock()
				now := time.Now()
				events = append(events, &postroom.Outgoing{To: ids[from : from+perEvent], Event: &postroom.Event{ID: postroom.NewID[postroom.EventKind](now),
					WorkspaceID: r.workspace, Type: "email.opened", Time: now, Data: data}})
			}
			if err := e.Publish(ctx, events); err != nil {
				b.Error(err)
			}
		}
	})
	for c := e.Counts(); c.Succeeded < int64(b.N*perEvent); c = e.Counts() {
		if c.Failed+c.Retried+c.Cancelled > 0 {
			b.Fatalf("%+v", c)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.N*perEvent)/b.Elapsed().Seconds(), "deliveries/s")
	cancel()
	running.Wait()
}
