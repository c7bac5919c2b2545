package ui

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/store"
)

// hostileText is what must never become markup.
const hostileText = `<script>alert("'x'")</script>`

// delivered is a site with a webhook and deliveries to it: one that failed, with an attempt, and one that succeeded.
type delivered struct {
	*site
	db           *store.Store
	who          app.Caller
	webhook      postroom.WebhookID
	event        postroom.EventID
	failed, good postroom.DeliveryID
}

const hostileData = `{"contact":{"email":"ada@example.com"},"big":12345678901234567890.10,"text":"<script>alert(\"'x'\")</script>"}`

func newDelivered(t *testing.T) *delivered {
	t.Helper()
	s := newSite(t)
	x := &delivered{site: s, db: s.app.Store.(*store.Store)}
	all, err := s.app.Store.Workspaces(t.Context())
	s.must(err)
	x.who = app.Caller{Workspace: all[0].ID, Role: postroom.RoleAdmin}
	now := time.Now()
	w := postroom.StoredWebhook{Webhook: postroom.Webhook{ID: postroom.Next[postroom.WebhookKind](s.app.IDs, now), WorkspaceID: x.who.Workspace, Status: postroom.WebhookActive,
		Version: 1, CreatedAt: postroom.Timestamp{Time: now}, UpdatedAt: postroom.Timestamp{Time: now},
		WebhookSettings: postroom.WebhookSettings{Name: "CRM " + hostileText, URL: "https://example.com/hooks", Events: []string{"*"}, Dialect: "standard"}}}
	s.must(x.db.CreateWebhook(t.Context(), &w, postroom.StoredSecret{Secret: postroom.Secret{ID: postroom.Next[postroom.SigningSecretKind](s.app.IDs, now)}, Sealed: []byte("x")}))
	x.webhook = w.ID
	x.failed = x.deliver("order-1", postroom.Outcome{State: postroom.StateFailed}, postroom.Attempt{StatusCode: 500,
		Response: &postroom.Response{StatusCode: 500, Headers: []postroom.Header{{Name: "X-Evil", Value: hostileText}}, Body: []byte(hostileText)},
		Error:    &postroom.AttemptError{Kind: "status", Message: "The receiver answered 500 " + hostileText}})
	x.good = x.deliver("", postroom.Outcome{State: postroom.StateSucceeded}, postroom.Attempt{StatusCode: 200, Response: &postroom.Response{StatusCode: 200, Body: []byte(`{"ok":true}`)}})
	return x
}

// deliver stores an event with a delivery whose one attempt ends in an outcome.
func (x *delivered) deliver(uid string, outcome postroom.Outcome, made postroom.Attempt) postroom.DeliveryID {
	x.t.Helper()
	now := time.Now()
	e := &postroom.Event{ID: postroom.Next[postroom.EventKind](x.app.IDs, now), WorkspaceID: x.who.Workspace, UID: uid, Type: "email.opened", Time: now, Contact: "ada@example.com", Data: []byte(hostileData)}
	if x.event.IsZero() {
		x.event = e.ID
	}
	id := postroom.Next[postroom.DeliveryKind](x.app.IDs, now)
	lease := now.Add(time.Minute)
	x.must(x.db.Publish(x.t.Context(), []*postroom.Publication{{Event: e, Deliveries: []postroom.NewDelivery{{ID: id, WebhookID: x.webhook, State: postroom.StateLeased, DueAt: lease}}}}))
	made.DeliveryID, made.Number, made.At, made.Duration = id, 1, now, 234*time.Millisecond
	made.Phases = postroom.Phases{DNS: 5 * time.Millisecond, Connect: 20 * time.Millisecond, TLS: 30 * time.Millisecond, FirstByte: 150 * time.Millisecond, Total: 234 * time.Millisecond}
	made.Request = postroom.SentRequest{Method: "POST", URL: "https://example.com/hooks?key=" + postroom.Redacted, Body: []byte(hostileData),
		Headers: []postroom.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "Authorization", Value: "Bearer " + postroom.Redacted}, {Name: "X-It's", Value: hostileText}}}
	health := &postroom.Health{}
	if outcome.State == postroom.StateFailed {
		health = &postroom.Health{Failures: 5, FailedDeliveries: 1, FailingSince: now}
	}
	x.must(x.db.Finish(x.t.Context(), []*postroom.Finish{{Job: &postroom.Job{DeliveryID: id, WebhookID: x.webhook, Event: e, Claim: 1, LeaseUntil: lease}, Attempt: &made, Outcome: outcome, Health: health}}))
	return id
}

