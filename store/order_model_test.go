package store

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

// orderModel does at random what may happen to deliveries with order keys, and knows in which order they were published.
type orderModel struct {
	f         *fixture
	workspace postroom.WorkspaceID
	webhooks  []postroom.WebhookID
	clock     time.Time
	published []postroom.DeliveryID // in this order
	rank      map[postroom.DeliveryID]int
	reached   map[orderKey]int // the highest rank that was attempted in its turn
	held      []*postroom.Job  // leased; of some, the lease has run out
}

// TestOrderModel checks, whatever happens, that deliveries of a key begin in the order in which they were published, that one
// at most can be claimed or is leased, and that everything ends.
func TestOrderModel(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := db.fixture(t, db.open())
		workspace := f.workspace("one")
		rapid.Check(t, func(rt *rapid.T) {
			m := &orderModel{f: f, workspace: workspace, webhooks: []postroom.WebhookID{f.webhook(workspace), f.webhook(workspace)}, clock: noon(),
				rank: map[postroom.DeliveryID]int{}, reached: map[orderKey]int{}}
			rt.Repeat(rapid.StateMachineActions(m))
			m.drain(rt)
		})
	})
}

func (m *orderModel) check(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// began notes that jobs were leased, and that it was their turn.
func (m *orderModel) began(t *rapid.T, jobs ...*postroom.Job) {
	for _, j := range jobs {
		m.held = append(m.held, j)
		k, ordered := orderKeyOf(j)
		if !ordered {
			continue
		}
		if rank := m.rank[j.DeliveryID]; rank < m.reached[k] {
			t.Fatalf("%s, published as number %d, begins after number %d of its key %q", j.DeliveryID, rank, m.reached[k], k.key)
		} else {
			m.reached[k] = rank
		}
	}
}

// Publish stores some events in one transaction, made by clocks that differ.
func (m *orderModel) Publish(t *rapid.T) {
	var pubs []*postroom.Publication
	for range rapid.IntRange(1, 6).Draw(t, "events") {
		at := m.clock.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "seconds off")) * time.Second)
		state := rapid.SampledFrom([]postroom.DeliveryState{postroom.StateLeased, postroom.StateFresh}).Draw(t, "state")
		p := m.f.publication(m.workspace, at, state, m.webhooks...)
		for i := range p.Deliveries {
			if key := rapid.SampledFrom([]string{"", "a", "b", "none"}).Draw(t, "key"); key != "none" {
				p.Deliveries[i].OrderKey = &key
			}
			m.rank[p.Deliveries[i].ID] = len(m.published) + 1
			m.published = append(m.published, p.Deliveries[i].ID)
		}
		pubs = append(pubs, p)
	}
	m.check(t, m.f.s.Publish(m.f.ctx, pubs))
	for _, p := range pubs {
		for i, j := range jobsOf(p) {
			if d := p.Deliveries[i]; d.State == postroom.StateLeased && !d.Parked {
				m.began(t, j)
			}
		}
	}
}

// Claim leases what is due.
func (m *orderModel) Claim(t *rapid.T) {
	state := rapid.SampledFrom(postroom.WaitingStates()).Draw(t, "state")
	m.claim(t, rapid.SampledFrom(m.webhooks).Draw(t, "webhook"), state, rapid.IntRange(1, 4).Draw(t, "limit"))
}

func (m *orderModel) claim(t *rapid.T, webhook postroom.WebhookID, state postroom.DeliveryState, limit int) int {
	jobs, err := m.f.s.Claim(m.f.ctx, webhook, state, m.clock, m.clock.Add(time.Minute), limit)
	m.check(t, err)
	m.began(t, jobs...)
	return len(jobs)
}

// Finish ends some attempts in one transaction, also such whose lease has run out.
func (m *orderModel) Finish(t *rapid.T) {
	var fins []*postroom.Finish
	for range min(len(m.held), rapid.IntRange(1, 4).Draw(t, "results")) {
		i := rapid.IntRange(0, len(m.held)-1).Draw(t, "job")
		state := rapid.SampledFrom([]postroom.DeliveryState{postroom.StateSucceeded, postroom.StateRetry, postroom.StateFailed, postroom.StateCancelled}).Draw(t, "outcome")
		outcome := postroom.Outcome{State: state}
		if state == postroom.StateRetry {
			outcome.NextAt = m.clock.Add(5 * time.Second)
		}
		fins = append(fins, finishOf(m.held[i], m.clock, 200, outcome))
		m.held = slices.Delete(m.held, i, i+1)
	}
	if len(fins) > 0 {
		m.check(t, m.f.s.Finish(m.f.ctx, fins))
	}
}

