package ui

import (
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// sourceForm is what the form of a new source, or of one that there is, shows.
type sourceForm struct {
	Kinds    []option
	Types    []postroom.EventType
	Keys     []option
	Statuses []option
}

func kindOptions(kinds []app.Kind) (all []option) {
	for _, k := range kinds {
		hint := ""
		if k.Required {
			hint = "signed; needs the signing secret"
		}
		all = append(all, option{k.Name, k.Title, hint})
	}
	return all
}

func newSourceForm(c *call) (sourceForm, error) {
	kinds, err := c.app.SourceKinds(c.Context(), c.in.Caller)
	if err != nil {
		return sourceForm{}, err
	}
	types, err := c.app.EventTypes(c.Context(), c.in.Caller)
	statuses := []option{{string(postroom.SourceActive), "Active", ""}, {string(postroom.SourceInactive), "Inactive", "calls are refused, and are in the log"}}
	return sourceForm{Kinds: kindOptions(kinds), Types: types, Statuses: statuses, Keys: []option{
		{"none", "No key", "The secret token in the URL proves who calls."},
		{"new", "Make a key", "Another layer: callers send it in X-API-Key. It is shown once."},
		{"own", "Use this key", ""},
	}}, err
}

func newSourceView(c *call, f *form) (page, error) {
	data, err := newSourceForm(c)
	return page{Name: "sources/new", Title: "New source", Nav: "sources", Crumbs: []crumb{{"Sources", "/sources"}}, Form: f, Data: data}, err
}

func newSourcePage(c *call) error {
	kind := postroom.KindGeneric
	if k := c.URL.Query().Get("kind"); k != "" {
		kind = k
	}
	p, err := newSourceView(c, newForm("kind", kind, "status", string(postroom.SourceActive), "key", "none"))
	if err != nil {
		return err
	}
	return c.render(p)
}

// basics reads what both forms have into settings.
func (f *form) basics(s *postroom.SourceSettings) {
	s.Name, s.EventType, s.Description = f.Get("name"), f.Get("event_type"), strings.ReplaceAll(f.Get("description"), "\r\n", "\n")
	s.Status = postroom.SourceStatus(f.Get("status"))
	s.UID = nil
	if uid := f.Get("uid"); uid != "" {
		s.UID = &uid
	}
}

func createSource(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	in := c.app.DefaultSource()
	f.basics(&in)
	in.Kind = f.Get("kind")
	switch f.Get("key") {
	case "new":
		in.APIKey = &postroom.SourceKey{}
	case "own":
		in.APIKey = &postroom.SourceKey{Key: f.Raw("api_key.key")}
	}
	if secret := f.Get("signature.secret"); secret != "" {
		in.Signature = &postroom.SourceSignature{Secret: secret}
	}
	var p postroom.Problems
	if in.Name == "" {
		p.Add("/name", "a source has a name, by which people know it")
	}
	if in.APIKey != nil && f.Get("key") == "own" && in.APIKey.Key == "" {
		p.Add("/api_key/key", "this is the key that callers are to send")
	}
	kinds, err := c.app.SourceKinds(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	if k := kindNamed(kinds, in.Kind); k.Required && in.Signature == nil {
		p.Add("/signature/secret", "calls of this kind are signed: give the secret that the sender shows")
	}
	var s postroom.Source
	if err = p.Err(); err == nil {
		s, err = c.app.CreateSource(c.Context(), c.in.Caller, in)
	}
	if err != nil {
		view, failed := newSourceView(c, f)
		if failed != nil {
			return failed
		}
		return c.invalid(err, view, "name", "uid", "kind", "event_type", "description", "status", "api_key.key", "signature.secret")
	}
	return showSetup(c, s, true)
}

func editSourceView(c *call, d sourceData, f *form) (page, error) {
	data, err := newSourceForm(c)
	p := sourceView(c, d, "edit", "Settings", data)
	p.Form = f
	return p, err
}

func editSourcePage(c *call) error {
	d, err := c.findSource()
	if err != nil {
		return err
	}
	s := d.Source
	f := newForm("name", s.Name, "event_type", s.EventType, "description", s.Description, "status", string(s.Status))
	if s.UID != nil {
		f.values.Set("uid", *s.UID)
	}
	p, err := editSourceView(c, d, f)
	if err != nil {
		return err
	}
	return c.render(p)
}

func changeSource(c *call) error {
	f, d, err := c.sourceForm()
	if err != nil {
		return err
	}
	_, err = c.app.UpdateSource(c.Context(), c.in.Caller, d.Source.ID.String(), 0, func(s *postroom.SourceSettings) error {
		f.basics(s)
		return nil
	})
	if err != nil {
		p, failed := editSourceView(c, d, f)
		if failed != nil {
			return failed
		}
		return c.invalid(err, p, "name", "uid", "event_type", "description", "status")
	}
	return c.redirect(d.Path(""), "The settings were saved.")
}

func setStatus(c *call, to postroom.SourceStatus, said string) error {
	s, err := c.app.UpdateSource(c.Context(), c.in.Caller, c.PathValue("id"), 0, func(s *postroom.SourceSettings) error {
		s.Status = to
		return nil
	})
	if err != nil {
		return err
	}
	return c.redirect("/sources/"+s.ID.String(), nameOr(s.Name, s.ID.String())+said)
}

func pauseSource(c *call) error {
	return setStatus(c, postroom.SourceInactive, " is inactive: its calls are refused, and are in its log.")
}

func resumeSource(c *call) error {
	return setStatus(c, postroom.SourceActive, " takes calls again.")
}

func deleteSource(c *call) error {
	d, err := c.findSource()
	if err != nil {
		return err
	}
	if err := c.app.DeleteSource(c.Context(), c.in.Caller, d.Source.ID.String(), 0); err != nil {
		return err
	}
	return c.redirect("/sources", d.Name()+" was deleted.")
}
