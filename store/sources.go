package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// CreateSource stores a source, with the webhooks of its call_api actions.
func (s *Store) CreateSource(ctx context.Context, src *postroom.StoredSource, calls []postroom.StoredWebhook) error {
	settings, err := settingsJSON(src.SourceSettings)
	if err != nil {
		return err
	}
	return s.changeWebhooks(ctx, src.WorkspaceID, func(q querier) error {
		var revision int64
		if err := q.one(ctx, "workspace_revision", []any{&revision}, src.WorkspaceID); err != nil {
			return notFound(err, "workspace", src.WorkspaceID.String())
		}
		if err := checkSourceUID(ctx, q, *src); err != nil {
			return err
		}
		if _, err := q.exec(ctx, "source_insert", src.ID, src.WorkspaceID, src.UID, settings, src.Sealed, micros(src.CreatedAt.Time)); err != nil {
			return err
		}
		return setCalls(ctx, q, src, calls, src.CreatedAt.Time)
	})
}

// checkSourceUID refuses a uid that another source has. It runs in changeWebhooks, where nobody else can take it meanwhile.
func checkSourceUID(ctx context.Context, q querier, src postroom.StoredSource) error {
	if src.UID == nil {
		return nil
	}
	return q.each(ctx, "source_by_uid", func(row func(...any) error) error {
		other, err := scanSource(row)
		if err == nil && other.ID != src.ID {
			err = postroom.Invalid(postroom.CodeConflict, "/uid", "another source has the uid %q", *src.UID)
		}
		return err
	}, src.WorkspaceID, *src.UID)
}

// setCalls makes the webhooks of a source's call_api actions those that are given, each found by the action that names it. What
// becomes of one that stays is up to its deliveries: its status is kept.
func setCalls(ctx context.Context, q querier, src *postroom.StoredSource, calls []postroom.StoredWebhook, now time.Time) error {
	before := map[postroom.WebhookID]postroom.StoredWebhook{}
	if err := q.each(ctx, "source_calls", func(row func(...any) error) error {
		w, err := scanWebhook(row)
		before[w.ID] = w
		return err
	}, src.WorkspaceID, src.ID); err != nil {
		return err
	}
	for i := range calls {
		w := &calls[i]
		if w.SourceID, w.Action = src.ID, callOf(src, w.ID); w.Action == 0 {
			return fmt.Errorf("webhook %s belongs to no action of source %s", w.ID, src.ID)
		}
		old, exists := before[w.ID]
		delete(before, w.ID)
		if err := setCall(ctx, q, w, old, exists, now); err != nil {
			return err
		}
	}
	for id := range before {
		if err := hideWebhook(ctx, q, src.WorkspaceID, id, now); err != nil {
			return err
		}
	}
	return nil
}

// callOf is the place of the action that a webhook belongs to, from 1; 0 for none.
func callOf(src *postroom.StoredSource, id postroom.WebhookID) int {
	for i, a := range src.Actions {
		if a.Call != nil && a.Call.WebhookID != nil && *a.Call.WebhookID == id {
			return i + 1
		}
	}
	return 0
}

// setCall stores the webhook of an action.
func setCall(ctx context.Context, q querier, w *postroom.StoredWebhook, old postroom.StoredWebhook, exists bool, now time.Time) error {
	settings, err := settingsJSON(w.WebhookSettings)
	if err != nil {
		return err
	}
	if !exists {
		if _, err := q.exec(ctx, "workspace_touch", w.WorkspaceID); err != nil { // for a number of its own
			return err
		}
		if err := q.one(ctx, "workspace_revision", []any{&w.Number}, w.WorkspaceID); err != nil {
			return err
		}
		_, err := q.exec(ctx, "source_call_insert", w.ID, w.WorkspaceID, w.Number, w.Dialect, string(w.Status), settings, w.SealedAuth, micros(now), w.SourceID, w.Action)
		return err
	}
	w.Number = old.Number
	same, err := settingsJSON(old.WebhookSettings)
	if err != nil {
		return err
	}
	if !bytes.Equal(settings, same) || !bytes.Equal(w.SealedAuth, old.SealedAuth) {
		if _, err := q.exec(ctx, "webhook_health_delete", w.WorkspaceID, w.ID); err != nil { // it begins anew
			return err
		}
		if _, err := q.exec(ctx, "webhook_update", w.WorkspaceID, w.ID, nil, settings, w.SealedAuth, micros(now), w.Dialect, nil); err != nil {
			return err
		}
	}
	if w.Action == old.Action {
		return nil
	}
	_, err = q.exec(ctx, "source_call_place", w.WorkspaceID, w.ID, w.Action)
	return err
}

// Source finds a source of a workspace by its id. Its Requests are left out: see RequestCounts.
func (s *Store) Source(ctx context.Context, workspace postroom.WorkspaceID, id postroom.SourceID) (postroom.StoredSource, error) {
	return s.oneSource(ctx, "source_get", id.String(), workspace, id)
}

// SourceByUID finds a source of a workspace by the caller's own id.
func (s *Store) SourceByUID(ctx context.Context, workspace postroom.WorkspaceID, uid string) (postroom.StoredSource, error) {
	return s.oneSource(ctx, "source_by_uid", uid, workspace, uid)
}

// SourceOf finds a source of any workspace, for a call that names only the source.
func (s *Store) SourceOf(ctx context.Context, id postroom.SourceID) (postroom.StoredSource, error) {
	return s.oneSource(ctx, "source_of", id.String(), id)
}

