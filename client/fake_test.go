package client_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom/client"
)

// fake is a server that answers as it is told, and remembers what it was asked.
type fake struct {
	*httptest.Server
	mu      sync.Mutex
	calls   []call
	answers []answer // one for each call; the last one is given again
}

// call is what was asked.
type call struct {
	line   string // "GET /v1/webhooks?limit=2"
	body   string
	header http.Header
}

type answer struct {
	status int
	kind   string // application/json if empty
	header map[string]string
	body   string
}

func newFake(t *testing.T, answers ...answer) *fake {
	t.Helper()
	f := &fake{answers: answers}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// ServeHTTP gives the next answer.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.calls = append(f.calls, call{r.Method + " " + r.URL.RequestURI(), string(body), r.Header})
	a := f.answers[min(len(f.calls), len(f.answers))-1]
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if a.kind != "" {
		w.Header().Set("Content-Type", a.kind)
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// asked are the calls that were made.
func (f *fake) asked() []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]call(nil), f.calls...)
}

func (f *fake) client(t *testing.T) *client.Client {
	t.Helper()
	return newClient(t, client.Config{URL: f.URL, Key: "prk_test", UserAgent: "test/1"})
}

func newClient(t *testing.T, c client.Config) *client.Client {
	t.Helper()
	made, err := client.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// problem is a refusal as the server words it.
func problem(status int, code, detail, errors string) answer {
	text, _ := json.Marshal(detail)
	body := `{"type":"/docs/errors#` + code + `","title":"A title","status":` + strconv.Itoa(status) + `,"detail":` + string(text) + `,"code":"` + code + `"`
	if errors != "" {
		body += `,"errors":` + errors
	}
	return answer{status: status, kind: "application/problem+json", body: body + "}"}
}

// roundTrip is a transport that is a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// response is an answer without a server, for tests whose time is not real.
func response(status int, kind, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}
