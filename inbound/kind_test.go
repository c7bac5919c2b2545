package inbound

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/dialect"
)

// What is wrong with the rows of a kind is found when the dialect is loaded, and told by its line.
func TestCheckKind(t *testing.T) {
	for in, want := range map[string]string{
		"  type: a..b\n": "9: in/type/0/from: this is not how paths are written here (did you mean a.b?)",
		"  fields:\n    - {from: a, to: emial}\n":                "10: in/fields/0/to: there is nothing called \"emial\" to map to (did you mean email?)",
		"  id:\n    - a\n    - {from: b, transform: [trm]}\n":    "11: in/id/1/transform/0: there is no transform \"trm\" (did you mean trim?)",
		"  time: {from: b, when: x == 1}\n":                      "9: in/time/0/when: \"x\" is not known here",
		"  split: 'a['\n":                                        "9: in/split: character 3",
		"  split: headers.x\n":                                   "9: in/split: the items are in the body",
		"  challenge: 'a['\n":                                    "9: in/challenge: character 3",
		"  verify: {scheme: hmak}\n  credentials: {secret: S}\n": "9: in/verify/scheme: There is no such scheme (did you mean hmac?)",
		"  verify: {scheme: hmac, haeder: X}\n":                  `9: in/verify: unknown field "haeder"`,
		"  verify: {scheme: hmac, header: X}\n":                  "9: in/verify/secrets: There are 0 secrets",
	} {
		_, problems := dialect.Compile("vendor", "d.yaml", []byte(vendor+in), dialect.Known{Check: CheckKind, Types: map[string]dialect.EventType{
			"contact.created": {Schema: []byte(`{}`)}, "email.opened": {Schema: []byte(`{}`)}}})
		if problems == nil || !strings.HasPrefix(problems.Error(), "d.yaml:"+want) {
			t.Errorf("%q: got %v, want %s", in, problems, want)
		}
	}
	// Schemes whose secrets are public keys or lists compile with whatever a source has.
	for _, in := range []string{"  verify: {scheme: ed25519, header: X-Sig, signed: '{body}'}\n  credentials: {secret: S}\n", "  verify: {scheme: ip}\n  credentials: {secret: S}\n", "  cors: true\n"} {
		incomingPart(t, in)
	}
}

// Each case is the part in of a kind, a call, and what is understood: type, id, time, data and warnings of each event.
func TestKinds(t *testing.T) {
	for _, c := range []struct{ in, settings, body, want string }{
		{"  type: kind\n", `{}`, `{"kind":"MAIL-READ","a":1}`, `email.opened  {"kind":"MAIL-READ","a":1}`},
		{"  type: kind\n", `{}`, `{"kind":"order.paid"}`, `order.paid  {"kind":"order.paid"}`},
		{"  type: [x, kind]\n", `{}`, `{"x":null,"kind":"mail-read"}`, `email.opened  {"x":null,"kind":"mail-read"}`},
		{"  type: kind\n  data: d\n", `{"event_type":"mail-read"}`, `[{"kind":"mail-read"},{"kind":"person-added"},{"kind":"x"},{}]`,
			`email.opened  {}; contact.created SKIP  {} (the source is for email.opened, and the call tells of person-added: nothing is done); email.opened  {}; email.opened  {}`},
		{"  type: k\n  id: i\n  time: t\n  data: d\n", `{}`, `{"k":"mail-read","i":17,"t":1773570600,"d":{"x":1.50}}`, `email.opened 17 {"x":1.50}`},
		// What is odd is noted, and the rest is understood.
		{"  type: k\n  time: t\n  fields: [{from: s, to: status}, {from: e, to: email}]\n", `{}`, `{"k":"mail-read","t":"never","s":"gone","e":"a@b"}`,
			`email.opened  {"k":"mail-read","t":"never","s":"gone","contact":{"email":"a@b"}} (this is no date that is recognised: say how it is written, as in {"date": "DD.MM.YYYY"}) (there is no status "gone"; there are subscribed, unsubscribed, pending, bounced, complained)`},
		// What a field takes whole from the data is moved; what it takes a part of, or is not there, stays.
		{"  type: k\n  data: d\n  fields: [{from: d.a, to: data.x}, {from: d.b.c, to: data.y}, {from: d.e, to: data.e}, {from: d.f, to: data.z, when: 'false'}]\n", `{}`,
			`{"k":"mail-read","d":{"a":1,"b":{"c":2},"e":3,"f":4}}`, `email.opened  {"b":{"c":2},"e":3,"f":4,"x":1,"y":2}`},
		{"  type: k\n  split: es[*].inner\n", `{}`, `{"es":[{"inner":{"k":"mail-read"}},{},{"inner":{"k":"person-added"}}]}`, `email.opened  {"k":"mail-read"}; contact.created  {"k":"person-added"}`},
		{"  type: k\n  split: es\n", `{}`, `{"es":{"k":"mail-read"}}`, `email.opened  {"k":"mail-read"}`},
		{"  split: none\n", `{"event_type":"order.paid"}`, `[1,2]`, `order.paid  {"body":[1,2]}`},
		{"  split: none\n", `{"event_type":"order.paid"}`, "{\"a\":1}\n{\"b\":2}", `order.paid  {"body":[{"a":1},{"b":2}]}`},
		{"  events: {email.opened: o}\n  type: k\n", `{}`, `{"k":"mail-read"}`, `  {"k":"mail-read"} (there is no event type "mail-read": no event is published)`},
		{"  type: k\n  id: i\n", `{}`, `{"k":"mail-read","i":"two words"}`, `email.opened  {"k":"mail-read","i":"two words"}`},
	} {
		var got []string
		for _, i := range items(t, kindProgram(t, c.in, c.settings), called("application/json", c.body)) {
			text := i.Type
			if i.Skip {
				text += " SKIP"
			}
			text += " " + i.ID + " " + string(i.Data)
			for _, w := range i.Warnings {
				text += " (" + w.Message + ")"
				if w.Row != 0 {
					t.Errorf("%s: a row of the kind has the number %d", c.in, w.Row)
				}
			}
			if i.Err != nil {
				t.Errorf("%s of %s: %+v", c.in, c.body, i.Err)
			}
			got = append(got, text)
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s of %s:\ngot  %s\nwant %s", c.in, c.body, strings.Join(got, "; "), c.want)
		}
	}
	if _, err := kindProgram(t, "  split: es\n", `{}`).Read(called("application/json", `{"a":1}`)); err == nil || !strings.Contains(err.Error(), "the body has no es") {
		t.Errorf("a call without items: %v", err)
	}
}

