package outbound

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

// laneKey is a lane's share of one kind of work.
type laneKey struct {
	webhook postroom.WebhookID
	state   postroom.DeliveryState
}

// laneModel says in the simplest way what lanes should hold, beside the lanes themselves.
type laneModel struct {
	*lanes
	clock    time.Time
	webhooks []postroom.WebhookID
	promises []*postroom.Job                       // reserved
	queued   map[laneKey][]*postroom.Job           // in this order
	out      []*postroom.Job                       // being attempted
	ended    []*postroom.Job                       // attempted, and not yet stored
	demands  []demand                              // claims under way
	seen     map[*postroom.Job]bool                // was given out
	lowered  map[postroom.WebhookID]bool           // the limit became less than what is under way
	fenced   map[postroom.DeliveryID]*postroom.Job // the newest claim on each
}

func newLaneModel(clock time.Time) *laneModel {
	m := &laneModel{clock: clock, queued: map[laneKey][]*postroom.Job{},
		seen: map[*postroom.Job]bool{}, lowered: map[postroom.WebhookID]bool{}, fenced: map[postroom.DeliveryID]*postroom.Job{}}
	m.lanes = newLanes(func() time.Time { return m.clock }, 1000)
	for i := range 3 {
		m.webhooks = append(m.webhooks, postroom.WebhookID{byte(i + 1)})
	}
	return m
}

func (m *laneModel) job(id postroom.WebhookID, from postroom.DeliveryState, bytes int) *postroom.Job {
	return &postroom.Job{DeliveryID: postroom.NewID[postroom.DeliveryKind](m.clock), WebhookID: id, From: from, Claim: 1,
		LeaseUntil: m.clock.Add(time.Minute), Event: &postroom.Event{WorkspaceID: m.workspace(id), Data: make([]byte, bytes)}}
}

// workspace is that of a webhook: the first two have one, the third has another.
func (m *laneModel) workspace(id postroom.WebhookID) postroom.WorkspaceID {
	return postroom.WorkspaceID{(id[0] + 1) / 2}
}

