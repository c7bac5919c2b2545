package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

func testPublish(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	first, second, third := f.webhook(workspace), f.webhook(workspace), f.webhook(workspace)

	p := f.publication(workspace, noon(), postroom.StateLeased, first, second, third)
	p.Event.UID, p.Event.Actor, p.Event.OrderingKey, p.Event.Contact, p.Event.Campaign = "order-1", "shop ✓", "ada", "ada@example.com", "790"
	p.Event.Time = noon().Add(-time.Hour + time.Microsecond)
	p.Event.Data = []byte("{ \"n\": 12345678901234567890,\r\n \"<\": \"\u2028\" }")
	p.Deliveries[1].State, p.Deliveries[1].DueAt = postroom.StateFresh, noon().Add(time.Minute)
	p.Deliveries[2].Test, p.Deliveries[2].State = true, postroom.StateReplay
	p.Deliveries[2].DueAt = noon()
	bare := f.publication(workspace, noon(), postroom.StateFresh)
	f.publish(p, bare)

	for _, want := range []*postroom.Event{p.Event, bare.Event} {
		e, err := f.s.Event(f.ctx, workspace, want.ID)
		f.must(err)
		f.equal("the event", e, *want)
	}
	deliveries, err := f.s.DeliveriesOf(f.ctx, workspace, p.Event.ID)
	f.must(err)
	due, now := noon().Add(time.Minute), noon()
	common := postroom.Delivery{WorkspaceID: workspace, EventID: p.Event.ID, EventUID: "order-1", EventType: "email.opened", Status: postroom.DeliveryPending}
	want := []postroom.Delivery{common, common, common}
	for i := range want {
		want[i].ID, want[i].WebhookID = p.Deliveries[i].ID, p.Deliveries[i].WebhookID
	}
	want[1].NextAt, want[2].NextAt, want[2].Test = &due, &now, true
	f.equal("its deliveries", deliveries, want)
	for i, d := range want {
		f.equal("one delivery", f.delivery(workspace, d.ID), want[i])
	}
	if none, err := f.s.DeliveriesOf(f.ctx, workspace, bare.Event.ID); err != nil || len(none) != 0 {
		t.Errorf("an event without webhooks has the deliveries %v, %v", none, err)
	}

	// The publisher's node holds what is leased with claim 1.
	f.finish(jobsOf(p)[0], noon(), 200)
	if jobs := f.claim(second, postroom.StateFresh, due, 10); len(jobs) != 1 || jobs[0].Claim != 1 {
		t.Errorf("what waits is claimed as %+v", jobs)
	}

	f.must(f.s.Publish(f.ctx, nil))
	unknown := postroom.NewID[postroom.EventKind](noon())
	_, err = f.s.Event(f.ctx, workspace, unknown)
	f.code("an unknown event", err, postroom.CodeNotFound)
	_, err = f.s.EventByUID(f.ctx, workspace, "unknown")
	f.code("an unknown uid", err, postroom.CodeNotFound)
	_, err = f.s.Delivery(f.ctx, workspace, postroom.NewID[postroom.DeliveryKind](noon()))
	f.code("an unknown delivery", err, postroom.CodeNotFound)
}

func testAddDeliveries(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	first, second := f.webhook(workspace), f.webhook(workspace)
	p := f.publication(workspace, noon(), postroom.StateFresh)
	f.publish(p)
	more := f.publication(workspace, noon(), postroom.StateReplay, first, second)
	f.must(f.s.AddDeliveries(f.ctx, p.Event, more.Deliveries))
	deliveries, err := f.s.DeliveriesOf(f.ctx, workspace, p.Event.ID)
	f.must(err)
	if len(deliveries) != 2 || deliveries[0].ID != more.Deliveries[0].ID || deliveries[1].WebhookID != second {
		t.Errorf("the event's deliveries are %+v", deliveries)
	}
	if jobs := f.claim(first, postroom.StateReplay, noon(), 10); len(jobs) != 1 || jobs[0].Event == nil || jobs[0].Event.ID != p.Event.ID {
		t.Errorf("the added delivery is claimed as %+v", jobs)
	}
}

