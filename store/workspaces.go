package store

import (
	"context"
	"errors"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// CreateWorkspace stores a workspace and its first key.
func (s *Store) CreateWorkspace(ctx context.Context, w postroom.Workspace, k postroom.Key, digest []byte) error {
	return s.write(ctx, func(q querier) error {
		if _, err := q.exec(ctx, "workspace_insert", w.ID, w.Name, micros(w.CreatedAt.Time)); err != nil {
			return err
		}
		return insertKey(ctx, q, k, digest)
	})
}

// Workspaces lists all workspaces, for an operator.
func (s *Store) Workspaces(ctx context.Context) (all []postroom.Workspace, err error) {
	all = []postroom.Workspace{}
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "workspace_list", func(row func(...any) error) error {
			w, err := scanWorkspace(row)
			all = append(all, w)
			return err
		})
	})
	return all, err
}

// Workspace finds one workspace.
func (s *Store) Workspace(ctx context.Context, id postroom.WorkspaceID) (w postroom.Workspace, err error) {
	err = errNoRow
	if failed := s.read(ctx, func(q querier) error {
		return q.each(ctx, "workspace_get", func(row func(...any) error) error {
			w, err = scanWorkspace(row)
			return err
		}, id)
	}); failed != nil {
		return w, failed
	}
	return w, notFound(err, "workspace", id.String())
}

func scanWorkspace(row func(...any) error) (w postroom.Workspace, err error) {
	var created, updated int64
	err = row(&w.ID, &w.Name, &created, &updated)
	w.CreatedAt.Time, w.UpdatedAt.Time = fromMicros(created), fromMicros(updated)
	return w, err
}

// RenameWorkspace changes a workspace's name.
func (s *Store) RenameWorkspace(ctx context.Context, id postroom.WorkspaceID, name string, now time.Time) error {
	return s.write(ctx, func(q querier) error {
		return touched(q.exec(ctx, "workspace_update", id, name, micros(now)))("workspace", id.String())
	})
}

// purgeStep is how many deliveries, events or requests one transaction of a deletion takes.
const purgeStep = 200

// DeleteWorkspace deletes a workspace with all that belongs to it: first its keys, webhooks and sources, so that nothing
// new comes, then the rest in small steps.
func (s *Store) DeleteWorkspace(ctx context.Context, id postroom.WorkspaceID) error {
	if _, err := s.Workspace(ctx, id); err != nil {
		return err
	}
	if err := s.execAll(ctx, id, "key_delete_all", "purge_sessions", "purge_links", "purge_secrets", "purge_health", "purge_replays", "purge_webhooks", "close_sources", "purge_source_health",
		"event_type_delete_all", "idempotency_delete_all", "workspace_touch"); err != nil {
		return err
	}
	for more := true; more; {
		err := s.write(ctx, func(q querier) error {
			if _, err := q.exec(ctx, "purge_attempts", id, purgeStep); err != nil {
				return err
			}
			deliveries, err := q.exec(ctx, "purge_deliveries", id, purgeStep)
			if err != nil {
				return err
			}
			events, err := q.exec(ctx, "purge_events", id, purgeStep)
			if err != nil {
				return err
			}
			requests, err := q.exec(ctx, "purge_requests", id, purgeStep)
			more = deliveries > 0 || events > 0 || requests > 0
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := s.purged(ctx); err != nil {
		return err
	}
	if err := s.purgeContacts(ctx, id); err != nil {
		return err
	}
	if err := s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "purge_people")
		return err
	}); err != nil {
		return err
	}
	return s.execAll(ctx, id, "purge_rollups_open", "purge_rollups", "purge_event_keys", "purge_request_keys", "purge_sources", "workspace_delete")
}

// purgeContacts deletes a workspace's contacts with all that is theirs, and what the workspace keeps beside them.
func (s *Store) purgeContacts(ctx context.Context, id postroom.WorkspaceID) error {
	err := s.eachContact(ctx, nil, func(q querier) ([]postroom.ContactID, error) {
		return contactsIn(ctx, q, "purge_contacts_page", id, contactStep)
	}, func(q querier, contacts []postroom.ContactID) error { return removeContacts(ctx, q, id, contacts) })
	if err != nil {
		return err
	}
	return s.execAll(ctx, id, "purge_tag_counts", "purge_list_counts", "purge_lists", "purge_fields", "purge_imports", "purge_audit", "purge_erasures", "purge_sessions", "purge_links", "purge_members")
}

