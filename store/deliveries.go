package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// deliveryJoin adds what a delivery shows of its event and its webhook.
const (
	deliveryColumns = "id, workspace_id, event_id, event_type, webhook_id, state, due_at, attempts, status_code, error_kind, attempted_at, test"
	deliveryJoin    = `SELECT d.id, d.workspace_id, d.event_id, e.uid, d.event_type, d.webhook_id, d.state, d.due_at, d.attempts, d.status_code,
  d.error_kind, d.attempted_at, d.test, coalesce(w.status, 'deleted')
FROM (%s) AS d LEFT JOIN events e ON e.workspace_id = d.workspace_id AND e.id = d.event_id LEFT JOIN webhooks w ON w.id = d.webhook_id AND w.deleted_at IS NULL ORDER BY d.id%s`
)

// Deliveries lists up to limit deliveries of a workspace that the filter lets through, newest first; or, when the
// cursor asks for newer ones, those, oldest first. rest is how far it looked, if it gave up before it had found as many.
func (s *Store) Deliveries(ctx context.Context, workspace postroom.WorkspaceID, f postroom.DeliveryFilter, cursor *postroom.Cursor, limit int) (all []postroom.Delivery, rest *[16]byte, err error) {
	if x, terms := s.index(), deliveryTerms(workspace, f); x != nil && len(terms) > 0 {
		l, some := lookupOf(terms, f.After, f.Before, cursor)
		if !some {
			return nil, nil, nil
		}
		return throughIndex(ctx, s, x, l, limit, s.listWindow, func(within condition, limit int) ([]postroom.Delivery, error) {
			text, args := deliveriesWithin(workspace, f, l.newer, within, limit)
			return s.someDeliveries(ctx, text, args)
		})
	}
	l, others := deliveryListing(s.dialect, workspace, f, cursor)
	drive := -1
	if s.dialect == postgres && len(others) > 0 {
		if drive, err = s.rarest(ctx, l, others); err != nil {
			return nil, nil, err
		}
	}
	l.window = s.listWindow
	text, args := deliverySQL(workspace, f, l, others, drive, limit)
	if all, err = s.someDeliveries(ctx, text, args); err != nil {
		return nil, nil, err
	}
	return looked(ctx, s, l, all, limit, deliveryPlace)
}

func deliveryPlace(d postroom.Delivery) [16]byte { return d.ID }

func (s *Store) someDeliveries(ctx context.Context, text string, args []any) (all []postroom.Delivery, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.eachText(ctx, "deliveries", translate(s.dialect, text), func(row func(...any) error) error {
			d, err := scanDelivery(row)
			all = append(all, d)
			return err
		}, args...)
	})
	return all, err
}

// deliveryListing begins a list, with the conditions that an index meets; others are those of which one index meets one
// at a time.
func deliveryListing(d dialect, workspace postroom.WorkspaceID, f postroom.DeliveryFilter, cursor *postroom.Cursor) (l *listing, others []condition) {
	l = newListing(cursor, "id", deliveryColumns, "deliveries")
	l.where(is("workspace_id = $", workspace))
	l.between(f.After, f.Before)
	if !f.Event.IsZero() {
		l.where(is("event_id = $", f.Event))
		l.index = "deliveries_event"
	}
	switch f.Status {
	case postroom.DeliveryPending, postroom.DeliveryHeld:
		l.states = queueStates()
	case postroom.DeliverySucceeded:
		if f.Event.IsZero() && f.Webhook.IsZero() && d == postgres {
			l.states = []postroom.DeliveryState{postroom.StateSucceeded}
		}
	case postroom.DeliveryFailed:
		l.states = []postroom.DeliveryState{postroom.StateFailed}
	case postroom.DeliveryCancelled:
		l.states = []postroom.DeliveryState{postroom.StateCancelled}
	}
	troubled := len(l.states) > 0 && l.states[0] != postroom.StateSucceeded
	if !f.Webhook.IsZero() {
		webhook := is("webhook_id = $", f.Webhook)
		switch {
		case f.Event.IsZero() && (troubled || d == sqlite):
			l.where(webhook)
			l.index = "deliveries_webhook"
			if troubled {
				l.index = "deliveries_webhook_trouble"
			}
		default:
			others = append(others, webhook)
		}
	} else if troubled && f.Event.IsZero() {
		l.index = "deliveries_trouble"
	}
	if c, isGroup, some := patternOf("event_type", f.Type); some && !isGroup {
		others = append(others, c)
	}
	if f.StatusCode != 0 {
		others = append(others, is("status_code <> 0 AND status_code = $", int64(f.StatusCode)))
	}
	if d == sqlite || len(l.states) > 0 || !f.Event.IsZero() {
		for _, c := range others { // there is no index that has these in the order of ids
			l.filter(c)
		}
		others = nil
	}
	return l, others
}

