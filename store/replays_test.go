package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// replay stores a running replay that this node holds for a minute.
func (f *fixture) replay(workspace postroom.WorkspaceID, filter postroom.ReplayFilter) postroom.Replay {
	f.t.Helper()
	ids := f.made(noon())
	if filter.Types == nil {
		filter.Types = []string{}
	}
	r := postroom.Replay{ID: postroom.Next[postroom.ReplayKind](ids, noon()), WorkspaceID: workspace, ReplayFilter: filter, State: postroom.ReplayRunning, Total: 3, AtLeast: true,
		CreatedBy: postroom.Next[postroom.KeyKind](ids, noon()), CreatedAt: noon().Add(time.Microsecond), UpdatedAt: noon().Add(time.Microsecond)}
	f.must(f.s.CreateReplay(f.ctx, r, at(time.Minute)))
	return r
}

// ended stores a delivery that was made at a time and is over: answered with a status, or cancelled with 0.
func (f *fixture) ended(workspace postroom.WorkspaceID, webhook postroom.WebhookID, made time.Time, status int) postroom.DeliveryID {
	f.t.Helper()
	job := f.leased(workspace, made, webhook)[0]
	if status != 0 {
		f.finish(job, made, status)
		return job.DeliveryID
	}
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{{Job: job, Outcome: postroom.Outcome{State: postroom.StateCancelled}}}))
	return job.DeliveryID
}

// step is a step of a test's replay.
func step(to postroom.DeliveryID, ids ...postroom.DeliveryID) postroom.ReplayStep {
	return postroom.ReplayStep{IDs: ids, Cursor: to, Now: noon(), LeaseTo: at(time.Minute)}
}

func (f *fixture) step(r *postroom.Replay, s postroom.ReplayStep) bool {
	f.t.Helper()
	moved, err := f.s.StepReplay(f.ctx, r, s)
	f.must(err)
	return moved
}

func (f *fixture) states(ids ...postroom.DeliveryID) (states []postroom.DeliveryState) {
	f.t.Helper()
	for _, id := range ids {
		state, _ := f.state(id)
		states = append(states, state)
	}
	return states
}

