package api

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// fakeApp is an App in memory that holds one of everything. It knows as much of the rules as the tests of HTTP need.
type fakeApp struct {
	mu        sync.Mutex
	webhook   postroom.Webhook
	published []app.NewEvent
	dedupe    []string // of each call of Publish
	answers   map[string]*idempotent
	custom    *app.EventTypeInput
	asked     any   // the filter or argument of the last call that has one
	failWith  error // what Publish, Events and Ready return, if set
	failFrom  int   // Publish fails from so many events on
	panicWith any   // what Events panics with, if set
	watched   chan postroom.Event
	exportErr error // what EachDelivery returns after its deliveries
	exported  []postroom.Delivery
	fakeSources
}

type idempotent struct {
	hash   [32]byte
	answer *app.StoredAnswer // nil while in flight
}

var (
	testTime      = time.Date(2026, 1, 31, 9, 30, 0, 127e6, time.UTC)
	testWorkspace = fixedID[postroom.WorkspaceID]()
	testEventID   = fixedID[postroom.EventID]()
)

// fixedID is an id that is the same in every run.
func fixedID[T ~[16]byte]() T {
	var b [16]byte
	copy(b[:], []byte{0x01, 0x9c, 0x12, 0x5d, 0xc5, 0x3f, 0x70, 0x01, 0x80, 1, 2, 3, 4, 5, 6, 7})
	return T(b)
}

func newFake() *fakeApp {
	at := postroom.Timestamp{Time: testTime}
	return &fakeApp{
		answers: map[string]*idempotent{},
		watched: make(chan postroom.Event), fakeSources: newFakeSources(),
		webhook: postroom.Webhook{
			ID: fixedID[postroom.WebhookID](), WorkspaceID: testWorkspace, Status: postroom.WebhookActive, Secrets: 1,
			CreatedAt: at, UpdatedAt: at, Version: 7,
			WebhookSettings: postroom.WebhookSettings{
				Name: "CRM sync", URL: "https://example.com/hooks", Events: []string{"email.*"}, Dialect: "standard", Method: "POST",
				Headers: map[string]string{"x-tenant": "production", "x-b": "<&>"}, Auth: &postroom.Auth{Type: postroom.AuthAPIKey, Header: "X-Key", Key: postroom.Redacted},
				Payload: &postroom.Payload{Template: json.RawMessage(`{"z":1,"a":{"c":"<","b":2}}`)}, Retry: postroom.Retry{Schedule: []postroom.Duration{postroom.Duration(5 * time.Second)}, Jitter: 0.1},
				Timeout: postroom.Duration(15 * time.Second), Concurrency: 8, Ordering: postroom.OrderingNone,
			},
		},
	}
}

func (f *fakeApp) Authenticate(_ context.Context, key string) (app.Caller, error) {
	role, _ := strings.CutPrefix(key, "prk_")
	who := app.Caller{Workspace: testWorkspace, Role: postroom.Role(role)}
	if role == "operator" {
		who.Role, who.Operator = postroom.RoleAdmin, true
	}
	if !who.Role.Valid() {
		return app.Caller{}, postroom.Errorf(postroom.CodeUnauthenticated, "The API key is not valid.")
	}
	return who, nil
}

func (f *fakeApp) Ready(context.Context) error { return f.failWith }

func (f *fakeApp) Publish(_ context.Context, _ app.Caller, events []app.NewEvent, dedupe string) ([]app.PublishResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failWith != nil && len(f.published) >= f.failFrom {
		return nil, f.failWith
	}
	f.dedupe = append(f.dedupe, dedupe)
	results := make([]app.PublishResult, len(events))
	for i, e := range events {
		if e.Type == "no.such" {
			results[i].Err = postroom.Invalid(postroom.CodeUnknownEventType, "/type", "is not an event type")
			continue
		}
		f.published = append(f.published, e)
		at := e.Time
		if at.IsZero() {
			at = testTime
		}
		id := e.UID
		if id == "" {
			id = testEventID.String()
		}
		results[i].Event = postroom.Published{ID: id, Type: e.Type, Time: postroom.Timestamp{Time: at}, Webhooks: []postroom.WebhookID{f.webhook.ID}}
	}
	return results, nil
}

