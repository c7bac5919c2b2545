package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func requestIDs(all []postroom.Request) (ids []postroom.RequestID) {
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	return ids
}

// TestClaimRequests leases requests: what is due, in what order, and how sources share.
func TestClaimRequests(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		one, other := f.workspace("one"), f.workspace("other")
		busy, quiet := f.source(one), f.source(other)
		if _, some, err := f.s.NextRequest(f.ctx); err != nil || some {
			t.Errorf("something is due: %v, %v", some, err)
		}
		var all []postroom.RequestID
		for i := range 10 {
			c := f.commitOf(one, busy, at(time.Duration(i)*time.Second), postroom.RequestWaiting)
			f.commit(c)
			all = append(all, c.Request.ID)
		}
		late := f.commitOf(other, quiet, at(time.Minute), postroom.RequestRetry)
		f.commit(late, f.commitOf(other, quiet, noon(), postroom.RequestProcessed), f.commitOf(other, quiet, noon(), postroom.RequestFailed))
		if next, some, err := f.s.NextRequest(f.ctx); err != nil || !some || !next.Equal(noon()) {
			t.Errorf("the next is due at %s, %v, %v", next, some, err)
		}

		claim := func(now time.Time, limit int) (ids []postroom.RequestID) {
			t.Helper()
			for _, r := range f.claimRequests(now, limit) {
				if r.State != postroom.RequestLeased || !r.DueAt.Equal(now.Add(time.Minute)) || string(r.Body) != `{"a":1}` {
					t.Errorf("what was claimed is %+v", r)
				}
				ids = append(ids, r.ID)
			}
			return ids
		}
		f.equal("what is due at noon", claim(noon(), 10), all[:1])
		f.equal("the oldest, up to a limit", claim(at(5*time.Second), 3), all[1:4])
		f.equal("what is due with another source's", claim(at(time.Minute-time.Microsecond), 10), all[4:10])
		// At noon and a minute, one lease has run out, and the other source's request is due: each gets its share.
		f.equal("a share of two sources", claim(at(65*time.Second), 2), []postroom.RequestID{all[0], late.Request.ID})
		f.equal("what is left", claim(at(65*time.Second), 10), all[1:4])
		f.equal("what is left then", claim(at(65*time.Second), 10), []postroom.RequestID(nil))
		if next, some, err := f.s.NextRequest(f.ctx); err != nil || !some || !next.Equal(at(2*time.Minute-time.Microsecond)) {
			t.Errorf("the next lease ends at %s, %v, %v", next, some, err)
		}
	})
}

// TestClaimRequestsRace claims from two nodes at once; each request is leased to one of them.
func TestClaimRequestsRace(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		nodes := []*Store{f.s, f.s}
		if f.s.dialect == postgres {
			nodes[1] = db.open()
		}
		workspace := f.workspace("one")
		sources := []postroom.SourceID{f.source(workspace), f.source(workspace), f.source(workspace)}
		const n = 120
		for i := range n {
			f.commit(f.commitOf(workspace, sources[i%3], noon(), postroom.RequestWaiting))
		}
		got := make(chan postroom.RequestID, 2*n)
		atOnce(t, 6, func(i int) error {
			for tries := 0; tries < 2*n; tries++ {
				claimed, err := nodes[i%2].ClaimRequests(f.ctx, at(time.Hour), at(2*time.Hour), 7)
				if err != nil {
					return err
				}
				for _, r := range claimed {
					if r.Claim != 1 {
						return fmt.Errorf("%s is claimed for the time number %d", r.ID, r.Claim)
					}
					got <- r.ID
				}
			}
			return nil
		})
		close(got)
		seen := map[postroom.RequestID]bool{}
		for id := range got {
			if seen[id] {
				t.Errorf("%s was claimed twice", id)
			}
			seen[id] = true
		}
		if len(seen) != n {
			t.Errorf("%d were claimed, want %d", len(seen), n)
		}
	})
}

