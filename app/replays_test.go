package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/internal/expr"
	"github.com/postroom/postroom/internal/testenv"
	"github.com/postroom/postroom/outbound"
	"github.com/postroom/postroom/store"
)

// rig is an application on SQLite whose engine does not run: what is put into the queue stays there.
type rig struct {
	t     *testing.T
	app   *App
	store *faulty
	who   Caller
	ids   postroom.IDs
	past  postroom.IDs
}

// faulty is a store of which a test may let steps of replays fail.
type faulty struct {
	*store.Store
	mu   sync.Mutex
	fail func(r *postroom.Replay, step postroom.ReplayStep) error
	// discarding is called before a discard.
	discarding func()
}

func (f *faulty) DiscardQueue(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID, until time.Time, reason string, progress func(int64)) (int64, error) {
	f.discarding()
	return f.Store.DiscardQueue(ctx, workspace, webhook, until, reason, progress)
}

func (f *faulty) StepReplay(ctx context.Context, r *postroom.Replay, step postroom.ReplayStep) (bool, error) {
	f.mu.Lock()
	fail := f.fail
	f.mu.Unlock()
	if fail != nil {
		if err := fail(r, step); err != nil {
			return false, err
		}
	}
	return f.Store.StepReplay(ctx, r, step)
}

func (f *faulty) failing(fail func(*postroom.Replay, postroom.ReplayStep) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// The sizes of pages and steps in tests.
const testPage, testStep = 40, 12

func newRig(t *testing.T) *rig {
	t.Helper()
	now := time.Now()
	db, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "postroom.db"), Node: postroom.NewID[postroom.NodeKind](now), Log: testenv.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	types, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	filters, err := expr.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, store: &faulty{Store: db}}
	r.app = New(Config{Store: r.store, Catalogue: types, IDs: &r.ids, Log: testenv.Logger(t),
		Engine: outbound.New(outbound.Config{Store: db, Filters: filters, IDs: &r.ids, Log: testenv.Logger(t)})})
	r.app.replays.page, r.app.replays.step = testPage, testStep
	r.who = Caller{Workspace: postroom.Next[postroom.WorkspaceKind](&r.ids, now), Key: postroom.Next[postroom.KeyKind](&r.ids, now), Role: postroom.RoleAdmin}
	w := postroom.Workspace{ID: r.who.Workspace, Name: "one", CreatedAt: postroom.Timestamp{Time: now}}
	k := postroom.Key{ID: r.who.Key, WorkspaceID: w.ID, Role: postroom.RoleAdmin, CreatedAt: w.CreatedAt}
	r.must(db.CreateWorkspace(t.Context(), w, k, []byte("digest")))
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) webhook() postroom.WebhookID {
	r.t.Helper()
	now := postroom.Timestamp{Time: time.Now()}
	w := postroom.StoredWebhook{Webhook: postroom.Webhook{ID: postroom.Next[postroom.WebhookKind](&r.ids, now.Time), WorkspaceID: r.who.Workspace, Status: postroom.WebhookActive,
		Version: 1, CreatedAt: now, UpdatedAt: now, WebhookSettings: postroom.WebhookSettings{URL: "https://example.com/hooks", Events: []string{"*"}, Dialect: "standard"}}}
	r.must(r.store.CreateWebhook(r.t.Context(), &w, postroom.StoredSecret{Secret: postroom.Secret{ID: postroom.Next[postroom.SigningSecretKind](&r.ids, now.Time)}, Sealed: []byte("x")}))
	return w.ID
}

// failed stores n events of a type whose deliveries to a webhook have failed.
func (r *rig) failed(webhook postroom.WebhookID, eventType string, n int) {
	r.t.Helper()
	at := time.Now().Add(-time.Hour)
	for n > 0 {
		var pubs []*postroom.Publication
		for range min(n, 500) {
			e := &postroom.Event{ID: postroom.Next[postroom.EventKind](&r.past, at), WorkspaceID: r.who.Workspace, Type: eventType, Time: at, Data: []byte("{}")}
			pubs = append(pubs, &postroom.Publication{Event: e, Deliveries: []postroom.NewDelivery{{ID: postroom.Next[postroom.DeliveryKind](&r.past, at), WebhookID: webhook,
				State: postroom.StateFailed}}})
			n--
		}
		r.must(r.store.Publish(r.t.Context(), pubs))
	}
}

