package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/postroom/postroom"
)

type listEventsInput struct {
	PageParams
	Type     string    `query:"type" doc:"Only events of this type: a name, all of a group as in email.*, or *." example:"email.opened"`
	After    timeParam `query:"after" doc:"Only events published at this time or later."`
	Before   timeParam `query:"before" doc:"Only events published before this time."`
	Contact  string    `query:"contact" doc:"Only events of this contact: an email address, or the id, uid or phone of a contact without one." example:"renee@example.com"`
	Campaign string    `query:"campaign" doc:"Only events of the campaign with this id." example:"790"`
	Text     string    `query:"q" doc:"Only events whose data contains this text."`
}

type replayEventInput struct {
	Webhooks []string `json:"webhooks" doc:"The ids or uids of the webhooks that get the event again; all that match it now if left out."`
	DryRun   bool     `json:"dry_run" doc:"Change nothing, and answer what would happen."`
}

// replayedEvent are the deliveries that a replay made, or the webhooks that would have them.
type replayedEvent struct {
	Data     []postroom.DeliveryResource `json:"data" doc:"The deliveries; none in a preview."`
	Webhooks []postroom.WebhookID        `json:"webhooks" doc:"The webhooks that get the event, or would."`
}

func (a *api) routeEvents(rt *router) {
	const path = publishPath
	a.routePublish(rt)
	register(rt, operation{
		ID: "list-events", Method: http.MethodGet, Path: path, Tag: "Events", Role: postroom.RoleViewer,
		Summary:     "List events",
		Description: "The events of the workspace, newest first.",
	}, a.listEvents)
	a.routeTail(rt)
	register(rt, operation{
		ID: "get-event", Method: http.MethodGet, Path: path + "/{id}", Tag: "Events", Role: postroom.RoleViewer,
		Summary:     "Get an event",
		Description: "One event, with its deliveries. The id is the publisher's own or Postroom's (evt_…).",
		Answer:      exampleEvent,
	}, a.getEvent)
	register(rt, operation{
		ID: "replay-event", Method: http.MethodPost, Path: path + "/{id}/replay", Tag: "Events", Role: postroom.RoleAdmin,
		Summary:     "Replay an event",
		Description: "Delivers an event again. Receivers see its old id, so that they can tell it from a new one. " + previewNote,
		Status:      http.StatusAccepted, Preview: true, Body: reflect.TypeFor[replayEventInput](), Example: `{"webhooks":["whk_01jd3v8x2mf4k8c0q9r7t5y1za"]}`,
	}, a.replayEvent)
}

func (a *api) listEvents(ctx context.Context, c *call, in *listEventsInput) (*page[postroom.EventResource], error) {
	found, err := a.App.Events(ctx, c.who, postroom.EventFilter{
		Type: in.Type, After: in.After.Time, Before: in.Before.Time, Contact: in.Contact, Campaign: in.Campaign, Text: in.Text,
	}, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showEvent), nil
}

func (a *api) getEvent(ctx context.Context, c *call, in *ID) (*answer[postroom.EventResource], error) {
	e, deliveries, err := a.App.Event(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	r := showEvent(e)
	r.Deliveries = showAll(deliveries, showDelivery)
	return &answer[postroom.EventResource]{r}, nil
}

func (a *api) replayEvent(ctx context.Context, c *call, in *ID) (*previewed[replayedEvent], error) {
	var body replayEventInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	if body.DryRun {
		webhooks, err := a.App.PreviewEventReplay(ctx, c.who, in.ID, body.Webhooks)
		if err != nil {
			return nil, err
		}
		return &previewed[replayedEvent]{http.StatusOK, replayedEvent{[]postroom.DeliveryResource{}, notNil(webhooks)}}, nil
	}
	deliveries, err := a.App.ReplayEvent(ctx, c.who, in.ID, body.Webhooks)
	if err != nil {
		return nil, err
	}
	r := replayedEvent{showAll(deliveries, showDelivery), []postroom.WebhookID{}}
	for _, d := range deliveries {
		r.Webhooks = append(r.Webhooks, d.WebhookID)
	}
	return &previewed[replayedEvent]{http.StatusAccepted, r}, nil
}