func testEventByUID(f *fixture) {
	workspace, other := f.workspace("one"), f.workspace("other")
	var newest *postroom.Publication
	for i := range 3 {
		newest = f.publication(workspace, noon().Add(time.Duration(i)*25*time.Hour), postroom.StateFresh)
		newest.Event.UID = "same"
		f.publish(newest)
	}
	theirs := f.publication(other, noon().Add(100*time.Hour), postroom.StateFresh)
	theirs.Event.UID = "same"
	f.publish(theirs)
	e, err := f.s.EventByUID(f.ctx, workspace, "same")
	f.must(err)
	f.equal("the newest event", e, *newest.Event)
}

// stored tells whether the event of a publication is there, and checks that its deliveries are there exactly then.
func (f *fixture) stored(p *postroom.Publication) bool {
	f.t.Helper()
	n := f.number("SELECT count(*) FROM events WHERE id = $1", p.Event.ID)
	if deliveries := f.number("SELECT count(*) FROM deliveries WHERE event_id = $1", p.Event.ID); deliveries != n*int64(len(p.Deliveries)) {
		f.t.Errorf("there are %d rows of the event and %d of its deliveries", n, deliveries)
	}
	return n == 1
}

func testPublishKeys(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	webhook := f.webhook(workspace)
	publish := func(pubs ...*postroom.Publication) {
		t.Helper()
		f.must(f.s.Publish(f.ctx, pubs))
	}
	with := func(workspace postroom.WorkspaceID, at time.Time, keys ...string) *postroom.Publication {
		p := f.publication(workspace, at, postroom.StateFresh, webhook)
		p.Keys = keys
		return p
	}
	check := func(what string, p *postroom.Publication, duplicateOf *postroom.Publication) {
		t.Helper()
		switch {
		case duplicateOf == nil && p.Duplicate != nil:
			t.Errorf("%s: it is a duplicate of %s", what, p.Duplicate)
		case duplicateOf != nil && (p.Duplicate == nil || *p.Duplicate != duplicateOf.Event.ID):
			t.Errorf("%s: it is a duplicate of %v, want %s", what, p.Duplicate, duplicateOf.Event.ID)
		}
		if stored := f.stored(p); stored != (duplicateOf == nil) {
			t.Errorf("%s: it is stored: %v", what, stored)
		}
	}

	// In one call.
	first, again, fresh := with(workspace, noon(), "a"), with(workspace, noon(), "a"), with(workspace, noon(), "b")
	publish(first, again, fresh)
	check("the first in a call", first, nil)
	check("the second in a call", again, first)
	check("another key in a call", fresh, nil)

	// In another call.
	again = with(workspace, noon().Add(time.Hour), "a")
	publish(again)
	check("an hour later", again, first)
	elsewhere := with(other, noon(), "a")
	elsewhere.Deliveries = nil
	publish(elsewhere)
	check("in another workspace", elsewhere, nil)

	// Several keys: one that is taken suffices, and the others stay free.
	mixed := with(workspace, noon(), "c", "b", "d")
	publish(mixed)
	check("several keys of which one is taken", mixed, fresh)
	both := with(workspace, noon(), "c", "d")
	publish(both)
	check("the keys that stayed free", both, nil)
	twice := with(workspace, noon(), "e", "e")
	publish(twice)
	check("the same key twice", twice, nil)

	// A duplicate of a duplicate, in one call, takes no key for the next.
	x, y, z := with(workspace, noon(), "x"), with(workspace, noon(), "x", "y"), with(workspace, noon(), "y")
	publish(x, y, z)
	check("the first of three", x, nil)
	check("the second of three", y, x)
	check("the third of three, whose key the second did not get", z, nil)

	// After 24 hours the key is free.
	day := noon().Add(24 * time.Hour)
	early, late := with(workspace, day.Add(-time.Millisecond), "a"), with(workspace, day, "a")
	publish(early)
	check("just before a day has passed", early, first)
	publish(late)
	check("after a day", late, nil)
	again = with(workspace, day.Add(time.Hour), "a")
	publish(again)
	check("after a day and an hour", again, late)

	f.must(f.s.Publish(f.ctx, []*postroom.Publication{with(workspace, noon(), "f")}))
	if n := f.number("SELECT count(*) FROM event_keys WHERE workspace_id = $1 AND key = 'a'", workspace); n != 1 {
		t.Errorf("the key is stored %d times", n)
	}
}

