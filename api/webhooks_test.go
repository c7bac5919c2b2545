package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const whk = "whk_01kg95vh9ze00r00820c20a1g7"

func TestWebhookShape(t *testing.T) {
	s := newServer(t)
	w := s.call("GET", "/v1/webhooks/crm", "")
	const want = `{"id":"` + whk + `","uid":null,"customer":"","name":"CRM sync","description":"","url":"https://example.com/hooks","events":["email.*"],"filter":"",` +
		`"dialect":"standard","method":"POST","headers":{"x-b":"<&>","x-tenant":"production"},"auth":{"type":"api_key","header":"X-Key","key":"•••"},` +
		`"payload":{"template":{"z":1,"a":{"c":"<","b":2}}},"retry":{"schedule":["5s"],"jitter":0.1},"timeout":"15s","rate_limit":null,"concurrency":8,"ordering":"none",` +
		`"expect_json":false,"disable_after":{"failures":0,"for":"0s"},"status":"active","status_reason":"","secrets":1,"health":{"failing_since":null,"failures":0,"failed_deliveries":0,"open_until":null,"last_status":0,"last_at":null},` +
		`"created_at":"2026-01-31T09:30:00.127Z","updated_at":"2026-01-31T09:30:00.127Z"}` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Error(diff)
	}
	s.webhook.WebhookSettings = postroom.WebhookSettings{}
	got := s.ok(200, "GET", "/v1/webhooks/crm", "")
	for field, want := range map[string]any{
		"headers": map[string]any{}, "events": []any{}, "payload": nil, "auth": nil, "rate_limit": nil, "retry": map[string]any{"schedule": []any{}, "jitter": 0.0},
	} {
		if !reflect.DeepEqual(got[field], want) {
			t.Errorf("%s: %v, want %v", field, got[field], want)
		}
	}
}

func TestCreateWebhook(t *testing.T) {
	s := newServer(t)
	w := s.call("POST", "/v1/webhooks", `{"url":"https://example.com","events":["*"],"uid":null,"retry":{"schedule":["1m","1h30m"]},"status":"paused","filter":null}`)
	got := parse(t, w.Body.Bytes())
	if w.Code != 201 || w.Header().Get("Location") != "/v1/webhooks/"+whk || w.Header().Get("ETag") != `"1"` {
		t.Errorf("status %d, headers %v", w.Code, w.Header())
	}
	if got["secret"] != "whsec_secret" || got["status"] != "paused" || got["payload"] != nil {
		t.Errorf("%v", got)
	}
	// What is left out, or null, has its default, also within an object.
	defaults := defaultSettings()
	if diff := cmp.Diff(map[string]any{"schedule": []any{"1m", "1h30m"}, "jitter": defaults.Retry.Jitter}, got["retry"]); diff != "" {
		t.Error(diff)
	}
	if got["timeout"] != defaults.Timeout.String() || got["method"] != defaults.Method || got["disable_after"].(map[string]any)["for"] != defaults.Disable.For.String() {
		t.Errorf("%v", got)
	}
	for body, pointers := range map[string][]string{
		`{"url":1,"events":"*","concurrency":1.5,"expect_json":"yes"}`: {"/url", "/events", "/concurrency", "/expect_json"},
		`{"events":["a",2,null,{}]}`:                                   {"/events/1", "/events/3"},
		`{"retry":{"schedule":["5s","soon",7]}}`:                       {"/retry/schedule/1", "/retry/schedule/2"},
		`{"retry":[],"auth":"x","headers":{"a":1}}`:                    {"/retry", "/auth", "/headers/a"},
		`{"retry":{"jitter":1e999}}`:                                   {"/retry/jitter"},
		`{"concurrency":99999999999999999999}`:                         {"/concurrency"},
		`{"url":"a","url":"b","headers":{"x~/":"1","x~/":"2"}}`:        {"/url", "/headers/x~0~1"},
		`{"timeout":15}`: {"/timeout"},
	} {
		s.refused(postroom.CodeInvalid, pointers, "POST", "/v1/webhooks", body)
	}
	s.refused(postroom.CodeUnknownField, []string{"/URL", "/retry/wait"}, "POST", "/v1/webhooks", `{"URL":"x","retry":{"wait":1}}`)
	s.refused(postroom.CodeInvalid, []string{"/nme", "/url"}, "POST", "/v1/webhooks", `{"nme":"x","url":1}`) // different faults: the code is the common one
	s.refused(postroom.CodeBadJSON, nil, "POST", "/v1/webhooks", "")
	s.refused(postroom.CodeBadJSON, []string{"/events/1"}, "POST", "/v1/webhooks", `{"events":["a",}`)

	// So many faults that not all are reported.
	many := strings.Repeat(`"url":1,`, 1000)
	s.refused(postroom.CodeInvalid, slices.Repeat([]string{"/url"}, maxFaults), "POST", "/v1/webhooks", "{"+many+`"url":2}`)
}

