package store

import (
	"time"

	"github.com/postroom/postroom"
)

const (
	// maxRowsPerCommit is how much one transaction takes: not so much that the first in it waits long for the last.
	maxRowsPerCommit = 2000
	// patience is how long the results of attempts wait for a write that is in a hurry, whose commit they then share. Nobody waits for
	// them; but until they are stored, a crash has their attempts made again.
	patience = 5 * time.Millisecond
	// fewResults is how many results are too few for a commit of their own, before patience ends.
	fewResults = 16
	// crowd is how many writes a commit must have had for the next one to wait for more.
	crowd = 8
	// maxGathering bounds that wait.
	maxGathering = 3 * time.Millisecond
)

// gatherer decides which writes share a commit: all that wait. Each commit costs a write to the disk and the pages that it
// touches, whether for one write or for many, so that a commit waits for company where that costs nobody anything: results of attempts for
// the next publisher; and, under load, whatever comes within about the time of a commit.
type gatherer struct {
	ops   <-chan *op
	batch []*op
	timer *time.Timer
}

func newGatherer(ops <-chan *op) *gatherer {
	g := &gatherer{ops: ops, timer: time.NewTimer(time.Hour)}
	g.timer.Stop()
	return g
}

// next waits for the writes of the next commit; none when there will be no more. took is how long the last commit took. The batch is
// good until the next call.
func (g *gatherer) next(took time.Duration) []*op {
	crowded := len(g.batch) >= crowd
	clear(g.batch)
	g.batch = g.batch[:0]
	first, open := <-g.ops
	if !open {
		return nil
	}
	g.batch = append(g.batch, first)
	rows := first.rows()
	wait := time.Duration(0)
	switch {
	case crowded:
		wait = min(took, maxGathering)
	case first.patient():
		wait = patience
	}
	if wait > 0 {
		g.timer.Reset(wait)
		defer g.timer.Stop()
	}
	for rows < maxRowsPerCommit {
		var next *op
		select {
		case next, open = <-g.ops:
		default:
			if wait == 0 {
				return g.batch
			}
			select {
			case next, open = <-g.ops:
			case <-g.timer.C:
				return g.batch
			}
		}
		if !open {
			return g.batch
		}
		g.batch = append(g.batch, next)
		rows += next.rows()
		if !crowded && !next.patient() {
			wait = 0 // it is in a hurry
		}
	}
	return g.batch
}

// patient tells whether an op is of few results that nothing waits for.
func (o *op) patient() bool {
	if len(o.fins) == 0 || len(o.fins) >= fewResults {
		return false
	}
	for _, f := range o.fins {
		if f.Job == nil || f.Job.OrderKey != nil || f.Outcome.State != postroom.StateSucceeded || f.Job.Test || f.Health != nil {
			return false
		}
	}
	return true
}
