package outbound

import (
	"container/heap"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

// Whatever happens in whatever order, no delivery is lost or given out twice, no bound is exceeded, no lane that has
// something to do is forgotten, and the accounts are right.
func TestLanesAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newLaneModel(epoch)
		t.Repeat(map[string]func(*rapid.T){
			"reserve": m.Reserve, "fill": m.Fill, "cancel": m.Cancel, "take": m.Take, "left": m.Left, "forget": m.Forget,
			"limit": m.Limit, "due": m.Due, "next load": m.NextLoad, "loaded": m.Loaded, "stop": m.Stop, "start": m.Start,
			"tick": m.Tick, "renew": m.Renew, "": m.check,
		})
		m.windDown(t)
	})
}

// check holds the lanes against the model, and against the rules that always hold.
func (m *laneModel) check(t *rapid.T) {
	m.checkAccounts(t)
	active := map[laneKey]int{}
	for _, j := range m.out {
		active[laneKey{j.WebhookID, j.From}]++
	}
	for _, id := range m.webhooks {
		l := m.byID[id]
		if l == nil {
			for _, state := range postroom.WaitingStates() {
				if key := (laneKey{id, state}); len(m.queued[key])+m.promisedTo(id, state)+active[key] > 0 {
					t.Fatal("a lane that is in use was dropped")
				}
			}
			continue
		}
		total := 0
		for _, state := range postroom.WaitingStates() {
			q, key := &l.shares[state], laneKey{id, state}
			if !slices.Equal(q.queue[q.head:], m.queued[key]) {
				t.Fatalf("%d deliveries are queued, want %d, in this order", q.queued(), len(m.queued[key]))
			}
			if q.reserved != m.promisedTo(id, state) || q.active != active[key] {
				t.Fatalf("%d reserved, %d active; want %d, %d", q.reserved, q.active, m.promisedTo(id, state), active[key])
			}
			if q.places() > most(state) {
				t.Fatalf("the lane holds %d", q.places())
			}
			total += q.active
		}
		if l.active != total || l.tenant != m.tenants[m.workspace(id)] {
			t.Fatalf("%d attempts are under way, want %d", l.active, total)
		}
		if m.lowered[id] && l.active <= l.concurrency {
			delete(m.lowered, id)
		}
		m.checkLane(t, l)
	}
	m.checkTenants(t)
	for i, l := range m.wakes {
		if l.heapSlot != i+1 || i > 0 && m.wakes[(i-1)/2].wakeAt.After(l.wakeAt) {
			t.Fatal("the heap is no heap")
		}
	}
}

// checkTenants checks that the accounts of the workspaces are those of their lanes, and that the rings are whole.
func (m *laneModel) checkTenants(t *rapid.T) {
	ready, active, turns := 0, 0, 0
	for id, tenant := range m.tenants {
		places, bytes, lanes, under := 0, 0, 0, 0
		for _, j := range m.held {
			if j.Event.WorkspaceID == id {
				places++
				bytes += len(j.Event.Data)
			}
		}
		for _, j := range m.promises {
			if j.Event.WorkspaceID == id {
				bytes += len(j.Event.Data)
			}
		}
		for _, l := range m.byID {
			if l.tenant == tenant {
				lanes++
				under += l.active
				for state := range l.shares {
					places += l.shares[state].reserved
				}
			}
		}
		if tenant.places != places || tenant.bytes != bytes || tenant.lanes != lanes || tenant.active != under {
			t.Fatalf("a workspace has %+v, want %d places, %d bytes, %d lanes, %d attempts", tenant, places, bytes, lanes, under)
		}
		ready += len(tenant.ring)
		active += under
		if len(tenant.ring) > 0 {
			turns++
			if !slices.Contains(m.turns, tenant) {
				t.Fatal("a workspace with work has no turn")
			}
		}
	}
	if m.ready != ready || m.active != active || len(m.turns) != turns {
		t.Fatalf("%d lanes are ready, %d attempts under way, %d turns; want %d, %d, %d", m.ready, m.active, len(m.turns), ready, active, turns)
	}
}

