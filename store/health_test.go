package store

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func testHealth(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	webhook, second := f.webhook(workspace), f.webhook(workspace)
	health := func(webhook postroom.WebhookID) postroom.Health {
		t.Helper()
		h, err := f.s.WebhookHealth(f.ctx, workspace, webhook)
		f.must(err)
		return h
	}
	finish := func(webhook postroom.WebhookID, h postroom.Health) *postroom.Finish {
		t.Helper()
		fin := finishOf(f.leased(workspace, noon(), webhook)[0], noon(), 500, postroom.Outcome{State: postroom.StateFailed})
		fin.Health = &h
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
		return fin
	}
	failing := func() map[postroom.WebhookID]postroom.Health {
		t.Helper()
		found := map[postroom.WebhookID]postroom.Health{}
		f.must(f.s.Failing(f.ctx, func(id postroom.WebhookID, h postroom.Health) {
			if id == webhook || id == second { // other tests have webhooks too
				found[id] = h
			}
		}))
		return found
	}

	f.equal("a new webhook's health", health(webhook), postroom.Health{})
	closed := postroom.Health{Failures: 3, FailedDeliveries: 1, FailingSince: at(-time.Minute)}
	open := postroom.Health{Failures: 4, FailedDeliveries: 2, FailingSince: at(-time.Minute), Opens: 1, OpenUntil: at(time.Minute)}
	finish(webhook, closed)
	f.equal("the health after a failure", health(webhook), closed)
	last := finish(webhook, open)
	finish(second, closed)
	f.equal("the health after another", health(webhook), open)
	f.equal("all that fail", failing(), map[postroom.WebhookID]postroom.Health{webhook: open, second: closed})
	if theirs, err := f.s.WebhookHealth(f.ctx, other, webhook); err != nil || !theirs.Healthy() {
		t.Errorf("another workspace sees %+v, %v", theirs, err)
	}

	// A result that is lost says nothing.
	late := finishOf(last.Job, noon(), 500, postroom.Outcome{State: postroom.StateFailed})
	late.Health = &closed
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{late}))
	if h := health(webhook); !late.Lost || h != open {
		t.Errorf("after a lost result the health is %+v", h)
	}

	finish(webhook, postroom.Health{})
	f.equal("the health after a success", health(webhook), postroom.Health{})
	f.must(f.s.SetWebhookStatus(f.ctx, workspace, second, postroom.WebhookActive, "", noon()))
	f.equal("the health after a person has looked", health(second), postroom.Health{})
	finish(webhook, open)
	running := f.leased(workspace, noon(), webhook)[0]
	f.must(f.s.DeleteWebhook(f.ctx, workspace, webhook, noon(), func(postroom.StoredWebhook) error { return nil }))
	f.equal("the health of a deleted webhook", health(webhook), postroom.Health{})

	// An attempt that was under way then leaves no trace there.
	fin := finishOf(running, noon(), 500, postroom.Outcome{State: postroom.StateFailed})
	fin.Health = &closed
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
	f.equal("all that fail in the end", failing(), map[postroom.WebhookID]postroom.Health{})
}

// TestWebhookHealths looks at what people see of webhooks' health, before and after statistics are moved.
func TestWebhookHealths(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace, other := f.workspace("one"), f.workspace("other")
		quiet, well, failing, deleted := f.webhook(workspace), f.webhook(workspace), f.webhook(workspace), f.webhook(workspace)
		theirs := f.webhook(other)
		f.finish(f.leased(workspace, noon(), well)[0], at(-time.Minute), 500)
		f.finish(f.leased(workspace, noon(), well)[0], at(time.Minute), 204)
		f.finish(f.leased(other, noon(), theirs)[0], at(time.Minute), 200)
		fin := finishOf(f.leased(workspace, noon(), failing)[0], at(3*time.Minute), 0, postroom.Outcome{State: postroom.StateRetry, NextAt: at(time.Hour)})
		fin.Health = &postroom.Health{Failures: 12, FailedDeliveries: 2, FailingSince: at(-time.Hour), Opens: 1, OpenUntil: at(10 * time.Minute)}
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
		f.must(f.s.DeleteWebhook(f.ctx, workspace, deleted, noon(), func(postroom.StoredWebhook) error { return nil }))

		pointer := func(at time.Time) *postroom.Timestamp { return &postroom.Timestamp{Time: at} }
		all := map[postroom.WebhookID]postroom.WebhookHealth{
			quiet: {},
			well:  {LastStatus: 204, LastAt: pointer(at(time.Minute))},
			failing: {FailingSince: pointer(at(-time.Hour)), Failures: 12, FailedDeliveries: 2, OpenUntil: pointer(at(10 * time.Minute)),
				LastAt: pointer(at(3 * time.Minute))},
		}
		for _, moved := range []time.Duration{0, 3 * time.Minute, 24 * time.Hour} {
			_, err := f.s.Compact(f.ctx, at(moved))
			f.must(err)
			got, err := f.s.WebhookHealths(f.ctx, workspace, quiet, deleted)
			f.must(err)
			f.equal("the health of all", got, all)
			if got, err = f.s.WebhookHealths(f.ctx, workspace, well, well); err != nil || len(got) != 1 {
				t.Errorf("one is %v, %v", got, err)
			}
		}
		// A day that is newer than what comes late counts.
		f.finish(f.leased(workspace, noon(), well)[0], at(-2*time.Minute), 503)
		got, err := f.s.WebhookHealths(f.ctx, workspace, quiet, deleted)
		f.must(err)
		f.equal("the health of all", got, all)
	})
}

// testCausedEvents ends attempts that cause events of Postroom's own, which are stored with them.
func testCausedEvents(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook, listener := f.webhook(workspace), f.webhook(workspace)
	job := f.leased(workspace, noon(), webhook)[0]
	fin := finishOf(job, noon(), 500, postroom.Outcome{State: postroom.StateFailed, Stop: postroom.WebhookDisabled, Reason: "too many failures"})
	fin.Also = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateLeased, listener), f.publication(workspace, noon(), postroom.StateFresh)}
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
	for _, p := range fin.Also {
		if !f.stored(p) {
			t.Error("an event that a result caused is not stored")
		}
	}
	if w, err := f.s.Webhook(f.ctx, workspace, webhook, noon()); err != nil || w.Status != postroom.WebhookDisabled || w.StatusReason != "too many failures" {
		t.Errorf("the webhook is %+v, %v", w, err)
	}
	f.finish(jobsOf(fin.Also[0])[0], noon(), 200)

	lost := finishOf(job, noon(), 500, postroom.Outcome{State: postroom.StateFailed})
	lost.Also = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, listener)}
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{lost}))
	if !lost.Lost || f.stored(lost.Also[0]) {
		t.Error("an event is stored that a lost result caused")
	}
}
