package app

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// ContactSearch chooses contacts. What is empty does not filter.
type ContactSearch struct {
	postroom.ContactFilter
	ListRef string // the id or name of a list
}

// ContactInput is what is wanted of a contact that is made, or changed if it is there.
type ContactInput struct {
	Fields  postroom.ContactFields
	Tags    []string // given to it
	Lists   []string // names or ids of lists that it joins; one that does not exist is made
	Pending bool     // what it joins is to be confirmed first
}

// ContactSettings are the fields of a contact that can be set, as a whole.
type ContactSettings struct {
	UID          *string                    `json:"uid"`
	Email        string                     `json:"email"`
	Phone        string                     `json:"phone"`
	FirstName    string                     `json:"first_name"`
	LastName     string                     `json:"last_name"`
	Status       postroom.ContactStatus     `json:"status"`
	Source       string                     `json:"source"`
	Tags         []string                   `json:"tags"`
	CustomFields map[string]json.RawMessage `json:"custom_fields"`
}

// contactFilter checks a search, and finds the list that it names.
func (a *App) contactFilter(ctx context.Context, who Caller, s ContactSearch) (postroom.ContactFilter, error) {
	f := s.ContactFilter
	var p postroom.Problems
	for _, text := range []struct{ pointer, text string }{{"?email", f.Email}, {"?phone", f.Phone}, {"?tag", f.Tag}, {"?field", f.Field}, {"?value", f.Value},
		{"?q", f.Text}, {"?list", s.ListRef}} {
		checkSearch(&p, text.pointer, text.text)
	}
	if f.Status != "" {
		checkChoice(&p, "?status", f.Status, postroom.ContactStatuses())
	}
	if f.Phone != "" {
		phone, err := contacts.Phone(f.Phone)
		if err != nil {
			p.Add("?phone", "%s", err.Error())
		}
		f.Phone = phone
	}
	if (f.Field == "") != (f.Value == "") {
		p.Add("?field", "field and value go together: the name of a custom field, and what it holds")
	}
	if err := p.Err(); err != nil || s.ListRef == "" {
		return f, err
	}
	l, err := a.findList(ctx, who, s.ListRef)
	if postroom.CodeOf(err) == postroom.CodeNotFound {
		return f, postroom.Invalid(postroom.CodeInvalid, "?list", "there is no list %s in this workspace", quote(s.ListRef))
	}
	f.List = l.ID
	return f, err
}

// Contacts lists contacts, newest first.
func (a *App) Contacts(ctx context.Context, who Caller, s ContactSearch, q postroom.PageQuery) (postroom.Page[postroom.Contact], error) {
	var none postroom.Page[postroom.Contact]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	f, err := a.contactFilter(ctx, who, s)
	if err != nil {
		return none, err
	}
	return a.contactPage(ctx, who, f, q)
}

func (a *App) contactPage(ctx context.Context, who Caller, f postroom.ContactFilter, q postroom.PageQuery) (postroom.Page[postroom.Contact], error) {
	var none postroom.Page[postroom.Contact]
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, rest, err := a.Store.Contacts(ctx, who.Workspace, f, cursor, limit+1)
	if err != nil {
		return none, err
	}
	return postroom.NewPage(found, limit, cursor, rest, func(c postroom.Contact) [16]byte { return c.ID }), nil
}

// EachContact visits all contacts that a search finds, newest first, a page at a time. Between its visits no connection of the database is held.
func (a *App) EachContact(ctx context.Context, who Caller, s ContactSearch, visit func(postroom.Contact) error) error {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return err
	}
	f, err := a.contactFilter(ctx, who, s)
	if err != nil {
		return err
	}
	a.audit(ctx, who, "contacts.exported", who.Workspace.String(), nil)
	return a.eachContact(ctx, who, f, visit)
}

func (a *App) eachContact(ctx context.Context, who Caller, f postroom.ContactFilter, visit func(postroom.Contact) error) error {
	q := postroom.PageQuery{Limit: postroom.MaxPageLimit}
	for {
		page, err := a.contactPage(ctx, who, f, q)
		if err != nil {
			return err
		}
		for _, c := range page.Data {
			if err := visit(c); err != nil {
				return err
			}
		}
		if page.NextCursor == nil {
			return nil
		}
		q.Cursor = *page.NextCursor
	}
}

// contactRefs are the contacts that a text may mean: by id; else by email or uid.
func contactRefs(ref string) []postroom.ContactRef {
	if id, err := postroom.ParseID[postroom.ContactKind](ref); err == nil {
		return []postroom.ContactRef{{ID: id}}
	}
	if strings.Contains(ref, "@") {
		return []postroom.ContactRef{{Email: ref}, {UID: ref}}
	}
	return []postroom.ContactRef{{UID: ref}}
}

