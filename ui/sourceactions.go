package ui

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// actionTitles say what actions do.
func actionTitles() []option {
	return []option{
		{"add_subscriber", "Add a subscriber", "make the contact if it is new"}, {"update_subscriber", "Update a subscriber", "change the contact that has the email address"},
		{"add_to_list", "Add to lists", ""}, {"remove_from_list", "Remove from lists", ""}, {"apply_tag", "Apply tags", ""}, {"remove_tag", "Remove tags", ""},
		{"change_status", "Change the status", "subscribed, unsubscribed, …"}, {"transform", "Transform data", "further rows of mapping"},
		{"publish_event", "Publish an event", "webhooks send it on"}, {"call_api", "Call an API", "another system"},
	}
}

// actionView is an action as a form shows it.
type actionView struct {
	Form        *form
	Index       int
	Title, Hint string
	Type        postroom.ActionType
	First, Last bool
	Fresh       bool
	Rows        []rowView
	Error       string // of the action as a whole
	Statuses    []option
	Auths       []option
}

// Number is the action's number for people.
func (a actionView) Number() int { return a.Index + 1 }

// Name is the name of one of the action's fields.
func (a actionView) Name(part string) string { return at("actions", a.Index) + "." + part }

// Has tells whether the action has a part.
func (a actionView) Has(part string) bool { return slices.Contains(a.Type.Parts(), part) }

// Field is one of the action's fields.
func (a actionView) Field(part, label string, more ...string) (field, error) {
	return newField(a.Form, a.Name(part), label, more...)
}

// Choice is one of the action's fields with options.
func (a actionView) Choice(part, label string, options []option, more ...string) (field, error) {
	return newChoice(a.Form, a.Name(part), label, options, more...)
}

// Auth is the way in which the call proves itself.
func (a actionView) Auth() string { return a.Form.Get(a.Name("call.auth.type")) }

// Methods are those that a call may have.
func (actionView) Methods() []option {
	return []option{{"", "POST", ""}, {"PUT", "PUT", ""}, {"PATCH", "PATCH", ""}}
}

