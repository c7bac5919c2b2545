package ui

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// portalApp is what the portal for a workspace's customers needs of the application.
type portalApp interface {
	OpenPortal(ctx context.Context, token string) (app.Visit, error)
	PortalEventTypes(ctx context.Context, v app.Visit) ([]postroom.EventType, error)
	PortalWebhooks(ctx context.Context, v app.Visit, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error)
	PortalWebhook(ctx context.Context, v app.Visit, ref string) (postroom.Webhook, error)
	CreatePortalWebhook(ctx context.Context, v app.Visit, in app.PortalInput) (postroom.Webhook, string, error)
	UpdatePortalWebhook(ctx context.Context, v app.Visit, ref string, in app.PortalInput) (postroom.Webhook, error)
	DeletePortalWebhook(ctx context.Context, v app.Visit, ref string) error
	PausePortalWebhook(ctx context.Context, v app.Visit, ref string) (postroom.Webhook, error)
	ResumePortalWebhook(ctx context.Context, v app.Visit, ref string) (postroom.Webhook, error)
	TestPortalWebhook(ctx context.Context, v app.Visit, ref string) (postroom.Delivery, postroom.Attempt, error)
	RotatePortalSecret(ctx context.Context, v app.Visit, ref string) (string, error)
	PortalDeliveries(ctx context.Context, v app.Visit, ref string, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error)
	PortalDelivery(ctx context.Context, v app.Visit, id string) (postroom.Delivery, []postroom.Attempt, error)
	RetryPortalDelivery(ctx context.Context, v app.Visit, id string) (postroom.Delivery, error)
}

const portalPrefix = "/portal/"

// portalRoutes are the pages that a workspace's customers see. Nobody signs in: the token in the path says whose webhooks are meant, and the
// forms need no other proof of where they come from, since who does not know the token cannot name their path.
func portalRoutes() []route {
	const base, hook, delivery = portalPrefix + "{token}", "/webhooks/{id}", "/deliveries/{id}"
	show := func(path string, handle func(c *portalCall) error) route { return get(base+path, "", inPortal(handle)) }
	change := func(path string, handle func(c *portalCall) error) route {
		return post(base+path, "", inPortal(handle))
	}
	return []route{
		show("", portalList), show("/theme.css", portalTheme), show("/new", portalNew), change("/new", portalCreate),
		show(hook, portalWebhook), show(hook+"/edit", portalEdit), change(hook+"/edit", portalUpdate), change(hook+"/test", portalTest), change(hook+"/pause", portalPause),
		change(hook+"/resume", portalResume), change(hook+"/rotate", portalRotate), change(hook+"/delete", portalDelete),
		show(delivery, portalDelivery), change(delivery+"/retry", portalRetry),
	}
}

// portalCall is a call in the portal.
type portalCall struct {
	*call
	visit app.Visit
	base  string
}

// inPortal opens the portal with the token of the path, and lets its pages into the frames that the operator allows.
func inPortal(handle func(c *portalCall) error) func(c *call) error {
	return func(c *call) error {
		c.in = nil // whoever else is signed in here
		token := c.PathValue("token")
		visit, err := c.app.OpenPortal(c.Context(), token)
		p := &portalCall{c, visit, portalPrefix + token}
		c.w.Header().Set("Content-Security-Policy", portalPolicy(visit.Portal.FrameOrigins))
		if err == nil {
			err = handle(p)
		}
		if err != nil {
			return p.failed(err)
		}
		return nil
	}
}

