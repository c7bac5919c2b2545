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

// textWindow is how many events a search in their data looks at: those that come first after the cursor.
const textWindow = 20000

// Events lists up to limit events of a workspace that the filter lets through, newest first; or, when the cursor asks
// for newer ones, those, oldest first.
func (s *Store) Events(ctx context.Context, workspace postroom.WorkspaceID, f postroom.EventFilter, cursor *postroom.Cursor, limit int) (all []postroom.Event, err error) {
	text, args := eventsSQL(s.dialect, workspace, f, cursor, limit)
	err = s.read(ctx, func(q querier) error {
		return q.eachText(ctx, "events", translate(s.dialect, text), func(row func(...any) error) error {
			e, err := scanEvent(row)
			all = append(all, e)
			return err
		}, args...)
	})
	return all, err
}

func eventsSQL(d dialect, workspace postroom.WorkspaceID, f postroom.EventFilter, cursor *postroom.Cursor, limit int) (string, []any) {
	l := newListing(cursor, "id", eventColumns, "events")
	l.where("workspace_id = $", workspace)
	l.between(f.After, f.Before)
	l.pattern("type", f.Type)
	if f.Contact != "" {
		l.where("contact = $", f.Contact)
	}
	if f.Campaign != "" {
		l.where("campaign = $", f.Campaign)
	}
	if f.Text != "" {
		if d == postgres {
			l.where("position(lower($) in lower(convert_from(data, 'UTF8'))) > 0", f.Text)
		} else {
			l.where("instr(lower(CAST(data AS TEXT)), lower($)) > 0", f.Text)
		}
		l.window = textWindow
	}
	return l.sql(limit)
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
