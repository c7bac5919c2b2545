package api

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// The part of fakeApp that is about contacts. It holds one of everything, and notes what it was asked.

func (f *fakeApp) contact() postroom.Contact {
	at := postroom.Timestamp{Time: testTime}
	return postroom.Contact{ID: fixedID[postroom.ContactID](), WorkspaceID: testWorkspace, Email: "ada@example.com", Status: postroom.ContactSubscribed, Tags: []string{"vip"},
		Lists:        []postroom.Membership{{ID: fixedID[postroom.ListID](), Name: "Newsletter", Status: postroom.MemberSubscribed, At: at}},
		CustomFields: map[string]json.RawMessage{"company": json.RawMessage(`"<A&B>"`), "n": json.RawMessage(`12345678901234567890`)}, CreatedAt: at, UpdatedAt: at, Version: 7}
}

// known refuses a contact that is not there.
func (f *fakeApp) known(ref string) error {
	if ref == "gone" {
		return notFound("contact")
	}
	return f.failWith
}

func (f *fakeApp) Contacts(_ context.Context, _ app.Caller, s app.ContactSearch, q postroom.PageQuery) (postroom.Page[postroom.Contact], error) {
	f.asked = []any{s, q}
	next := postroom.Cursor{ID: testEventID}.String()
	return postroom.Page[postroom.Contact]{Data: []postroom.Contact{f.contact()}, NextCursor: &next}, f.failWith
}

func (f *fakeApp) EachContact(_ context.Context, _ app.Caller, s app.ContactSearch, visit func(postroom.Contact) error) error {
	f.asked = s
	for range f.exported {
		if err := visit(f.contact()); err != nil {
			return err
		}
	}
	return f.exportErr
}

func (f *fakeApp) Contact(_ context.Context, _ app.Caller, ref string) (postroom.Contact, error) {
	return f.contact(), f.known(ref)
}

func (f *fakeApp) CreateContact(_ context.Context, _ app.Caller, in app.ContactInput) (postroom.Contact, error) {
	f.asked = in
	return f.contact(), f.failWith
}

func (f *fakeApp) UpsertContact(_ context.Context, _ app.Caller, email string, in app.ContactInput) (postroom.Contact, bool, error) {
	f.asked = []any{email, in}
	return f.contact(), strings.HasPrefix(email, "new"), f.known(email)
}

func (f *fakeApp) UpdateContact(_ context.Context, _ app.Caller, ref string, ifMatch int64, edit func(*app.ContactSettings) error) (postroom.Contact, error) {
	c := f.contact()
	if ifMatch != 0 && ifMatch != c.Version {
		return c, errChanged()
	}
	s := app.ContactSettings{Email: c.Email, FirstName: "Ada", Status: c.Status, Tags: c.Tags, CustomFields: c.CustomFields}
	if err := edit(&s); err != nil {
		return c, err
	}
	f.asked = s
	return c, f.known(ref)
}

func (f *fakeApp) DeleteContact(_ context.Context, _ app.Caller, ref string, ifMatch int64) error {
	f.asked = ifMatch
	return f.known(ref)
}

func (f *fakeApp) EraseContact(_ context.Context, _ app.Caller, ref string, progress func(int64)) (app.Erasure, error) {
	if err := f.known(ref); err != nil {
		return app.Erasure{}, err
	}
	progress(20)
	progress(40)
	return app.Erasure{ContactID: f.contact().ID, Rows: 40}, f.exportErr
}

func (f *fakeApp) TagContact(_ context.Context, _ app.Caller, ref string, tag, untag []string) (postroom.Contact, error) {
	f.asked = []any{tag, untag}
	return f.contact(), f.known(ref)
}

func (f *fakeApp) Consents(_ context.Context, _ app.Caller, ref string) ([]postroom.Consent, error) {
	c := f.contact()
	return []postroom.Consent{{At: c.CreatedAt, ContactID: c.ID, To: "subscribed", Origin: postroom.OriginAPI}}, f.known(ref)
}

func (f *fakeApp) ContactEvents(_ context.Context, _ app.Caller, ref string, q postroom.PageQuery) (postroom.Page[postroom.Event], error) {
	f.asked = q
	return postroom.Page[postroom.Event]{Data: []postroom.Event{f.event()}}, f.known(ref)
}

func (f *fakeApp) ContactDeliveries(_ context.Context, _ app.Caller, ref string, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error) {
	f.asked = q
	return postroom.Page[postroom.Delivery]{Data: []postroom.Delivery{f.delivery()}}, f.known(ref)
}

func (f *fakeApp) imported() postroom.Import {
	at := postroom.Timestamp{Time: testTime}
	return postroom.Import{ID: fixedID[postroom.ImportID](), State: postroom.ImportDone, Rows: 2, Created: 1, Refused: 1, CreatedAt: at, UpdatedAt: at, EndedAt: &at,
		Problems: []postroom.BadRow{{Row: 3, Email: "ada@", Errors: []postroom.FieldError{{Pointer: "/email", Detail: "is none"}}}}}
}

