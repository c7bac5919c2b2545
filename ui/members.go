package ui

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// memberApp is what the pages of members need of the application.
type memberApp interface {
	WorkspaceMembers(ctx context.Context, who app.Caller) ([]postroom.Member, error)
	Member(ctx context.Context, who app.Caller, ref string) (postroom.Member, error)
	InviteMember(ctx context.Context, who app.Caller, in app.MemberInput) (postroom.Member, app.Link, error)
	UpdateMember(ctx context.Context, who app.Caller, ref string, change func(*app.MemberSettings) error) (postroom.Member, error)
	DeleteMember(ctx context.Context, who app.Caller, ref string) error
	LinkMember(ctx context.Context, who app.Caller, ref string) (postroom.Member, app.Link, error)
	Webhooks(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error)
	Sources(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Source], error)
}

func memberRoutes() []route {
	const one = "/settings/members/{id}"
	return []route{
		get("/settings/members", postroom.RoleViewer, membersPage), get("/settings/members/new", postroom.RoleAdmin, invitePage),
		post("/settings/members", postroom.RoleAdmin, invite),
		get(one, postroom.RoleAdmin, memberPage), post(one, postroom.RoleAdmin, changeMember),
		post(one+"/link", postroom.RoleAdmin, linkMember), post(one+"/remove", postroom.RoleAdmin, removeMember),
	}
}

func membersPage(c *call) error {
	members, err := c.app.WorkspaceMembers(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	p := settingsPage(c, "members/list", "Members")
	p.Data = members
	return c.render(p)
}

// memberData is what the forms of members show.
type memberData struct {
	Member       postroom.Member
	Roles        []option
	Integrations []option // that may be triggered
}

// integrations are the webhooks and sources that a member may be given.
func integrations(c *call) ([]option, error) {
	all := []option{{postroom.AllIntegrations, "All webhooks and sources", "Those to come, too."}}
	q := postroom.PageQuery{Limit: postroom.MaxPageLimit}
	webhooks, err := c.app.Webhooks(c.Context(), c.in.Caller, q)
	if err != nil {
		return nil, err
	}
	for _, w := range webhooks.Data {
		all = append(all, option{w.ID.String(), nameOr(w.Name, w.URL), "Webhook"})
	}
	sources, err := c.app.Sources(c.Context(), c.in.Caller, q)
	for _, s := range sources.Data {
		all = append(all, option{s.ID.String(), nameOr(s.Name, s.ID.String()), "Source"})
	}
	return all, err
}

func nameOr(name, other string) string {
	if name != "" {
		return name
	}
	return other
}

// memberForm is the form of a new member, or of one that there is.
func memberForm(c *call, name, title string, f *form, m postroom.Member) (page, error) {
	p := settingsPage(c, name, title)
	choices, err := integrations(c)
	p.Crumbs = []crumb{{"Members", "/settings/members"}}
	p.Form, p.Data = f, memberData{m, roleOptions(), choices}
	return p, err
}

func invitePage(c *call) error {
	p, err := memberForm(c, "members/invite", "Invite a member", newForm("role", string(postroom.RoleViewer)), postroom.Member{})
	if err != nil {
		return err
	}
	return c.render(p)
}

// settingsOf reads what a form says of a member.
func settingsOf(f *form) app.MemberSettings {
	return app.MemberSettings{Name: f.Get("name"), Phone: f.Get("phone"), Role: postroom.Role(f.Get("role")), MayTrigger: f.All("may_trigger")}
}

// memberFields are the fields that can be wrong.
func memberFields() []string { return []string{"email", "name", "phone", "role", "may_trigger"} }

// memberMade is a member with a link, which is shown this once.
type memberMade struct {
	Member postroom.Member
	Link   app.Link
}

func showLink(c *call, title string, m postroom.Member, link app.Link) error {
	p := settingsPage(c, "members/link", title)
	p.Crumbs, p.Data = []crumb{{"Members", "/settings/members"}}, memberMade{m, link}
	return c.render(p)
}

func invite(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	m, link, err := c.app.InviteMember(c.Context(), c.in.Caller, app.MemberInput{Email: f.Get("email"), MemberSettings: settingsOf(f)})
	if err != nil {
		p, failed := memberForm(c, "members/invite", "Invite a member", f, m)
		if failed != nil {
			return failed
		}
		return c.invalid(err, p, memberFields()...)
	}
	return showLink(c, "Invitation", m, link)
}

func memberPage(c *call) error {
	m, err := c.app.Member(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	f := newForm("name", m.Name, "phone", m.Phone, "role", string(m.Role))
	f.values["may_trigger"] = m.MayTrigger
	p, err := memberForm(c, "members/edit", nameOr(m.Name, m.Email), f, m)
	if err != nil {
		return err
	}
	return c.render(p)
}

func changeMember(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	m, err := c.app.Member(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	_, err = c.app.UpdateMember(c.Context(), c.in.Caller, c.PathValue("id"), func(s *app.MemberSettings) error {
		*s = settingsOf(f)
		return nil
	})
	if err != nil {
		p, failed := memberForm(c, "members/edit", nameOr(m.Name, m.Email), f, m)
		if failed != nil {
			return failed
		}
		return c.invalid(err, p, memberFields()...)
	}
	return c.redirect("/settings/members", nameOr(f.Get("name"), m.Email)+" was changed.")
}

func linkMember(c *call) error {
	m, link, err := c.app.LinkMember(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	return showLink(c, "Sign-in link", m, link)
}

func removeMember(c *call) error {
	m, err := c.app.Member(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.app.DeleteMember(c.Context(), c.in.Caller, m.ID.String()); err != nil {
		return err
	}
	return c.redirect("/settings/members", nameOr(m.Name, m.Email)+" was removed.")
}
