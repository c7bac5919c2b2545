package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func publishCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"data is kept byte for byte":              dataIsKept,
		"text that no database can hold":          unstorableText,
		"an id is published once":                 idOnce,
		"an id is published once by many at once": idOnceConcurrently,
		"NDJSON with bad lines":                   badLines,
		"a JSON array":                            jsonArray,
		"many lines in one call":                  manyLines,
		"custom event types":                      customTypes,
		"events are found by what they are":       eventFilters,
		"a tail follows what is published":        followTail,
	}
}

// lines publishes a body of NDJSON, or of another type, and reads the results.
func (x *tenant) lines(contentType, body string) []lineResult {
	x.t.Helper()
	var out struct{ Data []lineResult }
	x.s.do(x.t, call{method: http.MethodPost, path: "/v1/events", key: x.key, body: body, header: map[string]string{"Content-Type": contentType}}).
		is(x.t, http.StatusAccepted).into(x.t, &out)
	return out.Data
}

type lineResult struct {
	postroom.Published
	Error *postroom.Problem
}

// said is a result in short.
func (r lineResult) said() string {
	if r.Error == nil {
		return fmt.Sprintf("%s %v", r.ID, r.Duplicate)
	}
	pointer := ""
	for _, e := range r.Error.Errors {
		pointer += " " + e.Pointer
	}
	return fmt.Sprintf("%d %s%s", r.Error.Status, r.Error.Code, pointer)
}

func saidAll(results []lineResult) []string {
	all := make([]string, len(results))
	for i, r := range results {
		all[i] = r.said()
	}
	return all
}

func dataIsKept(x *tenant) {
	x.webhook("/hook", client.WebhookInput{})
	data := `{"z":1, "a":{"n":12345678901234567890,"f":1.50,"e":1E2},"t":"\u00e9\u2028</script>","2":[],"1":{}, "😀":"\ud83d\ude00"}`
	a := x.do(http.MethodPost, "/v1/events", `{"id":"e","type":"email.opened","data":`+data+`}`).is(x.t, http.StatusAccepted)
	if got := must(x.api.Event(x.t.Context(), "e"))(x.t); !sameJSON(string(got.Data), data) {
		x.t.Errorf("the event's data is %s, want %s", got.Data, data)
	}
	// JSON.stringify(JSON.parse(…)) of the same text.
	want := `{"1":{},"2":[],"z":1,"a":{"n":12345678901234567000,"f":1.5,"e":100},"t":"é` + "\u2028" + `</script>","😀":"😀"}`
	if got := x.r.wait(x.t, "/hook", 1)[0]; string(got.event.Data) != want {
		x.t.Errorf("%s arrived, want %s (the answer was %s)", got.event.Data, want, a.body)
	}
}

// unstorableText publishes text that PostgreSQL cannot hold, at the places that events are found by.
func unstorableText(x *tenant) {
	x.webhook("/hook", client.WebhookInput{Events: []string{"*"}})
	x.do(http.MethodPost, "/v1/event-types", `{"name":"order.paid","title":"\ud800","schema":{"const":"\u0000"},"sample":{"a":"\u0000\udfff"}}`).is(x.t, http.StatusCreated)
	x.do(http.MethodPost, "/v1/events", `{"id":"e","type":"order.paid","actor":"\ud800","ordering_key":"a\udc00b","data":{"contact":{"email":"\u0000","id":"\ud800"},"campaign":{"id":"a\u0000\udfff"},"\u0000":1}}`).
		is(x.t, http.StatusAccepted)
	if got := x.r.wait(x.t, "/hook", 1)[0]; string(got.event.Data) != `{"contact":{"email":"\u0000","id":"\ud800"},"campaign":{"id":"a\u0000\udfff"},"\u0000":1}` {
		x.t.Errorf("%s arrived", got.event.Data)
	}
	must(x.api.Event(x.t.Context(), "e"))(x.t)
	must(x.api.EventTypes(x.t.Context()))(x.t)
}

