package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func at(d time.Duration) time.Time { return noon().Add(d) }

func TestClaim(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook, other := f.webhook(workspace), f.webhook(workspace)
		p := f.publication(workspace, noon(), postroom.StateFresh, webhook, webhook, webhook, webhook, webhook, webhook, other)
		p.Event.UID, p.Event.Actor, p.Event.OrderingKey, p.Event.Contact, p.Event.Campaign = "u", "a", "o", "c", "790"
		for i, due := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second, time.Hour, 0} {
			p.Deliveries[i].DueAt = at(due)
		}
		p.Deliveries[5].State = postroom.StateRetry
		p.Deliveries[1].Test = true
		f.publish(p)
		leased := f.leased(workspace, noon(), webhook)[0]
		ids := func(jobs []*postroom.Job) (found []postroom.DeliveryID) {
			for _, j := range jobs {
				found = append(found, j.DeliveryID)
			}
			return found
		}
		d := p.Deliveries

		if jobs := f.claim(webhook, postroom.StateFresh, at(-time.Microsecond), 10); len(jobs) != 0 {
			t.Errorf("before anything is due, %d were claimed", len(jobs))
		}
		// Those that have been due for longest are claimed first; what a claim takes comes in the order of publication.
		jobs := f.claim(webhook, postroom.StateFresh, at(2*time.Second), 2)
		f.equal("the first two", ids(jobs), []postroom.DeliveryID{d[1].ID, d[4].ID})
		f.equal("a job", jobs[0], &postroom.Job{DeliveryID: d[1].ID, WebhookID: webhook, Event: p.Event, From: postroom.StateFresh, Claim: 1,
			LeaseUntil: at(2*time.Second + time.Minute), Test: true})
		if state, until := f.state(d[1].ID); state != postroom.StateLeased || !until.Equal(jobs[0].LeaseUntil) {
			t.Errorf("a claimed delivery is in state %d until %s", state, until)
		}
		f.equal("the others that are due", ids(f.claim(webhook, postroom.StateFresh, at(3*time.Second), 10)), []postroom.DeliveryID{d[0].ID, d[2].ID})
		f.equal("nothing more is due", ids(f.claim(webhook, postroom.StateFresh, at(time.Minute), 10)), []postroom.DeliveryID(nil))
		f.equal("retries", ids(f.claim(webhook, postroom.StateRetry, at(0), 10)), []postroom.DeliveryID{d[5].ID})
		f.equal("replays", ids(f.claim(webhook, postroom.StateReplay, at(time.Hour), 10)), []postroom.DeliveryID(nil))
		f.equal("another webhook", ids(f.claim(other, postroom.StateFresh, at(0), 10)), []postroom.DeliveryID{d[6].ID})
		f.equal("an unknown webhook", ids(f.claim(postroom.NewID[postroom.WebhookKind](noon()), postroom.StateFresh, at(0), 10)), []postroom.DeliveryID(nil))
		if state, until := f.state(leased.DeliveryID); state != postroom.StateLeased || !until.Equal(leased.LeaseUntil) {
			t.Errorf("what another node holds is in state %d until %s", state, until)
		}

		// The claim grows with each lease, and the attempts are counted.
		retry := finishOf(jobs[0], at(3*time.Second), 500, postroom.Outcome{State: postroom.StateRetry, NextAt: at(5 * time.Second)})
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{retry}))
		again := f.claim(webhook, postroom.StateRetry, at(5*time.Second), 10)
		if len(again) != 1 || again[0].Claim != 2 || again[0].Attempts != 1 || again[0].From != postroom.StateRetry {
			t.Errorf("the second lease is %+v", again)
		}
	})
}

