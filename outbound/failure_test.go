package outbound

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

// failing is an operation that fails until a time.
func failing(until time.Time) func() error {
	return func() error {
		if time.Now().Before(until) {
			return errors.New("the database is away")
		}
		return nil
	}
}

func TestFinishFailing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.store.whenever("Finish", failing(time.Now().Add(5*time.Minute)))
		r.publish(0, 300)
		synctest.Wait()
		r.once("a", 300)
		wait(4 * time.Minute)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateLeased: 300}) // renewed meanwhile, so nobody else takes them
		wait(2 * time.Minute)
		r.expect(id, succeeded(300))
		r.once("a", 300)
		if n := r.store.count("Finish"); n > 80 {
			t.Errorf("it was tried %d times", n)
		}
		r.publish(300, 10)
		r.expect(id, succeeded(310))
	})
}

// When results pile up, nothing more is attempted: it could not be remembered.
func TestFinishFailingUnderLoad(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withConcurrency(50))
		r.store.whenever("Finish", failing(time.Now().Add(time.Minute)))
		const most = maxResults + recordBatch + 50
		for range 7 {
			r.publish(0, 1000)
			wait(time.Second)
			if n := len(r.out.calls("a")); n > most {
				t.Fatalf("%d attempts of which no result is stored", n)
			}
		}
		wait(10 * time.Minute)
		r.expect(id, succeeded(7000))
		if n := len(r.out.calls("a")); n != 7000 {
			t.Errorf("%d attempts for 7000 deliveries", n)
		}
	})
}

func TestClaimFailing(t *testing.T) {
	for _, operation := range []string{"Claim", "NextDue", "WebhookOwner", "Webhook", "Secrets"} {
		t.Run(operation, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				id := r.webhook("a", withStatus(postroom.WebhookPaused))
				r.publish(0, 1000)
				synctest.Wait()
				before := r.store.count(operation)
				r.store.whenever(operation, failing(time.Now().Add(time.Minute)))
				r.set(id, withStatus(postroom.WebhookActive))
				wait(59 * time.Second)
				if n := r.store.count(operation) - before; n < 20 || n > 200 {
					t.Errorf("it was tried %d times in a minute", n)
				}
				wait(5 * time.Second)
				r.expect(id, succeeded(1000))
				r.once("a", 1000)
			})
		})
	}
}

// A claim whose outcome is not known may have been stored. What it took comes back when the lease ends.
func TestClaimThatFailedAfterItsCommit(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withStatus(postroom.WebhookPaused))
		r.publish(0, 200)
		synctest.Wait()
		r.store.once("Claim", func() error { return errors.New("connection lost") })
		r.set(id, withStatus(postroom.WebhookActive))
		wait(30 * time.Second)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateSucceeded: 200 - claimLimit, postroom.StateLeased: claimLimit})
		wait(time.Minute)
		r.expect(id, succeeded(200))
		r.once("a", 200)
	})
}

// A webhook that cannot be read for a while is tried again by itself.
func TestWebhookUnreadableForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.store.whenever("Webhook", failing(time.Now().Add(5*time.Second)))
		r.publish(0, 5)
		wait(4 * time.Second)
		r.expect(id, waitingFresh(5))
		wait(3 * time.Second)
		r.expect(id, succeeded(5))
		r.once("a", 5)
	})
}

// The first look at the database may fail, as may any other.
func TestDiscoveryAndSweepFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Shared: true})
		for _, operation := range []string{"Due", "TakeOver", "Revisions"} {
			r.store.whenever(operation, failing(time.Now().Add(time.Minute)))
		}
		id := r.webhook("a")
		r.publish(0, 1)
		r.engine = New(r.config) // the publisher died
		r.run()
		wait(50 * time.Second)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateLeased: 1})
		wait(time.Minute)
		r.expect(id, succeeded(1))
		r.stop()
		r.checkEmpty()
	})
}

func TestPanicInAnAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.out.on("a", inTurn(func(context.Context, received) (*egress.Result, error) { panic("no such luck") },
			func(context.Context, received) (*egress.Result, error) { return nil, nil }, // which no Sender may do
			status(http.StatusOK)))
		r.publish(0, 1)
		wait(time.Second)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateRetry: 1})
		if c := r.engine.Counts(); c.Panics != 1 || c.InFlight != 0 || c.Retried != 1 || c.Attempts != 1 {
			t.Errorf("counts: %+v", c)
		}
		d := r.row(id)
		if a := d.log[0]; a.Error == nil || a.Error.Kind != egress.KindInternal || a.Request.URL != "https://a/" || a.Number != 1 || a.DeliveryID != d.id {
			t.Errorf("logged: %+v, %+v", a, a.Error)
		}
		wait(5 * time.Minute)
		r.expect(id, succeeded(1))
		if c := r.engine.Counts(); c.Panics != 2 || c.InFlight != 0 || c.Attempts != 3 {
			t.Errorf("counts: %+v", c)
		}
	})
}

// A panic after the answer, while it is judged, costs the judgement only.
func TestPanicAfterAnAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id, other := r.webhook("a"), r.webhook("b")
		r.out.on("a", status(http.StatusInternalServerError))
		r.publish(0, 1)
		wait(2*time.Minute + 30*time.Second)
		r.store.whenever("Subscriptions", func() error { panic("no such luck") }) // postroom.delivery.failed is matched
		r.engine.matchers.forget(r.workspace)
		wait(time.Minute)
		r.store.whenever("Subscriptions", nil)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 1})
		if c := r.engine.Counts(); c.Panics != 1 || c.Attempts != 5 || c.Failed != 1 {
			t.Errorf("counts: %+v", c)
		}
		r.out.on("a", status(http.StatusOK))
		r.publish(1, 10)
		wait(time.Minute)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 1, postroom.StateSucceeded: 10})
		r.expect(other, succeeded(11))
	})
}

// An event that cannot be sent fails as an attempt does, and holds up nothing else.
func TestBodyThatCannotBeMade(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		e := newEvent(r.workspace, "0")
		e.Data = []byte(`{"n":`)
		if err := r.engine.Publish(context.Background(), []*postroom.Outgoing{{Event: e}}); err != nil {
			t.Fatal(err)
		}
		wait(time.Hour)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 1})
		d := r.row(id)
		if len(d.log) != 4 || d.log[3].Error.Kind != egress.KindInternal || d.log[3].Number != 4 || len(r.out.calls("a")) != 0 {
			t.Errorf("%d attempts, the last %+v", len(d.log), d.log[len(d.log)-1])
		}
	})
}

// What a receiver answers is stored as text: bytes that are none must not keep results from being stored.
func TestAnswerThatIsNotText(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.out.on("a", inTurn(func(context.Context, received) (*egress.Result, error) {
			return &egress.Result{StatusCode: 500, Header: http.Header{"X-Name": {"caf\xe9", "tab\tü"}}}, nil
		}, func(context.Context, received) (*egress.Result, error) {
			return &egress.Result{}, &egress.Error{Kind: egress.KindTLS, Sentence: "The certificate is for a\x00b\xff."}
		}, status(200)))
		r.publish(0, 1)
		wait(time.Hour)
		log := r.row(id).log
		if got := log[0].Response.Headers; len(got) != 2 || got[0].Value != "caf\ufffd" || got[1].Value != "tab\tü" {
			t.Errorf("headers: %q", got)
		}
		if got := log[1].Error; got.Kind != egress.KindTLS || got.Message != "The certificate is for a\ufffdb\ufffd." {
			t.Errorf("error: %+v", got)
		}
	})
}