// Release puts a job back, as a node does that stops.
func (m *orderModel) Release(t *rapid.T) {
	if len(m.held) == 0 {
		return
	}
	m.check(t, m.f.s.Release(m.f.ctx, m.held[:1], m.clock))
	m.held = m.held[1:]
}

// Crash lets leases run out, and takes over what they held.
func (m *orderModel) Crash(t *rapid.T) {
	m.clock = m.clock.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "minutes")) * time.Minute)
	_, err := m.f.s.TakeOver(m.f.ctx, m.clock)
	m.check(t, err)
}

// Wait lets time pass.
func (m *orderModel) Wait(t *rapid.T) {
	m.clock = m.clock.Add(time.Duration(rapid.IntRange(1, 10000).Draw(t, "ms")) * time.Millisecond)
}

// Requeue is a person who asks for a delivery again, whatever became of it.
func (m *orderModel) Requeue(t *rapid.T) {
	if len(m.published) == 0 {
		return
	}
	state := rapid.SampledFrom([]postroom.DeliveryState{postroom.StateRetry, postroom.StateReplay}).Draw(t, "state")
	_, err := m.f.s.Requeue(m.f.ctx, m.workspace, rapid.SampledFrom(m.published).Draw(t, "delivery"), state, m.clock)
	m.check(t, err)
}

// Discard is a person who discards what a webhook had until some time ago.
func (m *orderModel) Discard(t *rapid.T) {
	until := m.clock.Add(-time.Duration(rapid.IntRange(0, 10).Draw(t, "seconds ago")) * time.Second)
	_, err := m.f.s.DiscardQueue(m.f.ctx, m.workspace, rapid.SampledFrom(m.webhooks).Draw(t, "webhook"), until, "discarded", func(int64) {})
	m.check(t, err)
}

// Lose deletes a delivery, as retention does, and mends the lines.
func (m *orderModel) Lose(t *rapid.T) {
	if len(m.published) == 0 {
		return
	}
	id := rapid.SampledFrom(m.published).Draw(t, "delivery")
	m.f.exec("DELETE FROM deliveries WHERE id = $1", id)
	m.check(t, m.f.s.mendAll(m.f.ctx, m.clock))
}

// Check is called after each action.
func (m *orderModel) Check(t *rapid.T) {
	for _, w := range m.webhooks {
		if n := m.f.number("SELECT count(*) FROM (SELECT order_key FROM deliveries WHERE webhook_id = $1 AND order_key IS NOT NULL AND state < 4 GROUP BY order_key HAVING count(*) > 1) AS k", w); n > 0 {
			t.Fatalf("%d keys have more than one head", n)
		}
		if n := m.f.number("SELECT count(*) FROM (SELECT order_key FROM deliveries WHERE webhook_id = $1 AND order_key IS NOT NULL AND state < 10 GROUP BY order_key HAVING min(state) = 4) AS k", w); n > 0 {
			t.Fatalf("%d keys have no head, and something is parked", n)
		}
	}
}

// drain goes on until everything has ended.
func (m *orderModel) drain(t *rapid.T) {
	m.held = nil
	for range 2*len(m.published) + 2 {
		m.clock = m.clock.Add(3 * time.Hour)
		_, err := m.f.s.TakeOver(m.f.ctx, m.clock)
		m.check(t, err)
		n := 0
		for _, w := range m.webhooks {
			for _, state := range postroom.WaitingStates() {
				n += m.claim(t, w, state, 1000)
			}
		}
		if n == 0 {
			break
		}
		var fins []*postroom.Finish
		for _, j := range m.held {
			fins = append(fins, finishOf(j, m.clock, 200, postroom.Outcome{State: postroom.StateSucceeded}))
		}
		m.held = nil
		m.check(t, m.f.s.Finish(m.f.ctx, fins))
	}
	for _, w := range m.webhooks {
		if n := m.f.number("SELECT count(*) FROM deliveries WHERE webhook_id = $1 AND state < 10", w); n > 0 {
			t.Fatalf("%d deliveries never end", n)
		}
	}
}
