-- What is left of a contact that is erased: see erase.go.

-- name: erasure_put
INSERT INTO erasures (contact_id, workspace_id, who, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace_id, contact_id) DO UPDATE SET who = excluded.who;

-- name: erasure_get
SELECT who FROM erasures WHERE workspace_id = $1 AND contact_id = $2;

-- name: erasure_list
-- Of all workspaces.
SELECT workspace_id, contact_id, who FROM erasures LIMIT $1;

-- name: erasure_delete
DELETE FROM erasures WHERE workspace_id = $1 AND contact_id = $2;

-- name: erase_events_page
SELECT id, coalesce(uid, ''), coalesce(actor, ''), coalesce(ordering_key, ''), coalesce(contact, ''), data FROM events
WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: erase_deliveries (sqlite)
SELECT id, webhook_id, order_key FROM deliveries INDEXED BY deliveries_event
WHERE workspace_id = $1 AND event_id IN (SELECT unhex(value) FROM json_each($2)) ORDER BY id;

-- name: erase_deliveries (postgres)
-- In the order in which those who end deliveries lock them.
SELECT id, webhook_id, order_key FROM deliveries
WHERE workspace_id = $1 AND event_id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)))
ORDER BY id FOR UPDATE;

-- name: delivery_delete_many (sqlite)
DELETE FROM deliveries WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2));

-- name: delivery_delete_many (postgres)
DELETE FROM deliveries WHERE workspace_id = $1 AND id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: attempt_delete_many (sqlite)
DELETE FROM attempts WHERE workspace_id = $1 AND delivery_id IN (SELECT unhex(value) FROM json_each($2));

-- name: attempt_delete_many (postgres)
DELETE FROM attempts
WHERE workspace_id = $1 AND delivery_id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: attempt_delete_orphan (postgres)
-- The attempt of a delivery that was deleted while it was made.
DELETE FROM attempts WHERE delivery_id = $2 AND claim = $3
AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.workspace_id = $1 AND d.id = $2);

-- name: delivery_there (sqlite)
SELECT 1 FROM deliveries WHERE workspace_id = $1 AND id = $2;

-- name: event_delete_many (sqlite)
DELETE FROM events WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2));

-- name: event_delete_many (postgres)
DELETE FROM events WHERE workspace_id = $1 AND id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: event_key_delete_many (sqlite)
DELETE FROM event_keys WHERE workspace_id = $1 AND key IN (SELECT value FROM json_each($2));

-- name: event_key_delete_many (postgres)
DELETE FROM event_keys WHERE workspace_id = $1 AND key = ANY (ARRAY(SELECT value FROM json_array_elements_text($2::text::json)));

-- name: erase_requests_page
SELECT id, target, headers, coalesce(body, ''), coalesce(log, ''), coalesce(answer, '') FROM requests
WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: request_delete_many (sqlite)
DELETE FROM requests WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2));

-- name: request_delete_many (postgres)
DELETE FROM requests WHERE workspace_id = $1 AND id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: audit_clear
UPDATE audit SET detail = NULL WHERE workspace_id = $1 AND id = $2;
