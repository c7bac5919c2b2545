package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// mentions says in which tables a text stands anywhere, in either case.
func (f *fixture) mentions(text string) (tables []string) {
	f.t.Helper()
	names := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if f.s.dialect == postgres {
		names = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
	}
	f.must(f.s.read(f.ctx, func(q querier) error {
		var all []string
		if err := q.eachText(f.ctx, "tables", names, func(row func(...any) error) error {
			var name string
			err := row(&name)
			all = append(all, name)
			return err
		}); err != nil {
			return err
		}
		for _, table := range all {
			found, err := mentionedIn(f.ctx, q, table, []byte(strings.ToLower(text)))
			if err != nil {
				return err
			}
			if found {
				tables = append(tables, table)
			}
		}
		return nil
	}))
	return tables
}

func mentionedIn(ctx context.Context, q querier, table string, text []byte) (found bool, err error) {
	rows, err := q.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return false, err
	}
	values, dest := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return false, err
		}
		for _, v := range values {
			switch v := v.(type) {
			case []byte:
				found = found || bytes.Contains(bytes.ToLower(v), text)
			case string:
				found = found || strings.Contains(strings.ToLower(v), string(text))
			}
		}
	}
	return found, rows.Err()
}

// telling is an event with the given data, delivered with an attempt that has the data too.
func (f *fixture) telling(workspace postroom.WorkspaceID, webhook postroom.WebhookID, contact, data string, more func(*postroom.Publication)) *postroom.Publication {
	f.t.Helper()
	p := f.publication(workspace, noon(), postroom.StateLeased, webhook)
	p.Event.Contact, p.Event.Data = contact, []byte(data)
	if more != nil {
		more(p)
	}
	f.publish(p)
	if p.Deliveries[0].Parked {
		return p
	}
	fin := finishOf(jobsOf(p)[0], noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})
	fin.Attempt.Request.Body = p.Event.Data
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
	return p
}

func (f *fixture) auditEntry(workspace postroom.WorkspaceID, action, subject string) postroom.AuditEntry {
	return postroom.AuditEntry{ID: postroom.Next[postroom.AuditKind](f.made(noon()), noon()), WorkspaceID: workspace, At: stamp(noon()), Action: action, Subject: subject}
}

func testEraseContact(f *fixture) {
	workspace := f.workspace("one")
	webhook, source := f.webhook(workspace), f.source(workspace)
	list := f.list(workspace, "News")
	ada, nada := f.wholeContact(workspace, "Ada.Erase@Example.com"), f.wholeContact(workspace, "n-ada.erase@example.com")
	ada.Phone, ada.FirstName, nada.Phone, ada.Lists = "+491799990001", "Erasabella", "+441799990001", []postroom.Membership{on(list, postroom.MemberSubscribed)}
	first := create(ada)
	first.Consents = []postroom.Consent{{At: stamp(noon()), ContactID: ada.ID, To: "subscribed", IP: "192.0.2.99", Origin: postroom.OriginAPI}}
	f.writeContacts(first, create(nada))
	theirs := f.traces(workspace, webhook, source, ada)
	others := f.untouched(workspace, webhook, source, nada)

	// Nada's delivery waits behind one of Ada's.
	key := "chat 1"
	ordered := func(p *postroom.Publication) { p.Deliveries[0].OrderKey = &key }
	head := f.publication(workspace, noon(), postroom.StateFresh, webhook)
	head.Event.Contact = ada.Email
	ordered(head)
	f.publish(head)
	behind := f.telling(workspace, webhook, nada.Email, `{"n":1}`, ordered)
	if state, _ := f.state(behind.Deliveries[0].ID); state != postroom.StateParked {
		f.t.Fatalf("the other's delivery is in state %d", state)
	}

	var gone int64
	entry := f.auditEntry(workspace, "contact.erased", ada.ID.String())
	f.must(f.s.EraseContact(f.ctx, workspace, ada, entry, at(time.Minute), func(n int64) { gone += n }))
	for _, text := range []string{"ada.erase%40example.com", `ada.erase\u0040example.com`, ada.Phone, "Erasabella", "192.0.2.99", theirs.hidden,
		" ada.erase@example.com", `"ada.erase@example.com"`, `\nada.erase@example.com`, "<ada.erase@example.com", "=ada.erase@example.com", ">ada.erase@example.com<"} {
		f.equal("where "+text+" stands", f.mentions(text), []string(nil))
	}
	if gone < int64(theirs.events+theirs.requests+1) {
		f.t.Errorf("%d things went, and there were %d events and %d requests", gone, theirs.events, theirs.requests)
	}
	f.equal("events that are left", f.number("SELECT count(*) FROM events WHERE workspace_id = $1", workspace), int64(len(others.events)+1))
	for _, id := range others.events {
		if _, err := f.s.Event(f.ctx, workspace, id); err != nil {
			f.t.Errorf("an event of others: %v", err)
		}
	}
	f.equal("attempts that are left", f.number("SELECT count(*) FROM attempts WHERE workspace_id = $1", workspace), int64(len(others.events)))
	f.equal("requests that are left", f.number("SELECT count(*) FROM requests WHERE workspace_id = $1", workspace), int64(others.requests))
	f.equal("erasures that are left", f.number("SELECT count(*) FROM erasures WHERE workspace_id = $1", workspace), int64(0))
	f.equal("the other contact", f.contact(nada), nada)
	if state, _ := f.state(behind.Deliveries[0].ID); state != postroom.StateFresh {
		f.t.Errorf("the delivery that waited behind is in state %d", state)
	}
	f.checkCounts(workspace)
	audit, err := f.s.Audit(f.ctx, workspace, nil, 10)
	f.must(err)
	f.equal("the newest entry of the audit", audit[0], entry)
	f.equal("entries of the audit", len(audit), 2)
	report, err := f.s.Import(f.ctx, workspace, theirs.report)
	f.must(err)
	f.equal("rows of the report", report.Problems, []postroom.BadRow{{Row: 2, Email: nada.Email, Errors: []postroom.FieldError{}}})
	f.code("to erase it again", f.s.EraseContact(f.ctx, workspace, ada, entry, noon(), nil), postroom.CodeNotFound)

	// The events of others are found as before.
	found, _, err := f.s.Events(f.ctx, workspace, postroom.EventFilter{Contact: nada.Email}, nil, 10)
	f.must(err)
	f.equal("events of the other", len(found), 2)
}

