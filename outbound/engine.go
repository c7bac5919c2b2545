package outbound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/internal/egress"
	"github.com/postroom/postroom/internal/expr"
	"github.com/postroom/postroom/internal/failpoint"
	"github.com/postroom/postroom/internal/tracing"
	"github.com/postroom/postroom/internal/watch"
)

// Store is what the engine needs of the database; *store.Store has it.
type Store interface {
	Publish(ctx context.Context, pubs []*postroom.Publication) error
	Finish(ctx context.Context, fins []*postroom.Finish) error
	Claim(ctx context.Context, webhook postroom.WebhookID, state postroom.DeliveryState, now, until time.Time, limit int) ([]*postroom.Job, error)
	Renew(ctx context.Context, jobs []*postroom.Job, until time.Time) error
	Release(ctx context.Context, jobs []*postroom.Job, now time.Time) error
	Due(ctx context.Context, state postroom.DeliveryState, after postroom.WebhookID, limit int) ([]postroom.Due, error)
	NextDue(ctx context.Context, webhook postroom.WebhookID, state postroom.DeliveryState) (at time.Time, some bool, err error)
	TakeOver(ctx context.Context, now time.Time) (int64, error)
	MendOrder(ctx context.Context, after postroom.OrderCursor, now time.Time, limit int) (next postroom.OrderCursor, freed []postroom.Due, err error)
	Failing(ctx context.Context, visit func(webhook postroom.WebhookID, h postroom.Health)) error
	CountQueue(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID) (int64, error)

	Subscriptions(ctx context.Context, workspace postroom.WorkspaceID) ([]postroom.Subscription, int64, error)
	Revisions(ctx context.Context) (map[postroom.WorkspaceID]int64, error)
	WebhookOwner(ctx context.Context, id postroom.WebhookID) (postroom.WorkspaceID, error)
	Webhook(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time) (postroom.StoredWebhook, error)
	Secrets(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time) ([]postroom.StoredSecret, error)
}

// Sender makes calls; *egress.Client does.
type Sender interface {
	Do(ctx context.Context, req *http.Request, limits egress.Limits) (*egress.Result, error)
}

// Config is what an engine is made of.
type Config struct {
	Store     Store
	Sender    Sender
	SenderAs  func(egress.Identity) Sender // for webhooks with a TLS identity of their own; nil for Sender whatever the identity
	Opener    Opener                       // of sealed secrets
	Filters   *expr.Compiler               // of webhooks' filters
	Dialects  dialect.Set                  // of webhooks
	IDs       *postroom.IDs
	UserAgent string
	Now       func() time.Time // nil for time.Now
	Log       *slog.Logger     // nil for none
	Trace     *tracing.Tracer  // nil for none
	// Shared tells that other nodes use the same database, so that their changes must be looked for.
	Shared bool
	// Workers bounds how many attempts are under way at once; 0 for 2048. A workspace has at most a half of those that the others
	// leave, and a quarter more for webhooks that have none under way.
	Workers int
	// Lease is how long a delivery is this node's before another may take it; 0 for a minute. It is renewed while the
	// delivery waits or is attempted.
	Lease time.Duration
	// Drain bounds how long attempts under way may go on when Run is told to end; 0 for 15 seconds.
	Drain time.Duration
}

// Engine brings events to webhooks.
type Engine struct {
	store         Store
	sender        Sender
	ids           *postroom.IDs
	now           func() time.Time
	log           *slog.Logger
	trace         *tracing.Tracer
	lease, drain  time.Duration
	maxWorkers    int
	checkRevision bool
	revisions     map[postroom.WorkspaceID]int64 // as follow saw them last
	mended        postroom.OrderCursor           // up to where mend has looked

	matchers matchers
	targets  targets
	lanes    *lanes
	results  chan *postroom.Finish
	abandon  chan struct{} // closed when nothing is waited for any more
	metrics  *Metrics

	watchers watch.Followers[postroom.Event]
	workers  sync.WaitGroup
	running  atomic.Int64 // workers
}

