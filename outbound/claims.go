package outbound

import (
	"container/heap"
	"time"

	"github.com/postroom/postroom"
)

// due notes that something of a webhook waits in the database, from a time on.
func (s *lanes) due(workspace postroom.WorkspaceID, id postroom.WebhookID, state postroom.DeliveryState, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(workspace, id)
	q := &l.shares[state]
	q.notes++
	if q.dueAt.IsZero() || at.Before(q.dueAt) {
		q.dueAt = at
	}
	s.wantMore(l)
}

// wantMore sees to it that a lane with room claims what is due, now or when the time comes.
func (s *lanes) wantMore(l *lane) {
	if l.stopped || l.loading || s.closed {
		return
	}
	at := l.wants()
	if at.IsZero() {
		return
	}
	if until, open := s.open(l); open {
		if l.places()+l.active > 0 {
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
	workspace postroom.WorkspaceID
	webhook   postroom.WebhookID
	wants     []want
	notes     [4]int // of the lane's shares, before the look into the database
}

// want is for how many deliveries of a waiting state places are promised.
type want struct {
	state postroom.DeliveryState
	room  int
}

// room is for how many deliveries places are promised.
func (d demand) room() (n int) {
	for _, w := range d.wants {
		n += w.room
	}
	return n
}

func (l *lane) notes() (n [4]int) {
	for i := range l.shares {
		n[i] = l.shares[i].notes
	}
	return n
}

// nextLoad waits for a lane that wants more; false when the lanes are closed. loaded or retryLoad must follow.
func (s *lanes) nextLoad() (demand, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.loads) == 0 && !s.closed {
		s.load.Wait()
	}
	if s.closed {
		return demand{}, false
	}
	l := s.loads[0]
	s.loads[0] = nil
	s.loads = s.loads[1:]
	d := demand{workspace: l.tenant.workspace, webhook: l.webhook, notes: l.notes()}
	if !s.fits(l.tenant, 0) {
		return d, true
	}
	_, probe := s.open(l)
	now := s.now()
	for _, state := range postroom.WaitingStates() {
		q := &l.shares[state]
		if q.dueAt.IsZero() || q.dueAt.After(now) || q.places() >= min(most(state)/2, l.pace.soon()) {
			continue
		}
		room := min(s.room(l, state), claimLimit)
		if probe {
			room = min(room, 1-d.room())
		}
		if room > 0 {
			d.wants = append(d.wants, want{state, room})
			s.promise(l, state, room, 0)
		}
	}
	return d, true
}

// endLoad takes back what nextLoad promised.
func (s *lanes) endLoad(d demand) *lane {
	l := s.lane(d.workspace, d.webhook)
	l.loading = false
	for _, w := range d.wants {
		s.promise(l, w.state, -w.room, 0)
	}
	return l
}

// loaded ends a claim: jobs are what it got, and found says for each state that was asked for when something more is
// due there (zero for nothing). stop tells that the webhook is not active.
func (s *lanes) loaded(d demand, jobs []*postroom.Job, found map[postroom.DeliveryState]time.Time, stop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.endLoad(d)
	for _, j := range jobs {
		s.hold(l.tenant, j)
		l.shareOf(j).push(j)
	}
	for state, at := range found {
		if l.shares[state].notes == d.notes[state] { // else what was noted since may have been stored after the look
			l.shares[state].dueAt = at
		}
	}
	if stop && l.notes() == d.notes { // else it may have been started since
		l.stopped = true
		l.forgetDue()
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
