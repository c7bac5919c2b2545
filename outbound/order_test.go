package outbound

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

func withOrdering(o postroom.Ordering) func(*storedHook) {
	return func(w *storedHook) { w.Ordering = o }
}

func TestOrderedWebhookGetsOneAtATime(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withOrdering(postroom.OrderingWebhook))
		r.out.on("a", slow(time.Second, status(200)))
		r.publish(0, 30)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateLeased: 1, postroom.StateParked: 29})
		if c := r.engine.Counts(); c.Held != 1 {
			t.Errorf("%d deliveries are held in memory; the others wait in the database", c.Held)
		}
		wait(31 * time.Second)
		r.expect(id, succeeded(30))
		r.inOrder("a", 30)
		if r.out.most["a"] != 1 {
			t.Errorf("%d calls were under way at once", r.out.most["a"])
		}
		r.checkEmpty()
	})
}

func TestFailingHeadBlocksItsKeyOnly(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withOrdering(postroom.OrderingKey)) // retried after a minute, three times
		var events []*postroom.Outgoing
		for i := range 9 {
			o := &postroom.Outgoing{Event: newEvent(r.workspace, strconv.Itoa(i))}
			o.Event.OrderingKey = strconv.Itoa(i % 3)
			events = append(events, o)
		}
		first := true
		r.out.on("a", func(ctx context.Context, call received) (*egress.Result, error) {
			if call.n == "0" && first {
				first = false
				return status(500)(ctx, call)
			}
			return status(200)(ctx, call)
		})
		if err := r.engine.Publish(t.Context(), events); err != nil {
			t.Fatal(err)
		}
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateSucceeded: 6, postroom.StateRetry: 1, postroom.StateParked: 2})
		wait(2 * time.Minute)
		r.expect(id, succeeded(9))
		got := map[string]string{}
		for _, call := range r.out.calls("a") {
			n, _ := strconv.Atoi(call.n)
			got[strconv.Itoa(n%3)] += call.n
		}
		if got["0"] != "0036" || got["1"] != "147" || got["2"] != "258" {
			t.Errorf("came %v", got)
		}
		r.checkEmpty()
	})
}
