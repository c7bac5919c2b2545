package outbound

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// fakeStore is the database of these tests: the queue with its states, claims and leases, in memory, as the store keeps
// it. A test may have something happen before or after an operation.
type fakeStore struct {
	mu         sync.Mutex
	revisions  map[postroom.WorkspaceID]int64
	webhooks   map[postroom.WebhookID]*storedHook
	deliveries map[postroom.DeliveryID]*stored
	queue      map[postroom.DeliveryID]*stored // those that have not ended
	published  []*postroom.Event
	keys       map[string]postroom.EventID
	health     map[postroom.WebhookID]postroom.Health
	calls      map[string]int
	before     map[string]func() error // by operation; an error is the operation's, which is then not done
	after      map[string]func() error // the same, but the operation was done
}

type storedHook struct {
	postroom.StoredWebhook
	secrets []postroom.StoredSecret
	deleted bool
}

// stored is a row of deliveries, with its event and its attempts.
type stored struct {
	id       postroom.DeliveryID
	webhook  postroom.WebhookID
	event    *postroom.Event
	state    postroom.DeliveryState
	claim    int
	due      time.Time
	attempts int
	test     bool
	key      *string // of its order
	log      []*postroom.Attempt
}

func newFakeStore() *fakeStore {
	return &fakeStore{revisions: map[postroom.WorkspaceID]int64{}, webhooks: map[postroom.WebhookID]*storedHook{},
		deliveries: map[postroom.DeliveryID]*stored{}, queue: map[postroom.DeliveryID]*stored{}, keys: map[string]postroom.EventID{}, health: map[postroom.WebhookID]postroom.Health{}, calls: map[string]int{},
		before: map[string]func() error{}, after: map[string]func() error{}}
}

// do runs one operation as a transaction of its own.
func (s *fakeStore) do(operation string, f func() error) error {
	s.mu.Lock()
	s.calls[operation]++
	before, after := s.before[operation], s.after[operation]
	s.mu.Unlock()
	if before != nil {
		if err := before(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	err := f()
	s.mu.Unlock()
	if after != nil && err == nil {
		err = after()
	}
	return err
}

// whenever sets what happens before an operation from now on; nil for nothing.
func (s *fakeStore) whenever(operation string, f func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before[operation] = f
}

// once sets what happens after the next time that an operation was done.
func (s *fakeStore) once(operation string, f func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after[operation] = func() error {
		s.mu.Lock()
		delete(s.after, operation)
		s.mu.Unlock()
		return f()
	}
}

func (s *fakeStore) count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[operation]
}

// stamp is a time as a database keeps it.
func stamp(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()) }

func (s *fakeStore) Publish(ctx context.Context, pubs []*postroom.Publication) error {
	return s.do("Publish", func() error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, p := range pubs {
			w := p.Event.WorkspaceID
			p.Duplicate, p.Stale = nil, p.Revision != 0 && p.Revision != s.revisions[w]
			if p.Stale {
				continue
			}
			for _, key := range p.Keys {
				if id, taken := s.keys[w.String()+key]; taken {
					p.Duplicate = &id
				}
			}
			if p.Duplicate != nil {
				continue
			}
			for _, key := range p.Keys {
				s.keys[w.String()+key] = p.Event.ID
			}
			s.insert(p)
		}
		return nil
	})
}

func (s *fakeStore) insert(p *postroom.Publication) {
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		row := &stored{id: d.ID, webhook: d.WebhookID, event: p.Event, state: d.State, due: stamp(d.DueAt), test: d.Test, key: d.OrderKey}
		line := s.line(d.WebhookID, d.OrderKey)
		if d.Parked = len(line) > 0; d.Parked {
			row.state, row.due = postroom.StateParked, stamp(d.ID.Time())
			if last := line[len(line)-1]; last.state == postroom.StateParked && !row.due.After(last.due) {
				row.due = last.due.Add(time.Microsecond)
			}
		}
		if row.state == postroom.StateLeased {
			row.claim = 1
		}
		s.deliveries[d.ID], s.queue[d.ID] = row, row
	}
	s.published = append(s.published, p.Event)
}

// line are the rows of an order key that are in the queue: the head, and then what is parked, in its order.
func (s *fakeStore) line(webhook postroom.WebhookID, key *string) (rows []*stored) {
	if key == nil {
		return nil
	}
	for _, d := range s.queue {
		if d.webhook == webhook && d.key != nil && *d.key == *key {
			rows = append(rows, d)
		}
	}
	slices.SortFunc(rows, func(a, b *stored) int {
		if a.state != b.state {
			return int(a.state - b.state)
		}
		return a.due.Compare(b.due)
	})
	return rows
}