func TestETags(t *testing.T) {
	s := newServer(t)
	status := func(method, header, value string) int {
		t.Helper()
		s.webhook.Version = 7
		body := ""
		if method == "PATCH" {
			body = `{"name":"x"}`
		}
		w := s.call(method, "/v1/webhooks/"+whk, body, header, value)
		if w.Code == 304 && w.Body.Len() > 0 {
			t.Errorf("a body with 304: %s", w.Body)
		}
		if (w.Code == 200 || w.Code == 304) && w.Header().Get("ETag") == "" {
			t.Errorf("no ETag: %v", w.Header())
		}
		return w.Code
	}
	for value, want := range map[string][4]int{ // GET If-None-Match; GET, PATCH, DELETE If-Match
		`"7"`:         {304, 200, 200, 204},
		`W/"7"`:       {304, 412, 412, 412},
		`"6"`:         {200, 412, 412, 412},
		`"6", "7"`:    {304, 200, 200, 204},
		`"6","x","8"`: {200, 412, 412, 412},
		`*`:           {304, 200, 200, 204},
		`"07"`:        {200, 412, 412, 412},
		`"abc"`:       {200, 412, 412, 412},
		`7`:           {422, 422, 422, 422},
		`"7`:          {422, 422, 422, 422},
	} {
		got := [4]int{status("GET", "If-None-Match", value), status("GET", "If-Match", value), status("PATCH", "If-Match", value), status("DELETE", "If-Match", value)}
		if got != want {
			t.Errorf("%s: %v, want %v", value, got, want)
		}
	}
	s.refused(postroom.CodeInvalid, []string{"If-Match"}, "GET", "/v1/webhooks/crm", "", "If-Match", "7")
	s.refused(postroom.CodePreconditionFailed, nil, "PATCH", "/v1/webhooks/crm", `{}`, "If-Match", `"1"`)
	s.refused(postroom.CodeNotFound, nil, "PATCH", "/v1/webhooks/nope", `{}`, "If-Match", `"1","2"`)
	s.webhook.Version = 7
	if got := s.call("PATCH", "/v1/webhooks/crm", `{}`, "If-Match", `"7"`).Header().Get("ETag"); got != `"8"` {
		t.Errorf("ETag after a change: %s", got)
	}
}