// sameJSON tells whether two texts are the same but for white space outside of strings.
func sameJSON(a, b string) bool {
	squeeze := func(s string) string {
		var out strings.Builder
		quoted := false
		for i, c := range s {
			if c == '"' && (i == 0 || s[i-1] != '\\') {
				quoted = !quoted
			}
			if quoted || c != ' ' {
				out.WriteRune(c)
			}
		}
		return out.String()
	}
	return squeeze(a) == squeeze(b)
}

func idOnce(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	first := x.publish("order-1", "email.opened", `{"n":1}`)
	second := x.publish("order-1", "email.bounced", `{"n":2}`)
	want := first
	want.Duplicate = true
	if diff := cmp.Diff(want, second); first.Duplicate || diff != "" {
		x.t.Errorf("the first answer is %+v; the second (-want +got):\n%s", first, diff)
	}
	x.settled(w.ID, postroom.DeliverySucceeded)
	third := x.publish("order-1", "email.opened", `{"n":1}`)
	if diff := cmp.Diff(want, third); diff != "" {
		x.t.Errorf("the third answer (-want +got):\n%s", diff)
	}
	if got := saidAll(x.lines("application/x-ndjson", `{"id":"order-1","type":"email.opened","data":{}}`+"\n"+`{"id":"order-2","type":"email.opened","data":{}}`+"\n"+`{"id":"order-2","type":"email.opened","data":{}}`)); fmt.Sprint(got) != "[order-1 true order-2 false order-2 true]" {
		x.t.Errorf("in one call: %v", got)
	}
	if got := x.r.wait(x.t, "/hook", 2); string(got[0].event.Data) != `{"n":1}` {
		x.t.Errorf("%s arrived", got[0].body)
	}
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 2})
}

func idOnceConcurrently(x *tenant) {
	x.webhook("/hook", client.WebhookInput{})
	const publishers, events = 8, 25
	var fresh [events]int
	var answers [events]map[string]bool
	var mu sync.Mutex
	var group sync.WaitGroup
	for range publishers {
		group.Go(func() {
			for i := range events {
				got, err := x.s.try(call{method: http.MethodPost, path: "/v1/events", key: x.key, body: fmt.Sprintf(`{"id":"e-%d","type":"email.opened","data":{}}`, i)})
				var p postroom.Published
				if err == nil {
					err = json.Unmarshal(got.body, &p)
				}
				if err != nil || got.status != http.StatusAccepted {
					x.t.Errorf("%d: %s (%v)", got.status, got.body, err)
					return
				}
				mu.Lock()
				if !p.Duplicate {
					fresh[i]++
				}
				if answers[i] == nil {
					answers[i] = map[string]bool{}
				}
				answers[i][fmt.Sprint(p.ID, p.Type, p.Time, p.Webhooks)] = true
				mu.Unlock()
			}
		})
	}
	group.Wait()
	for i := range events {
		if fresh[i] != 1 || len(answers[i]) != 1 {
			x.t.Errorf("event %d was published %d times, with the answers %v", i, fresh[i], answers[i])
		}
	}
	ids := make([]string, events)
	for i := range ids {
		ids[i] = fmt.Sprintf("e-%d", i)
	}
	arrivedOnce(x.t, x.r.wait(x.t, "/hook", events), ids)
}

