package inbound

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// mapping makes the settings of a source with some rows.
func mapping(rows string) string { return `{"event_type":"order.paid","mapping":[` + rows + `]}` }

// The mapping of the guide: every row of it, with what it makes of a call.
func TestGuideMapping(t *testing.T) {
	p := program(t, mapping(`{"from":"contact_email","to":"email"},{"from":"first_name","to":"first_name"},{"from":"last_name","to":"last_name"},
		{"from":"phone_number","to":"phone"},{"from":"company_name","to":"custom_field.company"},{"from":"subscription_source","to":"subscription_source"},
		{"from":"utm_source","to":"custom_field.utm_source"}`))
	i := only(t, p, called("application/json", `{"contact_email":"john@example.com","first_name":"John","last_name":"Doe","phone_number":"+1234567890","company_name":"Acme Corp",
		"subscription_source":"form","utm_source":{"name":"news","id":12345678901234567890}}`))
	f := i.Contact.Fields
	if i.Contact.Ref.Email != "john@example.com" || *f.Email != "john@example.com" || *f.FirstName != "John" || *f.LastName != "Doe" || *f.Phone != "+1234567890" ||
		*f.Source != "form" || string(f.CustomFields["company"]) != `"Acme Corp"` || string(f.CustomFields["utm_source"]) != `{"name":"news","id":12345678901234567890}` {
		t.Errorf("the contact is %+v, the data %s", f, i.Data)
	}
}

