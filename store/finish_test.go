package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func testFinish(f *fixture) {
	t := f.t
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

func testFinishPause(f *fixture) {
	t := f.t
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
}
