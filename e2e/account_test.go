package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/postroom/postroom"
)

// outage is a time in which attempts were cut off, or in which their results could not be stored.
type outage struct{ from, to time.Time }

// mostCutOff is how many attempts one fault may cut off: those under way, of webhooks of which none has a concurrency above
// 32, and the results that wait to be stored or are being stored, of which there are at most 1,500.
const mostCutOff = 1500 + 6*32

// summary is what an account comes to. All but the first six are counted in calls of receivers or rows of the log.
type summary struct {
	name                            string
	kills, atRandom, atPoints       int // atPoints of the kills came from within, at a failpoint
	acknowledged, again, stored     int // events
	deliveries, succeeded, givenUp  int
	cancelled                       int            // tests that were cut off
	received, logged, cutOff        int            // cutOff of the calls are not in the log, for a fault cut them off
	duplicates, replays, mostAtOnce int            // good answers beyond the first for a delivery; calls that one fault cut off
	lost                            int            // events
	intake                          *intakeSummary // nil where nothing came in
}

// table writes summaries as Markdown, which the documentation shows.
func table(all ...summary) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	row := func(what string, value func(s summary) string) {
		_, _ = fmt.Fprintf(w, "| %s\t", what)
		for _, s := range all {
			_, _ = fmt.Fprintf(w, "| %s\t", value(s))
		}
		_, _ = fmt.Fprintln(w, "|")
	}
	number := func(what string, value func(s summary) int) {
		row(what, func(s summary) string { return fmt.Sprint(value(s)) })
	}
	row("", func(s summary) string { return s.name })
	row("---", func(summary) string { return "---:" })
	number("kills", func(s summary) int { return s.kills })
	number("… at a random moment", func(s summary) int { return s.atRandom })
	number("… between two steps", func(s summary) int { return s.atPoints })
	number("events acknowledged", func(s summary) int { return s.acknowledged })
	number("… published again for want of an answer", func(s summary) int { return s.again })
	number("deliveries", func(s summary) int { return s.deliveries })
	number("… succeeded", func(s summary) int { return s.succeeded })
	number("… given up, as scheduled", func(s summary) int { return s.givenUp })
	number("… tests that were cut off", func(s summary) int { return s.cancelled })
	number("calls that receivers got", func(s summary) int { return s.received })
	number("… not in the log, cut off by a kill", func(s summary) int { return s.cutOff })
	number("deliveries that succeeded twice", func(s summary) int { return s.duplicates })
	number("calls that one kill cut off, at most", func(s summary) int { return s.mostAtOnce })
	number("**acknowledged events lost**", func(s summary) int { return s.lost })
	if all[0].intake != nil {
		in := func(what string, value func(s *intakeSummary) int) {
			number(what, func(s summary) int { return value(s.intake) })
		}
		in("calls to sources answered 200: processed", func(s *intakeSummary) int { return s.processed })
		in("… answered 200: came before", func(s *intakeSummary) int { return s.duplicates })
		in("… answered 202: cannot be processed yet", func(s *intakeSummary) int { return s.queued })
		in("… made again for want of an answer", func(s *intakeSummary) int { return s.again })
		in("… made twice on purpose", func(s *intakeSummary) int { return s.twice })
		in("requests stored", func(s *intakeSummary) int { return s.requests })
		in("contacts made, each with its tag and its list", func(s *intakeSummary) int { return s.contacts })
		in("events that this caused", func(s *intakeSummary) int { return s.events })
		in("… that a webhook wanted and got", func(s *intakeSummary) int { return s.arrived })
		in("… calls beyond the first for one", func(s *intakeSummary) int { return s.repeated })
		in("**answered calls lost**", func(s *intakeSummary) int { return s.lost })
		in("**calls done twice**", func(s *intakeSummary) int { return s.doneTwice })
	}
	_ = w.Flush()
	return b.String()
}

// account compares what publishers were told, what receivers got, and what the database says of it.
type account struct {
	x            *tenant
	hooks        map[string]postroom.WebhookID // by path; each gets all events of the load
	acknowledged map[string]bool
	loose        map[string]bool // marks that may be stored twice
	faults       []outage
	replayed     map[string]time.Time // by event: when a replay to pathReplayed was asked for that was acknowledged

	ledger *ledger
	s      summary
}

// settle reads the ledger of the servers, which have stopped, and checks everything.
func (a *account) settle(t *testing.T, set settings) summary {
	t.Helper()
	a.ledger = readLedger(t, set, a.x.id)
	a.s.acknowledged = len(a.acknowledged)
	a.events(t)
	a.deliveries(t)
	a.calls(t)
	a.rollups(t)
	a.replays(t)
	return a.s
}

