package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func testLeases(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	publish := func(state postroom.DeliveryState) postroom.DeliveryID {
		p := f.publication(workspace, noon(), state, webhook)
		f.publish(p)
		return p.Deliveries[0].ID
	}
	check := func(what string, id postroom.DeliveryID, state postroom.DeliveryState, due time.Time) {
		t.Helper()
		if gotState, gotDue := f.state(id); gotState != state || !gotDue.Equal(due) {
			t.Errorf("%s: it is in state %d, due %s; want %d, due %s", what, gotState, gotDue, state, due)
		}
	}

	// Renew prolongs what is still held by this claim.
	id := publish(postroom.StateFresh)
	job := f.claim(webhook, postroom.StateFresh, noon(), 1)[0]
	stale := *job
	stale.Claim--
	f.must(f.s.Renew(f.ctx, []*postroom.Job{job}, at(time.Hour)))
	check("renewed", id, postroom.StateLeased, at(time.Hour))
	f.must(f.s.Renew(f.ctx, []*postroom.Job{&stale}, at(2*time.Hour)))
	check("renewed by an older claim", id, postroom.StateLeased, at(time.Hour))
	f.must(f.s.Renew(f.ctx, nil, at(2*time.Hour)))

	// Release gives back what was not attempted, to where it came from.
	f.must(f.s.Release(f.ctx, []*postroom.Job{&stale}, at(time.Second)))
	check("released by an older claim", id, postroom.StateLeased, at(time.Hour))
	f.must(f.s.Release(f.ctx, []*postroom.Job{job}, at(time.Second)))
	check("released", id, postroom.StateFresh, at(time.Second))
	f.must(f.s.Renew(f.ctx, []*postroom.Job{job}, at(time.Hour)))
	check("renewed after its release", id, postroom.StateFresh, at(time.Second))
	lost := finishOf(job, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{lost}))
	if check("finished after its release", id, postroom.StateFresh, at(time.Second)); !lost.Lost {
		t.Error("the result of a released job counts")
	}
	f.must(f.s.Release(f.ctx, nil, noon()))

	var jobs []*postroom.Job
	ids := map[postroom.DeliveryState]postroom.DeliveryID{}
	for _, state := range postroom.WaitingStates()[1:] {
		ids[state] = publish(state)
		jobs = append(jobs, f.claim(webhook, state, noon(), 1)...)
	}
	fresh := f.leased(workspace, noon(), webhook)[0]
	fresh.From = postroom.StateLeased
	ids[postroom.StateFresh] = fresh.DeliveryID
	f.must(f.s.Release(f.ctx, append(jobs, fresh), at(time.Minute)))
	for state, id := range ids {
		check("released to its own state", id, state, at(time.Minute))
	}
}

