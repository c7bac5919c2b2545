package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/postroom/postroom"
)

// CreateWebhook stores a webhook with its first secret, and gives it its number.
func (s *Store) CreateWebhook(ctx context.Context, w *postroom.StoredWebhook, secret postroom.StoredSecret) error {
	settings, err := settingsJSON(w.WebhookSettings)
	if err != nil {
		return err
	}
	return s.changeWebhooks(ctx, w.WorkspaceID, func(q querier) error {
		if err := checkUID(ctx, q, *w); err != nil {
			return err
		}
		if err := q.one(ctx, "workspace_revision", []any{&w.Number}, w.WorkspaceID); err != nil {
			return notFound(err, "workspace", w.WorkspaceID.String())
		}
		if _, err := q.exec(ctx, "webhook_insert", w.ID, w.WorkspaceID, w.UID, string(w.Status), settings, w.SealedAuth, micros(w.CreatedAt.Time), w.Number, w.Dialect, boolInt(w.KeyShown), textOrNull(w.Customer)); err != nil {
			return err
		}
		return insertSecret(ctx, q, w.WorkspaceID, w.ID, secret)
	})
}

// settingsJSON writes settings as JSON. A template in them stays as it was written, but for white space.
func settingsJSON(s any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// changeWebhooks runs f in a transaction that raises the workspace's revision. That comes first: on PostgreSQL it makes
// other changes of the same workspace's webhooks wait, so that what f reads is still so when f writes.
func (s *Store) changeWebhooks(ctx context.Context, workspace postroom.WorkspaceID, f func(q querier) error) error {
	return s.write(ctx, func(q querier) error {
		if _, err := q.exec(ctx, "workspace_touch", workspace); err != nil {
			return err
		}
		return f(q)
	})
}

// checkUID refuses a uid that another webhook has. It runs in changeWebhooks, where nobody else can take it meanwhile.
func checkUID(ctx context.Context, q querier, w postroom.StoredWebhook) error {
	if w.UID == nil {
		return nil
	}
	return q.each(ctx, "webhook_by_uid", func(row func(...any) error) error {
		other, err := scanWebhook(row)
		if err == nil && other.ID != w.ID {
			err = postroom.Invalid(postroom.CodeConflict, "/uid", "another webhook has the uid %q", *w.UID)
		}
		return err
	}, w.WorkspaceID, *w.UID, int64(0))
}

func insertSecret(ctx context.Context, q querier, workspace postroom.WorkspaceID, webhook postroom.WebhookID, secret postroom.StoredSecret) error {
	_, err := q.exec(ctx, "webhook_secret_insert", secret.ID, workspace, webhook, string(secret.Kind), secret.PublicKey, secret.Sealed, micros(secret.CreatedAt.Time))
	return err
}

// Webhook finds a webhook of a workspace by its id.
func (s *Store) Webhook(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time) (postroom.StoredWebhook, error) {
	return s.oneWebhook(ctx, "webhook_get", id.String(), workspace, id, micros(now))
}

// WebhookByUID finds a webhook of a workspace by the caller's own id.
func (s *Store) WebhookByUID(ctx context.Context, workspace postroom.WorkspaceID, uid string, now time.Time) (postroom.StoredWebhook, error) {
	return s.oneWebhook(ctx, "webhook_by_uid", uid, workspace, uid, micros(now))
}

// WebhookByNumber finds a webhook of a workspace by its number.
func (s *Store) WebhookByNumber(ctx context.Context, workspace postroom.WorkspaceID, number int64, now time.Time) (postroom.StoredWebhook, error) {
	return s.oneWebhook(ctx, "webhook_by_number", strconv.FormatInt(number, 10), workspace, number, micros(now))
}

// WebhooksOfDialect lists up to limit webhooks of a workspace that have a dialect, from old to new, after the first offset; and counts
// them all. Those that are paused are left out, unless asked for.
func (s *Store) WebhooksOfDialect(ctx context.Context, workspace postroom.WorkspaceID, dialect string, paused bool, offset, limit int, now time.Time) (all []postroom.StoredWebhook, total int64, err error) {
	with := boolInt(paused)
	err = s.read(ctx, func(q querier) error {
		if err := q.one(ctx, "webhook_of_dialect_count", []any{&total}, workspace, dialect, with); err != nil {
			return err
		}
		return q.each(ctx, "webhook_of_dialect", func(row func(...any) error) error {
			w, err := scanWebhook(row)
			all = append(all, w)
			return err
		}, workspace, dialect, micros(now), with, limit, offset)
	})
	return all, total, err
}

func (s *Store) oneWebhook(ctx context.Context, name, ref string, args ...any) (w postroom.StoredWebhook, err error) {
	err = s.read(ctx, func(q querier) error {
		w, err = findWebhook(ctx, q, name, args...)
		return err
	})
	return w, notFound(err, "webhook", ref)
}

func findWebhook(ctx context.Context, q querier, name string, args ...any) (w postroom.StoredWebhook, err error) {
	err = errNoRow
	if failed := q.each(ctx, name, func(row func(...any) error) error {
		w, err = scanWebhook(row)
		return err
	}, args...); failed != nil {
		return w, failed
	}
	return w, err
}

func scanWebhook(row func(...any) error) (w postroom.StoredWebhook, err error) {
	var uid *string
	var settings []byte
	var since, created, updated int64
	var action *int64
	if err := row(&w.ID, &w.WorkspaceID, &w.Number, &uid, &w.Status, &w.StatusReason, &since, &settings, &w.SealedAuth, &w.KeyShown, &w.Version, &created, &updated, &w.Secrets, &w.SourceID, &action); err != nil {
		return w, err
	}
	if action != nil {
		w.Action = int(*action)
	}
	if err := json.Unmarshal(settings, &w.WebhookSettings); err != nil {
		return w, fmt.Errorf("the settings of webhook %s cannot be read: %w", w.ID, err)
	}
	w.UID, w.StatusAt.Time, w.CreatedAt.Time, w.UpdatedAt.Time = uid, fromMicros(since), fromMicros(created), fromMicros(updated)
	return w, nil
}

// Webhooks lists up to limit webhooks of a workspace that are older than the cursor, newest first; or, when the cursor
// asks for newer ones, those, oldest first.
func (s *Store) Webhooks(ctx context.Context, workspace postroom.WorkspaceID, cursor *postroom.Cursor, limit int, now time.Time) ([]postroom.StoredWebhook, error) {
	return s.webhooksOf(ctx, workspace, "", cursor, limit, now)
}

// CustomerWebhooks lists webhooks of an operator's customer, as Webhooks does.
func (s *Store) CustomerWebhooks(ctx context.Context, workspace postroom.WorkspaceID, customer string, cursor *postroom.Cursor, limit int, now time.Time) ([]postroom.StoredWebhook, error) {
	return s.webhooksOf(ctx, workspace, customer, cursor, limit, now)
}

func (s *Store) webhooksOf(ctx context.Context, workspace postroom.WorkspaceID, customer string, cursor *postroom.Cursor, limit int, now time.Time) (all []postroom.StoredWebhook, err error) {
	name, from := "older", postroom.WebhookID{}
	for i := range from {
		from[i] = 0xff
	}
	if cursor != nil {
		from = cursor.ID
		if cursor.Newer {
			name = "newer"
		}
	}
	args := []any{workspace, from, micros(now), limit}
	if customer != "" {
		name, args = "customer_"+name, append(args, customer)
	}
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "webhook_"+name, func(row func(...any) error) error {
			w, err := scanWebhook(row)
			all = append(all, w)
			return err
		}, args...)
	})
	return all, err
}