func TestPatchWebhook(t *testing.T) {
	s := newServer(t)
	before := s.webhook.WebhookSettings
	got := s.ok(200, "PATCH", "/v1/webhooks/crm", `{"name":"x","headers":{"x-tenant":null,"x-new":"1"},"retry":{"jitter":0.5},"rate_limit":{"limit":5,"period":"1s"},"uid":"crm"}`,
		"Content-Type", "application/merge-patch+json")
	after := s.webhook.WebhookSettings
	if got["name"] != "x" || got["uid"] != "crm" {
		t.Errorf("%v", got)
	}
	if diff := cmp.Diff(map[string]string{"x-b": "<&>", "x-new": "1"}, after.Headers); diff != "" {
		t.Error(diff)
	}
	if after.Retry.Jitter != 0.5 || len(after.Retry.Schedule) != 1 || after.RateLimit.Limit != 5 || after.RateLimit.Period != postroom.Duration(time.Second) {
		t.Errorf("%+v", after)
	}
	if !cmp.Equal(after.Payload, before.Payload) || after.Timeout != before.Timeout || after.Auth.Key != postroom.Redacted {
		t.Errorf("changed what was not in the patch: %+v", after)
	}

	s.ok(200, "PATCH", "/v1/webhooks/crm", `{"events":["a"],"retry":null,"rate_limit":null,"uid":null,"payload":{"template":{"a":{"b":3,"x":null},"10":1,"n":"<>"}}}`)
	after = s.webhook.WebhookSettings
	if len(after.Events) != 1 || !cmp.Equal(after.Retry, defaultSettings().Retry) || after.RateLimit != nil || after.UID != nil {
		t.Errorf("%+v", after)
	}
	if got := string(after.Payload.Template); got != `{"a":{"b":3,"x":null},"10":1,"n":"<>"}` {
		t.Errorf("the template is not what was written: %s", got)
	}
	s.ok(200, "PATCH", "/v1/webhooks/crm", `{"payload":{"fields":["type"]}}`)
	if diff := cmp.Diff(&postroom.Payload{Fields: []string{"type"}}, s.webhook.Payload); diff != "" {
		t.Errorf("something of the template was left: %s", diff)
	}
	s.ok(200, "PATCH", "/v1/webhooks/crm", `{"payload":null}`)
	if got := s.webhook.Payload; got != nil {
		t.Errorf("payload %v", got)
	}
}

