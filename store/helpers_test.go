package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// noon is when tests happen, so that the days of their partitions are known.
func noon() time.Time { return time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC) }

// at is so long after noon.
func at(d time.Duration) time.Time { return noon().Add(d) }

// forEachDatabase runs a test on a new SQLite file and in a new PostgreSQL database.
func forEachDatabase(t *testing.T, test func(t *testing.T, db database)) {
	t.Helper()
	t.Run(string(sqlite), func(t *testing.T) {
		t.Parallel()
		test(t, newSQLite(t))
	})
	t.Run(string(postgres), func(t *testing.T) {
		t.Parallel()
		test(t, newPostgres(t))
	})
}

// database is a test's own database, new and empty.
type database struct {
	t   testing.TB
	url string
}

func newSQLite(t testing.TB) database {
	return database{t, "sqlite:" + filepath.Join(t.TempDir(), "postroom.db")}
}

func newPostgres(t testing.TB) database { return database{t, testenv.PostgresFast(t)} }

// path is the file of an SQLite database.
func (db database) path() string { return strings.TrimPrefix(db.url, "sqlite:") }

func (db database) config() Config {
	return Config{URL: db.url, Node: postroom.NewID[postroom.NodeKind](noon()), Log: testenv.Logger(db.t), Now: noon}
}

// open opens the database as another node would, and closes it with the test.
func (db database) open() *Store {
	db.t.Helper()
	return db.openWith(db.config())
}

func (db database) openWith(c Config) *Store {
	db.t.Helper()
	s, err := Open(db.t.Context(), c)
	if err != nil {
		db.t.Fatal(err)
	}
	db.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			db.t.Errorf("close: %v", err)
		}
	})
	return s
}

// refuses opens the database, which must fail, and gives the error's text.
func (db database) refuses(c Config) string {
	db.t.Helper()
	s, err := Open(db.t.Context(), c)
	if err == nil {
		db.t.Error("the database was opened")
		if err := s.Close(); err != nil {
			db.t.Error(err)
		}
		return ""
	}
	return err.Error()
}

// fixture makes what tests need, and fails its test when that does not work.
type fixture struct {
	t   testing.TB
	db  database
	s   *Store
	ctx context.Context

	mu  sync.Mutex
	ids map[int64]*postroom.IDs // by millisecond
}

func newFixture(t testing.TB, s *Store) *fixture {
	return &fixture{t: t, s: s, ctx: t.Context(), ids: map[int64]*postroom.IDs{}}
}

// fixture makes things in a database that is open already.
func (db database) fixture(t testing.TB, s *Store) *fixture {
	f := newFixture(t, s)
	f.db = database{t, db.url}
	return f
}

