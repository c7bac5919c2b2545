package store

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestReadQueue(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		read := func() map[postroom.DeliveryState]QueueReading {
			t.Helper()
			all, err := f.s.ReadQueue(f.ctx)
			f.must(err)
			found := map[postroom.DeliveryState]QueueReading{}
			for _, r := range all {
				found[r.State] = r
			}
			return found
		}
		none := map[postroom.DeliveryState]QueueReading{}
		for _, state := range queueStates() {
			none[state] = QueueReading{State: state}
		}
		f.equal("an empty queue", read(), none)

		one, two := f.workspace("one"), f.workspace("two")
		well, paused, down, theirs := f.webhook(one), f.webhook(one), f.webhook(one), f.webhook(two)
		f.must(f.s.SetWebhookStatus(f.ctx, one, paused, postroom.WebhookPaused, "", noon()))
		open := finishOf(f.leased(one, noon(), down)[0], noon(), 500, postroom.Outcome{State: postroom.StateFailed})
		open.Health = &postroom.Health{Failures: 10, FailingSince: noon(), Opens: 1, OpenUntil: at(time.Minute)}
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{open}))
		f.finish(f.leased(two, noon(), theirs)[0], noon(), 200)
		f.publish(f.publication(one, at(-3*time.Hour), postroom.StateFresh, paused), // held
			f.publication(one, at(-2*time.Hour), postroom.StateFresh, down), // its breaker is open
			f.publication(one, at(-time.Minute), postroom.StateFresh, well, well),
			f.publication(two, at(-time.Hour), postroom.StateFresh, theirs),
			f.publication(two, at(-4*time.Hour), postroom.StateRetry, theirs),
			f.publication(one, at(-5*time.Hour), postroom.StateRetry, paused),
			f.publication(one, at(-6*time.Hour), postroom.StateReplay, down),
			f.publication(one, at(-7*time.Hour), postroom.StateLeased, well))
		f.equal("the queue", read(), map[postroom.DeliveryState]QueueReading{
			postroom.StateFresh:  {State: postroom.StateFresh, Count: 5, Oldest: at(-3 * time.Hour), Due: at(-time.Hour)},
			postroom.StateRetry:  {State: postroom.StateRetry, Count: 2, Oldest: at(-5 * time.Hour), Due: at(-4 * time.Hour)},
			postroom.StateReplay: {State: postroom.StateReplay, Count: 1, Oldest: at(-6 * time.Hour)},
			postroom.StateLeased: {State: postroom.StateLeased, Count: 1},
			postroom.StateParked: {State: postroom.StateParked},
		})
		ordered := f.ordered(one, well, noon(), postroom.StateFresh, "a")
		behind := f.ordered(one, well, at(time.Second), postroom.StateFresh, "a")
		f.publish(ordered, behind)
		f.equal("what is parked", read()[postroom.StateParked], QueueReading{State: postroom.StateParked, Count: 1, Oldest: at(time.Second)})
	})
}
