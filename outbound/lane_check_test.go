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
	active := map[postroom.WebhookID]int{}
	for _, j := range m.out {
		active[j.WebhookID]++
	}
	for _, id := range m.webhooks {
		l := m.byID[id]
		if l == nil {
			if len(m.queued[id])+m.promisedTo(id)+active[id] > 0 {
				t.Fatal("a lane that is in use was dropped")
			}
			continue
		}
		if !slices.Equal(l.queue[l.head:], m.queued[id]) {
			t.Fatalf("%d deliveries are queued, want %d, in this order", l.queued(), len(m.queued[id]))
		}
		if l.reserved != m.promisedTo(id) || l.active != active[id] {
			t.Fatalf("%d reserved, %d active; want %d, %d", l.reserved, l.active, m.promisedTo(id), active[id])
		}
		if l.queued()+l.reserved > laneWindow {
			t.Fatalf("the lane holds %d", l.queued()+l.reserved)
		}
		if m.lowered[id] && l.active <= l.concurrency {
			delete(m.lowered, id)
		}
		m.checkLane(t, l)
	}
	for i, l := range m.wakes {
		if l.heapSlot != i+1 || i > 0 && m.wakes[(i-1)/2].wakeAt.After(l.wakeAt) {
			t.Fatal("the heap is no heap")
		}
	}
}

func (m *laneModel) checkAccounts(t *rapid.T) {
	promised, bytes := 0, 0
	for _, j := range m.promises {
		bytes += len(j.Event.Data)
	}
	for _, id := range m.webhooks {
		promised += m.promisedTo(id)
	}
	holding := map[postroom.DeliveryID]*postroom.Job{}
	for _, j := range slices.Concat(m.queued[m.webhooks[0]], m.queued[m.webhooks[1]], m.queued[m.webhooks[2]], m.out, m.ended) {
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
	for _, other := range m.ring {
		if other == l {
			places++
		}
	}
	if work := l.queued() > 0 && l.active < l.concurrency; work != l.inRing || places > 1 || l.inRing != (places == 1) {
		t.Fatalf("work that may go out: %v, in the ring: %v, %d times", work, l.inRing, places)
	}
	loading := slices.Contains(m.loads, l) || slices.ContainsFunc(m.demands, func(d demand) bool { return d.webhook == l.webhook })
	if loading != l.loading {
		t.Fatalf("a claim is under way or asked for: %v, noted: %v", loading, l.loading)
	}
	due := l.nextDue()
	wants := !due.IsZero() && !l.stopped && !l.loading && l.queued()+l.reserved < laneRefill
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
		m.limit(id, 1000, nil)
	}
	for len(m.ring) > 0 {
		m.Take(t)
	}
	for id, queue := range m.queued {
		if len(queue) > 0 {
			t.Fatalf("%d deliveries of %v never came out", len(queue), id)
		}
	}
	for len(m.out) > 0 {
		m.Left(t)
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
