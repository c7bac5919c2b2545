package e2e

import (
	"encoding/json"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func payloadCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"a template makes the body":             templateMakesTheBody,
		"fields and additions change the body":  fieldsAndAdditions,
		"the log tells where null was sent":     nullIsLogged,
		"a preview is what is sent":             previewIsWhatIsSent,
		"a body that is too large fails":        bodyTooLarge,
		"a template of one's own types is made": ownTypesHaveTemplates,
	}
}

// builder is the template that the payload builder of an email product begins with.
const builder = `{
  "event_type": "{event_type}",
  "timestamp": "{timestamp}",
  "subscriber": {
    "id": "{subscriber_id}",
    "email": "{subscriber_email}",
    "first_name": "{subscriber_first_name}",
    "custom_field": "{subscriber_custom_field_company}"
  },
  "campaign": {"id": "{campaign_id}", "name": "{campaign_name}"},
  "custom_data": {"your_field": "<your> & {subscriber_email}", "10": 1}
}`

func templateOf(text string) *postroom.Payload {
	return &postroom.Payload{Template: json.RawMessage(text)}
}

func templateMakesTheBody(x *tenant) {
	w := x.webhook("/crm", client.WebhookInput{Payload: templateOf(builder)})
	x.publish("order-17", "email.opened", `{"contact":{"id":501,"email":"renée@example.com","custom_fields":{"company":"A & B\u2028"}},"campaign":{"id":790.0}}`)
	got := x.r.wait(x.t, "/crm", 1)[0] // its signature is checked
	d := x.settled(w.ID, postroom.DeliverySucceeded)[0]
	shown := must(x.api.Delivery(x.t.Context(), d.ID.String()))(x.t)
	var event struct{ Timestamp string }
	if err := json.Unmarshal(got.body, &event); err != nil {
		x.t.Fatal(err)
	}
	want := `{"event_type":"email.opened","timestamp":"` + event.Timestamp + `","subscriber":{"id":501,"email":"renée@example.com","first_name":null,` +
		`"custom_field":"A & B` + "\u2028" + `"},"campaign":{"id":790,"name":null},"custom_data":{"10":1,"your_field":"<your> & renée@example.com"}}`
	if string(got.body) != want {
		x.t.Errorf("the body is\n%s\nwant\n%s", got.body, want)
	}
	if a := shown.Attempts[0]; a.Request.Body != want || a.Notes != nil {
		x.t.Errorf("the log has %s, %v", a.Request.Body, a.Notes)
	}

	// What was written is shown as it was, and is replaced as a whole.
	read := must(x.api.Webhook(x.t.Context(), w.ID.String()))(x.t)
	if !strings.Contains(string(read.Payload.Template), `"<your> & {subscriber_email}"`) {
		x.t.Errorf("the template is shown as %s", read.Payload.Template)
	}
	must(x.api.UpdateWebhook(x.t.Context(), w.ID.String(), 0, map[string]any{"payload": templateOf(`{"id":"{event_id}","none":null}`)}))(x.t)
	x.publish("order-18", "email.opened", `{}`)
	if got := x.r.wait(x.t, "/crm", 2)[1]; string(got.body) != `{"id":"order-18","none":null}` {
		x.t.Errorf("after a change the body is %s", got.body)
	}
}

func fieldsAndAdditions(x *tenant) {
	x.webhook("/crm", client.WebhookInput{Payload: &postroom.Payload{Fields: []string{"data.contact.email", "type"},
		Add: json.RawMessage(`{"tenant":"{workspace_id}","data":{"opens":"{data.counts.opens|0}"}}`)}})
	x.publish("order-17", "email.opened", `{"counts":{"opens":3},"contact":{"id":501,"email":"ada@example.com"}}`)
	want := `{"type":"email.opened","data":{"contact":{"email":"ada@example.com"},"opens":3},"tenant":"` + x.id + `"}`
	if got := x.r.wait(x.t, "/crm", 1)[0]; string(got.body) != want {
		x.t.Errorf("the body is\n%s\nwant\n%s", got.body, want)
	}
}

func nullIsLogged(x *tenant) {
	w := x.webhook("/crm", client.WebhookInput{Payload: templateOf(`{"sum":"{data.counts.opens * 2.5}","ok":1}`)})
	x.publish("order-17", "email.opened", `{"counts":{"opens":3}}`)
	if got := x.r.wait(x.t, "/crm", 1)[0]; string(got.body) != `{"sum":null,"ok":1}` {
		x.t.Errorf("the body is %s", got.body)
	}
	d := x.settled(w.ID, postroom.DeliverySucceeded)[0]
	shown := must(x.api.Delivery(x.t.Context(), d.ID.String()))(x.t)
	want := []postroom.FieldError{{Pointer: "/payload/template/sum", Detail: "{data.counts.opens * 2.5} failed: no such overload"}}
	if diff := cmp.Diff(want, shown.Attempts[0].Notes); diff != "" {
		x.t.Error(diff)
	}
}

