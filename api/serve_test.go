package api

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestNoSuchPath(t *testing.T) {
	s := newServer(t)
	for _, path := range []string{"/", "/v1", "/v2/events", "/v1/events/", "/v1/webhooks/a/b", "/docs/nothing", "/v1/%2e%2e"} {
		s.refused(postroom.CodeNotFound, nil, "GET", path, "")
	}
	s.refused(postroom.CodeNotFound, nil, "GET", "/v1/events/no-such-event", "")
}

func TestNoSuchMethod(t *testing.T) {
	s := newServer(t)
	for path, allow := range map[string]string{
		"/v1/events":          "GET, HEAD, POST",
		"/v1/webhooks/crm":    "DELETE, GET, HEAD, PATCH",
		"/v1/webhooks/x/test": "POST",
		"/healthz":            "GET, HEAD",
	} {
		w := s.call("PUT", path, "{}")
		s.problemOf(w, postroom.CodeMethodNotAllowed, nil)
		if got := w.Header().Get("Allow"); got != allow {
			t.Errorf("%s: Allow %q, want %q", path, got, allow)
		}
	}
}

func TestPanic(t *testing.T) {
	s := newServer(t)
	s.panicWith = errors.New("secret inner workings")
	w := s.call("GET", "/v1/events", "")
	s.problemOf(w, postroom.CodeInternal, nil)
	if strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the answer shows the cause: %s", w.Body)
	}
	if log := s.log.String(); !strings.Contains(log, "secret inner workings") || !strings.Contains(log, "stack=") {
		t.Errorf("the log has not the cause and the stack: %s", log)
	}
	if len(s.seen) != 1 || !s.seen[0].Panicked || s.seen[0].Status != 500 || s.seen[0].Route != "/v1/events" {
		t.Errorf("observed %+v", s.seen)
	}
	s.panicWith = nil
	s.ok(200, "GET", "/v1/events", "")
}

// A panic after the answer has begun cuts the connection, so that the caller does not take what it has for the whole.
func TestPanicInTheMiddle(t *testing.T) {
	s := newServer(t)
	s.exported = make([]postroom.Delivery, 1000)
	s.exportErr = errors.New("disk on fire")
	ts := httptest.NewServer(s.api)
	defer ts.Close()
	r, err := http.NewRequest("GET", ts.URL+"/v1/deliveries/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer prk_viewer")
	answer, err := ts.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if n, err := readAll(answer.Body); err == nil || answer.StatusCode != 200 {
		t.Errorf("status %d, %d bytes, no error", answer.StatusCode, n)
	}
}

// The cause of an internal error is for the log; that the store is away is a 503 to be tried again.
func TestCauses(t *testing.T) {
	s := newServer(t)
	s.failWith = errors.New("sqlite: disk I/O error at /secret/path")
	w := s.call("GET", "/v1/events", "", "X-Request-Id", "req-1")
	p := s.problemOf(w, postroom.CodeInternal, nil)
	if strings.Contains(w.Body.String(), "secret") || !strings.Contains(p.Detail, "X-Request-Id") {
		t.Errorf("detail %q", p.Detail)
	}
	if log := s.log.String(); !strings.Contains(log, "disk I/O error") || !strings.Contains(log, "request_id=req-1") {
		t.Errorf("log %s", log)
	}
	s.failWith = &postroom.Error{Code: postroom.CodeUnavailable, Message: "The server cannot store at the moment.", Err: errors.New("full")}
	w = s.call("POST", "/v1/events", `{"type":"email.opened","data":{}}`)
	s.problemOf(w, postroom.CodeUnavailable, nil)
	if w.Header().Get("Retry-After") != "1" || strings.Contains(w.Body.String(), "full") || !strings.Contains(s.log.String(), "full") {
		t.Errorf("headers %v, body %s", w.Header(), w.Body)
	}
	s.failWith = postroom.Errorf(postroom.CodeRateLimited, "Too many calls.")
	if w = s.call("GET", "/v1/events", ""); w.Header().Get("Retry-After") != "1" {
		t.Errorf("headers %v", w.Header())
	}
	s.problemOf(w, postroom.CodeRateLimited, nil)
	s.failWith = &postroom.Error{Code: "made_up", Message: "A code that the table has not."}
	s.refused(postroom.CodeInternal, nil, "GET", "/v1/events", "")
}

func TestHeaders(t *testing.T) {
	s := newServer(t)
	for _, w := range []*httptest.ResponseRecorder{
		s.call("GET", "/v1/webhooks", ""), s.call("GET", "/nothing", ""), s.call("GET", "/v1/webhooks", "", "Authorization", ""),
	} {
		h := w.Header()
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Security-Policy") == "" || len(h.Get("X-Request-Id")) != 16 {
			t.Errorf("status %d, headers %v", w.Code, h)
		}
	}
	// The answer to a publisher carries only what means something there.
	h := s.call("POST", "/v1/events", `{"type":"email.opened","data":{}}`).Header()
	if h.Get("X-Content-Type-Options") != "nosniff" || len(h.Get("X-Request-Id")) != 16 {
		t.Errorf("headers %v", h)
	}
}

func TestRequestID(t *testing.T) {
	s := newServer(t)
	if got := s.call("GET", "/healthz", "", "X-Request-Id", "abc/1.2").Header().Get("X-Request-Id"); got != "abc/1.2" {
		t.Errorf("the caller's own became %q", got)
	}
	for _, bad := range []string{"a b", `a"b`, "a\\b", "é", strings.Repeat("a", 129)} {
		if got := s.call("GET", "/healthz", "", "X-Request-Id", bad).Header().Get("X-Request-Id"); got == bad || len(got) != 16 {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestAccessLog(t *testing.T) {
	s := newServer(t)
	s.ok(200, "GET", "/v1/webhooks/crm/deliveries?status=failed", "")
	s.ok(201, "POST", "/v1/webhooks/crm/secrets", `{"secret":"whsec_given"}`, "Idempotency-Key", "idem-1")
	log := s.log.String()
	for _, want := range []string{"method=GET", "route=/v1/webhooks/{id}/deliveries", "status=200", "status=201", "duration=", "request_id="} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in the log: %s", want, log)
		}
	}
	for _, secret := range []string{"prk_", "whsec_", "status=failed"} {
		if strings.Contains(log, secret) {
			t.Errorf("%s in the log: %s", secret, log)
		}
	}
	if len(s.seen) != 2 || s.seen[0].Method != "GET" || s.seen[1].Status != 201 || s.seen[1].Panicked {
		t.Errorf("observed %+v", s.seen)
	}
}

func TestHealth(t *testing.T) {
	s := newServer(t)
	if got := s.ok(200, "GET", "/healthz", "", "Authorization", ""); got["status"] != "ok" || got["version"] != "1.2.3" {
		t.Errorf("%v", got)
	}
	s.ok(200, "GET", "/readyz", "", "Authorization", "")
	s.failWith = &postroom.Error{Code: postroom.CodeUnavailable, Message: "The disk is full."}
	s.ok(200, "GET", "/healthz", "", "Authorization", "")
	s.refused(postroom.CodeUnavailable, nil, "GET", "/readyz", "", "Authorization", "")
}

func TestHead(t *testing.T) {
	s := newServer(t)
	if w := s.call("HEAD", "/v1/webhooks/crm", ""); w.Code != 200 || w.Header().Get("ETag") != `"7"` {
		t.Errorf("status %d, headers %v", w.Code, w.Header())
	}
}