// The source's rows come after those of the kind, and override them.
func TestRowsAfterKind(t *testing.T) {
	in := "  type: k\n  id: i\n  data: d\n  fields: [{from: d.mail, to: email}, {from: d.name, to: first_name}]\n"
	i := only(t, kindProgram(t, in, `{"mapping":[{"from":"d.other","to":"email"},{"from":"d.mail","to":"custom_field.first_mail","when":"contact.email == 'c@d' && event.id == '5' && event.type == 'email.opened'"}]}`),
		called("application/json", `{"k":"mail-read","i":5,"d":{"mail":"a@b","other":"c@d","name":"Ada"}}`))
	if string(i.Data) != `{"other":"c@d","contact":{"email":"c@d","first_name":"Ada","custom_fields":{"first_mail":"a@b"}}}` || i.Contact.Ref.Email != "c@d" {
		t.Errorf("%s, %+v", i.Data, i.Contact)
	}
}

// Auto means the kind's way to tell events.
func TestKeysOfKinds(t *testing.T) {
	for _, c := range [][3]string{
		{"  id: i\n", `{"i":"two words"}`, "id:two words"},
		{"  id: i\n  key: {from: [s, i], transform: [{join: '/'}]}\n", `{"i":1,"s":"x"}`, "key:x/1"},
		{"  id: i\n  dedupe: body\n", `{"i":1}`, "id:1"},
		{"  id: i\n  dedupe: body\n", `{"a":1}`, "body:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"},
	} {
		if i := only(t, kindProgram(t, c[0], `{"event_type":"order.paid"}`), called("application/json", c[1])); i.Key != c[2] {
			t.Errorf("%s of %s: the key is %s, want %s", c[0], c[1], i.Key, c[2])
		}
	}
}

func TestChallenge(t *testing.T) {
	p := kindProgram(t, "  challenge: query.ref[0]\n", `{}`)
	if text, ok := p.Challenge(called("", "")); text != "mail" || !ok {
		t.Errorf("%q, %v", text, ok)
	}
	for _, p := range []*Program{kindProgram(t, "  challenge: query.nothing\n", `{}`), kindProgram(t, "  cors: true\n", `{}`), program(t, `{}`)} {
		if text, ok := p.Challenge(called("", "")); text != "" || ok {
			t.Errorf("%q, %v", text, ok)
		}
	}
}

// An event's time is what the call says, in any of the usual forms.
func TestTimeOf(t *testing.T) {
	for raw, want := range map[string]string{
		`"2026-03-15T10:30:00+01:00"`: "2026-03-15T09:30:00Z", `1773570600`: "2026-03-15T10:30:00Z", `"1773570600123"`: "2026-03-15T10:30:00.123Z", `"2026-03-15"`: "2026-03-15T00:00:00Z",
		`"2200-01-01"`: "", `-1`: "", `{}`: "", `"soon"`: "", `99999999999999999999`: "",
	} {
		got, err := timeOf([]byte(raw))
		if want == "" && err == nil || want != "" && (err != nil || got.Format(time.RFC3339Nano) != want) {
			t.Errorf("%s is %s, %v", raw, got, err)
		}
	}
}