// TestSQLiteRequestLeases opens a database that was left with leased requests: whoever held them is gone.
func TestSQLiteRequestLeases(t *testing.T) {
	db := newSQLite(t)
	f := newFixture(t, db.open())
	workspace := f.workspace("one")
	source := f.source(workspace)
	fresh, retried := f.commitOf(workspace, source, noon(), postroom.RequestWaiting), f.commitOf(workspace, source, noon(), postroom.RequestRetry)
	retried.Request.Attempts = 1
	later := f.commitOf(workspace, source, at(time.Hour), postroom.RequestWaiting)
	f.commit(fresh, retried, later)
	held := f.claimRequests(noon(), 10)
	if len(held) != 2 {
		t.Fatalf("%d are leased", len(held))
	}
	f.must(f.s.Close())
	f.s = db.open()
	if a, b := f.request(fresh.Request), f.request(retried.Request); a.State != postroom.RequestWaiting || b.State != postroom.RequestRetry || !a.DueAt.Equal(noon()) {
		t.Errorf("after the start they are %+v and %+v", a, b)
	}
	again := f.claimRequests(noon(), 10)
	if len(again) != 2 || again[0].Claim != 2 {
		t.Errorf("they are claimed as %+v", again)
	}
	old := &postroom.Commit{Request: held[0]}
	old.Request.State = postroom.RequestProcessed
	f.must(f.s.Commit(f.ctx, old))
	if !old.Lost {
		t.Error("a claim of before counts")
	}
}

func testRequests(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	mine, other := f.source(workspace), f.source(workspace)
	states := []postroom.RequestState{postroom.RequestProcessed, postroom.RequestWaiting, postroom.RequestRetry, postroom.RequestFailed, postroom.RequestDuplicate, postroom.RequestRefused}
	var all []postroom.Request
	for i := range 24 { // each state four times, of two sources, two types and two senders
		c := f.commitOf(workspace, []postroom.SourceID{mine, other}[i/6%2], at(time.Duration(i)*time.Minute), states[i%6])
		c.Request.EventType = []string{"email.opened", "contact.created"}[i/12]
		if i%2 == 1 {
			c.Request.Sender = "2001:db8::1"
		}
		f.commit(c)
		r := *c.Request
		r.Body = nil
		all = append(all, r)
	}
	leased := f.commitOf(workspace, mine, at(30*time.Minute), postroom.RequestWaiting)
	f.commit(leased)
	f.exec("UPDATE requests SET state = 0 WHERE id = $1", leased.Request.ID)
	l := *leased.Request
	l.State, l.Body = postroom.RequestLeased, nil
	all = append(all, l)

	choose := func(filter postroom.RequestFilter) (want []postroom.RequestID) {
		for _, r := range slices.Backward(all) {
			if (filter.Source.IsZero() || r.SourceID == filter.Source) && (filter.Status == "" || r.State.Status() == filter.Status) &&
				(filter.EventType == "" || r.EventType == filter.EventType) && (filter.Sender == "" || r.Sender == filter.Sender) &&
				(filter.After.IsZero() || !r.At.Before(filter.After)) && (filter.Before.IsZero() || r.At.Before(filter.Before)) {
				want = append(want, r.ID)
			}
		}
		return want
	}
	spans := []postroom.RequestFilter{{}, {After: at(5 * time.Minute)}, {After: at(5 * time.Minute), Before: at(20 * time.Minute)}}
	for _, filter := range spans {
		for _, filter.Status = range append(postroom.RequestStatuses(), "") {
			for k := range 8 {
				filter := filter
				if k&1 != 0 {
					filter.Source = mine
				}
				if k&2 != 0 {
					filter.EventType = "contact.created"
				}
				if k&4 != 0 {
					filter.Sender = "2001:db8::1"
				}
				want := choose(filter)
				what := fmt.Sprintf("%+v", filter)
				found, rest, err := f.s.Requests(f.ctx, workspace, filter, nil, 100)
				f.must(err)
				if rest != nil {
					t.Errorf("%s: it gave up at %x", what, *rest)
				}
				f.equal(what, requestIDs(found), want)
				if len(want) < 3 {
					continue
				}
				found, _, err = f.s.Requests(f.ctx, workspace, filter, &postroom.Cursor{ID: want[0]}, 2)
				f.must(err)
				f.equal("older, "+what, requestIDs(found), want[1:3])
				found, _, err = f.s.Requests(f.ctx, workspace, filter, &postroom.Cursor{ID: want[len(want)-1], Newer: true}, 2)
				f.must(err)
				f.equal("newer, "+what, requestIDs(found), []postroom.RequestID{want[len(want)-2], want[len(want)-3]})
			}
		}
	}
	found, _, err := f.s.Requests(f.ctx, workspace, postroom.RequestFilter{}, nil, 2)
	f.must(err)
	f.equal("what a list shows", found, []postroom.Request{all[24], all[23]})
	none, rest, err := f.s.Requests(f.ctx, workspace, postroom.RequestFilter{Status: "unheard of"}, nil, 2)
	if err != nil || len(none) != 0 || rest != nil {
		t.Errorf("a status that does not exist finds %d, %v, %v", len(none), rest, err)
	}
}

