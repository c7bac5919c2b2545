package client

import (
	"context"
	"encoding/json"

	"github.com/postroom/postroom"
)

// EventTypeInput is what an event type of the workspace's own is made of.
type EventTypeInput struct {
	Name        string          `json:"name,omitempty"` // such as order.paid
	Group       string          `json:"group,omitempty"`
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"` // a JSON Schema of the event's data
	Sample      json.RawMessage `json:"sample,omitempty"` // an example of the event's data
}

// EventTypes gives the catalogue, then the types that the workspace declared.
func (c *Client) EventTypes(ctx context.Context) ([]postroom.EventType, error) {
	return all[postroom.EventType](ctx, c, "/v1/event-types")
}

// EventType gives one type, with its schema and its sample.
func (c *Client) EventType(ctx context.Context, name string) (postroom.EventType, error) {
	var out postroom.EventType
	err := c.get(ctx, path("v1", "event-types", name), nil, &out)
	return out, err
}

// CreateEventType declares a type of the workspace's own.
func (c *Client) CreateEventType(ctx context.Context, in EventTypeInput) (postroom.EventType, error) {
	var out postroom.EventType
	err := c.post(ctx, "/v1/event-types", in, &out)
	return out, err
}

// UpdateEventType changes a type of the workspace's own. patch is a JSON merge patch: an EventTypeInput, or a map.
func (c *Client) UpdateEventType(ctx context.Context, name string, patch any) (postroom.EventType, error) {
	var out postroom.EventType
	err := c.patch(ctx, path("v1", "event-types", name), patch, &out)
	return out, err
}

// DeleteEventType removes a type of the workspace's own. Its events stay.
func (c *Client) DeleteEventType(ctx context.Context, name string) error {
	return c.delete(ctx, path("v1", "event-types", name))
}

// EventTypeSample gives a whole event of a type, {"type","time","data"}, as it could be published.
func (c *Client) EventTypeSample(ctx context.Context, name string) (json.RawMessage, error) {
	var out json.RawMessage
	err := c.get(ctx, path("v1", "event-types", name, "sample"), nil, &out)
	return out, err
}