// portalPolicy is the policy of the portal's pages. It has nowhere to report to: reports would have the token in them.
func portalPolicy(origins []string) string {
	frames := "'none'"
	if len(origins) > 0 {
		frames = strings.Join(origins, " ")
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors " + frames
}

// portalPage is what the templates of the portal have as their data.
type portalPage struct {
	Base   string // of all paths
	Portal postroom.Portal
	Open   bool   // the link works
	Done   string // what was just done
	More   any
}

func (c *portalCall) page(name, title string, more any) page {
	return page{Name: "portal/" + name, Title: title, Data: portalPage{Base: c.base, Portal: c.visit.Portal, Open: c.visit.Customer != "", Done: portalDone(c.URL.Query().Get("done")), More: more}}
}

func (c *portalCall) show(p page) error {
	return c.execute(p.Name, "portal", view{page: p, c: c.call}, p.Status)
}

// failed shows what is wrong. The path, which has the token in it, stays out of the log.
func (c *portalCall) failed(err error) error {
	var known *postroom.Error
	if !errors.As(err, &known) {
		known = &postroom.Error{Code: postroom.CodeInternal, Message: "Something went wrong. Please try again later."}
	}
	status := statusOf(known.Code)
	if status >= http.StatusInternalServerError {
		c.d.logCause(c.Context(), portalPrefix+"…", err)
	}
	p := c.page("error", http.StatusText(status), known.Message)
	p.Status = status
	return c.show(p)
}

// invalid shows a form again with what is wrong with it.
func (c *portalCall) invalid(err error, p page) error {
	code := postroom.CodeOf(err)
	if code == postroom.CodeNotFound {
		return err
	}
	if failed := p.Form.take(err, []string{"name", "url", "events"}); failed != nil {
		return failed
	}
	p.Status = statusOf(code)
	return c.show(p)
}

// went leads to a page that says what was done. It is said in the query, since frames have no cookies.
func (c *portalCall) went(path, done string) error {
	c.leadTo(c.base + path + "?done=" + done)
	return nil
}

func portalDone(key string) string {
	return map[string]string{"changed": "The webhook was changed.", "paused": "The webhook is paused. What happens meanwhile is kept, and sent when you resume it.",
		"resumed": "The webhook is active again, and what was kept is sent now.", "deleted": "The webhook was deleted.", "tested": "A sample was sent. This is what came of it.",
		"retried": "It is sent again now. Load the page anew to see what came of it."}[key]
}

func portalList(c *portalCall) error {
	found, err := c.app.PortalWebhooks(c.Context(), c.visit, c.pageQuery())
	if err != nil {
		return err
	}
	return c.show(c.page("list", "Webhooks", found))
}

// portalTheme is the stylesheet with the operator's colours, which were checked when they were set, and are again.
func portalTheme(c *portalCall) error {
	c.w.Header().Set("Content-Type", "text/css; charset=utf-8")
	return c.write([]byte(themeOf(c.visit.Portal)), http.StatusOK)
}

func themeOf(p postroom.Portal) string {
	css := ""
	if light, ok := isLight(p.Background); ok {
		scheme := "dark"
		if light {
			scheme = "light"
		}
		css += ":root { color-scheme: " + scheme + "; --back: " + p.Background + "; }\n"
	}
	if light, ok := isLight(p.Accent); ok {
		ink := "#ffffff"
		if light {
			ink = "#101218"
		}
		css += ":root { --accent: " + p.Accent + "; --accent-ink: " + ink + "; --accent-soft: color-mix(in srgb, " + p.Accent + " 14%, var(--paper)); --accent-text: color-mix(in srgb, " + p.Accent + " 65%, var(--ink)); }\n"
	}
	return css
}

// isLight tells whether dark text is the easier to read on a colour; not ok for what is none.
func isLight(hex string) (light, ok bool) {
	if len(hex) != 7 || hex[0] != '#' {
		return false, false
	}
	n, err := strconv.ParseUint(hex[1:], 16, 32)
	r, g, b := float64(n>>16&255), float64(n>>8&255), float64(n&255)
	return 0.299*r+0.587*g+0.114*b > 150, err == nil
}

// portalForm is the form of a webhook. Event types that it has and that cannot be chosen are shown, and may stay.
func portalForm(c *portalCall, title string, f *form, w postroom.Webhook) (page, error) {
	types, err := c.app.PortalEventTypes(c.Context(), c.visit)
	if err != nil {
		return page{}, err
	}
	known := map[string]bool{}
	var options []option
	for _, t := range types {
		known[t.Name] = true
		options = append(options, option{t.Name, nameOr(t.Title, t.Name), t.Name})
	}
	for _, e := range w.Events {
		if !known[e] {
			options = append(options, option{e, e, ""})
		}
	}
	p := c.page("form", title, map[string]any{"Events": options, "Webhook": w})
	p.Form = f
	return p, nil
}

func portalNew(c *portalCall) error {
	p, err := portalForm(c, "Add a webhook", newForm(), postroom.Webhook{})
	if err != nil {
		return err
	}
	return c.show(p)
}

func portalInput(f *form) app.PortalInput {
	return app.PortalInput{Name: f.Get("name"), URL: f.Get("url"), Events: f.All("events")}
}

func portalCreate(c *portalCall) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	w, secret, err := c.app.CreatePortalWebhook(c.Context(), c.visit, portalInput(f))
	if err != nil {
		p, failed := portalForm(c, "Add a webhook", f, postroom.Webhook{})
		if failed != nil {
			return failed
		}
		return c.invalid(err, p)
	}
	return c.show(c.page("secret", "Your webhook is ready", map[string]any{"Webhook": w, "Secret": secret, "New": true}))
}

