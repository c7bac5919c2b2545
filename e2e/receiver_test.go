package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/postroom/postroom/internal/testenv"
)

// arrivalTimeout is for what should arrive at once.
const arrivalTimeout = 30 * time.Second

// arrival is one call that a receiver got.
type arrival struct {
	at     time.Time
	path   string
	uri    string
	method string
	header http.Header
	client string // of whom the client certificate is
	body   []byte
	id     string // of the event
	times  int    // how often this event has come to this path, with this time
	event  struct {
		Type      string
		Timestamp time.Time
		Data      json.RawMessage
	}
}

// reply is what a receiver does with a call.
type reply struct {
	status int // 204 if zero
	header map[string]string
	body   string
	after  time.Duration // answer that much later
	hang   bool          // do not answer until the caller gives up or the receiver is closed
	cut    bool          // cut the connection instead of answering
}

// receiver takes calls, one path for each webhook. It checks every call's signature against the path's secrets; a wrong
// one fails the test when it ends. Without any secret, such as in a script, that is left to the test.
type receiver struct {
	server *httptest.Server
	closed chan struct{}

	mu       sync.Mutex
	arrivals []arrival
	seen     map[string]int // by path and event
	secrets  map[string][]*standardwebhooks.Webhook
	answers  map[string]func(arrival) reply
	faults   []string
	hanging  int
	bare     bool // keep neither headers nor bodies of what arrived, of which there will be much
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	return startReceiver(t, nil)
}

// startReceiver makes a receiver that speaks TLS, unless the configuration is nil.
func startReceiver(t *testing.T, secure *tls.Config) *receiver {
	t.Helper()
	r := &receiver{closed: make(chan struct{}), seen: map[string]int{}, secrets: map[string][]*standardwebhooks.Webhook{}, answers: map[string]func(arrival) reply{}}
	r.server = httptest.NewUnstartedServer(r)
	if secure != nil {
		r.server.TLS = secure
		r.server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
		r.server.StartTLS()
	} else {
		r.server.Start()
	}
	t.Cleanup(func() {
		close(r.closed)
		r.server.Close()
		for _, fault := range r.faults {
			t.Error(fault)
		}
	})
	return r
}

// url is where calls to a path go.
func (r *receiver) url(path string) string { return r.server.URL + path }

// expect adds a secret with which calls to a path may be signed.
func (r *receiver) expect(t testing.TB, path, secret string) {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets[path] = append(r.secrets[path], w)
}

// answer says what is done with calls to a path.
func (r *receiver) answer(path string, f func(arrival) reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[path] = f
}

// always is an answer to every call.
func always(re reply) func(arrival) reply { return func(arrival) reply { return re } }

// failing answers the first calls of each event with a status, and takes it then.
func failing(first, status int) func(arrival) reply {
	return func(a arrival) reply {
		if a.times <= first {
			return reply{status: status, body: "not now"}
		}
		return reply{}
	}
}

// ServeHTTP takes a call.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the caller is gone, or was killed
	}
	a := arrival{at: time.Now(), path: req.URL.Path, uri: req.URL.RequestURI(), method: req.Method, header: req.Header, body: body, id: req.Header.Get("Webhook-Id")}
	if req.TLS != nil && len(req.TLS.PeerCertificates) > 0 {
		a.client = req.TLS.PeerCertificates[0].Subject.CommonName
	}
	re := r.take(&a)
	if re.after > 0 {
		select {
		case <-time.After(re.after):
		case <-req.Context().Done():
		case <-r.closed:
		}
	}
	switch {
	case re.hang:
		r.hang(req)
		return
	case re.cut:
		panic(http.ErrAbortHandler)
	}
	for name, value := range re.header {
		w.Header().Set(name, value)
	}
	if re.status == 0 {
		re.status = http.StatusNoContent
		if re.body != "" {
			re.status = http.StatusOK
		}
	}
	w.WriteHeader(re.status)
	_, _ = io.WriteString(w, re.body) // the caller may be gone
}

// take records an arrival and decides what to do with it.
func (r *receiver) take(a *arrival) reply {
	r.mu.Lock()
	r.seen[a.path+" "+a.id]++
	a.times = r.seen[a.path+" "+a.id]
	// Of other dialects than the standard one, what does not fit is not read.
	if err := json.Unmarshal(a.body, &a.event); err != nil && !json.Valid(a.body) && a.method != http.MethodGet {
		r.faults = append(r.faults, fmt.Sprintf("the body sent to %s cannot be read: %v: %s", a.path, err, a.body))
	}
	if err := r.verify(*a); err != nil {
		r.faults = append(r.faults, fmt.Sprintf("a call to %s: %v", a.path, err))
	}
	if r.bare {
		a.header, a.body, a.event.Data = nil, nil, nil
	}
	r.arrivals = append(r.arrivals, *a)
	answer := r.answers[a.path]
	r.mu.Unlock()
	if answer == nil {
		return reply{}
	}
	return answer(*a)
}

// verify checks the signature against the secrets of the path.
func (r *receiver) verify(a arrival) (err error) {
	if len(r.secrets) == 0 {
		return nil
	}
	err = fmt.Errorf("no secret is known for %s", a.path)
	for _, secret := range r.secrets[a.path] {
		if err = secret.Verify(a.body, a.header); err == nil {
			return nil
		}
	}
	return err
}

// verifies checks a call's signature against one secret.
func verifies(t testing.TB, a arrival, secret string) error {
	t.Helper()
	w, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return w.Verify(a.body, a.header)
}

func (r *receiver) hang(req *http.Request) {
	r.count(1)
	defer r.count(-1)
	select {
	case <-req.Context().Done():
	case <-r.closed:
	}
}

func (r *receiver) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hanging += n
}

// on gives the calls that a path got, in the order in which they came.
func (r *receiver) on(path string) (found []arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.arrivals {
		if a.path == path {
			found = append(found, a)
		}
	}
	return found
}

// byEvent gives the calls that a path got, by their event and in the order in which they came.
func (r *receiver) byEvent(path string) map[string][]arrival {
	found := map[string][]arrival{}
	for _, a := range r.on(path) {
		found[a.id] = append(found[a.id], a)
	}
	return found
}

// reply is what a path answers to a call that it got.
func (r *receiver) reply(a arrival) reply {
	r.mu.Lock()
	answer := r.answers[a.path]
	r.mu.Unlock()
	if answer == nil {
		return reply{}
	}
	return answer(a)
}

// wait waits until a path got n calls, and gives them. More than n fail the test.
func (r *receiver) wait(t testing.TB, path string, n int) []arrival {
	t.Helper()
	var got []arrival
	testenv.Eventually(t, arrivalTimeout, func() error {
		if got = r.on(path); len(got) < n {
			return fmt.Errorf("%s got %d of %d calls", path, len(got), n)
		}
		return nil
	})
	if len(got) > n {
		t.Fatalf("%s got %d calls, want %d: %s", path, len(got), n, strings.Join(idsOf(got), " "))
	}
	return got
}

func idsOf(arrivals []arrival) []string {
	ids := make([]string, len(arrivals))
	for i, a := range arrivals {
		ids[i] = a.id
	}
	return ids
}
