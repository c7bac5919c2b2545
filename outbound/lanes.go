package outbound

import (
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// lanes are all lanes, and the order in which they take turns. One mutex guards them: what happens under it is short.
type lanes struct {
	now     func() time.Time
	workers int // attempts that there may be at once

	mu        sync.Mutex
	byID      map[postroom.WebhookID]*lane
	tenants   map[postroom.WorkspaceID]*tenant
	turns     []*tenant // those with a lane in their ring, taking turns
	ready     int       // lanes in all rings
	active    int       // attempts under way
	loads     []*lane   // those that want to claim
	wakes     wakeHeap
	held      map[postroom.DeliveryID]*postroom.Job  // leased to this node: queued or under way
	health    map[postroom.WebhookID]postroom.Health // of the webhooks that are failing
	promised  int
	heldBytes int
	closed    bool

	idleWorkers, arriving int           // workers that wait for work, or are about to ask for it the first time
	understaffed          chan struct{} // there is more in the ring than there are such workers
	work                  sync.Cond     // something in the ring, or closed
	load                  sync.Cond     // something in loads, or closed
	woken                 chan struct{} // the first wake-up has changed
}

func newLanes(now func() time.Time, workers int) *lanes {
	s := &lanes{now: now, workers: workers, byID: map[postroom.WebhookID]*lane{}, tenants: map[postroom.WorkspaceID]*tenant{},
		held: map[postroom.DeliveryID]*postroom.Job{}, health: map[postroom.WebhookID]postroom.Health{},
		woken: make(chan struct{}, 1), understaffed: make(chan struct{}, 1)}
	s.work.L, s.load.L = &s.mu, &s.mu
	return s
}

func (s *lanes) lane(workspace postroom.WorkspaceID, id postroom.WebhookID) *lane {
	l := s.byID[id]
	if l == nil {
		l = &lane{webhook: id, tenant: s.tenant(workspace), concurrency: 1}
		l.tenant.lanes++
		s.byID[id] = l
	}
	return l
}

// drop forgets a lane of which nothing is known that the database does not know.
func (s *lanes) drop(l *lane) {
	if !l.idle() || l.inRing || l.crowded || l.heapSlot != 0 {
		return
	}
	now := s.now()
	if at := l.pace.full(now); at.After(now) { // else a lane made anew would begin with a full bucket
		s.wakeLater(l, at)
		return
	}
	delete(s.byID, l.webhook)
	l.tenant.lanes--
	s.dropTenant(l.tenant)
}

// room is how many more deliveries of a waiting state a lane may hold now. It shrinks as the places of the workspace fill, so
// that many lanes whose receivers hang cannot take the last place from the others; one place a lane has until memory is full.
func (s *lanes) room(l *lane, state postroom.DeliveryState) int {
	all, own := len(s.held)+s.promised, l.tenant.places
	window := half(maxHeld, all-own, own) / laneShare
	if all < maxHeldAtAll {
		window = max(window, 1)
	}
	return max(0, min(most(state), window, l.pace.soon())-l.shares[state].places())
}

// fits tells whether the workspace may hold so many bytes more.
func (s *lanes) fits(t *tenant, bytes int) bool {
	return bytes <= half(maxHeldBytes, s.heldBytes-t.bytes, t.bytes)
}

// promise adds to the places that are promised, and to the bytes that are held.
func (s *lanes) promise(l *lane, state postroom.DeliveryState, places, bytes int) {
	l.shares[state].reserved += places
	s.promised += places
	l.tenant.places += places
	s.heldBytes += bytes
	l.tenant.bytes += bytes
}

// reserve promises a place for a delivery that is about to be committed; false when there is none, or when older
// ones wait in the database, which it must not overtake.
func (s *lanes) reserve(workspace postroom.WorkspaceID, id postroom.WebhookID, bytes int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(workspace, id)
	if _, open := s.open(l); open || s.closed || l.stopped || !l.shares[postroom.StateFresh].dueAt.IsZero() ||
		s.room(l, postroom.StateFresh) == 0 || !s.fits(l.tenant, bytes) {
		s.drop(l)
		return false
	}
	s.promise(l, postroom.StateFresh, 1, bytes)
	return true
}

// cancel takes a promise back.
func (s *lanes) cancel(workspace postroom.WorkspaceID, id postroom.WebhookID, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(workspace, id)
	s.promise(l, postroom.StateFresh, -1, -bytes)
	s.wantMore(l)
	s.drop(l)
}

// fill puts a delivery into its promised place.
func (s *lanes) fill(j *postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(j.Event.WorkspaceID, j.WebhookID)
	s.promise(l, postroom.StateFresh, -1, -len(j.Event.Data))
	s.hold(l.tenant, j)
	l.shareOf(j).push(j)
	s.enter(l)
}

// enter puts a lane into the ring if it has work that may go out, and wakes a worker for it. A lane whose rate limit is used up
// comes back when it is not; meanwhile its work holds no worker.
func (s *lanes) enter(l *lane) {
	if l.inRing || l.crowded || !l.hasWork() || s.closed {
		return
	}
	now := s.now()
	at := l.pace.ready(now)
	if until, open := s.open(l); open {
		if l.active > 0 {
			return // one probe at a time
		}
		at = latest(at, until)
	}
	if at.After(now) {
		s.wakeLater(l, at)
		return
	}
	s.enterRing(l)
	s.work.Signal()
	if s.ready > s.idleWorkers+s.arriving {
		signal(s.understaffed)
	}
}

// signal wakes whoever waits on a channel of capacity one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// maxIdleWorkers is how many workers wait for work; more than that leave.
const maxIdleWorkers = 128

// next waits for a delivery whose turn it is; nil when the lanes are closed, or when enough others wait.
// first tells that the worker is new.
func (s *lanes) next(first bool) *postroom.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first {
		s.arriving--
	}
	for !s.closed {
		if s.ready > 0 {
			if j := s.take(); j != nil {
				return j
			}
			continue
		}
		if s.idleWorkers >= maxIdleWorkers {
			return nil
		}
		s.idleWorkers++
		s.work.Wait()
		s.idleWorkers--
	}
	return nil
}