// testPublishRace publishes the same keys from many goroutines: exactly one wins each, and the others see its id.
func testPublishRace(f *fixture) {
	t := f.t
	stores := []*Store{f.s}
	if f.s.dialect == postgres {
		stores = append(stores, f.db.open()) // another node
	}
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	const publishers, keys = 16, 5
	var mu sync.Mutex
	byKey := map[string][]*postroom.Publication{}
	atOnce(t, publishers, func(i int) error {
		for round := range keys {
			var pubs []*postroom.Publication
			for k := range 2 { // each key is published in two rounds, in calls with other keys
				p := f.publication(workspace, noon(), postroom.StateLeased, webhook)
				p.Keys = []string{fmt.Sprint("key ", (round+k)%keys)}
				pubs = append(pubs, p)
			}
			if err := stores[i%len(stores)].Publish(context.Background(), pubs); err != nil {
				return err
			}
			mu.Lock()
			for _, p := range pubs {
				byKey[p.Keys[0]] = append(byKey[p.Keys[0]], p)
			}
			mu.Unlock()
		}
		return nil
	})
	for key, pubs := range byKey {
		var winners []*postroom.Publication
		for _, p := range pubs {
			if p.Duplicate == nil {
				winners = append(winners, p)
			}
		}
		if len(winners) != 1 || len(pubs) != 2*publishers {
			t.Fatalf("%s: %d of %d publications won", key, len(winners), len(pubs))
		}
		for _, p := range pubs {
			if p.Duplicate != nil && *p.Duplicate != winners[0].Event.ID {
				t.Errorf("%s: a loser sees %s, and the winner is %s", key, p.Duplicate, winners[0].Event.ID)
			}
		}
		if !f.stored(winners[0]) {
			t.Errorf("%s: the winner was not stored", key)
		}
	}
	if n := f.number("SELECT count(*) FROM events WHERE workspace_id = $1", workspace); n != keys {
		t.Errorf("%d events were stored, want %d", n, keys)
	}
}

// testPublishFailure has one publication that cannot be stored, beside others in calls of their own.
func testPublishFailure(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	taken := f.publication(workspace, noon(), postroom.StateFresh, webhook)
	f.publish(taken)
	const n = 24
	pubs := make([]*postroom.Publication, n)
	errs := make([]error, n)
	for i := range pubs {
		pubs[i] = f.publication(workspace, noon(), postroom.StateFresh, webhook)
		pubs[i].Keys = []string{fmt.Sprint(i)}
		if i%6 == 5 {
			pubs[i].Deliveries[0].ID = taken.Deliveries[0].ID // so the delivery cannot be stored, after its event was
		}
	}
	// All wait for one commit, behind a change that takes as long as this.
	release := f.hold()
	done := make(chan int, n)
	for i := range pubs {
		go func() {
			errs[i] = f.s.Publish(context.Background(), pubs[i:i+1])
			done <- i
		}()
	}
	f.waiting(n)
	release()
	for range n {
		<-done
	}
	for i, p := range pubs {
		if bad := i%6 == 5; bad != (errs[i] != nil) {
			t.Errorf("publication %d: %v", i, errs[i])
		} else if stored := f.number("SELECT count(*) FROM events WHERE id = $1", p.Event.ID) == 1; stored == bad {
			t.Errorf("publication %d is stored: %v", i, stored)
		}
	}
	if keys := f.number("SELECT count(*) FROM event_keys WHERE workspace_id = $1", workspace); keys != n-n/6 {
		t.Errorf("%d keys are stored, want %d", keys, n-n/6)
	}
}

