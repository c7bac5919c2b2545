package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom"
)

func testWebhooks(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	uid := "crm"
	w, secret := f.newWebhook(workspace)
	w.UID, w.Payload, w.SealedAuth = &uid, &postroom.Payload{Template: json.RawMessage(`{"a":"{event_id}"}`)}, nil
	f.must(f.s.CreateWebhook(f.ctx, &w, secret))

	found, err := f.s.Webhook(f.ctx, workspace, w.ID, noon())
	f.must(err)
	f.equal("the webhook", found, w)
	found, err = f.s.WebhookByUID(f.ctx, workspace, uid, noon())
	f.must(err)
	f.equal("the webhook by its uid", found, w)
	owner, err := f.s.WebhookOwner(f.ctx, w.ID)
	f.must(err)
	f.equal("its workspace", owner, workspace)
	subs, revision, err := f.s.Subscriptions(f.ctx, workspace)
	f.must(err)
	f.equal("the subscriptions", subs, []postroom.Subscription{{ID: w.ID, Status: postroom.WebhookActive, Settings: w.Subscription()}})
	if now, err := f.s.Revision(f.ctx, workspace); err != nil || now != revision {
		t.Errorf("the subscriptions are of revision %d, and it is %d (%v)", revision, now, err)
	}

	unknown := postroom.NewID[postroom.WebhookKind](noon())
	_, err = f.s.Webhook(f.ctx, workspace, unknown, noon())
	f.code("an unknown webhook", err, postroom.CodeNotFound)
	_, err = f.s.WebhookByUID(f.ctx, workspace, "unknown", noon())
	f.code("an unknown uid", err, postroom.CodeNotFound)
	_, err = f.s.WebhookOwner(f.ctx, unknown)
	f.code("the owner of an unknown webhook", err, postroom.CodeNotFound)
	f.code("the status of an unknown webhook", f.s.SetWebhookStatus(f.ctx, workspace, unknown, postroom.WebhookPaused, "", noon()), postroom.CodeNotFound)
	f.code("a secret of an unknown webhook", f.s.RotateSecret(f.ctx, workspace, unknown, f.newSecret(noon()), noon(), noon()), postroom.CodeNotFound)
	_, err = f.s.UpdateWebhook(f.ctx, workspace, unknown, noon(), func(*postroom.StoredWebhook) error { return nil })
	f.code("changing an unknown webhook", err, postroom.CodeNotFound)
	f.code("deleting an unknown webhook", f.s.DeleteWebhook(f.ctx, workspace, unknown, noon(), func(postroom.StoredWebhook) error { return nil }), postroom.CodeNotFound)
}

func testWebhookUID(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	uid, second := "crm", "shop"
	create := func(workspace postroom.WorkspaceID, uid *string) (postroom.StoredWebhook, error) {
		w, secret := f.newWebhook(workspace)
		w.UID = uid
		err := f.s.CreateWebhook(f.ctx, &w, secret)
		return w, err
	}
	first, err := create(workspace, &uid)
	f.must(err)
	_, err = create(workspace, &uid)
	f.code("the same uid again", err, postroom.CodeConflict)
	contains(t, "the message", err.Error(), "/uid", uid)
	_, err = create(other, &uid)
	f.must(err)
	_, err = create(workspace, nil)
	f.must(err)
	_, err = create(workspace, nil)
	f.must(err)

	w, err := create(workspace, &second)
	f.must(err)
	rename := func(id postroom.WebhookID, uid string) error {
		_, err := f.s.UpdateWebhook(f.ctx, workspace, id, noon(), func(w *postroom.StoredWebhook) error {
			w.UID = &uid
			return nil
		})
		return err
	}
	f.code("a uid that is taken", rename(w.ID, uid), postroom.CodeConflict)
	f.must(rename(w.ID, second))
	f.must(f.s.DeleteWebhook(f.ctx, workspace, first.ID, noon(), func(postroom.StoredWebhook) error { return nil }))
	f.must(rename(w.ID, uid))
	_, err = create(workspace, &second)
	f.must(err)
}

