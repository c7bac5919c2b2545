package e2e

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func logCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"the log shows what was sent and what came back": deliveryLog,
		"long and binary answers are kept in part":       longAnswers,
		"statistics count":                               statistics,
		"exports hold every delivery":                    exports,
		"deliveries are found by what they are":          deliveryFilters,
	}
}

func deliveryLog(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Headers: map[string]string{"X-Tenant": "production"}})
	x.r.answer("/hook", func(a arrival) reply {
		if a.times == 1 {
			return reply{status: 500, body: "out of order", header: map[string]string{"X-Reason": "paper"}}
		}
		return reply{body: `{"ok":true}`}
	})
	began := time.Now().Truncate(time.Millisecond)
	x.publish("e", "email.opened", `{"contact":{"email":"ada@example.com"}}`)
	d := x.settled(w.ID, postroom.DeliverySucceeded)[0]
	if d.EventID != "e" || d.EventType != "email.opened" || d.WebhookID != w.ID || d.Test || d.LastAttemptAt == nil ||
		d.CreatedAt.Before(began) || d.CreatedAt.After(time.Now()) || len(d.Attempts) != 2 {
		x.t.Fatalf("the delivery is %+v", d)
	}
	got := x.r.wait(x.t, "/hook", 2)
	for i, a := range d.Attempts {
		if a.Request.Method != "POST" || a.Request.URL != x.r.url("/hook") || a.Request.Body != string(got[i].body) {
			x.t.Errorf("attempt %d logs the request %+v, and %s arrived", a.Number, a.Request, got[i].body)
		}
		logged := map[string]string{}
		for _, h := range a.Request.Headers {
			logged[http.CanonicalHeaderKey(h.Name)] = h.Value
		}
		for name := range got[i].header {
			if value, ok := logged[name]; name != "Content-Length" && name != "Accept-Encoding" && (!ok || value != got[i].header.Get(name)) {
				x.t.Errorf("attempt %d logs %s as %q, and %q arrived", a.Number, name, value, got[i].header.Get(name))
			}
		}
		p := a.PhasesMs
		if p.Total <= 0 || p.FirstByte <= 0 || a.DurationMs != p.Total || p.Connect+p.FirstByte > p.Total+1 || p.TLS != 0 {
			x.t.Errorf("attempt %d took %v ms, in phases %+v", a.Number, a.DurationMs, p)
		}
	}
	first, second := d.Attempts[0], d.Attempts[1]
	if first.PhasesMs.Connect <= 0 || second.PhasesMs.Connect != 0 {
		x.t.Errorf("connecting took %v ms and then %v ms, want none on a connection that is open", first.PhasesMs.Connect, second.PhasesMs.Connect)
	}
	if first.Error == nil || first.Error.Kind != "status" || !strings.Contains(first.Error.Message, "500") || first.Response.Body != "out of order" ||
		first.Response.StatusCode != 500 || !hasHeader(first.Response.Headers, "X-Reason", "paper") {
		x.t.Errorf("the first attempt is logged as %+v, %+v", first.Response, first.Error)
	}
	if second.Error != nil || second.Response.Body != `{"ok":true}` || second.Response.Truncated {
		x.t.Errorf("the second attempt is logged as %+v, %+v", second.Response, second.Error)
	}

	event := must(x.api.Event(x.t.Context(), "e"))(x.t)
	if len(event.Deliveries) != 1 || event.Deliveries[0].ID != d.ID || string(event.Data) != `{"contact":{"email":"ada@example.com"}}` {
		x.t.Errorf("the event is %+v", event)
	}
}

func hasHeader(headers []postroom.Header, name, value string) bool {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) && h.Value == value {
			return true
		}
	}
	return false
}

func longAnswers(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	for name, c := range map[string]struct {
		sent, text string
		raw        []byte
		truncated  bool
	}{
		"whole":  {sent: strings.Repeat("a", 16<<10), text: strings.Repeat("a", 16<<10)},
		"long":   {sent: strings.Repeat("b", 1<<20), text: strings.Repeat("b", 16<<10), truncated: true},
		"binary": {sent: "\x00\xff\xfe", raw: []byte("\x00\xff\xfe")},
		"zeros":  {sent: "a\x00b", text: "a\x00b"},
		"cut":    {sent: strings.Repeat("é", 10<<10) + "x", text: strings.Repeat("é", 8<<10), truncated: true},
		"empty":  {},
	} {
		x.r.answer("/hook", always(reply{status: 200, body: c.sent}))
		got := must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{}))(x.t)
		switch {
		case got.Error != nil || got.Response == nil:
			x.t.Errorf("%s: %+v", name, got)
		case got.Response.Body != c.text || !bytes.Equal(got.Response.BodyBase64, c.raw) || got.Response.Truncated != c.truncated:
			x.t.Errorf("%s: %d bytes of text and %q are kept, truncated %v", name, len(got.Response.Body), got.Response.BodyBase64, got.Response.Truncated)
		}
	}
}

