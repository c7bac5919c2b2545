-- Contacts with their tags and memberships. Lists of ids and texts come as JSON arrays, ids as hexadecimal texts. Texts with one row of
-- values are run with many rows: see execRows.
--
-- PostgreSQL looks each of a list up on its own (LATERAL; OFFSET 0 keeps it from making a join of that): as long as a table has no
-- statistics, or those of when it was small, it would read all of it for a list, and keep to that plan.

-- name: contact_lock_keys (postgres)
SELECT pg_advisory_xact_lock(value::bigint) FROM json_array_elements_text($1::text::json);

-- name: contact_stored (sqlite)
SELECT id, version, email_key, uid FROM contacts
WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2));

-- name: contact_stored (postgres)
-- In the order of the list, which is that of their ids, so that two transactions cannot wait for each other's contacts in a circle.
SELECT c.id, c.version, c.email_key, c.uid FROM json_array_elements_text($2::text::json) AS v (value)
CROSS JOIN LATERAL (SELECT id, version, email_key, uid FROM contacts WHERE workspace_id = $1 AND id = decode(v.value, 'hex') FOR UPDATE) AS c;

-- name: contact_taken (sqlite)
SELECT id, email_key, uid FROM contacts WHERE workspace_id = $1 AND email_key IN (SELECT value FROM json_each($2))
UNION ALL
SELECT id, email_key, uid FROM contacts WHERE workspace_id = $1 AND uid IN (SELECT value FROM json_each($3));

-- name: contact_taken (postgres)
SELECT c.id, c.email_key, c.uid FROM json_array_elements_text($2::text::json) AS v (value)
CROSS JOIN LATERAL (SELECT id, email_key, uid FROM contacts WHERE workspace_id = $1 AND email_key = v.value OFFSET 0) AS c
UNION ALL
SELECT c.id, c.email_key, c.uid FROM json_array_elements_text($3::text::json) AS v (value)
CROSS JOIN LATERAL (SELECT id, email_key, uid FROM contacts WHERE workspace_id = $1 AND uid = v.value OFFSET 0) AS c;

-- name: contact_release (sqlite)
-- The keys of contacts that get others in this transaction, so that others of it can have theirs.
UPDATE contacts SET email_key = NULL, uid = NULL WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2));

-- name: contact_release (postgres)
UPDATE contacts SET email_key = NULL, uid = NULL
WHERE workspace_id = $1 AND id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: contact_put (sqlite)
INSERT INTO contacts (id, workspace_id, uid, email, email_key, phone, first_name, first_key, last_name, last_key, status, source, custom_fields,
  version, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (workspace_id, id) DO UPDATE SET uid = excluded.uid, email = excluded.email, email_key = excluded.email_key, phone = excluded.phone,
  first_name = excluded.first_name, first_key = excluded.first_key, last_name = excluded.last_name, last_key = excluded.last_key,
  status = excluded.status, source = excluded.source, custom_fields = excluded.custom_fields, version = excluded.version,
  updated_at = excluded.updated_at;

-- name: contact_put (postgres)
INSERT INTO contacts (id, workspace_id, uid, email, email_key, phone, first_name, first_key, last_name, last_key, status, source, custom_fields,
  version, created_at, updated_at)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
  $10::text[], $11::text[], $12::text[], $13::bytea[], $14::bigint[], $15::bigint[], $16::bigint[])
ON CONFLICT (workspace_id, id) DO UPDATE SET uid = excluded.uid, email = excluded.email, email_key = excluded.email_key, phone = excluded.phone,
  first_name = excluded.first_name, first_key = excluded.first_key, last_name = excluded.last_name, last_key = excluded.last_key,
  status = excluded.status, source = excluded.source, custom_fields = excluded.custom_fields, version = excluded.version,
  updated_at = excluded.updated_at;

-- name: contact_delete (sqlite)
DELETE FROM contacts WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2));

-- name: contact_delete (postgres)
DELETE FROM contacts WHERE workspace_id = $1 AND id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: contact_by_ids (sqlite)
SELECT id, workspace_id, uid, email, phone, first_name, last_name, status, source, custom_fields, version, created_at, updated_at FROM contacts
WHERE workspace_id = $1 AND id IN (SELECT unhex(value) FROM json_each($2));

-- name: contact_by_ids (postgres)
SELECT c.* FROM json_array_elements_text($2::text::json) AS v (value)
CROSS JOIN LATERAL (SELECT id, workspace_id, uid, email, phone, first_name, last_name, status, source, custom_fields, version, created_at, updated_at
  FROM contacts WHERE workspace_id = $1 AND id = decode(v.value, 'hex') OFFSET 0) AS c;

-- name: contact_by_emails (sqlite)
SELECT id, workspace_id, uid, email, phone, first_name, last_name, status, source, custom_fields, version, created_at, updated_at FROM contacts
WHERE workspace_id = $1 AND email_key IN (SELECT value FROM json_each($2));

