package api

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// App is what the HTTP API needs of the application: [app.App] is one.
type App interface {
	Authenticate(ctx context.Context, key string) (app.Caller, error)
	Ready(ctx context.Context) error

	Publish(ctx context.Context, who app.Caller, events []app.NewEvent, dedupe string) ([]app.PublishResult, error)
	Events(ctx context.Context, who app.Caller, f postroom.EventFilter, q postroom.PageQuery) (postroom.Page[postroom.Event], error)
	Event(ctx context.Context, who app.Caller, id string) (postroom.Event, []postroom.Delivery, error)
	PreviewEventReplay(ctx context.Context, who app.Caller, id string, webhooks []string) ([]postroom.WebhookID, error)
	ReplayEvent(ctx context.Context, who app.Caller, id string, webhooks []string) ([]postroom.Delivery, error)
	WatchEvents(ctx context.Context, who app.Caller, types []string) (<-chan postroom.Event, error)

	EventTypes(ctx context.Context, who app.Caller) ([]postroom.EventType, error)
	EventType(ctx context.Context, who app.Caller, name string) (postroom.EventType, error)
	CreateEventType(ctx context.Context, who app.Caller, in app.EventTypeInput) (postroom.EventType, error)
	UpdateEventType(ctx context.Context, who app.Caller, name string, change func(*app.EventTypeInput) error) (postroom.EventType, error)
	DeleteEventType(ctx context.Context, who app.Caller, name string) error
	EventTypeSample(ctx context.Context, who app.Caller, name string) (json.RawMessage, error)

	DefaultSettings(dialect string) postroom.WebhookSettings
	ListDialects(ctx context.Context, who app.Caller) ([]postroom.DialectResource, error)
	FindDialect(ctx context.Context, who app.Caller, name string) (postroom.DialectResource, error)

	CreateWebhook(ctx context.Context, who app.Caller, in postroom.WebhookSettings, status postroom.WebhookStatus, secret string) (postroom.Webhook, string, error)
	Webhooks(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error)
	CustomerWebhooks(ctx context.Context, who app.Caller, customer string, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error)
	Webhook(ctx context.Context, who app.Caller, ref string) (postroom.Webhook, error)
	UpdateWebhook(ctx context.Context, who app.Caller, ref string, ifMatch int64, change func(*postroom.WebhookSettings) error) (postroom.Webhook, error)
	DeleteWebhook(ctx context.Context, who app.Caller, ref string, ifMatch int64) error
	PauseWebhook(ctx context.Context, who app.Caller, ref, reason string) (postroom.Webhook, error)
	ResumeWebhook(ctx context.Context, who app.Caller, ref, held string) (postroom.Webhook, int64, error)
	TestWebhook(ctx context.Context, who app.Caller, ref, eventType string, data json.RawMessage) (postroom.Delivery, postroom.Attempt, error)
	PreviewWebhook(ctx context.Context, who app.Caller, ref string, in app.PreviewInput) (app.Preview, error)
	PreviewSettings(ctx context.Context, who app.Caller, s postroom.WebhookSettings, in app.PreviewInput) (app.Preview, error)
	HeldDeliveries(ctx context.Context, who app.Caller, ref string) (w postroom.Webhook, n int64, since *time.Time, err error)
	WebhookSecrets(ctx context.Context, who app.Caller, ref string) ([]postroom.Secret, error)
	WebhooksOfDialect(ctx context.Context, who app.Caller, dialect string, paused bool, offset, limit int) (webhooks []postroom.Webhook, total int64, err error)
	WebhookByNumber(ctx context.Context, who app.Caller, number int64) (postroom.Webhook, error)
	EventNames(dialect string) map[string]string
	CreateWebhookWithKey(ctx context.Context, who app.Caller, in postroom.WebhookSettings, secret string) (postroom.Webhook, error)
	CheckSecret(dialect, secret string) error
	SigningKey(ctx context.Context, who app.Caller, dialect string, id postroom.WebhookID) (string, error)
	RotateSecret(ctx context.Context, who app.Caller, ref string, kind postroom.SecretKind, given string, overlap time.Duration) (postroom.Secret, string, error)
	WebhookStats(ctx context.Context, who app.Caller, ref string, span app.Span) (postroom.Stats, error)
	WorkspaceStats(ctx context.Context, who app.Caller, span app.Span) (postroom.Stats, error)

	DefaultSource() postroom.SourceSettings
	CreateSource(ctx context.Context, who app.Caller, in postroom.SourceSettings) (postroom.Source, error)
	Sources(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Source], error)
	Source(ctx context.Context, who app.Caller, ref string, showToken bool) (postroom.Source, error)
	UpdateSource(ctx context.Context, who app.Caller, ref string, ifMatch int64, change func(*postroom.SourceSettings) error) (postroom.Source, error)
	DeleteSource(ctx context.Context, who app.Caller, ref string, ifMatch int64) error
	RenewSourceToken(ctx context.Context, who app.Caller, ref string) (postroom.Source, error)
	TestSource(ctx context.Context, who app.Caller, ref string, in app.SourceTestInput) (postroom.Request, postroom.SourceTest, error)
	SourceStats(ctx context.Context, who app.Caller, ref string, span app.Span) (postroom.SourceStats, error)

	Requests(ctx context.Context, who app.Caller, f postroom.RequestFilter, q postroom.PageQuery) (postroom.Page[postroom.Request], error)
	Request(ctx context.Context, who app.Caller, id string) (postroom.Request, error)
	RetryRequest(ctx context.Context, who app.Caller, id string) (postroom.Request, error)
	ResendRequest(ctx context.Context, who app.Caller, id string) (postroom.Request, error)
	EachRequest(ctx context.Context, who app.Caller, f postroom.RequestFilter, whole bool, visit func(postroom.Request) error) error
	ClearRequests(ctx context.Context, who app.Caller, source string) (int64, error)
	WatchRequests(ctx context.Context, who app.Caller, source string, since postroom.RequestID) (<-chan postroom.Request, error)

	Deliveries(ctx context.Context, who app.Caller, f postroom.DeliveryFilter, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error)
	Delivery(ctx context.Context, who app.Caller, id string) (postroom.Delivery, []postroom.Attempt, error)
	RetryDelivery(ctx context.Context, who app.Caller, id string) (postroom.Delivery, error)
	EachDelivery(ctx context.Context, who app.Caller, f postroom.DeliveryFilter, visit func(postroom.Delivery) error) error

	EachAttempt(ctx context.Context, who app.Caller, f postroom.DeliveryFilter, visit func(postroom.Delivery, postroom.Attempt) error) error

	PreviewReplay(ctx context.Context, who app.Caller, ref string, f postroom.ReplayFilter) (app.ReplayPreview, error)
	StartReplay(ctx context.Context, who app.Caller, ref string, f postroom.ReplayFilter) (postroom.Replay, error)
	Replays(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Replay], error)
	Replay(ctx context.Context, who app.Caller, id string) (r postroom.Replay, waiting int64, err error)
	CancelReplay(ctx context.Context, who app.Caller, id string) (r postroom.Replay, waiting int64, err error)

	Audience

	Portal(ctx context.Context, who app.Caller) (postroom.Portal, error)
	UpdatePortal(ctx context.Context, who app.Caller, edit func(*postroom.Portal) error) (postroom.Portal, error)
	PortalLink(ctx context.Context, who app.Caller, customer string, life time.Duration) (postroom.PortalLink, error)
	EndPortalLinks(ctx context.Context, who app.Caller) error

	InviteMember(ctx context.Context, who app.Caller, in app.MemberInput) (postroom.Member, app.Link, error)
	WorkspaceMembers(ctx context.Context, who app.Caller) ([]postroom.Member, error)
	Member(ctx context.Context, who app.Caller, ref string) (postroom.Member, error)
	UpdateMember(ctx context.Context, who app.Caller, ref string, change func(*app.MemberSettings) error) (postroom.Member, error)
	DeleteMember(ctx context.Context, who app.Caller, ref string) error
	LinkMember(ctx context.Context, who app.Caller, ref string) (postroom.Member, app.Link, error)
	CreateKey(ctx context.Context, who app.Caller, name string, role postroom.Role, expires *time.Time) (postroom.Key, string, error)
	Keys(ctx context.Context, who app.Caller) ([]postroom.Key, error)
	Key(ctx context.Context, who app.Caller, id string) (postroom.Key, error)
	DeleteKey(ctx context.Context, who app.Caller, id string) error
	CreateWorkspace(ctx context.Context, who app.Caller, name string) (postroom.Workspace, postroom.Key, string, error)
	Workspaces(ctx context.Context, who app.Caller) ([]postroom.Workspace, error)
	Workspace(ctx context.Context, who app.Caller, id string) (postroom.Workspace, error)
	UpdateWorkspace(ctx context.Context, who app.Caller, id, name string) (postroom.Workspace, error)
	DeleteWorkspace(ctx context.Context, who app.Caller, id string) error

	BeginIdempotent(ctx context.Context, who app.Caller, key string, requestHash [32]byte) (replay *app.StoredAnswer, err error)
	HoldIdempotent(ctx context.Context, who app.Caller, key string, requestHash [32]byte) (stop func())
	CompleteIdempotent(ctx context.Context, who app.Caller, key string, answer app.StoredAnswer) error
	AbandonIdempotent(ctx context.Context, who app.Caller, key string) error
}

