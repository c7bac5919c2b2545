package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// seedVariable fixes the seed of a test that draws at random, to repeat one that failed.
const seedVariable = "POSTROOM_TEST_SEED"

// seeded gives a source of random numbers, and tells its seed in the test's output.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv(seedVariable); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("%s is %q, and must be a whole number", seedVariable, given)
		}
	}
	t.Logf("%s=%d", seedVariable, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// load publishes without pause, over crashes of the servers, and keeps account of what they have acknowledged. What got no
// answer is published again until it gets one, as a careful publisher does. Every event has a mark of its own in its data,
// so that one that was stored twice is found.
type load struct {
	nodes []*server // publishers take turns among them
	key   string
	quiet time.Duration // between the calls of one publisher

	mu           sync.Mutex
	acknowledged map[string]bool
	loose        map[string]bool // marks of events that may be stored twice: they had neither an id nor an Idempotency-Key
	again        int             // events that had to be published again because no answer came
	refused      []string        // answers that are neither 202 nor such that one tries again

	stopping chan struct{}
	group    sync.WaitGroup
}

// care is what a publisher does so that an event which it publishes again is not stored again.
type care int

const (
	ownIDs   care = iota // its events have ids
	keyed                // its calls have an Idempotency-Key
	both                 //
	careless             // neither
	cares
)

// startLoad starts some publishers, of each kind in turn.
func startLoad(x *tenant, publishers int, quiet time.Duration, random *rand.Rand, others ...*server) *load {
	l := &load{nodes: append([]*server{x.s}, others...), key: x.key, quiet: quiet, acknowledged: map[string]bool{}, loose: map[string]bool{},
		stopping: make(chan struct{})}
	for p := range publishers {
		own := rand.New(rand.NewPCG(random.Uint64(), uint64(p)))
		l.group.Go(func() { l.publisher(p, own) })
	}
	return l
}

// batch is what one call publishes.
type batch struct {
	care  care
	marks []string
	at    time.Time // not earlier than this, if it is not the first time
}

// publisher publishes until stop, one event a call, and now and then many. While a call waits for another that has its key,
// it goes on with the next.
func (l *load) publisher(p int, random *rand.Rand) {
	var waiting []batch
	for n := 0; !l.isStopping(); n++ {
		b := batch{care: care(p % int(cares))}
		if len(waiting) > 0 && time.Now().After(waiting[0].at) {
			b, waiting = waiting[0], waiting[1:]
		} else {
			size := 1
			if random.IntN(10) == 0 {
				size = 2 + random.IntN(30)
			}
			for i := range size {
				b.marks = append(b.marks, fmt.Sprintf("p%d-%d-%d", p, n, i))
			}
		}
		for at := p + n; ; at++ {
			fate := l.publish(b, l.nodes[at%len(l.nodes)])
			if fate == taken || l.isStopping() {
				break
			}
			if fate == inFlight {
				b.at = time.Now().Add(time.Second)
				waiting = append(waiting, b)
				break
			}
			l.mu.Lock()
			l.again += len(b.marks)
			l.mu.Unlock()
			l.pause(20 * time.Millisecond)
		}
		l.pause(l.quiet)
	}
}

// fate is what became of a call.
type fate int

const (
	taken      fate = iota // it was answered for good
	unanswered             // it is to be made again
	inFlight               // it is to be made again later
)

// publish makes one call.
func (l *load) publish(b batch, node *server) fate {
	c := call{method: http.MethodPost, path: "/v1/events", key: l.key, header: map[string]string{}}
	for _, mark := range b.marks {
		id := ""
		if b.care == ownIDs || b.care == both {
			id = fmt.Sprintf(`"id":%q,`, mark)
		}
		c.body += fmt.Sprintf(`{%s"type":"email.opened","data":{"mark":%q,"contact":{"email":"%s@example.com"},"pad":%q}}`+"\n", id, mark, mark, strings.Repeat("x", 200))
	}
	if len(b.marks) > 1 {
		c.header["Content-Type"] = "application/x-ndjson"
	}
	if b.care == keyed || b.care == both {
		c.header["Idempotency-Key"] = b.marks[0]
	}
	a, err := node.try(c)
	switch {
	case err != nil || a.status == http.StatusServiceUnavailable || a.status == http.StatusAccepted && strings.Contains(string(a.body), `"unavailable"`):
		return unanswered // it is down, or goes down, or its database does
	case a.status == http.StatusConflict && c.header["Idempotency-Key"] != "":
		return inFlight
	}
	ids, err := publishedIDs(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || len(ids) != len(b.marks) {
		l.refused = append(l.refused, fmt.Sprintf("%d %s", a.status, a.body))
		return taken
	}
	for i, id := range ids {
		l.acknowledged[id] = true
		if b.care == careless {
			l.loose[b.marks[i]] = true
		}
	}
	return taken
}

// publishedIDs reads the answer to a call that published.
func publishedIDs(a answer) (ids []string, err error) {
	if a.status != http.StatusAccepted {
		return nil, fmt.Errorf("the status is %d", a.status)
	}
	type published struct{ ID string }
	var one struct {
		published
		Data []published // of a call with many
	}
	if err := json.Unmarshal(a.body, &one); err != nil {
		return nil, err
	}
	all := one.Data
	if all == nil {
		all = append(all, one.published)
	}
	for _, p := range all {
		if p.ID == "" {
			return nil, errors.New("an event was not taken")
		}
		ids = append(ids, p.ID)
	}
	return ids, nil
}

func (l *load) isStopping() bool {
	select {
	case <-l.stopping:
		return true
	default:
		return false
	}
}

func (l *load) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.stopping:
	}
}

// count is how many events were acknowledged so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// stop ends the publishers, and gives the events that were acknowledged.
func (l *load) stop(t testing.TB) map[string]bool {
	t.Helper()
	close(l.stopping)
	l.group.Wait()
	for _, answer := range l.refused[:min(len(l.refused), 5)] {
		t.Errorf("an event was refused: %s", answer)
	}
	return l.acknowledged
}