func testReplayPages(f *fixture) {
	workspace := f.workspace("one")
	webhook, other, gone := f.webhook(workspace), f.webhook(workspace), f.webhook(workspace)
	var all []postroom.Replayable // of the webhook and the other one in turn, one an hour, with a status in turn
	for i := range 12 {
		w, status := []postroom.WebhookID{webhook, other}[i%2], []int{200, 500, 0}[i%3]
		all = append(all, postroom.Replayable{ID: f.ended(workspace, w, at(time.Duration(i)*time.Hour), status), WebhookID: w, Type: "email.opened", Deliverable: true, Count: 1,
			State: []postroom.DeliveryState{postroom.StateSucceeded, postroom.StateFailed, postroom.StateCancelled}[i%3]})
	}
	all = append(all, postroom.Replayable{ID: f.ended(workspace, gone, at(12*time.Hour), 500), WebhookID: gone, Type: "email.opened", State: postroom.StateFailed, Count: 1})
	f.must(f.s.DeleteWebhook(f.ctx, workspace, gone, noon(), func(postroom.StoredWebhook) error { return nil }))
	waiting := f.publication(workspace, at(13*time.Hour), postroom.StateRetry, webhook)
	f.publish(waiting)
	all = append(all, postroom.Replayable{ID: waiting.Deliveries[0].ID, WebhookID: webhook, Type: "email.opened", State: postroom.StateRetry, Deliverable: true, Count: 1})
	only := func(keep func(i int, r postroom.Replayable) bool) (some []postroom.Replayable) {
		for i, r := range all {
			if keep(i, r) {
				some = append(some, r)
			}
		}
		return some
	}
	failed := only(func(_ int, r postroom.Replayable) bool { return r.State == postroom.StateFailed })

	for _, test := range []struct {
		what   string
		filter postroom.ReplayFilter
		after  postroom.DeliveryID
		limit  int
		want   []postroom.Replayable
	}{
		{"all", postroom.ReplayFilter{}, postroom.DeliveryID{}, 100, all},
		{"a page", postroom.ReplayFilter{}, postroom.DeliveryID{}, 4, all[:4]},
		{"the next page", postroom.ReplayFilter{}, all[3].ID, 4, all[4:8]},
		{"in a span", postroom.ReplayFilter{After: at(2 * time.Hour), Before: at(5 * time.Hour)}, postroom.DeliveryID{}, 100, all[2:5]},
		{"the next page in a span", postroom.ReplayFilter{After: at(2 * time.Hour), Before: at(5 * time.Hour)}, all[3].ID, 100, all[4:5]},
		{"what succeeded is looked for among all", postroom.ReplayFilter{Status: postroom.DeliverySucceeded}, postroom.DeliveryID{}, 3, all[:3]},
		{"of a webhook", postroom.ReplayFilter{Webhook: webhook}, postroom.DeliveryID{}, 100, only(func(_ int, r postroom.Replayable) bool { return r.WebhookID == webhook })},
		{"failed", postroom.ReplayFilter{Status: postroom.DeliveryFailed}, postroom.DeliveryID{}, 100, failed},
		{"failed, of a webhook", postroom.ReplayFilter{Status: postroom.DeliveryFailed, Webhook: other}, postroom.DeliveryID{}, 100,
			only(func(_ int, r postroom.Replayable) bool {
				return r.State == postroom.StateFailed && r.WebhookID == other
			})},
		{"failed, the next page", postroom.ReplayFilter{Status: postroom.DeliveryFailed}, failed[1].ID, 2, failed[2:4]},
		{"cancelled since", postroom.ReplayFilter{Status: postroom.DeliveryCancelled, After: at(3 * time.Hour)}, postroom.DeliveryID{}, 100,
			only(func(i int, r postroom.Replayable) bool { return r.State == postroom.StateCancelled && i >= 3 })},
		{"nothing", postroom.ReplayFilter{}, waiting.Deliveries[0].ID, 100, nil},
	} {
		page, err := f.s.ReplayPage(f.ctx, workspace, test.filter, test.after, test.limit)
		f.must(err)
		f.equal(test.what, page, test.want)
		if !test.after.IsZero() {
			continue
		}
		groups, whole, err := f.s.ReplayCounts(f.ctx, workspace, test.filter, test.limit)
		f.must(err)
		want := map[string]int64{}
		for _, r := range test.want {
			r.ID, r.Count = postroom.DeliveryID{}, 0
			want[fmt.Sprint(r)]++
		}
		got := map[string]int64{}
		for _, g := range groups {
			n := g.Count
			g.Count = 0
			got[fmt.Sprint(g)] += n
		}
		f.equal("counts of "+test.what, got, want)
		if whole != (len(test.want) < test.limit) {
			f.t.Errorf("%s: %d of a limit of %d count as the whole: %v", test.what, len(test.want), test.limit, whole)
		}
	}
}

func testReplayRequeues(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook, gone := f.webhook(workspace), f.webhook(workspace)
	succeeded, failed, cancelled := f.ended(workspace, webhook, noon(), 200), f.ended(workspace, webhook, noon(), 500), f.ended(workspace, webhook, noon(), 0)
	leased := f.leased(workspace, noon(), webhook)[0].DeliveryID
	orphan := f.ended(workspace, gone, noon(), 500)
	f.must(f.s.DeleteWebhook(f.ctx, workspace, gone, noon(), func(postroom.StoredWebhook) error { return nil }))

	// Only what is in the state that was asked for is moved; the rest has changed since the look, and is skipped.
	r := f.replay(workspace, postroom.ReplayFilter{Before: at(time.Hour), Status: postroom.DeliveryFailed})
	if !f.step(&r, step(failed, succeeded, failed, orphan)) {
		t.Fatal("the step was not stored")
	}
	f.equal("the states", f.states(succeeded, failed, orphan), []postroom.DeliveryState{postroom.StateSucceeded, postroom.StateReplay, postroom.StateFailed})
	if r.Done != 1 || r.Skipped != 2 || r.Cursor != failed {
		t.Errorf("the replay is %+v", r)
	}
	if d := f.delivery(workspace, failed); d.Attempts != 0 || d.LastStatusCode != 500 || d.NextAt == nil || !d.NextAt.Equal(r.CreatedAt) {
		t.Errorf("the requeued delivery is %+v", d)
	}

	every := f.replay(workspace, postroom.ReplayFilter{Before: at(time.Hour)})
	last := step(leased, succeeded, cancelled, leased, failed)
	last.End, last.Now = postroom.ReplayDone, at(time.Second)
	if !f.step(&every, last) {
		t.Fatal("the step was not stored")
	}
	f.equal("the states", f.states(succeeded, cancelled, leased, failed), []postroom.DeliveryState{postroom.StateReplay, postroom.StateReplay, postroom.StateLeased, postroom.StateReplay})
	stored, err := f.s.Replay(f.ctx, workspace, every.ID)
	f.must(err)
	f.equal("what is stored", stored, every)
	if every.State != postroom.ReplayDone || every.Total != 4 || every.AtLeast || every.Done != 2 || every.Skipped != 2 || !every.EndedAt.Equal(at(time.Second)) {
		t.Errorf("the replay that is done is %+v", every)
	}
	if f.step(&every, step(leased)) {
		t.Error("a replay that has ended was moved on")
	}
	for r, want := range map[*postroom.Replay]int64{&r: 3, &every: 3} { // both were made at the same microsecond here
		if n, err := f.s.ReplayWaiting(f.ctx, r, 100); err != nil || n != want {
			t.Errorf("%d deliveries wait, %v; want %d", n, err, want)
		}
	}
	ofWebhook := every
	ofWebhook.Webhook = gone
	if n, err := f.s.ReplayWaiting(f.ctx, &ofWebhook, 100); err != nil || n != 0 {
		t.Errorf("for another webhook %d deliveries wait, %v", n, err)
	}
	if n, err := f.s.ReplayWaiting(f.ctx, &every, 2); err != nil || n != 2 {
		t.Errorf("%d deliveries wait, %v; want 2, which is the limit", n, err)
	}
}