func TestTakeOver(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace, other := f.workspace("one"), f.workspace("other")
		webhook, theirs := f.webhook(workspace), f.webhook(other)
		held := f.publication(workspace, noon(), postroom.StateFresh, webhook)
		f.publish(held)
		f.claim(webhook, postroom.StateFresh, at(24*time.Hour), 1) // until a minute after that
		first, second := f.leased(workspace, noon(), webhook)[0], f.leased(other, noon(), theirs)[0]
		retried := f.leased(workspace, noon(), webhook)[0]
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{finishOf(retried, noon(), 500, postroom.Outcome{State: postroom.StateRetry, NextAt: noon()})}))
		f.claim(webhook, postroom.StateRetry, noon(), 1)
		done := f.leased(workspace, noon(), webhook)[0]
		f.finish(done, noon(), 200)
		test, again := f.publication(workspace, noon(), postroom.StateLeased, webhook), f.publication(workspace, noon(), postroom.StateLeased, webhook)
		test.Deliveries[0].Test, again.Deliveries[0].Test = true, true
		f.publish(test, again)
		f.finish(jobsOf(again)[0], noon(), 200)
		if _, err := f.s.Requeue(f.ctx, workspace, again.Deliveries[0].ID, postroom.StateReplay, noon()); err != nil {
			t.Fatal(err)
		}
		f.claim(webhook, postroom.StateReplay, noon(), 1)

		n, err := f.s.TakeOver(f.ctx, at(time.Minute-time.Microsecond))
		f.must(err)
		if n != 0 {
			t.Errorf("before a lease has run out, %d deliveries were taken over", n)
		}
		n, err = f.s.TakeOver(f.ctx, at(time.Hour))
		f.must(err)
		if n != 5 {
			t.Errorf("%d deliveries were taken over, want 5", n)
		}
		for _, want := range []struct {
			what  string
			id    postroom.DeliveryID
			state postroom.DeliveryState
			due   time.Time
		}{
			{"never attempted", first.DeliveryID, postroom.StateFresh, at(time.Hour)},
			{"of another workspace", second.DeliveryID, postroom.StateFresh, at(time.Hour)},
			{"attempted before", retried.DeliveryID, postroom.StateRetry, at(time.Hour)},
			{"still held", held.Deliveries[0].ID, postroom.StateLeased, at(24*time.Hour + time.Minute)},
			{"done", done.DeliveryID, postroom.StateSucceeded, time.UnixMicro(0)},
			{"a test that was cut off", test.Deliveries[0].ID, postroom.StateCancelled, at(time.Hour)},
			{"a test that a person retries", again.Deliveries[0].ID, postroom.StateFresh, at(time.Hour)},
		} {
			if state, due := f.state(want.id); state != want.state || !due.Equal(want.due) {
				t.Errorf("%s: it is in state %d, due %s; want %d, due %s", want.what, state, due, want.state, want.due)
			}
		}
		if d := f.delivery(workspace, test.Deliveries[0].ID); d.Status != postroom.DeliveryCancelled || d.LastErrorKind != "interrupted" || d.NextAt != nil || d.Attempts != 0 {
			t.Errorf("a test that was cut off is %+v", d)
		}
	})
}

func testDue(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	const webhooks, each = 25, 30
	var want []postroom.Due
	var pubs []*postroom.Publication
	for i := range webhooks {
		webhook := f.webhook(workspace)
		if i%5 == 4 { // nothing waits in this state
			pubs = append(pubs, f.publication(workspace, noon(), postroom.StateRetry, webhook), f.publication(workspace, noon(), postroom.StateLeased, webhook))
			continue
		}
		first := at(time.Duration(i) * time.Second)
		for k := range each {
			p := f.publication(workspace, noon(), postroom.StateFresh, webhook)
			p.Deliveries[0].DueAt = first.Add(time.Duration((k+7)%each) * time.Minute)
			pubs = append(pubs, p)
		}
		want = append(want, postroom.Due{WorkspaceID: workspace, WebhookID: webhook, At: first})
	}
	f.publish(pubs...)

	due := func(state postroom.DeliveryState, after postroom.WebhookID, limit int) (page, own []postroom.Due) {
		t.Helper()
		page, err := f.s.Due(f.ctx, state, after, limit)
		f.must(err)
		if len(page) > limit {
			t.Fatalf("a page of %d has %d webhooks", limit, len(page))
		}
		for _, d := range page { // other tests have webhooks too
			if owner, err := f.s.WebhookOwner(f.ctx, d.WebhookID); err == nil && owner == workspace {
				own = append(own, d)
			}
		}
		return page, own
	}
	_, all := due(postroom.StateFresh, postroom.WebhookID{}, 1000)
	f.equal("all webhooks", all, want)
	var paged []postroom.Due
	var after postroom.WebhookID
	for {
		page, own := due(postroom.StateFresh, after, 7)
		if len(page) == 0 {
			break
		}
		paged, after = append(paged, own...), page[len(page)-1].WebhookID
	}
	f.equal("page by page", paged, want)
	if _, retries := due(postroom.StateRetry, postroom.WebhookID{}, 1000); len(retries) != webhooks/5 {
		t.Errorf("%d webhooks have retries, want %d", len(retries), webhooks/5)
	}
	if _, none := due(postroom.StateReplay, postroom.WebhookID{}, 1000); len(none) != 0 {
		t.Errorf("replays wait for %v", none)
	}

	for _, d := range want[:3] {
		if next, some, err := f.s.NextDue(f.ctx, d.WebhookID, postroom.StateFresh); err != nil || !some || !next.Equal(d.At) {
			t.Errorf("the next is due %s, %v, %v; want %s", next, some, err, d.At)
		}
		if _, some, err := f.s.NextDue(f.ctx, d.WebhookID, postroom.StateReplay); err != nil || some {
			t.Errorf("a replay is due: %v, %v", some, err)
		}
	}
}

