package inbound

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/expr"
	"github.com/postroom/postroom/internal/testenv"
	"github.com/postroom/postroom/outbound"
	"github.com/postroom/postroom/store"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// node is an intake with an engine of its own, on a database that others may share, served over HTTP.
type node struct {
	t         *testing.T
	store     *store.Store
	in        *Intake
	url       string
	workspace postroom.WorkspaceID
}

// nodes starts some nodes on each database: two on PostgreSQL, and on SQLite, which one process owns, two intakes of one process.
func nodes(t *testing.T, test func(t *testing.T, all []*node)) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			url := "sqlite:" + filepath.Join(t.TempDir(), "postroom.db")
			if database == "postgres" {
				url = testenv.PostgresFast(t)
			}
			db := openStore(t, url)
			workspace := postroom.Workspace{ID: postroom.NewID[postroom.WorkspaceKind](time.Now()), Name: "one", CreatedAt: stamp(time.Now())}
			key := postroom.Key{ID: postroom.NewID[postroom.KeyKind](time.Now()), WorkspaceID: workspace.ID, Role: postroom.RoleAdmin, CreatedAt: workspace.CreatedAt}
			if err := db.CreateWorkspace(t.Context(), workspace, key, []byte("digest")); err != nil {
				t.Fatal(err)
			}
			all := []*node{newNode(t, db, workspace.ID)}
			if database == "postgres" {
				db = openStore(t, url)
			}
			test(t, append(all, newNode(t, db, workspace.ID)))
		})
	}
}

func openStore(t *testing.T, url string) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: url, Node: postroom.NewID[postroom.NodeKind](time.Now()), Log: testenv.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// newNode starts a node. Its engine and its loop run until the test ends.
func newNode(t *testing.T, db *store.Store, workspace postroom.WorkspaceID) *node {
	t.Helper()
	filters, err := expr.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	names, err := typesOfTests()
	if err != nil {
		t.Fatal(err)
	}
	ids := &postroom.IDs{}
	engine := outbound.New(outbound.Config{Store: db, Opener: openly{}, Filters: filters, IDs: ids, Log: testenv.Logger(t), Shared: true, Drain: time.Second})
	n := &node{t: t, store: db, workspace: workspace, in: New(Config{Store: db, Publisher: engine, Opener: openly{}, IDs: ids, PublicURL: "https://hooks.example.com",
		Log: testenv.Logger(t), Shared: true, Types: func(context.Context, postroom.WorkspaceID) (Types, error) { return NewTypes(names, nil), nil }})}
	n.in.patience = time.Hour // however slow the machine is
	server := httptest.NewServer(n.in)
	n.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	engineCtx, stopEngine := context.WithCancel(context.Background())
	var loop, delivering sync.WaitGroup
	loop.Go(func() { _ = n.in.Run(ctx) })
	delivering.Go(func() { _ = engine.Run(engineCtx) })
	t.Cleanup(func() {
		server.Close()
		cancel()
		loop.Wait()
		stopEngine()
		delivering.Wait()
	})
	return n
}

// source stores a source that wants the token.
func (n *node) source(s postroom.SourceSettings) postroom.SourceID {
	n.t.Helper()
	s.Name, s.Kind, s.Status, s.RequireToken = "Signup form", postroom.KindGeneric, postroom.SourceActive, true
	now := stamp(time.Now())
	stored := postroom.StoredSource{Source: postroom.Source{ID: postroom.NewID[postroom.SourceKind](time.Now()), WorkspaceID: n.workspace, SourceSettings: s,
		Version: 1, CreatedAt: now, UpdatedAt: now}, Sealed: []byte(`{"token":"` + testToken + `"}`)}
	if err := n.store.CreateSource(n.t.Context(), &stored, nil); err != nil {
		n.t.Fatal(err)
	}
	return stored.ID
}

