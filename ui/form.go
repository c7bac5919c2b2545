package ui

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// form is what a form holds, and what is wrong with it.
type form struct {
	values url.Values
	errors map[string]string // by field
	Errors []string          // those of no field that is shown
	shown  map[string]bool
}

// newForm is a form with values in pairs: the name of a field, and what it holds.
func newForm(pairs ...string) *form {
	f := &form{values: url.Values{}, errors: map[string]string{}, shown: map[string]bool{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.values.Add(pairs[i], pairs[i+1])
	}
	return f
}

// form reads the form that was sent.
func (c *call) form() (*form, error) {
	if err := c.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, postroom.Errorf(postroom.CodeTooLarge, "The form is too large.")
		}
		return nil, postroom.Errorf(postroom.CodeInvalid, "The form cannot be read.")
	}
	f := newForm()
	f.values = c.PostForm
	return f, nil
}

// Get is the value of a field, without the white space around it.
func (f *form) Get(name string) string { return strings.TrimSpace(f.values.Get(name)) }

// Raw is the value of a field as it was sent, for passwords and texts.
func (f *form) Raw(name string) string { return f.values.Get(name) }

// All are the values of a field that has several.
func (f *form) All(name string) []string { return f.values[name] }

// Has tells whether a field has a value among its own.
func (f *form) Has(name, value string) bool { return slices.Contains(f.values[name], value) }

// Error is what is wrong with a field; empty for nothing.
func (f *form) Error(name string) string { return f.errors[name] }

// Wrong tells whether anything is.
func (f *form) Wrong() bool { return len(f.errors) > 0 || len(f.Errors) > 0 }

// add blames a field.
func (f *form) add(name, detail string) {
	if f.errors[name] != "" {
		detail = f.errors[name] + "; " + detail
	}
	f.errors[name] = detail
}

// blame takes over what an error says: of fields, by their pointers, such as /retry/jitter for the field retry.jitter; a pointer to a part
// of a field, such as /events/2, for the field that has a name; else of the form.
func (f *form) blame(err *postroom.Error) {
	if len(err.Fields) == 0 {
		f.Errors = append(f.Errors, err.Message)
	}
	for _, e := range err.Fields {
		name := strings.ReplaceAll(strings.TrimPrefix(e.Pointer, "/"), "/", ".")
		for len(f.shown) > 0 && !f.shown[name] {
			at := strings.LastIndexByte(name, '.')
			if at < 0 {
				break
			}
			name = name[:at]
		}
		if len(f.shown) > 0 && !f.shown[name] {
			f.Errors = append(f.Errors, strings.TrimPrefix(e.Pointer, "/")+": "+e.Detail)
			continue
		}
		f.add(name, e.Detail)
	}
}

// invalid shows a form again, with what is wrong with it. Only fields that show gives can be blamed; other errors stand above the form.
// An error that is none of the person's becomes a page.
func (c *call) invalid(err error, p page, fields ...string) error {
	if failed := p.Form.take(err, fields); failed != nil {
		return failed
	}
	code := postroom.CodeOf(err)
	p.Status = statusOf(code)
	if code == postroom.CodeUnauthenticated { // of a sign-in, not of the session
		p.Status = http.StatusUnprocessableEntity
	}
	return c.render(p)
}

// take blames the fields of a form for an error. What is no fault of the person's is returned.
func (f *form) take(err error, names []string) error {
	known, is := asRefusal(err)
	if !is {
		return err
	}
	for _, name := range names {
		f.shown[name] = true
	}
	f.blame(known)
	return nil
}

// asRefusal is an error that is about what was sent.
func asRefusal(err error) (*postroom.Error, bool) {
	var known *postroom.Error
	return known, errors.As(err, &known) && refusal(known.Code)
}

// refusal tells whether a code is about what was sent, so that the form is worth showing again.
func refusal(code postroom.Code) bool {
	switch code {
	case postroom.CodeForbidden, postroom.CodeInternal, postroom.CodeUnavailable:
		return false
	}
	return true
}

// option is one of the values that a field may have.
type option struct{ Value, Label, Hint string }

// field is a field of a form, for the templates of pages/shared/form.html.
type field struct {
	*form
	Name, Label, Type, Hint, Placeholder, Autocomplete string
	Required, Mono, Autofocus                          bool
	Rows                                               int
	Options                                            []option
}

// Value is what the field holds; never that of a password.
func (f field) Value() string {
	if f.Type == "password" {
		return ""
	}
	return f.values.Get(f.Name)
}

// ID is the id of the field's element.
func (f field) ID() string { return "f-" + strings.ReplaceAll(f.Name, ".", "-") }

// Describes are the ids of what describes the field.
func (f field) Describes() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.ID()+"-hint")
	}
	if f.Error(f.Name) != "" {
		ids = append(ids, f.ID()+"-error")
	}
	return strings.Join(ids, " ")
}

// Err is what is wrong with the field.
func (f field) Err() string { return f.Error(f.Name) }

// newField makes a field for a template: its form, name and label, then any of required, mono, autofocus, type=…, hint=…,
// placeholder=…, autocomplete=… and rows=….
func newField(f *form, name, label string, more ...string) (field, error) {
	x := field{form: f, Name: name, Label: label, Type: "text", Rows: 4}
	for _, m := range more {
		key, value, _ := strings.Cut(m, "=")
		switch key {
		case "required":
			x.Required = true
		case "mono":
			x.Mono = true
		case "autofocus":
			x.Autofocus = true
		case "type":
			x.Type = value
		case "hint":
			x.Hint = value
		case "placeholder":
			x.Placeholder = value
		case "autocomplete":
			x.Autocomplete = value
		case "rows":
			x.Rows = atoi(value)
		default:
			return x, errors.New("a field has no " + key)
		}
	}
	return x, nil
}

// newChoice makes a field with options.
func newChoice(f *form, name, label string, options []option, more ...string) (field, error) {
	x, err := newField(f, name, label, more...)
	x.Options = options
	return x, err
}

func atoi(s string) (n int) {
	for _, r := range s {
		n = n*10 + int(r-'0')
	}
	return n
}
