package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// doc is a JSON object that is written down.
type doc map[string]any

// source makes a source that has all that is not said by default.
func (x *tenant) source(in doc) postroom.Source {
	x.t.Helper()
	if in["name"] == nil {
		in["name"] = "Signup form"
	}
	return must(x.api.CreateSource(x.t.Context(), in))(x.t)
}

// target is the path and the query of a source's URL.
func target(t testing.TB, s postroom.Source) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u.RequestURI()
}

// heard is the answer to a call that a source took.
type heard struct {
	Success   bool   `json:"success"`
	Message   string `json:"message"`
	Processed int    `json:"processed_records"`
	RequestID string `json:"request_id"`
}

// post posts JSON to a source, and checks the status.
func (x *tenant) post(s postroom.Source, body string, status int, headers ...string) (got heard) {
	x.t.Helper()
	h := map[string]string{}
	for i := 0; i < len(headers); i += 2 {
		h[headers[i]] = headers[i+1]
	}
	x.s.do(x.t, call{method: http.MethodPost, path: target(x.t, s), body: body, header: h}).is(x.t, status).into(x.t, &got)
	if !got.Success || got.RequestID == "" {
		x.t.Fatalf("the answer is not whole: %+v", got)
	}
	return got
}

// request is the log of a request.
func (x *tenant) request(id string) postroom.SourceRequest {
	x.t.Helper()
	return must(x.api.Request(x.t.Context(), id))(x.t)
}

// add is an action that makes a contact.
func add(more doc) doc {
	all := doc{"type": "add_subscriber"}
	for name, value := range more {
		all[name] = value
	}
	return all
}

// The examples of the seed.
const (
	seedAdded = `{
  "event": "subscriber_added",
  "timestamp": "2024-01-15T10:30:00Z",
  "data": {
    "subscriber_id": 123,
    "email": "john@example.com",
    "first_name": "John",
    "last_name": "Doe",
    "list_id": 1,
    "status": "subscribed",
    "source": "form_submission",
    "custom_fields": {
      "company": "Acme Corp",
      "phone": "+1234567890"
    }
  }
}`
	seedOpened = `{
  "event": "email_opened",
  "timestamp": "2024-01-15T11:45:00Z",
  "data": {
    "subscriber_id": 123,
    "subscriber_email": "john@example.com",
    "campaign_id": 456,
    "campaign_name": "January Newsletter",
    "device_type": "desktop",
    "email_client": "Gmail",
    "ip_address": "192.168.1.1",
    "user_agent": "Mozilla/5.0...",
    "open_count": 1
  }
}`
)

// TestIntakeSeed sends the examples of the seed to URLs of its form: a contact is made, tagged and on the list, and the events arrive at a webhook.
func TestIntakeSeed(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		x := newTenant(t, startServer(t, set))
		x.webhook("/hook", client.WebhookInput{Events: []string{"contact.*", "email.*"}})
		s := x.source(doc{"kind": "cloudcusp", "api_key": doc{"header": "X-API-Key", "key": "the-key-of-this-source-0001"},
			"actions": []doc{add(doc{"lists": []string{"Newsletter"}, "tags": []string{"lead", "vip"}, "when": `event.type == "contact.created"`})}})
		query := target(t, s)[strings.IndexByte(target(t, s), '?'):]
		path := "/wp-json/ccsp-mailer/v1/webhooks/" + s.ID.String() + query
		call := call{method: http.MethodPost, path: path, body: seedAdded, header: map[string]string{"X-API-Key": "the-key-of-this-source-0001"}}
		var got heard
		x.s.do(t, call).is(t, http.StatusOK).into(t, &got)
		if !got.Success || got.Processed != 1 || got.Message == "" {
			t.Errorf("the answer is %+v", got)
		}
		call.body = seedOpened
		x.s.do(t, call).is(t, http.StatusOK)

		types, data := map[string]int{}, map[string]json.RawMessage{}
		for _, a := range x.r.wait(t, "/hook", 5) {
			types[a.event.Type]++
			data[a.event.Type] = a.event.Data
		}
		if want := map[string]int{"contact.created": 1, "contact.tagged": 2, "contact.subscribed": 1, "email.opened": 1}; fmt.Sprint(types) != fmt.Sprint(want) {
			t.Errorf("arrived are %v, want %v", types, want)
		}
		var made struct{ Contact postroom.Contact }
		if err := json.Unmarshal(data["contact.created"], &made); err != nil {
			t.Fatal(err)
		}
		john := made.Contact
		if john.Email != "john@example.com" || john.FirstName != "John" || john.LastName != "Doe" || john.Status != postroom.ContactSubscribed || john.Source != "form_submission" ||
			!slices.Equal(john.Tags, []string{"lead", "vip"}) || len(john.Lists) != 1 || john.Lists[0].Name != "Newsletter" || string(john.CustomFields["company"]) != `"Acme Corp"` {
			t.Errorf("the contact is %s", data["contact.created"])
		}
		for _, part := range []string{`"email":"john@example.com"`, `"name":"January Newsletter"`, `"ip_address":"192.168.1.1"`, `"opens":1`} {
			if !strings.Contains(string(data["email.opened"]), part) {
				t.Errorf("the event of the open %s has no %s", data["email.opened"], part)
			}
		}
		r := x.request(got.RequestID)
		if r.Status != postroom.StatusProcessed || r.Records != 1 || r.EventType != "contact.created" || r.Sender != "127.0.0.1" || r.Body == nil || *r.Body != seedAdded ||
			len(r.Actions) != 1 || r.Actions[0].Outcome != postroom.OutcomeDone || r.Answer == nil || r.Answer.StatusCode != 200 {
			t.Errorf("the log is %+v", r)
		}
		for _, h := range r.Headers {
			if strings.Contains(h.Value, "the-key") {
				t.Errorf("the log keeps the key in %s", h.Name)
			}
		}
		if strings.Contains(r.Path, strings.TrimPrefix(query, "?token=")) {
			t.Errorf("the log keeps the token: %s", r.Path)
		}
	})
}

