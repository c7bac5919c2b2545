package outbound

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// fixture are lanes with a clock of their own.
type fixture struct {
	*lanes
	clock time.Time
}

func newFixture() *fixture {
	f := &fixture{clock: epoch}
	f.lanes = newLanes(func() time.Time { return f.clock })
	return f
}

func (f *fixture) job(id postroom.WebhookID, bytes int) *postroom.Job {
	return &postroom.Job{DeliveryID: postroom.NewID[postroom.DeliveryKind](f.clock), WebhookID: id, Claim: 1, LeaseUntil: f.clock.Add(time.Minute),
		Event: &postroom.Event{Data: make([]byte, bytes)}}
}

// put puts deliveries into a lane as a claim does, so that its window does not matter.
func (f *fixture) put(id postroom.WebhookID, n int) (jobs []*postroom.Job) {
	for range n {
		jobs = append(jobs, f.job(id, 1))
	}
	f.due(id, postroom.StateFresh, f.clock)
	d, _ := f.nextLoad()
	f.loaded(d, jobs, map[postroom.DeliveryState]time.Time{postroom.StateFresh: {}}, false)
	return jobs
}

func TestLanesTakeTurns(t *testing.T) {
	f := newFixture()
	one, two, three := postroom.WebhookID{1}, postroom.WebhookID{2}, postroom.WebhookID{3}
	f.put(one, 1000)
	f.limit(one, 100, nil)
	for range 10 {
		f.next(false)
	}
	f.put(two, 1)
	f.put(three, 1)
	var order []byte
	for range 5 {
		order = append(order, f.next(false).WebhookID[0])
	}
	if !slices.Equal(order, []byte{1, 2, 3, 1, 1}) {
		t.Errorf("lanes were served in the order %v", order)
	}
	// A lane whose attempts are all under way is passed over, and comes back when one ends.
	f.limit(one, 13, nil)
	if len(f.ring) != 0 {
		t.Error("a lane at its limit is in the ring")
	}
	f.left(one)
	if j := f.next(false); j.WebhookID != one {
		t.Errorf("served %v", j.WebhookID)
	}
}

func TestLimitTakesEffectAtOnce(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	f.put(id, 10)
	f.next(false)
	if len(f.ring) != 0 {
		t.Fatal("a new lane has more than one attempt before its limit is known")
	}
	f.limit(id, 4, nil)
	for range 3 {
		f.next(false)
	}
	if len(f.ring) != 0 {
		t.Fatal("five at once, and the limit is four")
	}
	f.limit(id, 6, nil)
	f.limit(id, 2, nil) // before anybody took the fifth
	if len(f.ring) != 0 {
		t.Fatal("a fifth may begin, and the limit is two")
	}
	f.left(id)
	f.left(id)
	if len(f.ring) != 0 {
		t.Fatal("a third may begin, and the limit is two")
	}
	f.left(id)
	if len(f.ring) != 1 {
		t.Fatal("a second may not begin")
	}
}

// All lanes together keep within the bounds of memory, and each gets a place however many others hold what they can.
func TestMemoryIsBounded(t *testing.T) {
	f := newFixture()
	for lane := range 150 {
		id := postroom.WebhookID{1, byte(lane), byte(lane >> 8)}
		for f.reserve(id, 1) {
			f.fill(f.job(id, 1))
		}
		if l := f.byID[id]; l == nil || l.queued() == 0 || l.queued() > laneWindow {
			t.Fatalf("lane %d holds %+v", lane, l)
		}
	}
	if len(f.held) > maxHeld || len(f.held) < maxHeld*9/10 || f.heldBytes != len(f.held) {
		t.Errorf("%d deliveries of %d bytes are held, of at most %d", len(f.held), f.heldBytes, maxHeld)
	}
	// One that wants to claim gets a few places, too.
	id := postroom.WebhookID{2}
	f.due(id, postroom.StateRetry, f.clock)
	d, _ := f.nextLoad()
	if d.room < 1 || d.room > maxHeld-len(f.held) {
		t.Errorf("room for %d", d.room)
	}
	f.retryLoad(d, f.clock)
}