// made makes ids of a time, whether or not others were made of a later one; those of one millisecond grow.
func (f *fixture) made(at time.Time) *postroom.IDs {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := f.ids[at.UnixMilli()]
	if ids == nil {
		ids = &postroom.IDs{}
		f.ids[at.UnixMilli()] = ids
	}
	return ids
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) equal(what string, got, want any) {
	f.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// code checks which code an error has, and that a person can read it.
func (f *fixture) code(what string, err error, want postroom.Code) {
	f.t.Helper()
	if got := postroom.CodeOf(err); err == nil || got != want {
		f.t.Errorf("%s: the error is %v (%s), want %s", what, err, got, want)
	}
}

// number runs a query of the test's own that gives one number.
func (f *fixture) number(query string, args ...any) (n int64) {
	f.t.Helper()
	f.must(f.s.read(f.ctx, func(q querier) error {
		return q.eachText(f.ctx, "test", translate(f.s.dialect, query), func(row func(...any) error) error { return row(&n) }, args...)
	}))
	return n
}

// exec runs a statement of the test's own.
func (f *fixture) exec(statement string, args ...any) {
	f.t.Helper()
	f.must(f.s.write(f.ctx, func(q querier) error {
		_, err := q.ExecContext(f.ctx, translate(f.s.dialect, statement), args...)
		return err
	}))
}

func stamp(at time.Time) postroom.Timestamp { return postroom.Timestamp{Time: at} }

// workspace stores a workspace with one key, of which keyDigest knows the digest.
func (f *fixture) workspace(name string) postroom.WorkspaceID {
	f.t.Helper()
	id := postroom.Next[postroom.WorkspaceKind](f.made(noon()), noon())
	k := postroom.Key{ID: postroom.Next[postroom.KeyKind](f.made(noon()), noon()), WorkspaceID: id, Name: "first", Role: postroom.RoleAdmin,
		Hint: "prk_ab", CreatedAt: stamp(noon()), Operator: true}
	f.must(f.s.CreateWorkspace(f.ctx, postroom.Workspace{ID: id, Name: name, CreatedAt: stamp(noon())}, k, f.keyDigest(name)))
	return id
}

// keyDigest is the digest of a key of this test.
func (f *fixture) keyDigest(name string) []byte { return digest(f.t.Name() + " " + name) }

func digest(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// newWebhook is an active webhook of a workspace that is not stored yet, with its secret.
func (f *fixture) newWebhook(workspace postroom.WorkspaceID) (postroom.StoredWebhook, postroom.StoredSecret) {
	id := postroom.Next[postroom.WebhookKind](f.made(noon()), noon())
	w := postroom.StoredWebhook{Webhook: postroom.Webhook{ID: id, WorkspaceID: workspace, Status: postroom.WebhookActive, StatusAt: stamp(noon()), Secrets: 1, Version: 1,
		CreatedAt: stamp(noon()), UpdatedAt: stamp(noon()),
		WebhookSettings: postroom.WebhookSettings{Name: "Webhook " + id.String(), URL: "https://example.com/hooks", Events: []string{"email.*", "contact.updated"},
			Dialect: "standard", Method: "POST", Headers: map[string]string{"x-tenant": "production"}, Timeout: postroom.Duration(15 * time.Second),
			Retry: postroom.Retry{Schedule: []postroom.Duration{postroom.Duration(5 * time.Second)}, Jitter: 0.1}, Concurrency: 8, Ordering: postroom.OrderingNone,
			RateLimit: &postroom.RateLimit{Limit: 100, Period: postroom.Duration(time.Second)}, Auth: &postroom.Auth{Type: postroom.AuthBearer, Token: postroom.Redacted}}},
		SealedAuth: []byte{0, 1, 0xff}}
	return w, f.newSecret(noon())
}

func (f *fixture) newSecret(at time.Time) postroom.StoredSecret {
	return postroom.StoredSecret{Secret: postroom.Secret{ID: postroom.Next[postroom.SigningSecretKind](f.made(at), at), Kind: postroom.SecretHMAC, CreatedAt: stamp(at)},
		Sealed: []byte("sealed at " + at.String())}
}

func (f *fixture) webhook(workspace postroom.WorkspaceID) postroom.WebhookID {
	f.t.Helper()
	w, secret := f.newWebhook(workspace)
	f.must(f.s.CreateWebhook(f.ctx, &w, secret))
	return w.ID
}

// publication is an event at a time, with a delivery in the state for each webhook; a leased one for an hour.
func (f *fixture) publication(workspace postroom.WorkspaceID, at time.Time, state postroom.DeliveryState, webhooks ...postroom.WebhookID) *postroom.Publication {
	e := &postroom.Event{ID: postroom.Next[postroom.EventKind](f.made(at), at), WorkspaceID: workspace, Type: "email.opened", Time: at.Truncate(time.Microsecond),
		Data: []byte(`{"contact":{"email":"ada@example.com"}}`)}
	p := &postroom.Publication{Event: e}
	for _, webhook := range webhooks {
		d := postroom.NewDelivery{ID: postroom.Next[postroom.DeliveryKind](f.made(at), at), WebhookID: webhook, State: state, DueAt: at}
		if state == postroom.StateLeased {
			d.DueAt = at.Add(time.Hour)
		}
		p.Deliveries = append(p.Deliveries, d)
	}
	return p
}

func (f *fixture) publish(pubs ...*postroom.Publication) {
	f.t.Helper()
	f.must(f.s.Publish(f.ctx, pubs))
	for _, p := range pubs {
		if p.Duplicate != nil || p.Stale {
			f.t.Fatalf("the publication of %s is a duplicate of %v or stale (%v)", p.Event.ID, p.Duplicate, p.Stale)
		}
	}
}

// leased publishes an event with one leased delivery for each webhook, and gives the jobs.
func (f *fixture) leased(workspace postroom.WorkspaceID, at time.Time, webhooks ...postroom.WebhookID) []*postroom.Job {
	f.t.Helper()
	p := f.publication(workspace, at, postroom.StateLeased, webhooks...)
	f.publish(p)
	return jobsOf(p)
}

// jobsOf are the jobs that the publisher's node holds from the start.
func jobsOf(p *postroom.Publication) (jobs []*postroom.Job) {
	for _, d := range p.Deliveries {
		jobs = append(jobs, &postroom.Job{DeliveryID: d.ID, WebhookID: d.WebhookID, Event: p.Event, From: postroom.StateFresh, Claim: 1, LeaseUntil: d.DueAt, Test: d.Test, OrderKey: d.OrderKey})
	}
	return jobs
}

// ids are the deliveries of jobs.
func ids(jobs []*postroom.Job) (found []postroom.DeliveryID) {
	for _, j := range jobs {
		found = append(found, j.DeliveryID)
	}
	return found
}

// finish ends a job with an answer: succeeded for 2xx, else failed.
func (f *fixture) finish(job *postroom.Job, at time.Time, status int) {
	f.t.Helper()
	state := postroom.StateFailed
	if status/100 == 2 {
		state = postroom.StateSucceeded
	}
	fin := finishOf(job, at, status, postroom.Outcome{State: state})
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
	if fin.Lost {
		f.t.Fatalf("the result of %s, claim %d, was lost", job.DeliveryID, job.Claim)
	}
}

// finishOf is the end of an attempt that took 30 ms.
func finishOf(job *postroom.Job, at time.Time, status int, outcome postroom.Outcome) *postroom.Finish {
	a := &postroom.Attempt{At: at, StatusCode: status, Phases: postroom.Phases{Total: 30 * time.Millisecond},
		Request: postroom.SentRequest{Method: "POST", URL: "https://example.com/hooks"}}
	if status != 0 {
		a.Response = &postroom.Response{StatusCode: status}
	}
	if status/100 != 2 {
		a.Error = &postroom.AttemptError{Kind: "status", Message: fmt.Sprintf("The receiver answered %d.", status)}
	}
	return &postroom.Finish{Job: job, Attempt: a, Outcome: outcome}
}

func (f *fixture) claim(webhook postroom.WebhookID, state postroom.DeliveryState, now time.Time, limit int) []*postroom.Job {
	f.t.Helper()
	jobs, err := f.s.Claim(f.ctx, webhook, state, now, now.Add(time.Minute), limit)
	f.must(err)
	return jobs
}

func (f *fixture) delivery(workspace postroom.WorkspaceID, id postroom.DeliveryID) postroom.Delivery {
	f.t.Helper()
	d, err := f.s.Delivery(f.ctx, workspace, id)
	f.must(err)
	return d
}

// state reads where a delivery stands in the queue, and until when or from when.
func (f *fixture) state(id postroom.DeliveryID) (state postroom.DeliveryState, due time.Time) {
	f.t.Helper()
	var us int64
	f.must(f.s.read(f.ctx, func(q querier) error {
		return q.eachText(f.ctx, "test", translate(f.s.dialect, "SELECT state, due_at FROM deliveries WHERE id = $1"),
			func(row func(...any) error) error { return row(&state, &us) }, id)
	}))
	return state, fromMicros(us)
}

func contains(t testing.TB, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s is %q, which does not hold %q", what, text, part)
		}
	}
}

// atOnce calls f from n goroutines at the same time, and reports the errors that they return.
func atOnce(t testing.TB, n int, f func(i int) error) {
	t.Helper()
	start := make(chan struct{})
	errs := make(chan error, n)
	for i := range n {
		go func() {
			<-start
			errs <- f(i)
		}()
	}
	close(start)
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// dump gives what is in each table, but for the revision of workspaces, as one text.
func (f *fixture) dump() map[string]string {
	f.t.Helper()
	tables := map[string]string{}
	f.must(f.s.read(f.ctx, func(q querier) (err error) {
		for table := range workspaceColumns() {
			columns := "*"
			if table == "workspaces" {
				columns = "id, name, updated_at"
			}
			if tables[table], err = dumpRows(f.ctx, q, "SELECT "+columns+" FROM "+table+" ORDER BY 1, 2"); err != nil {
				return err
			}
		}
		return nil
	}))
	return tables
}

func dumpRows(ctx context.Context, q querier, query string) (string, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	var text strings.Builder
	values, dest := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "%x\n", values)
	}
	return text.String(), rows.Err()
}
