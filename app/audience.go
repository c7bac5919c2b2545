package app

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// AudienceStore is what the application needs of the database for contacts and what belongs to them.
type AudienceStore interface {
	Commit(ctx context.Context, c *postroom.Commit) error

	Contact(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ContactID) (postroom.Contact, error)
	FindContacts(ctx context.Context, workspace postroom.WorkspaceID, refs []postroom.ContactRef) ([]*postroom.Contact, error)
	Contacts(ctx context.Context, workspace postroom.WorkspaceID, f postroom.ContactFilter, cursor *postroom.Cursor, limit int) (found []postroom.Contact, rest *[16]byte, err error)
	Consents(ctx context.Context, workspace postroom.WorkspaceID, contact postroom.ContactID) ([]postroom.Consent, error)
	EraseContact(ctx context.Context, workspace postroom.WorkspaceID, contact postroom.Contact, entry postroom.AuditEntry, now time.Time, progress func(n int64)) error

	Lists(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) ([]postroom.List, error)
	ListsNamed(ctx context.Context, workspace postroom.WorkspaceID, names []string) (map[string]postroom.List, error)
	List(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ListID) (postroom.List, error)
	CreateList(ctx context.Context, l postroom.List) error
	ListByUID(ctx context.Context, workspace postroom.WorkspaceID, uid string) (postroom.List, error)
	UpdateList(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ListID, now time.Time, change func(*postroom.List) error) (postroom.List, error)
	DeleteList(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ListID, now time.Time, progress func(contacts int64)) error
	Tags(ctx context.Context, workspace postroom.WorkspaceID, after string, limit int) ([]postroom.Tag, error)
	Tag(ctx context.Context, workspace postroom.WorkspaceID, name string) (postroom.Tag, error)
	Fields(ctx context.Context, workspace postroom.WorkspaceID) ([]postroom.Field, error)
	PutField(ctx context.Context, workspace postroom.WorkspaceID, f postroom.Field, now time.Time) error
	DeleteField(ctx context.Context, workspace postroom.WorkspaceID, name string) error

	CreateImport(ctx context.Context, i postroom.Import) error
	UpdateImport(ctx context.Context, i postroom.Import) error
	Import(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ImportID) (postroom.Import, error)
	Imports(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) ([]postroom.Import, error)
	Audit(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) ([]postroom.AuditEntry, error)
}

// maxStale is how often a change is made anew because others have changed the same contacts meanwhile.
const maxStale = 30

var errStale = errors.New("a contact has changed meanwhile")

// audienceChange is a wish to change contacts.
type audienceChange struct {
	refs  []postroom.ContactRef // which may be found
	lists []string              // names and ids of lists that are named
	// plan decides what is to become of them. It runs again when others have changed something meanwhile. lists are those that exist.
	plan  func(b *contacts.Batch, lists map[string]postroom.List) error
	audit []postroom.AuditEntry
}

// change makes a change of contacts in one transaction with the events that it causes.
func (a *App) change(ctx context.Context, who Caller, c audienceChange) error {
	ctx = context.WithoutCancel(ctx)
	unlock, err := a.Locks.Lock(ctx, who.Workspace, c.refs)
	if err != nil {
		return err
	}
	defer unlock()
	for try := range maxStale {
		b, err := a.batch(ctx, who, c)
		if err != nil {
			return unavailable(err)
		}
		err = a.commit(ctx, b, c.audit)
		if !errors.Is(err, errStale) {
			return unavailable(err)
		}
		pause(ctx, time.Duration(try)*time.Millisecond)
	}
	return postroom.Errorf(postroom.CodeConflict, "Others keep changing the same contacts: try again.")
}

// batch reads what a change is about, and plans it.
func (a *App) batch(ctx context.Context, who Caller, c audienceChange) (*contacts.Batch, error) {
	fields, err := a.Store.Fields(ctx, who.Workspace)
	if err != nil {
		return nil, err
	}
	lists := map[string]postroom.List{}
	if len(c.lists) > 0 {
		if lists, err = a.Store.ListsNamed(ctx, who.Workspace, c.lists); err != nil {
			return nil, err
		}
	}
	b := contacts.NewBatch(contacts.BatchConfig{Workspace: who.Workspace, Fields: fields, IDs: a.IDs, Now: a.Now()})
	if err := a.know(ctx, who, b, c.refs); err != nil {
		return nil, err
	}
	return b, c.plan(b, lists)
}

