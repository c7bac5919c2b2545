package ui

import (
	"crypto/rand"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// publishData is what the form of a new event shows.
type publishData struct {
	Groups []typeGroup
	Type   *postroom.EventType // that is chosen; nil for none that there is
}

// defaultType is what the form proposes.
const defaultType = "email.opened"

func publishFields() []string { return []string{"type", "data", "id", "time", "actor", "ordering_key"} }

// publishForm is the page of a new event. Its data is the type's sample, unless the person has written some.
func publishForm(c *call, f *form) (page, error) {
	p := page{Name: "events/publish", Title: "Publish an event", Nav: "events", Form: f, Tabs: eventTabs(c)}
	p.Tabs = tabsAt("/events/new", p.Tabs...)
	groups, err := typeGroups(c)
	if err != nil {
		return p, err
	}
	data := &publishData{Groups: groups}
	p.Data = data
	if name := f.Get("type"); name != "" {
		t, err := c.app.EventType(c.Context(), c.in.Caller, name)
		switch {
		case err == nil:
			data.Type = &t
		case postroom.CodeOf(err) != postroom.CodeNotFound:
			return p, err
		}
	}
	if !f.values.Has("data") && data.Type != nil {
		sample := "{}"
		if data.Type.Sample != nil {
			sample = pretty(data.Type.Sample)
		}
		f.values.Set("data", sample)
	}
	if f.Get("once") == "" {
		f.values.Set("once", rand.Text())
	}
	return p, nil
}

func newEventPage(c *call) error {
	f := newForm("type", nameOr(c.URL.Query().Get("type"), defaultType))
	p, err := publishForm(c, f)
	if err != nil {
		return err
	}
	if c.htmx() && c.Header.Get("HX-Target") == "written" { // another type was chosen
		return c.execute(p.Name, "written", view{page: p, c: c}, 0)
	}
	return c.render(p)
}

// publishEvent publishes what a person has written. The form's own token keeps it from being published twice.
func publishEvent(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	var problems postroom.Problems
	in := app.NewEvent{Type: f.Get("type"), UID: f.Get("id"), Actor: f.Get("actor"), OrderingKey: f.Get("ordering_key"), Data: []byte(f.Raw("data"))}
	if text := f.Get("time"); text != "" {
		at, ok := parseTime(text)
		if !ok {
			problems.Add("/time", "this is a time in UTC, such as 2026-03-01T09:30")
		}
		in.Time = at
	}
	if in.Actor == "" {
		in.Actor = c.in.Member.Email
	}
	err = problems.Err()
	var published postroom.Published
	if err == nil {
		published, err = c.app.PublishWritten(c.Context(), c.in.Caller, in, "ui "+f.Get("once"))
	}
	if err != nil {
		p, failed := publishForm(c, f)
		if failed != nil {
			return failed
		}
		return c.invalid(err, p, publishFields()...)
	}
	said := "It is published, and no webhook subscribes to it."
	switch n := len(published.Webhooks); {
	case published.Duplicate:
		said = "An event with this id was published before; nothing new was."
	case n > 0:
		said = "It is published, and goes to " + plural(n, "webhook") + "."
	}
	e, _, err := c.app.Event(c.Context(), c.in.Caller, published.ID)
	if err != nil {
		return err
	}
	return c.redirect("/events/"+e.ID.String(), said)
}