// post posts a body to a source.
func (n *node) post(source postroom.SourceID, body string, headers ...string) (status int, got told) {
	req, err := http.NewRequest(http.MethodPost, n.url+"/in/"+source.String()+"?token="+testToken, strings.NewReader(body))
	if err != nil {
		n.t.Error(err)
		return 0, got
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		n.t.Error(err)
		return 0, got
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode < 400 && json.Unmarshal(text, &got) != nil {
		n.t.Errorf("the answer %d %s: %v", resp.StatusCode, text, err)
	}
	return resp.StatusCode, got
}

// events counts the stored events by their type.
func (n *node) events() map[string]int {
	n.t.Helper()
	found, _, err := n.store.Events(n.t.Context(), n.workspace, postroom.EventFilter{}, nil, 1000)
	if err != nil {
		n.t.Fatal(err)
	}
	types := map[string]int{}
	for _, e := range found {
		types[e.Type]++
	}
	return types
}

// contact is the stored contact with an email; nil for none.
func (n *node) contact(email string) *postroom.Contact {
	n.t.Helper()
	found, err := n.store.FindContacts(n.t.Context(), n.workspace, []postroom.ContactRef{{Email: email}})
	if err != nil {
		n.t.Fatal(err)
	}
	return found[0]
}

// TestNodesAtTheSameTime has two nodes take the same calls, and calls about the same contact, at the same time: each call is acted on once, and
// no change is lost.
func TestNodesAtTheSameTime(t *testing.T) {
	nodes(t, func(t *testing.T, all []*node) {
		source := all[0].source(postroom.SourceSettings{Mapping: []postroom.MappingRow{{From: postroom.Paths{"email"}, To: "email"}, {From: postroom.Paths{"tag"}, To: "tags"}},
			Actions: []postroom.Action{{Type: postroom.ActionAddSubscriber, Lists: []string{"One list"}}}})
		const calls = 20
		var callers sync.WaitGroup
		var mu sync.Mutex
		acted := 0
		for i := range calls {
			for _, n := range all {
				callers.Go(func() {
					status, got := n.post(source, fmt.Sprintf(`{"email":"ada@example.com","tag":"t%02d"}`, i), "Webhook-Id", fmt.Sprintf("msg_%d", i))
					if status != http.StatusOK {
						t.Errorf("call %d is answered %d", i, status)
					}
					mu.Lock()
					acted += got.Processed
					mu.Unlock()
				})
			}
		}
		callers.Wait()
		ada := all[0].contact("ada@example.com")
		if acted != calls || ada == nil || len(ada.Tags) != calls || len(ada.Lists) != 1 {
			t.Errorf("%d calls were acted on, and the contact is %+v", acted, ada)
		}
		if got, want := all[0].events(), map[string]int{"contact.created": 1, "contact.tagged": calls, "contact.subscribed": 1}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the events are %v, want %v", got, want)
		}
	})
}

