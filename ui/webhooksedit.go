package ui

import (
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// webhookForm is what the form of a webhook shows beside its fields.
type webhookForm struct {
	Webhook  *postroom.Webhook // nil for a new one
	Dialects []option
	Dialect  postroom.DialectResource
	Defaults postroom.WebhookSettings // the dialect's
	Groups   []eventGroup
	Headers  []headerGroup // that the dialect reserves
	Samples  []option      // events to preview with
	Past     []option
	Preview  previewed
}

// Action is where the form is sent.
func (d webhookForm) Action() string {
	if d.Webhook == nil {
		return "/webhooks"
	}
	return "/webhooks/" + d.Webhook.ID.String()
}

// Schedule is the dialect's, in words.
func (d webhookForm) Schedule() string { return schedule(d.Defaults.Retry.Schedule) }

// Rate is the dialect's limit, in words.
func (d webhookForm) Rate() string {
	if d.Defaults.RateLimit == nil {
		return "none"
	}
	return rateLimit(d.Defaults.RateLimit) + " per " + d.Defaults.RateLimit.Period.String()
}

// Auths are the kinds of authorization that the dialect has.
func (d webhookForm) Auths() (offered []option) {
	for _, o := range authTypes() {
		if slices.Contains(d.Dialect.Auth, postroom.AuthType(o.Value)) {
			offered = append(offered, o)
		}
	}
	return offered
}

// Grants are how OAuth 2 gives tokens.
func (d webhookForm) Grants() []option {
	return []option{{string(postroom.GrantClientCredentials), "Client credentials", "an id and a secret"}, {string(postroom.GrantJWTBearer), "JWT bearer", "an assertion signed with a private key"}}
}

// ClientAuths are where the client's id and secret go.
func (d webhookForm) ClientAuths() []option {
	return []option{{string(postroom.ClientAuthHeader), "In the header", "Authorization: Basic"}, {string(postroom.ClientAuthBody), "In the body", ""}}
}

// Payloads are the ways to build one.
func (d webhookForm) Payloads() []option {
	return []option{
		{payloadOwn, "The dialect's own", "What its receivers expect."},
		{payloadFields, "Only these fields", "Of the dialect's own payload."},
		{payloadAdd, "Add fields", "To the dialect's own payload."},
		{payloadBoth, "Only these fields, and add some", ""},
		{payloadTemplate, "A template of your own", "JSON, in which {names} are replaced."},
	}
}

// Methods are those that a call may have.
func (d webhookForm) Methods() []option {
	return []option{{"", "The dialect's: " + d.Defaults.Method, ""}, {"POST", "POST", ""}, {"PUT", "PUT", ""}, {"PATCH", "PATCH", ""}}
}

// Orders are what must not be overtaken.
func (d webhookForm) Orders() []option {
	return []option{{string(postroom.OrderingNone), "None", "as fast as possible"}, {string(postroom.OrderingKey), "By key", "in order for each contact, or ordering key"}, {string(postroom.OrderingWebhook), "Strict", "one after the other"}}
}

// Answers are whether an answer has to be JSON.
func (d webhookForm) Answers() []option {
	return []option{{"", "The dialect's: " + yesNo(d.Defaults.ExpectJSON), ""}, {"no", "No", "any 2xx is a success"}, {"yes", "Yes", "a 2xx without JSON is a failure"}}
}

// eventGroup is a group of event types to choose from.
type eventGroup struct {
	Name, Title string
	Wildcard    string // that stands for all of it; empty for none
	Types       []eventChoice
}

// eventChoice is an event type to choose.
type eventChoice struct {
	postroom.EventType
	Vendor string // the dialect's name for it, if it has another
}

// headerGroup is the headers that the dialect sends with some events.
type headerGroup struct {
	Title   string
	Headers []postroom.DialectHeader
}

// webhookForm makes the form of a webhook that there is, or of a new one.
func (c *call) webhookForm(f *form, w *postroom.Webhook) (page, error) {
	p := page{Name: "webhooks/edit", Title: "Add a webhook", Nav: "webhooks", Crumbs: []crumb{webhookTop()}, Form: f}
	if w != nil {
		p = webhookSubpage(w, "webhooks/edit", "Edit")
		p.Form = f
	}
	d := webhookForm{Webhook: w, Defaults: c.app.DefaultSettings(f.Get("dialect"))}
	if err := c.fillDialect(&d); err != nil {
		return p, err
	}
	types, err := c.app.EventTypes(c.Context(), c.in.Caller)
	if err != nil {
		return p, err
	}
	d.Groups = eventGroups(types, &d.Dialect, f)
	for _, t := range types {
		d.Samples = append(d.Samples, option{"type:" + t.Name, t.Name, ""})
	}
	past, err := c.app.Events(c.Context(), c.in.Caller, postroom.EventFilter{}, postroom.PageQuery{Limit: 20})
	if err != nil {
		return p, err
	}
	for _, e := range past.Data {
		d.Past = append(d.Past, option{"event:" + e.ID.String(), e.Type + " of " + e.Time.UTC().Format("2 Jan, 15:04:05 UTC"), ""})
	}
	p.Data = d
	return p, nil
}

func (c *call) fillDialect(d *webhookForm) error {
	dialects, err := c.app.ListDialects(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	for _, x := range dialects {
		d.Dialects = append(d.Dialects, option{x.Name, x.Title, ""})
		if x.Name == d.Defaults.Dialect {
			d.Dialect = x
		}
	}
	for _, h := range d.Dialect.Headers {
		title := "Every event"
		if h.Events != "*" {
			title = h.Events
		}
		if n := len(d.Headers); n == 0 || d.Headers[n-1].Title != title {
			d.Headers = append(d.Headers, headerGroup{Title: title})
		}
		last := &d.Headers[len(d.Headers)-1]
		last.Headers = append(last.Headers, h)
	}
	return nil
}

// eventGroups are the event types that the dialect sends, and whatever else is chosen.
func eventGroups(types []postroom.EventType, d *postroom.DialectResource, f *form) (groups []eventGroup) {
	vendor := map[string]string{}
	for _, e := range d.Events {
		vendor[e.Type] = e.Name
	}
	for _, t := range types {
		name, named := vendor[t.Name]
		if !named && !d.Others && !f.Has("events", t.Name) {
			continue
		}
		if name == t.Name {
			name = ""
		}
		if n := len(groups); n == 0 || groups[n-1].Name != t.Group {
			groups = append(groups, eventGroup{Name: t.Group, Title: strings.ToUpper(t.Group[:1]) + t.Group[1:]})
		}
		last := &groups[len(groups)-1]
		if strings.HasPrefix(t.Name, t.Group+".") {
			last.Wildcard = t.Group + ".*"
		}
		last.Types = append(last.Types, eventChoice{t, name})
	}
	return groups
}

// knownPatterns are what the form has a box for.
func knownPatterns(types []postroom.EventType) map[string]bool {
	known := map[string]bool{"*": true}
	for _, t := range types {
		known[t.Name] = true
		if strings.HasPrefix(t.Name, t.Group+".") {
			known[t.Group+".*"] = true
		}
	}
	return known
}

func newWebhookPage(c *call) error {
	defaults := c.app.DefaultSettings(c.URL.Query().Get("dialect"))
	f := webhookValues(&defaults, &defaults, nil)
	p, err := c.webhookForm(f, nil)
	if err != nil {
		return err
	}
	return c.render(p)
}

func editWebhookPage(c *call) error {
	w, err := c.findWebhook()
	if err != nil {
		return err
	}
	types, err := c.app.EventTypes(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	defaults := c.app.DefaultSettings(w.Dialect)
	p, err := c.webhookForm(webhookValues(&w.WebhookSettings, &defaults, knownPatterns(types)), &w)
	if err != nil {
		return err
	}
	return c.render(p)
}

// readWebhook reads the form of a webhook; w is the one that it changes, or nil.
func (c *call) readWebhook(w *postroom.Webhook) (*form, postroom.WebhookSettings, error) {
	f, err := c.form()
	if err != nil {
		return nil, postroom.WebhookSettings{}, err
	}
	var old *postroom.WebhookSettings
	if w != nil {
		old = &w.WebhookSettings
	}
	r := &formReader{form: f}
	s := r.settings(c.app.DefaultSettings(f.Get("dialect")), old)
	return f, s, r.problems.Err()
}

// wrongWebhook shows the form again.
func (c *call) wrongWebhook(err error, f *form, s *postroom.WebhookSettings, w *postroom.Webhook) error {
	if f == nil {
		return err
	}
	p, failed := c.webhookForm(f, w)
	if failed != nil {
		return failed
	}
	return c.invalid(atPlaces(err, f, s), p, webhookFields()...)
}

// madeSecret is a secret that is shown this once.
type madeSecret struct {
	Webhook postroom.Webhook
	Secret  string
	Public  string // the key that the receiver verifies with, of ed25519
	Until   *postroom.Timestamp
	New     bool // with the webhook itself
}

func createWebhook(c *call) error {
	f, s, err := c.readWebhook(nil)
	if err != nil {
		return c.wrongWebhook(err, f, &s, nil)
	}
	w, secret, err := c.app.CreateWebhook(c.Context(), c.in.Caller, s, postroom.WebhookStatus(f.Get("status")), f.Get("secret"))
	if err != nil {
		return c.wrongWebhook(err, f, &s, nil)
	}
	return c.render(page{Name: "webhooks/made", Title: w.Name, Nav: "webhooks", Crumbs: []crumb{webhookTop()}, Data: madeSecret{Webhook: w, Secret: secret, New: true}})
}

func changeWebhook(c *call) error {
	w, err := c.findWebhook()
	if err != nil {
		return err
	}
	f, s, err := c.readWebhook(&w)
	if err != nil {
		return c.wrongWebhook(err, f, &s, &w)
	}
	_, err = c.app.UpdateWebhook(c.Context(), c.in.Caller, w.ID.String(), w.Version, func(into *postroom.WebhookSettings) error {
		*into = s
		return nil
	})
	if err != nil {
		return c.wrongWebhook(err, f, &s, &w)
	}
	return c.redirect("/webhooks/"+w.ID.String(), s.Name+" was changed.")
}

// webhookParts gives the parts of the form anew that depend on the dialect.
func webhookParts(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	p, err := c.webhookForm(f, nil)
	if err != nil {
		return err
	}
	p.Name = "webhooks/edit"
	return c.execute(p.Name, "parts", view{page: p, c: c}, 0)
}
