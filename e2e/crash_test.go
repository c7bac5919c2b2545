package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/failpoint"
	"github.com/postroom/postroom/internal/testenv"
)

// shortLease is the shortest that there is: what a dead node held on PostgreSQL is free after it.
const shortLease = 5 * time.Second

// TestCrash kills the server with SIGKILL again and again while publishers go on, at random moments and between two steps:
// every event that was acknowledged arrives at every webhook, and what arrives twice was under way at a kill. Every call to a source that was
// answered is processed, and nothing of it is done twice. It is the short form of TestCrashLong.
func TestCrash(t *testing.T) {
	points := []failpoint.Name{"", failpoint.PublishInTransaction, failpoint.AttemptSent, failpoint.CommitInTransaction, failpoint.CommitCommitted,
		failpoint.RecordCommitted, failpoint.PublishCommitted, "", failpoint.RecordInTransaction, failpoint.PublishHandedOver,
		failpoint.IntakeStored, failpoint.RequestClaimCommitted, failpoint.ClaimCommitted}
	for database, kills := range map[string][]failpoint.Name{"sqlite": points, "postgres": points[:7]} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			c := crashes{kills: kills, publishers: 4, quiet: 20 * time.Millisecond, most: 800 * time.Millisecond}
			t.Logf("\n%s", table(c.run(t, database)))
		})
	}
}

// crashes is a run under load with kills of the server.
type crashes struct {
	kills      []failpoint.Name // where each comes; empty for a random moment
	publishers int
	quiet      time.Duration // between the calls of one publisher
	most       time.Duration // that the server runs until it is killed at random
}

// patience is how long a kill at a failpoint may take to come, until one from outside comes instead.
const patience = 10 * time.Second

// run does it, and checks the account.
func (c crashes) run(t *testing.T, database string) summary {
	s := settings{binary: testenv.FailpointsBinary(t), flags: append(devFlags(), "--log-level", "warn", "--lease", shortLease.String(), "--shutdown-timeout", "10s")}
	if database == "postgres" {
		s.database = testenv.Postgres(t)
	}
	x := newTenant(t, startServer(t, s))
	random := seeded(t)
	hooks := x.faultWebhooks()
	calls := startSenders(newTenant(t, x.s), c.publishers, c.quiet, random)
	load := startLoad(x, c.publishers, c.quiet, random)
	operator := startOperator(x, hooks, random)

	a := account{x: x, hooks: hooks}
	a.s.name = database
	c.killAll(t, x.s, &a, load, random)
	runFor(x.s, c.most)
	a.acknowledged, a.loose, a.s.again = load.stop(t), load.loose, load.again
	a.replayed = operator.stop(t)
	x.api = newClient(t, x.s, x.key)
	calls.x.api = newClient(t, x.s, calls.x.key)
	calls.stop(t)
	in := intakeAccount{senders: calls, stored: calls.requestTotals()}
	x.allEnded(3 * time.Minute)
	calls.x.allEnded(3 * time.Minute)
	x.stop(t)
	intake := in.settle(t, x.s.settings)
	a.s.intake = &intake
	summary := a.settle(t, x.s.settings)
	if summary.acknowledged < 10*len(c.kills) || intake.processed < 5*len(c.kills) || intake.queued < 2 || intake.duplicates < 1 {
		t.Errorf("only %d events were acknowledged, and of the calls %+v", summary.acknowledged, intake)
	}
	return summary
}