// testPublishStale changes the subscriptions under a publication. SQLite has one process, which knows of every change
// before it is stored, so there nothing is checked.
func testPublishStale(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	webhook := f.webhook(workspace)
	revision, err := f.s.Revision(f.ctx, workspace)
	f.must(err)
	with := func(workspace postroom.WorkspaceID, revision int64, keys ...string) *postroom.Publication {
		p := f.publication(workspace, noon(), postroom.StateFresh, webhook)
		p.Revision, p.Keys = revision, keys
		return p
	}
	current := with(workspace, revision, "a")
	f.publish(current)
	f.webhook(workspace)

	stale, unchecked, theirs, after := with(workspace, revision, "b"), with(workspace, 0), with(other, 1), with(workspace, revision+1, "b")
	f.must(f.s.Publish(f.ctx, []*postroom.Publication{stale, unchecked, theirs, after}))
	if f.s.dialect == sqlite {
		if stale.Stale || !f.stored(stale) {
			t.Error("the publication was refused")
		}
		return
	}
	if !stale.Stale || stale.Duplicate != nil || f.stored(stale) {
		t.Errorf("a publication of an old revision: stale %v, duplicate of %v", stale.Stale, stale.Duplicate)
	}
	for _, p := range []*postroom.Publication{unchecked, theirs, after} {
		if p.Stale || p.Duplicate != nil || !f.stored(p) {
			t.Errorf("a publication beside a stale one (revision %d): stale %v, duplicate of %v", p.Revision, p.Stale, p.Duplicate)
		}
	}
	stale.Revision, stale.Keys = revision+1, []string{"c"}
	f.must(f.s.Publish(f.ctx, []*postroom.Publication{stale}))
	if stale.Stale || !f.stored(stale) {
		t.Error("matched again, the publication is still stale")
	}
	duplicate := with(workspace, revision, "a")
	f.must(f.s.Publish(f.ctx, []*postroom.Publication{duplicate}))
	if duplicate.Stale || duplicate.Duplicate == nil {
		t.Errorf("a duplicate of an old revision: stale %v, duplicate of %v", duplicate.Stale, duplicate.Duplicate)
	}
}

// testPublishFailureBehindKeys has publications share a key and a commit: the first does not get the key, since it is a
// duplicate; the second gets it and fails; the third has nothing to do with either.
func testPublishFailureBehindKeys(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	with := func(keys ...string) *postroom.Publication {
		p := f.publication(workspace, noon(), postroom.StateFresh, webhook)
		p.Keys = keys
		return p
	}
	before := with("a")
	f.publish(before)
	duplicate, failing, bystander := with("a", "k"), with("k"), with("c")
	failing.Deliveries[0].ID = before.Deliveries[0].ID

	release := f.hold()
	results := map[*postroom.Publication]chan error{}
	for i, p := range []*postroom.Publication{duplicate, failing, bystander} {
		result := make(chan error, 1)
		results[p] = result
		go func() { result <- f.s.Publish(context.Background(), []*postroom.Publication{p}) }()
		f.waiting(i + 1)
	}
	release()
	if err := <-results[duplicate]; err != nil || duplicate.Duplicate == nil || *duplicate.Duplicate != before.Event.ID {
		t.Errorf("the duplicate: %v, a duplicate of %v", err, duplicate.Duplicate)
	}
	if err := <-results[failing]; err == nil {
		t.Error("the failing publication did not fail")
	}
	if err := <-results[bystander]; err != nil || bystander.Duplicate != nil || !f.stored(bystander) {
		t.Errorf("the bystander: %v, a duplicate of %v", err, bystander.Duplicate)
	}
	f.publish(with("k"))
}
