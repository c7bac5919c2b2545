package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// newSource is a source of a workspace that is not stored yet, without actions.
func (f *fixture) newSource(workspace postroom.WorkspaceID) postroom.StoredSource {
	id := postroom.Next[postroom.SourceKind](f.made(noon()), noon())
	return postroom.StoredSource{Source: postroom.Source{ID: id, WorkspaceID: workspace, Version: 1, CreatedAt: stamp(noon()), UpdatedAt: stamp(noon()),
		SourceSettings: postroom.SourceSettings{Name: "Source " + id.String(), Kind: postroom.KindGeneric, Status: postroom.SourceActive, RequireToken: true,
			IPAllow: []string{"203.0.113.0/24"}, Dedupe: postroom.Dedupe{By: postroom.DedupeAuto},
			Mapping: []postroom.MappingRow{{From: postroom.Paths{"first", "last"}, To: "custom_field.full_name", Transform: []postroom.Transform{{Name: "join", Arg: json.RawMessage(`" "`)}}}},
			Actions: []postroom.Action{{Type: postroom.ActionApplyTag, Tags: []string{"lead"}, When: "body.score > 10"}}}},
		Sealed: []byte{0, 1, 0xff}}
}

func (f *fixture) source(workspace postroom.WorkspaceID) postroom.SourceID {
	f.t.Helper()
	src := f.newSource(workspace)
	f.must(f.s.CreateSource(f.ctx, &src, nil))
	return src.ID
}

// calling gives a source a call_api action, and makes the webhook for it.
func (f *fixture) calling(src *postroom.StoredSource, url string) postroom.StoredWebhook {
	w, _ := f.newWebhook(src.WorkspaceID)
	w.URL, w.Events, w.Secrets = url, []string{}, 0
	id := w.ID
	src.Actions = append(src.Actions, postroom.Action{Type: postroom.ActionCallAPI, Call: &postroom.Call{URL: url, WebhookID: &id}})
	return w
}

func keepSource(postroom.StoredSource) error { return nil }

func testSources(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	src, uid := f.newSource(workspace), "mine"
	src.UID = &uid
	f.must(f.s.CreateSource(f.ctx, &src, nil))
	for what, find := range map[string]func() (postroom.StoredSource, error){
		"by id":              func() (postroom.StoredSource, error) { return f.s.Source(f.ctx, workspace, src.ID) },
		"by uid":             func() (postroom.StoredSource, error) { return f.s.SourceByUID(f.ctx, workspace, uid) },
		"whatever workspace": func() (postroom.StoredSource, error) { return f.s.SourceOf(f.ctx, src.ID) },
		"in the list of them": func() (postroom.StoredSource, error) {
			all, err := f.s.Sources(f.ctx, workspace, nil, 1)
			return all[0], err
		},
	} {
		got, err := find()
		f.must(err)
		f.equal("the source "+what, got, src)
	}

	other := f.newSource(workspace)
	other.UID = &uid
	f.code("a uid that is taken", f.s.CreateSource(f.ctx, &other, nil), postroom.CodeConflict)
	other.WorkspaceID = postroom.NewID[postroom.WorkspaceKind](noon())
	f.code("a source of no workspace", f.s.CreateSource(f.ctx, &other, nil), postroom.CodeNotFound)
	other.WorkspaceID = f.workspace("other") // where the uid is free
	f.must(f.s.CreateSource(f.ctx, &other, nil))

	changed, err := f.s.UpdateSource(f.ctx, workspace, src.ID, at(time.Hour), func(s *postroom.StoredSource) ([]postroom.StoredWebhook, error) {
		s.Name, s.Sealed, s.UID = "renamed <b>", []byte("other"), nil
		return nil, nil
	})
	f.must(err)
	src.Name, src.Sealed, src.UID, src.Version, src.UpdatedAt = "renamed <b>", []byte("other"), nil, 2, stamp(at(time.Hour))
	f.equal("what the change gives", changed, src)
	got, err := f.s.Source(f.ctx, workspace, src.ID)
	f.must(err)
	f.equal("the changed source", got, src)
	refusal := errors.New("no")
	if _, err := f.s.UpdateSource(f.ctx, workspace, src.ID, at(time.Hour), func(s *postroom.StoredSource) ([]postroom.StoredWebhook, error) {
		s.Name = "never"
		return nil, refusal
	}); !errors.Is(err, refusal) {
		t.Errorf("a change that fails: %v", err)
	}
	got, err = f.s.Source(f.ctx, workspace, src.ID)
	f.must(err)
	f.equal("the source after a change that failed", got, src)

	if err := f.s.DeleteSource(f.ctx, workspace, src.ID, at(time.Hour), func(s postroom.StoredSource) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("a deletion that is refused: %v", err)
	}
	f.must(f.s.DeleteSource(f.ctx, workspace, src.ID, at(time.Hour), keepSource))
	_, err = f.s.Source(f.ctx, workspace, src.ID)
	f.code("the deleted source", err, postroom.CodeNotFound)
	_, err = f.s.SourceOf(f.ctx, src.ID)
	f.code("the deleted source for a call", err, postroom.CodeNotFound)
	f.code("to delete it again", f.s.DeleteSource(f.ctx, workspace, src.ID, at(time.Hour), keepSource), postroom.CodeNotFound)
	_, err = f.s.UpdateSource(f.ctx, workspace, src.ID, noon(), func(*postroom.StoredSource) ([]postroom.StoredWebhook, error) { return nil, nil })
	f.code("to change it", err, postroom.CodeNotFound)
	if n := f.number("SELECT count(*) FROM sources WHERE id = $1 AND sealed IS NULL", src.ID); n != 1 {
		t.Error("its secrets are still there")
	}
}