// Each case is rows, a body, and the data that comes of them, less what the body brings; "!" begins a part of an error.
func TestRows(t *testing.T) {
	const set = `{"from":"set","to":"data.set"},` // so that the data is what rows say
	for _, c := range [][3]string{
		{`{"from":"a","to":"data.x.y.z"},{"from":"b","to":"data.x.w"},{"from":"b","to":"data.x.y.z"}`, `{"a":1.0,"b":[2]}`, `{"x":{"y":{"z":[2]},"w":[2]}}`},
		{`{"from":"a","to":"data.x"},{"from":"b","to":"data.x.y"}`, `{"a":1,"b":2}`, `{"x":{"y":2}}`},
		{`{"from":"a","to":"data.x"},{"from":"b","to":"data.x.y"}`, `{"a":{"y":1,"z":3},"b":2}`, `{"x":{"y":2,"z":3}}`},
		{`{"from":"a","to":"data[\"odd key\"].x"}`, `{"a":null}`, `{"odd key":{"x":null}}`},
		{`{"from":"a","to":"data.x"}`, `{}`, `{}`},
		{`{"from":"a","to":"data.x","transform":[{"default":[1]}]}`, `{}`, `{"x":[1]}`},
		{`{"from":["a","b","c"],"to":"data.x"}`, `{"a":"Ada","b":"","c":1815}`, `{"x":"Ada 1815"}`},
		{`{"from":["a","b"],"to":"data.x","transform":["trim",{"join":", "},"upper"]}`, `{"a":" x ","b":"y"}`, `{"x":"X, Y"}`},
		{`{"from":["d","t"],"to":"data.x","transform":[{"date":"DD.MM.YYYY HH:mm"}]}`, `{"d":"15.03.2026","t":"10:30"}`, `{"x":"2026-03-15T10:30:00Z"}`},
		{`{"from":["a","b"],"to":"data.x","transform":[{"default":"none"}]}`, `{"a":null,"b":""}`, `{"x":"none"}`},
		{`{"from":"i[*].q","to":"data.x","transform":["number"]}`, `{"i":[{"q":"1"},{},{"q":2.50}]}`, `{"x":[1,2.50]}`},
		{`{"from":"a","to":"data.x","when":"body.a > 10"}`, `{"a":11}`, `{"x":11}`},
		{`{"from":"a","to":"data.x","when":"body.a > 10"}`, `{"a":9}`, `{}`},
		{`{"from":"a","to":"data.x","when":"body.b > 10"}`, `{"a":9}`, `{}`},
		{`{"from":"a","to":"tags"},{"from":"a","to":"data.x","when":"'vip' in contact.tags"}`, `{"a":["vip"]}`, `{"contact":{"tags":["vip"]},"x":["vip"]}`},
		{`{"from":"a","to":"data.x"},{"from":"b","to":"data.y","when":"event.data.x == 1 && event.type == 'order.paid'"}`, `{"a":1,"b":2}`, `{"x":1,"y":2}`},
		{`{"from":"a","to":"data.x","when":"headers['x-shop'] == '7' && query.a == '1' && 'mail' in query.ref"}`, `{"a":1}`, `{"x":1}`},
		{`{"from":"headers.x-shop","to":"data.x"},{"from":"query.a","to":"data.y"}`, `{}`, `{"x":"7","y":"1"}`},

		{`{"from":"a","to":"email"}`, `{"a":" Ada@example.com "}`, `{"contact":{"email":"Ada@example.com"}}`},
		{`{"from":"a","to":"email"}`, `{"a":""}`, `{}`},
		{`{"from":"a","to":"uid"}`, `{"a":12345678901234567890}`, `{"contact":{"uid":"12345678901234567890"}}`},
		{`{"from":"a","to":"first_name"}`, `{"a":""}`, `{"contact":{"first_name":""}}`},
		{`{"from":"a","to":"first_name"}`, `{"a":null}`, `{}`},
		{`{"from":"a[*]","to":"email"}`, `{"a":["x@y"]}`, `{"contact":{"email":"x@y"}}`},
		{`{"from":"a[*]","to":"email"}`, `{"a":["x@y","z@y"]}`, `!2 values`},
		{`{"from":"a","to":"phone"}`, `{"a":{"n":1}}`, `!an object is not a text`},
		{`{"from":"a","to":"status"}`, `{"a":" Unsubscribed"}`, `{"contact":{"status":"unsubscribed"}}`},
		{`{"from":"a","to":"status"}`, `{"a":"subscribe"}`, `!did you mean subscribed?`},
		{`{"from":"a","to":"status","transform":[{"lookup":{"table":{"active":"subscribed"}}}]}`, `{"a":"active"}`, `{"contact":{"status":"subscribed"}}`},
		{`{"from":"a","to":"tags"}`, `{"a":["x",1,"x",null,""," y "]}`, `{"contact":{"tags":["x","1","y"]}}`},
		{`{"from":["a","b"],"to":"tags"}`, `{"a":"two words","b":"x"}`, `{"contact":{"tags":["two words","x"]}}`},
		{`{"from":"a","to":"lists"}`, `{"a":[{"id":1,"name":"News"},{"id":2},"More"]}`, `{"contact":{"lists":["News","More"]}}`},
		{`{"from":"a","to":"lists"}`, `{"a":[["x"]]}`, `!list in a list`},
		{`{"from":"a","to":"custom_field.company.name"}`, `{"a":{"x":[1]}}`, `{"contact":{"custom_fields":{"company.name":{"x":[1]}}}}`},
		{`{"from":"a","to":"custom_field.x"}`, `{"a":null}`, `{"contact":{"custom_fields":{"x":null}}}`},
		{`{"from":"a","to":"event.time"}`, `{"a":"someday"}`, `!no date that is recognised`},
		{`{"from":"a","to":"event.time"}`, `{"a":"1812-01-01"}`, `!between 1970 and 2200`},
		{`{"from":"a","to":"data.x","transform":["number"]}`, `{"a":"x"}`, `!no number`},
	} {
		p := program(t, mapping(set+c[0]))
		all := items(t, p, called("application/json", c[1], "X-Shop", "7"))
		if part, fails := strings.CutPrefix(c[2], "!"); fails {
			if e := all[0].Err; e == nil || !strings.Contains(e.Message, part) || e.Row != 2 || e.Event != 1 || e.Kind != "mapping" || !strings.HasPrefix(e.Path, "a") || e.Value == "" {
				t.Errorf("%s of %s: got %+v, want an error with %q", c[0], c[1], e, part)
			}
			continue
		}
		if all[0].Err != nil || string(all[0].Data) != c[2] {
			t.Errorf("%s of %s: got %s, %+v, want %s", c[0], c[1], all[0].Data, all[0].Err, c[2])
		}
	}
}

