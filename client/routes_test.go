package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

const (
	whkID = "whk_01jd3v8x2mf4k8c0q9r7t5y1za"
	evtID = "evt_01jd3v8x2mf4k8c0q9r7t5y1za"
	dlvID = "dlv_01jd3v8x2mf4k8c0q9r7t5y1za"
	keyID = "key_01jd3v8x2mf4k8c0q9r7t5y1za"
	rplID = "rpl_01jd3v8x2mf4k8c0q9r7t5y1za"
	wspID = "wsp_01jd3v8x2mf4k8c0q9r7t5y1za"
	memID = "mem_01jd3v8x2mf4k8c0q9r7t5y1za"
	secID = "sec_01jd3v8x2mf4k8c0q9r7t5y1za"

	webhookJSON  = `{"id":"` + whkID + `","uid":"crm","name":"CRM sync","url":"https://example.com/hooks","events":["email.*"],"retry":{"schedule":["5s","5m"],"jitter":0.1},"timeout":"15s","rate_limit":{"limit":100,"period":"1s"},"status":"active","secrets":1,"created_at":"2026-01-31T09:30:00.000Z","updated_at":"2026-01-31T09:30:00.000Z"}`
	deliveryJSON = `{"id":"` + dlvID + `","event_id":"order-17","event_type":"order.paid","webhook_id":"` + whkID + `","status":"failed","attempt_count":2,"next_attempt_at":null,"last_status_code":500,"last_error_kind":"status","last_attempt_at":"2026-01-31T09:30:05.000Z","created_at":"2026-01-31T09:30:00.000Z"}`
	replayJSON   = `{"id":"` + rplID + `","webhook_id":null,"after":null,"before":"2026-01-31T09:30:00.000Z","types":[],"state":"running","total":128,"at_least":false,"done":100,"skipped":1,"withdrawn":0,"waiting":7,"created_by":"` + keyID + `","created_at":"2026-01-31T09:30:00.000Z","updated_at":"2026-01-31T09:30:00.000Z","ended_at":null}`
	eventJSON    = `{"id":"order-17","type":"order.paid","time":"2026-01-31T09:30:00.000Z","published_at":"2026-01-31T09:30:00.000Z","data":{"big":12345678901234567890}}`
	attemptJSON  = `"number":1,"at":"2026-01-31T09:30:00.000Z","status_code":200,"duration_ms":234,"phases_ms":{"total":234},"request":{"method":"POST","url":"https://example.com/hooks","headers":[],"body":"{}"},"response":{"status_code":200,"headers":[],"body":"OK","truncated":false},"error":null`
	keyJSON      = `{"id":"` + keyID + `","workspace_id":"` + wspID + `","name":"Shop","role":"publisher","hint":"prk_abcd","created_at":"2026-01-31T09:30:00.000Z","expires_at":null,"operator":false,"key":"prk_secret"}`
	memberJSON   = `{"id":"` + memID + `","workspace_id":"` + wspID + `","email":"ada@example.com","name":"Ada","phone":"","role":"viewer","may_trigger":["*"],"status":"invited","created_at":"2026-01-31T09:30:00.000Z","updated_at":"2026-01-31T09:30:00.000Z","link":"https://example.com/sign-in/x","link_expires_at":"2026-02-03T09:30:00.000Z"}`
	workspJSON   = `{"id":"` + wspID + `","name":"Acme","created_at":"2026-01-31T09:30:00.000Z","updated_at":"2026-01-31T09:30:00.000Z","admin_key":` + keyJSON + `}`
)

var (
	morning = time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	noon    = time.Date(2026, 1, 31, 13, 0, 0, 0, time.FixedZone("", 3600))
)

// route is a method of the client: what it asks, and what it makes of the answer. got gives what is worth comparing.
type route struct {
	name   string
	answer string
	got    func(context.Context, *client.Client) (any, error)
	asks   string // the line, and the body if there is one
	want   any
}

