package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// newRequest is a request that a source received, as it is before anything is known of it.
func (f *fixture) newRequest(workspace postroom.WorkspaceID, source postroom.SourceID, at time.Time) *postroom.Request {
	return &postroom.Request{ID: postroom.Next[postroom.RequestKind](f.made(at), at), WorkspaceID: workspace, SourceID: source, At: at.Truncate(time.Microsecond),
		Method: "POST", Target: "/in/x?token=***", Headers: []postroom.Header{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(`{"a":1}`), Sender: "203.0.113.9"}
}

// commitOf is a commit of a new request in a state; one that waits is due at once.
func (f *fixture) commitOf(workspace postroom.WorkspaceID, source postroom.SourceID, at time.Time, state postroom.RequestState, keys ...string) *postroom.Commit {
	r := f.newRequest(workspace, source, at)
	r.State = state
	if state < postroom.RequestProcessed {
		r.DueAt = at.Truncate(time.Microsecond)
	}
	c := &postroom.Commit{Request: r}
	for _, k := range keys {
		c.Keys = append(c.Keys, postroom.RequestKey{Key: k})
	}
	return c
}

// commit stores commits, none of which is refused.
func (f *fixture) commit(commits ...*postroom.Commit) {
	f.t.Helper()
	for _, c := range commits {
		f.must(f.s.Commit(f.ctx, c))
		if !c.Stored() {
			f.t.Fatalf("the commit was refused: taken %v, stale %v, lost %v", c.Taken, c.Stale, c.Lost)
		}
	}
}

func (f *fixture) request(r *postroom.Request) postroom.Request {
	f.t.Helper()
	got, err := f.s.Request(f.ctx, r.WorkspaceID, r.ID)
	f.must(err)
	return got
}

// hasRequest tells whether a request is stored.
func (f *fixture) hasRequest(r *postroom.Request) bool {
	f.t.Helper()
	_, err := f.s.Request(f.ctx, r.WorkspaceID, r.ID)
	if err != nil {
		f.code("a request that is not stored", err, postroom.CodeNotFound)
	}
	return err == nil
}

func testCommit(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	source, webhook := f.source(workspace), f.webhook(workspace)
	c := f.commitOf(workspace, source, at(1234567*time.Microsecond), postroom.RequestProcessed, "first", "second")
	from, contact := postroom.NewID[postroom.RequestKind](noon()), postroom.NewID[postroom.ContactKind](noon())
	delivery := postroom.NewID[postroom.DeliveryKind](noon())
	r := c.Request
	r.ResentFrom, r.Attempts, r.EventType, r.Records, r.Duration, r.Status = &from, 1, "contact.created", 2, 3456*time.Microsecond, 200
	r.Headers = append(r.Headers, postroom.Header{Name: "X-Odd", Value: "a: b"})
	r.Answer = []byte(`{"success":true}`)
	r.Log = postroom.RequestLog{Warnings: []postroom.RequestNote{{Kind: "mapping", Message: "no <email>", Row: 2}}, Events: []string{"evt_1"}, Contacts: []postroom.ContactID{contact},
		Actions: []postroom.ActionResult{{Event: 1, Action: 1, Type: postroom.ActionCallAPI, Outcome: postroom.OutcomeQueued, At: stamp(noon()), DurationMs: 0.25, DeliveryID: &delivery}}}
	c.Publications = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateLeased, webhook), f.publication(workspace, noon(), postroom.StateFresh, webhook)}
	c.Publications[1].Keys = []string{"u:1"}
	f.commit(c)

	got := f.request(r)
	f.equal("the request", got, *r)
	for i, p := range c.Publications {
		if !f.stored(p) || p.Duplicate != nil {
			t.Errorf("event %d is not stored", i)
		}
	}
	// What is not known is null, and odd bytes survive.
	bare := &postroom.Commit{Request: &postroom.Request{ID: postroom.NewID[postroom.RequestKind](noon()), WorkspaceID: workspace, SourceID: source, At: noon(), Headers: []postroom.Header{},
		RequestResult: postroom.RequestResult{State: postroom.RequestRefused}}}
	f.commit(bare)
	f.equal("a bare request", f.request(bare.Request), *bare.Request)
	odd := f.commitOf(workspace, source, noon(), postroom.RequestFailed)
	odd.Request.Body, odd.Request.Target, odd.Request.Sender = []byte("\x00\xff\r\n"), "/in/\x00\xff", "\xff"
	odd.Request.Log.Error = &postroom.RequestError{Kind: "body", Message: "it is no JSON: \x00\xff"}
	f.commit(odd)
	stored := f.request(odd.Request)
	if string(stored.Body) != "\x00\xff\r\n" || stored.Target != "/in/��" || stored.Sender != "�" || stored.Log.Error == nil || stored.Log.Error.Message != "it is no JSON: \x00�" {
		t.Errorf("the odd request is %+v", stored)
	}
	// An event that was published before is left out, and the rest is stored.
	again := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "third")
	again.Publications = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, webhook), f.publication(workspace, noon(), postroom.StateFresh, webhook)}
	again.Publications[0].Keys = []string{"u:1"}
	f.commit(again)
	if d := again.Publications[0].Duplicate; d == nil || *d != c.Publications[1].Event.ID || f.stored(again.Publications[0]) || !f.stored(again.Publications[1]) || !f.hasRequest(again.Request) {
		t.Errorf("the event that came before is a duplicate of %v", d)
	}
	// Without a request there are only its events.
	events := &postroom.Commit{Publications: []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, webhook)}}
	f.commit(events)
	if !f.stored(events.Publications[0]) {
		t.Error("the event of a commit without a request is not stored")
	}
	if err := f.s.Commit(f.ctx, &postroom.Commit{Keys: again.Keys}); err == nil {
		t.Error("keys of no request were taken")
	}
}

