package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// contactConformance is what both databases do with contacts.
func contactConformance() map[string]func(*fixture) {
	return map[string]func(*fixture){
		"ContactWrites":    testContactWrites,
		"ContactStale":     testContactStale,
		"ContactChain":     testContactChain,
		"ContactCommit":    testContactCommit,
		"ContactRace":      testContactRace,
		"ContactSwap":      testContactSwap,
		"ContactCircle":    testContactCircle,
		"ContactCounts":    testContactCounts,
		"FindContacts":     testFindContacts,
		"Consents":         testConsents,
		"Lists":            testLists,
		"ListRace":         testListRace,
		"ListJoinRace":     testListJoinRace,
		"DeleteList":       testDeleteList,
		"Tags":             testTags,
		"Fields":           testFields,
		"Imports":          testImports,
		"Audit":            testAudit,
		"EraseContact":     testEraseContact,
		"EraseSharedPhone": testEraseSharedPhone,
		"EraseUnderWay":    testEraseUnderWay,
		"EraseLarge":       testEraseLarge,
	}
}

// newContact is a contact that is not stored yet.
func (f *fixture) newContact(workspace postroom.WorkspaceID, email string, tags ...string) postroom.Contact {
	return postroom.Contact{ID: postroom.Next[postroom.ContactKind](f.made(noon()), noon()), WorkspaceID: workspace, Email: email, Status: postroom.ContactSubscribed,
		Lists: []postroom.Membership{}, Tags: append([]string{}, tags...), CustomFields: map[string]json.RawMessage{}, CreatedAt: stamp(noon()), UpdatedAt: stamp(noon()), Version: 1}
}

// wholeContact has everything that a contact can have.
func (f *fixture) wholeContact(workspace postroom.WorkspaceID, email string) postroom.Contact {
	c := f.newContact(workspace, email, "lead", "vip")
	uid := "uid of " + email
	c.UID, c.Phone, c.FirstName, c.LastName, c.Source = &uid, "+12025550143", "Ada <b>", "Lovelace ✓", "form"
	c.CustomFields = map[string]json.RawMessage{"points": json.RawMessage("12345678901234567890123"), "html": json.RawMessage(`"<&\u2028>"`), "list": json.RawMessage(`[1,{"b":1,"a":2}]`)}
	return c
}

func create(c postroom.Contact) postroom.ContactWrite { return postroom.ContactWrite{Contact: c} }

// changed is the write of a contact that was planned on what is given.
func changed(c postroom.Contact, change func(*postroom.Contact)) postroom.ContactWrite {
	w := postroom.ContactWrite{Was: c.Version, Contact: c}
	w.Contact.Version, w.Contact.UpdatedAt = c.Version+1, stamp(at(time.Minute))
	w.Contact.Lists, w.Contact.Tags = slices.Clone(c.Lists), slices.Clone(c.Tags)
	change(&w.Contact)
	return w
}

var errStaleWrite = errors.New("stale")

// tryWrite stores contacts in a transaction, and nothing if a write is stale.
func (f *fixture) tryWrite(writes []postroom.ContactWrite) (stale bool, err error) {
	err = f.s.write(f.ctx, func(q querier) error {
		stale, err := writeContacts(f.ctx, q, writes)
		if err == nil && stale {
			err = errStaleWrite
		}
		return err
	})
	if errors.Is(err, errStaleWrite) {
		return true, nil
	}
	return false, err
}

func (f *fixture) writeContacts(writes ...postroom.ContactWrite) {
	f.t.Helper()
	stale, err := f.tryWrite(writes)
	f.must(err)
	if stale {
		f.t.Fatalf("it is stale: %v", staleOf(writes))
	}
}

func staleOf(writes []postroom.ContactWrite) (stale []bool) {
	for i := range writes {
		stale = append(stale, writes[i].Stale)
	}
	return stale
}

// contact reads a contact whole.
func (f *fixture) contact(c postroom.Contact) postroom.Contact {
	f.t.Helper()
	found, err := f.s.Contact(f.ctx, c.WorkspaceID, c.ID)
	f.must(err)
	return found
}

// list stores a list.
func (f *fixture) list(workspace postroom.WorkspaceID, name string) postroom.List {
	f.t.Helper()
	l := f.newList(workspace, name)
	f.must(f.s.CreateList(f.ctx, l))
	return l
}

