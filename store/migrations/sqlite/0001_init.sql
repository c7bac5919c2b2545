-- Ids are UUIDv7 (16 bytes, so they sort by time); times are microseconds since 1970 in UTC; 0 and 1 are booleans.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY NOT NULL,
  value BLOB NOT NULL
);

CREATE TABLE workspaces (
  id         BLOB PRIMARY KEY NOT NULL,
  name       TEXT NOT NULL,
  revision   INTEGER NOT NULL, -- grows whenever its webhooks or event types change
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
);

CREATE TABLE keys (
  id           BLOB PRIMARY KEY NOT NULL,
  workspace_id BLOB NOT NULL REFERENCES workspaces (id),
  name         TEXT NOT NULL,
  role         TEXT NOT NULL,
  hint         TEXT NOT NULL,
  digest       BLOB NOT NULL UNIQUE, -- SHA-256 of the key
  operator     INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER
);
CREATE INDEX keys_workspace ON keys (workspace_id, id);

CREATE TABLE event_types (
  workspace_id BLOB NOT NULL REFERENCES workspaces (id),
  name         TEXT NOT NULL,
  group_name   TEXT NOT NULL,
  title        TEXT NOT NULL,
  description  TEXT NOT NULL,
  schema       BLOB,
  sample       BLOB,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, name)
);

