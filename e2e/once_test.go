package e2e

import (
	"net/http"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

func onceCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"a call with an Idempotency-Key is made once": callOnce,
		"a call that runs is not made again":          callInFlight,
		"publishing with an Idempotency-Key":          publishOnce,
		"a refusal is replayed too":                   refusalOnce,
		"keys of workspaces are apart":                onceApart,
	}
}

// keyed makes a call with an Idempotency-Key.
func (x *tenant) keyed(key, path, body string) answer {
	x.t.Helper()
	return x.s.do(x.t, call{method: http.MethodPost, path: path, key: x.key, body: body, header: map[string]string{"Idempotency-Key": key}})
}

func (x *tenant) webhookBody() string {
	return `{"name":"CRM","url":"` + x.r.url("/hook") + `","events":["email.*"]}`
}

func callOnce(x *tenant) {
	first := x.keyed("k1", "/v1/webhooks", x.webhookBody()).is(x.t, http.StatusCreated)
	second := x.keyed("k1", "/v1/webhooks", x.webhookBody()).is(x.t, http.StatusCreated)
	if string(first.body) != string(second.body) || second.header.Get("ETag") != first.header.Get("ETag") || second.header.Get("Location") != first.header.Get("Location") {
		x.t.Errorf("the second answer is %s, want the first, %s", second.body, first.body)
	}
	if first.header.Get("Idempotency-Replayed") != "" || second.header.Get("Idempotency-Replayed") != "true" {
		x.t.Errorf("Idempotency-Replayed is %q and then %q", first.header.Get("Idempotency-Replayed"), second.header.Get("Idempotency-Replayed"))
	}
	x.keyed("k1", "/v1/webhooks", strings.Replace(x.webhookBody(), "CRM", "ERP", 1)).refused(x.t, 422, postroom.CodeIdempotencyReuse, "")
	x.keyed("k1", "/v1/keys", `{"name":"k","role":"viewer"}`).refused(x.t, 422, postroom.CodeIdempotencyReuse, "")
	if page := must(x.api.WebhookPage(x.t.Context(), postroom.PageQuery{}))(x.t); len(page.Data) != 1 {
		x.t.Errorf("there are %d webhooks, want 1", len(page.Data))
	}
	if keys := must(x.api.Keys(x.t.Context()))(x.t); len(keys) != 1 {
		x.t.Errorf("there are %d keys, want 1", len(keys))
	}
}

func callInFlight(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Timeout: postroom.Duration(time.Minute)})
	let := make(chan struct{})
	x.r.answer("/hook", func(arrival) reply {
		<-let
		return reply{}
	})
	path := "/v1/webhooks/" + w.ID.String() + "/test"
	first := make(chan answer)
	go func() {
		defer close(first)
		a, err := x.s.try(call{method: http.MethodPost, path: path, key: x.key, header: map[string]string{"Idempotency-Key": "slow"}})
		if err != nil {
			x.t.Error(err)
		}
		first <- a
	}()
	x.r.wait(x.t, "/hook", 1)
	x.keyed("slow", path, "").refused(x.t, 409, postroom.CodeInFlight, "")
	close(let)
	a := <-first
	again := x.keyed("slow", path, "").is(x.t, http.StatusOK)
	if string(again.body) != string(a.body) || a.status != http.StatusOK {
		x.t.Errorf("the answer is %s and then %s", a.body, again.body)
	}
	x.r.wait(x.t, "/hook", 1)
}

func publishOnce(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	const event = `{"type":"email.opened","data":{}}`
	first := x.keyed("one", "/v1/events", event).is(x.t, http.StatusAccepted)
	second := x.keyed("one", "/v1/events", event).is(x.t, http.StatusAccepted)
	if string(first.body) != string(second.body) {
		x.t.Errorf("the second answer is %s, want %s", second.body, first.body)
	}
	x.keyed("one", "/v1/events", `{"type":"email.sent","data":{}}`).refused(x.t, 422, postroom.CodeIdempotencyReuse, "")

	// Several at once: one is made, and the others are told that it runs, or get its answer.
	answers := make(chan answer)
	const callers = 8
	lines := strings.Repeat(event+"\n", 300)
	for range callers {
		go func() {
			a, err := x.s.try(call{method: http.MethodPost, path: "/v1/events", key: x.key, body: lines,
				header: map[string]string{"Idempotency-Key": "many", "Content-Type": "application/x-ndjson"}})
			if err != nil {
				x.t.Error(err)
			}
			answers <- a
		}()
	}
	body := ""
	for range callers {
		a := <-answers
		switch {
		case a.status == http.StatusConflict:
			a.refused(x.t, 409, postroom.CodeInFlight, "")
		case a.status != http.StatusAccepted || body != "" && body != string(a.body):
			x.t.Errorf("the answers differ: %d %s and %s", a.status, a.body, body)
		default:
			body = string(a.body)
		}
	}
	if n := strings.Count(body, `"duplicate":false`); n != 300 {
		x.t.Errorf("%d of 300 events were taken", n)
	}
	x.r.wait(x.t, "/hook", 301)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 301})
}

func refusalOnce(x *tenant) {
	first := x.keyed("bad", "/v1/event-types", `{"name":"no good"}`)
	first.refused(x.t, 422, postroom.CodeInvalid, "/name")
	second := x.keyed("bad", "/v1/event-types", `{"name":"no good"}`)
	second.refused(x.t, 422, postroom.CodeInvalid, "/name")
	if second.header.Get("Idempotency-Replayed") != "true" || string(first.body) != string(second.body) {
		x.t.Errorf("a refusal is not replayed: %s", second.body)
	}
	for _, key := range []string{strings.Repeat("k", 256), "with space", "ümlaut"} {
		x.keyed(key, "/v1/event-types", `{"name":"order.paid"}`).refused(x.t, 422, postroom.CodeInvalid, "Idempotency-Key")
	}
	x.do(http.MethodGet, "/v1/event-types/order.paid", "").refused(x.t, 404, postroom.CodeNotFound, "")
}

func onceApart(x *tenant) {
	other := newTenant(x.t, x.s)
	var one, two struct{ ID string }
	x.keyed("same", "/v1/keys", `{"name":"k","role":"viewer"}`).is(x.t, http.StatusCreated).into(x.t, &one)
	a := other.keyed("same", "/v1/keys", `{"name":"k","role":"viewer"}`).is(x.t, http.StatusCreated)
	a.into(x.t, &two)
	if one.ID == two.ID || a.header.Get("Idempotency-Replayed") != "" {
		x.t.Error("a workspace got the answer of another")
	}
}