func portalWebhook(c *portalCall) error {
	w, err := c.app.PortalWebhook(c.Context(), c.visit, c.PathValue("id"))
	if err != nil {
		return err
	}
	found, err := c.app.PortalDeliveries(c.Context(), c.visit, w.ID.String(), c.pageQuery())
	if err != nil {
		return err
	}
	return c.show(c.page("webhook", nameOr(w.Name, w.URL), map[string]any{"Webhook": w, "Deliveries": found}))
}

func portalEdit(c *portalCall) error {
	w, err := c.app.PortalWebhook(c.Context(), c.visit, c.PathValue("id"))
	if err != nil {
		return err
	}
	f := newForm("name", w.Name, "url", w.URL)
	f.values["events"] = w.Events
	p, err := portalForm(c, "Edit the webhook", f, w)
	if err != nil {
		return err
	}
	return c.show(p)
}

func portalUpdate(c *portalCall) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	w, err := c.app.PortalWebhook(c.Context(), c.visit, c.PathValue("id"))
	if err != nil {
		return err
	}
	if _, err := c.app.UpdatePortalWebhook(c.Context(), c.visit, w.ID.String(), portalInput(f)); err != nil {
		p, failed := portalForm(c, "Edit the webhook", f, w)
		if failed != nil {
			return failed
		}
		return c.invalid(err, p)
	}
	return c.went("/webhooks/"+w.ID.String(), "changed")
}

func portalTest(c *portalCall) error {
	d, _, err := c.app.TestPortalWebhook(c.Context(), c.visit, c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.went("/deliveries/"+d.ID.String(), "tested")
}

func portalPause(c *portalCall) error {
	w, err := c.app.PausePortalWebhook(c.Context(), c.visit, c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.went("/webhooks/"+w.ID.String(), "paused")
}

func portalResume(c *portalCall) error {
	w, err := c.app.ResumePortalWebhook(c.Context(), c.visit, c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.went("/webhooks/"+w.ID.String(), "resumed")
}

func portalRotate(c *portalCall) error {
	w, err := c.app.PortalWebhook(c.Context(), c.visit, c.PathValue("id"))
	if err != nil {
		return err
	}
	secret, err := c.app.RotatePortalSecret(c.Context(), c.visit, w.ID.String())
	if err != nil {
		return err
	}
	return c.show(c.page("secret", "Your new secret", map[string]any{"Webhook": w, "Secret": secret, "New": false}))
}

func portalDelete(c *portalCall) error {
	if err := c.app.DeletePortalWebhook(c.Context(), c.visit, c.PathValue("id")); err != nil {
		return err
	}
	return c.went("", "deleted")
}

// portalAttempt is an attempt as customers see it.
type portalAttempt struct {
	postroom.Attempt
	Sent, Answer string // the bodies, cut
}

func portalDelivery(c *portalCall) error {
	d, attempts, err := c.app.PortalDelivery(c.Context(), c.visit, c.PathValue("id"))
	if err != nil {
		return err
	}
	shown := make([]portalAttempt, len(attempts))
	for i, a := range attempts {
		shown[i] = portalAttempt{Attempt: a, Sent: longBody(a.Request.Body)}
		if a.Response != nil {
			shown[i].Answer = longBody(a.Response.Body)
		}
	}
	return c.show(c.page("delivery", d.EventType, map[string]any{"Delivery": &d, "Attempts": shown}))
}

func portalRetry(c *portalCall) error {
	d, err := c.app.RetryPortalDelivery(c.Context(), c.visit, c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.went("/deliveries/"+d.ID.String(), "retried")
}