// deliverySQL makes the text of a list, of which the index meets one of the other conditions.
func deliverySQL(workspace postroom.WorkspaceID, f postroom.DeliveryFilter, l *listing, others []condition, drive, limit int) (string, []any) {
	l.drive(others, drive)
	if c, isGroup, _ := patternOf("event_type", f.Type); isGroup {
		l.filter(c)
	}
	const stopped = "(SELECT id FROM webhooks WHERE workspace_id = $ AND status <> 'active' AND deleted_at IS NULL)"
	switch {
	case f.Status == postroom.DeliveryPending:
		l.filter(is("webhook_id NOT IN "+stopped, workspace))
	case f.Status == postroom.DeliveryHeld:
		l.filter(is("webhook_id IN "+stopped, workspace))
	case f.Status == postroom.DeliverySucceeded && len(l.states) == 0:
		l.filter(is("state = $", int64(postroom.StateSucceeded)))
	}
	return l.joined(limit)
}

// joined adds to a list of deliveries what they show of their events and webhooks.
func (l *listing) joined(limit int) (string, []any) {
	text, args := l.sql(limit)
	direction := " DESC"
	if l.newer {
		direction = ""
	}
	return fmt.Sprintf(deliveryJoin, text, direction), args
}

// deliveryTerms are what the index of the log knows deliveries by; none when there is a better way to what the filter asks for.
func deliveryTerms(workspace postroom.WorkspaceID, f postroom.DeliveryFilter) (terms []term) {
	if !f.Event.IsZero() || f.Status != "" && f.Status != postroom.DeliverySucceeded {
		return nil
	}
	if t, some := typeTerm(workspace, f.Type, termDeliveryType, termDeliveryGroup); some {
		terms = append(terms, t)
	}
	if f.StatusCode != 0 {
		terms = append(terms, codeTerm(workspace, f.StatusCode))
	}
	if f.Status == postroom.DeliverySucceeded {
		terms = append(terms, termOf(workspace, termSucceeded, ""))
	}
	if len(terms) > 0 && !f.Webhook.IsZero() {
		terms = append(terms, termOf(workspace, termWebhook, f.Webhook[:]))
	}
	return terms
}

// deliveriesWithin lists, on SQLite, what a filter lets through in a range that the index of the log has found.
func deliveriesWithin(workspace postroom.WorkspaceID, f postroom.DeliveryFilter, newer bool, within condition, limit int) (string, []any) {
	l := &listing{columns: deliveryColumns, table: "deliveries", id: "id", newer: newer, index: "sqlite_autoindex_deliveries_1"}
	l.where(is("workspace_id = $", workspace))
	l.where(within)
	if !f.Webhook.IsZero() {
		l.where(is("webhook_id = $", f.Webhook))
	}
	if c, _, some := patternOf("event_type", f.Type); some {
		l.where(c)
	}
	if f.StatusCode != 0 {
		l.where(is("status_code = $", int64(f.StatusCode)))
	}
	if f.Status == postroom.DeliverySucceeded {
		l.where(is("state = $", int64(postroom.StateSucceeded)))
	}
	return l.joined(limit)
}

func queueStates() []postroom.DeliveryState {
	return append(postroom.WaitingStates(), postroom.StateParked, postroom.StateLeased)
}

func scanDelivery(row func(...any) error) (d postroom.Delivery, err error) {
	var uid, kind *string
	var due int64
	var attempted *int64
	var state postroom.DeliveryState
	var webhookStatus string
	err = row(&d.ID, &d.WorkspaceID, &d.EventID, &uid, &d.EventType, &d.WebhookID, &state, &due, &d.Attempts, &d.LastStatusCode, &kind,
		&attempted, &d.Test, &webhookStatus)
	if uid != nil {
		d.EventUID = *uid
	}
	if kind != nil {
		d.LastErrorKind = *kind
	}
	if attempted != nil {
		at := fromMicros(*attempted)
		d.LastAt = &at
	}
	d.Status = statusOf(state, postroom.WebhookStatus(webhookStatus))
	if d.Status == postroom.DeliveryPending && state != postroom.StateLeased && state != postroom.StateParked {
		at := fromMicros(due)
		d.NextAt = &at
	}
	return d, err
}

// statusOf says what people see of a delivery's state.
func statusOf(state postroom.DeliveryState, webhook postroom.WebhookStatus) postroom.DeliveryStatus {
	switch state {
	case postroom.StateSucceeded:
		return postroom.DeliverySucceeded
	case postroom.StateFailed:
		return postroom.DeliveryFailed
	case postroom.StateCancelled:
		return postroom.DeliveryCancelled
	}
	if webhook == postroom.WebhookPaused || webhook == postroom.WebhookDisabled {
		return postroom.DeliveryHeld
	}
	return postroom.DeliveryPending
}

