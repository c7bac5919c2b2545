package outbound

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// What a node that died had in memory comes back when its lease ends.
func TestCrashRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The lease ends when nothing but the sweep looks.
		dead := newRig(t, Config{Lease: sweepEvery + discoverEvery})
		id := dead.webhook("a")
		dead.publish(0, 700) // and never delivered: it does not run
		dead.expect(id, map[postroom.DeliveryState]int{postroom.StateLeased: laneWindow, postroom.StateFresh: 700 - laneWindow})
		next := dead.another()
		next.run()
		next.expect(id, map[postroom.DeliveryState]int{postroom.StateLeased: laneWindow, postroom.StateSucceeded: 700 - laneWindow})
		wait(2*sweepEvery + discoverEvery)
		next.expect(id, succeeded(700))
		next.once("a", 700)
		next.stop()
		next.checkEmpty()
	})
}

// An attempt that died with its node counts as none, and is made again.
func TestRetryOfADeadNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		id := r.webhook("a")
		r.out.on("a", inTurn(status(500), status(200)))
		r.run()
		r.publish(0, 1)
		synctest.Wait()
		r.stop()
		jobs, err := r.store.Claim(t.Context(), id, postroom.StateRetry, time.Now().Add(time.Hour), time.Now().Add(time.Minute), 10)
		if err != nil || len(jobs) != 1 { // by a node that dies now
			t.Fatal(jobs, err)
		}
		next := r.another()
		next.run()
		wait(2 * time.Minute)
		next.expect(id, succeeded(1))
		if d := next.row(id); d.attempts != 2 || d.claim != 3 {
			t.Errorf("%d attempts, %d claims", d.attempts, d.claim)
		}
		next.stop()
	})
}

// A delivery that waits long in memory, or whose attempt takes long, stays with its node.
func TestLeasesAreRenewed(t *testing.T) {
	for _, lease := range []time.Duration{0, 4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{Lease: lease})
			id := r.webhook("a", withConcurrency(1), func(w *storedHook) { w.Timeout = postroom.Duration(time.Minute) })
			r.out.on("a", slow(50*time.Second, status(200)))
			other := r.another()
			r.run()
			other.run()
			r.publish(0, 20)
			wait(20 * time.Minute)
			r.expect(id, succeeded(20))
			r.inOrder("a", 20)
			if n := len(other.out.calls("")); n != 20 {
				t.Errorf("%d calls", n)
			}
			if n := r.store.count("Claim"); n != 0 {
				t.Errorf("the other node claimed %d times", n)
			}
			r.stop()
			other.stop()
			r.checkEmpty()
		})
	}
}

// A renewal that fails is tried again while the lease lasts.
func TestRenewFailingOnce(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withConcurrency(1))
		r.out.on("a", slow(10*time.Second, status(200)))
		r.store.whenever("Renew", failing(time.Now().Add(40*time.Second))) // which is the first one
		r.publish(0, 30)
		wait(10 * time.Minute)
		r.expect(id, succeeded(30))
		r.once("a", 30)
		if n := r.store.count("Claim"); n != 0 {
			t.Errorf("%d claims: leases have run out", n)
		}
	})
}

// A node that could not renew leaves what it has not begun with to others: at most what was in flight is sent twice.
func TestLeaseThatRanOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		id := r.webhook("a", withConcurrency(2))
		r.out.on("a", slow(10*time.Second, status(200)))
		other := r.another()
		r.run()
		r.publish(0, 100)
		r.store.whenever("Renew", func() error { return errors.New("the database is away") })
		wait(time.Minute)
		other.run()
		wait(time.Second)
		r.store.whenever("Renew", nil)
		wait(time.Hour)
		r.expect(id, succeeded(100))
		if n := len(r.out.calls("a")); n > 102 {
			t.Errorf("%d calls for 100 deliveries of which two were in flight", n)
		}
		r.stop()
		other.stop()
		r.checkEmpty()
		other.checkEmpty()
	})
}

// The same alone: a node that stood still takes its own deliveries over, and counts them once.
func TestNodeThatStoodStill(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", withConcurrency(1))
		r.out.on("a", slow(90*time.Second, status(200)))
		r.set(id, func(w *storedHook) { w.Timeout = postroom.Duration(2 * time.Minute) })
		r.store.whenever("Renew", failing(time.Now().Add(70*time.Second)))
		r.publish(0, 5)
		wait(80 * time.Second)
		if c := r.engine.Counts(); c.Held > 5 || c.HeldBytes != c.Held*int64(len(`{"n":0}`)) {
			t.Errorf("counts: %+v", c)
		}
		wait(time.Hour)
		r.expect(id, succeeded(5))
		if c := r.engine.Counts(); c.Lost != 1 || c.Held != 0 || c.HeldBytes != 0 {
			t.Errorf("counts: %+v", c)
		}
		if n := len(r.out.calls("a")); n != 6 {
			t.Errorf("%d calls for 5 deliveries of which one was in flight", n)
		}
	})
}

func TestLeaseUntil(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := New(Config{Store: newFakeStore(), Now: func() time.Time { return now }, Lease: 7 * time.Second})
	if got := e.LeaseUntil(3 * time.Second); !got.Equal(now.Add(10 * time.Second)) {
		t.Errorf("got %v", got)
	}
}
