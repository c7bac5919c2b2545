package ui

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// accountApp is what one's own pages need of the application.
type accountApp interface {
	Sessions(ctx context.Context, token string) ([]postroom.Session, error)
	SignOutEverywhere(ctx context.Context, token string) error
	SwitchWorkspace(ctx context.Context, token, ref string) error
}

func accountRoutes() []route {
	return []route{
		get("/account", postroom.RoleViewer, accountPage),
		post("/account/password", postroom.RoleViewer, changePassword),
		post("/account/sign-out-everywhere", postroom.RoleViewer, signOutEverywhere),
		post("/switch", postroom.RoleViewer, switchWorkspace),
	}
}

type accountData struct {
	Sessions []postroom.Session
	Fresh    bool // the present password is not asked for
}

func accountForm(c *call, f *form) (page, error) {
	sessions, err := c.app.Sessions(c.Context(), c.session)
	return page{Name: "account/account", Title: "Your account", Nav: "account", Form: f,
		Data: accountData{sessions, c.in.MaySetPassword(c.d.Now())}}, err
}

func accountPage(c *call) error {
	p, err := accountForm(c, newForm())
	if err != nil {
		return err
	}
	return c.render(p)
}

func changePassword(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	p, err := accountForm(c, f)
	if err != nil {
		return err
	}
	return c.setPassword(f, p, "/account")
}

func signOutEverywhere(c *call) error {
	if err := c.app.SignOutEverywhere(c.Context(), c.session); err != nil {
		return err
	}
	c.setCookie(sessionCookie, "", -time.Second)
	return c.redirect("/sign-in", "You are signed out everywhere.")
}

func switchWorkspace(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if err := c.app.SwitchWorkspace(c.Context(), c.session, f.Get("workspace")); err != nil {
		return err
	}
	return c.redirect("/", "")
}
