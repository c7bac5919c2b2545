-- name: webhook_insert
INSERT INTO webhooks (id, workspace_id, number, uid, dialect, status, status_reason, status_at, settings, auth, key_shown, customer, version, created_at, updated_at)
VALUES ($1, $2, $8, $3, $9, $4, '', $7, $5, $6, $10, $11, 1, $7, $7);

-- name: webhook_update
UPDATE webhooks SET uid = $3, dialect = $7, customer = $8, settings = $4, auth = $5, version = version + 1, updated_at = $6
WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL;

-- name: webhook_set_status
UPDATE webhooks SET status = $3, status_reason = $4, status_at = $5, version = version + 1, updated_at = $5
WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL;

-- name: webhook_set_deleted
UPDATE webhooks SET deleted_at = $3, updated_at = $3, version = version + 1
WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL;

-- name: webhook_get
SELECT w.id, w.workspace_id, w.number, w.uid, w.status, w.status_reason, w.status_at, w.settings, w.auth, w.key_shown, w.version, w.created_at, w.updated_at,
  (SELECT count(*) FROM webhook_secrets s WHERE s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > $3)), w.source_id, w.action
FROM webhooks w WHERE w.workspace_id = $1 AND w.id = $2 AND w.deleted_at IS NULL;

-- name: webhook_by_uid
SELECT w.id, w.workspace_id, w.number, w.uid, w.status, w.status_reason, w.status_at, w.settings, w.auth, w.key_shown, w.version, w.created_at, w.updated_at,
  (SELECT count(*) FROM webhook_secrets s WHERE s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > $3)), w.source_id, w.action
FROM webhooks w WHERE w.workspace_id = $1 AND w.uid = $2 AND w.deleted_at IS NULL;

-- name: webhook_older
SELECT w.id, w.workspace_id, w.number, w.uid, w.status, w.status_reason, w.status_at, w.settings, w.auth, w.key_shown, w.version, w.created_at, w.updated_at,
  (SELECT count(*) FROM webhook_secrets s WHERE s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > $3)), w.source_id, w.action
FROM webhooks w WHERE w.workspace_id = $1 AND w.id < $2 AND w.source_id IS NULL AND w.deleted_at IS NULL ORDER BY w.id DESC LIMIT $4;

-- name: webhook_newer
SELECT w.id, w.workspace_id, w.number, w.uid, w.status, w.status_reason, w.status_at, w.settings, w.auth, w.key_shown, w.version, w.created_at, w.updated_at,
  (SELECT count(*) FROM webhook_secrets s WHERE s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > $3)), w.source_id, w.action
FROM webhooks w WHERE w.workspace_id = $1 AND w.id > $2 AND w.source_id IS NULL AND w.deleted_at IS NULL ORDER BY w.id LIMIT $4;

-- name: webhook_customer_older
SELECT w.id, w.workspace_id, w.number, w.uid, w.status, w.status_reason, w.status_at, w.settings, w.auth, w.key_shown, w.version, w.created_at, w.updated_at,
  (SELECT count(*) FROM webhook_secrets s WHERE s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > $3)), w.source_id, w.action
FROM webhooks w WHERE w.workspace_id = $1 AND w.id < $2 AND w.customer = $5 AND w.deleted_at IS NULL ORDER BY w.id DESC LIMIT $4;

-- name: webhook_customer_newer
SELECT w.id, w.workspace_id, w.number, w.uid, w.status, w.status_reason, w.status_at, w.settings, w.auth, w.key_shown, w.version, w.created_at, w.updated_at,
  (SELECT count(*) FROM webhook_secrets s WHERE s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > $3)), w.source_id, w.action
FROM webhooks w WHERE w.workspace_id = $1 AND w.id > $2 AND w.customer = $5 AND w.deleted_at IS NULL ORDER BY w.id LIMIT $4;

-- name: webhook_by_number
SELECT w.id, w.workspace_id, w.number, w.uid, w.status, w.status_reason, w.status_at, w.settings, w.auth, w.key_shown, w.version, w.created_at, w.updated_at,
  (SELECT count(*) FROM webhook_secrets s WHERE s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > $3)), w.source_id, w.action
FROM webhooks w WHERE w.workspace_id = $1 AND w.number = $2 AND w.source_id IS NULL AND w.deleted_at IS NULL;

-- name: webhook_of_dialect
-- A page, from old to new; with those that are paused, or without.
SELECT w.id, w.workspace_id, w.number, w.uid, w.status, w.status_reason, w.status_at, w.settings, w.auth, w.key_shown, w.version, w.created_at, w.updated_at,
  (SELECT count(*) FROM webhook_secrets s WHERE s.webhook_id = w.id AND (s.expires_at IS NULL OR s.expires_at > $3)), w.source_id, w.action
FROM webhooks w
WHERE w.workspace_id = $1 AND w.dialect = $2 AND ($4 <> 0 OR w.status <> 'paused') AND w.source_id IS NULL AND w.deleted_at IS NULL ORDER BY w.number LIMIT $5 OFFSET $6;

