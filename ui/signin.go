package ui

import (
	"context"
	"net/http"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// signInApp is what signing in needs of the application.
type signInApp interface {
	Resume(ctx context.Context, token string) (app.SignedIn, error)
	SignIn(ctx context.Context, email, password string, from app.Origin) (token string, err error)
	OpenLink(ctx context.Context, token string) (app.LinkAsks, error)
	SignInByLink(ctx context.Context, link, password string, from app.Origin) (token string, err error)
	SignOut(ctx context.Context, token string) error
	SetPassword(ctx context.Context, token string, in app.PasswordInput, from app.Origin) error
}

func signInRoutes() []route {
	routes := []route{
		get("/sign-in", "", signInPage), post("/sign-in", "", signIn),
		get("/sign-in/{link}", "", linkPage), post("/sign-in/{link}", "", useLink),
		post("/theme", "", chooseTheme),
	}
	return append(routes, beforePassword(
		get("/welcome", postroom.RoleViewer, welcomePage), post("/welcome", postroom.RoleViewer, welcome),
		post("/sign-out", postroom.RoleViewer, signOut),
	)...)
}

// sessionCookieLife is for how long a browser keeps the session, whatever the server says of it.
const sessionCookieLife = 30 * 24 * time.Hour

func signInForm(f *form) page {
	return page{Name: "signin/signin", Title: "Sign in", Plain: true, Form: f}
}

func signInPage(c *call) error {
	if c.in != nil {
		return c.redirect("/", "")
	}
	return c.render(signInForm(newForm("next", c.URL.Query().Get("next"))))
}

func signIn(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	token, err := c.app.SignIn(c.Context(), f.Get("email"), f.Raw("password"), c.origin())
	if postroom.CodeOf(err) == postroom.CodeForbidden {
		return c.invalid(postroom.Errorf(postroom.CodeUnauthenticated, "%s", err), signInForm(f))
	}
	if err != nil {
		return c.invalid(err, signInForm(f))
	}
	c.setCookie(sessionCookie, token, sessionCookieLife)
	return c.redirect(localPath(f.Get("next")), "")
}

func linkForm(c *call, f *form) (page, error) {
	asks, err := c.app.OpenLink(c.Context(), c.PathValue("link"))
	return page{Name: "signin/link", Title: "Sign in to " + asks.Workspace, Plain: true, Form: f, Data: asks}, err
}

// linkPage shows what a link is for. It is used by a POST only: programs that look at the links in mails follow them.
func linkPage(c *call) error {
	p, err := linkForm(c, newForm())
	if err != nil {
		return err
	}
	return c.render(p)
}

func useLink(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	token, err := c.app.SignInByLink(c.Context(), c.PathValue("link"), f.Raw("password"), c.origin())
	if err != nil {
		p, gone := linkForm(c, f)
		if gone != nil {
			return gone
		}
		return c.invalid(err, p)
	}
	c.setCookie(sessionCookie, token, sessionCookieLife)
	return c.redirect("/", "")
}

func welcomeForm(c *call, f *form) page {
	return page{Name: "signin/welcome", Title: "Welcome to Postroom", Plain: true, Form: f, Data: c.in}
}

func welcomePage(c *call) error {
	if !c.in.NeedsPassword {
		return c.redirect("/", "")
	}
	return c.render(welcomeForm(c, newForm()))
}

func welcome(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if !c.in.NeedsPassword {
		return c.redirect("/", "")
	}
	return c.setPassword(f, welcomeForm(c, f), "/")
}

// setPassword sets the password of a form that has it twice.
func (c *call) setPassword(f *form, p page, then string) error {
	if f.Raw("new") != f.Raw("again") {
		return c.invalid(postroom.Invalid(postroom.CodeInvalid, "/again", "the passwords differ"), p, "again")
	}
	err := c.app.SetPassword(c.Context(), c.session, app.PasswordInput{Email: f.Get("email"), Current: f.Raw("current"), New: f.Raw("new")}, c.origin())
	if err != nil {
		return c.invalid(err, p, "email", "current", "new")
	}
	return c.redirect(then, "Your password is set.")
}

func signOut(c *call) error {
	if err := c.app.SignOut(c.Context(), c.session); err != nil {
		return err
	}
	c.setCookie(sessionCookie, "", -time.Second)
	return c.redirect("/sign-in", "You are signed out.")
}

// chooseTheme keeps whether pages are light or dark.
func chooseTheme(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	life := 365 * 24 * time.Hour
	theme := f.Get("theme")
	if theme != "light" && theme != "dark" {
		theme, life = "", -time.Second
	}
	c.setCookie(themeCookie, theme, life)
	http.Redirect(c.w, c.Request, localPath(f.Get("back")), http.StatusSeeOther)
	return nil
}
