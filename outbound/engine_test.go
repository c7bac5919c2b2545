package outbound

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

func TestFreshDeliveryIsHandedOver(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		o := &postroom.Outgoing{Event: newEvent(r.workspace, "7")}
		if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{o}); err != nil {
			t.Fatal(err)
		}
		r.expect(id, succeeded(1))
		if len(o.Webhooks) != 1 || o.Webhooks[0] != id || o.Duplicate != nil {
			t.Errorf("published to %v, duplicate of %v", o.Webhooks, o.Duplicate)
		}
		if n := r.store.count("Claim"); n != 0 {
			t.Errorf("a fresh delivery was read back: %d claims", n)
		}
		d, calls := r.row(id), r.out.calls("a")
		if len(calls) != 1 || !calls[0].at.Equal(o.Event.Time) {
			t.Fatalf("calls: %+v", calls)
		}
		if got := calls[0].header; calls[0].delivery != d.id.String() || got.Get(headerAttempt) != "1" || got.Get(headerID) != o.Event.PublicID() {
			t.Errorf("headers: %v", got)
		}
		a := d.log[0]
		if len(d.log) != 1 || a.DeliveryID != d.id || a.Number != 1 || a.StatusCode != 200 || a.Error != nil || a.Response == nil || !a.At.Equal(calls[0].at) {
			t.Errorf("logged: %+v", a)
		}
		if c := r.engine.Counts(); c.Attempts != 1 || c.Succeeded != 1 || c.Held != 0 || c.Lanes != 0 {
			t.Errorf("counts: %+v", c)
		}
	})
}

func TestRetryFollowsTheSchedule(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", func(w *storedHook) {
			w.Retry.Schedule = []postroom.Duration{postroom.Duration(5 * time.Second), postroom.Duration(5 * time.Minute), postroom.Duration(24 * time.Hour)}
		})
		r.out.on("a", inTurn(status(500), status(503), status(429), status(204)))
		start := time.Now()
		r.publish(0, 1)
		wait(25 * time.Hour)
		r.expect(id, succeeded(1))
		at := time.Duration(0)
		for i, gap := range []time.Duration{0, 5 * time.Second, 5 * time.Minute, 24 * time.Hour} {
			at += gap
			call := r.out.calls("a")[i]
			if late := call.at.Sub(start) - at; late < 0 || late > 10*time.Millisecond {
				t.Errorf("attempt %d was made %v after its time", i+1, late)
			}
			at = call.at.Sub(start)
			if d := r.row(id); call.header.Get(headerAttempt) != strconv.Itoa(i+1) || d.log[i].Number != i+1 {
				t.Errorf("attempt %d says it is %s, and is logged as %d", i+1, call.header.Get(headerAttempt), d.log[i].Number)
			}
		}
		if c := r.engine.Counts(); c.Attempts != 4 || c.Retried != 3 || c.Succeeded != 1 || c.Lanes != 0 {
			t.Errorf("counts: %+v", c)
		}
		if n := r.store.count("Claim"); n != 3 {
			t.Errorf("%d claims for 3 retries", n)
		}
	})
}

// After a claim, the lane knows when the next retry is due, however many were noted before.
func TestRetriesOneAfterTheOther(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.out.on("a", inTurn(status(500), status(500), status(500), status(200)))
		start := time.Now()
		for i := range 3 {
			r.publish(i, 1)
			wait(7 * time.Second)
		}
		wait(5 * time.Minute)
		r.expect(id, succeeded(3))
		for i, call := range r.out.calls("a")[3:] {
			if late := call.at.Sub(start) - time.Minute - time.Duration(i)*7*time.Second; late < 0 || late > 10*time.Millisecond {
				t.Errorf("retry %d was made %v after its time", i+1, late)
			}
		}
	})
}

func TestScheduleEnds(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.out.on("a", status(http.StatusTeapot))
		r.publish(0, 1)
		wait(24 * time.Hour)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateFailed: 1})
		if n := len(r.out.calls("a")); n != 4 {
			t.Errorf("%d attempts, want the first and three more", n)
		}
	})
}

func TestTimeoutIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		r.out.on("a", inTurn(hang, status(200)))
		r.publish(0, 1)
		wait(15 * time.Second)
		r.expect(id, map[postroom.DeliveryState]int{postroom.StateRetry: 1})
		if a := r.row(id).log[0]; a.StatusCode != 0 || a.Response != nil || a.Error == nil || a.Error.Kind != "timeout" {
			t.Errorf("logged: %+v, %+v", a, a.Error)
		}
		wait(2 * time.Minute)
		r.expect(id, succeeded(1))
	})
}

func TestFanOutAndNoSubscriber(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.publish(0, 1) // for nobody
		ids := []postroom.WebhookID{}
		for _, host := range []string{"a", "b", "c"} {
			ids = append(ids, r.webhook(host))
		}
		r.engine.Changed(r.workspace, ids[0])
		r.publish(0, 10)
		for i, host := range []string{"a", "b", "c"} {
			r.expect(ids[i], succeeded(10))
			r.once(host, 10)
		}
	})
}

func TestDuplicateIsNotDelivered(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		first := &postroom.Outgoing{Event: newEvent(r.workspace, "0"), Keys: []string{"k"}}
		second := &postroom.Outgoing{Event: newEvent(r.workspace, "1"), Keys: []string{"k"}}
		for _, o := range []*postroom.Outgoing{first, second} {
			if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{o}); err != nil {
				t.Fatal(err)
			}
		}
		if second.Duplicate == nil || *second.Duplicate != first.Event.ID || first.Duplicate != nil {
			t.Errorf("duplicates: %v, %v", first.Duplicate, second.Duplicate)
		}
		r.expect(id, succeeded(1))
		r.once("a", 1)
	})
}

func TestPublishToNamedWebhooks(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		a, b, c := r.webhook("a"), r.webhook("b"), r.webhook("c", withStatus(postroom.WebhookPaused))
		if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{
			{Event: newEvent(r.workspace, "0"), To: []postroom.WebhookID{a, c}, State: postroom.StateReplay},
			{Event: newEvent(r.workspace, "1"), To: []postroom.WebhookID{a, c}},
			{Event: newEvent(r.workspace, "2"), To: []postroom.WebhookID{}},
		}); err != nil {
			t.Fatal(err)
		}
		r.expect(a, succeeded(2))
		r.expect(b, map[postroom.DeliveryState]int{})
		r.expect(c, map[postroom.DeliveryState]int{postroom.StateFresh: 1, postroom.StateReplay: 1})
		r.set(c, withStatus(postroom.WebhookActive))
		r.expect(c, succeeded(2))
	})
}

func TestPublishFailing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		broken := errors.New("disk full")
		id := r.webhook("a")
		r.store.whenever("Publish", func() error { return broken })
		events := []*postroom.Outgoing{}
		for range 600 { // more than the lane has places
			events = append(events, &postroom.Outgoing{Event: newEvent(r.workspace, "0")})
		}
		if err := r.engine.Publish(t.Context(), events); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		r.checkEmpty()
		if c := r.engine.Counts(); c.Lanes != 0 {
			t.Errorf("a lane is left: %+v", c)
		}
		r.store.whenever("Publish", nil)
		r.store.whenever("Subscriptions", func() error { return broken })
		r.engine.Changed(r.workspace, id)
		if err := r.engine.Publish(t.Context(), events[:1]); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		r.checkEmpty()
		r.store.whenever("Subscriptions", nil)
		r.publish(0, 1)
		r.expect(id, succeeded(1))
	})
}

// When one event of several cannot be matched, what the others were promised is given back.
func TestPublishFailingHalfWay(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.webhook("a")
		broken := errors.New("the database is away")
		fine, other := &postroom.Outgoing{Event: newEvent(r.workspace, "0")}, &postroom.Outgoing{Event: newEvent(postroom.WorkspaceID{1}, "1")}
		if err := r.engine.Publish(context.Background(), []*postroom.Outgoing{fine}); err != nil { // now its index is kept
			t.Fatal(err)
		}
		synctest.Wait()
		r.store.whenever("Subscriptions", func() error { return broken })
		if err := r.engine.Publish(context.Background(), []*postroom.Outgoing{fine, fine, other}); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		r.checkEmpty()
	})
}

