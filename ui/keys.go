package ui

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// keyApp is what the pages of API keys need of the application.
type keyApp interface {
	Keys(ctx context.Context, who app.Caller) ([]postroom.Key, error)
	CreateKey(ctx context.Context, who app.Caller, name string, role postroom.Role, expires *time.Time) (postroom.Key, string, error)
	DeleteKey(ctx context.Context, who app.Caller, id string) error
}

func keyRoutes() []route {
	return []route{
		get("/settings/keys", postroom.RoleViewer, keysPage), get("/settings/keys/new", postroom.RoleAdmin, newKeyPage),
		post("/settings/keys", postroom.RoleAdmin, createKey), post("/settings/keys/{id}/revoke", postroom.RoleAdmin, revokeKey),
	}
}

func keysPage(c *call) error {
	keys, err := c.app.Keys(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	p := settingsPage(c, "keys/list", "API keys")
	p.Data = keys
	return c.render(p)
}

// roleOptions are the roles, for forms.
func roleOptions() []option {
	return []option{
		{string(postroom.RoleViewer), "Viewer", "Reads everything but secrets."},
		{string(postroom.RolePublisher), "Publisher", "Reads, and publishes events."},
		{string(postroom.RoleAdmin), "Administrator", "Changes everything."},
	}
}

type newKeyData struct{ Roles, Lives []option }

func newKeyForm(c *call, f *form) page {
	p := settingsPage(c, "keys/new", "New API key")
	p.Crumbs = []crumb{{"API keys", "/settings/keys"}}
	p.Form, p.Data = f, newKeyData{roleOptions(), []option{{"", "Never", ""}, {"30", "In 30 days", ""}, {"90", "In 90 days", ""}, {"365", "In a year", ""}}}
	return p
}

func newKeyPage(c *call) error {
	return c.render(newKeyForm(c, newForm("role", string(postroom.RolePublisher))))
}

// keyMade is a new key, which is shown this once.
type keyMade struct {
	Key   postroom.Key
	Value string
}

// createKey answers with the key itself, which a page that one is led to could not show.
func createKey(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	var expires *time.Time
	if days := atoi(onlyDigits(f.Get("expires_at"))); days > 0 {
		at := c.d.Now().AddDate(0, 0, days)
		expires = &at
	}
	k, value, err := c.app.CreateKey(c.Context(), c.in.Caller, f.Get("name"), postroom.Role(f.Get("role")), expires)
	if err != nil {
		return c.invalid(err, newKeyForm(c, f), "name", "role", "expires_at")
	}
	p := settingsPage(c, "keys/made", "Your new API key")
	p.Crumbs, p.Data = []crumb{{"API keys", "/settings/keys"}}, keyMade{k, value}
	return c.render(p)
}

func onlyDigits(s string) string {
	if len(s) > 4 {
		return ""
	}
	for _, r := range s {
		if r < '0' || r > '9' {
			return ""
		}
	}
	return s
}

func revokeKey(c *call) error {
	if err := c.app.DeleteKey(c.Context(), c.in.Caller, c.PathValue("id")); err != nil {
		return err
	}
	return c.redirect("/settings/keys", "The key is revoked.")
}
