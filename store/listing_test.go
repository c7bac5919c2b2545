package store

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// pages reads a list in pages: first from new to old, then back again, and checks that both ways give the same. want is
// the whole list, newest first.
func pages[T any](f *fixture, what string, want []T, size int, id func(T) [16]byte, list func(cursor *postroom.Cursor, limit int) ([]T, *[16]byte)) {
	f.t.Helper()
	read := func(newer bool) (all []T) {
		cursor := &postroom.Cursor{Newer: newer}
		if !newer {
			cursor = nil
		}
		for {
			page, rest := list(cursor, size)
			if len(page) > size {
				f.t.Fatalf("%s: a page of %d has %d", what, size, len(page))
			}
			all = append(all, page...)
			switch {
			case rest != nil && len(page) < size:
				cursor = &postroom.Cursor{Newer: newer, ID: *rest}
			case len(page) == size:
				cursor = &postroom.Cursor{Newer: newer, ID: id(page[len(page)-1])}
			default:
				return all
			}
		}
	}
	same(f, what+", from new to old", read(false), want)
	newer := read(true)
	slices.Reverse(newer)
	same(f, what+", from old to new", newer, want)
}

// same compares lists; cmp is too slow for thousands of them.
func same[T any](f *fixture, what string, got, want []T) {
	f.t.Helper()
	if !reflect.DeepEqual(got, want) {
		f.t.Errorf("%s (-want +got):\n%s", what, cmp.Diff(want, got))
	}
}

// matches is how people understand a filter of event types.
func matches(pattern, name string) bool {
	group, isGroup := strings.CutSuffix(pattern, ".*")
	return pattern == "" || pattern == "*" || pattern == name || isGroup && strings.HasPrefix(name, group+".")
}

// someTypes are event types of which the order differs between databases' locales.
func someTypes() []string {
	return []string{"email.opened", "email.clicked", "email", "email-x.opened", "email0.opened", "emails.opened", "Email.opened", "email.list.added", "contact.updated"}
}

func somePatterns() []string {
	return []string{"", "*", "email.*", "email.list.*", "email.opened", "email", "unknown.*"}
}

func testEvents(f *fixture) {
	workspace, other := f.workspace("one"), f.workspace("other")
	var all []postroom.Event // newest first
	const n = 36
	for i := range n {
		p := f.publication(workspace, at(time.Duration(i)*time.Hour), postroom.StateFresh)
		e := p.Event
		e.Type = someTypes()[i%len(someTypes())]
		e.Contact = []string{"ada@example.com", "", "grace@example.com"}[i%3]
		e.Campaign = []string{"790", "12", "", "790"}[i%4]
		e.Data = []byte(fmt.Sprintf(`{"n":%d,"s":%q}`, i, []string{"Straße 100%", "needle_A", "under%score", "é", ""}[i%5]))
		theirs := f.publication(other, at(time.Duration(i)*time.Hour), postroom.StateFresh)
		f.publish(p, theirs)
		all = append([]postroom.Event{*e}, all...)
	}
	checked := 0
	for _, pattern := range somePatterns() {
		for _, contact := range []string{"", "ada@example.com", "nobody"} {
			for _, campaign := range []string{"", "790"} {
				for _, text := range []string{"", "NEEDLE_a", "100%", "r%s", "é", `"n":7,`, "nowhere"} {
					for _, span := range []struct{ after, before time.Time }{{}, {after: at(9 * time.Hour)}, {before: at(20 * time.Hour)}, {at(5 * time.Hour), at(6 * time.Hour)}} {
						filter := postroom.EventFilter{Type: pattern, Contact: contact, Campaign: campaign, Text: text, After: span.after, Before: span.before}
						var want []postroom.Event
						for _, e := range all {
							if matches(pattern, e.Type) && (contact == "" || e.Contact == contact) && (campaign == "" || e.Campaign == campaign) &&
								strings.Contains(strings.ToLower(string(e.Data)), strings.ToLower(text)) &&
								(span.after.IsZero() || !e.PublishedAt().Before(span.after)) && (span.before.IsZero() || e.PublishedAt().Before(span.before)) {
								want = append(want, e)
							}
						}
						what := fmt.Sprintf("%+v", filter)
						list := func(cursor *postroom.Cursor, limit int) ([]postroom.Event, *[16]byte) {
							got, rest, err := f.s.Events(f.ctx, workspace, filter, cursor, limit)
							f.must(err)
							return got, rest
						}
						if checked++; checked%53 == 1 {
							pages(f, what, want, 4, eventPlace, list)
						} else if checked%5 == 0 {
							got, _ := list(nil, 100)
							same(f, what, got, want)
						}
					}
				}
			}
		}
	}
	pages(f, "all", all, 5, eventPlace, func(cursor *postroom.Cursor, limit int) ([]postroom.Event, *[16]byte) {
		got, rest, err := f.s.Events(f.ctx, workspace, postroom.EventFilter{}, cursor, limit)
		f.must(err)
		return got, rest
	})
}