// UpdateWebhook reads a webhook, lets change edit it, and stores its settings and auth, all in one transaction. What
// change returns as an error ends it.
func (s *Store) UpdateWebhook(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time, change func(*postroom.StoredWebhook) error) (w postroom.StoredWebhook, err error) {
	err = s.changeWebhooks(ctx, workspace, func(q querier) error {
		if w, err = findWebhook(ctx, q, "webhook_get", workspace, id, micros(now)); err != nil {
			return err
		}
		if err := change(&w); err != nil {
			return err
		}
		if err := checkUID(ctx, q, w); err != nil {
			return err
		}
		settings, err := settingsJSON(w.WebhookSettings)
		if err != nil {
			return err
		}
		if _, err := q.exec(ctx, "webhook_health_delete", workspace, id); err != nil { // it begins anew
			return err
		}
		if _, err := q.exec(ctx, "webhook_update", workspace, id, w.UID, settings, w.SealedAuth, micros(now), w.Dialect, textOrNull(w.Customer)); err != nil {
			return err
		}
		w.Version, w.UpdatedAt.Time = w.Version+1, now.UTC().Truncate(time.Microsecond)
		return nil
	})
	return w, notFound(err, "webhook", id.String())
}

// SetWebhookStatus makes a webhook active, paused or disabled, with the reason that people see.
func (s *Store) SetWebhookStatus(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, status postroom.WebhookStatus, reason string, now time.Time) error {
	return s.changeWebhooks(ctx, workspace, func(q querier) error {
		if err := touched(q.exec(ctx, "webhook_set_status", workspace, id, string(status), reason, micros(now)))("webhook", id.String()); err != nil {
			return err
		}
		// A person has looked at it: it begins anew.
		_, err := q.exec(ctx, "webhook_health_delete", workspace, id)
		return err
	})
}

