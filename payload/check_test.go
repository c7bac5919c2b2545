package payload_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/payload"
)

// theCatalogue is read once for all tests.
var theCatalogue = sync.OnceValues(catalogue.Load)

func load(t testing.TB) *catalogue.Catalogue {
	t.Helper()
	c, err := theCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// typesOf are types of the catalogue; one that is not there allows everything.
func typesOf(t testing.TB, names ...string) []payload.Type {
	t.Helper()
	c := load(t)
	var types []payload.Type
	for _, name := range names {
		known, _ := c.Lookup(name)
		types = append(types, payload.Type{Name: name, Schema: known.Schema})
	}
	return types
}

func TestSchemaChecks(t *testing.T) {
	email := typesOf(t, "email.sent", "email.opened")
	for _, c := range []struct {
		template string
		types    []payload.Type
		want     string // empty if it is allowed
	}{
		{`"{data.campaign.id}"`, email, ""},
		{`"{data.counts.opens}"`, email, ""}, // of email.opened only
		{`"{event.data.counts.opens}"`, email, ""},
		{`"{data.contact.lists.*.name}"`, email, ""},
		{`"{data.contact.lists[0].name}"`, email, ""},
		{`"{data.contact.custom_fields.anything.at.all}"`, email, ""},
		{`"{data.contact['my own'].x}"`, email, ""},
		{`"{data.contact.?emial}"`, email, ""}, // says itself that it may not be there
		{`"{subscriber_lists.*.name}"`, email, ""},
		{`"{campaign_name}"`, typesOf(t, "inbox.created"), ""}, // the language's own names are always known
		{`"{data.campagne.id}"`, email, `character 2: data.campagne.id: there is no campagne in data of the webhook's event types (did you mean campaign?)`},
		{`"{data.campaign.nome}"`, email, `there is no nome in data.campaign of the webhook's event types (did you mean name?)`},
		{`"{data.contact.lists.*.titel}"`, email, `there is no titel in data.contact.lists.*`},
		{`"{subscriber_lists.*.nam}"`, email, `(did you mean name?)`},
		{`"{data.counts.opens}"`, email[:1], `there is no counts in data of the webhook's event types, which has campaign, contact, message; `},
		{`"{data.campaign.name.first}"`, email, `there is no first in data.campaign.name`},
		{`"{data.zzzzzzzz}"`, email, `, which has campaign, client, contact, counts, message; a field of your own is written in brackets: data['zzzzzzzz']`},
		{`"{lower(data.campagne.name)}"`, email, `there is no campagne in data`},
		{`"{has(event.data.campagne)}"`, email, `there is no campagne in data`},
		{`"{data.contact.tags.exists(t, t == data.contact.statsu)}"`, email, `there is no statsu in data.contact`},
		{`"{data.anything}"`, typesOf(t, "email.sent", "order.paid"), ""},
		{`"{data.anything}"`, nil, ""},
	} {
		_, err := payload.Compile([]byte(c.template), payload.Options{Types: c.types})
		var e *payload.Error
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &e) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.template, err, c.want)
		}
	}
}

func TestSchemasOfOthers(t *testing.T) {
	for _, c := range []struct {
		schema, path string
		known        bool
	}{
		{`{"type":"object"}`, "data.x", true},
		{`{}`, "data.x", true},
		{`{"$ref":"#/$defs/a"}`, "data.x", true},
		{`{"properties":{"a":{}}}`, "data.a.b", true},
		{`{"properties":{"a":{}}}`, "data.b", false},
		{`{"properties":{"a":{}},"additionalProperties":true}`, "data.b.c", true},
		{`{"properties":{"a":{}},"additionalProperties":false}`, "data.b", false},
		{`{"properties":{},"additionalProperties":{"type":"string"}}`, "data.b", true},
		{`{"properties":{},"additionalProperties":{"type":"string"}}`, "data.b.c", false},
		{`{"properties":{"a":{"type":"array","items":{"properties":{"n":{"type":"string"}}}}}}`, "data.a.*.n", true},
		{`{"properties":{"a":{"type":"array","items":{"properties":{"n":{"type":"string"}}}}}}`, "data.a.0.n", true},
		{`{"properties":{"a":{"type":"array","items":{"properties":{"n":{"type":"string"}}}}}}`, "data.a.*.m", false},
		{`{"properties":{"a":{"type":"array"}}}`, "data.a.*.m", true},
		{`{"properties":{"a":{"type":["string","null"]}}}`, "data.a.m", false},
		{`{"anyOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"b":{"properties":{"c":true}}}}]}`, "data.b.c.d", true},
		{`{"anyOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"b":{"properties":{"c":{}}}}}]}`, "data.d", false},
		{`{"properties":{"a":{"properties":{"x":{}}}},"allOf":[{"properties":{"a":{"properties":{"y":{}}}}}]}`, "data.a.y", true},
		{`{"properties":{"a":{}},"patternProperties":{"^x":{}}}`, "data.xyz", true},
		{`not JSON`, "data.x", true},
		{`{"type":3}`, "data.x", true},
	} {
		_, err := payload.Compile([]byte(`"{`+c.path+`}"`), payload.Options{Types: []payload.Type{{Name: "own", Schema: []byte(c.schema)}}})
		if (err == nil) != c.known {
			t.Errorf("%s in %s: %v", c.path, c.schema, err)
		}
	}
}

