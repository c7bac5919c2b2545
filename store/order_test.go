package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// ordered is a publication for one webhook with an order key.
func (f *fixture) ordered(workspace postroom.WorkspaceID, webhook postroom.WebhookID, at time.Time, state postroom.DeliveryState, key string) *postroom.Publication {
	p := f.publication(workspace, at, state, webhook)
	p.Deliveries[0].OrderKey = &key
	return p
}

// parked tells for each publication whether its delivery was stored behind another, and checks that the database says the same.
func (f *fixture) parked(pubs ...*postroom.Publication) (all []bool) {
	f.t.Helper()
	for _, p := range pubs {
		d := p.Deliveries[0]
		if state, _ := f.state(d.ID); (state == postroom.StateParked) != d.Parked || !d.Parked && state != d.State {
			f.t.Errorf("a delivery was prepared in state %d, is said to be parked %v, and is in state %d", d.State, d.Parked, state)
		}
		all = append(all, d.Parked)
	}
	return all
}

// end ends a job, and gives whether another of its key goes on.
func (f *fixture) end(job *postroom.Job, at time.Time, outcome postroom.Outcome) (next bool) {
	f.t.Helper()
	status := 200
	if outcome.State != postroom.StateSucceeded {
		status = 500
	}
	fin := finishOf(job, at, status, outcome)
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
	if fin.Lost {
		f.t.Fatalf("the result of %s, claim %d, was lost", job.DeliveryID, job.Claim)
	}
	return fin.Next
}

func testOrder(f *fixture) {
	workspace := f.workspace("one")
	webhook, other := f.webhook(workspace), f.webhook(workspace)
	leased, fresh := postroom.StateLeased, postroom.StateFresh
	// The clock of whoever published the third went back: it stays behind the second.
	line := []*postroom.Publication{
		f.ordered(workspace, webhook, at(0), leased, "a"), f.ordered(workspace, webhook, at(2*time.Second), leased, "a"),
		f.ordered(workspace, webhook, at(-time.Minute), fresh, "a"), f.ordered(workspace, webhook, at(3*time.Second), fresh, "a")}
	f.publish(line[0], line[1])
	f.publish(line[2])
	f.publish(line[3])
	f.equal("parked of one key", f.parked(line...), []bool{false, true, true, true})
	free := []*postroom.Publication{f.ordered(workspace, webhook, at(0), leased, "b"), f.ordered(workspace, other, at(0), leased, "a"),
		f.ordered(workspace, webhook, at(0), leased, ""), f.publication(workspace, at(0), leased, webhook)}
	f.publish(free...)
	f.equal("parked of other keys, of another webhook, and of none", f.parked(free...), []bool{false, false, false, false})
	if jobs := f.claim(webhook, fresh, at(time.Hour), 10); len(jobs) != 0 {
		f.t.Errorf("%d deliveries can be claimed while the head is leased", len(jobs))
	}

	// The head keeps its place until it ends; then the next goes, and is due at once.
	head := jobsOf(line[0])[0]
	if f.end(head, at(4*time.Second), postroom.Outcome{State: postroom.StateRetry, NextAt: at(10 * time.Second)}) {
		f.t.Error("a retry let the next one go")
	}
	head = f.claim(webhook, postroom.StateRetry, at(10*time.Second), 10)[0]
	if head.OrderKey == nil || *head.OrderKey != "a" {
		f.t.Errorf("the order key of the job is %v", head.OrderKey)
	}
	outcomes := []postroom.DeliveryState{postroom.StateFailed, postroom.StateSucceeded, postroom.StateCancelled}
	for i, outcome := range outcomes {
		if !f.end(head, at(11*time.Second), postroom.Outcome{State: outcome}) {
			f.t.Errorf("after %d nothing goes on", i)
		}
		jobs := f.claim(webhook, fresh, at(11*time.Second+30*time.Millisecond), 10)
		if len(jobs) != 1 || jobs[0].DeliveryID != line[i+1].Deliveries[0].ID || jobs[0].Event.ID != line[i+1].Event.ID {
			f.t.Fatalf("after %d it is the turn of %v", i, jobs)
		}
		head = jobs[0]
	}
	if f.end(head, at(12*time.Second), postroom.Outcome{State: postroom.StateSucceeded}) {
		f.t.Error("something goes on after the last")
	}
	last := f.ordered(workspace, webhook, at(time.Minute), leased, "a")
	f.publish(last)
	f.equal("parked when the line is empty", f.parked(last), []bool{false})
}

