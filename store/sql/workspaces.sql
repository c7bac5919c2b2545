-- name: workspace_insert
INSERT INTO workspaces (id, name, revision, created_at, updated_at) VALUES ($1, $2, 1, $3, $3);

-- name: workspace_list
SELECT id, name, created_at, updated_at FROM workspaces ORDER BY id;

-- name: workspace_get
SELECT id, name, created_at, updated_at FROM workspaces WHERE id = $1;

-- name: workspace_update
UPDATE workspaces SET name = $2, updated_at = $3 WHERE id = $1;

-- name: workspace_portal
SELECT portal FROM workspaces WHERE id = $1;

-- name: workspace_set_portal
UPDATE workspaces SET portal = $2, updated_at = $3 WHERE id = $1;

-- name: workspace_delete
DELETE FROM workspaces WHERE id = $1;

-- name: workspace_revisions
SELECT id, revision FROM workspaces;

-- name: workspace_revision
SELECT revision FROM workspaces WHERE id = $1;

-- name: key_insert
INSERT INTO keys (id, workspace_id, name, role, hint, digest, operator, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: key_by_digest
-- The one look-up that finds the workspace instead of being told it.
SELECT id, workspace_id, name, role, hint, operator, created_at, expires_at FROM keys WHERE digest = $1;

-- name: key_list
SELECT id, workspace_id, name, role, hint, operator, created_at, expires_at FROM keys WHERE workspace_id = $1 ORDER BY id;

-- name: key_get
SELECT id, workspace_id, name, role, hint, operator, created_at, expires_at FROM keys WHERE workspace_id = $1 AND id = $2;

-- name: key_delete
DELETE FROM keys WHERE workspace_id = $1 AND id = $2;

-- name: key_delete_all
DELETE FROM keys WHERE workspace_id = $1;

-- name: event_type_insert
INSERT INTO event_types (workspace_id, name, group_name, title, description, schema, sample, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
ON CONFLICT (workspace_id, name) DO NOTHING;

-- name: event_type_update
UPDATE event_types SET group_name = $3, title = $4, description = $5, schema = $6, sample = $7, updated_at = $8
WHERE workspace_id = $1 AND name = $2;

-- name: event_type_list
SELECT name, group_name, title, description, schema, sample, created_at, updated_at
FROM event_types WHERE workspace_id = $1 ORDER BY name;

-- name: event_type_delete
DELETE FROM event_types WHERE workspace_id = $1 AND name = $2;

-- name: event_type_delete_all
DELETE FROM event_types WHERE workspace_id = $1;

-- name: idempotency_get
SELECT hash, answer, expires_at FROM idempotency WHERE workspace_id = $1 AND key = $2;

-- name: idempotency_complete
UPDATE idempotency SET answer = $3, expires_at = $4 WHERE workspace_id = $1 AND key = $2 AND answer IS NULL;

-- name: idempotency_begin
INSERT INTO idempotency (workspace_id, key, hash, answer, expires_at) VALUES ($1, $2, $3, NULL, $4)
ON CONFLICT (workspace_id, key) DO UPDATE SET hash = excluded.hash, answer = NULL, expires_at = excluded.expires_at
WHERE idempotency.expires_at <= $5;

-- name: idempotency_hold
UPDATE idempotency SET expires_at = $4 WHERE workspace_id = $1 AND key = $2 AND hash = $3 AND answer IS NULL;

-- name: idempotency_abandon (sqlite)
-- Calls that a process which is gone did not end.
DELETE FROM idempotency WHERE answer IS NULL AND expires_at <= $1;

-- name: idempotency_delete
DELETE FROM idempotency WHERE workspace_id = $1 AND key = $2;

-- name: idempotency_delete_all
DELETE FROM idempotency WHERE workspace_id = $1;
