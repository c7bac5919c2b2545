package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/postroom/postroom"
)

// writeContacts stores contacts as they were planned, if what they were planned on is still so; else it sets Stale of those writes that it
// is not, and stores none of them. The writes are of one workspace; several of one contact follow each other.
func writeContacts(ctx context.Context, q querier, writes []postroom.ContactWrite) (stale bool, err error) {
	b, err := newContactBatch(writes)
	if err != nil {
		return false, err
	}
	all := contactBatches{b}
	if stale, err = all.fence(ctx, q); stale || err != nil {
		return stale, err
	}
	return false, all.store(ctx, q)
}

// contactBatches are what one transaction makes of contacts, workspace by workspace, in the order of their ids.
type contactBatches []*contactBatch

// fence finds out whether what the writes were planned on is still so, and sets Stale of those of which it is not. It writes nothing.
//
// On PostgreSQL it locks what the writes depend on, always in the same order, so that transactions never wait for each other in a circle: the
// emails, uids and names of lists that are to be taken, the contacts, the lists that are joined; and then, when they are stored, the counters.
func (all contactBatches) fence(ctx context.Context, q querier) (stale bool, err error) {
	if err := all.lockKeys(ctx, q); err != nil {
		return false, err
	}
	for _, step := range []func(b *contactBatch) error{
		func(b *contactBatch) error { return b.fence(ctx, q) },
		func(b *contactBatch) error { return b.fenceKeys(ctx, q) },
		func(b *contactBatch) error { return b.fenceLists(ctx, q) },
	} {
		for _, b := range all {
			if err := step(b); err != nil {
				return false, err
			}
		}
	}
	for _, b := range all {
		stale = stale || b.stale()
	}
	return stale, nil
}

// store writes what has been found to fit.
func (all contactBatches) store(ctx context.Context, q querier) error {
	counts := make([]contactCounts, len(all))
	for i, b := range all {
		if b.empty() {
			continue
		}
		var err error
		if counts[i], err = b.store(ctx, q); err != nil {
			return err
		}
	}
	for i, b := range all {
		if err := counts[i].add(ctx, q, b.workspace); err != nil {
			return err
		}
	}
	return nil
}

// contactBatch is what one transaction makes of contacts.
type contactBatch struct {
	workspace postroom.WorkspaceID
	contacts  []*contactWrite // in the order of their ids
	lists     []newList
	writes    [][]postroom.ContactWrite
	byID      map[postroom.ContactID]*contactWrite
	stored    map[postroom.ContactID]*storedContact // what is there of them
	release   []postroom.ContactID                  // whose keys others of the batch get
}

// contactWrite is what becomes of one contact in the end.
type contactWrite struct {
	was      int64
	to       *postroom.ContactWrite // the last of them
	consents []postroom.Consent
	email    string // its key; empty for none
	uid      string
}

type newList struct {
	postroom.List
	of *postroom.ContactWrite
}

// storedContact is what a write depends on.
type storedContact struct {
	version    int64
	email, uid string
	tags       []string
	lists      map[postroom.ListID]postroom.MembershipStatus
}

