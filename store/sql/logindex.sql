-- The index of the log on SQLite: see logindex.go.

-- name: log_last_rows (sqlite)
SELECT coalesce((SELECT max(rowid) FROM events), 0), coalesce((SELECT max(rowid) FROM deliveries), 0), coalesce((SELECT max(rowid) FROM attempts), 0);

-- name: log_segment_insert (sqlite)
INSERT INTO log_segments (first_id, last_id) VALUES ($1, $2) RETURNING number;

-- name: log_spans_insert (sqlite)
INSERT INTO log_spans (place, spans) VALUES ($1, $2);

-- name: log_segment_list (sqlite)
SELECT number, first_id, last_id FROM log_segments ORDER BY number;

-- name: log_segment_delete (sqlite)
DELETE FROM log_segments WHERE number = $1;

-- name: log_spans_delete (sqlite)
DELETE FROM log_spans WHERE place >= $1 AND place < $2;

-- name: log_rows_events (sqlite)
SELECT id, workspace_id, type, coalesce(contact, ''), coalesce(campaign, '') FROM events WHERE rowid > $1 AND rowid <= $2 ORDER BY rowid;

-- name: log_rows_deliveries (sqlite)
SELECT id, workspace_id, event_type, webhook_id FROM deliveries WHERE rowid > $1 AND rowid <= $2 ORDER BY rowid;

-- name: log_rows_attempts (sqlite)
-- An attempt without an error is one that has succeeded.
SELECT delivery_id, workspace_id, status_code, error_kind IS NULL FROM attempts WHERE rowid > $1 AND rowid <= $2 ORDER BY rowid;
