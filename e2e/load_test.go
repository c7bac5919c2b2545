package e2e

import (
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

// load publishes without pause, over crashes of the server, and keeps account of what the server has acknowledged. An
// event that got no answer is published again with its id until it gets one, as a careful publisher does.
type load struct {
	s     *server
	key   string
	quiet time.Duration // between the calls of one publisher

	mu           sync.Mutex
	acknowledged map[string]bool
	again        int      // events that had to be published again because no answer came
	refused      []string // answers that are neither 202 nor such that one tries again

	stopping chan struct{}
	group    sync.WaitGroup
}

// startLoad starts some publishers.
func startLoad(x *tenant, publishers int, quiet time.Duration, random *rand.Rand) *load {
	l := &load{s: x.s, key: x.key, quiet: quiet, acknowledged: map[string]bool{}, stopping: make(chan struct{})}
	for p := range publishers {
		own := rand.New(rand.NewPCG(random.Uint64(), uint64(p)))
		l.group.Go(func() { l.publisher(p, own) })
	}
	return l
}

// publisher publishes until stop, one event a call, and now and then many.
func (l *load) publisher(p int, random *rand.Rand) {
	for n := 0; !l.isStopping(); n++ {
		size := 1
		if random.IntN(10) == 0 {
			size = 2 + random.IntN(30)
		}
		ids := make([]string, size)
		for i := range ids {
			ids[i] = fmt.Sprintf("p%d-%d-%d", p, n, i)
		}
		for !l.publish(ids) {
			if l.isStopping() {
				return
			}
			l.mu.Lock()
			l.again += len(ids)
			l.mu.Unlock()
			l.pause(20 * time.Millisecond)
		}
		l.pause(l.quiet)
	}
}

// publish makes one call, and tells whether it was answered for good.
func (l *load) publish(ids []string) bool {
	c := call{method: http.MethodPost, path: "/v1/events", key: l.key}
	for _, id := range ids {
		c.body += fmt.Sprintf(`{"id":%q,"type":"email.opened","data":{"contact":{"email":"%s@example.com"},"pad":%q}}`+"\n", id, id, strings.Repeat("x", 200))
	}
	if len(ids) > 1 {
		c.header = map[string]string{"Content-Type": "application/x-ndjson"}
	}
	a, err := l.s.try(c)
	if err != nil || a.status == http.StatusServiceUnavailable {
		return false // it is down, or goes down
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.status != http.StatusAccepted || strings.Contains(string(a.body), `"error"`) {
		l.refused = append(l.refused, fmt.Sprintf("%d %s", a.status, a.body))
		return true
	}
	for _, id := range ids {
		l.acknowledged[id] = true
	}
	return true
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
