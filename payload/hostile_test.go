package payload_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/payload"
)

// placeholders draws what templates ask for: names, paths, defaults and expressions over whatever the data is.
var placeholders = rapid.SampledFrom([]string{
	"{event_id}", "{event_type}", "{timestamp}", "{workspace_id}", "{subscriber_email}", "{subscriber_email?}", "{contact_tags}", "{custom_field_*}",
	"{custom_field_a|x}", "{custom_field_a|1e3}", "{custom_field_a|\\\"\\\\ud83d\\\"}", "{data}", "{data.contact}", "{data.a}", "{data.a.*}", "{data.*.a}", "{data.a?}", "{data.b.a}",
	"{data['10']}", "{data['__proto__']}", "{data['\\u2028']}", "{data.contact.a.b}", "{data.a|{}}", "{data[0].a}", "{string(data.a)}", "{string(data.contact.email)}", "{event}", "{event.data.b}",
	"{data.a + 1}", "{data}{data.a}", "{[data.a, data]}", "{ {'10': data.a, 'b': data, '2': 1} }", "{flatten(data)}", "{flatten(data, '')}", "{json(data)}", "{text(data.a)}", "{join(data.map(k, k))}",
	"{data.?a}", "{data.map(k, data[k])}", "{lower(subscriber_email)}", "{extra}", "{extra.a}", "{extra + 'x'}", "{{", "}}", "}", "{{x}}", " ",
})