// TestIntakeRefuses checks that whoever proves nothing hears the same, whatever is wrong, and that the log says what it was, within a bound.
func TestIntakeRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		x := newTenant(t, startServer(t, set))
		s := x.source(doc{"signature": doc{"scheme": "hmac", "header": "X-Webhook-Signature", "prefix": "sha256=", "secret": "a secret of the signature"}})
		path := target(t, s)
		nowhere := call{method: http.MethodPost, path: "/in/src_01kehgx4r0f9kr6vwvag6pqrgh?token=x", body: "{}"}
		want := x.s.do(t, nowhere)
		want.refused(t, http.StatusUnauthorized, postroom.CodeUnauthenticated, "")
		for _, wrong := range []call{
			{path: "/in/" + s.ID.String()}, {path: path}, {path: path + "x"}, {path: "/in/nonsense"}, {path: "/wp-json/ccsp-mailer/v1/webhooks/1"},
			{path: path, header: map[string]string{"X-Webhook-Signature": "sha256=00"}},
		} {
			wrong.method, wrong.body = http.MethodPost, "{}"
			if got := x.s.do(t, wrong); got.status != want.status || string(got.body) != string(want.body) {
				t.Errorf("%s is answered %d %s, and no source %s", wrong.path, got.status, got.body, want.body)
			}
		}
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for range 20 {
					if _, err := x.s.try(call{method: http.MethodPost, path: path, body: "{}"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		callers.Wait()
		kinds := map[string]int{}
		testenv.Eventually(t, arrivalTimeout, func() error {
			clear(kinds)
			for r, err := range x.api.Requests(t.Context(), client.RequestFilter{Source: s.ID.String(), Status: postroom.StatusRefused}) {
				if err != nil {
					return err
				}
				kinds[r.Error.Kind]++
			}
			if kinds["missing"]+kinds["mismatch"]+kinds["malformed"] != 60 {
				return fmt.Errorf("in the log are %v, want 60", kinds)
			}
			return nil
		})
		if kinds["missing"] == 0 || kinds["mismatch"] == 0 {
			t.Errorf("the log says %v", kinds)
		}
		metrics := string(x.s.do(t, call{method: http.MethodGet, path: "/metrics"}).body)
		for _, line := range []string{`postroom_intake_requests_total{outcome="refused"} 164`, `postroom_intake_requests_total{outcome="unknown"} 3`, `postroom_intake_unlogged_total 104`} {
			if !strings.Contains(metrics, line+"\n") {
				t.Errorf("the metrics have no line %s", line)
			}
		}
	})
}

// TestIntakeTwice sends the same call from many connections at once: it is acted on once.
func TestIntakeTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		x := newTenant(t, startServer(t, set))
		x.webhook("/hook", client.WebhookInput{Events: []string{"contact.*"}})
		s := x.source(doc{"actions": []doc{add(doc{"tags": []string{"once"}})}})
		const n = 32
		var callers sync.WaitGroup
		for range n {
			callers.Go(func() {
				got, err := x.s.try(call{method: http.MethodPost, path: target(t, s), body: `{"email":"ada@example.com"}`, header: map[string]string{"Webhook-Id": "msg_1"}})
				if err != nil || got.status != http.StatusOK && got.status != http.StatusAccepted { // 202 where the machine is slow
					t.Errorf("a call is answered %d %s: %v", got.status, got.body, err)
				}
			})
		}
		callers.Wait()
		x.r.wait(t, "/hook", 2)
		testenv.Eventually(t, arrivalTimeout, func() error {
			states := map[postroom.RequestStatus]int{}
			for r, err := range x.api.Requests(t.Context(), client.RequestFilter{Source: s.ID.String()}) {
				if err != nil {
					return err
				}
				states[r.Status]++
			}
			if states[postroom.StatusProcessed] != 1 || states[postroom.StatusDuplicate] != n-1 {
				return fmt.Errorf("the log has %v", states)
			}
			return nil
		})
		x.post(s, `{"email":"bob@example.com"}`, 200, "Webhook-Id", "msg_2")
		x.r.wait(t, "/hook", 4)
	})
}