// DeleteWebhook hides a webhook and destroys its secrets. check sees it first and may refuse. The log of its
// deliveries stays until it is too old; what still waits is discarded by DiscardQueue.
func (s *Store) DeleteWebhook(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time, check func(postroom.StoredWebhook) error) error {
	err := s.changeWebhooks(ctx, workspace, func(q querier) error {
		w, err := findWebhook(ctx, q, "webhook_get", workspace, id, micros(now))
		if err != nil {
			return err
		}
		if err := check(w); err != nil {
			return err
		}
		return hideWebhook(ctx, q, workspace, id, now)
	})
	return notFound(err, "webhook", id.String())
}

func hideWebhook(ctx context.Context, q querier, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time) error {
	if _, err := q.exec(ctx, "webhook_set_deleted", workspace, id, micros(now)); err != nil {
		return err
	}
	if _, err := q.exec(ctx, "webhook_health_delete", workspace, id); err != nil {
		return err
	}
	_, err := q.exec(ctx, "webhook_secret_delete_all", workspace, id)
	return err
}

// Subscriptions gives what matching needs of all webhooks of a workspace, and the revision that it belongs to.
func (s *Store) Subscriptions(ctx context.Context, workspace postroom.WorkspaceID) (all []postroom.Subscription, revision int64, err error) {
	err = s.read(ctx, func(q querier) error {
		// The revision first: what changes after it is noticed by it.
		if err := q.one(ctx, "workspace_revision", []any{&revision}, workspace); err != nil {
			return err
		}
		return q.each(ctx, "webhook_subscriptions", func(row func(...any) error) error {
			var sub postroom.Subscription
			var settings []byte
			if err := row(&sub.ID, &sub.Status, &settings); err != nil {
				return err
			}
			all = append(all, sub)
			return json.Unmarshal(settings, &all[len(all)-1].Settings)
		}, workspace)
	})
	return all, revision, notFound(err, "workspace", workspace.String())
}

// WebhookOwner finds the workspace of a webhook, deleted or not; the queue knows only the webhook.
func (s *Store) WebhookOwner(ctx context.Context, id postroom.WebhookID) (workspace postroom.WorkspaceID, err error) {
	err = s.read(ctx, func(q querier) error { return q.one(ctx, "webhook_owner", []any{&workspace}, id) })
	return workspace, notFound(err, "webhook", id.String())
}

// Secrets lists the secrets of a webhook that sign now, newest first.
func (s *Store) Secrets(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, now time.Time) (all []postroom.StoredSecret, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "webhook_secret_list", func(row func(...any) error) error {
			var secret postroom.StoredSecret
			var created int64
			var expires *int64
			err := row(&secret.ID, &secret.Kind, &secret.PublicKey, &secret.Sealed, &created, &expires)
			secret.CreatedAt.Time, secret.ExpiresAt = fromMicros(created), timestamp(expires)
			all = append(all, secret)
			return err
		}, workspace, id, micros(now))
	})
	return all, err
}

// RotateSecret stores a new secret; the others sign until then.
func (s *Store) RotateSecret(ctx context.Context, workspace postroom.WorkspaceID, id postroom.WebhookID, secret postroom.StoredSecret, until, now time.Time) error {
	err := s.changeWebhooks(ctx, workspace, func(q querier) error {
		if _, err := findWebhook(ctx, q, "webhook_get", workspace, id, micros(now)); err != nil {
			return err
		}
		if _, err := q.exec(ctx, "webhook_secret_expire", workspace, id, micros(until)); err != nil {
			return err
		}
		return insertSecret(ctx, q, workspace, id, secret)
	})
	return notFound(err, "webhook", id.String())
}