func testSourcePages(f *fixture) {
	workspace := f.workspace("one")
	var ids []postroom.SourceID
	for range 5 {
		ids = append(ids, f.source(workspace))
	}
	list := func(cursor *postroom.Cursor, limit int) (found []postroom.SourceID) {
		f.t.Helper()
		all, err := f.s.Sources(f.ctx, workspace, cursor, limit)
		f.must(err)
		for _, src := range all {
			found = append(found, src.ID)
		}
		return found
	}
	f.equal("the first page", list(nil, 2), []postroom.SourceID{ids[4], ids[3]})
	f.equal("the next page", list(&postroom.Cursor{ID: ids[3]}, 2), []postroom.SourceID{ids[2], ids[1]})
	f.equal("the page before", list(&postroom.Cursor{ID: ids[1], Newer: true}, 2), []postroom.SourceID{ids[2], ids[3]})
	f.must(f.s.DeleteSource(f.ctx, workspace, ids[2], noon(), keepSource))
	f.equal("without one that was deleted", list(nil, 10), []postroom.SourceID{ids[4], ids[3], ids[1], ids[0]})
}

// testSourceRevisions notices that other nodes learn of changes by the workspace's revision.
func testSourceRevisions(f *fixture) {
	workspace := f.workspace("one")
	src := f.newSource(workspace)
	for _, step := range []struct {
		what   string
		change func() error
	}{
		{"a new source", func() error { return f.s.CreateSource(f.ctx, &src, nil) }},
		{"an edit", func() error {
			_, err := f.s.UpdateSource(f.ctx, workspace, src.ID, noon(), func(*postroom.StoredSource) ([]postroom.StoredWebhook, error) { return nil, nil })
			return err
		}},
		{"a source less", func() error { return f.s.DeleteSource(f.ctx, workspace, src.ID, noon(), keepSource) }},
	} {
		before, err := f.s.Revision(f.ctx, workspace)
		f.must(err)
		f.must(step.change())
		after, err := f.s.Revision(f.ctx, workspace)
		f.must(err)
		if after <= before {
			f.t.Errorf("%s: the revision was %d and is %d", step.what, before, after)
		}
	}
}

