package inbound

import (
	"context"
	"maps"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// person is a contact, as it is after all that was planned so far.
type person struct {
	contact *postroom.Contact      // nil where there is none
	write   *postroom.ContactWrite // nil while nothing changes
}

// plan keeps a change for those that follow, and for the commit.
func (a *actor) plan(p *person, w postroom.ContactWrite) {
	before := *p
	a.undo = append(a.undo, func() { *p = before })
	if p.write != nil {
		w = contacts.Merge(*p.write, w)
	}
	p.write, p.contact = &w, &w.Contact
	for _, list := range w.Lists {
		key := postroom.Fold(list.Name)
		if _, had := a.lists[key]; !had {
			a.undo = append(a.undo, func() { delete(a.lists, key) })
		}
		a.lists[key] = list
	}
	a.index(p)
}

// index lets a person be found by all that it is now known by. Of a phone number the oldest contact counts, which a change cannot make newer.
func (a *actor) index(p *person) {
	c := p.contact
	refs := []postroom.ContactRef{{ID: c.ID}, {Email: c.Email}}
	if c.UID != nil {
		refs = append(refs, postroom.ContactRef{UID: *c.UID})
	}
	for i := range refs {
		key := contacts.RefKey(&refs[i])
		had, known := a.people[key]
		if key == "" || known && had == p {
			continue
		}
		if known && had.contact != nil {
			continue
		}
		a.people[key] = p
		a.undo = append(a.undo, func() {
			if delete(a.people, key); known {
				a.people[key] = had
			}
		})
	}
}

// person finds the contact that a reference means.
func (a *actor) person(ctx context.Context, ref postroom.ContactRef) (*person, error) {
	key := contacts.RefKey(&ref)
	if p, known := a.people[key]; known {
		return p, nil
	}
	if key == "" { // a contact to be made without anything to know it by, which contacts.Plan refuses
		return &person{}, nil
	}
	if err := a.meet(ctx, []postroom.ContactRef{ref}); err != nil {
		return nil, err
	}
	return a.people[key], nil
}

// meet reads the contacts that references mean.
func (a *actor) meet(ctx context.Context, refs []postroom.ContactRef) error {
	if len(refs) == 0 {
		return nil
	}
	found, err := a.in.store.FindContacts(ctx, a.source.WorkspaceID, refs)
	if err != nil {
		return err
	}
	for i, c := range found {
		p := &person{contact: c}
		if c != nil {
			id := contacts.RefKey(&postroom.ContactRef{ID: c.ID})
			if known, ok := a.people[id]; ok {
				p = known
			} else {
				a.people[id] = p
				a.known = append(a.known, p)
			}
		} else {
			a.known = append(a.known, p)
		}
		if key := contacts.RefKey(&refs[i]); a.people[key] == nil {
			a.people[key] = p
		}
	}
	return nil
}

// clash refuses a contact that would get an email or a uid that is another's. It looks only after something has gone wrong, since it
// seldom does.
func (a *actor) clash(ctx context.Context, before, after *postroom.Contact) error {
	if !a.doubt {
		return nil
	}
	var refs []postroom.ContactRef
	if after.Email != "" && (before == nil || postroom.Fold(before.Email) != postroom.Fold(after.Email)) {
		refs = append(refs, postroom.ContactRef{Email: after.Email})
	}
	if after.UID != nil && (before == nil || before.UID == nil || *before.UID != *after.UID) {
		refs = append(refs, postroom.ContactRef{UID: *after.UID})
	}
	if len(refs) == 0 {
		return nil
	}
	found, err := a.in.store.FindContacts(ctx, a.source.WorkspaceID, refs)
	if err != nil {
		return err
	}
	for i, other := range found {
		if other != nil && other.ID != after.ID {
			what, value := "email", refs[i].Email
			if value == "" {
				what, value = "uid", refs[i].UID
			}
			return postroom.Errorf(postroom.CodeConflict, "The contact %s has the %s %q already.", other.ID, what, value)
		}
	}
	return nil
}

// listsNamed finds lists by their names or ids. One that there is not is left out, or is there without an id, to be made.
func (a *actor) listsNamed(ctx context.Context, names []string, make bool) (lists []postroom.List, err error) {
	var unknown []string
	for _, name := range names {
		if _, known := a.lists[listKey(name)]; !known {
			unknown = append(unknown, strings.TrimSpace(name))
		}
	}
	if len(unknown) > 0 {
		found, err := a.in.store.ListsNamed(ctx, a.source.WorkspaceID, unknown)
		if err != nil {
			return nil, err
		}
		maps.Copy(a.lists, found)
	}
	for _, name := range names {
		list, known := a.lists[listKey(name)]
		_, notID := postroom.ParseID[postroom.ListKind](strings.TrimSpace(name))
		switch {
		case known:
			lists = append(lists, list)
		case notID == nil:
			return nil, postroom.Errorf(postroom.CodeInvalid, "There is no list %s any more.", name)
		case make:
			lists = append(lists, postroom.List{WorkspaceID: a.source.WorkspaceID, Name: strings.TrimSpace(name)})
		}
	}
	return lists, nil
}

func listKey(name string) string { return postroom.Fold(strings.TrimSpace(name)) }

// writes are the changes of contacts, in the order in which they were met.
func (a *actor) writes() (all []postroom.ContactWrite) {
	for _, p := range a.known {
		if p.write != nil {
			all = append(all, *p.write)
		}
	}
	return all
}
