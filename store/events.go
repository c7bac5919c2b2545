package store

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// Publish stores events with their deliveries and keys, durably, together with whatever else waits to be stored. Each
// publication then says whether it was a duplicate, or stale because the workspace's subscriptions have changed; either
// way nothing of it was stored. It does not give up before the outcome is known.
func (s *Store) Publish(ctx context.Context, pubs []*postroom.Publication) error {
	if len(pubs) == 0 {
		return nil
	}
	return s.publish(ctx, pubs)
}

// Event finds an event of a workspace by its id.
func (s *Store) Event(ctx context.Context, workspace postroom.WorkspaceID, id postroom.EventID) (postroom.Event, error) {
	return s.oneEvent(ctx, "event_get", id.String(), workspace, id)
}

// EventByUID finds the newest event of a workspace that its publisher called uid.
func (s *Store) EventByUID(ctx context.Context, workspace postroom.WorkspaceID, uid string) (postroom.Event, error) {
	return s.oneEvent(ctx, "event_by_uid", uid, workspace, uid)
}

func (s *Store) oneEvent(ctx context.Context, name, ref string, args ...any) (e postroom.Event, err error) {
	err = errNoRow
	if failed := s.read(ctx, func(q querier) error {
		return q.each(ctx, name, func(row func(...any) error) error {
			e, err = scanEvent(row)
			return err
		}, args...)
	}); failed != nil {
		return e, failed
	}
	return e, notFound(err, "event", ref)
}

const eventColumns = "id, workspace_id, uid, type, time, actor, ordering_key, contact, campaign, data"

func scanEvent(row func(...any) error) (e postroom.Event, err error) {
	var uid, actor, orderingKey, contact, campaign *string
	var at int64
	err = row(&e.ID, &e.WorkspaceID, &uid, &e.Type, &at, &actor, &orderingKey, &contact, &campaign, &e.Data)
	e.Time = fromMicros(at)
	for _, p := range []struct {
		to   *string
		from *string
	}{{&e.UID, uid}, {&e.Actor, actor}, {&e.OrderingKey, orderingKey}, {&e.Contact, contact}, {&e.Campaign, campaign}} {
		if p.from != nil {
			*p.to = *p.from
		}
	}
	return e, err
}

// Events lists up to limit events of a workspace that the filter lets through, newest first; or, when the cursor asks
// for newer ones, those, oldest first. rest is how far it looked, if it gave up before it had found as many.
func (s *Store) Events(ctx context.Context, workspace postroom.WorkspaceID, f postroom.EventFilter, cursor *postroom.Cursor, limit int) (all []postroom.Event, rest *[16]byte, err error) {
	window := s.listWindow
	if f.Text != "" {
		window = s.textWindow
	}
	if x, terms := s.index(), eventTerms(workspace, f); x != nil && len(terms) > 0 {
		l, some := lookupOf(terms, f.After, f.Before, cursor)
		if !some {
			return nil, nil, nil
		}
		return throughIndex(ctx, s, x, l, limit, window, func(within condition, limit int) ([]postroom.Event, error) {
			text, args := eventsWithin(workspace, f, l.newer, within, limit)
			return s.someEvents(ctx, text, args)
		})
	}
	l, others := eventListing(workspace, f, cursor)
	drive := -1
	if s.dialect == postgres {
		if drive, err = s.rarest(ctx, l, others); err != nil {
			return nil, nil, err
		}
	}
	l.window = window
	text, args := eventSQL(s.dialect, f, l, others, drive, limit)
	if all, err = s.someEvents(ctx, text, args); err != nil {
		return nil, nil, err
	}
	return looked(ctx, s, l, all, limit, eventPlace)
}

func eventPlace(e postroom.Event) [16]byte { return e.ID }

func (s *Store) someEvents(ctx context.Context, text string, args []any) (all []postroom.Event, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.eachText(ctx, "events", translate(s.dialect, text), func(row func(...any) error) error {
			e, err := scanEvent(row)
			all = append(all, e)
			return err
		}, args...)
	})
	return all, err
}

