-- Retention serves the whole process.

-- Rows are stored in about the order of their age, so the oldest are looked at first, and none is looked for. PostgreSQL
-- drops partitions instead.

-- name: expire_attempts (sqlite)
DELETE FROM attempts WHERE delivery_id < $1 AND rowid IN (SELECT rowid FROM attempts ORDER BY rowid LIMIT $2);

-- name: expire_deliveries (sqlite)
DELETE FROM deliveries WHERE id < $1 AND rowid IN (SELECT rowid FROM deliveries ORDER BY rowid LIMIT $2);

-- name: expire_events (sqlite)
DELETE FROM events WHERE id < $1 AND rowid IN (SELECT rowid FROM events ORDER BY rowid LIMIT $2);

-- name: expire_event_keys
DELETE FROM event_keys WHERE (workspace_id, key) IN (SELECT workspace_id, key FROM event_keys WHERE created_at < $1 LIMIT $2);

-- name: expire_idempotency
DELETE FROM idempotency WHERE (workspace_id, key) IN (SELECT workspace_id, key FROM idempotency WHERE expires_at < $1 LIMIT $2);

-- name: expire_secrets
DELETE FROM webhook_secrets WHERE id IN (SELECT id FROM webhook_secrets WHERE expires_at < $1 LIMIT $2);

-- name: expire_replays
DELETE FROM replays WHERE id IN (SELECT id FROM replays WHERE ended_at IS NOT NULL AND ended_at < $1 LIMIT $2);

-- name: purge_attempts
DELETE FROM attempts WHERE (delivery_id, claim) IN (SELECT delivery_id, claim FROM attempts WHERE workspace_id = $1 AND delivery_id IN (SELECT id FROM deliveries WHERE workspace_id = $1 ORDER BY id LIMIT $2));

-- name: purge_deliveries
DELETE FROM deliveries WHERE workspace_id = $1 AND id IN (SELECT id FROM deliveries WHERE workspace_id = $1 ORDER BY id LIMIT $2);

-- name: purge_events
DELETE FROM events WHERE workspace_id = $1 AND id IN (SELECT id FROM events WHERE workspace_id = $1 ORDER BY id LIMIT $2);

-- name: purge_event_keys
DELETE FROM event_keys WHERE workspace_id = $1;

-- name: purge_replays
DELETE FROM replays WHERE workspace_id = $1;

-- name: purge_secrets
DELETE FROM webhook_secrets WHERE workspace_id = $1;

-- name: purge_health
DELETE FROM webhook_health WHERE workspace_id = $1;

-- name: purge_webhooks
DELETE FROM webhooks WHERE workspace_id = $1;

-- name: purge_contacts_page
SELECT id FROM contacts WHERE workspace_id = $1 ORDER BY id LIMIT $2;

-- name: purge_tag_counts
DELETE FROM tag_counts WHERE workspace_id = $1;

-- name: purge_list_counts
DELETE FROM list_counts WHERE workspace_id = $1;

-- name: purge_lists
DELETE FROM lists WHERE workspace_id = $1;

-- name: purge_fields
DELETE FROM fields WHERE workspace_id = $1;

-- name: purge_imports
DELETE FROM imports WHERE workspace_id = $1;

-- name: purge_audit
DELETE FROM audit WHERE workspace_id = $1;

-- name: purge_erasures
DELETE FROM erasures WHERE workspace_id = $1;