func webhookRoutes() []route {
	return []route{
		{"CreateWebhook", `{"secret":"whsec_x",` + webhookJSON[1:], func(ctx context.Context, c *client.Client) (any, error) {
			jitter, failures := 0.0, 5
			w, err := c.CreateWebhook(ctx, client.WebhookInput{
				URL: "https://example.com/hooks?a=1&b=<2>", Events: []string{"email.*"}, Name: "CRM sync",
				Auth:         &postroom.Auth{Type: postroom.AuthBearer, Token: "t"},
				Retry:        &client.RetryInput{Schedule: []postroom.Duration{}, Jitter: &jitter},
				DisableAfter: &client.DisableInput{Failures: &failures},
				Timeout:      postroom.Duration(5 * time.Second), Status: postroom.WebhookPaused,
			})
			return []any{w.ID.String(), w.Secret, *w.UID, w.Secrets, w.Version}, err
		}, `POST /v1/webhooks {"name":"CRM sync","url":"https://example.com/hooks?a=1&b=<2>","events":["email.*"],"auth":{"type":"bearer","token":"t"},"retry":{"schedule":[],"jitter":0},"timeout":"5s","disable_after":{"failures":5},"status":"paused"}`,
			[]any{whkID, "whsec_x", "crm", 1, int64(7)}},
		{"Webhook", webhookJSON, func(ctx context.Context, c *client.Client) (any, error) {
			w, err := c.Webhook(ctx, "crm/sync #1")
			return []any{w.Name, w.Timeout.String(), w.Version}, err
		}, "GET /v1/webhooks/crm%2Fsync%20%231", []any{"CRM sync", "15s", int64(7)}},
		{"UpdateWebhook", webhookJSON, func(ctx context.Context, c *client.Client) (any, error) {
			w, err := c.UpdateWebhook(ctx, "crm", 0, map[string]any{"rate_limit": nil, "name": "New"})
			return w.Version, err
		}, `PATCH /v1/webhooks/crm {"name":"New","rate_limit":null}`, int64(7)},
		{"DeleteWebhook", "", func(ctx context.Context, c *client.Client) (any, error) {
			return nil, c.DeleteWebhook(ctx, whkID)
		}, "DELETE /v1/webhooks/" + whkID, nil},
		{"PreviewWebhook", `{"event":{"id":"order-17"},"request":{"method":"POST","body":"{}"},"notes":[{"pointer":"/payload/template/a","detail":"x"}]}`, func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.PreviewWebhook(ctx, "crm", client.PreviewInput{Type: "email.opened", Payload: &postroom.Payload{Template: json.RawMessage(`{"a":"{data}"}`)}})
			return []any{p.Event.ID, p.Request.Body, p.Notes[0].Pointer}, err
		}, `POST /v1/webhooks/crm/preview {"type":"email.opened","payload":{"template":{"a":"{data}"}}}`, []any{"order-17", "{}", "/payload/template/a"}},
		{"PreviewSettings", `{"event":{"id":"order-17"},"request":{"method":"POST","body":"{}"},"notes":[]}`, func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.PreviewSettings(ctx, client.WebhookInput{Events: []string{"email.*"}}, client.PreviewInput{Event: "order-17", Payload: &postroom.Payload{Fields: []string{"type"}}})
			return []any{p.Event.ID, len(p.Notes)}, err
		}, `POST /v1/webhooks/preview {"events":["email.*"],"payload":{"fields":["type"]},"event":"order-17"}`, []any{"order-17", 0}},
		{"TestWebhook", `{"delivery_id":"` + dlvID + `",` + attemptJSON + `}`, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.TestWebhook(ctx, "crm", client.TestInput{Type: "email.opened", Data: json.RawMessage(`{"a":"<b>"}`)})
			return []any{r.DeliveryID.String(), r.StatusCode, r.DurationMs, r.Response.Body, r.Error == nil}, err
		}, `POST /v1/webhooks/crm/test {"type":"email.opened","data":{"a":"<b>"}}`, []any{dlvID, 200, 234.0, "OK", true}},
		{"PauseWebhook", webhookJSON, func(ctx context.Context, c *client.Client) (any, error) {
			w, err := c.PauseWebhook(ctx, "crm", "moving")
			return w.Name, err
		}, `POST /v1/webhooks/crm/pause {"reason":"moving"}`, "CRM sync"},
		{"ResumeWebhook", `{"held":12,` + webhookJSON[1:], func(ctx context.Context, c *client.Client) (any, error) {
			w, err := c.ResumeWebhook(ctx, "crm", client.Discard)
			return []any{w.Name, w.Held}, err
		}, `POST /v1/webhooks/crm/resume {"held":"discard"}`, []any{"CRM sync", int64(12)}},
		{"HeldDeliveries", `{"held":12,"held_since":"2026-01-31T09:30:00.000Z",` + webhookJSON[1:], func(ctx context.Context, c *client.Client) (any, error) {
			h, err := c.HeldDeliveries(ctx, "crm")
			return []any{h.Name, h.Held, h.Since.String()}, err
		}, `POST /v1/webhooks/crm/resume {"dry_run":true}`, []any{"CRM sync", int64(12), "2026-01-31T09:30:00.000Z"}},
		{"WebhookSecrets", `{"data":[{"id":"` + secID + `","kind":"hmac","created_at":"2026-01-31T09:30:00.000Z","expires_at":null}],"next_cursor":null,"prev_cursor":null}`,
			func(ctx context.Context, c *client.Client) (any, error) {
				list, err := c.WebhookSecrets(ctx, "crm")
				return fmt.Sprintf("%d %s %s", len(list), list[0].ID, list[0].Kind), err
			}, "GET /v1/webhooks/crm/secrets", "1 " + secID + " hmac"},
		{"RotateSecret", `{"id":"` + secID + `","kind":"ed25519","public_key":"whpk_y","created_at":"2026-01-31T09:30:00.000Z","expires_at":null,"secret":"whsk_x"}`,
			func(ctx context.Context, c *client.Client) (any, error) {
				overlap := postroom.Duration(0)
				s, err := c.RotateSecret(ctx, "crm", client.RotateInput{Kind: postroom.SecretEd25519, Overlap: &overlap})
				return []any{s.Value, s.PublicKey}, err
			}, `POST /v1/webhooks/crm/secrets {"kind":"ed25519","overlap":"0s"}`, []any{"whsk_x", "whpk_y"}},
		{"WebhookStats", `{"attempts":3,"latency_ms":{"p99":12.5},"series":[{"at":"2026-01-31T09:00:00.000Z","attempts":3}]}`,
			func(ctx context.Context, c *client.Client) (any, error) {
				s, err := c.WebhookStats(ctx, "crm", client.StatsQuery{After: morning, By: "hour"})
				return []any{s.Attempts, s.LatencyMs.P99, len(s.Series)}, err
			}, "GET /v1/webhooks/crm/stats?after=2026-01-31T09%3A00%3A00.000Z&by=hour", []any{int64(3), 12.5, 1}},
		{"Stats", `{"attempts":3}`, func(ctx context.Context, c *client.Client) (any, error) {
			s, err := c.Stats(ctx, client.StatsQuery{})
			return s.Attempts, err
		}, "GET /v1/stats", int64(3)},
	}
}