// TestClaimOrder notices when a claim gives jobs in the order in which the database happened to find them.
func TestClaimOrder(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		const n = 60
		pubs := make([]*postroom.Publication, n)
		for i := range pubs {
			pubs[i] = f.publication(workspace, noon().Add(time.Duration(i)*time.Second), postroom.StateFresh, webhook)
			pubs[i].Deliveries[0].DueAt = noon().Add(time.Duration(i*7%n) * time.Second)
		}
		for i := range pubs { // stored in yet another order
			f.publish(pubs[i*11%n])
		}
		jobs := f.claim(webhook, postroom.StateFresh, noon().Add(time.Hour), n)
		if len(jobs) != n {
			t.Fatalf("%d jobs were claimed", len(jobs))
		}
		for i, j := range jobs {
			if j.DeliveryID != pubs[i].Deliveries[0].ID || j.Event == nil || j.Event.ID != pubs[i].Event.ID {
				t.Fatalf("job %d is not of publication %d", i, i)
			}
		}
	})
}

// TestClaimRace has many claim at once: no delivery is claimed twice, and none is left.
func TestClaimRace(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		s := db.open()
		f := newFixture(t, s)
		stores := []*Store{s}
		if s.dialect == postgres {
			stores = append(stores, db.open())
		}
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		const n = 300
		var pubs []*postroom.Publication
		for range n {
			pubs = append(pubs, f.publication(workspace, noon(), postroom.StateFresh, webhook))
		}
		f.publish(pubs...)
		var mu sync.Mutex
		claimed := map[postroom.DeliveryID]int{}
		atOnce(t, 6, func(i int) error {
			for {
				jobs, err := stores[i%len(stores)].Claim(context.Background(), webhook, postroom.StateFresh, noon(), noon().Add(time.Hour), 7)
				if err != nil || len(jobs) == 0 {
					return err
				}
				mu.Lock()
				for _, j := range jobs {
					claimed[j.DeliveryID]++
				}
				mu.Unlock()
			}
		})
		for id, times := range claimed {
			if times != 1 {
				t.Errorf("%s was claimed %d times", id, times)
			}
		}
		if len(claimed) != n {
			t.Errorf("%d deliveries were claimed, want %d", len(claimed), n)
		}
	})
}

func TestClaimWithoutEvent(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		gone, there := f.publication(workspace, noon(), postroom.StateFresh, webhook), f.publication(workspace, noon(), postroom.StateFresh, webhook)
		f.publish(gone, there)
		f.exec("DELETE FROM events WHERE id = $1", gone.Event.ID)
		jobs := f.claim(webhook, postroom.StateFresh, noon(), 10)
		if len(jobs) != 1 || jobs[0].Event.ID != there.Event.ID {
			t.Errorf("the jobs are %+v", jobs)
		}
		d := f.delivery(workspace, gone.Deliveries[0].ID)
		if d.Status != postroom.DeliveryCancelled || d.LastErrorKind != eventGone || d.Attempts != 0 || d.LastAt != nil {
			t.Errorf("the delivery whose event is gone is %+v", d)
		}
	})
}

