package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

func failureCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"it is retried until it arrives":       retriedUntilItArrives,
		"Retry-After is waited for":            retryAfter,
		"a schedule ends":                      scheduleEnds,
		"410 pauses the webhook":               gonePauses,
		"each failure has a sentence":          failureSentences,
		"failures disable a webhook":           failuresDisable,
		"a retry by hand does not wait":        retryByHand,
		"every one of many arrives in the end": manyFailFirst,
	}
}

func retriedUntilItArrives(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Timeout: postroom.Duration(300 * time.Millisecond)})
	x.r.answer("/hook", func(a arrival) reply {
		return map[int]reply{1: {status: 500, body: "first"}, 2: {hang: true}, 3: {cut: true}, 4: {status: 404}}[a.times]
	})
	x.publish("e", "email.opened", `{"n":1}`)
	got := x.r.wait(x.t, "/hook", 5)
	for i, a := range got {
		if a.header.Get("Postroom-Attempt") != fmt.Sprint(i+1) || a.id != "e" || string(a.body) != string(got[0].body) {
			x.t.Errorf("call %d is attempt %s of %s with %s", i+1, a.header.Get("Postroom-Attempt"), a.id, a.body)
		}
	}
	d := x.settled(w.ID, postroom.DeliverySucceeded)[0]
	if d.AttemptCount != 5 || d.LastStatusCode != 204 || d.LastErrorKind != "" || d.NextAttemptAt != nil || len(d.Attempts) != 5 {
		x.t.Fatalf("the delivery is %+v", d)
	}
	for i, want := range []struct {
		status int
		kind   string
	}{{500, "status"}, {0, "timeout"}, {0, "reset"}, {404, "status"}, {204, ""}} {
		a := d.Attempts[i]
		kind := ""
		if a.Error != nil {
			kind = a.Error.Kind
		}
		if a.Number != i+1 || a.StatusCode != want.status || kind != want.kind || (a.Response != nil) != (want.status != 0) {
			x.t.Errorf("attempt %d is %d %q with the answer %+v, want %d %q", a.Number, a.StatusCode, kind, a.Response, want.status, want.kind)
		}
		if i > 0 && a.At.Sub(d.Attempts[i-1].At.Time) < 100*time.Millisecond {
			x.t.Errorf("attempt %d began %v after the one before, want 100ms or more", a.Number, a.At.Sub(d.Attempts[i-1].At.Time))
		}
	}
}

func retryAfter(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	x.r.answer("/hook", func(a arrival) reply {
		if a.times == 1 {
			return reply{status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": "2"}}
		}
		return reply{}
	})
	x.publish("e", "email.opened", `{}`)
	x.r.wait(x.t, "/hook", 1)
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		d := x.deliveries(w.ID)[0]
		if d.LastStatusCode != 429 || d.Status != postroom.DeliveryPending || d.NextAttemptAt == nil {
			return fmt.Errorf("the delivery is %+v", d)
		}
		return nil
	})
	got := x.r.wait(x.t, "/hook", 2)
	if waited := got[1].at.Sub(got[0].at); waited < 2*time.Second {
		x.t.Errorf("the second attempt came after %v, want what Retry-After asks for, 2s", waited)
	}
	x.settled(w.ID, postroom.DeliverySucceeded)
}

func scheduleEnds(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Retry: quick(2)})
	x.r.answer("/hook", failing(3, 503))
	x.publish("e", "email.opened", `{}`)
	d := x.settled(w.ID, postroom.DeliveryFailed)[0]
	if len(d.Attempts) != 3 || d.LastStatusCode != 503 || d.LastErrorKind != "status" || d.NextAttemptAt != nil {
		x.t.Errorf("the delivery is %+v", d)
	}
	x.r.wait(x.t, "/hook", 3)

	again := must(x.api.RetryDelivery(x.t.Context(), d.ID.String()))(x.t)
	if again.ID != d.ID {
		x.t.Errorf("the delivery that is retried is %s, want %s", again.ID, d.ID)
	}
	x.r.wait(x.t, "/hook", 4)
	if d := x.settled(w.ID, postroom.DeliverySucceeded)[0]; len(d.Attempts) != 4 {
		x.t.Errorf("there are %d attempts", len(d.Attempts))
	}
}

func gonePauses(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{})
	x.r.answer("/hook", func(a arrival) reply {
		if a.id == "last" {
			return reply{status: http.StatusGone}
		}
		return reply{}
	})
	x.publish("last", "email.opened", `{}`)
	d := x.settled(w.ID, postroom.DeliveryFailed)[0]
	if len(d.Attempts) != 1 || d.Attempts[0].Error.Kind != "gone" {
		x.t.Errorf("the delivery is %+v", d)
	}
	paused := must(x.api.Webhook(x.t.Context(), w.ID.String()))(x.t)
	if paused.Status != postroom.WebhookPaused || !strings.Contains(paused.StatusReason, "410") {
		x.t.Errorf("the webhook is %s: %s", paused.Status, paused.StatusReason)
	}
	x.publish("held", "email.opened", `{}`)
	x.settled(w.ID, postroom.DeliveryHeld, postroom.DeliveryFailed)
	resumed := must(x.api.ResumeWebhook(x.t.Context(), w.ID.String(), client.Release))(x.t)
	if resumed.Held != 1 || resumed.Status != postroom.WebhookActive || resumed.StatusReason != "" {
		x.t.Errorf("resumed: %+v", resumed)
	}
	x.r.wait(x.t, "/hook", 2)
	x.settled(w.ID, postroom.DeliverySucceeded, postroom.DeliveryFailed)
}

