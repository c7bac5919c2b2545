package outbound

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// steppedClock is a clock that can be set. Its times are those of the wall only, so that nothing can tell that it was set.
type steppedClock struct{ offset atomic.Int64 }

func (c *steppedClock) now() time.Time {
	return time.Now().Round(0).Add(time.Duration(c.offset.Load()))
}

func (c *steppedClock) set(by time.Duration) { c.offset.Add(int64(by)) }

// stepped runs a test whose engine has a clock that can be set.
func stepped(t *testing.T, test func(t *testing.T, r *rig, clock *steppedClock)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clock := &steppedClock{}
		r := newRig(t, Config{Now: clock.now})
		r.run()
		test(t, r, clock)
		r.stop()
		r.checkEmpty()
	})
}

// A clock that jumps ahead ends all leases. What is under way may be attempted a second time; nothing is lost.
func TestClockSetForward(t *testing.T) {
	stepped(t, func(t *testing.T, r *rig, clock *steppedClock) {
		id := r.webhook("a", withConcurrency(4))
		r.out.on("a", slow(10*time.Second, status(http.StatusOK)))
		failing := r.webhook("b")
		r.out.on("b", inTurn(status(500), status(200)))
		r.publish(0, 50)
		wait(5 * time.Second)
		clock.set(2 * time.Hour)
		r.publish(50, 50)
		wait(10 * time.Minute)
		r.expect(id, succeeded(100))
		r.expect(failing, succeeded(100))
		if n := len(r.out.calls("a")); n > 104 {
			t.Errorf("%d calls for 100 deliveries of which four were under way", n)
		}
		if c := r.engine.Counts(); c.Held != 0 || c.HeldBytes != 0 || c.InFlight != 0 {
			t.Errorf("counts: %+v", c)
		}
	})
}

// A clock that is set back does not hold up fresh events. What was due by the old clock waits until the new one gets there, and
// no longer; meanwhile nothing spins.
func TestClockSetBack(t *testing.T) {
	stepped(t, func(t *testing.T, r *rig, clock *steppedClock) {
		id := r.webhook("a", withConcurrency(4))
		r.out.on("a", inTurn(status(500), status(200)))
		r.publish(0, 3) // of which the first has to be tried again
		wait(time.Second)
		clock.set(-time.Hour)
		before := r.store.count("Claim") + r.store.count("NextDue") + r.store.count("Due")
		r.publish(3, 100)
		wait(time.Second)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateSucceeded: 102, postroom.StateRetry: 1})
		wait(58 * time.Minute)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateSucceeded: 102, postroom.StateRetry: 1})
		if n := r.store.count("Claim") + r.store.count("NextDue") + r.store.count("Due") - before; n > 1000 {
			t.Errorf("the database was asked %d times in an hour in which nothing was due", n)
		}
		wait(3 * time.Minute)
		r.expect(id, succeeded(103))
		if n := len(r.out.calls("a")); n != 104 {
			t.Errorf("%d calls for 103 deliveries of which one failed once", n)
		}
	})
}

// What overflows into the database is due at once, also when the clock was set back just before.
func TestClockSetBackUnderLoad(t *testing.T) {
	stepped(t, func(t *testing.T, r *rig, clock *steppedClock) {
		id := r.webhook("a", withConcurrency(4))
		r.out.on("a", slow(100*time.Millisecond, status(http.StatusOK)))
		for i := range 10 {
			r.publish(100*i, 100) // far more than the lane holds
			clock.set(-10 * time.Second)
			wait(time.Second)
		}
		wait(5 * time.Minute)
		r.expect(id, succeeded(1000))
		r.once("a", 1000)
	})
}

// The tokens of a rate limit, and an open breaker, do not wait for a clock that was set back by much longer than they would.
func TestClockSetBackAndPace(t *testing.T) {
	stepped(t, func(t *testing.T, r *rig, clock *steppedClock) {
		limited := r.webhook("a", func(w *storedHook) {
			w.RateLimit = &postroom.RateLimit{Limit: 10, Period: postroom.Duration(time.Second)}
		})
		r.publish(0, 50)
		wait(2 * time.Second)
		clock.set(-time.Hour)
		wait(2 * time.Hour)
		r.expect(limited, succeeded(50))
		r.once("a", 50)
		r.publish(50, 50)
		wait(10 * time.Second)
		r.expect(limited, succeeded(100))
	})
}

// Ids stay unique and in order whatever the clock does; so do the leases of one process.
func TestIDsOverSteps(t *testing.T) {
	stepped(t, func(t *testing.T, r *rig, clock *steppedClock) {
		id := r.webhook("a")
		for _, step := range []time.Duration{0, -24 * time.Hour, 48 * time.Hour, -time.Second, -24 * time.Hour, time.Millisecond} {
			clock.set(step)
			r.publish(0, 20)
			wait(time.Second)
		}
		wait(3 * 24 * time.Hour)
		r.expect(id, succeeded(120))
		seen := map[postroom.DeliveryID]bool{}
		for _, d := range r.rows(id) {
			if seen[d.id] {
				t.Errorf("%s was given twice", d.id)
			}
			seen[d.id] = true
		}
		if len(seen) != 120 {
			t.Errorf("there are %d deliveries", len(seen))
		}
	})
}
