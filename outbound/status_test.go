package outbound

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

var (
	waitingFresh = func(n int) map[postroom.DeliveryState]int {
		return map[postroom.DeliveryState]int{postroom.StateFresh: n}
	}
	cancelled = func(n int) map[postroom.DeliveryState]int {
		return map[postroom.DeliveryState]int{postroom.StateCancelled: n}
	}
)

func TestPausedWebhookHolds(t *testing.T) {
	for _, status := range []postroom.WebhookStatus{postroom.WebhookPaused, postroom.WebhookDisabled} {
		bubble(t, func(t *testing.T, r *rig) {
			id, other := r.webhook("a", withStatus(status)), r.webhook("b")
			r.publish(0, 700)
			wait(time.Hour)
			r.expect(id, waitingFresh(700))
			r.expect(other, succeeded(700))
			if n := len(r.out.calls("a")); n != 0 {
				t.Errorf("a webhook that is %s was called %d times", status, n)
			}
			if claims, releases := r.store.count("Claim"), r.store.count("Release"); claims > 10 || releases > 0 { // the other's overflow is claimed
				t.Errorf("%d claims and %d releases while nothing may go out", claims, releases)
			}
			r.set(id, withStatus(postroom.WebhookActive))
			r.expect(id, succeeded(700))
			r.once("a", 700)
			if c := r.engine.Counts(); c.Lanes != 0 {
				t.Errorf("%d lanes are left", c.Lanes)
			}
		})
	}
}

// What is in memory when a webhook is paused goes back, and is not lost; what is under way ends.
func TestPauseWhileDeliveriesWaitInMemory(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withConcurrency(2))
		r.out.on("a", slow(5*time.Second, status(http.StatusOK)))
		r.publish(0, 100)
		wait(time.Second)
		r.set(id, withStatus(postroom.WebhookPaused))
		wait(10 * time.Minute)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateSucceeded: 2, postroom.StateFresh: 98})
		r.checkEmpty()
		r.publish(100, 1)
		r.set(id, withStatus(postroom.WebhookActive))
		wait(10 * time.Minute)
		r.expect(id, succeeded(101))
		r.once("a", 101)
	})
}

func TestRetriesWaitWhilePaused(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.out.on("a", inTurn(status(500), status(200)))
		r.publish(0, 1)
		wait(time.Second)
		r.set(id, withStatus(postroom.WebhookPaused))
		wait(time.Hour)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateRetry: 1})
		r.set(id, withStatus(postroom.WebhookActive))
		r.expect(id, succeeded(1))
	})
}

func TestDeletedWebhookCancels(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id, paused := r.webhook("a", withConcurrency(1)), r.webhook("b", withStatus(postroom.WebhookPaused))
		r.out.on("a", slow(5*time.Second, status(http.StatusOK)))
		r.publish(0, 600) // some in memory, some not
		wait(time.Second)
		for _, w := range []postroom.WebhookID{id, paused} {
			r.set(w, func(w *storedHook) { w.deleted = true })
		}
		wait(time.Minute)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateSucceeded: 1, postroom.StateCancelled: 599})
		r.expect(paused, cancelled(600))
		if n := len(r.out.calls("")); n != 1 {
			t.Errorf("%d calls, want the one that was under way", n)
		}
		if c := r.engine.Counts(); c.Lanes != 0 || c.Cancelled != 1199 || c.Attempts != 1 {
			t.Errorf("counts: %+v", c)
		}
		for _, d := range r.rows(paused) {
			if d.attempts != 0 || len(d.log) != 0 {
				t.Fatalf("cancelling counts as an attempt: %+v", d)
			}
		}
	})
}

// A webhook of which not even the owner is known, as after its retention, does not keep the queue busy.
func TestUnknownWebhookCancels(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := postroom.NewID[postroom.WebhookKind](time.Now())
		if err := r.engine.Publish(context.Background(), []*postroom.Outgoing{{Event: newEvent(r.workspace, "0"), To: []postroom.WebhookID{id}}}); err != nil {
			t.Fatal(err)
		}
		r.expect(id, cancelled(1))
	})
}

func TestGonePauses(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withConcurrency(1))
		r.out.on("a", slow(time.Second, inTurn(status(http.StatusGone), status(http.StatusOK))))
		r.publish(0, 10)
		wait(time.Hour)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 1, postroom.StateFresh: 9})
		r.store.mu.Lock()
		w := r.store.webhooks[id].Webhook
		r.store.mu.Unlock()
		if w.Status != postroom.WebhookPaused || w.StatusReason != gone {
			t.Errorf("the webhook is %s: %s", w.Status, w.StatusReason)
		}
		r.set(id, withStatus(postroom.WebhookActive))
		wait(time.Minute)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 1, postroom.StateSucceeded: 9})
	})
}

// A webhook that is to be paused or disabled gets nothing more, even while that cannot be stored.
func TestGonePausesBeforeItIsStored(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withConcurrency(1))
		r.out.on("a", inTurn(status(http.StatusGone), status(http.StatusOK)))
		r.store.whenever("Finish", failing(time.Now().Add(10*time.Second)))
		r.publish(0, 700) // more than the lane holds
		wait(5 * time.Second)
		r.publish(700, 10)
		if n := len(r.out.calls("a")); n != 1 {
			t.Errorf("%d calls, want the one that was answered with 410", n)
		}
		wait(time.Hour)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 1, postroom.StateFresh: 709})
		r.set(id, withStatus(postroom.WebhookActive))
		wait(time.Minute)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 1, postroom.StateSucceeded: 709})
		r.once("a", 710)
	})
}

