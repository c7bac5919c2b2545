package outbound

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// stopped ends Run and says how long that took.
func (r *rig) stopped() time.Duration {
	start := time.Now()
	r.stop()
	return time.Since(start)
}

func TestShutdownLetsAttemptsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Drain: 10 * time.Second})
		id := r.webhook("a", withConcurrency(3))
		r.out.on("a", slow(8*time.Second, status(200)))
		r.run()
		r.publish(0, 700)
		wait(time.Second)
		if took := r.stopped(); took != 7*time.Second {
			t.Errorf("it took %v, want until the attempts had ended", took)
		}
		r.checkEmpty()
		// What had not begun is back in the queue, and due.
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateSucceeded: 3, postroom.StateFresh: 697})
		for _, d := range r.rows(id) {
			if d.state == postroom.StateFresh && (d.attempts != 0 || len(d.log) != 0 || d.due.After(time.Now())) {
				t.Fatalf("in the queue: %+v", d)
			}
		}
		next := r.another()
		next.out.on("a", status(200))
		next.run()
		next.expect(id, succeeded(700)) // at once: no lease has to end first
		next.once("a", 700)
		next.stop()
		next.checkEmpty()
	})
}

func TestShutdownCutsOffWhatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Drain: 5 * time.Second})
		id := r.webhook("a", withConcurrency(1))
		r.out.on("a", inTurn(status(500), hang, status(200)))
		r.run()
		r.publish(0, 1)
		wait(time.Minute + time.Second) // the second attempt hangs
		if took := r.stopped(); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		r.checkEmpty()
		d := r.row(id)
		if d.state != postroom.StateRetry || d.attempts != 1 || len(d.log) != 1 || d.due.After(time.Now()) {
			t.Errorf("an attempt that was cut off counts: %+v", d)
		}
		if c := r.engine.Counts(); c.Attempts != 1 || c.InFlight != 0 {
			t.Errorf("counts: %+v", c)
		}
		next := r.another()
		next.run()
		next.expect(id, succeeded(1))
		next.stop()
	})
}

// Results that cannot be stored do not keep the process for ever; their deliveries are attempted again later.
func TestShutdownWithoutADatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Drain: 5 * time.Second})
		id := r.webhook("a")
		r.run()
		back := time.Now().Add(time.Hour)
		for _, operation := range []string{"Finish", "Release", "Claim", "Renew"} {
			r.store.whenever(operation, failing(back))
		}
		r.publish(0, 600)
		wait(time.Second)
		if took := r.stopped(); took > 11*time.Second {
			t.Errorf("it took %v", took)
		}
		r.checkEmpty()
		if c := r.engine.Counts(); c.Attempts != 0 || c.Succeeded != 0 {
			t.Errorf("what was not stored is counted: %+v", c)
		}
		r.out.on("a", status(http.StatusNoContent))
		time.Sleep(time.Until(back))
		next := r.another()
		next.run()
		wait(time.Minute)
		next.expect(id, succeeded(600))
		next.stop()
		next.checkEmpty()
	})
}

// A claim that is under way when the shutdown begins is not lost.
func TestShutdownDuringAClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		id := r.webhook("a", withStatus(postroom.WebhookPaused))
		r.run()
		r.publish(0, 300)
		r.store.once("Claim", func() error {
			time.Sleep(time.Second)
			return nil
		})
		r.set(id, withStatus(postroom.WebhookActive))
		synctest.Wait()
		if took := r.stopped(); took != time.Second {
			t.Errorf("it took %v", took)
		}
		r.checkEmpty()
		r.expect(id, waitingFresh(300))
	})
}

// During a long drain, what is under way stays this node's.
func TestShutdownRenewsLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Drain: 10 * time.Minute})
		id := r.webhook("a", func(w *storedHook) { w.Timeout = postroom.Duration(time.Hour) })
		r.out.on("a", slow(5*time.Minute, status(200)))
		other := r.another()
		other.run()
		r.run()
		r.publish(0, 5)
		wait(time.Second)
		if took := r.stopped(); took != 5*time.Minute-time.Second {
			t.Errorf("it took %v", took)
		}
		r.expect(id, succeeded(5))
		r.once("a", 5)
		other.stop()
	})
}

func TestShutdownWithNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Shared: true})
		r.run()
		r.webhook("a")
		r.publish(0, 1000) // so that many workers have come
		wait(time.Hour)
		if took := r.stopped(); took != 0 {
			t.Errorf("it took %v", took)
		}
		r.checkEmpty()
	})
}