// testReplayRace lets several nodes take the same step of a replay at the same time: one of them stores it, and each delivery is moved once.
func testReplayRace(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	const n, nodes = 30, 4
	var ids []postroom.DeliveryID
	for range n {
		ids = append(ids, f.ended(workspace, webhook, noon(), 500))
	}
	r := f.replay(workspace, postroom.ReplayFilter{Before: at(time.Hour)})
	for from := 0; from < n; from += 10 {
		some := ids[from : from+10]
		moved := make([]bool, nodes)
		after := make([]postroom.Replay, nodes)
		atOnce(t, nodes, func(i int) (err error) {
			after[i] = r
			moved[i], err = f.s.StepReplay(context.Background(), &after[i], step(some[9], some...))
			return err
		})
		winner := slices.Index(moved, true)
		if winner < 0 || slices.Contains(moved[winner+1:], true) {
			t.Fatalf("the step was stored by %v", moved)
		}
		r = after[winner]
	}
	if r.Done != n || r.Skipped != 0 {
		t.Errorf("the replay is %+v", r)
	}
}

func testReplayLeases(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	id := f.ended(workspace, webhook, noon(), 500)
	r := f.replay(workspace, postroom.ReplayFilter{Before: at(time.Hour)})
	mine := func(s *Store, now time.Time) bool {
		t.Helper()
		all, err := s.UnfinishedReplays(f.ctx, now, 1000)
		f.must(err)
		if !slices.IsSortedFunc(all, func(a, b postroom.Replay) int { return a.UpdatedAt.Compare(b.UpdatedAt) }) {
			t.Error("the one that has waited longest is not first")
		}
		return slices.ContainsFunc(all, func(x postroom.Replay) bool { return x.ID == r.ID })
	}
	other := &Store{explained: f.s.explained, dialect: f.s.dialect, texts: f.s.texts, node: postroom.NewID[postroom.NodeKind](noon())} // as another node has it
	if !mine(f.s, noon()) || mine(other, noon()) || !mine(other, at(time.Minute)) {
		t.Error("a replay is not its node's, or not another's when the lease is over")
	}
	theirs := r
	if moved, err := other.StepReplay(f.ctx, &theirs, step(id, id)); err != nil || moved {
		t.Errorf("another node took a step: %v, %v", moved, err)
	}
	f.equal("the delivery", f.states(id), []postroom.DeliveryState{postroom.StateFailed})

	// The node is gone, and another goes on. The first one comes back, and its step is not stored.
	late := step(id, id)
	late.Now, late.LeaseTo = at(2*time.Minute), at(3*time.Minute)
	if moved, err := other.StepReplay(f.ctx, &theirs, late); err != nil || !moved || theirs.Done != 1 {
		t.Errorf("another node takes a step: %v, %v, %+v", moved, err, theirs)
	}
	back := step(id, id)
	back.Now = at(10 * time.Minute)
	if f.step(&r, back) {
		t.Error("a step from before another's was stored")
	}
	if mine(f.s, at(2*time.Minute)) {
		t.Error("the replay is still the first node's")
	}
	f.must(other.LeaveReplays(f.ctx))
	if !mine(f.s, at(2*time.Minute)) {
		t.Error("the replay was not left to others")
	}
}