// An error says row, path and value; the other events of the call are read all the same.
func TestErrorsOfRows(t *testing.T) {
	p := program(t, mapping(`{"from":"id","to":"event.id"},{"from":["day","hour"],"to":"event.time","transform":[{"date":"DD.MM.YYYY HH:mm"}]}`))
	all := items(t, p, called("application/json", `[{"id":1,"day":"15.03.2026","hour":"10:30"},{"id":2,"day":"31.02.2026","hour":"10:30"},{"id":3}]`))
	want := postroom.RequestError{Kind: "mapping", Message: "there is no day 2026-02-31", Event: 2, Row: 2, Path: "day, hour", Value: `["31.02.2026","10:30"]`}
	if all[0].Err != nil || all[2].Err != nil || all[1].Err == nil || *all[1].Err != want {
		t.Errorf("%+v, %+v, %+v", all[0].Err, all[1].Err, all[2].Err)
	}
	if text := (&Error{want}).Error(); text != "event 2, row 2, day, hour: there is no day 2026-02-31" {
		t.Errorf("the error is %q", text)
	}
	if all[0].ID != "1" || !all[0].Time.Equal(time.Date(2026, 3, 15, 10, 30, 0, 0, time.UTC)) || !all[2].Time.Equal(arrived) || all[2].Key != "id:3" {
		t.Errorf("%+v", all)
	}
	long := items(t, program(t, mapping(`{"from":"a","to":"status"}`)), called("application/json", `{"a":"`+strings.Repeat("é", 200)+`"}`))[0].Err
	if len(long.Value) > 130 || !strings.HasSuffix(long.Value, "…") || !json.Valid([]byte(`"`+strings.Trim(long.Value, `"…`)+`"`)) {
		t.Errorf("the value is shown as %q", long.Value)
	}
}

// What a table lacks is left out, with a warning that says where.
func TestLookupWarns(t *testing.T) {
	i := only(t, program(t, mapping(`{"from":"a","to":"data.x","transform":[{"lookup":{"table":{"1":"one"}}}]}`)), called("application/json", `{"a":2}`))
	if len(i.Warnings) != 1 || i.Warnings[0].Row != 1 || i.Warnings[0].Value != "2" || i.Warnings[0].Path != "a" || string(i.Data) != `{}` {
		t.Errorf("%+v, %s", i.Warnings, i.Data)
	}
}