// TestRequestsWindow looks for what is rare among many: a page looks at so many rows, says how far it came, and the pages find all.
func TestRequestsWindow(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		f.s.listWindow = 10
		workspace := f.workspace("one")
		source := f.source(workspace)
		var want []postroom.RequestID
		for i := range 45 {
			c := f.commitOf(workspace, source, at(time.Duration(i)*time.Second), postroom.RequestProcessed)
			if i%20 == 3 {
				c.Request.Sender = "198.51.100.7"
				want = append(want, c.Request.ID)
			}
			f.commit(c)
		}
		slices.Reverse(want)
		for _, newer := range []bool{false, true} {
			cursor := &postroom.Cursor{ID: postroom.FirstID[postroom.DeliveryKind](at(time.Hour))}
			if newer {
				cursor = &postroom.Cursor{Newer: true}
				slices.Reverse(want)
			}
			var found []postroom.RequestID
			pages := 0
			for ; pages < 10; pages++ {
				page, rest, err := f.s.Requests(f.ctx, workspace, postroom.RequestFilter{Source: source, Sender: "198.51.100.7"}, cursor, 5)
				f.must(err)
				if found = append(found, requestIDs(page)...); rest == nil {
					break
				}
				cursor = &postroom.Cursor{Newer: newer, ID: *rest}
			}
			f.equal("what was found", found, want)
			if pages != 4 {
				t.Errorf("it took %d further pages, want 4", pages)
			}
		}
	})
}

func testRetryRequest(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	source := f.source(workspace)
	for state, want := range map[postroom.RequestState]bool{postroom.RequestLeased: false, postroom.RequestRefused: false, postroom.RequestWaiting: true,
		postroom.RequestRetry: true, postroom.RequestFailed: true, postroom.RequestProcessed: true, postroom.RequestDuplicate: true} {
		c := f.commitOf(workspace, source, noon(), state)
		c.Request.Attempts, c.Request.DueAt = 3, at(2*time.Hour)
		f.commit(c)
		done, err := f.s.RetryRequest(f.ctx, workspace, c.Request.ID, at(time.Hour))
		f.must(err)
		got := f.request(c.Request)
		expected := *c.Request
		if want {
			if expected.State, expected.DueAt = postroom.RequestWaiting, at(time.Hour); state >= postroom.RequestProcessed {
				expected.Attempts = 0
			}
		}
		f.equal(fmt.Sprintf("a request in state %d", state), got, expected)
		if done != want {
			t.Errorf("in state %d, done is %v", state, done)
		}
	}
	done, err := f.s.RetryRequest(f.ctx, workspace, postroom.NewID[postroom.RequestKind](noon()), noon())
	if err != nil || done {
		t.Errorf("an unknown request: %v, %v", done, err)
	}
}