func (f *fakeApp) event() postroom.Event {
	return postroom.Event{ID: testEventID, WorkspaceID: testWorkspace, UID: "order-1", Type: "email.opened", Time: testTime, Data: []byte("{\n  \"a\": \"<&>\"\n}")}
}

func (f *fakeApp) Events(_ context.Context, _ app.Caller, filter postroom.EventFilter, q postroom.PageQuery) (postroom.Page[postroom.Event], error) {
	if f.panicWith != nil {
		panic(f.panicWith)
	}
	f.asked = []any{filter, q}
	next, prev := postroom.Cursor{ID: testEventID}.String(), postroom.Cursor{Newer: true, ID: testEventID}.String()
	return postroom.Page[postroom.Event]{Data: []postroom.Event{f.event()}, NextCursor: &next, PrevCursor: &prev}, f.failWith
}

func (f *fakeApp) Event(_ context.Context, _ app.Caller, id string) (postroom.Event, []postroom.Delivery, error) {
	if id != "order-1" && id != testEventID.String() {
		return postroom.Event{}, nil, notFound("event")
	}
	return f.event(), []postroom.Delivery{f.delivery()}, nil
}

func notFound(what string) error {
	return postroom.Errorf(postroom.CodeNotFound, "There is no such %s in this workspace.", what)
}

func (f *fakeApp) ReplayEvent(_ context.Context, _ app.Caller, _ string, webhooks []string) ([]postroom.Delivery, error) {
	f.asked = webhooks
	return []postroom.Delivery{f.delivery()}, nil
}

func (f *fakeApp) PreviewEventReplay(_ context.Context, _ app.Caller, _ string, webhooks []string) ([]postroom.WebhookID, error) {
	f.asked = webhooks
	return []postroom.WebhookID{f.webhook.ID}, nil
}

func (f *fakeApp) WatchEvents(_ context.Context, _ app.Caller, types []string) (<-chan postroom.Event, error) {
	f.asked = types
	return f.watched, nil
}

func (f *fakeApp) EventTypes(context.Context, app.Caller) ([]postroom.EventType, error) {
	return []postroom.EventType{f.eventType(app.EventTypeInput{Name: "email.opened"}, false)}, nil
}

func (f *fakeApp) eventType(in app.EventTypeInput, custom bool) postroom.EventType {
	at := &postroom.Timestamp{Time: testTime}
	return postroom.EventType{Name: in.Name, Group: in.Group, Title: in.Title, Description: in.Description, Schema: in.Schema, Sample: in.Sample, Custom: custom, CreatedAt: at, UpdatedAt: at}
}

func (f *fakeApp) EventType(_ context.Context, _ app.Caller, name string) (postroom.EventType, error) {
	if name != "email.opened" {
		return postroom.EventType{}, notFound("event type")
	}
	return f.eventType(app.EventTypeInput{Name: name, Schema: json.RawMessage(`{"type":"object"}`)}, false), nil
}

func (f *fakeApp) CreateEventType(_ context.Context, _ app.Caller, in app.EventTypeInput) (postroom.EventType, error) {
	f.custom = &in
	return f.eventType(in, true), nil
}

func (f *fakeApp) UpdateEventType(_ context.Context, _ app.Caller, name string, change func(*app.EventTypeInput) error) (postroom.EventType, error) {
	in := app.EventTypeInput{Name: name, Title: "Order paid", Schema: json.RawMessage(`{"type":"object"}`)}
	if err := change(&in); err != nil {
		return postroom.EventType{}, err
	}
	f.custom = &in
	return f.eventType(in, true), nil
}

func (f *fakeApp) DeleteEventType(context.Context, app.Caller, string) error { return nil }

func (f *fakeApp) EventTypeSample(context.Context, app.Caller, string) (json.RawMessage, error) {
	return json.RawMessage(`{"type":"email.opened","time":"2026-01-31T09:30:00.000Z","data":{}}`), nil
}

func (f *fakeApp) CreateWebhook(_ context.Context, _ app.Caller, in postroom.WebhookSettings, status postroom.WebhookStatus, _ string) (postroom.Webhook, string, error) {
	w := f.webhook
	w.WebhookSettings, w.Status, w.Version = in, status, 1
	if w.Ordering == "" {
		w.Ordering = postroom.OrderingNone
	}
	return w, "whsec_secret", nil
}

func (f *fakeApp) Webhooks(_ context.Context, _ app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) {
	f.asked = q
	return postroom.Page[postroom.Webhook]{Data: []postroom.Webhook{f.webhook}}, nil
}

