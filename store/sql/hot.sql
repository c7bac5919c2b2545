-- The hot path. SQLite runs each text once a row, prepared; PostgreSQL has its own, once a batch, in postgres_hot.go.

-- name: event_insert
INSERT INTO events (id, workspace_id, uid, type, time, actor, ordering_key, contact, campaign, data)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: event_key_get
SELECT event_id, created_at FROM event_keys WHERE workspace_id = $1 AND key = $2;

-- name: event_key_put
INSERT INTO event_keys (workspace_id, key, event_id, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace_id, key) DO UPDATE SET event_id = excluded.event_id, created_at = excluded.created_at;

-- name: delivery_insert
INSERT INTO deliveries (id, workspace_id, event_id, webhook_id, event_type, state, claim, due_at, attempts, status_code, test, order_key)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, $10);

-- name: delivery_finish
UPDATE deliveries
SET state = $4, due_at = $5, attempts = attempts + $6, status_code = $7, error_kind = $8, attempted_at = coalesce($9, attempted_at)
WHERE workspace_id = $1 AND id = $2 AND claim = $3 AND state = 0;

-- name: delivery_set_due
UPDATE deliveries SET state = $4, due_at = $5 WHERE workspace_id = $1 AND id = $2 AND claim = $3 AND state = 0;

-- name: attempt_insert
INSERT INTO attempts (delivery_id, claim, workspace_id, at, status_code, error_kind, error_message, dns_us, connect_us, tls_us,
  first_byte_us, total_us, request_line, request_headers, request_body, response_headers, response_body, truncated, notes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (delivery_id, claim) DO NOTHING;

-- name: rollup_add
INSERT INTO rollups_open (workspace_id, webhook_id, minute, node, attempts, succeeded, failed, retried, answered, latency_us, status_code, at,
  b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, duplicates, refused)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30)
ON CONFLICT (workspace_id, webhook_id, minute, node) DO UPDATE SET
  attempts = rollups_open.attempts + excluded.attempts, succeeded = rollups_open.succeeded + excluded.succeeded,
  failed = rollups_open.failed + excluded.failed, retried = rollups_open.retried + excluded.retried,
  answered = rollups_open.answered + excluded.answered, latency_us = rollups_open.latency_us + excluded.latency_us,
  status_code = CASE WHEN excluded.at >= rollups_open.at THEN excluded.status_code ELSE rollups_open.status_code END,
  at = CASE WHEN excluded.at >= rollups_open.at THEN excluded.at ELSE rollups_open.at END,
  b0 = rollups_open.b0 + excluded.b0, b1 = rollups_open.b1 + excluded.b1, b2 = rollups_open.b2 + excluded.b2, b3 = rollups_open.b3 + excluded.b3,
  b4 = rollups_open.b4 + excluded.b4, b5 = rollups_open.b5 + excluded.b5, b6 = rollups_open.b6 + excluded.b6, b7 = rollups_open.b7 + excluded.b7,
  b8 = rollups_open.b8 + excluded.b8, b9 = rollups_open.b9 + excluded.b9, b10 = rollups_open.b10 + excluded.b10, b11 = rollups_open.b11 + excluded.b11,
  b12 = rollups_open.b12 + excluded.b12, b13 = rollups_open.b13 + excluded.b13, b14 = rollups_open.b14 + excluded.b14, b15 = rollups_open.b15 + excluded.b15,
  duplicates = rollups_open.duplicates + excluded.duplicates, refused = rollups_open.refused + excluded.refused;

-- name: webhook_stop
UPDATE webhooks SET status = $3, status_reason = $4, status_at = $5, version = version + 1, updated_at = $5
WHERE workspace_id = $1 AND id = $2 AND status = 'active' AND deleted_at IS NULL;

-- name: workspace_touch
UPDATE workspaces SET revision = revision + 1 WHERE id = $1;

-- name: order_last (sqlite)
-- The end of the line of an order key.
SELECT state, due_at FROM deliveries
WHERE state < 10 AND webhook_id = $1 AND order_key = $2 ORDER BY state DESC, due_at DESC LIMIT 1;

-- name: order_promote (sqlite)
-- The first of an order key's line becomes its head, unless it is that already. When it was due tells its place; it is due now.
UPDATE deliveries SET state = 1, due_at = min(due_at, $3)
WHERE state = 4 AND rowid = (
  SELECT rowid FROM deliveries
  WHERE state < 10 AND webhook_id = $1 AND order_key = $2 ORDER BY state, due_at LIMIT 1);