// hostileTemplate draws templates that compile, and are full of what is easily got wrong.
func hostileTemplate(t *rapid.T, depth int) string {
	h := hostile{beyond: true}
	text := func() string {
		var b strings.Builder
		for range rapid.IntRange(1, 4).Draw(t, "pieces") {
			if rapid.Bool().Draw(t, "placeholder") {
				b.WriteString(placeholders.Draw(t, "which"))
			} else {
				b.WriteString(strings.NewReplacer("{", "{{", "}", "}}", `\u007b`, "", `\u007B`, "", `\u007d`, "", `\u007D`, "").Replace(h.character(t)))
			}
		}
		return `"` + b.String() + `"`
	}
	kind := rapid.IntRange(0, 6).Draw(t, "template")
	if depth == 0 {
		kind = min(kind, 4)
	}
	switch kind {
	case 0:
		return h.number(t)
	case 1, 2:
		return `"` + placeholders.Draw(t, "alone") + `"`
	case 3, 4:
		return text()
	case 5:
		return h.list(t, "[", "]", func() string { return hostileTemplate(t, depth-1) })
	}
	seen := map[string]bool{}
	spread := false
	var members []string
	for range rapid.IntRange(0, 5).Draw(t, "members") {
		key := h.key(t)
		var name string
		if json.Unmarshal([]byte(key), &name) != nil || seen[name] || strings.ContainsAny(name, "{\ufffd") {
			continue
		}
		seen[name] = true
		members = append(members, key+space(t)+":"+hostileTemplate(t, depth-1))
		if !spread && rapid.IntRange(0, 3).Draw(t, "spread") == 0 {
			spread = true
			members = append(members, `"...":"`+rapid.SampledFrom([]string{"{data}", "{data.contact}", "{custom_field_*}", "{flatten(data)}", "{data.a}", "{extra}"}).Draw(t, "what")+`"`)
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// hostileData draws data of an event in which some of what templates ask for is.
func hostileData(t *rapid.T) string {
	h := hostile{beyond: true}
	value := func() string { return h.value(t, 2) }
	members := []string{}
	for range rapid.IntRange(0, 6).Draw(t, "data") {
		key := rapid.SampledFrom([]string{`"a"`, `"a"`, `"b"`, `"contact"`, `"campaign"`, `"10"`, `"2"`, `"__proto__"`, `"\u0061"`, `"\u2028"`}).Draw(t, "name")
		v := value()
		if key == `"contact"` && rapid.Bool().Draw(t, "a contact") {
			v = fmt.Sprintf(`{"email":%s,"a":%s,"tags":[%s],"custom_fields":{"a":%s,%s:%s},"email":%s}`, value(), value(), value(), value(), h.key(t), value(), h.string(t))
		}
		members = append(members, key+":"+v)
	}
	return "{" + strings.Join(members, space(t)+",") + "}"
}

// The bytes of every body are those that JavaScript would write, whatever the template and the event are.
func TestRenderIsWhatJavaScriptWrites(t *testing.T) {
	js := newJavaScript(t)
	rapid.Check(t, func(t *rapid.T) {
		source, data := hostileTemplate(t, 3), hostileData(t)
		tmpl, err := payload.Compile([]byte(source), payload.Options{Variables: []string{"extra"}})
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		switch rapid.IntRange(0, 4).Draw(t, "combined") {
		case 0:
			more, err := payload.Compile([]byte(hostileTemplate(t, 2)), payload.Options{Variables: []string{"extra"}})
			if err != nil {
				t.Fatal(err)
			}
			tmpl = tmpl.Add(more)
		case 1:
			if only, err := tmpl.Only([]string{"a", "b.a", "data", "10.*.a"}, nil); err == nil {
				tmpl = only
			}
		}
		in := &payload.Input{Event: opened(data), Variables: [][]byte{[]byte(hostile{beyond: true}.value(t, 2))}}
		body, _, err := tmpl.Render(nil, in)
		if err != nil {
			t.Fatalf("%s of %s: %v", source, data, err)
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("%s of %s is not JSON: %s", source, data, body)
		}
		if hasLoneSurrogate(body) || bytes.Contains(body, []byte("__proto__")) { // see restringify: the engine has its limits
			again, err := payload.AppendJS(nil, body)
			if err != nil || !bytes.Equal(again, body) {
				t.Fatalf("%s of %s\n got %s\nthen %s, %v", source, data, body, again, err)
			}
			if !bytes.Contains(body, []byte("__proto__")) {
				if got := js.restringifyLiteral(string(body)); got != string(body) {
					t.Fatalf("%s of %s\n got %s\nJavaScript %s", source, data, body, got)
				}
			}
			return
		}
		if got := js.restringify(string(body)); got != string(body) {
			t.Fatalf("%s of %s\n got %s\nJavaScript %s", source, data, body, got)
		}
	})
}

func hasLoneSurrogate(body []byte) bool { return bytes.Contains(body, []byte(`\ud`)) }

func FuzzCompile(f *testing.F) {
	for _, source := range []string{`{"a":"{event_id}","...":"{data}"}`, `"{data.a.*[0]['x']|y}"`, `"{1 + [2].map(x, '}')[0]?}"`, `"{{}}{"`, `["{string(data.x)}","\ud83d{data.a}\ude00"]`, `{"{a}":1}`, `"{custom_field_a-b}"`} {
		f.Add([]byte(source), []byte(person))
	}
	f.Fuzz(func(t *testing.T, source, data []byte) {
		types := []payload.Type{{Name: "a", Schema: []byte(`{"properties":{"a":{"type":"array","items":{"properties":{"b":{}}}}}}`)}}
		tmpl, err := payload.Compile(source, payload.Options{Types: types})
		if err != nil {
			var faults *payload.Error
			var syntax *payload.SyntaxError
			if !errors.As(err, &faults) && !errors.As(err, &syntax) || err.Error() == "" {
				t.Fatalf("%q: %v", source, err)
			}
			return
		}
		checkRender(t, tmpl, data)
	})
}

func FuzzRender(f *testing.F) {
	var all strings.Builder
	for i, p := range []string{"{data}", "{data.a}", "{data.a.*.b}", "{data.*}", "{string(data.a)}", "{flatten(data)}", "{data.a + data.b}", "{subscriber_lists.*.name}", "{event}"} {
		fmt.Fprintf(&all, `,"k%d":"%s","t%d":"x%sy%s"`, i, p, i, p, p)
	}
	tmpl := compile(f, "{"+all.String()[1:]+`,"...":["{data}","{custom_field_*}"]}`)
	f.Add([]byte(person))
	f.Add([]byte(`{"a":1,"a":[{"b":"\ud83d"}],"\u0062":"\ude00","2":1,"1":2,"__proto__":{"x":1e400}}`))
	f.Fuzz(func(t *testing.T, data []byte) { checkRender(t, tmpl, data) })
}

func checkRender(t *testing.T, tmpl *payload.Template, data []byte) {
	t.Helper()
	if payload.KindOf(data) != payload.KindObject || payload.Valid(data) != nil {
		return
	}
	body, _, err := tmpl.Render(nil, &payload.Input{Event: opened(string(data))})
	if err != nil {
		var large *payload.TooLargeError
		if !errors.As(err, &large) {
			t.Fatal(err)
		}
		return
	}
	again, err := payload.AppendJS(nil, body)
	if err != nil || !bytes.Equal(again, body) {
		t.Fatalf("%s\nthen %s, %v", body, again, err)
	}
}

// One template renders many events at the same time.
func TestRenderAtTheSameTime(t *testing.T) {
	tmpl := compile(t, `{"id":"{subscriber_id}","names":"{data.contact.lists.*.name}","sum":"{data.contact.id + 1}","...":"{custom_field_*}","text":"{data.contact.id} {data.contact.tags}"}`)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 200 {
				n := worker*1000 + i
				data := fmt.Sprintf(`{"contact":{"id":%d,"lists":[{"name":"l%d"}],"tags":[%d],"custom_fields":{"f":%d}}}`, n, n, n, n)
				want := fmt.Sprintf(`{"id":%d,"names":["l%d"],"sum":%d,"f":%d,"text":"%d [%d]"}`, n, n, n+1, n, n, n)
				body, _, err := tmpl.Render(nil, &payload.Input{Event: opened(data)})
				if err != nil || string(body) != want {
					t.Errorf("%s, %v, want %s", body, err, want)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkRender(b *testing.B) {
	for _, bench := range []struct{ name, source string }{
		{"builder", `{"event_type":"{event_type}","timestamp":"{timestamp}","subscriber":{"id":"{subscriber_id}","email":"{subscriber_email}"},"campaign":{"id":"{campaign_id}","name":"{campaign_name}"}}`},
		{"envelope", `{"type":"{event_type}","timestamp":"{timestamp}","data":"{data}"}`},
		{"spread", `{"type":"{event_type}","...":"{data}"}`},
		{"expression", `{"type":"{event_type}","name":"{subscriber_first_name + ' ' + subscriber_last_name}"}`},
		{"flat", `"{flatten(data)}"`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			tmpl := compile(b, bench.source)
			in := &payload.Input{Event: opened(eventData)}
			dst := make([]byte, 0, 8192)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := tmpl.Render(dst, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
