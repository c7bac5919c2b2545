package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/postroom/postroom"
)

type replayInput struct {
	After  *postroom.Timestamp `json:"after" doc:"Only deliveries made at this time or later."`
	Before *postroom.Timestamp `json:"before" doc:"Only deliveries made before this time; now if left out."`
	Status string              `json:"status" doc:"Only deliveries in this state; all that have ended if left out." enum:"all,succeeded,failed,cancelled" default:"all"`
	Types  []string            `json:"types" doc:"Only deliveries of these event types: names, groups as in email.*, or *; all if left out." example:"[\"email.*\"]"`
	DryRun bool                `json:"dry_run" doc:"Change nothing, and answer what would happen."`
}

func (in replayInput) filter() (postroom.ReplayFilter, error) {
	f := postroom.ReplayFilter{After: moment(in.After), Before: moment(in.Before), Status: postroom.DeliveryStatus(in.Status), Types: in.Types}
	switch in.Status {
	case "", "succeeded", "failed", "cancelled":
	case "all":
		f.Status = ""
	default:
		return f, postroom.Invalid(postroom.CodeInvalid, "/status", "is one of all, succeeded, failed, cancelled; what is pending or held will be delivered anyway")
	}
	return f, nil
}

// previewed is an answer whose status tells a preview from what was done.
type previewed[T any] struct {
	Status int
	Body   T
}

const replayDescription = "Each event has its old id, so that the receiver can tell it from a new one. A small replay is done when the call answers; a larger one goes on, " +
	"also when the server is stopped or killed meanwhile, and `GET /v1/replays/{id}` tells how far it is. Its deliveries wait behind fresh ones. Tests of webhooks are " +
	"not repeated. " + previewNote + " It is exact up to 100,000 deliveries that are looked at; beyond that `at_least` is true."

func (a *api) routeReplays(rt *router) {
	const path = "/v1/replays"
	register(rt, operation{
		ID: "replay-webhook", Method: http.MethodPost, Path: "/v1/webhooks/{id}/replay", Tag: "Replays", Role: postroom.RoleAdmin,
		Summary:     "Replay a webhook's deliveries",
		Description: "Delivers again what a webhook was sent, or was not, in a span of time. " + replayDescription,
		Status:      http.StatusAccepted, Preview: true, Body: reflect.TypeFor[replayInput](), Example: exampleReplayInput, Answer: exampleReplay,
	}, a.replayWebhook)
	register(rt, operation{
		ID: "create-replay", Method: http.MethodPost, Path: path, Tag: "Replays", Role: postroom.RoleAdmin,
		Summary:     "Replay deliveries of all webhooks",
		Description: "Delivers again what the webhooks of the workspace were sent, or were not, in a span of time: with the status failed, all that went wrong. " + replayDescription,
		Status:      http.StatusAccepted, Preview: true, Body: reflect.TypeFor[replayInput](), Example: exampleReplayInput, Answer: exampleReplay,
	}, a.createReplay)
	register(rt, operation{
		ID: "list-replays", Method: http.MethodGet, Path: path, Tag: "Replays", Role: postroom.RoleViewer,
		Summary:     "List replays",
		Description: "The replays of the workspace, newest first.",
	}, a.listReplays)
	register(rt, operation{
		ID: "get-replay", Method: http.MethodGet, Path: path + "/{id}", Tag: "Replays", Role: postroom.RoleViewer,
		Summary:     "Get a replay",
		Description: "One replay: what was asked for, and how far it is.",
		Answer:      exampleReplay,
	}, a.getReplay)
	register(rt, operation{
		ID: "cancel-replay", Method: http.MethodPost, Path: path + "/{id}/cancel", Tag: "Replays", Role: postroom.RoleAdmin,
		Summary: "Cancel a replay",
		Description: "What was not put into the queue yet stays as it is. What is there and was not begun goes back to how it had ended before. What the server has taken " +
			"in hand, a few hundred deliveries of a webhook at most, is still attempted. To cancel a replay again changes nothing.",
		Status: http.StatusAccepted, Codes: []postroom.Code{postroom.CodeConflict}, Answer: exampleReplay,
	}, a.cancelReplay)
}

func (a *api) replayWebhook(ctx context.Context, c *call, in *WebhookRef) (*previewed[postroom.ReplayResource], error) {
	return a.replay(ctx, c, in.ID)
}

func (a *api) createReplay(ctx context.Context, c *call, _ *struct{}) (*previewed[postroom.ReplayResource], error) {
	return a.replay(ctx, c, "")
}

// replay starts a replay, or previews it. webhook is empty for all.
func (a *api) replay(ctx context.Context, c *call, webhook string) (*previewed[postroom.ReplayResource], error) {
	var body replayInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	f, err := body.filter()
	if err != nil {
		return nil, err
	}
	if body.DryRun {
		p, err := a.App.PreviewReplay(ctx, c.who, webhook, f)
		if err != nil {
			return nil, err
		}
		r := showReplayFilter(p.ReplayFilter)
		r.Total, r.AtLeast, r.ByStatus, r.ByType = p.Total, p.AtLeast, p.ByStatus, p.ByType
		return &previewed[postroom.ReplayResource]{http.StatusOK, r}, nil
	}
	r, err := a.App.StartReplay(ctx, c.who, webhook, f)
	if err != nil {
		return nil, err
	}
	return &previewed[postroom.ReplayResource]{http.StatusAccepted, showReplay(r)}, nil
}

func (a *api) listReplays(ctx context.Context, c *call, in *PageParams) (*page[postroom.ReplayResource], error) {
	found, err := a.App.Replays(ctx, c.who, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showReplay), nil
}

func (a *api) getReplay(ctx context.Context, c *call, in *ID) (*answer[postroom.ReplayResource], error) {
	return oneReplay(a.App.Replay(ctx, c.who, in.ID))
}

func (a *api) cancelReplay(ctx context.Context, c *call, in *ID) (*answer[postroom.ReplayResource], error) {
	return oneReplay(a.App.CancelReplay(ctx, c.who, in.ID))
}

func oneReplay(r postroom.Replay, waiting int64, err error) (*answer[postroom.ReplayResource], error) {
	if err != nil {
		return nil, err
	}
	shown := showReplay(r)
	shown.Waiting = &waiting
	return &answer[postroom.ReplayResource]{shown}, nil
}

func showReplayFilter(f postroom.ReplayFilter) postroom.ReplayResource {
	r := postroom.ReplayResource{Before: postroom.Timestamp{Time: f.Before}, Status: f.Status, Types: notNil(f.Types)}
	if !f.After.IsZero() {
		r.After = timestamp(&f.After)
	}
	if !f.Webhook.IsZero() {
		r.WebhookID = &f.Webhook
	}
	return r
}

func showReplay(r postroom.Replay) postroom.ReplayResource {
	shown := showReplayFilter(r.ReplayFilter)
	shown.ID, shown.State, shown.Reason, shown.Total, shown.AtLeast = &r.ID, r.State, r.Reason, r.Total, r.AtLeast
	shown.Done, shown.Skipped, shown.Withdrawn = r.Done, r.Skipped, r.Withdrawn
	if !r.CreatedBy.IsZero() { // not by a member
		shown.CreatedBy = &r.CreatedBy
	}
	shown.CreatedAt, shown.UpdatedAt, shown.EndedAt = timestamp(&r.CreatedAt), timestamp(&r.UpdatedAt), timestamp(r.EndedAt)
	return shown
}
