package ui

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// requestApp is what the pages of requests need of the application.
type requestApp interface {
	Requests(ctx context.Context, who app.Caller, f postroom.RequestFilter, q postroom.PageQuery) (postroom.Page[postroom.Request], error)
	Request(ctx context.Context, who app.Caller, ref string) (postroom.Request, error)
	RetryRequest(ctx context.Context, who app.Caller, ref string) (postroom.Request, error)
	ResendRequest(ctx context.Context, who app.Caller, ref string) (postroom.Request, error)
	EachRequest(ctx context.Context, who app.Caller, f postroom.RequestFilter, whole bool, visit func(postroom.Request) error) error
	ClearRequests(ctx context.Context, who app.Caller, ref string) (int64, error)
}

func requestRoutes() []route {
	const one = "/requests/{id}"
	return []route{
		get("/requests", postroom.RoleViewer, requestsPage), get("/requests/export", postroom.RoleViewer, exportRequests),
		get(one, postroom.RoleViewer, requestPage), get(one+"/body", postroom.RoleViewer, requestBody),
		post(one+"/retry", postroom.RoleViewer, retryRequest), post(one+"/resend", postroom.RoleViewer, resendRequest),
	}
}

// requestList is a page of requests.
type requestList struct {
	postroom.Page[postroom.Request]
	Names    map[postroom.SourceID]string // of sources; nil where all are of one
	Sources  []option
	Statuses []option
	Filtered bool
	Path     string // of the list
	Export   string // the query of an export
}

// Sourced tells whether requests of several sources may be among them.
func (l requestList) Sourced() bool { return l.Names != nil }

// Wrong is what is wrong with the filters of a form.
func (requestList) Wrong(f *form) (all []string) {
	for _, name := range []string{"source", "status", "event_type", "sender", "after", "before"} {
		if e := f.Error(name); e != "" {
			all = append(all, e+".")
		}
	}
	return all
}

// SourceName is what people call the source of a request.
func (l requestList) SourceName(id postroom.SourceID) string { return nameOr(l.Names[id], id.String()) }

// Summary is what came of a request in a few words.
func (requestList) Summary(r postroom.Request) string {
	if r.Log.Error != nil {
		return r.Log.Error.Message
	}
	var all []string
	for _, a := range r.Log.Actions {
		if a.Outcome != postroom.OutcomeSkipped && a.Outcome != postroom.OutcomeNothing {
			all = append(all, strings.ReplaceAll(string(a.Type), "_", " "))
		}
	}
	if len(all) > 3 {
		all = append(all[:3], "and "+strconv.Itoa(len(all)-3)+" more")
	}
	return strings.Join(all, ", ")
}

// statusBadge is a request's status.
func statusBadge(s postroom.RequestStatus) badge {
	switch s {
	case postroom.StatusProcessed:
		return badge{string(s), "ok"}
	case postroom.StatusFailed, postroom.StatusRefused:
		return badge{string(s), "bad"}
	case postroom.StatusQueued, postroom.StatusRetrying:
		return badge{string(s), "wait"}
	}
	return badge{string(s), "plain"}
}

// Badge is a request's status.
func (requestList) Badge(r postroom.Request) badge { return statusBadge(r.State.Status()) }

// Badge is a request's status.
func (recent) Badge(r postroom.Request) badge { return statusBadge(r.State.Status()) }

// requestForm is the filters of a URL as a form, and as a filter. What is wrong with them is said at their fields.
func requestForm(q url.Values) (*form, postroom.RequestFilter) {
	f := newForm()
	for _, name := range []string{"source", "status", "event_type", "sender", "after", "before"} {
		f.values.Set(name, q.Get(name))
		f.shown[name] = true
	}
	filter := postroom.RequestFilter{Status: postroom.RequestStatus(f.Get("status")), EventType: f.Get("event_type"), Sender: f.Get("sender")}
	filter.After, filter.Before = f.moment("after"), f.moment("before")
	if s := f.Get("source"); s != "" {
		id, err := postroom.ParseID[postroom.SourceKind](s)
		if err != nil {
			f.add("source", "there is no such source")
		}
		filter.Source = id
	}
	return f, filter
}

