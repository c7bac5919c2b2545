package api

import (
	"net/url"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func TestListParameters(t *testing.T) {
	s := newServer(t)
	cursor := postroom.Cursor{ID: testEventID}.String()
	s.ok(200, "GET", "/v1/events?type=email.*&after=2026-01-01T00:00:00Z&before=2026-02-01T00:00:00%2B01:00&contact=a%40b.c&campaign=790&q=x+y&limit=250&cursor="+cursor, "")
	want := []any{
		postroom.EventFilter{Type: "email.*", After: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Before: time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC), Contact: "a@b.c", Campaign: "790", Text: "x y"},
		postroom.PageQuery{Limit: 250, Cursor: cursor},
	}
	if diff := cmp.Diff(want, s.asked, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Error(diff)
	}
	s.ok(200, "GET", "/v1/events", "")
	if diff := cmp.Diff([]any{postroom.EventFilter{}, postroom.PageQuery{}}, s.asked); diff != "" {
		t.Error(diff)
	}
	for query, pointers := range map[string][]string{
		"limit=0": {"?limit"}, "limit=251": {"?limit"}, "limit=-1": {"?limit"}, "limit=ten": {"?limit"}, "limit=1e1": {"?limit"}, "limit=99999999999999999999": {"?limit"},
		"cursor=x": {"?cursor"}, "cursor=%00": {"?cursor"},
		"after=yesterday": {"?after"}, "before=2026-01-31": {"?before"}, "after=1769851800": {"?after"},
		"limit=x&cursor=y&after=z": {"?limit", "?cursor", "?after"},
		"typ=email.opened":         {"?typ"}, "Limit=5": {"?Limit"}, "a=1&b=2": {"?a", "?b"}, "limit[]=1": {"?limit[]"},
		"limit=1&limit=2": {"?limit"},
		"limit=%zz":       {"?"}, "a;b": {"?"},
	} {
		s.refused(postroom.CodeInvalid, pointers, "GET", "/v1/events?"+query, "")
	}
	s.refused(postroom.CodeInvalid, []string{"?limit"}, "GET", "/v1/keys?limit=5", "")
}

func TestDeliveryFilters(t *testing.T) {
	s := newServer(t)
	filter := postroom.DeliveryFilter{Webhook: s.webhook.ID, Event: testEventID, Type: "email.opened", Status: "failed", StatusCode: 500, After: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	const rest = "&type=email.opened&status=failed&status_code=500&after=2026-01-01T00:00:00Z"
	for _, path := range []string{
		"/v1/deliveries?webhook=crm&event=order-1" + rest, "/v1/deliveries?webhook=" + whk + "&event=" + testEventID.String() + rest,
		"/v1/webhooks/crm/deliveries?event=order-1" + rest,
	} {
		s.ok(200, "GET", path, "")
		if diff := cmp.Diff([]any{filter, postroom.PageQuery{}}, s.asked); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
	if w := s.call("GET", "/v1/deliveries/export?webhook=crm&event=order-1"+rest, ""); w.Code != 200 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if diff := cmp.Diff(filter, s.asked); diff != "" {
		t.Error(diff)
	}
	for query, pointer := range map[string]string{
		"webhook=nope": "?webhook", "event=nope": "?event", "status=lost": "?status", "status_code=600": "?status_code", "status_code=x": "?status_code", "status_code=0": "?status_code",
	} {
		s.refused(postroom.CodeInvalid, []string{pointer}, "GET", "/v1/deliveries?"+query, "")
	}
	s.refused(postroom.CodeInvalid, []string{"?webhook"}, "GET", "/v1/webhooks/crm/deliveries?webhook=crm", "")
	s.refused(postroom.CodeNotFound, nil, "GET", "/v1/webhooks/nope/deliveries", "")
}

func TestLinks(t *testing.T) {
	s := newServer(t)
	w := s.call("GET", "/v1/events?type=email.*&q=a%26b&limit=1", "")
	links := regexp.MustCompile(`<([^>]+)>; rel="(next|prev)"`).FindAllStringSubmatch(w.Header().Get("Link"), -1)
	if len(links) != 2 {
		t.Fatalf("Link: %s", w.Header().Get("Link"))
	}
	answer := parse(t, w.Body.Bytes())
	for i, name := range []string{"next_cursor", "prev_cursor"} {
		u, err := url.Parse(links[i][1])
		if err != nil {
			t.Fatal(err)
		}
		want := url.Values{"type": {"email.*"}, "q": {"a&b"}, "limit": {"1"}, "cursor": {answer[name].(string)}}
		if u.Path != "/v1/events" || !reflect.DeepEqual(u.Query(), want) {
			t.Errorf("%s: %s", name, u)
		}
		s.ok(200, "GET", links[i][1], "")
	}
	if got := s.call("GET", "/v1/webhooks", "").Header().Get("Link"); got != "" {
		t.Errorf("Link of the only page: %s", got)
	}
	if got := s.ok(200, "GET", "/v1/workspaces", ""); !reflect.DeepEqual(got, map[string]any{"data": []any{}, "next_cursor": nil, "prev_cursor": nil}) {
		t.Errorf("%v", got)
	}
}
