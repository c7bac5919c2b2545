package store

import (
	"context"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// Tags lists up to limit tags of a workspace that come after one, by name, with how many contacts have each.
func (s *Store) Tags(ctx context.Context, workspace postroom.WorkspaceID, after string, limit int) (all []postroom.Tag, err error) {
	err = s.read(ctx, func(q querier) error {
		all = []postroom.Tag{}
		return q.each(ctx, "tag_list", func(row func(...any) error) error {
			var t postroom.Tag
			err := row(&t.Name, &t.Contacts)
			all = append(all, t)
			return err
		}, workspace, after, limit)
	})
	return all, err
}

// Tag finds a tag by its name.
func (s *Store) Tag(ctx context.Context, workspace postroom.WorkspaceID, name string) (postroom.Tag, error) {
	t := postroom.Tag{Name: name}
	err := errNoRow
	if isText(name) {
		err = s.read(ctx, func(q querier) error { return q.one(ctx, "tag_get", []any{&t.Contacts}, workspace, name) })
	}
	if err == nil && t.Contacts == 0 {
		err = errNoRow
	}
	return t, notFound(err, "tag", name)
}

// RenameTag gives all contacts that have a tag another one instead, which some may have already. It works in small steps, and calls
// progress, if not nil, after each; whoever is cut off calls it again.
func (s *Store) RenameTag(ctx context.Context, workspace postroom.WorkspaceID, name, to string, now time.Time, progress func(contacts int64)) error {
	if name == to {
		return nil
	}
	return s.retag(ctx, workspace, name, to, now, progress)
}

// DeleteTag takes a tag from all contacts, as RenameTag does.
func (s *Store) DeleteTag(ctx context.Context, workspace postroom.WorkspaceID, name string, now time.Time, progress func(contacts int64)) error {
	return s.retag(ctx, workspace, name, "", now, progress)
}

func (s *Store) retag(ctx context.Context, workspace postroom.WorkspaceID, name, to string, now time.Time, progress func(int64)) error {
	if _, err := s.Tag(ctx, workspace, name); err != nil {
		return err
	}
	return s.eachContact(ctx, progress, func(q querier) ([]postroom.ContactID, error) {
		return contactsIn(ctx, q, "tag_contacts", workspace, name, contactStep)
	}, func(q querier, contacts []postroom.ContactID) error {
		return changeContacts(ctx, q, workspace, contacts, now, func(ids string) error {
			tags := map[postroom.ContactID][]string{} // as they are, now that nobody else changes them
			if err := eachTag(ctx, q, workspace, ids, func(id postroom.ContactID, tag string) { tags[id] = append(tags[id], tag) }); err != nil {
				return err
			}
			counts := contactCounts{}
			var given [][]any
			for _, id := range contacts {
				if !slices.Contains(tags[id], name) {
					continue
				}
				counts.tag(name, partOf(id), -1)
				if _, err := q.exec(ctx, "contact_tag_delete", workspace, id, name); err != nil {
					return err
				}
				if to != "" && !slices.Contains(tags[id], to) {
					counts.tag(to, partOf(id), 1)
					given = append(given, []any{workspace, id, to})
				}
			}
			if _, err := q.execRows(ctx, "contact_tag_put", given); err != nil {
				return err
			}
			return counts.add(ctx, q, workspace)
		})
	})
}