func (r *rig) start(ref string, f postroom.ReplayFilter) postroom.Replay {
	r.t.Helper()
	started, err := r.app.StartReplay(r.t.Context(), r.who, ref, f)
	r.must(err)
	return started
}

func (r *rig) now(x postroom.Replay) postroom.Replay {
	r.t.Helper()
	now, _, err := r.app.Replay(r.t.Context(), r.who, x.ID.String())
	r.must(err)
	return now
}

// waiting counts what waits for replay to a webhook.
func (r *rig) waiting(webhook postroom.WebhookID) int64 {
	r.t.Helper()
	n, _, _, err := r.store.Waiting(r.t.Context(), r.who.Workspace, webhook)
	r.must(err)
	return n
}

func TestReplaysTakeTurns(t *testing.T) {
	r := newRig(t)
	large, small := r.webhook(), r.webhook()
	r.failed(large, "email.opened", 3*testPage+10)
	r.failed(small, "email.opened", testPage+10)
	first := r.start(large.String(), postroom.ReplayFilter{})
	second := r.start(small.String(), postroom.ReplayFilter{})
	if first.Done != testPage || first.State != postroom.ReplayRunning || first.Total != 3*testPage+10 || first.AtLeast {
		t.Errorf("after the first turn: %+v", first)
	}
	var ended []postroom.ReplayID
	tries := map[postroom.ReplayID]*trial{}
	for range 20 {
		if !r.app.replayTick(t.Context(), tries) {
			break
		}
		for _, x := range []postroom.Replay{first, second} {
			if r.now(x).EndedAt != nil && !slices.Contains(ended, x.ID) {
				ended = append(ended, x.ID)
			}
		}
	}
	if len(ended) != 2 || ended[0] != second.ID {
		t.Errorf("they ended in the order %v", ended)
	}
	for webhook, n := range map[postroom.WebhookID]int64{large: 3*testPage + 10, small: testPage + 10} {
		if got := r.waiting(webhook); got != n {
			t.Errorf("%d deliveries wait, want %d", got, n)
		}
	}
	if now := r.now(first); now.State != postroom.ReplayDone || now.Done != 3*testPage+10 || now.Skipped != 0 {
		t.Errorf("at the end: %+v", now)
	}
}

