-- events, deliveries and attempts are partitioned by day: a day is a range of ids. The store makes the partitions.
-- Ids are UUIDv7 (16 bytes, so they sort by time); times are microseconds since 1970 in UTC; 0 and 1 are booleans.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY NOT NULL,
  value BYTEA NOT NULL
);

CREATE TABLE workspaces (
  id         BYTEA PRIMARY KEY NOT NULL,
  name       TEXT NOT NULL,
  revision   BIGINT NOT NULL, -- grows whenever its webhooks or event types change
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE keys (
  id           BYTEA PRIMARY KEY NOT NULL,
  workspace_id BYTEA NOT NULL REFERENCES workspaces (id),
  name         TEXT NOT NULL,
  role         TEXT NOT NULL,
  hint         TEXT NOT NULL,
  digest       BYTEA NOT NULL UNIQUE, -- SHA-256 of the key
  operator     BIGINT NOT NULL,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT
);
CREATE INDEX keys_workspace ON keys (workspace_id, id);

CREATE TABLE event_types (
  workspace_id BYTEA NOT NULL REFERENCES workspaces (id),
  name         TEXT NOT NULL,
  group_name   TEXT NOT NULL,
  title        TEXT NOT NULL,
  description  TEXT NOT NULL,
  schema       BYTEA,
  sample       BYTEA,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, name)
);

