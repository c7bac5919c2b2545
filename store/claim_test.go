package store

import (
	"context"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

func testClaim(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook, other := f.webhook(workspace), f.webhook(workspace)
	p := f.publication(workspace, noon(), postroom.StateFresh, webhook, webhook, webhook, webhook, webhook, webhook, other)
	p.Event.UID, p.Event.Actor, p.Event.OrderingKey, p.Event.Contact, p.Event.Campaign = "u", "a", "o", "c", "790"
	for i, due := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second, time.Hour, 0} {
		p.Deliveries[i].DueAt = at(due)
	}
	p.Deliveries[5].State = postroom.StateRetry
	p.Deliveries[1].Test = true
	f.publish(p)
	leased := f.leased(workspace, noon(), webhook)[0]
	d := p.Deliveries

	if jobs := f.claim(webhook, postroom.StateFresh, at(-time.Microsecond), 10); len(jobs) != 0 {
		t.Errorf("before anything is due, %d were claimed", len(jobs))
	}
	// Those that have been due for longest are claimed first; what a claim takes comes in the order of publication.
	jobs := f.claim(webhook, postroom.StateFresh, at(2*time.Second), 2)
	f.equal("the first two", ids(jobs), []postroom.DeliveryID{d[1].ID, d[4].ID})
	f.equal("a job", jobs[0], &postroom.Job{DeliveryID: d[1].ID, WebhookID: webhook, Event: p.Event, From: postroom.StateFresh, Claim: 1,
		LeaseUntil: at(2*time.Second + time.Minute), Test: true})
	if state, until := f.state(d[1].ID); state != postroom.StateLeased || !until.Equal(jobs[0].LeaseUntil) {
		t.Errorf("a claimed delivery is in state %d until %s", state, until)
	}
	f.equal("the others that are due", ids(f.claim(webhook, postroom.StateFresh, at(3*time.Second), 10)), []postroom.DeliveryID{d[0].ID, d[2].ID})
	f.equal("nothing more is due", ids(f.claim(webhook, postroom.StateFresh, at(time.Minute), 10)), []postroom.DeliveryID(nil))
	f.equal("retries", ids(f.claim(webhook, postroom.StateRetry, at(0), 10)), []postroom.DeliveryID{d[5].ID})
	f.equal("replays", ids(f.claim(webhook, postroom.StateReplay, at(time.Hour), 10)), []postroom.DeliveryID(nil))
	f.equal("another webhook", ids(f.claim(other, postroom.StateFresh, at(0), 10)), []postroom.DeliveryID{d[6].ID})
	f.equal("an unknown webhook", ids(f.claim(postroom.NewID[postroom.WebhookKind](noon()), postroom.StateFresh, at(0), 10)), []postroom.DeliveryID(nil))
	if state, until := f.state(leased.DeliveryID); state != postroom.StateLeased || !until.Equal(leased.LeaseUntil) {
		t.Errorf("what another node holds is in state %d until %s", state, until)
	}

	// The claim grows with each lease, and the attempts are counted.
	retry := finishOf(jobs[0], at(3*time.Second), 500, postroom.Outcome{State: postroom.StateRetry, NextAt: at(5 * time.Second)})
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{retry}))
	again := f.claim(webhook, postroom.StateRetry, at(5*time.Second), 10)
	if len(again) != 1 || again[0].Claim != 2 || again[0].Attempts != 1 || again[0].From != postroom.StateRetry {
		t.Errorf("the second lease is %+v", again)
	}
}

// testClaimOrder notices when a claim gives jobs in the order in which the database happened to find them.
func testClaimOrder(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	const n = 60
	pubs := make([]*postroom.Publication, n)
	for i := range pubs {
		pubs[i] = f.publication(workspace, noon().Add(time.Duration(i)*time.Second), postroom.StateFresh, webhook)
		pubs[i].Deliveries[0].DueAt = noon().Add(time.Duration(i*7%n) * time.Second)
	}
	for i := range pubs { // stored in yet another order
		f.publish(pubs[i*11%n])
	}
	jobs := f.claim(webhook, postroom.StateFresh, noon().Add(time.Hour), n)
	if len(jobs) != n {
		t.Fatalf("%d jobs were claimed", len(jobs))
	}
	for i, j := range jobs {
		if j.DeliveryID != pubs[i].Deliveries[0].ID || j.Event == nil || j.Event.ID != pubs[i].Event.ID {
			t.Fatalf("job %d is not of publication %d", i, i)
		}
	}
}

// testClaimRace has many claim at once: no delivery is claimed twice, and none is left.
func testClaimRace(f *fixture) {
	t := f.t
	stores := []*Store{f.s}
	if f.s.dialect == postgres {
		stores = append(stores, f.db.open())
	}
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	const n = 300
	var pubs []*postroom.Publication
	for range n {
		pubs = append(pubs, f.publication(workspace, noon(), postroom.StateFresh, webhook))
	}
	f.publish(pubs...)
	var mu sync.Mutex
	claimed := map[postroom.DeliveryID]int{}
	atOnce(t, 6, func(i int) error {
		for {
			jobs, err := stores[i%len(stores)].Claim(context.Background(), webhook, postroom.StateFresh, noon(), noon().Add(time.Hour), 7)
			if err != nil || len(jobs) == 0 {
				return err
			}
			mu.Lock()
			for _, j := range jobs {
				claimed[j.DeliveryID]++
			}
			mu.Unlock()
		}
	})
	for id, times := range claimed {
		if times != 1 {
			t.Errorf("%s was claimed %d times", id, times)
		}
	}
	if len(claimed) != n {
		t.Errorf("%d deliveries were claimed, want %d", len(claimed), n)
	}
}

func testClaimWithoutEvent(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	gone, there := f.publication(workspace, noon(), postroom.StateFresh, webhook), f.publication(workspace, noon(), postroom.StateFresh, webhook)
	f.publish(gone, there)
	f.exec("DELETE FROM events WHERE id = $1", gone.Event.ID)
	jobs := f.claim(webhook, postroom.StateFresh, noon(), 10)
	if len(jobs) != 1 || jobs[0].Event.ID != there.Event.ID {
		t.Errorf("the jobs are %+v", jobs)
	}
	d := f.delivery(workspace, gone.Deliveries[0].ID)
	if d.Status != postroom.DeliveryCancelled || d.LastErrorKind != eventGone || d.Attempts != 0 || d.LastAt != nil {
		t.Errorf("the delivery whose event is gone is %+v", d)
	}
}