// When another node has taken the delivery over meanwhile, its answer counts: the webhook is not paused, and its lane goes on.
func TestGoneIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withConcurrency(1))
		r.out.on("a", inTurn(status(http.StatusGone), status(http.StatusOK)))
		r.store.whenever("Finish", func() error {
			r.store.whenever("Finish", nil)
			r.store.mu.Lock()
			defer r.store.mu.Unlock()
			for _, d := range r.store.queue {
				d.claim++ // as the other does
			}
			return nil
		})
		r.publish(0, 1)
		wait(time.Second)
		r.publish(1, 10)
		wait(10 * time.Minute)
		r.expect(id, succeeded(11))
		if c := r.engine.Counts(); c.Lost != 1 {
			t.Errorf("counts: %+v", c)
		}
	})
}

// A resume that comes between a look at the webhook, which found it paused, and what follows from it, is not lost.
func TestResumeDuringALook(t *testing.T) {
	t.Run("before a claim", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			id := r.webhook("a", withStatus(postroom.WebhookPaused))
			r.store.once("Webhook", func() error {
				r.set(id, withStatus(postroom.WebhookActive))
				return nil
			})
			r.publish(0, 1)
			r.expect(id, succeeded(1))
		})
	})
	t.Run("before an attempt", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			id := r.webhook("a")
			r.publish(0, 3) // into the lane
			r.set(id, withStatus(postroom.WebhookPaused))
			r.store.once("Webhook", func() error {
				r.set(id, withStatus(postroom.WebhookActive))
				return nil
			})
			r.engine.deliver(t.Context(), r.engine.lanes.take())
			r.expect(id, waitingFresh(3)) // all are given back, as the webhook was found paused
			if r.engine.lanes.byID[id].stopped {
				t.Error("the lane stopped after the webhook was resumed")
			}
			r.run()
			r.expect(id, succeeded(3))
			r.stop()
			r.checkEmpty()
		})
	})
}

// A pause during a claim does not let the claimed deliveries out.
func TestPauseDuringAClaim(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.out.on("a", inTurn(status(500), status(200)))
		r.publish(0, 1)
		r.store.once("Claim", func() error {
			r.set(id, withStatus(postroom.WebhookPaused))
			return nil
		})
		wait(time.Hour)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateRetry: 1})
		if n := len(r.out.calls("a")); n != 1 {
			t.Errorf("%d attempts, want the first only", n)
		}
	})
}

// The URL and the secrets that a webhook has when the attempt is made count.
func TestChangedWebhookIsReadAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("old")
		r.out.on("old", status(500))
		r.publish(0, 1)
		synctest.Wait()
		r.set(id, func(w *storedHook) { w.URL = "https://new/" })
		wait(2 * time.Minute)
		r.expect(id, succeeded(1))
		if len(r.out.calls("old")) != 1 || len(r.out.calls("new")) != 1 {
			t.Errorf("%d calls to the old URL, %d to the new one", len(r.out.calls("old")), len(r.out.calls("new")))
		}
	})
}

func TestWebhookThatCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", func(w *storedHook) { w.secrets = []postroom.StoredSecret{{Sealed: []byte("whsec_not base64")}} })
		r.publish(0, 20)
		wait(time.Minute)
		r.expect(id, waitingFresh(20))
		if n := r.store.count("Secrets"); n > 150 {
			t.Errorf("the webhook was read %d times in a minute", n)
		}
		r.set(id, func(w *storedHook) {
			w.secrets = []postroom.StoredSecret{{Sealed: []byte(NewSecret(postroom.SecretHMAC))}}
		})
		r.expect(id, succeeded(20))
		if got := r.out.calls("a")[0].header.Get(headerSignature); got == "" {
			t.Error("the call is not signed")
		}
	})
}

// Nodes learn of each other's changes, even for a workspace that they never publish for.
func TestChangesByOtherNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Shared: true})
		r.config.Shared = true
		other := r.another()
		id := r.webhook("a")
		r.out.on("a", status(500))
		r.run()
		r.publish(0, 1)
		synctest.Wait()
		r.stop() // from here on the other one delivers
		other.run()
		wait(90 * time.Second)
		if n := len(r.out.calls("a")); n != 2 {
			t.Fatalf("%d attempts, want a second one by the other node", n)
		}
		r.change(id, withStatus(postroom.WebhookPaused))
		wait(time.Hour)
		if n := len(r.out.calls("a")); n != 2 {
			t.Errorf("%d attempts: the pause was not noticed", n)
		}
		r.out.on("a", status(200))
		r.change(id, withStatus(postroom.WebhookActive))
		wait(time.Minute)
		r.expect(id, succeeded(1))
		other.stop()
		other.checkEmpty()
	})
}

// A node whose index of the subscriptions is old learns so from the commit.
func TestStaleRevisionMatchesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Shared: true})
		old := r.webhook("old")
		r.run()
		r.publish(0, 1)
		added := r.webhook("new") // by another node, just now
		r.publish(1, 1)
		r.expect(old, succeeded(2))
		r.expect(added, succeeded(1))

		// Changes that never end do not refuse the event.
		before := r.store.count("Publish")
		r.store.whenever("Publish", func() error {
			r.change(old, func(*storedHook) {})
			return nil
		})
		r.publish(2, 1)
		if n := r.store.count("Publish") - before; n != maxRematches+1 {
			t.Errorf("matched %d times", n)
		}
		r.expect(old, succeeded(3))
		r.stop()
		r.checkEmpty()
	})
}
