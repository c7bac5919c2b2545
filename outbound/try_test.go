package outbound

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// leased stores a test delivery as the app does: leased to this node, and in no lane.
func (r *rig) leased(id postroom.WebhookID) *postroom.Job {
	r.Helper()
	e := newEvent(r.workspace, "0")
	job := &postroom.Job{DeliveryID: postroom.NewID[postroom.DeliveryKind](time.Now()), WebhookID: id, Event: e, Claim: 1,
		LeaseUntil: r.engine.LeaseUntil(time.Minute), Test: true}
	if err := r.store.Publish(context.Background(), []*postroom.Publication{{Event: e, Deliveries: []postroom.NewDelivery{
		{ID: job.DeliveryID, WebhookID: id, State: postroom.StateLeased, DueAt: job.LeaseUntil, Test: true}}}}); err != nil {
		r.Fatal(err)
	}
	return job
}

func TestTry(t *testing.T) {
	for _, test := range []struct {
		name   string
		reply  answer
		status postroom.WebhookStatus
		state  postroom.DeliveryState
		kind   string
	}{
		{"succeeds", status(200), postroom.WebhookActive, postroom.StateSucceeded, ""},
		{"fails at once", status(500), postroom.WebhookActive, postroom.StateFailed, KindStatus},
		{"of a paused webhook", status(202), postroom.WebhookPaused, postroom.StateSucceeded, ""},
		{"410", status(410), postroom.WebhookActive, postroom.StateFailed, KindGone},
		{"hangs", hang, postroom.WebhookActive, postroom.StateFailed, "timeout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				id := r.webhook("a", withStatus(test.status))
				r.out.on("a", test.reply)
				a, err := r.engine.Try(context.Background(), r.leased(id))
				if err != nil {
					t.Fatal(err)
				}
				if kind := kindOf(a.Error); kind != test.kind || a.Number != 1 {
					t.Errorf("attempt %d failed by %q", a.Number, kind)
				}
				wait(time.Hour)
				d := r.row(id)
				if d.state != test.state || len(d.log) != 1 || d.log[0] != a || len(r.out.calls("a")) != 1 {
					t.Errorf("stored: %+v, %d calls", d, len(r.out.calls("a")))
				}
				r.store.mu.Lock()
				defer r.store.mu.Unlock()
				if got := r.store.webhooks[id].Status; got != test.status {
					t.Errorf("the webhook is %s after a test", got)
				}
			})
		})
	}
}

func kindOf(e *postroom.AttemptError) string {
	if e == nil {
		return ""
	}
	return e.Kind
}

func TestTryOfADeletedWebhook(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", func(w *storedHook) { w.deleted = true })
		a, err := r.engine.Try(context.Background(), r.leased(id))
		if a != nil || postroom.CodeOf(err) != postroom.CodeNotFound {
			t.Errorf("got %+v, %v", a, err)
		}
		r.expect(id, cancelled(1))
	})
}

func TestTryWithoutADatabase(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		job := r.leased(id)
		broken := errors.New("disk full")
		r.store.whenever("Webhook", func() error { return broken })
		if _, err := r.engine.Try(context.Background(), job); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		r.store.whenever("Webhook", nil)
		r.store.whenever("Finish", func() error { return broken })
		if _, err := r.engine.Try(context.Background(), job); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		r.store.whenever("Finish", nil)
		if c := r.engine.Counts(); c.Attempts != 0 {
			t.Errorf("counts: %+v", c)
		}
	})
}

// Whoever asked for the test may go away; the attempt is made and logged.
func TestTryOutlivesItsCaller(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.out.on("a", slow(time.Second, status(200)))
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if _, err := r.engine.Try(ctx, r.leased(id)); err != nil {
			t.Error(err)
		}
		r.expect(id, succeeded(1))
	})
}