// testWebhookUIDRace has many callers create a webhook with the same uid at once.
func testWebhookUIDRace(f *fixture) {
	t := f.t
	workspace, uid := f.workspace("one"), "crm"
	var won atomic.Int32
	atOnce(t, 8, func(int) error {
		w, secret := f.newWebhook(workspace)
		w.UID = &uid
		err := f.s.CreateWebhook(context.Background(), &w, secret)
		switch {
		case err == nil:
			won.Add(1)
			return nil
		case postroom.CodeOf(err) == postroom.CodeConflict:
			return nil
		}
		return err
	})
	if won.Load() != 1 {
		t.Errorf("%d webhooks with the same uid were created", won.Load())
	}
}

func testWebhookPages(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	var ids []postroom.WebhookID // from old to new
	for range 7 {
		ids = append(ids, f.webhook(workspace))
		f.webhook(other)
	}
	gone := ids[3]
	f.must(f.s.DeleteWebhook(f.ctx, workspace, gone, noon(), func(postroom.StoredWebhook) error { return nil }))
	ids = slices.Delete(ids, 3, 4)

	list := func(cursor *postroom.Cursor, limit int) (found []postroom.WebhookID) {
		t.Helper()
		page, err := f.s.Webhooks(f.ctx, workspace, cursor, limit, noon())
		f.must(err)
		for _, w := range page {
			found = append(found, w.ID)
		}
		return found
	}
	newestFirst := slices.Clone(ids)
	slices.Reverse(newestFirst)
	f.equal("the first page", list(nil, 2), newestFirst[:2])
	f.equal("older ones", list(&postroom.Cursor{ID: newestFirst[1]}, 10), newestFirst[2:])
	f.equal("older than a deleted one", list(&postroom.Cursor{ID: gone}, 10), newestFirst[3:])
	f.equal("newer ones", list(&postroom.Cursor{Newer: true, ID: ids[1]}, 3), ids[2:5])
	f.equal("newer than all", list(&postroom.Cursor{Newer: true, ID: ids[5]}, 3), []postroom.WebhookID(nil))
}

// testWebhooksOfDialect has webhooks of two dialects and two workspaces, of which numbers may be the same.
func testWebhooksOfDialect(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	var made []postroom.StoredWebhook
	for _, dialect := range []string{"cakemail", "standard", "cakemail", "cakemail", "sendook"} {
		for _, owner := range []postroom.WorkspaceID{workspace, other} {
			w, secret := f.newWebhook(owner)
			w.Dialect = dialect
			f.must(f.s.CreateWebhook(f.ctx, &w, secret))
			if owner == workspace {
				made = append(made, w)
			}
		}
	}
	for i, w := range made {
		if i > 0 && w.Number <= made[i-1].Number {
			t.Errorf("number %d is given after %d", w.Number, made[i-1].Number)
		}
		found, err := f.s.WebhookByNumber(f.ctx, workspace, w.Number, noon())
		f.must(err)
		f.equal("the webhook by its number", found, w)
	}
	_, err := f.s.WebhookByNumber(f.ctx, workspace, 1<<40, noon())
	f.code("an unknown number", err, postroom.CodeNotFound)
	elsewhere, err := f.s.WebhookByNumber(f.ctx, other, made[0].Number, noon())
	f.must(err)
	if elsewhere.WorkspaceID != other {
		t.Errorf("the number %d of one workspace finds a webhook of another", made[0].Number)
	}

	list := func(dialect string, paused bool, offset, limit int, want int64, ids ...postroom.WebhookID) {
		t.Helper()
		found, total, err := f.s.WebhooksOfDialect(f.ctx, workspace, dialect, paused, offset, limit, noon())
		f.must(err)
		var got []postroom.WebhookID
		for _, w := range found {
			got = append(got, w.ID)
		}
		f.equal(fmt.Sprintf("%s, paused %v, %d after %d", dialect, paused, limit, offset), got, ids)
		if total != want {
			t.Errorf("there are %d of %s, want %d", total, dialect, want)
		}
	}
	list("cakemail", false, 0, 10, 3, made[0].ID, made[2].ID, made[3].ID)
	list("cakemail", false, 1, 1, 3, made[2].ID)
	list("cakemail", false, 3, 1, 3)
	list("slack", true, 0, 10, 0)

	// Paused ones are left out; a change of dialect moves a webhook; deleted ones are gone, and their numbers with them.
	since := noon().Add(time.Hour)
	f.must(f.s.SetWebhookStatus(f.ctx, workspace, made[2].ID, postroom.WebhookPaused, "", since))
	list("cakemail", false, 0, 10, 2, made[0].ID, made[3].ID)
	list("cakemail", true, 0, 10, 3, made[0].ID, made[2].ID, made[3].ID)
	_, err = f.s.UpdateWebhook(f.ctx, workspace, made[2].ID, since.Add(time.Hour), func(w *postroom.StoredWebhook) error {
		w.Dialect = "sendook"
		return nil
	})
	f.must(err)
	list("sendook", true, 0, 10, 2, made[2].ID, made[4].ID)
	moved, err := f.s.Webhook(f.ctx, workspace, made[2].ID, noon())
	f.must(err)
	if !moved.StatusAt.Equal(since) || moved.Number != made[2].Number {
		t.Errorf("paused at %s, and changed later, it is %+v", since, moved)
	}
	newest := made[4]
	f.must(f.s.DeleteWebhook(f.ctx, workspace, newest.ID, noon(), func(postroom.StoredWebhook) error { return nil }))
	list("sendook", true, 0, 10, 1, made[2].ID)
	_, err = f.s.WebhookByNumber(f.ctx, workspace, newest.Number, noon())
	f.code("the number of a deleted webhook", err, postroom.CodeNotFound)
	next, secret := f.newWebhook(workspace)
	f.must(f.s.CreateWebhook(f.ctx, &next, secret))
	if next.Number <= newest.Number {
		t.Errorf("after a webhook with the number %d was deleted, %d is given", newest.Number, next.Number)
	}
}

