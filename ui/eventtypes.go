package ui

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// typeGroup is a group of event types.
type typeGroup struct {
	Name  string
	Types []postroom.EventType
}

// typeGroups are all event types, by group, in the order of the catalogue; those of the workspace come last.
func typeGroups(c *call) ([]typeGroup, error) {
	types, err := c.app.EventTypes(c.Context(), c.in.Caller)
	if err != nil {
		return nil, err
	}
	var groups []typeGroup
	at := map[string]int{}
	for _, t := range types {
		i, ok := at[t.Group]
		if !ok {
			i = len(groups)
			at[t.Group] = i
			groups = append(groups, typeGroup{Name: t.Group})
		}
		groups[i].Types = append(groups[i].Types, t)
	}
	return groups, nil
}

func typesPage(c *call) error {
	groups, err := typeGroups(c)
	if err != nil {
		return err
	}
	return c.render(page{Name: "events/types", Title: "Event types", Nav: "events", Tabs: eventTabs(c), Data: groups})
}

// typeAt is the type that the path names.
func typeAt(c *call) (postroom.EventType, error) {
	return c.app.EventType(c.Context(), c.in.Caller, c.PathValue("type"))
}

func typesCrumb() []crumb { return []crumb{{"Event types", "/event-types"}} }

func typePage(c *call) error {
	t, err := typeAt(c)
	if err != nil {
		return err
	}
	return c.render(page{Name: "events/type", Title: t.Name, Nav: "events", Crumbs: typesCrumb(), Data: t})
}

func typeFields() []string {
	return []string{"name", "group", "title", "description", "schema", "sample"}
}

func newTypePage(c *call) error {
	f := newForm("schema", "{\n  \"type\": \"object\",\n  \"properties\": {}\n}", "sample", "{\n}")
	return c.render(newTypeForm(f))
}

func newTypeForm(f *form) page {
	return page{Name: "events/declare", Title: "New event type", Nav: "events", Crumbs: typesCrumb(), Form: f}
}

// typeInput is what the form of an event type says. What is no JSON is refused where it stands.
func typeInput(f *form) (app.EventTypeInput, error) {
	in := app.EventTypeInput{Name: f.Get("name"), Group: f.Get("group"), Title: f.Get("title"), Description: strings.ReplaceAll(f.Get("description"), "\r\n", "\n")}
	var p postroom.Problems
	for _, x := range []struct {
		name string
		to   *json.RawMessage
	}{{"schema", &in.Schema}, {"sample", &in.Sample}} {
		text := f.Get(x.name)
		if text == "" {
			continue
		}
		*x.to = json.RawMessage(text)
		if !json.Valid(*x.to) {
			p.Add("/"+x.name, "this is no JSON")
		}
	}
	return in, p.Err()
}

func typePath(name string) string { return "/event-types/" + url.PathEscape(name) }

func createType(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	in, err := typeInput(f)
	var t postroom.EventType
	if err == nil {
		t, err = c.app.CreateEventType(c.Context(), c.in.Caller, in)
	}
	if err != nil {
		return c.invalid(err, newTypeForm(f), typeFields()...)
	}
	return c.redirect(typePath(t.Name), "The event type is declared.")
}

func editTypeForm(t postroom.EventType, f *form) page {
	return page{Name: "events/edit", Title: "Change " + t.Name, Nav: "events", Crumbs: append(typesCrumb(), crumb{t.Name, typePath(t.Name)}), Form: f, Data: t}
}

func editTypePage(c *call) error {
	t, err := typeAt(c)
	if err != nil {
		return err
	}
	if !t.Custom {
		return postroom.Errorf(postroom.CodeConflict, "The event type %s is part of the catalogue, which cannot be changed.", t.Name)
	}
	f := newForm("group", t.Group, "title", t.Title, "description", t.Description)
	for name, raw := range map[string]json.RawMessage{"schema": t.Schema, "sample": t.Sample} {
		if raw != nil {
			f.values.Set(name, pretty(raw))
		}
	}
	return c.render(editTypeForm(t, f))
}

func updateType(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	t, err := typeAt(c)
	if err != nil {
		return err
	}
	in, err := typeInput(f)
	if err == nil {
		_, err = c.app.UpdateEventType(c.Context(), c.in.Caller, t.Name, func(to *app.EventTypeInput) error {
			in.Name = to.Name
			*to = in
			return nil
		})
	}
	if err != nil {
		return c.invalid(err, editTypeForm(t, f), typeFields()...)
	}
	return c.redirect(typePath(t.Name), "The event type is changed.")
}

func deleteType(c *call) error {
	if err := c.app.DeleteEventType(c.Context(), c.in.Caller, c.PathValue("type")); err != nil {
		return err
	}
	return c.redirect("/event-types", c.PathValue("type")+" is deleted.")
}