// testOrderTogether publishes and ends deliveries of one key in the same commit, among them those of events that results cause.
func testOrderTogether(f *fixture) {
	workspace := f.workspace("one")
	webhook, listener := f.webhook(workspace), f.webhook(workspace)
	var pubs []*postroom.Publication
	for i := range 40 {
		pubs = append(pubs, f.ordered(workspace, webhook, at(0), postroom.StateLeased, fmt.Sprint(i%4)))
	}
	f.publish(pubs...)
	var fins []*postroom.Finish
	for i, p := range pubs {
		if p.Deliveries[0].Parked != (i >= 4) {
			f.t.Errorf("%d: parked is %v", i, p.Deliveries[0].Parked)
		}
		if i < 4 {
			fin := finishOf(jobsOf(p)[0], at(time.Second), 500, postroom.Outcome{State: postroom.StateFailed})
			fin.Also = []*postroom.Publication{f.ordered(workspace, listener, at(time.Second), postroom.StateLeased, "")}
			fins = append(fins, fin)
		}
	}
	fins[3].Job.Claim = 7 // the result of a claim that is lost lets nobody go, and causes nothing
	f.must(f.s.Finish(f.ctx, fins))
	for i, fin := range fins {
		if fin.Next != (i < 3) || fin.Lost != (i == 3) {
			f.t.Errorf("%d: next is %v, lost %v", i, fin.Next, fin.Lost)
		}
	}
	f.equal("parked of what was caused", f.parked(fins[0].Also[0], fins[1].Also[0], fins[2].Also[0]), []bool{false, true, true})
	jobs := f.claim(webhook, postroom.StateFresh, at(time.Second+30*time.Millisecond), 100)
	f.equal("whose turn it is", ids(jobs), []postroom.DeliveryID{pubs[4].Deliveries[0].ID, pubs[5].Deliveries[0].ID, pubs[6].Deliveries[0].ID})

	// A duplicate joins no line.
	p := f.ordered(workspace, listener, at(0), postroom.StateLeased, "x")
	p.Keys = []string{"u:1"}
	again := f.ordered(workspace, listener, at(0), postroom.StateLeased, "x")
	again.Keys = []string{"u:1"}
	behind := f.ordered(workspace, listener, at(0), postroom.StateLeased, "y")
	f.must(f.s.Publish(f.ctx, []*postroom.Publication{p, again, behind}))
	if again.Duplicate == nil || p.Deliveries[0].Parked || behind.Deliveries[0].Parked {
		f.t.Error("a duplicate has joined a line")
	}
}

// testOrderLeave takes deliveries out of their line by hand.
func testOrderLeave(f *fixture) {
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	var line []*postroom.Publication
	for range 4 {
		line = append(line, f.ordered(workspace, webhook, at(0), postroom.StateFresh, "a"))
	}
	f.publish(line...)
	requeue := func(i int, state postroom.DeliveryState) {
		done, err := f.s.Requeue(f.ctx, workspace, line[i].Deliveries[0].ID, state, at(time.Minute))
		if f.must(err); !done {
			f.t.Errorf("%d was not requeued", i)
		}
	}
	requeue(0, postroom.StateRetry)  // the head stays the head
	requeue(2, postroom.StateReplay) // what is behind it leaves
	f.equal("in the order", f.number("SELECT count(*) FROM deliveries WHERE webhook_id = $1 AND order_key IS NOT NULL", webhook), int64(3))
	out := f.claim(webhook, postroom.StateReplay, at(time.Minute), 10)
	f.equal("out of turn", ids(out), []postroom.DeliveryID{line[2].Deliveries[0].ID})
	if out[0].OrderKey != nil {
		f.t.Error("what has left the order has an order key")
	}
	if f.end(out[0], at(time.Minute), postroom.Outcome{State: postroom.StateSucceeded}) {
		f.t.Error("what has left the order let one of it go")
	}
	head := f.claim(webhook, postroom.StateRetry, at(time.Minute), 10)[0]
	if !f.end(head, at(time.Minute), postroom.Outcome{State: postroom.StateSucceeded}) {
		f.t.Error("the end of the head let nobody go")
	}
	requeue(0, postroom.StateReplay) // what had ended is in no order any more
	if jobs := f.claim(webhook, postroom.StateReplay, at(time.Hour), 10); len(jobs) != 1 || jobs[0].OrderKey != nil {
		f.t.Errorf("a replay is %v", jobs)
	}
	f.equal("whose turn it is", ids(f.claim(webhook, postroom.StateFresh, at(time.Hour), 10)), []postroom.DeliveryID{line[1].Deliveries[0].ID})
}

