package api

// Examples of bodies and answers, for the document. A test checks them against the schemas.
const (
	examplePublish = `{
  "type": "email.opened",
  "id": "order-48213-opened",
  "data": {"contact": {"email": "renee@example.com"}, "campaign": {"id": 790, "name": "February newsletter"}}
}`
	examplePublished = `{
  "id": "order-48213-opened", "type": "email.opened", "time": "2026-01-31T09:30:00.000Z",
  "duplicate": false, "webhooks": ["whk_01jd3v8x2mf4k8c0q9r7t5y1za"]
}`
	examplePublishedMany = `{"data": [
  {"id": "order-48213-opened", "type": "email.opened", "time": "2026-01-31T09:30:00.000Z", "duplicate": false, "webhooks": ["whk_01jd3v8x2mf4k8c0q9r7t5y1za"]},
  {"error": {"type": "/docs/errors#unknown_event_type", "title": "Unknown event type", "status": 422, "detail": "The input was refused.",
    "code": "unknown_event_type", "errors": [{"pointer": "/type", "detail": "is not an event type"}]}}
]}`
	exampleCloudEvent = `{
  "specversion": "1.0", "id": "order-48213-opened", "source": "/shop/checkout", "type": "email.opened",
  "time": "2026-01-31T09:30:00Z", "data": {"contact": {"email": "renee@example.com"}}
}`
	exampleEvent = `{
  "id": "order-48213-opened", "type": "email.opened", "time": "2026-01-31T09:30:00.000Z", "published_at": "2026-01-31T09:30:00.127Z",
  "data": {"contact": {"email": "renee@example.com"}, "campaign": {"id": 790, "name": "February newsletter"}},
  "deliveries": [` + exampleDeliveryFields + `}]
}`
	exampleDeliveryFields = `{
  "id": "dlv_01jd3v8x2mf4k8c0q9r7t5y1zb", "event_id": "order-48213-opened", "event_type": "email.opened",
  "webhook_id": "whk_01jd3v8x2mf4k8c0q9r7t5y1za", "status": "succeeded", "attempt_count": 1, "next_attempt_at": null,
  "last_status_code": 200, "last_attempt_at": "2026-01-31T09:30:00.131Z", "created_at": "2026-01-31T09:30:00.127Z"`
	exampleAttemptFields = `"number": 1, "at": "2026-01-31T09:30:00.131Z", "status_code": 200, "duration_ms": 41.7,
    "phases_ms": {"dns": 1.9, "connect": 8.2, "tls": 17.4, "first_byte": 13.8, "total": 41.7},
    "request": {"method": "POST", "url": "https://example.com/hooks",
      "headers": [{"name": "content-type", "value": "application/json"}, {"name": "webhook-id", "value": "order-48213-opened"}],
      "body": "{\"type\":\"email.opened\",\"timestamp\":\"2026-01-31T09:30:00.000Z\",\"data\":{}}"},
    "response": {"status_code": 200, "headers": [{"name": "content-type", "value": "text/plain"}], "body": "ok", "truncated": false},
    "error": null`
	exampleDelivery = exampleDeliveryFields + `,
  "attempts": [{` + exampleAttemptFields + `}]
}`
	exampleTest = `{"delivery_id": "dlv_01jd3v8x2mf4k8c0q9r7t5y1zb", ` + exampleAttemptFields + `}`

	examplePreview = `{
  "event": {"id": "evt_01jd3v8x2mf4k8c0q9r7t5y1zf", "type": "email.opened", "time": "2026-01-31T09:30:00.000Z"},
  "request": {"method": "POST", "url": "https://example.com/hooks",
    "headers": [{"name": "Content-Type", "value": "application/json"}, {"name": "Webhook-Id", "value": "evt_01jd3v8x2mf4k8c0q9r7t5y1zf"}],
    "body": "{\"event\":\"email.opened\",\"email\":\"zoe.lindstrom@example.com\"}"},
  "notes": []
}`

	exampleWebhookInput = `{
  "name": "CRM sync", "url": "https://example.com/hooks", "events": ["email.*", "contact.updated"],
  "headers": {"x-tenant": "production"}, "auth": {"type": "bearer", "token": "t0p-s3cret"}
}`
	exampleWebhookFields = `{
  "id": "whk_01jd3v8x2mf4k8c0q9r7t5y1za", "uid": null, "customer": "", "name": "CRM sync", "description": "", "url": "https://example.com/hooks",
  "events": ["email.*", "contact.updated"], "filter": "", "dialect": "standard", "method": "POST",
  "headers": {"x-tenant": "production"}, "auth": {"type": "bearer", "token": "•••"}, "payload": null,
  "retry": {"schedule": ["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "24h"], "jitter": 0.1},
  "timeout": "15s", "rate_limit": null, "concurrency": 8, "ordering": "none", "expect_json": false,
  "disable_after": {"failures": 0, "for": "120h"}, "status": "active", "status_reason": "", "secrets": 1,
  "health": {"failing_since": null, "failures": 0, "failed_deliveries": 0, "open_until": null, "last_status": 200, "last_at": "2026-01-31T09:29:58.412Z"},
  "created_at": "2026-01-31T09:00:00.000Z", "updated_at": "2026-01-31T09:00:00.000Z"`
	exampleWebhook        = exampleWebhookFields + "\n}"
	exampleWebhookCreated = exampleWebhookFields + `, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"` + "\n}"
	exampleSecretCreated  = `{
  "id": "sec_01jd3v8x2mf4k8c0q9r7t5y1zc", "kind": "hmac", "created_at": "2026-01-31T09:00:00.000Z", "expires_at": null,
  "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
}`
	exampleEventType = `{
  "name": "order.paid", "group": "shop", "title": "Order paid", "description": "A customer paid for an order.",
  "schema": {"type": "object", "required": ["order"], "properties": {"order": {"type": "object"}}},
  "sample": {"order": {"id": 48213, "total": "79.90"}}
}`
	exampleStats = `{
  "after": "2026-01-30T09:00:00.000Z", "before": "2026-01-31T10:00:00.000Z", "attempts": 1290, "succeeded": 1284, "failed": 0, "retried": 6,
  "success_rate": 0.9953,
  "latency_ms": {"mean": 48.1, "p50": 41.0, "p95": 96.5, "p99": 210.3}, "last_status": 200, "last_at": "2026-01-31T09:29:58.412Z",
  "waiting": 0, "waiting_more": false, "waiting_since": null,
  "series": [{"at": "2026-01-31T09:00:00.000Z", "attempts": 57, "succeeded": 57, "failed": 0, "retried": 0,
    "latency_ms": {"mean": 44.9, "p50": 38.2, "p95": 91.0, "p99": 187.5}}]
}`
	exampleReplayInput = `{
  "after": "2026-01-31T09:00:00.000Z", "before": "2026-01-31T10:00:00.000Z", "status": "failed", "types": ["email.*"]
}`
	exampleReplay = `{
  "id": "rpl_01jd3v8x2mf4k8c0q9r7t5y1zf", "webhook_id": "whk_01jd3v8x2mf4k8c0q9r7t5y1za", "after": "2026-01-31T09:00:00.000Z",
  "before": "2026-01-31T10:00:00.000Z", "status": "failed", "types": ["email.*"], "state": "running", "total": 48120, "at_least": false,
  "done": 2000, "skipped": 0, "withdrawn": 0, "created_by": "key_01jd3v8x2mf4k8c0q9r7t5y1zd", "created_at": "2026-01-31T10:02:11.310Z",
  "updated_at": "2026-01-31T10:02:11.502Z", "ended_at": null
}`
	exampleKeyCreated = `{
  "id": "key_01jd3v8x2mf4k8c0q9r7t5y1zd", "workspace_id": "wsp_01jd3v8x2mf4k8c0q9r7t5y1ze", "name": "Shop backend", "role": "publisher",
  "hint": "prk_7Qm2", "created_at": "2026-01-31T09:00:00.000Z", "expires_at": null, "operator": false,
  "key": "prk_7Qm2ZtR4xW8vK1nB5cD9fG3hJ6lP0sYa"
}`
	examplePortal = `{
  "name": "Acme", "accent": "#0b7285", "background": "", "frame_origins": ["https://app.example.com"], "dialect": "standard", "events": ["order.*"],
  "filter": "event.data.account == {customer}", "links_since": null
}`
	examplePortalLink   = `{"url": "https://hooks.example.com/portal/AbMfQzR8…", "expires_at": "2026-01-31T10:00:00.000Z"}`
	exampleMemberLinked = `{
  "id": "mem_01jd3v8x2mf4k8c0q9r7t5y1zh", "workspace_id": "wsp_01jd3v8x2mf4k8c0q9r7t5y1ze", "email": "ada@example.com", "name": "Ada Lovelace", "phone": "",
  "role": "publisher", "may_trigger": ["*"], "status": "invited", "created_at": "2026-01-31T09:00:00.000Z", "updated_at": "2026-01-31T09:00:00.000Z",
  "link": "https://hooks.example.com/sign-in/yWxNqvTnE3Q0bLhZ9cSgk2dYp7RfUaJm1VoXtI5wKe8", "link_expires_at": "2026-02-03T09:00:00.000Z"
}`
	exampleWorkspaceCreated = `{
  "id": "wsp_01jd3v8x2mf4k8c0q9r7t5y1ze", "name": "Acme", "created_at": "2026-01-31T09:00:00.000Z", "updated_at": "2026-01-31T09:00:00.000Z",
  "admin_key": {"id": "key_01jd3v8x2mf4k8c0q9r7t5y1zd", "workspace_id": "wsp_01jd3v8x2mf4k8c0q9r7t5y1ze", "name": "admin", "role": "admin",
    "hint": "prk_7Qm2", "created_at": "2026-01-31T09:00:00.000Z", "expires_at": null, "operator": false, "key": "prk_7Qm2ZtR4xW8vK1nB5cD9fG3hJ6lP0sYa"}
}`
)
