package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// fakeSources is the part of a fakeApp that has a source.
type fakeSources struct {
	source        postroom.Source
	watchedCalls  chan postroom.Request
	exportedCalls []postroom.Request
}

func newFakeSources() fakeSources {
	at := postroom.Timestamp{Time: testTime}
	settings := defaultSource()
	settings.Name = "Signup form"
	settings.APIKey = &postroom.SourceKey{Header: "X-Key", Key: postroom.Redacted}
	settings.Signature = &postroom.SourceSignature{Scheme: "hmac", Header: "X-Sign", Secret: postroom.Redacted}
	settings.Mapping = []postroom.MappingRow{{From: postroom.Paths{"contact_email"}, To: "email", Transform: []postroom.Transform{{Name: "trim"}}},
		{From: postroom.Paths{"first", "last"}, To: "custom_field.name", Transform: []postroom.Transform{{Name: "join", Arg: json.RawMessage(`" "`)}}}}
	settings.Actions = []postroom.Action{{Type: postroom.ActionAddSubscriber, Lists: []string{"Newsletter"}}}
	return fakeSources{
		watchedCalls: make(chan postroom.Request),
		source: postroom.Source{ID: fixedID[postroom.SourceID](), WorkspaceID: testWorkspace, SourceSettings: settings, URL: "https://example.com/in/src_x?token=***",
			Requests: postroom.RequestCounts{Total: 3, Failed: 1}, CreatedAt: at, UpdatedAt: at, Version: 7},
	}
}

func defaultSource() postroom.SourceSettings {
	return postroom.SourceSettings{Kind: postroom.KindGeneric, Status: postroom.SourceActive, RequireToken: true, IPAllow: []string{}, Dedupe: postroom.Dedupe{By: postroom.DedupeAuto},
		Mapping: []postroom.MappingRow{}, Actions: []postroom.Action{}}
}

func (f *fakeApp) DefaultSource() postroom.SourceSettings { return defaultSource() }

func (f *fakeApp) CreateSource(_ context.Context, _ app.Caller, in postroom.SourceSettings) (postroom.Source, error) {
	s := f.source
	s.SourceSettings, s.Version, s.URL = in, 1, "https://example.com/in/src_x?token=whole"
	return s, nil
}

func (f *fakeApp) Sources(_ context.Context, _ app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Source], error) {
	f.asked = q
	return postroom.Page[postroom.Source]{Data: []postroom.Source{f.source}}, nil
}

func (f *fakeApp) Source(_ context.Context, who app.Caller, ref string, showToken bool) (postroom.Source, error) {
	if ref != "crm" && ref != f.source.ID.String() {
		return postroom.Source{}, notFound("source")
	}
	s := f.source
	if showToken {
		if !who.Role.Allows(postroom.RoleAdmin) {
			return s, postroom.Errorf(postroom.CodeForbidden, "This needs the role admin.")
		}
		s.URL = "https://example.com/in/src_x?token=whole"
	}
	return s, nil
}

func (f *fakeApp) UpdateSource(ctx context.Context, who app.Caller, ref string, ifMatch int64, change func(*postroom.SourceSettings) error) (postroom.Source, error) {
	s, err := f.Source(ctx, who, ref, false)
	if err != nil {
		return s, err
	}
	if ifMatch != 0 && ifMatch != s.Version {
		return s, errChanged()
	}
	if err := change(&s.SourceSettings); err != nil {
		return s, err
	}
	s.Version++
	f.source = s
	return s, nil
}

func (f *fakeApp) DeleteSource(ctx context.Context, who app.Caller, ref string, ifMatch int64) error {
	s, err := f.Source(ctx, who, ref, false)
	if err == nil && ifMatch != 0 && ifMatch != s.Version {
		err = errChanged()
	}
	return err
}

func (f *fakeApp) RenewSourceToken(ctx context.Context, who app.Caller, ref string) (postroom.Source, error) {
	return f.Source(ctx, who, ref, true)
}