// take takes a delivery from the lane whose turn it is; nil when its workspace has its share of the workers, or when the
// delivery's lease has run out: it may be another node's by now, and if not, it will be found in the database.
func (s *lanes) take() *postroom.Job {
	l := s.turn()
	if !s.mayBegin(l) {
		l.crowded = true
		l.tenant.crowded = append(l.tenant.crowded, l)
		return nil
	}
	j := l.pop()
	ours := s.now().Before(j.LeaseUntil)
	if ours {
		l.shareOf(j).active++
		l.active++
		l.tenant.active++
		s.active++
		l.pace.take()
	} else {
		s.forgetLocked(j)
	}
	s.enter(l) // behind the others
	s.wantMore(l)
	if !ours {
		s.drop(l)
		return nil
	}
	return j
}

// left tells that an attempt has ended; its delivery stays held until its result is stored.
func (s *lanes) left(j *postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(j.Event.WorkspaceID, j.WebhookID)
	l.shareOf(j).active--
	l.active--
	l.tenant.active--
	s.active--
	s.enter(l)
	s.uncrowd(l.tenant)
	s.drop(l)
}

// short tells whether work waits that no worker will take at once; then the caller starts one.
func (s *lanes) short() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.ready <= s.idleWorkers+s.arriving {
		return false
	}
	s.arriving++
	return true
}

// limit tells how many attempts of a webhook there may be at once, 0 for the default, and how many in a span of time. It is
// false when the lane has stopped meanwhile, and there may be none.
func (s *lanes) limit(j *postroom.Job, concurrency int, rate *postroom.RateLimit) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if concurrency < 1 {
		concurrency = defaultParallel
	}
	l := s.lane(j.Event.WorkspaceID, j.WebhookID)
	l.pace.set(concurrency, rate, l.active, s.now())
	stopped := l.stopped
	s.adapt(l)
	return !stopped
}

// adapt follows a change of the pace.
func (s *lanes) adapt(l *lane) {
	l.concurrency = l.pace.atOnce()
	if !l.hasWork() {
		s.leaveRing(l)
	}
	s.enter(l)
	s.drop(l)
}

