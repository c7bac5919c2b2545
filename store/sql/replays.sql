-- name: replay_insert
INSERT INTO replays (id, workspace_id, webhook_id, after_at, before_at, status, types, state, reason, total, at_least, done, skipped, withdrawn, place,
  created_by, created_at, updated_at, ended_at, node, lease_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, $10, 0, 0, 0, $11, $12, $13, $13, NULL, $14, $15);

-- name: replay_get
SELECT id, workspace_id, webhook_id, after_at, before_at, status, types, state, reason, total, at_least, done, skipped, withdrawn, place,
  created_by, created_at, updated_at, ended_at
FROM replays WHERE workspace_id = $1 AND id = $2;

-- name: replay_older
SELECT id, workspace_id, webhook_id, after_at, before_at, status, types, state, reason, total, at_least, done, skipped, withdrawn, place,
  created_by, created_at, updated_at, ended_at
FROM replays WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3;

-- name: replay_newer
SELECT id, workspace_id, webhook_id, after_at, before_at, status, types, state, reason, total, at_least, done, skipped, withdrawn, place,
  created_by, created_at, updated_at, ended_at
FROM replays WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: replay_unfinished
-- Serves the whole process: those with work to do that no other node holds. The one that has waited longest is first.
SELECT id, workspace_id, webhook_id, after_at, before_at, status, types, state, reason, total, at_least, done, skipped, withdrawn, place,
  created_by, created_at, updated_at, ended_at
FROM replays WHERE ended_at IS NULL AND (node = $1 OR lease_until <= $2) ORDER BY updated_at LIMIT $3;

-- name: replay_leave
-- A node that ends lets the others go on with its replays at once.
UPDATE replays SET lease_until = 0 WHERE ended_at IS NULL AND node = $1;

-- name: replay_void (sqlite)
-- Whoever held these leases is gone.
UPDATE replays SET lease_until = 0 WHERE ended_at IS NULL;

-- name: replay_page_webhook
-- What a replay of one webhook looks at, from old to new.
SELECT d.id, d.webhook_id, d.event_type, d.state, d.test, EXISTS (SELECT 1 FROM webhooks w WHERE w.id = d.webhook_id AND w.deleted_at IS NULL) AS deliverable
FROM deliveries d INDEXED BY deliveries_webhook
WHERE d.workspace_id = $1 AND d.webhook_id = $2 AND d.id > $3 AND d.id < $4 ORDER BY d.id LIMIT $5;

-- name: replay_page_workspace
SELECT d.id, d.webhook_id, d.event_type, d.state, d.test, EXISTS (SELECT 1 FROM webhooks w WHERE w.id = d.webhook_id AND w.deleted_at IS NULL) AS deliverable
FROM deliveries d
WHERE d.workspace_id = $1 AND d.id > $2 AND d.id < $3 ORDER BY d.id LIMIT $4;

-- name: replay_page_trouble
-- Of what failed or was cancelled there is an index of its own.
SELECT d.id, d.webhook_id, d.event_type, d.state, d.test, EXISTS (SELECT 1 FROM webhooks w WHERE w.id = d.webhook_id AND w.deleted_at IS NULL) AS deliverable
FROM deliveries d INDEXED BY deliveries_trouble
WHERE d.workspace_id = $1 AND d.state = $2 AND d.state <> 0 AND d.state <> 10 AND d.id > $3 AND d.id < $4 ORDER BY d.id LIMIT $5;

-- name: replay_page_webhook_trouble
SELECT d.id, d.webhook_id, d.event_type, d.state, d.test, EXISTS (SELECT 1 FROM webhooks w WHERE w.id = d.webhook_id AND w.deleted_at IS NULL) AS deliverable
FROM deliveries d INDEXED BY deliveries_webhook_trouble
WHERE d.workspace_id = $1 AND d.webhook_id = $2 AND d.state = $3 AND d.state <> 0 AND d.state <> 10 AND d.id > $4 AND d.id < $5 ORDER BY d.id LIMIT $6;

