package outbound

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/dop251/goja"
	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
)

func TestStandardBody(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 789999999, time.FixedZone("", 3600))
	const head = `{"type":"email.opened","timestamp":"2026-02-03T03:05:06.789Z","data":`
	js := goja.New()
	for data, want := range map[string]string{
		`{}`:                               `{}`,
		" { \"a\" :\t1 ,\n\"b\":[ 1, 2 ]}": `{"a":1,"b":[1,2]}`,
		`{"n":12345678901234567890,"m":1.0,"e":1e21,"s":0.0000001,"z":-0}`: `{"n":12345678901234567000,"m":1,"e":1e+21,"s":1e-7,"z":0}`,
		`{"b":1,"10":2,"a":3,"9":4,"01":5}`:                                `{"9":4,"10":2,"b":1,"a":3,"01":5}`,
		`{"a":1,"a":2}`:                                                    `{"a":2}`,
		`{"s":"<a href='x'>&amp;\u003c\u0026"}`:                            `{"s":"<a href='x'>&amp;<&"}`,
		"{\"s\":\"\u2028\u2029\\u2028\"}":                                  "{\"s\":\"\u2028\u2029\u2028\"}",
		`{"s":"\u00e9\/\t\u0001\"\\\ud83d\ude00"}`:                         `{"s":"é/\t\u0001\"\\😀"}`,
		`{"nested":{"2":{"1":[],"0":{}}}}`:                                 `{"nested":{"2":{"0":{},"1":[]}}}`,
	} {
		got, err := StandardBody(&postroom.Event{Type: "email.opened", Time: at, Data: []byte(data)})
		if err != nil || string(got) != head+want+"}" {
			t.Errorf("%s:\n%s, %v, want\n%s", data, got, err, head+want+"}")
			continue
		}
		checkStringify(t, js, string(got))
	}
	// JSON may hold half a character, which goja cannot keep.
	if got, err := StandardBody(&postroom.Event{Type: "a", Time: at, Data: []byte(`{"s":"\uD800"}`)}); err != nil || !strings.HasSuffix(string(got), `{"s":"\ud800"}}`) {
		t.Errorf("%s, %v", got, err)
	}
	for _, data := range []string{"", "{", `{"a":}`, `{"a":1}}`, "{\"a\":\"\xff\"}", `{'a':1}`, `{"a":01}`} {
		if got, err := StandardBody(&postroom.Event{Type: "a", Time: at, Data: []byte(data)}); err == nil || got != nil {
			t.Errorf("%q is taken: %s", data, got)
		}
	}
}

// checkStringify checks that a receiver that parses and writes again has the bytes that were signed.
func checkStringify(t testing.TB, js *goja.Runtime, body string) {
	t.Helper()
	if err := js.Set("body", goja.StringFromUTF16(utf16.Encode([]rune(body)))); err != nil {
		t.Fatal(err)
	}
	got, err := js.RunString("JSON.stringify(JSON.parse(body))")
	if err != nil || got.String() != body {
		t.Errorf("JavaScript makes %v of %s, %v", got, body, err)
	}
}