func eventRoutes() []route {
	return []route{
		{"Publish", `{"id":"order-17","type":"order.paid","time":"2026-01-31T09:30:00.000Z","duplicate":true,"webhooks":["` + whkID + `"]}`,
			func(ctx context.Context, c *client.Client) (any, error) {
				p, err := c.Publish(ctx, client.NewEvent{Type: "order.paid", ID: "order-17", Time: noon, Actor: "shop", OrderingKey: "17", Data: map[string]string{"html": "<b>&</b>"}})
				return []any{p.ID, p.Duplicate, p.Webhooks[0].String()}, err
			}, `POST /v1/events {"type":"order.paid","id":"order-17","time":"2026-01-31T13:00:00+01:00","actor":"shop","ordering_key":"17","data":{"html":"<b>&</b>"}}`,
			[]any{"order-17", true, whkID}},
		{"Publish without data", `{"id":"` + evtID + `"}`, func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.Publish(ctx, client.NewEvent{Type: "order.paid"})
			return p.ID, err
		}, `POST /v1/events {"type":"order.paid","data":{}}`, evtID},
		{"EventPage", `{"data":[` + eventJSON + `],"next_cursor":"abc","prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.EventPage(ctx, postroom.EventFilter{Type: "order.*", After: morning, Before: noon, Contact: "a@example.com", Campaign: "790", Text: "x y"},
				postroom.PageQuery{Limit: 1, Cursor: "xyz"})
			return []any{p.Data[0].ID, string(p.Data[0].Data), *p.NextCursor}, err
		}, "GET /v1/events?after=2026-01-31T09%3A00%3A00.000Z&before=2026-01-31T12%3A00%3A00.000Z&campaign=790&contact=a%40example.com&cursor=xyz&limit=1&q=x+y&type=order.%2A",
			[]any{"order-17", `{"big":12345678901234567890}`, "abc"}},
		{"Event", `{"deliveries":[` + deliveryJSON + `],` + eventJSON[1:], func(ctx context.Context, c *client.Client) (any, error) {
			e, err := c.Event(ctx, "order-17")
			return e.Deliveries[0].ID.String(), err
		}, "GET /v1/events/order-17", dlvID},
		{"ReplayEvent", `{"data":[` + deliveryJSON + `]}`, func(ctx context.Context, c *client.Client) (any, error) {
			d, err := c.ReplayEvent(ctx, "order-17", "crm")
			return len(d), err
		}, `POST /v1/events/order-17/replay {"webhooks":["crm"]}`, 1},
		{"ReplayEvent to all", `{"data":[]}`, func(ctx context.Context, c *client.Client) (any, error) {
			d, err := c.ReplayEvent(ctx, "order-17")
			return len(d), err
		}, `POST /v1/events/order-17/replay {}`, 0},
		{"PreviewEventReplay", `{"data":[],"webhooks":["` + whkID + `"]}`, func(ctx context.Context, c *client.Client) (any, error) {
			w, err := c.PreviewEventReplay(ctx, "order-17", "crm")
			return len(w), err
		}, `POST /v1/events/order-17/replay {"webhooks":["crm"],"dry_run":true}`, 1},
		{"Dialects", `{"data":[{"name":"standard","others":true}],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			all, err := c.Dialects(ctx)
			return []any{len(all), all[0].Name, all[0].Others}, err
		}, "GET /v1/dialects", []any{1, "standard", true}},
		{"Dialect", `{"name":"cakemail","samples":[{"type":"email.opened","request":{"body":"{}"}}]}`, func(ctx context.Context, c *client.Client) (any, error) {
			d, err := c.Dialect(ctx, "cakemail")
			return []any{d.Name, d.Samples[0].Request.Body}, err
		}, "GET /v1/dialects/cakemail", []any{"cakemail", "{}"}},
		{"EventTypes", `{"data":[{"name":"email.opened","group":"email","custom":false}],"next_cursor":null,"prev_cursor":null}`,
			func(ctx context.Context, c *client.Client) (any, error) {
				types, err := c.EventTypes(ctx)
				return types[0].Name, err
			}, "GET /v1/event-types", "email.opened"},
		{"EventType", `{"name":"order.paid","schema":{"type":"object"}}`, func(ctx context.Context, c *client.Client) (any, error) {
			et, err := c.EventType(ctx, "order.paid")
			return string(et.Schema), err
		}, "GET /v1/event-types/order.paid", `{"type":"object"}`},
		{"CreateEventType", `{"name":"order.paid","custom":true}`, func(ctx context.Context, c *client.Client) (any, error) {
			et, err := c.CreateEventType(ctx, client.EventTypeInput{Name: "order.paid", Sample: json.RawMessage(`{"id":1}`)})
			return et.Custom, err
		}, `POST /v1/event-types {"name":"order.paid","sample":{"id":1}}`, true},
		{"UpdateEventType", `{"name":"order.paid","title":"T"}`, func(ctx context.Context, c *client.Client) (any, error) {
			et, err := c.UpdateEventType(ctx, "order.paid", client.EventTypeInput{Title: "T"})
			return et.Title, err
		}, `PATCH /v1/event-types/order.paid {"title":"T"}`, "T"},
		{"DeleteEventType", "", func(ctx context.Context, c *client.Client) (any, error) {
			return nil, c.DeleteEventType(ctx, "order.paid")
		}, "DELETE /v1/event-types/order.paid", nil},
		{"EventTypeSample", `{"type":"order.paid","data":{}}`, func(ctx context.Context, c *client.Client) (any, error) {
			s, err := c.EventTypeSample(ctx, "order.paid")
			return string(s), err
		}, "GET /v1/event-types/order.paid/sample", `{"type":"order.paid","data":{}}`},
	}
}

