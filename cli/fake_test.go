package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	whk1  = "whk_01jd3v8x2mf4k8c0q9r7t5y1za"
	whk2  = "whk_01jd3v8x2mf4k8c0q9r7t5y1zb"
	evt1  = "evt_01jd3v8x2mf4k8c0q9r7t5y1za"
	dlv1  = "dlv_01jd3v8x2mf4k8c0q9r7t5y1za"
	key1  = "key_01jd3v8x2mf4k8c0q9r7t5y1za"
	wsp1  = "wsp_01jd3v8x2mf4k8c0q9r7t5y1za"
	rpl1  = "rpl_01jd3v8x2mf4k8c0q9r7t5y1za"
	sec1  = "sec_01jd3v8x2mf4k8c0q9r7t5y1za"
	stamp = `"2026-01-31T09:30:00.000Z"`
)

const webhookJSON = `{"id":"` + whk1 + `","uid":null,"name":"Production Webhook","description":"","url":"https://example.com/hooks",` +
	`"events":["email.sent","email.opened"],"filter":"","dialect":"standard","method":"POST","headers":{},"auth":null,"payload":null,` +
	`"retry":{"schedule":["5s","5m"],"jitter":0.1},"timeout":"15s","rate_limit":null,"concurrency":8,"ordering":"none","expect_json":false,` +
	`"disable_after":{"failures":0,"for":"0s"},"status":"active","status_reason":"","secrets":1,"health":{"failing_since":null,"failures":0,"failed_deliveries":0,"open_until":null,"last_status":200,"last_at":` + stamp + `},"created_at":` + stamp + `,"updated_at":` + stamp + `}`

const fullWebhookJSON = `{"id":"` + whk2 + `","uid":"crm-sync","name":"CRM sync","description":"Keeps the CRM in step","url":"https://crm.example.com/hooks",` +
	`"events":["email.*"],"filter":"event.data.campaign.id == 790","dialect":"cloudcusp","method":"PUT","headers":{"x-tenant":"production","x-a":"b"},` +
	`"auth":{"type":"bearer","token":"•••"},"payload":{"template":{"email":"{contact_email}"}},"retry":{"schedule":[],"jitter":0},"timeout":"30s",` +
	`"rate_limit":{"limit":100,"period":"1s"},"concurrency":1,"ordering":"key","expect_json":true,"disable_after":{"failures":10,"for":"120h"},` +
	`"status":"disabled","status_reason":"10 deliveries in a row failed","secrets":2,"health":{"failing_since":` + stamp + `,"failures":31,"failed_deliveries":10,"open_until":"2026-01-31T10:35:06.000Z","last_status":0,"last_at":` + stamp + `},"created_at":"2025-12-24T18:00:00.000Z","updated_at":` + stamp + `}`

func deliveryJSON(more string) string {
	return `{"id":"` + dlv1 + `","event_id":"order-17","event_type":"order.paid","webhook_id":"` + whk1 + `","status":"pending","attempt_count":2,` +
		`"next_attempt_at":"2026-01-31T10:35:06.000Z","last_status_code":500,"last_error_kind":"status","last_attempt_at":` + stamp + `,"created_at":` + stamp + more + `}`
}

const failedAttempt = `{"number":1,"at":"2026-01-31T09:30:00.000Z","status_code":0,"duration_ms":15000.2,"phases_ms":{"dns":1.5,"connect":2,"tls":5,"first_byte":0,"total":15000.2},` +
	`"request":{"method":"POST","url":"https://example.com/hooks","headers":[{"name":"Content-Type","value":"application/json"}],"body":"{\"type\":\"order.paid\"}"},` +
	`"response":null,"error":{"kind":"timeout","message":"The receiver did not answer within 15 seconds."}}`

const refusedAttempt = `{"number":2,"at":"2026-01-31T09:30:20.000Z","status_code":500,"duration_ms":234.4,"phases_ms":{"dns":0,"connect":0,"tls":0,"first_byte":230,"total":234.4},` +
	`"request":{"method":"POST","url":"https://example.com/hooks","headers":[{"name":"Content-Type","value":"application/json"}],"body":"{\"type\":\"order.paid\"}"},` +
	`"response":{"status_code":500,"headers":[{"name":"Server","value":"x\u001b[31m"}],"body":"Oops\nline two\u001b[2J","truncated":true},"error":{"kind":"status","message":"The receiver answered 500."}}`