// testCommitKeys commits requests with keys that others have: of such a request nothing is stored.
func testCommitKeys(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	source, other := f.source(workspace), f.source(workspace)
	long := strings.Repeat("a key may be long and hold anything: \x00\xff ", 1000)
	first := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "a", long, "a")
	f.commit(first, f.commitOf(workspace, other, noon(), postroom.RequestProcessed, "a", long))

	refused := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "new", long, "newer", "a")
	refused.Publications = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, f.webhook(workspace))}
	refused.Health = &postroom.SourceHealth{Failures: 1}
	f.must(f.s.Commit(f.ctx, refused))
	if !refused.Taken || refused.Stale || refused.Lost {
		t.Errorf("the commit is taken %v, stale %v, lost %v", refused.Taken, refused.Stale, refused.Lost)
	}
	f.equal("who has its keys", refused.Keys, []postroom.RequestKey{{Key: "new"}, {Key: long, Request: first.Request.ID}, {Key: "newer"}, {Key: "a", Request: first.Request.ID}})
	_, failing, err := f.s.SourceHealth(f.ctx, source)
	f.must(err)
	if f.hasRequest(refused.Request) || f.stored(refused.Publications[0]) || failing {
		t.Error("something of it is stored")
	}
	// What was refused has taken no keys, and the same commit goes through without those that are taken.
	refused.Keys = []postroom.RequestKey{{Key: "new"}, {Key: "newer"}}
	f.commit(refused)
	single := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "newer")
	f.must(f.s.Commit(f.ctx, single))
	if !single.Taken || single.Keys[0].Request != refused.Request.ID || f.hasRequest(single.Request) {
		t.Errorf("a commit with one key, which is taken: %+v", single)
	}
	// A request that is processed again is told which of its events it has acted on.
	if done, err := f.s.RetryRequest(f.ctx, workspace, refused.Request.ID, noon()); err != nil || !done {
		t.Fatalf("it cannot be processed again: %v, %v", done, err)
	}
	claimed := f.claimRequests(noon(), 10)
	again := &postroom.Commit{Request: claimed[0], Keys: []postroom.RequestKey{{Key: "new"}, {Key: "newest"}}}
	again.Request.State = postroom.RequestProcessed
	f.must(f.s.Commit(f.ctx, again))
	if !again.Taken || again.Keys[0].Request != again.Request.ID || !again.Keys[1].Request.IsZero() {
		t.Errorf("processed again it is taken %v with %+v", again.Taken, again.Keys)
	}
	again.Keys = again.Keys[1:]
	f.commit(again)
}