func TestReplayFilters(t *testing.T) {
	r := newRig(t)
	webhook, other := r.webhook(), r.webhook()
	r.failed(webhook, "email.opened", 3)
	r.failed(webhook, "order.paid", 2)
	r.failed(other, "email.opened", 4)
	hour := time.Hour
	for _, test := range []struct {
		ref    string
		filter postroom.ReplayFilter
		want   int64
	}{
		{"", postroom.ReplayFilter{}, 9},
		{"", postroom.ReplayFilter{Status: postroom.DeliveryFailed, Types: []string{"email.*"}}, 7},
		{webhook.String(), postroom.ReplayFilter{Status: postroom.DeliveryFailed}, 5},
		{webhook.String(), postroom.ReplayFilter{Types: []string{"order.paid", "order.sent"}}, 2},
		{webhook.String(), postroom.ReplayFilter{Types: []string{"contact.*"}}, 0},
		{webhook.String(), postroom.ReplayFilter{Status: postroom.DeliverySucceeded}, 0},
		{other.String(), postroom.ReplayFilter{After: time.Now().Add(-2 * hour), Before: time.Now().Add(-hour / 2)}, 4},
		{other.String(), postroom.ReplayFilter{After: time.Now().Add(-hour / 2)}, 0},
	} {
		p, err := r.app.PreviewReplay(t.Context(), r.who, test.ref, test.filter)
		r.must(err)
		var byType, byStatus int64
		for _, n := range p.ByType {
			byType += n
		}
		for _, n := range p.ByStatus {
			byStatus += n
		}
		if p.Total != test.want || p.AtLeast || byType != test.want || byStatus != test.want {
			t.Errorf("%+v: the preview is %+v, want %d", test.filter, p, test.want)
		}
	}
	if n := r.waiting(webhook); n != 0 {
		t.Errorf("previews put %d deliveries into the queue", n)
	}
	x := r.start("", postroom.ReplayFilter{Types: []string{"order.*"}})
	if x.Done != 2 || r.waiting(webhook) != 2 || r.waiting(other) != 0 {
		t.Errorf("the replay is %+v", x)
	}

	viewer := r.who
	viewer.Role = postroom.RoleViewer
	if _, err := r.app.PreviewReplay(t.Context(), viewer, "", postroom.ReplayFilter{}); err != nil {
		t.Errorf("a viewer's preview: %v", err)
	}
	_, err := r.app.StartReplay(t.Context(), viewer, "", postroom.ReplayFilter{})
	_, _, cancelling := r.app.CancelReplay(t.Context(), viewer, x.ID.String())
	if postroom.CodeOf(err) != postroom.CodeForbidden || postroom.CodeOf(cancelling) != postroom.CodeForbidden {
		t.Errorf("a viewer's replay: %v, %v", err, cancelling)
	}
	for _, bad := range []postroom.ReplayFilter{{Status: postroom.DeliveryHeld}, {Types: []string{"*.x"}}, {After: time.Now().Add(hour)}, {Types: make([]string, maxPatterns+1)}} {
		if _, err := r.app.StartReplay(t.Context(), r.who, "", bad); postroom.CodeOf(err) != postroom.CodeInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// A replay whose steps fail rests while others go on, and is given up in the end.
func TestReplayThatFails(t *testing.T) {
	r := newRig(t)
	bad, good := r.webhook(), r.webhook()
	r.failed(bad, "email.opened", 10)
	r.failed(good, "email.opened", 2*testPage)
	r.store.failing(func(x *postroom.Replay, step postroom.ReplayStep) error {
		if x.Webhook == bad && step.End != postroom.ReplayFailed {
			return errors.New("cannot be stored")
		}
		return nil
	})
	clock := time.Now()
	r.app.Now = func() time.Time { return clock }
	first, second := r.start(bad.String(), postroom.ReplayFilter{}), r.start(good.String(), postroom.ReplayFilter{})
	if first.State != postroom.ReplayRunning || first.Done != 0 {
		t.Errorf("the first step failed, and the replay is %+v", first)
	}
	tries := map[postroom.ReplayID]*trial{}
	for r.app.replayTick(t.Context(), tries) {
	}
	if now := r.now(second); now.State != postroom.ReplayDone || now.Done != 2*testPage {
		t.Errorf("the other replay is %+v", now)
	}
	for i := 1; i < maxTries; i++ {
		if now := r.now(first); now.State != postroom.ReplayRunning {
			t.Fatalf("after %d failures the replay is %+v", i, now)
		}
		clock = clock.Add(time.Minute)
		r.app.replayTick(t.Context(), tries)
	}
	if now := r.now(first); now.State != postroom.ReplayFailed || now.Reason == "" || now.EndedAt == nil {
		t.Errorf("after %d failures the replay is %+v", maxTries, now)
	}
}

// While the database is in trouble, no replay is given up.
func TestReplayDuringAnOutage(t *testing.T) {
	r := newRig(t)
	r.failed(r.webhook(), "email.opened", 10)
	r.store.failing(func(*postroom.Replay, postroom.ReplayStep) error {
		return fmt.Errorf("no disk: %w", postroom.Errorf(postroom.CodeUnavailable, "The disk is full."))
	})
	x := r.start("", postroom.ReplayFilter{})
	tries := map[postroom.ReplayID]*trial{}
	for range 2 * maxTries {
		if r.app.replayTick(t.Context(), tries) {
			t.Fatal("a tick during an outage says that there is more to do")
		}
	}
	r.store.failing(nil)
	r.app.replayTick(t.Context(), tries)
	if now := r.now(x); now.State != postroom.ReplayDone || now.Done != 10 {
		t.Errorf("after the outage the replay is %+v", now)
	}
}

func TestReplayOfADeletedWebhook(t *testing.T) {
	r := newRig(t)
	webhook := r.webhook()
	r.failed(webhook, "email.opened", testPage+5)
	x := r.start(webhook.String(), postroom.ReplayFilter{Status: postroom.DeliveryFailed})
	r.must(r.app.DeleteWebhook(t.Context(), r.who, webhook.String(), 0))
	for r.app.replayTick(t.Context(), map[postroom.ReplayID]*trial{}) {
	}
	if now := r.now(x); now.State != postroom.ReplayFailed || now.Reason != "The webhook was deleted." || now.Done != testPage {
		t.Errorf("the replay is %+v", now)
	}
	if _, _, err := r.app.CancelReplay(t.Context(), r.who, x.ID.String()); postroom.CodeOf(err) != postroom.CodeConflict {
		t.Errorf("a replay that has failed is cancelled: %v", err)
	}
}

// RunReplays does what is left, stops in the middle when it is told to, and leaves the rest to the next one.
func TestRunReplays(t *testing.T) {
	r := newRig(t)
	webhook := r.webhook()
	const n = 12 * testPage
	r.failed(webhook, "email.opened", n)
	x := r.start("", postroom.ReplayFilter{})

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	steps := 0
	r.store.failing(func(*postroom.Replay, postroom.ReplayStep) error {
		if steps++; steps == 5 {
			stop()
		}
		return nil
	})
	r.app.RunReplays(ctx)
	middle := r.now(x)
	if middle.State != postroom.ReplayRunning || middle.Done <= testPage || middle.Done >= n {
		t.Errorf("in the middle: %+v", middle)
	}
	if got := r.waiting(webhook); got != middle.Done {
		t.Errorf("%d were put into the queue, and %d wait", middle.Done, got)
	}

	ctx, stop = context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.app.RunReplays(ctx) })
	testenv.Eventually(t, 30*time.Second, func() error {
		if now := r.now(x); now.EndedAt == nil {
			return fmt.Errorf("the replay is %+v", now)
		}
		return nil
	})
	// One that waits is woken for the next.
	if cancelled, waiting, err := r.app.CancelReplay(t.Context(), r.who, x.ID.String()); err != nil || cancelled.State != postroom.ReplayCancelled {
		t.Errorf("cancelled: %+v, %d wait, %v", cancelled, waiting, err)
	}
	testenv.Eventually(t, 30*time.Second, func() error {
		if now := r.now(x); now.EndedAt == nil || now.Withdrawn != n || r.waiting(webhook) != 0 {
			return fmt.Errorf("the cancelled replay is %+v", now)
		}
		return nil
	})
	stop()
	running.Wait()
	if p, err := r.app.PreviewReplay(t.Context(), r.who, "", postroom.ReplayFilter{}); err != nil || p.Total != n {
		t.Errorf("what was taken back is %+v, %v", p, err)
	}
}