const goodAttempt = `{"number":1,"at":"2026-01-31T09:30:00.000Z","status_code":200,"duration_ms":234.4,"phases_ms":{"total":234.4},` +
	`"request":{"method":"POST","url":"https://example.com/hooks","headers":[],"body":"{}"},"response":{"status_code":200,"headers":[],"body":"{\"ok\":true}\n","truncated":false},"error":null`

const eventJSON = `{"id":"order-17","type":"order.paid","time":` + stamp + `,"published_at":` + stamp + `,"actor":"shop","data":{"order":{"id":12345678901234567890,"note":"<b> é ` + "\U0001F600" + `"}}`

const mem1 = "mem_01jd3v8x2mf4k8c0q9r7t5y1za"

const memberJSON = `{"id":"` + mem1 + `","workspace_id":"` + wsp1 + `","email":"ada@example.com","name":"Ada","phone":"","role":"viewer","may_trigger":["*"],"status":"invited","created_at":` + stamp + `,"updated_at":` + stamp

const linkJSON = `,"link":"https://example.com/sign-in/x","link_expires_at":` + stamp + `}`

const keyJSON = `{"id":"` + key1 + `","workspace_id":"` + wsp1 + `","name":"Shop","role":"publisher","hint":"prk_abcd","created_at":` + stamp + `,"expires_at":"2026-03-01T00:00:00.000Z","operator":false`

const workspaceJSON = `{"id":"` + wsp1 + `","name":"Acme","created_at":` + stamp + `,"updated_at":` + stamp

// replayJSON is a replay that ended at a time, with more fields.
func replayJSON(more, ended string) string {
	return `{"id":"` + rpl1 + `","webhook_id":"` + whk1 + `","after":"2026-01-30T23:00:00.000Z","before":` + stamp + `,"status":"failed","types":["order.paid"],"created_by":"` + key1 +
		`","created_at":` + stamp + `,"updated_at":` + stamp + `,"ended_at":` + ended + `,` + more + `}`
}

func page(items ...string) string {
	return `{"data":[` + strings.Join(items, ",") + `],"next_cursor":null,"prev_cursor":null}`
}

const previewJSON = `{"event":{"id":"order-17","type":"order.paid","time":"2026-01-31T09:30:00.000Z"},` +
	`"request":{"method":"POST","url":"https://example.com/hooks","headers":[{"name":"Content-Type","value":"application/json"},{"name":"X-B","value":"\u001b[2Jx"}],` +
	`"body":"{\"id\":\"order-17\",\"total\":null}"},"notes":[{"pointer":"/payload/add/total","detail":"{data.total * 'x'} failed: no such overload"}]}`

const dialectJSON = `{"name":"acme","title":"Acme","description":"How Acme sends.","others":false,"content_type":"application/json","bodies":[],"headers":[],"auth":["none","bearer"],` +
	`"events":[{"type":"email.bounced","name":"email.bounced"},{"type":"email.clicked","name":"clicked"},{"type":"email.opened","name":"opened"},{"type":"email.sent","name":"sent"}],` +
	`"signature":{"scheme":"hmac","header":"X-Sign","algorithm":"sha256","encoding":"hex"},"defaults":{"method":"POST","retry":{"schedule":["5s","5m"],"jitter":0},"timeout":"30s"},"test":"email.opened"`