// TestWaitingMany waits for more than is counted.
func TestWaitingMany(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		many := slices.Repeat([]postroom.WebhookID{webhook}, 1000)
		for range postroom.MaxWaiting / len(many) {
			f.publish(f.publication(workspace, noon(), postroom.StateFresh, many...))
		}
		check := func(want int64, wantMore bool, wantSince time.Time) {
			t.Helper()
			n, more, since, err := f.s.Waiting(f.ctx, workspace, webhook)
			f.must(err)
			if n != min(want, postroom.MaxWaiting) || more != wantMore || since == nil || !since.Equal(wantSince) {
				t.Errorf("%d (more: %v) wait since %v; want %d (%v) since %s", n, more, since, want, wantMore, wantSince)
			}
			if n, more, _, err := f.s.WaitingOf(f.ctx, workspace); err != nil || n != min(want, postroom.MaxWaiting) || more != wantMore {
				t.Errorf("for all webhooks %d (more: %v) wait, %v", n, more, err)
			}
			if n, err := f.s.CountQueue(f.ctx, workspace, webhook); err != nil || n != want {
				t.Errorf("the queue has %d, %v; want %d", n, err, want)
			}
		}
		check(postroom.MaxWaiting, false, noon())
		f.publish(f.publication(workspace, at(-time.Hour), postroom.StateRetry, webhook)) // behind the others in the index
		check(postroom.MaxWaiting+1, true, at(-time.Hour))
	})
}