func (f *fixture) newList(workspace postroom.WorkspaceID, name string) postroom.List {
	return postroom.List{ID: postroom.Next[postroom.ListKind](f.made(noon()), noon()), WorkspaceID: workspace, Name: name, CreatedAt: stamp(noon()), UpdatedAt: stamp(noon())}
}

func on(l postroom.List, status postroom.MembershipStatus) postroom.Membership {
	return postroom.Membership{ID: l.ID, Name: l.Name, Status: status, At: stamp(noon())}
}

func testContactWrites(f *fixture) {
	workspace := f.workspace("one")
	news, made := f.list(workspace, "News"), f.newList(workspace, "Made with it")
	ada := f.wholeContact(workspace, "Ada@Example.com")
	ada.Lists = []postroom.Membership{on(news, postroom.MemberSubscribed), on(made, postroom.MemberPending)}
	w := create(ada)
	w.Lists = []postroom.List{made}
	f.writeContacts(w, create(f.newContact(workspace, "grace@example.com")))
	f.equal("the contact", f.contact(ada), ada)

	change := changed(ada, func(c *postroom.Contact) {
		c.Email, c.UID, c.Phone, c.FirstName, c.Status = "lovelace@example.com", nil, "", "", postroom.ContactBounced
		c.Tags, c.Lists[1].Status, c.CustomFields = []string{"new", "vip"}, postroom.MemberSubscribed, map[string]json.RawMessage{}
	})
	f.writeContacts(change)
	f.equal("the changed contact", f.contact(ada), change.Contact)
	for id, want := range map[postroom.ListID]int64{news.ID: 1, made.ID: 1} {
		l, err := f.s.List(f.ctx, workspace, id)
		f.must(err)
		f.equal("the members of "+l.Name, l.Members, want)
	}

	f.writeContacts(postroom.ContactWrite{Was: 2, Contact: change.Contact}) // it changes nothing
	f.equal("the contact that was not changed", f.contact(ada), change.Contact)

	gone := changed(change.Contact, func(*postroom.Contact) {})
	gone.Deleted = true
	f.writeContacts(gone, create(f.newContact(workspace, "LOVELACE@example.com"))) // which is free at the same time
	_, err := f.s.Contact(f.ctx, workspace, ada.ID)
	f.code("the deleted contact", err, postroom.CodeNotFound)
	for _, table := range []string{"contact_tags", "memberships", "consents"} {
		f.equal("rows of "+table, f.number("SELECT count(*) FROM "+table+" WHERE workspace_id = $1", workspace), int64(0))
	}
	tags, err := f.s.Tags(f.ctx, workspace, "", 10)
	f.must(err)
	f.equal("tags", tags, []postroom.Tag{})

	other := f.workspace("other")
	_, err = f.tryWrite([]postroom.ContactWrite{create(f.newContact(workspace, "a@example.com")), create(f.newContact(other, "b@example.com"))})
	if err == nil {
		f.t.Error("contacts of two workspaces were stored together")
	}
}

