package inbound

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
)

// rig is an intake with a fake database around it.
type rig struct {
	*testing.T
	in        *Intake
	store     *fakeStore
	publisher *fakePublisher
	workspace postroom.WorkspaceID
	stop      func() // ends Run and waits for it
}

// testToken is that of every source of these tests.
const testToken = "token-of-the-tests"

// typesOfTests are the catalogue's types, and one of the workspace's own.
var typesOfTests = sync.OnceValues(func() ([]string, error) {
	names := []string{"order.paid"}
	known, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	for _, k := range known.Types() {
		names = append(names, k.Name)
	}
	return names, nil
})

// openly opens what was never sealed.
type openly struct{}

// Open gives what is there.
func (openly) Open(_ string, sealed []byte) ([]byte, error) { return sealed, nil }

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{T: t, store: newFakeStore(), publisher: &fakePublisher{}, workspace: postroom.NewID[postroom.WorkspaceKind](time.Now()), stop: func() {}}
	names, err := typesOfTests()
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Store: r.store, Publisher: r.publisher, Opener: openly{}, IDs: &postroom.IDs{}, PublicURL: "https://hooks.example.com", MaxBody: 64 << 10,
		Types: func(context.Context, postroom.WorkspaceID) (Types, error) {
			return NewTypes(names, nil), nil
		}}
	for _, f := range change {
		f(&c)
	}
	r.in = New(c)
	r.in.crew.stay = 0        // nobody waits for goroutines that are idle
	r.in.patience = time.Hour // however slow the machine is
	return r
}

// run starts the loop.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.in.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			r.Errorf("Run: %v", err)
		}
		r.stop = func() {}
	}
	r.Cleanup(func() { r.stop() })
}

// source stores one that wants the token, and tells what a change makes of it.
func (r *rig) source(change ...func(*postroom.SourceSettings, *postroom.SourceSecrets)) postroom.SourceID {
	r.Helper()
	s := postroom.StoredSource{Source: postroom.Source{ID: postroom.NewID[postroom.SourceKind](time.Now()), WorkspaceID: r.workspace, Version: 1,
		SourceSettings: postroom.SourceSettings{Name: "Signup form", Kind: postroom.KindGeneric, Status: postroom.SourceActive, RequireToken: true,
			Dedupe: postroom.Dedupe{By: postroom.DedupeAuto}}}}
	secrets := postroom.SourceSecrets{Token: testToken}
	for _, f := range change {
		f(&s.SourceSettings, &secrets)
	}
	var err error
	if s.Sealed, err = json.Marshal(secrets); err != nil {
		r.Fatal(err)
	}
	r.store.mu.Lock()
	r.store.sources[s.ID] = s
	r.store.mu.Unlock()
	return s.ID
}

// with sets the settings that are given, each by a function of its own.
func with(f func(*postroom.SourceSettings)) func(*postroom.SourceSettings, *postroom.SourceSecrets) {
	return func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) { f(s) }
}

// doing gives a source actions.
func doing(actions ...postroom.Action) func(*postroom.SourceSettings, *postroom.SourceSecrets) {
	return with(func(s *postroom.SourceSettings) { s.Actions = actions })
}

// httpCall is a call to a source.
type httpCall struct {
	method  string // POST if empty
	path    string // that of the source with its token if empty
	query   string // token=… if empty; "-" for none
	body    string
	headers map[string]string
	from    string // 192.0.2.1:1234 if empty
}

// call makes a call.
func (r *rig) call(source postroom.SourceID, c httpCall) *httptest.ResponseRecorder {
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = "/in/" + source.String()
	}
	switch c.query {
	case "":
		c.path += "?token=" + testToken
	case "-":
	default:
		c.path += "?" + c.query
	}
	req := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
	if c.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.headers {
		req.Header.Set(name, value)
	}
	if c.from != "" {
		req.RemoteAddr = c.from
	}
	w := httptest.NewRecorder()
	r.in.ServeHTTP(w, req)
	return w
}

// post posts a body with the token, and checks the status of the answer.
func (r *rig) post(source postroom.SourceID, body string, status int) told {
	r.Helper()
	w := r.call(source, httpCall{body: body})
	if w.Code != status {
		r.Fatalf("the answer to %s is %d %s, want %d", body, w.Code, w.Body, status)
	}
	return r.told(w)
}

// told is the answer that senders get.
type told struct {
	Success   bool               `json:"success"`
	Message   string             `json:"message"`
	Processed int                `json:"processed_records"`
	RequestID postroom.RequestID `json:"request_id"`
}

func (r *rig) told(w *httptest.ResponseRecorder) (t told) {
	r.Helper()
	if w.Code >= 400 {
		return t
	}
	if err := json.Unmarshal(w.Body.Bytes(), &t); err != nil || !t.Success || t.Message == "" || t.RequestID.IsZero() {
		r.Fatalf("the answer %s cannot be read (%v), or is not whole", w.Body, err)
	}
	return t
}

// last is the request that was stored last.
func (r *rig) last() postroom.Request {
	r.Helper()
	all := r.store.all()
	if len(all) == 0 {
		r.Fatal("no request is stored")
	}
	return all[len(all)-1]
}

// proxies are trusted ones.
func proxies(cidrs ...string) func(*Config) {
	return func(c *Config) {
		for _, cidr := range cidrs {
			c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(cidr))
		}
	}
}

// again has the request that came last processed again, as the loop does.
func (r *rig) again(t *testing.T) {
	t.Helper()
	last := r.last()
	r.store.mu.Lock()
	stored := r.store.requests[last.ID]
	stored.State, stored.DueAt = postroom.RequestRetry, time.Now()
	r.store.mu.Unlock()
	claimed, err := r.store.ClaimRequests(t.Context(), time.Now(), time.Now().Add(time.Minute), 1)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("%d requests are claimed: %v", len(claimed), err)
	}
	r.in.again(t.Context(), claimed[0])
}

// change changes a source as the app does: the commit, and then Changed.
func (r *rig) change(id postroom.SourceID, f func(*postroom.SourceSettings)) {
	r.store.mu.Lock()
	s := r.store.sources[id]
	f(&s.SourceSettings)
	s.Version++
	r.store.sources[id] = s
	r.store.mu.Unlock()
	r.in.Changed(id)
}
