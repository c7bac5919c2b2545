-- The queue serves the whole process, so these texts do not name a workspace: a webhook belongs to one.
-- "state < 10" stands beside each state because it is how the partial index is recognised.

-- name: queue_claim (sqlite)
UPDATE deliveries SET state = 0, claim = claim + 1, due_at = $4
WHERE rowid IN (
  SELECT rowid FROM deliveries
  WHERE state = $1 AND state < 10 AND webhook_id = $2 AND due_at <= $3
  ORDER BY due_at LIMIT $5)
RETURNING id, workspace_id, event_id, claim, attempts, test, order_key;

-- name: queue_claim (postgres)
WITH due AS (
  SELECT workspace_id, id FROM deliveries
  WHERE state = $1 AND state < 10 AND webhook_id = $2 AND due_at <= $3
  ORDER BY due_at LIMIT $5 FOR UPDATE SKIP LOCKED)
UPDATE deliveries d SET state = 0, claim = claim + 1, due_at = $4
FROM due WHERE d.workspace_id = due.workspace_id AND d.id = due.id
RETURNING d.id, d.workspace_id, d.event_id, d.claim, d.attempts, d.test, d.order_key;

-- name: queue_webhooks
-- Walks from one webhook to the next in the index, however many deliveries each of them has.
WITH RECURSIVE w (webhook_id) AS (
  SELECT (SELECT webhook_id FROM deliveries WHERE state = $1 AND state < 10 AND webhook_id > $2 ORDER BY webhook_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.webhook_id FROM deliveries d WHERE d.state = $1 AND d.state < 10 AND d.webhook_id > w.webhook_id ORDER BY d.webhook_id LIMIT 1)
  FROM w WHERE w.webhook_id IS NOT NULL)
SELECT (SELECT h.workspace_id FROM webhooks h WHERE h.id = w.webhook_id), w.webhook_id,
  (SELECT d.due_at FROM deliveries d WHERE d.state = $1 AND d.state < 10 AND d.webhook_id = w.webhook_id ORDER BY d.due_at LIMIT 1)
FROM w WHERE w.webhook_id IS NOT NULL LIMIT $3;

-- name: queue_next_due
SELECT due_at FROM deliveries WHERE state = $1 AND state < 10 AND webhook_id = $2 ORDER BY due_at LIMIT 1;

-- name: queue_take_over
-- Whoever asked for a test has no answer and asks again: a test that was cut off, which its first claim shows, is not made later.
UPDATE deliveries SET
  state = CASE WHEN test = 1 AND claim = 1 THEN 12 WHEN attempts > 0 THEN 2 ELSE 1 END,
  error_kind = CASE WHEN test = 1 AND claim = 1 THEN 'interrupted' ELSE error_kind END,
  due_at = $1
WHERE state = 0 AND state < 10 AND due_at <= $2;

-- name: queue_count
-- Reads the index alone, however many wait: whose the webhook is, its own row tells.
SELECT count(*) FROM deliveries
WHERE webhook_id = (SELECT id FROM webhooks WHERE workspace_id = $1 AND id = $2) AND state < 10 AND state IN (0, 1, 2, 3, 4);

-- name: queue_waiting
-- How many there are, up to a limit, and the oldest of them.
SELECT count(*) OVER (), id FROM (
  SELECT id FROM deliveries WHERE workspace_id = $1 AND webhook_id = $2 AND state < 10 AND state IN (0, 1, 2, 3, 4) LIMIT $3) AS d
ORDER BY id LIMIT 1;

-- name: queue_waiting_workspace
-- What is leased to a node is not looked at: it is about to go out.
SELECT count(*) OVER (), id FROM (
  SELECT id FROM deliveries WHERE workspace_id = $1 AND state <> 0 AND state <> 10 AND state IN (1, 2, 3, 4) LIMIT $2) AS d
ORDER BY id LIMIT 1;

-- name: queue_oldest
SELECT id FROM deliveries WHERE workspace_id = $1 AND webhook_id = $2 AND state <> 0 AND state <> 10 AND state = $3 ORDER BY id LIMIT 1;

