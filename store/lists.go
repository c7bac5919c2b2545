package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// listKeys are what no two lists of a workspace share.
func listKeys(l postroom.List) []string {
	keys := []string{listNameKey + postroom.Fold(l.Name)}
	if l.UID != nil {
		keys = append(keys, listUIDKey+*l.UID)
	}
	return keys
}

const listNameKey, listUIDKey = "list ", "list uid "

// eachListOf visits the lists that have one of the keys.
func eachListOf(ctx context.Context, q querier, workspace postroom.WorkspaceID, keys []string, visit func(postroom.List)) error {
	scan := func(row func(...any) error) error {
		l, err := scanList(row)
		if err == nil {
			visit(l)
		}
		return err
	}
	var names []string
	for _, key := range keys {
		if uid, is := strings.CutPrefix(key, listUIDKey); is {
			if err := q.each(ctx, "list_by_uid", scan, workspace, uid); err != nil {
				return err
			}
		}
		if name, is := strings.CutPrefix(key, listNameKey); is {
			names = append(names, name)
		}
	}
	return q.each(ctx, "list_named", scan, workspace, jsonList(names))
}

func listValues(l postroom.List) []any {
	return []any{l.ID, l.WorkspaceID, l.UID, l.Name, postroom.Fold(l.Name), l.Description, micros(l.CreatedAt.Time), micros(l.UpdatedAt.Time)}
}

func scanList(row func(...any) error) (l postroom.List, err error) {
	var created, updated int64
	err = row(&l.ID, &l.WorkspaceID, &l.UID, &l.Name, &l.Description, &created, &updated, &l.Members)
	l.CreatedAt.Time, l.UpdatedAt.Time = fromMicros(created), fromMicros(updated)
	return l, err
}

// CreateList stores a list. Its name, whatever the case, and its uid are its own.
func (s *Store) CreateList(ctx context.Context, l postroom.List) error {
	return s.write(ctx, func(q querier) error {
		if err := checkListKeys(ctx, q, l); err != nil {
			return err
		}
		_, err := q.execRows(ctx, "list_insert", [][]any{listValues(l)})
		return err
	})
}

// checkListKeys refuses the name or the uid of another list. Nobody can take them until the transaction ends.
func checkListKeys(ctx context.Context, q querier, l postroom.List) error {
	keys := listKeys(l)
	if err := lockKeys(ctx, q, l.WorkspaceID, keys); err != nil {
		return err
	}
	var problems postroom.Problems
	if err := eachListOf(ctx, q, l.WorkspaceID, keys, func(other postroom.List) {
		switch {
		case other.ID == l.ID:
		case l.UID != nil && other.UID != nil && *other.UID == *l.UID:
			problems.AddCode(postroom.CodeConflict, "/uid", "another list has the uid %q", *l.UID)
		default:
			problems.AddCode(postroom.CodeConflict, "/name", "another list has the name %q", other.Name)
		}
	}); err != nil {
		return err
	}
	return problems.Err()
}

// List finds a list of a workspace by its id.
func (s *Store) List(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ListID) (postroom.List, error) {
	return s.oneList(ctx, id.String(), "list_by_ids", workspace, hexList([]postroom.ListID{id}))
}

// ListByUID finds a list of a workspace by the caller's own id.
func (s *Store) ListByUID(ctx context.Context, workspace postroom.WorkspaceID, uid string) (postroom.List, error) {
	return s.oneList(ctx, uid, "list_by_uid", workspace, uid)
}

func (s *Store) oneList(ctx context.Context, ref, name string, args ...any) (postroom.List, error) {
	found, err := s.lists(ctx, name, args...)
	if err == nil && len(found) == 0 {
		err = errNoRow
	}
	if err != nil {
		return postroom.List{}, notFound(err, "list", ref)
	}
	return found[0], nil
}

func (s *Store) lists(ctx context.Context, name string, args ...any) (all []postroom.List, err error) {
	err = s.read(ctx, func(q querier) error {
		all = nil
		return q.each(ctx, name, func(row func(...any) error) error {
			l, err := scanList(row)
			all = append(all, l)
			return err
		}, args...)
	})
	return all, err
}

// Lists gives up to limit lists of a workspace that are older than the cursor, newest first; or, when the cursor asks for newer ones, those,
// oldest first.
func (s *Store) Lists(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) ([]postroom.List, error) {
	name, from := pageText("list_older", "list_newer", cursor)
	return s.lists(ctx, name, workspace, from[:], limit)
}

// ListsNamed finds lists by what people call them: each is in the map under its name in lower case, and under its id as a text if that was
// asked for.
func (s *Store) ListsNamed(ctx context.Context, workspace postroom.WorkspaceID, names []string) (map[string]postroom.List, error) {
	found := map[string]postroom.List{}
	var folded []string
	var ids []postroom.ListID
	for _, name := range names {
		if id, err := postroom.ParseID[postroom.ListKind](name); err == nil {
			ids = append(ids, id)
		}
		folded = append(folded, postroom.Fold(strings.TrimSpace(name)))
	}
	byName, err := s.lists(ctx, "list_named", workspace, jsonList(folded))
	if err != nil {
		return nil, err
	}
	for _, l := range byName {
		found[postroom.Fold(l.Name)] = l
	}
	if len(ids) == 0 {
		return found, nil
	}
	byID, err := s.lists(ctx, "list_by_ids", workspace, hexList(ids))
	for _, l := range byID {
		found[l.ID.String()] = l
	}
	return found, err
}