// claimRequests leases what is due of all sources, for a minute.
func (f *fixture) claimRequests(now time.Time, limit int) []*postroom.Request {
	f.t.Helper()
	claimed, err := f.s.ClaimRequests(f.ctx, now, now.Add(time.Minute), limit)
	f.must(err)
	return claimed
}

// TestCommitClaims ends claims of a request: only the newest counts, and what it stores is what it says.
func TestCommitClaims(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		source := f.source(workspace)
		c := f.commitOf(workspace, source, noon(), postroom.RequestWaiting)
		f.commit(c)
		old := f.claimRequests(noon(), 10)[0]
		want := *c.Request
		want.State, want.Claim, want.DueAt = postroom.RequestLeased, 1, at(time.Minute)
		f.equal("the leased request", *old, want)

		newer := f.claimRequests(at(time.Minute), 10)[0] // the lease has run out
		lost := &postroom.Commit{Request: old, Keys: []postroom.RequestKey{{Key: "lost"}}, Publications: []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh)}}
		old.State = postroom.RequestProcessed
		f.must(f.s.Commit(f.ctx, lost))
		if !lost.Lost || lost.Taken || f.stored(lost.Publications[0]) || f.number("SELECT count(*) FROM request_keys") != 0 {
			t.Errorf("an old claim counts: %+v", lost)
		}
		f.equal("the request after it", f.request(old), *newer)

		retry := &postroom.Commit{Request: newer}
		newer.State, newer.DueAt, newer.Attempts, newer.Duration, newer.Status = postroom.RequestRetry, at(6*time.Minute), 1, time.Second, 202
		newer.Log.Error, newer.Answer = &postroom.RequestError{Kind: "mapping", Message: "no email"}, []byte(`{}`)
		f.commit(retry)
		f.equal("the request that is tried again", f.request(newer), *newer)
		f.must(f.s.Commit(f.ctx, retry))
		if !retry.Lost {
			t.Error("a claim that has ended ends twice")
		}
		if early := f.claimRequests(at(6*time.Minute-time.Microsecond), 10); len(early) != 0 {
			t.Errorf("it is claimed before it is due: %+v", early[0])
		}

		last := f.claimRequests(at(6*time.Minute), 10)[0]
		if last.Claim != 3 || last.Attempts != 1 {
			t.Errorf("the last claim is %d, after %d attempts", last.Claim, last.Attempts)
		}
		last.State, last.DueAt, last.EventType, last.Records, last.Attempts, last.Status, last.Log, last.Answer = postroom.RequestProcessed, time.Time{}, "contact.created", 1, 2, 200, postroom.RequestLog{}, nil
		done := &postroom.Commit{Request: last, Keys: []postroom.RequestKey{{Key: "done"}}, Publications: []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh)}}
		f.commit(done)
		f.equal("the processed request", f.request(last), *last)
		if !f.stored(done.Publications[0]) || len(f.claimRequests(at(24*time.Hour), 10)) != 0 {
			t.Error("its event is not stored, or it waits again")
		}

		stranger := f.commitOf(workspace, source, noon(), postroom.RequestProcessed)
		stranger.Request.Claim = 1
		f.must(f.s.Commit(f.ctx, stranger))
		if !stranger.Lost || f.hasRequest(stranger.Request) {
			t.Error("a claim of a request that is not there counts")
		}
	})
}