func TestFinish(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		finish := func(job *postroom.Job, status int, outcome postroom.Outcome) postroom.Delivery {
			t.Helper()
			fin := finishOf(job, at(time.Second), status, outcome)
			f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
			if fin.Lost {
				t.Error("the result was lost")
			}
			return f.delivery(workspace, job.DeliveryID)
		}
		job := func() *postroom.Job { return f.leased(workspace, noon(), webhook)[0] }
		began, next := at(time.Second), at(time.Minute)
		base := func(j *postroom.Job) postroom.Delivery {
			return postroom.Delivery{ID: j.DeliveryID, WorkspaceID: workspace, EventID: j.Event.ID, EventType: "email.opened", WebhookID: webhook,
				Attempts: 1, LastAt: &began}
		}

		j := job()
		want := base(j)
		want.Status, want.LastStatusCode = postroom.DeliverySucceeded, 204
		f.equal("a success", finish(j, 204, postroom.Outcome{State: postroom.StateSucceeded}), want)

		j = job()
		want = base(j)
		want.Status, want.LastStatusCode, want.LastErrorKind = postroom.DeliveryFailed, 400, "status"
		f.equal("a failure", finish(j, 400, postroom.Outcome{State: postroom.StateFailed}), want)

		j = job()
		want = base(j)
		want.Status, want.LastErrorKind = postroom.DeliveryCancelled, "status"
		f.equal("no answer, and cancelled", finish(j, 0, postroom.Outcome{State: postroom.StateCancelled}), want)

		j = job()
		want = base(j)
		want.Status, want.LastStatusCode, want.LastErrorKind, want.NextAt = postroom.DeliveryPending, 503, "status", &next
		f.equal("a retry", finish(j, 503, postroom.Outcome{State: postroom.StateRetry, NextAt: next}), want)
		for attempts := 2; attempts <= 3; attempts++ {
			again := f.claim(webhook, postroom.StateRetry, next, 10)
			if len(again) != 1 || again[0].Attempts != attempts-1 || again[0].Claim != attempts {
				t.Fatalf("the retry is %+v", again)
			}
			want.Attempts = attempts
			f.equal("another retry", finish(again[0], 503, postroom.Outcome{State: postroom.StateRetry, NextAt: next}), want)
		}
		f.finish(f.claim(webhook, postroom.StateRetry, next, 10)[0], at(time.Second), 200)
		want.Status, want.LastStatusCode, want.LastErrorKind, want.NextAt, want.Attempts = postroom.DeliverySucceeded, 200, "", nil, 4
		f.equal("a success at last", f.delivery(workspace, j.DeliveryID), want)

		// Given up without an attempt, such as when the webhook is gone: nothing is logged.
		j = job()
		cancelled := &postroom.Finish{Job: j, Outcome: postroom.Outcome{State: postroom.StateCancelled}}
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{cancelled}))
		want = base(j)
		want.Status, want.Attempts, want.LastAt = postroom.DeliveryCancelled, 0, nil
		f.equal("no attempt", f.delivery(workspace, j.DeliveryID), want)
		if attempts, err := f.s.Attempts(f.ctx, workspace, j.DeliveryID); err != nil || len(attempts) != 0 || cancelled.Lost {
			t.Errorf("the attempts are %v, %v; lost %v", attempts, err, cancelled.Lost)
		}
		f.must(f.s.Finish(f.ctx, nil))
	})
}

// TestFinishFencing ends attempts of which another node has taken the delivery over, alone and together with the newer.
func TestFinishFencing(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		for _, together := range []bool{false, true} {
			for _, newerFirst := range []bool{false, true} {
				old := f.leased(workspace, noon(), webhook)[0]
				n, err := f.s.TakeOver(f.ctx, at(2*time.Hour))
				f.must(err)
				if n != 1 {
					t.Fatalf("%d deliveries were taken over", n)
				}
				jobs := f.claim(webhook, postroom.StateFresh, at(2*time.Hour), 10)
				if len(jobs) != 1 || jobs[0].Claim != 2 {
					t.Fatalf("the jobs are %+v", jobs)
				}
				older := finishOf(old, at(time.Minute), 500, postroom.Outcome{State: postroom.StateFailed})
				newer := finishOf(jobs[0], at(2*time.Hour), 200, postroom.Outcome{State: postroom.StateSucceeded})
				fins := []*postroom.Finish{older, newer}
				if newerFirst {
					slices.Reverse(fins)
				}
				if together {
					f.must(f.s.Finish(f.ctx, fins))
				} else {
					f.must(f.s.Finish(f.ctx, fins[:1]))
					f.must(f.s.Finish(f.ctx, fins[1:]))
				}
				what := fmt.Sprintf("together %v, newer first %v", together, newerFirst)
				if !older.Lost || newer.Lost {
					t.Errorf("%s: lost are the older %v and the newer %v", what, older.Lost, newer.Lost)
				}
				if d := f.delivery(workspace, old.DeliveryID); d.Status != postroom.DeliverySucceeded || d.LastStatusCode != 200 || d.Attempts != 1 {
					t.Errorf("%s: the delivery is %+v", what, d)
				}
				attempts, err := f.s.Attempts(f.ctx, workspace, old.DeliveryID)
				f.must(err)
				if len(attempts) != 2 || attempts[0].StatusCode != 500 || attempts[1].StatusCode != 200 {
					t.Errorf("%s: the attempts are %+v", what, attempts)
				}
			}
		}

		// The same result twice: the second is lost, and logged once.
		job := f.leased(workspace, noon(), webhook)[0]
		f.finish(job, noon(), 200)
		again := finishOf(job, noon(), 500, postroom.Outcome{State: postroom.StateFailed})
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{again}))
		attempts, err := f.s.Attempts(f.ctx, workspace, job.DeliveryID)
		f.must(err)
		if d := f.delivery(workspace, job.DeliveryID); !again.Lost || d.Status != postroom.DeliverySucceeded || len(attempts) != 1 {
			t.Errorf("lost %v, the delivery is %+v, with %d attempts", again.Lost, d, len(attempts))
		}
	})
}

