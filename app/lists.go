package app

import (
	"context"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// ListInput is the part of a list that people set.
type ListInput struct {
	UID         *string `json:"uid"`
	Name        string  `json:"name"`
	Description string  `json:"description"`
}

// changedAtOnce is how many contacts one transaction changes: few enough that publishers do not notice.
const changedAtOnce = 200

// Lists lists the lists of the workspace, newest first.
func (a *App) Lists(ctx context.Context, who Caller, q postroom.PageQuery) (postroom.Page[postroom.List], error) {
	var none postroom.Page[postroom.List]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, err := a.Store.Lists(ctx, who.Workspace, cursor, limit+1)
	if err != nil {
		return none, err
	}
	return postroom.NewPage(found, limit, cursor, nil, func(l postroom.List) [16]byte { return l.ID }), nil
}

// List finds a list by its id, name or uid.
func (a *App) List(ctx context.Context, who Caller, ref string) (postroom.List, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.List{}, err
	}
	return a.findList(ctx, who, ref)
}

func (a *App) findList(ctx context.Context, who Caller, ref string) (postroom.List, error) {
	missing := postroom.Errorf(postroom.CodeNotFound, "There is no list %s in this workspace.", quote(ref))
	var p postroom.Problems
	if checkSearch(&p, "", ref); p.Err() != nil { // nor can a database look for it
		return postroom.List{}, missing
	}
	if id, err := postroom.ParseID[postroom.ListKind](ref); err == nil {
		return a.Store.List(ctx, who.Workspace, id)
	}
	named, err := a.Store.ListsNamed(ctx, who.Workspace, []string{ref})
	if err != nil {
		return postroom.List{}, err
	}
	if l, ok := named[listKey(ref)]; ok {
		return a.Store.List(ctx, who.Workspace, l.ID)
	}
	l, err := a.Store.ListByUID(ctx, who.Workspace, ref)
	if postroom.CodeOf(err) == postroom.CodeNotFound {
		return postroom.List{}, missing
	}
	return l, err
}

func checkList(s ListInput) error {
	var p postroom.Problems
	if _, err := contacts.ListName(s.Name); err != nil {
		p.Add("/name", "%s", err.Error())
	}
	checkLongText(&p, "/description", s.Description)
	if s.UID != nil && (!webhookUID.MatchString(*s.UID) || strings.HasPrefix(*s.UID, "lst_")) {
		p.Add("/uid", "a uid is 1 to 64 letters, digits and . _ : @ -, begins with a letter or digit, and not with lst_")
	}
	return p.Err()
}

// CreateList makes a list.
func (a *App) CreateList(ctx context.Context, who Caller, in ListInput) (postroom.List, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.List{}, err
	}
	in.Name = strings.TrimSpace(in.Name)
	if err := checkList(in); err != nil {
		return postroom.List{}, err
	}
	now := a.Now()
	l := postroom.List{ID: postroom.Next[postroom.ListKind](a.IDs, now), WorkspaceID: who.Workspace, UID: in.UID, Name: in.Name, Description: in.Description,
		CreatedAt: stamp(now), UpdatedAt: stamp(now)}
	if err := a.Store.CreateList(ctx, l); err != nil {
		return l, unavailable(err)
	}
	a.audit(ctx, who, "list.created", l.ID.String(), nil)
	return l, nil
}

// UpdateList changes a list: edit gets its settings, and edits them.
func (a *App) UpdateList(ctx context.Context, who Caller, ref string, edit func(*ListInput) error) (postroom.List, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.List{}, err
	}
	l, err := a.findList(ctx, who, ref)
	if err != nil {
		return l, err
	}
	l, err = a.Store.UpdateList(ctx, who.Workspace, l.ID, a.Now(), func(l *postroom.List) error {
		s := ListInput{l.UID, l.Name, l.Description}
		if err := edit(&s); err != nil {
			return err
		}
		s.Name = strings.TrimSpace(s.Name)
		l.UID, l.Name, l.Description = s.UID, s.Name, s.Description
		return checkList(s)
	})
	if err != nil {
		return l, err
	}
	a.audit(ctx, who, "list.changed", l.ID.String(), nil)
	return a.Store.List(ctx, who.Workspace, l.ID)
}

// DeleteList deletes a list. Its members leave it before that, some hundred at a time, with the events that tell of it; when it is cut off, it
// can be repeated.
func (a *App) DeleteList(ctx context.Context, who Caller, ref string) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	l, err := a.findList(ctx, who, ref)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	leave := postroom.ContactChange{Leave: []postroom.ListID{l.ID}}
	if err := a.changeAll(ctx, who, postroom.ContactFilter{List: l.ID}, leave); err != nil {
		return err
	}
	if err := a.Store.DeleteList(ctx, who.Workspace, l.ID, a.Now(), nil); err != nil {
		return unavailable(err)
	}
	a.audit(ctx, who, "list.deleted", l.ID.String(), nil)
	return nil
}