// Settings that cannot work are refused, with the place and, where it can be told, what was meant.
func TestCompileRefuses(t *testing.T) {
	for source, want := range map[string]string{
		`{"event_type":"order.payed"}`:                                                                     "/event_type: there is no event type \"order.payed\" (did you mean order.paid?)",
		`{"mapping":[{"from":"a..b","to":"email"}]}`:                                                       "/mapping/0/from: this is not how paths are written here (did you mean a.b?)",
		`{"mapping":[{"from":["a","b["],"to":"email"}]}`:                                                   "/mapping/0/from/1: ",
		`{"mapping":[{"from":[],"to":"email"}]}`:                                                           "/mapping/0/from: a row has 1 to 32 paths",
		`{"mapping":[{"from":"a","to":"emial"}]}`:                                                          "/mapping/0/to: there is nothing called \"emial\" to map to (did you mean email?)",
		`{"mapping":[{"from":"a","to":"custom.x"}]}`:                                                       "did you mean custom_field.x?",
		`{"mapping":[{"from":"a","to":"contact.emal"}]}`:                                                   "did you mean email?",
		`{"mapping":[{"from":"a","to":"custom_field."}]}`:                                                  "/mapping/0/to: after custom_field.",
		`{"mapping":[{"from":"a","to":"data"}]}`:                                                           "/mapping/0/to: data is for kinds alone",
		`{"mapping":[{"from":"a","to":"event.key"}]}`:                                                      "/mapping/0/to: event.key is for kinds alone",
		`{"mapping":[{"from":"a","to":"data.x[0]"}]}`:                                                      "/mapping/0/to: what is set in the data has names on its way",
		`{"mapping":[{"from":"a","to":"data.x.*"}]}`:                                                       "/mapping/0/to",
		`{"mapping":[{"from":"a","to":"email","transform":["trim","lowr"]}]}`:                              "/mapping/0/transform/1: there is no transform \"lowr\" (did you mean lower?)",
		`{"mapping":[{"from":"a","to":"email","when":"body.x = 1"}]}`:                                      "/mapping/0/when: ",
		`{"mapping":[{"from":"a","to":"email","when":"bdy.x == 1"}]}`:                                      `"bdy" is not known here (line 1, column 1): an expression speaks of body, headers, query, contact, event`,
		`{"mapping":[{"from":"a","to":"email","when":"1 + 1"}]}`:                                           "must give true or false",
		`{"actions":[{"when":"true"},{"when":"has(body)"}]}`:                                               "/actions/1/when: ",
		`{"actions":[{"mapping":[{"from":"a","to":"nowhere"}]}]}`:                                          "/actions/0/mapping/0/to: ",
		`{"actions":[{"event_type":"order.payed"}]}`:                                                       "/actions/0/event_type: ",
		`{"actions":[{"data":{"a":{"b":"{subscriber_emial}"}}}]}`:                                          "/actions/0/data/a/b: ",
		`{"actions":[{"data":[1]}]}`:                                                                       "/actions/0/data: it is a template of an object",
		`{"dedupe":{"by":"hash"}}`:                                                                         "/dedupe/by: ",
		`{"dedupe":{"by":"header"}}`:                                                                       "/dedupe/header: ",
		`{"dedupe":{"by":"auto","header":"X-Id"}}`:                                                         "/dedupe/header: ",
		`{"dedupe":{"by":"id","path":"a["}}`:                                                               "/dedupe/path: ",
		`{"dedupe":{"by":"body","path":"a"}}`:                                                              "/dedupe/path: ",
		`{"mapping":[` + strings.Repeat(`{"from":"a","to":"email"},`, 200) + `{"from":"a","to":"email"}]}`: "/mapping: a mapping has at most 200 rows",
	} {
		_, err := Compile(settings(t, source), nil, testTypes{})
		var wrong *postroom.Error
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.90s: got %v, want %s", source, err, want)
		}
	}
}

// Generic sources find the type of an event where systems usually say it.
func TestTypesOfGenericSources(t *testing.T) {
	for _, c := range []struct{ settings, body, header, want, name, warning string }{
		{`{}`, `{"event":"order.paid"}`, "", "order.paid", "order.paid", ""},
		{`{}`, `{"event_type":"order.paid"}`, "", "order.paid", "order.paid", ""},
		{`{}`, `{"eventType":"Subscriber_Added"}`, "", "contact.created", "Subscriber_Added", ""},
		{`{}`, `{"event":"click","type":"order.paid"}`, "", "order.paid", "order.paid", ""},
		{`{}`, `{"event":{"type":"order.paid"}}`, "X-Event-Type", "order.paid", "order.paid", ""},
		{`{}`, `[1]`, "X-GitHub-Event", "order.paid", "order.paid", ""},
		{`{}`, `{"type":"order.payed"}`, "", "", "order.payed", "did you mean order.paid?"},
		{`{}`, `{"a":1}`, "", "", "", "does not say what type"},
		{`{"event_type":"subscriber_added"}`, `{"type":"order.paid"}`, "", "contact.created", "order.paid", ""},
		{`{"event_type":"order.paid"}`, `{"type":"something"}`, "", "order.paid", "something", ""},
		{`{"event_type":"order.paid","mapping":[{"from":"kind","to":"event.type","when":"body.kind == 'email.opened'"}]}`, `{"kind":"email.opened"}`, "", "email.opened", "email.opened", ""},
		{`{"event_type":"order.paid","mapping":[{"from":"kind","to":"event.type","when":"body.kind == 'email.opened'"}]}`, `{"kind":"x"}`, "", "order.paid", "", ""},
		{`{"event_type":"order.paid","mapping":[{"from":"kind","to":"event.type"}]}`, `{"kind":"x"}`, "", "", "x", "no event type"},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{c.header, "order.paid"}
		}
		i := only(t, program(t, c.settings), called("application/json", c.body, headers...))
		warnings := fmt.Sprint(i.Warnings)
		if i.Type != c.want || i.Name != c.name || i.Skip || (c.warning == "") != (len(i.Warnings) == 0) || !strings.Contains(warnings, c.warning) {
			t.Errorf("%s, %s: the type is %q, the name %q, warnings %s", c.settings, c.body, i.Type, i.Name, warnings)
		}
	}
}

