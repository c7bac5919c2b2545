package client

import (
	"context"

	"github.com/postroom/postroom"
)

// Dialects lists the ways of sending webhooks, the standard one first, without samples.
func (c *Client) Dialects(ctx context.Context) ([]postroom.DialectResource, error) {
	return all[postroom.DialectResource](ctx, c, "/v1/dialects")
}

// Dialect gives one of them, with samples of the calls that it makes.
func (c *Client) Dialect(ctx context.Context, name string) (postroom.DialectResource, error) {
	var out postroom.DialectResource
	err := c.get(ctx, path("v1", "dialects", name), nil, &out)
	return out, err
}