func TestResumeSaysWhatIsHeld(t *testing.T) {
	r := newRig(t)
	webhook := r.webhook().String()
	_, n, since, err := r.app.HeldDeliveries(t.Context(), r.who, webhook)
	if err != nil || n != 0 || since != nil {
		t.Errorf("held: %d since %v, %v", n, since, err)
	}
	if _, err := r.app.PauseWebhook(t.Context(), r.who, webhook, ""); err != nil {
		t.Fatal(err)
	}
	id, _ := postroom.ParseID[postroom.WebhookKind](webhook)
	r.failed(id, "email.opened", 35)
	r.start(webhook, postroom.ReplayFilter{})
	if _, n, since, err = r.app.HeldDeliveries(t.Context(), r.who, webhook); err != nil || n != 35 || since == nil {
		t.Errorf("held: %d since %v, %v", n, since, err)
	}
	gone, leave := context.WithCancel(t.Context())
	r.store.discarding = leave // the caller goes in the middle
	w, n, err := r.app.ResumeWebhook(gone, r.who, webhook, HeldDiscard)
	if err != nil || n != 35 || w.Status != postroom.WebhookActive || r.waiting(id) != 0 {
		t.Errorf("resumed: %d discarded, %s, %v", n, w.Status, err)
	}
	if _, _, err := r.app.ResumeWebhook(t.Context(), r.who, webhook, "eat"); postroom.CodeOf(err) != postroom.CodeInvalid {
		t.Errorf("%v", err)
	}
}