// killAll kills the server and starts it again, as often as it is to be, and notes when.
func (c crashes) killAll(t *testing.T, s *server, a *account, load *load, random *rand.Rand) {
	t.Helper()
	tries := map[failpoint.Name]int{}
	for i := 0; i < len(c.kills); i++ { // it may grow
		point := c.kills[i]
		before := load.count()
		at, came := c.kill(t, s, point, random)
		a.faults = append(a.faults, outage{at, at})
		switch {
		case came:
			a.s.atPoints++
		case point != "" && tries[point] < 3:
			tries[point]++
			c.kills = append(c.kills, point) // once more at the end
			fallthrough
		default:
			a.s.atRandom++
		}
		s.env = nil
		if i+1 < len(c.kills) && c.kills[i+1] != "" {
			s.env = []string{fmt.Sprintf("%s=%s:%d", failpointVariable, c.kills[i+1], passes(c.kills[i+1], random))}
		}
		startAgain(t, s)
		t.Logf("kill %d (%s, reached: %v): %d events were acknowledged since the start before it", i+1, point, came, load.count()-before)
	}
	a.s.kills = len(c.kills)
	for point, n := range tries {
		if n == 3 {
			t.Errorf("the server did not come by %s", point)
		}
	}
}

// kill ends the server: at a random moment, or when it comes by a failpoint, as its environment asks. It gives the time, and
// whether the failpoint was reached.
func (c crashes) kill(t testing.TB, s *server, point failpoint.Name, random *rand.Rand) (at time.Time, came bool) {
	t.Helper()
	if point == "" {
		runFor(s, 50*time.Millisecond+time.Duration(random.Int64N(int64(c.most))))
		if s.hasEnded() {
			t.Fatalf("the server ended by itself:\n%s", s.log.String())
		}
		s.kill(t)
		return time.Now(), false
	}
	if stops(point) {
		runFor(s, 50*time.Millisecond+time.Duration(random.Int64N(int64(c.most))))
		s.signal(t, syscall.SIGTERM)
	}
	runFor(s, patience)
	came = s.hasEnded() && s.exit(t, time.Second) == -1
	s.kill(t)
	return time.Now(), came
}

// stops tells whether the server comes by a failpoint only when it stops.
func stops(point failpoint.Name) bool {
	return strings.HasPrefix(string(point), "stop.") || strings.HasPrefix(string(point), "release.")
}

// passes draws how often the server comes by a failpoint until it is killed there.
func passes(point failpoint.Name, random *rand.Rand) int {
	for prefix, most := range map[string]int{"publish.": 50, "intake.": 50, "commit.": 50, "request-claim.": 3, "attempt.": 200, "record.": 10} {
		if strings.HasPrefix(string(point), prefix) {
			return 1 + random.IntN(most)
		}
	}
	return 1
}

// startAgain starts the server, and waits until it is ready or a failpoint has killed it, which is found later.
func startAgain(t *testing.T, s *server) {
	t.Helper()
	s.launch(t)
	if !s.becomesReady(t) && (s.env == nil || s.exit(t, time.Second) != -1) {
		t.Fatalf("the server ended at its start:\n%s%s", s.out.String(), s.log.String())
	}
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

// stop ends the server in good order.
func (x *tenant) stop(t testing.TB) {
	t.Helper()
	x.s.signal(t, syscall.SIGTERM)
	if status := x.s.exit(t, 20*time.Second); status != 0 {
		t.Errorf("the stop ended with status %d", status)
	}
}

// allEnded waits until nothing waits in the workspace any more.
func (x *tenant) allEnded(within time.Duration) {
	x.t.Helper()
	testenv.Eventually(x.t, within, func() error {
		for _, status := range []postroom.DeliveryStatus{postroom.DeliveryPending, postroom.DeliveryHeld} {
			page := must(x.api.DeliveryPage(x.t.Context(), client.DeliveryFilter{Status: status}, postroom.PageQuery{}))(x.t)
			if len(page.Data) > 0 {
				return fmt.Errorf("%d or more deliveries are %s, such as %+v", len(page.Data), status, page.Data[0])
			}
		}
		return nil
	})
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
	taken := map[string][]time.Time{}
	for _, a := range r.on(path) {
		if r.reply(a).status == 0 {
			taken[a.id] = append(taken[a.id], a.at)
		}
	}
	return taken
}
