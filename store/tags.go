package store

import (
	"context"

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