CREATE TABLE webhooks (
  id            BYTEA PRIMARY KEY NOT NULL,
  workspace_id  BYTEA NOT NULL REFERENCES workspaces (id),
  number        BIGINT NOT NULL, -- the revision of the workspace that it came with: never given twice
  uid           TEXT,
  dialect       TEXT NOT NULL, -- that of the settings, for lists
  status        TEXT NOT NULL,
  status_reason TEXT NOT NULL,
  status_at     BIGINT NOT NULL, -- since when it has the status
  settings      BYTEA NOT NULL, -- JSON, without secret values
  auth          BYTEA,          -- the secret values of auth, sealed
  key_shown     BIGINT NOT NULL, -- a vendor's API may show its signing key again
  version       BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL,
  deleted_at    BIGINT -- kept until its deliveries are gone
);
CREATE INDEX webhooks_workspace ON webhooks (workspace_id, id) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_stopped ON webhooks (workspace_id, id) WHERE status <> 'active' AND deleted_at IS NULL;
CREATE UNIQUE INDEX webhooks_uid ON webhooks (workspace_id, uid) WHERE deleted_at IS NULL AND uid IS NOT NULL;
CREATE UNIQUE INDEX webhooks_number ON webhooks (number, workspace_id);
CREATE INDEX webhooks_dialect ON webhooks (workspace_id, dialect, number) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_deleted ON webhooks (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE webhook_secrets (
  id           BYTEA PRIMARY KEY NOT NULL,
  workspace_id BYTEA NOT NULL,
  webhook_id   BYTEA NOT NULL REFERENCES webhooks (id),
  kind         TEXT NOT NULL,
  public_key   TEXT NOT NULL,
  sealed       BYTEA NOT NULL,
  created_at   BIGINT NOT NULL,
  expires_at   BIGINT
);
CREATE INDEX webhook_secrets_webhook ON webhook_secrets (webhook_id, id);

CREATE TABLE events (
  id           BYTEA NOT NULL,
  workspace_id BYTEA NOT NULL,
  uid          TEXT,
  type         TEXT NOT NULL,
  time         BIGINT NOT NULL,
  actor        TEXT,
  ordering_key TEXT,
  contact      TEXT,
  campaign     TEXT,
  data         BYTEA NOT NULL,
  PRIMARY KEY (workspace_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX events_type ON events (workspace_id, type, id);
CREATE INDEX events_contact ON events (workspace_id, contact, id) WHERE contact IS NOT NULL;
CREATE INDEX events_campaign ON events (workspace_id, campaign, id) WHERE campaign IS NOT NULL;
CREATE INDEX events_uid ON events (workspace_id, uid) WHERE uid IS NOT NULL;

CREATE TABLE event_keys (
  workspace_id BYTEA NOT NULL,
  key          TEXT NOT NULL,
  event_id     BYTEA NOT NULL,
  created_at   BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, key)
);
CREATE INDEX event_keys_created ON event_keys (created_at);

CREATE TABLE deliveries (
  id           BYTEA NOT NULL,
  workspace_id BYTEA NOT NULL,
  event_id     BYTEA NOT NULL,
  webhook_id   BYTEA NOT NULL,
  event_type   TEXT NOT NULL,
  state        BIGINT NOT NULL, -- DeliveryState; below 10 is the queue
  claim        BIGINT NOT NULL, -- grows with each lease
  due_at       BIGINT NOT NULL, -- when it is due; of a leased one, when the lease ends
  attempts     BIGINT NOT NULL,
  status_code  BIGINT NOT NULL, -- of the newest attempt
  error_kind   TEXT,             -- of the newest attempt
  attempted_at BIGINT,
  test         BIGINT NOT NULL,
  order_key    TEXT COLLATE "C", -- what it stays in order with, among those of its webhook; null for nothing
  PRIMARY KEY (workspace_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX deliveries_queue ON deliveries (state, webhook_id, due_at) WHERE state < 10;
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_event ON deliveries (event_id);
-- The line of each order key: its head first, if it has one, and then what is parked (4), in the order of due_at.
CREATE INDEX deliveries_line ON deliveries (webhook_id, order_key, state, due_at) WHERE state < 10 AND order_key IS NOT NULL;
-- What waits or went wrong is rare and often looked for. A delivery that succeeds at once never enters the index by webhook.
CREATE INDEX deliveries_trouble ON deliveries (workspace_id, state, id) WHERE state <> 0;
CREATE INDEX deliveries_webhook_trouble ON deliveries (webhook_id, state, id) WHERE state <> 0 AND state <> 10;
-- For people who look for something. (SQLite has tables of its own for that: it writes whole pages, so indexes cost it more.)
CREATE INDEX deliveries_type ON deliveries (workspace_id, event_type, id);
CREATE INDEX deliveries_status_code ON deliveries (workspace_id, status_code, id) WHERE status_code <> 0;

CREATE TABLE attempts (
  delivery_id      BYTEA NOT NULL,
  claim            BIGINT NOT NULL, -- a claim makes one attempt at most
  workspace_id     BYTEA NOT NULL,
  at               BIGINT NOT NULL,
  status_code      BIGINT NOT NULL, -- 0 without an answer
  error_kind       TEXT,
  error_message    TEXT,
  dns_us           BIGINT NOT NULL,
  connect_us       BIGINT NOT NULL,
  tls_us           BIGINT NOT NULL,
  first_byte_us    BIGINT NOT NULL,
  total_us         BIGINT NOT NULL,
  request_line     TEXT NOT NULL, -- method and URL
  request_headers  TEXT NOT NULL, -- a "name: value" a line
  request_body     BYTEA,          -- null: the standard body of the event
  response_headers TEXT,          -- null without an answer
  response_body    BYTEA,
  truncated        BIGINT NOT NULL,
  notes            TEXT,          -- JSON: where the payload could not be made as it was meant; mostly null
  PRIMARY KEY (delivery_id, claim)
) PARTITION BY RANGE (delivery_id);

-- The minutes that attempts add to, in the transactions that store them. A row of the webhook zero sums the whole workspace.
CREATE TABLE rollups_open (
  workspace_id BYTEA NOT NULL,
  webhook_id   BYTEA NOT NULL,
  minute       BIGINT NOT NULL, -- microseconds since 1970, whole minutes
  node         BYTEA NOT NULL, -- writers do not wait for each other's rows
  attempts     BIGINT NOT NULL,
  succeeded    BIGINT NOT NULL,
  failed       BIGINT NOT NULL,
  retried      BIGINT NOT NULL,
  answered     BIGINT NOT NULL,
  latency_us   BIGINT NOT NULL, -- sum over those answered
  status_code  BIGINT NOT NULL, -- of the newest attempt
  at           BIGINT NOT NULL, -- when the newest attempt began
  b0 BIGINT NOT NULL, b1 BIGINT NOT NULL, b2 BIGINT NOT NULL, b3 BIGINT NOT NULL,
  b4 BIGINT NOT NULL, b5 BIGINT NOT NULL, b6 BIGINT NOT NULL, b7 BIGINT NOT NULL,
  b8 BIGINT NOT NULL, b9 BIGINT NOT NULL, b10 BIGINT NOT NULL, b11 BIGINT NOT NULL,
  b12 BIGINT NOT NULL, b13 BIGINT NOT NULL, b14 BIGINT NOT NULL, b15 BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, webhook_id, minute, node)
);

-- What has been moved out of rollups_open: each row is part of its minute, its hour and its day here, and gone there.
CREATE TABLE rollups (
  workspace_id BYTEA NOT NULL,
  webhook_id   BYTEA NOT NULL,
  step         BIGINT NOT NULL, -- seconds: 60, 3600 or 86400
  starts_at    BIGINT NOT NULL,
  attempts     BIGINT NOT NULL,
  succeeded    BIGINT NOT NULL,
  failed       BIGINT NOT NULL,
  retried      BIGINT NOT NULL,
  answered     BIGINT NOT NULL,
  latency_us   BIGINT NOT NULL, -- sum over those answered
  status_code  BIGINT NOT NULL, -- of the newest attempt
  at           BIGINT NOT NULL, -- when the newest attempt began
  b0 BIGINT NOT NULL, b1 BIGINT NOT NULL, b2 BIGINT NOT NULL, b3 BIGINT NOT NULL,
  b4 BIGINT NOT NULL, b5 BIGINT NOT NULL, b6 BIGINT NOT NULL, b7 BIGINT NOT NULL,
  b8 BIGINT NOT NULL, b9 BIGINT NOT NULL, b10 BIGINT NOT NULL, b11 BIGINT NOT NULL,
  b12 BIGINT NOT NULL, b13 BIGINT NOT NULL, b14 BIGINT NOT NULL, b15 BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, webhook_id, step, starts_at)
);
CREATE INDEX rollups_age ON rollups (step, starts_at);

-- How a webhook's receiver has been doing since its last success; a healthy one has no row.
CREATE TABLE webhook_health (
  webhook_id        BYTEA PRIMARY KEY NOT NULL,
  workspace_id      BYTEA NOT NULL,
  failures          BIGINT NOT NULL, -- attempts that failed in a row
  failed_deliveries BIGINT NOT NULL, -- deliveries that were given up in a row
  failing_since     BIGINT NOT NULL,
  opens             BIGINT NOT NULL, -- how often the breaker has opened
  open_until        BIGINT           -- null while it is closed
);

-- Replays under way and ended. Their deliveries wait in state 3 and are due at created_at, by which they are known.
CREATE TABLE replays (
  id           BYTEA PRIMARY KEY NOT NULL,
  workspace_id BYTEA NOT NULL,
  webhook_id   BYTEA,             -- null: all of the workspace
  after_at     BIGINT,          -- when the deliveries were made
  before_at    BIGINT NOT NULL,
  status       TEXT NOT NULL,    -- of the deliveries; empty for all
  types        TEXT NOT NULL,    -- patterns, a JSON array
  state        TEXT NOT NULL,
  reason       TEXT NOT NULL,
  total        BIGINT NOT NULL,
  at_least     BIGINT NOT NULL, -- there may be more than total
  done         BIGINT NOT NULL,
  skipped      BIGINT NOT NULL,
  withdrawn    BIGINT NOT NULL,
  place        BYTEA NOT NULL,    -- the delivery that was looked at last
  created_by   BYTEA NOT NULL,    -- a key
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  ended_at     BIGINT,          -- null while there is work to do
  node         BYTEA NOT NULL,    -- which does it,
  lease_until  BIGINT NOT NULL  -- until then
);
CREATE INDEX replays_workspace ON replays (workspace_id, id);
CREATE INDEX replays_unfinished ON replays (updated_at) WHERE ended_at IS NULL;
CREATE INDEX replays_ended ON replays (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE idempotency (
  workspace_id BYTEA NOT NULL,
  key          TEXT NOT NULL,
  hash         BYTEA NOT NULL, -- SHA-256 of the request
  answer       BYTEA,          -- sealed; null while the call runs
  expires_at   BIGINT NOT NULL,
  PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);

-- Views for people: ids in hexadecimal, times as timestamps.
CREATE VIEW events_readable AS
  SELECT encode(id, 'hex') AS id, encode(workspace_id, 'hex') AS workspace_id, uid, type,
         to_timestamp(time / 1000000.0) AS time, actor, contact, campaign, convert_from(data, 'UTF8') AS data
  FROM events;
CREATE VIEW deliveries_readable AS
  SELECT encode(id, 'hex') AS id, encode(workspace_id, 'hex') AS workspace_id, encode(event_id, 'hex') AS event_id,
         encode(webhook_id, 'hex') AS webhook_id, event_type,
         CASE state WHEN 0 THEN 'leased' WHEN 1 THEN 'fresh' WHEN 2 THEN 'retry' WHEN 3 THEN 'replay' WHEN 4 THEN 'parked'
                    WHEN 10 THEN 'succeeded' WHEN 11 THEN 'failed' WHEN 12 THEN 'cancelled' END AS state,
         to_timestamp(due_at / 1000000.0) AS due_at, attempts, status_code, error_kind,
         to_timestamp(attempted_at / 1000000.0) AS attempted_at, order_key
  FROM deliveries;
