package dialect_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
)

// known is a small catalogue.
func known() dialect.Known {
	schema := []byte(`{"properties":{"contact":{"properties":{"email":{"type":"string"},"id":{"type":"integer"}}}}}`)
	k := dialect.Known{Types: map[string]dialect.EventType{}}
	for _, name := range []string{"email.sent", "email.opened", "contact.created", "postroom.test", "postroom.webhook.disabled"} {
		k.Types[name] = dialect.EventType{Schema: schema, Sample: []byte(`{"contact":{"id":1,"email":"ada@example.com"}}`)}
	}
	return k
}

// whole is a dialect that says everything there is to say.
const whole = `title: Acme
description: How Acme sends.
out:
  content_type: application/vnd.acme+json
  method: PUT
  events:
    email.sent: sent
    email.opened: opened
    contact.created: opened
  bodies:
    "*": |
      {"event": "{event_type}"}
    email.*: |
      {
        "event": "{event_type}",
        "who": "{contact_email}"
      }
    email.sent: '{"only": "{data.contact.id}"}'
  headers:
    "*":
      x-acme-event: "{event_type}"
      x-acme-time: "{iso(timestamp)}"
    email.*:
      x-acme-event: mail
      x-acme-email: "{contact_email?}"
  signature:
    scheme: hmac
    header: x-acme-signature
    algorithm: sha512
    encoding: base64
    prefix: "v0="
  auth: [none, bearer]
  retry:
    schedule: [5s, 1m]
    jitter: 0.5
  timeout: 30s
  expect_json: true
  rate_limit: {limit: 10, period: 1m}
  disable_after: {failures: 3, for: 24h}
  test:
    type: email.sent
    data: '{"contact": {"id": 7}}'
`

func compile(t *testing.T, text string) *dialect.Dialect {
	t.Helper()
	d, problems := dialect.Compile("acme", "acme/dialect.yaml", []byte(text), known())
	if problems != nil {
		t.Fatal(problems)
	}
	return d
}

func TestCompile(t *testing.T) {
	d := compile(t, whole)
	o := &d.Out
	if d.Name != "acme" || d.Title != "Acme" || d.Description != "How Acme sends." || o.ContentType != "application/vnd.acme+json" {
		t.Errorf("%+v", d)
	}
	minute := postroom.Duration(time.Minute)
	want := dialect.Defaults{Method: "PUT", Retry: postroom.Retry{Schedule: []postroom.Duration{postroom.Duration(5 * time.Second), minute}, Jitter: 0.5},
		Timeout: postroom.Duration(30 * time.Second), ExpectJSON: true, RateLimit: &postroom.RateLimit{Limit: 10, Period: minute},
		DisableAfter: postroom.DisableAfter{Failures: 3, For: postroom.Duration(24 * time.Hour)}}
	if diff := cmp.Diff(want, o.Defaults); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(dialect.Signature{Scheme: dialect.SchemeHMAC, Header: "X-Acme-Signature", Algorithm: "sha512", Encoding: "base64", Prefix: "v0="}, o.Signature); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]postroom.AuthType{"none", "bearer"}, o.Auth); diff != "" {
		t.Error(diff)
	}
	if o.Test.Type != "email.sent" || string(o.Test.Data) != `{"contact": {"id": 7}}` {
		t.Errorf("%+v", o.Test)
	}
}

// What is left out is as in the standard dialect.
func TestCompileLeast(t *testing.T) {
	d := compile(t, "title: A\nout:\n  events: {\"*\": \"*\"}\n  bodies: {\"*\": '{}'}\n  test: postroom.test\n")
	o := d.Out.Defaults
	if d.Out.ContentType != "application/json" || d.Out.Signature.Scheme != dialect.SchemeStandard || len(d.Out.Auth) != len(postroom.AuthTypes()) ||
		o.Method != "POST" || len(o.Retry.Schedule) != 9 || o.Retry.Jitter != 0.1 || time.Duration(o.Timeout) != 15*time.Second || o.ExpectJSON || o.RateLimit != nil || o.DisableAfter.Failures != 0 {
		t.Errorf("%+v", d.Out)
	}
	if d := compile(t, strings.Replace(whole, "  retry:\n    schedule: [5s, 1m]\n    jitter: 0.5\n", "  retry: {schedule: []}\n", 1)); d.Out.Defaults.Retry.Schedule == nil || len(d.Out.Defaults.Retry.Schedule) != 0 || d.Out.Defaults.Retry.Jitter != 0 {
		t.Errorf("no retries: %+v", d.Out.Defaults.Retry)
	}
}

