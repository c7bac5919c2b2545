package store

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// EraseContact deletes a contact with its lists, its tags and its history, and everything that tells of it: events, their deliveries and
// attempts, requests, refused rows of imports. Of the contact itself nothing is left when the first transaction is stored, which has the
// entry of the audit too; the rest goes in small steps, after each of which progress is called, if it is not nil, with how many things went. What a
// crash cuts off, Expire ends. To call it again does no harm; it reports CodeNotFound when there is nothing to erase.
//
// What a node holds in memory at that time may still be sent. An event that is to tell of the erasure is published afterwards.
func (s *Store) EraseContact(ctx context.Context, workspace postroom.WorkspaceID, contact postroom.Contact, entry postroom.AuditEntry, now time.Time, progress func(n int64)) error {
	if progress == nil {
		progress = func(int64) {}
	}
	e := erasure{workspace: workspace, contact: contact.ID}
	if err := s.write(ctx, func(q querier) error { return e.begin(ctx, q, contact, entry, now) }); err != nil {
		return notFound(err, "contact", contact.ID.String())
	}
	return s.endErasure(ctx, e, now, progress)
}

// erasure is a contact whose traces are being erased.
type erasure struct {
	workspace postroom.WorkspaceID
	contact   postroom.ContactID
	traces
}

// begin deletes the contact and notes what its traces are known by.
func (e *erasure) begin(ctx context.Context, q querier, contact postroom.Contact, entry postroom.AuditEntry, now time.Time) error {
	e.traces = traces{}
	var who []byte
	switch err := q.one(ctx, "erasure_get", []any{&who}, e.workspace, e.contact); {
	case err == nil: // it was begun before
		return json.Unmarshal(who, &e.traces)
	case !errors.Is(err, errNoRow):
		return err
	}
	for {
		found, err := findContacts(ctx, q, e.workspace, []postroom.ContactRef{{ID: e.contact}})
		if err != nil {
			return err
		}
		there := found[0]
		if there == nil {
			return errNoRow
		}
		after := *there
		after.Version++
		stale, err := writeContacts(ctx, q, []postroom.ContactWrite{{Was: there.Version, Contact: after, Deleted: true}})
		if err != nil {
			return err
		}
		if stale { // it changed between the two
			continue
		}
		for _, c := range []postroom.Contact{*there, contact} {
			shared := false
			if c.Phone != "" {
				if shared, err = hasPhone(ctx, q, e.workspace, c.Phone); err != nil {
					return err
				}
			}
			e.add(c, shared)
		}
		if who, err = json.Marshal(e.traces); err != nil {
			return err
		}
		if _, err := q.exec(ctx, "erasure_put", e.contact, e.workspace, who, micros(now)); err != nil {
			return err
		}
		return writeAudit(ctx, q, []postroom.AuditEntry{entry})
	}
}

// hasPhone tells whether a contact has a phone number.
func hasPhone(ctx context.Context, q querier, workspace postroom.WorkspaceID, phone string) (bool, error) {
	found, err := findContacts(ctx, q, workspace, []postroom.ContactRef{{Phone: phone}})
	return len(found) > 0 && found[0] != nil, err
}

// endErasure erases the traces. Which events tell of the contact is found first, while they are all there: requests are known by them too.
func (s *Store) endErasure(ctx context.Context, e erasure, now time.Time, progress func(int64)) error {
	events, err := s.eventsOfErasure(ctx, e)
	if err != nil {
		return err
	}
	if err := s.eraseRequests(ctx, e, events, progress); err != nil {
		return err
	}
	if err := s.eraseEvents(ctx, e, events, now, progress); err != nil {
		return err
	}
	if err := s.eraseFromImports(ctx, e, progress); err != nil {
		return err
	}
	if err := s.eraseFromAudit(ctx, e); err != nil {
		return err
	}
	// What was published meanwhile by somebody who had not seen that the contact is gone.
	if events, err = s.eventsByKey(ctx, e); err != nil {
		return err
	}
	if err := s.eraseEvents(ctx, e, events, now, progress); err != nil {
		return err
	}
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "erasure_delete", e.workspace, e.contact)
		return err
	})
}