func (f *fakeApp) Webhook(_ context.Context, _ app.Caller, ref string) (postroom.Webhook, error) {
	if ref != "crm" && ref != f.webhook.ID.String() {
		return postroom.Webhook{}, notFound("webhook")
	}
	return f.webhook, nil
}

func (f *fakeApp) UpdateWebhook(ctx context.Context, who app.Caller, ref string, ifMatch int64, change func(*postroom.WebhookSettings) error) (postroom.Webhook, error) {
	w, err := f.Webhook(ctx, who, ref)
	if err != nil {
		return w, err
	}
	if ifMatch != 0 && ifMatch != w.Version {
		return w, errChanged()
	}
	if err := change(&w.WebhookSettings); err != nil {
		return w, err
	}
	w.Version++
	f.webhook = w
	return w, nil
}

func (f *fakeApp) DeleteWebhook(ctx context.Context, who app.Caller, ref string, ifMatch int64) error {
	w, err := f.Webhook(ctx, who, ref)
	if err == nil && ifMatch != 0 && ifMatch != w.Version {
		err = errChanged()
	}
	return err
}

func (f *fakeApp) PauseWebhook(_ context.Context, _ app.Caller, _, reason string) (postroom.Webhook, error) {
	w := f.webhook
	w.Status, w.StatusReason = postroom.WebhookPaused, reason
	return w, nil
}

func (f *fakeApp) ResumeWebhook(_ context.Context, _ app.Caller, _, held string) (postroom.Webhook, int64, error) {
	f.asked = held
	return f.webhook, 12, nil
}

func (f *fakeApp) attempt() postroom.Attempt {
	return postroom.Attempt{
		DeliveryID: fixedID[postroom.DeliveryID](), Number: 1, At: testTime, StatusCode: 500, Duration: 41700 * time.Microsecond,
		Request:  postroom.SentRequest{Method: "POST", URL: "https://example.com/hooks", Body: []byte(`{}`)},
		Response: &postroom.Response{StatusCode: 500, Headers: []postroom.Header{{Name: "server", Value: "x"}}, Body: []byte{0xff, 0xfe}},
		Error:    &postroom.AttemptError{Kind: "status", Message: "The receiver answered 500."},
	}
}

func (f *fakeApp) TestWebhook(_ context.Context, _ app.Caller, _, eventType string, data json.RawMessage) (postroom.Delivery, postroom.Attempt, error) {
	f.asked = []any{eventType, string(data)}
	return f.delivery(), f.attempt(), nil
}

func (f *fakeApp) HeldDeliveries(context.Context, app.Caller, string) (postroom.Webhook, int64, *time.Time, error) {
	return f.webhook, 7, &testTime, nil
}

func (f *fakeApp) replay(filter postroom.ReplayFilter) postroom.Replay {
	filter.Before = testTime
	return postroom.Replay{ID: fixedID[postroom.ReplayID](), WorkspaceID: testWorkspace, ReplayFilter: filter, State: postroom.ReplayRunning, Total: 3, Done: 2,
		CreatedBy: fixedID[postroom.KeyID](), CreatedAt: testTime, UpdatedAt: testTime}
}

func (f *fakeApp) PreviewReplay(_ context.Context, _ app.Caller, ref string, filter postroom.ReplayFilter) (app.ReplayPreview, error) {
	f.asked = []any{"preview", ref, filter}
	return app.ReplayPreview{ReplayFilter: f.replay(filter).ReplayFilter, Total: 5, AtLeast: true, ByStatus: map[postroom.DeliveryStatus]int64{postroom.DeliveryFailed: 5},
		ByType: map[string]int64{"email.opened": 4, "order.paid": 1}}, f.failWith
}

func (f *fakeApp) StartReplay(_ context.Context, _ app.Caller, ref string, filter postroom.ReplayFilter) (postroom.Replay, error) {
	f.asked = []any{"start", ref, filter}
	return f.replay(filter), f.failWith
}

func (f *fakeApp) Replays(_ context.Context, _ app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Replay], error) {
	f.asked = q
	return postroom.Page[postroom.Replay]{Data: []postroom.Replay{f.replay(postroom.ReplayFilter{})}}, f.failWith
}

