package store

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// person is a contact that is new, as a commit stores it.
func person(workspace postroom.WorkspaceID, email string) postroom.ContactWrite {
	return postroom.ContactWrite{Contact: postroom.Contact{ID: postroom.NewID[postroom.ContactKind](noon()), WorkspaceID: workspace, Email: email, Status: postroom.ContactSubscribed,
		Lists: []postroom.Membership{}, Tags: []string{"lead"}, CustomFields: nil, CreatedAt: stamp(noon()), UpdatedAt: stamp(noon()), Version: 1}}
}

// whole is a commit of a request with all that a request may cause.
func (f *fixture) whole(workspace postroom.WorkspaceID, source postroom.SourceID, webhook postroom.WebhookID, key string, contacts ...postroom.ContactWrite) *postroom.Commit {
	c := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, key)
	c.Contacts = contacts
	c.Publications = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, webhook)}
	c.Audit = []postroom.AuditEntry{{ID: postroom.NewID[postroom.AuditKind](noon()), WorkspaceID: workspace, At: stamp(noon()), Action: "contact.changed", Subject: c.Request.ID.String()}}
	return c
}

// left checks that all of a commit is stored, or nothing of it.
func (f *fixture) left(what string, c *postroom.Commit, want bool) {
	f.t.Helper()
	r := c.Request
	got := map[string]bool{"request": f.hasRequest(r), "event": f.stored(c.Publications[0]),
		"key": f.number("SELECT count(*) FROM request_keys WHERE source_id = $1 AND request_id = $2", r.SourceID, r.ID) > 0,
	}
	if len(c.Audit) > 0 {
		got["audit"] = f.number("SELECT count(*) FROM audit WHERE workspace_id = $1 AND subject = $2", r.WorkspaceID, r.ID.String()) > 0
	}
	for part, there := range got {
		if there != want {
			f.t.Errorf("%s: its %s is stored: %v", what, part, there)
		}
	}
}

func testCommitContacts(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	source, webhook := f.source(workspace), f.webhook(workspace)
	has := func(id postroom.ContactID) bool {
		return f.number("SELECT count(*) FROM contacts WHERE id = $1", id) > 0
	}
	ada := person(workspace, "ada@example.com")
	first := f.whole(workspace, source, webhook, "first", ada)
	f.commit(first)
	f.left("the first", first, true)
	if !has(ada.Contact.ID) {
		t.Error("the contact is not stored")
	}

	// A key that is taken keeps the contacts back too.
	bob := person(workspace, "bob@example.com")
	taken := f.whole(workspace, source, webhook, "first", bob)
	f.must(f.s.Commit(f.ctx, taken))
	f.left("the taken one", taken, false)
	if !taken.Taken || taken.Stale || taken.Keys[0].Request != first.Request.ID || has(bob.Contact.ID) {
		t.Errorf("the taken one: %+v", taken)
	}

	// Of two contacts one has changed meanwhile: neither is stored.
	behind := ada
	behind.Was, behind.Contact.Version, behind.Contact.FirstName = 7, 8, "Ada"
	stale := f.whole(workspace, source, webhook, "stale", bob, behind)
	f.must(f.s.Commit(f.ctx, stale))
	f.left("the stale one", stale, false)
	if !stale.Stale || stale.Taken || stale.Contacts[0].Stale || !stale.Contacts[1].Stale || has(bob.Contact.ID) {
		t.Errorf("the stale one: %+v", stale)
	}
	stale.Contacts[1].Was, stale.Contacts[1].Contact.Version = 1, 2
	f.commit(stale)
	f.left("the stale one, put right", stale, true)

	// A claim that has ended keeps all back.
	lost := f.whole(workspace, source, webhook, "lost", person(workspace, "carl@example.com"))
	lost.Request.Claim = 1
	f.must(f.s.Commit(f.ctx, lost))
	f.left("the lost one", lost, false)
	if !lost.Lost || lost.Stale || has(lost.Contacts[0].Contact.ID) {
		t.Errorf("the lost one: %+v", lost)
	}

	// Without a request there are contacts alone, as when a person changes them.
	alone := &postroom.Commit{Contacts: []postroom.ContactWrite{person(workspace, "dora@example.com")}}
	f.commit(alone)
	if !has(alone.Contacts[0].Contact.ID) {
		t.Error("the contact of a commit without a request is not stored")
	}
	again := &postroom.Commit{Contacts: []postroom.ContactWrite{person(workspace, "DORA@example.com")}}
	f.must(f.s.Commit(f.ctx, again))
	if !again.Stale || has(again.Contacts[0].Contact.ID) {
		t.Error("two contacts have one email")
	}
}

