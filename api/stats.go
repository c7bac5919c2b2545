package api

import (
	"context"
	"net/http"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// Span is a span of time, and the steps that it is shown in. It is exported for huma.
type Span struct {
	Period periodParam `query:"period" doc:"How long the span is: up to before, or from after on. If neither it nor after is given, it is an hour by minute, 24 hours by hour and 30 days by day."`
	After  timeParam   `query:"after" doc:"Where the span begins."`
	Before timeParam   `query:"before" doc:"Where the span ends; now if left out."`
	By     byParam     `query:"by" doc:"How long each step of the series is. Minutes reach back 2 days, hours 60 days, days (of UTC) 400 days."`
}

func (s *Span) span() app.Span {
	return app.Span{After: s.After.Time, Before: s.Before.Time, Period: s.Period.d, By: s.By.s}
}

func (a *api) routeStats(rt *router) {
	register(rt, operation{
		ID: "get-stats", Method: http.MethodGet, Path: "/v1/stats", Tag: "Statistics", Role: postroom.RoleViewer,
		Summary: "Get the workspace's statistics",
		Description: "What happened to all deliveries of the workspace in a span of time, as totals and as a series without gaps. " +
			"The span is widened to whole steps, which `after` and `before` of the answer show. `attempts` are the calls that were sent. Percentiles are estimates from classes of latency. `waiting` leaves out what is about to go out.",
		Answer: exampleStats,
	}, a.workspaceStats)
	register(rt, operation{
		ID: "get-webhook-stats", Method: http.MethodGet, Path: "/v1/webhooks/{id}/stats", Tag: "Statistics", Role: postroom.RoleViewer,
		Summary: "Get a webhook's statistics",
		Description: "What happened to the deliveries of one webhook in a span of time, as totals and as a series without gaps. " +
			"The span is widened to whole steps, which `after` and `before` of the answer show. `attempts` are the calls that were sent. Percentiles are estimates from classes of latency.",
		Answer: exampleStats,
	}, a.webhookStats)
}

func (a *api) workspaceStats(ctx context.Context, c *call, in *Span) (*answer[postroom.Stats], error) {
	s, err := a.App.WorkspaceStats(ctx, c.who, in.span())
	if err != nil {
		return nil, err
	}
	return &answer[postroom.Stats]{showStats(s)}, nil
}

type webhookStatsInput struct {
	WebhookRef
	Span
}

func (a *api) webhookStats(ctx context.Context, c *call, in *webhookStatsInput) (*answer[postroom.Stats], error) {
	s, err := a.App.WebhookStats(ctx, c.who, in.ID, in.span())
	if err != nil {
		return nil, err
	}
	return &answer[postroom.Stats]{showStats(s)}, nil
}