func TestFinishPause(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace, other := f.workspace("one"), f.workspace("other")
		webhook, untouched := f.webhook(workspace), f.webhook(workspace)
		job := f.leased(workspace, noon(), webhook)[0]
		gone := finishOf(job, at(time.Minute), 410, postroom.Outcome{State: postroom.StateFailed, Stop: postroom.WebhookPaused, Reason: "The receiver answered 410 Gone."})
		revision := func(workspace postroom.WorkspaceID) int64 {
			n, err := f.s.Revision(f.ctx, workspace)
			f.must(err)
			return n
		}
		before, theirs := revision(workspace), revision(other)
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{gone}))
		w, err := f.s.Webhook(f.ctx, workspace, webhook, noon())
		f.must(err)
		if w.Status != postroom.WebhookPaused || w.StatusReason != "The receiver answered 410 Gone." || w.Version != 2 || !w.UpdatedAt.Equal(at(time.Minute+30*time.Millisecond)) {
			t.Errorf("the webhook is %+v", w)
		}
		if revision(workspace) <= before || revision(other) != theirs {
			t.Errorf("the revision was %d and is %d; the other workspace's was %d and is %d", before, revision(workspace), theirs, revision(other))
		}
		if w, err := f.s.Webhook(f.ctx, workspace, untouched, noon()); err != nil || w.Status != postroom.WebhookActive {
			t.Errorf("the other webhook is %+v, %v", w, err)
		}

		// A person's word stays: what is disabled already is not called paused.
		f.must(f.s.SetWebhookStatus(f.ctx, workspace, webhook, postroom.WebhookDisabled, "by a person", noon()))
		job = f.leased(workspace, noon(), webhook)[0]
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{finishOf(job, noon(), 410, postroom.Outcome{State: postroom.StateFailed, Stop: postroom.WebhookPaused, Reason: "again"})}))
		if w, err := f.s.Webhook(f.ctx, workspace, webhook, noon()); err != nil || w.Status != postroom.WebhookDisabled || w.StatusReason != "by a person" {
			t.Errorf("the disabled webhook is %+v, %v", w, err)
		}

		// A result that comes too late pauses nothing: the newer claim's does, if it is the same.
		job = f.leased(workspace, noon(), untouched)[0]
		f.finish(job, noon(), 200)
		late := finishOf(job, noon(), 410, postroom.Outcome{State: postroom.StateFailed, Stop: postroom.WebhookPaused, Reason: "late"})
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{late}))
		if w, err := f.s.Webhook(f.ctx, workspace, untouched, noon()); err != nil || !late.Lost || w.Status != postroom.WebhookActive {
			t.Errorf("after a late result the webhook is %+v, %v; lost %v", w, err, late.Lost)
		}
	})
}

func TestLeases(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
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
	})
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

		n, err := f.s.TakeOver(f.ctx, at(time.Minute-time.Microsecond))
		f.must(err)
		if n != 0 {
			t.Errorf("before a lease has run out, %d deliveries were taken over", n)
		}
		n, err = f.s.TakeOver(f.ctx, at(time.Hour))
		f.must(err)
		if n != 3 {
			t.Errorf("%d deliveries were taken over, want 3", n)
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
		} {
			if state, due := f.state(want.id); state != want.state || !due.Equal(want.due) {
				t.Errorf("%s: it is in state %d, due %s; want %d, due %s", want.what, state, due, want.state, want.due)
			}
		}
	})
}

