package e2e

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

func deliveryCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"an event arrives signed":            anEventArrives,
		"patterns choose the webhooks":       patternsChoose,
		"a filter chooses among events":      filterChooses,
		"a webhook sends what it is told to": webhookSettings,
		"secrets rotate with an overlap":     secretsRotate,
		"a private key signs too":            ed25519Signs,
		"a test sends one event now":         webhookTest,
		"an event is replayed":               eventReplay,
		"a webhook is replayed":              webhookReplay,
		"a changed webhook is used at once":  webhookChange,
		"a slow receiver delays nobody else": slowReceiver,
		"a rate limit is kept":               rateLimit,
	}
}

func anEventArrives(x *tenant) {
	w := x.webhook("/crm", client.WebhookInput{})
	published := must(x.api.Publish(x.t.Context(), client.NewEvent{ID: "order-17", Type: "email.opened", Actor: "shop",
		Time: time.Date(2026, 1, 31, 9, 30, 0, 123e6, time.UTC),
		Data: map[string]any{"contact": map[string]any{"email": "renée@example.com", "note": "<&>\u2028"}}}))(x.t)
	want := postroom.Published{ID: "order-17", Type: "email.opened", Time: postroom.Timestamp{Time: time.Date(2026, 1, 31, 9, 30, 0, 123e6, time.UTC)},
		Webhooks: []postroom.WebhookID{w.ID}}
	if diff := cmp.Diff(want, published); diff != "" {
		x.t.Errorf("the answer (-want +got):\n%s", diff)
	}

	got := x.r.wait(x.t, "/crm", 1)[0]
	body := `{"type":"email.opened","timestamp":"2026-01-31T09:30:00.123Z","data":{"contact":{"email":"renée@example.com","note":"<&>` + "\u2028" + `"}}}`
	if string(got.body) != body {
		x.t.Errorf("the body is\n%s\nwant\n%s", got.body, body)
	}
	d := x.settled(w.ID, postroom.DeliverySucceeded)[0]
	for name, want := range map[string]string{
		"Webhook-Id": "order-17", "Content-Type": "application/json", "Postroom-Delivery": d.ID.String(), "Postroom-Attempt": "1",
	} {
		if value := got.header.Get(name); value != want {
			x.t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	if agent := got.header.Get("User-Agent"); !strings.HasPrefix(agent, "Postroom/") {
		x.t.Errorf("the User-Agent is %q", agent)
	}
	if got.method != http.MethodPost {
		x.t.Errorf("the method is %s", got.method)
	}
}

func patternsChoose(x *tenant) {
	want := map[string][]string{ // by path, the events in order
		"/exact": {"email.opened"}, "/two": {"email.opened", "contact.updated"}, "/group": {"email.sent", "email.opened"},
		"/all": {"email.sent", "email.opened", "contact.updated"}, "/overlapping": {"email.sent", "email.opened", "contact.updated"}, "/none": nil,
	}
	patterns := map[string][]string{"/exact": {"email.opened"}, "/two": {"email.opened", "contact.updated"}, "/group": {"email.*"}, "/all": {"*"},
		"/overlapping": {"*", "email.*", "email.opened"}, "/none": {"campaign.*"}}
	paths := map[postroom.WebhookID]string{}
	for path, events := range patterns {
		paths[x.webhook(path, client.WebhookInput{Events: events}).ID] = path
	}
	for _, eventType := range []string{"email.sent", "email.opened", "contact.updated"} {
		chosen := map[string]bool{}
		for _, id := range x.publish("", eventType, `{}`).Webhooks {
			chosen[paths[id]] = true
		}
		for path, types := range want {
			if strings.Contains(strings.Join(types, " "), eventType) != chosen[path] {
				x.t.Errorf("%s: the answer names %v", eventType, chosen)
			}
		}
	}
	for path, types := range want {
		got := map[string]int{}
		for _, a := range x.r.wait(x.t, path, len(types)) {
			got[a.event.Type]++
		}
		for _, eventType := range types {
			if got[eventType] != 1 {
				x.t.Errorf("%s got %v", path, got)
			}
		}
	}
	if none := x.publish("", "inbox.created", `{}`); none.Webhooks == nil || len(none.Webhooks) != 1+1 {
		x.t.Errorf("inbox.created goes to %v, want the two that subscribe to all", none.Webhooks)
	}
}

func filterChooses(x *tenant) {
	x.webhook("/campaign", client.WebhookInput{Filter: "event.data.campaign.id == 790"})
	x.webhook("/contact", client.WebhookInput{Filter: `event.type == "email.opened" && event.data.contact.email.endsWith("@example.com")`})
	x.webhook("/fails", client.WebhookInput{Filter: "event.data.n / 0 == 1"})
	for id, data := range map[string]string{
		"both": `{"campaign":{"id":790},"contact":{"email":"ada@example.com"}}`, "neither": `{"campaign":{"id":"790"},"contact":{"email":"ada@example.org"}}`, "nothing": `{"n":1}`,
	} {
		if got := x.publish(id, "email.opened", data); len(got.Webhooks) != map[string]int{"both": 2}[id] {
			x.t.Errorf("%s goes to %v", id, got.Webhooks)
		}
	}
	x.r.wait(x.t, "/campaign", 1)
	x.r.wait(x.t, "/contact", 1)
	x.r.wait(x.t, "/fails", 0)
}

func webhookSettings(x *tenant) {
	for path, c := range map[string]struct {
		in     client.WebhookInput
		header map[string]string
		uri    string
	}{
		"/none":    {in: client.WebhookInput{Headers: map[string]string{"x-tenant": "production"}, Method: "PUT"}, header: map[string]string{"X-Tenant": "production"}},
		"/bearer":  {in: client.WebhookInput{Auth: &postroom.Auth{Type: "bearer", Token: "t0ken-hush"}}, header: map[string]string{"Authorization": "Bearer t0ken-hush"}},
		"/basic":   {in: client.WebhookInput{Auth: &postroom.Auth{Type: "basic", Username: "ada", Password: "hush"}}, header: map[string]string{"Authorization": "Basic YWRhOmh1c2g="}},
		"/key":     {in: client.WebhookInput{Auth: &postroom.Auth{Type: "api_key", Key: "k-hush"}}, header: map[string]string{"X-Api-Key": "k-hush"}},
		"/own-key": {in: client.WebhookInput{Auth: &postroom.Auth{Type: "api_key", Header: "X-Mine", Key: "k-hush"}}, header: map[string]string{"X-Mine": "k-hush"}},
		"/header":  {in: client.WebhookInput{Auth: &postroom.Auth{Type: "header", Headers: map[string]string{"X-A": "a-hush", "X-B": "b-hush"}}}, header: map[string]string{"X-A": "a-hush", "X-B": "b-hush"}},
		"/query":   {in: client.WebhookInput{URL: x.r.url("/query?a=b"), Auth: &postroom.Auth{Type: "query", Query: map[string]string{"token": "q-hush"}}}, uri: "/query?a=b&token=q-hush"},
	} {
		x.t.Run(path[1:], func(t *testing.T) {
			c.in.Events = []string{"postroom.test"} // it takes only its test
			w := x.webhook(path, c.in)
			must(x.api.TestWebhook(t.Context(), w.ID.String(), client.TestInput{}))(t)
			got := x.r.wait(t, path, 1)[0]
			for name, want := range c.header {
				if value := got.header.Get(name); value != want {
					t.Errorf("%s is %q, want %q", name, value, want)
				}
			}
			if c.uri != "" && got.uri != c.uri {
				t.Errorf("the URL is %s, want %s", got.uri, c.uri)
			}
			if c.in.Method != "" && got.method != c.in.Method {
				t.Errorf("the method is %s, want %s", got.method, c.in.Method)
			}
			// What is secret is shown nowhere.
			d := x.settled(w.ID, postroom.DeliverySucceeded)[0]
			for _, shown := range []string{"/v1/webhooks/" + w.ID.String(), "/v1/webhooks", "/v1/deliveries/" + d.ID.String()} {
				if text := string(x.do(http.MethodGet, shown, "").is(t, http.StatusOK).body); strings.Contains(text, "hush") || strings.Contains(text, "aHVzaA") || strings.Contains(text, "odXNo") {
					t.Errorf("%s shows a secret value: %s", shown, text)
				}
			}
		})
	}
}

func secretsRotate(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	x.publish("before", "email.opened", `{}`)
	x.r.wait(x.t, "/hook", 1)

	second := must(x.api.RotateSecret(x.t.Context(), w.ID.String(), client.RotateInput{}))(x.t)
	x.publish("overlap", "email.opened", `{}`)
	both := x.r.wait(x.t, "/hook", 2)[1]
	if n := len(strings.Fields(both.header.Get("Webhook-Signature"))); n != 2 {
		x.t.Errorf("a call is signed %d times while two secrets overlap", n)
	}
	for name, secret := range map[string]string{"old": w.Secret, "new": second.Value} {
		if err := verifies(x.t, both, secret); err != nil {
			x.t.Errorf("the %s secret does not verify a call of the overlap: %v", name, err)
		}
	}
	secrets := must(x.api.WebhookSecrets(x.t.Context(), w.ID.String()))(x.t)
	if len(secrets) != 2 || secrets[0].ID != second.ID || secrets[0].ExpiresAt != nil || secrets[1].ExpiresAt == nil {
		x.t.Fatalf("the secrets are %+v", secrets)
	}
	if left := time.Until(secrets[1].ExpiresAt.Time); left < 23*time.Hour || left > 24*time.Hour {
		x.t.Errorf("the old secret signs for %v more, want 24h", left)
	}
	if now := must(x.api.Webhook(x.t.Context(), w.ID.String()))(x.t); now.Secrets != 2 {
		x.t.Errorf("the webhook has %d secrets", now.Secrets)
	}

	x.r.expect(x.t, "/hook", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	none := postroom.Duration(0)
	own := must(x.api.RotateSecret(x.t.Context(), w.ID.String(), client.RotateInput{Secret: "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", Overlap: &none}))(x.t)
	x.publish("after", "email.opened", `{}`)
	after := x.r.wait(x.t, "/hook", 3)[2]
	if err := verifies(x.t, after, own.Value); err != nil {
		x.t.Errorf("the newest secret does not verify: %v", err)
	}
	for _, secret := range []string{w.Secret, second.Value} {
		if verifies(x.t, after, secret) == nil {
			x.t.Error("a secret that was replaced without an overlap still signs")
		}
	}
}

func ed25519Signs(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	secret := must(x.api.RotateSecret(x.t.Context(), w.ID.String(), client.RotateInput{Kind: postroom.SecretEd25519}))(x.t)
	if !strings.HasPrefix(secret.Value, "whsk_") || !strings.HasPrefix(secret.PublicKey, "whpk_") {
		x.t.Fatalf("the secret is %+v", secret)
	}
	public := must(base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.PublicKey, "whpk_")))(x.t)
	x.publish("e", "email.opened", `{}`)
	got := x.r.wait(x.t, "/hook", 1)[0] // the HMAC signature of the old secret was verified
	signed := got.id + "." + got.header.Get("Webhook-Timestamp") + "." + string(got.body)
	for _, signature := range strings.Fields(got.header.Get("Webhook-Signature")) {
		if text, ok := strings.CutPrefix(signature, "v1a,"); ok {
			if !ed25519.Verify(public, []byte(signed), must(base64.StdEncoding.DecodeString(text))(x.t)) {
				x.t.Error("the ed25519 signature is wrong")
			}
			return
		}
	}
	x.t.Errorf("there is no ed25519 signature in %q", got.header.Get("Webhook-Signature"))
}

func webhookTest(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Events: []string{"campaign.sent"}, Status: postroom.WebhookPaused, Retry: quick(3)})
	x.r.answer("/hook", func(a arrival) reply {
		if a.event.Type == "email.bounced" {
			return reply{status: 500, body: "broken"}
		}
		return reply{body: "thanks", header: map[string]string{"X-Seen": "yes"}}
	})
	good := must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{}))(x.t)
	if good.StatusCode != 200 || good.Error != nil || good.Number != 1 || good.Response == nil || good.Response.Body != "thanks" || good.DurationMs <= 0 {
		x.t.Errorf("the test of a receiver that answers gives %+v", good)
	}
	if got := x.r.wait(x.t, "/hook", 1)[0]; got.event.Type != "postroom.test" || good.Request.Body != string(got.body) {
		x.t.Errorf("%s arrived, and the log has %s", got.body, good.Request.Body)
	}
	bad := must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{Type: "email.bounced", Data: []byte(`{"mine":true}`)}))(x.t)
	if bad.StatusCode != 500 || bad.Error == nil || bad.Error.Kind != "status" || bad.Response.Body != "broken" {
		x.t.Errorf("the test of a receiver that fails gives %+v", bad)
	}
	if got := x.r.wait(x.t, "/hook", 2)[1]; string(got.event.Data) != `{"mine":true}` {
		x.t.Errorf("%s arrived", got.body)
	}
	sample := must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{Type: "email.opened"}))(x.t)
	if got := x.r.wait(x.t, "/hook", 3)[2]; !strings.Contains(string(got.event.Data), `"contact"`) || sample.Error != nil {
		x.t.Errorf("the sample of email.opened that arrived is %s", got.body)
	}
	for i, d := range x.settled(w.ID, postroom.DeliverySucceeded, postroom.DeliveryFailed, postroom.DeliverySucceeded) {
		if !d.Test || d.AttemptCount != 1 {
			x.t.Errorf("delivery %d of a test has test=%v and %d attempts", i, d.Test, d.AttemptCount)
		}
	}
	if now := must(x.api.Webhook(x.t.Context(), w.ID.String()))(x.t); now.Status != postroom.WebhookPaused {
		x.t.Errorf("the webhook is %s after its tests", now.Status)
	}
}