-- name: contact_by_emails (postgres)
SELECT c.* FROM json_array_elements_text($2::text::json) AS v (value)
CROSS JOIN LATERAL (SELECT id, workspace_id, uid, email, phone, first_name, last_name, status, source, custom_fields, version, created_at, updated_at
  FROM contacts WHERE workspace_id = $1 AND email_key = v.value OFFSET 0) AS c;

-- name: contact_by_uids (sqlite)
SELECT id, workspace_id, uid, email, phone, first_name, last_name, status, source, custom_fields, version, created_at, updated_at FROM contacts
WHERE workspace_id = $1 AND uid IN (SELECT value FROM json_each($2));

-- name: contact_by_uids (postgres)
SELECT c.* FROM json_array_elements_text($2::text::json) AS v (value)
CROSS JOIN LATERAL (SELECT id, workspace_id, uid, email, phone, first_name, last_name, status, source, custom_fields, version, created_at, updated_at
  FROM contacts WHERE workspace_id = $1 AND uid = v.value OFFSET 0) AS c;

-- name: contact_by_phone
-- Several may have a number: the oldest counts.
SELECT id, workspace_id, uid, email, phone, first_name, last_name, status, source, custom_fields, version, created_at, updated_at FROM contacts
WHERE workspace_id = $1 AND phone = $2 AND phone <> '' ORDER BY id LIMIT 1;

-- name: contact_tags_of (sqlite)
SELECT contact_id, tag FROM contact_tags
WHERE workspace_id = $1 AND contact_id IN (SELECT unhex(value) FROM json_each($2)) ORDER BY contact_id, tag;

-- name: contact_tags_of (postgres)
SELECT t.contact_id, t.tag FROM json_array_elements_text($2::text::json) AS v (value)
CROSS JOIN LATERAL (SELECT contact_id, tag FROM contact_tags WHERE workspace_id = $1 AND contact_id = decode(v.value, 'hex') OFFSET 0) AS t
ORDER BY t.contact_id, t.tag;

-- name: contact_tag_put (sqlite)
INSERT INTO contact_tags (workspace_id, contact_id, tag) VALUES ($1, $2, $3)
ON CONFLICT (workspace_id, contact_id, tag) DO NOTHING;

-- name: contact_tag_put (postgres)
INSERT INTO contact_tags (workspace_id, contact_id, tag) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[])
ON CONFLICT (workspace_id, contact_id, tag) DO NOTHING;

-- name: contact_tag_delete
DELETE FROM contact_tags WHERE workspace_id = $1 AND contact_id = $2 AND tag = $3;

-- name: contact_tag_delete_all (sqlite)
DELETE FROM contact_tags WHERE workspace_id = $1 AND contact_id IN (SELECT unhex(value) FROM json_each($2));

-- name: contact_tag_delete_all (postgres)
DELETE FROM contact_tags
WHERE workspace_id = $1 AND contact_id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: tag_count_add (sqlite)
INSERT INTO tag_counts (workspace_id, tag, part, contacts) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace_id, tag, part) DO UPDATE SET contacts = tag_counts.contacts + excluded.contacts;

-- name: tag_count_add (postgres)
INSERT INTO tag_counts (workspace_id, tag, part, contacts) SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[])
ON CONFLICT (workspace_id, tag, part) DO UPDATE SET contacts = tag_counts.contacts + excluded.contacts;

-- name: membership_of (sqlite)
SELECT m.contact_id, m.list_id, l.name, m.status, m.at FROM memberships m
JOIN lists l ON l.workspace_id = m.workspace_id AND l.id = m.list_id AND l.deleted_at IS NULL
WHERE m.workspace_id = $1 AND m.contact_id IN (SELECT unhex(value) FROM json_each($2)) ORDER BY m.contact_id, m.at, m.list_id;

-- name: membership_of (postgres)
SELECT m.contact_id, m.list_id, l.name, m.status, m.at FROM json_array_elements_text($2::text::json) AS v (value)
CROSS JOIN LATERAL (SELECT workspace_id, contact_id, list_id, status, at FROM memberships
  WHERE workspace_id = $1 AND contact_id = decode(v.value, 'hex') OFFSET 0) AS m
JOIN lists l ON l.workspace_id = m.workspace_id AND l.id = m.list_id AND l.deleted_at IS NULL
ORDER BY m.contact_id, m.at, m.list_id;

-- name: membership_stored (sqlite)
-- With those of lists that are being deleted.
SELECT contact_id, list_id, status FROM memberships
WHERE workspace_id = $1 AND contact_id IN (SELECT unhex(value) FROM json_each($2));

-- name: membership_stored (postgres)
SELECT m.contact_id, m.list_id, m.status FROM json_array_elements_text($2::text::json) AS v (value)
CROSS JOIN LATERAL (SELECT contact_id, list_id, status FROM memberships WHERE workspace_id = $1 AND contact_id = decode(v.value, 'hex') OFFSET 0) AS m;