func badLines(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	got := saidAll(x.lines("application/x-ndjson; charset=utf-8", strings.Join([]string{
		`{"id":"a","type":"email.opened","data":{}}`,
		``,
		`{"id":"b","type":"email.opened","data":{}`,
		`{"id":"c","type":"email.open","data":{}}`,
		`{"id":"d","type":"email.opened","data":[]}`,
		`   {"id":"e","type":"email.opened","data":{}}` + "\r",
		`{"id":"f","type":"email.opened","data":{},"colour":"red"}`,
		`"text"`,
		`{"id":"` + strings.Repeat("g", 129) + `","type":"email.opened","data":{}}`,
		`{"id":"h","type":"email.opened","data":{"long":"` + strings.Repeat("h", 1<<20) + `"}}`,
		`{"id":"i","type":"email.opened","data":{}}`,
	}, "\n")))
	want := []string{"a false", "400 bad_json /data", "422 unknown_event_type /type", "422 invalid /data", "e false", "422 unknown_field /colour", "400 bad_json ",
		"422 invalid /id", "413 too_large", "i false"}
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("the results (-want +got):\n%s", diff)
	}
	arrivedOnce(x.t, x.r.wait(x.t, "/hook", 3), []string{"a", "e", "i"})
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 3})
	if events := must(x.api.EventPage(x.t.Context(), postroom.EventFilter{}, postroom.PageQuery{}))(x.t); len(events.Data) != 3 {
		x.t.Errorf("%d events are stored, want 3", len(events.Data))
	}
}

func jsonArray(x *tenant) {
	x.webhook("/hook", client.WebhookInput{})
	got := saidAll(x.lines("application/json", `[{"id":"a","type":"email.opened","data":{}}, {"type":"email.opened"}, 7, {"id":"b","type":"email.opened","data":{}}]`))
	if diff := cmp.Diff([]string{"a false", "422 invalid /data", "400 bad_json ", "b false"}, got); diff != "" {
		x.t.Errorf("the results (-want +got):\n%s", diff)
	}
	arrivedOnce(x.t, x.r.wait(x.t, "/hook", 2), []string{"a", "b"})
	if got := x.lines("application/json", `[]`); len(got) != 0 {
		x.t.Errorf("an empty array gives %v", got)
	}
	x.do(http.MethodPost, "/v1/events", `[{"id":"c","type":"email.opened","data":{}},`).refused(x.t, 400, postroom.CodeBadJSON, "")
	if _, err := x.api.Event(x.t.Context(), "c"); !client.IsNotFound(err) {
		x.t.Errorf("the array was not whole, and its first event is stored: %v", err)
	}
}

func manyLines(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Concurrency: 32})
	const n = 1500 // more than one chunk, and than a lane keeps in memory
	ids := x.publishMany("e", "email.opened", n)
	arrivedOnce(x.t, x.r.wait(x.t, "/hook", n), ids)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: n})
}

func customTypes(x *tenant) {
	body := `{"name":"order.paid","title":"Order paid","schema":{"type":"object"},"sample":{"total":17}}`
	a := x.do(http.MethodPost, "/v1/event-types", body).is(x.t, http.StatusCreated)
	if a.header.Get("Location") != "/v1/event-types/order.paid" {
		x.t.Errorf("the Location is %q", a.header.Get("Location"))
	}
	x.do(http.MethodPost, "/v1/event-types", body).refused(x.t, 409, postroom.CodeConflict, "")
	w := x.webhook("/hook", client.WebhookInput{Events: []string{"order.paid"}})
	x.webhook("/group", client.WebhookInput{Events: []string{"order.*"}})
	x.publish("e", "order.paid", `{"total":3}`)
	x.r.wait(x.t, "/hook", 1)
	x.r.wait(x.t, "/group", 1)
	must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{Type: "order.paid"}))(x.t)
	if got := x.r.wait(x.t, "/hook", 2)[1]; string(got.event.Data) != `{"total":17}` {
		x.t.Errorf("the sample that arrived is %s", got.event.Data)
	}
	updated := must(x.api.UpdateEventType(x.t.Context(), "order.paid", map[string]any{"title": "Paid", "sample": map[string]any{"total": 18, "vat": 3}}))(x.t)
	if updated.Title != "Paid" || !sameJSON(string(updated.Sample), `{"total":18,"vat":3}`) || !updated.Custom {
		x.t.Errorf("changed: %+v", updated)
	}
	if sample := must(x.api.EventTypeSample(x.t.Context(), "order.paid"))(x.t); !strings.Contains(string(sample), `"vat":3`) {
		x.t.Errorf("the sample event is %s", sample)
	}
	listed := 0
	for _, eventType := range must(x.api.EventTypes(x.t.Context()))(x.t) {
		if eventType.Custom {
			listed++
		}
	}
	if listed != 1 {
		x.t.Errorf("%d custom types are listed", listed)
	}
	x.do(http.MethodPatch, "/v1/event-types/email.opened", `{"title":"Mine"}`).refused(x.t, 409, postroom.CodeConflict, "")
	x.do(http.MethodDelete, "/v1/event-types/email.opened", "").refused(x.t, 409, postroom.CodeConflict, "")

	if err := x.api.DeleteEventType(x.t.Context(), "order.paid"); err != nil {
		x.t.Fatal(err)
	}
	x.do(http.MethodPost, "/v1/events", `{"type":"order.paid","data":{}}`).refused(x.t, 422, postroom.CodeUnknownEventType, "/type")
	if e := must(x.api.Event(x.t.Context(), "e"))(x.t); e.Type != "order.paid" {
		x.t.Errorf("an event of a type that was deleted is %+v", e)
	}
}

