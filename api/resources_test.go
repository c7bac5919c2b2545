package api

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

func TestEvents(t *testing.T) {
	s := newServer(t)
	got := s.call("GET", "/v1/events/order-1", "").Body.String()
	if !strings.HasPrefix(got, `{"id":"order-1","type":"email.opened","time":"2026-01-31T09:30:00.127Z","published_at":"`) || !strings.Contains(got, `"data":{"a":"<&>"}`) ||
		!strings.Contains(got, `"deliveries":[{"id":"dlv_`) {
		t.Error(got)
	}
	if got := s.ok(202, "POST", "/v1/events/order-1/replay", `{"webhooks":["crm"]}`); len(got["data"].([]any)) != 1 {
		t.Errorf("%v", got)
	}
	if diff := cmp.Diff([]string{"crm"}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.ok(202, "POST", "/v1/events/order-1/replay", "")
	s.refused(postroom.CodeInvalid, []string{"/webhooks/0"}, "POST", "/v1/events/order-1/replay", `{"webhooks":[7]}`)
}

func TestEventTypes(t *testing.T) {
	s := newServer(t)
	s.ok(200, "GET", "/v1/event-types", "")
	w := s.call("POST", "/v1/event-types", exampleEventType)
	if w.Code != 201 || w.Header().Get("Location") != "/v1/event-types/order.paid" || string(s.custom.Sample) != `{"order": {"id": 48213, "total": "79.90"}}` {
		t.Errorf("status %d, %v, %s", w.Code, w.Header(), s.custom.Sample)
	}
	s.ok(200, "PATCH", "/v1/event-types/order.paid", `{"description":"New.","schema":{"required":["a"]},"name":"order.paid"}`)
	if s.custom.Title != "Order paid" || s.custom.Description != "New." || string(s.custom.Schema) != `{"type":"object","required":["a"]}` {
		t.Errorf("%+v", s.custom)
	}
	s.refused(postroom.CodeInvalid, []string{"/name"}, "PATCH", "/v1/event-types/order.paid", `{"name":"order.other"}`)
	s.refused(postroom.CodeNotFound, nil, "GET", "/v1/event-types/no.such", "")
	if got := s.ok(200, "GET", "/v1/event-types/email.opened/sample", ""); got["type"] != "email.opened" {
		t.Errorf("%v", got)
	}
	s.ok(204, "DELETE", "/v1/event-types/order.paid", "")
}

func TestDeliveries(t *testing.T) {
	s := newServer(t)
	got := s.ok(200, "GET", "/v1/deliveries/dlv_x", "")
	if attempts := got["attempts"].([]any); len(attempts) != 1 || got["event_id"] != "order-1" || got["next_attempt_at"] != nil || got["last_attempt_at"] != "2026-01-31T09:30:00.127Z" {
		t.Errorf("%v", got)
	}
	s.ok(202, "POST", "/v1/deliveries/dlv_x/retry", "")
	s.ok(202, "POST", "/v1/deliveries/dlv_x/retry", "{}")
	s.refused(postroom.CodeUnknownField, []string{"/now"}, "POST", "/v1/deliveries/dlv_x/retry", `{"now":true}`)
}

func TestStats(t *testing.T) {
	s := newServer(t)
	for _, path := range []string{"/v1/stats", "/v1/webhooks/crm/stats"} {
		for query, want := range map[string]app.Span{
			"":                                       {},
			"?after=2026-01-01T00:00:00Z&by=day":     {After: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), By: "day"},
			"?period=90m&by=minute":                  {Period: 90 * time.Minute, By: "minute"},
			"?period=7d&before=2026-01-08T00:00:00Z": {Period: 7 * 24 * time.Hour, Before: time.Date(2026, 1, 8, 0, 0, 0, 0, time.UTC)},
		} {
			if got := s.ok(200, "GET", path+query, ""); !reflect.DeepEqual(got["series"], []any{}) {
				t.Errorf("%v", got)
			}
			if diff := cmp.Diff([]any{want}, s.asked); diff != "" {
				t.Errorf("%s: %s", query, diff)
			}
		}
		s.refused(postroom.CodeInvalid, []string{"?by"}, "GET", path+"?by=week", "")
		for _, period := range []string{"0s", "-1h", "week", "0d", "9999d", "d"} {
			s.refused(postroom.CodeInvalid, []string{"?period"}, "GET", path+"?period="+period, "")
		}
	}
}

func TestKeys(t *testing.T) {
	s := newServer(t)
	w := s.call("POST", "/v1/keys", `{"name":"shop","role":"publisher","expires_at":"2027-01-01T00:00:00Z"}`)
	if got := parse(t, w.Body.Bytes()); w.Code != 201 || got["key"] != "prk_new" || got["role"] != "publisher" || !strings.HasPrefix(w.Header().Get("Location"), "/v1/keys/key_") {
		t.Errorf("status %d, %v, %v", w.Code, w.Header(), got)
	}
	until := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	if diff := cmp.Diff([]any{"shop", postroom.RolePublisher, &until}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.ok(201, "POST", "/v1/keys", `{"name":"shop","role":"viewer","expires_at":null}`)
	if diff := cmp.Diff([]any{"shop", postroom.RoleViewer, (*time.Time)(nil)}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.refused(postroom.CodeInvalid, []string{"/role"}, "POST", "/v1/keys", `{"name":"shop","role":"root"}`)
	s.ok(200, "GET", "/v1/keys", "")
	s.ok(200, "GET", "/v1/keys/key_x", "")
	s.ok(204, "DELETE", "/v1/keys/key_x", "")
}

func TestMembers(t *testing.T) {
	s := newServer(t)
	got := s.ok(201, "POST", "/v1/members", `{"email":"ada@example.com","name":"Ada","role":"viewer","may_trigger":["*"]}`)
	if got["link"] != "https://example.com/sign-in/x" || got["status"] != "invited" {
		t.Errorf("%v", got)
	}
	if diff := cmp.Diff([]any{app.MemberInput{Email: "ada@example.com", MemberSettings: testMember()}}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.ok(200, "GET", "/v1/members", "")
	s.ok(200, "GET", "/v1/members/ada@example.com", "")
	if got := s.ok(200, "PATCH", "/v1/members/mem_x", `{"role":"admin","may_trigger":null}`); got["role"] != "admin" || got["name"] != "Ada" {
		t.Errorf("%v", got)
	}
	s.refused(postroom.CodeUnknownField, []string{"/email"}, "PATCH", "/v1/members/mem_x", `{"email":"b@example.com"}`)
	s.ok(204, "DELETE", "/v1/members/mem_x", "")
	s.ok(200, "POST", "/v1/members/mem_x/link", "")
}

func TestWorkspaces(t *testing.T) {
	s := newServer(t)
	got := s.ok(201, "POST", "/v1/workspaces", `{"name":"Acme"}`)
	if key := got["admin_key"].(map[string]any); got["name"] != "Acme" || key["key"] != "prk_first" || key["role"] != "admin" {
		t.Errorf("%v", got)
	}
	if got := s.ok(200, "PATCH", "/v1/workspaces/wsp_x", `{"name":"Other"}`); got["name"] != "Other" {
		t.Errorf("%v", got)
	}
	if got := s.ok(200, "PATCH", "/v1/workspaces/wsp_x", `{}`); got["name"] != "Acme" {
		t.Errorf("%v", got)
	}
	s.ok(200, "GET", "/v1/workspaces/wsp_x", "")
	s.ok(204, "DELETE", "/v1/workspaces/wsp_x", "")
}
