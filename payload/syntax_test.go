package payload_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postroom/postroom/payload"
)

func TestSyntaxErrors(t *testing.T) {
	tooDeep := strings.Repeat("[", payload.MaxDepth+1)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", `invalid JSON at line 1, column 1: expected a value (an object, an array, a string, a number, true, false or null), found the end of the text`},
		{"no value", "{\n  \"data\": {\"a\": }}", `invalid JSON at line 2, column 17 (in "/data/a"): expected a value (an object, an array, a string, a number, true, false or null), found '}'`},
		{"not a word", "[1, None]", `invalid JSON at line 1, column 5 (in "/1"): expected a value (an object, an array, a string, a number, true, false or null), found 'N'`},
		{"no key", `{"a":1,}`, `invalid JSON at line 1, column 8: expected a member's name in double quotes, found '}'`},
		{"bare key", `{a:1}`, `invalid JSON at line 1, column 2: expected a member's name in double quotes, or "}", found 'a'`},
		{"no colon", `{"a" 1}`, `invalid JSON at line 1, column 6 (in "/a"): expected ":" after the member's name, found '1'`},
		{"no comma in an object", `{"é":{"b/~\"":1 "c":2}}`, `invalid JSON at line 1, column 17 (in "/é/b~1~0\""): expected "," or "}" after the member, found '"'`},
		{"no comma in an array", `[{"a":[]},[1,2 3]]`, `invalid JSON at line 1, column 16 (in "/1/1"): expected "," or "]" after the element, found '3'`},
		{"more", "{}\n{}", `invalid JSON at line 2, column 1: expected nothing but white space after the value, found '{'`},
		{"no quote", `{"a":"x`, `invalid JSON at line 1, column 8 (in "/a"): expected a closing double quote, found the end of the text`},
		{"not an escape", `["\x41"]`, `invalid JSON at line 1, column 4 (in "/0"): expected one of " \ / b f n r t u after the backslash, found 'x'`},
		{"half an escape", `["\`, `invalid JSON at line 1, column 4 (in "/0"): expected one of " \ / b f n r t u after the backslash, found the end of the text`},
		{"not hexadecimal", `["\u12g4"]`, `invalid JSON at line 1, column 7 (in "/0"): expected four hexadecimal digits after \u, found 'g'`},
		{"a line break", "[\"a\nb\"]", `invalid JSON at line 1, column 4 (in "/0"): expected control characters in strings to be escaped, as in \n or \u000a, found U+000A`},
		{"no digit", `[1.]`, `invalid JSON at line 1, column 4 (in "/0"): expected a digit, found ']'`},
		{"leading zero", `[-012]`, `invalid JSON at line 1, column 4 (in "/0"): expected no digit after a leading zero, found '1'`},
		{"not UTF-8", "{\"data\":{\"first_name\":\"Ren\xe9e\"}}", `invalid JSON at line 1, column 27 (in "/data/first_name"): expected valid UTF-8, found the byte 0xe9`},
		{"wrong before it is not UTF-8", "{\"a\" \"\xe9\"}", `invalid JSON at line 1, column 6 (in "/a"): expected ":" after the member's name, found '"'`},
		{"a byte order mark", "\ufeff{}", `invalid JSON at line 1, column 1: expected a value (an object, an array, a string, a number, true, false or null), found U+FEFF`},
		{"too deep", tooDeep, `invalid JSON at line 1, column 257 (in "` + strings.Repeat("/0", 256) + `"): expected at most 256 levels of nesting, found more`},
		{"a pointer that is too long", `{"` + strings.Repeat("x", 1000) + `":?}`, `invalid JSON at line 1, column 1005: expected a value (an object, an array, a string, a number, true, false or null), found '?'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := payload.Valid([]byte(c.text))
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
			checkSyntaxError(t, []byte(c.text), err)
		})
	}
}

func TestWrongKind(t *testing.T) {
	nothing := func([]byte) error { return nil }
	for want, err := range map[string]error{
		`invalid JSON at line 1, column 2: expected an object, found '['`:                payload.Members([]byte(" []"), func(_, _ []byte) error { return nil }),
		`invalid JSON at line 1, column 1: expected an array, found '{'`:                 payload.Elements([]byte("{}"), nothing),
		`invalid JSON at line 1, column 1: expected an array, found the end of the text`: payload.Elements(nil, nothing),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := payload.String([]byte("12")); err == nil || err.Error() != `invalid JSON at line 1, column 1: expected a string, found '1'` {
		t.Errorf("String: %v", err)
	}
}

// checkSyntaxError checks that an error says where it is without contradicting itself.
func checkSyntaxError(t rapid.TB, text []byte, err error) {
	t.Helper()
	var e *payload.SyntaxError
	if !errors.As(err, &e) {
		t.Fatalf("%q: the error is a %T: %v", text, err, err)
	}
	if e.Offset < 0 || e.Offset > len(text) || e.Msg == "" {
		t.Fatalf("%q: %+v", text, e)
	}
	before := text[:e.Offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len([]rune(string(before[bytes.LastIndexByte(before, '\n')+1:]))) + 1
	if e.Line != line || e.Column != column {
		t.Fatalf("%q: line %d, column %d for offset %d, want %d, %d", text, e.Line, e.Column, e.Offset, line, column)
	}
}
