package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// call is a request, with who makes it.
type call struct {
	*http.Request
	d        *dashboard
	app      App
	w        http.ResponseWriter
	in       *app.SignedIn // nil for somebody who is not signed in
	session  string        // the token of the session
	answered bool
}

// The cookies. With HTTPS, their names keep other hosts of the domain from setting them.
const (
	sessionCookie = "postroom_session"
	flashCookie   = "postroom_flash"
	themeCookie   = "postroom_theme"
)

func (c *call) cookieName(name string) string {
	if c.d.https {
		return "__Host-" + name
	}
	return name
}

func (c *call) cookie(name string) string {
	found, err := c.Cookie(c.cookieName(name))
	if err != nil {
		return ""
	}
	return found.Value
}

// setCookie sets a cookie for so long; zero for as long as the browser runs, and less to delete it.
func (c *call) setCookie(name, value string, life time.Duration) {
	http.SetCookie(c.w, &http.Cookie{Name: c.cookieName(name), Value: value, Path: "/", MaxAge: int(life / time.Second), Secure: c.d.https, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// resume finds out who is signed in. A session that has ended is forgotten.
func (c *call) resume() error {
	token := c.cookie(sessionCookie)
	if token == "" {
		return nil
	}
	in, err := c.app.Resume(c.Context(), token)
	if postroom.CodeOf(err) == postroom.CodeUnauthenticated {
		c.setCookie(sessionCookie, "", -time.Second)
		return nil
	}
	if err != nil {
		return err
	}
	c.in, c.session = &in, token
	return nil
}

// htmx tells whether htmx asks for a part of a page.
func (c *call) htmx() bool {
	return c.Header.Get("HX-Request") == "true" && c.Header.Get("HX-History-Restore-Request") != "true"
}

// origin is where the request comes from.
func (c *call) origin() app.Origin {
	return app.Origin{Address: c.d.ClientAddr(c.Request), UserAgent: c.UserAgent()}
}

// secret is what the forms of a session prove that they come from its pages with.
func (c *call) secret() [16]byte {
	sum := sha256.Sum256([]byte("form " + c.session))
	return [16]byte(sum[:16])
}

// formToken is the secret, masked anew each time, so that pages that are compressed do not give it away by their lengths.
func (c *call) formToken() string {
	var token [32]byte
	_, _ = rand.Read(token[:16]) // never fails: crypto/rand ends the process instead
	secret := c.secret()
	subtle.XORBytes(token[16:], token[:16], secret[:])
	return base64.RawURLEncoding.EncodeToString(token[:])
}

const tokenField = "_token"

// tokenFits tells whether a form, or htmx, sends the session's secret.
func (c *call) tokenFits() bool {
	given := c.Header.Get("X-Form-Token")
	if given == "" {
		given = c.PostFormValue(tokenField)
	}
	token, err := base64.RawURLEncoding.DecodeString(given)
	if err != nil || len(token) != 32 {
		return false
	}
	var got [16]byte
	subtle.XORBytes(got[:], token[:16], token[16:])
	secret := c.secret()
	return subtle.ConstantTimeCompare(got[:], secret[:]) == 1
}

// leadTo answers with another page in place of this one.
func (c *call) leadTo(path string) {
	c.answered = true
	if c.htmx() {
		c.w.Header().Set("HX-Redirect", path)
		c.w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(c.w, c.Request, path, http.StatusSeeOther)
}

// flash is a sentence that the next page shows.
type flash struct {
	Kind string `json:"k"` // ok or bad
	Text string `json:"t"`
}

const maxFlash = 300 // bytes

// redirect leads to another page after a change, which says that it was made; an empty sentence says nothing.
func (c *call) redirect(path, said string) error {
	if said != "" {
		if len(said) > maxFlash {
			said = strings.ToValidUTF8(said[:maxFlash], "") + "…"
		}
		text, err := json.Marshal(flash{"ok", said})
		if err != nil {
			return err
		}
		c.setCookie(flashCookie, base64.RawURLEncoding.EncodeToString(text), time.Minute)
	}
	c.leadTo(path)
	return nil
}

// takeFlash gives what the last change has to say, once.
func (c *call) takeFlash() *flash {
	text, err := base64.RawURLEncoding.DecodeString(c.cookie(flashCookie))
	if err != nil || len(text) == 0 {
		return nil
	}
	c.setCookie(flashCookie, "", -time.Second)
	f := &flash{}
	if json.Unmarshal(text, f) != nil {
		return nil
	}
	return f
}

// theme is what the person has chosen: light, dark, or nothing for what the system has.
func (c *call) theme() string {
	if t := c.cookie(themeCookie); t == "light" || t == "dark" {
		return t
	}
	return ""
}

// signInURL leads to signing in, and then back to where a page was asked for.
func signInURL(r *http.Request) string {
	if r.Method != http.MethodGet || r.URL.Path == "/" && r.URL.RawQuery == "" || r.Header.Get("HX-Request") != "" {
		return "/sign-in"
	}
	return "/sign-in?next=" + url.QueryEscape(r.URL.RequestURI())
}

// localPath is a path of this server that somebody was to be led to; the overview for anything else.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return u.RequestURI()
}