-- name: webhook_of_dialect_count
SELECT count(*) FROM webhooks WHERE workspace_id = $1 AND dialect = $2 AND ($3 <> 0 OR status <> 'paused') AND source_id IS NULL AND deleted_at IS NULL;

-- name: webhook_health_put
-- An attempt may end after its webhook was deleted.
INSERT INTO webhook_health (webhook_id, workspace_id, failures, failed_deliveries, failing_since, opens, open_until)
SELECT $1, $2, $3, $4, $5, $6, $7
WHERE EXISTS (SELECT 1 FROM webhooks WHERE workspace_id = $2 AND id = $1 AND deleted_at IS NULL)
ON CONFLICT (webhook_id) DO UPDATE SET failures = excluded.failures, failed_deliveries = excluded.failed_deliveries,
  failing_since = excluded.failing_since, opens = excluded.opens, open_until = excluded.open_until;

-- name: webhook_health_delete
DELETE FROM webhook_health WHERE workspace_id = $1 AND webhook_id = $2;

-- name: webhook_health_get
SELECT failures, failed_deliveries, failing_since, opens, open_until FROM webhook_health WHERE workspace_id = $1 AND webhook_id = $2;

-- name: webhook_health_page
-- For a page of webhooks, which is a range of ids. The newest attempt's time and status come as one number: time * 1000 + status.
SELECT w.id, h.failures, h.failed_deliveries, h.failing_since, h.open_until,
  (SELECT max(o.at * 1000 + o.status_code) FROM rollups_open o WHERE o.workspace_id = w.workspace_id AND o.webhook_id = w.id),
  (SELECT r.at * 1000 + r.status_code FROM rollups r WHERE r.workspace_id = w.workspace_id AND r.webhook_id = w.id AND r.step = 86400
   ORDER BY r.starts_at DESC LIMIT 1)
FROM webhooks w LEFT JOIN webhook_health h ON h.webhook_id = w.id
WHERE w.workspace_id = $1 AND w.id >= $2 AND w.id <= $3 AND w.deleted_at IS NULL;

-- name: webhook_health_list
-- For a node that starts: the webhooks of all workspaces that are failing.
SELECT webhook_id, failures, failed_deliveries, failing_since, opens, open_until FROM webhook_health WHERE webhook_id > $1 ORDER BY webhook_id LIMIT $2;

-- name: webhook_subscriptions
-- What matching needs of a workspace's webhooks.
SELECT id, status, settings FROM webhooks WHERE workspace_id = $1 AND source_id IS NULL AND deleted_at IS NULL ORDER BY id;

-- name: webhook_owner
-- The queue knows only the webhook; this finds its workspace. Deleted ones are found too, so that what is left of them can end.
SELECT workspace_id FROM webhooks WHERE id = $1;

-- name: webhook_secret_insert
INSERT INTO webhook_secrets (id, workspace_id, webhook_id, kind, public_key, sealed, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, NULL);

-- name: webhook_secret_expire
-- The old secrets sign until then, unless they end earlier.
UPDATE webhook_secrets SET expires_at = $3
WHERE workspace_id = $1 AND webhook_id = $2 AND (expires_at IS NULL OR expires_at > $3);

-- name: webhook_secret_list
SELECT id, kind, public_key, sealed, created_at, expires_at FROM webhook_secrets
WHERE workspace_id = $1 AND webhook_id = $2 AND (expires_at IS NULL OR expires_at > $3) ORDER BY id DESC;

-- name: webhook_secret_delete_all
DELETE FROM webhook_secrets WHERE workspace_id = $1 AND webhook_id = $2;

-- name: webhook_delete_gone
-- Deleted webhooks go once the last delivery that names them is older than what is kept.
DELETE FROM webhooks WHERE deleted_at IS NOT NULL AND deleted_at < $1;

-- name: webhook_sealed
-- Sealed secrets of all workspaces, for the doctor's check of the secret key.
SELECT id, webhook_id, sealed FROM webhook_secrets WHERE id > $1 ORDER BY id LIMIT $2;

-- name: webhook_stopped (sqlite)
SELECT id FROM webhooks INDEXED BY webhooks_stopped WHERE workspace_id = $1 AND status <> 'active' AND deleted_at IS NULL LIMIT $2;

-- name: webhook_stopped (postgres)
SELECT id FROM webhooks WHERE workspace_id = $1 AND status <> 'active' AND deleted_at IS NULL LIMIT $2;

-- name: webhook_sealed_auth
-- Sealed credentials of all workspaces, for the doctor's check of the secret key.
SELECT id, auth FROM webhooks WHERE id > $1 AND auth IS NOT NULL AND deleted_at IS NULL ORDER BY id LIMIT $2;

-- name: webhook_failing
-- For the doctor: the webhooks of all workspaces that have been failing the longest.
SELECT h.webhook_id, w.settings, w.status, h.failures, h.failing_since, h.open_until
FROM webhook_health h JOIN webhooks w ON w.id = h.webhook_id AND w.deleted_at IS NULL ORDER BY h.failing_since LIMIT $1;
