package inbound

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// Each case is a content type, a body, and the items that it holds, with a space between; "!" begins a part of an error.
func TestKindsOfBodies(t *testing.T) {
	for _, c := range [][3]string{
		{"application/json", ` {"a": 1.0, "b":12345678901234567890} `, `{"a": 1.0, "b":12345678901234567890}`},
		{"application/json; charset=utf-8", "\xef\xbb\xbf{}", `{}`},
		{"application/json", `"x"`, `"x"`},
		{"application/json", `[{"a":1},2,[3]]`, `{"a":1} 2 [3]`},
		{"application/json", `[]`, ``},
		{"application/json", ``, `{}`},
		{"application/json", `{"a":1`, `!the body is not JSON: `},
		{"application/json", `a=1`, `!the body is not JSON: `},
		{"application/json", "{\"a\":\"\xff\"}", `!the body is not JSON: `},
		{"application/json", strings.Repeat("[", 300) + strings.Repeat("]", 300), `!the body is not JSON: `},
		{"application/json", "{\"a\":1}\n{\"a\":2}", `{"a":1} {"a":2}`},
		{"application/vnd.shop+json", `{"a":1}`, `{"a":1}`},
		{"text/plain", `{"a":1}`, `{"a":1}`},
		{"", `[1]`, `1`},
		{"", `{"a":1} x`, `!the body is not JSON: `},
		{"", "{\"a\":1}\r\n\r\n{\"a\":2}\r\n", `{"a":1} {"a":2}`},
		{"", `a=1&b=%C3%A9+x`, `{"a":"1","b":"é x"}`},
		{"", `Hello=World, it is me`, `"Hello=World, it is me"`},
		{"text/plain; charset", "Hello\n", `"Hello\n"`},
		{"application/xml", `<a b="c"/>`, `"<a b=\"c\"/>"`},
		{"application/octet-stream", "\x00\xff\xfe", `!neither JSON nor a form nor text`},
		{"not a type", `{"a":1}`, `{"a":1}`},

		{"application/x-ndjson", "{\"a\":1}\n\n 2 \n", `{"a":1} 2`},
		{"application/jsonl", "{\"a\":1}\n{\"a\"", `!line 2 of the body is not JSON`},
		{"application/x-ndjson", "\n", `{}`},

		{"application/x-www-form-urlencoded", `b=1&a=x%20y&b=2&c&=d&&e=a%3Db=c`, `{"b":["1","2"],"a":"x y","c":"","":"d","e":"a=b=c"}`},
		{"application/x-www-form-urlencoded", `a=%F`, `!a percent sign in "a=%F"`},
		{"application/x-www-form-urlencoded", `a=%FF`, `{"a":"` + "\uFFFD" + `"}`},
		{"application/x-www-form-urlencoded", ``, `{}`},
		{"application/x-www-form-urlencoded", `{"a":1}`, `{"a":1}`},
		{"application/x-www-form-urlencoded", `user%5Bemail%5D=a%40b`, `{"user[email]":"a@b"}`},
		{"application/x-www-form-urlencoded", strings.Repeat("a=1&", 1001), `!at most 1000 fields`},

		{"multipart/form-data", `x`, `!no boundary`},
		{"multipart/form-data; boundary=b", `x`, `!cannot be read`},
		{"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n", `!cannot be read`},
		{"multipart/form-data; boundary=b", strings.Repeat("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n", 1001) + "--b--", `!at most 1000 fields`},

		{"application/json", "[" + strings.Repeat("1,", 10_000) + "1]", `!at most 10000 events`},
		{"application/x-ndjson", strings.Repeat("1\n", 10_001), `!at most 10000 events`},
	} {
		all, err := program(t, `{}`).Read(called(c[0], c[1]))
		if part, fails := strings.CutPrefix(c[2], "!"); fails {
			var wrong *Error
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), part) || wrong.Kind != "body" {
				t.Errorf("%s, %.60q: got %d items, %v, want an error with %q", c[0], c[1], len(all), err, part)
			}
			continue
		}
		var got []string
		for n, i := range all {
			got = append(got, string(i.Body))
			if i.Number != n+1 || i.Err != nil {
				t.Errorf("%s: item %d has the number %d, %v", c[0], n+1, i.Number, i.Err)
			}
		}
		if err != nil || strings.Join(got, " ") != c[2] {
			t.Errorf("%s, %.60q: got %s, %v, want %s", c[0], c[1], got, err, c[2])
		}
	}
}

// A call of exactly as many events as are allowed is read.
func TestManyEvents(t *testing.T) {
	all := items(t, program(t, `{"event_type":"order.paid"}`), called("application/json", "["+strings.Repeat(`{"a":1},`, 9_999)+"{}]"))
	if len(all) != 10_000 || all[9_999].Number != 10_000 {
		t.Errorf("there are %d events", len(all))
	}
}