func failureSentences(x *tenant) {
	closed := newReceiver(x.t)
	closed.server.Close()
	for name, c := range map[string]struct {
		url    string
		reply  reply
		in     client.WebhookInput
		kind   string
		status int
		says   string
	}{
		"500":      {reply: reply{status: 500}, kind: "status", status: 500, says: "500 Internal Server Error"},
		"401":      {reply: reply{status: 401}, kind: "status", status: 401, says: "credentials"},
		"302":      {reply: reply{status: 302, header: map[string]string{"Location": x.r.url("/elsewhere")}}, kind: "redirect", status: 302, says: "not followed"},
		"not json": {reply: reply{status: 200, body: "ok"}, in: client.WebhookInput{ExpectJSON: true}, kind: "not_json", status: 200, says: "JSON"},
		"timeout":  {reply: reply{hang: true}, in: client.WebhookInput{Timeout: postroom.Duration(100 * time.Millisecond)}, kind: "timeout", says: "no complete answer"},
		"cut":      {reply: reply{cut: true}, kind: "reset", says: "connection"},
		"refused":  {url: closed.url("/"), kind: "connect", says: "refused"},
		"not tls":  {url: strings.Replace(x.r.url("/"), "http:", "https:", 1), kind: "tls", says: "TLS"},
	} {
		x.t.Run(name, func(t *testing.T) {
			path := "/" + strings.ReplaceAll(name, " ", "-")
			x.r.answer(path, always(c.reply))
			c.in.URL = c.url
			w := x.webhook(path, c.in)
			a := must(x.api.TestWebhook(t.Context(), w.ID.String(), client.TestInput{}))(t)
			switch {
			case a.Error == nil:
				t.Errorf("the attempt did not fail: %+v", a)
			case a.Error.Kind != c.kind || a.StatusCode != c.status || !strings.Contains(a.Error.Message, c.says) || !strings.HasSuffix(a.Error.Message, "."):
				t.Errorf("the attempt failed with %d %s: %q; want %d %s and a sentence with %q", a.StatusCode, a.Error.Kind, a.Error.Message, c.status, c.kind, c.says)
			}
		})
	}
	if got := x.r.on("/elsewhere"); len(got) > 0 {
		x.t.Error("a redirect was followed")
	}
}

func failuresDisable(x *tenant) {
	three := 3
	w := x.webhook("/hook", client.WebhookInput{Retry: quick(0), Concurrency: 1, DisableAfter: &client.DisableInput{Failures: &three}})
	x.webhook("/told", client.WebhookInput{Events: []string{"postroom.*"}})
	x.r.answer("/hook", always(reply{status: 500}))
	for i := range 3 {
		x.publish(fmt.Sprint(i), "email.opened", `{}`)
		x.settled(w.ID, times(i+1, postroom.DeliveryFailed)...)
	}
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		if now := must(x.api.Webhook(x.t.Context(), w.ID.String()))(x.t); now.Status != postroom.WebhookDisabled || now.StatusReason == "" {
			return fmt.Errorf("the webhook is %s: %q", now.Status, now.StatusReason)
		}
		return nil
	})
	// Who asks for it is told of each delivery that was given up, and of the webhook that was disabled.
	types := map[string]int{}
	for _, a := range x.r.wait(x.t, "/told", 4) {
		types[a.event.Type]++
		if !strings.Contains(string(a.event.Data), w.ID.String()) {
			x.t.Errorf("%s does not name the webhook: %s", a.event.Type, a.event.Data)
		}
	}
	if types["postroom.delivery.failed"] != 3 || types["postroom.webhook.disabled"] != 1 {
		x.t.Errorf("Postroom's own events are %v", types)
	}
	x.publish("held", "email.opened", `{}`)
	x.settled(w.ID, append([]postroom.DeliveryStatus{postroom.DeliveryHeld}, times(3, postroom.DeliveryFailed)...)...)
	x.r.answer("/hook", nil)
	must(x.api.ResumeWebhook(x.t.Context(), w.ID.String(), client.Release))(x.t)
	x.r.wait(x.t, "/hook", 4)
}

func retryByHand(x *tenant) {
	var up atomic.Bool
	w := x.webhook("/hook", client.WebhookInput{Retry: &client.RetryInput{Schedule: []postroom.Duration{postroom.Duration(time.Hour)}}})
	x.r.answer("/hook", func(arrival) reply {
		if up.Load() {
			return reply{}
		}
		return reply{status: 500}
	})
	x.publish("e", "email.opened", `{}`)
	x.r.wait(x.t, "/hook", 1)
	var waiting postroom.DeliveryResource
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		if waiting = x.deliveries(w.ID)[0]; waiting.AttemptCount != 1 {
			return fmt.Errorf("the first attempt is not stored: %+v", waiting)
		}
		return nil
	})
	if waiting.Status != postroom.DeliveryPending || waiting.NextAttemptAt == nil || time.Until(waiting.NextAttemptAt.Time) < 50*time.Minute {
		x.t.Errorf("the delivery that waits an hour is %+v", waiting)
	}
	up.Store(true)
	must(x.api.RetryDelivery(x.t.Context(), waiting.ID.String()))(x.t)
	x.r.wait(x.t, "/hook", 2)
	x.settled(w.ID, postroom.DeliverySucceeded)
}

func manyFailFirst(x *tenant) {
	w := x.webhook("/hook", client.WebhookInput{Concurrency: 16})
	x.r.answer("/hook", func(a arrival) reply {
		if a.times == 1 && strings.HasSuffix(a.id, "7") { // one in ten, so that the breaker stays closed
			return reply{status: 500}
		}
		return reply{}
	})
	want := x.publishMany("e", "email.opened", 200)
	ids := idsOf(x.r.wait(x.t, "/hook", 220))
	for _, id := range want {
		if !slices.Contains(ids, id) {
			x.t.Errorf("%s did not arrive", id)
		}
	}
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 200})
}