// TestNodesTakeOver has one node queue what the other one processes: a batch of which a part is done, which is then not done again.
func TestNodesTakeOver(t *testing.T) {
	nodes(t, func(t *testing.T, all []*node) {
		source := all[0].source(postroom.SourceSettings{EventType: "order.paid", Actions: []postroom.Action{{Type: postroom.ActionAddSubscriber, Tags: []string{"buyer"}},
			{Type: postroom.ActionChangeStatus, When: "has(body.odd)", Status: "odd"}}})
		status, got := all[0].post(source, `[{"email":"ada@example.com"},{"email":"bob@example.com","odd":true},{"email":"ADA@example.com"},{"email":"carl@example.com"}]`)
		if status != http.StatusAccepted || got.Processed != 3 || all[1].contact("bob@example.com") != nil || all[1].contact("carl@example.com") == nil {
			t.Fatalf("%d, %+v", status, got)
		}
		before := all[1].events()
		if _, err := all[1].store.UpdateSource(t.Context(), all[1].workspace, source, time.Now(), func(s *postroom.StoredSource) ([]postroom.StoredWebhook, error) {
			s.Actions = s.Actions[:1]
			return nil, nil
		}); err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			n.in.Changed(source)
		}
		if done, err := all[1].store.RetryRequest(t.Context(), all[1].workspace, got.RequestID, time.Now()); err != nil || !done {
			t.Fatal(done, err)
		}
		all[1].in.Wake()
		var r postroom.Request
		testenv.Eventually(t, 30*time.Second, func() (err error) {
			if r, err = all[0].store.Request(t.Context(), all[0].workspace, got.RequestID); err == nil && r.State != postroom.RequestProcessed {
				err = fmt.Errorf("the request is %+v with %+v", r.RequestResult, r.Log.Error)
			}
			return err
		})
		after := all[0].events()
		if r.Records != 4 || r.Attempts != 2 || r.Log.Error != nil || len(r.Log.Contacts) != 3 || len(r.Log.Events) != after["order.paid"]+after["contact.created"]+after["contact.tagged"] {
			t.Errorf("the request is %+v with %+v", r.RequestResult, r.Log)
		}
		for eventType, n := range map[string]int{"order.paid": 1, "contact.created": 1, "contact.tagged": 1} {
			if after[eventType]-before[eventType] != n {
				t.Errorf("of %s there are %d more, want %d", eventType, after[eventType]-before[eventType], n)
			}
		}
	})
}

// TestHealthIsStored checks that a source which fails is known to fail, on each node, until it succeeds.
func TestHealthIsStored(t *testing.T) {
	nodes(t, func(t *testing.T, all []*node) {
		source := all[0].source(postroom.SourceSettings{Actions: []postroom.Action{{Type: postroom.ActionAddSubscriber}}})
		for range failingAfter + 1 {
			if status, _ := all[0].post(source, `{"a":1}`); status != http.StatusAccepted {
				t.Errorf("a call that fails is answered %d", status)
			}
		}
		h, some, err := all[1].store.SourceHealth(t.Context(), source)
		if err != nil || !some || h.Failures != failingAfter+1 || !h.Told || all[1].events()[eventFailing] != 1 {
			t.Errorf("the health is %+v (%v, %v), and the events %v", h, some, err, all[1].events())
		}
		if status, _ := all[1].post(source, `{"email":"ada@example.com"}`); status != http.StatusOK {
			t.Errorf("a call that succeeds is answered %d", status)
		}
		if h, some, err := all[0].store.SourceHealth(t.Context(), source); err != nil || some {
			t.Errorf("after a success the health is %+v, %v", h, err)
		}
	})
}

// TestStoredWhole checks that what is stored of a call is what came, to the byte.
func TestStoredWhole(t *testing.T) {
	nodes(t, func(t *testing.T, all []*node) {
		n := all[0]
		source := n.source(postroom.SourceSettings{EventType: "order.paid"})
		body := "{\"big\":12345678901234567890,\n \"text\":\"\\u2028 ü\"}"
		_, got := n.post(source, body, "X-One", "ä", "Content-Type", "application/json")
		r, err := n.store.Request(t.Context(), n.workspace, got.RequestID)
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Body) != body || r.Method != "POST" || r.Sender != "127.0.0.1" || r.Target != "/in/"+source.String()+"?token=***" || r.Status != 200 ||
			!slices.Contains(r.Headers, postroom.Header{Name: "X-One", Value: "ä"}) || r.State != postroom.RequestProcessed || len(r.Log.Events) != 1 {
			t.Errorf("stored is %+v", r)
		}
		events, _, err := n.store.Events(t.Context(), n.workspace, postroom.EventFilter{}, nil, 10)
		if err != nil || len(events) != 1 || !strings.Contains(string(events[0].Data), "12345678901234567890") || events[0].Actor != source.String() {
			t.Errorf("the event is %+v, %v", events, err)
		}
	})
}
