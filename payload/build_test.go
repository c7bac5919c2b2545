package payload_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/payload"
)

func TestAppendStringIsWhatJavaScriptWrites(t *testing.T) {
	js := newJavaScript(t)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(
			rapid.String(),
			rapid.StringMatching("[\x00-\x7f]*"),
			rapid.StringMatching("[ -~\u2028\u2029é😀]{0,40}"),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		).Draw(t, "s")
		got := string(payload.AppendString([]byte("before"), s))

		js.set("s", string([]rune(s))) // each byte that is not UTF-8 becomes U+FFFD
		if want := "before" + js.run("JSON.stringify(s)"); got != want {
			t.Fatalf("AppendString(%q) = %q, want %q", s, got, want)
		}
		if utf8.ValidString(s) {
			checkJS(t, got[len("before"):], got[len("before"):])
		}
	})
}

func TestAppendNumbersAreWhatJavaScriptWrites(t *testing.T) {
	js := newJavaScript(t)
	run := func(value any) string {
		if err := js.vm.Set("value", value); err != nil {
			t.Fatal(err)
		}
		return js.run("JSON.stringify(value)")
	}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.OneOf(
			rapid.Float64(),
			rapid.Map(rapid.Uint64(), math.Float64frombits),
			rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 1e21, 1e-6, 1e-7, math.MaxFloat64, math.SmallestNonzeroFloat64}),
		).Draw(t, "f")
		if got, want := string(payload.AppendFloat(nil, f)), run(f); got != want {
			t.Fatalf("AppendFloat(%v) = %s, want %s", f, got, want)
		}
		i := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 1<<53 - 1, 1 << 53, 1<<53 + 1, -1 << 53, -1<<53 - 1})).Draw(t, "i")
		if got, want := string(payload.AppendInt(nil, i)), run(float64(i)); got != want {
			t.Fatalf("AppendInt(%d) = %s, want %s", i, got, want)
		}
	})
}

func TestAppendTime(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	for want, at := range map[string]time.Time{
		`"2026-01-01T00:30:05.007Z"`: time.Date(2026, 1, 1, 2, 30, 5, 7_999_999, zone),
		`"1969-12-31T23:59:59.999Z"`: time.Unix(0, -1),
		`"0001-01-01T00:00:00.000Z"`: {},
		`"9999-12-31T23:59:59.999Z"`: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
	} {
		if got := string(payload.AppendTime(nil, at)); got != want {
			t.Errorf("AppendTime(%v) = %s, want %s", at, got, want)
		}
	}
}

func TestCommas(t *testing.T) {
	dst := payload.AppendKey([]byte("{"), "a{")
	dst = payload.AppendString(dst, "[")
	dst = append(payload.AppendKey(dst, "b"), '[')
	for i := range 3 {
		dst = payload.AppendInt(payload.AppendComma(dst), int64(i))
	}
	dst = append(dst, "]}"...)
	if want := `{"a{":"[","b":[0,1,2]}`; string(dst) != want || !json.Valid(dst) {
		t.Errorf("got %s, want %s", dst, want)
	}
	if got := payload.AppendComma(nil); len(got) != 0 {
		t.Errorf("a comma before all else: %q", got)
	}
}
