package payload_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dop251/goja"
	"pgregory.net/rapid"

	"github.com/postroom/postroom/payload"
)

// javascript asks a real engine what JavaScript makes of a JSON text.
type javascript struct {
	t  testing.TB
	vm *goja.Runtime
}

func newJavaScript(t testing.TB) javascript { return javascript{t, goja.New()} }

// restringify is JSON.stringify(JSON.parse(text)).
//
// goja's JSON.parse leaves the specification in two things: it turns lone surrogates into U+FFFD, and it refuses
// numbers beyond float64, which are infinite in ECMAScript. What it does with the key __proto__ is right.
func (js javascript) restringify(text string) string {
	js.set("text", text)
	return js.run(`JSON.stringify(JSON.parse(text))`)
}

// restringifyLiteral does the same by way of a literal of the language, which is how ECMA-262 (25.5.1) defines JSON.parse. It has
// neither of these deviations; but there the key __proto__ would set the prototype, so text must not have it.
func (js javascript) restringifyLiteral(text string) string {
	js.set("text", "("+text+")")
	return js.run(`JSON.stringify((0, eval)(text))`)
}

func (js javascript) set(name, text string) {
	js.t.Helper()
	if err := js.vm.Set(name, goja.StringFromUTF16(utf16.Encode([]rune(text)))); err != nil {
		js.t.Fatal(err)
	}
}

// run returns the string that code gives. JSON.stringify gives no lone surrogates, and run makes sure of it, so that nothing gets
// lost on the way from UTF-16.
func (js javascript) run(code string) string {
	js.t.Helper()
	value, err := js.vm.RunString(code)
	if err != nil {
		js.t.Fatalf("the engine refuses the text: %v", err)
	}
	s, isString := value.(goja.String)
	if !isString {
		js.t.Fatalf("the engine returned %v, not a string", value)
	}
	units := make([]uint16, s.Length())
	for i := range units {
		units[i] = s.CharAt(i)
	}
	runes := utf16.Decode(units)
	if !slices.Equal(utf16.Encode(runes), units) {
		js.t.Fatalf("the engine returned a lone surrogate: %q", runes)
	}
	return string(runes)
}

func TestAppendJSIsWhatJavaScriptWrites(t *testing.T) {
	js := newJavaScript(t)
	rapid.Check(t, func(t *rapid.T) {
		text := hostile{}.text().Draw(t, "text")
		checkJS(t, text, js.restringify(text))
	})
}

func TestAppendJSBeyondUnicodeAndFloat64(t *testing.T) {
	js := newJavaScript(t)
	rapid.Check(t, func(t *rapid.T) {
		text := hostile{beyond: true}.text().Draw(t, "text")
		checkJS(t, text, js.restringifyLiteral(text))
	})
}

// checkJS checks that AppendJS makes want of text, and what must hold of all that it makes.
func checkJS(t rapid.TB, text, want string) {
	t.Helper()
	out, err := payload.AppendJS([]byte("before"), []byte(text))
	if err != nil {
		t.Fatalf("AppendJS(%q): %v", text, err)
	}
	got, isAppended := strings.CutPrefix(string(out), "before")
	if !isAppended || got != want {
		t.Fatalf("AppendJS(%q)\n got %q\nwant %q", text, out, want)
	}
	again, err := payload.AppendJS(nil, []byte(got))
	if err != nil || string(again) != got {
		t.Fatalf("AppendJS a second time\n got %q, %v\nwant %q", again, err, got)
	}
	if !json.Valid([]byte(got)) || !utf8.ValidString(got) {
		t.Fatalf("AppendJS(%q) = %q, which is not JSON", text, got)
	}
}

func FuzzAppendJS(f *testing.F) {
	for _, c := range known {
		f.Add([]byte(c.text))
	}
	for _, text := range []string{"", "[1,]", `{"a":1,}`, "[01]", `"\x"`, "nul", "\xff", `{"a":[{"0":1,"b":2,"1":`, eventData} {
		f.Add([]byte(text))
	}
	js := newJavaScript(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := payload.AppendJS(nil, text)
		if valid := json.Valid(text) && utf8.Valid(text) && depth(text) <= payload.MaxBuiltDepth; (err == nil) != valid {
			t.Fatalf("AppendJS(%q): %v; valid is %v", text, err, valid)
		}
		if err != nil {
			checkSyntaxError(t, text, err)
			return
		}
		// For the engine's own limits see restringify; long numbers have a test of their own.
		hasSurrogate := bytes.Contains(bytes.ToLower(text), []byte(`\ud`))
		if hasSurrogate || bytes.Contains(out, []byte("null")) || longNumber.Match(text) {
			again, err := payload.AppendJS(nil, out)
			if err != nil || !bytes.Equal(again, out) {
				t.Fatalf("AppendJS a second time\n got %q, %v\nwant %q", again, err, out)
			}
			return
		}
		js.t = t
		checkJS(t, string(text), js.restringify(string(text)))
	})
}

// depth is how many objects and arrays are open at once, at most, in a valid text.
func depth(text []byte) int {
	open, deepest, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			open++
			deepest = max(deepest, open)
		case c == '}' || c == ']':
			open--
		}
	}
	return deepest
}