// promote makes the first that is parked the head, if there is none.
func (s *fakeStore) promote(webhook postroom.WebhookID, key *string, now time.Time) bool {
	line := s.line(webhook, key)
	if len(line) == 0 || line[0].state != postroom.StateParked {
		return false
	}
	if line[0].state = postroom.StateFresh; line[0].due.After(now) {
		line[0].due = stamp(now)
	}
	return true
}

// MendOrder finds nothing: the fake loses no head.
func (s *fakeStore) MendOrder(context.Context, postroom.OrderCursor, time.Time, int) (none postroom.OrderCursor, freed []postroom.Due, err error) {
	return none, nil, s.do("MendOrder", func() error { return nil })
}

func (s *fakeStore) Finish(ctx context.Context, fins []*postroom.Finish) error {
	return s.do("Finish", func() error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, f := range fins {
			d := s.deliveries[f.Job.DeliveryID]
			f.Lost = d == nil || d.claim != f.Job.Claim || d.state != postroom.StateLeased
			if d != nil && f.Attempt != nil {
				d.log = append(d.log, f.Attempt)
			}
			if f.Lost {
				continue
			}
			if d.state, d.due = f.Outcome.State, stamp(f.Outcome.NextAt); d.state >= postroom.StateSucceeded {
				delete(s.queue, d.id)
				f.Next = s.promote(d.webhook, d.key, time.Now())
			}
			if f.Attempt != nil {
				d.attempts++
			}
			if w := s.webhooks[d.webhook]; f.Outcome.Stop != "" && w.Status == postroom.WebhookActive && !w.deleted {
				w.Status, w.StatusReason = f.Outcome.Stop, f.Outcome.Reason
				s.revisions[w.WorkspaceID]++
			}
			if f.Health != nil {
				s.health[d.webhook] = *f.Health
			}
			for _, p := range f.Also {
				s.insert(p)
			}
		}
		return nil
	})
}

func (s *fakeStore) Failing(_ context.Context, visit func(postroom.WebhookID, postroom.Health)) error {
	return s.do("Failing", func() error {
		for id, h := range s.health {
			if !h.Healthy() {
				visit(id, h)
			}
		}
		return nil
	})
}

func (s *fakeStore) CountQueue(_ context.Context, _ postroom.WorkspaceID, webhook postroom.WebhookID) (n int64, err error) {
	err = s.do("CountQueue", func() error {
		for _, d := range s.queue {
			if d.webhook == webhook {
				n++
			}
		}
		return nil
	})
	return n, err
}

func (s *fakeStore) Claim(_ context.Context, webhook postroom.WebhookID, state postroom.DeliveryState, now, until time.Time, limit int) (jobs []*postroom.Job, err error) {
	err = s.do("Claim", func() error {
		for _, d := range s.waiting(webhook, state) {
			if len(jobs) == limit || d.due.After(stamp(now)) {
				break
			}
			d.state, d.due = postroom.StateLeased, stamp(until)
			d.claim++
			jobs = append(jobs, &postroom.Job{DeliveryID: d.id, WebhookID: webhook, Event: d.event, From: state, Claim: d.claim,
				Attempts: d.attempts, LeaseUntil: until, Test: d.test, OrderKey: d.key})
		}
		return nil
	})
	if err != nil { // what was claimed all the same is found when its lease ends
		return nil, err
	}
	return jobs, nil
}

