package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func testWorkspaces(f *fixture) {
	t := f.t
	first, second := f.workspace("first"), f.workspace("second")

	f.must(f.s.RenameWorkspace(f.ctx, second, "renamed ✓", noon().Add(time.Hour)))
	all, err := f.s.Workspaces(f.ctx)
	f.must(err)
	want := []postroom.Workspace{
		{ID: first, Name: "first", CreatedAt: stamp(noon()), UpdatedAt: stamp(noon())},
		{ID: second, Name: "renamed ✓", CreatedAt: stamp(noon()), UpdatedAt: stamp(noon().Add(time.Hour))},
	}
	all = slices.DeleteFunc(all, func(w postroom.Workspace) bool { return w.ID != first && w.ID != second }) // other tests'
	f.equal("all workspaces", all, want)
	one, err := f.s.Workspace(f.ctx, second)
	f.must(err)
	f.equal("the second workspace", one, want[1])

	unknown := postroom.NewID[postroom.WorkspaceKind](noon())
	_, err = f.s.Workspace(f.ctx, unknown)
	f.code("an unknown workspace", err, postroom.CodeNotFound)
	contains(t, "the message", err.Error(), unknown.String())
	f.code("renaming an unknown workspace", f.s.RenameWorkspace(f.ctx, unknown, "x", noon()), postroom.CodeNotFound)
	f.code("deleting an unknown workspace", f.s.DeleteWorkspace(f.ctx, unknown), postroom.CodeNotFound)
	_, err = f.s.Revision(f.ctx, unknown)
	f.code("the revision of an unknown workspace", err, postroom.CodeNotFound)
	_, _, err = f.s.Subscriptions(f.ctx, unknown)
	f.code("the subscriptions of an unknown workspace", err, postroom.CodeNotFound)
}

// workspaceColumns are all tables that hold rows of workspaces, with the column that says whose.
func workspaceColumns() map[string]string {
	return map[string]string{"workspaces": "id", "keys": "workspace_id", "event_types": "workspace_id", "webhooks": "workspace_id",
		"webhook_secrets": "workspace_id", "events": "workspace_id", "event_keys": "workspace_id", "deliveries": "workspace_id",
		"attempts": "workspace_id", "rollups": "workspace_id", "rollups_open": "workspace_id", "idempotency": "workspace_id", "webhook_health": "workspace_id", "replays": "workspace_id",
		"sources": "workspace_id", "source_health": "workspace_id", "requests": "workspace_id",
		"request_keys": "(SELECT s.workspace_id FROM sources s WHERE s.id = source_id)",
		"contacts":     "workspace_id", "contact_tags": "workspace_id", "tag_counts": "workspace_id", "lists": "workspace_id", "list_counts": "workspace_id", "memberships": "workspace_id",
		"consents": "workspace_id", "fields": "workspace_id", "imports": "workspace_id", "audit": "workspace_id", "erasures": "workspace_id",
		"members": "workspace_id", "sessions": "workspace_id", "sign_in_links": "workspace_id"}
}

func (f *fixture) countAll(workspace postroom.WorkspaceID) map[string]int64 {
	f.t.Helper()
	counts := map[string]int64{}
	for table, column := range workspaceColumns() {
		counts[table] = f.number("SELECT count(*) FROM "+table+" WHERE "+column+" = $1", workspace)
	}
	return counts
}

// TestEveryTableIsKnown notices a table that a migration adds and that TestDeleteWorkspace would not look at.
func TestEveryTableIsKnown(t *testing.T) {
	f := newFixture(t, newSQLite(t).open())
	var names []string
	f.must(f.s.read(f.ctx, func(q querier) error { // the index of the log has hashes, and where in it those lie
		return q.eachText(f.ctx, "test", "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('meta', 'schema_migrations', 'log_segments', 'log_spans', 'people', 'sign_in_failures')", func(row func(...any) error) error {
			var name string
			err := row(&name)
			names = append(names, name)
			return err
		})
	}))
	for _, name := range names {
		if workspaceColumns()[name] == "" {
			t.Errorf("the table %s is not among workspaceColumns", name)
		}
	}
	if len(names) != len(workspaceColumns()) {
		t.Errorf("there are the tables %q, and %d are known", names, len(workspaceColumns()))
	}
}