func eventFilters(x *tenant) {
	x.publish("a", "email.opened", `{"contact":{"id":"c1","email":"ada@example.com"},"campaign":{"id":790}}`)
	x.publish("b", "email.bounced", `{"contact":{"id":"c2"},"campaign":{"id":"791"},"bounce":{"reason":"mailbox full"}}`)
	between := must(x.api.Event(x.t.Context(), "b"))(x.t).PublishedAt.Add(time.Millisecond)
	for !time.Now().After(between) {
		x.publish("", "inbox.created", `{}`) // until the clock has moved on
	}
	x.publish("c", "contact.updated", `{"contact":{"email":"ada@example.com"},"note":"100%_full"}`)
	at := between.UTC().Format(time.RFC3339Nano)
	for _, c := range []struct{ query, want string }{
		{"type=email.opened", "a"},
		{"type=email.*", "b a"},
		{"type=contact.*", "c"},
		{"contact=ada@example.com", "c a"},
		{"contact=c2", "b"},
		{"campaign=790", "a"},
		{"campaign=791&contact=c2", "b"},
		{"q=mailbox+full", "b"},
		{"q=%25_f", "c"},
		{"q=nothing", ""},
		{"type=email.*&before=" + at, "b a"},
		{"type=email.*&after=" + at, ""},
		{"type=contact.*&after=" + at, "c"},
	} {
		var page postroom.Page[postroom.EventResource]
		x.do(http.MethodGet, "/v1/events?"+c.query, "").is(x.t, http.StatusOK).into(x.t, &page)
		var got []string
		for _, e := range page.Data {
			got = append(got, e.ID)
		}
		if fmt.Sprint(got) != "["+c.want+"]" {
			x.t.Errorf("%s finds %v, want [%s]", c.query, got, c.want)
		}
	}
}

func followTail(x *tenant) {
	got := make(chan string, 10)
	following := x.tail("?type=email.*,contact.updated", got)
	x.publish("a", "email.opened", `{"text":"line\nbreak"}`)
	x.publish("b", "campaign.sent", `{}`)
	x.publish("c", "contact.updated", `{}`)
	for _, id := range []string{"a", "c"} {
		var e postroom.EventResource
		if err := json.Unmarshal([]byte(receive(x.t, got)), &e); err != nil || e.ID != id || e.PublishedAt.IsZero() || len(e.Data) == 0 {
			x.t.Errorf("a message is %+v (%v), want event %s", e, err, id)
		}
	}
	following()
}

// receive takes the next value of a channel.
func receive(t testing.TB, from <-chan string) string {
	t.Helper()
	timer := time.NewTimer(arrivalTimeout)
	defer timer.Stop()
	select {
	case s, ok := <-from:
		if !ok {
			t.Fatal("the stream has ended")
		}
		return s
	case <-timer.C:
		t.Fatalf("nothing came in %v", arrivalTimeout)
		return ""
	}
}