CREATE TABLE webhooks (
  id            BLOB PRIMARY KEY NOT NULL,
  workspace_id  BLOB NOT NULL REFERENCES workspaces (id),
  number        INTEGER NOT NULL, -- the revision of the workspace that it came with: never given twice
  uid           TEXT,
  dialect       TEXT NOT NULL, -- that of the settings, for lists
  status        TEXT NOT NULL,
  status_reason TEXT NOT NULL,
  status_at     INTEGER NOT NULL, -- since when it has the status
  settings      BLOB NOT NULL, -- JSON, without secret values
  auth          BLOB,          -- the secret values of auth, sealed
  key_shown     INTEGER NOT NULL, -- a vendor's API may show its signing key again
  version       INTEGER NOT NULL,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  deleted_at    INTEGER -- kept until its deliveries are gone
);
CREATE INDEX webhooks_workspace ON webhooks (workspace_id, id) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_stopped ON webhooks (workspace_id, id) WHERE status <> 'active' AND deleted_at IS NULL;
CREATE UNIQUE INDEX webhooks_uid ON webhooks (workspace_id, uid) WHERE deleted_at IS NULL AND uid IS NOT NULL;
CREATE UNIQUE INDEX webhooks_number ON webhooks (number, workspace_id);
CREATE INDEX webhooks_dialect ON webhooks (workspace_id, dialect, number) WHERE deleted_at IS NULL;
CREATE INDEX webhooks_deleted ON webhooks (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE webhook_secrets (
  id           BLOB PRIMARY KEY NOT NULL,
  workspace_id BLOB NOT NULL,
  webhook_id   BLOB NOT NULL REFERENCES webhooks (id),
  kind         TEXT NOT NULL,
  public_key   TEXT NOT NULL,
  sealed       BLOB NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER
);
CREATE INDEX webhook_secrets_webhook ON webhook_secrets (webhook_id, id);

CREATE TABLE events (
  id           BLOB NOT NULL,
  workspace_id BLOB NOT NULL,
  uid          TEXT,
  type         TEXT NOT NULL,
  time         INTEGER NOT NULL,
  actor        TEXT,
  ordering_key TEXT,
  contact      TEXT,
  campaign     TEXT,
  data         BLOB NOT NULL,
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX events_uid ON events (workspace_id, uid) WHERE uid IS NOT NULL;

CREATE TABLE event_keys (
  workspace_id BLOB NOT NULL,
  key          TEXT NOT NULL,
  event_id     BLOB NOT NULL,
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, key)
);
CREATE INDEX event_keys_created ON event_keys (created_at);

CREATE TABLE deliveries (
  id           BLOB NOT NULL,
  workspace_id BLOB NOT NULL,
  event_id     BLOB NOT NULL,
  webhook_id   BLOB NOT NULL,
  event_type   TEXT NOT NULL,
  state        INTEGER NOT NULL, -- DeliveryState; below 10 is the queue
  claim        INTEGER NOT NULL, -- grows with each lease
  due_at       INTEGER NOT NULL, -- when it is due; of a leased one, when the lease ends
  attempts     INTEGER NOT NULL,
  status_code  INTEGER NOT NULL, -- of the newest attempt
  error_kind   TEXT,             -- of the newest attempt
  attempted_at INTEGER,
  test         INTEGER NOT NULL,
  order_key    TEXT,             -- what it stays in order with, among those of its webhook; null for nothing
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX deliveries_queue ON deliveries (state, webhook_id, due_at) WHERE state < 10;
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, id);
CREATE INDEX deliveries_event ON deliveries (event_id);
-- The line of each order key: its head first, if it has one, and then what is parked (4), in the order of due_at.
CREATE INDEX deliveries_line ON deliveries (webhook_id, order_key, state, due_at) WHERE state < 10 AND order_key IS NOT NULL;
-- What waits or went wrong is rare and often looked for. A delivery that succeeds at once never enters these indexes.
CREATE INDEX deliveries_trouble ON deliveries (workspace_id, state, id) WHERE state <> 0 AND state <> 10;
CREATE INDEX deliveries_webhook_trouble ON deliveries (webhook_id, state, id) WHERE state <> 0 AND state <> 10;

CREATE TABLE attempts (
  delivery_id      BLOB NOT NULL,
  claim            INTEGER NOT NULL, -- a claim makes one attempt at most
  workspace_id     BLOB NOT NULL,
  at               INTEGER NOT NULL,
  status_code      INTEGER NOT NULL, -- 0 without an answer
  error_kind       TEXT,
  error_message    TEXT,
  dns_us           INTEGER NOT NULL,
  connect_us       INTEGER NOT NULL,
  tls_us           INTEGER NOT NULL,
  first_byte_us    INTEGER NOT NULL,
  total_us         INTEGER NOT NULL,
  request_line     TEXT NOT NULL, -- method and URL
  request_headers  TEXT NOT NULL, -- a "name: value" a line
  request_body     BLOB,          -- null: the standard body of the event
  response_headers TEXT,          -- null without an answer
  response_body    BLOB,
  truncated        INTEGER NOT NULL,
  notes            TEXT,          -- JSON: where the payload could not be made as it was meant; mostly null
  PRIMARY KEY (delivery_id, claim)
);

-- Where in the log events and deliveries with some value are: see logindex.go. It is written after the rows themselves, and what
-- meta says under log_index is how far.
CREATE TABLE log_segments (
  number   INTEGER PRIMARY KEY,
  first_id BLOB NOT NULL,
  last_id  BLOB NOT NULL
);

CREATE TABLE log_spans (
  place INTEGER PRIMARY KEY, -- 256 * number of the segment + bucket
  spans BLOB NOT NULL
);

-- The minutes that attempts add to, in the transactions that store them. A row of the webhook zero sums the whole workspace.
CREATE TABLE rollups_open (
  workspace_id BLOB NOT NULL,
  webhook_id   BLOB NOT NULL,
  minute       INTEGER NOT NULL, -- microseconds since 1970, whole minutes
  node         BLOB NOT NULL, -- writers do not wait for each other's rows
  attempts     INTEGER NOT NULL,
  succeeded    INTEGER NOT NULL,
  failed       INTEGER NOT NULL,
  retried      INTEGER NOT NULL,
  answered     INTEGER NOT NULL,
  latency_us   INTEGER NOT NULL, -- sum over those answered
  status_code  INTEGER NOT NULL, -- of the newest attempt
  at           INTEGER NOT NULL, -- when the newest attempt began
  b0 INTEGER NOT NULL, b1 INTEGER NOT NULL, b2 INTEGER NOT NULL, b3 INTEGER NOT NULL,
  b4 INTEGER NOT NULL, b5 INTEGER NOT NULL, b6 INTEGER NOT NULL, b7 INTEGER NOT NULL,
  b8 INTEGER NOT NULL, b9 INTEGER NOT NULL, b10 INTEGER NOT NULL, b11 INTEGER NOT NULL,
  b12 INTEGER NOT NULL, b13 INTEGER NOT NULL, b14 INTEGER NOT NULL, b15 INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, webhook_id, minute, node)
) WITHOUT ROWID;