// New makes an engine. Nothing is delivered until Run.
func New(c Config) *Engine {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Workers == 0 {
		c.Workers = 2048
	}
	if c.Lease == 0 {
		c.Lease = time.Minute
	}
	if c.Drain == 0 {
		c.Drain = 15 * time.Second
	}
	if c.SenderAs == nil {
		c.SenderAs = func(egress.Identity) Sender { return c.Sender }
	}
	return &Engine{
		store: c.Store, sender: c.Sender, ids: c.IDs, now: c.Now, log: c.Log, trace: c.Trace, lease: c.Lease, drain: c.Drain, maxWorkers: c.Workers,
		checkRevision: c.Shared,
		matchers:      matchers{store: c.Store, filters: c.Filters, dialects: c.Dialects, log: c.Log, ready: map[postroom.WorkspaceID]*subscriptions{}},
		targets: targets{store: c.Store, opener: c.Opener, dialects: c.Dialects, userAgent: c.UserAgent, now: c.Now, sender: c.Sender, senderAs: c.SenderAs,
			ready: map[postroom.WebhookID]*Target{}, credentials: map[postroom.WebhookID]*credentials{}},
		lanes:   newLanes(c.Now, c.Workers),
		results: make(chan *postroom.Finish, maxResults),
		abandon: make(chan struct{}),
		metrics: newMetrics(),
	}
}

// Run delivers until ctx ends, and then winds down: attempts under way may end within the drain time, and what has
// not begun goes back into the queue. Publish must not be called after that.
func (e *Engine) Run(ctx context.Context) error {
	if e.checkRevision { // before any webhook is read; without it the first look finds everything changed
		e.revisions, _ = e.store.Revisions(ctx)
	}
	var helpers, recorder sync.WaitGroup
	recorder.Go(e.recorder)
	for range 4 {
		helpers.Go(func() { e.loader(ctx) })
	}
	helpers.Go(func() { e.waker(ctx) })
	helpers.Go(func() { e.hire(ctx) })
	renewing, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	var renewer sync.WaitGroup
	renewer.Go(func() { e.every(renewing, e.lease/renewings, "renewing leases", e.renew) })
	if err := e.store.Failing(ctx, e.lanes.ail); err != nil && ctx.Err() == nil {
		e.log.Error("which webhooks are failing could not be looked up: they count as healthy", "error", err)
	}
	if err := e.discover(ctx); err != nil && ctx.Err() == nil {
		e.log.Error("what waits in the database could not be looked for; trying again", "error", err)
	}
	helpers.Go(func() { e.every(ctx, discoverEvery, "looking for what waits in the database", e.discover) })
	helpers.Go(func() { e.every(ctx, min(sweepEvery, e.lease/renewings), "taking over what others left", e.sweep) })
	helpers.Go(func() {
		if err := e.mendAll(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("not all that waits in order could be looked at; going on later", "error", err)
		}
		e.every(ctx, sweepEvery, "looking for what waits in order behind nothing", e.mend)
	})
	if e.checkRevision {
		helpers.Go(func() { e.every(ctx, time.Second, "following changes to webhooks", e.follow) })
	}
	<-ctx.Done()
	// Attempts are cut off when the drain time is over; results that cannot be stored are given up as long after that.
	timer := time.AfterFunc(2*e.drain, func() { close(e.abandon) })
	unstarted := e.lanes.close()
	helpers.Wait()
	failpoint.Hit(failpoint.StopBegun)
	e.release(append(unstarted, e.lanes.close()...)) // again, for a claim that was under way
	failpoint.Hit(failpoint.StopReleased)
	e.workers.Wait()
	close(e.results)
	recorder.Wait()
	failpoint.Hit(failpoint.StopDrained)
	timer.Stop()
	stopRenewing()
	renewer.Wait()
	return nil
}