func testWaitingAndBacklog(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	busy, quiet, paused, deleted, theirs := f.webhook(workspace), f.webhook(workspace), f.webhook(workspace), f.webhook(workspace), f.webhook(other)
	f.must(f.s.SetWebhookStatus(f.ctx, workspace, paused, postroom.WebhookPaused, "", noon()))
	oldest := f.publication(workspace, at(-time.Hour), postroom.StateRetry, busy)
	f.publish(oldest,
		f.publication(workspace, noon(), postroom.StateFresh, busy, busy, paused, paused, deleted),
		f.publication(workspace, noon(), postroom.StateReplay, busy),
		f.publication(workspace, noon(), postroom.StateLeased, busy),
		f.publication(other, noon(), postroom.StateFresh, theirs))
	f.finish(f.leased(workspace, noon(), busy)[0], noon(), 200)
	f.must(f.s.DeleteWebhook(f.ctx, workspace, deleted, noon(), func(postroom.StoredWebhook) error { return nil }))

	n, more, since, err := f.s.Waiting(f.ctx, workspace, busy)
	f.must(err)
	if n != 5 || more || since == nil || !since.Equal(at(-time.Hour)) {
		t.Errorf("%d wait since %v", n, since)
	}
	n, more, since, err = f.s.Waiting(f.ctx, workspace, quiet)
	f.must(err)
	if n != 0 || more || since != nil {
		t.Errorf("for a quiet webhook %d wait since %v", n, since)
	}

	n, more, since, err = f.s.WaitingOf(f.ctx, workspace)
	f.must(err)
	if n != 7 || more || since == nil || !since.Equal(at(-time.Hour)) { // without the leased one
		t.Errorf("for all webhooks %d wait since %v", n, since)
	}
	if n, err := f.s.CountQueue(f.ctx, workspace, busy); err != nil || n != 5 {
		t.Errorf("the queue has %d, %v", n, err)
	}
	if n, err := f.s.CountQueue(f.ctx, other, busy); err != nil || n != 0 {
		t.Errorf("for another workspace the queue has %d, %v", n, err)
	}

	backlog := func(now time.Time) (own []Ailing) {
		t.Helper()
		all, err := f.s.Backlog(f.ctx, now, 10000)
		f.must(err)
		if !slices.IsSortedFunc(all, func(a, b Ailing) int { return int(b.Waiting - a.Waiting) }) {
			t.Error("the longest is not first")
		}
		for _, b := range all { // other tests have webhooks too
			if slices.Contains([]postroom.WebhookID{busy, quiet, paused, deleted}, b.WebhookID) {
				b.Name, b.RateLimit = "", nil // as fixtures have them
				own = append(own, b)
			}
		}
		return own
	}
	due, early := noon(), at(-time.Hour)
	want := []Ailing{
		{WebhookID: busy, Status: "active", Waiting: 5, Due: &early, Stuck: 1},
		{WebhookID: paused, Status: "paused", Waiting: 2, Due: &due},
		{WebhookID: deleted, Status: "deleted", Waiting: 1, Due: &due},
	}
	f.equal("the backlog", backlog(at(2*time.Hour)), want)
	want[0].Stuck = 0
	f.equal("the backlog a minute after the lease has ended", backlog(at(time.Hour+time.Minute)), want)
	if two, err := f.s.Backlog(f.ctx, noon(), 2); err != nil || len(two) != 2 {
		t.Errorf("of two lines, there are %d, %v", len(two), err)
	}
}

func testRequeue(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	due := at(time.Hour)
	requeue := func(id postroom.DeliveryID) bool {
		t.Helper()
		done, err := f.s.Requeue(f.ctx, workspace, id, postroom.StateReplay, due)
		f.must(err)
		return done
	}

	leased := f.leased(workspace, noon(), webhook)[0]
	if requeue(leased.DeliveryID) {
		t.Error("a leased delivery was requeued")
	}
	if state, until := f.state(leased.DeliveryID); state != postroom.StateLeased || !until.Equal(leased.LeaseUntil) {
		t.Errorf("the leased delivery is in state %d until %s", state, until)
	}
	if requeue(postroom.NewID[postroom.DeliveryKind](noon())) {
		t.Error("an unknown delivery was requeued")
	}

	// What has ended starts over with its attempts; what waits keeps its count.
	ended := f.leased(workspace, noon(), webhook)[0]
	f.finish(ended, noon(), 500)
	waits := f.leased(workspace, noon(), webhook)[0]
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{finishOf(waits, noon(), 500, postroom.Outcome{State: postroom.StateRetry, NextAt: at(24 * time.Hour)})}))
	for job, attempts := range map[*postroom.Job]int{ended: 0, waits: 1} {
		if !requeue(job.DeliveryID) {
			t.Error("the delivery was not requeued")
		}
		d := f.delivery(workspace, job.DeliveryID)
		if d.Status != postroom.DeliveryPending || d.Attempts != attempts || d.NextAt == nil || !d.NextAt.Equal(due) || d.LastStatusCode != 500 {
			t.Errorf("the requeued delivery is %+v", d)
		}
	}
	jobs := f.claim(webhook, postroom.StateReplay, due, 10)
	if len(jobs) != 2 || jobs[0].Claim != 2 || jobs[0].From != postroom.StateReplay {
		t.Errorf("the jobs are %+v", jobs)
	}
	late := finishOf(ended, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{late}))
	if !late.Lost {
		t.Error("a result from before the requeue counts")
	}
}