func testReplayCancel(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	made := func(i int) time.Time { return at(time.Duration(i) * time.Second) }
	succeeded, failed, cancelled := f.ended(workspace, webhook, made(0), 200), f.ended(workspace, webhook, made(1), 500), f.ended(workspace, webhook, made(2), 0)
	discarded := f.publication(workspace, made(3), postroom.StateFresh, webhook)
	f.publish(discarded)
	_, err := f.s.DiscardQueue(f.ctx, workspace, webhook, made(3), "discarded", func(int64) {})
	f.must(err)
	// One that was attempted, retried by a person, attempted again and discarded.
	again := f.ended(workspace, webhook, made(4), 500)
	_, err = f.s.Requeue(f.ctx, workspace, again, postroom.StateReplay, noon())
	f.must(err)
	f.finish(f.claim(webhook, postroom.StateReplay, noon(), 1)[0], made(5), 200)
	begun, another := f.ended(workspace, webhook, made(6), 500), f.ended(workspace, webhook, made(7), 500)
	notYet := f.ended(workspace, webhook, made(8), 500)
	ids := []postroom.DeliveryID{succeeded, failed, cancelled, discarded.Deliveries[0].ID, again, begun, another}
	before := f.states(ids...)

	r := f.replay(workspace, postroom.ReplayFilter{Before: at(time.Hour)})
	if !f.step(&r, step(another, ids[:6]...)) || r.Done != 6 {
		t.Fatalf("the replay is %+v", r)
	}
	f.exec("UPDATE deliveries SET state = 0, claim = claim + 1 WHERE id = $1", begun) // a node has it
	_, err = f.s.Requeue(f.ctx, workspace, another, postroom.StateReplay, at(time.Hour))
	f.must(err) // a person asked for it
	stale := r
	done, err := f.s.CancelReplay(f.ctx, workspace, r.ID, at(time.Second), at(time.Minute))
	f.must(err)
	if !done || f.step(&stale, step(notYet, notYet)) {
		t.Errorf("cancelled: %v; or a cancelled replay went on", done)
	}
	r, err = f.s.Replay(f.ctx, workspace, r.ID)
	f.must(err)
	if r.State != postroom.ReplayCancelled || r.EndedAt != nil {
		t.Errorf("the cancelled replay is %+v", r)
	}

	// In pages of two, from new to old. What others put into the queue is looked at and left there.
	var back []postroom.DeliveryID
	for page := range 10 {
		some, last, err := f.s.WaitingPage(f.ctx, &r, 3)
		f.must(err)
		s := step(last, some...)
		if last.IsZero() {
			s.Cursor, s.End = r.Cursor, postroom.ReplayCancelled
		}
		back = append(back, some...)
		if !f.step(&r, s) {
			t.Fatalf("page %d was not stored", page)
		}
		if r.EndedAt != nil {
			break
		}
	}
	f.equal("what was taken back", back, []postroom.DeliveryID{ids[4], ids[3], ids[2], ids[1], ids[0]})
	if r.State != postroom.ReplayCancelled || r.Withdrawn != 5 || r.Done != 6 || r.EndedAt == nil || r.Total != 3 {
		t.Errorf("the replay is %+v", r)
	}
	before[5], before[6] = postroom.StateLeased, postroom.StateReplay
	f.equal("the states", f.states(ids...), before)
	if d := f.delivery(workspace, again); d.Attempts != 2 || d.Status != postroom.DeliverySucceeded || d.NextAt != nil {
		t.Errorf("what was attempted twice is %+v", d)
	}
	if done, err := f.s.CancelReplay(f.ctx, workspace, r.ID, noon(), noon()); err != nil || done {
		t.Errorf("it was cancelled twice: %v, %v", done, err)
	}
}

