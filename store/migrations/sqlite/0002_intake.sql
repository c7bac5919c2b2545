-- Incoming webhooks. Ids are UUIDv7 (16 bytes); times are microseconds since 1970 in UTC; 0 and 1 are booleans.

CREATE TABLE sources (
  id           BLOB PRIMARY KEY NOT NULL,
  workspace_id BLOB NOT NULL REFERENCES workspaces (id),
  uid          TEXT,
  settings     BLOB NOT NULL, -- JSON, without secret values
  sealed       BLOB,          -- the secret values, sealed; null once it is deleted
  version      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  deleted_at   INTEGER -- kept until its requests are gone
);
CREATE INDEX sources_workspace ON sources (workspace_id, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX sources_uid ON sources (workspace_id, uid) WHERE deleted_at IS NULL AND uid IS NOT NULL;
CREATE INDEX sources_deleted ON sources (deleted_at) WHERE deleted_at IS NOT NULL;

-- A call_api action of a source has a webhook of its own, which is in no list and subscribes to nothing.
ALTER TABLE webhooks ADD COLUMN source_id BLOB;
ALTER TABLE webhooks ADD COLUMN action INTEGER; -- its place among the source's actions, from 1
CREATE INDEX webhooks_source ON webhooks (source_id) WHERE source_id IS NOT NULL AND deleted_at IS NULL;

-- What filters look at stands before what is large, so that it is found on the first page of a long row.
CREATE TABLE requests (
  id           BLOB NOT NULL,
  workspace_id BLOB NOT NULL,
  source_id    BLOB NOT NULL,
  state        INTEGER NOT NULL, -- RequestState; below 10 is the queue
  claim        INTEGER NOT NULL, -- grows with each lease
  due_at       INTEGER NOT NULL, -- when it is due; of a leased one, when the lease ends
  attempts     INTEGER NOT NULL,
  event_type   TEXT,
  sender       TEXT,
  at           INTEGER NOT NULL,
  records      INTEGER NOT NULL,
  duration_us  INTEGER NOT NULL,
  status       INTEGER NOT NULL, -- of the answer
  resent_from  BLOB,
  method       TEXT NOT NULL,
  target       TEXT NOT NULL,
  headers      TEXT NOT NULL, -- a "name: value" a line
  log          BLOB,          -- JSON
  answer       BLOB,          -- JSON
  body         BLOB,          -- as it came; null for an empty one
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX requests_source ON requests (source_id, id);
-- A request that is processed at once never enters these.
CREATE INDEX requests_queue ON requests (source_id, due_at) WHERE state < 10;
CREATE INDEX requests_trouble ON requests (workspace_id, state, id) WHERE state <> 10;
CREATE INDEX requests_source_trouble ON requests (source_id, state, id) WHERE state <> 10;

-- What a source has seen: the key of each event that was acted on, as a digest, and which request brought it.
CREATE TABLE request_keys (
  source_id  BLOB NOT NULL,
  digest     BLOB NOT NULL, -- the first half of the key's SHA-256
  request_id BLOB NOT NULL,
  PRIMARY KEY (source_id, digest)
);

-- How a source has been doing since it last succeeded; a healthy one has no row.
CREATE TABLE source_health (
  source_id     BLOB PRIMARY KEY NOT NULL,
  workspace_id  BLOB NOT NULL,
  failures      INTEGER NOT NULL, -- requests in a row that could not be processed
  failing_since INTEGER NOT NULL,
  told          INTEGER NOT NULL
);

-- Sources are counted beside webhooks: a row whose webhook_id is a source's sums its requests. These two are theirs alone.
ALTER TABLE rollups_open ADD COLUMN duplicates INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups_open ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN duplicates INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;

CREATE VIEW requests_readable AS
  SELECT hex(id) AS id, hex(workspace_id) AS workspace_id, hex(source_id) AS source_id,
         strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000000.0, 'unixepoch') AS at,
         CASE state WHEN 0 THEN 'leased' WHEN 1 THEN 'waiting' WHEN 2 THEN 'retry'
                    WHEN 10 THEN 'processed' WHEN 11 THEN 'failed' WHEN 12 THEN 'duplicate' WHEN 13 THEN 'refused' END AS state,
         strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000000.0, 'unixepoch') AS due_at, attempts, event_type, sender, records, status, method, target,
         CAST(log AS TEXT) AS log
  FROM requests;
