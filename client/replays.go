package client

import (
	"context"
	"iter"
	"time"

	"github.com/postroom/postroom"
)

// ReplayInput chooses the deliveries that are made again. What is zero does not filter.
type ReplayInput struct {
	Webhook string // its id (whk_…) or uid; empty for all webhooks of the workspace
	After   time.Time
	Before  time.Time
	Status  postroom.DeliveryStatus // succeeded, failed or cancelled
	Types   []string                // event types: names, "group.*" or "*"
}

type replayBody struct {
	After  postroom.Timestamp      `json:"after,omitzero"`
	Before postroom.Timestamp      `json:"before,omitzero"`
	Status postroom.DeliveryStatus `json:"status,omitempty"`
	Types  []string                `json:"types,omitempty"`
	DryRun bool                    `json:"dry_run,omitempty"`
}

func (c *Client) replay(ctx context.Context, in ReplayInput, dryRun bool) (postroom.ReplayResource, error) {
	at := "/v1/replays"
	if in.Webhook != "" {
		at = path("v1", "webhooks", in.Webhook, "replay")
	}
	var out postroom.ReplayResource
	err := c.post(ctx, at, replayBody{postroom.Timestamp{Time: in.After}, postroom.Timestamp{Time: in.Before}, in.Status, in.Types, dryRun}, &out)
	return out, err
}

// CreateReplay delivers again what was delivered, or was not. A small replay is done when it returns; a larger one goes on, and FollowReplay tells
// how far it is.
func (c *Client) CreateReplay(ctx context.Context, in ReplayInput) (postroom.ReplayResource, error) {
	return c.replay(ctx, in, false)
}

// PreviewReplay tells what CreateReplay would deliver again: Total, AtLeast, ByStatus and ByType of its answer.
func (c *Client) PreviewReplay(ctx context.Context, in ReplayInput) (postroom.ReplayResource, error) {
	return c.replay(ctx, in, true)
}

// Replays goes through the replays of the workspace, newest first.
func (c *Client) Replays(ctx context.Context) iter.Seq2[postroom.ReplayResource, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.ReplayResource], error) {
		return c.ReplayPage(ctx, q)
	})
}

// ReplayPage gives one page of the replays, newest first.
func (c *Client) ReplayPage(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.ReplayResource], error) {
	return page[postroom.ReplayResource](ctx, c, "/v1/replays", nil, q)
}

// Replay gives one replay, with how many of its deliveries wait.
func (c *Client) Replay(ctx context.Context, id string) (postroom.ReplayResource, error) {
	var out postroom.ReplayResource
	err := c.get(ctx, path("v1", "replays", id), nil, &out)
	return out, err
}

// CancelReplay ends a replay, and takes back what waits and was not begun.
func (c *Client) CancelReplay(ctx context.Context, id string) (postroom.ReplayResource, error) {
	var out postroom.ReplayResource
	err := c.post(ctx, path("v1", "replays", id, "cancel"), nil, &out)
	return out, err
}

// FollowReplay looks at a replay again and again, every so often, and gives what it sees, until the replay has ended and none of its
// deliveries waits.
func (c *Client) FollowReplay(ctx context.Context, id string, every time.Duration) iter.Seq2[postroom.ReplayResource, error] {
	return func(yield func(postroom.ReplayResource, error) bool) {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			r, err := c.Replay(ctx, id)
			over := r.EndedAt != nil && (r.Waiting == nil || *r.Waiting == 0)
			if !yield(r, err) || err != nil || over {
				return
			}
			select {
			case <-ctx.Done():
				yield(r, ctx.Err())
				return
			case <-ticker.C:
			}
		}
	}
}
