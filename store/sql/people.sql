-- name: person_insert
-- A person who exists already stays as they are.
INSERT INTO people (id, email, email_key, password, operator, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (email_key) DO NOTHING;

-- name: person_by_email
SELECT id, email, password, operator FROM people WHERE email_key = $1;

-- name: person_get
SELECT id, email, password, operator FROM people WHERE id = $1;

-- name: person_any
SELECT id FROM people LIMIT 1;

-- name: person_password
UPDATE people SET password = $2, updated_at = $3 WHERE id = $1;

-- name: person_email
-- The address of somebody else is not taken.
UPDATE people SET email = $2, email_key = $3, updated_at = $4
WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM people AS other WHERE other.email_key = $3 AND other.id <> $1);

-- name: person_delete_gone
-- A person who is nobody's member any more is forgotten.
DELETE FROM people WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM members WHERE person_id = $1);

-- name: member_insert
INSERT INTO members (id, workspace_id, person_id, name, phone, role, may_trigger, status, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
ON CONFLICT (person_id, workspace_id) DO NOTHING;

-- name: member_list
SELECT m.id, m.workspace_id, m.person_id, p.email, m.name, m.phone, m.role, m.may_trigger, m.status, m.created_at, m.updated_at
FROM members AS m JOIN people AS p ON p.id = m.person_id WHERE m.workspace_id = $1 ORDER BY m.id;

-- name: member_get
SELECT m.id, m.workspace_id, m.person_id, p.email, m.name, m.phone, m.role, m.may_trigger, m.status, m.created_at, m.updated_at
FROM members AS m JOIN people AS p ON p.id = m.person_id WHERE m.workspace_id = $1 AND m.id = $2;

-- name: member_by_email
SELECT m.id, m.workspace_id, m.person_id, p.email, m.name, m.phone, m.role, m.may_trigger, m.status, m.created_at, m.updated_at
FROM members AS m JOIN people AS p ON p.id = m.person_id WHERE m.workspace_id = $1 AND p.email_key = $2;

-- name: member_places
-- The workspaces in which a person is a member, the oldest first.
SELECT m.id, m.workspace_id, m.person_id, p.email, m.name, m.phone, m.role, m.may_trigger, m.status, m.created_at, m.updated_at, w.name
FROM members AS m JOIN people AS p ON p.id = m.person_id JOIN workspaces AS w ON w.id = m.workspace_id
WHERE m.person_id = $1 ORDER BY m.workspace_id;

-- name: member_update
UPDATE members SET name = $3, phone = $4, role = $5, may_trigger = $6, updated_at = $7 WHERE workspace_id = $1 AND id = $2;

-- name: member_accept
UPDATE members SET status = 'active', updated_at = $3 WHERE workspace_id = $1 AND id = $2 AND status <> 'active';

-- name: member_delete
DELETE FROM members WHERE workspace_id = $1 AND id = $2;

-- name: member_other_admins
SELECT count(*) FROM members WHERE workspace_id = $1 AND id <> $2 AND role = 'admin' AND status = 'active';

-- name: workspace_lock
-- Two who change members of one workspace take turns.
UPDATE workspaces SET updated_at = updated_at WHERE id = $1;

-- name: session_insert
INSERT INTO sessions (digest, person_id, workspace_id, fresh, created_at, seen_at, expires_at, user_agent, address)
VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8);

-- name: session_get
SELECT person_id, workspace_id, fresh, created_at, seen_at, expires_at, user_agent, address FROM sessions WHERE digest = $1;

-- name: session_list
SELECT person_id, workspace_id, fresh, created_at, seen_at, expires_at, user_agent, address FROM sessions WHERE person_id = $1 ORDER BY seen_at DESC;

-- name: session_seen
UPDATE sessions SET seen_at = $2 WHERE digest = $1 AND seen_at < $2;

-- name: session_move
UPDATE sessions SET workspace_id = $2 WHERE digest = $1;

-- name: session_settle
UPDATE sessions SET fresh = 0 WHERE digest = $1;

-- name: session_delete
DELETE FROM sessions WHERE digest = $1;

-- name: session_delete_person
DELETE FROM sessions WHERE person_id = $1;

-- name: session_delete_others
DELETE FROM sessions WHERE person_id = $1 AND digest <> $2;

-- name: session_delete_member
DELETE FROM sessions WHERE person_id = $1 AND workspace_id = $2;

-- name: link_insert
INSERT INTO sign_in_links (digest, workspace_id, member_id, person_id, resets, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: link_get
SELECT workspace_id, member_id, person_id, resets, created_at, expires_at FROM sign_in_links WHERE digest = $1;

-- name: link_delete
DELETE FROM sign_in_links WHERE digest = $1;

-- name: link_delete_member
DELETE FROM sign_in_links WHERE workspace_id = $1 AND member_id = $2;

-- name: link_delete_person
DELETE FROM sign_in_links WHERE person_id = $1;

-- name: failure_count
-- Failures that are long ago are forgotten.
INSERT INTO sign_in_failures (subject, failures, last_at, until) VALUES ($1, 1, $2, 0)
ON CONFLICT (subject) DO UPDATE SET failures = CASE WHEN sign_in_failures.last_at < $3 THEN 1 ELSE sign_in_failures.failures + 1 END, last_at = $2
RETURNING failures, until;

-- name: failure_until
UPDATE sign_in_failures SET until = $2 WHERE subject = $1;

-- name: failure_forget
DELETE FROM sign_in_failures WHERE subject = $1;

-- name: failure_take_back
UPDATE sign_in_failures SET failures = failures - 1, until = 0 WHERE subject = $1 AND failures > 0;

-- name: expire_sessions (sqlite)
DELETE FROM sessions WHERE rowid IN (SELECT rowid FROM sessions WHERE expires_at < $1 LIMIT $2);

-- name: expire_sessions (postgres)
DELETE FROM sessions WHERE digest IN (SELECT digest FROM sessions WHERE expires_at < $1 LIMIT $2);

-- name: expire_links (sqlite)
DELETE FROM sign_in_links WHERE rowid IN (SELECT rowid FROM sign_in_links WHERE expires_at < $1 LIMIT $2);

-- name: expire_links (postgres)
DELETE FROM sign_in_links WHERE digest IN (SELECT digest FROM sign_in_links WHERE expires_at < $1 LIMIT $2);

-- name: expire_failures (sqlite)
DELETE FROM sign_in_failures WHERE rowid IN (SELECT rowid FROM sign_in_failures WHERE last_at < $1 LIMIT $2);

-- name: expire_failures (postgres)
DELETE FROM sign_in_failures WHERE subject IN (SELECT subject FROM sign_in_failures WHERE last_at < $1 LIMIT $2);

-- name: purge_sessions
DELETE FROM sessions WHERE workspace_id = $1;

-- name: purge_links
DELETE FROM sign_in_links WHERE workspace_id = $1;

-- name: purge_members
DELETE FROM members WHERE workspace_id = $1;

-- name: purge_people
DELETE FROM people WHERE NOT EXISTS (SELECT 1 FROM members WHERE members.person_id = people.id);