// fill stores something in every table of a workspace: n events and deliveries, with attempts for each.
func (f *fixture) fill(workspace postroom.WorkspaceID, n int) {
	f.t.Helper()
	f.must(f.s.CreateEventType(f.ctx, workspace, postroom.EventType{Name: "order.paid", Group: "custom"}, noon()))
	held, err := f.s.BeginIdempotent(f.ctx, workspace, "some key", digest("body"), noon(), noon().Add(time.Hour))
	if err != nil || held != nil {
		f.t.Fatalf("the idempotency key is held by %v, %v", held, err)
	}
	f.replay(workspace, postroom.ReplayFilter{Before: noon()})
	f.fillContacts(workspace, n)
	webhook := f.webhook(workspace)
	var pubs []*postroom.Publication
	var fins []*postroom.Finish
	for range n {
		p := f.publication(workspace, noon(), postroom.StateLeased, webhook)
		p.Keys = []string{"u:" + p.Event.ID.String()}
		pubs = append(pubs, p)
		fins = append(fins, finishOf(jobsOf(p)[0], noon(), 200, postroom.Outcome{State: postroom.StateSucceeded}))
	}
	fins[0].Health = &postroom.Health{Failures: 1, FailingSince: noon()}
	f.publish(pubs...)
	f.must(f.s.Finish(f.ctx, fins))
	request := f.commitOf(workspace, f.source(workspace), noon(), postroom.RequestRetry, "k")
	request.Health = &postroom.SourceHealth{Failures: 1, FailingSince: stamp(noon())}
	f.commit(request)
	f.member(workspace, "ada@fill.example.com", postroom.RoleAdmin)
	// As Compact would, which is for the whole database.
	const columns = "attempts, succeeded, failed, retried, answered, latency_us, status_code, at, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15"
	f.exec("INSERT INTO rollups (workspace_id, webhook_id, step, starts_at, "+columns+") SELECT workspace_id, webhook_id, 60, minute, "+columns+
		" FROM rollups_open WHERE workspace_id = $1", workspace)
}

// fillContacts stores n contacts, with all that belongs to them.
func (f *fixture) fillContacts(workspace postroom.WorkspaceID, n int) {
	f.t.Helper()
	list := f.list(workspace, "News")
	var writes []postroom.ContactWrite
	for i := range n {
		c := f.wholeContact(workspace, fmt.Sprintf("%d@example.com", i))
		c.Lists = []postroom.Membership{on(list, postroom.MemberSubscribed)}
		w := create(c)
		w.Consents = []postroom.Consent{{At: stamp(noon()), ContactID: c.ID, To: "subscribed", Origin: postroom.OriginAPI}}
		writes = append(writes, w)
	}
	f.writeContacts(writes...)
	f.must(f.s.PutField(f.ctx, workspace, postroom.Field{Name: "size", Type: postroom.FieldText}, noon()))
	f.must(f.s.CreateImport(f.ctx, f.newImport(workspace)))
	f.must(f.s.write(f.ctx, func(q querier) error {
		if _, err := q.exec(f.ctx, "erasure_put", postroom.NewID[postroom.ContactKind](noon()), workspace, []byte("{}"), micros(noon())); err != nil {
			return err
		}
		return writeAudit(f.ctx, q, []postroom.AuditEntry{f.auditEntry(workspace, "key.created", "x")})
	}))
}

func testDeleteWorkspace(f *fixture) {
	t := f.t
	doomed, other := f.workspace("doomed"), f.workspace("other")
	f.fill(doomed, 2*purgeStep+1)
	f.fill(other, 3)
	before := f.countAll(other)
	for table, n := range f.countAll(doomed) {
		if n == 0 || before[table] == 0 {
			t.Fatalf("there is nothing to delete in %s", table)
		}
	}

	f.must(f.s.DeleteWorkspace(f.ctx, doomed))
	for table, n := range f.countAll(doomed) {
		if n != 0 {
			t.Errorf("%d rows of %s are left", n, table)
		}
	}
	f.equal("what the other workspace has", f.countAll(other), before)
	_, err := f.s.Workspace(f.ctx, doomed)
	f.code("the deleted workspace", err, postroom.CodeNotFound)
	_, err = f.s.KeyByDigest(f.ctx, f.keyDigest("doomed"))
	f.code("its key", err, postroom.CodeNotFound)
}

