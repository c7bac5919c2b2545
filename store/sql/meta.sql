-- name: meta_get
SELECT value FROM meta WHERE key = $1;

-- name: meta_put
INSERT INTO meta (key, value) VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- When the newest event of all was published; the ids of events carry it.
-- name: newest_event
SELECT id FROM (
  SELECT (SELECT e.id FROM events AS e WHERE e.workspace_id = w.id ORDER BY e.id DESC LIMIT 1) AS id FROM workspaces AS w
) AS newest
WHERE id IS NOT NULL
ORDER BY id DESC LIMIT 1;
