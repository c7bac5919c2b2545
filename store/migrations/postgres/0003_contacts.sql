-- People: contacts, the lists they are on, their tags, and what is declared and kept of them.
-- Ids are UUIDv7 (16 bytes, so they sort by time); times are microseconds since 1970 in UTC.

CREATE TABLE contacts (
  id            BYTEA NOT NULL,
  workspace_id  BYTEA NOT NULL,
  uid           TEXT,
  email         TEXT NOT NULL, -- as it was written; empty for none
  email_key     TEXT COLLATE "C", -- in lower case; null for none
  phone         TEXT COLLATE "C" NOT NULL,
  first_name    TEXT NOT NULL,
  first_key     TEXT COLLATE "C" NOT NULL, -- in lower case, for finding
  last_name     TEXT NOT NULL,
  last_key      TEXT COLLATE "C" NOT NULL,
  status        TEXT NOT NULL,
  source        TEXT NOT NULL,
  custom_fields BYTEA,          -- a JSON object; null for none
  version       BIGINT NOT NULL, -- grows with each change; fences what was planned on an older one
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX contacts_email ON contacts (workspace_id, email_key) WHERE email_key IS NOT NULL;
CREATE UNIQUE INDEX contacts_uid ON contacts (workspace_id, uid) WHERE uid IS NOT NULL;
CREATE INDEX contacts_phone ON contacts (workspace_id, phone, id) WHERE phone <> '';
CREATE INDEX contacts_status ON contacts (workspace_id, status, id);
CREATE INDEX contacts_first ON contacts (workspace_id, first_key) WHERE first_key <> '';
CREATE INDEX contacts_last ON contacts (workspace_id, last_key) WHERE last_key <> '';

CREATE TABLE contact_tags (
  workspace_id BYTEA NOT NULL,
  contact_id   BYTEA NOT NULL,
  tag          TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (workspace_id, contact_id, tag)
);
CREATE INDEX contact_tags_tag ON contact_tags (workspace_id, tag, contact_id);

-- How many contacts have a tag, in parts, so that writers rarely wait for each other. A tag that nobody has is none.
CREATE TABLE tag_counts (
  workspace_id BYTEA NOT NULL,
  tag          TEXT COLLATE "C" NOT NULL,
  part         BIGINT NOT NULL,
  contacts     BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, tag, part)
);

CREATE TABLE lists (
  id           BYTEA NOT NULL,
  workspace_id BYTEA NOT NULL REFERENCES workspaces (id),
  uid          TEXT,
  name         TEXT NOT NULL,
  name_key     TEXT NOT NULL, -- in lower case
  description  TEXT NOT NULL,
  version      BIGINT NOT NULL, -- fences what was planned on an older one
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  deleted_at   BIGINT, -- kept until its memberships are gone
  PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX lists_name ON lists (workspace_id, name_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX lists_uid ON lists (workspace_id, uid) WHERE deleted_at IS NULL AND uid IS NOT NULL;
CREATE INDEX lists_deleted ON lists (deleted_at) WHERE deleted_at IS NOT NULL;

-- How many contacts are subscribed to a list, in parts.
CREATE TABLE list_counts (
  workspace_id BYTEA NOT NULL,
  list_id      BYTEA NOT NULL,
  part         BIGINT NOT NULL,
  members      BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, list_id, part)
);

CREATE TABLE memberships (
  workspace_id BYTEA NOT NULL,
  contact_id   BYTEA NOT NULL,
  list_id      BYTEA NOT NULL,
  status       TEXT NOT NULL,
  at           BIGINT NOT NULL, -- since when it has the status
  PRIMARY KEY (workspace_id, contact_id, list_id)
);
CREATE INDEX memberships_list ON memberships (workspace_id, list_id, contact_id) WHERE status <> 'unsubscribed';
CREATE INDEX memberships_all ON memberships (workspace_id, list_id, contact_id);

CREATE TABLE consents (
  workspace_id BYTEA NOT NULL,
  contact_id   BYTEA NOT NULL,
  version      BIGINT NOT NULL, -- of the contact, that it came with
  number       BIGINT NOT NULL, -- among those of the version
  at           BIGINT NOT NULL,
  list_id      BYTEA, -- null for the contact's own status
  was          TEXT NOT NULL,
  became       TEXT NOT NULL,
  origin       TEXT NOT NULL,
  request_id   BYTEA,
  ip           TEXT NOT NULL,
  key_id       BYTEA,
  PRIMARY KEY (workspace_id, contact_id, version, number)
);

-- Custom fields that a workspace declared.
CREATE TABLE fields (
  workspace_id BYTEA NOT NULL REFERENCES workspaces (id),
  name         TEXT COLLATE "C" NOT NULL,
  title        TEXT NOT NULL,
  type         TEXT NOT NULL,
  options      BYTEA, -- a JSON array; null for none
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, name)
);

CREATE TABLE imports (
  id           BYTEA NOT NULL,
  workspace_id BYTEA NOT NULL REFERENCES workspaces (id),
  state        TEXT NOT NULL,
  row_count    BIGINT NOT NULL,
  created      BIGINT NOT NULL,
  updated      BIGINT NOT NULL,
  unchanged    BIGINT NOT NULL,
  refused      BIGINT NOT NULL,
  problems     BYTEA, -- a JSON array; null for none
  reason       TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  ended_at     BIGINT,
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX imports_ended ON imports (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE audit (
  id           BYTEA NOT NULL,
  workspace_id BYTEA NOT NULL,
  at           BIGINT NOT NULL,
  key_id       BYTEA,
  action       TEXT NOT NULL,
  subject      TEXT NOT NULL,
  detail       BYTEA, -- JSON; null for none
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX audit_at ON audit (at);

-- Contacts whose traces are being erased. A row goes when nothing is left to erase, so that what a crash cuts off is ended.
CREATE TABLE erasures (
  contact_id   BYTEA NOT NULL,
  workspace_id BYTEA NOT NULL,
  who          BYTEA NOT NULL, -- JSON: what the traces are known by
  created_at   BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, contact_id)
);

-- A view for people: ids in hexadecimal, times as timestamps.
CREATE VIEW contacts_readable AS
  SELECT encode(id, 'hex') AS id, encode(workspace_id, 'hex') AS workspace_id, uid, email, phone, first_name, last_name, status, source,
         convert_from(custom_fields, 'UTF8') AS custom_fields, version,
         to_timestamp(created_at / 1000000.0) AS created_at,
         to_timestamp(updated_at / 1000000.0) AS updated_at
  FROM contacts;