// testSourceCalls follows the hidden webhooks of call_api actions: who finds them, and what becomes of them with their source.
func testSourceCalls(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	shown := f.webhook(workspace)
	src := f.newSource(workspace)
	first, second := f.calling(&src, "https://example.com/first"), f.calling(&src, "https://example.com/second")
	f.must(f.s.CreateSource(f.ctx, &src, []postroom.StoredWebhook{first, second}))

	got, err := f.s.Webhook(f.ctx, workspace, first.ID, noon())
	f.must(err)
	if got.Number == 0 || got.SourceID != src.ID || got.Action != 2 || got.URL != first.URL || string(got.SealedAuth) != string(first.SealedAuth) || len(got.Events) != 0 {
		t.Errorf("the hidden webhook is %+v", got)
	}
	other, err := f.s.Webhook(f.ctx, workspace, second.ID, noon())
	f.must(err)
	if other.Number == got.Number || other.Action != 3 {
		t.Errorf("the other hidden webhook has the number %d and the action %d", other.Number, other.Action)
	}
	f.onlyWebhook(workspace, shown, got.Number)
	if owner, err := f.s.WebhookOwner(f.ctx, first.ID); err != nil || owner != workspace {
		t.Errorf("the queue finds %s, %v", owner, err)
	}

	job := f.leased(workspace, noon(), first.ID)[0]
	fin := finishOf(job, noon(), 410, postroom.Outcome{State: postroom.StateFailed, Stop: postroom.WebhookPaused, Reason: "gone"})
	fin.Health = &postroom.Health{Failures: 1, FailingSince: noon()}
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
	update := func(edit func(s *postroom.StoredSource) []postroom.StoredWebhook) {
		t.Helper()
		_, err := f.s.UpdateSource(f.ctx, workspace, src.ID, at(time.Hour), func(s *postroom.StoredSource) ([]postroom.StoredWebhook, error) { return edit(s), nil })
		f.must(err)
	}
	// The first stays as it is, at another place; the second goes, and a third comes.
	var third postroom.StoredWebhook
	update(func(s *postroom.StoredSource) []postroom.StoredWebhook {
		s.Actions = s.Actions[1:2]
		third = f.calling(s, "https://example.com/third")
		return []postroom.StoredWebhook{first, third}
	})
	after, err := f.s.Webhook(f.ctx, workspace, first.ID, noon())
	f.must(err)
	if after.Action != 1 || after.Version != got.Version+1 || after.Status != postroom.WebhookPaused || after.Number != got.Number { // the version is that of the pause
		t.Errorf("the webhook that stays is %+v", after)
	}
	if h, err := f.s.WebhookHealth(f.ctx, workspace, first.ID); err != nil || h.Failures != 1 {
		t.Errorf("its health is %+v, %v", h, err)
	}
	_, err = f.s.Webhook(f.ctx, workspace, second.ID, noon())
	f.code("the webhook of an action that is gone", err, postroom.CodeNotFound)
	f.onlyWebhook(workspace, shown, got.Number)

	update(func(s *postroom.StoredSource) []postroom.StoredWebhook {
		first.URL, third.SealedAuth = "https://example.com/elsewhere", []byte("new")
		return []postroom.StoredWebhook{first, third}
	})
	after, err = f.s.Webhook(f.ctx, workspace, first.ID, noon())
	f.must(err)
	if h, err := f.s.WebhookHealth(f.ctx, workspace, first.ID); err != nil || !h.Healthy() || after.URL != first.URL {
		t.Errorf("the changed webhook posts to %s, and its health is %+v, %v", after.URL, h, err)
	}
	after, err = f.s.Webhook(f.ctx, workspace, third.ID, noon())
	f.must(err)
	if string(after.SealedAuth) != "new" {
		t.Errorf("the webhook whose credentials changed is %+v", after)
	}

	stranger, _ := f.newWebhook(workspace)
	if _, err := f.s.UpdateSource(f.ctx, workspace, src.ID, noon(), func(*postroom.StoredSource) ([]postroom.StoredWebhook, error) {
		return []postroom.StoredWebhook{stranger}, nil
	}); err == nil {
		t.Error("a webhook of no action was stored")
	}
	if _, err := f.s.Webhook(f.ctx, workspace, third.ID, noon()); err != nil {
		t.Errorf("a change that failed took the others away: %v", err)
	}

	f.must(f.s.DeleteSource(f.ctx, workspace, src.ID, at(time.Hour), keepSource))
	for _, id := range []postroom.WebhookID{first.ID, third.ID} {
		_, err := f.s.Webhook(f.ctx, workspace, id, noon())
		f.code("a webhook of a deleted source", err, postroom.CodeNotFound)
	}
	if d := f.delivery(workspace, job.DeliveryID); d.Status != postroom.DeliveryFailed {
		t.Errorf("the log of the calls holds %+v", d)
	}
}