// moment reads a time in UTC, as browsers write local times.
func (f *form) moment(name string) time.Time {
	text := f.Get(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	f.add(name, "this is a time such as 2026-03-15T10:30, in UTC")
	return time.Time{}
}

// findRequests finds the page of requests that a URL asks for. Filters that are wrong find nothing.
func (c *call) findRequests(path string, source *postroom.Source) (*form, requestList, error) {
	q := c.URL.Query()
	f, filter := requestForm(q)
	list := requestList{Path: path, Statuses: []option{{"", "Any", ""}}}
	for _, s := range postroom.RequestStatuses() {
		list.Statuses = append(list.Statuses, option{string(s), string(s), ""})
	}
	if source != nil {
		filter.Source = source.ID
		q.Set("source", source.ID.String())
	}
	q.Del("cursor")
	list.Export = q.Encode()
	for _, name := range []string{"status", "event_type", "sender", "after", "before"} {
		list.Filtered = list.Filtered || f.Get(name) != ""
	}
	list.Filtered = list.Filtered || source == nil && f.Get("source") != ""
	if f.Wrong() {
		return f, list, nil
	}
	found, err := c.app.Requests(c.Context(), c.in.Caller, filter, c.pageQuery())
	if known, is := asRefusal(err); is {
		f.blameQuery(known)
		return f, list, nil
	}
	list.Page = found
	return f, list, err
}

// blameQuery takes over what an error says of parameters of a URL.
func (f *form) blameQuery(err *postroom.Error) {
	plain := *err
	plain.Fields = nil
	for _, e := range err.Fields {
		plain.Fields = append(plain.Fields, postroom.FieldError{Pointer: "/" + strings.TrimPrefix(e.Pointer, "?"), Detail: e.Detail})
	}
	f.blame(&plain)
}

func requestsPage(c *call) error {
	f, list, err := c.findRequests("/requests", nil)
	if err != nil {
		return err
	}
	sources, err := c.app.Sources(c.Context(), c.in.Caller, postroom.PageQuery{Limit: postroom.MaxPageLimit})
	if err != nil {
		return err
	}
	list.Names = map[postroom.SourceID]string{}
	list.Sources = []option{{"", "All sources", ""}}
	for _, s := range sources.Data {
		list.Names[s.ID] = s.Name
		list.Sources = append(list.Sources, option{s.ID.String(), nameOr(s.Name, s.ID.String()), ""})
	}
	return c.render(page{Name: "requests/list", Title: "Requests", Nav: "requests", Form: f, Data: list, Wide: true})
}

func sourceRequestsPage(c *call) error {
	d, err := c.findSource()
	if err != nil {
		return err
	}
	f, list, err := c.findRequests(d.Path("/requests"), &d.Source)
	if err != nil {
		return err
	}
	p := sourceView(c, d, "requests", "Requests", list)
	p.Form, p.Wide = f, true
	return c.render(p)
}

// requestData is one request, whole.
type requestData struct {
	Request postroom.Request
	Source  postroom.Source
	Body    string
	Cut     bool
	Binary  bool
	Answer  string
	Size    int
}

// Badge is the request's status.
func (d requestData) Badge() badge { return statusBadge(d.Request.State.Status()) }

// Outcome is how an action ended.
func (requestData) Outcome(a postroom.ActionResult) badge { return outcomeBadge(a.Outcome) }

func outcomeBadge(o postroom.ActionOutcome) badge {
	switch o {
	case postroom.OutcomeDone:
		return badge{string(o), "ok"}
	case postroom.OutcomeFailed:
		return badge{string(o), "bad"}
	case postroom.OutcomeQueued:
		return badge{string(o), "wait"}
	}
	return badge{string(o), "plain"}
}

// Waits tells whether the request is tried again by itself.
func (d requestData) Waits() bool {
	return d.Request.State == postroom.RequestWaiting || d.Request.State == postroom.RequestRetry
}

// Moves tells whether more is about to happen, so that the page is worth loading anew.
func (d requestData) Moves() bool {
	return d.Request.State == postroom.RequestWaiting || d.Request.State == postroom.RequestLeased
}

// Retryable tells whether the request can be processed again.
func (d requestData) Retryable() bool { return d.Request.State != postroom.RequestRefused }

// Milliseconds is how long the processing took.
func (d requestData) Milliseconds() string {
	return strconv.FormatFloat(float64(d.Request.Duration.Microseconds())/1000, 'f', -1, 64) + " ms"
}

func requestPage(c *call) error {
	r, err := c.app.Request(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	d := requestData{Request: r, Size: len(r.Body), Binary: !utf8.Valid(r.Body)}
	if d.Source, err = c.app.Source(c.Context(), c.in.Caller, r.SourceID.String(), false); err != nil {
		return err
	}
	d.Body, d.Cut = bodyText(r.Body)
	d.Answer, _ = bodyText(r.Answer)
	name := nameOr(d.Source.Name, d.Source.ID.String())
	return c.render(page{Name: "requests/request", Title: "Request", Nav: "requests", Data: d, Form: newForm(),
		Crumbs: []crumb{{"Sources", "/sources"}, {name, "/sources/" + d.Source.ID.String()}, {"Requests", "/sources/" + d.Source.ID.String() + "/requests"}}})
}

// requestBody gives a body as it came, as a file that no browser runs.
func requestBody(c *call) error {
	r, err := c.app.Request(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.file(r.ID.String(), r.Body)
}

func retryRequest(c *call) error {
	r, err := c.app.RetryRequest(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return c.backWith(err)
	}
	return c.redirect("/requests/"+r.ID.String(), "The request is being processed again.")
}

func resendRequest(c *call) error {
	r, err := c.app.ResendRequest(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return c.backWith(err)
	}
	return c.redirect("/requests/"+r.ID.String(), "The request was taken in once more: this is the new one.")
}

// backWith leads back to the request, and says there what went wrong, if that is about its state.
func (c *call) backWith(err error) error {
	var known *postroom.Error
	if errors.As(err, &known) && known.Code == postroom.CodeConflict {
		return c.redirectBad("/requests/"+c.PathValue("id"), known.Message)
	}
	return err
}

// redirectBad leads to another page, which says what went wrong.
func (c *call) redirectBad(path, said string) error {
	return c.redirect(path, "Nothing was done. "+said)
}

func clearRequests(c *call) error {
	n, err := c.app.ClearRequests(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.redirect("/sources/"+c.PathValue("id")+"/requests", "The log was cleared: "+plural(n, "request")+" deleted.")
}