func noContact(ref string) error {
	return postroom.Errorf(postroom.CodeNotFound, "There is no contact %s in this workspace.", quote(ref))
}

// inBatch finds the contact that ref means among those that a batch knows.
func inBatch(b *contacts.Batch, ref string) (*postroom.Contact, error) {
	for _, r := range contactRefs(ref) {
		if c := b.Find(r); c != nil {
			return c, nil
		}
	}
	return nil, noContact(ref)
}

// Contact finds a contact by its id, email or uid.
func (a *App) Contact(ctx context.Context, who Caller, ref string) (postroom.Contact, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Contact{}, err
	}
	found, err := a.findContacts(ctx, who, contactRefs(ref))
	if err != nil {
		return postroom.Contact{}, err
	}
	if len(found) == 0 {
		return postroom.Contact{}, noContact(ref)
	}
	return *found[0], nil
}

// CreateContact makes a contact.
func (a *App) CreateContact(ctx context.Context, who Caller, in ContactInput) (made postroom.Contact, err error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return made, err
	}
	var refs []postroom.ContactRef
	if email := textOf(in.Fields.Email); email != "" {
		refs = append(refs, postroom.ContactRef{Email: email})
	}
	if uid := textOf(in.Fields.UID); uid != "" {
		refs = append(refs, postroom.ContactRef{UID: uid})
	}
	err = a.change(ctx, who, audienceChange{refs: refs, lists: in.Lists, plan: func(b *contacts.Batch, lists map[string]postroom.List) error {
		in.sourceOf(nil)
		after, err := in.change(b, postroom.ContactRef{}, lists, who)
		if err == nil {
			made = *after
		}
		return err
	}})
	return made, err
}

// sourceOf says where a contact comes from that is made, unless the caller does.
func (in *ContactInput) sourceOf(found *postroom.Contact) {
	if source := string(postroom.OriginAPI); found == nil && in.Fields.Source == nil {
		in.Fields.Source = &source
	}
}

// change makes what is wanted of the contact that ref means, or of a new one.
func (in ContactInput) change(b *contacts.Batch, ref postroom.ContactRef, known map[string]postroom.List, who Caller) (*postroom.Contact, error) {
	lists, err := namedLists(in.Lists, known)
	if err != nil {
		return nil, err
	}
	return b.Apply(postroom.ContactChange{Ref: ref, Fields: in.Fields, Tag: in.Tags, Join: lists, Pending: in.Pending,
		MayMake: true, MayAlter: true, By: who.author(postroom.OriginAPI)})
}

// UpsertContact makes a contact with an email, or changes the one that has it.
func (a *App) UpsertContact(ctx context.Context, who Caller, email string, in ContactInput) (c postroom.Contact, made bool, err error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return c, false, err
	}
	if given := textOf(in.Fields.Email); given != "" && !strings.EqualFold(given, email) {
		return c, false, postroom.Invalid(postroom.CodeInvalid, "/email", "this is another email than that of the path; PATCH changes the email of a contact")
	}
	in.Fields.Email = nil // that of the reference is meant
	ref := postroom.ContactRef{Email: email}
	refs := []postroom.ContactRef{ref}
	if uid := textOf(in.Fields.UID); uid != "" {
		refs = append(refs, postroom.ContactRef{UID: uid})
	}
	err = a.change(ctx, who, audienceChange{refs: refs, lists: in.Lists, plan: func(b *contacts.Batch, lists map[string]postroom.List) error {
		found := b.Find(ref)
		made = found == nil
		in.sourceOf(found)
		after, err := in.change(b, ref, lists, who)
		if err == nil {
			c = *after
		}
		return err
	}})
	return c, made, err
}

func checkContactMatch(c *postroom.Contact, ifMatch int64) error {
	if ifMatch != 0 && ifMatch != c.Version {
		return postroom.Errorf(postroom.CodePreconditionFailed, "The contact was changed meanwhile: its version is %d, and If-Match names %d.", c.Version, ifMatch)
	}
	return nil
}

// UpdateContact changes a contact: edit gets its settings, and edits them. ifMatch is the version that the caller saw, or 0.
func (a *App) UpdateContact(ctx context.Context, who Caller, ref string, ifMatch int64, edit func(*ContactSettings) error) (c postroom.Contact, err error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return c, err
	}
	err = a.change(ctx, who, audienceChange{refs: contactRefs(ref), plan: func(b *contacts.Batch, _ map[string]postroom.List) error {
		found, err := inBatch(b, ref)
		if err != nil {
			return err
		}
		if err := checkContactMatch(found, ifMatch); err != nil {
			return err
		}
		settings := settingsOf(found)
		if err := edit(&settings); err != nil {
			return err
		}
		ch := difference(settingsOf(found), settings)
		if err := a.knowOthers(ctx, who, b, ch.Fields); err != nil {
			return err
		}
		ch.Ref, ch.MayAlter, ch.By = postroom.ContactRef{ID: found.ID}, true, who.author(postroom.OriginAPI)
		after, err := b.Apply(ch)
		if err == nil {
			c = *after
		}
		return err
	}})
	return c, err
}

