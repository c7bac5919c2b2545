package inbound

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/internal/tracing"
	"github.com/postroom/postroom/internal/watch"
)

// Store is what the intake needs of the database; *store.Store has it.
type Store interface {
	SourceOf(ctx context.Context, id postroom.SourceID) (postroom.StoredSource, error)
	Commit(ctx context.Context, c *postroom.Commit) error
	ClaimRequests(ctx context.Context, now, until time.Time, limit int) ([]*postroom.Request, error)
	NextRequest(ctx context.Context) (at time.Time, some bool, err error)
	FindContacts(ctx context.Context, workspace postroom.WorkspaceID, refs []postroom.ContactRef) ([]*postroom.Contact, error)
	ListsNamed(ctx context.Context, workspace postroom.WorkspaceID, names []string) (map[string]postroom.List, error)
	Fields(ctx context.Context, workspace postroom.WorkspaceID) ([]postroom.Field, error)
	SourceHealth(ctx context.Context, source postroom.SourceID) (postroom.SourceHealth, bool, error)
}

// Publisher brings events to webhooks; *outbound.Engine does.
type Publisher interface {
	PublishWith(ctx context.Context, events []*postroom.Outgoing, store func(context.Context, []*postroom.Publication) error) error
}

// Opener opens sealed secrets; *seal.Sealer does.
type Opener interface {
	Open(context string, sealed []byte) ([]byte, error)
}

// Config is what an intake is made of.
type Config struct {
	Store     Store
	Publisher Publisher
	Opener    Opener
	Dialects  dialect.Set
	// Types are the event types of a workspace: the catalogue's and its own.
	Types func(ctx context.Context, workspace postroom.WorkspaceID) (Types, error)
	IDs   *postroom.IDs
	// PublicURL is what the URLs of sources begin with, without a slash at the end. Signatures that cover the URL cover this one.
	PublicURL      string
	TrustedProxies []netip.Prefix   // whose X-Forwarded-For counts
	MaxBody        int64            // bytes, packed or not; 0 for 1 MiB
	Now            func() time.Time // nil for time.Now
	Log            *slog.Logger     // nil for none
	Trace          *tracing.Tracer  // nil for none
	// Shared tells that other nodes use the same database, so that their changes must be looked for.
	Shared bool
	// Lease is how long a request is this node's before another may process it; 0 for a minute.
	Lease time.Duration
	// Drain bounds how long Run waits for what it processes when it is told to end; 0 for 15 seconds.
	Drain time.Duration
	// Locks are shared with all that changes contacts on this node; nil for its own.
	Locks *contacts.Locks
}

// Intake takes calls in.
type Intake struct {
	store    Store
	publish  Publisher
	dialects dialect.Set
	types    func(ctx context.Context, workspace postroom.WorkspaceID) (Types, error)
	ids      *postroom.IDs
	public   string
	trusted  []netip.Prefix
	maxBody  int64
	now      func() time.Time
	log      *slog.Logger
	trace    *tracing.Tracer
	shared   bool
	lease    time.Duration
	drain    time.Duration
	patience time.Duration // patience, but for tests of what does not depend on it

	sources  sources
	locks    *contacts.Locks
	crew     crew
	slots    chan struct{} // one for each call that is processed now
	wake     chan struct{}
	refused  chan *postroom.Request // wait to be stored
	watchers watch.Followers[postroom.Request]
	metrics  *Metrics
}

const (
	defaultMaxBody = 1 << 20
	// maxSlots bounds the calls that are processed at once, on the way in and by the loop. Most of them wait for the disk, together.
	maxSlots = 512
	// maxRefused bounds the refused calls that wait to be stored.
	maxRefused = 256
)

// New makes an intake. It takes calls at once; what is queued, is to be tried again or was refused waits for Run.
func New(c Config) *Intake {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	if c.Lease == 0 {
		c.Lease = time.Minute
	}
	if c.Locks == nil {
		c.Locks = contacts.NewLocks()
	}
	if c.Drain == 0 {
		c.Drain = 15 * time.Second
	}
	in := &Intake{store: c.Store, publish: c.Publisher, dialects: c.Dialects, types: c.Types, ids: c.IDs, public: c.PublicURL, trusted: c.TrustedProxies,
		maxBody: c.MaxBody, now: c.Now, log: c.Log, trace: c.Trace, shared: c.Shared, lease: c.Lease, drain: c.Drain, patience: patience, locks: c.Locks,
		slots: make(chan struct{}, maxSlots), wake: make(chan struct{}, 1), refused: make(chan *postroom.Request, maxRefused), metrics: newMetrics()}
	in.sources = sources{load: in.loadSource(c.Opener), now: c.Now, ready: map[postroom.SourceID]*cached{}}
	in.crew = newCrew()
	return in
}

// Changed tells that a source was made, changed or deleted, by a commit that is over.
func (in *Intake) Changed(id postroom.SourceID) { in.sources.forget(id) }

// Wake tells that a request is due now, by a commit that is over.
func (in *Intake) Wake() {
	select {
	case in.wake <- struct{}{}:
	default: // it is awake
	}
}

// slot waits for room to process a call.
func (in *Intake) slot(ctx context.Context) (release func(), err error) {
	select {
	case in.slots <- struct{}{}:
		in.metrics.processing.Add(1)
		return func() { in.metrics.processing.Add(-1); <-in.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// errOvertaken ends processing after which nobody waits any more.
var errOvertaken = errors.New("the call has been stored without what follows from it")

// turn says who stores a call: whoever processes it, or whoever has waited for that for too long. It is the first to ask.
type turn struct{ of atomic.Int32 }

const (
	turnOfProcessor = 1
	turnOfWaiter    = 2
)

// store tells whether the processor may store. Once it may, it may again.
func (t *turn) store() bool {
	return t.of.CompareAndSwap(0, turnOfProcessor) || t.of.Load() == turnOfProcessor
}

// overtake tells whether the waiter may store in the processor's place.
func (t *turn) overtake() bool { return t.of.CompareAndSwap(0, turnOfWaiter) }