func (e *Engine) release(jobs []*postroom.Job) {
	for len(jobs) > 0 {
		n := min(len(jobs), recordBatch)
		if err := e.store.Release(context.Background(), jobs[:n], e.now()); err != nil {
			e.log.Error("deliveries could not be put back into the queue; they wait until their lease ends", "deliveries", n, "error", err)
		}
		failpoint.Hit(failpoint.ReleaseCommitted)
		for _, j := range jobs[:n] {
			e.lanes.forget(j)
		}
		jobs = jobs[n:]
	}
}

// hire starts workers as long as work waits that no idle one takes.
func (e *Engine) hire(ctx context.Context) {
	// Attempts may go on for a while after ctx ends; then they are cut off.
	attempts, cut := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(e.drain, cut) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.lanes.understaffed:
			for e.running.Load() < int64(e.maxWorkers) && e.lanes.short() {
				e.running.Add(1)
				e.workers.Go(func() {
					defer e.running.Add(-1)
					e.worker(attempts)
				})
			}
		}
	}
}

func (e *Engine) worker(ctx context.Context) {
	for job := e.lanes.next(true); job != nil; job = e.lanes.next(false) {
		e.deliver(ctx, job)
	}
}

// deliver makes one attempt for a delivery: build, sign, send, decide, record.
func (e *Engine) deliver(ctx context.Context, job *postroom.Job) {
	target, err := e.targets.get(ctx, job.WebhookID)
	if err != nil {
		e.log.Error("a webhook cannot be read; its delivery is put back", "webhook", job.WebhookID, "error", err)
		e.lanes.left(job)
		e.release([]*postroom.Job{job})
		e.lanes.due(job.Event.WorkspaceID, job.WebhookID, job.From, e.now().Add(claimAgain))
		return
	}
	goesOn := e.lanes.limit(job, target.Concurrency, target.RateLimit)
	if !target.gone && (target.Status != postroom.WebhookActive || !goesOn) {
		e.lanes.left(job)
		e.release(append(e.lanes.stop(job.Event.WorkspaceID, job.WebhookID), job)) // held until somebody resumes it
		if !e.targets.current(target) {                                            // somebody may have, before the lane stopped
			e.lanes.start(job.Event.WorkspaceID, job.WebhookID, e.now())
		}
		return
	}
	if f := e.attempt(ctx, target, job); f != nil {
		if f.Attempt != nil {
			e.guarded(job, func() { e.judge(ctx, target, f) })
		}
		if f.Outcome.Stop != "" { // at once, and not only when that is stored: what waits is to be held
			e.release(e.lanes.stop(job.Event.WorkspaceID, job.WebhookID))
		}
		e.record(f)
	} else { // cut off by the shutdown: it does not count
		e.release([]*postroom.Job{job})
	}
	e.lanes.left(job) // not earlier: when results pile up, nothing more is to begin
}

// attempt makes one attempt and decides what it means; nil when it was cut off by the shutdown. A panic ends the
// attempt, not the process.
func (e *Engine) attempt(ctx context.Context, target *Target, job *postroom.Job) *postroom.Finish {
	failpoint.Hit(failpoint.AttemptBegun)
	var f *postroom.Finish
	at := e.now()
	span := e.trace.Attempt(ctx, job, target.Method, at)
	if !e.guarded(job, func() { f = e.call(ctx, target, job, at, span) }) {
		f = e.failed(target, job, at, egress.KindInternal, "Postroom failed to make the call; its log has the cause.")
	}
	span.Attempted(f)
	return f
}

