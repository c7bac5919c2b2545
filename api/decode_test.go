package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// The examples of RFC 7396, appendix A, but that members keep their order.
func TestMerge(t *testing.T) {
	for _, c := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"z":1,"a":2}`, `{"m":3,"z":9}`, `{"z":9,"a":2,"m":3}`},
		{`{"\u0061":1}`, `{"a":2}`, `{"a":2}`},
	} {
		if got := string(merge(nil, []byte(c.target), []byte(c.patch))); got != c.want {
			t.Errorf("%s with %s: %s, want %s", c.target, c.patch, got, c.want)
		}
	}
}

type inner struct {
	Inner string `json:"inner"`
}

type decoded struct {
	inner
	Text     string              `json:"text"`
	Ptr      *string             `json:"ptr"`
	Small    int8                `json:"small"`
	Float    float64             `json:"float"`
	List     []inner             `json:"list"`
	Map      map[string]*int     `json:"map"`
	Raw      json.RawMessage     `json:"raw"`
	Time     *postroom.Timestamp `json:"time"`
	ID       postroom.WebhookID  `json:"id"`
	Hidden   string              `json:"-"`
	Untagged string
}

func TestDecode(t *testing.T) {
	var got decoded
	const body = ` {"text":"a\u00e9\n","ptr":"p","small":-128,"float":1e2,"list":[{"inner":"1"},null],"map":{"a/b":1,"":null},"raw":{"b":1.0, "a":[]},` +
		`"time":"2026-01-31T09:30:00+01:00","id":"whk_01kg95vh9ze00r00820c20a1g7"} `
	if err := decode([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Text != "aé\n" || *got.Ptr != "p" || got.Small != -128 || got.Float != 100 || len(got.List) != 2 || got.List[0].Inner != "1" || *got.Map["a/b"] != 1 {
		t.Errorf("%+v", got)
	}
	if v, ok := got.Map[""]; !ok || v != nil {
		t.Errorf("%+v", got.Map)
	}
	if string(got.Raw) != `{"b":1.0, "a":[]}` || got.Time.String() != "2026-01-31T08:30:00.000Z" || got.ID.IsZero() {
		t.Errorf("%+v", got)
	}
	// null is as good as nothing, and an empty body is an empty object.
	for _, body := range []string{"", "{}", `{"text":null,"ptr":null,"small":null,"list":null,"map":null,"raw":null,"time":null,"id":null}`} {
		var got decoded
		if err := decode([]byte(body), &got); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if !cmp.Equal(got, decoded{}, cmp.AllowUnexported(decoded{})) {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

func TestDecodeFaults(t *testing.T) {
	for body, want := range map[string][]postroom.FieldError{
		`{"small":128}`:                   {{Pointer: "/small", Detail: "must be a whole number, and not a very large one"}},
		`{"small":1.0}`:                   {{Pointer: "/small", Detail: "must be a whole number, and not a very large one"}},
		`{"text":{}}`:                     {{Pointer: "/text", Detail: "must be a string; it is an object"}},
		`{"list":{"a":1}}`:                {{Pointer: "/list", Detail: "must be an array; it is an object"}},
		`{"list":[{"inner":true}]}`:       {{Pointer: "/list/0/inner", Detail: "must be a string; it is true or false"}},
		`{"list":[{"i":1}]}`:              {{Pointer: "/list/0/i", Detail: "there is no such field here; the fields are inner"}},
		`{"map":{"a~/":"x"}}`:             {{Pointer: "/map/a~0~1", Detail: "must be a number; it is a string"}},
		`{"time":"2026-02-30T00:00:00Z"}`: {{Pointer: "/time", Detail: notATime}},
		`{"time":5}`:                      {{Pointer: "/time", Detail: "must be a string; it is a number"}},
		`{"Text":""}`:                     nil,
		`{"Untagged":""}`:                 nil,
		`{"Hidden":""}`:                   nil,
		`{"-":""}`:                        nil,
	} {
		var got decoded
		var e *postroom.Error
		if err := decode([]byte(body), &got); !errors.As(err, &e) {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if want == nil {
			if e.Code != postroom.CodeUnknownField {
				t.Errorf("%s: %v", body, e)
			}
			continue
		}
		if diff := cmp.Diff(want, e.Fields); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
}

// FuzzDecode looks for bodies that decode reads other than encoding/json does, where it reads them at all.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"text":"a\u00e9","ptr":"p","small":-128,"float":1e2}`, `{"list":[{"inner":"1"},null],"map":{"a/b":1,"":null}}`, `{"raw":{"b":1.0}}`,
		`{"time":"2026-01-31T09:30:00Z","id":"whk_01kg95vh9ze00r00820c20a1g7"}`, `{"text":null}`, `{}`, ``, `[]`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want decoded
		if decode(body, &got) != nil || len(body) == 0 {
			return
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("%q is read here only: %v", body, err)
		}
		// A null is kept by encoding/json as a raw message.
		if bytes.Equal(want.Raw, []byte("null")) {
			want.Raw = nil
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Errorf("%q: %s, encoding/json: %s", body, a, b)
		}
	})
}

// FuzzPatch looks for patches that break settings: what was accepted must be a fixed point.
func FuzzPatch(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x"}`, `{"retry":{"jitter":0.2,"schedule":["5s"]}}`, `{"headers":{"x-tenant":null}}`, `{"payload":{"a":{"b":null}}}`, `{"auth":{"type":"none"}}`,
		`{"retry":null}`, `{"a":1,"a":1}`, `null`, `{"uid":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		fake := newFake()
		a, settings := &api{Config: Config{App: fake}}, fake.webhook.WebhookSettings
		if a.patchWebhook(&settings, body) != nil {
			return
		}
		first, err := marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.patchWebhook(&settings, body); err != nil {
			t.Fatalf("%q was accepted, but not a second time: %v", body, err)
		}
		second, err := marshal(settings)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("%q: %s, the second time %s", body, first, second)
		}
	})
}