type toldOf struct {
	events, requests int
	report           postroom.ImportID
	hidden           string // what stands in a request that is known by its log only
}

// traces leaves traces of a contact wherever they can be.
func (f *fixture) traces(workspace postroom.WorkspaceID, webhook postroom.WebhookID, source postroom.SourceID, c postroom.Contact) (told toldOf) {
	f.t.Helper()
	email := postroom.Fold(c.Email)
	escaped := strings.ReplaceAll(email, "@", `\u0040`)
	var last *postroom.Publication
	for contact, data := range map[string]string{
		c.Email: `{"contact":{"email":"` + c.Email + `"}}`, strings.ToUpper(email): `{"contact":{"email":"` + strings.ToUpper(email) + `"}}`, *c.UID: `{"contact":{"uid":"..."}}`,
		c.ID.String(): `{"contact":{"id":"` + c.ID.String() + `"}}`, c.Phone: `{"contact":{"phone":"` + c.Phone + `"}}`, email: `{"contact":{"email":"` + escaped + `"}}`,
		"x1": `{"text":"Hi,\n` + email + ` wrote"}`, "x2": `{"to":["Erasabella <` + email + `>."]}`, "x3": `{"previous":{"phone":"` + c.Phone + `"}}`,
	} {
		last = f.telling(workspace, webhook, contact, data, func(p *postroom.Publication) {
			p.Event.UID = fmt.Sprintf("signup %d", told.events)
			p.Keys = []string{"u:" + p.Event.UID}
			if contact == "x1" {
				p.Event.UID = "signup of " + email
				p.Keys = []string{"u:" + p.Event.UID}
			}
		})
		told.events++
	}
	told.hidden = "aGlkZGVuIGluIGJhc2U2NA"
	var commits []*postroom.Commit
	for _, change := range []func(*postroom.Request){
		func(r *postroom.Request) { r.Body = []byte(`{"email":"` + c.Email + `"}`) },
		func(r *postroom.Request) {
			r.Body = []byte("a=1&email=" + strings.ReplaceAll(email, "@", "%40") + "&b=2")
		},
		func(r *postroom.Request) { r.Target = "/in/x?email=" + strings.ReplaceAll(email, "@", "%40") },
		func(r *postroom.Request) { r.Body = []byte(`{"phone":"` + c.Phone + `"}`) },
		func(r *postroom.Request) { r.Log.Contacts = []postroom.ContactID{c.ID} },
		func(r *postroom.Request) { r.Headers = []postroom.Header{{Name: "X-User", Value: email}} },
		func(r *postroom.Request) {
			r.Body, r.Log.Events = []byte(told.hidden), []string{last.Event.PublicID()}
		},
	} {
		commit := f.commitOf(workspace, source, noon(), postroom.RequestProcessed)
		change(commit.Request)
		commits = append(commits, commit)
		told.requests++
	}
	f.commit(commits...)
	report := f.newImport(workspace)
	told.report = report.ID
	report.Problems = []postroom.BadRow{{Row: 1, Email: c.Email, Errors: []postroom.FieldError{}}, {Row: 2, Email: "n-" + email, Errors: []postroom.FieldError{}},
		{Row: 3, Errors: []postroom.FieldError{{Pointer: "/email", Detail: `"` + email + `" is taken`}}}}
	f.must(f.s.CreateImport(f.ctx, report))
	entry := f.auditEntry(workspace, "contact.updated", c.ID.String())
	entry.Detail = []byte(`{"email":"` + c.Email + `"}`)
	f.must(f.s.write(f.ctx, func(q querier) error { return writeAudit(f.ctx, q, []postroom.AuditEntry{entry}) }))
	return told
}

