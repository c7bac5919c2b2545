package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

func testLists(f *fixture) {
	workspace := f.workspace("one")
	uid := "17"
	news := f.newList(workspace, "Nyheter ÅÄÖ")
	news.UID, news.Description = &uid, "About ✓"
	f.must(f.s.CreateList(f.ctx, news))
	offers := f.list(workspace, "Offers")

	got, err := f.s.List(f.ctx, workspace, news.ID)
	f.must(err)
	f.equal("by id", got, news)
	got, err = f.s.ListByUID(f.ctx, workspace, uid)
	f.must(err)
	f.equal("by uid", got, news)
	named, err := f.s.ListsNamed(f.ctx, workspace, []string{" nyheter åäö ", offers.ID.String(), "nothing", "a\x00b"})
	f.must(err)
	f.equal("named", named, map[string]postroom.List{"nyheter åäö": news, offers.ID.String(): offers})

	same, sameUID := f.newList(workspace, "OFFERS"), f.newList(workspace, "Other")
	sameUID.UID = &uid
	for what, l := range map[string]postroom.List{"/name": same, "/uid": sameUID} {
		err := f.s.CreateList(f.ctx, l)
		f.code("a list with the same "+what, err, postroom.CodeConflict)
		contains(f.t, "the error", err.Error(), what)
	}
	changed, err := f.s.UpdateList(f.ctx, workspace, news.ID, at(time.Hour), func(l *postroom.List) error {
		l.Name, l.UID, l.Description = "nyheter åäö", nil, "New"
		return nil
	})
	f.must(err)
	news.Name, news.UID, news.Description, news.UpdatedAt = "nyheter åäö", nil, "New", stamp(at(time.Hour))
	f.equal("the changed list", changed, news)
	got, err = f.s.List(f.ctx, workspace, news.ID)
	f.must(err)
	f.equal("the stored list", got, news)
	_, err = f.s.UpdateList(f.ctx, workspace, news.ID, at(time.Hour), func(l *postroom.List) error {
		l.Name = "offers"
		return nil
	})
	f.code("a name that is taken", err, postroom.CodeConflict)
	refusal := errors.New("no")
	if _, err := f.s.UpdateList(f.ctx, workspace, news.ID, at(time.Hour), func(*postroom.List) error { return refusal }); !errors.Is(err, refusal) {
		f.t.Errorf("a change that is refused gives %v", err)
	}

	page, err := f.s.Lists(f.ctx, workspace, nil, 1)
	f.must(err)
	f.equal("the newest", page, []postroom.List{offers})
	page, err = f.s.Lists(f.ctx, workspace, &postroom.Cursor{ID: offers.ID}, 10)
	f.must(err)
	f.equal("the older", page, []postroom.List{news})
	page, err = f.s.Lists(f.ctx, workspace, &postroom.Cursor{Newer: true, ID: news.ID}, 10)
	f.must(err)
	f.equal("the newer", page, []postroom.List{offers})

	unknown := postroom.Next[postroom.ListKind](f.made(noon()), noon())
	_, err = f.s.List(f.ctx, workspace, unknown)
	f.code("an unknown list", err, postroom.CodeNotFound)
	_, err = f.s.UpdateList(f.ctx, workspace, unknown, noon(), func(*postroom.List) error { return nil })
	f.code("a change of an unknown list", err, postroom.CodeNotFound)
	f.code("the deletion of an unknown list", f.s.DeleteList(f.ctx, workspace, unknown, noon(), nil), postroom.CodeNotFound)
}

// testListRace makes one list of many that have the same name, and loses no change of one.
func testListRace(f *fixture) {
	workspace := f.workspace("one")
	const n = 8
	made := make([]bool, n)
	atOnce(f.t, n, func(i int) error {
		err := f.s.CreateList(f.ctx, f.newList(workspace, []string{"News", "NEWS"}[i%2]))
		if made[i] = err == nil; postroom.CodeOf(err) == postroom.CodeConflict {
			err = nil
		}
		return err
	})
	f.equal("how many were made", len(slices.DeleteFunc(made, func(m bool) bool { return !m })), 1)
	named, err := f.s.ListsNamed(f.ctx, workspace, []string{"news"})
	f.must(err)
	list := named["news"]
	atOnce(f.t, n, func(int) error {
		_, err := f.s.UpdateList(f.ctx, workspace, list.ID, noon(), func(l *postroom.List) error {
			l.Description += "x"
			return nil
		})
		return err
	})
	list, err = f.s.List(f.ctx, workspace, list.ID)
	f.must(err)
	f.equal("the description", list.Description, strings.Repeat("x", n))
}