// UpdateList reads a list, lets change edit it, and stores its uid, name and description, all in one transaction. What change returns as an
// error ends it.
func (s *Store) UpdateList(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ListID, now time.Time, change func(*postroom.List) error) (l postroom.List, err error) {
	err = s.write(ctx, func(q querier) error {
		for {
			var version int64
			if err := q.one(ctx, "list_version", []any{&version}, workspace, id); err != nil {
				return err
			}
			if err := q.each(ctx, "list_by_ids", func(row func(...any) error) (err error) {
				l, err = scanList(row)
				return err
			}, workspace, hexList([]postroom.ListID{id})); err != nil {
				return err
			}
			if err := change(&l); err != nil {
				return err
			}
			if err := checkListKeys(ctx, q, l); err != nil {
				return err
			}
			l.UpdatedAt.Time = now.UTC().Truncate(time.Microsecond)
			n, err := q.exec(ctx, "list_update", workspace, id, l.UID, l.Name, postroom.Fold(l.Name), l.Description, micros(now), version)
			if err != nil || n > 0 {
				return err
			} // else another change came between
		}
	})
	return l, notFound(err, "list", id.String())
}

// DeleteList deletes a list at once, and then, in small steps, its memberships, after each of which it calls progress, if not nil. What a
// crash cuts off, Expire ends.
func (s *Store) DeleteList(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ListID, now time.Time, progress func(contacts int64)) error {
	if err := s.write(ctx, func(q querier) error {
		return touched(q.exec(ctx, "list_set_deleted", workspace, id, micros(now)))("list", id.String())
	}); err != nil {
		return err
	}
	return s.endList(ctx, workspace, id, now, progress)
}

// endList deletes what is left of a deleted list.
func (s *Store) endList(ctx context.Context, workspace postroom.WorkspaceID, id postroom.ListID, now time.Time, progress func(contacts int64)) error {
	err := s.eachContact(ctx, progress, func(q querier) ([]postroom.ContactID, error) {
		return contactsIn(ctx, q, "list_members_left", workspace, id, contactStep)
	}, func(q querier, contacts []postroom.ContactID) error {
		return changeContacts(ctx, q, workspace, contacts, now, func(string) error {
			_, err := q.exec(ctx, "list_membership_delete", workspace, id, hexList(contacts))
			return err
		})
	})
	if err != nil {
		return err
	}
	return s.write(ctx, func(q querier) error {
		if _, err := q.exec(ctx, "list_count_delete", workspace, id); err != nil {
			return err
		}
		_, err := q.exec(ctx, "list_delete", workspace, id)
		return err
	})
}

// endDeletedLists ends the deletions of lists that something cut off, in all workspaces.
func (s *Store) endDeletedLists(ctx context.Context, now time.Time, progress func(int64)) error {
	type owned struct {
		workspace postroom.WorkspaceID
		list      postroom.ListID
	}
	var left []owned
	if err := s.read(ctx, func(q querier) error {
		left = nil
		return q.each(ctx, "list_deleted", func(row func(...any) error) error {
			var l owned
			err := row(&l.workspace, &l.list)
			left = append(left, l)
			return err
		}, 100)
	}); err != nil {
		return err
	}
	for _, l := range left {
		if err := s.endList(ctx, l.workspace, l.list, now, progress); err != nil {
			return err
		}
	}
	return nil
}

// contactStep is how many contacts one transaction changes when all of a list are changed.
const contactStep = 200

// eachContact changes contacts in transactions of their own until next finds none.
func (s *Store) eachContact(ctx context.Context, progress func(int64), next func(q querier) ([]postroom.ContactID, error), change func(q querier, contacts []postroom.ContactID) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var n int
		if err := s.write(ctx, func(q querier) error {
			contacts, err := next(q)
			if n = len(contacts); err != nil || n == 0 {
				return err
			}
			return change(q, contacts)
		}); err != nil || n == 0 {
			return err
		}
		if progress != nil {
			progress(int64(n))
		}
	}
}

func contactsIn(ctx context.Context, q querier, name string, args ...any) (ids []postroom.ContactID, err error) {
	err = q.each(ctx, name, func(row func(...any) error) error {
		var id postroom.ContactID
		err := row(&id)
		ids = append(ids, id)
		return err
	}, args...)
	slices.SortFunc(ids, func(a, b postroom.ContactID) int { return strings.Compare(string(a[:]), string(b[:])) })
	return ids, err
}

// changeContacts locks contacts, changes something that is theirs, and raises their versions, so that nothing is stored that was planned on
// what they were.
func changeContacts(ctx context.Context, q querier, workspace postroom.WorkspaceID, contacts []postroom.ContactID, now time.Time, change func(ids string) error) error {
	ids := hexList(contacts)
	if err := q.each(ctx, "contact_stored", func(func(...any) error) error { return nil }, workspace, ids); err != nil {
		return err
	}
	if err := change(ids); err != nil {
		return err
	}
	_, err := q.exec(ctx, "contact_touch", workspace, ids, micros(now))
	return err
}
