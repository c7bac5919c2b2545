-- name: event_get
SELECT id, workspace_id, uid, type, time, actor, ordering_key, contact, campaign, data FROM events
WHERE workspace_id = $1 AND id = $2;

-- name: event_by_uid
SELECT id, workspace_id, uid, type, time, actor, ordering_key, contact, campaign, data FROM events INDEXED BY events_uid
WHERE workspace_id = $1 AND uid = $2 ORDER BY id DESC LIMIT 1;

-- name: delivery_get
SELECT d.id, d.workspace_id, d.event_id, e.uid, d.event_type, d.webhook_id, d.state, d.due_at, d.attempts, d.status_code, d.error_kind,
  d.attempted_at, d.test, coalesce(w.status, 'deleted')
FROM deliveries d LEFT JOIN events e ON e.workspace_id = d.workspace_id AND e.id = d.event_id LEFT JOIN webhooks w ON w.id = d.webhook_id AND w.deleted_at IS NULL
WHERE d.workspace_id = $1 AND d.id = $2;

-- name: delivery_by_event
SELECT d.id, d.workspace_id, d.event_id, e.uid, d.event_type, d.webhook_id, d.state, d.due_at, d.attempts, d.status_code, d.error_kind,
  d.attempted_at, d.test, coalesce(w.status, 'deleted')
FROM deliveries d INDEXED BY deliveries_event
LEFT JOIN events e ON e.workspace_id = d.workspace_id AND e.id = d.event_id LEFT JOIN webhooks w ON w.id = d.webhook_id AND w.deleted_at IS NULL
WHERE d.workspace_id = $1 AND d.event_id = $2 ORDER BY d.id;

-- name: delivery_requeue
-- A person asks for it again: a leased one is left to its holder. What is not at the head of its order key leaves the order.
UPDATE deliveries SET state = $3, due_at = $4, attempts = CASE WHEN state IN (1, 2, 3) THEN attempts ELSE 0 END,
  order_key = CASE WHEN state IN (1, 2, 3) THEN order_key END
WHERE workspace_id = $1 AND id = $2 AND state <> 0;

-- name: order_parked
SELECT webhook_id, order_key FROM deliveries WHERE workspace_id = $1 AND id = $2 AND state = 4;

-- name: attempt_list
SELECT claim, at, status_code, error_kind, error_message, dns_us, connect_us, tls_us, first_byte_us, total_us,
  request_line, request_headers, request_body IS NOT NULL, request_body, response_headers, response_body, truncated, notes
FROM attempts WHERE workspace_id = $1 AND delivery_id = $2 ORDER BY claim;

-- name: attempt_list_many (sqlite)
SELECT delivery_id, claim, at, status_code, error_kind, error_message, dns_us, connect_us, tls_us, first_byte_us, total_us,
  request_line, request_headers, request_body IS NOT NULL, request_body, response_headers, response_body, truncated, notes
FROM attempts WHERE workspace_id = $1 AND delivery_id IN (SELECT unhex(value) FROM json_each($2)) ORDER BY delivery_id, claim;

-- name: attempt_list_many (postgres)
SELECT delivery_id, claim, at, status_code, error_kind, error_message, dns_us, connect_us, tls_us, first_byte_us, total_us,
  request_line, request_headers, request_body IS NOT NULL, request_body, response_headers, response_body, truncated, notes
FROM attempts WHERE workspace_id = $1 AND delivery_id = ANY ($2::bytea[]) ORDER BY delivery_id, claim;

-- name: event_list_many (sqlite)
SELECT id, workspace_id, uid, type, time, actor, ordering_key, contact, campaign, data FROM events
WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2));

-- name: event_list_many (postgres)
SELECT id, workspace_id, uid, type, time, actor, ordering_key, contact, campaign, data FROM events
WHERE workspace_id = $1 AND id = ANY ($2::bytea[]);

-- name: event_oldest
-- For the doctor: of all workspaces.
SELECT o.id FROM (
  SELECT (SELECT e.id FROM events e WHERE e.workspace_id = w.id ORDER BY e.id LIMIT 1) AS id FROM workspaces w) AS o
WHERE o.id IS NOT NULL ORDER BY o.id LIMIT 1;