func otherRoutes() []route {
	return []route{
		{"DeliveryPage", `{"data":[` + deliveryJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.DeliveryPage(ctx, client.DeliveryFilter{Webhook: "crm", Event: "order-17", Type: "order.paid", Status: postroom.DeliveryFailed, StatusCode: 500, Before: noon}, postroom.PageQuery{})
			return []any{p.Data[0].Status, p.Data[0].LastStatusCode}, err
		}, "GET /v1/deliveries?before=2026-01-31T12%3A00%3A00.000Z&event=order-17&status=failed&status_code=500&type=order.paid&webhook=crm", []any{postroom.DeliveryFailed, 500}},
		{"WebhookDeliveries", `{"data":[` + deliveryJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			ids, err := idsOf(c.WebhookDeliveries(ctx, "crm", client.DeliveryFilter{Webhook: "other", Status: postroom.DeliveryFailed}))
			return ids, err
		}, "GET /v1/webhooks/crm/deliveries?limit=250&status=failed", dlvID},
		{"Delivery", `{"attempts":[{` + attemptJSON + `}],` + deliveryJSON[1:], func(ctx context.Context, c *client.Client) (any, error) {
			d, err := c.Delivery(ctx, dlvID)
			return d.Attempts[0].Response.Body, err
		}, "GET /v1/deliveries/" + dlvID, "OK"},
		{"RetryDelivery", deliveryJSON, func(ctx context.Context, c *client.Client) (any, error) {
			d, err := c.RetryDelivery(ctx, dlvID)
			return d.ID.String(), err
		}, "POST /v1/deliveries/" + dlvID + "/retry", dlvID},
		{"ExportDeliveries", "id,status\r\nx,failed\r\n", func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.ExportDeliveries(ctx, client.DeliveryFilter{Status: postroom.DeliveryFailed}, client.ExportCSV)
			if err != nil {
				return nil, err
			}
			defer func() { _ = r.Close() }()
			text, err := io.ReadAll(r)
			return string(text), err
		}, "GET /v1/deliveries/export?format=csv&status=failed", "id,status\r\nx,failed\r\n"},
		{"ExportAttempts", "{}\n", func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.ExportAttempts(ctx, client.DeliveryFilter{Webhook: "crm"}, client.ExportNDJSON)
			if err != nil {
				return nil, err
			}
			defer func() { _ = r.Close() }()
			text, err := io.ReadAll(r)
			return string(text), err
		}, "GET /v1/attempts/export?format=ndjson&webhook=crm", "{}\n"},
		{"CreateReplay of a webhook", replayJSON, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.CreateReplay(ctx, client.ReplayInput{Webhook: "crm", After: morning, Before: noon, Status: postroom.DeliveryFailed, Types: []string{"order.*"}})
			return []any{r.ID.String(), r.Total, r.State}, err
		}, `POST /v1/webhooks/crm/replay {"after":"2026-01-31T09:00:00.000Z","before":"2026-01-31T12:00:00.000Z","status":"failed","types":["order.*"]}`,
			[]any{rplID, int64(128), postroom.ReplayRunning}},
		{"CreateReplay of all", replayJSON, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.CreateReplay(ctx, client.ReplayInput{Status: postroom.DeliveryFailed})
			return r.Done, err
		}, `POST /v1/replays {"status":"failed"}`, int64(100)},
		{"PreviewReplay", `{"id":null,"total":128,"at_least":true,"by_status":{"failed":128},"by_type":{"order.paid":128}}`, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.PreviewReplay(ctx, client.ReplayInput{})
			return []any{r.Total, r.AtLeast, r.ByStatus[postroom.DeliveryFailed], r.ByType["order.paid"], r.ID == nil}, err
		}, `POST /v1/replays {"dry_run":true}`, []any{int64(128), true, int64(128), int64(128), true}},
		{"ReplayPage", `{"data":[` + replayJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			p, err := c.ReplayPage(ctx, postroom.PageQuery{Limit: 1})
			return len(p.Data), err
		}, "GET /v1/replays?limit=1", 1},
		{"Replay", replayJSON, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.Replay(ctx, rplID)
			return *r.Waiting, err
		}, "GET /v1/replays/" + rplID, int64(7)},
		{"CancelReplay", replayJSON, func(ctx context.Context, c *client.Client) (any, error) {
			r, err := c.CancelReplay(ctx, rplID)
			return r.State, err
		}, "POST /v1/replays/" + rplID + "/cancel", postroom.ReplayRunning},
		{"CreateKey", keyJSON, func(ctx context.Context, c *client.Client) (any, error) {
			k, err := c.CreateKey(ctx, client.KeyInput{Name: "Shop", Role: postroom.RolePublisher, Expires: noon})
			return []any{k.Value, k.Role}, err
		}, `POST /v1/keys {"name":"Shop","role":"publisher","expires_at":"2026-01-31T12:00:00.000Z"}`, []any{"prk_secret", postroom.RolePublisher}},
		{"Keys", `{"data":[` + keyJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			list, err := c.Keys(ctx)
			return list[0].Hint, err
		}, "GET /v1/keys", "prk_abcd"},
		{"Key", keyJSON, func(ctx context.Context, c *client.Client) (any, error) {
			k, err := c.Key(ctx, keyID)
			return k.Name, err
		}, "GET /v1/keys/" + keyID, "Shop"},
		{"DeleteKey", "", func(ctx context.Context, c *client.Client) (any, error) {
			return nil, c.DeleteKey(ctx, keyID)
		}, "DELETE /v1/keys/" + keyID, nil},
		{"InviteMember", memberJSON, func(ctx context.Context, c *client.Client) (any, error) {
			m, err := c.InviteMember(ctx, client.MemberInput{Email: "ada@example.com", Role: postroom.RoleViewer})
			return []any{m.Link, m.Email}, err
		}, `POST /v1/members {"email":"ada@example.com","role":"viewer"}`, []any{"https://example.com/sign-in/x", "ada@example.com"}},
		{"WorkspaceMembers", `{"data":[` + memberJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			list, err := c.WorkspaceMembers(ctx)
			return list[0].Name, err
		}, "GET /v1/members", "Ada"},
		{"Member", memberJSON, func(ctx context.Context, c *client.Client) (any, error) {
			m, err := c.Member(ctx, "ada@example.com")
			return m.ID.String(), err
		}, "GET /v1/members/ada@example.com", memID},
		{"UpdateMember", memberJSON, func(ctx context.Context, c *client.Client) (any, error) {
			role := postroom.RoleViewer
			m, err := c.UpdateMember(ctx, memID, client.MemberPatch{Role: &role})
			return m.Role, err
		}, "PATCH /v1/members/" + memID + ` {"role":"viewer"}`, postroom.RoleViewer},
		{"DeleteMember", "", func(ctx context.Context, c *client.Client) (any, error) {
			return nil, c.DeleteMember(ctx, memID)
		}, "DELETE /v1/members/" + memID, nil},
		{"LinkMember", memberJSON, func(ctx context.Context, c *client.Client) (any, error) {
			m, err := c.LinkMember(ctx, memID)
			return m.Link, err
		}, "POST /v1/members/" + memID + "/link {}", "https://example.com/sign-in/x"},
		{"CreateWorkspace", workspJSON, func(ctx context.Context, c *client.Client) (any, error) {
			w, err := c.CreateWorkspace(ctx, "Acme")
			return []any{w.ID.String(), w.AdminKey.Value}, err
		}, `POST /v1/workspaces {"name":"Acme"}`, []any{wspID, "prk_secret"}},
		{"Workspaces", `{"data":[` + workspJSON + `],"next_cursor":null,"prev_cursor":null}`, func(ctx context.Context, c *client.Client) (any, error) {
			list, err := c.Workspaces(ctx)
			return list[0].Name, err
		}, "GET /v1/workspaces", "Acme"},
		{"Workspace", workspJSON, func(ctx context.Context, c *client.Client) (any, error) {
			w, err := c.Workspace(ctx, wspID)
			return w.Name, err
		}, "GET /v1/workspaces/" + wspID, "Acme"},
		{"UpdateWorkspace", workspJSON, func(ctx context.Context, c *client.Client) (any, error) {
			w, err := c.UpdateWorkspace(ctx, wspID, "Acme")
			return w.Name, err
		}, "PATCH /v1/workspaces/" + wspID + ` {"name":"Acme"}`, "Acme"},
		{"DeleteWorkspace", "", func(ctx context.Context, c *client.Client) (any, error) {
			return nil, c.DeleteWorkspace(ctx, wspID)
		}, "DELETE /v1/workspaces/" + wspID, nil},
		{"Healthz", `{"status":"ok","version":"1.0.0"}`, func(ctx context.Context, c *client.Client) (any, error) {
			h, err := c.Healthz(ctx)
			return h.Version, err
		}, "GET /healthz", "1.0.0"},
		{"Readyz", `{"status":"ok","version":"1.0.0"}`, func(ctx context.Context, c *client.Client) (any, error) {
			h, err := c.Readyz(ctx)
			return h.Status, err
		}, "GET /readyz", "ok"},
	}
}