func TestDue(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
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
			want = append(want, postroom.Due{WebhookID: webhook, At: first})
		}
		f.publish(pubs...)

		all, err := f.s.Due(f.ctx, postroom.StateFresh, postroom.WebhookID{}, 1000)
		f.must(err)
		f.equal("all webhooks", all, want)
		var paged []postroom.Due
		var after postroom.WebhookID
		for {
			page, err := f.s.Due(f.ctx, postroom.StateFresh, after, 7)
			f.must(err)
			if len(page) == 0 {
				break
			}
			if len(page) > 7 {
				t.Fatalf("a page has %d webhooks", len(page))
			}
			paged, after = append(paged, page...), page[len(page)-1].WebhookID
		}
		f.equal("page by page", paged, want)
		retries, err := f.s.Due(f.ctx, postroom.StateRetry, postroom.WebhookID{}, 1000)
		f.must(err)
		if len(retries) != webhooks/5 {
			t.Errorf("%d webhooks have retries, want %d", len(retries), webhooks/5)
		}
		if none, err := f.s.Due(f.ctx, postroom.StateReplay, postroom.WebhookID{}, 1000); err != nil || len(none) != 0 {
			t.Errorf("replays wait for %v, %v", none, err)
		}

		for _, d := range want[:3] {
			if next, some, err := f.s.NextDue(f.ctx, d.WebhookID, postroom.StateFresh); err != nil || !some || !next.Equal(d.At) {
				t.Errorf("the next is due %s, %v, %v; want %s", next, some, err, d.At)
			}
			if _, some, err := f.s.NextDue(f.ctx, d.WebhookID, postroom.StateReplay); err != nil || some {
				t.Errorf("a replay is due: %v, %v", some, err)
			}
		}
	})
}

func TestWaitingAndBacklog(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
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

		n, since, err := f.s.Waiting(f.ctx, workspace, busy)
		f.must(err)
		if n != 5 || since == nil || !since.Equal(at(-time.Hour)) {
			t.Errorf("%d wait since %v", n, since)
		}
		n, since, err = f.s.Waiting(f.ctx, workspace, quiet)
		f.must(err)
		if n != 0 || since != nil {
			t.Errorf("for a quiet webhook %d wait since %v", n, since)
		}

		backlog, err := f.s.Backlog(f.ctx, at(2*time.Hour), 3)
		f.must(err)
		f.equal("the backlog", backlog[:2], []Backlog{
			{WebhookID: busy, Status: "active", Waiting: 5, Since: at(-time.Hour), Stuck: 1},
			{WebhookID: paused, Status: "paused", Waiting: 2, Since: noon()},
		})
		if len(backlog) != 3 {
			t.Errorf("the backlog has %d lines, want 3", len(backlog))
		}
		all, err := f.s.Backlog(f.ctx, at(time.Hour+time.Minute), 10)
		f.must(err)
		if len(all) != 4 || all[0].Stuck != 0 {
			t.Errorf("a minute after the lease has ended, the backlog is %+v", all)
		}
		if !slices.ContainsFunc(all, func(b Backlog) bool { return b.WebhookID == deleted && b.Status == "deleted" && b.Waiting == 1 }) {
			t.Errorf("the deleted webhook is missing in %+v", all)
		}
	})
}

func TestRequeue(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
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
	})
}

