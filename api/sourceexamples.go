package api

// Examples of sources and requests, for the document. A test checks them against the schemas.
const (
	exampleSourceInput = `{
  "name": "Signup form", "event_type": "contact.created", "api_key": {}, "ip_allow": ["203.0.113.0/24"],
  "mapping": [{"from": "contact_email", "to": "email", "transform": ["trim", "lower"]},
    {"from": ["first", "last"], "to": "custom_field.full_name", "transform": [{"join": " "}], "when": "has(body.first)"}],
  "actions": [{"type": "add_subscriber", "lists": ["Newsletter"], "tags": ["vip"]}, {"type": "apply_tag", "tags": ["lead"], "when": "body.score > 10"}]
}`
	exampleSourceFields = `{
  "id": "src_01jd3v8x2mf4k8c0q9r7t5y1za", "uid": null, "name": "Signup form", "description": "", "kind": "generic", "event_type": "contact.created",
  "status": "active", "require_token": true, "signature": null, "basic_auth": null, "ip_allow": ["203.0.113.0/24"], "rate_limit": null, "dedupe": {"by": "auto"},
  "mapping": [{"from": "contact_email", "to": "email", "transform": ["trim", "lower"]},
    {"from": ["first", "last"], "to": "custom_field.full_name", "transform": [{"join": " "}], "when": "has(body.first)"}],
  "actions": [{"type": "add_subscriber", "lists": ["Newsletter"], "tags": ["vip"]}, {"type": "apply_tag", "tags": ["lead"], "when": "body.score > 10"}],
  "requests": {"total": 0, "failed": 0}, "created_at": "2026-01-31T09:00:00.000Z", "updated_at": "2026-01-31T09:00:00.000Z"`
	exampleSource = exampleSourceFields + `, "api_key": {"header": "X-API-Key", "key": "•••"},
  "url": "https://hooks.example.com/in/src_01jd3v8x2mf4k8c0q9r7t5y1za?token=***"}`
	exampleSourceCreated = exampleSourceFields + `, "api_key": {"header": "X-API-Key", "key": "n5b2q7wd4ktzr3xy6mhcvp2aeu"},
  "url": "https://hooks.example.com/in/src_01jd3v8x2mf4k8c0q9r7t5y1za?token=k7d2mq4zt5bw3nxr6ypvhc2aeu"}`
	exampleRequestFields = `{
  "id": "req_01jd3v8x2mf4k8c0q9r7t5y1zb", "source_id": "src_01jd3v8x2mf4k8c0q9r7t5y1za", "received_at": "2026-01-31T09:30:00.127Z", "status": "processed",
  "event_type": "contact.created", "sender": "203.0.113.7", "method": "POST", "path": "/in/src_01jd3v8x2mf4k8c0q9r7t5y1za?token=***", "records": 1, "attempts": 1,
  "next_attempt_at": null, "duration_ms": 3.4, "error": null,
  "actions": [{"event": 1, "action": 1, "type": "add_subscriber", "outcome": "done", "detail": "The contact was made.", "at": "2026-01-31T09:30:00.128Z", "duration_ms": 0.2,
    "contact_id": "con_01jd3v8x2mf4k8c0q9r7t5y1zc"}],
  "events": ["evt_01jd3v8x2mf4k8c0q9r7t5y1zd"], "contacts": ["con_01jd3v8x2mf4k8c0q9r7t5y1zc"], "resent_from": null,
  "answer": {"status_code": 200, "body": ` + exampleIntakeAnswer + `}`
	exampleRequest = exampleRequestFields + `,
  "headers": [{"name": "Content-Type", "value": "application/json"}], "body": "{\"contact_email\":\"ada@example.com\",\"first\":\"Ada\"}"
}`
	exampleIntakeAnswer = `{"success": true, "message": "Webhook processed", "processed_records": 1, "request_id": "req_01jd3v8x2mf4k8c0q9r7t5y1zb"}`
	exampleSourceTest   = `{
  "stored": false, "request": ` + exampleRequest + `,
  "items": [{"number": 1, "input": {"contact_email": "ada@example.com", "first": "Ada"}, "type": "contact.created", "name": "", "id": "", "time": null, "duplicate": false,
    "fields": {"email": "ada@example.com"}, "data": {"contact": {"email": "ada@example.com"}}, "contact": null,
    "actions": [{"event": 1, "action": 1, "type": "add_subscriber", "outcome": "done", "at": "2026-01-31T09:30:00.128Z", "duration_ms": 0.2}],
    "events": [{"type": "contact.created", "data": {"contact": {"email": "ada@example.com"}}}], "error": null, "warnings": []}],
  "error": null, "warnings": []
}`
	exampleSourceStats = `{
  "after": "2026-01-31T09:00:00.000Z", "before": "2026-01-31T10:00:00.000Z", "requests": 1290, "processed": 1281, "failed": 2, "retried": 6, "duplicates": 4, "refused": 3,
  "duration_ms": {"mean": 2.1, "p50": 1.8, "p95": 4.9, "p99": 12.5},
  "last_at": "2026-01-31T09:29:58.412Z",
  "series": [{"at": "2026-01-31T09:00:00.000Z", "requests": 1290, "processed": 1281, "failed": 2, "retried": 6, "duplicates": 4, "refused": 3}]
}`
)