-- name: membership_put (sqlite)
INSERT INTO memberships (workspace_id, contact_id, list_id, status, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (workspace_id, contact_id, list_id) DO UPDATE SET status = excluded.status, at = excluded.at;

-- name: membership_put (postgres)
INSERT INTO memberships (workspace_id, contact_id, list_id, status, at) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::text[], $5::bigint[])
ON CONFLICT (workspace_id, contact_id, list_id) DO UPDATE SET status = excluded.status, at = excluded.at;

-- name: membership_delete_all (sqlite)
DELETE FROM memberships WHERE workspace_id = $1 AND contact_id IN (SELECT unhex(value) FROM json_each($2));

-- name: membership_delete_all (postgres)
DELETE FROM memberships
WHERE workspace_id = $1 AND contact_id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: list_count_add (sqlite)
INSERT INTO list_counts (workspace_id, list_id, part, members) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace_id, list_id, part) DO UPDATE SET members = list_counts.members + excluded.members;

-- name: list_count_add (postgres)
INSERT INTO list_counts (workspace_id, list_id, part, members) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[])
ON CONFLICT (workspace_id, list_id, part) DO UPDATE SET members = list_counts.members + excluded.members;

-- name: consent_insert (sqlite)
INSERT INTO consents (workspace_id, contact_id, version, number, at, list_id, was, became, origin, request_id, ip, key_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: consent_insert (postgres)
INSERT INTO consents (workspace_id, contact_id, version, number, at, list_id, was, became, origin, request_id, ip, key_id)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::text[], $8::text[], $9::text[],
  $10::bytea[], $11::text[], $12::bytea[]);

-- name: consent_list
SELECT at, contact_id, list_id, was, became, origin, request_id, ip, key_id FROM consents
WHERE workspace_id = $1 AND contact_id = $2 ORDER BY version DESC, number DESC LIMIT $3;

-- name: consent_delete_all (sqlite)
DELETE FROM consents WHERE workspace_id = $1 AND contact_id IN (SELECT unhex(value) FROM json_each($2));

-- name: consent_delete_all (postgres)
DELETE FROM consents
WHERE workspace_id = $1 AND contact_id = ANY (ARRAY(SELECT decode(value, 'hex') FROM json_array_elements_text($2::text::json)));

-- name: audit_insert (sqlite)
INSERT INTO audit (id, workspace_id, at, key_id, member_id, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: audit_insert (postgres)
INSERT INTO audit (id, workspace_id, at, key_id, member_id, action, subject, detail)
SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bytea[], $6::text[], $7::text[], $8::bytea[]);

-- name: audit_older
SELECT id, at, key_id, member_id, action, subject, detail FROM audit WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3;

-- name: audit_newer
SELECT id, at, key_id, member_id, action, subject, detail FROM audit WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: expire_audit (sqlite)
DELETE FROM audit WHERE rowid IN (SELECT rowid FROM audit WHERE at < $1 LIMIT $2);

-- name: expire_audit (postgres)
DELETE FROM audit WHERE (workspace_id, id) IN (SELECT workspace_id, id FROM audit WHERE at < $1 LIMIT $2);

-- name: contact_words (sqlite)
-- The contacts of which the email, a name or the phone number begins with a text, up to a limit for each; $3 is the text with the last
-- character there is.
SELECT id FROM (SELECT id FROM contacts INDEXED BY contacts_email WHERE workspace_id = $1 AND email_key >= $2 AND email_key < $3 AND email_key IS NOT NULL LIMIT $4)
UNION ALL
SELECT id FROM (SELECT id FROM contacts INDEXED BY contacts_first WHERE workspace_id = $1 AND first_key >= $2 AND first_key < $3 AND first_key <> '' LIMIT $4)
UNION ALL
SELECT id FROM (SELECT id FROM contacts INDEXED BY contacts_last WHERE workspace_id = $1 AND last_key >= $2 AND last_key < $3 AND last_key <> '' LIMIT $4)
UNION ALL
SELECT id FROM (SELECT id FROM contacts INDEXED BY contacts_phone WHERE workspace_id = $1 AND phone >= $2 AND phone < $3 AND phone <> '' LIMIT $4);

-- name: contact_words (postgres)
SELECT id FROM (SELECT id FROM contacts WHERE workspace_id = $1 AND email_key >= $2 AND email_key < $3 LIMIT $4) AS emails
UNION ALL
SELECT id FROM (SELECT id FROM contacts WHERE workspace_id = $1 AND first_key >= $2 AND first_key < $3 AND first_key <> '' LIMIT $4) AS firsts
UNION ALL
SELECT id FROM (SELECT id FROM contacts WHERE workspace_id = $1 AND last_key >= $2 AND last_key < $3 AND last_key <> '' LIMIT $4) AS lasts
UNION ALL
SELECT id FROM (SELECT id FROM contacts WHERE workspace_id = $1 AND phone >= $2 AND phone < $3 AND phone <> '' LIMIT $4) AS phones;
