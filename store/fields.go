package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// Fields lists the custom fields that a workspace declared, by name.
func (s *Store) Fields(ctx context.Context, workspace postroom.WorkspaceID) (all []postroom.Field, err error) {
	err = s.read(ctx, func(q querier) error {
		all = []postroom.Field{}
		return q.each(ctx, "field_list", func(row func(...any) error) error {
			var f postroom.Field
			var options []byte
			var created, updated int64
			if err := row(&f.Name, &f.Title, &f.Type, &options, &created, &updated); err != nil {
				return err
			}
			f.CreatedAt.Time, f.UpdatedAt.Time = fromMicros(created), fromMicros(updated)
			if options != nil {
				if err := json.Unmarshal(options, &f.Options); err != nil {
					return fmt.Errorf("the options of the field %q cannot be read: %w", f.Name, err)
				}
			}
			all = append(all, f)
			return nil
		}, workspace)
	})
	return all, err
}

// PutField declares a custom field, or changes what was declared of it. Values that contacts have already stay as they are.
func (s *Store) PutField(ctx context.Context, workspace postroom.WorkspaceID, f postroom.Field, now time.Time) error {
	var options any
	if len(f.Options) > 0 {
		list, err := json.Marshal(f.Options)
		if err != nil {
			return err
		}
		options = list
	}
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "field_put", workspace, f.Name, f.Title, string(f.Type), options, micros(now))
		return err
	})
}

// DeleteField forgets what was declared of a custom field. Contacts keep their values of it.
func (s *Store) DeleteField(ctx context.Context, workspace postroom.WorkspaceID, name string) error {
	return s.write(ctx, func(q querier) error {
		if !isText(name) {
			return notFound(errNoRow, "custom field", name)
		}
		return touched(q.exec(ctx, "field_delete", workspace, name))("custom field", name)
	})
}
