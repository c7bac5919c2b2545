package outbound

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/payload"
)

// The template of the standard payload, on which fields and additions are based, makes what StandardBody makes.
func TestStandardTemplate(t *testing.T) {
	tmpl := dialectSet(t)[dialect.Standard].Out.Body("email.opened").Template
	e := &postroom.Event{Type: "email.opened", Time: time.Date(2026, 2, 3, 4, 5, 6, 789999999, time.UTC), Data: []byte(` {"b":1.0,"2":"\u003c","a":{"x":1,"x":2}}`)}
	want, err := StandardBody(e)
	if err != nil {
		t.Fatal(err)
	}
	got, notes, err := tmpl.Render(nil, &payload.Input{Event: e})
	if err != nil || notes != nil || string(got) != string(want) {
		t.Errorf("%s, %v, %v, want %s", got, notes, err, want)
	}
}

func TestCompilePayload(t *testing.T) {
	types := []payload.Type{{Name: "a", Schema: []byte(`{"properties":{"x":{"type":"string"}}}`)}}
	for _, c := range []struct {
		name string
		p    *postroom.Payload
		want string // of the event, or the faults
	}{
		{"template", &postroom.Payload{Template: json.RawMessage(`["{data.x}"]`)}, `["y"]`},
		{"fields", &postroom.Payload{Fields: []string{"data.x"}}, `{"data":{"x":"y"}}`},
		{"add", &postroom.Payload{Add: json.RawMessage(`{"type":"{event_type}!","new":null}`)}, `{"type":"a!","timestamp":"1970-01-01T00:00:00.000Z","data":{"x":"y"},"new":null}`},
		{"both", &postroom.Payload{Fields: []string{"type"}, Add: json.RawMessage(`{"data":1}`)}, `{"type":"a","data":1}`},
		{"everything is wrong", &postroom.Payload{Fields: []string{"typ", "data.y"}, Add: json.RawMessage(`{"a":"{data.z}"}`)}, "/fields/0 /fields/1 /add/a"},
		{"template and more", &postroom.Payload{Template: json.RawMessage(`1`), Add: json.RawMessage(`{}`)}, "/template"},
		{"an addition that is no object", &postroom.Payload{Add: json.RawMessage(`1`)}, "/add"},
		{"not JSON", &postroom.Payload{Template: json.RawMessage(`{`)}, "/template"},
	} {
		t.Run(c.name, func(t *testing.T) {
			made, err := compileBodies(c.p, dialectSet(t)[dialect.Standard], types)
			var got string
			var wrong *payload.Error
			if errors.As(err, &wrong) {
				for _, f := range wrong.Faults {
					got += " " + f.Pointer
				}
			} else if err != nil {
				t.Fatal(err)
			} else {
				body, _, err := made.template("a").Render(nil, &payload.Input{Event: &postroom.Event{Type: "a", Time: time.UnixMicro(0), Data: []byte(`{"x":"y"}`)}})
				if err != nil {
					t.Fatal(err)
				}
				got = string(body)
			}
			if diff := cmp.Diff(c.want, strings.TrimSpace(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if err := CompilePayload(nil, dialectSet(t)[dialect.Standard], types); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

// A payload that another version of Postroom saved, and that this one cannot read, fails deliveries, which wait for their next attempts.
func TestPayloadThatCannotBeRead(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		id := r.webhook("a", func(w *storedHook) {
			w.Payload = &postroom.Payload{Template: json.RawMessage(`{"a":"{no_such_name}"}`)}
		})
		a, err := r.engine.Try(t.Context(), r.leased(id))
		if err != nil {
			t.Fatal(err)
		}
		if a.Error == nil || a.Error.Kind != KindPayload || !strings.Contains(a.Error.Message, "/template/a: character 2: no_such_name is not known here") {
			t.Errorf("%+v", a.Error)
		}
		if a.Request.Body == nil {
			t.Error("the log would show the standard body, which was not sent")
		}
	})
}

func TestPreviewOfEngine(t *testing.T) {
	r := newRig(t, Config{})
	w := postroom.StoredWebhook{Webhook: postroom.Webhook{WebhookSettings: postroom.WebhookSettings{Dialect: dialect.Standard, URL: "https://a/?b=1", Method: "PUT",
		Auth: &postroom.Auth{Type: postroom.AuthQuery, Query: map[string]string{"k": "secret"}}, Payload: &postroom.Payload{Add: json.RawMessage(`{"x":"{unix('soon')}"}`)}}}}
	e := newEvent(r.workspace, "1")
	got, notes, err := r.engine.Preview(w, nil, e)
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != "PUT" || got.URL != "https://a/?b=1&k="+hidden || !strings.HasSuffix(string(got.Body), `,"x":null}`) {
		t.Errorf("%+v %s", got, got.Body)
	}
	want := []postroom.FieldError{{Pointer: "/payload/add/x", Detail: `{unix('soon')} failed: unix: "soon" is not a time`}}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Error(diff)
	}
	if last := got.Headers[len(got.Headers)-1]; last.Name != headerSignature || !strings.HasPrefix(last.Value, "v1,") {
		t.Errorf("%+v", last)
	}
	if n := len(r.out.got); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}