// members stores n contacts of a list, every second of which has left it.
func (f *fixture) members(workspace postroom.WorkspaceID, list postroom.List, n int) (all []postroom.Contact) {
	f.t.Helper()
	var writes []postroom.ContactWrite
	for i := range n {
		c := f.newContact(workspace, fmt.Sprintf("%d of %s@example.com", i, list.ID), "old")
		status := postroom.MemberSubscribed
		if i%2 == 1 {
			status = postroom.MemberUnsubscribed
		}
		c.Lists = []postroom.Membership{on(list, status)}
		all = append(all, c)
		writes = append(writes, create(c))
	}
	f.writeContacts(writes...)
	return all
}

func testDeleteList(f *fixture) {
	workspace := f.workspace("one")
	doomed, kept := f.list(workspace, "Doomed"), f.list(workspace, "Kept")
	members := f.members(workspace, doomed, 2*contactStep+1)
	other := f.members(workspace, kept, 3)

	// Something cuts the deletion off after its first step.
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	if err := f.s.DeleteList(ctx, workspace, doomed.ID, noon(), func(int64) { cancel() }); !errors.Is(err, context.Canceled) {
		f.t.Fatalf("the deletion was cut off with %v", err)
	}
	if left := f.number("SELECT count(*) FROM memberships WHERE list_id = $1", doomed.ID); left != contactStep+1 {
		f.t.Errorf("%d memberships are left", left)
	}
	_, err := f.s.List(f.ctx, workspace, doomed.ID)
	f.code("the list", err, postroom.CodeNotFound)
	f.list(workspace, "doomed") // its name is free
	last := f.contact(members[2*contactStep])
	f.equal("the lists of a contact", last.Lists, []postroom.Membership{})
	f.writeContacts(changed(last, func(c *postroom.Contact) { c.FirstName = "Ada" })) // whose membership is not deleted yet

	f.must(f.s.endDeletedLists(f.ctx, noon(), func(int64) {}))
	f.equal("what is left", f.number("SELECT count(*) FROM memberships WHERE list_id = $1", doomed.ID)+f.number("SELECT count(*) FROM lists WHERE id = $1", doomed.ID)+
		f.number("SELECT count(*) FROM list_counts WHERE list_id = $1", doomed.ID), int64(0))
	if v := f.contact(members[0]).Version; v != 2 {
		f.t.Errorf("a contact that lost its list has the version %d", v)
	}
	f.equal("a contact of another list", f.contact(other[0]), other[0])
	if stale, err := f.tryWrite([]postroom.ContactWrite{changed(members[0], func(c *postroom.Contact) { c.FirstName = "B" })}); err != nil || !stale {
		f.t.Errorf("a change that was planned before: %v, %v", stale, err)
	}
	f.checkCounts(workspace)
}

func testTags(f *fixture) {
	workspace := f.workspace("one")
	f.writeContacts(create(f.newContact(workspace, "a@example.com", "Zebra", "lead", "vip")), create(f.newContact(workspace, "b@example.com", "vip", "ärlig")))
	all, err := f.s.Tags(f.ctx, workspace, "", 10)
	f.must(err)
	f.equal("tags", all, []postroom.Tag{{Name: "Zebra", Contacts: 1}, {Name: "lead", Contacts: 1}, {Name: "vip", Contacts: 2}, {Name: "ärlig", Contacts: 1}})
	some, err := f.s.Tags(f.ctx, workspace, "lead", 1)
	f.must(err)
	f.equal("the next tag", some, []postroom.Tag{{Name: "vip", Contacts: 2}})
	one, err := f.s.Tag(f.ctx, workspace, "vip")
	f.must(err)
	f.equal("one tag", one, postroom.Tag{Name: "vip", Contacts: 2})
	for _, name := range []string{"VIP", "", "a\x00"} {
		_, err = f.s.Tag(f.ctx, workspace, name)
		f.code("no tag", err, postroom.CodeNotFound)
	}
}