// TestProblems changes one thing of the whole dialect at a time. want is file:line and the start of what is said of it.
func TestProblems(t *testing.T) {
	for _, c := range []struct{ name, old, put, want string }{
		{"an unknown key", "  timeout: 30s", "  timeoutt: 30s", `36: out has no timeoutt (did you mean timeout?)`},
		{"a key like no other", "title: Acme", "title: Acme\nvendor: x", `2: a dialect has no vendor; it may have description, in, out, title`},
		{"a key twice", "  timeout: 30s", "  timeout: 30s\n  timeout: 31s", `37: timeout is there twice`},
		{"no title", "title: Acme\n", "", `1: a dialect has a title`},
		{"an empty title", "title: Acme", "title: ' '", `1: title is a text`},
		{"a title that is null", "title: Acme", "title: ~", `1: title is a text`},
		{"a title that is a list", "title: Acme", "title: [a]", `1: title is a text`},
		{"no part out", between(whole, "out:", ""), "", `1: a dialect has a part out`},
		{"a list as the part out", between(whole, "out:", ""), "out: [a]", `3: out is a mapping`},
		{"a content type that is none", "application/vnd.acme+json", "json", `4: content_type is a media type`},
		{"a content type with a line break", "application/vnd.acme+json", `"a/b; c=\"d\ne\""`, `4: content_type is a media type`},
		{"another method", "method: PUT", "method: put", `5: method is POST, PUT or PATCH (did you mean PUT?)`},
		{"an unknown event type", "email.opened: opened", "email.opend: opened", `8: the catalogue has no event type email.opend (did you mean email.opened?)`},
		{"a name with a space", "email.opened: opened", "email.opened: was opened", `8: the vendor's name for email.opened is a text of up to 128 bytes without spaces`},
		{"a name that is a list", "email.opened: opened", "email.opened: [a]", `8: the vendor's name for email.opened is a text`},
		{"a pattern as a name", "email.opened: opened", "email.*: opened", `8: the catalogue has no event type email.*`},
		{"half of the star", "email.opened: opened", `"*": opened`, `8: the only pattern is "*": "*"`},
		{"no events", "  events:\n    email.sent: sent\n    email.opened: opened\n    contact.created: opened\n", "", `4: out has events`},
		{"no bodies", between(whole, "  bodies:", "  headers:"), "", `4: out has bodies`},
		{"no body for a type", "    \"*\": |\n      {\"event\": \"{event_type}\"}\n", "", `11: there is no body for contact.created`},
		{"a body for what is not sent", "    email.*: |", "    inbox.*: |", `13: no event type of this dialect is inbox.*`},
		{"a body for a misspelt type", "    email.sent: '{", "    email.snt: '{", `18: no event type of this dialect is email.snt (did you mean email.sent?)`},
		{"a pattern in a word", "    email.*: |", "    em*: |", `13: em* is no pattern`},
		{"a body that is a mapping", `'{"only": "{data.contact.id}"}'`, `{only: "{data.contact.id}"}`, `18: a body is a template`},
		{"a body that is no JSON", `        "event": "{event_type}",`, `        "event": "{event_type}"`, `16: the body of email.*: invalid JSON at line 3, column 3`},
		{"an unknown variable in a block", `"who": "{contact_email}"`, `"who": "{contact_mail}"`, `16: the body of email.*, /who: character 2: contact_mail is not known here (did you mean contact_email?)`},
		{"an unknown path in a block", `"who": "{contact_email}"`, `"who": [1, {"a/b": "{data.contact.mail}"}]`, `16: the body of email.*, /who/1/a~1b: `},
		{"an unknown path in a line", `{data.contact.id}`, `{data.contact.idd}`, `18: the body of email.sent, /only: `},
		{"a folded block is fine", "email.*: |", "email.*: >", ``},
		{"headers of what is not sent", "    email.*:\n      x-acme-event: mail", "    inbox.*:\n      x-acme-event: mail", `23: no event type of this dialect is inbox.*`},
		{"headers that are a list", "\n      x-acme-event: mail\n      x-acme-email: \"{contact_email?}\"", " [a]", `23: the headers of email.* is a mapping`},
		{"a header that HTTP needs", "x-acme-email:", "content-length:", `25: a dialect cannot set the header content-length`},
		{"a header of Postroom", "x-acme-email:", "postroom-attempt:", `25: a dialect cannot set the header postroom-attempt`},
		{"the header of credentials", "x-acme-email:", "Authorization:", `25: a dialect cannot set the header Authorization`},
		{"the header of the signature", "x-acme-email:", "X-ACME-Signature:", `25: the header X-ACME-Signature carries the signature`},
		{"a header that cannot be one", "x-acme-email:", `"x acme":`, `25: "x acme" cannot be the name of a header`},
		{"a header twice", "x-acme-email:", `X-Acme-Event:`, `25: X-Acme-Event is there twice, in different spellings`},
		{"a header without a value", `"{contact_email?}"`, `""`, `25: the value of x-acme-email is a template`},
		{"an unknown variable in a header", `"{contact_email?}"`, `"{contact_emial}"`, `25: the header x-acme-email: character 2: contact_emial is not known here`},
		{"an unknown scheme", "scheme: hmac", "scheme: hmack", `27: scheme is standard, hmac or none (did you mean hmac?)`},
		{"no header for the signature", "    header: x-acme-signature\n", "", `27: the scheme hmac has a header`},
		{"a reserved header for the signature", "header: x-acme-signature", "header: host", `28: a dialect cannot set the header host`},
		{"what goes with hmac", "scheme: hmac", "scheme: none", `28: header goes with the scheme hmac`},
		{"an unknown algorithm", "algorithm: sha512", "algorithm: md5", `29: algorithm is sha1, sha256 or sha512`},
		{"an unknown encoding", "encoding: base64", "encoding: base32", `30: encoding is hex or base64`},
		{"an unknown auth", "[none, bearer]", "[none, beaerer]", `32: there is no auth type "beaerer" (did you mean bearer?)`},
		{"auth that is no list", "[none, bearer]", "none", `32: auth is a list`},
		{"no auth at all", "[none, bearer]", "[]", `32: auth is a list`},
		{"auth twice", "[none, bearer]", "[none, none]", `32: none is there twice`},
		{"a wait that is none", "[5s, 1m]", "[5s, soon]", `34: a wait is a time from 100ms to 168h`},
		{"a wait too short", "[5s, 1m]", "[5s, 1ms]", `34: a wait is a time`},
		{"a wait that is a list", "[5s, 1m]", "[[5s], 1m]", `34: a wait is a time`},
		{"a schedule that is none", "[5s, 1m]", "5s", `34: schedule is a list of at most 30 waits`},
		{"jitter that is none", "jitter: 0.5", "jitter: lots", `35: jitter is a number from 0 to 1`},
		{"jitter that is not a number", "jitter: 0.5", "jitter: .nan", `35: jitter is a number from 0 to 1`},
		{"a timeout too long", "timeout: 30s", "timeout: 2m", `36: timeout is a time from 100ms to 1m`},
		{"text as a boolean", "expect_json: true", "expect_json: \"true\"", `37: expect_json is true or false`},
		{"a broken limit", "limit: 10", "limit: 1.5", `38: limit is a whole number from 1 to 1000000`},
		{"no period", ", period: 1m", "", `38: rate_limit has a limit and a period`},
		{"failures below one", "failures: 3", "failures: -3", `39: failures is a whole number`},
		{"a test of what is not sent", "type: email.sent\n", "type: postroom.test\n", `41: a test sends an event type of the catalogue that the dialect offers, and "postroom.test" is none`},
		{"a test without a type", "    type: email.sent\n", "", `41: a test sends`},
		{"test data that are none", `'{"contact": {"id": 7}}'`, `'[1]'`, `42: data is a JSON object in a text`},
		{"no test", between(whole, "  test:", ""), "", `4: out has a test`},
		{"an anchor", "title: Acme", "title: &a Acme", `1: a dialect has no anchors, such as &a here`},
		{"an alias", "title: Acme\ndescription: How Acme sends.", "title: &a Acme\ndescription: *a", `2: a dialect has no aliases: write out what *a stands for`},
		{"another document", whole, whole + "---\ntitle: B\n", `43: a dialect is one document`},
		{"no YAML", "title: Acme", "title: 'Acme", `: this is no YAML`},
		{"a list", whole, "- a\n", `1: a dialect is a mapping`},
		{"a text", whole, "hello", `1: a dialect is a mapping`},
		{"a key that is a list", "title: Acme", "title: Acme\n[a, b]: c", `2: a key of a dialect is a text`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(whole, c.old) {
				t.Fatalf("there is no %q", c.old)
			}
			_, problems := dialect.Compile("acme", "acme/dialect.yaml", []byte(strings.Replace(whole, c.old, c.put, 1)), known())
			if c.want == "" {
				if problems != nil {
					t.Errorf("it says %v", problems)
				}
				return
			}
			said := fmt.Sprint(problems)
			found := false
			for _, p := range problems {
				found = found || strings.HasPrefix(p.String(), "acme/dialect.yaml:"+c.want) || strings.HasPrefix(c.want, ": ") && strings.Contains(p.String(), c.want)
			}
			if !found {
				t.Errorf("it says\n%s\nand not %s", said, c.want)
			}
		})
	}
}