// know makes contacts known to a batch.
func (a *App) know(ctx context.Context, who Caller, b *contacts.Batch, refs []postroom.ContactRef) error {
	found, err := a.findContacts(ctx, who, refs)
	for _, c := range found {
		b.Know(c)
	}
	return err
}

// findContacts finds those that there are, in the order of the references.
func (a *App) findContacts(ctx context.Context, who Caller, refs []postroom.ContactRef) (found []*postroom.Contact, err error) {
	var fit []postroom.ContactRef
	for _, ref := range refs {
		if ref, err := contacts.Ref(ref); err == nil { // what no contact can have, none has
			fit = append(fit, ref)
		}
	}
	if len(fit) == 0 {
		return nil, nil
	}
	all, err := a.Store.FindContacts(ctx, who.Workspace, fit)
	for _, c := range all {
		if c != nil {
			found = append(found, c)
		}
	}
	return found, err
}

// commit stores what a batch has come to, with its events. It does nothing where nothing has changed, and fails with errStale where
// others were quicker.
func (a *App) commit(ctx context.Context, b *contacts.Batch, audit []postroom.AuditEntry) error {
	writes := b.Writes()
	if len(writes) == 0 && len(b.Events()) == 0 && len(audit) == 0 {
		return nil
	}
	outgoing, err := b.Outgoing()
	if err != nil {
		return err
	}
	return a.Engine.PublishWith(ctx, outgoing, func(ctx context.Context, pubs []*postroom.Publication) error {
		c := &postroom.Commit{Contacts: writes, Publications: pubs, Audit: audit}
		if err := a.Store.Commit(ctx, c); err != nil {
			return err
		}
		if c.Stale {
			return errStale
		}
		return nil
	})
}

// author is who is named in a contact's history.
func (who Caller) author(origin postroom.Origin) postroom.Author {
	return postroom.Author{Origin: origin, Key: who.Key}
}

// auditEntry makes an entry of what a caller does. subject is the id of what it is done to; detail may be nil.
func (a *App) auditEntry(who Caller, action, subject string, detail any) postroom.AuditEntry {
	now := a.Now()
	e := postroom.AuditEntry{ID: postroom.Next[postroom.AuditKind](a.IDs, now), WorkspaceID: who.Workspace, At: stamp(now), Action: action, Subject: subject}
	if !who.Key.IsZero() {
		e.KeyID = &who.Key
	}
	if !who.Member.IsZero() {
		e.MemberID = &who.Member
	}
	if detail == nil && who.Customer != "" {
		detail = map[string]string{"customer": who.Customer}
	}
	if detail != nil {
		raw, err := json.Marshal(detail)
		if err != nil { // cannot be: details are made of texts and numbers
			panic(err)
		}
		e.Detail = raw
	}
	return e
}

// audit keeps what a caller has done. The change is made by then, so that a failure is logged and does not undo it.
func (a *App) audit(ctx context.Context, who Caller, action, subject string, detail any) {
	c := &postroom.Commit{Audit: []postroom.AuditEntry{a.auditEntry(who, action, subject, detail)}}
	if err := a.Store.Commit(context.WithoutCancel(ctx), c); err != nil {
		a.Log.Error("what was done could not be kept in the audit log", "workspace", who.Workspace, "action", action, "subject", subject, "key", who.Key, "error", err)
	}
}

// Audit lists what people did, newest first.
func (a *App) Audit(ctx context.Context, who Caller, q postroom.PageQuery) (postroom.Page[postroom.AuditEntry], error) {
	var none postroom.Page[postroom.AuditEntry]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, err := a.Store.Audit(ctx, who.Workspace, cursor, limit+1)
	if err != nil {
		return none, err
	}
	return postroom.NewPage(found, limit, cursor, nil, func(e postroom.AuditEntry) [16]byte { return e.ID }), nil
}

// namedLists resolves lists that are named by their names or ids. A name that no list has is that of one to be made.
func namedLists(names []string, known map[string]postroom.List) ([]postroom.List, error) {
	var lists []postroom.List
	var p postroom.Problems
	for i, name := range names {
		list, ok := known[listKey(name)]
		if _, err := postroom.ParseID[postroom.ListKind](name); err == nil && !ok {
			p.Add("/lists/"+strconv.Itoa(i), "there is no list %s in this workspace", quote(name))
		}
		if !ok {
			list = postroom.List{Name: strings.TrimSpace(name)}
		}
		lists = append(lists, list)
	}
	return lists, p.Err()
}

// listKey is how ListsNamed knows a list that was named.
func listKey(name string) string { return postroom.Fold(strings.TrimSpace(name)) }
