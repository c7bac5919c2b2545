-- The portal: webhooks belong to an operator's customer, who manages them by a signed link.

ALTER TABLE webhooks ADD COLUMN customer TEXT; -- a short name of the operator's; NULL for none
CREATE INDEX webhooks_customer ON webhooks (workspace_id, customer, id) WHERE deleted_at IS NULL AND customer IS NOT NULL;

ALTER TABLE workspaces ADD COLUMN portal BYTEA; -- its settings as JSON; NULL while there are none