func testClearRequests(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	source, other := f.source(workspace), f.source(workspace)
	const n = 2*clearStep + 7
	var queued []postroom.RequestID
	for i := range n {
		state := postroom.RequestProcessed
		if i%100 == 50 {
			state = postroom.RequestRetry
		}
		c := f.commitOf(workspace, source, noon(), state, fmt.Sprint(i))
		if f.commit(c); state == postroom.RequestRetry {
			queued = append([]postroom.RequestID{c.Request.ID}, queued...)
		}
	}
	theirs := f.commitOf(workspace, other, noon(), postroom.RequestFailed)
	f.commit(theirs)
	steps, counted := 0, int64(0)
	total, err := f.s.ClearRequests(f.ctx, workspace, source, func(n int64) { steps, counted = steps+1, counted+n })
	f.must(err)
	if total != n-int64(len(queued)) || counted != total || steps != 3 {
		t.Errorf("%d were deleted, %d counted in %d steps", total, counted, steps)
	}
	left, _, err := f.s.Requests(f.ctx, workspace, postroom.RequestFilter{Source: source}, nil, 100)
	f.must(err)
	f.equal("what is left", requestIDs(left), queued)
	if !f.hasRequest(theirs.Request) {
		t.Error("another source's request is gone")
	}
	again := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "0")
	f.must(f.s.Commit(f.ctx, again))
	if !again.Taken {
		t.Error("what the source has seen is forgotten")
	}
	if total, err := f.s.ClearRequests(f.ctx, workspace, source, func(int64) { t.Error("a step without requests is told") }); err != nil || total != 0 {
		t.Errorf("the second time, %d were deleted, %v", total, err)
	}
	if total, err := f.s.ClearRequests(f.ctx, workspace, f.source(workspace), nil); err != nil || total != 0 {
		t.Errorf("of a source without requests %d were deleted, %v", total, err)
	}
}

// testSourceStats counts what became of requests, before and after it is summed up.
func testSourceStats(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	source, other := f.source(workspace), f.source(workspace)
	add := func(source postroom.SourceID, after time.Duration, state postroom.RequestState, took time.Duration, status int) {
		t.Helper()
		c := f.commitOf(workspace, source, at(after), state)
		c.Request.Duration, c.Request.Status = took, status
		f.commit(c)
	}
	ms := time.Millisecond
	add(source, 0, postroom.RequestProcessed, 4*ms, 200)
	add(source, time.Second, postroom.RequestProcessed, 8*ms, 200)
	add(source, 2*time.Second, postroom.RequestDuplicate, ms, 200)
	add(source, 3*time.Second, postroom.RequestRefused, ms, 401)
	add(source, time.Minute, postroom.RequestWaiting, 0, 202)
	add(other, 0, postroom.RequestFailed, ms, 202)
	f.must(f.s.CountRefused(f.ctx, workspace, source, at(61*time.Second), 5))

	// The one that waited is tried twice and given up: all of it counts in its minute.
	for i, state := range []postroom.RequestState{postroom.RequestRetry, postroom.RequestFailed} {
		claimed := f.claimRequests(at(time.Duration(i+2)*time.Minute), 100)
		r := claimed[slices.IndexFunc(claimed, func(r *postroom.Request) bool { return r.SourceID == source })]
		r.State, r.DueAt, r.Duration, r.Status = state, at(3*time.Minute), 12*ms, 202
		f.commit(&postroom.Commit{Request: r})
	}
	look := func(what string) {
		t.Helper()
		got, err := f.s.SourceStats(f.ctx, workspace, source, noon(), at(2*time.Minute), time.Minute)
		f.must(err)
		rate, last := 2.0/10, stamp(at(time.Minute))
		want := postroom.Stats{After: stamp(noon()), Before: stamp(at(2 * time.Minute)), Attempts: 10, Succeeded: 2, Failed: 1, Retried: 1, Duplicates: 1, Refused: 6,
			SuccessRate: &rate, LastStatus: 202, LastAt: &last, LatencyMs: got.LatencyMs, Series: got.Series}
		f.equal(what+"the statistics", got, want)
		if mean := (4 + 8 + 12 + 12) / 4.0; got.LatencyMs.Mean != mean {
			t.Errorf("%sthe mean is %v ms, want %v", what, got.LatencyMs.Mean, mean)
		}
		for i := range got.Series {
			got.Series[i].LatencyMs = nil
		}
		f.equal(what+"each minute", got.Series, []postroom.StatsPoint{{At: stamp(noon()), Attempts: 4, Succeeded: 2, Duplicates: 1, Refused: 1},
			{At: stamp(at(time.Minute)), Attempts: 6, Failed: 1, Retried: 1, Refused: 5}})
		counts, err := f.s.RequestCounts(f.ctx, workspace, []postroom.SourceID{source, other})
		f.must(err)
		f.equal(what+"the counts", counts, map[postroom.SourceID]postroom.RequestCounts{source: {Total: 10, Failed: 1}, other: {Total: 1, Failed: 1}})
		all, err := f.s.Stats(f.ctx, workspace, postroom.WebhookID{}, noon(), at(2*time.Minute), time.Minute)
		if err != nil || all.Attempts != 0 {
			t.Errorf("%sthe workspace has %d attempts, %v: requests are no deliveries", what, all.Attempts, err)
		}
	}
	look("")
	_, err := f.s.Compact(f.ctx, at(time.Hour))
	f.must(err)
	if n := f.number("SELECT count(*) FROM rollups_open WHERE webhook_id = $1", source); n != 0 {
		t.Errorf("%d rows are not summed up", n)
	}
	look("summed up, ")
}