// The publisher that went away may not end a commit whose outcome others depend on.
func TestPublishOutlivesItsCaller(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a")
		ctx, cancel := context.WithCancel(t.Context())
		r.store.whenever("Publish", func() error { cancel(); return nil })
		if err := r.engine.Publish(ctx, []*postroom.Outgoing{{Event: newEvent(r.workspace, "0")}}); err != nil {
			t.Error(err)
		}
		r.expect(id, succeeded(1))
	})
}

func TestOverflowKeepsOrder(t *testing.T) {
	t.Run("published before the engine runs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{})
			id := r.webhook("a", withConcurrency(1))
			r.publish(0, 1500)
			if c := r.engine.Counts(); c.Held != laneWindow {
				t.Errorf("%d deliveries are in memory, want %d", c.Held, laneWindow)
			}
			r.run()
			r.expect(id, succeeded(1500))
			r.inOrder("a", 1500)
			r.stop()
			r.checkEmpty()
		})
	})
	t.Run("published while it runs", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			id := r.webhook("a", withConcurrency(1))
			r.out.on("a", slow(3*time.Millisecond, status(200)))
			for i := range 1500 {
				time.Sleep(time.Millisecond)
				r.publish(i, 1)
				if held := r.engine.Counts().Held; held > laneWindow+10 { // those under way, or of which the end is being stored
					t.Fatalf("%d deliveries are in memory", held)
				}
			}
			wait(time.Minute)
			r.expect(id, succeeded(1500))
			r.inOrder("a", 1500)
			if n := r.store.count("Claim"); n == 0 || n > 100 {
				t.Errorf("%d claims", n)
			}
		})
	})
}

func TestConcurrencyIsKept(t *testing.T) {
	for _, limit := range []int{1, 3, 8, 50} {
		bubble(t, func(t *testing.T, r *rig) {
			id := r.webhook("a", withConcurrency(limit))
			r.out.on("a", slow(time.Second, status(200)))
			for range 2 { // the second time with a lane that was forgotten
				r.publish(0, 100)
				wait(2 * time.Minute)
			}
			r.expect(id, succeeded(200))
			if got := r.out.mostAtOnce("a"); got != limit {
				t.Errorf("%d calls at once, want %d", got, limit)
			}
			r.set(id, withConcurrency(2))
			before := len(r.out.calls("a"))
			r.publish(0, 10)
			synctest.Wait()
			if got := len(r.out.calls("a")) - before; got != 2 {
				t.Errorf("%d calls at once after the change, want 2", got)
			}
			wait(time.Minute)
		})
	}
}

// One receiver that hangs costs the others nothing.
func TestDeadReceiverDoesNotHoldUpOthers(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		dead, well := r.webhook("dead"), r.webhook("well")
		r.out.on("dead", hang)
		start := time.Now()
		r.publish(0, 1200)
		r.expect(well, succeeded(1200))
		if waited := time.Since(start); waited > 10*time.Millisecond {
			t.Errorf("the other waited %v", waited)
		}
		if got := r.out.mostAtOnce("dead"); got != 8 {
			t.Errorf("%d calls hang", got)
		}
		r.set(dead, func(w *storedHook) { w.deleted = true })
		wait(time.Minute)
	})
}

// Nor do a hundred of them, which together could fill all memory.
func TestManyDeadReceiversDoNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Workers: 5000})
		r.run()
		const dead, each = 100, 300
		to := []postroom.WebhookID{}
		for range dead {
			to = append(to, r.webhook("dead"))
		}
		r.out.on("dead", hang)
		well := r.webhook("well")
		for range each {
			if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{{Event: newEvent(r.workspace, "0"), To: to}}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		start := time.Now()
		for i := range 1000 {
			if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{{Event: newEvent(r.workspace, "0"), To: []postroom.WebhookID{well}}}); err != nil {
				t.Fatal(err)
			}
			if i%50 == 0 {
				synctest.Wait()
			}
		}
		r.expect(well, succeeded(1000))
		if waited := time.Since(start); waited > 10*time.Millisecond {
			t.Errorf("the other waited %v", waited)
		}
		if held := r.engine.Counts().Held; held > maxHeld {
			t.Errorf("%d deliveries are in memory", held)
		}
		r.stop()
		r.checkEmpty()
	})
}