func idsOf(deliveries iter.Seq2[postroom.DeliveryResource, error]) (string, error) {
	var ids []string
	for d, err := range deliveries {
		if err != nil {
			return "", err
		}
		ids = append(ids, d.ID.String())
	}
	return strings.Join(ids, " "), nil
}

func TestRoutes(t *testing.T) {
	for _, routes := range [][]route{webhookRoutes(), eventRoutes(), otherRoutes(), sourceRoutes(), audienceRoutes()} {
		for _, r := range routes {
			t.Run(r.name, func(t *testing.T) {
				f := newFake(t, answer{status: 200, body: r.answer, header: map[string]string{"ETag": `"7"`}})
				got, err := r.got(t.Context(), f.client(t))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(r.want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				checkCall(t, f.asked(), r.asks)
			})
		}
	}
}

// checkCall checks the one call that was made: its line, its body and its headers.
func checkCall(t *testing.T, calls []call, asks string) {
	t.Helper()
	if len(calls) != 1 {
		t.Fatalf("%d calls were made", len(calls))
	}
	asked := calls[0]
	if got := strings.TrimSpace(asked.line + " " + asked.body); got != asks {
		t.Errorf("asked for %s\nwant      %s", got, asks)
	}
	want := map[string]string{"Authorization": "Bearer prk_test", "User-Agent": "test/1", "Content-Type": ""}
	switch {
	case strings.HasPrefix(asks, "PATCH"):
		want["Content-Type"] = "application/merge-patch+json"
	case asked.body != "":
		want["Content-Type"] = "application/json"
	}
	for name, value := range want {
		if got := asked.header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if keyed := asked.header.Get("Idempotency-Key") != ""; keyed != strings.HasPrefix(asks, "POST") {
		t.Errorf("Idempotency-Key is %q", asked.header.Get("Idempotency-Key"))
	}
}

func TestIfMatch(t *testing.T) {
	f := newFake(t, answer{status: 200, body: webhookJSON})
	if _, err := f.client(t).UpdateWebhook(t.Context(), "crm", 7, client.WebhookInput{Name: "New"}); err != nil {
		t.Fatal(err)
	}
	asked := f.asked()[0]
	if got := asked.header.Get("If-Match"); got != `"7"` {
		t.Errorf("If-Match is %s", got)
	}
	if asked.body != `{"name":"New"}` {
		t.Errorf("a WebhookInput as a patch is %s", asked.body)
	}
}
