package app

import (
	"context"

	"github.com/postroom/postroom"
)

// Consents are the history of a contact: how its status and its memberships changed, newest first.
func (a *App) Consents(ctx context.Context, who Caller, ref string) ([]postroom.Consent, error) {
	c, err := a.Contact(ctx, who, ref)
	if err != nil {
		return nil, err
	}
	return a.Store.Consents(ctx, who.Workspace, c.ID)
}

// contactTerm is how events name a contact.
func contactTerm(c postroom.Contact) string {
	switch {
	case c.Email != "":
		return c.Email
	default:
		return c.ID.String()
	}
}

// ContactEvents lists the events that tell of a contact under its present email or, where it has none, its id, newest first.
func (a *App) ContactEvents(ctx context.Context, who Caller, ref string, q postroom.PageQuery) (postroom.Page[postroom.Event], error) {
	c, err := a.Contact(ctx, who, ref)
	if err != nil {
		return postroom.Page[postroom.Event]{}, err
	}
	return a.Events(ctx, who, postroom.EventFilter{Contact: contactTerm(c)}, q)
}

// ContactDeliveries lists the deliveries of the events that ContactEvents lists. A page has those of as many events as it may have things, so
// that it may have more deliveries, or fewer.
func (a *App) ContactDeliveries(ctx context.Context, who Caller, ref string, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error) {
	events, err := a.ContactEvents(ctx, who, ref, q)
	page := postroom.Page[postroom.Delivery]{Data: []postroom.Delivery{}, NextCursor: events.NextCursor, PrevCursor: events.PrevCursor}
	if err != nil {
		return page, err
	}
	for _, e := range events.Data {
		deliveries, err := a.Store.DeliveriesOf(ctx, who.Workspace, e.ID)
		if err != nil {
			return page, err
		}
		page.Data = append(page.Data, deliveries...)
	}
	return page, nil
}
