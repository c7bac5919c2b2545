package outbound

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

// laneModel says in the simplest way what lanes should hold, beside the lanes themselves.
type laneModel struct {
	*lanes
	clock    time.Time
	webhooks []postroom.WebhookID
	promises []*postroom.Job                        // reserved
	queued   map[postroom.WebhookID][]*postroom.Job // in this order
	out      []*postroom.Job                        // being attempted
	ended    []*postroom.Job                        // attempted, and not yet stored
	demands  []demand                               // claims under way
	seen     map[*postroom.Job]bool                 // was given out
	lowered  map[postroom.WebhookID]bool            // the limit became less than what is under way
	fenced   map[postroom.DeliveryID]*postroom.Job  // the newest claim on each
}

func newLaneModel(clock time.Time) *laneModel {
	m := &laneModel{clock: clock, queued: map[postroom.WebhookID][]*postroom.Job{},
		seen: map[*postroom.Job]bool{}, lowered: map[postroom.WebhookID]bool{}, fenced: map[postroom.DeliveryID]*postroom.Job{}}
	m.lanes = newLanes(func() time.Time { return m.clock })
	for i := range 3 {
		m.webhooks = append(m.webhooks, postroom.WebhookID{byte(i + 1)})
	}
	return m
}

func (m *laneModel) job(id postroom.WebhookID, bytes int) *postroom.Job {
	j := &postroom.Job{DeliveryID: postroom.NewID[postroom.DeliveryKind](m.clock), WebhookID: id, Claim: 1,
		LeaseUntil: m.clock.Add(time.Minute), Event: &postroom.Event{Data: make([]byte, bytes)}}
	return j
}

func (m *laneModel) webhook(t *rapid.T) postroom.WebhookID {
	return rapid.SampledFrom(m.webhooks).Draw(t, "webhook")
}

// pick takes one out of a list; it leaves the action when there is none.
func pick[T any](t *rapid.T, from *[]T) T {
	if len(*from) == 0 {
		t.Skip("there is none")
	}
	i := rapid.IntRange(0, len(*from)-1).Draw(t, "which")
	one := (*from)[i]
	*from = slices.Delete(*from, i, i+1)
	return one
}

func (m *laneModel) promisedTo(id postroom.WebhookID) (n int) {
	for _, j := range m.promises {
		if j.WebhookID == id {
			n++
		}
	}
	for _, d := range m.demands {
		if d.webhook == id {
			n += d.room
		}
	}
	return n
}

func (m *laneModel) Reserve(t *rapid.T) {
	id, bytes := m.webhook(t), rapid.IntRange(0, 100).Draw(t, "bytes")
	for range rapid.SampledFrom([]int{1, 2, 30, laneWindow}).Draw(t, "times") {
		l := m.byID[id]
		room := len(m.queued[id])+m.promisedTo(id) < laneWindow
		want := room && (l == nil || !l.stopped && l.dueAt[postroom.StateFresh].IsZero())
		if got := m.reserve(id, bytes); got != want {
			t.Fatalf("reserved: %v, want %v", got, want)
		}
		if want {
			m.promises = append(m.promises, m.job(id, bytes))
		}
	}
}

func (m *laneModel) Fill(t *rapid.T) {
	for range rapid.SampledFrom([]int{1, 5, 600}).Draw(t, "times") {
		if len(m.promises) == 0 {
			return
		}
		j := m.promises[0]
		m.promises = m.promises[1:]
		m.fenced[j.DeliveryID] = j
		m.fill(j)
		m.queued[j.WebhookID] = append(m.queued[j.WebhookID], j)
	}
}

func (m *laneModel) Cancel(t *rapid.T) {
	j := pick(t, &m.promises)
	m.cancel(j.WebhookID, len(j.Event.Data))
}

// Take is what a worker does.
func (m *laneModel) Take(t *rapid.T) {
	for range rapid.SampledFrom([]int{1, 10}).Draw(t, "times") {
		if len(m.ring) == 0 {
			return
		}
		l := m.ring[0]
		want := m.queued[l.webhook][0]
		m.queued[l.webhook] = m.queued[l.webhook][1:]
		others := slices.Clone(m.ring[1:])
		m.mu.Lock()
		j := m.take()
		m.mu.Unlock()
		if expired := !m.clock.Before(want.LeaseUntil); expired {
			if j != nil {
				t.Fatal("a delivery was given out whose lease had run out")
			}
			continue
		}
		if j != want || m.seen[j] {
			t.Fatalf("another delivery than the first was given out, or one for the second time: %v", m.seen[j])
		}
		if !slices.Equal(m.ring[:len(others)], others) {
			t.Fatal("a lane did not go behind the others")
		}
		m.seen[j] = true
		m.out = append(m.out, j)
		if l.active > l.concurrency && !m.lowered[l.webhook] {
			t.Fatalf("%d attempts at once, and the limit is %d", l.active, l.concurrency)
		}
	}
}

func (m *laneModel) Left(t *rapid.T) {
	j := pick(t, &m.out)
	m.left(j.WebhookID)
	m.ended = append(m.ended, j)
}

