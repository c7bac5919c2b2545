package payload_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postroom/postroom/payload"
)

// damaged draws texts that are close to valid, and often are.
func damaged() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		text := []byte(hostile{beyond: true}.text().Draw(t, "text"))
		for range rapid.IntRange(0, 2).Draw(t, "damages") {
			i := rapid.IntRange(0, len(text)).Draw(t, "at")
			with := rapid.SampledFrom([]string{"", "", "{", "}", "[", "]", ",", ":", `"`, `\`, "0", "1", "-", ".", "e", "u", "n", " ", "\x00", "\n", "\xff", "\xed\xa0\x80", "é", "/"}).Draw(t, "with")
			cut := min(rapid.IntRange(0, 2).Draw(t, "cut"), len(text)-i)
			text = bytes.Join([][]byte{text[:i], []byte(with), text[i+cut:]}, nil)
		}
		return text
	})
}

func TestPartsAgreeWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkParts(t, damaged().Draw(t, "text")) })
}

func FuzzMembers(f *testing.F) {
	for _, c := range known {
		f.Add([]byte(c.text))
	}
	for _, text := range []string{
		"", "{", "{}", "[]", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1}x`, `{a:1}`, `[1 2]`, `["a":1]`, `{"a":tru}`, "\ufeff{}", "{\"\xff\":1}",
		`{"a":"\u12"}`, `{"a":-}`, `{"a":.5}`, `{"a":1.}`, `{"a":1e}`, "{\"a\":\"\n\"}", `{"\ud800":1}`, `"\ud800"`, eventData,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { checkParts(t, text) })
}

// checkParts compares all that this package reads with what encoding/json reads.
func checkParts(t rapid.TB, text []byte) {
	t.Helper()
	before := bytes.Clone(text)
	valid := json.Valid(text) && utf8.Valid(text) && depth(text) <= payload.MaxDepth
	if err := payload.Valid(text); (err == nil) != valid {
		t.Fatalf("Valid(%q) = %v, want valid %v", text, err, valid)
	} else if err != nil {
		checkSyntaxError(t, text, err)
	}
	kind := payload.KindOf(text)

	got := map[string]json.RawMessage{}
	err := payload.Members(text, func(key, raw []byte) error {
		got[string(key)] = raw
		return payload.Valid(raw)
	})
	if ok := valid && kind == payload.KindObject; (err == nil) != ok {
		t.Fatalf("Members(%q): %v, want ok %v", text, err, ok)
	} else if ok {
		want := map[string]json.RawMessage{}
		decodeJSON(t, text, &want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("Members(%q): %s", text, diff)
		}
	}

	elements := []json.RawMessage{}
	err = payload.Elements(text, func(raw []byte) error {
		elements = append(elements, raw)
		return payload.Valid(raw)
	})
	if ok := valid && kind == payload.KindArray; (err == nil) != ok {
		t.Fatalf("Elements(%q): %v, want ok %v", text, err, ok)
	} else if ok {
		var want []json.RawMessage
		decodeJSON(t, text, &want)
		if diff := cmp.Diff(want, elements); diff != "" {
			t.Fatalf("Elements(%q): %s", text, diff)
		}
	}

	s, err := payload.String(text)
	if ok := valid && kind == payload.KindString; (err == nil) != ok {
		t.Fatalf("String(%q): %v, want ok %v", text, err, ok)
	} else if ok {
		var want string
		decodeJSON(t, text, &want)
		if s != want {
			t.Fatalf("String(%q) = %q, want %q", text, s, want)
		}
	}
	if !bytes.Equal(text, before) {
		t.Fatalf("the text was changed from %q to %q", before, text)
	}
}

func decodeJSON(t rapid.TB, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func TestMembersInOrder(t *testing.T) {
	text := []byte(` { "type" : "x" , "data" : { "b" : 1e2 , "a" : [ ] } , "\u0074ype" : 12 } `)
	var got []string
	err := payload.Members(text, func(key, raw []byte) error {
		got = append(got, string(key)+"="+string(raw))
		if cap(raw) != len(raw) {
			t.Errorf("%s: what is appended to raw would overwrite the text", key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`type="x"`, `data={ "b" : 1e2 , "a" : [ ] }`, `type=12`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestErrorOfFnEndsReading(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	if err := payload.Members([]byte(`{"a":1,"b":2}`), func(_, _ []byte) error { calls++; return stop }); !errors.Is(err, stop) {
		t.Errorf("Members = %v", err)
	}
	if err := payload.Elements([]byte(`[1,2]`), func([]byte) error { calls++; return stop }); !errors.Is(err, stop) {
		t.Errorf("Elements = %v", err)
	}
	if calls != 2 {
		t.Errorf("fn was called %d times, want once by each", calls)
	}
}

func TestMembersAllocatesNothing(t *testing.T) {
	text := []byte(`{"type":"email.opened","data":` + eventData + `}`)
	var data []byte
	allocs := testing.AllocsPerRun(100, func() {
		err := payload.Members(text, func(key, raw []byte) error {
			if string(key) == "data" {
				data = raw
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 || string(data) != eventData {
		t.Errorf("%v allocations, data %q", allocs, data)
	}
}

func TestKindOf(t *testing.T) {
	for text, want := range map[string]payload.Kind{
		" {}": payload.KindObject, "\n[]": payload.KindArray, `"x"`: payload.KindString, "-1": payload.KindNumber, "0": payload.KindNumber, "9": payload.KindNumber,
		"true": payload.KindBool, "false": payload.KindBool, "null": payload.KindNull, "": payload.KindNone, " ": payload.KindNone, "}": payload.KindNone, "'": payload.KindNone,
	} {
		if got := payload.KindOf([]byte(text)); got != want {
			t.Errorf("KindOf(%q) = %v, want %v", text, got, want)
		}
	}
	names := map[string]bool{}
	for kind := payload.KindNone; kind <= payload.KindNull; kind++ {
		names[kind.String()] = true
	}
	if len(names) != int(payload.KindNull)+1 {
		t.Errorf("two kinds have the same name: %v", names)
	}
}
