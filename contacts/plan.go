package contacts

import (
	"slices"
	"strconv"
	"time"

	"github.com/postroom/postroom"
)

// Plan says what a change makes of a contact as it is stored, or of none (nil): what is to be written, and the events that follow, in
// their order. A change that finds everything as it wants it gives a write that changes nothing, and no events. The error is a
// *postroom.Error that blames fields by the names that they have in the JSON of a contact; it has CodeNotFound where there is no contact and
// the change may not make one.
//
// A list without an id is made: the write has it among its Lists, with its new id. Whoever plans further changes for the same
// commit joins that one.
func Plan(before *postroom.Contact, ch postroom.ContactChange, fields []postroom.Field, ids *postroom.IDs, now time.Time) (postroom.ContactWrite, []Event, error) {
	p := plan{change: ch, fields: fields, ids: ids, now: postroom.Timestamp{Time: now.UTC().Truncate(time.Microsecond)}}
	if before == nil {
		if !ch.MayMake || !ch.Ref.ID.IsZero() {
			return postroom.ContactWrite{}, nil, postroom.Errorf(postroom.CodeNotFound, "There is no contact %s in this workspace.", refText(ch.Ref))
		}
		p.begin()
	} else {
		p.before, p.after = before, clone(before)
	}
	if p.isNew() || ch.MayAlter {
		p.setFields()
	}
	p.changeTags()
	p.changeLists()
	p.check()
	if err := p.problems.Err(); err != nil {
		return postroom.ContactWrite{}, nil, err
	}
	w, events := p.outcome()
	return w, events, nil
}

// Remove says what the deletion of a contact means.
func Remove(before *postroom.Contact) (postroom.ContactWrite, []Event) {
	after := clone(before)
	after.Version++
	return postroom.ContactWrite{Was: before.Version, Contact: after, Deleted: true}, []Event{{Type: "contact.deleted", Data: data(before, nil)}}
}

// Merge makes one write of two, of which the second was planned on what the first leaves.
func Merge(first, next postroom.ContactWrite) postroom.ContactWrite {
	next.Was = first.Was
	next.Lists = slices.Concat(first.Lists, next.Lists)
	next.Consents = slices.Concat(first.Consents, next.Consents)
	return next
}

// plan is a change under way.
type plan struct {
	change postroom.ContactChange
	fields []postroom.Field
	ids    *postroom.IDs
	now    postroom.Timestamp

	before   *postroom.Contact // nil for a contact that is made
	after    postroom.Contact
	lists    []postroom.List // to be made
	problems postroom.Problems
}

func (p *plan) isNew() bool { return p.before == nil }

// begin makes a contact of what the change refers to it by.
func (p *plan) begin() {
	p.after = postroom.Contact{ID: postroom.Next[postroom.ContactKind](p.ids, p.now.Time), WorkspaceID: p.change.WorkspaceID,
		Status: postroom.ContactSubscribed, CreatedAt: p.now}
	if p.change.Pending && len(p.change.Join) > 0 {
		p.after.Status = postroom.ContactPending // nobody has confirmed anything yet
	}
	f := &p.change.Fields
	for _, ref := range []struct {
		to    **string
		value string
	}{{&f.Email, p.change.Ref.Email}, {&f.UID, p.change.Ref.UID}, {&f.Phone, p.change.Ref.Phone}} {
		if *ref.to == nil && ref.value != "" {
			*ref.to = &ref.value
		}
	}
}

// check refuses a contact that nobody could find, or that holds too much.
func (p *plan) check() {
	c := &p.after
	if c.Email == "" && c.UID == nil && c.Phone == "" && p.problems.Err() == nil {
		p.problems.Add("/email", "a contact needs an email, a uid or a phone number")
	}
	if len(c.Tags) > postroom.MaxContactTags {
		p.problems.Add("/tags", "a contact has at most %d tags", postroom.MaxContactTags)
	}
	if len(c.Lists) > postroom.MaxContactLists {
		p.problems.Add("/lists", "a contact is on at most %d lists", postroom.MaxContactLists)
	}
	p.checkFields()
}

// outcome compares what was with what is.
func (p *plan) outcome() (postroom.ContactWrite, []Event) {
	w := postroom.ContactWrite{Lists: p.lists}
	if !p.isNew() {
		w.Was = p.before.Version
	}
	p.after.Version = w.Was + 1
	former := p.after.UpdatedAt
	p.after.UpdatedAt = p.now
	events := eventsOf(p.before, &p.after)
	if len(events) == 0 && len(p.lists) == 0 && !p.membershipsChanged() {
		p.after.Version, p.after.UpdatedAt = w.Was, former
	}
	w.Contact, w.Consents = p.after, p.consents()
	return w, events
}

func (p *plan) membershipsChanged() bool {
	return slices.ContainsFunc(p.after.Lists, func(m postroom.Membership) bool { return statusOn(p.before, m.ID) != m.Status })
}

// consents are the entries of the history: the contact's status, and then its lists.
func (p *plan) consents() (all []postroom.Consent) {
	by := p.change.By
	entry := func(list *postroom.ListID, from, to string) {
		c := postroom.Consent{At: p.now, ContactID: p.after.ID, ListID: list, From: from, To: to, Origin: by.Origin, IP: by.IP}
		if !by.Request.IsZero() {
			c.RequestID = &by.Request
		}
		if !by.Key.IsZero() {
			c.KeyID = &by.Key
		}
		all = append(all, c)
	}
	var was postroom.Contact
	if p.before != nil {
		was = *p.before
	}
	if was.Status != p.after.Status {
		entry(nil, string(was.Status), string(p.after.Status))
	}
	for _, m := range p.after.Lists {
		if from := statusOn(&was, m.ID); from != m.Status {
			entry(&m.ID, string(from), string(m.Status))
		}
	}
	return all
}

// refText is how a person would recognise whom a change means.
func refText(r postroom.ContactRef) string {
	switch {
	case !r.ID.IsZero():
		return strconv.Quote(r.ID.String())
	case r.Email != "":
		return strconv.Quote(cut(r.Email))
	case r.UID != "":
		return strconv.Quote(cut(r.UID))
	case r.Phone != "":
		return strconv.Quote(cut(r.Phone))
	}
	return "without an email, a uid or a phone number"
}