// execAll runs named texts, whose only parameter is the workspace, in one transaction.
func (s *Store) execAll(ctx context.Context, id postroom.WorkspaceID, names ...string) error {
	return s.write(ctx, func(q querier) error {
		for _, name := range names {
			if _, err := q.exec(ctx, name, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Revision says how often a workspace's webhooks and event types have changed.
func (s *Store) Revision(ctx context.Context, id postroom.WorkspaceID) (revision int64, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.one(ctx, "workspace_revision", []any{&revision}, id)
	})
	return revision, notFound(err, "workspace", id.String())
}

// Revisions gives the revision of each workspace, for the caches of this node.
func (s *Store) Revisions(ctx context.Context) (map[postroom.WorkspaceID]int64, error) {
	all := map[postroom.WorkspaceID]int64{}
	err := s.read(ctx, func(q querier) error {
		return q.each(ctx, "workspace_revisions", func(row func(...any) error) error {
			var id postroom.WorkspaceID
			var revision int64
			err := row(&id, &revision)
			all[id] = revision
			return err
		})
	})
	return all, err
}

// touched turns a change that found nothing into a not-found error.
func touched(n int64, err error) func(what, ref string) error {
	return func(what, ref string) error {
		if err == nil && n == 0 {
			err = errNoRow
		}
		return notFound(err, what, ref)
	}
}

// CreateKey stores a key by its digest.
func (s *Store) CreateKey(ctx context.Context, k postroom.Key, digest []byte) error {
	return s.write(ctx, func(q querier) error { return insertKey(ctx, q, k, digest) })
}

func insertKey(ctx context.Context, q querier, k postroom.Key, digest []byte) error {
	var expires any
	if k.ExpiresAt != nil {
		expires = micros(k.ExpiresAt.Time)
	}
	_, err := q.exec(ctx, "key_insert", k.ID, k.WorkspaceID, k.Name, string(k.Role), k.Hint, digest, boolInt(k.Operator), micros(k.CreatedAt.Time), expires)
	return err
}

// KeyByDigest finds the key that somebody presents. It reports CodeNotFound for an unknown one.
func (s *Store) KeyByDigest(ctx context.Context, digest []byte) (postroom.Key, error) {
	return s.oneKey(ctx, "key_by_digest", "(presented)", digest)
}

// Key finds a key of a workspace.
func (s *Store) Key(ctx context.Context, workspace postroom.WorkspaceID, id postroom.KeyID) (postroom.Key, error) {
	return s.oneKey(ctx, "key_get", id.String(), workspace, id)
}

func (s *Store) oneKey(ctx context.Context, name, ref string, args ...any) (k postroom.Key, err error) {
	keys, err := s.keys(ctx, name, args...)
	if err == nil && len(keys) == 0 {
		err = errNoRow
	}
	if err != nil {
		return k, notFound(err, "key", ref)
	}
	return keys[0], nil
}

// Keys lists a workspace's keys, from old to new.
func (s *Store) Keys(ctx context.Context, workspace postroom.WorkspaceID) ([]postroom.Key, error) {
	return s.keys(ctx, "key_list", workspace)
}

func (s *Store) keys(ctx context.Context, name string, args ...any) ([]postroom.Key, error) {
	keys := []postroom.Key{}
	err := s.read(ctx, func(q querier) error {
		return q.each(ctx, name, func(row func(...any) error) error {
			var k postroom.Key
			var created int64
			var expires *int64
			err := row(&k.ID, &k.WorkspaceID, &k.Name, &k.Role, &k.Hint, &k.Operator, &created, &expires)
			k.CreatedAt.Time, k.ExpiresAt = fromMicros(created), timestamp(expires)
			keys = append(keys, k)
			return err
		}, args...)
	})
	return keys, err
}

func timestamp(us *int64) *postroom.Timestamp {
	if us == nil {
		return nil
	}
	return &postroom.Timestamp{Time: fromMicros(*us)}
}

// DeleteKey deletes a key.
func (s *Store) DeleteKey(ctx context.Context, workspace postroom.WorkspaceID, id postroom.KeyID) error {
	return s.write(ctx, func(q querier) error {
		return touched(q.exec(ctx, "key_delete", workspace, id))("key", id.String())
	})
}

// BeginIdempotent claims a key until then. When it is taken, it gives the record that holds it.
func (s *Store) BeginIdempotent(ctx context.Context, workspace postroom.WorkspaceID, key string, hash []byte, now, until time.Time) (held *postroom.IdempotencyRecord, err error) {
	err = s.write(ctx, func(q querier) error {
		held = nil
		n, err := q.exec(ctx, "idempotency_begin", workspace, key, hash, micros(until), micros(now))
		if err != nil || n > 0 {
			return err
		}
		held = &postroom.IdempotencyRecord{}
		var expires int64
		return q.one(ctx, "idempotency_get", []any{&held.Hash, &held.Answer, &expires}, workspace, key)
	})
	if errors.Is(err, errNoRow) { // it ended between the two statements
		return s.BeginIdempotent(ctx, workspace, key, hash, now, until)
	}
	failpoint.HitIf(held == nil, failpoint.KeyTaken)
	return held, err
}

// HoldIdempotent holds the key of a call that still runs until then.
func (s *Store) HoldIdempotent(ctx context.Context, workspace postroom.WorkspaceID, key string, hash []byte, until time.Time) error {
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "idempotency_hold", workspace, key, hash, micros(until))
		return err
	})
}

// CompleteIdempotent stores the answer of a call until then.
func (s *Store) CompleteIdempotent(ctx context.Context, workspace postroom.WorkspaceID, key string, answer []byte, until time.Time) (err error) {
	failpoint.Hit(failpoint.KeyUnsettled)
	err = s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "idempotency_complete", workspace, key, answer, micros(until))
		return err
	})
	failpoint.Hit(failpoint.KeySettled)
	return err
}

// AbandonIdempotent forgets a key, so that the call can be made again.
func (s *Store) AbandonIdempotent(ctx context.Context, workspace postroom.WorkspaceID, key string) error {
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "idempotency_delete", workspace, key)
		return err
	})
}