func testFields(f *fixture) {
	workspace := f.workspace("one")
	size := postroom.Field{Name: "size", Title: "Größe", Type: postroom.FieldChoice, Options: []string{"S", "L <b>"}, CreatedAt: stamp(noon()), UpdatedAt: stamp(noon())}
	age := postroom.Field{Name: "age", Type: postroom.FieldNumber, CreatedAt: stamp(noon()), UpdatedAt: stamp(noon())}
	f.must(f.s.PutField(f.ctx, workspace, size, noon()))
	f.must(f.s.PutField(f.ctx, workspace, age, noon()))
	all, err := f.s.Fields(f.ctx, workspace)
	f.must(err)
	f.equal("fields", all, []postroom.Field{age, size})
	size.Type, size.Options, size.UpdatedAt = postroom.FieldText, nil, stamp(at(time.Hour))
	f.must(f.s.PutField(f.ctx, workspace, size, at(time.Hour)))
	f.must(f.s.DeleteField(f.ctx, workspace, "age"))
	all, err = f.s.Fields(f.ctx, workspace)
	f.must(err)
	f.equal("fields after a change", all, []postroom.Field{size})
	for _, name := range []string{"age", "a\x00"} {
		f.code("an unknown field", f.s.DeleteField(f.ctx, workspace, name), postroom.CodeNotFound)
	}
}

func (f *fixture) newImport(workspace postroom.WorkspaceID) postroom.Import {
	return postroom.Import{ID: postroom.Next[postroom.ImportKind](f.made(noon()), noon()), WorkspaceID: workspace, State: postroom.ImportRunning, Problems: []postroom.BadRow{},
		CreatedAt: stamp(noon()), UpdatedAt: stamp(noon())}
}

func testImports(f *fixture) {
	workspace := f.workspace("one")
	first, second := f.newImport(workspace), f.newImport(workspace)
	f.must(f.s.CreateImport(f.ctx, first))
	f.must(f.s.CreateImport(f.ctx, second))
	ended := stamp(at(time.Minute))
	first.State, first.Rows, first.Created, first.Updated, first.Unchanged, first.Refused, first.Reason, first.UpdatedAt, first.EndedAt = postroom.ImportFailed, 10, 4, 3, 2, 1, "It ended early.", ended, &ended
	first.Problems = []postroom.BadRow{{Row: 7, Email: "bad", Errors: []postroom.FieldError{{Pointer: "/email", Detail: "not <good>"}}}}
	f.must(f.s.UpdateImport(f.ctx, first))
	got, err := f.s.Import(f.ctx, workspace, first.ID)
	f.must(err)
	f.equal("the import", got, first)
	page, err := f.s.Imports(f.ctx, workspace, nil, 10)
	f.must(err)
	first.Problems = []postroom.BadRow{}
	f.equal("imports", page, []postroom.Import{second, first})
	page, err = f.s.Imports(f.ctx, workspace, &postroom.Cursor{Newer: true, ID: first.ID}, 10)
	f.must(err)
	f.equal("newer imports", page, []postroom.Import{second})
	f.code("an unknown import", f.s.UpdateImport(f.ctx, f.newImport(workspace)), postroom.CodeNotFound)
}

func testAudit(f *fixture) {
	workspace := f.workspace("one")
	key := postroom.Next[postroom.KeyKind](f.made(noon()), noon())
	var entries []postroom.AuditEntry
	for i := range 3 {
		entries = append(entries, postroom.AuditEntry{ID: postroom.Next[postroom.AuditKind](f.made(noon()), noon()), WorkspaceID: workspace, At: stamp(noon()), Action: "source.created", Subject: fmt.Sprint(i)})
	}
	entries[1].KeyID, entries[1].Detail = &key, []byte(`{"a":"<b>"}`)
	f.must(f.s.write(f.ctx, func(q querier) error { return writeAudit(f.ctx, q, entries) }))
	f.must(f.s.write(f.ctx, func(q querier) error { return writeAudit(f.ctx, q, nil) }))
	page, err := f.s.Audit(f.ctx, workspace, nil, 2)
	f.must(err)
	f.equal("the newest", page, []postroom.AuditEntry{entries[2], entries[1]})
	page, err = f.s.Audit(f.ctx, workspace, &postroom.Cursor{ID: entries[1].ID}, 2)
	f.must(err)
	f.equal("the older", page, entries[:1])
	page, err = f.s.Audit(f.ctx, workspace, &postroom.Cursor{Newer: true, ID: entries[0].ID}, 2)
	f.must(err)
	f.equal("the newer", page, entries[1:])
}
