package ui

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/postroom/postroom"
)

// route is one thing that a browser can ask for: the only way to be served.
type route struct {
	method string
	path   string        // a pattern of http.ServeMux
	role   postroom.Role // that the member needs at least; empty for anybody, signed in or not
	early  bool          // may be used before a password is set
	body   int64         // the most bytes of what is sent; maxForm if zero
	handle func(c *call) error
}

// areas are the routes of all areas, each of which says its own.
func areas() [][]route {
	return [][]route{
		signInRoutes(), accountRoutes(), overviewRoutes(), webhookRoutes(), deliveryRoutes(), eventRoutes(), sourceRoutes(), requestRoutes(),
		contactRoutes(), listRoutes(), settingsRoutes(), memberRoutes(), keyRoutes(), auditRoutes(), portalRoutes(),
	}
}

// get is a route that shows something.
func get(path string, role postroom.Role, handle func(c *call) error) route {
	return route{method: http.MethodGet, path: path, role: role, handle: handle}
}

// post is a route that changes something.
func post(path string, role postroom.Role, handle func(c *call) error) route {
	return route{method: http.MethodPost, path: path, role: role, handle: handle}
}

// beforePassword lets somebody use routes who has not set a password yet.
func beforePassword(routes ...route) []route {
	for i := range routes {
		routes[i].early = true
	}
	return slices.Clip(routes)
}

const maxForm = 2 << 20 // bytes

// guard lets a request through to its handler if it may be made: by whom, and from where.
func (d *dashboard) guard(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, d: d, app: d.App, w: w}
		if err := c.admit(rt); err != nil {
			c.fail(err)
			return
		}
		if c.answered {
			return
		}
		if err := rt.handle(c); err != nil {
			c.fail(err)
		}
	})
}

// admit makes the checks of guard. Where signing in, or setting a password, is what is missing, it leads there.
func (c *call) admit(rt route) error {
	unsafe := rt.method != http.MethodGet
	if unsafe {
		if err := c.d.same.Check(c.Request); err != nil {
			return postroom.Errorf(postroom.CodeForbidden, "This request came from another site, and was refused.")
		}
		c.Body = http.MaxBytesReader(c.w, c.Body, cmp.Or(rt.body, maxForm))
	}
	if err := c.resume(); err != nil {
		return err
	}
	if rt.role == "" {
		return nil
	}
	if c.in == nil {
		c.leadTo(signInURL(c.Request))
		return nil
	}
	if !c.in.Caller.Role.Allows(rt.role) {
		return postroom.Errorf(postroom.CodeForbidden, "This needs the role %s, and you have the role %s.", rt.role, c.in.Caller.Role)
	}
	if rt.body > 0 {
		if err := c.readParts(); err != nil {
			return err
		}
	}
	if unsafe && !c.tokenFits() {
		return postroom.Errorf(postroom.CodeForbidden, "This form is too old, or did not come from Postroom: go back, load the page anew and try again.")
	}
	if c.in.NeedsPassword && !rt.early {
		c.leadTo("/welcome")
	}
	return nil
}

const partsInMemory = 1 << 20 // bytes of a form with files; the rest goes to the disk

// readParts reads a form that has files.
func (c *call) readParts() error {
	err := c.ParseMultipartForm(partsInMemory)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return postroom.Errorf(postroom.CodeTooLarge, "The file is too large: at most %d MiB are taken.", large.Limit>>20)
	case errors.Is(err, http.ErrNotMultipart):
		return nil // which has no file, as the handler will say
	case err != nil:
		return postroom.Errorf(postroom.CodeInvalid, "The form cannot be read.")
	}
	return nil
}
