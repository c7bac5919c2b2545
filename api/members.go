package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// memberInput is a member to invite.
type memberInput struct {
	Email      string        `json:"email" doc:"With which the person signs in; it stays as it is." example:"ada@example.com"`
	Name       string        `json:"name" doc:"For people." example:"Ada Lovelace"`
	Phone      string        `json:"phone" doc:"With the country code; empty for none." example:"+12025550143"`
	Role       postroom.Role `json:"role" doc:"What the member may do."`
	MayTrigger []string      `json:"may_trigger" doc:"The webhooks and sources, by their ids, that the member may test, retry and resend without being an administrator; * for all."`
}

// memberSettings are the part of a member that changes.
type memberSettings struct {
	Name       string        `json:"name" doc:"For people." example:"Ada Lovelace"`
	Phone      string        `json:"phone" doc:"With the country code; empty for none." example:"+12025550143"`
	Role       postroom.Role `json:"role" doc:"What the member may do."`
	MayTrigger []string      `json:"may_trigger" doc:"The webhooks and sources, by their ids, that the member may test, retry and resend without being an administrator; * for all."`
}

// memberLinked is a member with a link to sign in with.
type memberLinked struct {
	postroom.Member
	URL       string             `json:"link" doc:"With which the member signs in, once. It is shown this once."`
	ExpiresAt postroom.Timestamp `json:"link_expires_at" doc:"When the link stops working."`
}

func (a *api) routeTeam(rt *router) {
	const path, tag = "/v1/members", "Members"
	register(rt, operation{
		ID: "list-workspace-members", Method: http.MethodGet, Path: path, Tag: tag, Role: postroom.RoleViewer,
		Summary:     "List members",
		Description: "The people of the workspace. Answers with all of them; there are no further pages.",
	}, a.listTeam)
	register(rt, operation{
		ID: "invite-member", Method: http.MethodPost, Path: path, Tag: tag, Role: postroom.RoleAdmin,
		Summary: "Invite a member",
		Description: "The answer holds a link with which the person signs in to the dashboard, once, and sets a password. It is shown this once, and is not mailed. " +
			"A person who works in other workspaces of this server too needs the password that they have, unless an operator invites them.",
		Status: http.StatusCreated, Body: reflect.TypeFor[memberInput](), Need: true,
		Example: `{"email":"ada@example.com","name":"Ada Lovelace","role":"publisher","may_trigger":["*"]}`,
		Answer:  exampleMemberLinked, Codes: []postroom.Code{postroom.CodeConflict},
	}, a.inviteMember)
	register(rt, operation{
		ID: "get-member", Method: http.MethodGet, Path: path + "/{id}", Tag: tag, Role: postroom.RoleViewer,
		Summary:     "Get a member",
		Description: "One member, by id or email.",
	}, a.getMember)
	register(rt, operation{
		ID: "update-member", Method: http.MethodPatch, Path: path + "/{id}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Change a member",
		Description: "A JSON merge patch (RFC 7396). The last administrator of a workspace stays one.",
		Body:        reflect.TypeFor[memberSettings](), Need: true, Patch: true, Example: `{"role":"viewer"}`,
		Codes: []postroom.Code{postroom.CodeConflict},
	}, a.updateMember)
	register(rt, operation{
		ID: "delete-member", Method: http.MethodDelete, Path: path + "/{id}", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Remove a member",
		Description: "The person is signed out of the workspace at once. The last administrator of a workspace stays.",
		Status:      http.StatusNoContent,
		Codes:       []postroom.Code{postroom.CodeConflict},
	}, a.deleteMember)
	register(rt, operation{
		ID: "link-member", Method: http.MethodPost, Path: path + "/{id}/link", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Make a sign-in link",
		Description: "A new link for a member who has lost the last one, or the password. It works once; earlier ones stop working.",
		Answer:      exampleMemberLinked,
	}, a.linkMember)
}

func (a *api) listTeam(ctx context.Context, c *call, _ *struct{}) (*all[postroom.Member], error) {
	found, err := a.App.WorkspaceMembers(ctx, c.who)
	if err != nil {
		return nil, err
	}
	return newAll(found), nil
}

func (a *api) inviteMember(ctx context.Context, c *call, _ *struct{}) (*created[memberLinked], error) {
	var in memberInput
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	m, link, err := a.App.InviteMember(ctx, c.who, app.MemberInput{Email: in.Email,
		MemberSettings: app.MemberSettings{Name: in.Name, Phone: in.Phone, Role: in.Role, MayTrigger: in.MayTrigger}})
	if err != nil {
		return nil, err
	}
	return &created[memberLinked]{Location: "/v1/members/" + m.ID.String(), Body: memberLinked{m, link.URL, link.ExpiresAt}}, nil
}

func (a *api) getMember(ctx context.Context, c *call, in *ID) (*answer[postroom.Member], error) {
	m, err := a.App.Member(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.Member]{m}, nil
}

func (a *api) updateMember(ctx context.Context, c *call, in *ID) (*answer[postroom.Member], error) {
	m, err := a.App.UpdateMember(ctx, c.who, in.ID, func(s *app.MemberSettings) error {
		next := memberSettings(*s)
		if err := patch(&next, memberSettings{}, c.body); err != nil {
			return err
		}
		*s = app.MemberSettings(next)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &answer[postroom.Member]{m}, nil
}

func (a *api) deleteMember(ctx context.Context, c *call, in *ID) (*done, error) {
	return &done{}, a.App.DeleteMember(ctx, c.who, in.ID)
}

func (a *api) linkMember(ctx context.Context, c *call, in *ID) (*answer[memberLinked], error) {
	m, link, err := a.App.LinkMember(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[memberLinked]{memberLinked{m, link.URL, link.ExpiresAt}}, nil
}