func (f *fakeApp) Replay(context.Context, app.Caller, string) (postroom.Replay, int64, error) {
	r := f.replay(postroom.ReplayFilter{Webhook: f.webhook.ID, After: testTime, Status: postroom.DeliveryFailed, Types: []string{"email.*"}})
	return r, 1, f.failWith
}

func (f *fakeApp) CancelReplay(ctx context.Context, who app.Caller, ref string) (postroom.Replay, int64, error) {
	r, _, err := f.Replay(ctx, who, ref)
	r.State, r.Withdrawn, r.EndedAt = postroom.ReplayCancelled, 1, &testTime
	return r, 0, err
}

func (f *fakeApp) secret() postroom.Secret {
	return postroom.Secret{ID: fixedID[postroom.SecretID](), Kind: postroom.SecretHMAC, CreatedAt: postroom.Timestamp{Time: testTime}}
}

func (f *fakeApp) WebhookSecrets(context.Context, app.Caller, string) ([]postroom.Secret, error) {
	return []postroom.Secret{f.secret()}, nil
}

func (f *fakeApp) RotateSecret(_ context.Context, _ app.Caller, _ string, kind postroom.SecretKind, given string, overlap time.Duration) (postroom.Secret, string, error) {
	f.asked = []any{kind, given, overlap}
	return f.secret(), "whsec_new", nil
}

func (f *fakeApp) WebhookStats(ctx context.Context, who app.Caller, _ string, span app.Span) (postroom.Stats, error) {
	return f.WorkspaceStats(ctx, who, span)
}

func (f *fakeApp) WorkspaceStats(_ context.Context, _ app.Caller, span app.Span) (postroom.Stats, error) {
	f.asked = []any{span}
	return postroom.Stats{After: postroom.Timestamp{Time: testTime}, Before: postroom.Timestamp{Time: testTime}}, nil
}

func (f *fakeApp) delivery() postroom.Delivery {
	return postroom.Delivery{
		ID: fixedID[postroom.DeliveryID](), WorkspaceID: testWorkspace, EventID: testEventID, EventUID: "order-1", EventType: "email.opened",
		WebhookID: f.webhook.ID, Status: postroom.DeliverySucceeded, Attempts: 1, LastStatusCode: 200, LastAt: &testTime,
	}
}

func (f *fakeApp) Deliveries(_ context.Context, _ app.Caller, filter postroom.DeliveryFilter, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error) {
	f.asked = []any{filter, q}
	return postroom.Page[postroom.Delivery]{Data: []postroom.Delivery{f.delivery()}}, nil
}

func (f *fakeApp) Delivery(context.Context, app.Caller, string) (postroom.Delivery, []postroom.Attempt, error) {
	return f.delivery(), []postroom.Attempt{f.attempt()}, nil
}

func (f *fakeApp) RetryDelivery(context.Context, app.Caller, string) (postroom.Delivery, error) {
	return f.delivery(), nil
}

func (f *fakeApp) EachDelivery(_ context.Context, _ app.Caller, filter postroom.DeliveryFilter, visit func(postroom.Delivery) error) error {
	f.asked = filter
	for _, d := range f.exported {
		if err := visit(d); err != nil {
			return err
		}
	}
	return f.exportErr
}

func (f *fakeApp) EachAttempt(_ context.Context, _ app.Caller, filter postroom.DeliveryFilter, visit func(postroom.Delivery, postroom.Attempt) error) error {
	f.asked = filter
	for _, d := range f.exported {
		if err := visit(d, f.attempt()); err != nil {
			return err
		}
	}
	return f.exportErr
}

func (f *fakeApp) key(role postroom.Role) postroom.Key {
	return postroom.Key{ID: fixedID[postroom.KeyID](), WorkspaceID: testWorkspace, Name: "shop", Role: role, Hint: "prk_7Qm2", CreatedAt: postroom.Timestamp{Time: testTime}}
}

func (f *fakeApp) CreateKey(_ context.Context, _ app.Caller, name string, role postroom.Role, expires *time.Time) (postroom.Key, string, error) {
	f.asked = []any{name, role, expires}
	return f.key(role), "prk_new", nil
}

func (f *fakeApp) Keys(context.Context, app.Caller) ([]postroom.Key, error) {
	return []postroom.Key{f.key(postroom.RoleAdmin)}, nil
}

