package api

import (
	"context"
	"net/http"

	"github.com/postroom/postroom"
)

// DeliveryParams are the filters of lists of deliveries, but for the webhook. It is exported for huma.
type DeliveryParams struct {
	Event      string          `query:"event" doc:"Only deliveries of this event: its id, the publisher's or evt_…."`
	Type       string          `query:"type" doc:"Only deliveries of this event type." example:"email.opened"`
	Status     statusParam     `query:"status" doc:"Only deliveries in this state."`
	StatusCode statusCodeParam `query:"status_code" doc:"Only deliveries whose newest attempt was answered with this HTTP status."`
	After      timeParam       `query:"after" doc:"Only deliveries made at this time or later."`
	Before     timeParam       `query:"before" doc:"Only deliveries made before this time."`
}

// DeliveriesParams are all filters of lists of deliveries. It is exported for huma.
type DeliveriesParams struct {
	Webhook string `query:"webhook" doc:"Only deliveries to this webhook: its id (whk_…) or uid."`
	DeliveryParams
}

type listDeliveriesInput struct {
	PageParams
	DeliveriesParams
}

func (a *api) routeDeliveries(rt *router) {
	const path = "/v1/deliveries"
	register(rt, operation{
		ID: "list-deliveries", Method: http.MethodGet, Path: path, Tag: "Deliveries", Role: postroom.RoleViewer,
		Summary:     "List deliveries",
		Description: "The deliveries of the workspace, newest first.",
	}, a.listDeliveries)
	a.routeExport(rt)
	register(rt, operation{
		ID: "get-delivery", Method: http.MethodGet, Path: path + "/{id}", Tag: "Deliveries", Role: postroom.RoleViewer,
		Summary: "Get a delivery",
		Description: "One delivery with every attempt: when, how long each phase took, what was sent, what came back (the first 16 KiB of the body), and " +
			"why it failed if it did.",
		Answer: exampleDelivery,
	}, a.getDelivery)
	register(rt, operation{
		ID: "retry-delivery", Method: http.MethodPost, Path: path + "/{id}/retry", Tag: "Deliveries", Role: postroom.RoleAdmin,
		Summary: "Retry a delivery",
		Description: "A pending delivery is attempted now. A failed or cancelled one begins its schedule again. One that succeeded is sent once more. " +
			"Answers before the attempt is made.",
		Status: http.StatusAccepted,
		Codes:  []postroom.Code{postroom.CodeConflict},
	}, a.retryDelivery)
}

// deliveryFilter resolves what the parameters name.
func (a *api) deliveryFilter(ctx context.Context, c *call, in DeliveryParams) (postroom.DeliveryFilter, error) {
	f := postroom.DeliveryFilter{
		Type: in.Type, Status: in.Status.DeliveryStatus, StatusCode: in.StatusCode.n, After: in.After.Time, Before: in.Before.Time,
	}
	if in.Event == "" {
		return f, nil
	}
	if f.Event.UnmarshalText([]byte(in.Event)) == nil {
		return f, nil
	}
	event, _, err := a.App.Event(ctx, c.who, in.Event)
	if postroom.CodeOf(err) == postroom.CodeNotFound {
		return f, postroom.Invalid(postroom.CodeInvalid, "?event", "there is no such event in this workspace")
	}
	f.Event = event.ID
	return f, err
}

func (a *api) deliveriesFilter(ctx context.Context, c *call, in DeliveriesParams) (postroom.DeliveryFilter, error) {
	f, err := a.deliveryFilter(ctx, c, in.DeliveryParams)
	if err != nil || in.Webhook == "" {
		return f, err
	}
	w, err := a.App.Webhook(ctx, c.who, in.Webhook)
	if postroom.CodeOf(err) == postroom.CodeNotFound {
		return f, postroom.Invalid(postroom.CodeInvalid, "?webhook", "there is no such webhook in this workspace")
	}
	f.Webhook = w.ID
	return f, err
}

func (a *api) listDeliveries(ctx context.Context, c *call, in *listDeliveriesInput) (*page[postroom.DeliveryResource], error) {
	f, err := a.deliveriesFilter(ctx, c, in.DeliveriesParams)
	if err != nil {
		return nil, err
	}
	found, err := a.App.Deliveries(ctx, c.who, f, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showDelivery), nil
}

func (a *api) getDelivery(ctx context.Context, c *call, in *ID) (*answer[postroom.DeliveryResource], error) {
	d, attempts, err := a.App.Delivery(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	r := showDelivery(d)
	r.Attempts = showAll(attempts, showAttempt)
	return &answer[postroom.DeliveryResource]{r}, nil
}

func (a *api) retryDelivery(ctx context.Context, c *call, in *ID) (*answer[postroom.DeliveryResource], error) {
	d, err := a.App.RetryDelivery(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.DeliveryResource]{showDelivery(d)}, nil
}