// testContactStale refuses what does not fit any more, and nothing else.
func testContactStale(f *fixture) {
	workspace := f.workspace("one")
	ada, grace := f.wholeContact(workspace, "Ada@example.com"), f.wholeContact(workspace, "grace@example.com")
	list := f.list(workspace, "News")
	f.writeContacts(create(ada), create(grace))
	ada2 := changed(ada, func(c *postroom.Contact) { c.FirstName = "Augusta" })
	f.writeContacts(ada2)
	same, unknown := f.newContact(workspace, "x@example.com"), f.newContact(workspace, "unknown@example.com")
	same.UID = grace.UID
	taken, gone := f.newList(workspace, "NEWS"), f.newList(workspace, "gone")
	withList := func(l postroom.List, made bool) postroom.ContactWrite {
		c := f.newContact(workspace, "joins@example.com")
		c.Lists = []postroom.Membership{on(l, postroom.MemberSubscribed)}
		w := create(c)
		if made {
			w.Lists = []postroom.List{l}
		}
		return w
	}
	fine := create(f.newContact(workspace, "fine@example.com"))
	for what, w := range map[string]postroom.ContactWrite{
		"an older version":              changed(ada, func(c *postroom.Contact) { c.FirstName = "A" }),
		"a deletion by a version":       {Was: 1, Contact: ada2.Contact, Deleted: true},
		"a version that was never":      {Was: 7, Contact: changed(ada2.Contact, func(c *postroom.Contact) { c.Version = 8 }).Contact},
		"one that does not exist":       {Was: 1, Contact: changed(unknown, func(*postroom.Contact) {}).Contact},
		"one that exists":               create(grace),
		"an email that is taken":        create(f.newContact(workspace, "ADA@example.com")),
		"a uid that is taken":           create(same),
		"a change to a taken email":     changed(grace, func(c *postroom.Contact) { c.Email = "aDa@example.com" }),
		"a change to a taken uid":       changed(grace, func(c *postroom.Contact) { c.UID = ada.UID }),
		"a list that is there":          withList(taken, true),
		"a list that is not there":      withList(gone, false),
		"a list of another's workspace": withList(f.list(f.workspace("other"), "theirs"), false),
	} {
		before := f.countAll(workspace)
		writes := []postroom.ContactWrite{fine, w, create(f.newContact(workspace, "also fine@example.com"))}
		stale, err := f.tryWrite(writes)
		f.must(err)
		if !stale || !slices.Equal(staleOf(writes), []bool{false, true, false}) {
			f.t.Errorf("%s: stale %v, of the writes %v", what, stale, staleOf(writes))
		}
		f.equal(what+": rows", f.countAll(workspace), before)
	}
	f.equal("Ada", f.contact(ada), ada2.Contact)
	f.equal("Grace", f.contact(grace), grace)
	twice := []postroom.ContactWrite{create(f.newContact(workspace, "new@example.com")), create(f.newContact(workspace, "New@example.com"))}
	if stale, err := f.tryWrite(twice); err != nil || !stale {
		f.t.Errorf("one email twice: %v, %v", stale, err)
	}
	lists := []postroom.ContactWrite{withList(f.newList(workspace, "Fresh"), true), withList(f.newList(workspace, "fresh"), true)}
	lists[1].Contact.Email = "joins too@example.com"
	if stale, err := f.tryWrite(lists); err != nil || !stale {
		f.t.Errorf("one list twice: %v, %v", stale, err)
	}
	joined := withList(list, false)
	f.writeContacts(joined)
	f.equal("who joined", f.contact(joined.Contact), joined.Contact)
}

// testContactChain stores several writes of one contact, each planned on the one before.
func testContactChain(f *fixture) {
	workspace := f.workspace("one")
	ada := f.newContact(workspace, "ada@example.com")
	second := changed(ada, func(c *postroom.Contact) { c.Tags = []string{"vip"} })
	third := changed(second.Contact, func(c *postroom.Contact) { c.Email = "lovelace@example.com" })
	f.writeContacts(create(ada), second, third)
	f.equal("the contact", f.contact(ada), third.Contact)

	fourth := changed(third.Contact, func(c *postroom.Contact) { c.FirstName = "Ada" })
	notOnIt := changed(third.Contact, func(c *postroom.Contact) { c.FirstName = "Grace" })
	if stale, err := f.tryWrite([]postroom.ContactWrite{fourth, notOnIt}); err != nil || !stale {
		f.t.Errorf("a chain with a gap: %v, %v", stale, err)
	}
	f.equal("the contact after it", f.contact(ada), third.Contact)
}

// testContactCommit stores contacts in a commit, with what else belongs to it.
func testContactCommit(f *fixture) {
	workspace := f.workspace("one")
	ada := f.wholeContact(workspace, "ada@example.com")
	entry := postroom.AuditEntry{ID: postroom.Next[postroom.AuditKind](f.made(noon()), noon()), WorkspaceID: workspace, At: stamp(noon()), Action: "contact.created", Subject: ada.ID.String()}
	p := f.publication(workspace, noon(), postroom.StateFresh)
	c := &postroom.Commit{Contacts: []postroom.ContactWrite{create(ada)}, Publications: []*postroom.Publication{p}, Audit: []postroom.AuditEntry{entry}}
	f.must(f.s.Commit(f.ctx, c))
	if !c.Stored() {
		f.t.Fatalf("the commit was not stored: %+v", c)
	}
	f.equal("the contact", f.contact(ada), ada)
	before := f.countAll(workspace)
	other := f.publication(workspace, noon(), postroom.StateFresh)
	c = &postroom.Commit{Contacts: []postroom.ContactWrite{create(f.newContact(workspace, "x@example.com")), create(f.newContact(workspace, "ADA@example.com"))}, Publications: []*postroom.Publication{other},
		Audit: []postroom.AuditEntry{entry}}
	f.must(f.s.Commit(f.ctx, c))
	if !c.Stale || c.Contacts[0].Stale || !c.Contacts[1].Stale {
		f.t.Errorf("the commit is stale: %v, of its contacts %v", c.Stale, staleOf(c.Contacts))
	}
	f.equal("rows after a stale commit", f.countAll(workspace), before)
}