// changeAll makes the same change of all contacts that a filter lets through.
func (a *App) changeAll(ctx context.Context, who Caller, f postroom.ContactFilter, want postroom.ContactChange) error {
	want.By = who.author(postroom.OriginAPI)
	var refs []postroom.ContactRef
	flush := func() error {
		begun := a.Now()
		err := a.change(ctx, who, audienceChange{refs: refs, plan: func(b *contacts.Batch, _ map[string]postroom.List) error {
			for _, ref := range refs {
				if b.Find(ref) == nil { // deleted meanwhile
					continue
				}
				ch := want
				ch.Ref = ref
				if _, err := b.Apply(ch); err != nil {
					return err
				}
			}
			return nil
		}})
		refs = nil
		pause(ctx, a.Now().Sub(begun)) // publishers get as much time as each step took
		return err
	}
	err := a.eachContact(ctx, who, f, func(c postroom.Contact) error {
		if refs = append(refs, postroom.ContactRef{ID: c.ID}); len(refs) < changedAtOnce {
			return nil
		}
		return flush()
	})
	if err != nil || len(refs) == 0 {
		return err
	}
	return flush()
}

// Members lists the contacts on a list, those who have yet to confirm too, newest contact first.
func (a *App) Members(ctx context.Context, who Caller, list string, q postroom.PageQuery) (postroom.Page[postroom.Contact], error) {
	l, err := a.List(ctx, who, list)
	if err != nil {
		return postroom.Page[postroom.Contact]{}, err
	}
	return a.contactPage(ctx, who, postroom.ContactFilter{List: l.ID}, q)
}

// MaxMembers is how many contacts AddMembers takes at once.
const MaxMembers = 500

// AddMembers puts contacts on a list: all of them, or none where one of them is not there. pending says that they have yet to confirm. One that is on
// it already stays as it is, but one that has yet to confirm is confirmed unless pending says otherwise.
func (a *App) AddMembers(ctx context.Context, who Caller, list string, refs []string, pending bool) ([]postroom.Contact, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return nil, err
	}
	l, err := a.findList(ctx, who, list)
	if err != nil {
		return nil, err
	}
	if len(refs) == 0 || len(refs) > MaxMembers {
		return nil, postroom.Invalid(postroom.CodeInvalid, "/contacts", "1 to %d contacts are added at once", MaxMembers)
	}
	var all []postroom.ContactRef
	for _, ref := range refs {
		all = append(all, contactRefs(ref)...)
	}
	members := make([]postroom.Contact, len(refs))
	err = a.change(ctx, who, audienceChange{refs: all, plan: func(b *contacts.Batch, _ map[string]postroom.List) error {
		var p postroom.Problems
		for i, ref := range refs {
			c, err := inBatch(b, ref)
			if err != nil {
				p.Add("/contacts/"+strconv.Itoa(i), "there is no contact %s in this workspace", quote(ref))
				continue
			}
			after, err := b.Apply(postroom.ContactChange{Ref: postroom.ContactRef{ID: c.ID}, Join: []postroom.List{l}, Pending: pending, By: who.author(postroom.OriginAPI)})
			if err != nil {
				return err
			}
			members[i] = *after
		}
		return p.Err()
	}})
	return members, err
}

// RemoveMember takes a contact off a list. It is known that the contact was on it.
func (a *App) RemoveMember(ctx context.Context, who Caller, list, ref string) (postroom.Contact, error) {
	return a.changeMember(ctx, who, list, ref, func(l postroom.List) postroom.ContactChange {
		return postroom.ContactChange{Leave: []postroom.ListID{l.ID}}
	})
}

// ConfirmMember confirms the membership of a contact that was pending.
func (a *App) ConfirmMember(ctx context.Context, who Caller, list, ref string) (postroom.Contact, error) {
	return a.changeMember(ctx, who, list, ref, func(l postroom.List) postroom.ContactChange {
		return postroom.ContactChange{Join: []postroom.List{l}}
	})
}

// changeMember changes the membership of a contact that is on a list, or has yet to confirm.
func (a *App) changeMember(ctx context.Context, who Caller, list, ref string, want func(postroom.List) postroom.ContactChange) (c postroom.Contact, err error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return c, err
	}
	l, err := a.findList(ctx, who, list)
	if err != nil {
		return c, err
	}
	err = a.change(ctx, who, audienceChange{refs: contactRefs(ref), plan: func(b *contacts.Batch, _ map[string]postroom.List) error {
		found, err := inBatch(b, ref)
		if err != nil {
			return err
		}
		if !isMember(found, l.ID) {
			return postroom.Errorf(postroom.CodeNotFound, "The contact %s is not on the list %s.", found.ID, quote(l.Name))
		}
		ch := want(l)
		ch.Ref, ch.By = postroom.ContactRef{ID: found.ID}, who.author(postroom.OriginAPI)
		after, err := b.Apply(ch)
		if err == nil {
			c = *after
		}
		return err
	}})
	return c, err
}

func isMember(c *postroom.Contact, list postroom.ListID) bool {
	for _, m := range c.Lists {
		if m.ID == list {
			return m.Status != postroom.MemberUnsubscribed
		}
	}
	return false
}