// onlyWebhook checks that lists and subscriptions have only the webhook that people made.
func (f *fixture) onlyWebhook(workspace postroom.WorkspaceID, shown postroom.WebhookID, hidden int64) {
	f.t.Helper()
	lists := map[string][]postroom.StoredWebhook{}
	var err error
	lists["older"], err = f.s.Webhooks(f.ctx, workspace, nil, 10, noon())
	f.must(err)
	lists["newer"], err = f.s.Webhooks(f.ctx, workspace, &postroom.Cursor{Newer: true, ID: postroom.FirstID[postroom.DeliveryKind](at(-time.Hour))}, 10, noon())
	f.must(err)
	var total int64
	lists["by dialect"], total, err = f.s.WebhooksOfDialect(f.ctx, workspace, "standard", true, 0, 10, noon())
	f.must(err)
	for what, list := range lists {
		if len(list) != 1 || list[0].ID != shown || list[0].Action != 0 || !list[0].SourceID.IsZero() {
			f.t.Errorf("the list %s is %+v", what, list)
		}
	}
	subscriptions, _, err := f.s.Subscriptions(f.ctx, workspace)
	f.must(err)
	if total != 1 || len(subscriptions) != 1 || subscriptions[0].ID != shown {
		f.t.Errorf("%d of the dialect, and the subscriptions are %+v", total, subscriptions)
	}
	_, err = f.s.WebhookByNumber(f.ctx, workspace, hidden, noon())
	f.code("a hidden webhook by its number", err, postroom.CodeNotFound)
}

// testSourceUIDRace gives one uid to many sources at once: one of them has it then.
func testSourceUIDRace(f *fixture) {
	workspace, uid := f.workspace("one"), "same"
	const n = 6
	won := make(chan postroom.SourceID, n)
	atOnce(f.t, n, func(int) error {
		src := f.newSource(workspace)
		src.UID = &uid
		err := f.s.CreateSource(f.ctx, &src, nil)
		if err == nil {
			won <- src.ID
		} else if postroom.CodeOf(err) != postroom.CodeConflict {
			return fmt.Errorf("a source with the same uid: %w", err)
		}
		return nil
	})
	if len(won) != 1 {
		f.t.Errorf("%d sources have the uid", len(won))
	}
}

func testSourceHealth(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	source, other := f.source(workspace), f.source(workspace)
	commit := func(source postroom.SourceID, h *postroom.SourceHealth) {
		t.Helper()
		c := f.commitOf(workspace, source, noon(), postroom.RequestRetry)
		c.Health = h
		f.commit(c)
	}
	health := func(source postroom.SourceID) *postroom.SourceHealth {
		t.Helper()
		h, failing, err := f.s.SourceHealth(f.ctx, source)
		f.must(err)
		if !failing {
			return nil
		}
		return &h
	}
	commit(source, nil)
	if h := health(source); h != nil {
		t.Errorf("a source of which nothing was said is %+v", h)
	}
	failing := postroom.SourceHealth{Failures: 5, FailingSince: stamp(noon()), Told: true}
	commit(source, &postroom.SourceHealth{Failures: 4, FailingSince: stamp(noon())})
	commit(source, &failing)
	commit(other, &postroom.SourceHealth{Failures: 1, FailingSince: stamp(at(time.Second))})
	commit(source, nil) // says nothing
	f.equal("the health", health(source), &failing)
	commit(source, &postroom.SourceHealth{})
	if h := health(source); h != nil {
		t.Errorf("a source that has succeeded is %+v", h)
	}
	f.equal("the other's health", health(other), &postroom.SourceHealth{Failures: 1, FailingSince: stamp(at(time.Second))})

	_, err := f.s.UpdateSource(f.ctx, workspace, other, noon(), func(*postroom.StoredSource) ([]postroom.StoredWebhook, error) { return nil, nil })
	f.must(err)
	if h := health(other); h != nil {
		t.Errorf("a source that was changed is %+v", h)
	}
	f.must(f.s.DeleteSource(f.ctx, workspace, other, noon(), keepSource))
	commit(other, &failing)
	if h := health(other); h != nil {
		t.Errorf("a deleted source is %+v", h)
	}
}

func TestSealedSources(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		one, other := f.workspace("one"), f.workspace("other")
		first, second := f.source(one), f.source(other)
		f.must(f.s.DeleteSource(f.ctx, one, f.source(one), noon(), keepSource))
		all, err := f.s.SealedSources(f.ctx, postroom.SourceID{}, 10)
		f.must(err)
		f.equal("what is sealed", all, []SealedSource{{first, []byte{0, 1, 0xff}}, {second, []byte{0, 1, 0xff}}})
		all, err = f.s.SealedSources(f.ctx, first, 10)
		f.must(err)
		f.equal("what comes after the first", all, []SealedSource{{second, []byte{0, 1, 0xff}}})
	})
}