// complain reports the first few of some defects.
func complain(t testing.TB, defects []string) {
	t.Helper()
	for _, d := range defects[:min(len(defects), 10)] {
		t.Error(d)
	}
	if more := len(defects) - 10; more > 0 {
		t.Errorf("… and %d more of the kind", more)
	}
}

// events checks that what was acknowledged is stored, and once.
func (a *account) events(t testing.TB) {
	t.Helper()
	var defects []string
	for id := range a.acknowledged {
		if _, ok := a.ledger.byPublicID[id]; !ok {
			defects = append(defects, "the event "+id+" was acknowledged and is not stored")
			a.s.lost++
		}
	}
	marks := map[string]string{}
	for _, e := range a.ledger.events {
		if e.mark == "" {
			continue // a test, or of Postroom's own
		}
		a.s.stored++
		if other := marks[e.mark]; other != "" && !a.loose[e.mark] {
			defects = append(defects, fmt.Sprintf("%s is stored as %s and as %s, although its publisher said that it is the same", e.mark, e.id, other))
		}
		marks[e.mark] = e.id
	}
	complain(t, defects)
}

// deliveries checks that each event of the load has one delivery to each webhook, and that it has ended as it should.
func (a *account) deliveries(t testing.TB) {
	t.Helper()
	var defects []string
	paths := map[postroom.WebhookID]string{}
	for path, id := range a.hooks {
		paths[id] = path
	}
	perEvent, told := map[postroom.EventID]map[string]int{}, 0
	for id, d := range a.ledger.deliveries {
		e, path := a.ledger.events[d.event], paths[d.webhook]
		if d.test {
			defects = append(defects, a.test(id, d)...)
			continue
		}
		if perEvent[d.event] == nil {
			perEvent[d.event] = map[string]int{}
		}
		perEvent[d.event][path]++
		a.s.deliveries++
		broken := path == pathBroken && isBroken(e.id)
		switch {
		case d.state == postroom.StateSucceeded && !broken:
			a.s.succeeded++
		case d.state == postroom.StateFailed && broken:
			a.s.givenUp++
			if n := len(a.ledger.attempts[id]); d.attempts != brokenRetries+1 || n < d.attempts {
				defects = append(defects, fmt.Sprintf("%s was given up after %d attempts, %d of them in the log; its schedule has %d", id, d.attempts, n, brokenRetries+1))
			}
		default:
			defects = append(defects, fmt.Sprintf("the delivery %s of %s to %s is in state %d", id, e.id, path, d.state))
		}
	}
	for id, e := range a.ledger.events {
		if e.kind == "postroom.delivery.failed" {
			told++
		}
		if e.mark == "" {
			continue
		}
		for path := range a.hooks {
			if n := perEvent[id][path]; n != 1 {
				defects = append(defects, fmt.Sprintf("the event %s has %d deliveries to %s", e.id, n, path))
				if n == 0 && a.acknowledged[e.id] {
					a.s.lost++
				}
			}
		}
	}
	if told != a.s.givenUp {
		defects = append(defects, fmt.Sprintf("%d deliveries were given up, and %d events tell of it", a.s.givenUp, told))
	}
	complain(t, defects)
}

// test checks a test of a webhook: it is made once, or cut off and never made again.
func (a *account) test(id postroom.DeliveryID, d storedDelivery) (defects []string) {
	logged := len(a.ledger.attempts[id])
	calls := len(a.x.r.byEvent(pathReplayed)[a.ledger.events[d.event].id])
	switch {
	case d.state == postroom.StateCancelled && d.reason == "interrupted" && d.attempts == 0 && logged <= 1: // which came too late
		a.s.cancelled++
	case d.state == postroom.StateSucceeded && logged == 1:
	default:
		defects = append(defects, fmt.Sprintf("the test %s is in state %d (%s) with %d attempts", id, d.state, d.reason, logged))
	}
	if calls > 1 {
		defects = append(defects, fmt.Sprintf("the test %s was sent %d times", id, calls))
	}
	return defects
}