// testCommitContactsStale has publications that are stale beside contacts, where several nodes share a database.
func testCommitContactsStale(f *fixture) {
	if f.s.dialect == sqlite { // which has one process, which knows its subscriptions
		return
	}
	workspace := f.workspace("one")
	source, webhook := f.source(workspace), f.webhook(workspace)
	c := f.whole(workspace, source, webhook, "k", person(workspace, "ada@example.com"))
	c.Publications[0].Revision = 1
	f.must(f.s.Commit(f.ctx, c))
	f.left("the stale one", c, false)
	if !c.Publications[0].Stale || c.Stale || f.number("SELECT count(*) FROM contacts WHERE workspace_id = $1", workspace) != 0 {
		f.t.Errorf("the stale one: %+v", c)
	}
	c.Publications[0].Revision = 0
	f.commit(c)
	f.left("matched anew", c, true)
}

// testCommitContactsShared puts commits with contacts, some of which are refused, into one transaction with others. With audit entries they
// do not share it on PostgreSQL.
func testCommitContactsShared(f *fixture) { testShared(f, false) }

func testCommitContactsAudited(f *fixture) { testShared(f, true) }

func testShared(f *fixture, audited bool) {
	t := f.t
	workspace := f.workspace("one")
	source, webhook := f.source(workspace), f.webhook(workspace)
	ada := person(workspace, "ada@example.com")
	f.commit(f.whole(workspace, source, webhook, "before", ada))
	behind := ada
	behind.Was, behind.Contact.Version = 7, 8
	fine, stale, plain := f.whole(workspace, source, webhook, "fine", person(workspace, "bob@example.com")), f.whole(workspace, source, webhook, "stale", person(workspace, "carl@example.com"), behind),
		f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "plain")
	twins := []*postroom.Commit{f.whole(workspace, source, webhook, "one", person(workspace, "dora@example.com")), f.whole(workspace, source, webhook, "two", person(workspace, "dora@example.com"))}
	list := f.list(workspace, "News")
	joins := func(key, email string) *postroom.Commit {
		w := person(workspace, email)
		w.Contact.Lists = []postroom.Membership{on(list, postroom.MemberSubscribed)}
		return f.whole(workspace, source, webhook, key, w)
	}
	fine.Contacts = append(fine.Contacts, joins("", "eve@example.com").Contacts...)
	all := append([]*postroom.Commit{stale, fine, joins("also", "finn@example.com"), plain}, twins...)
	for _, c := range all {
		if !audited {
			c.Audit = nil
		}
	}
	release := f.hold()
	done := make(chan error, len(all))
	for i, c := range all {
		go func() { done <- f.s.Commit(context.Background(), c) }()
		if f.s.dialect == sqlite {
			f.waiting(i + 1)
		}
	}
	release()
	for range all {
		f.must(<-done)
	}
	f.left("the fine one", fine, true)
	f.left("the stale one", stale, false)
	if !fine.Stored() || !plain.Stored() || !f.hasRequest(plain.Request) || !stale.Stale {
		t.Errorf("fine: %+v; plain: %+v; stale: %+v", fine, plain, stale)
	}
	if twins[0].Stale == twins[1].Stale {
		t.Errorf("of two that make the same contact, stale are %v and %v", twins[0].Stale, twins[1].Stale)
	}
	for _, c := range twins {
		f.left("one of two", c, !c.Stale)
	}
	if n := f.number("SELECT count(*) FROM contacts WHERE workspace_id = $1", workspace); n != 5 {
		t.Errorf("there are %d contacts, want 5", n)
	}
	tag, err := f.s.Tag(f.ctx, workspace, "lead")
	f.must(err)
	if lists, err := f.s.Lists(f.ctx, workspace, nil, 10); err != nil || len(lists) != 1 || lists[0].Members != 2 || tag.Contacts != 5 {
		t.Errorf("%d contacts have the tag, and the lists are %+v: %v", tag.Contacts, lists, err)
	}
}

