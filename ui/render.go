package ui

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/postroom/postroom"
)

//go:embed all:pages
var pageFiles embed.FS

// pages are the templates of all pages, by AREA/NAME.
type pages map[string]*template.Template

// loadPages reads pages/AREA/NAME.html, each together with what is shared: pages/shared, and the files of its area that begin with _.
func loadPages(a assets) (pages, error) {
	shared, err := template.New("shared").Funcs(templateFuncs(a)).ParseFS(pageFiles, "pages/shared/*.html")
	if err != nil {
		return nil, err
	}
	all := pages{}
	files, err := fs.Glob(pageFiles, "pages/*/*.html")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		dir, name := path.Split(file)
		area := path.Base(dir)
		if area == "shared" || strings.HasPrefix(name, "_") {
			continue
		}
		t, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		parts, err := fs.Glob(pageFiles, dir+"_*.html")
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(pageFiles, append(parts, file)...); err != nil {
			return nil, err
		}
		if t.Lookup("content") == nil {
			return nil, fmt.Errorf("%s does not define content", file)
		}
		all[area+"/"+strings.TrimSuffix(name, ".html")] = t
	}
	return all, nil
}

// page is what a handler says of a page.
type page struct {
	Name   string // AREA/NAME, the template
	Title  string
	Nav    string // the key of its entry in the navigation
	Crumbs []crumb
	Tabs   []tab
	Plain  bool // without the navigation
	Wide   bool // may take all the width
	Form   *form
	Data   any
	Status int // 200 if zero
}

// view is what a template has.
type view struct {
	page
	c *call
	// Flash is what the last change has to say.
	Flash *flash
}

// SignedIn tells whether somebody is signed in.
func (v view) SignedIn() bool { return v.c.in != nil }

// Can tells whether the member has a role at least.
func (v view) Can(role string) bool {
	return v.c.in != nil && v.c.in.Caller.Role.Allows(postroom.Role(role))
}

// Triggers tells whether the member may test, retry and resend what belongs to a webhook or a source.
func (v view) Triggers(id fmt.Stringer) bool {
	return v.c.in != nil && v.c.in.Member.Triggers(id.String())
}

// Me is the member who is signed in.
func (v view) Me() postroom.Member { return v.c.in.Member }

// Workspace is the name of the workspace.
func (v view) Workspace() string { return v.c.in.Workspace() }

// Places are the workspaces to switch to.
func (v view) Places() []postroom.Place { return v.c.in.Places }

// Navigation is what is shown at the side.
func (v view) Navigation() []navGroup { return navigation() }

// FormToken proves that a form comes from this page.
func (v view) FormToken() string { return v.c.formToken() }

// Token is the field of a form that has FormToken.
func (v view) Token() template.HTML {
	return template.HTML(`<input type="hidden" name="` + tokenField + `" value="` + v.c.formToken() + `">`) //nolint:gosec // of base64
}

// Theme is light, dark or empty.
func (v view) Theme() string { return v.c.theme() }

// Here is the page's own path, with its query.
func (v view) Here() string { return v.c.URL.RequestURI() }

// Query is a parameter of the page's query.
func (v view) Query(name string) string { return v.c.URL.Query().Get(name) }

// render answers with a page; htmx gets its content only.
func (c *call) render(p page) error {
	name := "layout"
	if p.Plain {
		name = "plain"
	}
	v := view{page: p, c: c}
	if c.htmx() {
		return c.execute(p.Name, "content", v, p.Status)
	}
	v.Flash = c.takeFlash()
	return c.execute(p.Name, name, v, p.Status)
}

// fragment answers with one template of a page, for htmx.
func (c *call) fragment(name, part string, data any) error {
	return c.execute(name, part, view{page: page{Name: name, Data: data}, c: c}, 0)
}

// text renders one template of a page, for a stream.
func (c *call) text(name, part string, data any) (string, error) {
	var b strings.Builder
	t, err := c.d.page(name)
	if err != nil {
		return "", err
	}
	err = t.ExecuteTemplate(&b, part, view{page: page{Name: name, Data: data}, c: c})
	return b.String(), err
}

func (d *dashboard) page(name string) (*template.Template, error) {
	t := d.pages[name]
	if t == nil {
		return nil, fmt.Errorf("there is no page %q", name)
	}
	return t, nil
}

func (c *call) execute(name, part string, v view, status int) error {
	t, err := c.d.page(name)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, part, v); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "HX-Request, Accept-Encoding")
	return c.write(b.Bytes(), status)
}

const minCompressed = 1024 // bytes

// write answers, compressed if that is worth it.
func (c *call) write(body []byte, status int) error {
	if status == 0 {
		status = http.StatusOK
	}
	c.answered = true
	if len(body) < minCompressed || !takesGzip(c.Request) {
		c.w.WriteHeader(status)
		_, _ = c.w.Write(body) // a browser that went away is no error
		return nil
	}
	c.w.Header().Set("Content-Encoding", "gzip")
	c.w.WriteHeader(status)
	z, err := gzip.NewWriterLevel(c.w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	_, _ = z.Write(body)
	_ = z.Close()
	return nil
}

func takesGzip(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
}

// fail answers with an error, as a page, or for htmx as a note.
func (c *call) fail(err error) {
	if c.answered { // too late
		c.d.logCause(c.Context(), c.URL.Path, err)
		return
	}
	var known *postroom.Error
	if !errors.As(err, &known) {
		known = &postroom.Error{Code: postroom.CodeInternal, Message: "Something went wrong in Postroom. Its log has the cause.", Err: err}
	}
	status := statusOf(known.Code)
	if status >= http.StatusInternalServerError {
		c.d.logCause(c.Context(), c.URL.Path, err)
	}
	v := view{page: page{Name: "shared/error", Title: http.StatusText(status), Plain: c.in == nil, Data: known, Status: status}, c: c}
	part := "layout"
	switch {
	case c.htmx():
		part = "content"
	case c.in == nil || c.in.NeedsPassword:
		part = "plain"
	}
	if err := c.execute("error/error", part, v, status); err != nil {
		c.d.logCause(c.Context(), c.URL.Path, err)
		http.Error(c.w, known.Message, status)
	}
}

// statusOf is the HTTP status of a code.
func statusOf(code postroom.Code) int {
	switch code {
	case postroom.CodeUnauthenticated:
		return http.StatusUnauthorized
	case postroom.CodeForbidden:
		return http.StatusForbidden
	case postroom.CodeNotFound:
		return http.StatusNotFound
	case postroom.CodeConflict, postroom.CodeInFlight:
		return http.StatusConflict
	case postroom.CodePreconditionFailed:
		return http.StatusPreconditionFailed
	case postroom.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case postroom.CodeRateLimited:
		return http.StatusTooManyRequests
	case postroom.CodeUnavailable:
		return http.StatusServiceUnavailable
	case postroom.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusUnprocessableEntity
}