func (m *laneModel) Forget(t *rapid.T) {
	j := pick(t, &m.ended)
	m.forget(j)
	if m.fenced[j.DeliveryID] == j {
		delete(m.fenced, j.DeliveryID)
	}
}

func (m *laneModel) Limit(t *rapid.T) {
	id, n := m.webhook(t), rapid.IntRange(0, 12).Draw(t, "limit")
	if l := m.byID[id]; l != nil {
		m.lowered[id] = m.lowered[id] || l.active > max(n, 1)
	}
	m.limit(id, n, nil)
}

func (m *laneModel) state(t *rapid.T) postroom.DeliveryState {
	return rapid.SampledFrom(postroom.WaitingStates()).Draw(t, "state")
}

func (m *laneModel) time(t *rapid.T) time.Time {
	return m.clock.Add(time.Duration(rapid.SampledFrom([]int{-60, 0, 1, 60, 3600}).Draw(t, "seconds")) * time.Second)
}

func (m *laneModel) Due(t *rapid.T) {
	id, state := m.webhook(t), m.state(t)
	m.due(id, state, m.time(t))
}

func (m *laneModel) NextLoad(t *rapid.T) {
	if len(m.loads) == 0 {
		t.Skip("no lane wants more")
	}
	l := m.loads[0]
	d, ok := m.nextLoad()
	if !ok || d.webhook != l.webhook || d.room < 0 || d.room > claimLimit*len(d.states) {
		t.Fatalf("%+v, %v", d, ok)
	}
	for _, other := range m.demands {
		if other.webhook == d.webhook {
			t.Fatal("two claims for one lane at the same time")
		}
	}
	m.demands = append(m.demands, d)
}

func (m *laneModel) Loaded(t *rapid.T) {
	d := pick(t, &m.demands)
	if rapid.Bool().Draw(t, "failed") {
		m.retryLoad(d, m.clock.Add(time.Second))
		return
	}
	var jobs []*postroom.Job
	for range rapid.IntRange(0, d.room).Draw(t, "jobs") {
		jobs = append(jobs, m.job(d.webhook, 10))
	}
	if old := m.expired(d.webhook); old != nil && len(jobs) > 0 { // taken over, and claimed again
		jobs[0].DeliveryID, jobs[0].Claim = old.DeliveryID, old.Claim+1
	}
	for _, j := range jobs {
		m.fenced[j.DeliveryID] = j
	}
	found := map[postroom.DeliveryState]time.Time{}
	for _, state := range d.states {
		switch rapid.IntRange(0, 2).Draw(t, "found") {
		case 0:
			found[state] = time.Time{}
		case 1:
			found[state] = m.time(t)
		}
	}
	l := m.byID[d.webhook]
	before, started := l.dueAt, !l.stopped && l.notes != d.notes
	stop := rapid.IntRange(0, 4).Draw(t, "stop") == 0
	m.loaded(d, jobs, found, stop)
	m.queued[d.webhook] = append(m.queued[d.webhook], jobs...)
	for _, state := range d.states {
		if l.notes[state] != d.notes[state] && l.dueAt[state] != before[state] {
			t.Fatalf("what was noted during the claim is lost: %v, was %v", l.dueAt[state], before[state])
		}
	}
	if stop && started && l.stopped {
		t.Fatal("the lane stopped although it may have been started during the claim")
	}
}

// expired finds a delivery that is queued or under way although its lease has run out.
func (m *laneModel) expired(id postroom.WebhookID) *postroom.Job {
	for _, j := range slices.Concat(m.queued[id], m.out) {
		if j.WebhookID == id && !m.clock.Before(j.LeaseUntil) && m.held[j.DeliveryID] == j {
			return j
		}
	}
	return nil
}

func (m *laneModel) Stop(t *rapid.T) {
	id := m.webhook(t)
	if got := m.stop(id); !slices.Equal(got, m.queued[id]) {
		t.Fatalf("%d deliveries were taken out of %d", len(got), len(m.queued[id]))
	}
	m.ended = append(m.ended, m.queued[id]...)
	m.queued[id] = nil
}

func (m *laneModel) Start(t *rapid.T) { m.start(m.webhook(t), m.clock) }

func (m *laneModel) Tick(t *rapid.T) {
	m.clock = m.clock.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 30, 70, 4000}).Draw(t, "seconds")) * time.Second)
	next := m.wake()
	if !next.IsZero() && !next.After(m.clock) {
		t.Fatalf("a lane is to wake at %v, which is over", next)
	}
}

func (m *laneModel) Renew(t *rapid.T) {
	jobs := m.expiring(m.clock.Add(40 * time.Second))
	for _, j := range jobs {
		if !m.clock.Before(j.LeaseUntil) {
			t.Fatal("a lease that has run out is renewed")
		}
	}
	m.renewed(jobs, m.clock.Add(time.Minute))
	for _, j := range m.held {
		if m.clock.Before(j.LeaseUntil) && j.LeaseUntil.Before(m.clock.Add(40*time.Second)) {
			t.Fatal("a lease was not renewed")
		}
	}
}
