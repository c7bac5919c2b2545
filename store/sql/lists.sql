-- Lists, declared fields, and imports.

-- name: list_lock_there (sqlite)
SELECT id FROM lists WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2)) AND deleted_at IS NULL;

-- name: list_lock_there (postgres)
-- Whoever deletes one of them waits until those who join it have ended.
SELECT id FROM lists
WHERE workspace_id = $1 AND id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json))) AND deleted_at IS NULL
ORDER BY id FOR SHARE;

-- name: list_named (sqlite)
SELECT l.id, l.workspace_id, l.uid, l.name, l.description, l.created_at, l.updated_at,
  CAST((SELECT coalesce(sum(n.members), 0) FROM list_counts n WHERE n.workspace_id = l.workspace_id AND n.list_id = l.id) AS INTEGER)
FROM lists l WHERE l.workspace_id = $1 AND l.name_key IN (SELECT value FROM json_each($2)) AND l.deleted_at IS NULL;

-- name: list_named (postgres)
SELECT l.id, l.workspace_id, l.uid, l.name, l.description, l.created_at, l.updated_at,
  CAST((SELECT coalesce(sum(n.members), 0) FROM list_counts n WHERE n.workspace_id = l.workspace_id AND n.list_id = l.id) AS BIGINT)
FROM lists l
WHERE l.workspace_id = $1 AND l.name_key = ANY (ARRAY(SELECT value FROM json_array_elements_text($2::text::json))) AND l.deleted_at IS NULL;

-- name: list_by_ids (sqlite)
SELECT l.id, l.workspace_id, l.uid, l.name, l.description, l.created_at, l.updated_at,
  CAST((SELECT coalesce(sum(n.members), 0) FROM list_counts n WHERE n.workspace_id = l.workspace_id AND n.list_id = l.id) AS INTEGER)
FROM lists l WHERE l.workspace_id = $1 AND l.id IN (SELECT unhex(value) FROM json_each($2)) AND l.deleted_at IS NULL;

-- name: list_by_ids (postgres)
SELECT l.id, l.workspace_id, l.uid, l.name, l.description, l.created_at, l.updated_at,
  CAST((SELECT coalesce(sum(n.members), 0) FROM list_counts n WHERE n.workspace_id = l.workspace_id AND n.list_id = l.id) AS BIGINT)
FROM lists l
WHERE l.workspace_id = $1 AND l.id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json))) AND l.deleted_at IS NULL;

-- name: list_by_uid
SELECT l.id, l.workspace_id, l.uid, l.name, l.description, l.created_at, l.updated_at,
  CAST((SELECT coalesce(sum(n.members), 0) FROM list_counts n WHERE n.workspace_id = l.workspace_id AND n.list_id = l.id) AS BIGINT)
FROM lists l WHERE l.workspace_id = $1 AND l.uid = $2 AND l.deleted_at IS NULL;

-- name: list_older
SELECT l.id, l.workspace_id, l.uid, l.name, l.description, l.created_at, l.updated_at,
  CAST((SELECT coalesce(sum(n.members), 0) FROM list_counts n WHERE n.workspace_id = l.workspace_id AND n.list_id = l.id) AS BIGINT)
FROM lists l WHERE l.workspace_id = $1 AND l.id < $2 AND l.deleted_at IS NULL ORDER BY l.id DESC LIMIT $3;

-- name: list_newer
SELECT l.id, l.workspace_id, l.uid, l.name, l.description, l.created_at, l.updated_at,
  CAST((SELECT coalesce(sum(n.members), 0) FROM list_counts n WHERE n.workspace_id = l.workspace_id AND n.list_id = l.id) AS BIGINT)
FROM lists l WHERE l.workspace_id = $1 AND l.id > $2 AND l.deleted_at IS NULL ORDER BY l.id LIMIT $3;

-- name: list_insert (sqlite)
INSERT INTO lists (id, workspace_id, uid, name, name_key, description, version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8);

-- name: list_insert (postgres)
INSERT INTO lists (id, workspace_id, uid, name, name_key, description, version, created_at, updated_at)
SELECT id, workspace_id, uid, name, name_key, description, 1, created_at, updated_at
FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[])
  AS v (id, workspace_id, uid, name, name_key, description, created_at, updated_at);