func (s *Store) oneSource(ctx context.Context, name, ref string, args ...any) (src postroom.StoredSource, err error) {
	err = s.read(ctx, func(q querier) error {
		src, err = findSource(ctx, q, name, args...)
		return err
	})
	return src, notFound(err, "source", ref)
}

func findSource(ctx context.Context, q querier, name string, args ...any) (src postroom.StoredSource, err error) {
	err = errNoRow
	if failed := q.each(ctx, name, func(row func(...any) error) error {
		src, err = scanSource(row)
		return err
	}, args...); failed != nil {
		return src, failed
	}
	return src, err
}

func scanSource(row func(...any) error) (src postroom.StoredSource, err error) {
	var uid *string
	var settings []byte
	var created, updated int64
	if err := row(&src.ID, &src.WorkspaceID, &uid, &settings, &src.Sealed, &src.Version, &created, &updated); err != nil {
		return src, err
	}
	if err := json.Unmarshal(settings, &src.SourceSettings); err != nil {
		return src, fmt.Errorf("the settings of source %s cannot be read: %w", src.ID, err)
	}
	src.UID, src.CreatedAt.Time, src.UpdatedAt.Time = uid, fromMicros(created), fromMicros(updated)
	return src, nil
}

// Sources lists up to limit sources of a workspace that are older than the cursor, newest first; or, when the cursor asks for newer
// ones, those, oldest first.
func (s *Store) Sources(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int) (all []postroom.StoredSource, err error) {
	name, from := "source_older", postroom.SourceID{}
	for i := range from {
		from[i] = 0xff
	}
	if cursor != nil {
		from = cursor.ID
		if cursor.Newer {
			name = "source_newer"
		}
	}
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, name, func(row func(...any) error) error {
			src, err := scanSource(row)
			all = append(all, src)
			return err
		}, workspace, from[:], limit)
	})
	return all, err
}

// UpdateSource reads a source, lets change edit it, and stores it with the webhooks of its call_api actions, which change gives: those that it
// does not give any more are deleted. All of it is one transaction, which what change returns as an error ends.
func (s *Store) UpdateSource(ctx context.Context, workspace postroom.WorkspaceID, id postroom.SourceID, now time.Time, change func(*postroom.StoredSource) (calls []postroom.StoredWebhook, err error)) (src postroom.StoredSource, err error) {
	err = s.changeWebhooks(ctx, workspace, func(q querier) error {
		if src, err = findSource(ctx, q, "source_get", workspace, id); err != nil {
			return err
		}
		calls, err := change(&src)
		if err != nil {
			return err
		}
		if err := checkSourceUID(ctx, q, src); err != nil {
			return err
		}
		settings, err := settingsJSON(src.SourceSettings)
		if err != nil {
			return err
		}
		if _, err := q.exec(ctx, "source_health_delete", workspace, id); err != nil { // it begins anew
			return err
		}
		if _, err := q.exec(ctx, "source_update", workspace, id, src.UID, settings, src.Sealed, micros(now)); err != nil {
			return err
		}
		src.Version, src.UpdatedAt.Time = src.Version+1, now.UTC().Truncate(time.Microsecond)
		return setCalls(ctx, q, &src, calls, now)
	})
	return src, notFound(err, "source", id.String())
}

// DeleteSource hides a source with the webhooks of its call_api actions, and destroys its secrets. check sees it first and may refuse. The
// log of its requests stays until it is too old; what waits to be processed finds no source any more. What waits for the webhooks is
// discarded by DiscardQueue.
func (s *Store) DeleteSource(ctx context.Context, workspace postroom.WorkspaceID, id postroom.SourceID, now time.Time, check func(postroom.StoredSource) error) error {
	err := s.changeWebhooks(ctx, workspace, func(q querier) error {
		src, err := findSource(ctx, q, "source_get", workspace, id)
		if err != nil {
			return err
		}
		if err := check(src); err != nil {
			return err
		}
		if _, err := q.exec(ctx, "source_set_deleted", workspace, id, micros(now)); err != nil {
			return err
		}
		if _, err := q.exec(ctx, "source_health_delete", workspace, id); err != nil {
			return err
		}
		return setCalls(ctx, q, &src, nil, now)
	})
	return notFound(err, "source", id.String())
}

// SourceHealth says how a source has been doing since it last succeeded; false for a healthy one.
func (s *Store) SourceHealth(ctx context.Context, source postroom.SourceID) (h postroom.SourceHealth, failing bool, err error) {
	var since int64
	err = s.read(ctx, func(q querier) error {
		return q.one(ctx, "source_health_get", []any{&h.Failures, &since, &h.Told}, source)
	})
	if errors.Is(err, errNoRow) {
		return h, false, nil
	}
	h.FailingSince.Time = fromMicros(since)
	return h, err == nil, err
}

// SealedSource is the secret values of a source, sealed.
type SealedSource struct {
	SourceID postroom.SourceID
	Sealed   []byte
}

// SealedSources lists the secret values of up to limit sources of all workspaces in the order of their ids, after one.
func (s *Store) SealedSources(ctx context.Context, after postroom.SourceID, limit int) (all []SealedSource, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "source_sealed", func(row func(...any) error) error {
			var one SealedSource
			err := row(&one.SourceID, &one.Sealed)
			all = append(all, one)
			return err
		}, after[:], limit)
	})
	return all, err
}
