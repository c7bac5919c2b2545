-- Incoming webhooks. Ids are UUIDv7 (16 bytes); times are microseconds since 1970 in UTC; 0 and 1 are booleans.

CREATE TABLE sources (
  id           BYTEA PRIMARY KEY NOT NULL,
  workspace_id BYTEA NOT NULL REFERENCES workspaces (id),
  uid          TEXT,
  settings     BYTEA NOT NULL, -- JSON, without secret values
  sealed       BYTEA,          -- the secret values, sealed; null once it is deleted
  version      BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  deleted_at   BIGINT -- kept until its requests are gone
);
CREATE INDEX sources_workspace ON sources (workspace_id, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX sources_uid ON sources (workspace_id, uid) WHERE deleted_at IS NULL AND uid IS NOT NULL;
CREATE INDEX sources_deleted ON sources (deleted_at) WHERE deleted_at IS NOT NULL;

-- A call_api action of a source has a webhook of its own, which is in no list and subscribes to nothing.
ALTER TABLE webhooks ADD COLUMN source_id BYTEA;
ALTER TABLE webhooks ADD COLUMN action BIGINT; -- its place among the source's actions, from 1
CREATE INDEX webhooks_source ON webhooks (source_id) WHERE source_id IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE requests (
  id           BYTEA NOT NULL,
  workspace_id BYTEA NOT NULL,
  source_id    BYTEA NOT NULL,
  state        BIGINT NOT NULL, -- RequestState; below 10 is the queue
  claim        BIGINT NOT NULL, -- grows with each lease
  due_at       BIGINT NOT NULL, -- when it is due; of a leased one, when the lease ends
  attempts     BIGINT NOT NULL,
  event_type   TEXT,
  sender       TEXT,
  at           BIGINT NOT NULL,
  records      BIGINT NOT NULL,
  duration_us  BIGINT NOT NULL,
  status       BIGINT NOT NULL, -- of the answer
  resent_from  BYTEA,
  method       TEXT NOT NULL,
  target       TEXT NOT NULL,
  headers      TEXT NOT NULL, -- a "name: value" a line
  log          BYTEA,          -- JSON
  answer       BYTEA,          -- JSON
  body         BYTEA,          -- as it came; null for an empty one
  PRIMARY KEY (workspace_id, id)
) PARTITION BY RANGE (id); -- by day, as events are
CREATE INDEX requests_source ON requests (source_id, id);
-- A request that is processed at once never enters these.
CREATE INDEX requests_queue ON requests (source_id, due_at) WHERE state < 10;
CREATE INDEX requests_trouble ON requests (workspace_id, state, id) WHERE state <> 10;
CREATE INDEX requests_source_trouble ON requests (source_id, state, id) WHERE state <> 10;

-- What a source has seen: the key of each event that was acted on, as a digest, and which request brought it.
CREATE TABLE request_keys (
  source_id  BYTEA NOT NULL,
  digest     BYTEA NOT NULL, -- the first half of the key's SHA-256
  request_id BYTEA NOT NULL,
  PRIMARY KEY (source_id, digest)
);
CREATE INDEX request_keys_request ON request_keys (request_id); -- for the retention: a request's id tells its age

-- How a source has been doing since it last succeeded; a healthy one has no row.
CREATE TABLE source_health (
  source_id     BYTEA PRIMARY KEY NOT NULL,
  workspace_id  BYTEA NOT NULL,
  failures      BIGINT NOT NULL, -- requests in a row that could not be processed
  failing_since BIGINT NOT NULL,
  told          BIGINT NOT NULL
);

-- Sources are counted beside webhooks: a row whose webhook_id is a source's sums its requests. These two are theirs alone.
ALTER TABLE rollups_open ADD COLUMN duplicates BIGINT NOT NULL DEFAULT 0;
ALTER TABLE rollups_open ADD COLUMN refused BIGINT NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN duplicates BIGINT NOT NULL DEFAULT 0;
ALTER TABLE rollups ADD COLUMN refused BIGINT NOT NULL DEFAULT 0;

CREATE VIEW requests_readable AS
  SELECT encode(id, 'hex') AS id, encode(workspace_id, 'hex') AS workspace_id, encode(source_id, 'hex') AS source_id,
         to_timestamp(at / 1000000.0) AS at,
         CASE state WHEN 0 THEN 'leased' WHEN 1 THEN 'waiting' WHEN 2 THEN 'retry'
                    WHEN 10 THEN 'processed' WHEN 11 THEN 'failed' WHEN 12 THEN 'duplicate' WHEN 13 THEN 'refused' END AS state,
         to_timestamp(due_at / 1000000.0) AS due_at, attempts, event_type, sender, records, status, method, target,
         convert_from(log, 'UTF8') AS log
  FROM requests;
