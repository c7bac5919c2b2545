package inbound

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

const (
	// maxWorkers bounds the requests that the loop processes at once.
	maxWorkers = 16
	// pollEvery is how often the loop looks for what other nodes have stored, and this one has forgotten.
	pollEvery = 5 * time.Second
	// processTime bounds one further try of a request, and so does its lease.
	processTime = 30 * time.Second
	// maxLost is how often a try may begin and not end, because the process did, until the request is given up: one that ends processes
	// must not do so for ever. Each time that a person has it tried again adds to it too.
	maxLost = 20
)

// Run stores refused calls, and processes what is queued or to be tried again, until ctx ends; then it waits for what is under way.
func (in *Intake) Run(ctx context.Context) error {
	var helpers sync.WaitGroup
	helpers.Go(func() { in.recordRefused(ctx) })
	var workers sync.WaitGroup
	free := make(chan struct{}, maxWorkers)
	for range maxWorkers {
		free <- struct{}{}
	}
	for ctx.Err() == nil {
		next := in.tick(ctx, free, &workers)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-in.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	helpers.Wait()
	in.wind(&workers)
	return nil
}

// wind waits for workers, within the drain time. What they do not end is processed by another node, or after the next start.
func (in *Intake) wind(workers *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() { workers.Wait(); close(ended) }()
	timer := time.NewTimer(in.drain)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		in.log.Warn("requests are still being processed; they are processed again when their lease ends")
	}
}

// tick claims what is due, as much as there are free workers, and gives it to them. It returns when to look again.
func (in *Intake) tick(ctx context.Context, free chan struct{}, workers *sync.WaitGroup) time.Duration {
	room := 0
	select {
	case <-ctx.Done():
		return 0
	case <-free:
		room++
	}
	for len(free) > 0 {
		<-free // nobody else takes any
		room++
	}
	now := in.now()
	claimed, err := in.store.ClaimRequests(ctx, now, now.Add(in.lease), room)
	if err != nil && ctx.Err() == nil {
		in.log.Error("requests that are due could not be claimed; trying again", "error", err)
	}
	for range room - len(claimed) {
		free <- struct{}{}
	}
	for _, r := range claimed {
		workers.Go(func() {
			defer func() { free <- struct{}{} }()
			in.again(context.WithoutCancel(ctx), r)
		})
	}
	if err != nil {
		return pollEvery
	}
	if len(claimed) == room {
		return 0 // there may be more
	}
	return in.nextLook(ctx)
}

// nextLook is how long there is nothing to do, as far as this node knows.
func (in *Intake) nextLook(ctx context.Context) time.Duration {
	at, some, err := in.store.NextRequest(ctx)
	if err != nil || !some {
		return pollEvery
	}
	return min(max(at.Sub(in.now()), time.Millisecond), pollEvery)
}

// again processes a request that was claimed. One that cannot be stored is claimed again when its lease ends.
func (in *Intake) again(ctx context.Context, r *postroom.Request) {
	defer func() {
		if p := recover(); p != nil {
			in.panicked("panic while processing a request again", p)
		}
	}()
	_, err := in.retry(ctx, r)
	switch {
	case err == nil:
	case errors.Is(err, errLost):
		in.log.Info("a request was taken over by another node", "request", r.ID)
	default:
		in.log.Error("a request could not be processed; trying again when its lease ends", "request", r.ID, "error", err)
	}
}

// retry makes one further try of a request.
func (in *Intake) retry(ctx context.Context, r *postroom.Request) (*postroom.Request, error) {
	src, err := in.sources.get(ctx, r.SourceID)
	if postroom.CodeOf(err) == postroom.CodeNotFound {
		return in.giveUp(ctx, r, "The source is deleted.")
	}
	if err != nil {
		return nil, err
	}
	if r.Claim-r.Attempts > maxLost {
		return in.giveUp(ctx, r, fmt.Sprintf("Its processing has begun %d times and not ended: it may be what ends the server. Resend it to try again.", r.Claim-r.Attempts))
	}
	v, most := verifiedBefore(src, r), min(processTime, in.lease*3/4)
	done, err := in.within(ctx, most, v)
	if errors.Is(err, errOvertaken) {
		w := newWork(v, in.now().Add(-most))
		w.err = &postroom.RequestError{Kind: "internal", Message: fmt.Sprintf("It was not processed within %s.", most)}
		p, _ := in.plan(ctx, w) // which has only that to say
		done, _, err = in.commit(ctx, w, p)
	}
	return done, err
}

// giveUp ends a request that cannot be processed any more.
func (in *Intake) giveUp(ctx context.Context, r *postroom.Request, why string) (*postroom.Request, error) {
	ended := *r
	ended.State, ended.DueAt = postroom.RequestFailed, in.now()
	ended.Log.Error = &postroom.RequestError{Kind: "internal", Message: why}
	c := &postroom.Commit{Request: &ended}
	if err := in.store.Commit(ctx, c); err != nil {
		return nil, err
	}
	if c.Lost {
		return nil, errLost
	}
	in.stored(&ended)
	return &ended, nil
}