func eventReplay(x *tenant) {
	one, two := x.webhook("/one", client.WebhookInput{UID: "one"}), x.webhook("/two", client.WebhookInput{Events: []string{"contact.*"}})
	x.publish("e", "email.opened", `{"n":1}`)
	first := x.r.wait(x.t, "/one", 1)[0]
	x.settled(one.ID, postroom.DeliverySucceeded)

	again := must(x.api.ReplayEvent(x.t.Context(), "e"))(x.t)
	if len(again) != 1 || again[0].WebhookID != one.ID {
		x.t.Errorf("a replay gives %+v", again)
	}
	if second := x.r.wait(x.t, "/one", 2)[1]; second.id != "e" || string(second.body) != string(first.body) {
		x.t.Errorf("what is replayed is %s %s, want that of the first time, %s", second.id, second.body, first.body)
	}
	d := x.settled(one.ID, postroom.DeliverySucceeded)[0]
	if len(d.Attempts) != 2 || d.Attempts[1].Number != 2 {
		x.t.Errorf("the delivery has the attempts %+v", d.Attempts)
	}

	must(x.api.ReplayEvent(x.t.Context(), "e", two.ID.String(), "one"))(x.t)
	x.r.wait(x.t, "/one", 3)
	if got := x.r.wait(x.t, "/two", 1)[0]; got.id != "e" {
		x.t.Errorf("the other webhook got %s", got.id)
	}
	x.settled(two.ID, postroom.DeliverySucceeded)
}