-- name: queue_discard
-- The state is asked for twice: another node may claim a delivery between the look and the change.
UPDATE deliveries SET state = 12, error_kind = $3
WHERE state IN (1, 2, 3, 4) AND workspace_id = $1 AND id IN (
  SELECT id FROM deliveries INDEXED BY deliveries_queue
  WHERE workspace_id = $1 AND webhook_id = $2 AND state < 10 AND state IN (1, 2, 3, 4) AND id <= $4 LIMIT $5);

-- name: queue_backlog
-- For the doctor: what waits, by webhook. It reads the whole queue's index.
SELECT b.webhook_id, w.settings, coalesce(w.status, 'deleted'), b.waiting, b.due_at, b.stuck, h.failures, h.failing_since, h.open_until
FROM (SELECT d.webhook_id, count(*) AS waiting, min(CASE WHEN d.state IN (1, 2, 3) THEN d.due_at END) AS due_at,
        sum(CASE WHEN d.state = 0 AND d.due_at < $1 THEN 1 ELSE 0 END) AS stuck
      FROM deliveries d INDEXED BY deliveries_queue WHERE d.state < 10 GROUP BY d.webhook_id ORDER BY count(*) DESC LIMIT $2) AS b
LEFT JOIN webhooks w ON w.id = b.webhook_id AND w.deleted_at IS NULL
LEFT JOIN webhook_health h ON h.webhook_id = b.webhook_id
ORDER BY b.waiting DESC;

-- name: queue_stuck
-- For the doctor: leases that ran out before a time. Somebody should have taken them over.
SELECT count(*) FROM deliveries WHERE state = 0 AND state < 10 AND due_at < $1;

-- name: order_next
-- Walks from one order key to the next: the first delivery in the line of the key that follows.
SELECT workspace_id, webhook_id, order_key, state FROM deliveries
WHERE state < 10 AND order_key IS NOT NULL AND (webhook_id, order_key) > ($1, $2)
ORDER BY webhook_id, order_key, state, due_at LIMIT 1;

-- name: queue_state_count
-- For the metrics: how much of the queue is in one state. It reads that part of the index.
SELECT count(*) FROM deliveries WHERE state = $1 AND state < 10;

-- name: queue_state_oldest
-- For the metrics: the oldest delivery of all workspaces that waits in a state, held ones too.
SELECT o.id FROM (
  SELECT (SELECT d.id FROM deliveries d WHERE d.workspace_id = w.id AND d.state = $1 AND d.state <> 0 AND d.state <> 10 ORDER BY d.id LIMIT 1) AS id
  FROM workspaces w) AS o
WHERE o.id IS NOT NULL ORDER BY o.id LIMIT 1;

-- name: queue_state_due
-- For the metrics: since when the first delivery of a state is due of which nothing but Postroom keeps the attempt waiting. It walks from
-- one webhook to the next, as queue_webhooks does, and leaves out those that hold and those whose breaker is open.
WITH RECURSIVE w (webhook_id) AS (
  SELECT (SELECT webhook_id FROM deliveries WHERE state = $1 AND state < 10 ORDER BY webhook_id LIMIT 1)
  UNION ALL
  SELECT (SELECT d.webhook_id FROM deliveries d WHERE d.state = $1 AND d.state < 10 AND d.webhook_id > w.webhook_id ORDER BY d.webhook_id LIMIT 1)
  FROM w WHERE w.webhook_id IS NOT NULL)
SELECT (SELECT d.due_at FROM deliveries d WHERE d.state = $1 AND d.state < 10 AND d.webhook_id = w.webhook_id ORDER BY d.due_at LIMIT 1) AS due_at
FROM w JOIN webhooks h ON h.id = w.webhook_id AND h.status = 'active' AND h.deleted_at IS NULL
WHERE NOT EXISTS (SELECT 1 FROM webhook_health b WHERE b.webhook_id = w.webhook_id AND b.open_until IS NOT NULL)
ORDER BY due_at LIMIT 1;