// safe checks that no hostileText text has become markup.
func (b *browser) safe() {
	b.t.Helper()
	if strings.Contains(b.page, "<script>alert") || strings.Contains(b.page, "<script>x") {
		b.t.Errorf("%s has markup that comes from data", b.url)
	}
}

func TestDeliveriesAreFiltered(t *testing.T) {
	x := newDelivered(t)
	b := x.admin()
	failed, good := `id="`+x.failed.String()+`"`, `id="`+x.good.String()+`"`
	now := time.Now().UTC()
	for query, wants := range map[string][2]bool{
		"": {true, true}, "status=failed": {true, false}, "status=succeeded": {false, true}, "status=pending": {false, false}, "status_code=500": {true, false},
		"webhook=" + x.webhook.String(): {true, true}, "event=order-1": {true, false}, "event=" + x.event.String(): {true, false}, "type=email.*": {true, true},
		"type=email.sent": {false, false}, "since=1h": {true, true}, "after=" + now.Add(time.Hour).Format("2006-01-02T15:04"): {false, false},
		"before=" + now.Add(-time.Hour).Format("2006-01-02T15:04"): {false, false}, "live=on&status=failed": {true, false},
	} {
		b.open("/deliveries?" + query)
		b.sees(http.StatusOK)
		b.safe()
		if got := [2]bool{strings.Contains(b.page, failed), strings.Contains(b.page, good)}; got != wants {
			t.Errorf("%s shows failed and good: %v, want %v", query, got, wants)
		}
		b.do(b.request(http.MethodGet, "/deliveries?webhook=&"+query, nil, "HX-Request", "true", "HX-Target", "results", "HX-Trigger", "filter"))
		b.sees(http.StatusOK)
		if strings.Contains(b.page, "<h1>") || !strings.Contains(b.page, `id="results"`) || strings.Contains(b.header.Get("HX-Push-Url"), "webhook=&") {
			t.Errorf("%s gives htmx %s, at %s", query, b.page, b.header.Get("HX-Push-Url"))
		}
	}
	b.open("/deliveries?status=lost&status_code=7&since=x&after=never&webhook=none&event=none&type=%25")
	b.sees(http.StatusUnprocessableEntity, "one of the statuses", "from 100 to 599", "such as 24h", "no such webhook", "no such event")
	b.open("/deliveries?type=%25&cursor=")
	b.sees(http.StatusUnprocessableEntity, `id="f-type-error"`)
	b.open("/deliveries?cursor=nonsense")
	b.sees(http.StatusUnprocessableEntity, "not a cursor")
	b.open("/deliveries?status=failed&status_code=404")
	b.sees(http.StatusOK, "No delivery fits", "can be chosen by webhook, type, status and time")
}

