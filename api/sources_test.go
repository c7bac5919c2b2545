package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const src = "src_01kg95vh9ze00r00820c20a1g7"

func TestCreateSource(t *testing.T) {
	s := newServer(t)
	w := s.call("POST", "/v1/sources", `{"name":"Form","api_key":{},"mapping":[{"from":"a","to":"email","transform":["trim",{"join":" "}]},{"from":["a","b"],"to":"phone"}],
		"actions":[{"type":"call_api","call":{"url":"https://example.com/","retry":{"schedule":["5s"]}}}]}`)
	if w.Code != 201 || w.Header().Get("Location") != "/v1/sources/"+src || w.Header().Get("ETag") != `"1"` {
		t.Fatalf("status %d, headers %v: %s", w.Code, w.Header(), w.Body)
	}
	var got postroom.Source
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := defaultSource()
	want.Name, want.APIKey = "Form", &postroom.SourceKey{}
	want.Mapping = []postroom.MappingRow{{From: postroom.Paths{"a"}, To: "email", Transform: []postroom.Transform{{Name: "trim"}, {Name: "join", Arg: json.RawMessage(`" "`)}}},
		{From: postroom.Paths{"a", "b"}, To: "phone"}}
	want.Actions = []postroom.Action{{Type: postroom.ActionCallAPI, Call: &postroom.Call{URL: "https://example.com/", Retry: &postroom.Retry{Schedule: []postroom.Duration{postroom.Duration(5 * time.Second)}}}}}
	if diff := cmp.Diff(want, got.SourceSettings); diff != "" {
		t.Error(diff)
	}
	if !strings.HasSuffix(got.URL, "token=whole") {
		t.Errorf("the URL of a new source is %s", got.URL)
	}

	s.refused(postroom.CodeBadJSON, nil, "POST", "/v1/sources", "")
	s.refused(postroom.CodeUnknownField, []string{"/nme", "/mapping/0/form", "/actions/0/call/utl"}, "POST", "/v1/sources",
		`{"nme":"x","mapping":[{"form":"a"}],"actions":[{"type":"call_api","call":{"utl":"x"}}]}`)
	s.refused(postroom.CodeInvalid, []string{"/mapping/0/from", "/mapping/0/transform/0", "/mapping/0/transform/1"}, "POST", "/v1/sources",
		`{"mapping":[{"from":7,"to":"email","transform":[5,{"join":" ","trim":1}]}]}`)
}

func TestGetSource(t *testing.T) {
	s := newServer(t)
	got := s.ok(200, "GET", "/v1/sources/crm", "")
	if got["id"] != src || got["url"] != "https://example.com/in/src_x?token=***" || got["requests"].(map[string]any)["total"] != 3.0 {
		t.Errorf("%v", got)
	}
	if got := s.ok(200, "GET", "/v1/sources/crm?show_token=true", ""); !strings.HasSuffix(got["url"].(string), "token=whole") {
		t.Errorf("%v", got["url"])
	}
	s.refused(postroom.CodeForbidden, nil, "GET", "/v1/sources/crm?show_token=true", "", "Authorization", "Bearer prk_viewer")
	s.refused(postroom.CodeInvalid, []string{"?show_token"}, "GET", "/v1/sources/crm?show_token=perhaps", "")
	s.refused(postroom.CodeNotFound, nil, "GET", "/v1/sources/nope", "")
	if w := s.call("GET", "/v1/sources/crm", "", "If-None-Match", `"7"`); w.Code != 304 || w.Body.Len() > 0 || w.Header().Get("ETag") != `"7"` {
		t.Errorf("status %d, %v", w.Code, w.Header())
	}
	s.refused(postroom.CodePreconditionFailed, nil, "GET", "/v1/sources/crm", "", "If-Match", `"6"`)
}

