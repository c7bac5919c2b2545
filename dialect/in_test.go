package dialect_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
)

// plain is a dialect without an incoming part: ten lines.
const plain = `title: Acme
out:
  events:
    email.sent: Sent
    email.opened: mail-opened
    "*": "*"
  bodies: {"*": '{}'}
  signature: {scheme: none}
  test: email.sent
`

// wholeIn is an incoming part that says everything there is to say.
const wholeIn = `in:
  verify:
    scheme: any
    of:
      - {scheme: hmac, header: X-Sign, tolerance: 5m}
      - {scheme: token, methods: [GET], header: 'query:verify', credential: challenge}
  credentials: {secret: The secret, challenge: The word}
  required: true
  challenge: query.answer
  cors: true
  split: events[*]
  events:
    email.sent: [Delivered, handed-over]
    contact.created: person added
  type: kind
  id: [id, {from: headers.x-id, transform: [trim]}]
  key: {from: [source, id], transform: [join]}
  time:
    from: when
    transform: [{date: unix}]
    when: has(body.when)
  data: [payload, .]
  dedupe: body
  recognise: true
  fields:
    - {from: payload.mail, to: email}
    - {from: payload.n, to: data.n, transform: [{lookup: {table: {1: one, 2: [x, 1.50, null, true]}, default: 12345678901234567890}}]}
  samples:
    - name: One
      headers: {x-id: 7}
      body: |
        {"kind": "Delivered"}
`

