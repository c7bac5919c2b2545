package store

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// FindContacts finds the contacts that are meant, whole, in the order of the references; nil for one that is not there. A reference must be
// spelled as contacts are stored, but for upper and lower case of an email.
func (s *Store) FindContacts(ctx context.Context, workspace postroom.WorkspaceID, refs []postroom.ContactRef) ([]*postroom.Contact, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(refs) > maxRefsShared {
		return s.findAlone(ctx, workspace, refs)
	}
	return s.lookups.find(workspace, refs, s.findTogether)
}

func (s *Store) findAlone(ctx context.Context, workspace postroom.WorkspaceID, refs []postroom.ContactRef) (found []*postroom.Contact, err error) {
	err = s.read(ctx, func(q querier) error {
		found, err = findContacts(ctx, q, workspace, refs)
		return err
	})
	return found, err
}

func findContacts(ctx context.Context, q querier, workspace postroom.WorkspaceID, refs []postroom.ContactRef) ([]*postroom.Contact, error) {
	var ids []postroom.ContactID
	var emails, uids []string
	for _, r := range refs {
		switch {
		case !r.ID.IsZero():
			ids = append(ids, r.ID)
		case r.Email != "":
			emails = append(emails, postroom.Fold(r.Email))
		case r.UID != "":
			uids = append(uids, r.UID)
		}
	}
	ctx = q.brief(ctx)
	all := contactSet{}
	for name, list := range map[string]string{"contact_by_ids": hexList(ids), "contact_by_emails": jsonList(emails), "contact_by_uids": jsonList(uids)} {
		if list == "[]" {
			continue
		}
		if _, err := all.read(ctx, q, name, workspace, list); err != nil {
			return nil, err
		}
	}
	byEmail, byUID := map[string]*postroom.Contact{}, map[string]*postroom.Contact{}
	for _, c := range all {
		byEmail[postroom.Fold(c.Email)], byUID[textOf(c.UID)] = c, c
	}
	found := make([]*postroom.Contact, len(refs))
	for i, r := range refs {
		switch {
		case !r.ID.IsZero():
			found[i] = all[r.ID]
		case r.Email != "":
			found[i] = byEmail[postroom.Fold(r.Email)]
		case r.UID != "":
			found[i] = byUID[r.UID]
		case isText(r.Phone):
			var err error
			if found[i], err = all.read(ctx, q, "contact_by_phone", workspace, r.Phone); err != nil {
				return nil, err
			}
		}
	}
	return found, all.complete(ctx, q, workspace)
}

// isText tells whether a text can be in the database, and is not empty.
func isText(s string) bool {
	if s == "" || !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if s[i] == 0 {
			return false
		}
	}
	return true
}

// contactSet are contacts that were read together, so that what belongs to them is read together too.
type contactSet map[postroom.ContactID]*postroom.Contact

// read reads contacts, and gives the last.
func (all contactSet) read(ctx context.Context, q querier, name string, args ...any) (last *postroom.Contact, err error) {
	err = q.each(ctx, name, func(row func(...any) error) error {
		c, err := scanContact(row)
		if err != nil {
			return err
		}
		if last = all[c.ID]; last == nil {
			all[c.ID], last = c, c
		}
		return nil
	}, args...)
	return last, err
}

// complete reads the tags and the lists of the contacts.
func (all contactSet) complete(ctx context.Context, q querier, workspace postroom.WorkspaceID) error {
	if len(all) == 0 {
		return nil
	}
	ids := make([]postroom.ContactID, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	list := hexList(ids)
	if err := eachTag(ctx, q, workspace, list, func(id postroom.ContactID, tag string) { all[id].Tags = append(all[id].Tags, tag) }); err != nil {
		return err
	}
	return q.each(ctx, "membership_of", func(row func(...any) error) error {
		var id postroom.ContactID
		var m postroom.Membership
		var at int64
		if err := row(&id, &m.ID, &m.Name, &m.Status, &at); err != nil {
			return err
		}
		m.At.Time = fromMicros(at)
		all[id].Lists = append(all[id].Lists, m)
		return nil
	}, workspace, list)
}

// eachTag visits the tags of contacts, which are a list for contact_tags_of.
func eachTag(ctx context.Context, q querier, workspace postroom.WorkspaceID, ids string, visit func(id postroom.ContactID, tag string)) error {
	return q.each(ctx, "contact_tags_of", func(row func(...any) error) error {
		var id postroom.ContactID
		var tag string
		err := row(&id, &tag)
		if err == nil {
			visit(id, tag)
		}
		return err
	}, workspace, ids)
}

func scanContact(row func(...any) error) (*postroom.Contact, error) {
	c := &postroom.Contact{Tags: []string{}, Lists: []postroom.Membership{}, CustomFields: map[string]json.RawMessage{}}
	var custom []byte
	var created, updated int64
	if err := row(&c.ID, &c.WorkspaceID, &c.UID, &c.Email, &c.Phone, &c.FirstName, &c.LastName, &c.Status, &c.Source, &custom, &c.Version, &created, &updated); err != nil {
		return nil, err
	}
	c.CreatedAt.Time, c.UpdatedAt.Time = fromMicros(created), fromMicros(updated)
	if custom != nil {
		if err := json.Unmarshal(custom, &c.CustomFields); err != nil {
			return nil, fmt.Errorf("the custom fields of contact %s cannot be read: %w", c.ID, err)
		}
	}
	return c, nil
}

// Contact finds a contact of a workspace by its id.
func (s *Store) Contact(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ContactID) (postroom.Contact, error) {
	found, err := s.FindContacts(ctx, workspace, []postroom.ContactRef{{ID: id}})
	if err == nil && found[0] == nil {
		err = errNoRow
	}
	if err != nil {
		return postroom.Contact{}, notFound(err, "contact", id.String())
	}
	return *found[0], nil
}

// maxConsents bounds a contact's history as it is shown.
const maxConsents = 1000

// Consents is the history of a contact, newest first: up to the last 1,000 entries.
func (s *Store) Consents(ctx context.Context, workspace postroom.WorkspaceID, contact postroom.ContactID) (all []postroom.Consent, err error) {
	err = s.read(ctx, func(q querier) error {
		all = []postroom.Consent{}
		return q.each(ctx, "consent_list", func(row func(...any) error) error {
			var c postroom.Consent
			var at int64
			var list postroom.ListID
			var request postroom.RequestID
			var key postroom.KeyID
			if err := row(&at, &c.ContactID, &list, &c.From, &c.To, &c.Origin, &request, &c.IP, &key); err != nil {
				return err
			}
			c.At.Time, c.ListID, c.RequestID, c.KeyID = fromMicros(at), some(list), some(request), some(key)
			all = append(all, c)
			return nil
		}, workspace, contact, maxConsents)
	})
	return all, err
}

// some is an id, or nil for the zero one.
func some[T interface {
	comparable
	IsZero() bool
}](id T) *T {
	if id.IsZero() {
		return nil
	}
	return &id
}
