package api

import (
	"context"
	"net/http"

	"github.com/postroom/postroom"
)

// Span is a span of time, and the steps that it is shown in. It is exported for huma.
type Span struct {
	After  timeParam `query:"after" doc:"Where the span begins; 24 hours ago if left out."`
	Before timeParam `query:"before" doc:"Where the span ends; now if left out."`
	Step   stepParam `query:"step" doc:"How long each step of the series is."`
}

func (a *api) routeStats(rt *router) {
	register(rt, operation{
		ID: "get-stats", Method: http.MethodGet, Path: "/v1/stats", Tag: "Statistics", Role: postroom.RoleViewer,
		Summary:     "Get the workspace's statistics",
		Description: "What happened to all deliveries of the workspace in a span of time, as totals and as a series.",
		Answer:      exampleStats,
	}, a.workspaceStats)
	register(rt, operation{
		ID: "get-webhook-stats", Method: http.MethodGet, Path: "/v1/webhooks/{id}/stats", Tag: "Statistics", Role: postroom.RoleViewer,
		Summary:     "Get a webhook's statistics",
		Description: "What happened to the deliveries of one webhook in a span of time, as totals and as a series.",
		Answer:      exampleStats,
	}, a.webhookStats)
}

func (a *api) workspaceStats(ctx context.Context, c *call, in *Span) (*answer[postroom.Stats], error) {
	s, err := a.App.WorkspaceStats(ctx, c.who, in.After.Time, in.Before.Time, in.Step.orDefault())
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
	s, err := a.App.WebhookStats(ctx, c.who, in.ID, in.After.Time, in.Before.Time, in.Step.orDefault())
	if err != nil {
		return nil, err
	}
	return &answer[postroom.Stats]{showStats(s)}, nil
}