// A contact is recognised under the usual names, unless a row says who it is.
func TestRecognise(t *testing.T) {
	for _, c := range [][3]string{
		{``, `{"email":"a@b","firstName":"Ada","Last Name":"L","mobile":46701740605}`, `{"email":"a@b","first_name":"Ada","last_name":"L","phone":"46701740605"}`},
		{``, `{"subscriber_email":"a@b","contact_first_name":"Ada"}`, `{"email":"a@b","first_name":"Ada"}`},
		{``, `{"E-Mail":"a@b"}`, `{"email":"a@b"}`},
		{``, `{"email":"none","name":"x"}`, ``},
		{``, `{"email":{"a":1},"phone":""}`, ``},
		{``, `{"user":{"email":"a@b","first_name":"Ada"},"data":{"email":"c@d"}}`, `{"email":"a@b","first_name":"Ada"}`},
		{``, `{"data":{"customer_email":"a@b"}}`, `{"email":"a@b"}`},
		{``, `{"contact":{"email":"a@b","x":1},"first_name":"Ada"}`, `{"email":"a@b","x":1,"first_name":"Ada"}`},
		{``, `["a@b"]`, ``},
		{`{"from":"plan","to":"tags"}`, `{"email":"a@b","plan":"pro"}`, `{"email":"a@b","tags":["pro"]}`},
		{`{"from":"mail2","to":"email"}`, `{"email":"a@b","first_name":"Ada"}`, ``},
		{`{"from":"mail2","to":"email"}`, `{"email":"a@b","mail2":"c@d"}`, `{"email":"c@d"}`},
	} {
		i := items(t, program(t, mapping(c[0])), called("application/json", c[1]))[0]
		if got := string(openObject(i.Data).get("contact")); got != c[2] {
			t.Errorf("%s of %s: the contact is %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

// Without rows that set data, the data is the body.
func TestDataOfGenericSources(t *testing.T) {
	for _, c := range [][3]string{
		{``, ` {"a": 1.0,"b":[ 9007199254740993 ]} `, `{"a":1.0,"b":[ 9007199254740993 ]}`},
		{``, `"text"`, `{"body":"text"}`},
		{``, `null`, `{"body":null}`},
		{`{"from":"a","to":"first_name"}`, `{"a":"x"}`, `{"a":"x","contact":{"first_name":"x"}}`},
		{`{"from":"a","to":"data.b"}`, `{"a":"x"}`, `{"b":"x"}`},
	} {
		if i := only(t, program(t, mapping(c[0])), called("application/json", c[1])); string(i.Data) != c[2] {
			t.Errorf("%s of %s: the data is %s, want %s", c[0], c[1], i.Data, c[2])
		}
	}
}

// The contact's draft is what the data's contact says. What is odd in it is left out.
func TestContactOf(t *testing.T) {
	id := postroom.FirstID[postroom.ContactKind](arrived).String()
	for raw, want := range map[string]string{
		`{"email":"A@b","uid":7,"phone":"+1","id":9}`:       `{"ID":"con_00000000000000000000000000","Email":"A@b","UID":"7","Phone":"+1"}`,
		`{"id":"` + id + `"}`:                               `{"ID":"` + id + `","Email":"","UID":"","Phone":""}`,
		`{"id":"` + id + `","email":"a@b"}`:                 `{"ID":"con_00000000000000000000000000","Email":"a@b","UID":"","Phone":""}`,
		`{"email":"","uid":" ","phone":null,"id":"123"}`:    `{"ID":"con_00000000000000000000000000","Email":"","UID":"","Phone":""}`,
		`{"email":{"a":1},"status":"odd","lists":{"x":[]}}`: `{"ID":"con_00000000000000000000000000","Email":"","UID":"","Phone":""}`,
		`"text"`: `{"ID":"con_00000000000000000000000000","Email":"","UID":"","Phone":""}`,
	} {
		d := contactOf([]byte(raw))
		if got, err := json.Marshal(d.Ref); err != nil || string(got) != want {
			t.Errorf("%s is %s, %v, want %s", raw, got, err, want)
		}
		if d.Fields.Status != nil || d.Lists != nil {
			t.Errorf("%s: %+v", raw, d)
		}
	}
}

// Conditions of actions, transform actions and the data that publish_event publishes.
func TestActionsOfPrograms(t *testing.T) {
	p := program(t, `{"event_type":"order.paid","actions":[
		{"type":"apply_tag","when":"body.score > 10"},
		{"type":"transform","mapping":[{"from":"score","to":"custom_field.score"},{"from":"kind","to":"event.type"},{"from":"bad","to":"event.time"}]},
		{"type":"publish_event","event_type":"email.opened","data":{"who":"{contact_email}","what":"{event_type}","score":"{body.score}","shop":"{headers[\"x-shop\"]}","ip":"{request.ip}","a":"{query.a}","gone":"{data.nothing}"}},
		{"type":"publish_event"},
		{"type":"publish_event","data":"{data.contact}"},
		{"type":"publish_event","data":"{data.n}"}]}`)
	c := called("application/json", `{"email":"ada@example.com","score":12,"n":1}`, "X-Shop", "7")
	i := only(t, p, c)
	if ok, err := p.Applies(i, 0); !ok || err != nil {
		t.Errorf("the first action does not apply: %v", err)
	}
	if ok, err := p.Applies(i, 1); !ok || err != nil {
		t.Errorf("an action without a condition does not apply: %v", err)
	}
	before := string(i.Data)
	if err := p.Transform(i, 1); err != nil {
		t.Fatal(err)
	}
	if string(i.Contact.Fields.CustomFields["score"]) != "12" || i.Type != "order.paid" || string(i.Data) == before {
		t.Errorf("%+v, %s", i.Contact, i.Data)
	}
	for action, want := range map[int]string{
		2: `{"who":"ada@example.com","what":"email.opened","score":12,"shop":"7","ip":"203.0.113.7","a":"1","gone":null}`,
		3: string(i.Data),
		4: `{"email":"ada@example.com","custom_fields":{"score":12}}`,
	} {
		if got, err := p.Data(i, action); err != nil || string(got) != want {
			t.Errorf("action %d publishes %s, %v, want %s", action+1, got, err, want)
		}
	}
	if got := p.EventType(i, 2) + " " + p.EventType(i, 3); got != "email.opened order.paid" {
		t.Errorf("the types are %s", got)
	}
	var wrong *Error
	if _, err := p.Data(i, 5); !errors.As(err, &wrong) || wrong.Action != 6 || wrong.Event != 1 {
		t.Errorf("the data of a number: %v", err)
	}
	j := only(t, p, called("application/json", `{"bad":"x","score":"12","kind":"email.opened"}`))
	if err := p.Transform(j, 1); !errors.As(err, &wrong) || wrong.Action != 2 || wrong.Row != 3 || wrong.Path != "bad" || wrong.Value != `"x"` {
		t.Errorf("a transform that fails: %v", err)
	}
	if ok, err := p.Applies(j, 0); ok || err != nil || len(j.Warnings) != 1 || j.Warnings[0].Action != 1 {
		t.Errorf("a text is compared with a number: %v, %v, %+v", ok, err, j.Warnings)
	}
}

// A call whose conditions are too much work ends with an error, in bounded time.
func TestWorkIsBounded(t *testing.T) {
	list := "[" + strings.Repeat("1,", 999) + "1]"
	p := program(t, mapping(`{"from":"l","to":"data.x","when":"body.l.all(a, a + a + a > 0)"}`))
	p.maxWork = 20_000
	all := items(t, p, called("application/json", "["+strings.Repeat(`{"l":`+list+`},`, 9)+`{"l":`+list+`}]`))
	if all[0].Err != nil || all[9].Err == nil || !strings.Contains(all[9].Err.Message, "too much work") {
		t.Errorf("%+v, %+v", all[0].Err, all[9].Err)
	}
	p = program(t, mapping(`{"from":"l","to":"data.x","when":"body.l.all(a, body.l.all(b, body.l.all(c, a + b + c > 0)))"}`))
	if e := items(t, p, called("application/json", `{"l":`+list+`}`))[0].Err; e == nil || e.Row != 1 || !strings.Contains(e.Message, "condition failed") {
		t.Errorf("%+v", e)
	}
}

// What rows make is bounded, all items of a call together.
func TestMadeIsBounded(t *testing.T) {
	p := program(t, mapping(strings.TrimSuffix(strings.Repeat(`{"from":".","to":"data.x"},`, 200), ",")))
	e := items(t, p, called("application/json", `{"a":"`+strings.Repeat("x", 1<<20)+`"}`))[0].Err
	if e == nil || !strings.Contains(e.Message, "more than 67108864 bytes") {
		t.Errorf("%+v", e)
	}
}

// Explain shows what each row did, beside what it was given.
func TestExplain(t *testing.T) {
	p := program(t, mapping(`{"from":"a","to":"first_name","transform":["upper"]},{"from":"b","to":"last_name"},{"from":"a","to":"phone","when":"false"}`))
	all, err := p.Explain(called("application/json", `{"a":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", all[0].Rows); got != `[{Row:1 Action:0 Applies:true From:[34 120 34] To:[34 88 34]} {Row:2 Action:0 Applies:true From:[] To:[]} {Row:3 Action:0 Applies:false From:[] To:[]}]` {
		t.Error(got)
	}
	if again := items(t, p, called("application/json", `{"a":"x"}`)); again[0].Rows != nil {
		t.Error("Read explains, too")
	}
}

// Each case is a way to recognise duplicates, a body, headers, and the keys of the events.
func TestKeys(t *testing.T) {
	const sum = "body:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862" // of {"a":1}
	long := strings.Repeat("x", 201)
	for _, c := range []struct {
		dedupe, body string
		headers      []string
		want         string
	}{
		{`{"by":"auto"}`, `{"a":1}`, nil, ""},
		{`{}`, `{"a":1}`, []string{"Idempotency-Key", "k1"}, "idempotency-key:k1"},
		{`{"by":"auto"}`, `{"a":1}`, []string{"X-GitHub-Delivery", "g", "Webhook-Id", "w"}, "webhook-id:w"},
		{`{"by":"auto"}`, `{"a":1}`, []string{"X-Event-ID", "e"}, "x-event-id:e"},
		{`{"by":"auto"}`, `{"a":1}`, []string{"X-Request-Id", "r"}, ""},
		{`{"by":"auto"}`, `[{"a":1},{"a":2}]`, []string{"Webhook-Id", "w"}, "webhook-id:w#1 webhook-id:w#2"},
		{`{"by":"auto"}`, `[{"e":1},{"a":2}]`, []string{"Webhook-Id", "w"}, "id:1 webhook-id:w#2"},
		{`{"by":"id"}`, `[{"e":"x y"},{"a":2}]`, nil, "id:x y "},
		{`{"by":"id","path":"k.i"}`, `[{"k":{"i":9007199254740993},"e":1},{"e":1},{"k":{"i":{}}}]`, nil, "id:9007199254740993  "},
		{`{"by":"id","path":"headers.x-id"}`, `{}`, []string{"X-Id", "7"}, "id:7"},
		{`{"by":"id"}`, `{"e":"` + long + `"}`, nil, "id:sha256:0ad7fe7c7eec96e0b0d0a4c5bf1c06cb67e7fbdeb27b2bd1e0e5b08b2e3a0a1d"},
		{`{"by":"header","header":"x-my-id"}`, `{"a":1}`, []string{"X-My-Id", "m"}, "x-my-id:m"},
		{`{"by":"header","header":"x-my-id"}`, `{"a":1}`, nil, ""},
		{`{"by":"body"}`, `{"a":1}`, nil, sum},
		{`{"by":"body"}`, `[{"a":1}, {"a":1}]`, nil, sum + " " + sum},
		{`{"by":"none"}`, `{"e":1}`, []string{"Webhook-Id", "w"}, ""},
	} {
		p := program(t, `{"event_type":"order.paid","mapping":[{"from":"e","to":"event.id"}],"dedupe":`+c.dedupe+`}`)
		var got []string
		warned := false
		for _, i := range items(t, p, called("application/json", c.body, c.headers...)) {
			got = append(got, i.Key)
			warned = warned || len(i.Warnings) > 0
			if len(i.Key) > 300 || len(i.ID) > postroom.MaxEventUID {
				t.Errorf("the key %q, the id %q", i.Key, i.ID)
			}
		}
		want := c.want
		if strings.Contains(want, "sha256:") {
			want = got[0][:len("id:sha256:")] + got[0][len("id:sha256:"):]
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s of %.60s: the keys are %q, want %q", c.dedupe, c.body, got, c.want)
		}
		if by := p.dedupe.By; warned != (strings.Contains(strings.Join(got, "|")+"|", "||") || got[0] == "") && by != postroom.DedupeAuto && by != postroom.DedupeNone {
			t.Errorf("%s of %s: warned is %v", c.dedupe, c.body, warned)
		}
	}
}

// A program may read several calls at once.
func TestConcurrentReads(t *testing.T) {
	p := program(t, `{"event_type":"order.paid","mapping":[{"from":"a","to":"first_name","transform":["title",{"replace":{"pattern":"x","new":"y"}}],"when":"body.n > 1"}],
		"actions":[{"when":"contact.first_name == 'Aye'","data":{"a":"{data.contact.first_name + 'x'}"}}]}`)
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			for range 50 {
				all, err := p.Read(called("application/json", fmt.Sprintf(`{"a":"axe","n":%d}`, n)))
				if err != nil {
					t.Error(err)
					return
				}
				applies, err := p.Applies(all[0], 0)
				if err != nil || applies != (n > 1) {
					t.Errorf("%d: %v, %v", n, applies, err)
				}
				if _, err := p.Data(all[0], 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// An object that is written holds what was set last, and keeps every byte of what was not touched.
func TestObjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SampledFrom([]string{"a", "b", "c", "ü\"", "0"})
		o, model := openObject([]byte(`{"a":{"b":1.0,"b":2.00},"c":[1e400]}`)), map[string]any{"a": map[string]any{"b": "2.00"}, "c": "[1e400]"}
		for n := range rapid.IntRange(1, 12).Draw(t, "changes") {
			way := rapid.SliceOfN(names, 1, 4).Draw(t, "path")
			o.set(way, fmt.Appendf(nil, "%d.0", n))
			at := model
			for _, name := range way[:len(way)-1] {
				next, ok := at[name].(map[string]any)
				if !ok {
					next = map[string]any{}
					at[name] = next
				}
				at = next
			}
			at[way[len(way)-1]] = fmt.Sprintf("%d.0", n)
			if got := string(o.get(way...)); got != fmt.Sprintf("%d.0", n) {
				t.Fatalf("%q is %s", way, got)
			}
		}
		raw := o.append(nil)
		if err := payload.Valid(raw); err != nil {
			t.Fatal(err)
		}
		var same func(raw []byte, model any)
		same = func(raw []byte, model any) {
			want, isObject := model.(map[string]any)
			if !isObject {
				if string(raw) != model {
					t.Fatalf("%s, want %s", raw, model)
				}
				return
			}
			members := openObject(raw).members
			if len(members) != len(want) {
				t.Fatalf("%s, want %v", raw, want)
			}
			for _, m := range members {
				same(m.raw, want[m.key])
			}
		}
		same(raw, model)
	})
}