// endErasures ends the erasures that something cut off, in all workspaces.
func (s *Store) endErasures(ctx context.Context, now time.Time, progress func(int64)) error {
	var left []erasure
	if err := s.read(ctx, func(q querier) error {
		left = nil
		return q.each(ctx, "erasure_list", func(row func(...any) error) error {
			var e erasure
			var who []byte
			if err := row(&e.workspace, &e.contact, &who); err != nil {
				return err
			}
			left = append(left, e)
			return json.Unmarshal(who, &left[len(left)-1].traces)
		}, 100)
	}); err != nil {
		return err
	}
	for _, e := range left {
		if err := s.endErasure(ctx, e, now, progress); err != nil {
			return err
		}
	}
	return nil
}

// erasedEvent is an event that tells of the contact.
type erasedEvent struct {
	id  postroom.EventID
	uid string
}

func (e erasedEvent) publicID() string {
	return (&postroom.Event{ID: e.id, UID: e.uid}).PublicID()
}

// erasePage is how many events or requests are read at once, and eraseStep how many of them one transaction deletes, with all that belongs to
// them.
const (
	erasePage = 500
	eraseStep = 20
)

// eventsOfErasure looks through all events of the workspace.
func (s *Store) eventsOfErasure(ctx context.Context, e erasure) (found []erasedEvent, err error) {
	var last postroom.EventID
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, at, before := 0, last, len(found)
		if err := s.read(ctx, func(q querier) error {
			n, found, at = 0, found[:before], last
			return q.each(ctx, "erase_events_page", func(row func(...any) error) error {
				var uid, actor, orderingKey, contact string
				var data []byte
				if err := row(&at, &uid, &actor, &orderingKey, &contact, &data); err != nil {
					return err
				}
				n++
				if slices.Contains(e.Keys, contact) || e.in(data) || e.in([]byte(uid+"\n"+actor+"\n"+orderingKey+"\n"+contact)) {
					found = append(found, erasedEvent{at, uid})
				}
				return nil
			}, e.workspace, last[:], erasePage)
		}); err != nil {
			return nil, err
		}
		last, more = at, n == erasePage
	}
	return found, nil
}

// eventsByKey finds the events that are the contact's own.
func (s *Store) eventsByKey(ctx context.Context, e erasure) (found []erasedEvent, err error) {
	for _, key := range e.Keys {
		var cursor *postroom.Cursor
		for more := true; more; {
			page, rest, err := s.Events(ctx, e.workspace, postroom.EventFilter{Contact: key}, cursor, postroom.MaxPageLimit)
			if err != nil {
				return nil, err
			}
			for _, event := range page {
				found = append(found, erasedEvent{event.ID, event.UID})
			}
			switch {
			case rest != nil:
				cursor = &postroom.Cursor{ID: *rest}
			case len(page) == postroom.MaxPageLimit:
				cursor = &postroom.Cursor{ID: page[len(page)-1].ID}
			default:
				more = false
			}
		}
	}
	return found, nil
}

// eraseEvents deletes events with their deliveries, attempts and keys. The lines of order keys go on without them.
func (s *Store) eraseEvents(ctx context.Context, e erasure, events []erasedEvent, now time.Time, progress func(int64)) error {
	for some := range slices.Chunk(events, eraseStep) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var ordered []orderKey
		if err := s.write(ctx, func(q querier) (err error) {
			ordered, err = deleteEvents(ctx, q, e.workspace, some)
			return err
		}); err != nil {
			return err
		}
		if len(ordered) > 0 {
			if _, err := s.promote(ctx, ordered, now); err != nil {
				return err
			}
		}
		progress(int64(len(some)))
	}
	if len(events) == 0 {
		return nil
	}
	return s.purged(ctx)
}

