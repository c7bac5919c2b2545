package ui

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// filterForm is the form of a filter bar, which holds what the page's own query says.
func (c *call) filterForm() *form {
	f := newForm()
	f.values = c.URL.Query()
	return f
}

// list answers with a list that has a filter bar: to htmx, which asks for the list alone, with the template "results" of the page. The URL
// of the browser then says what the bar says.
func (c *call) list(p page) error {
	if !c.htmx() || c.Header.Get("HX-Target") != "results" {
		return c.render(p)
	}
	if c.Header.Get("HX-Trigger") == "filter" {
		c.w.Header().Set("HX-Push-Url", tidyURL(c.URL.Path, c.URL.Query()))
	}
	return c.execute(p.Name, "results", view{page: p, c: c}, p.Status)
}

// tidyURL is a URL without the parameters that are empty; but those that are left out.
func tidyURL(path string, q url.Values, but ...string) string {
	tidy := url.Values{}
	for name, values := range q {
		for _, v := range values {
			if v = strings.TrimSpace(v); v != "" && !slices.Contains(but, name) {
				tidy.Add(name, v)
			}
		}
	}
	return (&url.URL{Path: path, RawQuery: tidy.Encode()}).String()
}

// blameFilter shows what is wrong with a filter, at the fields that there are. An error that is none of the person's is given back.
func (p *page) blameFilter(err error, fields ...string) error {
	known, is := asRefusal(err)
	if !is {
		return err
	}
	moved := *known
	moved.Fields = nil
	for _, e := range known.Fields {
		moved.Fields = append(moved.Fields, postroom.FieldError{Pointer: "/" + strings.TrimLeft(e.Pointer, "/?"), Detail: e.Detail})
	}
	p.Status = statusOf(known.Code)
	return p.Form.take(&moved, fields)
}

// Faults are all the things that are wrong with a form, for a place beside it.
func (f *form) Faults() []string {
	all := slices.Clone(f.Errors)
	for _, name := range slices.Sorted(maps.Keys(f.errors)) {
		all = append(all, strings.ReplaceAll(name, "_", " ")+": "+f.errors[name])
	}
	return all
}

// spanOptions are the spans of time up to now that filter bars offer.
func spanOptions() []option {
	return []option{{"", "Any time", ""}, {"1h", "Last hour", ""}, {"24h", "Last 24 hours", ""}, {"168h", "Last 7 days", ""}, {"720h", "Last 30 days", ""}}
}

// spanOf reads the fields since, after and before of a filter bar.
func spanOf(f *form, now time.Time, p *postroom.Problems) (after, before time.Time) {
	if since := f.Get("since"); since != "" {
		d, err := time.ParseDuration(since)
		if err != nil || d <= 0 || d > 10000*time.Hour {
			p.Add("/since", "this is a span of time, such as 24h")
		} else {
			after = now.Add(-d)
		}
	}
	for _, x := range []struct {
		name string
		to   *time.Time
	}{{"after", &after}, {"before", &before}} {
		text := f.Get(x.name)
		if text == "" {
			continue
		}
		t, ok := parseTime(text)
		if !ok {
			p.Add("/"+x.name, "this is a time in UTC, such as 2026-03-01T09:30")
		}
		*x.to = t
	}
	return after, before
}

// parseTime reads what browsers send for a time, as one of UTC; and times as the API writes them.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// eventTypeOptions are the names of all event types, and of groups of them.
func (c *call) eventTypeOptions() ([]option, error) {
	types, err := c.app.EventTypes(c.Context(), c.in.Caller)
	if err != nil {
		return nil, err
	}
	var all []option
	group := ""
	for _, t := range types {
		if first, _, ok := strings.Cut(t.Name, "."); ok && first != group {
			group = first
			all = append(all, option{group + ".*", "all of " + group, ""})
		}
		all = append(all, option{t.Name, t.Title, ""})
	}
	return all, nil
}

// webhookNames are names for webhooks; of a deleted one, that it is.
type webhookNames map[postroom.WebhookID]string

const deletedWebhook = "deleted webhook"

// find looks up the names that are not known yet.
func (n webhookNames) find(c *call, ids ...postroom.WebhookID) error {
	for _, id := range ids {
		if n[id] != "" {
			continue
		}
		w, err := c.app.Webhook(c.Context(), c.in.Caller, id.String())
		switch {
		case postroom.CodeOf(err) == postroom.CodeNotFound:
			n[id] = deletedWebhook
		case err != nil:
			return err
		default:
			n[id] = nameOr(w.Name, w.URL)
		}
	}
	return nil
}

// webhookOptions are the newest webhooks, to choose from, and whether there are more of them.
func (c *call) webhookOptions() (options []option, names webhookNames, more bool, err error) {
	names = webhookNames{}
	found, err := c.app.Webhooks(c.Context(), c.in.Caller, postroom.PageQuery{Limit: postroom.MaxPageLimit})
	for _, w := range found.Data {
		names[w.ID] = nameOr(w.Name, w.URL)
		options = append(options, option{w.ID.String(), names[w.ID], ""})
	}
	return options, names, found.NextCursor != nil, err
}