func TestOneDelivery(t *testing.T) {
	x := newDelivered(t)
	b := x.admin()
	b.open("/deliveries/" + x.failed.String())
	b.sees(http.StatusOK, "The receiver answered 500", "The log has its answer.", "First byte", "150 ms", "234 ms", "order-1", "12345678901234567890.10", "Retry now",
		"Authorization: Bearer &lt;secret&gt;", `<rect class="phase-connect" x="21"`)
	b.safe()
	if strings.Contains(b.page, "Bearer "+postroom.Redacted+"&#39;") {
		t.Error("the curl command has what the log left out")
	}
	b.open("/deliveries/" + x.failed.String() + "/attempts/1/response")
	if b.page != hostileText || b.header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(b.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("the answer is %q, %v", b.page, b.header)
	}
	b.open("/deliveries/" + x.failed.String() + "/attempts/1/request")
	if b.page != hostileData {
		t.Errorf("the body sent is %q", b.page)
	}
	b.open("/deliveries/" + x.failed.String() + "/attempts/9/request")
	b.sees(http.StatusNotFound)
	b.open("/deliveries/none")
	b.sees(http.StatusNotFound)

	viewer := x.member(postroom.RoleViewer)
	viewer.open("/deliveries/" + x.failed.String())
	viewer.sees(http.StatusOK)
	if strings.Contains(viewer.page, "Retry now") {
		t.Error("a viewer is shown what they may not do")
	}
	viewer.send("/deliveries/" + x.failed.String() + "/retry")
	viewer.sees(http.StatusForbidden)

	b.send("/deliveries/" + x.failed.String() + "/retry")
	b.at("/deliveries/" + x.failed.String())
	b.sees(http.StatusOK, "It is being attempted again.", `hx-trigger="every 2s"`)
	b.do(b.request(http.MethodGet, "/deliveries/"+x.failed.String()+"?seen=0", nil, "HX-Request", "true", "HX-Target", "results"))
	b.sees(http.StatusNoContent)
}