func TestCompileIn(t *testing.T) {
	in := compile(t, plain+wholeIn).In
	row := func(to string, from ...string) postroom.MappingRow { return postroom.MappingRow{From: from, To: to} }
	with := func(r postroom.MappingRow, when string, transforms string) postroom.MappingRow {
		r.When = when
		if err := json.Unmarshal([]byte(transforms), &r.Transform); err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := &dialect.In{
		Verify:      json.RawMessage(`{"scheme":"any","of":[{"scheme":"hmac","header":"X-Sign","tolerance":"5m"},{"scheme":"token","methods":["GET"],"header":"query:verify","credential":"challenge"}]}`),
		Required:    true,
		Credentials: []dialect.Credential{{Name: "secret", Title: "The secret"}, {Name: "challenge", Title: "The word"}},
		Challenge:   "query.answer", CORS: true, Split: "events[*]", Dedupe: postroom.DedupeBody, Recognise: true,
		Type: []postroom.MappingRow{row("event.type", "kind")},
		ID:   []postroom.MappingRow{row("event.id", "id"), with(row("event.id", "headers.x-id"), "", `["trim"]`)},
		Key:  []postroom.MappingRow{with(row("event.key", "source", "id"), "", `["join"]`)},
		Time: []postroom.MappingRow{with(row("event.time", "when"), "has(body.when)", `[{"date":"unix"}]`)},
		Data: []postroom.MappingRow{row("data", "payload"), row("data", ".")},
		Fields: []postroom.MappingRow{row("email", "payload.mail"),
			with(row("data.n", "payload.n"), "", `[{"lookup":{"table":{"1":"one","2":["x",1.50,null,true]},"default":12345678901234567890}}]`)},
		Samples: []dialect.Sample{{Name: "One", Headers: map[string]string{"x-id": "7"}, Body: `{"kind": "Delivered"}`}},
	}
	if diff := cmp.Diff(want, in, cmp.AllowUnexported(), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".names" || p.Last().String() == ".others" }, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	names, others := in.Names()
	if diff := cmp.Diff([]string{"delivered", "handed-over", "person added"}, names); diff != "" || others {
		t.Error(diff, others)
	}
	for name, want := range map[string]string{"DELIVERED": "email.sent", "Person added": "contact.created", "email.sent": "", "Sent": ""} {
		if got, ok := in.TypeOf(name); ok != (want != "") || ok && got != want {
			t.Errorf("%s is %s, %v", name, got, ok)
		}
	}
}

// What is left out is as with generic sources, and the names are those of the outgoing part.
func TestCompileInLeast(t *testing.T) {
	in := compile(t, plain+"in: {}\n").In
	if in.Split != dialect.SplitItems || in.Dedupe != postroom.DedupeAuto || in.Verify != nil || in.Required || in.CORS || in.Recognise {
		t.Errorf("%+v", in)
	}
	for name, want := range map[string]string{"sent": "email.sent", "MAIL-OPENED": "email.opened", "order.paid": "order.paid"} {
		if got, ok := in.TypeOf(name); !ok || got != want {
			t.Errorf("%s is %s, %v", name, got, ok)
		}
	}
	if compile(t, plain).In != nil {
		t.Error("a dialect without a part in has one")
	}
}

// TestProblemsOfIn changes one thing of the whole incoming part at a time.
func TestProblemsOfIn(t *testing.T) {
	for _, c := range []struct{ old, put, want string }{
		{"  cors: true", "  corse: true", "19: in has no corse (did you mean cors?)"},
		{"  cors: true", "  cors: maybe", "19: cors is true or false"},
		{"    contact.created: person", "    contact.creatd: person", "23: the catalogue has no event type contact.creatd (did you mean contact.created?)"},
		{"    contact.created: person added", "    contact.created: delivered", "23: delivered is email.sent already"},
		{"    contact.created: person added", `    "*": any`, `23: the only pattern is "*": "*"`},
		{"  type: kind", "  type: {from: kind, to: email}", "24: what type brings goes to event.type; leave out to"},
		{"  type: kind", "  type: {form: kind}", `24: type: unknown field "form"`},
		{"  dedupe: body", "  dedupe: header", "32: dedupe is auto or body"},
		{"payload.mail, to: email", "payload.mail, too: email", `35: a row of fields: unknown field "too"`},
		{"transform: [trim]", "transform: [{a: 1, b: 2}]", "25: id: a transform is a name"},
		{"{secret: The secret", "{Secret: The secret", "16: a credential is a name of small letters"},
		{"    - name: One\n", "    - title: One\n", "38: a sample has no title"},
		{"  verify:\n    scheme: any\n    of:\n      - {scheme: hmac, header: X-Sign, tolerance: 5m}\n      - {scheme: token, methods: [GET], header: 'query:verify', credential: challenge}\n", "", "11: required says that sources need what verify does"},
		{"in:\n  verify:", "in:\n  verify: x\n  verified:", "11: verify: "},
	} {
		text := strings.Replace(plain+wholeIn, c.old, c.put, 1)
		_, problems := dialect.Compile("acme", "acme/dialect.yaml", []byte(text), known())
		if problems == nil || !strings.HasPrefix(strings.TrimPrefix(problems.Error(), "acme/dialect.yaml:"), c.want) {
			t.Errorf("%q: got %v, want %s", c.put, problems, c.want)
		}
	}
	twice := strings.Replace(plain, "mail-opened", "sent", 1) + "in: {}\n"
	if _, problems := dialect.Compile("acme", "x", []byte(twice), known()); problems == nil || !strings.Contains(problems.Error(), "in needs events of its own") {
		t.Errorf("two types with one name: %v", problems)
	}
}

// What the check of paths, rows and conditions finds is told with the line in which it stands.
func TestCheckOfIn(t *testing.T) {
	k := known()
	for pointer, line := range map[string]string{"/fields/1/to": "36", "/time/0/when": "30", "/id/1": "25", "/type/0": "24", "/verify/of/0/header": "14", "": "11", "/nowhere": "11"} {
		k.Check = func(in *dialect.In) []dialect.Fault {
			if in.Challenge != "query.answer" {
				t.Errorf("%+v is checked", in)
			}
			return []dialect.Fault{{Pointer: pointer, Message: "it is odd"}}
		}
		want := "acme.yaml:" + line + ": it is odd"
		if pointer != "" {
			want = "acme.yaml:" + line + ": in" + pointer + ": it is odd"
		}
		if _, problems := dialect.Compile("acme", "acme.yaml", []byte(plain+wholeIn), k); problems == nil || problems.Error() != want {
			t.Errorf("%s: got %v, want %s", pointer, problems, want)
		}
	}
}

// A name that several vendors have means something only if all mean the same.
func TestTypeNamed(t *testing.T) {
	set := dialect.Set{"acme": compile(t, plain+wholeIn), "other": compile(t, strings.Replace(plain, "mail-opened", "delivered", 1))}
	for name, want := range map[string]string{"SENT": "email.sent", "delivered": "", "mail-opened": "email.opened", "person added": "contact.created", "email.sent": "", "x": ""} {
		if got, ok := set.TypeNamed(name); got != want && ok || ok != (want != "") {
			t.Errorf("%s is %s, %v", name, got, ok)
		}
	}
	if diff := cmp.Diff([]string{"acme"}, set.Kinds()); diff != "" {
		t.Error(diff)
	}
}