func webhookReplay(x *tenant) {
	var down sync.Map
	down.Store("down", true)
	w := x.webhook("/hook", client.WebhookInput{Retry: quick(0)})
	x.r.answer("/hook", func(a arrival) reply {
		if isDown, _ := down.Load("down"); isDown == true && a.event.Type == "email.bounced" {
			return reply{status: 500}
		}
		return reply{}
	})
	x.publish("good", "email.opened", `{}`)
	x.publish("bad-1", "email.bounced", `{}`)
	x.publish("bad-2", "email.bounced", `{}`)
	x.r.wait(x.t, "/hook", 3)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 1, postroom.DeliveryFailed: 2})
	down.Store("down", false)

	for _, step := range []struct {
		in   client.ReplayInput
		want int64
	}{
		{client.ReplayInput{Status: postroom.DeliveryFailed, Before: time.Now().Add(-time.Hour)}, 0},
		{client.ReplayInput{Status: postroom.DeliveryFailed, Types: []string{"email.opened"}}, 0},
		{client.ReplayInput{Status: postroom.DeliveryFailed, After: time.Now().Add(-time.Hour)}, 2},
	} {
		x.replayed(w.ID, step.in, step.want)
	}
	x.r.wait(x.t, "/hook", 5)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 3})
	x.replayed(w.ID, client.ReplayInput{}, 3)
	x.r.wait(x.t, "/hook", 8)
}