func (f *fakeApp) TestSource(_ context.Context, _ app.Caller, ref string, in app.SourceTestInput) (postroom.Request, postroom.SourceTest, error) {
	f.asked = []any{ref, in}
	at := postroom.Timestamp{Time: testTime}
	return f.request(), postroom.SourceTest{Items: []postroom.SourceTestItem{{Number: 1, Input: json.RawMessage(`{"a":"<"}`), Type: "contact.created", Time: &at,
		Fields: map[string]json.RawMessage{"email": json.RawMessage(`"ada@example.com"`)}, Data: json.RawMessage(`{}`),
		Contact: &postroom.Contact{ID: fixedID[postroom.ContactID](), Email: "ada@example.com", Status: postroom.ContactSubscribed, Lists: []postroom.Membership{}, Tags: []string{},
			CustomFields: map[string]json.RawMessage{}, CreatedAt: at, UpdatedAt: at},
		Events: []postroom.SourceTestEvent{{Type: "contact.created", Data: json.RawMessage(`{}`)}},
		Error:  &postroom.RequestError{Kind: "mapping", Message: "No.", Row: 2, Path: "a", Value: "x"}}, {Number: 2, Input: json.RawMessage(`{}`), Data: json.RawMessage(`{}`)}}}, nil
}

func (f *fakeApp) SourceStats(_ context.Context, _ app.Caller, _ string, span app.Span) (postroom.SourceStats, error) {
	f.asked = []any{span}
	return postroom.SourceStats{After: postroom.Timestamp{Time: testTime}, Before: postroom.Timestamp{Time: testTime}, Requests: 3}, nil
}

func (f *fakeApp) request() postroom.Request {
	contact, delivery := fixedID[postroom.ContactID](), fixedID[postroom.DeliveryID]()
	return postroom.Request{ID: fixedID[postroom.RequestID](), WorkspaceID: testWorkspace, SourceID: f.source.ID, At: testTime, Method: "POST", Target: "/in/src_x?token=***",
		Headers: []postroom.Header{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(`{"a":"<"}`), Sender: "203.0.113.7",
		RequestResult: postroom.RequestResult{State: postroom.RequestRetry, DueAt: testTime.Add(time.Minute), Attempts: 2, EventType: "contact.created", Records: 1,
			Duration: 3400 * time.Microsecond, Status: 202, Answer: json.RawMessage(`{"success":true}`), Log: postroom.RequestLog{
				Error:    &postroom.RequestError{Kind: "action", Message: "No.", Event: 1, Action: 2},
				Warnings: []postroom.RequestNote{{Kind: "mapping", Message: "=Odd"}},
				Actions: []postroom.ActionResult{{Event: 1, Action: 1, Type: postroom.ActionAddSubscriber, Outcome: postroom.OutcomeDone, At: postroom.Timestamp{Time: testTime},
					ContactID: &contact, DeliveryID: &delivery}},
				Events: []string{"evt_1"}, Contacts: []postroom.ContactID{contact}}}}
}

func (f *fakeApp) Requests(_ context.Context, _ app.Caller, filter postroom.RequestFilter, q postroom.PageQuery) (postroom.Page[postroom.Request], error) {
	f.asked = []any{filter, q}
	return postroom.Page[postroom.Request]{Data: []postroom.Request{f.request()}}, nil
}

func (f *fakeApp) Request(context.Context, app.Caller, string) (postroom.Request, error) {
	return f.request(), nil
}

func (f *fakeApp) RetryRequest(context.Context, app.Caller, string) (postroom.Request, error) {
	return f.request(), nil
}

func (f *fakeApp) ResendRequest(context.Context, app.Caller, string) (postroom.Request, error) {
	r := f.request()
	from := r.ID
	r.ResentFrom = &from
	return r, nil
}

func (f *fakeApp) EachRequest(_ context.Context, _ app.Caller, filter postroom.RequestFilter, whole bool, visit func(postroom.Request) error) error {
	f.asked = []any{filter, whole}
	for _, r := range f.exportedCalls {
		if err := visit(r); err != nil {
			return err
		}
	}
	return f.exportErr
}

func (f *fakeApp) ClearRequests(context.Context, app.Caller, string) (int64, error) { return 12, nil }

func (f *fakeApp) WatchRequests(_ context.Context, _ app.Caller, source string, since postroom.RequestID) (<-chan postroom.Request, error) {
	f.asked = []any{source, since}
	return f.watchedCalls, nil
}