// testCommitShared puts commits that are refused, each in its own way, into one transaction with commits that are not.
func testCommitShared(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	source, webhook := f.source(workspace), f.webhook(workspace)
	revision, err := f.s.Revision(f.ctx, workspace)
	f.must(err)
	before := f.commitOf(workspace, source, noon(), postroom.RequestWaiting, "taken")
	f.commit(before)
	held := f.claimRequests(noon(), 1)[0]
	held.State = postroom.RequestProcessed

	processed := func(keys ...string) *postroom.Commit {
		c := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, keys...)
		c.Publications = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, webhook), f.publication(workspace, noon(), postroom.StateFresh, webhook)}
		c.Health = &postroom.SourceHealth{}
		return c
	}
	fine, taken, ended, lost, stale, unchecked := processed("mine"), processed("another", "taken"), &postroom.Commit{Request: held}, processed("lost"), processed("stale", "staler"), processed()
	lost.Request.Claim = 7
	stale.Publications[1].Revision = revision - 1
	fine.Publications[0].Revision = revision
	twins := []*postroom.Commit{processed("twin", "one of two"), processed("twin", "two of two")}
	commits := append([]*postroom.Commit{taken, fine, lost, stale, ended, unchecked}, twins...)
	published := f.publication(workspace, noon(), postroom.StateFresh, webhook)

	release := f.hold()
	done := make(chan error, len(commits)+1)
	for i, c := range commits {
		go func() { done <- f.s.Commit(context.Background(), c) }()
		f.waiting(i + 1)
	}
	go func() { done <- f.s.Publish(context.Background(), []*postroom.Publication{published}) }()
	f.waiting(len(commits) + 1)
	release()
	for range cap(done) {
		f.must(<-done)
	}

	for what, c := range map[string]*postroom.Commit{"the fine one": fine, "the claimed one": ended, "the unchecked one": unchecked} {
		if !c.Stored() || !f.hasRequest(c.Request) {
			t.Errorf("%s is not stored: %+v", what, c)
		}
		for _, p := range c.Publications {
			if !f.stored(p) {
				t.Errorf("an event of %s is not stored", what)
			}
		}
	}
	if !f.stored(published) || f.request(held).State != postroom.RequestProcessed {
		t.Error("the publication beside them is not stored, or the claim has not ended")
	}
	refused := map[string]*postroom.Commit{"the taken one": taken, "the lost one": lost}
	if f.s.dialect == postgres { // SQLite has one process, which knows its subscriptions
		refused["the stale one"] = stale
		if !stale.Publications[0].Stale || !stale.Publications[1].Stale || stale.Taken || stale.Stale || stale.Lost {
			t.Errorf("the publications of the stale one: %v, %v", stale.Publications[0].Stale, stale.Publications[1].Stale)
		}
	}
	if !taken.Taken || taken.Lost || taken.Keys[1].Request != before.Request.ID || !taken.Keys[0].Request.IsZero() || !lost.Lost || lost.Taken {
		t.Errorf("taken: %+v; lost: %+v", taken, lost)
	}
	if twins[0].Taken == twins[1].Taken {
		t.Fatalf("of two with the same key, taken are %v and %v", twins[0].Taken, twins[1].Taken)
	}
	winner, loser := twins[0], twins[1]
	if winner.Taken {
		winner, loser = loser, winner
	}
	refused["the second of two"] = loser
	if loser.Keys[0].Request != winner.Request.ID || !f.hasRequest(winner.Request) {
		t.Errorf("the key is held by %s, want %s", loser.Keys[0].Request, winner.Request.ID)
	}
	for what, c := range refused {
		if c.Stored() || f.hasRequest(c.Request) || f.stored(c.Publications[0]) || f.stored(c.Publications[1]) {
			t.Errorf("%s is stored", what)
		}
		for _, k := range c.Keys {
			if n := f.number("SELECT count(*) FROM request_keys WHERE source_id = $1 AND request_id = $2", source, c.Request.ID); n != 0 {
				t.Errorf("%s has the key %q", what, k.Key)
			}
		}
	}
	// Each can be stored once it is put right.
	stale.Publications[1].Revision, taken.Keys, loser.Keys, lost.Request.Claim = 0, taken.Keys[:1], loser.Keys[1:], 0
	f.commit(taken, lost, loser)
	if f.s.dialect == postgres {
		f.commit(stale)
	}
}