// TestIntakeFails has requests fail until the workspace is told, mends the source, and has them tried again.
func TestIntakeFails(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		x := newTenant(t, startServer(t, set))
		x.webhook("/hook", client.WebhookInput{Events: []string{"contact.*", "postroom.source.failing"}})
		s := x.source(doc{"mapping": []doc{{"from": "mail", "to": "email"}}, "actions": []doc{add(nil)}})
		var ids []string
		for i := range 6 {
			answer := x.post(s, fmt.Sprintf(`{"address":"p%d@example.com"}`, i), http.StatusAccepted)
			if answer.Processed != 0 {
				t.Errorf("the sender hears %+v", answer)
			}
			ids = append(ids, answer.RequestID)
		}
		told := x.r.wait(t, "/hook", 1)[0]
		if told.event.Type != "postroom.source.failing" || !strings.Contains(string(told.event.Data), `"failures":5`) {
			t.Errorf("told is %s %s", told.event.Type, told.event.Data)
		}
		r := x.request(ids[0])
		if r.Status != postroom.StatusRetrying || r.Error == nil || r.Error.Action != 1 || r.NextAttemptAt == nil || r.Attempts != 1 {
			t.Errorf("the log is %+v with %+v", r, r.Error)
		}
		must(x.api.UpdateSource(t.Context(), s.ID.String(), 0, doc{"mapping": []doc{{"from": "address", "to": "email"}}}))(t)
		for _, id := range ids {
			must(x.api.RetryRequest(t.Context(), id))(t)
		}
		x.r.wait(t, "/hook", 7)
		testenv.Eventually(t, arrivalTimeout, func() error {
			for _, id := range ids {
				if r := x.request(id); r.Status != postroom.StatusProcessed || r.Records != 1 || r.Error != nil || r.Attempts != 2 {
					return fmt.Errorf("the request %s is %+v", id, r)
				}
			}
			return nil
		})
		sent := must(x.api.ResendRequest(t.Context(), ids[0]))(t)
		if sent.Status != postroom.StatusProcessed || sent.ResentFrom == nil || sent.ResentFrom.String() != ids[0] {
			t.Errorf("sent again it is %+v", sent)
		}
		x.s.do(t, call{method: http.MethodPost, path: target(t, s), body: `{"address":`}).refused(t, http.StatusBadRequest, postroom.CodeBadJSON, "")
	})
}

// TestIntakeCallsAPI checks that the call of an action is a delivery, with a log and retries, whose failures undo nothing and have nothing done again.
func TestIntakeCallsAPI(t *testing.T) {
	onBoth(t, func(t *testing.T, set settings) {
		x := newTenant(t, startServer(t, set))
		x.r.answer("/crm", failing(1, http.StatusBadGateway))
		s := x.source(doc{"event_type": "contact.created", "actions": []doc{
			add(nil),
			{"type": "call_api", "call": doc{"url": x.r.url("/crm"), "method": "PUT", "headers": doc{"X-Tenant": "one"}, "auth": doc{"type": "bearer", "token": "the-token"},
				"payload": doc{"template": doc{"who": "{data.contact.email}", "from": "{data.source.name}", "total": "{data.data.total}"}},
				"retry":   doc{"schedule": []string{"100ms"}, "jitter": 0}}},
			{"type": "apply_tag", "tags": []string{"after"}},
		}})
		answer := x.post(s, `{"email":"ada@example.com","total":12.5}`, http.StatusOK)
		calls := x.r.wait(t, "/crm", 2)
		for _, a := range calls {
			if string(a.body) != `{"from":"Signup form","total":12.5,"who":"ada@example.com"}` ||
				a.method != "PUT" || a.header.Get("X-Tenant") != "one" || a.header.Get("Authorization") != "Bearer the-token" {
				t.Errorf("the call is %s %s with %v", a.method, a.body, a.header)
			}
		}
		r := x.request(answer.RequestID)
		if len(r.Actions) != 3 || r.Actions[1].Outcome != postroom.OutcomeQueued || r.Actions[1].DeliveryID == nil || r.Actions[2].Outcome != postroom.OutcomeDone || r.Records != 1 {
			t.Fatalf("the log is %+v", r.Actions)
		}
		testenv.Eventually(t, arrivalTimeout, func() error {
			d := must(x.api.Delivery(t.Context(), r.Actions[1].DeliveryID.String()))(t)
			if d.Status != postroom.DeliverySucceeded || len(d.Attempts) != 2 || d.Attempts[0].StatusCode != http.StatusBadGateway || d.EventType != "postroom.action.called" {
				return fmt.Errorf("the delivery is %+v", d)
			}
			return nil
		})
		for w, err := range x.api.Webhooks(t.Context()) {
			t.Errorf("the webhook of the call is in the list: %+v, %v", w, err)
		}
		if again := x.request(answer.RequestID); again.Attempts != 1 || len(again.Events) != len(r.Events) {
			t.Errorf("after the call has failed once, the request is %+v", again)
		}
	})
}
