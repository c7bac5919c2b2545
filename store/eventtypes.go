package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/postroom/postroom"
)

// CreateEventType stores a custom event type.
func (s *Store) CreateEventType(ctx context.Context, workspace postroom.WorkspaceID, t postroom.EventType, now time.Time) error {
	return s.write(ctx, func(q querier) error {
		n, err := q.exec(ctx, "event_type_insert", workspace, t.Name, t.Group, t.Title, t.Description, blob(t.Schema), blob(t.Sample), micros(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return postroom.Invalid(postroom.CodeConflict, "/name", "the event type %q exists already", t.Name)
		}
		_, err = q.exec(ctx, "workspace_touch", workspace)
		return err
	})
}

// UpdateEventType changes all but the name of a custom event type.
func (s *Store) UpdateEventType(ctx context.Context, workspace postroom.WorkspaceID, t postroom.EventType, now time.Time) error {
	return s.write(ctx, func(q querier) error {
		n, err := q.exec(ctx, "event_type_update", workspace, t.Name, t.Group, t.Title, t.Description, blob(t.Schema), blob(t.Sample), micros(now))
		if err := touched(n, err)("custom event type", t.Name); err != nil {
			return err
		}
		_, err = q.exec(ctx, "workspace_touch", workspace)
		return err
	})
}

// DeleteEventType deletes a custom event type. Events of it stay.
func (s *Store) DeleteEventType(ctx context.Context, workspace postroom.WorkspaceID, name string) error {
	return s.write(ctx, func(q querier) error {
		if err := touched(q.exec(ctx, "event_type_delete", workspace, name))("custom event type", name); err != nil {
			return err
		}
		_, err := q.exec(ctx, "workspace_touch", workspace)
		return err
	})
}

// EventTypes lists a workspace's custom event types by name.
func (s *Store) EventTypes(ctx context.Context, workspace postroom.WorkspaceID) (all []postroom.EventType, err error) {
	all = []postroom.EventType{}
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "event_type_list", func(row func(...any) error) error {
			t := postroom.EventType{Custom: true}
			var created, updated int64
			var schema, sample []byte
			err := row(&t.Name, &t.Group, &t.Title, &t.Description, &schema, &sample, &created, &updated)
			t.Schema, t.Sample, t.CreatedAt, t.UpdatedAt = schema, sample, timestamp(&created), timestamp(&updated)
			all = append(all, t)
			return err
		}, workspace)
	})
	return all, err
}

// blob is raw JSON for a nullable column.
func blob(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return []byte(raw)
}