func (f *fakeApp) Key(context.Context, app.Caller, string) (postroom.Key, error) {
	return f.key(postroom.RoleAdmin), nil
}

func (f *fakeApp) DeleteKey(context.Context, app.Caller, string) error { return nil }

func (f *fakeApp) CustomerWebhooks(_ context.Context, _ app.Caller, customer string, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) {
	f.asked = []any{customer, q}
	return postroom.Page[postroom.Webhook]{Data: []postroom.Webhook{f.webhook}}, nil
}

func (f *fakeApp) Portal(context.Context, app.Caller) (postroom.Portal, error) {
	return postroom.Portal{Name: "Acme", Dialect: "standard", Events: []string{"*"}, FrameOrigins: []string{}}, nil
}

func (f *fakeApp) UpdatePortal(ctx context.Context, who app.Caller, edit func(*postroom.Portal) error) (postroom.Portal, error) {
	p, err := f.Portal(ctx, who)
	if err != nil {
		return p, err
	}
	err = edit(&p)
	return p, err
}

func (f *fakeApp) PortalLink(_ context.Context, _ app.Caller, customer string, life time.Duration) (postroom.PortalLink, error) {
	f.asked = []any{customer, life}
	return postroom.PortalLink{URL: "https://example.com/portal/x", ExpiresAt: postroom.Timestamp{Time: testTime}}, nil
}

func (f *fakeApp) EndPortalLinks(context.Context, app.Caller) error { return nil }

func (f *fakeApp) member(in app.MemberSettings) postroom.Member {
	return postroom.Member{ID: fixedID[postroom.MemberID](), WorkspaceID: testWorkspace, Email: "ada@example.com", Name: in.Name, Phone: in.Phone, Role: in.Role,
		MayTrigger: in.MayTrigger, Status: postroom.MemberInvited, CreatedAt: postroom.Timestamp{Time: testTime}, UpdatedAt: postroom.Timestamp{Time: testTime}}
}

func (f *fakeApp) link() app.Link {
	return app.Link{URL: "https://example.com/sign-in/x", ExpiresAt: postroom.Timestamp{Time: testTime}}
}

func testMember() app.MemberSettings {
	return app.MemberSettings{Name: "Ada", Role: postroom.RoleViewer, MayTrigger: []string{"*"}}
}

func (f *fakeApp) InviteMember(_ context.Context, _ app.Caller, in app.MemberInput) (postroom.Member, app.Link, error) {
	f.asked = []any{in}
	return f.member(in.MemberSettings), f.link(), nil
}

func (f *fakeApp) WorkspaceMembers(context.Context, app.Caller) ([]postroom.Member, error) {
	return []postroom.Member{f.member(testMember())}, nil
}

func (f *fakeApp) Member(context.Context, app.Caller, string) (postroom.Member, error) {
	return f.member(testMember()), nil
}

func (f *fakeApp) UpdateMember(_ context.Context, _ app.Caller, _ string, change func(*app.MemberSettings) error) (postroom.Member, error) {
	s := testMember()
	err := change(&s)
	return f.member(s), err
}

func (f *fakeApp) DeleteMember(context.Context, app.Caller, string) error { return nil }

func (f *fakeApp) LinkMember(context.Context, app.Caller, string) (postroom.Member, app.Link, error) {
	return f.member(testMember()), f.link(), nil
}

func (f *fakeApp) workspace(name string) postroom.Workspace {
	return postroom.Workspace{ID: testWorkspace, Name: name, CreatedAt: postroom.Timestamp{Time: testTime}, UpdatedAt: postroom.Timestamp{Time: testTime}}
}

func (f *fakeApp) CreateWorkspace(_ context.Context, _ app.Caller, name string) (postroom.Workspace, postroom.Key, string, error) {
	return f.workspace(name), f.key(postroom.RoleAdmin), "prk_first", nil
}

func (f *fakeApp) Workspaces(context.Context, app.Caller) ([]postroom.Workspace, error) {
	return nil, nil
}

func (f *fakeApp) Workspace(context.Context, app.Caller, string) (postroom.Workspace, error) {
	return f.workspace("Acme"), nil
}

func (f *fakeApp) UpdateWorkspace(_ context.Context, _ app.Caller, _, name string) (postroom.Workspace, error) {
	return f.workspace(name), nil
}

func (f *fakeApp) DeleteWorkspace(context.Context, app.Caller, string) error { return nil }