type leftAlone struct {
	events   []postroom.EventID
	requests int
}

// untouched stores what tells of others, whose names are alike.
func (f *fixture) untouched(workspace postroom.WorkspaceID, webhook postroom.WebhookID, source postroom.SourceID, other postroom.Contact) (left leftAlone) {
	f.t.Helper()
	for contact, data := range map[string]string{
		other.Email: `{"contact":{"email":"` + other.Email + `"}}`, "y1": `{"to":"ada.erase@example.com.au"}`, "y2": `{"to":"x.ada.erase@example.com"}`,
		"y3": `{"n":4917999900011,"m":"` + other.Phone + `"}`, "y4": `{"to":"ada.erase@example.comet"}`,
	} {
		left.events = append(left.events, f.telling(workspace, webhook, contact, data, nil).Event.ID)
	}
	body := f.commitOf(workspace, source, noon(), postroom.RequestProcessed)
	body.Request.Body = []byte("email=" + other.Email)
	f.commit(body)
	left.requests++
	return left
}

// testEraseSharedPhone leaves alone what a phone number that others have too tells of.
func testEraseSharedPhone(f *fixture) {
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	ada, grace := f.wholeContact(workspace, "ada@example.com"), f.wholeContact(workspace, "grace@example.com")
	f.writeContacts(create(ada), create(grace))
	shared := f.telling(workspace, webhook, ada.Phone, `{"contact":{"phone":"`+ada.Phone+`"}}`, nil)
	f.must(f.s.EraseContact(f.ctx, workspace, ada, f.auditEntry(workspace, "contact.erased", ada.ID.String()), noon(), nil))
	if _, err := f.s.Event(f.ctx, workspace, shared.Event.ID); err != nil {
		f.t.Errorf("an event that may be the other's: %v", err)
	}
	f.must(f.s.EraseContact(f.ctx, workspace, grace, f.auditEntry(workspace, "contact.erased", grace.ID.String()), noon(), nil))
	_, err := f.s.Event(f.ctx, workspace, shared.Event.ID)
	f.code("the event of the last who had the number", err, postroom.CodeNotFound)
}

// testEraseUnderWay erases a contact while an attempt for it is made: its result is not kept.
func testEraseUnderWay(f *fixture) {
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	ada := f.newContact(workspace, "ada@example.com")
	f.writeContacts(create(ada))
	job, other := f.leased(workspace, noon(), webhook)[0], f.leased(workspace, noon(), webhook)[0]
	f.exec("UPDATE events SET contact = $1 WHERE workspace_id = $2 AND id = $3", "x", workspace, other.Event.ID)
	f.exec("UPDATE events SET data = $1 WHERE workspace_id = $2 AND id = $3", []byte("{}"), workspace, other.Event.ID)
	f.must(f.s.EraseContact(f.ctx, workspace, ada, f.auditEntry(workspace, "contact.erased", ada.ID.String()), noon(), nil))
	fins := []*postroom.Finish{finishOf(job, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded}), finishOf(other, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})}
	f.must(f.s.Finish(f.ctx, fins))
	f.equal("whether the results were lost", []bool{fins[0].Lost, fins[1].Lost}, []bool{true, false})
	f.equal("attempts", f.number("SELECT count(*) FROM attempts WHERE workspace_id = $1", workspace), int64(1))
}