func TestMultipart(t *testing.T) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part := func(header, kind, content string) {
		h := textproto.MIMEHeader{"Content-Disposition": {header}}
		if kind != "" {
			h.Set("Content-Type", kind)
		}
		p, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	part(`form-data; name="email"`, "", "ada@example.com")
	part(`form-data; name="tag"`, "", "a")
	part(`form-data; name="tag"`, "", "b")
	part(`form-data; name="csv"; filename="C:\\x\\people.csv"`, "text/csv", "a,b\r\n1,é")
	part(`form-data; name="logo"; filename="logo.png"`, "image/png", "\x89PNG\x00")
	part(`form-data; name="large"; filename="large.txt"`, "text/plain", strings.Repeat("x", 256<<10+1))
	part(`form-data; filename="nameless"`, "", "?")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	item := only(t, program(t, `{"event_type":"order.paid","mapping":[{"from":"csv.text","to":"data.csv"},{"from":"email","to":"email"}]}`), called(w.FormDataContentType(), body.String()))
	want := `{"email":"ada@example.com","tag":["a","b"],"csv":{"name":"people.csv","type":"text/csv","size":9,"text":"a,b\r\n1,é"},` +
		`"logo":{"name":"logo.png","type":"image/png","size":5,"base64":"iVBORwA="},"large":{"name":"large.txt","type":"text/plain","size":262145}}`
	got := strings.ReplaceAll(string(item.Body), `C:\\x\\`, "")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if item.Contact.Ref.Email != "ada@example.com" || !strings.HasPrefix(string(item.Data), `{"csv":"a,b\r\n1,é"`) {
		t.Errorf("the data is %.200s", item.Data)
	}
}

// A form says the same in both encodings, and is read back as it was written.
func TestFormsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-zéå\[\]%&. -]{0,8}x`)
		values := url.Values{}
		for name, value := range rapid.MapOfN(text, rapid.SliceOfN(rapid.String(), 1, 3), 1, 5).Draw(t, "form") {
			values[name] = value
		}
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for name, all := range values {
			for _, value := range all {
				p, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("form-data; name=%q", name)}})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := p.Write([]byte(value)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*Call{called("application/x-www-form-urlencoded", values.Encode()), called(w.FormDataContentType(), body.String())} {
			content, err := c.decode()
			if err != nil || payload.Valid(content.raw) != nil {
				t.Fatalf("%q: %s, %v", c.Body, content.raw, err)
			}
			for name, want := range values {
				var got []string
				raw := descend(content.raw, step{name: name, index: -1})
				if len(want) == 1 {
					raw = listOf([][]byte{raw})
				}
				if err := payload.Elements(raw, func(element []byte) error {
					s, err := payload.String(element)
					got = append(got, s)
					return err
				}); err != nil {
					t.Fatalf("%q of %s: %v", name, content.raw, err)
				}
				if strings.Join(got, "\x00") != strings.Join(want, "\x00") {
					t.Fatalf("%q is %q, want %q", name, got, want)
				}
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	for _, seed := range [][2]string{
		{"application/json", `{"event":"order.paid","email":"a@b","tags":["x"],"data":{"a":1e400}}`}, {"application/json", `[{"a":1},{"a":null}]`},
		{"application/x-ndjson", "{}\n[]\n"}, {"application/x-www-form-urlencoded", "a=1&a=2&b=%zz"}, {"", "a=1"}, {"text/plain", "x"}, {"", "\xff"},
		{"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\n1\r\n--b--"}, {"multipart/x;boundary=\"\"", "--"},
		{"application/json", `{"contact":{"email":"a@b","custom_fields":{"x":{}},"lists":[{"id":1},"y",[1]],"status":"odd","id":1},"score":"12"}`},
		{"application/json", `{"when":"2026-03-15","n":"1 234","a":{"b":[{"c":"x"}]}}`},
	} {
		f.Add(seed[0], seed[1])
	}
	p := program(f, `{"dedupe":{"by":"body"},"mapping":[
		{"from":["first","a.b[*].c"],"to":"first_name","transform":["trim",{"join":"-"},"title"],"when":"body.score > 10 || has(body.first)"},
		{"from":"n","to":"data.number.n","transform":[{"number":"fr"},{"default":0}]},{"from":"when","to":"event.time","when":"has(body.when)"},
		{"from":"tags","to":"tags"},{"from":".","to":"custom_field.all"},{"from":"a.*","to":"data.all"},{"from":"contact.status","to":"status"}],
		"actions":[{"when":"event.data.number.n > 3 || 'x' in contact.tags"},{"mapping":[{"from":"a","to":"data.again"}]},{"data":{"all":"{data}","body":"{body}","h":"{headers}"}}]}`)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		c := called(contentType, body, "X-Event", "order.paid")
		all, err := p.Explain(c)
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Message == "" {
				t.Errorf("the error is %v", err)
			}
			return
		}
		for _, i := range all {
			if payload.Valid(i.Data) != nil || payload.KindOf(i.Data) != payload.KindObject || payload.Valid(i.Body) != nil {
				t.Fatalf("%q: the data is %q", body, i.Data)
			}
			if _, err := p.Applies(i, 0); err != nil && i.Err == nil {
				t.Errorf("the condition failed: %v", err)
			}
			if err := p.Transform(i, 1); err != nil {
				t.Errorf("the transform failed: %v", err)
			}
			if data, err := p.Data(i, 2); err == nil && payload.Valid(data) != nil {
				t.Errorf("the template makes %q", data)
			}
			if err := payload.Describe(&postroom.Event{Data: i.Data}); err != nil {
				t.Errorf("the data cannot be described: %v", err)
			}
		}
	})
}