func TestPreview(t *testing.T) {
	s := newServer(t)
	template := &postroom.Payload{Template: json.RawMessage(`{"a":null}`)}
	for body, want := range map[string]app.PreviewInput{
		``:                      {},
		`{}`:                    {},
		`{"payload":null}`:      {Try: true},
		`{"type":"email.sent"}`: {Type: "email.sent"},
		`{"payload":{"template":{"a":null}},"event":"order-1"}`: {Try: true, Payload: template, Event: "order-1"},
	} {
		got := s.ok(200, "POST", "/v1/webhooks/crm/preview", body)
		if diff := cmp.Diff([]any{"crm", want}, s.asked); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
		request, _ := got["request"].(map[string]any)
		notes, _ := got["notes"].([]any)
		event, _ := got["event"].(map[string]any)
		if request["body"] != `{"a":"<"}` || len(notes) != 1 || event["id"] != "order-1" {
			t.Errorf("%s: %v", body, got)
		}
	}
	s.ok(200, "POST", "/v1/webhooks/preview", `{"events":["email.sent"],"payload":{"template":{"a":null}},"method":"PUT","type":"email.sent"}`)
	want := defaultSettings()
	want.Events, want.Payload, want.Method = []string{"email.sent"}, template, "PUT"
	if diff := cmp.Diff([]any{want, app.PreviewInput{Type: "email.sent"}}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.call("POST", "/v1/webhooks/preview", `{"payload":{"templat":1}}`)
	if got := s.call("POST", "/v1/webhooks/preview", `{"payload":{"templat":1}}`); got.Code != 422 || !strings.Contains(got.Body.String(), "/payload/templat") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

// The values of one kind of auth are not kept for another.
func TestPatchAuth(t *testing.T) {
	s := newServer(t)
	s.ok(200, "PATCH", "/v1/webhooks/crm", `{"auth":{"key":"new"}}`)
	if diff := cmp.Diff(&postroom.Auth{Type: "api_key", Header: "X-Key", Key: "new"}, s.webhook.Auth); diff != "" {
		t.Error(diff)
	}
	s.ok(200, "PATCH", "/v1/webhooks/crm", `{"auth":{"type":"bearer","token":"t"}}`)
	if diff := cmp.Diff(&postroom.Auth{Type: "bearer", Token: "t"}, s.webhook.Auth); diff != "" {
		t.Error(diff)
	}
	s.ok(200, "PATCH", "/v1/webhooks/crm", `{"auth":null}`)
	if diff := cmp.Diff(defaultSettings().Auth, s.webhook.Auth); diff != "" {
		t.Error(diff)
	}
}

func TestPatchRefused(t *testing.T) {
	s := newServer(t)
	before, _ := json.Marshal(s.webhook)
	s.refused(postroom.CodeInvalid, []string{"/retry/schedule/0"}, "PATCH", "/v1/webhooks/crm", `{"retry":{"schedule":[5]}}`)
	s.refused(postroom.CodeUnknownField, []string{"/status"}, "PATCH", "/v1/webhooks/crm", `{"status":"paused"}`)
	s.refused(postroom.CodeInvalid, []string{"/headers/a"}, "PATCH", "/v1/webhooks/crm", `{"headers":{"a":"1","a":"2"}}`)
	s.refused(postroom.CodeBadJSON, nil, "PATCH", "/v1/webhooks/crm", `"x"`)
	after, _ := json.Marshal(s.webhook)
	if string(before) != string(after) {
		t.Errorf("a refused patch changed the webhook: %s", after)
	}
}

func TestWebhookActions(t *testing.T) {
	s := newServer(t)
	if got := s.ok(200, "POST", "/v1/webhooks/crm/pause", `{"reason":"maintenance"}`); got["status"] != "paused" || got["status_reason"] != "maintenance" {
		t.Errorf("%v", got)
	}
	s.ok(200, "POST", "/v1/webhooks/crm/pause", "")
	for body, want := range map[string]string{"": "release", `{"held":"discard"}`: "discard"} {
		if got := s.ok(200, "POST", "/v1/webhooks/crm/resume", body); got["held"] != 12.0 || got["id"] != whk || s.asked != want {
			t.Errorf("%q: %v, asked %v", body, got, s.asked)
		}
	}
	s.refused(postroom.CodeInvalid, []string{"/held"}, "POST", "/v1/webhooks/crm/resume", `{"held":"drop"}`)

	got := s.ok(200, "POST", "/v1/webhooks/crm/test", `{"type":"email.opened","data":{"a":1}}`)
	if got["delivery_id"] != "dlv_01kg95vh9ze00r00820c20a1g7" || got["status_code"] != 500.0 || got["duration_ms"] != 41.7 {
		t.Errorf("%v", got)
	}
	if diff := cmp.Diff([]any{"email.opened", `{"a":1}`}, s.asked); diff != "" {
		t.Error(diff)
	}
	response := got["response"].(map[string]any)
	if response["body"] != "" || response["body_base64"] != "//4=" {
		t.Errorf("%v", response)
	}
	if got := s.ok(200, "POST", "/v1/webhooks/crm/resume", `{"dry_run":true}`); got["held"] != 7.0 || got["held_since"] != "2026-01-31T09:30:00.127Z" || s.asked == "release" {
		t.Errorf("%v", got)
	}
}

func TestSecrets(t *testing.T) {
	s := newServer(t)
	got := s.ok(200, "GET", "/v1/webhooks/crm/secrets", "")
	if list := got["data"].([]any); len(list) != 1 || got["next_cursor"] != nil || strings.Contains(s.log.String(), "whsec_") {
		t.Errorf("%v", got)
	}
	if got := s.ok(201, "POST", "/v1/webhooks/crm/secrets", ""); got["secret"] != "whsec_new" || got["kind"] != "hmac" {
		t.Errorf("%v", got)
	}
	if diff := cmp.Diff([]any{postroom.SecretKind(""), "", 24 * time.Hour}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.ok(201, "POST", "/v1/webhooks/crm/secrets", `{"kind":"ed25519","secret":"whsk_x","overlap":"0s"}`)
	if diff := cmp.Diff([]any{postroom.SecretEd25519, "whsk_x", time.Duration(0)}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.refused(postroom.CodeInvalid, []string{"/overlap"}, "POST", "/v1/webhooks/crm/secrets", `{"overlap":"a day"}`)
}