// testWebhookNumberRace has many callers create webhooks at once: each gets a number of its own.
func testWebhookNumberRace(f *fixture) {
	workspace := f.workspace("one")
	var numbers sync.Map
	atOnce(f.t, 8, func(int) error {
		for range 5 {
			w, secret := f.newWebhook(workspace)
			if err := f.s.CreateWebhook(context.Background(), &w, secret); err != nil {
				return err
			}
			if _, taken := numbers.LoadOrStore(w.Number, true); taken {
				return fmt.Errorf("the number %d is given twice", w.Number)
			}
		}
		return nil
	})
}

func testUpdateWebhook(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	id := f.webhook(workspace)
	later := noon().Add(time.Minute)
	changed, err := f.s.UpdateWebhook(f.ctx, workspace, id, later, func(w *postroom.StoredWebhook) error {
		if w.Version != 1 {
			return fmt.Errorf("the version is %d", w.Version)
		}
		w.Name, w.SealedAuth = "renamed", []byte("sealed again")
		return nil
	})
	f.must(err)
	if changed.Version != 2 || changed.Name != "renamed" || !changed.UpdatedAt.Equal(later) {
		t.Errorf("the changed webhook is %+v", changed)
	}
	found, err := f.s.Webhook(f.ctx, workspace, id, noon())
	f.must(err)
	f.equal("the stored webhook", found, changed)

	refused := errors.New("refused")
	if _, err := f.s.UpdateWebhook(f.ctx, workspace, id, later, func(w *postroom.StoredWebhook) error {
		w.Name = "not stored"
		return refused
	}); !errors.Is(err, refused) {
		t.Errorf("the change refuses, and the error is %v", err)
	}
	found, err = f.s.Webhook(f.ctx, workspace, id, noon())
	f.must(err)
	f.equal("the webhook after a refusal", found, changed)
}

// testUpdateWebhookRace has many callers change the same version at once, as callers with If-Match do: one may.
func testUpdateWebhookRace(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	id := f.webhook(workspace)
	outdated := errors.New("another version")
	for version := int64(1); version <= 5; version++ {
		var won atomic.Int32
		atOnce(t, 8, func(i int) error {
			_, err := f.s.UpdateWebhook(context.Background(), workspace, id, noon(), func(w *postroom.StoredWebhook) error {
				if w.Version != version {
					return outdated
				}
				w.Name = fmt.Sprint(i)
				return nil
			})
			if err == nil {
				won.Add(1)
			}
			if errors.Is(err, outdated) {
				return nil
			}
			return err
		})
		if won.Load() != 1 {
			t.Errorf("%d callers changed version %d", won.Load(), version)
		}
	}
}

