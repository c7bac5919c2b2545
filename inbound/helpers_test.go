package inbound

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/payload"
)

// arrived is when calls of tests arrive.
var arrived = time.Date(2026, 3, 15, 10, 30, 0, 0, time.UTC)

// testTypes are the event types of tests: two of the catalogue, one of a workspace, and a vendor's name.
type testTypes struct{}

func (testTypes) Known(name string) bool {
	return name == "contact.created" || name == "email.opened" || name == "order.paid"
}

func (testTypes) Named(name string) (string, bool) {
	if strings.EqualFold(name, "subscriber_added") {
		return "contact.created", true
	}
	return "", false
}

func (testTypes) Hint(name string) string {
	if name == "order.payed" {
		return " (did you mean order.paid?)"
	}
	return ""
}

// called makes a call with a body and headers, each a name and a value.
func called(contentType, body string, headers ...string) *Call {
	r := &postroom.Request{ID: postroom.FirstID[postroom.RequestKind](arrived), At: arrived, Method: "POST", Target: "/in/src_1?token=***&ref=mail&ref=x&a=1",
		Body: []byte(body), Sender: "203.0.113.7"}
	if contentType != "" {
		r.Headers = append(r.Headers, postroom.Header{Name: "Content-Type", Value: contentType})
	}
	for n := 0; n < len(headers); n += 2 {
		r.Headers = append(r.Headers, postroom.Header{Name: headers[n], Value: headers[n+1]})
	}
	return NewCall(r)
}

func settings(t testing.TB, source string) *postroom.SourceSettings {
	t.Helper()
	var s postroom.SourceSettings
	if err := json.Unmarshal([]byte(source), &s); err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return &s
}

// program compiles the settings of a generic source.
func program(t testing.TB, source string) *Program {
	t.Helper()
	p, err := Compile(settings(t, source), nil, testTypes{})
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return p
}

// kindProgram compiles the settings of a source of a kind that is given as the YAML of its part in.
func kindProgram(t testing.TB, in, source string) *Program {
	t.Helper()
	p, err := Compile(settings(t, source), incomingPart(t, in).In, testTypes{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func incomingPart(t testing.TB, in string) *dialect.Dialect {
	t.Helper()
	d, problems := dialect.Compile("vendor", "dialect.yaml", []byte(vendor+in), dialect.Known{Check: CheckKind, Types: map[string]dialect.EventType{
		"contact.created": {Schema: []byte(`{}`), Sample: []byte(`{}`)}, "email.opened": {Schema: []byte(`{}`), Sample: []byte(`{}`)}}})
	if problems != nil {
		t.Fatal(problems)
	}
	return d
}

// vendor is a dialect, less its part in. It has eight lines.
const vendor = `title: Vendor
out:
  events: {contact.created: person-added, email.opened: mail-read}
  bodies:
    "*": |
      {"data": "{data}"}
  test: contact.created
in:
`

// items reads a call, which must be readable as a whole.
func items(t testing.TB, p *Program, c *Call) []*Item {
	t.Helper()
	all, err := p.Read(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if payload.Valid(i.Data) != nil || payload.KindOf(i.Data) != payload.KindObject {
			t.Fatalf("the data is no object: %s", i.Data)
		}
	}
	return all
}

// only reads a call with one event, which must be good.
func only(t testing.TB, p *Program, c *Call) *Item {
	t.Helper()
	all := items(t, p, c)
	if len(all) != 1 {
		t.Fatalf("there are %d events", len(all))
	}
	if all[0].Err != nil {
		t.Fatalf("%+v", all[0].Err)
	}
	return all[0]
}

// changed applies transforms to a value; an empty text is a missing value, both ways.
func changed(given string, transforms ...postroom.Transform) (string, error) {
	value := []byte(given)
	if given == "" {
		value = nil
	}
	for _, one := range transforms {
		compiled, err := newTransform(one)
		if err != nil {
			return "", err
		}
		if value, err = compiled.apply(value); err != nil {
			return "", err
		}
	}
	return string(value), nil
}

func quote(s string) string { return string(payload.AppendString(nil, s)) }
