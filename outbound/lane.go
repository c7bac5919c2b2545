package outbound

import (
	"time"

	"github.com/postroom/postroom"
)

// lane is the queue of one webhook in memory: a window of its deliveries, leased to this node. The rest waits in the
// database, and the lane remembers when to look there.
type lane struct {
	webhook     postroom.WebhookID
	tenant      *tenant
	shares      [4]share // by waiting state: first attempts, retries and replays do not wait for each other
	active      int      // attempts under way
	concurrency int      // how many there may be now; one until the webhook has been read
	pace        pace     // what decides how many, and how fast
	stopped     bool     // the webhook is paused, disabled or gone: nothing is claimed for it

	inRing   bool      // waits for its turn
	crowded  bool      // waits until an attempt of its workspace ends, which has its share of the workers
	loading  bool      // a claim is under way, or waits for its turn
	wakeAt   time.Time // when it is in the heap for
	heapSlot int       // its place there plus one; 0 for none
}

// share is a lane's queue for deliveries of one waiting state.
type share struct {
	queue    []*postroom.Job // from head on
	head     int
	reserved int       // places promised to deliveries that are being committed or claimed
	active   int       // attempts under way
	credit   int       // of its turns in the lane
	dueAt    time.Time // when something in the database is due; zero for nothing known
	notes    int       // how often something new was noted there
}

// weights are how many turns of a lane first attempts, retries and replays get when all of them wait.
var weights = [4]int{postroom.StateFresh: 12, postroom.StateRetry: 3, postroom.StateReplay: 1}

// Bounds of what is in memory.
const (
	laneWindow      = 512   // first attempts that a lane holds; of retries a half, of replays a quarter
	laneShare       = 16    // a lane holds at most one in so many of the places that its workspace has left
	maxHeld         = 20000 // deliveries that all lanes hold, but for one of each kind that a lane may always hold
	maxHeldAtAll    = 2 * maxHeld
	maxHeldBytes    = 128 << 20 // of their events' data
	defaultParallel = 8
)

// most is how many deliveries of a waiting state a lane may hold. It claims more when it holds fewer than a half of it.
func most(state postroom.DeliveryState) int {
	switch state {
	case postroom.StateRetry:
		return laneWindow / 2
	case postroom.StateReplay:
		return laneWindow / 4
	default:
		return laneWindow
	}
}

// shareOf is the share that a delivery belongs to.
func (l *lane) shareOf(j *postroom.Job) *share { return &l.shares[waitingState(j)] }

func waitingState(j *postroom.Job) postroom.DeliveryState {
	if j.From == postroom.StateLeased {
		return postroom.StateFresh
	}
	return j.From
}

func (q *share) queued() int { return len(q.queue) - q.head }

// places are those that are taken or promised.
func (q *share) places() int { return q.queued() + q.reserved }

func (q *share) push(j *postroom.Job) { q.queue = append(q.queue, j) }

func (q *share) pop() *postroom.Job {
	j := q.queue[q.head]
	q.queue[q.head] = nil
	if q.head++; q.head == len(q.queue) {
		q.queue, q.head = q.queue[:0], 0
	} else if q.head > 64 && q.head*2 > len(q.queue) {
		n := copy(q.queue, q.queue[q.head:])
		clear(q.queue[n:]) // else what has gone out would be kept in memory
		q.queue, q.head = q.queue[:n], 0
	}
	return j
}

func (l *lane) queued() (n int) {
	for i := range l.shares {
		n += l.shares[i].queued()
	}
	return n
}

func (l *lane) places() (n int) {
	for i := range l.shares {
		n += l.shares[i].places()
	}
	return n
}

// atOnce is how many attempts there may be for deliveries of a waiting state: retries leave room for first attempts, and replays
// for both.
func (l *lane) atOnce(state postroom.DeliveryState) int {
	switch state {
	case postroom.StateRetry:
		return max(1, l.concurrency*3/4)
	case postroom.StateReplay:
		return max(1, l.concurrency/4)
	default:
		return l.concurrency
	}
}

// ready tells whether one more attempt for deliveries of a waiting state may begin, as far as the lane is concerned.
func (l *lane) ready(state postroom.DeliveryState) bool {
	q := &l.shares[state]
	return q.queued() > 0 && l.active < l.concurrency && q.active < l.atOnce(state)
}

// hasWork tells whether any attempt may begin, as far as the lane is concerned.
func (l *lane) hasWork() bool {
	return l.ready(postroom.StateFresh) || l.ready(postroom.StateRetry) || l.ready(postroom.StateReplay)
}

// pop takes out the delivery whose turn it is. Each share that is ready earns its weight, and the richest pays for the turn,
// so that turns are spread evenly.
func (l *lane) pop() *postroom.Job {
	var richest *share
	total := 0
	for state, weight := range weights {
		q := &l.shares[state]
		if weight == 0 || !l.ready(postroom.DeliveryState(state)) {
			q.credit = 0
			continue
		}
		q.credit += weight
		total += weight
		if richest == nil || q.credit > richest.credit {
			richest = q
		}
	}
	richest.credit -= total
	return richest.pop()
}

// empty takes out all that no worker has begun with.
func (l *lane) empty() (jobs []*postroom.Job) {
	for i := range l.shares {
		for l.shares[i].queued() > 0 {
			jobs = append(jobs, l.shares[i].pop())
		}
	}
	return jobs
}

// idle tells whether nothing is known of the lane that the database does not know.
func (l *lane) idle() bool {
	if l.active > 0 || l.loading || l.stopped {
		return false
	}
	for i := range l.shares {
		if q := &l.shares[i]; q.places() > 0 || !q.dueAt.IsZero() {
			return false
		}
	}
	return true
}

// wants is the earliest time at which something is due in the database that the lane has room for; zero for none.
func (l *lane) wants() (first time.Time) {
	for _, state := range postroom.WaitingStates() {
		q := &l.shares[state]
		if !q.dueAt.IsZero() && q.places() < min(most(state)/2, l.pace.soon()) && (first.IsZero() || q.dueAt.Before(first)) {
			first = q.dueAt
		}
	}
	return first
}

// forgetDue forgets what is due in the database.
func (l *lane) forgetDue() {
	for i := range l.shares {
		l.shares[i].dueAt = time.Time{}
	}
}