// testCommitFailure has a commit that fails beside one that does not: the same id twice is a defect, and an error.
func testCommitFailure(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	source := f.source(workspace)
	stored := f.commitOf(workspace, source, noon(), postroom.RequestProcessed)
	f.commit(stored)
	same, fine := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "k"), f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "l")
	same.Request.ID = stored.Request.ID
	release := f.hold()
	failed, done := make(chan error, 1), make(chan error, 1)
	go func() { failed <- f.s.Commit(context.Background(), same) }()
	f.waiting(1)
	go func() { done <- f.s.Commit(context.Background(), fine) }()
	f.waiting(2)
	release()
	if err := <-failed; err == nil {
		t.Error("a second request with one id is stored")
	}
	f.must(<-done)
	if !fine.Stored() || !f.hasRequest(fine.Request) || f.number("SELECT count(*) FROM request_keys WHERE source_id = $1", source) != 1 {
		t.Error("the one beside it is not stored, or the key of the other is")
	}
}

// testCommitRace commits requests with one key from many sides at once: one of them has it.
func testCommitRace(f *fixture) {
	workspace := f.workspace("one")
	source := f.source(workspace)
	const n = 24
	commits := make([]*postroom.Commit, n)
	for i := range commits {
		commits[i] = f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "same", fmt.Sprintf("own %d", i))
	}
	atOnce(f.t, n, func(i int) error { return f.s.Commit(f.ctx, commits[i]) })
	var winner postroom.RequestID
	for _, c := range commits {
		if !c.Taken {
			if !winner.IsZero() {
				f.t.Error("two have the key")
			}
			winner = c.Request.ID
		}
	}
	for _, c := range commits {
		if c.Taken && (c.Keys[0].Request != winner || !c.Keys[1].Request.IsZero()) {
			f.t.Errorf("its keys are held by %s and %s; want %s and nobody", c.Keys[0].Request, c.Keys[1].Request, winner)
		}
		if f.hasRequest(c.Request) == c.Taken {
			f.t.Errorf("taken is %v, and stored is %v", c.Taken, !c.Taken)
		}
	}
	if n := f.number("SELECT count(*) FROM request_keys WHERE source_id = $1", source); n != 2 {
		f.t.Errorf("%d keys are taken", n)
	}
}

// testCommitDays commits a request of a day that has no partition.
func testCommitDays(f *fixture) {
	workspace := f.workspace("one")
	source := f.source(workspace)
	for _, day := range []time.Duration{-4, 12} {
		c := f.commitOf(workspace, source, at(day*24*time.Hour), postroom.RequestProcessed)
		c.Publications = []*postroom.Publication{f.publication(workspace, at(day*24*time.Hour), postroom.StateFresh)}
		f.commit(c)
		if !f.hasRequest(c.Request) || !f.stored(c.Publications[0]) {
			f.t.Errorf("a request of day %d is not stored", day)
		}
	}
}

// testCommitLog finds the events of commits by what the index of the log knows.
func testCommitLog(f *fixture) {
	workspace := f.workspace("one")
	source, webhook := f.source(workspace), f.webhook(workspace)
	c := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "k")
	c.Publications = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, webhook)}
	c.Publications[0].Event.Contact = "ada@example.com"
	taken := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "k")
	taken.Publications = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, webhook)}
	f.commit(c)
	f.must(f.s.Commit(f.ctx, taken))
	events, _, err := f.s.Events(f.ctx, workspace, postroom.EventFilter{Contact: "ada@example.com"}, nil, 10)
	f.must(err)
	deliveries, _, err := f.s.Deliveries(f.ctx, workspace, postroom.DeliveryFilter{Type: "email.opened"}, nil, 10)
	f.must(err)
	if len(events) != 1 || len(deliveries) != 1 || events[0].ID != c.Publications[0].Event.ID {
		f.t.Errorf("%d events and %d deliveries were found", len(events), len(deliveries))
	}
}
