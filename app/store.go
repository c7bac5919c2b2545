package app

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// Store is what the application needs of the database; *store.Store has it.
type Store interface {
	AudienceStore

	Ping(ctx context.Context, now time.Time) error
	Meta(ctx context.Context, key string) ([]byte, error)
	SetMeta(ctx context.Context, key string, value []byte) error

	CreateWorkspace(ctx context.Context, w postroom.Workspace, k postroom.Key, digest []byte) error
	Workspaces(ctx context.Context) ([]postroom.Workspace, error)
	Workspace(ctx context.Context, id postroom.WorkspaceID) (postroom.Workspace, error)
	RenameWorkspace(ctx context.Context, id postroom.WorkspaceID, name string, now time.Time) error
	Portal(ctx context.Context, workspace postroom.WorkspaceID) (postroom.Portal, error)
	SetPortal(ctx context.Context, workspace postroom.WorkspaceID, p postroom.Portal, now time.Time) error
	DeleteWorkspace(ctx context.Context, id postroom.WorkspaceID) error
	CreateKey(ctx context.Context, k postroom.Key, digest []byte) error
	KeyByDigest(ctx context.Context, digest []byte) (postroom.Key, error)
	Key(ctx context.Context, workspace postroom.WorkspaceID, id postroom.KeyID) (postroom.Key, error)
	Keys(ctx context.Context, workspace postroom.WorkspaceID) ([]postroom.Key, error)
	DeleteKey(ctx context.Context, workspace postroom.WorkspaceID, id postroom.KeyID) error

	AnyPerson(ctx context.Context) (bool, error)
	PersonByEmail(ctx context.Context, email string) (postroom.Person, error)
	Person(ctx context.Context, id postroom.PersonID) (postroom.Person, error)
	SetPassword(ctx context.Context, id postroom.PersonID, password string, keep []byte, now time.Time) error
	SetEmail(ctx context.Context, id postroom.PersonID, email string, now time.Time) error
	CountSignIn(ctx context.Context, subjects [][]byte, now time.Time, next func(subject int, failures int64) time.Duration) (until time.Time, err error)
	SignInSucceeded(ctx context.Context, forget []byte, others ...[]byte) error
	Places(ctx context.Context, person postroom.PersonID) ([]postroom.Place, error)
	AddMember(ctx context.Context, p postroom.Person, m postroom.Member) (postroom.Member, error)
	Members(ctx context.Context, workspace postroom.WorkspaceID) ([]postroom.Member, error)
	Member(ctx context.Context, workspace postroom.WorkspaceID, id postroom.MemberID) (postroom.Member, error)
	MemberByEmail(ctx context.Context, workspace postroom.WorkspaceID, email string) (postroom.Member, error)
	UpdateMember(ctx context.Context, workspace postroom.WorkspaceID, id postroom.MemberID, now time.Time, change func(*postroom.Member) error) (postroom.Member, error)
	DeleteMember(ctx context.Context, workspace postroom.WorkspaceID, id postroom.MemberID) error
	AcceptMember(ctx context.Context, workspace postroom.WorkspaceID, id postroom.MemberID, now time.Time) error
	CreateSession(ctx context.Context, s postroom.Session, digest []byte) error
	Session(ctx context.Context, digest []byte) (postroom.Session, error)
	Sessions(ctx context.Context, person postroom.PersonID) ([]postroom.Session, error)
	SawSession(ctx context.Context, digest []byte, now time.Time) error
	MoveSession(ctx context.Context, digest []byte, to postroom.Place) error
	DeleteSession(ctx context.Context, digest []byte) error
	DeleteSessions(ctx context.Context, person postroom.PersonID) error
	CreateLink(ctx context.Context, l postroom.SignInLink, digest []byte) error
	Link(ctx context.Context, digest []byte) (postroom.SignInLink, error)
	UseLink(ctx context.Context, digest []byte) (used bool, err error)

	CreateEventType(ctx context.Context, workspace postroom.WorkspaceID, t postroom.EventType, now time.Time) error
	UpdateEventType(ctx context.Context, workspace postroom.WorkspaceID, t postroom.EventType, now time.Time) error
	DeleteEventType(ctx context.Context, workspace postroom.WorkspaceID, name string) error
	EventTypes(ctx context.Context, workspace postroom.WorkspaceID) ([]postroom.EventType, error)

	CreateWebhook(ctx context.Context, w *postroom.StoredWebhook, secret postroom.StoredSecret) error
	Webhook(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time) (postroom.StoredWebhook, error)
	WebhookByUID(ctx context.Context, workspace postroom.WorkspaceID, uid string, now time.Time) (postroom.StoredWebhook, error)
	WebhookByNumber(ctx context.Context, workspace postroom.WorkspaceID, number int64, now time.Time) (postroom.StoredWebhook, error)
	WebhooksOfDialect(ctx context.Context, workspace postroom.WorkspaceID, dialect string, paused bool, offset, limit int, now time.Time) (found []postroom.StoredWebhook, total int64, err error)
	CustomerWebhooks(ctx context.Context, workspace postroom.WorkspaceID, customer string, cursor *postroom.Cursor, limit int, now time.Time) ([]postroom.StoredWebhook, error)
	Webhooks(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int, now time.Time) ([]postroom.StoredWebhook, error)
	WebhookHealths(ctx context.Context, workspace postroom.WorkspaceID, first, last postroom.WebhookID) (map[postroom.WebhookID]postroom.WebhookHealth, error)
	UpdateWebhook(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time, change func(*postroom.StoredWebhook) error) (postroom.StoredWebhook, error)
	SetWebhookStatus(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, status postroom.WebhookStatus, reason string, now time.Time) error
	DeleteWebhook(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time, check func(postroom.StoredWebhook) error) error
	Secrets(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time) ([]postroom.StoredSecret, error)
	RotateSecret(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, secret postroom.StoredSecret, until, now time.Time) error

	Publish(ctx context.Context, pubs []*postroom.Publication) error
	Event(ctx context.Context, workspace postroom.WorkspaceID, id postroom.EventID) (postroom.Event, error)
	EventByUID(ctx context.Context, workspace postroom.WorkspaceID, uid string) (postroom.Event, error)
	Events(ctx context.Context, workspace postroom.WorkspaceID, f postroom.EventFilter, cursor *postroom.Cursor, limit int) (found []postroom.Event, rest *[16]byte, err error)
	AddDeliveries(ctx context.Context, e *postroom.Event, deliveries []postroom.NewDelivery) error

	Deliveries(ctx context.Context, workspace postroom.WorkspaceID, f postroom.DeliveryFilter, cursor *postroom.Cursor, limit int) (found []postroom.Delivery, rest *[16]byte, err error)
	Delivery(ctx context.Context, workspace postroom.WorkspaceID, id postroom.DeliveryID) (postroom.Delivery, error)
	DeliveriesOf(ctx context.Context, workspace postroom.WorkspaceID, event postroom.EventID) ([]postroom.Delivery, error)
	Attempts(ctx context.Context, workspace postroom.WorkspaceID, id postroom.DeliveryID) ([]postroom.Attempt, error)
	Requeue(ctx context.Context, workspace postroom.WorkspaceID, id postroom.DeliveryID, state postroom.DeliveryState, due time.Time) (bool, error)
	Waiting(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID) (n int64, more bool, since *time.Time, err error)
	WaitingOf(ctx context.Context, workspace postroom.WorkspaceID) (n int64, more bool, since *time.Time, err error)
	CountQueue(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID) (int64, error)
	DiscardQueue(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID, until time.Time, reason string, progress func(n int64)) (int64, error)
	AttemptsOf(ctx context.Context, workspace postroom.WorkspaceID, ids []postroom.DeliveryID) (map[postroom.DeliveryID][]postroom.Attempt, error)
	EventsOf(ctx context.Context, workspace postroom.WorkspaceID, ids []postroom.EventID) (map[postroom.EventID]postroom.Event, error)
	Stats(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID, after, before time.Time, step time.Duration) (postroom.Stats, error)

	CreateReplay(ctx context.Context, r postroom.Replay, leaseTo time.Time) error
	Replay(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ReplayID) (postroom.Replay, error)
	Replays(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) ([]postroom.Replay, error)
	UnfinishedReplays(ctx context.Context, now time.Time, limit int) ([]postroom.Replay, error)
	LeaveReplays(ctx context.Context) error
	ReplayPage(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ReplayFilter, after postroom.DeliveryID, limit int) ([]postroom.Replayable, error)
	ReplayCounts(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ReplayFilter, limit int) (groups []postroom.Replayable, whole bool, err error)
	ReplayWaiting(ctx context.Context, r *postroom.Replay, limit int) (int64, error)
	WaitingPage(ctx context.Context, r *postroom.Replay, limit int) (ids []postroom.DeliveryID, last postroom.DeliveryID, err error)
	StepReplay(ctx context.Context, r *postroom.Replay, step postroom.ReplayStep) (moved bool, err error)
	CancelReplay(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ReplayID, now, leaseTo time.Time) (bool, error)

	CreateSource(ctx context.Context, s *postroom.StoredSource, calls []postroom.StoredWebhook) error
	Source(ctx context.Context, workspace postroom.WorkspaceID, id postroom.SourceID) (postroom.StoredSource, error)
	SourceByUID(ctx context.Context, workspace postroom.WorkspaceID, uid string) (postroom.StoredSource, error)
	Sources(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) ([]postroom.StoredSource, error)
	UpdateSource(ctx context.Context, workspace postroom.WorkspaceID, id postroom.SourceID, now time.Time, change func(*postroom.StoredSource) (calls []postroom.StoredWebhook, err error)) (postroom.StoredSource, error)
	DeleteSource(ctx context.Context, workspace postroom.WorkspaceID, id postroom.SourceID, now time.Time, check func(postroom.StoredSource) error) error
	Requests(ctx context.Context, workspace postroom.WorkspaceID, f postroom.RequestFilter, cursor *postroom.Cursor, limit int) (found []postroom.Request, rest *[16]byte, err error)
	Request(ctx context.Context, workspace postroom.WorkspaceID, id postroom.RequestID) (postroom.Request, error)
	RetryRequest(ctx context.Context, workspace postroom.WorkspaceID, id postroom.RequestID, now time.Time) (bool, error)
	ClearRequests(ctx context.Context, workspace postroom.WorkspaceID, source postroom.SourceID, progress func(n int64)) (int64, error)
	RequestCounts(ctx context.Context, workspace postroom.WorkspaceID, ids []postroom.SourceID) (map[postroom.SourceID]postroom.RequestCounts, error)
	SourceHealth(ctx context.Context, source postroom.SourceID) (postroom.SourceHealth, bool, error)
	SourceStats(ctx context.Context, workspace postroom.WorkspaceID, source postroom.SourceID, after, before time.Time, step time.Duration) (postroom.Stats, error)

	BeginIdempotent(ctx context.Context, workspace postroom.WorkspaceID, key string, hash []byte, now, until time.Time) (*postroom.IdempotencyRecord, error)
	HoldIdempotent(ctx context.Context, workspace postroom.WorkspaceID, key string, hash []byte, until time.Time) error
	CompleteIdempotent(ctx context.Context, workspace postroom.WorkspaceID, key string, answer []byte, until time.Time) error
	AbandonIdempotent(ctx context.Context, workspace postroom.WorkspaceID, key string) error
}