func webhookChange(x *tenant) {
	w := x.webhook("/old", client.WebhookInput{UID: "crm"})
	x.r.expect(x.t, "/new", w.Secret)
	x.publish("1", "email.opened", `{}`)
	x.r.wait(x.t, "/old", 1)
	must(x.api.UpdateWebhook(x.t.Context(), "crm", 0, map[string]any{"url": x.r.url("/new"), "events": []string{"contact.*"}, "headers": map[string]string{"X-New": "1"}}))(x.t)
	if got := x.publish("2", "email.opened", `{}`); len(got.Webhooks) != 0 {
		x.t.Errorf("an event that it no longer subscribes to goes to %v", got.Webhooks)
	}
	x.publish("3", "contact.updated", `{}`)
	if got := x.r.wait(x.t, "/new", 1)[0]; got.header.Get("X-New") != "1" || got.id != "3" {
		x.t.Errorf("%s arrived with %v", got.id, got.header)
	}
	x.r.wait(x.t, "/old", 1)

	if err := x.api.DeleteWebhook(x.t.Context(), "crm"); err != nil {
		x.t.Fatal(err)
	}
	if got := x.publish("4", "contact.updated", `{}`); len(got.Webhooks) != 0 {
		x.t.Errorf("an event goes to %v after the webhook was deleted", got.Webhooks)
	}
	if _, err := x.api.Webhook(x.t.Context(), w.ID.String()); !client.IsNotFound(err) {
		x.t.Errorf("a deleted webhook: %v", err)
	}
}

