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
	f.lanes = newLanes(func() time.Time { return f.clock }, 1000)
	return f
}

func (f *fixture) job(id postroom.WebhookID, bytes int) *postroom.Job {
	return &postroom.Job{DeliveryID: postroom.NewID[postroom.DeliveryKind](f.clock), WebhookID: id, Claim: 1, LeaseUntil: f.clock.Add(time.Minute),
		From: postroom.StateFresh, Event: &postroom.Event{WorkspaceID: home, Data: make([]byte, bytes)}}
}

// home is the workspace of lanes where it does not matter.
var home = postroom.WorkspaceID{1}

// of is any delivery of a webhook, for what is told of its lane.
func of(id postroom.WebhookID) *postroom.Job {
	return &postroom.Job{WebhookID: id, From: postroom.StateFresh, Event: &postroom.Event{WorkspaceID: home}}
}

// put puts deliveries into a lane as a claim does, so that its window does not matter.
func (f *fixture) put(id postroom.WebhookID, n int) (jobs []*postroom.Job) {
	for range n {
		jobs = append(jobs, f.job(id, 1))
	}
	f.due(home, id, postroom.StateFresh, f.clock)
	d, _ := f.nextLoad()
	f.loaded(d, jobs, map[postroom.DeliveryState]time.Time{postroom.StateFresh: {}}, false)
	return jobs
}

func TestLanesTakeTurns(t *testing.T) {
	f := newFixture()
	one, two, three := postroom.WebhookID{1}, postroom.WebhookID{2}, postroom.WebhookID{3}
	f.put(one, 1000)
	f.limit(of(one), 100, nil)
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
	f.limit(of(one), 13, nil)
	if f.ready != 0 {
		t.Error("a lane at its limit is in the ring")
	}
	f.left(of(one))
	if j := f.next(false); j.WebhookID != one {
		t.Errorf("served %v", j.WebhookID)
	}
}

func TestLimitTakesEffectAtOnce(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	f.put(id, 10)
	f.next(false)
	if f.ready != 0 {
		t.Fatal("a new lane has more than one attempt before its limit is known")
	}
	f.limit(of(id), 4, nil)
	for range 3 {
		f.next(false)
	}
	if f.ready != 0 {
		t.Fatal("five at once, and the limit is four")
	}
	f.limit(of(id), 6, nil)
	f.limit(of(id), 2, nil) // before anybody took the fifth
	if f.ready != 0 {
		t.Fatal("a fifth may begin, and the limit is two")
	}
	f.left(of(id))
	f.left(of(id))
	if f.ready != 0 {
		t.Fatal("a third may begin, and the limit is two")
	}
	f.left(of(id))
	if f.ready != 1 {
		t.Fatal("a second may not begin")
	}
}

// All lanes together keep within the bounds of memory, and each gets a place however many others hold what they can.
func TestMemoryIsBounded(t *testing.T) {
	f := newFixture()
	fill := func(workspace postroom.WorkspaceID, lanes int) (held int) {
		for lane := range lanes {
			id := postroom.WebhookID{workspace[0], byte(lane), byte(lane >> 8)}
			for f.reserve(workspace, id, 1) {
				j := f.job(id, 1)
				j.Event.WorkspaceID = workspace
				f.fill(j)
				held++
			}
			l := f.byID[id]
			if full := len(f.held) >= maxHeldAtAll; l == nil && !full || l != nil && l.queued() > laneWindow {
				t.Fatalf("lane %d holds nothing, or too much", lane)
			}
		}
		return held
	}
	// A workspace may fill a half of the memory, the next a half of the rest.
	one := fill(postroom.WorkspaceID{1}, 150)
	if one < maxHeld*9/20 || one > maxHeld/2+150 {
		t.Errorf("one workspace holds %d of %d", one, maxHeld)
	}
	two := fill(postroom.WorkspaceID{2}, 150)
	if two < maxHeld*9/40 || two > maxHeld/4+150 || f.heldBytes != one+two {
		t.Errorf("a second workspace holds %d of %d, %d bytes", two, maxHeld, f.heldBytes)
	}
	// One that wants to claim gets a few places, too.
	id := postroom.WebhookID{9}
	f.due(home, id, postroom.StateRetry, f.clock)
	d, _ := f.nextLoad()
	if d.room() < 1 || d.room() > maxHeld-len(f.held) {
		t.Errorf("room for %d", d.room())
	}
	f.retryLoad(d, f.clock)
	// Each of very many lanes may hold one, until twice the memory is full.
	rest := fill(postroom.WorkspaceID{3}, 5*maxHeld/2-one-two)
	if f.reserve(home, postroom.WebhookID{10}, 1) || one+two+rest > maxHeldAtAll {
		t.Errorf("%d are held", one+two+rest)
	}
}