-- name: list_update
UPDATE lists SET uid = $3, name = $4, name_key = $5, description = $6, version = version + 1, updated_at = $7
WHERE workspace_id = $1 AND id = $2 AND version = $8 AND deleted_at IS NULL;

-- name: list_version
SELECT version FROM lists WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL;

-- name: list_set_deleted
UPDATE lists SET deleted_at = $3 WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL;

-- name: list_deleted
-- Of all workspaces: those whose deletion was not ended.
SELECT workspace_id, id FROM lists WHERE deleted_at IS NOT NULL LIMIT $1;

-- name: list_members_left (sqlite)
SELECT contact_id FROM memberships INDEXED BY memberships_all WHERE workspace_id = $1 AND list_id = $2 LIMIT $3;

-- name: list_members_left (postgres)
SELECT contact_id FROM memberships WHERE workspace_id = $1 AND list_id = $2 LIMIT $3;

-- name: list_membership_delete (sqlite)
DELETE FROM memberships WHERE workspace_id = $1 AND list_id = $2 AND contact_id IN (SELECT unhex(value) FROM json_each($3));

-- name: list_membership_delete (postgres)
DELETE FROM memberships
WHERE workspace_id = $1 AND list_id = $2 AND contact_id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($3::text::json)));

-- name: contact_touch (sqlite)
UPDATE contacts SET version = version + 1, updated_at = $3 WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2));

-- name: contact_touch (postgres)
UPDATE contacts SET version = version + 1, updated_at = $3
WHERE workspace_id = $1 AND id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: list_count_delete
DELETE FROM list_counts WHERE workspace_id = $1 AND list_id = $2;

-- name: list_delete
DELETE FROM lists WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NOT NULL;

-- name: tag_list
SELECT tag, CAST(sum(contacts) AS BIGINT) FROM tag_counts WHERE workspace_id = $1 AND tag > $2 GROUP BY tag HAVING sum(contacts) > 0
ORDER BY tag LIMIT $3;

-- name: tag_get
SELECT CAST(coalesce(sum(contacts), 0) AS BIGINT) FROM tag_counts WHERE workspace_id = $1 AND tag = $2;

-- name: field_list
SELECT name, title, type, options, created_at, updated_at FROM fields WHERE workspace_id = $1 ORDER BY name;

-- name: field_put
INSERT INTO fields (workspace_id, name, title, type, options, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (workspace_id, name) DO UPDATE SET title = excluded.title, type = excluded.type, options = excluded.options, updated_at = excluded.updated_at;

-- name: field_delete
DELETE FROM fields WHERE workspace_id = $1 AND name = $2;

-- name: import_insert
INSERT INTO imports (id, workspace_id, state, row_count, created, updated, unchanged, refused, problems, reason, created_at, updated_at, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- name: import_update
UPDATE imports SET state = $3, row_count = $4, created = $5, updated = $6, unchanged = $7, refused = $8, problems = $9, reason = $10,
  updated_at = $11, ended_at = $12
WHERE workspace_id = $1 AND id = $2;

-- name: import_get
SELECT id, workspace_id, state, row_count, created, updated, unchanged, refused, problems, reason, created_at, updated_at, ended_at
FROM imports WHERE workspace_id = $1 AND id = $2;

-- name: import_older
SELECT id, workspace_id, state, row_count, created, updated, unchanged, refused, NULL, reason, created_at, updated_at, ended_at
FROM imports WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3;

-- name: import_newer
SELECT id, workspace_id, state, row_count, created, updated, unchanged, refused, NULL, reason, created_at, updated_at, ended_at
FROM imports WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: expire_imports (sqlite)
DELETE FROM imports WHERE rowid IN (SELECT rowid FROM imports WHERE ended_at IS NOT NULL AND ended_at < $1 LIMIT $2);

-- name: expire_imports (postgres)
DELETE FROM imports WHERE (workspace_id, id) IN (SELECT workspace_id, id FROM imports WHERE ended_at IS NOT NULL AND ended_at < $1 LIMIT $2);