func testWebhookStatus(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	id := f.webhook(workspace)
	f.must(f.s.SetWebhookStatus(f.ctx, workspace, id, postroom.WebhookDisabled, "too many failures", noon().Add(time.Hour)))
	w, err := f.s.Webhook(f.ctx, workspace, id, noon())
	f.must(err)
	if w.Status != postroom.WebhookDisabled || w.StatusReason != "too many failures" || w.Version != 2 || !w.UpdatedAt.Equal(noon().Add(time.Hour)) {
		t.Errorf("the webhook is %+v", w)
	}
	subs, _, err := f.s.Subscriptions(f.ctx, workspace)
	f.must(err)
	if len(subs) != 1 || subs[0].Status != postroom.WebhookDisabled {
		t.Errorf("the subscriptions are %+v: a disabled webhook's deliveries are held, not dropped", subs)
	}
}

func testDeleteWebhook(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	id, other := f.webhook(workspace), f.webhook(workspace)
	job := f.leased(workspace, noon(), id)[0]
	f.finish(job, noon(), 200)

	refused := errors.New("refused")
	if err := f.s.DeleteWebhook(f.ctx, workspace, id, noon(), func(w postroom.StoredWebhook) error {
		if w.ID == id && w.Version == 1 {
			return refused
		}
		return nil
	}); !errors.Is(err, refused) {
		t.Fatalf("the check refuses, and the error is %v", err)
	}
	if n := f.number("SELECT count(*) FROM webhook_secrets WHERE webhook_id = $1", id); n != 1 {
		t.Fatalf("after a refusal there are %d secrets", n)
	}

	f.must(f.s.DeleteWebhook(f.ctx, workspace, id, noon(), func(postroom.StoredWebhook) error { return nil }))
	_, err := f.s.Webhook(f.ctx, workspace, id, noon())
	f.code("the deleted webhook", err, postroom.CodeNotFound)
	if n := f.number("SELECT count(*) FROM webhook_secrets WHERE webhook_id = $1", id); n != 0 {
		t.Errorf("%d secrets of it are left", n)
	}
	if n := f.number("SELECT count(*) FROM webhook_secrets WHERE webhook_id = $1", other); n != 1 {
		t.Errorf("the other webhook has %d secrets", n)
	}
	subs, _, err := f.s.Subscriptions(f.ctx, workspace)
	f.must(err)
	if len(subs) != 1 || subs[0].ID != other {
		t.Errorf("the subscriptions are %+v", subs)
	}
	d := f.delivery(workspace, job.DeliveryID)
	if d.WebhookID != id || d.Status != postroom.DeliverySucceeded {
		t.Errorf("the log holds %+v", d)
	}
	attempts, err := f.s.Attempts(f.ctx, workspace, job.DeliveryID)
	f.must(err)
	if len(attempts) != 1 {
		t.Errorf("the log holds %d attempts", len(attempts))
	}
	owner, err := f.s.WebhookOwner(f.ctx, id)
	f.must(err)
	f.equal("the workspace of the deleted webhook", owner, workspace)
	f.code("deleting it again", f.s.DeleteWebhook(f.ctx, workspace, id, noon(), func(postroom.StoredWebhook) error { return nil }), postroom.CodeNotFound)
}

