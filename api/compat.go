package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/payload"
)

// The management APIs of vendors, under /compat, so that their clients work with nothing changed but the URL. Each is a thin face of
// the application: it translates a vendor's form of webhooks, and shows those of the vendor's dialect only. docs/compat.md says what maps to
// what.

// face is one vendor's form.
type face struct {
	api     *api
	dialect string // of its webhooks
	// refusal is how an error is answered.
	refusal func(p postroom.Problem) (status int, body any)
	// id is what the vendor's clients know a webhook by, and number is the webhook's number that such an id holds.
	id     func(w *postroom.Webhook) string
	number func(id string) (n int64, ok bool)
}

// faceCall is a request that a face has let through.
type faceCall struct {
	*http.Request
	who  app.Caller
	body []byte
}

// route adds a call, which works with a slash at the end of its path too. status is that of success. An empty role needs no key.
func (f face) route(method, path string, role postroom.Role, status int, act func(ctx context.Context, c *faceCall) (any, error)) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		if x, ok := w.(*exchange); ok {
			x.route = path
		}
		c, err := f.admit(w, r, role)
		if err != nil {
			f.fail(w, r, err)
			return
		}
		answer, err := act(r.Context(), c)
		if err != nil {
			f.fail(w, r, err)
			return
		}
		f.write(w, status, answer)
	}
	f.api.mux.HandleFunc(method+" "+path, handler)
	f.api.mux.HandleFunc(method+" "+path+"/{$}", handler)
}

func (f face) admit(w http.ResponseWriter, r *http.Request, role postroom.Role) (c *faceCall, err error) {
	c = &faceCall{Request: r}
	if role != "" {
		if c.who, err = f.api.authenticate(r, role); err != nil {
			return nil, err
		}
	}
	c.body, err = readBody(w, r, f.api.MaxBody)
	return c, err
}

// routeRest answers what is below a path and is no call of the face.
func (f face) routeRest(path string) {
	f.api.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		f.fail(w, r, postroom.Errorf(postroom.CodeNotFound, "There is no %s %s: of this API, Postroom has the calls for webhooks.", printable(r.Method), printable(r.URL.Path)))
	})
}

// fail answers with an error in the vendor's form.
func (f face) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := f.api.problem(err)
	f.api.logCause(r, p)
	for name, values := range p.header {
		w.Header()[name] = values
	}
	status, body := f.refusal(p.Problem)
	f.write(w, status, body)
}

func (f face) write(w http.ResponseWriter, status int, answer any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(answer); err != nil { // cannot be: answers hold texts, numbers, and JSON that was checked
		panic(err)
	}
	w.Header()["Content-Type"] = f.api.headers.json
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n"))) // the caller may be gone
}

// webhook finds the webhook that a path names, by the vendor's form of its id or by its own.
func (f face) webhook(ctx context.Context, c *faceCall) (w postroom.Webhook, err error) {
	ref := strings.ToLower(c.PathValue("id"))
	missing := postroom.Errorf(postroom.CodeNotFound, "Webhook not found")
	if number, ok := f.number(ref); ok {
		w, err = f.api.App.WebhookByNumber(ctx, c.who, number)
	} else if id, bad := postroom.ParseID[postroom.WebhookKind](ref); bad == nil {
		w, err = f.api.App.Webhook(ctx, c.who, id.String())
	} else {
		return w, missing
	}
	if err != nil && postroom.CodeOf(err) != postroom.CodeNotFound {
		return w, err
	}
	if err != nil || w.Dialect != f.dialect || ref != f.id(&w) && ref != w.ID.String() {
		return w, missing
	}
	return w, nil
}

// settings are those of a new webhook. Postroom's webhooks have a name: if none is given, it is that of the URL's host.
func (f face) settings(name, address string, events []string) postroom.WebhookSettings {
	s := f.api.App.DefaultSettings(f.dialect)
	s.Name, s.URL, s.Events = name, address, events
	if s.Name == "" {
		s.Name = "Webhook"
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			s.Name = u.Host
		}
	}
	return s
}

// list reads names from a list of texts, or from one text with commas. What is left out or null is none.
func list(raw json.RawMessage, pointer string) (names []string, err error) {
	switch payload.KindOf(raw) {
	case payload.KindNone, payload.KindNull:
		return nil, nil
	case payload.KindString:
		text, _ := payload.String(raw) // cannot fail: it was checked
		names = strings.Split(text, ",")
	default:
		if json.Unmarshal(raw, &names) != nil {
			return nil, postroom.Invalid(postroom.CodeInvalid, pointer, "must be a list of strings")
		}
	}
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	return names, nil
}