// testContactRace lets many make the contact of one email at the same time: one does.
func testContactRace(f *fixture) {
	workspace := f.workspace("one")
	const n = 12
	stale := make([]bool, n)
	atOnce(f.t, n, func(i int) (err error) {
		email := "ada@example.com"
		if i%2 == 0 {
			email = "Ada@Example.COM"
		}
		stale[i], err = f.tryWrite([]postroom.ContactWrite{create(f.newContact(workspace, email))})
		return err
	})
	made := 0
	for _, s := range stale {
		made += int(boolInt(!s))
	}
	f.equal("how many have made it", made, 1)
	f.equal("contacts", f.number("SELECT count(*) FROM contacts WHERE workspace_id = $1", workspace), int64(1))

	found, err := f.s.FindContacts(f.ctx, workspace, []postroom.ContactRef{{Email: "ADA@example.com"}})
	f.must(err)
	atOnce(f.t, n, func(i int) (err error) {
		stale[i], err = f.tryWrite([]postroom.ContactWrite{changed(*found[0], func(c *postroom.Contact) { c.FirstName = fmt.Sprint(i) })})
		return err
	})
	f.equal("how many have changed it", len(slices.DeleteFunc(slices.Clone(stale), func(s bool) bool { return s })), 1)
	f.equal("its version", f.contact(*found[0]).Version, int64(2))
}

// testContactSwap gives two contacts each other's email and uid.
func testContactSwap(f *fixture) {
	workspace := f.workspace("one")
	a, b := f.wholeContact(workspace, "a@example.com"), f.wholeContact(workspace, "b@example.com")
	f.writeContacts(create(a), create(b))
	toB := changed(a, func(c *postroom.Contact) { c.Email, c.UID = b.Email, b.UID })
	toA := changed(b, func(c *postroom.Contact) { c.Email, c.UID = a.Email, a.UID })
	f.writeContacts(toB, toA)
	f.equal("one", f.contact(a), toB.Contact)
	f.equal("the other", f.contact(b), toA.Contact)

	// The same by two writers, in the order of each: one at most is stored, and nobody waits for ever.
	stale := make([]bool, 2)
	atOnce(f.t, 2, func(i int) (err error) {
		writes := []postroom.ContactWrite{changed(toB.Contact, func(c *postroom.Contact) { c.Email = a.Email }), changed(toA.Contact, func(c *postroom.Contact) { c.Email = b.Email })}
		if i == 1 {
			slices.Reverse(writes)
		}
		stale[i], err = f.tryWrite(writes)
		return err
	})
	if stale[0] == stale[1] {
		f.t.Errorf("both were stored, or none: %v", stale)
	}
	f.equal("who has the email", f.contact(a).Email, a.Email)
}

