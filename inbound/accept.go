package inbound

import (
	"context"
	"errors"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// patience is how long a caller waits for what follows from its call. After it the call alone is stored, the caller hears that it is
// queued, and the loop does the rest.
const patience = 2 * time.Second

// Accept takes one call in: who called is verified, and then the call is stored with all that follows from it, before the caller
// hears that it was taken.
//
//	receive ─▶ verify ─▶ admit ─▶ take: read ─▶ act ─▶ commit ─▶ answer
func (in *Intake) Accept(ctx context.Context, a *Arrival) Answer {
	src, err := in.sources.get(ctx, a.Source)
	if err != nil {
		return in.noSource(a, err)
	}
	v, refused := in.verify(src, a)
	if refused != nil {
		return in.refuse(src, a, refused)
	}
	if refused := in.admit(v, a.At); refused != nil {
		return in.refuse(src, a, refused)
	}
	failpoint.Hit(failpoint.IntakeVerified)
	ctx, span := in.trace.Receive(ctx, src.WorkspaceID, src.ID)
	r, err := in.take(ctx, v)
	span.End(err)
	failpoint.Hit(failpoint.IntakeStored)
	return in.answer(r, err)
}

// take stores a call with what follows from it, or, if that is not ready in time, the call alone.
func (in *Intake) take(ctx context.Context, v Verified) (*postroom.Request, error) {
	ctx = context.WithoutCancel(ctx) // what a caller asked for is done, even if it has hung up meanwhile
	r, err := in.within(ctx, in.patience, v)
	if errors.Is(err, errOvertaken) {
		return in.queue(ctx, v)
	}
	return r, err
}

// within processes a call, in another goroutine, so that nothing in it can hold up whoever waits. When the time is over and nothing is
// being stored yet, the error is errOvertaken, and nothing will be.
func (in *Intake) within(ctx context.Context, patience time.Duration, v Verified) (*postroom.Request, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		request *postroom.Request
		err     error
	}
	t, done := &turn{}, make(chan result, 1)
	in.crew.run(func() {
		r, err := in.process(ctx, v, t)
		done <- result{r, err}
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case got := <-done:
		return got.request, got.err
	case <-timer.C:
	}
	if t.overtake() {
		return nil, errOvertaken
	}
	got := <-done // it is being stored: waiting for another commit would take no less
	return got.request, got.err
}

// process does what a call asks for, and stores it: read, act, commit. When something has changed meanwhile, it begins anew. A call that
// cannot be processed is stored with the reason. The error says that nothing was stored.
func (in *Intake) process(ctx context.Context, v Verified, t *turn) (*postroom.Request, error) {
	release, err := in.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	w := newWork(v, in.now())
	for {
		r, again, err := in.try(ctx, w, t)
		if err != nil || !again {
			return r, err
		}
	}
}

// try is one try of process. again says that what it was computed from is no longer so.
func (in *Intake) try(ctx context.Context, w *work, t *turn) (r *postroom.Request, again bool, err error) {
	p, err := in.plan(ctx, w) // reads, and acts in thought
	if err != nil {
		return nil, false, err
	}
	defer p.unlock()
	if !t.store() {
		return nil, false, errOvertaken
	}
	return in.commit(ctx, w, p)
}

// queue stores a call alone, to be processed by the loop.
func (in *Intake) queue(ctx context.Context, v Verified) (*postroom.Request, error) {
	r := *v.request
	r.State, r.DueAt, r.Duration = postroom.RequestWaiting, in.now(), in.now().Sub(r.At)
	settleAnswer(&r)
	c := &postroom.Commit{Request: &r}
	if err := in.store.Commit(ctx, c); err != nil {
		return nil, err
	}
	in.stored(&r)
	in.Wake()
	return &r, nil
}