// answers are what the fake server says to each call: the status if it is not 200, and the body.
func answers() map[string]string {
	const api = "/v1/"
	webhook := api + "webhooks/" + whk1
	return map[string]string{
		"POST /v1/webhooks":                      `201 {"secret":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",` + webhookJSON[1:],
		"GET /v1/webhooks":                       page(webhookJSON, fullWebhookJSON),
		"GET " + webhook:                         webhookJSON,
		"GET /v1/webhooks/crm-sync":              fullWebhookJSON,
		"PATCH " + webhook:                       webhookJSON,
		"DELETE " + webhook:                      "204 ",
		"POST " + webhook + "/test":              `{"delivery_id":"` + dlv1 + `",` + goodAttempt[1:] + `}`,
		"POST /v1/webhooks/crm-sync/test":        `{"delivery_id":"` + dlv1 + `",` + refusedAttempt[1:],
		"POST " + webhook + "/preview":           previewJSON,
		"POST /v1/webhooks/preview":              previewJSON,
		"POST " + webhook + "/pause":             strings.Replace(webhookJSON, `"status":"active","status_reason":""`, `"status":"paused","status_reason":"Moving house"`, 1),
		"POST " + webhook + "/resume":            `{"held":1200,"held_since":"2026-01-31T08:00:00.000Z",` + webhookJSON[1:],
		"POST " + webhook + "/replay":            "202 " + replayJSON(`"state":"done","total":128,"at_least":false,"done":127,"skipped":1,"withdrawn":0`, stamp),
		"POST /v1/webhooks/crm-sync/replay":      `{"id":null,"before":` + stamp + `,"types":[],"total":100000,"at_least":true,"by_status":{"failed":99000,"cancelled":1000},"by_type":{"email.sent":40000,"email.opened":60000}}`,
		"POST /v1/webhooks/quiet/replay":         `{"id":null,"before":` + stamp + `,"types":[],"total":0,"at_least":false}`,
		"POST /v1/replays":                       "202 " + replayJSON(`"state":"running","total":200000,"at_least":true,"done":2000,"skipped":0,"withdrawn":0`, "null"),
		"GET /v1/replays":                        page(replayJSON(`"state":"running","total":200000,"at_least":true,"done":2000,"skipped":0,"withdrawn":0`, "null"), replayJSON(`"webhook_id":null,"status":"","state":"failed","reason":"The webhook was deleted.","total":5,"done":2`, stamp)),
		"GET /v1/replays/" + rpl1:                replayJSON(`"state":"done","total":128,"at_least":false,"done":127,"skipped":1,"withdrawn":0,"waiting":0`, stamp),
		"GET /v1/replays/rpl_1":                  replayJSON(`"state":"failed","reason":"The webhook was deleted.","total":128,"done":12,"waiting":0`, stamp),
		"POST /v1/replays/" + rpl1 + "/cancel":   "202 " + replayJSON(`"state":"cancelled","total":128,"at_least":false,"done":100,"skipped":1,"withdrawn":40,"waiting":0`, stamp),
		"GET /v1/attempts/export":                `{"delivery_id":"` + dlv1 + `",` + goodAttempt[1:] + "}\n",
		"GET " + webhook + "/secrets":            page(`{"id":"`+sec1+`","kind":"hmac","created_at":`+stamp+`,"expires_at":"2026-02-01T09:30:00.000Z"}`, `{"id":"`+sec1+`","kind":"ed25519","public_key":"whpk_x","created_at":`+stamp+`,"expires_at":null}`),
		"POST " + webhook + "/secrets":           `201 {"id":"` + sec1 + `","kind":"ed25519","public_key":"whpk_x","created_at":` + stamp + `,"expires_at":null,"secret":"whsk_y"}`,
		"GET /v1/stats":                          `{"after":"2026-01-30T10:00:00.000Z","before":"2026-01-31T11:00:00.000Z","attempts":0,"succeeded":0,"failed":0,"retried":0,"success_rate":null,"latency_ms":{"mean":0,"p50":0,"p95":0,"p99":0},"last_status":0,"last_at":null,"waiting":10000,"waiting_more":true,"waiting_since":` + stamp + `,"series":[]}`,
		"GET " + webhook + "/stats":              `{"after":"2026-01-30T10:30:00.000Z","before":"2026-01-31T10:30:00.000Z","attempts":12345,"succeeded":12000,"failed":12,"retried":333,"success_rate":0.97205,"latency_ms":{"mean":20.5,"p50":8.25,"p95":80,"p99":12345},"last_status":200,"last_at":` + stamp + `,"waiting":7,"waiting_more":false,"waiting_since":` + stamp + `,"series":[{"at":"2026-01-31T09:00:00.000Z","attempts":3,"succeeded":2,"failed":1,"retried":0,"latency_ms":{"mean":20.5,"p50":8.25,"p95":80,"p99":12345}},{"at":"2026-01-31T10:00:00.000Z","attempts":0,"succeeded":0,"failed":0,"retried":0,"latency_ms":null}]}`,
		"POST /v1/events":                        `202 {"id":"order-17","type":"order.paid","time":` + stamp + `,"duplicate":false,"webhooks":["` + whk1 + `","` + whk2 + `"]}`,
		"GET /v1/events":                         page(eventJSON+"}", `{"id":"`+evt1+`","type":"email.opened","time":"2025-12-31T22:30:00.000Z","published_at":"2025-12-31T22:30:00.000Z","data":{}}`),
		"GET /v1/events/order-17":                eventJSON + `,"deliveries":[` + deliveryJSON("") + `]}`,
		"POST /v1/events/order-17/replay":        `202 {"data":[` + deliveryJSON("") + `],"webhooks":["` + whk1 + `"]}`,
		"GET /v1/event-types":                    page(`{"name":"email.opened","group":"email","title":"Email opened","custom":false}`, `{"name":"order.paid","group":"custom","title":"Order paid","custom":true}`),
		"GET /v1/event-types/order.paid":         `{"name":"order.paid","group":"custom","title":"Order paid","description":"Money came in.","custom":true,"schema":{"type":"object"},"sample":{"order":{"id":17}}}`,
		"POST /v1/event-types":                   `201 {"name":"order.paid","group":"custom","title":"Order paid","custom":true}`,
		"DELETE /v1/event-types/order.paid":      "204 ",
		"GET /v1/event-types/order.paid/sample":  `{"type":"order.paid","time":` + stamp + `,"data":{"order":{"id":17}}}`,
		"GET /v1/dialects":                       page(dialectJSON+"}", `{"name":"standard","title":"Standard Webhooks","others":true,"events":[],"signature":{"scheme":"standard"}}`),
		"GET /v1/dialects/acme":                  dialectJSON + `,"samples":[{"type":"email.opened","name":"opened","request":{"method":"POST","url":"https://example.com/","headers":[{"name":"X-Sign","value":"ab"}],"body":"{\"event\":\"opened\"}"}}]}`,
		"GET /v1/deliveries":                     page(deliveryJSON(""), strings.NewReplacer("pending", "succeeded", `"attempt_count":2`, `"attempt_count":1`, "500", "204", `"last_error_kind":"status",`, "").Replace(deliveryJSON(""))),
		"GET /v1/deliveries/" + dlv1:             deliveryJSON(`,"attempts":[` + failedAttempt + `,` + refusedAttempt + `]`),
		"GET /v1/deliveries/dlv_1":               strings.NewReplacer("pending", "held", `"2026-01-31T10:35:06.000Z"`, "null").Replace(deliveryJSON(`,"test":true`)),
		"POST /v1/deliveries/" + dlv1 + "/retry": "202 " + deliveryJSON(""),
		"GET /v1/deliveries/export":              "id,status\r\n" + dlv1 + ",failed\r\n",
		"POST /v1/keys":                          `201 ` + keyJSON + `,"key":"prk_abcdefghijklmnopqrstuvwx"}`,
		"GET /v1/keys":                           page(keyJSON+"}", strings.NewReplacer(`"operator":false`, `"operator":true`, "publisher", "admin", `"2026-03-01T00:00:00.000Z"`, "null").Replace(keyJSON)+"}"),
		"POST /v1/members":                       "201 " + memberJSON + linkJSON,
		"GET /v1/members":                        page(memberJSON + "}"),
		"GET /v1/members/ada@example.com":        memberJSON + "}",
		"PATCH /v1/members/ada@example.com":      strings.Replace(memberJSON, "viewer", "admin", 1) + "}",
		"DELETE /v1/members/" + mem1:             "204 ",
		"POST /v1/members/ada@example.com/link":  memberJSON + linkJSON,
		"GET /v1/keys/" + key1:                   keyJSON + "}",
		"DELETE /v1/keys/" + key1:                "204 ",
		"POST /v1/workspaces":                    `201 ` + workspaceJSON + `,"admin_key":` + keyJSON + `,"key":"prk_abcdefghijklmnopqrstuvwx"}}`,
		"GET /v1/workspaces":                     page(workspaceJSON + "}"),
		"GET /v1/workspaces/" + wsp1:             workspaceJSON + "}",
		"DELETE /v1/workspaces/" + wsp1:          "204 ",
		"GET /v1/webhooks/gone":                  `404 {"title":"Not found","detail":"There is no webhook \"gone\".","status":404,"code":"not_found"}`,
		"POST /v1/webhooks/gone/pause":           `403 {"title":"Not allowed","detail":"This needs a key with the role admin; the role of this key is viewer.","status":403,"code":"forbidden"}`,
		"POST /v1/webhooks/gone/resume":          `401 {"title":"Not authenticated","detail":"The key is not known.","status":401,"code":"unauthenticated"}`,
		"POST /v1/webhooks/gone/replay":          `500 {"title":"Internal error","detail":"Something went wrong in Postroom.","status":500,"code":"internal"}`,
		"PATCH /v1/webhooks/gone":                `422 {"title":"Not valid","detail":"The input was refused.","status":422,"code":"invalid","errors":[{"pointer":"/retry/schedule/0","detail":"is negative"},{"pointer":"/name","detail":"is too long\u001b[2J"}]}`,
		"GET /v1/webhooks/gone/secrets":          `403 <html>`,
	}
}