// Audience is what the HTTP API needs of the application for contacts and what belongs to them.
type Audience interface {
	Contacts(ctx context.Context, who app.Caller, s app.ContactSearch, q postroom.PageQuery) (postroom.Page[postroom.Contact], error)
	EachContact(ctx context.Context, who app.Caller, s app.ContactSearch, visit func(postroom.Contact) error) error
	Contact(ctx context.Context, who app.Caller, ref string) (postroom.Contact, error)
	CreateContact(ctx context.Context, who app.Caller, in app.ContactInput) (postroom.Contact, error)
	UpsertContact(ctx context.Context, who app.Caller, email string, in app.ContactInput) (c postroom.Contact, made bool, err error)
	UpdateContact(ctx context.Context, who app.Caller, ref string, ifMatch int64, edit func(*app.ContactSettings) error) (postroom.Contact, error)
	DeleteContact(ctx context.Context, who app.Caller, ref string, ifMatch int64) error
	EraseContact(ctx context.Context, who app.Caller, ref string, progress func(rows int64)) (app.Erasure, error)
	TagContact(ctx context.Context, who app.Caller, ref string, tag, untag []string) (postroom.Contact, error)
	Consents(ctx context.Context, who app.Caller, ref string) ([]postroom.Consent, error)
	ContactEvents(ctx context.Context, who app.Caller, ref string, q postroom.PageQuery) (postroom.Page[postroom.Event], error)
	ContactDeliveries(ctx context.Context, who app.Caller, ref string, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error)

	ImportContacts(ctx context.Context, who app.Caller, o app.ImportOptions, file io.Reader) (postroom.Import, error)
	Import(ctx context.Context, who app.Caller, id string) (postroom.Import, error)
	Imports(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Import], error)

	Lists(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.List], error)
	List(ctx context.Context, who app.Caller, ref string) (postroom.List, error)
	CreateList(ctx context.Context, who app.Caller, in app.ListInput) (postroom.List, error)
	UpdateList(ctx context.Context, who app.Caller, ref string, edit func(*app.ListInput) error) (postroom.List, error)
	DeleteList(ctx context.Context, who app.Caller, ref string) error
	Members(ctx context.Context, who app.Caller, list string, q postroom.PageQuery) (postroom.Page[postroom.Contact], error)
	AddMembers(ctx context.Context, who app.Caller, list string, refs []string, pending bool) ([]postroom.Contact, error)
	RemoveMember(ctx context.Context, who app.Caller, list, ref string) (postroom.Contact, error)
	ConfirmMember(ctx context.Context, who app.Caller, list, ref string) (postroom.Contact, error)

	Tags(ctx context.Context, who app.Caller) ([]postroom.Tag, error)
	RenameTag(ctx context.Context, who app.Caller, tag, name string) (postroom.Tag, error)
	DeleteTag(ctx context.Context, who app.Caller, tag string) error
	Fields(ctx context.Context, who app.Caller) ([]postroom.Field, error)
	Field(ctx context.Context, who app.Caller, name string) (postroom.Field, error)
	CreateField(ctx context.Context, who app.Caller, in app.FieldInput) (postroom.Field, error)
	UpdateField(ctx context.Context, who app.Caller, name string, edit func(*app.FieldInput) error) (postroom.Field, error)
	DeleteField(ctx context.Context, who app.Caller, name string) error

	Audit(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.AuditEntry], error)
}