func TestRequeueAll(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		const n = requeueStep + 5
		var ids []postroom.DeliveryID
		var pubs []*postroom.Publication
		for i := range n {
			state := postroom.StateFresh
			if i == 3 {
				state = postroom.StateLeased
			}
			p := f.publication(workspace, noon(), state, webhook)
			pubs, ids = append(pubs, p), append(ids, p.Deliveries[0].ID)
		}
		f.publish(pubs...)
		total, err := f.s.RequeueAll(f.ctx, workspace, append(ids, postroom.NewID[postroom.DeliveryKind](noon())), postroom.StateReplay, at(time.Hour))
		f.must(err)
		if total != n-1 {
			t.Errorf("%d deliveries were requeued, want %d", total, n-1)
		}
		if replays := f.number("SELECT count(*) FROM deliveries WHERE state = 3 AND due_at = $1", micros(at(time.Hour))); replays != n-1 {
			t.Errorf("%d deliveries wait for replay", replays)
		}
		if total, err := f.s.RequeueAll(f.ctx, workspace, nil, postroom.StateReplay, noon()); err != nil || total != 0 {
			t.Errorf("of none, %d were requeued, %v", total, err)
		}
	})
}

func TestDiscardQueue(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
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

		total, err := f.s.DiscardQueue(f.ctx, workspace, webhook, until, "discarded")
		f.must(err)
		if total != n+1 {
			t.Errorf("%d deliveries were discarded, want %d", total, n+1)
		}
		if d := f.delivery(workspace, pubs[0].Deliveries[0].ID); d.Status != postroom.DeliveryCancelled || d.LastErrorKind != "discarded" || d.NextAt != nil {
			t.Errorf("a discarded delivery is %+v", d)
		}
		for id, want := range map[postroom.DeliveryID]postroom.DeliveryState{theirs.Deliveries[0].ID: postroom.StateFresh, leased.Deliveries[0].ID: postroom.StateLeased,
			later.Deliveries[0].ID: postroom.StateFresh, succeeded.DeliveryID: postroom.StateSucceeded, sameMillisecond.Deliveries[0].ID: postroom.StateCancelled} {
			if state, _ := f.state(id); state != want {
				t.Errorf("a delivery is in state %d, want %d", state, want)
			}
		}
	})
}

// TestDiscardRace claims and discards at the same time: what is claimed is not cancelled under its holder.
func TestDiscardRace(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
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
					discarded, err = f.s.DiscardQueue(context.Background(), workspace, webhook, noon().Add(time.Hour), "discarded")
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
	})
}

func TestReplayable(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook, other := f.webhook(workspace), f.webhook(workspace)
		var all []postroom.Replayable
		for i := range 9 {
			p := f.publication(workspace, at(time.Duration(i)*time.Hour), postroom.WaitingStates()[i%3], webhook, other)
			p.Event.Type = fmt.Sprintf("type.%d", i)
			f.publish(p)
			all = append(all, postroom.Replayable{ID: p.Deliveries[0].ID, EventID: p.Event.ID, Type: p.Event.Type, State: p.Deliveries[0].State})
		}
		for _, test := range []struct {
			what          string
			last          postroom.DeliveryID
			after, before time.Time
			limit         int
			want          []postroom.Replayable
		}{
			{"all", postroom.DeliveryID{}, time.Time{}, time.Time{}, 100, all},
			{"a page", postroom.DeliveryID{}, time.Time{}, time.Time{}, 4, all[:4]},
			{"the next page", all[3].ID, time.Time{}, time.Time{}, 4, all[4:8]},
			{"until a time", postroom.DeliveryID{}, time.Time{}, at(3 * time.Hour), 100, all[:3]},
			{"since a time", postroom.DeliveryID{}, at(3 * time.Hour), time.Time{}, 100, all[3:]},
			{"in a span", postroom.DeliveryID{}, at(2 * time.Hour), at(5 * time.Hour), 100, all[2:5]},
			{"the next page in a span", all[3].ID, at(2 * time.Hour), at(5 * time.Hour), 100, all[4:5]},
			{"nothing", all[8].ID, time.Time{}, time.Time{}, 100, nil},
		} {
			got, err := f.s.Replayable(f.ctx, workspace, webhook, test.last, postroom.DeliveryFilter{After: test.after, Before: test.before}, test.limit)
			f.must(err)
			f.equal(test.what, got, test.want)
		}
	})
}

// TestChangeRefused notices when what a change returns as an error is stored all the same.
func TestChangeRefused(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
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
	})
}
