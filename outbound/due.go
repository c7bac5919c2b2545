package outbound

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// loader claims what is due for the lanes that have room, one lane at a time, until the lanes are closed.
func (e *Engine) loader(ctx context.Context) {
	for {
		d, ok := e.lanes.nextLoad()
		if !ok {
			return
		}
		if err := e.loadLane(ctx, d); err != nil {
			if ctx.Err() == nil {
				e.log.Error("deliveries that are due cannot be claimed; trying again", "webhook", d.webhook, "error", err)
			}
		}
	}
}

// claimAgain is how long a lane waits after a claim that failed.
const claimAgain = time.Second

// loadLane claims for one lane, unless its webhook is not active.
func (e *Engine) loadLane(ctx context.Context, d demand) error {
	before := e.now()
	if d.room() == 0 { // memory is full: look again soon
		e.lanes.retryLoad(d, before.Add(100*time.Millisecond))
		return nil
	}
	target, err := e.targets.get(ctx, d.webhook)
	if err != nil {
		e.lanes.retryLoad(d, before.Add(claimAgain))
		return err
	}
	if !target.gone && target.Status != postroom.WebhookActive {
		e.lanes.loaded(d, nil, nil, true)
		return nil
	}
	found := map[postroom.DeliveryState]time.Time{}
	jobs, err := e.claim(ctx, d, before, found)
	if err != nil {
		for _, w := range d.wants {
			if _, looked := found[w.state]; !looked {
				found[w.state] = e.now().Add(claimAgain)
			}
		}
	}
	e.lanes.loaded(d, jobs, found, false)
	return err
}

// claim claims for one lane from each state where something is due, and notes in found when more is due there. What it got before an error counts.
func (e *Engine) claim(ctx context.Context, d demand, before time.Time, found map[postroom.DeliveryState]time.Time) (jobs []*postroom.Job, err error) {
	// A stop does not cut claims off: what one has leased meanwhile would be nobody's until the lease ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	for _, w := range d.wants {
		claimed, err := e.store.Claim(ctx, d.webhook, w.state, before, before.Add(e.lease), w.room)
		if err != nil {
			return jobs, err
		}
		failpoint.HitIf(len(claimed) > 0, failpoint.ClaimCommitted)
		jobs = append(jobs, claimed...)
		if len(claimed) == w.room { // there may be more
			found[w.state] = before
			continue
		}
		next, some, err := e.store.NextDue(ctx, d.webhook, w.state)
		if err != nil {
			return jobs, err
		}
		found[w.state] = time.Time{}
		if some {
			found[w.state] = next
		}
	}
	return jobs, nil
}

// claimTimeout bounds the claims for one lane, for when the database does not answer.
const claimTimeout = 10 * time.Second

// claimLimit is how many deliveries one claim takes: few enough that publishers do not wait for it.
const claimLimit = 128

// waker lets lanes claim when their time comes.
func (e *Engine) waker(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.lanes.woken:
		case <-timer.C:
		}
		wait := time.Hour
		if next := e.lanes.wake(); !next.IsZero() {
			wait = max(next.Sub(e.now()), time.Millisecond)
		}
		timer.Reset(wait)
	}
}

// How often the engine looks after what no lane knows of.
const (
	discoverEvery = 30 * time.Second // work that another node left, or that was put back into the queue by hand
	sweepEvery    = 5 * time.Second  // leases that have run out; more often where they are short
	renewings     = 4                // how often a lease is looked at while it lasts; it is renewed in its last two thirds
	discoverPage  = 1000
)

// discover finds the webhooks for which deliveries wait in the database, and tells their lanes.
func (e *Engine) discover(ctx context.Context) error {
	for _, state := range postroom.WaitingStates() {
		var after postroom.WebhookID
		for {
			page, err := e.store.Due(ctx, state, after, discoverPage)
			if err != nil {
				return err
			}
			for _, d := range page {
				e.lanes.due(d.WorkspaceID, d.WebhookID, state, d.At)
				after = d.WebhookID
			}
			if len(page) < discoverPage {
				break
			}
		}
	}
	return nil
}

// sweep takes over what a node that is gone had leased.
func (e *Engine) sweep(ctx context.Context) error {
	n, err := e.store.TakeOver(ctx, e.now())
	if err != nil || n == 0 {
		return err
	}
	failpoint.Hit(failpoint.TakeOverCommitted)
	e.metrics.takenOver.Add(n)
	e.log.Warn("deliveries of which the lease had run out were taken over", "deliveries", n)
	return e.discover(ctx)
}

// mendStep is how many order keys one look at them takes: a few milliseconds of the database.
const mendStep = 100

// mend looks at some of the order keys, others each time, and wakes those deliveries that wait behind nothing. There are none
// unless a process died between two steps: this is what makes sure that nothing waits for ever.
func (e *Engine) mend(ctx context.Context) error {
	next, freed, err := e.store.MendOrder(ctx, e.mended, e.now(), mendStep)
	if err != nil {
		return err
	}
	e.mended = next
	for _, d := range freed {
		e.log.Info("deliveries that waited in order behind nothing were found", "webhook", d.WebhookID)
		e.lanes.due(d.WorkspaceID, d.WebhookID, postroom.StateFresh, d.At)
	}
	return nil
}

// mendAll looks at all order keys.
func (e *Engine) mendAll(ctx context.Context) error {
	for {
		if err := e.mend(ctx); err != nil || e.mended == (postroom.OrderCursor{}) || ctx.Err() != nil {
			return err
		}
	}
}

// renew prolongs the leases of what this node holds.
func (e *Engine) renew(ctx context.Context) error {
	now := e.now()
	jobs := e.lanes.expiring(now.Add(e.lease * 2 / 3))
	for len(jobs) > 0 {
		n := min(len(jobs), recordBatch)
		if err := e.store.Renew(ctx, jobs[:n], now.Add(e.lease)); err != nil {
			return err
		}
		failpoint.Hit(failpoint.RenewCommitted)
		e.lanes.renewed(jobs[:n], now.Add(e.lease))
		jobs = jobs[n:]
	}
	return nil
}

// follow notices changes that another node made to webhooks: those that an index was made before, and those since it
// looked last, as this node may deliver for a workspace without ever publishing for it.
func (e *Engine) follow(ctx context.Context) error {
	now, err := e.store.Revisions(ctx)
	if err != nil {
		return err
	}
	changed := map[postroom.WorkspaceID]bool{}
	for workspace, revision := range e.matchers.revisions() {
		if now[workspace] != revision {
			changed[workspace] = true
		}
	}
	for workspace, revision := range now {
		if e.revisions[workspace] != revision {
			changed[workspace] = true
		}
	}
	e.revisions = now
	for workspace := range changed {
		e.Changed(workspace, postroom.WebhookID{})
	}
	return nil
}

// every calls tick again and again; what it reports is logged, and it is tried again next time.
func (e *Engine) every(ctx context.Context, period time.Duration, what string, tick func(context.Context) error) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := tick(ctx); err != nil && ctx.Err() == nil {
				e.log.Error(what+" failed; trying again", "error", err)
			}
		}
	}
}