func (m *laneModel) checkAccounts(t *rapid.T) {
	promised, bytes := 0, 0
	for _, j := range m.promises {
		bytes += len(j.Event.Data)
	}
	for _, id := range m.webhooks {
		for _, state := range postroom.WaitingStates() {
			promised += m.promisedTo(id, state)
		}
	}
	holding := map[postroom.DeliveryID]*postroom.Job{}
	for _, j := range slices.Concat(m.all(m.webhooks[0]), m.all(m.webhooks[1]), m.all(m.webhooks[2]), m.out, m.ended) {
		if m.fenced[j.DeliveryID] == j {
			holding[j.DeliveryID] = j
			bytes += len(j.Event.Data)
		}
	}
	if len(m.held) != len(holding) || m.promised != promised || m.heldBytes != bytes {
		t.Fatalf("held %d, promised %d, %d bytes; want %d, %d, %d", len(m.held), m.promised, m.heldBytes, len(holding), promised, bytes)
	}
	for id, j := range holding {
		if m.held[id] != j {
			t.Fatal("an old claim is held, and not the newest")
		}
	}
}

// checkLane checks that a lane is wherever it must be so that what it has to do is done some time.
func (m *laneModel) checkLane(t *rapid.T, l *lane) {
	places := 0
	for _, other := range l.tenant.ring {
		if other == l {
			places++
		}
	}
	if work := l.hasWork(); work != (l.inRing || l.crowded) || places > 1 || l.inRing != (places == 1) ||
		l.crowded != slices.Contains(l.tenant.crowded, l) {
		t.Fatalf("work that may go out: %v, in the ring: %v, %d times", work, l.inRing, places)
	}
	loading := slices.Contains(m.loads, l) || slices.ContainsFunc(m.demands, func(d demand) bool { return d.webhook == l.webhook })
	if loading != l.loading {
		t.Fatalf("a claim is under way or asked for: %v, noted: %v", loading, l.loading)
	}
	due := l.wants()
	wants := !due.IsZero() && !l.stopped && !l.loading
	if soon := m.clock.Add(time.Second); wants && (l.heapSlot == 0 || l.wakeAt.After(later(due, soon))) {
		t.Fatalf("something is due at %v, and nobody will look for it", due)
	}
	if l.idle() && !l.inRing && l.heapSlot == 0 {
		t.Fatal("an idle lane is kept")
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// windDown ends all that is under way and sees to it that everything has come out once, and that nothing is left.
func (m *laneModel) windDown(t *rapid.T) {
	for _, d := range m.demands {
		m.retryLoad(d, m.clock)
	}
	m.demands = nil
	for len(m.promises) > 0 {
		m.Cancel(t)
	}
	for _, id := range m.webhooks {
		m.limit(m.job(id, postroom.StateFresh, 0), 1000, nil)
	}
	for len(m.turns) > 0 || len(m.out) > 0 { // replays take turns with themselves
		m.Take(t)
		if len(m.out) > 0 {
			m.Left(t)
		}
	}
	for id, queue := range m.queued {
		if len(queue) > 0 {
			t.Fatalf("%d deliveries of %v never came out", len(queue), id)
		}
	}
	for len(m.ended) > 0 {
		m.Forget(t)
	}
	if m.promised != 0 || m.heldBytes != 0 || len(m.held) != 0 {
		t.Fatalf("at the end: %d promised, %d held, %d bytes", m.promised, len(m.held), m.heldBytes)
	}
	if jobs := m.close(); len(jobs) != 0 {
		t.Fatalf("%d deliveries are left", len(jobs))
	}
}

func TestWakeHeap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h wakeHeap
		var times []time.Duration
		for _, d := range rapid.SliceOfN(rapid.IntRange(0, 50), 1, 60).Draw(t, "seconds") {
			at := time.Duration(d) * time.Second
			times = append(times, at)
			heap.Push(&h, &lane{wakeAt: epoch.Add(at)})
		}
		for i := range rapid.IntRange(0, 10).Draw(t, "earlier") { // as wakeLater does
			l := h[i%len(h)]
			at := l.wakeAt.Sub(epoch)
			times[slices.Index(times, at)] = at - time.Second
			l.wakeAt = l.wakeAt.Add(-time.Second)
			heap.Fix(&h, l.heapSlot-1)
		}
		slices.Sort(times)
		for _, want := range times {
			if h[0].heapSlot != 1 {
				t.Fatalf("the first lane is in place %d", h[0].heapSlot)
			}
			l, ok := heap.Pop(&h).(*lane)
			if !ok || l.wakeAt.Sub(epoch) != want || l.heapSlot != 0 {
				t.Fatalf("woken at %v, want %v", l.wakeAt.Sub(epoch), want)
			}
		}
	})
}
