package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// call is an HTTP call as it goes over the wire: nothing checks or mends it on the way.
type call struct {
	method string
	path   string // and query
	key    string // no Authorization if empty
	body   string
	header map[string]string // an empty value leaves a header out that would be sent; a body is application/json by default
}

// answer is what came back, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do makes a call.
func (s *server) do(t testing.TB, c call) answer {
	t.Helper()
	got, err := s.try(c)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// try makes a call that may fail.
func (s *server) try(c call) (answer, error) {
	req, err := http.NewRequest(c.method, s.address()+c.path, strings.NewReader(c.body))
	if err != nil {
		return answer{}, err
	}
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	for name, value := range c.header {
		if value == "" {
			req.Header.Del(name)
			continue
		}
		req.Header.Set(name, value)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, body}, err
}

// is fails the test when the status is another one.
func (a answer) is(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("the answer is %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// into reads the answer's JSON.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("the answer %s cannot be read: %v", a.body, err)
	}
}

// problem reads a refusal, and checks what all of them have.
func (a answer) problem(t testing.TB) postroom.Problem {
	t.Helper()
	var p postroom.Problem
	a.into(t, &p)
	if kind := a.header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("the content type of a refusal is %q: %s", kind, a.body)
	}
	if p.Status != a.status || p.Type != "/docs/errors#"+string(p.Code) || p.Title == "" || p.Detail == "" {
		t.Errorf("the refusal with status %d is not whole: %s", a.status, a.body)
	}
	return p
}

// refused checks that an answer is a refusal of a status and a code, which blames a place unless pointer is empty.
func (a answer) refused(t testing.TB, status int, code postroom.Code, pointer string) postroom.Problem {
	t.Helper()
	if a.status != status {
		t.Errorf("the answer is %d, want %d: %s", a.status, status, a.body)
		return postroom.Problem{}
	}
	p := a.problem(t)
	if p.Code != code {
		t.Errorf("the code is %q, want %q: %s", p.Code, code, a.body)
	}
	if pointer == "" {
		return p
	}
	for _, e := range p.Errors {
		if e.Pointer == pointer {
			if e.Detail == "" {
				t.Errorf("nothing is said of %s: %s", pointer, a.body)
			}
			return p
		}
	}
	t.Errorf("%s is not blamed: %s", pointer, a.body)
	return p
}