-- What has been moved out of rollups_open: each row is part of its minute, its hour and its day here, and gone there.
CREATE TABLE rollups (
  workspace_id BLOB NOT NULL,
  webhook_id   BLOB NOT NULL,
  step         INTEGER NOT NULL, -- seconds: 60, 3600 or 86400
  starts_at    INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  succeeded    INTEGER NOT NULL,
  failed       INTEGER NOT NULL,
  retried      INTEGER NOT NULL,
  answered     INTEGER NOT NULL,
  latency_us   INTEGER NOT NULL, -- sum over those answered
  status_code  INTEGER NOT NULL, -- of the newest attempt
  at           INTEGER NOT NULL, -- when the newest attempt began
  b0 INTEGER NOT NULL, b1 INTEGER NOT NULL, b2 INTEGER NOT NULL, b3 INTEGER NOT NULL,
  b4 INTEGER NOT NULL, b5 INTEGER NOT NULL, b6 INTEGER NOT NULL, b7 INTEGER NOT NULL,
  b8 INTEGER NOT NULL, b9 INTEGER NOT NULL, b10 INTEGER NOT NULL, b11 INTEGER NOT NULL,
  b12 INTEGER NOT NULL, b13 INTEGER NOT NULL, b14 INTEGER NOT NULL, b15 INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, webhook_id, step, starts_at)
) WITHOUT ROWID;
CREATE INDEX rollups_age ON rollups (step, starts_at);

-- How a webhook's receiver has been doing since its last success; a healthy one has no row.
CREATE TABLE webhook_health (
  webhook_id        BLOB PRIMARY KEY NOT NULL,
  workspace_id      BLOB NOT NULL,
  failures          INTEGER NOT NULL, -- attempts that failed in a row
  failed_deliveries INTEGER NOT NULL, -- deliveries that were given up in a row
  failing_since     INTEGER NOT NULL,
  opens             INTEGER NOT NULL, -- how often the breaker has opened
  open_until        INTEGER           -- null while it is closed
);

-- Replays under way and ended. Their deliveries wait in state 3 and are due at created_at, by which they are known.
CREATE TABLE replays (
  id           BLOB PRIMARY KEY NOT NULL,
  workspace_id BLOB NOT NULL,
  webhook_id   BLOB,             -- null: all of the workspace
  after_at     INTEGER,          -- when the deliveries were made
  before_at    INTEGER NOT NULL,
  status       TEXT NOT NULL,    -- of the deliveries; empty for all
  types        TEXT NOT NULL,    -- patterns, a JSON array
  state        TEXT NOT NULL,
  reason       TEXT NOT NULL,
  total        INTEGER NOT NULL,
  at_least     INTEGER NOT NULL, -- there may be more than total
  done         INTEGER NOT NULL,
  skipped      INTEGER NOT NULL,
  withdrawn    INTEGER NOT NULL,
  place        BLOB NOT NULL,    -- the delivery that was looked at last
  created_by   BLOB NOT NULL,    -- a key
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  ended_at     INTEGER,          -- null while there is work to do
  node         BLOB NOT NULL,    -- which does it,
  lease_until  INTEGER NOT NULL  -- until then
);
CREATE INDEX replays_workspace ON replays (workspace_id, id);
CREATE INDEX replays_unfinished ON replays (updated_at) WHERE ended_at IS NULL;
CREATE INDEX replays_ended ON replays (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE idempotency (
  workspace_id BLOB NOT NULL,
  key          TEXT NOT NULL,
  hash         BLOB NOT NULL, -- SHA-256 of the request
  answer       BLOB,          -- sealed; null while the call runs
  expires_at   INTEGER NOT NULL,
  PRIMARY KEY (workspace_id, key)
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);

-- Views for people: ids in hexadecimal, times as text.
CREATE VIEW events_readable AS
  SELECT hex(id) AS id, hex(workspace_id) AS workspace_id, uid, type,
         strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000000.0, 'unixepoch') AS time, actor, contact, campaign, CAST(data AS TEXT) AS data
  FROM events;
CREATE VIEW deliveries_readable AS
  SELECT hex(id) AS id, hex(workspace_id) AS workspace_id, hex(event_id) AS event_id, hex(webhook_id) AS webhook_id, event_type,
         CASE state WHEN 0 THEN 'leased' WHEN 1 THEN 'fresh' WHEN 2 THEN 'retry' WHEN 3 THEN 'replay' WHEN 4 THEN 'parked'
                    WHEN 10 THEN 'succeeded' WHEN 11 THEN 'failed' WHEN 12 THEN 'cancelled' END AS state,
         strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000000.0, 'unixepoch') AS due_at, attempts, status_code, error_kind,
         strftime('%Y-%m-%dT%H:%M:%fZ', attempted_at / 1000000.0, 'unixepoch') AS attempted_at, order_key
  FROM deliveries;