// calls compares the log with what receivers got: each logged answer was given, and what is not in the log was cut off.
func (a *account) calls(t testing.TB) {
	t.Helper()
	var defects []string
	perFault := make([]int, len(a.faults))
	type lane struct {
		event postroom.EventID
		hook  postroom.WebhookID
	}
	logged, late := map[lane][]storedAttempt{}, map[lane]int{}
	for id, d := range a.ledger.deliveries {
		l := lane{d.event, d.webhook}
		logged[l] = a.ledger.attempts[id]
		late[l] = len(logged[l]) - d.attempts
		a.s.logged += len(logged[l])
	}
	for path, hook := range a.hooks {
		for id, arrivals := range a.x.r.byEvent(path) {
			event, known := a.ledger.byPublicID[id]
			l := lane{event, hook}
			if _, ours := logged[l]; !known || !ours {
				defects = append(defects, fmt.Sprintf("%s got the event %s, of which there is no delivery to it", path, id))
				continue
			}
			a.s.received += len(arrivals)
			answered := 0
			for _, at := range logged[l] {
				if at.status != 0 {
					answered++
				}
			}
			missing := len(arrivals) - answered
			if missing < 0 {
				defects = append(defects, fmt.Sprintf("%s got %s %d times, and the log has %d answers", path, id, len(arrivals), answered))
			}
			a.s.cutOff += max(missing, 0)
			if path != pathReplayed { // where a person wanted it more than once, and the count began again
				missing += late[l]
			}
			defects = append(defects, a.explain(path, id, arrivals, missing, perFault)...)
			delete(logged, l)
		}
	}
	for l, attempts := range logged {
		for _, at := range attempts {
			if at.status != 0 {
				defects = append(defects, fmt.Sprintf("%s got no call for %s, and the log has an answer", l.hook, a.ledger.events[l.event].id))
			}
		}
		if e := a.ledger.events[l.event]; a.acknowledged[e.id] {
			defects = append(defects, fmt.Sprintf("the event %s was acknowledged and has not arrived at %s", e.id, l.hook))
			a.s.lost++
		}
	}
	for i, n := range perFault {
		if n > mostCutOff {
			defects = append(defects, fmt.Sprintf("fault %d cut off %d attempts", i+1, n))
		}
		a.s.mostAtOnce = max(a.s.mostAtOnce, n)
	}
	complain(t, defects)
}

// explain checks that what arrived and does not count was under way at a fault, no two at the same one, and notes at which.
// What does not count is not in the log, or its result came after another node had taken over.
func (a *account) explain(path, id string, arrivals []arrival, missing int, perFault []int) (defects []string) {
	used := map[int]bool{}
	for _, arrived := range arrivals {
		next := slices.IndexFunc(a.faults, func(f outage) bool { return arrived.at.Before(f.to) })
		if len(used) < missing && next >= 0 && !used[next] {
			used[next] = true
			perFault[next]++
		}
	}
	if len(used) < missing {
		defects = append(defects, fmt.Sprintf("%s got %s %d times, of which %d do not count; faults explain %d", path, id, len(arrivals), missing, len(used)))
	}
	if path == pathReplayed {
		return defects // a person wanted it more than once
	}
	good := 0
	for _, arrived := range arrivals {
		if a.x.r.reply(arrived).status == 0 {
			good++
		}
	}
	if good > 1 {
		a.s.duplicates += good - 1
		if good-1 > missing {
			defects = append(defects, fmt.Sprintf("%s took %s %d times, although all but %d calls count", path, id, good, missing))
		}
	}
	return defects
}

// rollups compares the counters with the log.
func (a *account) rollups(t testing.TB) {
	t.Helper()
	want := map[postroom.WebhookID]sums{}
	for id, attempts := range a.ledger.attempts {
		hook := a.ledger.deliveries[id].webhook
		s := want[hook]
		for _, at := range attempts {
			if s.attempts++; !at.failed {
				s.succeeded++
			}
		}
		want[hook] = s
		all := want[postroom.WebhookID{}] // the workspace's own row
		all.attempts += len(attempts)
		for _, at := range attempts {
			if !at.failed {
				all.succeeded++
			}
		}
		want[postroom.WebhookID{}] = all
	}
	if !maps.Equal(a.ledger.rollups, want) {
		t.Errorf("the counters are %v, and the log comes to %v", a.ledger.rollups, want)
	}
}

// replays checks that what was to be delivered again was.
func (a *account) replays(t testing.TB) {
	t.Helper()
	var defects []string
	arrivals := a.x.r.byEvent(pathReplayed)
	for id, asked := range a.replayed {
		a.s.replays++
		last := time.Time{}
		for _, arrived := range arrivals[id] {
			last = arrived.at
		}
		// A delivery whose attempt is under way, or waits for the database to have its result stored, is left alone.
		alone := last.After(asked.Add(-replayAge)) || slices.ContainsFunc(a.faults, func(f outage) bool {
			return f.to.After(last.Add(-replayAge)) && f.from.Before(asked)
		})
		if last.Before(asked) && !alone {
			defects = append(defects, fmt.Sprintf("the replay of %s was acknowledged, and its last call came %v before", id, asked.Sub(last)))
		}
	}
	complain(t, defects)
}