// newContactBatch takes the writes of commits that are stored together. No two of the commits are about the same contact, email, uid or
// new list: see apart.
func newContactBatch(commits ...[]postroom.ContactWrite) (*contactBatch, error) {
	b := &contactBatch{writes: commits, byID: map[postroom.ContactID]*contactWrite{}, stored: map[postroom.ContactID]*storedContact{}}
	for _, writes := range commits {
		for i := range writes {
			if err := b.add(&writes[i]); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range b.contacts {
		if c.to.Deleted {
			continue
		}
		c.email = postroom.Fold(c.to.Contact.Email)
		if c.to.Contact.UID != nil {
			c.uid = *c.to.Contact.UID
		}
	}
	slices.SortFunc(b.contacts, func(x, y *contactWrite) int { return bytes.Compare(x.id(), y.id()) })
	return b, nil
}

var errManyWorkspaces = errors.New("the contacts of a commit belong to one workspace")

func (b *contactBatch) add(w *postroom.ContactWrite) error {
	if w.Stale = false; b.workspace.IsZero() {
		b.workspace = w.Contact.WorkspaceID
	}
	if w.Contact.WorkspaceID != b.workspace || b.workspace.IsZero() {
		return errManyWorkspaces
	}
	for _, list := range w.Lists {
		b.lists = append(b.lists, newList{list, w})
	}
	if !w.Changes() {
		return nil
	}
	c := b.byID[w.Contact.ID]
	if c == nil {
		c = &contactWrite{was: w.Was}
		b.byID[w.Contact.ID] = c
		b.contacts = append(b.contacts, c)
	} else if w.Was != c.to.Contact.Version || c.to.Deleted {
		w.Stale = true
	}
	c.to, c.consents = w, append(c.consents, w.Consents...)
	return nil
}

func (b *contactBatch) empty() bool { return len(b.contacts) == 0 && len(b.lists) == 0 }

func (b *contactBatch) stale() bool {
	return slices.ContainsFunc(b.writes, staleContacts)
}

// staleContacts tells whether what one of the writes was planned on is not so any more.
func staleContacts(writes []postroom.ContactWrite) bool {
	return slices.ContainsFunc(writes, func(w postroom.ContactWrite) bool { return w.Stale })
}

func (c *contactWrite) id() []byte { return c.to.Contact.ID[:] }

// ids are those of all contacts of the batch.
func (b *contactBatch) ids() string {
	all := make([]postroom.ContactID, len(b.contacts))
	for i, c := range b.contacts {
		all[i] = c.to.Contact.ID
	}
	return hexList(all)
}

// store writes what has been found to fit, but for the numbers of contacts of tags and lists, which it returns.
func (b *contactBatch) store(ctx context.Context, q querier) (contactCounts, error) {
	var lists [][]any
	for _, list := range b.lists {
		lists = append(lists, listValues(list.List))
	}
	if _, err := q.execRows(ctx, "list_insert", lists); err != nil {
		return nil, err
	}
	if len(b.release) > 0 {
		if _, err := q.exec(ctx, "contact_release", b.workspace, hexList(b.release)); err != nil {
			return nil, err
		}
	}
	var contacts, consents [][]any
	var gone []postroom.ContactID
	for _, c := range b.contacts {
		if c.to.Deleted {
			gone = append(gone, c.to.Contact.ID)
			continue
		}
		values, err := c.values()
		if err != nil {
			return nil, err
		}
		contacts = append(contacts, values)
		for i, consent := range c.consents {
			consents = append(consents, []any{b.workspace, consent.ContactID, c.to.Contact.Version, i, micros(consent.At.Time), consent.ListID, consent.From, consent.To,
				string(consent.Origin), consent.RequestID, consent.IP, consent.KeyID})
		}
	}
	if _, err := q.execRows(ctx, "contact_put", contacts); err != nil {
		return nil, err
	}
	if _, err := q.execRows(ctx, "consent_insert", consents); err != nil {
		return nil, err
	}
	if len(gone) > 0 {
		if err := removeContacts(ctx, q, b.workspace, gone); err != nil {
			return nil, err
		}
	}
	return b.storeTagsAndLists(ctx, q)
}

// values are those of contact_put.
func (c *contactWrite) values() ([]any, error) {
	to := &c.to.Contact
	custom, err := customJSON(to.CustomFields)
	if err != nil {
		return nil, err
	}
	var uid any
	if c.uid != "" {
		uid = c.uid
	}
	return []any{to.ID, to.WorkspaceID, uid, to.Email, textOrNull(c.email), to.Phone, to.FirstName, postroom.Fold(to.FirstName), to.LastName, postroom.Fold(to.LastName),
		string(to.Status), to.Source, custom, to.Version, micros(to.CreatedAt.Time), micros(to.UpdatedAt.Time)}, nil
}

// customJSON writes custom fields as they came, but for white space.
func customJSON(fields map[string]json.RawMessage) ([]byte, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(fields)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// removeContacts deletes contacts with all that is theirs, but for the numbers of contacts of their tags and lists.
func removeContacts(ctx context.Context, q querier, workspace postroom.WorkspaceID, gone []postroom.ContactID) error {
	ids := hexList(gone)
	for _, name := range []string{"contact_delete", "contact_tag_delete_all", "membership_delete_all", "consent_delete_all"} {
		if _, err := q.exec(ctx, name, workspace, ids); err != nil {
			return err
		}
	}
	return nil
}

// storeTagsAndLists stores how tags and memberships differ from those that are there.
func (b *contactBatch) storeTagsAndLists(ctx context.Context, q querier) (contactCounts, error) {
	counts := contactCounts{}
	var tags, memberships [][]any
	for _, c := range b.contacts {
		id, part := c.to.Contact.ID, partOf(c.to.Contact.ID)
		there := b.stored[id]
		if there == nil {
			there = &storedContact{}
		}
		var isTagged []string
		var isOn []postroom.Membership
		if !c.to.Deleted {
			isTagged, isOn = c.to.Contact.Tags, c.to.Contact.Lists
		}
		for _, tag := range there.tags {
			if slices.Contains(isTagged, tag) {
				continue
			}
			counts.tag(tag, part, -1)
			if !c.to.Deleted { // else all of them are gone already
				if _, err := q.exec(ctx, "contact_tag_delete", b.workspace, id, tag); err != nil {
					return counts, err
				}
			}
		}
		for _, tag := range isTagged {
			if !slices.Contains(there.tags, tag) {
				counts.tag(tag, part, 1)
				tags = append(tags, []any{b.workspace, id, tag})
			}
		}
		for list, status := range there.lists {
			if c.to.Deleted && status == postroom.MemberSubscribed {
				counts.list(list, part, -1)
			}
		}
		for _, m := range isOn {
			if was := there.lists[m.ID]; was != m.Status {
				counts.list(m.ID, part, subscribed(m.Status)-subscribed(was))
				memberships = append(memberships, []any{b.workspace, id, m.ID, string(m.Status), micros(m.At.Time)})
			}
		}
	}
	if _, err := q.execRows(ctx, "contact_tag_put", tags); err != nil {
		return counts, err
	}
	_, err := q.execRows(ctx, "membership_put", memberships)
	return counts, err
}

func subscribed(s postroom.MembershipStatus) int64 { return boolInt(s == postroom.MemberSubscribed) }