// all are a lane's deliveries that wait in it, of every state.
func (m *laneModel) all(id postroom.WebhookID) (jobs []*postroom.Job) {
	for _, state := range postroom.WaitingStates() {
		jobs = append(jobs, m.queued[laneKey{id, state}]...)
	}
	return jobs
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

func (m *laneModel) promisedTo(id postroom.WebhookID, state postroom.DeliveryState) (n int) {
	for _, j := range m.promises {
		if j.WebhookID == id && state == postroom.StateFresh {
			n++
		}
	}
	for _, d := range m.demands {
		for _, w := range d.wants {
			if d.webhook == id && w.state == state {
				n += w.room
			}
		}
	}
	return n
}

func (m *laneModel) Reserve(t *rapid.T) {
	id, bytes := m.webhook(t), rapid.IntRange(0, 100).Draw(t, "bytes")
	for range rapid.SampledFrom([]int{1, 2, 30, laneWindow}).Draw(t, "times") {
		l := m.byID[id]
		places := len(m.queued[laneKey{id, postroom.StateFresh}]) + m.promisedTo(id, postroom.StateFresh)
		want := l == nil || !l.stopped && l.shares[postroom.StateFresh].dueAt.IsZero()
		got := m.reserve(m.workspace(id), id, bytes)
		// The window is the whole one as long as the workspace holds little.
		if got && (!want || places >= laneWindow) || !got && want && places < laneWindow/2 {
			t.Fatalf("reserved: %v, with %d places", got, places)
		}
		if got {
			m.promises = append(m.promises, m.job(id, postroom.StateFresh, bytes))
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
		key := laneKey{j.WebhookID, postroom.StateFresh}
		m.queued[key] = append(m.queued[key], j)
	}
}

func (m *laneModel) Cancel(t *rapid.T) {
	j := pick(t, &m.promises)
	m.cancel(m.workspace(j.WebhookID), j.WebhookID, len(j.Event.Data))
}

// Take is what a worker does.
func (m *laneModel) Take(t *rapid.T) {
	for range rapid.SampledFrom([]int{1, 10}).Draw(t, "times") {
		if len(m.turns) == 0 {
			return
		}
		l := m.turns[0].ring[0]
		before := map[postroom.DeliveryState]*postroom.Job{}
		for _, state := range postroom.WaitingStates() {
			if queue := m.queued[laneKey{l.webhook, state}]; len(queue) > 0 {
				before[state] = queue[0]
			}
		}
		tenants, lanes := slices.Clone(m.turns[1:]), slices.Clone(m.turns[0].ring[1:])
		tenant := m.turns[0]
		m.mu.Lock()
		j := m.take()
		m.mu.Unlock()
		if !slices.Equal(m.turns[:len(tenants)], tenants) || !slices.Equal(tenant.ring[:len(lanes)], lanes) {
			t.Fatal("a lane did not go behind the others, or a workspace did not")
		}
		m.taken(t, l, j, before)
	}
}

// taken checks what take gave out: the first of one of the lane's shares, unless its lease had run out.
func (m *laneModel) taken(t *rapid.T, l *lane, j *postroom.Job, before map[postroom.DeliveryState]*postroom.Job) {
	for state, first := range before {
		if j == first || j == nil && !m.clock.Before(first.LeaseUntil) && (l.shares[state].queued() < len(m.queued[laneKey{l.webhook, state}])) {
			key := laneKey{l.webhook, state}
			m.queued[key] = m.queued[key][1:]
			if j == nil {
				return
			}
			if m.seen[j] || !m.clock.Before(j.LeaseUntil) {
				t.Fatal("a delivery was given out for the second time, or after its lease had run out")
			}
			m.seen[j] = true
			m.out = append(m.out, j)
			if l.active > l.concurrency && !m.lowered[l.webhook] {
				t.Fatalf("%d attempts at once, and the limit is %d", l.active, l.concurrency)
			}
			return
		}
	}
	if j != nil || !l.crowded {
		t.Fatal("another delivery than the first of a share was given out, or none")
	}
}

func (m *laneModel) Left(t *rapid.T) {
	j := pick(t, &m.out)
	m.left(j)
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
	m.limit(m.job(id, postroom.StateFresh, 0), n, nil)
}

func (m *laneModel) state(t *rapid.T) postroom.DeliveryState {
	return rapid.SampledFrom(postroom.WaitingStates()).Draw(t, "state")
}

func (m *laneModel) time(t *rapid.T) time.Time {
	return m.clock.Add(time.Duration(rapid.SampledFrom([]int{-60, 0, 1, 60, 3600}).Draw(t, "seconds")) * time.Second)
}

func (m *laneModel) Due(t *rapid.T) {
	id, state := m.webhook(t), m.state(t)
	m.due(m.workspace(id), id, state, m.time(t))
}

func (m *laneModel) NextLoad(t *rapid.T) {
	if len(m.loads) == 0 {
		t.Skip("no lane wants more")
	}
	l := m.loads[0]
	d, ok := m.nextLoad()
	if !ok || d.webhook != l.webhook || slices.ContainsFunc(d.wants, func(w want) bool { return w.room < 1 || w.room > claimLimit }) {
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
	for _, w := range d.wants {
		for range rapid.IntRange(0, w.room).Draw(t, "jobs") {
			jobs = append(jobs, m.job(d.webhook, w.state, 10))
		}
	}
	if old := m.expired(d.webhook); old != nil && len(jobs) > 0 { // taken over, and claimed again
		jobs[0].DeliveryID, jobs[0].Claim = old.DeliveryID, old.Claim+1
	}
	for _, j := range jobs {
		m.fenced[j.DeliveryID] = j
	}
	found := map[postroom.DeliveryState]time.Time{}
	for _, w := range d.wants {
		switch rapid.IntRange(0, 2).Draw(t, "found") {
		case 0:
			found[w.state] = time.Time{}
		case 1:
			found[w.state] = m.time(t)
		}
	}
	l := m.byID[d.webhook]
	before, started := l.shares, !l.stopped && l.notes() != d.notes
	stop := rapid.IntRange(0, 4).Draw(t, "stop") == 0
	m.loaded(d, jobs, found, stop)
	for _, j := range jobs {
		key := laneKey{d.webhook, j.From}
		m.queued[key] = append(m.queued[key], j)
	}
	for _, w := range d.wants {
		if q := &l.shares[w.state]; q.notes != d.notes[w.state] && q.dueAt != before[w.state].dueAt {
			t.Fatalf("what was noted during the claim is lost: %v, was %v", q.dueAt, before[w.state].dueAt)
		}
	}
	if stop && started && l.stopped {
		t.Fatal("the lane stopped although it may have been started during the claim")
	}
}

// expired finds a delivery that is queued or under way although its lease has run out.
func (m *laneModel) expired(id postroom.WebhookID) *postroom.Job {
	for _, j := range slices.Concat(m.all(id), m.out) {
		if j.WebhookID == id && !m.clock.Before(j.LeaseUntil) && m.held[j.DeliveryID] == j {
			return j
		}
	}
	return nil
}

func (m *laneModel) Stop(t *rapid.T) {
	id := m.webhook(t)
	if got := m.stop(m.workspace(id), id); !slices.Equal(got, m.all(id)) {
		t.Fatalf("%d deliveries were taken out of %d", len(got), len(m.all(id)))
	}
	m.ended = append(m.ended, m.all(id)...)
	for _, state := range postroom.WaitingStates() {
		delete(m.queued, laneKey{id, state})
	}
}

func (m *laneModel) Start(t *rapid.T) {
	id := m.webhook(t)
	m.start(m.workspace(id), id, m.clock)
}

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