// fakeServer answers as answers says, and remembers what it was asked.
type fakeServer struct {
	*httptest.Server
	answers map[string]string
	mu      sync.Mutex
	asked   []string
}

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	f := &fakeServer{answers: answers()}
	maps.Copy(f.answers, sourceAnswers())
	maps.Copy(f.answers, audienceAnswers())
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// ServeHTTP answers a call.
func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
	f.mu.Unlock()
	answer, ok := f.answers[r.Method+" "+r.URL.Path]
	if r.Header.Get("Content-Type") == "application/x-ndjson" && r.URL.Path == "/v1/events" {
		answer = publishLines(string(body))
	}
	if !ok || r.Header.Get("Authorization") != "Bearer prk_test" {
		w.WriteHeader(http.StatusTeapot) // which no test expects
		return
	}
	status := http.StatusOK
	if _, err := fmt.Sscanf(answer, "%d ", &status); err == nil {
		answer = answer[4:]
	}
	w.Header().Set("X-Request-Id", "r-1")
	w.Header().Set("Content-Type", "application/json")
	if status >= 400 && answer[0] == '{' {
		w.Header().Set("Content-Type", "application/problem+json")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

// publishLines answers NDJSON: a line with "bad" in it is refused, one with "twice" was there before.
func publishLines(body string) string {
	var results []string
	for line := range strings.Lines(body) {
		if strings.Contains(line, "bad") {
			results = append(results, `{"error":{"detail":"The input was refused.","status":422,"code":"unknown_event_type","errors":[{"pointer":"/type","detail":"there is no such type"}]}}`)
			continue
		}
		results = append(results, fmt.Sprintf(`{"id":"x","duplicate":%v,"webhooks":[]}`, strings.Contains(line, "twice")))
	}
	return "202 " + `{"data":[` + strings.Join(results, ",") + `]}`
}

// ran is what a command left behind.
type ran struct {
	stdout, stderr string
	exit           int
	asked          []string
}

// given is what a command is run with, besides its arguments.
type given struct {
	stdin    string
	terminal Terminal
	environ  []string
	change   func(*Config) // last changes
}

// run runs a command against a server.
func run(t *testing.T, f *fakeServer, g given, args ...string) ran {
	t.Helper()
	t.Setenv("COLUMNS", "80") // for kong's help
	var stdout, stderr bytes.Buffer
	clock := time.Date(2026, 1, 31, 10, 30, 0, 0, time.UTC)
	c := Config{
		Version: "v1.2.3", Stdin: strings.NewReader(g.stdin), Stdout: &stdout, Stderr: &stderr,
		Environ:  append([]string{"POSTROOM_API_KEY=prk_test", "POSTROOM_URL=" + f.URL + "/"}, g.environ...),
		Terminal: g.terminal, Now: func() time.Time { return clock }, Zone: time.FixedZone("CET", 3600),
	}
	if g.change != nil {
		g.change(&c)
	}
	exit := Run(context.Background(), args, c)
	f.mu.Lock()
	defer f.mu.Unlock()
	plain := strings.NewReplacer(f.URL, "http://postroom.test")
	return ran{plain.Replace(stdout.String()), plain.Replace(stderr.String()), exit, f.asked}
}