// Whatever a template of the catalogue's samples asks for, by every path that there is, is known and is found.
func TestEveryPathOfTheCatalogueIsKnown(t *testing.T) {
	c := load(t)
	for _, known := range c.Types() {
		var source, want []byte
		walk(t, known.Sample, "data", func(path string, raw []byte) {
			source = payload.AppendString(payload.AppendComma(source), "{"+path+"}")
			want = append(payload.AppendComma(want), raw...)
		})
		tmpl, err := payload.Compile([]byte("["+string(source)+"]"), payload.Options{Types: []payload.Type{{Name: known.Name, Schema: known.Schema}}})
		if err != nil {
			t.Errorf("%s: %v", known.Name, err)
			continue
		}
		if want, err = payload.AppendJS(nil, []byte("["+string(want)+"]")); err != nil {
			t.Fatal(err)
		}
		got, _ := render(t, tmpl, opened(string(known.Sample)))
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: %s", known.Name, diff)
		}
	}
}

// walk visits all that is in a JSON object, with the path to it.
func walk(t testing.TB, raw []byte, path string, visit func(path string, raw []byte)) {
	t.Helper()
	visit(path, raw)
	var err error
	switch payload.KindOf(raw) {
	case payload.KindObject:
		err = payload.Members(raw, func(key, raw []byte) error {
			walk(t, raw, path+"."+string(key), visit)
			return nil
		})
	case payload.KindArray:
		i := 0
		err = payload.Elements(raw, func(raw []byte) error {
			walk(t, raw, path+"["+string(rune('0'+i))+"]", visit)
			i++
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestNotes(t *testing.T) {
	tmpl := compile(t, `{"a":"{subscriber_first_name + 1}","b":["x {join(data.ok)}","{unix('soon')|none}"],"...":"{subscriber_tags}"}`)
	got, notes := render(t, tmpl, opened(person))
	if want := `{"a":null,"b":["x ","none"]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	want := []payload.Note{
		{Pointer: "/a", Message: "{subscriber_first_name + 1} failed: no such overload"},
		{Pointer: "/b/0", Message: "{join(data.ok)} failed: join: a bool is not a list"},
		{Pointer: "/b/1", Message: `{unix('soon')|none} failed: unix: "soon" is not a time`},
		{Pointer: "/...", Message: "{subscriber_tags} failed: it gives an array, and only an object has members to put here"},
	}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Error(diff)
	}
}

// An expression cannot do more work than its limit allows, whatever the event is.
func TestExpressionsAreBounded(t *testing.T) {
	data := `{"l":[` + strings.Repeat("1,", 999) + `1],"big":{"x":{` + strings.Repeat(`"a":{"b":1},`, 50_000) + `"z":1}}}`
	for _, text := range []string{
		`data.l.map(a, data.l.map(b, data.l.map(c, a + b + c)))`,
		`data.l.map(a, json(data.big))`,
		`data.l.map(a, flatten(data.big))`,
		`data.l.map(a, text(data.big)).join('')`,
	} {
		got, notes := render(t, compile(t, `"{`+text+`}"`), opened(data))
		if got != "null" || len(notes) != 1 || !strings.Contains(notes[0].Message, "it is too much work") {
			t.Errorf("%s: %.100s, %v", text, got, notes)
		}
	}
	// What it looks into again and again is read once.
	if got, notes := render(t, compile(t, `"{data.l.all(a, data.big.x.z == 1)}"`), opened(data)); got != "true" {
		t.Errorf("%.100s, %v", got, notes)
	}
}

func TestTooLarge(t *testing.T) {
	data := `{"x":"` + strings.Repeat(`\"`, 300_000) + `"}`
	for _, source := range []string{
		`["` + strings.Repeat("{data.x}", 100) + `"]`,
		`[` + strings.Repeat(`"{data.x}",`, 100) + `1]`,
		`{"...":[` + strings.Repeat(`"{data}",`, 100) + `"{data}"]}`,
	} {
		tmpl := compile(t, source)
		out, notes, err := tmpl.Render([]byte("before"), &payload.Input{Event: opened(data)})
		var large *payload.TooLargeError
		if !errors.As(err, &large) || string(out) != "before" || notes != nil {
			t.Errorf("%.40s: %d bytes, %v, %v", source, len(out), notes, err)
		}
		if got, _ := render(t, tmpl, opened(`{"x":"y"}`)); !strings.Contains(got, "y") {
			t.Errorf("%.40s: a small event fails after a large one: %s", source, got)
		}
	}
	whole := compile(t, `{"all":"{data}"}`)
	if got, _ := render(t, whole, opened(data)); len(got) != len(data)+len(`{"all":}`) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestOnlyAndAdd(t *testing.T) {
	base := compile(t, `{"type":"{event_type}","timestamp":"{timestamp}","data":"{data}"}`)
	for _, c := range []struct {
		name  string
		only  []string
		add   string
		want  string
		wrong string
	}{
		{"only", []string{"data.contact.email", "data.campaign", "type"}, "", `{"type":"email.opened","data":{"contact":{"email":"user@example.com"},"campaign":{"id":790}}}`, ""},
		{"in lists", []string{"data.contact.lists.name"}, "", `{"data":{"contact":{"lists":[{"name":"News"},{},{"name":"Offers"}]}}}`, ""},
		{"in each", []string{"data.contact.lists.*.id", "data.items.0.1"}, "", `{"data":{"contact":{"lists":[{"id":1},{"id":2},{"id":3}]},"items":[[{"n":2}]]}}`, ""},
		{"all wins", []string{"data.contact.email", "data.campaign", "data.campaign.id", "data.counts.opens", "data.counts"}, "",
			`{"data":{"contact":{"email":"user@example.com"},"campaign":{"id":790},"counts":{"opens":2}}}`, ""},
		{"nothing there", []string{"data.none.x", "data.ok.x", "data.contact.last_name.x"}, "", `{"data":{"contact":{}}}`, ""},
		{"add", nil, `{"tenant":"x","type":"mine","data":{"10":"{campaign_id}","campaign":{"name":"{campaign_name|none}"},"ok":null}}`, "", ""},
		{"only and add", []string{"type"}, `{"id":"{event_id}"}`, `{"type":"email.opened","id":"order-1"}`, ""},
		{"no path", []string{"type", "a b"}, "", "", `/1: "a b" is not a path`},
		{"not in the payload", []string{"tpye"}, "", "", `/0: there is no tpye in the payload (did you mean type?)`},
		{"not in the schema", []string{"data.contact.emial"}, "", "", `/0: there is no emial in data.contact`},
		{"no paths", []string{}, "", "", `there are 1 to 500 fields`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmpl := base
			if c.only != nil {
				types := typesOf(t, "email.opened")
				if c.wrong == "" {
					types = nil
				}
				var err error
				if tmpl, err = base.Only(c.only, types); err != nil || c.wrong != "" {
					if err == nil || c.wrong == "" || !strings.Contains(err.Error(), c.wrong) {
						t.Errorf("%v, want %q", err, c.wrong)
					}
					return
				}
			}
			if c.add != "" {
				tmpl = tmpl.Add(compile(t, c.add))
			}
			got, _ := render(t, tmpl, opened(person))
			if c.want == "" { // too long to write out
				for _, part := range []string{`{"type":"mine","timestamp":"2024-03-15T11:45:00.250Z","data":{"10":790,"contact":{"id":501,`,
					`"campaign":{"id":790,"name":"none"}`, `"ok":null,`, `},"tenant":"x"}`} {
					if !strings.Contains(got, part) {
						t.Errorf("%s is not in %s", part, got)
					}
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
