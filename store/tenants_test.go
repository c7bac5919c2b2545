package store

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// TestTenants calls every method that takes a workspace with the ids of another workspace's things: it must neither show
// nor change them.
func TestTenants(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		mine, theirs := f.workspace("mine"), f.workspace("theirs")
		uid := "same"
		w, secret := f.newWebhook(theirs)
		w.UID = &uid
		f.must(f.s.CreateWebhook(f.ctx, &w, secret))
		webhook := w.ID
		f.must(f.s.CreateEventType(f.ctx, theirs, postroom.EventType{Name: "order.paid"}, noon()))
		key := postroom.Key{ID: postroom.NewID[postroom.KeyKind](noon()), WorkspaceID: theirs, Role: postroom.RoleViewer, CreatedAt: stamp(noon())}
		f.must(f.s.CreateKey(f.ctx, key, digest("their key")))
		_, err := f.s.BeginIdempotent(f.ctx, theirs, "k", digest("body"), noon(), at(time.Hour))
		f.must(err)
		f.must(f.s.SetPortal(f.ctx, theirs, postroom.Portal{Name: "Theirs"}, noon()))
		customers, secret := f.newWebhook(theirs)
		customers.Customer = "acme"
		f.must(f.s.CreateWebhook(f.ctx, &customers, secret))
		waiting := f.publication(theirs, noon(), postroom.StateFresh, webhook)
		waiting.Event.UID, waiting.Keys = uid, []string{"u:same"}
		waiting.Event.Contact, waiting.Event.Campaign = "ada@example.com", "790"
		f.publish(waiting)
		done := f.leased(theirs, noon(), webhook)[0]
		failed := finishOf(done, noon(), 500, postroom.Outcome{State: postroom.StateFailed})
		failed.Health = &postroom.Health{Failures: 1, FailingSince: noon()}
		f.must(f.s.Finish(f.ctx, []*postroom.Finish{failed}))
		leased := f.leased(theirs, noon(), webhook)[0]
		event, delivery := waiting.Event.ID, waiting.Deliveries[0].ID

		src := f.newSource(theirs)
		src.UID = &uid
		call := f.calling(&src, "https://example.com/call")
		f.must(f.s.CreateSource(f.ctx, &src, []postroom.StoredWebhook{call}))
		kept, retried := f.commitOf(theirs, src.ID, noon(), postroom.RequestProcessed, "k"), f.commitOf(theirs, src.ID, at(24*time.Hour), postroom.RequestRetry)
		retried.Health = &postroom.SourceHealth{Failures: 1, FailingSince: stamp(noon())}
		f.commit(kept, retried)
		held := f.commitOf(theirs, src.ID, noon(), postroom.RequestWaiting)
		f.commit(held)
		claimed := f.claimRequests(noon(), 1)[0]

		replay := f.replay(theirs, postroom.ReplayFilter{Before: at(time.Hour)})

		list, ada := f.list(theirs, "News"), f.wholeContact(theirs, "ada@example.com")
		list.UID = &uid
		ada.Lists = []postroom.Membership{on(list, postroom.MemberSubscribed)}
		_, err = f.s.UpdateList(f.ctx, theirs, list.ID, noon(), func(l *postroom.List) error { l.UID = &uid; return nil })
		f.must(err)
		first := create(ada)
		first.Consents = []postroom.Consent{{At: stamp(noon()), ContactID: ada.ID, To: "subscribed", Origin: postroom.OriginAPI}}
		f.writeContacts(first)
		f.must(f.s.PutField(f.ctx, theirs, postroom.Field{Name: "size", Type: postroom.FieldText}, noon()))
		report, entry := f.newImport(theirs), f.auditEntry(theirs, "a", "b")
		f.must(f.s.CreateImport(f.ctx, report))
		f.must(f.s.write(f.ctx, func(q querier) error { return writeAudit(f.ctx, q, []postroom.AuditEntry{entry}) }))

		member := f.member(theirs, "ada@tenants.example.com", postroom.RoleAdmin)

		before := f.dump()
		notFound := func(err error) error {
			if postroom.CodeOf(err) != postroom.CodeNotFound {
				return errors.New("it was found")
			}
			return nil
		}
		empty := func(n int, err error) error {
			if err == nil && n != 0 {
				err = errors.New("something was found")
			}
			return err
		}
		keep := func(*postroom.StoredWebhook) error { return nil }
		called := map[string]bool{ // these make something of a workspace's own, or are about itself
			"CreateEventType": true, "BeginIdempotent": true, "Workspace": true, "RenameWorkspace": true, "Revision": true, "PutField": true,
			"CountRefused": true,
		}
		for _, call := range []struct {
			what string
			call func() error
		}{
			{"Key", func() error { _, err := f.s.Key(f.ctx, mine, key.ID); return notFound(err) }},
			{"Keys", func() error {
				all, err := f.s.Keys(f.ctx, mine)
				return empty(len(all)-1, err)
			}},
			{"DeleteKey", func() error { return notFound(f.s.DeleteKey(f.ctx, mine, key.ID)) }},
			{"Member", func() error { _, err := f.s.Member(f.ctx, mine, member.ID); return notFound(err) }},
			{"MemberByEmail", func() error { _, err := f.s.MemberByEmail(f.ctx, mine, member.Email); return notFound(err) }},
			{"Members", func() error { all, err := f.s.Members(f.ctx, mine); return empty(len(all), err) }},
			{"UpdateMember", func() error {
				_, err := f.s.UpdateMember(f.ctx, mine, member.ID, noon(), func(*postroom.Member) error { return nil })
				return notFound(err)
			}},
			{"DeleteMember", func() error { return notFound(f.s.DeleteMember(f.ctx, mine, member.ID)) }},
			{"AcceptMember", func() error { return f.s.AcceptMember(f.ctx, mine, member.ID, at(time.Hour)) }},
			{"EventTypes", func() error { all, err := f.s.EventTypes(f.ctx, mine); return empty(len(all), err) }},
			{"UpdateEventType", func() error {
				return notFound(f.s.UpdateEventType(f.ctx, mine, postroom.EventType{Name: "order.paid"}, noon()))
			}},
			{"DeleteEventType", func() error { return notFound(f.s.DeleteEventType(f.ctx, mine, "order.paid")) }},
			{"HoldIdempotent", func() error { return f.s.HoldIdempotent(f.ctx, mine, "k", digest("body"), at(2*time.Hour)) }},
			{"CompleteIdempotent", func() error { return f.s.CompleteIdempotent(f.ctx, mine, "k", []byte("x"), at(2*time.Hour)) }},
			{"AbandonIdempotent", func() error { return f.s.AbandonIdempotent(f.ctx, mine, "k") }},
			{"Webhook", func() error { _, err := f.s.Webhook(f.ctx, mine, webhook, noon()); return notFound(err) }},
			{"WebhookByUID", func() error { _, err := f.s.WebhookByUID(f.ctx, mine, uid, noon()); return notFound(err) }},
			{"WebhookByNumber", func() error {
				_, err := f.s.WebhookByNumber(f.ctx, mine, w.Number, noon())
				return notFound(err)
			}},
			{"WebhooksOfDialect", func() error {
				all, total, err := f.s.WebhooksOfDialect(f.ctx, mine, w.Dialect, true, 0, 10, noon())
				return empty(len(all)+int(total), err)
			}},
			{"Webhooks", func() error { all, err := f.s.Webhooks(f.ctx, mine, nil, 10, noon()); return empty(len(all), err) }},
			{"CustomerWebhooks", func() error {
				all, err := f.s.CustomerWebhooks(f.ctx, mine, "acme", nil, 10, noon())
				return empty(len(all), err)
			}},
			{"Portal", func() error {
				p, err := f.s.Portal(f.ctx, mine)
				return empty(len(p.Name), err)
			}},
			{"SetPortal", func() error {
				err := f.s.SetPortal(f.ctx, mine, postroom.Portal{Name: "Mine"}, noon())
				p, reading := f.s.Portal(f.ctx, theirs)
				f.equal("the name of their portal", p.Name, "Theirs")
				return errors.Join(err, reading)
			}},
			{"newer Webhooks", func() error {
				all, err := f.s.Webhooks(f.ctx, mine, &postroom.Cursor{Newer: true, ID: postroom.NewID[postroom.WebhookKind](at(-time.Hour))}, 10, noon())
				return empty(len(all), err)
			}},
			{"UpdateWebhook", func() error { _, err := f.s.UpdateWebhook(f.ctx, mine, webhook, noon(), keep); return notFound(err) }},
			{"SetWebhookStatus", func() error {
				return notFound(f.s.SetWebhookStatus(f.ctx, mine, webhook, postroom.WebhookPaused, "", noon()))
			}},
			{"DeleteWebhook", func() error {
				return notFound(f.s.DeleteWebhook(f.ctx, mine, webhook, noon(), func(postroom.StoredWebhook) error { return nil }))
			}},
			{"Subscriptions", func() error { all, _, err := f.s.Subscriptions(f.ctx, mine); return empty(len(all), err) }},
			{"Secrets", func() error { all, err := f.s.Secrets(f.ctx, mine, webhook, noon()); return empty(len(all), err) }},
			{"RotateSecret", func() error {
				return notFound(f.s.RotateSecret(f.ctx, mine, webhook, f.newSecret(noon()), noon(), noon()))
			}},
			{"Event", func() error { _, err := f.s.Event(f.ctx, mine, event); return notFound(err) }},
			{"EventByUID", func() error { _, err := f.s.EventByUID(f.ctx, mine, uid); return notFound(err) }},
			{"Events", func() error {
				all, _, err := f.s.Events(f.ctx, mine, postroom.EventFilter{Contact: "ada@example.com", Campaign: "790", Text: "ada"}, nil, 10)
				return empty(len(all), err)
			}},
			{"all Events", func() error {
				all, _, err := f.s.Events(f.ctx, mine, postroom.EventFilter{}, nil, 10)
				return empty(len(all), err)
			}},
			{"Delivery", func() error { _, err := f.s.Delivery(f.ctx, mine, delivery); return notFound(err) }},
			{"DeliveriesOf", func() error { all, err := f.s.DeliveriesOf(f.ctx, mine, event); return empty(len(all), err) }},
			{"Deliveries", func() error {
				for _, status := range append(postroom.DeliveryStatuses(), "") {
					for _, filter := range []postroom.DeliveryFilter{{Status: status}, {Status: status, Webhook: webhook}, {Status: status, Event: event}} {
						if all, _, err := f.s.Deliveries(f.ctx, mine, filter, nil, 10); err != nil || len(all) != 0 {
							return errors.Join(err, errors.New("something was found"))
						}
					}
				}
				return nil
			}},
			{"Attempts", func() error { all, err := f.s.Attempts(f.ctx, mine, done.DeliveryID); return empty(len(all), err) }},
			{"Requeue", func() error {
				done, err := f.s.Requeue(f.ctx, mine, done.DeliveryID, postroom.StateReplay, noon())
				if done {
					return errors.New("it was requeued")
				}
				return err
			}},
			{"ReplayPage ReplayCounts", func() error {
				for _, status := range []postroom.DeliveryStatus{"", postroom.DeliveryFailed} {
					for _, filter := range []postroom.ReplayFilter{{Status: status}, {Status: status, Webhook: webhook}} {
						page, err := f.s.ReplayPage(f.ctx, mine, filter, postroom.DeliveryID{}, 10)
						groups, _, counting := f.s.ReplayCounts(f.ctx, mine, filter, 10)
						if err := empty(len(page)+len(groups), errors.Join(err, counting)); err != nil {
							return err
						}
					}
				}
				return nil
			}},
			{"Replay", func() error { _, err := f.s.Replay(f.ctx, mine, replay.ID); return notFound(err) }},
			{"Replays", func() error { all, err := f.s.Replays(f.ctx, mine, nil, 10); return empty(len(all), err) }},
			{"newer Replays", func() error {
				all, err := f.s.Replays(f.ctx, mine, &postroom.Cursor{Newer: true}, 10)
				return empty(len(all), err)
			}},
			{"CancelReplay", func() error {
				done, err := f.s.CancelReplay(f.ctx, mine, replay.ID, noon(), at(time.Hour))
				if done {
					return errors.New("it was cancelled")
				}
				return err
			}},
			{"StepReplay with a wrong workspace", func() error {
				wrong := replay
				wrong.WorkspaceID = mine
				moved, err := f.s.StepReplay(f.ctx, &wrong, postroom.ReplayStep{IDs: []postroom.DeliveryID{done.DeliveryID}, Cursor: done.DeliveryID, Now: noon(), LeaseTo: at(time.Hour)})
				if moved {
					return errors.New("it moved")
				}
				return err
			}},
			{"AttemptsOf", func() error {
				all, err := f.s.AttemptsOf(f.ctx, mine, []postroom.DeliveryID{done.DeliveryID})
				return empty(len(all), err)
			}},
			{"EventsOf", func() error {
				all, err := f.s.EventsOf(f.ctx, mine, []postroom.EventID{event})
				return empty(len(all), err)
			}},
			{"DiscardQueue", func() error {
				n, err := f.s.DiscardQueue(f.ctx, mine, webhook, at(time.Hour), "x", func(int64) {})
				return empty(int(n), err)
			}},
			{"Waiting", func() error {
				n, _, since, err := f.s.Waiting(f.ctx, mine, webhook)
				if since != nil {
					return errors.New("something waits")
				}
				return empty(int(n), err)
			}},
			{"WaitingOf", func() error {
				n, _, since, err := f.s.WaitingOf(f.ctx, mine)
				if since != nil {
					return errors.New("something waits")
				}
				return empty(int(n), err)
			}},
			{"CountQueue", func() error {
				n, err := f.s.CountQueue(f.ctx, mine, webhook)
				return empty(int(n), err)
			}},
			{"WebhookHealths", func() error {
				all, err := f.s.WebhookHealths(f.ctx, mine, webhook, webhook)
				return empty(len(all), err)
			}},
			{"WebhookHealth", func() error {
				h, err := f.s.WebhookHealth(f.ctx, mine, webhook)
				if !h.Healthy() {
					return errors.New("something was found")
				}
				return err
			}},
			{"FindContacts", func() error {
				all, err := f.s.FindContacts(f.ctx, mine, []postroom.ContactRef{{ID: ada.ID}, {Email: ada.Email}, {UID: *ada.UID}, {Phone: ada.Phone}})
				return empty(len(slices.DeleteFunc(all, func(c *postroom.Contact) bool { return c == nil })), err)
			}},
			{"Contact", func() error { _, err := f.s.Contact(f.ctx, mine, ada.ID); return notFound(err) }},
			{"Contacts", func() error {
				for _, filter := range []postroom.ContactFilter{{}, {Email: ada.Email}, {Phone: ada.Phone}, {Status: ada.Status}, {Tag: "vip"}, {List: list.ID}, {Text: "ada"}, {Text: "example"}, {Field: "points", Value: "12345678901234567890123"}} {
					all, _, err := f.s.Contacts(f.ctx, mine, filter, nil, 10)
					if err := empty(len(all), err); err != nil {
						return err
					}
				}
				return nil
			}},
			{"Consents", func() error { all, err := f.s.Consents(f.ctx, mine, ada.ID); return empty(len(all), err) }},
			{"EraseContact", func() error {
				wrong := ada
				wrong.WorkspaceID = mine
				return notFound(f.s.EraseContact(f.ctx, mine, wrong, f.auditEntry(mine, "contact.erased", ""), noon(), nil))
			}},
			{"contacts that are written with a wrong workspace", func() error {
				wrong := changed(ada, func(c *postroom.Contact) { c.WorkspaceID = mine })
				stale, err := f.tryWrite([]postroom.ContactWrite{wrong})
				if !stale {
					return errors.New("it was stored")
				}
				return err
			}},
			{"List", func() error { _, err := f.s.List(f.ctx, mine, list.ID); return notFound(err) }},
			{"ListByUID", func() error { _, err := f.s.ListByUID(f.ctx, mine, uid); return notFound(err) }},
			{"ListsNamed", func() error {
				all, err := f.s.ListsNamed(f.ctx, mine, []string{"News", list.ID.String()})
				return empty(len(all), err)
			}},
			{"Lists", func() error { all, err := f.s.Lists(f.ctx, mine, nil, 10); return empty(len(all), err) }},
			{"newer Lists", func() error {
				all, err := f.s.Lists(f.ctx, mine, &postroom.Cursor{Newer: true}, 10)
				return empty(len(all), err)
			}},
			{"UpdateList", func() error {
				_, err := f.s.UpdateList(f.ctx, mine, list.ID, noon(), func(*postroom.List) error { return nil })
				return notFound(err)
			}},
			{"DeleteList", func() error { return notFound(f.s.DeleteList(f.ctx, mine, list.ID, noon(), nil)) }},
			{"Tags", func() error { all, err := f.s.Tags(f.ctx, mine, "", 10); return empty(len(all), err) }},
			{"Tag", func() error { _, err := f.s.Tag(f.ctx, mine, "vip"); return notFound(err) }},
			{"Fields", func() error { all, err := f.s.Fields(f.ctx, mine); return empty(len(all), err) }},
			{"DeleteField", func() error { return notFound(f.s.DeleteField(f.ctx, mine, "size")) }},
			{"Import", func() error { _, err := f.s.Import(f.ctx, mine, report.ID); return notFound(err) }},
			{"Imports", func() error { all, err := f.s.Imports(f.ctx, mine, nil, 10); return empty(len(all), err) }},
			{"UpdateImport with a wrong workspace", func() error {
				wrong := report
				wrong.WorkspaceID = mine
				return notFound(f.s.UpdateImport(f.ctx, wrong))
			}},
			{"Audit", func() error { all, err := f.s.Audit(f.ctx, mine, nil, 10); return empty(len(all), err) }},
			{"Stats", func() error {
				s, err := f.s.Stats(f.ctx, mine, webhook, at(-time.Hour), at(time.Hour), time.Minute)
				return empty(int(s.Attempts), err)
			}},
			{"Stats of the workspace", func() error {
				s, err := f.s.Stats(f.ctx, mine, postroom.WebhookID{}, at(-time.Hour), at(time.Hour), time.Minute)
				return empty(int(s.Attempts), err)
			}},
			{"Finish with a wrong workspace", func() error {
				wrong := *leased
				wrong.Event = &postroom.Event{ID: leased.Event.ID, WorkspaceID: mine}
				fin := &postroom.Finish{Job: &wrong, Health: &postroom.Health{Failures: 9}, Outcome: postroom.Outcome{State: postroom.StateSucceeded, Stop: postroom.WebhookPaused, Reason: "gone"}}
				if err := f.s.Finish(f.ctx, []*postroom.Finish{fin}); err != nil || !fin.Lost {
					return errors.Join(err, errors.New("the result counts"))
				}
				return nil
			}},
			{"Renew and Release with a wrong workspace", func() error {
				wrong := *leased
				wrong.Event = &postroom.Event{ID: leased.Event.ID, WorkspaceID: mine}
				return errors.Join(f.s.Renew(f.ctx, []*postroom.Job{&wrong}, at(5*time.Hour)), f.s.Release(f.ctx, []*postroom.Job{&wrong}, noon()))
			}},
			{"Source", func() error { _, err := f.s.Source(f.ctx, mine, src.ID); return notFound(err) }},
			{"SourceByUID", func() error { _, err := f.s.SourceByUID(f.ctx, mine, uid); return notFound(err) }},
			{"Sources", func() error { all, err := f.s.Sources(f.ctx, mine, nil, 10); return empty(len(all), err) }},
			{"newer Sources", func() error {
				all, err := f.s.Sources(f.ctx, mine, &postroom.Cursor{Newer: true}, 10)
				return empty(len(all), err)
			}},
			{"UpdateSource", func() error {
				_, err := f.s.UpdateSource(f.ctx, mine, src.ID, noon(), func(*postroom.StoredSource) ([]postroom.StoredWebhook, error) { return nil, nil })
				return notFound(err)
			}},
			{"DeleteSource", func() error { return notFound(f.s.DeleteSource(f.ctx, mine, src.ID, noon(), keepSource)) }},
			{"Request", func() error { _, err := f.s.Request(f.ctx, mine, kept.Request.ID); return notFound(err) }},
			{"Requests", func() error {
				for _, status := range append(postroom.RequestStatuses(), "") {
					for _, filter := range []postroom.RequestFilter{{Status: status}, {Status: status, Source: src.ID}} {
						if all, _, err := f.s.Requests(f.ctx, mine, filter, nil, 10); err != nil || len(all) != 0 {
							return errors.Join(err, errors.New("something was found"))
						}
					}
				}
				return nil
			}},
			{"RetryRequest", func() error {
				done, err := f.s.RetryRequest(f.ctx, mine, kept.Request.ID, noon())
				if done {
					return errors.New("it is processed again")
				}
				return err
			}},
			{"ClearRequests", func() error {
				n, err := f.s.ClearRequests(f.ctx, mine, src.ID, func(int64) {})
				return empty(int(n), err)
			}},
			{"RequestCounts", func() error {
				counts, err := f.s.RequestCounts(f.ctx, mine, []postroom.SourceID{src.ID})
				return empty(int(counts[src.ID].Total), err)
			}},
			{"SourceStats", func() error {
				s, err := f.s.SourceStats(f.ctx, mine, src.ID, at(-time.Hour), at(time.Hour), time.Minute)
				return empty(int(s.Attempts), err)
			}},
			{"Commit of a claim with a wrong workspace", func() error {
				wrong := *claimed
				wrong.WorkspaceID, wrong.State = mine, postroom.RequestProcessed
				c := &postroom.Commit{Request: &wrong}
				if err := f.s.Commit(f.ctx, c); err != nil || !c.Lost {
					return errors.Join(err, errors.New("the result counts"))
				}
				return nil
			}},
			{"DeleteWorkspace", func() error { return f.s.DeleteWorkspace(f.ctx, mine) }},
		} {
			if err := call.call(); err != nil {
				t.Errorf("%s: %v", call.what, err)
			}
			for _, name := range strings.Fields(call.what) {
				called[name] = true
			}
			if call.what == "SetPortal" {
				delete(before, "workspaces") // it has mine
			}
			if call.what == "DeleteWorkspace" {
				delete(before, "workspaces")
				delete(before, "keys")
			}
			after := f.dump()
			for table, rows := range before {
				if after[table] != rows {
					t.Errorf("%s changed %s", call.what, table)
				}
			}
			before = after
		}

		for method := range reflect.TypeFor[*Store]().Methods() {
			for arg := range method.Type.Ins() {
				if arg == reflect.TypeFor[postroom.WorkspaceID]() && !called[method.Name] {
					t.Errorf("%s takes a workspace and is not tested here", method.Name)
				}
			}
		}

		// The same names may be used by both.
		again := f.workspace("mine again")
		w.ID, w.WorkspaceID = postroom.NewID[postroom.WebhookKind](noon()), again
		f.must(f.s.CreateWebhook(f.ctx, &w, f.newSecret(noon())))
		f.must(f.s.CreateEventType(f.ctx, again, postroom.EventType{Name: "order.paid"}, noon()))
		if held, err := f.s.BeginIdempotent(f.ctx, again, "k", digest("body"), noon(), at(time.Hour)); err != nil || held != nil {
			t.Errorf("the other workspace's key holds %v, %v", held, err)
		}
		ada.ID, ada.WorkspaceID, ada.Lists = postroom.NewID[postroom.ContactKind](noon()), again, nil
		f.writeContacts(create(ada))
		f.list(again, "News")
		p := f.publication(again, noon(), postroom.StateFresh)
		p.Event.UID, p.Keys = uid, []string{"u:same"}
		f.publish(p)
	})
}
