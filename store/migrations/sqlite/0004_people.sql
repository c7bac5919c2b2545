-- People who sign in: members of workspaces, their sessions and the links that let them in.
-- Ids are UUIDv7 (16 bytes); times are microseconds since 1970 in UTC; 0 and 1 are booleans.

CREATE TABLE people (
  id         BLOB PRIMARY KEY NOT NULL,
  email      TEXT NOT NULL, -- as it was written
  email_key  TEXT NOT NULL UNIQUE, -- in lower case
  password   TEXT NOT NULL, -- argon2id in PHC's form; empty while none is set
  operator   INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);

CREATE TABLE members (
  id           BLOB NOT NULL,
  workspace_id BLOB NOT NULL REFERENCES workspaces (id),
  person_id    BLOB NOT NULL REFERENCES people (id),
  name         TEXT NOT NULL,
  phone        TEXT NOT NULL,
  role         TEXT NOT NULL,
  may_trigger  BLOB NOT NULL, -- a JSON array of ids, or of "*"
  status       TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX members_person ON members (person_id, workspace_id);

CREATE TABLE sessions (
  digest       BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the token
  person_id    BLOB NOT NULL,
  workspace_id BLOB NOT NULL, -- in which the person works at present
  fresh        INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  seen_at      INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  user_agent   TEXT NOT NULL,
  address      TEXT NOT NULL
);
CREATE INDEX sessions_person ON sessions (person_id);
CREATE INDEX sessions_workspace ON sessions (workspace_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE sign_in_links (
  digest       BLOB PRIMARY KEY NOT NULL, -- SHA-256 of the token
  workspace_id BLOB NOT NULL,
  member_id    BLOB NOT NULL,
  person_id    BLOB NOT NULL,
  resets       INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL
);
CREATE INDEX sign_in_links_member ON sign_in_links (workspace_id, member_id);
CREATE INDEX sign_in_links_person ON sign_in_links (person_id);
CREATE INDEX sign_in_links_expires ON sign_in_links (expires_at);

-- How often somebody failed to sign in, by email and by address, of which only digests are kept.
CREATE TABLE sign_in_failures (
  subject  BLOB PRIMARY KEY NOT NULL, -- SHA-256
  failures INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  until    INTEGER NOT NULL -- no try counts before
);
CREATE INDEX sign_in_failures_last ON sign_in_failures (last_at);

-- Which member did it; null when it was a key.
ALTER TABLE audit ADD COLUMN member_id BLOB;

-- A view for people: ids in hexadecimal, times as text.
CREATE VIEW members_readable AS
  SELECT hex(m.id) AS id, hex(m.workspace_id) AS workspace_id, p.email, m.name, m.phone, m.role, CAST(m.may_trigger AS TEXT) AS may_trigger, m.status,
         strftime('%Y-%m-%dT%H:%M:%fZ', m.created_at / 1000000.0, 'unixepoch') AS created_at
  FROM members m JOIN people p ON p.id = m.person_id;