// waiting are a webhook's rows in a state, by when they are due.
func (s *fakeStore) waiting(webhook postroom.WebhookID, state postroom.DeliveryState) (rows []*stored) {
	for _, d := range s.queue {
		if d.webhook == webhook && d.state == state {
			rows = append(rows, d)
		}
	}
	slices.SortFunc(rows, func(a, b *stored) int {
		if c := a.due.Compare(b.due); c != 0 {
			return c
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
	return rows
}

func (s *fakeStore) setDue(operation string, jobs []*postroom.Job, state func(*postroom.Job) postroom.DeliveryState, due time.Time) error {
	return s.do(operation, func() error {
		for _, j := range jobs {
			if d := s.deliveries[j.DeliveryID]; d.claim == j.Claim && d.state == postroom.StateLeased {
				d.state, d.due = state(j), stamp(due)
			}
		}
		return nil
	})
}

func (s *fakeStore) Renew(_ context.Context, jobs []*postroom.Job, until time.Time) error {
	return s.setDue("Renew", jobs, func(*postroom.Job) postroom.DeliveryState { return postroom.StateLeased }, until)
}

func (s *fakeStore) Release(_ context.Context, jobs []*postroom.Job, now time.Time) error {
	return s.setDue("Release", jobs, func(j *postroom.Job) postroom.DeliveryState { return j.From }, now)
}

func (s *fakeStore) Due(_ context.Context, state postroom.DeliveryState, after postroom.WebhookID, limit int) (all []postroom.Due, err error) {
	err = s.do("Due", func() error {
		first := map[postroom.WebhookID]postroom.Due{}
		for _, d := range s.queue {
			if known, ok := first[d.webhook]; d.state == state && bytes.Compare(d.webhook[:], after[:]) > 0 && (!ok || d.due.Before(known.At)) {
				first[d.webhook] = postroom.Due{WorkspaceID: d.event.WorkspaceID, WebhookID: d.webhook, At: d.due}
			}
		}
		for _, d := range first {
			all = append(all, d)
		}
		slices.SortFunc(all, func(a, b postroom.Due) int { return bytes.Compare(a.WebhookID[:], b.WebhookID[:]) })
		all = all[:min(limit, len(all))]
		return nil
	})
	return all, err
}

func (s *fakeStore) NextDue(_ context.Context, webhook postroom.WebhookID, state postroom.DeliveryState) (at time.Time, some bool, err error) {
	err = s.do("NextDue", func() error {
		if rows := s.waiting(webhook, state); len(rows) > 0 {
			at, some = rows[0].due, true
		}
		return nil
	})
	return at, some, err
}

func (s *fakeStore) TakeOver(_ context.Context, now time.Time) (n int64, err error) {
	err = s.do("TakeOver", func() error {
		for _, d := range s.queue {
			if d.state != postroom.StateLeased || d.due.After(stamp(now)) {
				continue
			}
			n++
			d.state, d.due = postroom.StateFresh, stamp(now)
			switch {
			case d.test && d.claim == 1:
				d.state = postroom.StateCancelled
			case d.attempts > 0:
				d.state = postroom.StateRetry
			}
		}
		return nil
	})
	return n, err
}

func (s *fakeStore) Subscriptions(_ context.Context, workspace postroom.WorkspaceID) (all []postroom.Subscription, revision int64, err error) {
	err = s.do("Subscriptions", func() error {
		revision = s.revisions[workspace]
		for _, w := range s.webhooks {
			if w.WorkspaceID == workspace && !w.deleted {
				all = append(all, postroom.Subscription{ID: w.ID, Status: w.Status, Settings: w.Subscription()})
			}
		}
		slices.SortFunc(all, func(a, b postroom.Subscription) int { return bytes.Compare(a.ID[:], b.ID[:]) })
		return nil
	})
	return all, revision, err
}

func (s *fakeStore) Revisions(context.Context) (all map[postroom.WorkspaceID]int64, err error) {
	err = s.do("Revisions", func() error {
		all = map[postroom.WorkspaceID]int64{}
		for id, revision := range s.revisions {
			all[id] = revision
		}
		return nil
	})
	return all, err
}

var errNoWebhook = postroom.Errorf(postroom.CodeNotFound, "there is no such webhook")

func (s *fakeStore) WebhookOwner(_ context.Context, id postroom.WebhookID) (workspace postroom.WorkspaceID, err error) {
	err = s.do("WebhookOwner", func() error {
		w := s.webhooks[id]
		if w == nil {
			return errNoWebhook
		}
		workspace = w.WorkspaceID
		return nil
	})
	return workspace, err
}

func (s *fakeStore) Webhook(_ context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, _ time.Time) (found postroom.StoredWebhook, err error) {
	err = s.do("Webhook", func() error {
		w := s.webhooks[id]
		if w == nil || w.WorkspaceID != workspace || w.deleted {
			return errNoWebhook
		}
		found = w.StoredWebhook
		return nil
	})
	return found, err
}

func (s *fakeStore) Secrets(_ context.Context, _ postroom.WorkspaceID, id postroom.WebhookID, now time.Time) (all []postroom.StoredSecret, err error) {
	err = s.do("Secrets", func() error {
		for _, secret := range s.webhooks[id].secrets {
			if secret.ExpiresAt == nil || secret.ExpiresAt.After(now) {
				all = append(all, secret)
			}
		}
		return nil
	})
	return all, err
}