func testOrderDiscard(f *fixture) {
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	var pubs []*postroom.Publication
	for i := range 3 * discardStep {
		pubs = append(pubs, f.ordered(workspace, webhook, at(time.Duration(i)*time.Millisecond), postroom.StateFresh, fmt.Sprint(i%2)))
	}
	f.publish(pubs...)
	kept := []*postroom.Publication{f.ordered(workspace, webhook, at(time.Minute), postroom.StateFresh, "0"),
		f.ordered(workspace, webhook, at(time.Minute), postroom.StateFresh, "0"), f.ordered(workspace, webhook, at(time.Minute), postroom.StateFresh, "1")}
	f.publish(kept...)
	head := f.claim(webhook, postroom.StateFresh, at(time.Hour), 1)[0]
	if n, _, _, err := f.s.Waiting(f.ctx, workspace, webhook); err != nil || n != int64(len(pubs)+3) {
		f.t.Errorf("%d wait (%v)", n, err)
	}
	n, err := f.s.DiscardQueue(f.ctx, workspace, webhook, at(30*time.Second), "discarded", func(int64) {})
	if f.must(err); n != int64(len(pubs)-1) {
		f.t.Errorf("%d were discarded", n)
	}
	f.equal("key 1", ids(f.claim(webhook, postroom.StateFresh, at(time.Hour), 10)), []postroom.DeliveryID{kept[2].Deliveries[0].ID})
	if !f.end(head, at(time.Hour), postroom.Outcome{State: postroom.StateSucceeded}) {
		f.t.Error("the end of the head let nobody go")
	}
	f.equal("key 0", ids(f.claim(webhook, postroom.StateFresh, at(2*time.Hour), 10)), []postroom.DeliveryID{kept[0].Deliveries[0].ID})
}

// testOrderWithoutEvent claims a head whose event is gone.
func testOrderWithoutEvent(f *fixture) {
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	gone, there := f.ordered(workspace, webhook, at(0), postroom.StateFresh, ""), f.ordered(workspace, webhook, at(0), postroom.StateFresh, "")
	f.publish(gone, there)
	f.exec("DELETE FROM events WHERE id = $1", gone.Event.ID)
	f.equal("the first claim", ids(f.claim(webhook, postroom.StateFresh, at(time.Second), 10)), []postroom.DeliveryID(nil))
	f.equal("the second claim", ids(f.claim(webhook, postroom.StateFresh, at(time.Second), 10)), []postroom.DeliveryID{there.Deliveries[0].ID})
}

// TestOrderMended finds the lines that have lost their head, however that came: nothing stays parked for ever.
func TestOrderMended(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := db.fixture(t, db.open())
		workspace := f.workspace("one")
		webhooks := []postroom.WebhookID{f.webhook(workspace), f.webhook(workspace), f.webhook(workspace)}
		var heads []postroom.DeliveryID
		for i := range 30 {
			key := fmt.Sprint(i / 3)
			if i < 3 {
				key = ""
			}
			for j := range 3 {
				p := f.ordered(workspace, webhooks[i%3], at(time.Duration(j)*time.Second), postroom.StateFresh, key)
				f.publish(p)
				if j == 0 && i%2 == 0 {
					heads = append(heads, p.Deliveries[0].ID)
				}
			}
		}
		for _, id := range heads {
			f.exec("DELETE FROM deliveries WHERE id = $1", id)
		}
		headless := "SELECT count(*) FROM (SELECT webhook_id, order_key FROM deliveries GROUP BY webhook_id, order_key HAVING min(state) = 4) AS h"
		if n := f.number(headless); n != int64(len(heads)) {
			t.Fatalf("%d lines have no head", n)
		}
		looks, freed := 0, map[postroom.WebhookID]bool{}
		for cursor := (postroom.OrderCursor{}); ; looks++ {
			next, some, err := f.s.MendOrder(f.ctx, cursor, at(time.Minute), 7)
			f.must(err)
			for _, d := range some {
				if freed[d.WebhookID] = true; d.WorkspaceID != workspace {
					t.Errorf("%s is said to belong to %s", d.WebhookID, d.WorkspaceID)
				}
			}
			if cursor = next; cursor == (postroom.OrderCursor{}) {
				break
			}
		}
		if n := f.number(headless); n != 0 || looks != 30/7 || len(freed) != 3 {
			t.Errorf("%d lines have no head after %d looks, which freed %v", n, looks+1, freed)
		}
		if n := f.number("SELECT count(*) FROM deliveries WHERE state = 1"); n != 30 {
			t.Errorf("%d deliveries can be claimed", n)
		}
	})
}

