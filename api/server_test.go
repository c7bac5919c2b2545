package api

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// server is the API over a fake, as tests call it.
type server struct {
	testing.TB
	*fakeApp
	api  *api
	log  *bytes.Buffer
	seen []Observation
}

func newServer(t testing.TB) *server {
	s := &server{TB: t, fakeApp: newFake(), log: &bytes.Buffer{}}
	s.api = newAPI(Config{
		App: s.fakeApp, Version: "1.2.3", MaxBody: 64 << 10,
		Log:     slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observe: func(o Observation) { s.seen = append(s.seen, o) },
	})
	return s
}

// request is a call with an operator's key, unless a header says otherwise. Headers are pairs of name and value; an empty value
// takes the header away.
func request(method, path, body string, headers ...string) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, path, reader)
	r.Header.Set("Authorization", "Bearer prk_operator")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

func (s *server) call(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	s.Helper()
	return s.do(request(method, path, body, headers...))
}

func (s *server) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	return w
}

// ok makes a call that must have the status, and returns its answer as JSON.
func (s *server) ok(status int, method, path, body string, headers ...string) map[string]any {
	s.Helper()
	w := s.call(method, path, body, headers...)
	if w.Code != status {
		s.Fatalf("%s %s: status %d, want %d: %s", method, path, w.Code, status, w.Body)
	}
	if status == http.StatusNoContent {
		return nil
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		s.Errorf("%s %s: content type %q", method, path, got)
	}
	return parse(s, w.Body.Bytes())
}

func parse(t testing.TB, body []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("not JSON: %v: %s", err, body)
	}
	return v
}

// refused makes a call that must be answered with a problem of the code, with errors at exactly the pointers.
func (s *server) refused(code postroom.Code, pointers []string, method, path, body string, headers ...string) postroom.Problem {
	s.Helper()
	return s.problemOf(s.call(method, path, body, headers...), code, pointers)
}

func (s *server) problemOf(w *httptest.ResponseRecorder, code postroom.Code, pointers []string) postroom.Problem {
	s.Helper()
	var p postroom.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		s.Fatalf("not a problem: status %d: %s", w.Code, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != problemType {
		s.Errorf("content type %q", got)
	}
	kind := s.api.kinds[code]
	if p.Code != code || p.Status != kind.status || w.Code != kind.status || p.Title != kind.title || p.Type != "/docs/errors#"+string(code) || p.Detail == "" {
		s.Errorf("status %d, problem %+v; want code %s", w.Code, p, code)
	}
	var at []string
	for _, e := range p.Errors {
		at = append(at, e.Pointer)
		if e.Detail == "" {
			s.Errorf("no detail for %q", e.Pointer)
		}
	}
	if !slices.Equal(at, pointers) {
		s.Errorf("errors at %q, want %q: %+v", at, pointers, p.Errors)
	}
	return p
}

// readAll reads to the end, and returns how much there was.
func readAll(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
