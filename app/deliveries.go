package app

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/outbound"
)

// standardBody is what the standard dialect sends for an event.
func standardBody(e *postroom.Event) ([]byte, error) { return outbound.StandardBody(e) }

// Deliveries lists deliveries, newest first.
func (a *App) Deliveries(ctx context.Context, who Caller, f postroom.DeliveryFilter, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error) {
	var none postroom.Page[postroom.Delivery]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	if err := checkTypeFilter(f.Type); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, rest, err := a.Store.Deliveries(ctx, who.Workspace, f, cursor, limit+1)
	if err != nil {
		return none, err
	}
	return postroom.NewPage(found, limit, cursor, rest, func(d postroom.Delivery) [16]byte { return d.ID }), nil
}

// Delivery finds a delivery, with its attempts from old to new.
func (a *App) Delivery(ctx context.Context, who Caller, id string) (postroom.Delivery, []postroom.Attempt, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Delivery{}, nil, err
	}
	d, err := a.findDelivery(ctx, who, id)
	if err != nil {
		return d, nil, err
	}
	attempts, err := a.Store.Attempts(ctx, who.Workspace, d.ID)
	if err != nil {
		return d, nil, err
	}
	return d, attempts, a.fillBodies(ctx, who, d, attempts)
}

// fillBodies makes the bodies again that were not kept because the event has all of them.
func (a *App) fillBodies(ctx context.Context, who Caller, d postroom.Delivery, attempts []postroom.Attempt) error {
	var body []byte
	for i := range attempts {
		if attempts[i].Request.Body != nil {
			continue
		}
		if body == nil {
			e, err := a.Store.Event(ctx, who.Workspace, d.EventID)
			if postroom.CodeOf(err) == postroom.CodeNotFound {
				return nil // older than what is kept
			}
			if err != nil {
				return err
			}
			if body, err = standardBody(&e); err != nil {
				return err
			}
		}
		attempts[i].Request.Body = body
	}
	return nil
}

func (a *App) findDelivery(ctx context.Context, who Caller, ref string) (postroom.Delivery, error) {
	id, err := postroom.ParseID[postroom.DeliveryKind](ref)
	if err != nil {
		return postroom.Delivery{}, postroom.Errorf(postroom.CodeNotFound, "There is no delivery %s in this workspace.", quote(ref))
	}
	d, err := a.Store.Delivery(ctx, who.Workspace, id)
	if err != nil || who.Customer == "" {
		return d, err
	}
	if _, err := a.findWebhook(ctx, who, d.WebhookID.String()); err != nil {
		return postroom.Delivery{}, postroom.Errorf(postroom.CodeNotFound, "There is no delivery %s in this workspace.", quote(ref))
	}
	return d, nil
}

// RetryDelivery attempts a delivery now. One that was given up or has succeeded starts over with its schedule.
func (a *App) RetryDelivery(ctx context.Context, who Caller, ref string) (postroom.Delivery, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Delivery{}, err
	}
	d, err := a.findDelivery(ctx, who, ref)
	if err != nil {
		return d, err
	}
	if err := mayTrigger(who, d.WebhookID.String()); err != nil {
		return d, err
	}
	if _, err := a.Store.Webhook(ctx, who.Workspace, d.WebhookID, a.Now()); err != nil {
		if postroom.CodeOf(err) == postroom.CodeNotFound {
			return d, postroom.Errorf(postroom.CodeConflict, "The webhook of this delivery is deleted, so it cannot be attempted again.")
		}
		return d, err
	}
	state, now := postroom.StateReplay, a.Now()
	if d.Status == postroom.DeliveryPending || d.Status == postroom.DeliveryHeld {
		state = postroom.StateRetry
	}
	done, err := a.Store.Requeue(ctx, who.Workspace, d.ID, state, now)
	if err != nil {
		return d, unavailable(err)
	}
	if !done {
		return d, postroom.Errorf(postroom.CodeConflict, "The delivery is being attempted right now.")
	}
	a.Engine.Wake(who.Workspace, d.WebhookID, state, now)
	return a.Store.Delivery(ctx, who.Workspace, d.ID)
}

// EachDelivery visits all deliveries that the filter lets through, newest first, a page at a time.
func (a *App) EachDelivery(ctx context.Context, who Caller, f postroom.DeliveryFilter, visit func(postroom.Delivery) error) error {
	q := postroom.PageQuery{Limit: postroom.MaxPageLimit}
	for {
		page, err := a.Deliveries(ctx, who, f, q)
		if err != nil {
			return err
		}
		for _, d := range page.Data {
			if err := visit(d); err != nil {
				return err
			}
		}
		if page.NextCursor == nil {
			return nil
		}
		q.Cursor = *page.NextCursor
	}
}

// exportedAtOnce is of how many deliveries EachAttempt has the attempts in memory.
const exportedAtOnce = 20

// EachAttempt visits all attempts of the deliveries that the filter lets through: deliveries newest first, the attempts of each from old to
// new. Between its visits no connection of the database is held, and few attempts are in memory.
func (a *App) EachAttempt(ctx context.Context, who Caller, f postroom.DeliveryFilter, visit func(postroom.Delivery, postroom.Attempt) error) error {
	some := make([]postroom.Delivery, 0, exportedAtOnce)
	flush := func() error {
		err := a.attemptsOf(ctx, who, some, visit)
		some = some[:0]
		return err
	}
	err := a.EachDelivery(ctx, who, f, func(d postroom.Delivery) error {
		if some = append(some, d); len(some) < exportedAtOnce {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

func (a *App) attemptsOf(ctx context.Context, who Caller, some []postroom.Delivery, visit func(postroom.Delivery, postroom.Attempt) error) error {
	if len(some) == 0 {
		return nil
	}
	deliveries, events := make([]postroom.DeliveryID, len(some)), make([]postroom.EventID, len(some))
	for i, d := range some {
		deliveries[i], events[i] = d.ID, d.EventID
	}
	attempts, err := a.Store.AttemptsOf(ctx, who.Workspace, deliveries)
	if err != nil {
		return err
	}
	known, err := a.Store.EventsOf(ctx, who.Workspace, events)
	if err != nil {
		return err
	}
	for _, d := range some {
		var body []byte
		if e, ok := known[d.EventID]; ok && len(attempts[d.ID]) > 0 {
			if body, err = standardBody(&e); err != nil {
				return err
			}
		}
		for _, made := range attempts[d.ID] {
			if made.Request.Body == nil {
				made.Request.Body = body
			}
			if err := visit(d, made); err != nil {
				return err
			}
		}
	}
	return nil
}