// testEraseLarge cuts erasures off, and ends them in both ways.
func testEraseLarge(f *fixture) {
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	for i := range 2 {
		ada := f.newContact(workspace, "ada@example.com")
		f.writeContacts(create(ada))
		var pubs []*postroom.Publication
		for range 2*eraseStep + 3 {
			pubs = append(pubs, f.publication(workspace, noon(), postroom.StateFresh, webhook))
		}
		f.publish(pubs...)
		entry := f.auditEntry(workspace, "contact.erased", ada.ID.String())
		ctx, cancel := context.WithCancel(f.ctx)
		if err := f.s.EraseContact(ctx, workspace, ada, entry, noon(), func(int64) { cancel() }); !errors.Is(err, context.Canceled) {
			f.t.Fatalf("the erasure was cut off with %v", err)
		}
		if left := f.number("SELECT count(*) FROM events WHERE workspace_id = $1", workspace); left == 0 || left == int64(len(pubs)) {
			f.t.Errorf("%d events are left of an erasure that was cut off", left)
		}
		_, err := f.s.Contact(f.ctx, workspace, ada.ID)
		f.code("the contact", err, postroom.CodeNotFound)
		if i == 0 {
			f.must(f.s.EraseContact(f.ctx, workspace, ada, entry, noon(), nil))
		} else {
			f.must(f.s.endErasures(f.ctx, noon(), func(int64) {}))
		}
		for _, table := range []string{"events", "deliveries", "erasures", "contacts"} {
			f.equal("rows of "+table, f.number("SELECT count(*) FROM "+table+" WHERE workspace_id = $1", workspace), int64(0))
		}
		f.equal("entries of the audit", f.number("SELECT count(*) FROM audit WHERE workspace_id = $1", workspace), int64(i+1))
	}
}

// TestExpireContacts deletes what is too old, and ends what was cut off.
func TestExpireContacts(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		old, kept := f.auditEntry(workspace, "a", "1"), f.auditEntry(workspace, "a", "2")
		old.At = stamp(at(-auditLife - time.Second))
		f.must(f.s.write(f.ctx, func(q querier) error { return writeAudit(f.ctx, q, []postroom.AuditEntry{old, kept}) }))
		ended, running := f.newImport(workspace), f.newImport(workspace)
		end := stamp(at(-2 * time.Hour))
		ended.EndedAt = &end
		f.must(f.s.CreateImport(f.ctx, ended))
		f.must(f.s.CreateImport(f.ctx, running))
		list, ada := f.list(workspace, "News"), f.newContact(workspace, "ada@example.com")
		f.members(workspace, list, 3)
		f.exec("UPDATE lists SET deleted_at = 1 WHERE id = $1", list.ID)
		f.writeContacts(create(ada))
		f.publish(f.publication(workspace, noon(), postroom.StateFresh, webhook))
		e := erasure{workspace: workspace, contact: ada.ID}
		f.must(f.s.write(f.ctx, func(q querier) error { return e.begin(f.ctx, q, ada, f.auditEntry(workspace, "a", "3"), noon()) }))
		f.must(f.s.Expire(f.ctx, at(-time.Hour), noon(), nil))
		audit, err := f.s.Audit(f.ctx, workspace, nil, 10)
		f.must(err)
		for _, e := range audit {
			if e.ID == old.ID {
				t.Error("an entry of more than a year ago is kept")
			}
		}
		imports, err := f.s.Imports(f.ctx, workspace, nil, 10)
		f.must(err)
		f.equal("imports", imports, []postroom.Import{running})
		for _, table := range []string{"lists", "memberships", "list_counts", "erasures", "events"} {
			f.equal("rows of "+table, f.number("SELECT count(*) FROM "+table+" WHERE workspace_id = $1", workspace), int64(0))
		}
	})
}

func TestTraces(t *testing.T) {
	e := traces{Emails: []string{"ada@example.com"}, Phones: []string{"12025550143"}, Texts: []string{"con_1"}}
	for text, want := range map[string]bool{
		"ada@example.com": true, `{"a":"ADA@EXAMPLE.COM"}`: true, "<ada@example.com>, x": true, "mail ada@example.com.": true, "email=ada%40example.com&a": true, `"ada\u0040example.com"`: true,
		`"x\nada@example.com"`: true, "a%20ada%40example.com": true, "nada@example.com": false, "x.ada@example.com": false, "ada@example.com.au": false, "ada@example.community": false,
		"nada@example.com ada@example.com": true, "+12025550143": true, "%2B12025550143": true, `{"p":12025550143}`: true, "912025550143": false, "120255501430": false, "id CON_1": true,
		"": false, "%": false, `\`: false, `\u00`: false, "%4": false, "ada%zzexample.com": false,
	} {
		if got := e.in([]byte(text)); got != want {
			t.Errorf("%q tells of the contact: %v", text, got)
		}
	}
}