// knowOthers makes those known to a batch whose email or uid a contact is to have.
func (a *App) knowOthers(ctx context.Context, who Caller, b *contacts.Batch, f postroom.ContactFields) error {
	var refs []postroom.ContactRef
	if email := textOf(f.Email); email != "" {
		refs = append(refs, postroom.ContactRef{Email: email})
	}
	if uid := textOf(f.UID); uid != "" {
		refs = append(refs, postroom.ContactRef{UID: uid})
	}
	return a.know(ctx, who, b, refs)
}

func settingsOf(c *postroom.Contact) ContactSettings {
	s := ContactSettings{UID: c.UID, Email: c.Email, Phone: c.Phone, FirstName: c.FirstName, LastName: c.LastName, Status: c.Status, Source: c.Source,
		Tags: slices.Clone(c.Tags), CustomFields: map[string]json.RawMessage{}}
	for name, value := range c.CustomFields {
		s.CustomFields[name] = bytes.Clone(value)
	}
	if s.Tags == nil {
		s.Tags = []string{}
	}
	return s
}

// difference is the change that makes one of another.
func difference(from, to ContactSettings) (ch postroom.ContactChange) {
	set := func(field **string, from, to string) {
		if from != to {
			*field = &to
		}
	}
	f := &ch.Fields
	set(&f.UID, textOf(from.UID), textOf(to.UID))
	set(&f.Email, from.Email, to.Email)
	set(&f.Phone, from.Phone, to.Phone)
	set(&f.FirstName, from.FirstName, to.FirstName)
	set(&f.LastName, from.LastName, to.LastName)
	set(&f.Source, from.Source, to.Source)
	if from.Status != to.Status {
		f.Status = &to.Status
	}
	f.CustomFields = map[string]json.RawMessage{}
	for name, value := range to.CustomFields {
		if was, ok := from.CustomFields[name]; !ok || !bytes.Equal(was, value) {
			f.CustomFields[name] = value
		}
	}
	for name := range from.CustomFields {
		if _, ok := to.CustomFields[name]; !ok {
			f.CustomFields[name] = json.RawMessage("null")
		}
	}
	for _, tag := range to.Tags {
		if !slices.Contains(from.Tags, tag) {
			ch.Tag = append(ch.Tag, tag)
		}
	}
	for _, tag := range from.Tags {
		if !slices.Contains(to.Tags, tag) {
			ch.Untag = append(ch.Untag, tag)
		}
	}
	return ch
}

// DeleteContact removes a contact with its history. The log of events stays until it is too old.
func (a *App) DeleteContact(ctx context.Context, who Caller, ref string, ifMatch int64) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	c := audienceChange{refs: contactRefs(ref), audit: make([]postroom.AuditEntry, 1)}
	c.plan = func(b *contacts.Batch, _ map[string]postroom.List) error {
		found, err := inBatch(b, ref)
		if err != nil {
			return err
		}
		if err := checkContactMatch(found, ifMatch); err != nil {
			return err
		}
		c.audit[0] = a.auditEntry(who, "contact.deleted", found.ID.String(), nil)
		b.Delete(found)
		return nil
	}
	return a.change(ctx, who, c)
}

// TagContact gives a contact tags, and takes others from it.
func (a *App) TagContact(ctx context.Context, who Caller, ref string, tag, untag []string) (postroom.Contact, error) {
	return a.changeOne(ctx, who, ref, nil, func(map[string]postroom.List) (postroom.ContactChange, error) {
		return postroom.ContactChange{Tag: tag, Untag: untag}, nil
	})
}

// changeOne makes a change of one contact that exists. lists are the names of those that it is about.
func (a *App) changeOne(ctx context.Context, who Caller, ref string, lists []string, want func(lists map[string]postroom.List) (postroom.ContactChange, error)) (c postroom.Contact, err error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return c, err
	}
	err = a.change(ctx, who, audienceChange{refs: contactRefs(ref), lists: lists, plan: func(b *contacts.Batch, known map[string]postroom.List) error {
		found, err := inBatch(b, ref)
		if err != nil {
			return err
		}
		ch, err := want(known)
		if err != nil {
			return err
		}
		ch.Ref, ch.By = postroom.ContactRef{ID: found.ID}, who.author(postroom.OriginAPI)
		after, err := b.Apply(ch)
		if err == nil {
			c = *after
		}
		return err
	}})
	return c, err
}