// eventListing begins a list, with the conditions that every index meets; others are those of which one index meets one at
// a time.
func eventListing(workspace postroom.WorkspaceID, f postroom.EventFilter, cursor *postroom.Cursor) (l *listing, others []condition) {
	l = newListing(cursor, "id", eventColumns, "events")
	l.where(is("workspace_id = $", workspace))
	l.between(f.After, f.Before)
	if f.Contact != "" {
		others = append(others, is("contact = $", f.Contact))
	}
	if f.Campaign != "" {
		others = append(others, is("campaign = $", f.Campaign))
	}
	if c, isGroup, some := patternOf("type", f.Type); some && !isGroup {
		others = append(others, c)
	}
	return l, others
}

// eventSQL makes the text of a list, of which the index meets one of the other conditions.
func eventSQL(d dialect, f postroom.EventFilter, l *listing, others []condition, drive, limit int) (string, []any) {
	l.drive(others, drive)
	if c, isGroup, _ := patternOf("type", f.Type); isGroup {
		l.filter(c)
	}
	if f.Text != "" { // the last one, since it is the costly one
		l.filter(is(textCondition(d), f.Text))
	}
	return l.sql(limit)
}

// eventTerms are what the index of the log knows events by.
func eventTerms(workspace postroom.WorkspaceID, f postroom.EventFilter) (terms []term) {
	if f.Contact != "" {
		terms = append(terms, termOf(workspace, termContact, f.Contact))
	}
	if f.Campaign != "" {
		terms = append(terms, termOf(workspace, termCampaign, f.Campaign))
	}
	if t, some := typeTerm(workspace, f.Type, termEventType, termEventGroup); some {
		terms = append(terms, t)
	}
	return terms
}

// eventsWithin lists, on SQLite, what a filter lets through in a range that the index of the log has found.
func eventsWithin(workspace postroom.WorkspaceID, f postroom.EventFilter, newer bool, within condition, limit int) (string, []any) {
	l := &listing{columns: eventColumns, table: "events", id: "id", newer: newer, index: "sqlite_autoindex_events_1"}
	l.where(is("workspace_id = $", workspace))
	l.where(within)
	if f.Contact != "" {
		l.where(is("contact = $", f.Contact))
	}
	if f.Campaign != "" {
		l.where(is("campaign = $", f.Campaign))
	}
	if c, _, some := patternOf("type", f.Type); some {
		l.where(c)
	}
	if f.Text != "" {
		l.where(is(textCondition(sqlite), f.Text))
	}
	return l.sql(limit)
}

// textCondition looks for a text in an event's data, in either case.
func textCondition(d dialect) string {
	if d == postgres {
		return "position(lower($) in lower(convert_from(data, 'UTF8'))) > 0"
	}
	return "instr(lower(CAST(data AS TEXT)), lower($)) > 0"
}

// bounds turns a span of time into a span of ids.
func bounds(after, before time.Time) (from, to postroom.DeliveryID) {
	for i := range to {
		to[i] = 0xff
	}
	if !after.IsZero() {
		from = postroom.FirstID[postroom.DeliveryKind](after)
	}
	if !before.IsZero() {
		to = postroom.FirstID[postroom.DeliveryKind](before)
	}
	return from, to
}

// EventsOf finds several events of a workspace; those that are gone are left out.
func (s *Store) EventsOf(ctx context.Context, workspace postroom.WorkspaceID, ids []postroom.EventID) (found map[postroom.EventID]postroom.Event, err error) {
	err = s.read(ctx, func(q querier) error {
		found = map[postroom.EventID]postroom.Event{}
		return q.each(ctx, "event_list_many", func(row func(...any) error) error {
			e, err := scanEvent(row)
			found[e.ID] = e
			return err
		}, workspace, idList(s.dialect, ids))
	})
	return found, err
}