// logOfDeliveries stores deliveries in every state, to webhooks in every status, and gives what is to be seen of them, newest first.
func logOfDeliveries(f *fixture, workspace postroom.WorkspaceID) (all []postroom.Delivery, webhooks []postroom.WebhookID) {
	f.t.Helper()
	statuses := []postroom.WebhookStatus{postroom.WebhookActive, postroom.WebhookPaused, postroom.WebhookDisabled, "deleted", "paused and deleted"}
	for range statuses {
		webhooks = append(webhooks, f.webhook(workspace))
	}
	states := []postroom.DeliveryState{postroom.StateLeased, postroom.StateFresh, postroom.StateRetry, postroom.StateReplay,
		postroom.StateSucceeded, postroom.StateFailed, postroom.StateCancelled}
	seen := map[postroom.DeliveryState]postroom.DeliveryStatus{postroom.StateSucceeded: postroom.DeliverySucceeded,
		postroom.StateFailed: postroom.DeliveryFailed, postroom.StateCancelled: postroom.DeliveryCancelled}
	hour := 0
	for range 2 {
		for i, state := range states {
			began := at(time.Duration(hour) * time.Hour)
			hour++
			stored := state
			if state > postroom.StateReplay {
				stored = postroom.StateLeased
			}
			p := f.publication(workspace, began, stored, webhooks...)
			p.Event.Type, p.Event.UID = someTypes()[(i+hour)%len(someTypes())], fmt.Sprint("uid ", hour)
			f.publish(p)
			for k, job := range jobsOf(p) {
				d := postroom.Delivery{ID: job.DeliveryID, WorkspaceID: workspace, EventID: p.Event.ID, EventUID: p.Event.UID, EventType: p.Event.Type,
					WebhookID: job.WebhookID, Status: seen[state]}
				if stored != state {
					status := []int{200, 500, 0}[(hour+k)%3]
					fin := finishOf(job, began, status, postroom.Outcome{State: state})
					f.must(f.s.Finish(f.ctx, []*postroom.Finish{fin}))
					d.Attempts, d.LastAt, d.LastStatusCode = 1, &began, status
					if status != 200 {
						d.LastErrorKind = "status"
					}
				}
				if d.Status == "" {
					d.Status = postroom.DeliveryPending
					if s := statuses[k]; s == postroom.WebhookPaused || s == postroom.WebhookDisabled {
						d.Status = postroom.DeliveryHeld
					} else if state != postroom.StateLeased {
						d.NextAt = &began
					}
				}
				all = append(all, d)
			}
		}
	}
	slices.Reverse(all)
	for i, status := range statuses {
		if status == postroom.WebhookPaused || status == postroom.WebhookDisabled || status == "paused and deleted" {
			f.must(f.s.SetWebhookStatus(f.ctx, workspace, webhooks[i], postroom.WebhookStatus(strings.Fields(string(status))[0]), "", noon()))
		}
		if strings.HasSuffix(string(status), "deleted") {
			f.must(f.s.DeleteWebhook(f.ctx, workspace, webhooks[i], noon(), func(postroom.StoredWebhook) error { return nil }))
		}
	}
	return all, webhooks
}

func testDeliveries(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	logOfDeliveries(f, other)
	all, webhooks := logOfDeliveries(f, workspace)
	checked := 0
	for _, webhook := range []postroom.WebhookID{{}, webhooks[0], webhooks[1], webhooks[4]} {
		for _, event := range []postroom.EventID{{}, all[8].EventID} {
			for _, pattern := range []string{"", "email.*", "email.opened"} {
				for _, status := range append(postroom.DeliveryStatuses(), "") {
					for _, code := range []int{0, 200, 500} {
						for _, span := range []struct{ after, before time.Time }{{}, {after: at(3 * time.Hour), before: at(9 * time.Hour)}} {
							filter := postroom.DeliveryFilter{Webhook: webhook, Event: event, Type: pattern, Status: status, StatusCode: code, After: span.after, Before: span.before}
							var want []postroom.Delivery
							for _, d := range all {
								if (webhook.IsZero() || d.WebhookID == webhook) && (event.IsZero() || d.EventID == event) && matches(pattern, d.EventType) &&
									(status == "" || d.Status == status) && (code == 0 || d.LastStatusCode == code) &&
									(span.after.IsZero() || !d.CreatedAt().Before(span.after) && d.CreatedAt().Before(span.before)) {
									want = append(want, d)
								}
							}
							what := fmt.Sprintf("%+v", filter)
							list := func(cursor *postroom.Cursor, limit int) ([]postroom.Delivery, *[16]byte) {
								got, rest, err := f.s.Deliveries(f.ctx, workspace, filter, cursor, limit)
								f.must(err)
								return got, rest
							}
							if checked++; checked%37 == 1 {
								pages(f, what, want, 7, deliveryPlace, list)
							} else if checked%5 == 0 {
								got, _ := list(nil, 100)
								same(f, what, got, want)
							}
						}
					}
				}
			}
		}
	}
	for _, status := range postroom.DeliveryStatuses() {
		var want []postroom.Delivery
		for _, d := range all {
			if d.Status == status {
				want = append(want, d)
			}
		}
		if len(want) == 0 {
			t.Errorf("no delivery is %s", status)
		}
		pages(f, string(status), want, 4, deliveryPlace, func(cursor *postroom.Cursor, limit int) ([]postroom.Delivery, *[16]byte) {
			got, rest, err := f.s.Deliveries(f.ctx, workspace, postroom.DeliveryFilter{Status: status}, cursor, limit)
			f.must(err)
			return got, rest
		})
	}
	for _, d := range all[:10] {
		f.equal("one of them", f.delivery(workspace, d.ID), d)
	}
}
