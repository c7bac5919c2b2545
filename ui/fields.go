package ui

import (
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

func fieldsPage(c *call) error {
	fields, err := c.app.Fields(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	return c.render(page{Name: "fields/list", Title: "Custom fields", Nav: "contacts", Tabs: audienceTabs(c), Data: fields})
}

// fieldTypes are the types of custom fields, with what they hold.
func fieldTypes() []option {
	hints := map[postroom.FieldType]string{postroom.FieldText: "any text", postroom.FieldNumber: "a number", postroom.FieldBoolean: "yes or no",
		postroom.FieldDate: "a day or a time, such as 2026-01-31", postroom.FieldChoice: "one of some options", postroom.FieldJSON: "anything, as JSON"}
	var all []option
	for _, t := range postroom.FieldTypes() {
		all = append(all, option{string(t), string(t), hints[t]})
	}
	return all
}

type fieldFormData struct {
	Name  string // of a field that there is; empty for a new one
	Types []option
}

func fieldForm(title, name string, f *form) page {
	return page{Name: "fields/form", Title: title, Nav: "contacts", Crumbs: []crumb{{"Contacts", "/contacts"}, {"Custom fields", "/fields"}}, Form: f, Data: fieldFormData{name, fieldTypes()}}
}

func newFieldPage(c *call) error {
	return c.render(fieldForm("New custom field", "", newForm("type", string(postroom.FieldText))))
}

func fieldInput(f *form) app.FieldInput {
	in := app.FieldInput{Name: f.Get("name"), Title: f.Get("title"), Type: postroom.FieldType(f.Get("type"))}
	for _, line := range strings.Split(f.Get("options"), "\n") {
		if line = strings.TrimSpace(line); line != "" && in.Type == postroom.FieldChoice {
			in.Options = append(in.Options, line)
		}
	}
	return in
}

func createField(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if _, err := c.app.CreateField(c.Context(), c.in.Caller, fieldInput(f)); err != nil {
		return c.invalid(err, fieldForm("New custom field", "", f), "name", "title", "type", "options")
	}
	return c.redirect("/fields", "The field was declared.")
}

func editFieldPage(c *call) error {
	field, err := c.app.Field(c.Context(), c.in.Caller, c.URL.Query().Get("name"))
	if err != nil {
		return err
	}
	return c.render(fieldForm(nameOr(field.Title, field.Name), field.Name, newForm("name", field.Name, "title", field.Title, "type", string(field.Type), "options", strings.Join(field.Options, "\n"))))
}

func changeField(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	name := f.Get("name")
	if _, err := c.app.UpdateField(c.Context(), c.in.Caller, name, func(in *app.FieldInput) error {
		*in = fieldInput(f)
		return nil
	}); err != nil {
		return c.invalid(err, fieldForm(name, name, f), "title", "type", "options")
	}
	return c.redirect("/fields", "The field was changed.")
}

func deleteField(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if err := c.app.DeleteField(c.Context(), c.in.Caller, f.Raw("name")); err != nil {
		return err
	}
	return c.redirect("/fields", "The declaration was taken back. What contacts hold stays.")
}