// testContactCircle lets writers take the same emails, contacts, lists and tags in all orders. None may wait for another in a circle: on PostgreSQL
// that would end a transaction, which writeOnce does not try again.
func testContactCircle(f *fixture) {
	workspace := f.workspace("one")
	const n, contacts = 8, 10
	var all []postroom.Contact
	var lists []postroom.List
	for i := range contacts {
		all = append(all, f.newContact(workspace, fmt.Sprintf("%d@example.com", i)))
		f.writeContacts(create(all[i]))
	}
	for i := range 3 {
		lists = append(lists, f.list(workspace, fmt.Sprint(i)))
	}
	once := f.s.write
	if pg, is := f.s.backend.(*postgresStore); is {
		once = pg.writeOnce
	}
	stored := make([]int, n)
	atOnce(f.t, n, func(i int) error {
		random := rand.New(rand.NewPCG(17, uint64(i)))
		for range 12 {
			var writes []postroom.ContactWrite
			emails := random.Perm(contacts)
			for k, at := range random.Perm(contacts) {
				c, err := f.s.Contact(f.ctx, workspace, all[at].ID)
				if err != nil {
					return err
				}
				writes = append(writes, changed(c, func(c *postroom.Contact) {
					c.Email = fmt.Sprintf("%d@example.com", emails[k])
					c.Tags = []string{fmt.Sprint(random.IntN(4))}
					if l := lists[random.IntN(len(lists))]; !slices.ContainsFunc(c.Lists, func(m postroom.Membership) bool { return m.ID == l.ID }) {
						c.Lists = append(c.Lists, on(l, postroom.MemberSubscribed))
					}
				}), create(f.newContact(workspace, fmt.Sprintf("new%d@example.com", random.IntN(1000)))))
			}
			err := once(f.ctx, func(q querier) error {
				stale, err := writeContacts(f.ctx, q, writes)
				if err == nil && stale {
					err = errStaleWrite
				}
				return err
			})
			switch {
			case err == nil:
				stored[i]++
			case !errors.Is(err, errStaleWrite):
				return err
			}
		}
		return nil
	})
	if sum := stored[0] + stored[1] + stored[2] + stored[3] + stored[4] + stored[5] + stored[6] + stored[7]; sum == 0 {
		f.t.Error("nothing was stored at all")
	}
	f.checkCounts(workspace)
}

// checkCounts compares the numbers that are kept with those that there are.
func (f *fixture) checkCounts(workspace postroom.WorkspaceID) {
	f.t.Helper()
	tags, err := f.s.Tags(f.ctx, workspace, "", 1000)
	f.must(err)
	for _, tag := range tags {
		f.equal("contacts with "+tag.Name, tag.Contacts, f.number("SELECT count(*) FROM contact_tags WHERE workspace_id = $1 AND tag = $2", workspace, tag.Name))
	}
	f.equal("tags", int64(len(tags)), f.number("SELECT count(DISTINCT tag) FROM contact_tags WHERE workspace_id = $1", workspace))
	lists, err := f.s.Lists(f.ctx, workspace, nil, 1000)
	f.must(err)
	for _, l := range lists {
		f.equal("members of "+l.Name, l.Members, f.number("SELECT count(*) FROM memberships WHERE workspace_id = $1 AND list_id = $2 AND status = 'subscribed'", workspace, l.ID))
	}
}

// testContactCounts changes contacts at random.
func testContactCounts(f *fixture) {
	workspace := f.workspace("one")
	random := rand.New(rand.NewPCG(1, 2))
	var lists []postroom.List
	for i := range 3 {
		lists = append(lists, f.list(workspace, fmt.Sprint(i)))
	}
	statuses := []postroom.MembershipStatus{postroom.MemberSubscribed, postroom.MemberPending, postroom.MemberUnsubscribed}
	var all []postroom.Contact
	for step := range 60 {
		var writes []postroom.ContactWrite
		for i := range all {
			if random.IntN(3) > 0 {
				continue
			}
			w := changed(all[i], func(c *postroom.Contact) {
				c.Tags = slices.Compact(slices.Sorted(slices.Values([]string{fmt.Sprint(random.IntN(4)), fmt.Sprint(random.IntN(4))})))
				if at := random.IntN(len(lists)); at < len(c.Lists) {
					c.Lists[at].Status = statuses[random.IntN(3)]
				} else {
					c.Lists = append(c.Lists, on(lists[len(c.Lists)], statuses[random.IntN(3)]))
				}
			})
			w.Deleted = random.IntN(8) == 0
			writes = append(writes, w)
		}
		writes = append(writes, create(f.newContact(workspace, fmt.Sprintf("%d@example.com", step), "0")))
		f.writeContacts(writes...)
		for _, w := range writes {
			all = slices.DeleteFunc(all, func(c postroom.Contact) bool { return c.ID == w.Contact.ID })
			if !w.Deleted {
				all = append(all, w.Contact)
			}
		}
	}
	f.checkCounts(workspace)
	for _, c := range all {
		f.equal("a contact", f.contact(c), c)
	}
}