func testReplays(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	var all []postroom.Replay
	for i := range 5 {
		filter := postroom.ReplayFilter{Before: at(time.Hour)}
		if i%2 == 1 {
			filter = postroom.ReplayFilter{Webhook: webhook, After: at(-time.Hour), Before: noon(), Status: postroom.DeliveryCancelled, Types: []string{"email.*", "order.paid"}}
		}
		all = append([]postroom.Replay{f.replay(workspace, filter)}, all...)
	}
	page, err := f.s.Replays(f.ctx, workspace, nil, 3)
	f.must(err)
	f.equal("the newest", page, all[:3])
	page, err = f.s.Replays(f.ctx, workspace, &postroom.Cursor{ID: all[2].ID}, 3)
	f.must(err)
	f.equal("older ones", page, all[3:])
	page, err = f.s.Replays(f.ctx, workspace, &postroom.Cursor{Newer: true, ID: all[2].ID}, 1)
	f.must(err)
	f.equal("newer ones, oldest first", page, all[1:2])
	_, err = f.s.Replay(f.ctx, workspace, postroom.NewID[postroom.ReplayKind](noon()))
	f.code("an unknown replay", err, postroom.CodeNotFound)

	r, end := all[0], step(postroom.DeliveryID{})
	end.End, end.Reason = postroom.ReplayFailed, "The webhook was deleted."
	if !f.step(&r, end) {
		t.Fatal("the step was not stored")
	}
	stored, err := f.s.Replay(f.ctx, workspace, r.ID)
	f.must(err)
	f.equal("what failed", stored, r)
	if r.State != postroom.ReplayFailed || r.Reason == "" || r.Total != 3 || !r.AtLeast {
		t.Errorf("the replay is %+v", r)
	}
	if done, err := f.s.CancelReplay(f.ctx, workspace, r.ID, noon(), noon()); err != nil || done {
		t.Errorf("what failed was cancelled: %v, %v", done, err)
	}
}

// testDiscardCutOff ends a discard after a step, as a crash would: what it did stays, and another does the rest.
func testDiscardCutOff(f *fixture) {
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	const n = discardStep + 20
	var pubs []*postroom.Publication
	for range n {
		pubs = append(pubs, f.publication(workspace, noon(), postroom.StateFresh, webhook))
	}
	f.publish(pubs...)
	discard := func(progress func(int64)) (total int64) {
		defer func() { _ = recover() }()
		total, err := f.s.DiscardQueue(f.ctx, workspace, webhook, noon(), "discarded", progress)
		f.must(err)
		return total
	}
	discard(func(int64) { panic("killed") })
	if waiting, _, _, err := f.s.Waiting(f.ctx, workspace, webhook); err != nil || waiting != n-discardStep {
		f.t.Errorf("after a step %d wait, %v", waiting, err)
	}
	if total := discard(func(int64) {}); total != n-discardStep {
		f.t.Errorf("the rest is %d", total)
	}
}

func testAttemptsOf(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	twice := f.leased(workspace, noon(), webhook)[0]
	f.finish(twice, noon(), 500)
	_, err := f.s.Requeue(f.ctx, workspace, twice.DeliveryID, postroom.StateReplay, noon())
	f.must(err)
	f.finish(f.claim(webhook, postroom.StateReplay, noon(), 1)[0], at(time.Second), 200)
	once, unasked, none := f.leased(workspace, noon(), webhook)[0], f.leased(workspace, noon(), webhook)[0], f.leased(workspace, noon(), webhook)[0]
	f.finish(once, noon(), 200)
	f.finish(unasked, noon(), 200)

	found, err := f.s.AttemptsOf(f.ctx, workspace, []postroom.DeliveryID{none.DeliveryID, twice.DeliveryID, once.DeliveryID})
	f.must(err)
	if len(found) != 2 {
		t.Errorf("attempts of %d deliveries, want 2", len(found))
	}
	for _, id := range []postroom.DeliveryID{twice.DeliveryID, once.DeliveryID} {
		want, err := f.s.Attempts(f.ctx, workspace, id)
		f.must(err)
		f.equal("the attempts", found[id], want)
	}
	if a := found[twice.DeliveryID]; len(a) != 2 || a[0].Number != 1 || a[1].Number != 2 || a[1].StatusCode != 200 {
		t.Errorf("the attempts are %+v", a)
	}
	events, err := f.s.EventsOf(f.ctx, workspace, []postroom.EventID{once.Event.ID, postroom.NewID[postroom.EventKind](noon())})
	f.must(err)
	f.equal("the events", events, map[postroom.EventID]postroom.Event{once.Event.ID: *once.Event})
	if found, err := f.s.AttemptsOf(f.ctx, workspace, nil); err != nil || len(found) != 0 {
		t.Errorf("of none there are %v, %v", found, err)
	}
}

// TestReplayVoid opens an SQLite database again, as after a kill: the replay is the new process's at once.
func TestReplayVoid(t *testing.T) {
	db := newSQLite(t)
	s := db.open()
	f := newFixture(t, s)
	r := f.replay(f.workspace("one"), postroom.ReplayFilter{Before: at(time.Hour)})
	f.must(s.Close())
	all, err := db.open().UnfinishedReplays(f.ctx, noon(), 10)
	f.must(err)
	f.equal("what the next process finds", all, []postroom.Replay{r})
}