// testCommitContactsRace makes one contact from many sides at once, each of which tries again with what it then finds.
func testCommitContactsRace(f *fixture) {
	workspace := f.workspace("one")
	source, webhook := f.source(workspace), f.webhook(workspace)
	const n = 12
	atOnce(f.t, n, func(i int) error {
		for {
			w := person(workspace, "ada@example.com")
			found, err := f.s.FindContacts(f.ctx, workspace, []postroom.ContactRef{{Email: "ada@example.com"}})
			if err != nil {
				return err
			}
			if found[0] != nil {
				w.Was, w.Contact = found[0].Version, *found[0]
				w.Contact.Version++
			}
			w.Contact.UpdatedAt = stamp(at(time.Duration(i) * time.Second))
			c := f.whole(workspace, source, webhook, postroom.NewID[postroom.RequestKind](noon()).String(), w)
			if err := f.s.Commit(f.ctx, c); err != nil || c.Stored() {
				return err
			}
		}
	})
	if n, version := f.number("SELECT count(*) FROM contacts WHERE workspace_id = $1", workspace), f.number("SELECT version FROM contacts WHERE workspace_id = $1", workspace); n != 1 || version != 12 {
		f.t.Errorf("there are %d contacts, of version %d", n, version)
	}
	if n := f.number("SELECT count(*) FROM requests WHERE workspace_id = $1", workspace); n != 12 {
		f.t.Errorf("there are %d requests", n)
	}
}

// testContactLookups looks for contacts from many sides at once, one of whom asks for what no database can have.
func testContactLookups(f *fixture) {
	workspace, other := f.workspace("one"), f.workspace("two")
	ada := f.wholeContact(workspace, "ada@example.com")
	f.writeContacts(create(ada))
	f.writeContacts(create(f.newContact(other, "ada@example.com")))
	refs := []postroom.ContactRef{{Email: "ADA@example.com"}, {ID: ada.ID}, {Email: "nobody@example.com"}, {UID: *ada.UID}, {Email: "\xff@example.com"}}
	const n = 60
	found := make([]*postroom.Contact, n)
	atOnce(f.t, n, func(i int) error {
		of := workspace
		if i%6 == 5 {
			of = other
		}
		got, err := f.s.FindContacts(f.ctx, of, refs[i%len(refs):i%len(refs)+1])
		if i%len(refs) == 4 || err != nil {
			if i%len(refs) == 4 {
				err = nil // refused by one of the databases, and not there in the other
			}
			return err
		}
		found[i] = got[0]
		return nil
	})
	for i, c := range found {
		kind := i % len(refs)
		switch {
		case kind == 4:
		case kind == 2 || i%6 == 5 && kind != 0:
			f.equal("nobody", c, (*postroom.Contact)(nil))
		case c == nil:
			f.t.Errorf("lookup %d found nobody", i)
		case i%6 == 5:
			f.equal("the other workspace's", c.WorkspaceID, other)
		default:
			f.equal("the contact", *c, ada)
			c.Tags[0], c.CustomFields["points"] = "changed", nil // which nobody else sees
		}
	}
}