func testRevisions(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	w, secret := f.newWebhook(workspace)
	jobs := []*postroom.Job{}
	unchanged := func(*postroom.StoredWebhook) error { return nil }
	for _, step := range []struct {
		what   string
		change func() error
	}{
		{"a new webhook", func() error { return f.s.CreateWebhook(f.ctx, &w, secret) }},
		{"an edit", func() error { _, err := f.s.UpdateWebhook(f.ctx, workspace, w.ID, noon(), unchanged); return err }},
		{"a status", func() error {
			return f.s.SetWebhookStatus(f.ctx, workspace, w.ID, postroom.WebhookActive, "", noon())
		}},
		{"a new secret", func() error {
			return f.s.RotateSecret(f.ctx, workspace, w.ID, f.newSecret(noon()), noon().Add(time.Hour), noon())
		}},
		{"a pause by an attempt", func() error {
			jobs = f.leased(workspace, noon(), w.ID)
			return f.s.Finish(f.ctx, []*postroom.Finish{finishOf(jobs[0], noon(), 410, postroom.Outcome{State: postroom.StateFailed, Stop: postroom.WebhookPaused, Reason: "gone"})})
		}},
		{"a new event type", func() error { return f.s.CreateEventType(f.ctx, workspace, postroom.EventType{Name: "a.b"}, noon()) }},
		{"another sample", func() error { return f.s.UpdateEventType(f.ctx, workspace, postroom.EventType{Name: "a.b"}, noon()) }},
		{"an event type less", func() error { return f.s.DeleteEventType(f.ctx, workspace, "a.b") }},
		{"a webhook less", func() error {
			return f.s.DeleteWebhook(f.ctx, workspace, w.ID, noon(), func(postroom.StoredWebhook) error { return nil })
		}},
	} {
		before, err := f.s.Revision(f.ctx, workspace)
		f.must(err)
		f.must(step.change())
		after, err := f.s.Revision(f.ctx, workspace)
		f.must(err)
		if after <= before {
			t.Errorf("%s: the revision was %d and is %d", step.what, before, after)
		}
	}
	all, err := f.s.Revisions(f.ctx)
	f.must(err)
	own, err := f.s.Revision(f.ctx, workspace)
	f.must(err)
	if all[workspace] != own || all[other] != 1 {
		t.Errorf("of all revisions, this workspace's is %d and the other's %d; want %d and 1", all[workspace], all[other], own)
	}
}

func testKeys(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	expires := stamp(noon().Add(time.Hour))
	k := postroom.Key{ID: postroom.Next[postroom.KeyKind](f.made(noon()), noon()), WorkspaceID: workspace, Name: "for the shop", Role: postroom.RolePublisher,
		Hint: "prk_x", CreatedAt: stamp(noon()), ExpiresAt: &expires}
	f.must(f.s.CreateKey(f.ctx, k, f.keyDigest("presented")))

	found, err := f.s.KeyByDigest(f.ctx, f.keyDigest("presented"))
	f.must(err)
	f.equal("the key that was presented", found, k)
	found, err = f.s.Key(f.ctx, workspace, k.ID)
	f.must(err)
	f.equal("the key by its id", found, k)
	first, err := f.s.KeyByDigest(f.ctx, f.keyDigest("one"))
	f.must(err)
	if !first.Operator || first.ExpiresAt != nil || first.WorkspaceID != workspace {
		t.Errorf("the first key is %+v", first)
	}
	list, err := f.s.Keys(f.ctx, workspace)
	f.must(err)
	f.equal("all keys", list, []postroom.Key{first, k})

	_, err = f.s.KeyByDigest(f.ctx, f.keyDigest("unknown"))
	f.code("an unknown key", err, postroom.CodeNotFound)
	f.code("deleting it from another workspace", f.s.DeleteKey(f.ctx, other, k.ID), postroom.CodeNotFound)
	f.must(f.s.DeleteKey(f.ctx, workspace, k.ID))
	_, err = f.s.KeyByDigest(f.ctx, f.keyDigest("presented"))
	f.code("a deleted key", err, postroom.CodeNotFound)
	f.code("deleting it again", f.s.DeleteKey(f.ctx, workspace, k.ID), postroom.CodeNotFound)

	if err := f.s.CreateKey(f.ctx, k, f.keyDigest("one")); err == nil {
		t.Error("two keys have the same digest")
	}
}

