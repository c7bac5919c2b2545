package contacts

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/postroom/postroom"
)

// clone copies a contact so far that changing the copy leaves the original as it is.
func clone(c *postroom.Contact) postroom.Contact {
	copied := *c
	copied.Lists, copied.Tags, copied.CustomFields = slices.Clone(c.Lists), slices.Clone(c.Tags), maps.Clone(c.CustomFields)
	return copied
}

// setFields sets the contact's own fields.
func (p *plan) setFields() {
	f, c := p.change.Fields, &p.after
	if f.UID != nil {
		uid := p.text("/uid", *f.UID, postroom.MaxContactText)
		if c.UID = nil; uid != "" {
			c.UID = &uid
		}
	}
	if f.Email != nil {
		email := p.written("/email", *f.Email, Email)
		if postroom.Fold(email) != postroom.Fold(c.Email) { // else it keeps the spelling that it came with
			c.Email = email
		}
	}
	if f.Phone != nil {
		c.Phone = p.written("/phone", *f.Phone, Phone)
	}
	for _, t := range []struct {
		pointer string
		to      *string
		value   *string
	}{{"/first_name", &c.FirstName, f.FirstName}, {"/last_name", &c.LastName, f.LastName}, {"/source", &c.Source, f.Source}} {
		if t.value != nil {
			*t.to = p.text(t.pointer, *t.value, postroom.MaxContactText)
		}
	}
	if f.Status != nil {
		if c.Status = *f.Status; !slices.Contains(postroom.ContactStatuses(), c.Status) {
			p.problems.Add("/status", "%q is not a status: it is one of subscribed, unsubscribed, pending, bounced and complained", cut(string(c.Status)))
		}
	}
	p.setCustomFields()
}

// text cleans a text, and blames its place if it cannot be used.
func (p *plan) text(pointer, s string, most int) string {
	cleaned, err := clean(s, most)
	if err != nil {
		p.problems.Add(pointer, "%s", err)
	}
	return cleaned
}

// written reads a text that has a form of its own; an empty one stays empty.
func (p *plan) written(pointer, s string, read func(string) (string, error)) string {
	if isBlank(s) {
		return ""
	}
	value, err := read(s)
	if err != nil {
		p.problems.Add(pointer, "%s", err)
	}
	return value
}

// changeTags takes tags and gives tags. One that is both given and taken is given.
func (p *plan) changeTags() {
	c := &p.after
	take := map[string]bool{}
	for _, tag := range p.change.Untag {
		if name, err := Tag(tag); err == nil { // what cannot be a tag is none of the contact's
			take[name] = true
		}
	}
	c.Tags = slices.DeleteFunc(c.Tags, func(tag string) bool { return take[tag] })
	for i, tag := range p.change.Tag {
		name, err := Tag(tag)
		if err != nil {
			p.problems.Add("/tags/"+strconv.Itoa(i), "%s", err)
		}
		c.Tags = append(c.Tags, name)
	}
	slices.Sort(c.Tags)
	c.Tags = slices.Compact(c.Tags)
}

// changeLists leaves lists and joins lists. One that is both joined and left is joined.
func (p *plan) changeLists() {
	c := &p.after
	joined := map[postroom.ListID]bool{}
	for i, list := range p.change.Join {
		id, err := p.join(list)
		if err != nil {
			p.problems.Add("/lists/"+strconv.Itoa(i), "%s", err)
		}
		joined[id] = true
	}
	for i, m := range c.Lists {
		if m.Status != postroom.MemberUnsubscribed && !joined[m.ID] && slices.Contains(p.change.Leave, m.ID) {
			c.Lists[i].Status, c.Lists[i].At = postroom.MemberUnsubscribed, p.now
		}
	}
	slices.SortFunc(c.Lists, func(a, b postroom.Membership) int {
		return cmp.Or(a.At.Compare(b.At.Time), bytes.Compare(a.ID[:], b.ID[:]))
	})
}

// join puts the contact on a list. To join one that waits for confirmation confirms it, and with it the contact.
func (p *plan) join(list postroom.List) (postroom.ListID, error) {
	c := &p.after
	status := postroom.MemberSubscribed
	if p.change.Pending {
		status = postroom.MemberPending
	}
	at := slices.IndexFunc(c.Lists, func(m postroom.Membership) bool {
		return m.ID == list.ID || list.ID.IsZero() && postroom.Fold(m.Name) == postroom.Fold(trim(list.Name))
	})
	if at < 0 {
		list, err := p.made(list)
		c.Lists = append(c.Lists, postroom.Membership{ID: list.ID, Name: list.Name, Status: status, At: p.now})
		return list.ID, err
	}
	m := &c.Lists[at]
	switch {
	case m.Status == status, m.Status == postroom.MemberSubscribed:
		return m.ID, nil
	case m.Status == postroom.MemberPending && c.Status == postroom.ContactPending && p.change.Fields.Status == nil:
		c.Status = postroom.ContactSubscribed
	}
	m.Status, m.At = status, p.now
	return m.ID, nil
}

// made gives a list that has no id yet one, and notes that it is to be made.
func (p *plan) made(list postroom.List) (postroom.List, error) {
	if !list.ID.IsZero() {
		return list, nil
	}
	name, err := ListName(list.Name)
	if err != nil {
		return list, err
	}
	list.ID, list.Name = postroom.Next[postroom.ListKind](p.ids, p.now.Time), name
	list.CreatedAt, list.UpdatedAt = p.now, p.now
	if list.WorkspaceID.IsZero() {
		list.WorkspaceID = p.after.WorkspaceID
	}
	p.lists = append(p.lists, list)
	return list, nil
}

// statusOn is a contact's status on a list; empty for none.
func statusOn(c *postroom.Contact, list postroom.ListID) postroom.MembershipStatus {
	for _, m := range c.Lists {
		if m.ID == list {
			return m.Status
		}
	}
	return ""
}