// between is the part of a text from one line to another, or to its end.
func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	if to != "" {
		rest, _, _ = strings.Cut(rest, to)
	}
	return from + rest
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, problems := dialect.Compile("acme", "f", []byte("titel: A\nout:\n  tiemout: 5s\n  events: {email.opened: o}\n  test: x\n"), known())
	if len(problems) < 5 || problems[0].Line != 1 || problems[len(problems)-1].Line != 5 || strings.Count(problems.Error(), "\n") != len(problems)-1 {
		t.Errorf("%v", problems)
	}
}

// What follows from a mistake among the events is not told as another one.
func TestOneMistakeIsOne(t *testing.T) {
	_, problems := dialect.Compile("acme", "f", []byte(strings.NewReplacer("email.opened: opened", "email.opend: opened", "contact.created: opened", "", "email.sent: sent", "").Replace(whole)), known())
	if problems.Error() != "f:8: the catalogue has no event type email.opend (did you mean email.opened?)" {
		t.Errorf("%v", problems)
	}
}

func TestHostile(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	for name, text := range map[string]string{
		"a bomb of aliases":       bomb,
		"an anchor in itself":     "title: &a [*a]\n",
		"a merge of itself":       "out: &o\n  <<: *o\n",
		"a huge file":             "title: " + strings.Repeat("x", 300<<10),
		"deep lists":              strings.Repeat("[", 200_000),
		"deep mappings":           "out: " + strings.Repeat("{a: ", 60_000),
		"a deep body":             "title: A\nout:\n  events: {\"*\": \"*\"}\n  test: postroom.test\n  bodies:\n    \"*\": '" + strings.Repeat("[", 100_000) + "'\n",
		"no UTF-8":                "title: \xff\xfe\n",
		"a zero":                  "title: \"a\x00b\"\n",
		"many problems":           "out: {" + strings.Repeat("x: 1, ", 20_000) + "}",
		"an unknown tag":          "title: !!binary AAAA\nout: !<!x> {}\n",
		"nothing":                 "",
		"a comment":               "# nothing\n",
		"an empty document":       "---\n",
		"documents and no end":    strings.Repeat("---\n", 60_000),
		"a number as a key":       "1: 2\n",
		"a directive":             "%YAML 9.9\n---\ntitle: A\n",
		"a type with a long name": "title: A\nout:\n  events: {" + strings.Repeat("e", 100_000) + ": x}\n",
	} {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			if _, problems := dialect.Compile("acme", "f", []byte(text), known()); problems == nil {
				t.Error("it is taken")
			}
			if d := time.Since(started); d > 20*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestFolderNames(t *testing.T) {
	for _, name := range []string{"", "Acme", "1acme", "acme_x", strings.Repeat("a", 33), "acmé", "a b"} {
		if _, problems := dialect.Compile(name, "f", []byte(whole), known()); len(problems) != 1 || problems[0].Line != 0 || !strings.HasPrefix(problems[0].String(), "f: the folder's name") {
			t.Errorf("%q: %v", name, problems)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("title: A\nout:\n  events: {\"*\": \"*\"}\n  bodies: {\"*\": '{}'}\n  test: postroom.test\n"))
	f.Add([]byte("a: &a [*a]\n---\n"))
	f.Add([]byte("out: {signature: {scheme: hmac, header: x}, retry: {schedule: [5s]}, bodies: {'*': |\n {}}}"))
	k := known()
	f.Fuzz(func(t *testing.T, text []byte) {
		d, problems := dialect.Compile("acme", "f", text, k)
		if (d == nil) == (problems == nil) {
			t.Fatalf("%v, %v", d, problems)
		}
		lines := 3 // YAML counts some characters as ends of lines beside \n, and at the end it may be one ahead
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(string(text), end)
		}
		for _, p := range problems {
			if p.File != "f" || p.Message == "" || p.Line < 0 || p.Line > lines {
				t.Errorf("%+v, of %d lines", p, lines)
			}
		}
		if d == nil {
			return
		}
		types, _ := d.Out.Named()
		for _, eventType := range append(types, d.Out.Test.Type) {
			if !d.Out.Offers(eventType) || d.Out.Body(eventType) == nil {
				t.Errorf("%s has no body", eventType)
			}
			for _, h := range d.Out.Headers(eventType) {
				if !d.Out.Reserved(h.Name) {
					t.Errorf("%s is not reserved", h.Name)
				}
			}
		}
	})
}
