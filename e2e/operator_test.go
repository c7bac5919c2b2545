package e2e

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// The webhooks of a load over faults: one for each way in which a receiver may be.
const (
	pathSteady   = "/steady"
	pathFlaky    = "/flaky"    // fails the first call of some events
	pathSlow     = "/slow"     // answers some calls after slowAnswer
	pathBroken   = "/broken"   // never takes some events
	pathPaused   = "/paused"   // its webhook is paused and resumed
	pathReplayed = "/replayed" // its webhook is tested, and some of its deliveries are replayed
)

const (
	slowAnswer    = 2500 * time.Millisecond
	brokenRetries = 1
)

// oneIn draws one event in n, and always the same.
func oneIn(n uint32, path, id string) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(path + id)) // never fails
	return h.Sum32()%n == 0
}

// isBroken tells whether pathBroken never takes an event. It is rare, as there should not be ten failures in a row, after which
// the server waits longer.
func isBroken(id string) bool { return oneIn(200, pathBroken, id) }

// faultWebhooks makes the webhooks, and says what their receivers do.
func (x *tenant) faultWebhooks() map[string]postroom.WebhookID {
	x.t.Helper()
	x.r.bare = true
	x.r.answer(pathFlaky, func(a arrival) reply {
		if a.times == 1 && oneIn(10, pathFlaky, a.id) {
			return reply{status: 500}
		}
		return reply{}
	})
	x.r.answer(pathSlow, func(a arrival) reply {
		if oneIn(100, pathSlow, a.id) {
			return reply{after: slowAnswer}
		}
		return reply{after: 10 * time.Millisecond}
	})
	x.r.answer(pathBroken, func(a arrival) reply {
		if isBroken(a.id) {
			return reply{status: 500}
		}
		return reply{}
	})
	hooks := map[string]postroom.WebhookID{}
	for path, in := range map[string]client.WebhookInput{
		pathSteady: {Concurrency: 8}, pathFlaky: {Concurrency: 8}, pathSlow: {Concurrency: 32}, pathBroken: {Retry: quick(brokenRetries)},
		pathPaused: {}, pathReplayed: {Timeout: postroom.Duration(5 * time.Second)},
	} {
		hooks[path] = x.webhook(path, in).ID
	}
	return hooks
}

// operator is a person who pauses, resumes, tests and replays while the servers come and go.
type operator struct {
	x     *tenant
	hooks map[string]postroom.WebhookID
	nodes []*server

	stopping chan struct{}
	group    sync.WaitGroup
	asked    map[string]bool      // the events of which a replay was asked for, once each
	replayed map[string]time.Time // when it was, of those that were acknowledged
	refused  []string
}

func startOperator(x *tenant, hooks map[string]postroom.WebhookID, random *rand.Rand, others ...*server) *operator {
	o := &operator{x: x, hooks: hooks, nodes: append([]*server{x.s}, others...), stopping: make(chan struct{}), asked: map[string]bool{}, replayed: map[string]time.Time{}}
	own := rand.New(rand.NewPCG(random.Uint64(), 0))
	o.group.Go(func() { o.work(own) })
	return o
}

func (o *operator) work(random *rand.Rand) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-o.stopping:
			return
		case <-ticker.C:
		}
		node := o.nodes[random.IntN(len(o.nodes))]
		switch n % 8 {
		case 0:
			o.webhook(node, pathPaused, "pause", "")
		case 4:
			o.webhook(node, pathPaused, "resume", "")
		case 2:
			o.webhook(node, pathReplayed, "test", "")
		default:
			o.replay(node, random)
		}
	}
}

// webhook does something with a webhook, and says whether it was acknowledged.
func (o *operator) webhook(node *server, path, action, body string) bool {
	return o.try(node, call{method: http.MethodPost, path: "/v1/webhooks/" + o.hooks[path].String() + "/" + action, body: body})
}

func (o *operator) try(node *server, c call) bool {
	c.key = o.x.key
	a, err := node.try(c)
	if err == nil && a.status >= 400 && a.status != http.StatusServiceUnavailable {
		o.refused = append(o.refused, fmt.Sprintf("%s: %d %s", c.path, a.status, a.body))
	}
	return err == nil && a.status < 300
}

// replayAge is how long ago an event arrived of which a replay is asked for: then the result of its attempt is known, or lost.
const replayAge = 4 * time.Second

// replay asks for one of the events again that have arrived.
func (o *operator) replay(node *server, random *rand.Rand) {
	now := time.Now()
	a, ok := o.x.r.some(random, pathReplayed, now.Add(-replayAge))
	if !ok || a.event.Type != "email.opened" || o.asked[a.id] {
		return
	}
	o.asked[a.id] = true
	if o.try(node, call{method: http.MethodPost, path: "/v1/events/" + a.id + "/replay", body: fmt.Sprintf(`{"webhooks":[%q]}`, o.hooks[pathReplayed])}) {
		o.replayed[a.id] = now
	}
}

// some draws one of the calls that a path got before a time; false when it finds none.
func (r *receiver) some(random *rand.Rand, path string, before time.Time) (arrival, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range min(len(r.arrivals), 50) {
		if a := r.arrivals[random.IntN(len(r.arrivals))]; a.path == path && a.at.Before(before) {
			return a, true
		}
	}
	return arrival{}, false
}

// stop ends the work, and leaves no webhook paused.
func (o *operator) stop(t testing.TB) map[string]time.Time {
	t.Helper()
	close(o.stopping)
	o.group.Wait()
	if !o.webhook(o.nodes[0], pathPaused, "resume", "") {
		t.Error("the webhook could not be resumed at the end")
	}
	complain(t, o.refused)
	return o.replayed
}