// deleteEvents deletes deliveries before their attempts: whoever ends one of them meanwhile has then stored its attempt, or will find that there
// is nothing to store it for.
func deleteEvents(ctx context.Context, q querier, workspace postroom.WorkspaceID, events []erasedEvent) (ordered []orderKey, err error) {
	ids, keys := make([]postroom.EventID, len(events)), make([]string, 0, len(events))
	for i, event := range events {
		ids[i] = event.id
		if event.uid != "" {
			keys = append(keys, "u:"+event.uid)
		}
	}
	list := hexList(ids)
	var deliveries []postroom.DeliveryID
	if err := q.each(ctx, "erase_deliveries", func(row func(...any) error) error {
		var id postroom.DeliveryID
		k := orderKey{}
		var key *string
		if err := row(&id, &k.webhook, &key); err != nil {
			return err
		}
		deliveries = append(deliveries, id)
		if k.key = textOf(key); key != nil && !slices.Contains(ordered, k) {
			ordered = append(ordered, k)
		}
		return nil
	}, workspace, list); err != nil {
		return nil, err
	}
	gone := hexList(deliveries)
	for _, step := range []struct{ name, list string }{{"delivery_delete_many", gone}, {"attempt_delete_many", gone}, {"event_delete_many", list}, {"event_key_delete_many", jsonList(keys)}} {
		if _, err := q.exec(ctx, step.name, workspace, step.list); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}

// eraseRequests deletes the requests that tell of the contact or have published one of the events.
func (s *Store) eraseRequests(ctx context.Context, e erasure, events []erasedEvent, progress func(int64)) error {
	published := map[string]bool{}
	for _, event := range events {
		published[event.publicID()] = true
	}
	var last postroom.RequestID
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var found []postroom.RequestID
		n, at := 0, last
		if err := s.read(ctx, func(q querier) error {
			n, found, at = 0, nil, last
			return q.each(ctx, "erase_requests_page", func(row func(...any) error) error {
				var target, headers string
				var body, log, answer []byte
				if err := row(&at, &target, &headers, &body, &log, &answer); err != nil {
					return err
				}
				n++
				if e.in([]byte(target)) || e.in([]byte(headers)) || e.in(body) || e.in(log) || e.in(answer) || tellsOf(log, published) {
					found = append(found, at)
				}
				return nil
			}, e.workspace, last[:], erasePage)
		}); err != nil {
			return err
		}
		for some := range slices.Chunk(found, eraseStep) {
			if err := s.write(ctx, func(q querier) error {
				_, err := q.exec(ctx, "request_delete_many", e.workspace, hexList(some))
				return err
			}); err != nil {
				return err
			}
			progress(int64(len(some)))
		}
		last, more = at, n == erasePage
	}
	return nil
}

// tellsOf tells whether the log of a request names one of the events.
func tellsOf(log []byte, published map[string]bool) bool {
	if len(log) == 0 || len(published) == 0 {
		return false
	}
	var l struct {
		Events []string `json:"events"`
	}
	return json.Unmarshal(log, &l) == nil && slices.ContainsFunc(l.Events, func(id string) bool { return published[id] })
}

// eraseFromImports takes rows that tell of the contact out of the reports of imports.
func (s *Store) eraseFromImports(ctx context.Context, e erasure, progress func(int64)) error {
	var cursor *postroom.Cursor
	for {
		page, err := s.Imports(ctx, e.workspace, cursor, postroom.MaxPageLimit)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, listed := range page {
			report, err := s.Import(ctx, e.workspace, listed.ID)
			if err != nil {
				return err
			}
			n := len(report.Problems)
			report.Problems = slices.DeleteFunc(report.Problems, func(row postroom.BadRow) bool {
				text, err := json.Marshal(row)
				return err != nil || e.in(text)
			})
			if len(report.Problems) == n {
				continue
			}
			if err := s.UpdateImport(ctx, report); err != nil {
				return err
			}
			progress(int64(n - len(report.Problems)))
		}
		cursor = &postroom.Cursor{ID: page[len(page)-1].ID}
	}
}

// eraseFromAudit clears details that tell of the contact. That something was done, by whom and when, stays.
func (s *Store) eraseFromAudit(ctx context.Context, e erasure) error {
	var cursor *postroom.Cursor
	for {
		page, err := s.Audit(ctx, e.workspace, cursor, erasePage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, entry := range page {
			about := traces{Emails: e.Emails, Phones: e.Phones} // its id alone tells of nobody any more
			if !about.in(entry.Detail) {
				continue
			}
			if err := s.write(ctx, func(q querier) error {
				_, err := q.exec(ctx, "audit_clear", e.workspace, entry.ID)
				return err
			}); err != nil {
				return err
			}
		}
		cursor = &postroom.Cursor{ID: page[len(page)-1].ID}
	}
}