func testFindContacts(f *fixture) {
	workspace := f.workspace("one")
	ada, grace, joan := f.wholeContact(workspace, "Ada@Example.com"), f.wholeContact(workspace, "grace@example.com"), f.newContact(workspace, "")
	joan.Phone = "+442079460958"
	f.writeContacts(create(ada), create(grace), create(joan))
	unknown := postroom.Next[postroom.ContactKind](f.made(noon()), noon())
	refs := []postroom.ContactRef{{Email: "ADA@example.COM"}, {UID: *grace.UID}, {ID: joan.ID}, {Phone: ada.Phone}, {Phone: joan.Phone}, {Email: "nobody@example.com"}, {ID: unknown}, {UID: "UID of ada"},
		{Phone: "+1"}, {}, {Email: "a\x00b"}, {UID: "\xff"}, {Phone: "\x00"}, {Email: "ada@example.com", UID: *grace.UID}, {ID: grace.ID, Email: "ada@example.com"}}
	found, err := f.s.FindContacts(f.ctx, workspace, refs)
	f.must(err)
	f.equal("what was found", found, []*postroom.Contact{&ada, &grace, &joan, &ada, &joan, nil, nil, nil, nil, nil, nil, nil, nil, &ada, &grace})
	none, err := f.s.FindContacts(f.ctx, workspace, nil)
	f.must(err)
	f.equal("nobody", len(none), 0)
}

func testConsents(f *fixture) {
	workspace := f.workspace("one")
	list := f.list(workspace, "News")
	ada := f.newContact(workspace, "ada@example.com")
	key, request := postroom.Next[postroom.KeyKind](f.made(noon()), noon()), postroom.Next[postroom.RequestKind](f.made(noon()), noon())
	consents := []postroom.Consent{
		{At: stamp(noon()), ContactID: ada.ID, To: "subscribed", Origin: postroom.OriginAPI, KeyID: &key, IP: "192.0.2.1"},
		{At: stamp(noon()), ContactID: ada.ID, ListID: &list.ID, To: "pending", Origin: postroom.OriginRequest, RequestID: &request},
		{At: stamp(at(time.Minute)), ContactID: ada.ID, ListID: &list.ID, From: "pending", To: "subscribed", Origin: postroom.OriginImport},
	}
	first := create(ada)
	first.Consents = consents[:2]
	f.writeContacts(first)
	second := changed(ada, func(*postroom.Contact) {})
	second.Consents = consents[2:]
	f.writeContacts(second)
	got, err := f.s.Consents(f.ctx, workspace, ada.ID)
	f.must(err)
	slices.Reverse(consents)
	f.equal("the history", got, consents)
	none, err := f.s.Consents(f.ctx, workspace, postroom.Next[postroom.ContactKind](f.made(noon()), noon()))
	f.must(err)
	f.equal("nobody's history", none, []postroom.Consent{})
}

// TestExecRowsTexts: the texts that store many rows take as many values on SQLite as lists on PostgreSQL.
func TestExecRowsTexts(t *testing.T) {
	one, err := loadSQL(sqlite)
	if err != nil {
		t.Fatal(err)
	}
	many, err := loadSQL(postgres)
	if err != nil {
		t.Fatal(err)
	}
	value, list := regexp.MustCompile(`\?\d+`), regexp.MustCompile(`\$\d+::(bytea|text|bigint)\[\]`)
	for _, name := range []string{"contact_put", "contact_tag_put", "membership_put", "tag_count_add", "list_count_add", "consent_insert", "list_insert", "audit_insert"} {
		values, lists := len(value.FindAllString(one[name], -1)), len(list.FindAllString(many[name], -1))
		if values < 3 || values != lists {
			t.Errorf("%s takes %d values, or %d lists", name, values, lists)
		}
	}
}

// testListJoinRace deletes a list while others join it: whoever joins it too late is told so.
func testListJoinRace(f *fixture) {
	workspace := f.workspace("one")
	for round := range 5 {
		list := f.list(workspace, "News")
		atOnce(f.t, 6, func(i int) error {
			if i == 0 {
				return f.s.DeleteList(f.ctx, workspace, list.ID, noon(), nil)
			}
			c := f.newContact(workspace, fmt.Sprintf("%d.%d@example.com", round, i))
			c.Lists = []postroom.Membership{on(list, postroom.MemberSubscribed)}
			_, err := f.tryWrite([]postroom.ContactWrite{create(c)})
			return err
		})
		f.equal("what is left of the list", f.number("SELECT count(*) FROM memberships WHERE list_id = $1", list.ID)+f.number("SELECT count(*) FROM list_counts WHERE list_id = $1", list.ID), int64(0))
	}
}