func (f *fakeApp) ImportContacts(_ context.Context, _ app.Caller, o app.ImportOptions, file io.Reader) (postroom.Import, error) {
	text, err := io.ReadAll(file)
	f.asked = []any{o, string(text)}
	if err == nil {
		err = f.failWith
	}
	return f.imported(), err
}

func (f *fakeApp) Import(context.Context, app.Caller, string) (postroom.Import, error) {
	return f.imported(), f.failWith
}

func (f *fakeApp) Imports(_ context.Context, _ app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Import], error) {
	f.asked = q
	return postroom.Page[postroom.Import]{Data: []postroom.Import{f.imported()}}, f.failWith
}

func (f *fakeApp) list() postroom.List {
	at := postroom.Timestamp{Time: testTime}
	return postroom.List{ID: fixedID[postroom.ListID](), Name: "Newsletter", Members: 12, CreatedAt: at, UpdatedAt: at}
}

func (f *fakeApp) Lists(_ context.Context, _ app.Caller, q postroom.PageQuery) (postroom.Page[postroom.List], error) {
	f.asked = q
	return postroom.Page[postroom.List]{Data: []postroom.List{f.list()}}, f.failWith
}

func (f *fakeApp) List(context.Context, app.Caller, string) (postroom.List, error) {
	return f.list(), f.failWith
}

func (f *fakeApp) CreateList(_ context.Context, _ app.Caller, in app.ListInput) (postroom.List, error) {
	f.asked = in
	return f.list(), f.failWith
}

func (f *fakeApp) UpdateList(_ context.Context, _ app.Caller, _ string, edit func(*app.ListInput) error) (postroom.List, error) {
	in := app.ListInput{Name: "Newsletter", Description: "Old."}
	err := edit(&in)
	f.asked = in
	return f.list(), err
}

func (f *fakeApp) DeleteList(context.Context, app.Caller, string) error { return f.failWith }

func (f *fakeApp) Members(_ context.Context, _ app.Caller, _ string, q postroom.PageQuery) (postroom.Page[postroom.Contact], error) {
	f.asked = q
	return postroom.Page[postroom.Contact]{Data: []postroom.Contact{f.contact()}}, f.failWith
}

func (f *fakeApp) AddMembers(_ context.Context, _ app.Caller, list string, refs []string, pending bool) ([]postroom.Contact, error) {
	f.asked = []any{list, refs, pending}
	return []postroom.Contact{f.contact()}, f.failWith
}

func (f *fakeApp) RemoveMember(_ context.Context, _ app.Caller, list, ref string) (postroom.Contact, error) {
	f.asked = []any{"remove", list, ref}
	return f.contact(), f.known(ref)
}

func (f *fakeApp) ConfirmMember(_ context.Context, _ app.Caller, list, ref string) (postroom.Contact, error) {
	f.asked = []any{"confirm", list, ref}
	return f.contact(), f.known(ref)
}

func (f *fakeApp) Tags(context.Context, app.Caller) ([]postroom.Tag, error) {
	return []postroom.Tag{{Name: "vip", Contacts: 3}}, f.failWith
}

func (f *fakeApp) RenameTag(_ context.Context, _ app.Caller, tag, name string) (postroom.Tag, error) {
	f.asked = []any{tag, name}
	return postroom.Tag{Name: name, Contacts: 3}, f.failWith
}

func (f *fakeApp) DeleteTag(_ context.Context, _ app.Caller, tag string) error {
	f.asked = tag
	return f.failWith
}

func (f *fakeApp) field() postroom.Field {
	at := postroom.Timestamp{Time: testTime}
	return postroom.Field{Name: "plan", Title: "Plan", Type: postroom.FieldChoice, Options: []string{"free", "pro"}, CreatedAt: at, UpdatedAt: at}
}

func (f *fakeApp) Fields(context.Context, app.Caller) ([]postroom.Field, error) {
	return []postroom.Field{f.field()}, f.failWith
}

func (f *fakeApp) Field(context.Context, app.Caller, string) (postroom.Field, error) {
	return f.field(), f.failWith
}

func (f *fakeApp) CreateField(_ context.Context, _ app.Caller, in app.FieldInput) (postroom.Field, error) {
	f.asked = in
	return f.field(), f.failWith
}

func (f *fakeApp) UpdateField(_ context.Context, _ app.Caller, name string, edit func(*app.FieldInput) error) (postroom.Field, error) {
	in := app.FieldInput{Name: name, Title: "Plan", Type: postroom.FieldChoice, Options: []string{"free"}}
	err := edit(&in)
	f.asked = in
	return f.field(), err
}

func (f *fakeApp) DeleteField(context.Context, app.Caller, string) error { return f.failWith }

func (f *fakeApp) Audit(_ context.Context, _ app.Caller, q postroom.PageQuery) (postroom.Page[postroom.AuditEntry], error) {
	f.asked = q
	return postroom.Page[postroom.AuditEntry]{Data: []postroom.AuditEntry{{ID: fixedID[postroom.AuditID](), At: postroom.Timestamp{Time: testTime}, Action: "list.created", Subject: "lst_x"}}}, f.failWith
}