// lines are the lines of a field that are not empty.
func (f *form) lines(name string) (all []string) {
	for line := range strings.Lines(f.Raw(name)) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// pairs are the lines of a field, each a name and a value with a sign between them.
func (f *form) pairs(name, sign string) map[string]string {
	all := map[string]string{}
	for _, line := range f.lines(name) {
		key, value, _ := strings.Cut(line, sign)
		all[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// actions reads the actions of a form. Faults of what was typed are added to the problems.
func (f *form) actions(problems *postroom.Problems) []postroom.Action {
	all := []postroom.Action{}
	for i := 0; i < maxEdited && f.has(at("actions", i)+".type"); i++ {
		all = append(all, f.action(i, problems))
	}
	return all
}

func (f *form) action(i int, problems *postroom.Problems) postroom.Action {
	name := at("actions", i)
	pointer := "/" + strings.ReplaceAll(name, ".", "/")
	a := postroom.Action{Type: postroom.ActionType(f.Get(name + ".type")), When: f.Get(name + ".when")}
	for _, part := range a.Type.Parts() {
		switch field := name + "." + part; part {
		case "lists":
			a.Lists = f.lines(field)
		case "tags":
			a.Tags = f.lines(field)
		case "remove_tags":
			a.RemoveTags = f.lines(field)
		case "double_opt_in":
			a.DoubleOptIn = f.Has(field, "on")
		case "status":
			a.Status = postroom.ContactStatus(f.Get(field))
		case "custom_fields":
			a.CustomFields = map[string]json.RawMessage{}
			for key, value := range f.pairs(field, "=") {
				a.CustomFields[key] = valueOf(value)
			}
		case "mapping":
			a.Mapping, _ = said(f.rows(field))
		case "event_type":
			a.EventType = f.Get(field)
		case "data":
			a.Data = f.template(field, pointer+"/data", problems)
		case "call":
			a.Call = f.call(field, pointer+"/call", problems)
		}
	}
	return a
}

// valueOf is a value as it was typed: JSON, or else a text.
func valueOf(text string) json.RawMessage { return argOf("default", text) }

// template reads JSON; nil for nothing.
func (f *form) template(name, pointer string, problems *postroom.Problems) json.RawMessage {
	text := f.Get(name)
	if text == "" {
		return nil
	}
	if !json.Valid([]byte(text)) {
		problems.Add(pointer, "this is not JSON: a template is an object such as {\"email\": \"{subscriber_email}\"}")
		return nil
	}
	return json.RawMessage(text)
}

// call reads the call of an action. What its form does not show is kept as it was.
func (f *form) call(name, pointer string, problems *postroom.Problems) *postroom.Call {
	c := &postroom.Call{}
	if kept := f.Get(name + ".kept"); kept != "" && json.Unmarshal([]byte(kept), c) != nil {
		problems.Add(pointer, "the settings that are not shown here were lost: load the page anew")
	}
	c.URL, c.Method, c.Headers = f.Get(name+".url"), f.Get(name+".method"), f.pairs(name+".headers", ":")
	c.Timeout = 0
	if text := f.Get(name + ".timeout"); text != "" && c.Timeout.UnmarshalText([]byte(text)) != nil {
		problems.Add(pointer+"/timeout", "this is a duration such as 5s or 30s")
	}
	c.Payload = nil
	if template := f.template(name+".payload", pointer+"/payload", problems); template != nil {
		c.Payload = &postroom.Payload{Template: template}
		if bytes.HasPrefix(template, []byte(`{"fields"`)) || bytes.HasPrefix(template, []byte(`{"add"`)) {
			_ = json.Unmarshal(template, c.Payload) // a template it is then
		}
	}
	if id := f.Get(name + ".webhook_id"); id != "" {
		w, err := postroom.ParseID[postroom.WebhookKind](id)
		if err != nil {
			problems.Add(pointer+"/webhook_id", "this is set by Postroom: load the page anew")
		}
		c.WebhookID = &w
	}
	f.auth(name+".auth", c)
	return c
}

// auth reads how a call proves itself. A secret that is left empty stays as it was.
func (f *form) auth(name string, c *postroom.Call) {
	kind := postroom.AuthType(f.Get(name + ".type"))
	secret := func(part string) string {
		if v := f.Raw(name + "." + part); v != "" {
			return v
		}
		if f.Get(name+".was") == string(kind) {
			return postroom.Redacted
		}
		return ""
	}
	switch kind {
	case "", postroom.AuthNone:
		c.Auth = nil
	case postroom.AuthBearer:
		c.Auth = &postroom.Auth{Type: kind, Token: secret("token")}
	case postroom.AuthAPIKey:
		c.Auth = &postroom.Auth{Type: kind, Header: f.Get(name + ".header"), Key: secret("key")}
	case postroom.AuthBasic:
		c.Auth = &postroom.Auth{Type: kind, Username: f.Get(name + ".username"), Password: secret("password")}
	default: // it is among what is kept
	}
}

// setActions writes actions into a form, in the place of those that were there.
func (f *form) setActions(actions []postroom.Action) {
	f.drop("actions")
	for i, a := range actions {
		name := at("actions", i)
		set := func(part, value string) { f.values.Set(name+"."+part, value) }
		set("type", string(a.Type))
		set("when", a.When)
		set("lists", strings.Join(a.Lists, "\n"))
		set("tags", strings.Join(a.Tags, "\n"))
		set("remove_tags", strings.Join(a.RemoveTags, "\n"))
		set("status", string(a.Status))
		set("event_type", a.EventType)
		if a.DoubleOptIn {
			set("double_opt_in", "on")
		}
		fields := map[string]string{}
		for key, value := range a.CustomFields {
			fields[key] = argText("default", value)
		}
		set("custom_fields", linesOfPairs(fields, " = "))
		if a.Data != nil {
			set("data", pretty(a.Data))
		}
		f.setRows(name+".mapping", a.Mapping)
		if a.Call != nil {
			f.setCall(name+".call", a.Call)
		}
	}
}

func (f *form) setCall(name string, c *postroom.Call) {
	set := func(part, value string) { f.values.Set(name+"."+part, value) }
	set("url", c.URL)
	set("method", c.Method)
	set("headers", linesOfPairs(c.Headers, ": "))
	if c.Timeout != 0 {
		set("timeout", c.Timeout.String())
	}
	if c.WebhookID != nil {
		set("webhook_id", c.WebhookID.String())
	}
	if p := c.Payload; p != nil && p.Template != nil {
		set("payload", pretty(p.Template))
	} else if p != nil {
		if text, err := json.Marshal(p); err == nil {
			set("payload", string(text))
		}
	}
	if a := c.Auth; a != nil {
		set("auth.type", string(a.Type))
		set("auth.was", string(a.Type))
		set("auth.header", a.Header)
		set("auth.username", a.Username)
	}
	if kept, err := json.Marshal(postroom.Call{Retry: c.Retry, Auth: c.Auth}); err == nil {
		set("kept", string(kept))
	}
}

// actionViews are the actions of a form, for a template.
func (f *form) actionViews(fresh bool) (views []actionView) {
	titles := actionTitles()
	n := 0
	for n < maxEdited && f.has(at("actions", n)+".type") {
		n++
	}
	statuses := []option{{"", "As the mapping says", ""}}
	for _, s := range postroom.ContactStatuses() {
		statuses = append(statuses, option{string(s), string(s), ""})
	}
	for i := range n {
		name := at("actions", i)
		v := actionView{Form: f, Index: i, Type: postroom.ActionType(f.Get(name + ".type")), First: i == 0, Last: i == n-1, Fresh: fresh && i == n-1, Error: f.Error(name),
			Rows: f.rowViews(name+".mapping", false), Statuses: statuses, Auths: authOptions(f.Get(name + ".call.auth.was"))}
		v.Title = string(v.Type)
		if k := slices.IndexFunc(titles, func(o option) bool { return o.Value == string(v.Type) }); k >= 0 {
			v.Title, v.Hint = titles[k].Label, titles[k].Hint
		}
		views = append(views, v)
	}
	return views
}

// authOptions are the ways in which a call may prove itself that the form knows, and the one that it has.
func authOptions(was string) []option {
	all := []option{{"none", "None", ""}, {"bearer", "Bearer token", ""}, {"api_key", "API key in a header", ""}, {"basic", "User and password", ""}}
	if was != "" && !slices.ContainsFunc(all, func(o option) bool { return o.Value == was }) {
		all = append(all, option{was, was, "as it is; changed by the API"})
	}
	return all
}

// actionFields are the fields of actions that can be wrong.
func (f *form) actionFields() (names []string) {
	for i := 0; i < maxEdited && f.has(at("actions", i)+".type"); i++ {
		name := at("actions", i)
		names = append(names, name)
		for _, part := range []string{"type", "when", "lists", "tags", "remove_tags", "double_opt_in", "status", "custom_fields", "event_type", "data", "call.url", "call.method", "call.headers",
			"call.timeout", "call.payload", "call.auth.type", "call.auth.token", "call.auth.key", "call.auth.header", "call.auth.username", "call.auth.password"} {
			names = append(names, name+"."+part)
		}
		names = append(names, f.rowFields(name+".mapping")...)
	}
	return names
}

func actionsView(c *call, d sourceData, f *form, fresh bool) (page, error) {
	data, err := c.editorData(d, f)
	if err != nil {
		return page{}, err
	}
	if data.Tried, err = c.tryActions(d, f); err != nil {
		return page{}, err
	}
	data.Actions, data.Adds = f.actionViews(fresh), actionTitles()
	p := sourceView(c, d, "actions", "Actions", data)
	p.Form, p.Wide = f, true
	return p, nil
}

// tryActions says what comes of the actions of a form.
func (c *call) tryActions(d sourceData, f *form) (tried, error) {
	in := f.input()
	var problems postroom.Problems
	in.Actions = f.actions(&problems)
	if known, is := asRefusal(problems.Err()); is {
		t := tried{Paths: pathsOf(in.Body)}
		t.Input, t.Cut = bodyText(in.Body)
		for _, e := range known.Fields {
			t.Wrong = append(t.Wrong, plainPlace(e.Pointer)+": "+e.Detail)
		}
		return t, nil
	}
	t, err := c.tryIt(d.Source.ID.String(), in, plainPlace)
	all := make([]liveError, len(in.Actions))
	for i := range all {
		all[i].ID = "live-actions-" + strconv.Itoa(i)
		for _, w := range t.Live {
			if w.ID == all[i].ID || strings.HasPrefix(w.ID, all[i].ID+"-") {
				all[i].Text = strings.TrimPrefix(all[i].Text+"; "+w.Text, "; ")
			}
		}
	}
	t.Live = all
	return t, err
}

func actionsPage(c *call) error {
	d, err := c.findSource()
	if err != nil {
		return err
	}
	samples, err := c.samples(d.Source)
	if err != nil {
		return err
	}
	f := newForm("add", "add_subscriber")
	f.setActions(d.Source.Actions)
	f.startSample(c, d, samples)
	p, err := actionsView(c, d, f, false)
	if err != nil {
		return err
	}
	return c.render(p)
}

func changeActions(c *call) error {
	f, d, err := c.sourceForm()
	if err != nil {
		return err
	}
	if e := f.edit(); e.verb != "" && e.verb != "save" {
		e.applyToActions(f)
		p, err := actionsView(c, d, f, e.verb == "add" && e.list == "actions")
		if err != nil {
			return err
		}
		return c.render(p)
	}
	var problems postroom.Problems
	actions := f.actions(&problems)
	if err = problems.Err(); err == nil {
		_, err = c.app.UpdateSource(c.Context(), c.in.Caller, d.Source.ID.String(), 0, func(s *postroom.SourceSettings) error {
			s.Actions = actions
			return nil
		})
	}
	if err == nil {
		return c.redirect(d.Path("/actions"), "The actions were saved. Calls from now on are acted on by them.")
	}
	return c.invalidRows(err, f, f.actionFields(), func() (page, error) { return actionsView(c, d, f, false) })
}

// applyToActions changes the list of actions that an edit is about, or the rows of one of them. What was typed stays as it was typed.
func (e edit) applyToActions(f *form) {
	if e.list != "actions" {
		if strings.HasPrefix(e.list, "actions.") && strings.HasSuffix(e.list, ".mapping") {
			e.apply(f)
		}
		return
	}
	groups := f.groups("actions")
	if e.verb == "add" {
		groups = append(groups, map[string][]string{".type": {f.Get("add")}})
	} else {
		groups = moved(groups, e.verb, e.index)
	}
	f.drop("actions")
	for i, g := range groups[:min(len(groups), maxEdited)] {
		for name, values := range g {
			f.values[at("actions", i)+name] = values
		}
	}
}

// groups are the fields of each element of a list, by what follows its prefix.
func (f *form) groups(prefix string) (all []map[string][]string) {
	for i := 0; i < maxEdited && f.has(at(prefix, i)+".type"); i++ {
		g := map[string][]string{}
		for name, values := range f.values {
			if rest, is := strings.CutPrefix(name, at(prefix, i)+"."); is {
				g["."+rest] = values
			}
		}
		all = append(all, g)
	}
	return all
}

func previewActions(c *call) error {
	f, d, err := c.sourceForm()
	if err != nil {
		return err
	}
	t, err := c.tryActions(d, f)
	if err != nil {
		return err
	}
	return c.fragment("sources/actions", "preview", t)
}