// guarded runs a step of a delivery; false when it panicked, which is a defect that must not end the process.
func (e *Engine) guarded(job *postroom.Job, step func()) (done bool) {
	defer func() {
		if p := recover(); p != nil {
			e.metrics.panics.Add(1)
			e.log.Error("panic in an attempt", "delivery", job.DeliveryID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	step()
	return true
}

// call builds, signs, sends and decides.
func (e *Engine) call(ctx context.Context, target *Target, job *postroom.Job, at time.Time, span tracing.Span) *postroom.Finish {
	if target.gone {
		return &postroom.Finish{Job: job, Outcome: postroom.Outcome{State: postroom.StateCancelled}}
	}
	c, err := build(target, job)
	if err != nil {
		kind := egress.KindInternal
		if errors.As(err, &payloadError{}) {
			kind = KindPayload
		}
		return e.failed(target, job, at, kind, "The body of the call could not be made: "+err.Error()+".")
	}
	sign(c, target, job.Event.PublicID(), at)
	for _, h := range span.Headers() {
		c.header.set(h.Name, h.Value)
	}
	failpoint.Hit(failpoint.AttemptBuilt)
	a, result := e.send(ctx, target, c, at)
	failpoint.Hit(failpoint.AttemptSent)
	a.DeliveryID, a.Number = job.DeliveryID, job.Attempts+1
	if result.Kind == egress.KindCancelled && ctx.Err() != nil {
		return nil
	}
	outcome, failure := Decide(job.DeliveryID, job.Attempts+1, result, target.policy, a.At.Add(a.Phases.Total))
	a.Error = failure
	failpoint.Hit(failpoint.AttemptDecided)
	return &postroom.Finish{Job: job, Attempt: a, Outcome: outcome}
}

// failed is an attempt that never reached the network.
func (e *Engine) failed(target *Target, job *postroom.Job, at time.Time, kind, sentence string) *postroom.Finish {
	a := &postroom.Attempt{DeliveryID: job.DeliveryID, Number: job.Attempts + 1, At: at,
		Request: postroom.SentRequest{Method: target.Method, URL: target.shownURL, Body: []byte{}}} // not nil: nothing was sent
	var outcome postroom.Outcome
	outcome, a.Error = Decide(job.DeliveryID, job.Attempts+1, Result{Kind: kind, Sentence: sentence}, target.policy, at)
	return &postroom.Finish{Job: job, Attempt: a, Outcome: outcome}
}

// Try makes one attempt for a delivery that is stored as leased to this node but is in no lane, such as a test, and
// stores its result. There is no second attempt: what does not succeed has failed, and is no reason to pause the webhook.
// When the webhook is deleted, the delivery is cancelled and the error has CodeNotFound.
func (e *Engine) Try(ctx context.Context, job *postroom.Job) (*postroom.Attempt, error) {
	target, err := e.targets.get(ctx, job.WebhookID)
	if err != nil {
		return nil, err
	}
	once := *target
	once.policy.Schedule = nil
	ctx = context.WithoutCancel(ctx)
	f := e.attempt(ctx, &once, job)
	f.Outcome.Stop = ""
	if err := e.store.Finish(ctx, []*postroom.Finish{f}); err != nil {
		return nil, err
	}
	e.metrics.recorded(f)
	if target.gone {
		return nil, postroom.Errorf(postroom.CodeNotFound, "the webhook %s does not exist", job.WebhookID)
	}
	return f.Attempt, nil
}

// Changed tells that a webhook was made, changed, paused, resumed or deleted, by a commit that is over; the zero id
// stands for any of the workspace.
func (e *Engine) Changed(workspace postroom.WorkspaceID, id postroom.WebhookID) {
	e.matchers.forget(workspace)
	e.targets.forget(workspace, id)
	if !id.IsZero() {
		e.lanes.start(workspace, id, e.now())
		return
	}
	for _, id := range e.lanes.stoppable(workspace) {
		e.lanes.start(workspace, id, e.now())
	}
}

// Wake tells that deliveries of a webhook were put into the queue by a commit that is over.
func (e *Engine) Wake(workspace postroom.WorkspaceID, id postroom.WebhookID, state postroom.DeliveryState, at time.Time) {
	e.lanes.due(workspace, id, state, at)
}

// LeaseUntil is the lease that a delivery gets which Try is to attempt: nobody renews it, so it lasts longer than the call.
func (e *Engine) LeaseUntil(timeout time.Duration) time.Time { return e.now().Add(e.lease + timeout) }
