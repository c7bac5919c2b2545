package outbound

import (
	"container/heap"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// lane is the queue of one webhook in memory: a window of its deliveries, leased to this node. The rest waits in the
// database, and the lane remembers when to look there.
type lane struct {
	webhook     postroom.WebhookID
	queue       []*postroom.Job // from head on
	head        int
	reserved    int  // places promised to deliveries that are being committed
	active      int  // attempts under way
	concurrency int  // how many there may be now; one until the webhook has been read
	pace        pace // what decides how many, and how fast
	stopped     bool // the webhook is paused, disabled or gone: nothing is claimed for it

	dueAt    [4]time.Time // by waiting state: when something there is due; zero for nothing known
	notes    [4]int       // by waiting state: how often something new was noted there
	inRing   bool         // waits for its turn
	loading  bool         // a claim is under way, or waits for its turn
	wakeAt   time.Time    // when it is in the heap for
	heapSlot int          // its place there plus one; 0 for none
}

func (l *lane) queued() int { return len(l.queue) - l.head }

func (l *lane) push(j *postroom.Job) { l.queue = append(l.queue, j) }

func (l *lane) pop() *postroom.Job {
	j := l.queue[l.head]
	l.queue[l.head] = nil
	if l.head++; l.head == len(l.queue) {
		l.queue, l.head = l.queue[:0], 0
	} else if l.head > 64 && l.head*2 > len(l.queue) {
		n := copy(l.queue, l.queue[l.head:])
		clear(l.queue[n:]) // else what has gone out would be kept in memory
		l.queue, l.head = l.queue[:n], 0
	}
	return j
}

// idle tells whether nothing is known of the lane that the database does not know.
func (l *lane) idle() bool {
	return l.queued() == 0 && l.reserved == 0 && l.active == 0 && !l.loading && !l.stopped && l.nextDue().IsZero()
}

// nextDue is the earliest time at which something in the database is due; zero for nothing known.
func (l *lane) nextDue() (first time.Time) {
	for _, at := range l.dueAt {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// Bounds of what is in memory.
const (
	laneWindow      = 512      // deliveries a lane holds
	laneRefill      = 256      // a lane claims more when it holds fewer
	laneShare       = 32       // a lane holds at most one in so many of the places that are left
	maxHeld         = 20000    // deliveries all lanes hold
	maxHeldBytes    = 64 << 20 // of their events' data
	defaultParallel = 8
)

// lanes are all lanes, and the order in which they take turns. One mutex guards them: what happens under it is short.
type lanes struct {
	now func() time.Time

	mu        sync.Mutex
	byID      map[postroom.WebhookID]*lane
	ring      []*lane // those with work that may go out, taking turns
	loads     []*lane // those that want to claim
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

func newLanes(now func() time.Time) *lanes {
	s := &lanes{now: now, byID: map[postroom.WebhookID]*lane{}, held: map[postroom.DeliveryID]*postroom.Job{},
		health: map[postroom.WebhookID]postroom.Health{}, woken: make(chan struct{}, 1),
		understaffed: make(chan struct{}, 1)}
	s.work.L, s.load.L = &s.mu, &s.mu
	return s
}

func (s *lanes) lane(id postroom.WebhookID) *lane {
	l := s.byID[id]
	if l == nil {
		l = &lane{webhook: id, concurrency: 1}
		s.byID[id] = l
	}
	return l
}

// window is how many deliveries a lane may hold now. It shrinks as memory fills, so that many lanes whose receivers hang
// cannot take the last place from the others.
func (s *lanes) window(l *lane) int {
	return min(laneWindow, (maxHeld-len(s.held)-s.promised)/laneShare, l.pace.soon())
}

// reserve promises a place for a delivery that is about to be committed; false when there is none, or when older
// ones wait in the database, which it must not overtake.
func (s *lanes) reserve(id postroom.WebhookID, bytes int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(id)
	if _, open := s.open(l); open || s.closed || l.stopped || l.queued()+l.reserved >= s.window(l) || !l.dueAt[postroom.StateFresh].IsZero() ||
		s.heldBytes+bytes > maxHeldBytes {
		s.drop(l)
		return false
	}
	l.reserved++
	s.promised++
	s.heldBytes += bytes
	return true
}

// cancel takes a promise back.
func (s *lanes) cancel(id postroom.WebhookID, bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(id)
	l.reserved--
	s.promised--
	s.heldBytes -= bytes
	s.wantMore(l)
	s.drop(l)
}

// fill puts a delivery into its promised place.
func (s *lanes) fill(j *postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(j.WebhookID)
	l.reserved--
	s.promised--
	s.hold(j)
	l.push(j)
	s.enter(l)
}

// enter puts a lane into the ring if it has work that may go out, and wakes a worker for it. A lane whose rate limit is used up
// comes back when it is not; meanwhile its work holds no worker.
func (s *lanes) enter(l *lane) {
	if l.inRing || l.queued() == 0 || l.active >= l.concurrency || s.closed {
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
	l.inRing = true
	s.ring = append(s.ring, l)
	s.work.Signal()
	if len(s.ring) > s.idleWorkers+s.arriving {
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
		if len(s.ring) > 0 {
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

// take takes a delivery from the lane whose turn it is; nil when its lease has run out: it may be another node's by now,
// and if not, it will be found in the database.
func (s *lanes) take() *postroom.Job {
	l := s.ring[0]
	s.ring[0] = nil
	s.ring = s.ring[1:]
	l.inRing = false
	j := l.pop()
	ours := s.now().Before(j.LeaseUntil)
	if ours {
		l.active++
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

// limit tells how many attempts of a webhook there may be at once, 0 for the default, and how many in a span of time.
func (s *lanes) limit(id postroom.WebhookID, concurrency int, rate *postroom.RateLimit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if concurrency < 1 {
		concurrency = defaultParallel
	}
	l := s.lane(id)
	l.pace.set(concurrency, rate, l.active, s.now())
	s.adapt(l)
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
func (s *lanes) judge(id postroom.WebhookID, o postroom.Outcome, took time.Duration, at, now time.Time) (before, after postroom.Health, out []*postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(id)
	l.pace.answered(o.State == postroom.StateSucceeded, took, now)
	defer s.adapt(l)
	before = s.health[id]
	after = nextHealth(before, o, at, now)
	if after == before {
		return before, after, nil
	}
	if after.Healthy() {
		delete(s.health, id)
	} else {
		s.health[id] = after
	}
	switch {
	case after.Open() && after.OpenUntil != before.OpenUntil:
		for l.queued() > 0 {
			out = append(out, l.pop())
		}
		s.leaveRing(l)
	case before.Open() && !after.Open():
		l.pace.restart() // what has waited must not come all at once
	}
	return before, after, out
}

// adapt follows a change of the pace.
func (s *lanes) adapt(l *lane) {
	l.concurrency = l.pace.atOnce()
	if l.active >= l.concurrency {
		s.leaveRing(l)
	}
	s.enter(l)
	s.drop(l)
}

// short tells whether work waits that no worker will take at once; then the caller starts one.
func (s *lanes) short() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.ring) <= s.idleWorkers+s.arriving {
		return false
	}
	s.arriving++
	return true
}

// left tells that an attempt has ended; its delivery stays held until its result is stored.
func (s *lanes) left(id postroom.WebhookID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(id)
	l.active--
	s.enter(l)
	s.drop(l)
}

// hold keeps a delivery until forget. An older claim on it that is still here, whose lease has run out, counts no more.
func (s *lanes) hold(j *postroom.Job) {
	if old := s.held[j.DeliveryID]; old != nil {
		s.forgetLocked(old)
	}
	s.held[j.DeliveryID] = j
}

// forget ends the holding of a delivery: its result is stored, or it is back in the queue.
func (s *lanes) forget(j *postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(j)
}

func (s *lanes) forgetLocked(j *postroom.Job) {
	if s.held[j.DeliveryID] == j {
		delete(s.held, j.DeliveryID)
		s.heldBytes -= len(j.Event.Data)
	}
}

// drop forgets a lane of which nothing is known that the database does not know.
func (s *lanes) drop(l *lane) {
	if !l.idle() || l.inRing || l.heapSlot != 0 {
		return
	}
	now := s.now()
	if at := l.pace.full(now); at.After(now) { // else a lane made anew would begin with a full bucket
		s.wakeLater(l, at)
		return
	}
	delete(s.byID, l.webhook)
}

// due notes that something of a webhook waits in the database, from a time on.
func (s *lanes) due(id postroom.WebhookID, state postroom.DeliveryState, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(id)
	l.notes[state]++
	if known := l.dueAt[state]; known.IsZero() || at.Before(known) {
		l.dueAt[state] = at
	}
	s.wantMore(l)
}

// wantMore sees to it that a lane with room claims what is due, now or when the time comes.
func (s *lanes) wantMore(l *lane) {
	at := l.nextDue()
	if l.stopped || l.loading || at.IsZero() || l.queued()+l.reserved >= min(laneRefill, l.pace.soon()) || s.closed {
		return
	}
	if until, open := s.open(l); open {
		if l.queued()+l.reserved+l.active > 0 {
			return // one probe at a time
		}
		at = latest(at, until)
	}
	if at.After(s.now()) {
		s.wakeLater(l, at)
		return
	}
	l.loading = true
	s.loads = append(s.loads, l)
	s.load.Signal()
}

// demand is a lane's wish for more.
type demand struct {
	webhook postroom.WebhookID
	states  []postroom.DeliveryState
	notes   [4]int // of the lane, before the look into the database
	room    int    // for how many deliveries places are promised
}

// nextLoad waits for a lane that wants more; false when the lanes are closed. loaded must follow.
func (s *lanes) nextLoad() (demand, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.loads) == 0 {
		if s.closed {
			return demand{}, false
		}
		s.load.Wait()
	}
	if s.closed {
		return demand{}, false
	}
	l := s.loads[0]
	s.loads[0] = nil
	s.loads = s.loads[1:]
	d := demand{webhook: l.webhook, notes: l.notes}
	now := s.now()
	for _, state := range postroom.WaitingStates() {
		if at := l.dueAt[state]; !at.IsZero() && !at.After(now) {
			d.states = append(d.states, state)
		}
	}
	if s.heldBytes <= maxHeldBytes {
		d.room = max(0, min(s.window(l)-l.queued()-l.reserved, claimLimit*len(d.states)))
		if _, open := s.open(l); open {
			d.room = min(d.room, 1)
		}
	}
	l.reserved += d.room
	s.promised += d.room
	return d, true
}

// endLoad takes back what nextLoad promised.
func (s *lanes) endLoad(d demand) *lane {
	l := s.lane(d.webhook)
	l.loading = false
	l.reserved -= d.room
	s.promised -= d.room
	return l
}

// loaded ends a claim: jobs are what it got, and found says for each state that was asked for when something more is
// due there (zero for nothing). stop tells that the webhook is not active.
func (s *lanes) loaded(d demand, jobs []*postroom.Job, found map[postroom.DeliveryState]time.Time, stop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.endLoad(d)
	for _, j := range jobs {
		s.hold(j)
		s.heldBytes += len(j.Event.Data)
		l.push(j)
	}
	for state, at := range found {
		if l.notes[state] == d.notes[state] { // else what was noted since may have been stored after the look
			l.dueAt[state] = at
		}
	}
	if stop && l.notes == d.notes { // else it may have been started since
		l.stopped = true
		l.dueAt = [4]time.Time{}
	}
	s.enter(l)
	s.wantMore(l)
	s.drop(l)
}

// retryLoad puts a lane's claim off, after one that failed.
func (s *lanes) retryLoad(d demand, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.endLoad(d)
	if !l.stopped && !s.closed {
		s.wakeLater(l, at)
	}
}

// stop keeps a lane from claiming, and takes what it holds out of it.
func (s *lanes) stop(id postroom.WebhookID) (jobs []*postroom.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(id)
	l.stopped = true
	l.dueAt = [4]time.Time{}
	for l.queued() > 0 {
		jobs = append(jobs, l.pop())
	}
	s.leaveRing(l)
	return jobs
}

func (s *lanes) leaveRing(l *lane) {
	if !l.inRing {
		return
	}
	l.inRing = false
	for i, other := range s.ring {
		if other == l {
			s.ring = append(s.ring[:i], s.ring[i+1:]...)
			return
		}
	}
}

// start lets a lane claim again whatever waits.
func (s *lanes) start(id postroom.WebhookID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(id)
	l.stopped = false
	delete(s.health, id) // a person has changed something: it begins anew
	for _, state := range postroom.WaitingStates() {
		l.notes[state]++
		l.dueAt[state] = now
	}
	s.wantMore(l)
}

// stoppable are the webhooks whose lanes are stopped, or may be about to be. The others claim what is due anyway.
func (s *lanes) stoppable() (ids []postroom.WebhookID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, l := range s.byID {
		if l.stopped || l.loading {
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
		for l.queued() > 0 {
			jobs = append(jobs, l.pop())
		}
	}
	s.ring = nil
	s.work.Broadcast()
	s.load.Broadcast()
	return jobs
}

// wakeLater puts a lane into the heap, unless an earlier time is there for it.
func (s *lanes) wakeLater(l *lane, at time.Time) {
	switch {
	case l.heapSlot == 0:
		l.wakeAt = at
		heap.Push(&s.wakes, l)
	case at.Before(l.wakeAt):
		l.wakeAt = at
		heap.Fix(&s.wakes, l.heapSlot-1)
	default:
		return
	}
	if s.wakes[0] == l {
		signal(s.woken)
	}
}

// wake lets those lanes claim whose time has come, and says when the next one's does; zero for never.
func (s *lanes) wake() (next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for len(s.wakes) > 0 {
		l := s.wakes[0]
		if l.wakeAt.After(now) {
			return l.wakeAt
		}
		heap.Pop(&s.wakes)
		s.enter(l)
		s.wantMore(l)
		s.drop(l)
	}
	return time.Time{}
}

// wakeHeap orders lanes by when they want to look into the database.
type wakeHeap []*lane

func (h wakeHeap) Len() int           { return len(h) }
func (h wakeHeap) Less(i, j int) bool { return h[i].wakeAt.Before(h[j].wakeAt) }
func (h wakeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapSlot, h[j].heapSlot = i+1, j+1
}

// Push is part of heap.Interface.
func (h *wakeHeap) Push(x any) {
	if l, ok := x.(*lane); ok {
		*h = append(*h, l)
		l.heapSlot = len(*h)
	}
}

// Pop is part of heap.Interface.
func (h *wakeHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.heapSlot = 0
	return l
}