func statistics(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Retry: quick(1)})
	other := x.webhook("/other", client.WebhookInput{Events: []string{"contact.*"}})
	x.r.answer("/hook", func(a arrival) reply {
		if a.event.Type == "email.bounced" || a.event.Type == "email.clicked" && a.times == 1 {
			return reply{status: 503}
		}
		return reply{}
	})
	for _, eventType := range []string{"email.opened", "email.clicked", "email.bounced", "contact.updated"} {
		x.publish("", eventType, `{}`)
	}
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 2, postroom.DeliveryFailed: 1})
	x.counted(other.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 1})
	for name, c := range map[string]struct {
		got                                  postroom.Stats
		attempts, succeeded, failed, retried int64
	}{
		"webhook":   {must(x.api.WebhookStats(x.t.Context(), w.ID.String(), client.StatsQuery{By: "minute"}))(x.t), 5, 2, 1, 2},
		"workspace": {must(x.api.Stats(x.t.Context(), client.StatsQuery{}))(x.t), 6, 3, 1, 2},
		"before":    {must(x.api.Stats(x.t.Context(), client.StatsQuery{Before: time.Now().Add(-time.Hour)}))(x.t), 0, 0, 0, 0},
	} {
		s := c.got
		if s.Attempts != c.attempts || s.Succeeded != c.succeeded || s.Failed != c.failed || s.Retried != c.retried || s.Waiting != 0 {
			x.t.Errorf("%s: %d attempts, %d succeeded, %d failed, %d retried, %d wait; want %d, %d, %d, %d, 0",
				name, s.Attempts, s.Succeeded, s.Failed, s.Retried, s.Waiting, c.attempts, c.succeeded, c.failed, c.retried)
		}
		var sum postroom.StatsPoint
		for _, p := range s.Series {
			sum.Attempts, sum.Succeeded, sum.Failed, sum.Retried = sum.Attempts+p.Attempts, sum.Succeeded+p.Succeeded, sum.Failed+p.Failed, sum.Retried+p.Retried
		}
		if sum.Attempts != s.Attempts || sum.Succeeded != s.Succeeded || sum.Failed != s.Failed || sum.Retried != s.Retried {
			x.t.Errorf("%s: the series sums up to %+v, the totals are %+v", name, sum, s)
		}
		if s.Attempts > 0 && (s.LatencyMs.Mean <= 0 || s.LatencyMs.P50 <= 0 || s.LatencyMs.P99 < s.LatencyMs.P50 || s.LastAt == nil || s.LastStatus == 0) {
			x.t.Errorf("%s: %+v", name, s)
		}
	}
}

func exports(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{UID: "crm"})
	x.webhook("/other", client.WebhookInput{})
	x.publishMany("=e", "email.opened", 300) // more than a page, and ids that a spreadsheet would run
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 300})

	a := x.do(http.MethodGet, "/v1/deliveries/export?format=ndjson&webhook=crm", "").is(x.t, http.StatusOK)
	var got []string
	for in := bufio.NewScanner(bytes.NewReader(a.body)); in.Scan(); {
		var d postroom.DeliveryResource
		if err := json.Unmarshal(in.Bytes(), &d); err != nil || d.WebhookID != w.ID || d.Status != postroom.DeliverySucceeded {
			x.t.Fatalf("a line is %s (%v)", in.Text(), err)
		}
		got = append(got, d.ID.String())
	}
	var want []string
	for _, d := range x.deliveries(w.ID) {
		want = append(want, d.ID.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("the export differs from the list (-list +export):\n%s", diff)
	}
	if kind := a.header.Get("Content-Type"); kind != "application/x-ndjson" {
		x.t.Errorf("the content type is %s", kind)
	}

	a = x.do(http.MethodGet, "/v1/deliveries/export?format=csv", "").is(x.t, http.StatusOK)
	rows := must(csv.NewReader(bytes.NewReader(a.body)).ReadAll())(x.t)
	if len(rows) != 601 || rows[0][0] != "id" || rows[1][3] != "'=e-299" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
		x.t.Errorf("there are %d rows, such as %q and %q", len(rows), rows[0], rows[1])
	}
	if none := x.do(http.MethodGet, "/v1/deliveries/export?type=contact.updated", "").is(x.t, http.StatusOK); len(none.body) != 0 {
		x.t.Errorf("nothing is exported as %s", none.body)
	}
}

func deliveryFilters(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Retry: quick(0), UID: "crm"})
	other := x.webhook("/other", client.WebhookInput{Events: []string{"email.*", "contact.*"}})
	x.r.answer("/hook", func(a arrival) reply {
		if a.event.Type == "email.bounced" {
			return reply{status: 418}
		}
		return reply{}
	})
	x.publish("a", "email.opened", `{}`)
	x.publish("b", "email.bounced", `{}`)
	x.publish("c", "contact.updated", `{}`)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 1, postroom.DeliveryFailed: 1})
	x.counted(other.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 3})
	for _, c := range []struct{ query, want string }{
		{"", "c b b a a"},
		{"webhook=crm", "b a"},
		{"webhook=" + other.ID.String(), "c b a"},
		{"event=b", "b b"},
		{"status=failed", "b"},
		{"status=succeeded&webhook=crm", "a"},
		{"status=held", ""},
		{"status_code=418", "b"},
		{"type=contact.updated", "c"},
		{"type=email.*&webhook=crm", "b a"},
		{"before=2020-01-01T00:00:00Z", ""},
		{"after=2020-01-01T00:00:00Z&status_code=204&type=email.bounced", "b"},
	} {
		var page postroom.Page[postroom.DeliveryResource]
		x.do(http.MethodGet, "/v1/deliveries?"+c.query, "").is(x.t, http.StatusOK).into(x.t, &page)
		var got []string
		for _, d := range page.Data {
			got = append(got, d.EventID)
		}
		if fmt.Sprint(got) != "["+c.want+"]" {
			x.t.Errorf("%s finds the deliveries of %v, want [%s]", c.query, got, c.want)
		}
	}
	var page postroom.Page[postroom.DeliveryResource]
	x.do(http.MethodGet, "/v1/webhooks/crm/deliveries?status=failed", "").is(x.t, http.StatusOK).into(x.t, &page)
	if len(page.Data) != 1 || page.Data[0].EventID != "b" || page.Data[0].WebhookID != w.ID {
		x.t.Errorf("the webhook's own list gives %+v", page.Data)
	}
}