// open tells until when the lane's breaker lets nothing through; false when it is closed.
func (s *lanes) open(l *lane) (time.Time, bool) {
	if len(s.health) == 0 {
		return time.Time{}, false // nothing fails: the usual case
	}
	h := s.health[l.webhook]
	return h.OpenUntil, h.Open()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ail notes how a failing webhook has been doing, as the database knows it.
func (s *lanes) ail(id postroom.WebhookID, h postroom.Health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health[id] = h
}

// judge tells what an attempt that took some time means for its webhook: to it the number of attempts at once adapts, and it
// changes the health from what it was before to what it is from now on. When the breaker opens, the lane's deliveries are taken
// out of it: they wait in the database.
func (s *lanes) judge(j *postroom.Job, o postroom.Outcome, took time.Duration, at, now time.Time) (before, after postroom.Health, out []*postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(j.Event.WorkspaceID, j.WebhookID)
	l.pace.answered(o.State == postroom.StateSucceeded, took, now)
	defer s.adapt(l)
	before = s.health[l.webhook]
	after = nextHealth(before, o, at, now)
	if after == before {
		return before, after, nil
	}
	if after.Healthy() {
		delete(s.health, l.webhook)
	} else {
		s.health[l.webhook] = after
	}
	switch {
	case after.Open() && after.OpenUntil != before.OpenUntil:
		out = l.empty()
		s.leaveRing(l)
	case before.Open() && !after.Open():
		l.pace.restart() // what has waited must not come all at once
	}
	return before, after, out
}

// hold keeps a delivery until forget. An older claim on it that is still here, whose lease has run out, counts no more.
func (s *lanes) hold(t *tenant, j *postroom.Job) {
	if old := s.held[j.DeliveryID]; old != nil {
		s.forgetLocked(old)
	}
	s.held[j.DeliveryID] = j
	t.places++
	t.bytes += len(j.Event.Data)
	s.heldBytes += len(j.Event.Data)
}

// forget ends the holding of a delivery: its result is stored, or it is back in the queue.
func (s *lanes) forget(j *postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(j)
}

func (s *lanes) forgetLocked(j *postroom.Job) {
	if s.held[j.DeliveryID] != j {
		return
	}
	delete(s.held, j.DeliveryID)
	t := s.tenant(j.Event.WorkspaceID)
	t.places--
	t.bytes -= len(j.Event.Data)
	s.heldBytes -= len(j.Event.Data)
	s.dropTenant(t)
}

// stop keeps a lane from claiming, and takes what it holds out of it.
func (s *lanes) stop(workspace postroom.WorkspaceID, id postroom.WebhookID) []*postroom.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(workspace, id)
	l.stopped = true
	l.forgetDue()
	s.leaveRing(l)
	return l.empty()
}

// start lets a lane claim again whatever waits.
func (s *lanes) start(workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(workspace, id)
	l.stopped = false
	delete(s.health, id) // a person has changed something: it begins anew
	for _, state := range postroom.WaitingStates() {
		l.shares[state].notes++
		l.shares[state].dueAt = now
	}
	s.wantMore(l)
}

// stoppable are the webhooks of a workspace whose lanes are stopped, or may be about to be. The others claim what is due anyway.
func (s *lanes) stoppable(workspace postroom.WorkspaceID) (ids []postroom.WebhookID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.byID {
		if l.tenant.workspace == workspace && (l.stopped || l.loading) {
			ids = append(ids, id)
		}
	}
	return ids
}

// expiring are the held deliveries whose lease ends before a time, but has not ended.
func (s *lanes) expiring(before time.Time) (jobs []*postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, j := range s.held {
		if j.LeaseUntil.Before(before) && now.Before(j.LeaseUntil) {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// renewed notes the new lease of deliveries, once it is stored.
func (s *lanes) renewed(jobs []*postroom.Job, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		j.LeaseUntil = until
	}
}

// close ends all waiting, and takes out what no worker has begun with.
func (s *lanes) close() (jobs []*postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, l := range s.byID {
		jobs = append(jobs, l.empty()...)
		l.inRing, l.crowded = false, false
	}
	for _, t := range s.tenants {
		t.ring, t.crowded = nil, nil
	}
	s.turns, s.ready = nil, 0
	s.work.Broadcast()
	s.load.Broadcast()
	return jobs
}
