package ui

import (
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// portalData is what the settings of the portal show.
type portalData struct {
	Portal   postroom.Portal
	Dialects []option
	Lives    []option
	LinkForm *form
	Link     *postroom.PortalLink // that was just made
}

func portalSettingsPage(c *call, s postroom.Portal, f, link *form) page {
	p := settingsPage(c, "settings/portal", "Portal")
	d := portalData{Portal: s, LinkForm: link, Lives: []option{{"1h", "1 hour", ""}, {"8h", "8 hours", ""}, {"24h", "24 hours", ""}}}
	for _, name := range c.app.DialectNames() {
		d.Dialects = append(d.Dialects, option{name, name, ""})
	}
	p.Form, p.Data = f, d
	return p
}

func formOfPortal(s postroom.Portal) *form {
	return newForm("name", s.Name, "accent", s.Accent, "background", s.Background, "frame_origins", strings.Join(s.FrameOrigins, "\n"), "dialect", s.Dialect,
		"events", strings.Join(s.Events, "\n"), "filter", s.Filter)
}

func newLinkForm() *form { return newForm("expires_in", "1h") }

func portalSettings(c *call) error {
	s, err := c.app.Portal(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	return c.render(portalSettingsPage(c, s, formOfPortal(s), newLinkForm()))
}

func changePortal(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	s, err := c.app.UpdatePortal(c.Context(), c.in.Caller, func(s *postroom.Portal) error {
		s.Name, s.Accent, s.Background, s.Dialect, s.Filter = f.Get("name"), f.Get("accent"), f.Get("background"), f.Get("dialect"), f.Get("filter")
		s.FrameOrigins, s.Events = strings.Fields(f.Get("frame_origins")), strings.Fields(f.Get("events"))
		return nil
	})
	if err != nil {
		return c.invalid(err, portalSettingsPage(c, s, f, newLinkForm()), "name", "accent", "background", "frame_origins", "dialect", "events", "filter")
	}
	return c.redirect("/settings/portal", "The portal was changed.")
}

func makePortalLink(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	s, err := c.app.Portal(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	life, err := time.ParseDuration(f.Get("expires_in"))
	if err != nil {
		return postroom.Errorf(postroom.CodeInvalid, "The form cannot be read.")
	}
	link, err := c.app.PortalLink(c.Context(), c.in.Caller, f.Get("customer"), life)
	p := portalSettingsPage(c, s, formOfPortal(s), f)
	if err != nil {
		p.Form = f
		failed := c.invalid(err, portalLinkFailed(p, s, f), "customer", "expires_in")
		return failed
	}
	d := p.Data.(portalData) //nolint:forcetypeassert // portalSettingsPage has set it
	d.Link = &link
	p.Data = d
	return c.render(p)
}

// portalLinkFailed is the page with the form of links as the one that can be wrong. The settings are shown as they are.
func portalLinkFailed(p page, s postroom.Portal, f *form) page {
	for name, values := range formOfPortal(s).values {
		f.values[name] = values
	}
	p.Form = f
	return p
}

func endPortalLinks(c *call) error {
	if err := c.app.EndPortalLinks(c.Context(), c.in.Caller); err != nil {
		return err
	}
	return c.redirect("/settings/portal", "All links that were made until now have ended.")
}
