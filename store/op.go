package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// op is one write that waits for a shared commit. One of its parts is set.
type op struct {
	pubs   []*postroom.Publication
	fins   []*postroom.Finish
	whole  *wholeCommit
	dues   []dueChange
	claim  *claim
	change func(q querier) error
	added  *addedDeliveries // what change stores, for the index of the log

	jobs []*postroom.Job // what claim got
	err  error
	done chan struct{}
}

// addedDeliveries are further deliveries of an event that is stored already.
type addedDeliveries struct {
	event      *postroom.Event
	deliveries []postroom.NewDelivery
}

// claim asks for deliveries of one webhook that are due.
type claim struct {
	webhook postroom.WebhookID
	state   postroom.DeliveryState
	now     time.Time
	until   time.Time // when the lease ends
	limit   int
}

// dueChange moves the time of a leased delivery: a longer lease, or back into the queue.
type dueChange struct {
	workspace postroom.WorkspaceID
	id        postroom.DeliveryID
	claim     int
	state     postroom.DeliveryState
	due       time.Time
}

func (c dueChange) failpoint() failpoint.Name {
	if c.state == postroom.StateLeased {
		return failpoint.RenewInTransaction
	}
	return failpoint.ReleaseInTransaction
}

// claimed is a delivery that a claim got, before its event is known.
type claimed struct {
	*postroom.Job
	workspace postroom.WorkspaceID
	event     postroom.EventID
}

// claimed begins a delivery that queue_claim gave.
func (c *claim) claimed() claimed {
	return claimed{Job: &postroom.Job{WebhookID: c.webhook, From: c.state, LeaseUntil: c.until}}
}

// scanClaimed reads a row of queue_claim.
func (c *claim) scanClaimed(row func(...any) error) (claimed, error) {
	j := c.claimed()
	err := row(&j.DeliveryID, &j.workspace, &j.event, &j.Claim, &j.Attempts, &j.Test, &j.OrderKey)
	return j, err
}

// rows is how much work the op is, roughly; it bounds a transaction.
func (o *op) rows() int {
	n := 1 + 2*len(o.fins) + len(o.dues)
	for _, p := range o.pubs {
		n += 1 + len(p.Deliveries) + len(p.Keys)
	}
	if o.claim != nil {
		n += o.claim.limit
	}
	if o.whole != nil {
		n += o.whole.rows()
	}
	return n
}

// guarded runs f and turns a panic in it into an error, so that one change cannot end the committer.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
		}
	}()
	return f()
}

var errPanic = errors.New("panic in a change")
