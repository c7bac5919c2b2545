package client

import (
	"context"

	"github.com/postroom/postroom"
)

// Portal gives the settings of the portal.
func (c *Client) Portal(ctx context.Context) (postroom.Portal, error) {
	var out postroom.Portal
	err := c.get(ctx, "/v1/portal", nil, &out)
	return out, err
}

// UpdatePortal changes the settings of the portal. patch is a JSON merge patch (RFC 7396): a map, in which nil sets a setting back to its default.
func (c *Client) UpdatePortal(ctx context.Context, patch any) (postroom.Portal, error) {
	var out postroom.Portal
	err := c.patch(ctx, "/v1/portal", patch, &out)
	return out, err
}

// PortalLinkInput says whom a link to the portal is for.
type PortalLinkInput struct {
	Customer  string            `json:"customer"`
	ExpiresIn postroom.Duration `json:"expires_in,omitempty"` // an hour if zero
}

// CreatePortalLink makes a link with which a customer manages their webhooks.
func (c *Client) CreatePortalLink(ctx context.Context, in PortalLinkInput) (postroom.PortalLink, error) {
	var out postroom.PortalLink
	err := c.post(ctx, "/v1/portal-links", in, &out)
	return out, err
}

// EndPortalLinks ends all links that were made until now.
func (c *Client) EndPortalLinks(ctx context.Context) error {
	return c.delete(ctx, "/v1/portal-links")
}
