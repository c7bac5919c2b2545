package outbound

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/dialects"
)

// rig is an engine with a fake database and fake receivers around it. It belongs into a synctest bubble, where hours
// pass at once, and where whatever still runs at the end fails the test.
type rig struct {
	*testing.T
	workspace postroom.WorkspaceID
	store     *fakeStore
	out       *receivers
	engine    *Engine
	config    Config
	stop      func() // ends Run and waits for it
}

// loadDialects compiles the dialects that Postroom brings, once.
var loadDialects = sync.OnceValues(func() (dialect.Set, error) {
	types, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	known := dialect.Known{Types: map[string]dialect.EventType{}}
	for _, e := range types.Types() {
		known.Types[e.Name] = dialect.EventType{Schema: e.Schema, Sample: e.Sample}
	}
	return dialect.Load(dialects.Files, "dialects", known)
})

// failer is a test, or a check of rapid's.
type failer interface {
	Helper()
	Fatal(args ...any)
}

func dialectSet(t failer) dialect.Set {
	t.Helper()
	set, err := loadDialects()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// bubble runs a test with a rig, whose engine runs.
func bubble(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		r.run()
		test(t, r)
		r.stop()
		r.checkEmpty()
	})
}

// newRig makes a rig whose engine does not run yet.
func newRig(t *testing.T, c Config) *rig {
	r := &rig{T: t, workspace: postroom.NewID[postroom.WorkspaceKind](time.Now()), store: newFakeStore(), out: newReceivers(), stop: func() {}}
	r.store.revisions[r.workspace] = 1
	c.Store, c.Sender, c.Opener, c.IDs, c.UserAgent = r.store, r.out, plain{}, &postroom.IDs{}, "Postroom/test"
	c.Dialects = dialectSet(t)
	r.config, r.engine = c, New(c)
	return r
}

// another is a second node: an engine of its own beside the same database and receivers.
func (r *rig) another() *rig {
	other := *r
	other.config.IDs = &postroom.IDs{}
	other.engine, other.stop = New(other.config), func() {}
	return &other
}

func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.engine.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			r.Errorf("Run: %v", err)
		}
		r.stop = func() {}
	}
	r.Cleanup(func() { r.stop() })
}

// webhook stores one that subscribes to everything, is called at https://<host>/ and is retried after a minute, at most
// three times.
func (r *rig) webhook(host string, change ...func(*storedHook)) postroom.WebhookID {
	w := &storedHook{StoredWebhook: postroom.StoredWebhook{Webhook: postroom.Webhook{ID: postroom.NewID[postroom.WebhookKind](time.Now()),
		WorkspaceID: r.workspace, Status: postroom.WebhookActive, WebhookSettings: postroom.WebhookSettings{URL: "https://" + host + "/",
			Events: []string{"*"}, Dialect: dialect.Standard, Method: "POST", Timeout: postroom.Duration(15 * time.Second), Concurrency: 8,
			Retry: postroom.Retry{Schedule: []postroom.Duration{postroom.Duration(time.Minute), postroom.Duration(time.Minute), postroom.Duration(time.Minute)}}}}}}
	for _, f := range change {
		f(w)
	}
	r.change(w.ID, func(*storedHook) {}, w)
	return w.ID
}

// change changes a stored webhook, or adds one, and tells nobody.
func (r *rig) change(id postroom.WebhookID, f func(*storedHook), add ...*storedHook) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	for _, w := range add {
		r.store.webhooks[id] = w
	}
	f(r.store.webhooks[id])
	r.store.revisions[r.workspace]++
}

// set changes a webhook as the app does: the commit, and then Changed.
func (r *rig) set(id postroom.WebhookID, f func(*storedHook)) {
	r.change(id, f)
	r.engine.Changed(r.workspace, id)
}

func withStatus(status postroom.WebhookStatus) func(*storedHook) {
	return func(w *storedHook) { w.Status = status }
}

func withConcurrency(n int) func(*storedHook) { return func(w *storedHook) { w.Concurrency = n } }

// publish publishes events with data {"n":from} and so on, each by itself.
func (r *rig) publish(from, n int) {
	r.Helper()
	for i := range n {
		if err := r.engine.Publish(context.Background(), []*postroom.Outgoing{{Event: newEvent(r.workspace, strconv.Itoa(from+i))}}); err != nil {
			r.Fatalf("Publish: %v", err)
		}
	}
}

// row is the only delivery of a webhook.
func (r *rig) row(id postroom.WebhookID) stored {
	r.Helper()
	rows := r.rows(id)
	if len(rows) != 1 {
		r.Fatalf("the webhook has %d deliveries, want 1", len(rows))
	}
	return rows[0]
}

// rows are a webhook's deliveries in any state, in no order.
func (r *rig) rows(id postroom.WebhookID) (rows []stored) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	for _, d := range r.store.deliveries {
		if d.webhook == id {
			rows = append(rows, *d)
		}
	}
	return rows
}

// expect checks how many deliveries of a webhook are in each state; a state that is not named holds none.
func (r *rig) expect(id postroom.WebhookID, want map[postroom.DeliveryState]int) {
	r.Helper()
	synctest.Wait()
	got := map[postroom.DeliveryState]int{}
	for _, d := range r.rows(id) {
		got[d.state]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.Errorf("deliveries by state: %v, want %v", got, want)
	}
}

// succeeded is what expect takes for n deliveries that all succeeded.
func succeeded(n int) map[postroom.DeliveryState]int {
	return map[postroom.DeliveryState]int{postroom.StateSucceeded: n}
}

// checkEmpty checks that the engine holds nothing and promises nothing.
func (r *rig) checkEmpty() {
	r.Helper()
	r.engine.lanes.mu.Lock()
	promised := r.engine.lanes.promised
	r.engine.lanes.mu.Unlock()
	if c := r.engine.Counts(); c.Held != 0 || c.HeldBytes != 0 || c.InFlight != 0 || promised != 0 {
		r.Errorf("at the end: %+v, %d places promised", c, promised)
	}
}

// once checks that a host got each of n events exactly once, in any order.
func (r *rig) once(host string, n int) {
	r.Helper()
	seen := map[string]int{}
	for _, call := range r.out.calls(host) {
		seen[call.n]++
	}
	for i := range n {
		if got := seen[strconv.Itoa(i)]; got != 1 {
			r.Errorf("%s got event %d %d times", host, i, got)
		}
	}
}

// inOrder checks that a host got n events, each once, in the order in which they were published.
func (r *rig) inOrder(host string, n int) {
	r.Helper()
	calls := r.out.calls(host)
	if len(calls) != n {
		r.Fatalf("%s got %d calls, want %d", host, len(calls), n)
	}
	for i, call := range calls {
		if call.n != strconv.Itoa(i) {
			r.Fatalf("call %d to %s brought event %s", i, host, call.n)
		}
	}
}

// wait lets time pass, and then everything that is due happen.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
