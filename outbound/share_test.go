package outbound

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// claimed puts deliveries of one waiting state into a lane, as a claim does.
func (f *fixture) claimed(id postroom.WebhookID, state postroom.DeliveryState, n int) {
	f.due(home, id, state, f.clock)
	d, _ := f.nextLoad()
	var jobs []*postroom.Job
	for range n {
		j := f.job(id, 1)
		j.From = state
		jobs = append(jobs, j)
	}
	f.loaded(d, jobs, map[postroom.DeliveryState]time.Time{state: {}}, false)
}

// When first attempts, retries and replays all wait, each gets its part of the turns, spread evenly.
func TestSharesOfALane(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	for _, state := range postroom.WaitingStates() {
		f.claimed(id, state, 100)
	}
	f.limit(of(id), 16, nil)
	got := map[postroom.DeliveryState]int{}
	longest, since := 0, 0
	for range 64 {
		j := f.next(false)
		got[j.From]++
		if since++; j.From == postroom.StateReplay {
			longest, since = max(longest, since), 0
		}
		f.left(j)
	}
	want := map[postroom.DeliveryState]int{postroom.StateFresh: 48, postroom.StateRetry: 12, postroom.StateReplay: 4}
	if fmt.Sprint(got) != fmt.Sprint(want) || longest > 24 {
		t.Errorf("64 turns went to %v, want %v; a replay waited for %d", got, want, longest)
	}
}

// Retries and replays that hang leave room for first attempts.
func TestSharesAtOnce(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	f.claimed(id, postroom.StateReplay, 100)
	f.limit(of(id), 8, nil)
	take := func() (n int) {
		for f.ready > 0 {
			f.next(false)
			n++
		}
		return n
	}
	if n := take(); n != 2 {
		t.Errorf("%d replays at once, want 2 of 8", n)
	}
	f.claimed(id, postroom.StateRetry, 100)
	if n := take(); n != 6 {
		t.Errorf("%d retries at once beside 2 replays, want 6", n)
	}
	f.limit(of(id), 16, nil)
	f.claimed(id, postroom.StateFresh, 3)
	fresh := 0
	for range 4 { // a retry has its turn, too
		if j := f.next(false); j.From == postroom.StateFresh {
			fresh++
		}
	}
	if fresh != 3 {
		t.Errorf("%d of 3 first attempts began", fresh)
	}
}

// However many replays and retries wait, a fresh delivery finds a place in memory.
func TestSharesOfMemory(t *testing.T) {
	f := newFixture()
	id := postroom.WebhookID{1}
	for _, state := range []postroom.DeliveryState{postroom.StateRetry, postroom.StateReplay} {
		for f.byID[id] == nil || f.byID[id].shares[state].places() < most(state)/2 {
			f.due(home, id, state, f.clock)
			d, _ := f.nextLoad()
			var jobs []*postroom.Job
			for range d.room() {
				j := f.job(id, 1)
				j.From = state
				jobs = append(jobs, j)
			}
			f.loaded(d, jobs, map[postroom.DeliveryState]time.Time{state: {}}, false)
		}
	}
	n := 0
	for f.reserve(home, id, 1) {
		n++
	}
	if n != laneWindow {
		t.Errorf("%d fresh deliveries found a place, want %d", n, laneWindow)
	}
}

// A workspace with many webhooks has no more turns than one with few.
func TestWorkspacesTakeTurns(t *testing.T) {
	f := newFixture()
	for i := range 10 {
		f.put(postroom.WebhookID{1, byte(i)}, 2)
	}
	small := f.job(postroom.WebhookID{2}, 1)
	small.Event.WorkspaceID = postroom.WorkspaceID{2}
	f.reserve(small.Event.WorkspaceID, small.WebhookID, 1)
	f.fill(small)
	var turns []byte
	for range 4 {
		turns = append(turns, f.next(false).Event.WorkspaceID[0])
	}
	if !slices.Equal(turns, []byte{1, 2, 1, 1}) {
		t.Errorf("workspaces were served in the order %v", turns)
	}
}

// Receivers of one workspace that hang, however many, leave workers for the other workspace, and some for a webhook of their own
// that has none under way.
func TestWorkersAreShared(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.engine.lanes.workers = 100
		r.out.on("hangs", slow(15*time.Second, status(504)))
		var hanging []postroom.WebhookID
		for range 40 {
			hanging = append(hanging, r.webhook("hangs"))
		}
		healthy := r.webhook("healthy")
		other := *r
		other.workspace = postroom.NewID[postroom.WorkspaceKind](time.Now())
		r.store.revisions[other.workspace] = 1
		stranger := other.webhook("stranger")
		for n := range 20 {
			if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{{Event: newEvent(r.workspace, strconv.Itoa(n)), To: hanging}}); err != nil {
				t.Fatal(err)
			}
		}
		wait(time.Millisecond)
		if n := r.out.mostAtOnce("hangs"); n != 50 {
			t.Errorf("%d attempts at once, want a half of 100", n)
		}
		start := time.Now()
		for _, o := range []*postroom.Outgoing{{Event: newEvent(r.workspace, "0"), To: []postroom.WebhookID{healthy}},
			{Event: newEvent(other.workspace, "0"), To: []postroom.WebhookID{stranger}}} {
			if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{o}); err != nil {
				t.Fatal(err)
			}
		}
		wait(time.Millisecond)
		r.once("healthy", 1)
		r.once("stranger", 1)
		if took := time.Since(start); took > 2*time.Millisecond {
			t.Errorf("they waited %v", took)
		}
	})
}

// Replays of a slow receiver do not delay its fresh events.
func TestReplaysDoNotDelayFreshEvents(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.out.on("a", slow(time.Second, status(200)))
		id := r.webhook("a")
		for n := range 200 {
			o := &postroom.Outgoing{Event: newEvent(r.workspace, strconv.Itoa(1000+n)), To: []postroom.WebhookID{id}, State: postroom.StateReplay}
			if err := r.engine.Publish(t.Context(), []*postroom.Outgoing{o}); err != nil {
				t.Fatal(err)
			}
		}
		wait(10500 * time.Millisecond)
		before := len(r.out.calls("a"))
		if before == 0 || before > 2*11 {
			t.Errorf("%d replays in 10 s with a quarter of 8 at once", before)
		}
		r.publish(0, 5)
		wait(10 * time.Millisecond)
		fresh := 0
		for _, call := range r.out.calls("a")[before:] {
			if n, _ := strconv.Atoi(call.n); n < 1000 {
				fresh++
			}
		}
		if fresh != 5 {
			t.Errorf("%d of 5 fresh events went out at once", fresh)
		}
		wait(time.Hour)
		r.expect(id, succeeded(205))
	})
}