-- name: replay_requeue (sqlite)
-- The state is asked for again: since the look, a person may have retried a delivery, or deleted its webhook. It has lost its place in
-- the order of its webhook.
UPDATE deliveries SET state = 3, due_at = $5, attempts = 0, order_key = NULL
WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2)) AND state >= $3 AND state <= $4
  AND (SELECT w.deleted_at IS NULL FROM webhooks w WHERE w.id = deliveries.webhook_id);

-- name: replay_requeue (postgres)
-- The states are written so that no index has them: statistics that are older than the deliveries say that there are none.
UPDATE deliveries SET state = 3, due_at = $5, attempts = 0, order_key = NULL
WHERE workspace_id = $1 AND id = ANY ($2::bytea[])
  AND state - $3 >= 0 AND state - $4 <= 0 AND (SELECT w.deleted_at IS NULL FROM webhooks w WHERE w.id = deliveries.webhook_id);

-- name: replay_move
-- The place fences: when another node has moved the replay on, or it was cancelled, nothing is touched.
UPDATE replays SET place = $5, done = done + $6, skipped = skipped + $7, withdrawn = withdrawn + $8, updated_at = $9, node = $10, lease_until = $11
WHERE workspace_id = $1 AND id = $2 AND state = $3 AND place = $4 AND ended_at IS NULL AND (node = $10 OR lease_until <= $9);

-- name: replay_end
UPDATE replays SET state = $3, reason = $4, ended_at = $5, updated_at = $5, lease_until = 0,
  total = CASE WHEN $3 = 'done' THEN done + skipped ELSE total END, at_least = CASE WHEN $3 = 'done' THEN 0 ELSE at_least END
WHERE workspace_id = $1 AND id = $2;

-- name: replay_cancel
-- Begins to take back what waits; the steps that follow do it.
UPDATE replays SET state = 'cancelled', ended_at = NULL, updated_at = $3, node = $4, lease_until = $5
WHERE workspace_id = $1 AND id = $2 AND state IN ('running', 'done');

-- name: replay_waiting
-- How many of its deliveries have not begun, up to a limit. They are due when the replay was made.
SELECT count(*) FROM (
  SELECT 1 FROM deliveries INDEXED BY deliveries_queue
  WHERE state = 3 AND state < 10 AND webhook_id IN (SELECT id FROM webhooks WHERE workspace_id = $1 AND deleted_at IS NULL) AND due_at = $2 LIMIT $3) AS found;

-- name: replay_waiting_webhook
SELECT count(*) FROM (
  SELECT 1 FROM deliveries INDEXED BY deliveries_queue
  WHERE state = 3 AND state < 10 AND webhook_id = (SELECT id FROM webhooks WHERE workspace_id = $1 AND id = $2) AND due_at = $3 LIMIT $4) AS found;

-- name: replay_waiting_page
-- What waits for replay, from new to old; also for that of others.
SELECT id, due_at FROM deliveries INDEXED BY deliveries_trouble
WHERE workspace_id = $1 AND state = 3 AND state <> 0 AND state <> 10 AND id > $2 AND id <= $3 ORDER BY id DESC LIMIT $4;

-- name: replay_withdraw (sqlite)
-- Back to how it ended before, which its newest attempt tells, and to the attempts that were made for it.
UPDATE deliveries SET due_at = 0, attempts = (SELECT count(*) FROM attempts a WHERE a.delivery_id = deliveries.id),
  state = CASE WHEN attempted_at IS NULL OR error_kind IN ('discarded', 'event_gone') THEN 12 WHEN error_kind IS NULL THEN 10 ELSE 11 END
WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2)) AND state = 3 AND due_at = $3;

-- name: replay_withdraw (postgres)
UPDATE deliveries SET due_at = 0, attempts = (SELECT count(*) FROM attempts a WHERE a.delivery_id = deliveries.id),
  state = CASE WHEN attempted_at IS NULL OR error_kind IN ('discarded', 'event_gone') THEN 12 WHEN error_kind IS NULL THEN 10 ELSE 11 END
WHERE workspace_id = $1 AND id = ANY ($2::bytea[])
  AND state - 3 = 0 AND due_at - $3 = 0;
