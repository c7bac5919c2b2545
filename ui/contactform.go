package ui

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

func asError(err error) *postroom.Error {
	var known *postroom.Error
	if errors.As(err, &known) {
		return known
	}
	return nil
}

// customPrefix begins the names of the form's fields that are custom ones.
const customPrefix = "custom_fields."

// formField is a declared custom field in the form.
type formField struct {
	postroom.Field
	Key     string // of the form
	Label   string
	Options []option
}

type contactFormData struct {
	Contact  postroom.Contact
	Statuses []option
	Fields   []formField
	Lists    []option
}

// contactForm is the form of a contact that is made, or that there is.
func contactForm(c *call, f *form, x postroom.Contact) (page, error) {
	fields, err := c.app.Fields(c.Context(), c.in.Caller)
	if err != nil {
		return page{}, err
	}
	d := contactFormData{Contact: x, Statuses: statusOptions()}
	if d.Lists, err = listOptions(c); err != nil {
		return page{}, err
	}
	for _, field := range fields {
		shown := formField{Field: field, Key: customPrefix + field.Name, Label: nameOr(field.Title, field.Name), Options: []option{{"", "–", ""}}}
		switch field.Type {
		case postroom.FieldBoolean:
			shown.Options = append(shown.Options, option{"true", "yes", ""}, option{"false", "no", ""})
		case postroom.FieldChoice:
			for _, o := range field.Options {
				shown.Options = append(shown.Options, option{o, o, ""})
			}
		}
		shown.Options = withOption(shown.Options, f.Get(shown.Key))
		d.Fields = append(d.Fields, shown)
	}
	p := page{Name: "contacts/form", Title: "New contact", Nav: "contacts", Crumbs: []crumb{{"Contacts", "/contacts"}}, Form: f, Data: d}
	if !x.ID.IsZero() {
		p.Title = "Edit"
		p.Crumbs = append(p.Crumbs, crumb{contactName(x), "/contacts/" + x.ID.String()})
	}
	return p, nil
}

// names are the fields of the form that can be wrong.
func (d contactFormData) names() []string {
	all := []string{"uid", "email", "phone", "first_name", "last_name", "status", "source", "tags", "lists"}
	for _, f := range d.Fields {
		all = append(all, f.Key)
	}
	return all
}

func newContactPage(c *call) error {
	p, err := contactForm(c, newForm("status", string(postroom.ContactSubscribed)), postroom.Contact{})
	if err != nil {
		return err
	}
	return c.render(p)
}

func contactFailed(c *call, err error, f *form, x postroom.Contact) error {
	p, failed := contactForm(c, f, x)
	if failed != nil {
		return failed
	}
	return c.invalid(err, p, p.Data.(contactFormData).names()...) //nolint:forcetypeassert // contactForm has set it
}

func createContact(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	fields, err := c.app.Fields(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	custom := map[string]json.RawMessage{}
	setCustom(custom, f, fields)
	status := postroom.ContactStatus(f.Get("status"))
	text := func(name string) *string {
		if v := f.Get(name); v != "" {
			return &v
		}
		return nil
	}
	in := app.ContactInput{Tags: app.Words(f.Get("tags")), Lists: f.All("lists"), Fields: postroom.ContactFields{UID: text("uid"), Email: text("email"), Phone: text("phone"),
		FirstName: text("first_name"), LastName: text("last_name"), Source: text("source"), Status: &status, CustomFields: custom}}
	made, err := c.app.CreateContact(c.Context(), c.in.Caller, in)
	if err != nil {
		return contactFailed(c, err, f, postroom.Contact{})
	}
	return c.redirect("/contacts/"+made.ID.String(), "The contact was made.")
}

// setCustom sets what a form says of declared fields. What is empty is taken away.
func setCustom(custom map[string]json.RawMessage, f *form, fields []postroom.Field) {
	for _, field := range fields {
		value := f.Get(customPrefix + field.Name)
		if value == "" {
			delete(custom, field.Name)
			continue
		}
		raw := []byte(value)
		switch field.Type {
		case postroom.FieldNumber, postroom.FieldBoolean, postroom.FieldJSON: // as they are; what is no JSON is a text, which the type's check refuses
			if json.Valid(raw) {
				break
			}
			fallthrough
		default:
			raw, _ = json.Marshal(value) // a text never fails
		}
		custom[field.Name] = raw
	}
}

func editContactPage(c *call) error {
	x, err := c.app.Contact(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	f := newForm("email", x.Email, "phone", x.Phone, "first_name", x.FirstName, "last_name", x.LastName, "status", string(x.Status), "source", x.Source,
		"tags", strings.Join(x.Tags, ", "))
	if x.UID != nil {
		f.values.Set("uid", *x.UID)
	}
	for name, value := range x.CustomFields {
		f.values.Set(customPrefix+name, fieldText(value))
	}
	p, err := contactForm(c, f, x)
	if err != nil {
		return err
	}
	return c.render(p)
}

func changeContact(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	x, err := c.app.Contact(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	fields, err := c.app.Fields(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	_, err = c.app.UpdateContact(c.Context(), c.in.Caller, x.ID.String(), 0, func(s *app.ContactSettings) error {
		s.UID = nil
		if uid := f.Get("uid"); uid != "" {
			s.UID = &uid
		}
		s.Email, s.Phone, s.FirstName, s.LastName = f.Get("email"), f.Get("phone"), f.Get("first_name"), f.Get("last_name")
		s.Status, s.Source, s.Tags = postroom.ContactStatus(f.Get("status")), f.Get("source"), app.Words(f.Get("tags"))
		if s.CustomFields == nil {
			s.CustomFields = map[string]json.RawMessage{}
		}
		setCustom(s.CustomFields, f, fields)
		return nil
	})
	if err != nil {
		return contactFailed(c, err, f, x)
	}
	return c.redirect("/contacts/"+x.ID.String(), "The contact was changed.")
}
