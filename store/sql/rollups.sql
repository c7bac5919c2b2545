-- name: rollup_series
-- What attempts still add to comes with what has been moved: one statement, so that nothing is seen in both or in neither.
SELECT starts_at, attempts, succeeded, failed, retried, answered, latency_us, status_code, at,
  b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, duplicates, refused
FROM rollups WHERE workspace_id = $1 AND webhook_id = $2 AND step = $3 AND starts_at >= $4 AND starts_at < $5
UNION ALL
SELECT minute, attempts, succeeded, failed, retried, answered, latency_us, status_code, at,
  b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, duplicates, refused
FROM rollups_open WHERE workspace_id = $1 AND webhook_id = $2 AND minute >= $4 AND minute < $5
ORDER BY 1;

-- name: rollup_take (sqlite)
-- Takes minutes out of rollups_open that are over, in the order of the key and after one. Whoever deletes a row adds it to rollups.
DELETE FROM rollups_open WHERE (workspace_id, webhook_id, minute, node) IN (
  SELECT workspace_id, webhook_id, minute, node FROM rollups_open
  WHERE (workspace_id, webhook_id, minute, node) > ($1, $2, $3, $4) AND minute < $5
  ORDER BY workspace_id, webhook_id, minute, node LIMIT $6)
RETURNING workspace_id, webhook_id, node, minute, attempts, succeeded, failed, retried, answered, latency_us, status_code, at,
  b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, duplicates, refused;

-- name: rollup_take (postgres)
WITH ended AS MATERIALIZED (
  SELECT workspace_id, webhook_id, minute, node FROM rollups_open
  WHERE (workspace_id, webhook_id, minute, node) > ($1, $2, $3, $4) AND minute < $5
  ORDER BY workspace_id, webhook_id, minute, node LIMIT $6 FOR UPDATE SKIP LOCKED)
DELETE FROM rollups_open o USING ended
WHERE o.workspace_id = ended.workspace_id AND o.webhook_id = ended.webhook_id AND o.minute = ended.minute AND o.node = ended.node
RETURNING o.workspace_id, o.webhook_id, o.node, o.minute, o.attempts, o.succeeded, o.failed, o.retried, o.answered, o.latency_us, o.status_code, o.at, o.b0, o.b1, o.b2, o.b3, o.b4, o.b5, o.b6, o.b7, o.b8, o.b9, o.b10, o.b11, o.b12, o.b13, o.b14, o.b15, o.duplicates, o.refused;

-- name: rollup_merge
INSERT INTO rollups (workspace_id, webhook_id, step, starts_at, attempts, succeeded, failed, retried, answered, latency_us, status_code, at,
  b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, duplicates, refused)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30)
ON CONFLICT (workspace_id, webhook_id, step, starts_at) DO UPDATE SET
  attempts = rollups.attempts + excluded.attempts, succeeded = rollups.succeeded + excluded.succeeded,
  failed = rollups.failed + excluded.failed, retried = rollups.retried + excluded.retried,
  answered = rollups.answered + excluded.answered, latency_us = rollups.latency_us + excluded.latency_us,
  status_code = CASE WHEN excluded.at >= rollups.at THEN excluded.status_code ELSE rollups.status_code END,
  at = CASE WHEN excluded.at >= rollups.at THEN excluded.at ELSE rollups.at END,
  b0 = rollups.b0 + excluded.b0, b1 = rollups.b1 + excluded.b1, b2 = rollups.b2 + excluded.b2, b3 = rollups.b3 + excluded.b3,
  b4 = rollups.b4 + excluded.b4, b5 = rollups.b5 + excluded.b5, b6 = rollups.b6 + excluded.b6, b7 = rollups.b7 + excluded.b7,
  b8 = rollups.b8 + excluded.b8, b9 = rollups.b9 + excluded.b9, b10 = rollups.b10 + excluded.b10, b11 = rollups.b11 + excluded.b11,
  b12 = rollups.b12 + excluded.b12, b13 = rollups.b13 + excluded.b13, b14 = rollups.b14 + excluded.b14, b15 = rollups.b15 + excluded.b15,
  duplicates = rollups.duplicates + excluded.duplicates, refused = rollups.refused + excluded.refused;

-- name: expire_rollups
DELETE FROM rollups WHERE (workspace_id, webhook_id, step, starts_at) IN (
  SELECT workspace_id, webhook_id, step, starts_at FROM rollups WHERE step = $1 AND starts_at < $2 LIMIT $3);

-- name: purge_rollups_open
DELETE FROM rollups_open WHERE workspace_id = $1;

-- name: purge_rollups
DELETE FROM rollups WHERE workspace_id = $1;

-- name: rollup_open_oldest
-- For the doctor: the oldest minute that has not been moved. The table is small, unless nobody moves them.
SELECT minute FROM rollups_open ORDER BY minute LIMIT 1;