func TestBytesAreBounded(t *testing.T) {
	const size = 1 << 20
	f := newFixture()
	one, two := postroom.WebhookID{1}, postroom.WebhookID{2}
	n := 0
	for f.reserve(home, one, size) {
		n++
		f.fill(f.job(one, size))
	}
	if n != maxHeldBytes/size/2 || f.reserve(home, two, 1) || len(f.byID) != 1 {
		t.Errorf("%d MiB are held, in %d lanes", n, len(f.byID))
	}
	if !f.reserve(postroom.WorkspaceID{2}, postroom.WebhookID{4}, size) {
		t.Error("one workspace keeps the other from memory")
	}
	f.due(home, two, postroom.StateFresh, f.clock)
	d, _ := f.nextLoad() // nobody knows how large they are
	f.loaded(d, []*postroom.Job{f.job(two, size)}, nil, false)
	f.stop(home, postroom.WebhookID{3})
	f.start(home, postroom.WebhookID{3}, f.clock)
	for range 2 {
		if d, _ := f.nextLoad(); d.room() != 0 {
			t.Errorf("%d MiB are held, and there is room for %d more", f.heldBytes/size, d.room())
		}
	}
}

func TestClaimStates(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	f.due(home, id, postroom.StateReplay, f.clock.Add(-time.Hour))
	f.due(home, id, postroom.StateRetry, f.clock.Add(time.Nanosecond)) // not yet
	f.due(home, id, postroom.StateFresh, f.clock)
	d, ok := f.nextLoad()
	if !ok || d.webhook != id || !slices.Equal(d.wants, []want{{postroom.StateFresh, claimLimit}, {postroom.StateReplay, claimLimit}}) {
		t.Errorf("%+v", d)
	}
	if f.reserve(home, id, 1) {
		t.Error("a delivery overtakes what waits in the database")
	}
	f.loaded(d, nil, map[postroom.DeliveryState]time.Time{postroom.StateFresh: {}, postroom.StateReplay: {}}, false)
	if !f.reserve(home, id, 1) {
		t.Error("there is no place although nothing waits")
	}
	f.cancel(home, id, 1)
	f.clock = f.clock.Add(time.Second)
	if next := f.wake(); !next.IsZero() || len(f.loads) != 1 {
		t.Errorf("next wake-up %v, %d claims", next, len(f.loads))
	}
}

// A note that comes while the database is looked at may be about what the look did not see.
func TestNoteDuringAClaimIsKept(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	f.due(home, id, postroom.StateFresh, f.clock)
	f.due(home, id, postroom.StateRetry, f.clock)
	d, _ := f.nextLoad()
	f.due(home, id, postroom.StateFresh, f.clock)
	f.loaded(d, nil, map[postroom.DeliveryState]time.Time{postroom.StateFresh: {}, postroom.StateRetry: {}}, false)
	again, _ := f.nextLoad()
	if len(again.wants) != 1 || again.wants[0].state != postroom.StateFresh {
		t.Errorf("looked again for %v", again.wants)
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
	f.due(home, id, postroom.StateRetry, f.clock.Add(time.Hour))
	f.start(home, id, f.clock)
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
	for range laneWindow / 2 {
		f.reserve(home, id, 1)
	}
	f.due(home, id, postroom.StateFresh, f.clock)
	if len(f.loads) != 0 {
		t.Fatal("a lane that is full enough claims")
	}
	f.cancel(home, id, 1)
	if len(f.loads) != 1 {
		t.Error("nobody will look for what is due")
	}
}

// What has gone out is not kept in memory by the queue that it was in.
func TestQueueForgetsWhatWentOut(t *testing.T) {
	l := &share{}
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
	f.stop(home, postroom.WebhookID{2})
	f.due(home, postroom.WebhookID{3}, postroom.StateFresh, f.clock)
	f.due(home, postroom.WebhookID{4}, postroom.StateFresh, f.clock.Add(time.Hour))
	got := f.stoppable(home)
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
		f.reserve(home, two, 1)
		f.due(home, two, postroom.StateRetry, f.clock)
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
		if f.reserve(home, one, 1) || f.short() || f.next(false) != nil {
			t.Error("lanes that are closed go on")
		}
		f.due(home, one, postroom.StateFresh, f.clock)
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
		f.left(of(postroom.WebhookID{0}))
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
			if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{{Event: newEvent(r.workspace, "0"), To: ids}}); err != nil {
				t.Fatal(err)
			}
		}
		wait(time.Millisecond)
		if n := r.engine.running.Load(); n > 300 || r.out.mostAtOnce("a") != 150 {
			t.Errorf("%d workers, %d calls at once, want 150, a half of 300", n, r.out.mostAtOnce("a"))
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
