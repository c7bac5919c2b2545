package client

import (
	"context"

	"github.com/postroom/postroom"
)

// MemberInput is a person to invite.
type MemberInput struct {
	Email      string        `json:"email"`
	Name       string        `json:"name,omitempty"`
	Phone      string        `json:"phone,omitempty"`
	Role       postroom.Role `json:"role"`
	MayTrigger []string      `json:"may_trigger,omitempty"`
}

// LinkedMember is a member with a link to sign in with, which is shown this once.
type LinkedMember struct {
	postroom.Member
	Link          string             `json:"link"`
	LinkExpiresAt postroom.Timestamp `json:"link_expires_at"`
}

// InviteMember makes a person a member of the workspace.
func (c *Client) InviteMember(ctx context.Context, in MemberInput) (LinkedMember, error) {
	var out LinkedMember
	err := c.post(ctx, "/v1/members", in, &out)
	return out, err
}

// WorkspaceMembers gives the people of the workspace.
func (c *Client) WorkspaceMembers(ctx context.Context) ([]postroom.Member, error) {
	return all[postroom.Member](ctx, c, "/v1/members")
}

// Member gives one member, by id or email.
func (c *Client) Member(ctx context.Context, id string) (postroom.Member, error) {
	var out postroom.Member
	err := c.get(ctx, path("v1", "members", id), nil, &out)
	return out, err
}

// MemberPatch says what of a member changes; what is nil stays.
type MemberPatch struct {
	Name       *string        `json:"name,omitempty"`
	Phone      *string        `json:"phone,omitempty"`
	Role       *postroom.Role `json:"role,omitempty"`
	MayTrigger *[]string      `json:"may_trigger,omitempty"`
}

// UpdateMember changes a member.
func (c *Client) UpdateMember(ctx context.Context, id string, in MemberPatch) (postroom.Member, error) {
	var out postroom.Member
	err := c.patch(ctx, path("v1", "members", id), in, &out)
	return out, err
}

// DeleteMember removes a member, who is signed out at once.
func (c *Client) DeleteMember(ctx context.Context, id string) error {
	return c.delete(ctx, path("v1", "members", id))
}

// LinkMember makes a new link to sign in with, for a member who has lost the last one, or the password.
func (c *Client) LinkMember(ctx context.Context, id string) (LinkedMember, error) {
	var out LinkedMember
	err := c.post(ctx, path("v1", "members", id, "link"), struct{}{}, &out)
	return out, err
}
