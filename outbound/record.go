package outbound

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// recordBatch is how many results one commit takes.
const recordBatch = 500

// maxResults is how many results wait to be stored before workers wait too: enough for the next commit. What waits here is
// attempted again after a crash.
const maxResults = 2 * recordBatch

// record hands a result over to be stored.
func (e *Engine) record(f *postroom.Finish) { e.results <- f }

// recorder stores results, all that wait in one commit, until the channel is closed. While the database cannot be written
// it tries on: the deliveries stay leased, and nothing new is attempted when the channel is full.
func (e *Engine) recorder() {
	var batch []*postroom.Finish
	for first := range e.results {
		batch = append(batch[:0], first)
	more:
		for len(batch) < recordBatch {
			select {
			case f, open := <-e.results:
				if !open {
					break more
				}
				batch = append(batch, f)
			default:
				break more
			}
		}
		e.store1(batch)
	}
}

// store1 stores one batch, and tells the lanes what became of its deliveries.
func (e *Engine) store1(batch []*postroom.Finish) {
	failpoint.Hit(failpoint.RecordBegun)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := e.store.Finish(context.Background(), batch)
		if err == nil {
			break
		}
		e.log.Error("results of attempts cannot be stored; trying again", "results", len(batch), "wait", wait, "error", err)
		if !e.pause(wait) {
			e.log.Error("results of attempts were not stored; their deliveries will be attempted again", "results", len(batch))
			for i, f := range batch {
				e.lanes.forget(f.Job)
				e.cancelReservations(f.Also)
				batch[i] = nil
			}
			return
		}
	}
	failpoint.Hit(failpoint.RecordCommitted)
	for i, f := range batch {
		e.recorded(f)
		batch[i] = nil
	}
}

// recorded is called when a result is durable.
func (e *Engine) recorded(f *postroom.Finish) {
	e.lanes.forget(f.Job)
	e.metrics.recorded(f)
	if f.Lost {
		e.log.Warn("a delivery was attempted although another node had taken it over", "delivery", f.Job.DeliveryID)
		e.cancelReservations(f.Also)
	} else {
		for _, p := range f.Also {
			e.handOver(p)
			e.tell(p.Event)
		}
	}
	if f.Next && !f.Lost {
		e.lanes.due(f.Job.Event.WorkspaceID, f.Job.WebhookID, postroom.StateFresh, e.now())
	}
	switch {
	case f.Outcome.Stop != "": // if that was lost, the lane that has stopped goes on
		e.Changed(f.Job.Event.WorkspaceID, f.Job.WebhookID)
	case f.Outcome.State == postroom.StateRetry && !f.Lost:
		e.lanes.due(f.Job.Event.WorkspaceID, f.Job.WebhookID, postroom.StateRetry, f.Outcome.NextAt)
	}
}

// pause waits; false when the engine must end now.
func (e *Engine) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.abandon:
		return false
	}
}