func TestBytesAreBounded(t *testing.T) {
	const size = 1 << 20
	f := newFixture()
	one, two := postroom.WebhookID{1}, postroom.WebhookID{2}
	n := 0
	for f.reserve(one, size) {
		n++
		f.fill(f.job(one, size))
	}
	if n != maxHeldBytes/size || f.reserve(two, 1) || len(f.byID) != 1 {
		t.Errorf("%d MiB are held, in %d lanes", n, len(f.byID))
	}
	f.due(two, postroom.StateFresh, f.clock)
	d, _ := f.nextLoad() // nobody knows how large they are
	f.loaded(d, []*postroom.Job{f.job(two, size)}, nil, false)
	f.stop(postroom.WebhookID{3})
	f.start(postroom.WebhookID{3}, f.clock)
	for range 2 {
		if d, _ := f.nextLoad(); d.room != 0 {
			t.Errorf("%d MiB are held, and there is room for %d more", f.heldBytes/size, d.room)
		}
	}
}

func TestClaimStates(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	f.due(id, postroom.StateReplay, f.clock.Add(-time.Hour))
	f.due(id, postroom.StateRetry, f.clock.Add(time.Nanosecond)) // not yet
	f.due(id, postroom.StateFresh, f.clock)
	d, ok := f.nextLoad()
	if !ok || d.webhook != id || !slices.Equal(d.states, []postroom.DeliveryState{postroom.StateFresh, postroom.StateReplay}) || d.room != 2*claimLimit {
		t.Errorf("%+v", d)
	}
	if f.reserve(id, 1) {
		t.Error("a delivery overtakes what waits in the database")
	}
	f.loaded(d, nil, map[postroom.DeliveryState]time.Time{postroom.StateFresh: {}, postroom.StateReplay: {}}, false)
	if !f.reserve(id, 1) {
		t.Error("there is no place although nothing waits")
	}
	f.cancel(id, 1)
	f.clock = f.clock.Add(time.Second)
	if next := f.wake(); !next.IsZero() || len(f.loads) != 1 {
		t.Errorf("next wake-up %v, %d claims", next, len(f.loads))
	}
}

// A note that comes while the database is looked at may be about what the look did not see.
func TestNoteDuringAClaimIsKept(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	f.due(id, postroom.StateFresh, f.clock)
	f.due(id, postroom.StateRetry, f.clock)
	d, _ := f.nextLoad()
	f.due(id, postroom.StateFresh, f.clock)
	f.loaded(d, nil, map[postroom.DeliveryState]time.Time{postroom.StateFresh: {}, postroom.StateRetry: {}}, false)
	again, _ := f.nextLoad()
	if !slices.Equal(again.states, []postroom.DeliveryState{postroom.StateFresh}) {
		t.Errorf("looked again for %v", again.states)
	}
	f.loaded(again, nil, map[postroom.DeliveryState]time.Time{postroom.StateFresh: {}}, false)
	if len(f.byID) != 0 {
		t.Error("the lane is kept with nothing in it")
	}
}

// A lane that waited for nothing but a time at which nothing is due any more is dropped.
func TestLaneIsDroppedWhenItWakesForNothing(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	f.due(id, postroom.StateRetry, f.clock.Add(time.Hour))
	f.start(id, f.clock)
	d, _ := f.nextLoad()
	f.loaded(d, nil, map[postroom.DeliveryState]time.Time{postroom.StateFresh: {}, postroom.StateRetry: {}, postroom.StateReplay: {}}, false)
	if next := f.wake(); !next.Equal(f.clock.Add(time.Hour)) || len(f.byID) != 1 {
		t.Fatalf("the next wake-up is at %v", next)
	}
	f.clock = f.clock.Add(time.Hour)
	if next := f.wake(); !next.IsZero() || len(f.byID) != 0 || len(f.loads) != 0 {
		t.Errorf("the next wake-up is at %v, %d lanes are left, %d want more", next, len(f.byID), len(f.loads))
	}
}

// Promises that are taken back make room for a claim that waited for it.
func TestCancelLetsALaneClaim(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	for range laneRefill {
		f.reserve(id, 1)
	}
	f.due(id, postroom.StateRetry, f.clock)
	if len(f.loads) != 0 {
		t.Fatal("a lane that is full enough claims")
	}
	f.cancel(id, 1)
	if len(f.loads) != 1 {
		t.Error("nobody will look for what is due")
	}
}

// What has gone out is not kept in memory by the queue that it was in.
func TestQueueForgetsWhatWentOut(t *testing.T) {
	l := &lane{}
	for range 300 {
		l.push(&postroom.Job{})
	}
	for range 200 {
		l.pop()
	}
	all, kept := l.queue[:cap(l.queue)], 0
	for _, j := range all {
		if j != nil {
			kept++
		}
	}
	if kept != 100 || l.queued() != 100 {
		t.Errorf("%d deliveries are reachable, %d are queued", kept, l.queued())
	}
}

