package e2e

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// TestCrash kills the server with SIGKILL again and again while publishers go on: every event that was acknowledged
// arrives at every webhook, and what arrives twice was under way at a kill.
func TestCrash(t *testing.T) {
	for database, c := range map[string]crashes{
		"sqlite": {kills: 10, settle: 30 * time.Second},
		// What a node had leased when it was killed waits until the lease of a minute is over.
		"postgres": {kills: 3, settle: 120 * time.Second},
	} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			s := settings{flags: append(devFlags(), "--log-level", "warn")}
			if database == "postgres" {
				s.database = testenv.Postgres(t)
			}
			c.publishers, c.quiet, c.between = 4, 10*time.Millisecond, func(random *rand.Rand) time.Duration {
				return 200*time.Millisecond + time.Duration(random.Int64N(int64(800*time.Millisecond)))
			}
			c.run(t, startServer(t, s))
		})
	}
}

// crashes is a run under load with kills of the server.
type crashes struct {
	kills      int
	publishers int
	quiet      time.Duration                         // between the calls of one publisher
	between    func(random *rand.Rand) time.Duration // how long the server runs until it is killed
	settle     time.Duration                         // for what was acknowledged to arrive after the last kill
	// prepare, if not nil, changes the server's settings before each of its starts, such as its environment for a failpoint
	// that kills it. It is killed all the same when between is over. Where it dies before it is ready, it is started again
	// with an empty environment.
	prepare func(kill int, s *settings)
}

// explained is how long before a kill a delivery may have succeeded of which the result was lost with it.
const explained = 3 * time.Second

// run does it, and checks the account.
func (c crashes) run(t *testing.T, s *server) {
	x := newTenant(t, s)
	random := seeded(t)
	hooks := map[string]postroom.WebhookID{}
	for _, path := range []string{"/steady", "/flaky"} {
		hooks[path] = x.webhook(path, client.WebhookInput{Concurrency: 8}).ID
	}
	x.r.answer("/flaky", failsAtFirst)

	load := startLoad(x, c.publishers, c.quiet, random)
	var killed []time.Time
	for kill := range c.kills {
		before := load.count()
		runFor(s, c.between(random))
		s.kill(t)
		killed = append(killed, time.Now())
		if c.prepare != nil {
			c.prepare(kill, &s.settings)
		}
		c.startAgain(t, s)
		t.Logf("kill %d: %d events were acknowledged since the start before it", kill+1, load.count()-before)
	}
	runFor(s, c.between(random))
	acknowledged := load.stop(t)
	x.api = newClient(t, s, x.key)

	for path, webhook := range hooks {
		x.arrivedAll(path, acknowledged, c.settle)
		x.allSucceeded(webhook, c.settle)
		duplicates := x.r.duplicates(t, path, killed)
		x.successOnce(webhook, duplicates)
		t.Logf("%s: %d events acknowledged, %d arrived again, over %d kills; %d times one was published again for want of an answer",
			path, len(acknowledged), len(duplicates), c.kills, load.again)
	}
	if len(acknowledged) < 10*c.kills {
		t.Errorf("only %d events were acknowledged", len(acknowledged))
	}
}

// startAgain starts the server, more than once where a failpoint kills it before it is ready.
func (c crashes) startAgain(t *testing.T, s *server) {
	t.Helper()
	const tries = 20
	for range tries {
		s.launch(t)
		if s.becomesReady(t) {
			return
		}
		if c.prepare == nil {
			break
		}
		s.env = nil
	}
	t.Fatalf("the server ended at its start:\n%s%s", s.out.String(), s.log.String())
}

// runFor waits, but not longer than the server runs.
func runFor(s *server, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ended:
	}
}

// failsAtFirst fails the first call of one event in ten. There are no ten failures in a row, on which the server would
// wait longer.
func failsAtFirst(a arrival) reply {
	h := fnv.New32a()
	_, _ = h.Write([]byte(a.id)) // never fails
	if a.times == 1 && h.Sum32()%10 == 0 {
		return reply{status: 500}
	}
	return reply{}
}

// arrivedAll waits until every event has arrived at a path, with a call that was answered well.
func (x *tenant) arrivedAll(path string, ids map[string]bool, within time.Duration) {
	x.t.Helper()
	testenv.Eventually(x.t, within, func() error {
		got := x.r.taken(path)
		var missing []string
		for id := range ids {
			if len(got[id]) == 0 {
				missing = append(missing, id)
			}
		}
		if len(missing) > 0 {
			slices.Sort(missing)
			return fmt.Errorf("%d of %d acknowledged events have not arrived at %s: %s", len(missing), len(ids), path, strings.Join(missing[:min(len(missing), 20)], " "))
		}
		return nil
	})
}

// allSucceeded waits until no delivery to a webhook waits any more, and checks that none has failed.
func (x *tenant) allSucceeded(webhook postroom.WebhookID, within time.Duration) {
	x.t.Helper()
	testenv.Eventually(x.t, within, func() error {
		for _, status := range []postroom.DeliveryStatus{postroom.DeliveryPending, postroom.DeliveryHeld, postroom.DeliveryFailed, postroom.DeliveryCancelled} {
			page := must(x.api.DeliveryPage(x.t.Context(), client.DeliveryFilter{Webhook: webhook.String(), Status: status}, postroom.PageQuery{}))(x.t)
			if len(page.Data) > 0 {
				return fmt.Errorf("%d or more deliveries are %s, such as %+v", len(page.Data), status, page.Data[0])
			}
		}
		return nil
	})
}

// taken are the times at which a path took each event with a good answer.
func (r *receiver) taken(path string) map[string][]time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := map[string][]time.Time{}
	for _, a := range r.arrivals {
		if a.path == path && (path != "/flaky" || failsAtFirst(a).status == 0) {
			taken[a.id] = append(taken[a.id], a.at)
		}
	}
	return taken
}

// duplicates are the events that a path took more than once. It checks that each further time came after a kill shortly
// before which the event was under way.
func (r *receiver) duplicates(t testing.TB, path string, killed []time.Time) (ids []string) {
	t.Helper()
	for id, times := range r.taken(path) {
		for i := 1; i < len(times); i++ {
			ids = append(ids, id)
			underWay := slices.ContainsFunc(killed, func(at time.Time) bool {
				return times[i-1].Before(at) && at.Sub(times[i-1]) < explained && times[i].After(at)
			})
			if !underWay {
				t.Errorf("%s arrived at %s again after %v, and no kill explains it", id, path, times[i].Sub(times[i-1]))
			}
		}
	}
	return ids
}

// successOnce checks of some events that arrived more than once that one success of each is in the log: had the server
// stored the first one, it would not have delivered again.
func (x *tenant) successOnce(webhook postroom.WebhookID, ids []string) {
	x.t.Helper()
	for _, id := range ids[:min(len(ids), 20)] {
		for _, d := range must(x.api.Event(x.t.Context(), id))(x.t).Deliveries {
			if d.WebhookID != webhook {
				continue
			}
			successes := 0
			for _, a := range must(x.api.Delivery(x.t.Context(), d.ID.String()))(x.t).Attempts {
				if a.Error == nil {
					successes++
				}
			}
			if successes != 1 {
				x.t.Errorf("%s arrived more than once, and %d successes of its delivery %s are stored", id, successes, d.ID)
			}
		}
	}
}