func (f *fakeApp) BeginIdempotent(_ context.Context, _ app.Caller, key string, hash [32]byte) (*app.StoredAnswer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch was := f.answers[key]; {
	case was == nil:
		f.answers[key] = &idempotent{hash: hash}
		return nil, nil
	case was.hash != hash:
		return nil, postroom.Errorf(postroom.CodeIdempotencyReuse, "The Idempotency-Key was used with another request.")
	case was.answer == nil:
		return nil, postroom.Errorf(postroom.CodeInFlight, "A call with this Idempotency-Key is still running.")
	default:
		return was.answer, nil
	}
}

func (f *fakeApp) HoldIdempotent(context.Context, app.Caller, string, [32]byte) (stop func()) {
	return func() {}
}

func (f *fakeApp) CompleteIdempotent(_ context.Context, _ app.Caller, key string, answer app.StoredAnswer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[key].answer = &answer
	return nil
}

func (f *fakeApp) AbandonIdempotent(_ context.Context, _ app.Caller, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.answers, key)
	return nil
}

func (f *fakeApp) PreviewWebhook(_ context.Context, _ app.Caller, ref string, in app.PreviewInput) (app.Preview, error) {
	f.asked = []any{ref, in}
	return fakePreview(), nil
}

func (f *fakeApp) PreviewSettings(_ context.Context, _ app.Caller, s postroom.WebhookSettings, in app.PreviewInput) (app.Preview, error) {
	f.asked = []any{s, in}
	return fakePreview(), nil
}

func fakePreview() app.Preview {
	return app.Preview{Event: postroom.Event{UID: "order-1", Type: "email.opened", Time: testTime},
		Request: postroom.SentRequest{Method: "POST", URL: "https://example.com/hooks", Headers: []postroom.Header{{Name: "X-A", Value: "b"}}, Body: []byte(`{"a":"<"}`)},
		Notes:   []postroom.FieldError{{Pointer: "/payload/template/a", Detail: "{x} failed"}}}
}

// defaultSettings are those of any dialect.
func defaultSettings() postroom.WebhookSettings {
	return postroom.WebhookSettings{Dialect: "standard", Method: "POST", Headers: map[string]string{}, Auth: &postroom.Auth{Type: postroom.AuthNone},
		Retry:   postroom.Retry{Schedule: []postroom.Duration{postroom.Duration(5 * time.Second), postroom.Duration(5 * time.Minute)}, Jitter: 0.1},
		Timeout: postroom.Duration(15 * time.Second), Concurrency: 8, Ordering: postroom.OrderingNone,
		Disable: postroom.DisableAfter{For: postroom.Duration(120 * time.Hour)}}
}

func (f *fakeApp) DefaultSettings(dialect string) postroom.WebhookSettings {
	s := defaultSettings()
	if dialect != "" {
		s.Dialect = dialect
	}
	return s
}

func (f *fakeApp) dialect() postroom.DialectResource {
	d := defaultSettings()
	return postroom.DialectResource{Name: "standard", Title: "Standard Webhooks", Events: []postroom.DialectEvent{}, Others: true, ContentType: "application/json",
		Bodies: []postroom.DialectBody{{Events: "*", Template: "{}"}}, Headers: []postroom.DialectHeader{}, Signature: postroom.DialectSignature{Scheme: "standard"},
		Auth: postroom.AuthTypes(), Defaults: postroom.DialectDefaults{Method: d.Method, Retry: d.Retry, Timeout: d.Timeout, Disable: d.Disable}, Test: "postroom.test"}
}

func (f *fakeApp) ListDialects(context.Context, app.Caller) ([]postroom.DialectResource, error) {
	return []postroom.DialectResource{f.dialect()}, nil
}

func (f *fakeApp) FindDialect(_ context.Context, _ app.Caller, name string) (postroom.DialectResource, error) {
	if name != "standard" {
		return postroom.DialectResource{}, postroom.Errorf(postroom.CodeNotFound, "There is no dialect %s.", name)
	}
	d := f.dialect()
	d.Samples = []postroom.DialectSample{{Type: "postroom.test", Name: "postroom.test", Request: postroom.RequestResource{Method: "POST",
		URL: "https://example.com/", Headers: []postroom.Header{{Name: "Content-Type", Value: "application/json"}}, Body: "{}"}}}
	return d, nil
}
