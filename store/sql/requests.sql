-- The hot path. SQLite runs each text once a row, prepared; PostgreSQL has its own for these, once a batch, in postgres_commit.go.

-- name: request_insert
INSERT INTO requests (id, workspace_id, source_id, state, claim, due_at, attempts, event_type, sender, at, records, duration_us, status,
  resent_from, method, target, headers, log, answer, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20);

-- name: request_held (sqlite)
-- Whether a claim of a request is still the newest, and has not run out into another one.
SELECT 1 FROM requests WHERE workspace_id = $1 AND id = $2 AND claim = $3 AND state = 0;

-- name: request_finish (sqlite)
UPDATE requests SET state = $4, due_at = $5, attempts = $6, event_type = $7, records = $8, duration_us = $9, status = $10, log = $11, answer = $12
WHERE workspace_id = $1 AND id = $2 AND claim = $3 AND state = 0;

-- name: request_key_put (sqlite)
INSERT INTO request_keys (source_id, digest, request_id) VALUES ($1, $2, $3) ON CONFLICT (source_id, digest) DO NOTHING;

-- name: request_key_get
SELECT request_id FROM request_keys WHERE source_id = $1 AND digest = $2;

-- name: source_health_put
-- A request may end after its source was deleted.
INSERT INTO source_health (source_id, workspace_id, failures, failing_since, told)
SELECT $1, $2, $3, $4, $5
WHERE EXISTS (SELECT 1 FROM sources WHERE workspace_id = $2 AND id = $1 AND deleted_at IS NULL)
ON CONFLICT (source_id) DO UPDATE SET failures = excluded.failures, failing_since = excluded.failing_since, told = excluded.told;

-- name: source_health_delete
DELETE FROM source_health WHERE workspace_id = $1 AND source_id = $2;

-- name: source_health_get
-- Of any workspace: whoever processes a request knows its source.
SELECT failures, failing_since, told FROM source_health WHERE source_id = $1;

-- The queue serves the whole process, so these texts do not name a workspace. A lease that has run out is due like anything else.

-- name: request_due_sources
-- Walks from one source to the next in the index, however many requests each of them has.
WITH RECURSIVE s (source_id) AS (
  SELECT (SELECT source_id FROM requests WHERE state < 10 AND source_id > $3 ORDER BY source_id LIMIT 1)
  UNION ALL
  SELECT (SELECT r.source_id FROM requests r WHERE r.state < 10 AND r.source_id > s.source_id ORDER BY r.source_id LIMIT 1)
  FROM s WHERE s.source_id IS NOT NULL)
SELECT d.source_id, d.due_at FROM (
  SELECT s.source_id, (SELECT r.due_at FROM requests r WHERE r.state < 10 AND r.source_id = s.source_id ORDER BY r.due_at LIMIT 1) AS due_at
  FROM s WHERE s.source_id IS NOT NULL) AS d
WHERE d.due_at <= $1 ORDER BY d.due_at LIMIT $2;

-- name: request_claim (sqlite)
UPDATE requests SET state = 0, claim = claim + 1, due_at = $3
WHERE rowid IN (
  SELECT rowid FROM requests INDEXED BY requests_queue
  WHERE state < 10 AND source_id = $1 AND due_at <= $2 ORDER BY due_at LIMIT $4)
RETURNING id, workspace_id, source_id, state, claim, due_at, attempts, event_type, sender, at, records, duration_us, status,
  resent_from, method, target, headers, log, answer, body;

-- name: request_claim (postgres)
WITH due AS (
  SELECT workspace_id, id FROM requests
  WHERE state < 10 AND source_id = $1 AND due_at <= $2 ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED)
UPDATE requests r SET state = 0, claim = claim + 1, due_at = $3
FROM due WHERE r.workspace_id = due.workspace_id AND r.id = due.id
RETURNING r.id, r.workspace_id, r.source_id, r.state, r.claim, r.due_at, r.attempts, r.event_type, r.sender, r.at, r.records, r.duration_us, r.status,
  r.resent_from, r.method, r.target, r.headers, r.log, r.answer, r.body;

-- name: request_take_over (sqlite)
-- Whoever held these is gone.
UPDATE requests SET state = CASE WHEN attempts > 0 THEN 2 ELSE 1 END, due_at = $1 WHERE state = 0 AND state < 10;

-- What people ask for.

-- name: request_get
SELECT id, workspace_id, source_id, state, claim, due_at, attempts, event_type, sender, at, records, duration_us, status,
  resent_from, method, target, headers, log, answer, body
FROM requests WHERE workspace_id = $1 AND id = $2;

-- name: request_requeue
-- A person asks for it again: a leased one is left to its holder, and one that was refused is not to be trusted. What had ended begins anew.
UPDATE requests SET state = 1, due_at = $3, attempts = CASE WHEN state < 10 THEN attempts ELSE 0 END
WHERE workspace_id = $1 AND id = $2 AND state <> 0 AND state <> 13;

-- name: request_newest
SELECT id FROM requests WHERE workspace_id = $1 AND source_id = $2 ORDER BY id DESC LIMIT 1;

-- name: request_clear_page
-- Where a step of a clearing ends.
SELECT id FROM requests WHERE workspace_id = $1 AND source_id = $2 AND id > $3 AND id <= $4 ORDER BY id LIMIT $5;

-- name: request_clear (sqlite)
DELETE FROM requests WHERE rowid IN (
  SELECT rowid FROM requests INDEXED BY requests_source
  WHERE workspace_id = $1 AND source_id = $2 AND id > $3 AND id <= $4 AND state >= 10);

-- name: request_clear (postgres)
DELETE FROM requests WHERE workspace_id = $1 AND source_id = $2 AND id > $3 AND id <= $4 AND state >= 10;

-- name: request_counts
-- What a source received and gave up on, as far as days are kept, with what is not summed up yet.
SELECT CAST(coalesce(sum(c.attempts), 0) AS BIGINT), CAST(coalesce(sum(c.failed), 0) AS BIGINT) FROM (
  SELECT attempts, failed FROM rollups WHERE workspace_id = $1 AND webhook_id = $2 AND step = 86400
  UNION ALL
  SELECT attempts, failed FROM rollups_open WHERE workspace_id = $1 AND webhook_id = $2) AS c;

-- Retention, and the end of a workspace.

-- name: expire_requests (sqlite)
DELETE FROM requests WHERE id < $1 AND rowid IN (SELECT rowid FROM requests ORDER BY rowid LIMIT $2);

-- name: expire_request_keys (sqlite)
DELETE FROM request_keys WHERE request_id < $1 AND rowid IN (SELECT rowid FROM request_keys ORDER BY rowid LIMIT $2);

-- name: expire_request_keys (postgres)
DELETE FROM request_keys WHERE (source_id, digest) IN (SELECT source_id, digest FROM request_keys WHERE request_id < $1 LIMIT $2);

-- name: purge_requests
DELETE FROM requests WHERE workspace_id = $1 AND id IN (SELECT id FROM requests WHERE workspace_id = $1 ORDER BY id LIMIT $2);

-- name: purge_request_keys
DELETE FROM request_keys WHERE source_id IN (SELECT id FROM sources WHERE workspace_id = $1);
