-- People who sign in: members of workspaces, their sessions and the links that let them in.
-- Ids are UUIDv7 (16 bytes); times are microseconds since 1970 in UTC; 0 and 1 are booleans.

CREATE TABLE people (
  id         BYTEA PRIMARY KEY NOT NULL,
  email      TEXT NOT NULL, -- as it was written
  email_key  TEXT NOT NULL UNIQUE, -- in lower case
  password   TEXT NOT NULL, -- argon2id in PHC's form; empty while none is set
  operator   BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE members (
  id           BYTEA NOT NULL,
  workspace_id BYTEA NOT NULL REFERENCES workspaces (id),
  person_id    BYTEA NOT NULL REFERENCES people (id),
  name         TEXT NOT NULL,
  phone        TEXT NOT NULL,
  role         TEXT NOT NULL,
  may_trigger  BYTEA NOT NULL, -- a JSON array of ids, or of "*"
  status       TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX members_person ON members (person_id, workspace_id);

CREATE TABLE sessions (
  digest       BYTEA PRIMARY KEY NOT NULL, -- SHA-256 of the token
  person_id    BYTEA NOT NULL,
  workspace_id BYTEA NOT NULL, -- in which the person works at present
  fresh        BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  seen_at      BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL,
  user_agent   TEXT NOT NULL,
  address      TEXT NOT NULL
);
CREATE INDEX sessions_person ON sessions (person_id);
CREATE INDEX sessions_workspace ON sessions (workspace_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

CREATE TABLE sign_in_links (
  digest       BYTEA PRIMARY KEY NOT NULL, -- SHA-256 of the token
  workspace_id BYTEA NOT NULL,
  member_id    BYTEA NOT NULL,
  person_id    BYTEA NOT NULL,
  resets       BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT NOT NULL
);
CREATE INDEX sign_in_links_member ON sign_in_links (workspace_id, member_id);
CREATE INDEX sign_in_links_person ON sign_in_links (person_id);
CREATE INDEX sign_in_links_expires ON sign_in_links (expires_at);

-- How often somebody failed to sign in, by email and by address, of which only digests are kept.
CREATE TABLE sign_in_failures (
  subject  BYTEA PRIMARY KEY NOT NULL, -- SHA-256
  failures BIGINT NOT NULL,
  last_at  BIGINT NOT NULL,
  until    BIGINT NOT NULL -- no try counts before
);
CREATE INDEX sign_in_failures_last ON sign_in_failures (last_at);

-- Which member did it; null when it was a key.
ALTER TABLE audit ADD COLUMN member_id BYTEA;

-- A view for people: ids in hexadecimal, times as timestamps.
CREATE VIEW members_readable AS
  SELECT encode(m.id, 'hex') AS id, encode(m.workspace_id, 'hex') AS workspace_id, p.email, m.name, m.phone, m.role,
         convert_from(m.may_trigger, 'UTF8') AS may_trigger, m.status, to_timestamp(m.created_at / 1000000.0) AS created_at
  FROM members m JOIN people p ON p.id = m.person_id;