// Whatever the type, the time and the data are, the body is JSON that says the same.
func TestStandardBodyProperties(t *testing.T) {
	js := goja.New()
	rapid.Check(t, func(rt *rapid.T) {
		e := &postroom.Event{Type: rapid.String().Draw(rt, "type"), Time: time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(rt, "time"))}
		data := rapid.MapOf(rapid.String(), rapid.OneOf(rapid.Float64().AsAny(), rapid.String().AsAny(), rapid.Bool().AsAny())).Draw(rt, "data")
		var err error
		if e.Data, err = json.Marshal(data); err != nil {
			rt.Fatal(err)
		}
		body, err := StandardBody(e)
		if err != nil {
			rt.Fatal(err)
		}
		var got struct {
			Type      string         `json:"type"`
			Timestamp time.Time      `json:"timestamp"`
			Data      map[string]any `json:"data"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			rt.Fatal(err)
		}
		if got.Type != e.Type || !got.Timestamp.Equal(e.Time.Truncate(time.Millisecond)) || len(got.Data) != len(data) {
			rt.Fatalf("%s", body)
		}
		for k, v := range data {
			if got.Data[k] != v {
				rt.Fatalf("%q became %v, want %v", k, got.Data[k], v)
			}
		}
		checkStringify(t, js, string(body))
	})
}

func TestHeadersInOrder(t *testing.T) {
	w := postroom.Webhook{WebhookSettings: postroom.WebhookSettings{URL: "https://a/", Method: "PUT", Dialect: dialect.Standard,
		Headers: map[string]string{"x-zebra": "z", "X-ALPHA": "a", "x-tenant": "mine"}}}
	target, err := (&targets{opener: plain{}, dialects: dialectSet(t), userAgent: "Postroom/1"}).make(w,
		&postroom.Auth{Type: postroom.AuthHeader, Headers: map[string]string{"x-key": "k", "x-Tenant": "its"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	e := newEvent(postroom.WorkspaceID{}, "1")
	job := &postroom.Job{DeliveryID: postroom.NewID[postroom.DeliveryKind](time.Now()), Event: e, Attempts: 4}
	for range 2 { // what one call sets is not seen by another
		c, err := build(target, job)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := build(target, &postroom.Job{Event: e}); err != nil {
			t.Fatal(err)
		}
		signStandard(c, []SigningKey{mustParse(t, NewSecret(postroom.SecretHMAC))}, e.PublicID(), time.Unix(1700000000, 0))
		want := []postroom.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "User-Agent", Value: "Postroom/1"},
			{Name: "X-Alpha", Value: "a"}, {Name: "X-Tenant", Value: "its"}, {Name: "X-Zebra", Value: "z"}, {Name: "X-Key", Value: "k"},
			{Name: "Postroom-Delivery", Value: job.DeliveryID.String()}, {Name: "Postroom-Attempt", Value: "5"},
			{Name: "Webhook-Id", Value: e.ID.String()}, {Name: "Webhook-Timestamp", Value: "1700000000"}}
		if !slices.Equal(want, c.header[:len(want)]) || len(c.header) != len(want)+1 || c.header[len(want)].Name != "Webhook-Signature" {
			t.Errorf("got  %v\nwant %v and a signature", c.header, want)
		}
		got := c.header.http()
		for _, line := range c.header {
			if http.CanonicalHeaderKey(line.Name) != line.Name || len(got[line.Name]) != 1 || got[line.Name][0] != line.Value {
				t.Errorf("%s: %q, want %q", line.Name, got[line.Name], line.Value)
			}
		}
		got.Add("X-Alpha", "more") // by whoever sends it: it must not write over another
		if got.Get("X-Tenant") != "its" || c.method != "PUT" || !c.standard {
			t.Errorf("%v, %+v", got, c)
		}
	}
}

// The publisher's own id is what receivers see.
func TestPublicIDIsSent(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.webhook("a")
		e := newEvent(r.workspace, "1")
		e.UID = "order-17"
		if err := r.engine.Publish(r.Context(), []*postroom.Outgoing{{Event: e}}); err != nil {
			t.Fatal(err)
		}
		wait(0)
		if got := r.out.calls("a")[0].header.Get(headerID); got != "order-17" {
			t.Errorf("webhook-id: %q", got)
		}
	})
}

func TestReservedHeader(t *testing.T) {
	for name, want := range map[string]bool{
		"webhook-id": true, "Webhook-Timestamp": true, "WEBHOOK-SIGNATURE": true, "postroom-delivery": true, "Postroom-Attempt": true,
		"host": true, "content-length": true, "Content-Type": true, "transfer-encoding": true, "connection": true, "keep-alive": true,
		"upgrade": true, "TE": true, "te": true, "Trailer": true, "Expect": true, "Proxy-Authorization": true, "proxy-connection": true,
		"user-agent": true, "idempotency-key": true, "X-Idempotency-Key": true, "accept-encoding": true, "Content-Encoding": true,
		"authorization": false, "X-API-Key": false, "x-webhook-id": false, "Cookie": false, "Accept": false, "X-Tenant": false, "": false,
	} {
		if got := ReservedHeader(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
