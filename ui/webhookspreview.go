package ui

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// previewed is a call as it would be sent, or why there is none.
type previewed struct {
	Shown    bool
	Request  postroom.SentRequest
	Event    postroom.Event
	Notes    []postroom.FieldError
	Problems []postroom.FieldError
	Message  string
	Known    []variable // names that every template knows
	Paths    []variable // into the event's data
	Fields   []variable // of the dialect's own payload
}

// variable is what can be put into a template.
type variable struct {
	Insert, Name, Meaning, Value string
}

const maxVariables = 200 // of an event, that are listed

// previewWebhook shows what the form in its present state would send. Without scripts it is a button that shows the whole form again.
func previewWebhook(c *call) error {
	f, s, err := c.readWebhook(nil)
	if f == nil {
		return err
	}
	p, failed := c.preview(f, s, err)
	if failed != nil {
		return failed
	}
	if c.htmx() {
		return c.fragment("webhooks/edit", "preview", p)
	}
	var w *postroom.Webhook
	if id := f.Get("id"); id != "" {
		found, err := c.app.Webhook(c.Context(), c.in.Caller, id)
		if err != nil {
			return err
		}
		w = &found
	}
	whole, err := c.webhookForm(f, w)
	if err != nil {
		return err
	}
	d, _ := whole.Data.(webhookForm) // which it is
	d.Preview = p
	whole.Data = d
	return c.render(whole)
}

// preview makes the call. wrong is what cannot be read of the form; of that, only what matters for the call is told.
func (c *call) preview(f *form, s postroom.WebhookSettings, wrong error) (previewed, error) {
	var p previewed
	in := app.PreviewInput{}
	kind, value, _ := strings.Cut(f.Get("preview"), ":")
	switch kind {
	case "type":
		in.Type = value
	case "event":
		in.Event = value
	}
	shown := c.app.DefaultSettings(s.Dialect)
	shown.Name, shown.URL, shown.Events, shown.Method, shown.Headers, shown.Payload, shown.Auth = "Preview", s.URL, s.Events, s.Method, s.Headers, s.Payload, previewAuth(s.Auth)
	own := shown
	own.Payload = nil
	if made, err := c.app.PreviewSettings(c.Context(), c.in.Caller, own, in); err == nil {
		p.Event = made.Event
		p.Known, p.Paths = c.variables(&made.Event)
		p.Fields = bodyFields(made.Request.Body)
	}
	if wrong != nil && concerns(wrong, "/payload", "/headers", "/auth") {
		failed := p.explain(atPlaces(wrong, f, &s))
		return p, failed
	}
	made, err := c.app.PreviewSettings(c.Context(), c.in.Caller, shown, in)
	if err != nil {
		failed := p.explain(atPlaces(err, f, &s))
		return p, failed
	}
	p.Shown, p.Request, p.Event, p.Notes = true, made.Request, made.Event, made.Notes
	return p, nil
}

// concerns tells whether an error blames a field below some pointers.
func concerns(err error, pointers ...string) bool {
	var known *postroom.Error
	if errors.As(err, &known) {
		for _, e := range known.Fields {
			for _, p := range pointers {
				if strings.HasPrefix(e.Pointer, p) {
					return true
				}
			}
		}
	}
	return false
}

// explain keeps what a person did wrong; what is none of theirs it gives back.
func (p *previewed) explain(err error) error {
	known, is := asRefusal(err)
	if !is {
		return err
	}
	p.Message, p.Problems = known.Message, known.Fields
	return nil
}

// variables are what templates can name, with what they are in an event.
func (c *call) variables(e *postroom.Event) (known, paths []variable) {
	var data any
	if json.Unmarshal(e.Data, &data) != nil {
		return nil, nil
	}
	values := map[string]string{}
	walk("data", data, func(path, value string) {
		values[path] = value
		if len(paths) < maxVariables {
			paths = append(paths, variable{"{" + path + "}", path, "", value})
		}
	})
	values["event.id"], values["event.type"] = e.PublicID(), e.Type
	values["event.time"] = postroom.Timestamp{Time: e.Time}.String()
	for _, v := range c.app.PayloadVariables() {
		value, has := values[v.Path]
		if !has && v.Path != "" && strings.HasPrefix(v.Path, "data.") && !strings.HasSuffix(v.Path, "custom_fields") && !strings.HasSuffix(v.Path, "s") {
			continue // this event has none
		}
		insert := "{" + v.Name + "}"
		if strings.Contains(v.Name, "<") {
			continue
		}
		known = append(known, variable{insert, v.Name, v.Meaning, value})
	}
	return known, paths
}

// bodyFields are the paths of a body, for the choice of some of its fields.
func bodyFields(body []byte) (fields []variable) {
	var value any
	if json.Unmarshal(body, &value) != nil {
		return nil
	}
	walk("", value, func(path, value string) {
		if len(fields) < maxVariables {
			fields = append(fields, variable{path + "\n", path, "", value})
		}
	})
	return fields
}

// walk visits what is in objects, with its path and how it begins. Lists are not gone into.
func walk(path string, value any, visit func(path, value string)) {
	object, is := value.(map[string]any)
	if !is {
		text, err := json.Marshal(value)
		if err == nil && path != "" {
			visit(path, short(string(text)))
		}
		return
	}
	for _, name := range sortedKeys(object) {
		step := path + "." + name
		switch {
		case !plainName(name):
			step = path + "['" + strings.ReplaceAll(strings.ReplaceAll(name, `\`, `\\`), "'", `\'`) + "']"
		case path == "":
			step = name
		}
		walk(step, object[name], visit)
	}
}

func plainName(name string) bool {
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

func short(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}

// Wrong counts what is wrong, in words.
func (p previewed) Wrong() string {
	if len(p.Problems) == 1 {
		return "One thing is not right yet."
	}
	return strconv.Itoa(len(p.Problems)) + " things are not right yet."
}
