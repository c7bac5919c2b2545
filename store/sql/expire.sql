-- Retention serves the whole process.

-- name: expire_attempts
DELETE FROM attempts WHERE (delivery_id, claim) IN (SELECT delivery_id, claim FROM attempts WHERE delivery_id < $1 LIMIT $2);

-- name: expire_attempts (sqlite)
DELETE FROM attempts WHERE rowid IN (SELECT rowid FROM attempts WHERE delivery_id < $1 LIMIT $2);

-- name: expire_deliveries
DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE id < $1 LIMIT $2);

-- name: expire_events
DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id < $1 LIMIT $2);

-- name: expire_event_keys
DELETE FROM event_keys WHERE (workspace_id, key) IN (SELECT workspace_id, key FROM event_keys WHERE created_at < $1 LIMIT $2);

-- name: expire_idempotency
DELETE FROM idempotency WHERE (workspace_id, key) IN (SELECT workspace_id, key FROM idempotency WHERE expires_at < $1 LIMIT $2);

-- name: expire_rollups
DELETE FROM rollups WHERE (webhook_id, minute, node) IN (SELECT webhook_id, minute, node FROM rollups WHERE minute < $1 LIMIT $2);

-- name: expire_secrets
DELETE FROM webhook_secrets WHERE id IN (SELECT id FROM webhook_secrets WHERE expires_at < $1 LIMIT $2);

-- name: purge_attempts
DELETE FROM attempts WHERE (delivery_id, claim) IN (SELECT delivery_id, claim FROM attempts WHERE workspace_id = $1 AND delivery_id IN (SELECT id FROM deliveries WHERE workspace_id = $1 ORDER BY id LIMIT $2));

-- name: purge_deliveries
DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE workspace_id = $1 ORDER BY id LIMIT $2);

-- name: purge_events
DELETE FROM events WHERE id IN (SELECT id FROM events WHERE workspace_id = $1 ORDER BY id LIMIT $2);

-- name: purge_rollups
DELETE FROM rollups WHERE workspace_id = $1;

-- name: purge_event_keys
DELETE FROM event_keys WHERE workspace_id = $1;

-- name: purge_secrets
DELETE FROM webhook_secrets WHERE workspace_id = $1;

-- name: purge_webhooks
DELETE FROM webhooks WHERE workspace_id = $1;
