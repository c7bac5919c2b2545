-- name: source_insert
INSERT INTO sources (id, workspace_id, uid, settings, sealed, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, 1, $6, $6);

-- name: source_update
UPDATE sources SET uid = $3, settings = $4, sealed = $5, version = version + 1, updated_at = $6
WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL;

-- name: source_set_deleted
UPDATE sources SET deleted_at = $3, updated_at = $3, version = version + 1, sealed = NULL
WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL;

-- name: source_get
SELECT id, workspace_id, uid, settings, sealed, version, created_at, updated_at FROM sources
WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL;

-- name: source_by_uid
SELECT id, workspace_id, uid, settings, sealed, version, created_at, updated_at FROM sources
WHERE workspace_id = $1 AND uid = $2 AND deleted_at IS NULL;

-- name: source_of
-- A call names only the source; this finds its workspace.
SELECT id, workspace_id, uid, settings, sealed, version, created_at, updated_at FROM sources WHERE id = $1 AND deleted_at IS NULL;

-- name: source_older
SELECT id, workspace_id, uid, settings, sealed, version, created_at, updated_at FROM sources
WHERE workspace_id = $1 AND id < $2 AND deleted_at IS NULL ORDER BY id DESC LIMIT $3;

-- name: source_newer
SELECT id, workspace_id, uid, settings, sealed, version, created_at, updated_at FROM sources
WHERE workspace_id = $1 AND id > $2 AND deleted_at IS NULL ORDER BY id LIMIT $3;

-- name: source_calls
-- The webhooks of a source's call_api actions.
SELECT w.id, w.workspace_id, w.number, w.uid, w.status, w.status_reason, w.status_at, w.settings, w.auth, w.key_shown, w.version, w.created_at, w.updated_at,
  0, w.source_id, w.action
FROM webhooks w WHERE w.workspace_id = $1 AND w.source_id = $2 AND w.deleted_at IS NULL ORDER BY w.action;

-- name: source_call_insert
INSERT INTO webhooks (id, workspace_id, number, uid, dialect, status, status_reason, status_at, settings, auth, key_shown, version, created_at, updated_at, source_id, action)
VALUES ($1, $2, $3, NULL, $4, $5, '', $8, $6, $7, 0, 1, $8, $8, $9, $10);

-- name: source_call_place
UPDATE webhooks SET action = $3 WHERE workspace_id = $1 AND id = $2;

-- name: source_delete_gone
-- Deleted sources go once the last request that names them is older than what is kept.
DELETE FROM sources WHERE deleted_at IS NOT NULL AND deleted_at < $1;

-- name: source_sealed
-- Sealed secrets of all workspaces, for the doctor's check of the secret key.
SELECT id, sealed FROM sources WHERE id > $1 AND sealed IS NOT NULL AND deleted_at IS NULL ORDER BY id LIMIT $2;

-- name: purge_source_health
DELETE FROM source_health WHERE workspace_id = $1;

-- name: close_sources
-- A workspace is being deleted: nothing more comes in. The rows go last, and not by their age, since they tell whose the keys of requests are.
UPDATE sources SET deleted_at = 9223372036854775807, sealed = NULL WHERE workspace_id = $1;

-- name: purge_sources
DELETE FROM sources WHERE workspace_id = $1;