func TestStoppable(t *testing.T) {
	f := newFixture()
	f.put(postroom.WebhookID{1}, 1)
	f.stop(postroom.WebhookID{2})
	f.due(postroom.WebhookID{3}, postroom.StateFresh, f.clock)
	f.due(postroom.WebhookID{4}, postroom.StateFresh, f.clock.Add(time.Hour))
	got := f.stoppable()
	slices.SortFunc(got, func(a, b postroom.WebhookID) int { return int(a[0]) - int(b[0]) })
	if !slices.Equal(got, []postroom.WebhookID{{2}, {3}}) {
		t.Errorf("got %v", got)
	}
}

func TestCloseHandsBackWhatHasNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		one, two := postroom.WebhookID{1}, postroom.WebhookID{2}
		want := f.put(one, 3)[1:]
		f.next(false)
		f.reserve(two, 1)
		f.due(two, postroom.StateRetry, f.clock)
		under, _ := f.nextLoad()
		ended := make(chan bool, 3)
		go func() { ended <- f.next(false) == nil }() // lane one is at its limit
		go func() { _, ok := f.nextLoad(); ended <- !ok }()
		go func() { _, ok := f.nextLoad(); ended <- !ok }()
		synctest.Wait()
		if got := f.close(); !slices.Equal(got, want) {
			t.Errorf("%d deliveries were handed back, want %d", len(got), len(want))
		}
		for range 3 {
			if !<-ended {
				t.Error("somebody was given something by lanes that are closed")
			}
		}
		// What comes afterwards is handed back too.
		late := []*postroom.Job{f.job(two, 1), f.job(two, 1)}
		f.fill(late[0])
		f.loaded(under, late[1:], nil, false)
		if got := f.close(); !slices.Equal(got, late) {
			t.Errorf("%d late deliveries were handed back", len(got))
		}
		if f.reserve(one, 1) || f.short() || f.next(false) != nil {
			t.Error("lanes that are closed go on")
		}
		f.due(one, postroom.StateFresh, f.clock)
		if len(f.loads) != 0 {
			t.Error("lanes that are closed claim")
		}
	})
}

func TestStaffing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		if f.short() {
			t.Error("short of workers with nothing to do")
		}
		for i := range 3 {
			f.put(postroom.WebhookID{byte(i)}, 2)
		}
		hired := 0
		for f.short() {
			hired++
		}
		if hired != 3 {
			t.Errorf("%d workers were hired for 3 lanes", hired)
		}
		for range hired {
			f.next(true)
		}
		if f.arriving != 0 || f.short() {
			t.Errorf("%d workers are said to be on their way", f.arriving)
		}
		// Idle ones wait, up to a bound.
		left := make(chan struct{}, 2*maxIdleWorkers)
		for range maxIdleWorkers + 20 {
			go func() {
				f.next(false)
				left <- struct{}{}
			}()
		}
		synctest.Wait()
		if len(left) != 20 || f.idleWorkers != maxIdleWorkers {
			t.Errorf("%d workers left, %d wait", len(left), f.idleWorkers)
		}
		// Work wakes as many as there is work for.
		f.left(postroom.WebhookID{0})
		synctest.Wait()
		if len(left) != 21 || f.idleWorkers != maxIdleWorkers-1 {
			t.Errorf("%d workers left, %d wait", len(left), f.idleWorkers)
		}
		f.close()
	})
}

// Workers come when there is work, and leave when there has been none, but for some.
func TestWorkersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Workers: 300})
		ids := []postroom.WebhookID{}
		for range 40 {
			ids = append(ids, r.webhook("a"))
		}
		r.out.on("a", slow(time.Second, status(200)))
		r.run()
		for range 20 {
			if err := r.engine.Publish(t.Context(), []*Outgoing{{Event: newEvent(r.workspace, "0"), To: ids}}); err != nil {
				t.Fatal(err)
			}
		}
		wait(time.Millisecond)
		if n := r.engine.running.Load(); n != 300 || r.out.mostAtOnce("a") != 300 {
			t.Errorf("%d workers, %d calls at once, want 300", n, r.out.mostAtOnce("a"))
		}
		wait(time.Hour)
		if n := r.engine.running.Load(); n > maxIdleWorkers || n == 0 {
			t.Errorf("%d workers wait for work", n)
		}
		if n := len(r.out.calls("a")); n != 800 {
			t.Errorf("%d calls", n)
		}
		r.stop()
		if n := r.engine.running.Load(); n != 0 {
			t.Errorf("%d workers are left", n)
		}
		r.checkEmpty()
	})
}