func TestCurl(t *testing.T) {
	got := curl(postroom.SentRequest{Method: "POST", URL: "https://example.com/?a=b&c='d'", Headers: []postroom.Header{{Name: "Host", Value: "x"}, {Name: "X", Value: "it's"}}, Body: []byte(`{"a":"b'c"}`)})
	want := "curl -X 'POST' 'https://example.com/?a=b&c='\\''d'\\''' \\\n  -H 'X: it'\\''s' \\\n  --data-raw '{\"a\":\"b'\\''c\"}'"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestExport(t *testing.T) {
	x := newDelivered(t)
	b := x.member(postroom.RoleViewer)
	b.open("/deliveries/export?status=failed")
	lines := bufio.NewScanner(strings.NewReader(b.page))
	n := 0
	for ; lines.Scan(); n++ {
		var d postroom.DeliveryResource
		x.must(json.Unmarshal(lines.Bytes(), &d))
		if d.ID != x.failed || d.EventID != "order-1" || d.LastStatusCode != 500 {
			t.Errorf("the line is %s", lines.Bytes())
		}
	}
	if n != 1 || b.header.Get("Content-Disposition") != `attachment; filename="deliveries.ndjson"` {
		t.Errorf("%d lines, %v", n, b.header)
	}
	b.open("/deliveries/export?format=csv")
	rows, err := csv.NewReader(strings.NewReader(b.page)).ReadAll()
	x.must(err)
	if len(rows) != 3 || rows[0][0] != "id" || rows[2][0] != x.failed.String() {
		t.Errorf("the rows are %v", rows)
	}
	b.open("/deliveries/export?format=xml")
	b.sees(http.StatusUnprocessableEntity, "ndjson or csv")
	b.open("/deliveries/export?status_code=x")
	b.sees(http.StatusUnprocessableEntity)
}

func TestReplayOfWhatTheFilterShows(t *testing.T) {
	x := newDelivered(t)
	b := x.admin()
	b.open("/deliveries/replay?status=failed&webhook=" + x.webhook.String())
	b.sees(http.StatusOK, "1 delivery would be made again", "Deliver 1 again")
	b.safe()
	fields := []string{"webhook", x.webhook.String(), "status", "failed", "before", time.Now().UTC().Format(time.RFC3339Nano)}
	viewer := x.member(postroom.RoleViewer)
	viewer.open("/deliveries/replay?status=failed")
	viewer.sees(http.StatusOK, "An administrator can start this.")
	viewer.send("/deliveries/replays", fields...)
	viewer.sees(http.StatusForbidden)
	b.send("/deliveries/replays", fields...)
	b.sees(http.StatusOK, "They are being delivered again.", "1 of 1 were made to wait again", "not begun yet", "Cancel the replay")
	path := b.url.Path
	b.send(path + "/cancel")
	b.at(path)
	b.sees(http.StatusOK, "The replay is cancelled.", "Taken back")
	b.open("/deliveries/replays")
	b.sees(http.StatusOK, path, "cancelled")
	for query, want := range map[string]string{"status=pending": "will be delivered anyway", "event=order-1": "open it and replay it there", "status_code=500": "not by status code"} {
		b.open("/deliveries/replay?" + query)
		b.sees(http.StatusOK, want)
	}
	b.send("/deliveries/replays", "status_code", "500")
	b.sees(http.StatusUnprocessableEntity, "not by status code")
	b.open("/deliveries/replay?type=email.sent")
	b.sees(http.StatusOK, "Nothing to deliver again")
}

func TestOverviewTellsWhatNeedsAttention(t *testing.T) {
	x := newDelivered(t)
	b := x.admin()
	x.deliver("", postroom.Outcome{State: postroom.StateFailed}, postroom.Attempt{Error: &postroom.AttemptError{Kind: "timeout", Message: "It took too long."}})
	for _, span := range []string{"", "?range=1h", "?range=24h", "?range=7d", "?range=30d", "?range=x"} {
		b.open("/" + span)
		b.sees(http.StatusOK, "has failed 5 times in a row", "See the failures", "/deliveries?webhook="+x.webhook.String()+"&amp;status=failed", "Newest failures", "/deliveries/"+x.failed.String(), "First steps", "Create a source")
		b.safe()
		for _, name := range []string{"deliveries", "latency"} {
			b.open("/overview/" + name + ".json" + span)
			var l chart
			x.must(json.Unmarshal([]byte(b.page), &l))
			if len(l.Times) == 0 || len(l.Times) != len(l.Series[0].Values) {
				t.Errorf("the chart of %s %s is %s", name, span, b.page)
			}
		}
	}
	_, err := x.app.PauseWebhook(t.Context(), x.who, x.webhook.String(), "For the weekend")
	x.must(err)
	b.open("/")
	b.sees(http.StatusOK, "is paused", "For the weekend. It holds nothing.", "/webhooks/"+x.webhook.String())
}

func TestEventPages(t *testing.T) {
	x := newDelivered(t)
	b := x.admin()
	at := `href="/events/` + x.event.String() + `"`
	for query, want := range map[string]bool{"": true, "type=email.*": true, "contact=ada@example.com": true, "contact=x": false, "q=alert(": true, "q=nothing": false, "campaign=1": false,
		"since=1h": true, "live=on": true} {
		b.open("/events?" + strings.ReplaceAll(query, "(", "%28"))
		b.sees(http.StatusOK)
		b.safe()
		if got := strings.Contains(b.page, at); got != want {
			t.Errorf("%s shows the event: %t", query, got)
		}
	}
	b.open("/events?type=%25&since=x")
	b.sees(http.StatusUnprocessableEntity, "such as 24h")
	b.open("/events?id=none")
	b.sees(http.StatusUnprocessableEntity, "no event with this id")
	b.open("/events?id=order-1")
	b.at("/events/" + x.event.String())
	b.sees(http.StatusOK, "order-1", "12345678901234567890.10", "/deliveries/"+x.failed.String(), "a call of the API", "Deliver again", html.EscapeString(hostileText))
	b.safe()
	b.open("/events/" + x.event.String() + "/data")
	if b.page != hostileData {
		t.Errorf("the data is %s", b.page)
	}
	b.open("/events/" + x.event.String())
	b.send("/events/" + x.event.String() + "/replay")
	b.sees(http.StatusUnprocessableEntity, "choose the webhooks")
	b.send("/events/"+x.event.String()+"/replay", "webhooks", x.webhook.String())
	b.sees(http.StatusOK, "It is being delivered again.", "pending")
	viewer := x.member(postroom.RoleViewer)
	viewer.open("/events/" + x.event.String())
	if viewer.sees(http.StatusOK); strings.Contains(viewer.page, "Deliver again") || strings.Contains(viewer.page, "Publish another") {
		t.Error("a viewer is shown what they may not do")
	}
}

func TestPublishByHand(t *testing.T) {
	s := newSite(t)
	b := s.member(postroom.RolePublisher)
	b.open("/events/new?type=email.clicked")
	b.sees(http.StatusOK, `<option value="email.clicked" selected>`, "&#34;contact&#34;")
	b.do(b.request(http.MethodGet, "/events/new?type=campaign.sent", nil, "HX-Request", "true", "HX-Target", "written"))
	b.sees(http.StatusOK, `id="written"`, "campaign")
	b.open("/events/new")
	b.send("/events", "type", "email.nothing", "data", "{", "once", "1")
	b.sees(http.StatusUnprocessableEntity, "invalid JSON at line 1", `id="f-data-error"`)
	b.send("/events", "type", "email.nothing", "data", "{}", "once", "1")
	b.sees(http.StatusUnprocessableEntity, "there is no event type", `id="f-type-error"`)
	b.send("/events", "type", "email.opened", "data", "[]", "id", "a b", "time", "soon", "once", "1")
	b.sees(http.StatusUnprocessableEntity, "a time in UTC")
	b.send("/events", "type", "email.opened", "data", "[]", "id", "a b", "once", "1")
	b.sees(http.StatusUnprocessableEntity, "data is a JSON object", "without spaces")
	b.send("/events", "type", "email.opened", "data", `{"n":1.10}`, "id", hostileText[:8], "once", "1", "time", "2026-03-01T09:30")
	b.sees(http.StatusOK, "no webhook subscribes to it", "1.10", "publisher@example.com")
	path := b.url.Path
	for range 2 {
		b.send("/events", "type", "email.opened", "data", `{}`, "once", "2")
		b.sees(http.StatusOK, "email.opened")
	}
	if b.url.Path == path || !strings.Contains(b.page, "published before") {
		t.Errorf("a form that is sent twice publishes twice: %s", b.url)
	}
}

func TestEventTypes(t *testing.T) {
	s := newSite(t)
	b := s.admin()
	b.open("/event-types")
	b.sees(http.StatusOK, "email.bounced", "postroom.delivery.failed")
	b.open("/event-types/email.bounced")
	b.sees(http.StatusOK, "JSON Schema", "&#34;bounce&#34;")
	b.open("/event-types/email.bounced/edit")
	b.sees(http.StatusConflict)
	b.open("/event-types/none")
	b.sees(http.StatusNotFound)
	b.open("/event-types/new")
	b.send("/event-types", "name", "order paid", "schema", "{", "sample", "[]")
	b.sees(http.StatusUnprocessableEntity, "this is no JSON", `id="f-schema-error"`)
	b.send("/event-types", "name", "order paid", "sample", "[]")
	b.sees(http.StatusUnprocessableEntity, "cannot be an event type", "this is a JSON object")
	b.send("/event-types", "name", "order.paid", "title", "Paid "+hostileText, "description", "one\r\ntwo", "sample", `{"total":1.10}`)
	b.at("/event-types/order.paid")
	b.sees(http.StatusOK, "declared", "1.10")
	b.safe()
	b.open("/event-types/order.paid/edit")
	b.sees(http.StatusOK, "1.10")
	b.send("/event-types/order.paid", "title", strings.Repeat("x", 300))
	b.sees(http.StatusUnprocessableEntity, "at most 200")
	b.send("/event-types/order.paid", "title", "Paid")
	b.sees(http.StatusOK, "changed")
	publisher := s.member(postroom.RolePublisher)
	publisher.open("/event-types/order.paid")
	if strings.Contains(publisher.page, "/delete") {
		t.Error("a publisher is shown what they may not do")
	}
	b.send("/event-types/" + url.PathEscape("order.paid") + "/delete")
	b.at("/event-types")
	b.sees(http.StatusOK, "is deleted")
}