func TestSourceStats(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) { testSourceStats(newFixture(t, db.open())) })
}

// TestExpireRequests lets requests, what sources have seen, and deleted sources grow old.
func TestExpireRequests(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		source := f.source(workspace)
		day := 24 * time.Hour
		before, now := noon().Truncate(day).Add(3*day), at(6*day)
		const n = 2*expireStep + 1
		for i := range n {
			f.commit(f.commitOf(workspace, source, noon(), postroom.RequestProcessed, fmt.Sprint(i)))
		}
		commits := map[string]*postroom.Commit{}
		for what, at := range map[string]time.Time{"the last old one": before.Add(-time.Millisecond), "the first young one": before, "the young one": at(5 * day)} {
			commits[what] = f.commitOf(workspace, source, at, postroom.RequestProcessed, what)
			f.commit(commits[what])
		}
		deleted, later := f.source(workspace), f.source(workspace)
		f.must(f.s.DeleteSource(f.ctx, workspace, deleted, before.Add(-time.Microsecond), keepSource))
		f.must(f.s.DeleteSource(f.ctx, workspace, later, before, keepSource))

		rows := int64(0)
		f.must(f.s.Expire(f.ctx, before, now, func(n int64) { rows += n }))
		if rows < n {
			t.Errorf("%d rows were deleted", rows)
		}
		for what, c := range commits {
			if got := f.hasRequest(c.Request); got == (what == "the last old one") {
				t.Errorf("%s is there: %v", what, got)
			}
		}
		if requests, keys := f.number("SELECT count(*) FROM requests"), f.number("SELECT count(*) FROM request_keys"); requests != 2 || keys != 2 {
			t.Errorf("%d requests and %d keys are left", requests, keys)
		}
		if n := f.number("SELECT count(*) FROM sources WHERE id = $1", deleted); n != 0 || f.number("SELECT count(*) FROM sources WHERE id = $1", later) != 1 {
			t.Error("of the deleted sources, the wrong one is left")
		}
		again := f.commitOf(workspace, source, at(5*day), postroom.RequestProcessed, "the last old one")
		f.commit(again)
		f.must(f.s.Expire(f.ctx, before, now, func(n int64) { t.Errorf("the second time, %d rows were deleted", n) }))
	})
}

// testDeleteWorkspaceIntake deletes a workspace with what came in: nothing of it is left, not even what names only the source.
func testDeleteWorkspaceIntake(f *fixture) {
	doomed, other := f.workspace("doomed"), f.workspace("other")
	source, theirs := f.source(doomed), f.source(other)
	for range 3 {
		f.commit(f.commitOf(other, theirs, noon(), postroom.RequestProcessed, f.newRequest(other, theirs, noon()).ID.String()))
	}
	for i := range 2*purgeStep + 1 {
		f.commit(f.commitOf(doomed, source, noon(), postroom.RequestWaiting, fmt.Sprint(i)))
	}
	f.must(f.s.DeleteWorkspace(f.ctx, doomed))
	for table, column := range map[string]string{"requests": "source_id", "request_keys": "source_id", "sources": "id", "source_health": "source_id", "rollups_open": "webhook_id"} {
		if n := f.number("SELECT count(*) FROM "+table+" WHERE "+column+" = $1", source); n != 0 {
			f.t.Errorf("%d rows of %s are left", n, table)
		}
	}
	if n := f.number("SELECT count(*) FROM request_keys WHERE source_id = $1", theirs); n != 3 {
		f.t.Errorf("the other workspace has %d keys", n)
	}
	_, err := f.s.SourceOf(f.ctx, source)
	f.code("its source", err, postroom.CodeNotFound)
	if _, err := f.s.SourceOf(f.ctx, theirs); err != nil {
		f.t.Error(err)
	}
}