// Delivery finds one delivery of a workspace.
func (s *Store) Delivery(ctx context.Context, workspace postroom.WorkspaceID, id postroom.DeliveryID) (postroom.Delivery, error) {
	found, err := s.deliveries(ctx, "delivery_get", workspace, id)
	if err == nil && len(found) == 0 {
		err = errNoRow
	}
	if err != nil {
		return postroom.Delivery{}, notFound(err, "delivery", id.String())
	}
	return found[0], nil
}

// DeliveriesOf lists the deliveries of one event, from old to new.
func (s *Store) DeliveriesOf(ctx context.Context, workspace postroom.WorkspaceID, event postroom.EventID) ([]postroom.Delivery, error) {
	return s.deliveries(ctx, "delivery_by_event", workspace, event)
}

func (s *Store) deliveries(ctx context.Context, name string, args ...any) (all []postroom.Delivery, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, name, func(row func(...any) error) error {
			d, err := scanDelivery(row)
			all = append(all, d)
			return err
		}, args...)
	})
	return all, err
}

// Requeue makes a delivery wait again, in the given state and due at a time. One that is being attempted right now is
// left alone; then it reports false. The head of an order key stays the head; any other delivery leaves its order for good.
func (s *Store) Requeue(ctx context.Context, workspace postroom.WorkspaceID, id postroom.DeliveryID, state postroom.DeliveryState, due time.Time) (done bool, err error) {
	var parked *orderKey
	err = s.write(ctx, func(q querier) error {
		var k orderKey
		switch err := q.one(ctx, "order_parked", []any{&k.webhook, &k.key}, workspace, id); {
		case err == nil:
			parked = &k
		case !errors.Is(err, errNoRow):
			return err
		}
		n, err := q.exec(ctx, "delivery_requeue", workspace, id, int64(state), micros(due))
		done = n > 0
		failpoint.HitIf(done, failpoint.ReplayInTransaction)
		return err
	})
	failpoint.HitIf(done, failpoint.ReplayCommitted)
	if err == nil && parked != nil { // its turn may have come at the same time: then it is that of the one behind it
		_, err = s.promote(context.WithoutCancel(ctx), []orderKey{*parked}, due)
	}
	return done, err
}

// Attempts lists the attempts of one delivery, from old to new. A request body that is nil is the standard body of the
// event.
func (s *Store) Attempts(ctx context.Context, workspace postroom.WorkspaceID, id postroom.DeliveryID) (all []postroom.Attempt, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.each(ctx, "attempt_list", func(row func(...any) error) error {
			a, err := scanAttempt(row)
			a.DeliveryID, a.Number = id, len(all)+1
			all = append(all, a)
			return err
		}, workspace, id)
	})
	return all, err
}

// AttemptsOf finds the attempts of several deliveries, of each from old to new.
func (s *Store) AttemptsOf(ctx context.Context, workspace postroom.WorkspaceID, ids []postroom.DeliveryID) (found map[postroom.DeliveryID][]postroom.Attempt, err error) {
	err = s.read(ctx, func(q querier) error {
		found = map[postroom.DeliveryID][]postroom.Attempt{}
		return q.each(ctx, "attempt_list_many", func(row func(...any) error) error {
			var id postroom.DeliveryID
			a, err := scanAttempt(func(dest ...any) error { return row(append([]any{&id}, dest...)...) })
			a.DeliveryID, a.Number = id, len(found[id])+1
			found[id] = append(found[id], a)
			return err
		}, workspace, idList(s.dialect, ids))
	})
	return found, err
}

func scanAttempt(row func(...any) error) (a postroom.Attempt, err error) {
	var claim, at, dns, connect, tls, firstByte, total int64
	var kind, message, responseHeaders, notes *string
	var line, headers string
	var body []byte
	var hasBody, truncated bool
	err = row(&claim, &at, &a.StatusCode, &kind, &message, &dns, &connect, &tls, &firstByte, &total, &line, &headers, &hasBody, &a.Request.Body,
		&responseHeaders, &body, &truncated, &notes)
	if hasBody && a.Request.Body == nil {
		a.Request.Body = []byte{} // SQLite's driver reads an empty one as nil
	}
	a.At = fromMicros(at)
	span := func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
	a.Phases = postroom.Phases{DNS: span(dns), Connect: span(connect), TLS: span(tls), FirstByte: span(firstByte), Total: span(total)}
	a.Duration = a.Phases.Total
	a.Request.Method, a.Request.URL, _ = strings.Cut(line, " ")
	a.Request.Headers = parseHeaderLines(headers)
	if kind != nil {
		a.Error = &postroom.AttemptError{Kind: *kind}
		if message != nil {
			a.Error.Message = *message
		}
	}
	if responseHeaders != nil {
		a.Response = &postroom.Response{StatusCode: a.StatusCode, Headers: parseHeaderLines(*responseHeaders), Body: body, Truncated: truncated}
	}
	if notes != nil && err == nil {
		err = json.Unmarshal([]byte(*notes), &a.Notes)
	}
	return a, err
}