func slowReceiver(x *tenant) {
	hangs := x.webhook("/hangs", client.WebhookInput{Timeout: postroom.Duration(time.Minute), Concurrency: 4})
	x.r.answer("/hangs", always(reply{hang: true}))
	for i := range 5 {
		x.webhook(fmt.Sprintf("/quick%d", i), client.WebhookInput{})
	}
	ids := x.publishMany("e", "email.opened", 100)
	for i := range 5 {
		x.r.wait(x.t, fmt.Sprintf("/quick%d", i), len(ids))
	}
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		x.r.mu.Lock()
		defer x.r.mu.Unlock()
		if x.r.hanging != 4 {
			return fmt.Errorf("%d calls to the slow receiver are under way, want its concurrency of 4", x.r.hanging)
		}
		return nil
	})
	if got := x.deliveries(hangs.ID); len(got) != len(ids) {
		x.t.Errorf("%d deliveries to the slow receiver are stored, want %d", len(got), len(ids))
	}
	// So that its attempts do not go on: they are cut off when the receiver closes.
	if err := x.api.DeleteWebhook(x.t.Context(), hangs.ID.String()); err != nil {
		x.t.Fatal(err)
	}
}

func rateLimit(x *tenant) {
	const limit, n = 5, 15
	x.webhook("/limited", client.WebhookInput{RateLimit: &postroom.RateLimit{Limit: limit, Period: postroom.Duration(time.Second)}})
	x.webhook("/free", client.WebhookInput{})
	ids := x.publishMany("e", "email.opened", n)
	free, limited := x.r.wait(x.t, "/free", n), x.r.wait(x.t, "/limited", n)
	arrivedOnce(x.t, limited, ids)
	for i := range limited[limit*2:] { // a full bucket at first, and then as fast as it fills
		if took := limited[i+limit*2].at.Sub(limited[i].at); took < 900*time.Millisecond {
			x.t.Errorf("%d calls came within %v, and %d a second are allowed", limit*2+1, took, limit)
		}
	}
	if took := free[n-1].at.Sub(limited[0].at); took > limited[n-1].at.Sub(limited[0].at) {
		x.t.Errorf("the webhook without a limit waited for the one with a limit: %v", took)
	}
}