func testDiscardQueue(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook, other := f.webhook(workspace), f.webhook(workspace)
	const n = discardStep + 7
	var pubs []*postroom.Publication
	for i := range n {
		pubs = append(pubs, f.publication(workspace, noon(), postroom.WaitingStates()[i%3], webhook))
	}
	until := at(time.Minute)
	theirs, leased, later := f.publication(workspace, noon(), postroom.StateFresh, other), f.publication(workspace, noon(), postroom.StateLeased, webhook),
		f.publication(workspace, until.Add(time.Millisecond), postroom.StateFresh, webhook)
	sameMillisecond := f.publication(workspace, until, postroom.StateFresh, webhook)
	f.publish(append(pubs, theirs, leased, later, sameMillisecond)...)
	succeeded := f.leased(workspace, noon(), webhook)[0]
	f.finish(succeeded, noon(), 200)

	var steps []int64
	total, err := f.s.DiscardQueue(f.ctx, workspace, webhook, until, "discarded", func(n int64) { steps = append(steps, n) })
	f.must(err)
	if total != n+1 {
		t.Errorf("%d deliveries were discarded, want %d", total, n+1)
	}
	f.equal("the steps", steps, []int64{discardStep, n + 1 - discardStep})
	if d := f.delivery(workspace, pubs[0].Deliveries[0].ID); d.Status != postroom.DeliveryCancelled || d.LastErrorKind != "discarded" || d.NextAt != nil {
		t.Errorf("a discarded delivery is %+v", d)
	}
	for id, want := range map[postroom.DeliveryID]postroom.DeliveryState{theirs.Deliveries[0].ID: postroom.StateFresh, leased.Deliveries[0].ID: postroom.StateLeased,
		later.Deliveries[0].ID: postroom.StateFresh, succeeded.DeliveryID: postroom.StateSucceeded, sameMillisecond.Deliveries[0].ID: postroom.StateCancelled} {
		if state, _ := f.state(id); state != want {
			t.Errorf("a delivery is in state %d, want %d", state, want)
		}
	}
}

// testDiscardRace claims and discards at the same time: what is claimed is not cancelled under its holder.
func testDiscardRace(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	const n, rounds = 120, 5
	for range rounds {
		var pubs []*postroom.Publication
		for range n {
			pubs = append(pubs, f.publication(workspace, noon(), postroom.StateFresh, webhook))
		}
		f.publish(pubs...)
		var jobs []*postroom.Job
		var discarded int64
		atOnce(t, 2, func(i int) (err error) {
			if i == 0 {
				discarded, err = f.s.DiscardQueue(context.Background(), workspace, webhook, noon().Add(time.Hour), "discarded", func(int64) {})
				return err
			}
			for {
				got, err := f.s.Claim(context.Background(), webhook, postroom.StateFresh, noon(), noon().Add(time.Hour), 5)
				jobs = append(jobs, got...)
				if err != nil || len(got) == 0 {
					return err
				}
			}
		})
		var fins []*postroom.Finish
		for _, j := range jobs {
			fins = append(fins, finishOf(j, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded}))
		}
		f.must(f.s.Finish(f.ctx, fins))
		for _, fin := range fins {
			if fin.Lost {
				t.Fatalf("of %d claimed and %d discarded deliveries, one was both", len(jobs), discarded)
			}
		}
		if int64(len(jobs))+discarded != n {
			t.Errorf("%d were claimed and %d discarded, of %d", len(jobs), discarded, n)
		}
	}
}

// testChangeRefused notices when what a change returns as an error is stored all the same.
func testChangeRefused(f *fixture) {
	t := f.t
	err := f.s.write(f.ctx, func(q querier) error {
		if _, err := q.exec(f.ctx, "meta_put", "refused", []byte("x")); err != nil {
			return err
		}
		return errRefused
	})
	if !errors.Is(err, errRefused) {
		t.Errorf("the error is %v", err)
	}
	if value, err := f.s.Meta(f.ctx, "refused"); err != nil || value != nil {
		t.Errorf("stored is %q, %v", value, err)
	}
}