func testEventTypes(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	created := stamp(noon())
	paid := postroom.EventType{Name: "order.paid", Group: "order", Title: "Paid", Description: "Somebody paid.", Custom: true,
		Schema: json.RawMessage(`{"type": "object"}`), Sample: json.RawMessage(`{"big":12345678901234567890}`), CreatedAt: &created, UpdatedAt: &created}
	bare := postroom.EventType{Name: "order.lost", Custom: true, CreatedAt: &created, UpdatedAt: &created}
	f.must(f.s.CreateEventType(f.ctx, workspace, paid, noon()))
	f.must(f.s.CreateEventType(f.ctx, workspace, bare, noon()))
	f.must(f.s.CreateEventType(f.ctx, other, paid, noon()))

	all, err := f.s.EventTypes(f.ctx, workspace)
	f.must(err)
	f.equal("the event types", all, []postroom.EventType{bare, paid})

	err = f.s.CreateEventType(f.ctx, workspace, paid, noon())
	f.code("the same name again", err, postroom.CodeConflict)
	contains(t, "the message", err.Error(), "/name", "order.paid")

	changed := stamp(noon().Add(time.Minute))
	paid.Title, paid.Schema, paid.UpdatedAt = "Paid up", nil, &changed
	f.must(f.s.UpdateEventType(f.ctx, workspace, paid, changed.Time))
	f.must(f.s.DeleteEventType(f.ctx, workspace, bare.Name))
	all, err = f.s.EventTypes(f.ctx, workspace)
	f.must(err)
	f.equal("the event types after changes", all, []postroom.EventType{paid})

	f.code("changing an unknown one", f.s.UpdateEventType(f.ctx, workspace, bare, noon()), postroom.CodeNotFound)
	f.code("deleting an unknown one", f.s.DeleteEventType(f.ctx, workspace, bare.Name), postroom.CodeNotFound)
	theirs, err := f.s.EventTypes(f.ctx, other)
	f.must(err)
	if len(theirs) != 1 || theirs[0].Title != "Paid" {
		t.Errorf("the other workspace's event types are %+v", theirs)
	}
	if none, err := f.s.EventTypes(f.ctx, postroom.NewID[postroom.WorkspaceKind](noon())); err != nil || none == nil || len(none) != 0 {
		t.Errorf("an unknown workspace has %v, %v: want an empty list", none, err)
	}
}

func testIdempotency(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	begin := func(key, body string, now time.Time) *postroom.IdempotencyRecord {
		t.Helper()
		held, err := f.s.BeginIdempotent(f.ctx, workspace, key, digest(body), now, now.Add(2*time.Minute))
		f.must(err)
		return held
	}
	if held := begin("k", "body", noon()); held != nil {
		t.Fatalf("a new key is held by %+v", held)
	}
	f.equal("a running call", begin("k", "another body", noon().Add(time.Minute)), &postroom.IdempotencyRecord{Hash: digest("body")})

	f.must(f.s.HoldIdempotent(f.ctx, workspace, "k", digest("body"), noon().Add(10*time.Minute)))
	f.equal("a call that runs long", begin("k", "body", noon().Add(9*time.Minute)), &postroom.IdempotencyRecord{Hash: digest("body")})
	f.must(f.s.HoldIdempotent(f.ctx, workspace, "k", digest("another body"), noon()))
	f.equal("a call that another one would let go", begin("k", "body", noon().Add(9*time.Minute)), &postroom.IdempotencyRecord{Hash: digest("body")})

	day := noon().Add(24 * time.Hour)
	f.must(f.s.CompleteIdempotent(f.ctx, workspace, "k", []byte("answer"), day))
	f.must(f.s.HoldIdempotent(f.ctx, workspace, "k", digest("body"), noon()))
	f.must(f.s.CompleteIdempotent(f.ctx, workspace, "k", []byte("a later answer"), day))
	f.equal("a call that has ended", begin("k", "body", day.Add(-time.Microsecond)), &postroom.IdempotencyRecord{Hash: digest("body"), Answer: []byte("answer")})

	if held := begin("k", "new body", day); held != nil {
		t.Errorf("after its time the key is held by %+v", held)
	}
	f.equal("the key's second life", begin("k", "body", day), &postroom.IdempotencyRecord{Hash: digest("new body")})

	f.must(f.s.AbandonIdempotent(f.ctx, workspace, "k"))
	if held := begin("k", "body", day); held != nil {
		t.Errorf("an abandoned key is held by %+v", held)
	}
	f.must(f.s.CompleteIdempotent(f.ctx, workspace, "unknown", []byte("answer"), day))
	if held := begin("unknown", "body", noon()); held != nil {
		t.Errorf("a key that was only completed is held by %+v", held)
	}
}

// testIdempotencyRace has many callers begin the same call at once: one may make it.
func testIdempotencyRace(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	const callers = 16
	held := make(chan *postroom.IdempotencyRecord, callers)
	atOnce(t, callers, func(int) error {
		record, err := f.s.BeginIdempotent(context.Background(), workspace, "k", digest("body"), noon(), noon().Add(time.Hour))
		held <- record
		return err
	})
	won := 0
	for range callers {
		switch record := <-held; {
		case record == nil:
			won++
		case string(record.Hash) != string(digest("body")):
			t.Errorf("a loser sees %+v", record)
		}
	}
	if won != 1 {
		t.Errorf("%d callers may make the call, want 1", won)
	}
}
