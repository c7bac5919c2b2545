package ui

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// settingsApp is what the settings of a workspace need of the application.
type settingsApp interface {
	UpdateWorkspace(ctx context.Context, who app.Caller, ref, name string) (postroom.Workspace, error)
}

func settingsRoutes() []route {
	return []route{
		get("/settings", postroom.RoleViewer, workspacePage), post("/settings", postroom.RoleAdmin, renameWorkspace),
	}
}

// settingsPage is a page of the settings, with the tabs of all of them.
func settingsPage(c *call, name, title string) page {
	return page{Name: name, Title: title, Nav: "settings", Tabs: tabsAt(c.URL.Path,
		tab{Title: "Workspace", Path: "/settings"}, tab{Title: "Members", Path: "/settings/members"}, tab{Title: "API keys", Path: "/settings/keys"},
		tab{Title: "Audit log", Path: "/settings/audit"})}
}

func workspaceForm(c *call, f *form) page {
	p := settingsPage(c, "settings/workspace", "Settings")
	p.Form, p.Data = f, c.in.Caller.Workspace
	return p
}

func workspacePage(c *call) error {
	return c.render(workspaceForm(c, newForm("name", c.in.Workspace())))
}

func renameWorkspace(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if _, err := c.app.UpdateWorkspace(c.Context(), c.in.Caller, c.in.Caller.Workspace.String(), f.Get("name")); err != nil {
		return c.invalid(err, workspaceForm(c, f), "name")
	}
	return c.redirect("/settings", "The workspace is called "+f.Get("name")+" now.")
}