func testSecrets(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	w, first := f.newWebhook(workspace)
	f.must(f.s.CreateWebhook(f.ctx, &w, first))
	otherWebhook := f.webhook(workspace)

	at := func(hours int) time.Time { return noon().Add(time.Duration(hours) * time.Hour) }
	second, third := f.newSecret(at(1)), f.newSecret(at(2))
	second.Kind, second.PublicKey = postroom.SecretEd25519, "whpk_abc"
	f.must(f.s.RotateSecret(f.ctx, workspace, w.ID, second, at(25), at(1)))
	f.must(f.s.RotateSecret(f.ctx, workspace, w.ID, third, at(26), at(2)))

	// The first ends when the first rotation said, and a later one does not prolong it.
	firstEnd, secondEnd := stamp(at(25)), stamp(at(26))
	first.ExpiresAt, second.ExpiresAt = &firstEnd, &secondEnd
	for _, test := range []struct {
		now  time.Time
		want []postroom.StoredSecret
	}{
		{at(2), []postroom.StoredSecret{third, second, first}},
		{at(25).Add(-time.Microsecond), []postroom.StoredSecret{third, second, first}},
		{at(25), []postroom.StoredSecret{third, second}},
		{at(26), []postroom.StoredSecret{third}},
	} {
		got, err := f.s.Secrets(f.ctx, workspace, w.ID, test.now)
		f.must(err)
		f.equal("the secrets at "+test.now.String(), got, test.want)
		found, err := f.s.Webhook(f.ctx, workspace, w.ID, test.now)
		f.must(err)
		f.equal("how many there are", found.Secrets, len(test.want))
	}

	fourth := f.newSecret(at(3))
	f.must(f.s.RotateSecret(f.ctx, workspace, w.ID, fourth, at(3), at(3)))
	got, err := f.s.Secrets(f.ctx, workspace, w.ID, at(3))
	f.must(err)
	f.equal("the secrets after a rotation without overlap", got, []postroom.StoredSecret{fourth})

	var all []Sealed
	for after := (postroom.SecretID{}); ; after = all[len(all)-1].ID {
		page, err := f.s.SealedSecrets(f.ctx, after, 2)
		f.must(err)
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	all = slices.DeleteFunc(all, func(s Sealed) bool { return s.WebhookID != w.ID && s.WebhookID != otherWebhook }) // other tests'
	if len(all) != 5 || all[0].ID != first.ID || string(all[0].Sealed) != string(first.Sealed) || all[1].WebhookID != otherWebhook {
		t.Errorf("all sealed secrets are %+v", all)
	}
}

func testCustomerWebhooks(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	var acme []postroom.StoredWebhook
	for _, customer := range []string{"acme", "", "globex", "acme"} {
		for _, owner := range []postroom.WorkspaceID{workspace, other} {
			w, secret := f.newWebhook(owner)
			w.Customer = customer
			f.must(f.s.CreateWebhook(f.ctx, &w, secret))
			if owner == workspace && customer == "acme" {
				acme = append(acme, w)
			}
		}
	}
	ids := func(customer string, cursor *postroom.Cursor) (all []postroom.WebhookID) {
		found, err := f.s.CustomerWebhooks(f.ctx, workspace, customer, cursor, 10, noon())
		f.must(err)
		for _, w := range found {
			all = append(all, w.ID)
		}
		return all
	}
	f.equal("those of acme", ids("acme", nil), []postroom.WebhookID{acme[1].ID, acme[0].ID})
	f.equal("those before", ids("acme", &postroom.Cursor{ID: acme[1].ID}), []postroom.WebhookID{acme[0].ID})
	f.equal("those after", ids("acme", &postroom.Cursor{ID: acme[0].ID, Newer: true}), []postroom.WebhookID{acme[1].ID})
	_, err := f.s.UpdateWebhook(f.ctx, workspace, acme[0].ID, noon(), func(w *postroom.StoredWebhook) error {
		w.Customer = "globex"
		return nil
	})
	f.must(err)
	f.must(f.s.DeleteWebhook(f.ctx, workspace, acme[1].ID, noon(), func(postroom.StoredWebhook) error { return nil }))
	if left := ids("acme", nil); len(left) > 0 {
		t.Errorf("acme still has %v", left)
	}
	if len(ids("globex", nil)) != 2 {
		t.Error("a webhook that was given to another customer is not among theirs")
	}
}

func testPortal(f *fixture) {
	workspace, other := f.workspace("one"), f.workspace("other")
	none, err := f.s.Portal(f.ctx, workspace)
	f.must(err)
	f.equal("no settings", none, postroom.Portal{})
	since := postroom.Timestamp{Time: noon()}
	want := postroom.Portal{Name: "Acme", Accent: "#0b7285", FrameOrigins: []string{"https://app.example.com"}, Events: []string{"*"}, Filter: "a < {customer}", LinksSince: &since}
	f.must(f.s.SetPortal(f.ctx, workspace, want, noon()))
	got, err := f.s.Portal(f.ctx, workspace)
	f.must(err)
	f.equal("the settings", got, want)
	got, err = f.s.Portal(f.ctx, other)
	f.must(err)
	f.equal("another workspace's", got, postroom.Portal{})
	_, err = f.s.Portal(f.ctx, postroom.WorkspaceID{1})
	f.code("an unknown workspace", err, postroom.CodeNotFound)
	f.code("an unknown workspace", f.s.SetPortal(f.ctx, postroom.WorkspaceID{1}, want, noon()), postroom.CodeNotFound)
}
