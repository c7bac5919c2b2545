package client

import (
	"context"
	"iter"
	"net/url"

	"github.com/postroom/postroom"
)

func eventValues(f postroom.EventFilter) url.Values {
	v := url.Values{}
	q := filter(v)
	q.text("type", f.Type)
	q.time("after", f.After)
	q.time("before", f.Before)
	q.text("contact", f.Contact)
	q.text("campaign", f.Campaign)
	q.text("q", f.Text)
	return v
}

// Events goes through events, newest first.
func (c *Client) Events(ctx context.Context, f postroom.EventFilter) iter.Seq2[postroom.EventResource, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.EventResource], error) {
		return c.EventPage(ctx, f, q)
	})
}

// EventPage gives one page of events, newest first.
func (c *Client) EventPage(ctx context.Context, f postroom.EventFilter, q postroom.PageQuery) (postroom.Page[postroom.EventResource], error) {
	return page[postroom.EventResource](ctx, c, "/v1/events", eventValues(f), q)
}

// Event gives one event with its deliveries. id is the publisher's own, or Postroom's (evt_…).
func (c *Client) Event(ctx context.Context, id string) (postroom.EventResource, error) {
	var out postroom.EventResource
	err := c.get(ctx, path("v1", "events", id), nil, &out)
	return out, err
}

// ReplayEvent delivers an event again: to the webhooks of these ids or uids, or to all that match it now if there are
// none. It gives the deliveries.
func (c *Client) ReplayEvent(ctx context.Context, id string, webhooks ...string) ([]postroom.DeliveryResource, error) {
	var out struct {
		Data []postroom.DeliveryResource `json:"data"`
	}
	err := c.post(ctx, path("v1", "events", id, "replay"), eventReplay{Webhooks: webhooks}, &out)
	return out.Data, err
}

// PreviewEventReplay gives the webhooks that ReplayEvent would deliver an event to.
func (c *Client) PreviewEventReplay(ctx context.Context, id string, webhooks ...string) ([]postroom.WebhookID, error) {
	var out struct {
		Webhooks []postroom.WebhookID `json:"webhooks"`
	}
	err := c.post(ctx, path("v1", "events", id, "replay"), eventReplay{Webhooks: webhooks, DryRun: true}, &out)
	return out.Webhooks, err
}

type eventReplay struct {
	Webhooks []string `json:"webhooks,omitempty"`
	DryRun   bool     `json:"dry_run,omitempty"`
}