func previewIsWhatIsSent(x *tenant) {
	w := x.webhook("/crm", client.WebhookInput{Payload: templateOf(builder), Auth: &postroom.Auth{Type: postroom.AuthBearer, Token: "t0ken"}, Headers: map[string]string{"x-a": "b"}})
	x.publish("order-17", "email.opened", `{"contact":{"id":501,"email":"ada@example.com"}}`)
	sent := x.r.wait(x.t, "/crm", 1)[0]
	shown := must(x.api.PreviewWebhook(x.t.Context(), w.ID.String(), client.PreviewInput{Event: "order-17"}))(x.t)
	if shown.Request.Body != string(sent.body) || shown.Request.Method != "POST" || shown.Request.URL != x.r.url("/crm") || shown.Event.ID != "order-17" || len(shown.Notes) != 0 {
		x.t.Errorf("shown %+v, and %s was sent", shown, sent.body)
	}
	headers := map[string]string{}
	for _, h := range shown.Request.Headers {
		headers[h.Name] = h.Value
	}
	for name, want := range map[string]string{"Authorization": "***", "X-A": "b", "Webhook-Id": "order-17", "Content-Type": "application/json", "Postroom-Attempt": "1"} {
		if headers[name] != want {
			x.t.Errorf("%s is %q, want %q", name, headers[name], want)
		}
	}
	call := arrival{body: []byte(shown.Request.Body), header: sent.header.Clone()}
	for _, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		call.header.Set(name, headers[name])
	}
	if err := verifies(x.t, call, w.Secret); err != nil {
		x.t.Errorf("the signature that is shown: %v", err)
	}

	// Another payload, of a sample, and of a webhook that is not there.
	tried := must(x.api.PreviewWebhook(x.t.Context(), w.ID.String(), client.PreviewInput{Type: "email.clicked", Payload: templateOf(`{"url":"{data.link.url}","bad":"{unix('soon')}"}`)}))(x.t)
	if !strings.HasPrefix(tried.Request.Body, `{"url":"https://`) || len(tried.Notes) != 1 || tried.Notes[0].Pointer != "/payload/template/bad" {
		x.t.Errorf("tried: %+v", tried)
	}
	fresh := must(x.api.PreviewSettings(x.t.Context(), client.WebhookInput{Events: []string{"inbox.*"}}, client.PreviewInput{Payload: &postroom.Payload{Fields: []string{"data.inbox.name", "type"}}}))(x.t)
	if fresh.Event.Type != "inbox.created" || !strings.HasPrefix(fresh.Request.Body, `{"type":"inbox.created","data":{"inbox":{"name":"`) {
		x.t.Errorf("not there yet: %+v", fresh)
	}
	if bare := must(x.api.PreviewSettings(x.t.Context(), client.WebhookInput{}, client.PreviewInput{Type: "campaign.sent"}))(x.t); bare.Event.Type != "campaign.sent" {
		x.t.Errorf("of nothing: %+v", bare)
	}
	if n := len(x.deliveries(w.ID)); n != 1 {
		x.t.Errorf("previews made deliveries: there are %d", n)
	}
}

func bodyTooLarge(x *tenant) {
	w := x.webhook("/crm", client.WebhookInput{Payload: templateOf(`["` + strings.Repeat("{data['x']}", 200) + `"]`), Retry: &client.RetryInput{Schedule: []postroom.Duration{}}})
	x.publish("order-17", "email.opened", `{"x":"`+strings.Repeat("y", 20_000)+`"}`)
	d := x.settled(w.ID, postroom.DeliveryFailed)[0]
	shown := must(x.api.Delivery(x.t.Context(), d.ID.String()))(x.t)
	if a := shown.Attempts[0]; a.Error == nil || a.Error.Kind != "payload" || !strings.Contains(a.Error.Message, "more than 1048576 bytes") || a.Request.Body != "" || a.Response != nil {
		x.t.Errorf("%+v, %v", a, a.Error)
	}
}

func ownTypesHaveTemplates(x *tenant) {
	const template = `{"name":"n","url":"{url}","events":["order.paid"],"payload":{"template":{"total":"{data.order.totl}"}}}`
	body := strings.Replace(template, "{url}", x.r.url("/crm"), 1)
	x.do("POST", "/v1/event-types", `{"name":"order.paid","schema":{"properties":{"order":{"properties":{"total":{"type":"number"}}}}}}`).is(x.t, 201)
	p := x.do("POST", "/v1/webhooks", body).is(x.t, 422).problem(x.t)
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/payload/template/total" || !strings.Contains(p.Errors[0].Detail, "did you mean total?") {
		x.t.Errorf("%+v", p)
	}
	x.do("PATCH", "/v1/event-types/order.paid", `{"schema":null}`).is(x.t, 200)
	x.do("POST", "/v1/webhooks", body).is(x.t, 201)
}
