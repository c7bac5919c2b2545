package store

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestExpire(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook, deleted, deletedLater := f.webhook(workspace), f.webhook(workspace), f.webhook(workspace)
		// PostgreSQL drops whole days, so old and young are days apart; the bound is a midnight.
		day := 24 * time.Hour
		before, young, now := noon().Truncate(day).Add(3*day), at(5*day), at(6*day)
		publish := func(at time.Time, key string) *postroom.Job {
			p := f.publication(workspace, at, postroom.StateLeased, webhook)
			p.Keys = []string{key}
			f.publish(p)
			f.finish(jobsOf(p)[0], at, 200)
			return jobsOf(p)[0]
		}
		var pubs []*postroom.Publication
		var fins []*postroom.Finish
		const n = 2*expireStep + 1
		for range n {
			p := f.publication(workspace, noon(), postroom.StateLeased, webhook)
			pubs, fins = append(pubs, p), append(fins, finishOf(jobsOf(p)[0], noon(), 200, postroom.Outcome{State: postroom.StateSucceeded}))
		}
		f.publish(pubs...)
		f.must(f.s.Finish(f.ctx, fins))
		old, last := publish(noon(), "old"), publish(before.Add(-time.Millisecond), "last")
		first, new := publish(before, "first"), publish(young, "new")

		f.must(f.s.RotateSecret(f.ctx, workspace, webhook, f.newSecret(noon()), now.Add(-time.Microsecond), noon()))
		f.must(f.s.RotateSecret(f.ctx, workspace, webhook, f.newSecret(noon()), now.Add(time.Microsecond), noon()))
		keep := func(postroom.StoredWebhook) error { return nil }
		f.must(f.s.DeleteWebhook(f.ctx, workspace, deleted, before.Add(-time.Microsecond), keep))
		f.must(f.s.DeleteWebhook(f.ctx, workspace, deletedLater, before, keep))
		for key, until := range map[string]time.Time{"ended": now.Add(-time.Microsecond), "running": now.Add(time.Microsecond)} {
			if held, err := f.s.BeginIdempotent(f.ctx, workspace, key, digest(key), noon(), until); err != nil || held != nil {
				t.Fatalf("%v, %v", held, err)
			}
		}

		_, err := f.s.Compact(f.ctx, now)
		f.must(err)
		for _, at := range []time.Time{before.Add(-time.Microsecond), before, {}} { // the last has not ended
			r := f.replay(workspace, postroom.ReplayFilter{Before: noon()})
			if !at.IsZero() {
				f.step(&r, postroom.ReplayStep{End: postroom.ReplayDone, Now: at, LeaseTo: at})
			}
		}

		steps, rows := 0, int64(0)
		f.must(f.s.Expire(f.ctx, before, now, func(n int64) {
			if steps, rows = steps+1, rows+n; n <= 0 {
				t.Errorf("a step deleted %d rows", n)
			}
		}))
		if steps == 0 || f.s.dialect == sqlite && rows < 3*n {
			t.Errorf("%d steps deleted %d rows", steps, rows)
		}

		for what, got := range map[string]int64{
			"replays":                       f.number("SELECT count(*) FROM replays"),
			"events":                        f.number("SELECT count(*) FROM events"),
			"deliveries":                    f.number("SELECT count(*) FROM deliveries"),
			"attempts":                      f.number("SELECT count(*) FROM attempts"),
			"rollups by minute":             f.number("SELECT count(*) FROM rollups WHERE step = 60"), // of the webhook and the workspace
			"rollups by hour":               f.number("SELECT count(*) FROM rollups WHERE step = 3600") - 6,
			"answers":                       f.number("SELECT count(*) FROM idempotency") + 1,
			"secrets of the webhook":        f.number("SELECT count(*) FROM webhook_secrets WHERE webhook_id = $1", webhook),
			"webhooks":                      f.number("SELECT count(*) FROM webhooks"),
			"webhooks that were deleted":    f.number("SELECT count(*) FROM webhooks WHERE id = $1 AND deleted_at IS NOT NULL", deletedLater) + 1,
			"keys of events":                f.number("SELECT count(*) FROM event_keys WHERE key <> 'new'") + 2,
			"keys of events that are young": f.number("SELECT count(*) FROM event_keys WHERE key = 'new'") + 1,
		} {
			if got != 2 {
				t.Errorf("of %s, %d are left; want 2", what, got)
			}
		}
		for what, job := range map[string]*postroom.Job{"old": old, "last old": last} {
			_, err := f.s.Event(f.ctx, workspace, job.Event.ID)
			f.code("the "+what+" event", err, postroom.CodeNotFound)
			_, err = f.s.Delivery(f.ctx, workspace, job.DeliveryID)
			f.code("the "+what+" delivery", err, postroom.CodeNotFound)
		}
		for what, job := range map[string]*postroom.Job{"first young": first, "young": new} {
			if _, err := f.s.Event(f.ctx, workspace, job.Event.ID); err != nil {
				t.Errorf("the %s event: %v", what, err)
			}
			if attempts, err := f.s.Attempts(f.ctx, workspace, job.DeliveryID); err != nil || len(attempts) != 1 {
				t.Errorf("the %s delivery has the attempts %v, %v", what, attempts, err)
			}
		}

		f.must(f.s.Expire(f.ctx, before, now.Add(58*day), nil))
		if hours, days := f.number("SELECT count(*) FROM rollups WHERE step = 3600"), f.number("SELECT count(*) FROM rollups WHERE step = 86400"); hours != 2 || days != 8 {
			t.Errorf("after 60 days there are %d hours and %d days, want 2 and 8", hours, days)
		}
		f.must(f.s.Expire(f.ctx, before, now.Add(402*day), nil))
		if rollups := f.number("SELECT count(*) FROM rollups"); rollups != 0 {
			t.Errorf("after 400 days there are %d rollups", rollups)
		}
		f.must(f.s.Expire(f.ctx, before, now, func(n int64) { t.Errorf("the second time, %d rows were deleted", n) }))
		f.must(f.s.Expire(f.ctx, before, now, nil))
	})
}