func TestPatchSource(t *testing.T) {
	s := newServer(t)
	before := s.source.SourceSettings
	w := s.call("PATCH", "/v1/sources/crm", `{"name":"x","status":"inactive","rate_limit":{"limit":5,"period":"1s"},"signature":{"prefix":"sha256="}}`,
		"Content-Type", "application/merge-patch+json", "If-Match", `"7"`)
	if w.Code != 200 || w.Header().Get("ETag") != `"8"` {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	after := s.source.SourceSettings
	want := before
	want.Name, want.Status, want.RateLimit = "x", postroom.SourceInactive, &postroom.RateLimit{Limit: 5, Period: postroom.Duration(time.Second)}
	want.Signature = &postroom.SourceSignature{Scheme: "hmac", Header: "X-Sign", Prefix: "sha256=", Secret: postroom.Redacted}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Error(diff)
	}

	// Another scheme keeps nothing but the secrets; null is the default.
	s.ok(200, "PATCH", "/v1/sources/crm", `{"signature":{"scheme":"standard"},"status":null,"api_key":null,"mapping":null,"require_token":false}`)
	after = s.source.SourceSettings
	if diff := cmp.Diff(&postroom.SourceSignature{Scheme: "standard", Secret: postroom.Redacted}, after.Signature); diff != "" {
		t.Error(diff)
	}
	if after.Status != postroom.SourceActive || after.APIKey != nil || len(after.Mapping) != 0 || after.RequireToken || len(after.Actions) != 1 {
		t.Errorf("%+v", after)
	}
	s.ok(200, "PATCH", "/v1/sources/crm", `{"require_token":null}`)
	if !s.source.RequireToken {
		t.Error("null is not the default")
	}
	s.refused(postroom.CodePreconditionFailed, nil, "PATCH", "/v1/sources/crm", `{}`, "If-Match", `"1"`)
	s.refused(postroom.CodeUnknownField, []string{"/url"}, "PATCH", "/v1/sources/crm", `{"url":"https://example.com/"}`)
	s.refused(postroom.CodePreconditionFailed, nil, "DELETE", "/v1/sources/crm", "", "If-Match", `"1"`)
	s.ok(204, "DELETE", "/v1/sources/crm", "")
	if got := s.ok(200, "POST", "/v1/sources/crm/token", ""); !strings.HasSuffix(got["url"].(string), "token=whole") {
		t.Errorf("%v", got)
	}
}

func TestTestSource(t *testing.T) {
	s := newServer(t)
	for body, want := range map[string]app.SourceTestInput{
		``:                               {},
		`{"request":"req_1"}`:            {Request: "req_1"},
		`{"body":{"a":"<","n":1.50}}`:    {Body: []byte(`{"a":"<","n":1.50}`)},
		`{"body":"a=1&b=2"}`:             {Body: []byte("a=1&b=2")},
		`{"body":[1]}`:                   {Body: []byte("[1]")},
		`{"body_base64":"//4="}`:         {Body: []byte{0xff, 0xfe}},
		`{"headers":{"X-A":"b"}}`:        {Headers: []postroom.Header{{Name: "X-A", Value: "b"}}},
		`{"method":"GET","query":"a=b"}`: {Method: "GET", Query: "a=b"},
		`{"store":true}`:                 {Store: true},
		`{"mapping":[]}`:                 {Mapping: []postroom.MappingRow{}},
		`{"actions":[{"type":"apply_tag","tags":["a"]}]}`: {Actions: []postroom.Action{{Type: postroom.ActionApplyTag, Tags: []string{"a"}}}},
	} {
		got := s.ok(200, "POST", "/v1/sources/crm/test", body)
		if diff := cmp.Diff([]any{"crm", want}, s.asked); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
		items := got["items"].([]any)
		first, second := items[0].(map[string]any), items[1].(map[string]any)
		if got["request"].(map[string]any)["body"] != `{"a":"<"}` || got["stored"] != false || first["error"].(map[string]any)["row"] != 2.0 ||
			first["contact"].(map[string]any)["email"] != "ada@example.com" || len(second["actions"].([]any)) != 0 || second["contact"] != nil {
			t.Errorf("%s: %v", body, got)
		}
	}
	s.refused(postroom.CodeInvalid, []string{"/request"}, "POST", "/v1/sources/crm/test", `{"request":"req_1","method":"GET"}`)
	s.refused(postroom.CodeInvalid, []string{"/body_base64"}, "POST", "/v1/sources/crm/test", `{"body":{},"body_base64":"eA=="}`)
	s.refused(postroom.CodeInvalid, []string{"/body_base64"}, "POST", "/v1/sources/crm/test", `{"body_base64":"x"}`)
}

