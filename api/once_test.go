package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

func TestOnce(t *testing.T) {
	s := newServer(t)
	const body = `{"url":"https://example.com","events":["*"]}`
	first := s.call("POST", "/v1/webhooks", body, "Idempotency-Key", "k-1")
	if first.Code != 201 || first.Header().Get("Idempotency-Replayed") != "" || first.Header().Get("Location") == "" {
		t.Fatalf("status %d, headers %v", first.Code, first.Header())
	}
	s.webhook.ID = postroom.WebhookID{} // another call would be answered otherwise
	again := s.call("POST", "/v1/webhooks", body, "Idempotency-Key", "k-1")
	if again.Code != 201 || again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("status %d, headers %v, body %s", again.Code, again.Header(), again.Body)
	}
	for _, name := range []string{"Content-Type", "ETag", "Location", "Cache-Control", "X-Content-Type-Options"} {
		if got, want := again.Header().Get(name), first.Header().Get(name); got != want || got == "" {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if again.Header().Get("X-Request-Id") == first.Header().Get("X-Request-Id") {
		t.Error("two answers with one request id")
	}
	s.refused(postroom.CodeIdempotencyReuse, nil, "POST", "/v1/webhooks", body+" ", "Idempotency-Key", "k-1")
	s.refused(postroom.CodeIdempotencyReuse, nil, "POST", "/v1/webhooks/crm/pause", "", "Idempotency-Key", "k-1")

	s.answers["k-2"] = &idempotent{hash: requestHash(request("POST", "/v1/webhooks", body), []byte(body))}
	s.refused(postroom.CodeInFlight, nil, "POST", "/v1/webhooks", body, "Idempotency-Key", "k-2")
}

// What the caller did wrong stays wrong; what the server could not do may be tried again.
func TestOnceErrors(t *testing.T) {
	s := newServer(t)
	s.refused(postroom.CodeInvalid, []string{"/url"}, "POST", "/v1/webhooks", `{"url":1}`, "Idempotency-Key", "k")
	w := s.call("POST", "/v1/webhooks", `{"url":1}`, "Idempotency-Key", "k")
	s.problemOf(w, postroom.CodeInvalid, []string{"/url"})
	if w.Header().Get("Idempotency-Replayed") != "true" {
		t.Error("not replayed")
	}
	// Refused before the key counts.
	s.refused(postroom.CodeTooLarge, nil, "POST", "/v1/webhooks", strings.Repeat(" ", 70<<10), "Idempotency-Key", "k3")
	s.refused(postroom.CodeUnauthenticated, nil, "POST", "/v1/webhooks", `{}`, "Idempotency-Key", "k3", "Authorization", "")
	if s.answers["k3"] != nil {
		t.Error("the key was claimed")
	}

	const event = `{"type":"email.opened","data":{}}`
	for _, err := range []error{errors.New("bug"), postroom.Errorf(postroom.CodeUnavailable, "Away."), postroom.Errorf(postroom.CodeRateLimited, "Slower.")} {
		s.failWith = err
		if w := s.call("POST", "/v1/events", event, "Idempotency-Key", "k4"); w.Code < 429 || s.answers["k4"] != nil {
			t.Errorf("%v: status %d, and the key is kept", err, w.Code)
		}
	}
	s.failWith = nil
	s.ok(202, "POST", "/v1/events", event, "Idempotency-Key", "k4")
	if s.answers["k4"].answer == nil {
		t.Error("the answer was not kept")
	}
}

// pausePanics is an App with a defect.
type pausePanics struct{ *fakeApp }

func (pausePanics) PauseWebhook(context.Context, app.Caller, string, string) (postroom.Webhook, error) {
	panic("a defect")
}

func TestOncePanic(t *testing.T) {
	s := newServer(t)
	s.api.App = pausePanics{s.fakeApp}
	s.refused(postroom.CodeInternal, nil, "POST", "/v1/webhooks/crm/pause", "", "Idempotency-Key", "k")
	if s.answers["k"] != nil {
		t.Error("the key of a call that panicked is still in flight")
	}
}

func TestIdempotencyKeys(t *testing.T) {
	s := newServer(t)
	for _, bad := range []string{"a b", "é", strings.Repeat("k", 256), "a\tb"} {
		s.refused(postroom.CodeInvalid, []string{"Idempotency-Key"}, "POST", "/v1/webhooks/crm/pause", "", "Idempotency-Key", bad)
		s.refused(postroom.CodeInvalid, []string{"Idempotency-Key"}, "POST", "/v1/events", `{"type":"a.b","data":{}}`, "Idempotency-Key", bad)
	}
	for _, values := range [][]string{{""}, {"a", "b"}} {
		r := request("POST", "/v1/webhooks/crm/pause", "")
		r.Header["Idempotency-Key"] = values
		s.problemOf(s.do(r), postroom.CodeInvalid, []string{"Idempotency-Key"})
	}
	s.ok(200, "POST", "/v1/webhooks/crm/pause", "", "Idempotency-Key", strings.Repeat("~", 255))
	// Only a POST is made once.
	s.ok(200, "PATCH", "/v1/webhooks/crm", `{}`, "Idempotency-Key", "patch")
	if s.answers["patch"] != nil {
		t.Error("a PATCH claimed its key")
	}
}

func TestRequestHash(t *testing.T) {
	base := request("POST", "/v1/events", "")
	hash := requestHash(base, []byte("body"))
	for name, r := range map[string]*http.Request{
		"path":         request("POST", "/v1/events/", ""),
		"content type": request("POST", "/v1/events", "", "Content-Type", "text/plain"),
		"attribute":    request("POST", "/v1/events", "", "Ce-Type", "a.b"),
	} {
		if requestHash(r, []byte("body")) == hash {
			t.Errorf("%s makes no difference", name)
		}
	}
	if requestHash(base, []byte("bodz")) == hash {
		t.Error("the body makes no difference")
	}
	if requestHash(request("POST", "/v1/events", "", "User-Agent", "other"), []byte("body")) != hash {
		t.Error("a header makes a difference")
	}
}