// TestOrderExpired deletes the head of a line because it is too old.
func TestOrderExpired(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := db.fixture(t, db.open())
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		old, young := f.ordered(workspace, webhook, at(-24*time.Hour), postroom.StateFresh, "a"), f.ordered(workspace, webhook, at(0), postroom.StateFresh, "a")
		f.publish(old, young)
		f.must(f.s.Expire(f.ctx, at(-12*time.Hour), at(time.Hour), nil))
		f.equal("whose turn it is", ids(f.claim(webhook, postroom.StateFresh, at(time.Hour), 10)), []postroom.DeliveryID{young.Deliveries[0].ID})
	})
}

// testOrderRace publishes and ends deliveries of few keys from many callers and nodes at once: no end may miss what is parked
// behind it at the same time.
func testOrderRace(f *fixture) { orderRace(f, nil) }

// testOrderRaceLeaving does that while people ask for deliveries out of turn, and discard them.
func testOrderRaceLeaving(f *fixture) {
	orderRace(f, func(s *Store, p *postroom.Publication, n int) error {
		ctx := context.Background()
		if n%10 == 9 {
			_, err := s.DiscardQueue(ctx, p.Event.WorkspaceID, p.Deliveries[0].WebhookID, at(time.Duration(n/2)*time.Millisecond), "discarded", func(int64) {})
			return err
		}
		_, err := s.Requeue(ctx, p.Event.WorkspaceID, p.Deliveries[0].ID, postroom.StateFresh, at(0))
		return err
	})
}

func orderRace(f *fixture, disturb func(s *Store, p *postroom.Publication, n int) error) {
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	stores := []*Store{f.s}
	if f.s.dialect == postgres { // another node
		stores = append(stores, f.db.open())
	}
	const each = 30
	atOnce(f.t, 8, func(i int) error {
		s, ctx := stores[i%len(stores)], context.Background()
		for n := range each {
			p := f.ordered(workspace, webhook, at(time.Duration(n)*time.Millisecond), postroom.StateFresh, fmt.Sprint(n%3))
			if err := s.Publish(ctx, []*postroom.Publication{p}); err != nil {
				return err
			}
			if disturb != nil && i < 4 {
				if err := disturb(s, p, n); err != nil {
					return err
				}
			}
			jobs, err := s.Claim(ctx, webhook, postroom.StateFresh, at(time.Hour), at(2*time.Hour), 3)
			if err != nil {
				return err
			}
			var fins []*postroom.Finish
			for _, job := range jobs {
				fins = append(fins, finishOf(job, at(time.Hour), 200, postroom.Outcome{State: postroom.StateSucceeded}))
			}
			if err := s.Finish(ctx, fins); err != nil {
				return err
			}
		}
		return nil
	})
	for {
		jobs := f.claim(webhook, postroom.StateFresh, at(2*time.Hour), 1000)
		if len(jobs) == 0 {
			break
		}
		seen := map[string]bool{}
		for _, job := range jobs {
			if job.OrderKey != nil && seen[*job.OrderKey] {
				f.t.Fatalf("two deliveries of the key %s can be claimed at once", *job.OrderKey)
			}
			if job.OrderKey != nil {
				seen[*job.OrderKey] = true
			}
			f.end(job, at(2*time.Hour), postroom.Outcome{State: postroom.StateSucceeded})
		}
	}
	if n := f.number("SELECT count(*) FROM deliveries WHERE webhook_id = $1 AND state >= 10", webhook); n != 8*each {
		f.t.Errorf("%d of %d have ended", n, 8*each)
	}
}