func TestRequests(t *testing.T) {
	s := newServer(t)
	filter := postroom.RequestFilter{Source: s.source.ID, Status: postroom.StatusFailed, EventType: "contact.created", Sender: "203.0.113.7",
		After: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	const rest = "status=failed&event_type=contact.created&sender=203.0.113.7&after=2026-01-01T00:00:00Z"
	for _, path := range []string{"/v1/requests?source=crm&limit=5&" + rest, "/v1/requests?source=" + src + "&limit=5&" + rest, "/v1/sources/crm/requests?limit=5&" + rest} {
		got := s.ok(200, "GET", path, "")
		if diff := cmp.Diff([]any{filter, postroom.PageQuery{Limit: 5}}, s.asked); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		one := got["data"].([]any)[0].(map[string]any)
		if one["status"] != "retrying" || one["next_attempt_at"] != "2026-01-31T09:31:00.127Z" || one["body"] != nil || one["headers"] != nil ||
			one["answer"].(map[string]any)["status_code"] != 202.0 || one["duration_ms"] != 3.4 {
			t.Errorf("%v", one)
		}
	}
	for query, pointer := range map[string]string{"status=lost": "?status", "source=nope": "?source", "after=x": "?after"} {
		s.refused(postroom.CodeInvalid, []string{pointer}, "GET", "/v1/requests?"+query, "")
	}
	s.refused(postroom.CodeNotFound, nil, "GET", "/v1/sources/nope/requests", "")

	got := s.ok(200, "GET", "/v1/requests/req_1", "")
	if got["body"] != `{"a":"<"}` || len(got["headers"].([]any)) != 1 || got["error"].(map[string]any)["action"] != 2.0 || len(got["warnings"].([]any)) != 1 {
		t.Errorf("%v", got)
	}
	s.ok(202, "POST", "/v1/requests/req_1/retry", "")
	if got := s.ok(202, "POST", "/v1/requests/req_1/resend", ""); got["resent_from"] != "req_01kg95vh9ze00r00820c20a1g7" {
		t.Errorf("%v", got)
	}
	if got := s.ok(200, "DELETE", "/v1/sources/crm/requests", ""); got["deleted"] != 12.0 {
		t.Errorf("%v", got)
	}
	if got := s.ok(200, "GET", "/v1/sources/crm/stats?by=day", ""); got["requests"] != 3.0 || len(got["series"].([]any)) != 0 {
		t.Errorf("%v", got)
	}
	if diff := cmp.Diff([]any{app.Span{By: "day"}}, s.asked); diff != "" {
		t.Error(diff)
	}
}

// A body that is no text is shown in base64, and an empty one as an empty text.
func TestRequestBodies(t *testing.T) {
	s := newServer(t)
	binary, empty := s.request(), s.request()
	binary.Body, empty.Body = []byte{0xff, 0xfe}, nil
	s.exportedCalls = []postroom.Request{binary, empty}
	lines := strings.Split(strings.TrimSuffix(s.call("GET", "/v1/requests/export", "").Body.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%q", lines)
	}
	one, two := parse(t, []byte(lines[0])), parse(t, []byte(lines[1]))
	if one["body_base64"] != "//4=" || one["body"] != nil || two["body"] != "" || two["body_base64"] != nil {
		t.Errorf("%v\n%v", one, two)
	}
}

func TestExportRequests(t *testing.T) {
	s := newServer(t)
	s.exportedCalls = []postroom.Request{s.request()}
	w := s.call("GET", "/v1/requests/export?format=csv&source=crm&status=failed", "")
	if got := w.Header(); got.Get("Content-Type") != "text/csv; charset=utf-8; header=present" || got.Get("Content-Disposition") != `attachment; filename="requests.csv"` {
		t.Errorf("headers %v", got)
	}
	if diff := cmp.Diff([]any{postroom.RequestFilter{Source: s.source.ID, Status: "failed"}, false}, s.asked); diff != "" {
		t.Error(diff)
	}
	rows, err := csv.NewReader(w.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{app.RequestColumns(), {"req_01kg95vh9ze00r00820c20a1g7", src, "2026-01-31T09:30:00.127Z", "retrying", "contact.created", "203.0.113.7", "POST", "/in/src_x?token=***", "1",
		"2", "2026-01-31T09:31:00.127Z", "3.4", "202", "add_subscriber: done", "action", "No.", "'=Odd", ""}}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
	s.call("GET", "/v1/requests/export", "")
	if diff := cmp.Diff([]any{postroom.RequestFilter{}, true}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.exportErr, s.exportedCalls = errors.New("secret"), nil
	s.refused(postroom.CodeInternal, nil, "GET", "/v1/requests/export", "")
}

func TestTailRequests(t *testing.T) {
	s := newServer(t)
	ts := httptest.NewServer(s.api)
	defer ts.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", ts.URL+"/v1/sources/crm/requests/tail", nil)
	if err != nil {
		t.Fatal(err)
	}
	id := s.request().ID
	r.Header.Set("Authorization", "Bearer prk_viewer")
	r.Header.Set("Last-Event-ID", id.String())
	answer, err := ts.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if diff := cmp.Diff([]any{"crm", id}, s.asked); diff != "" || answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("status %d, headers %v, %s", answer.StatusCode, answer.Header, diff)
	}
	go func() { s.watchedCalls <- s.request(); close(s.watchedCalls) }()
	var lines []string
	for in := bufio.NewScanner(answer.Body); in.Scan(); {
		lines = append(lines, in.Text())
	}
	if len(lines) != 5 || lines[0] != ": requests from now on" || lines[2] != "id: "+id.String() {
		t.Fatalf("%q", lines)
	}
	data, _ := strings.CutPrefix(lines[3], "data: ")
	if got := parse(t, []byte(data)); got["body"] != `{"a":"<"}` || got["method"] != "POST" {
		t.Errorf("%v", got)
	}
	s.refused(postroom.CodeInvalid, []string{"Last-Event-ID"}, "GET", "/v1/sources/crm/requests/tail", "", "Last-Event-ID", "7")
}
