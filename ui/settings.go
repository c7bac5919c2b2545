package ui

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// settingsApp is what the settings of a workspace need of the application.
type settingsApp interface {
	UpdateWorkspace(ctx context.Context, who app.Caller, ref, name string) (postroom.Workspace, error)
	Portal(ctx context.Context, who app.Caller) (postroom.Portal, error)
	UpdatePortal(ctx context.Context, who app.Caller, edit func(*postroom.Portal) error) (postroom.Portal, error)
	PortalLink(ctx context.Context, who app.Caller, customer string, life time.Duration) (postroom.PortalLink, error)
	EndPortalLinks(ctx context.Context, who app.Caller) error
	DialectNames() []string
}

func settingsRoutes() []route {
	return []route{
		get("/settings", postroom.RoleViewer, workspacePage), post("/settings", postroom.RoleAdmin, renameWorkspace),
		get("/settings/portal", postroom.RoleViewer, portalSettings), post("/settings/portal", postroom.RoleAdmin, changePortal),
		post("/settings/portal/link", postroom.RoleAdmin, makePortalLink), post("/settings/portal/end", postroom.RoleAdmin, endPortalLinks),
	}
}

// settingsPage is a page of the settings, with the tabs of all of them.
func settingsPage(c *call, name, title string) page {
	return page{Name: name, Title: title, Nav: "settings", Tabs: tabsAt(c.URL.Path,
		tab{Title: "Workspace", Path: "/settings"}, tab{Title: "Members", Path: "/settings/members"}, tab{Title: "API keys", Path: "/settings/keys"},
		tab{Title: "Portal", Path: "/settings/portal"}, tab{Title: "Audit log", Path: "/settings/audit"})}
}

type workspaceData struct {
	ID        string
	Retention time.Duration
}

// Kept is for how long the log is kept, in words.
func (d workspaceData) Kept() string {
	if days := d.Retention / (24 * time.Hour); days >= 2 {
		return plural(int64(days), "day")
	}
	return plural(int64(d.Retention/time.Hour), "hour")
}

func workspaceForm(c *call, f *form) page {
	p := settingsPage(c, "settings/workspace", "Settings")
	p.Form, p.Data = f, workspaceData{c.in.Caller.Workspace.String(), c.d.Retention}
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
