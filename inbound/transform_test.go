package inbound

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

func transforms(t testing.TB, source string) (all []postroom.Transform) {
	t.Helper()
	if err := json.Unmarshal([]byte("["+source+"]"), &all); err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return all
}

// Each case is transforms, a value, and what comes of it; an empty text is a missing value, and "!" begins a part of an error.
func TestTransforms(t *testing.T) {
	for _, c := range [][3]string{
		{`"trim"`, `"\u00a0\u200b x y \ufeff\n"`, `"x y"`},
		{`"trim"`, `""`, `""`},
		{`"trim"`, ``, ``},
		{`"trim"`, `null`, `null`},
		{`"trim"`, `5`, `5`},
		{`"trim"`, `{"a":1}`, `!an object is not a text`},
		{`"trim"`, `[" a ",null,3]`, `["a",null,3]`},
		{`"lower"`, `"ΑΣ İ"`, `"ας i̇"`}, // a final sigma
		{`{"lower":"tr"}`, `"IĞDIR"`, `"ığdır"`},
		{`"upper"`, `"ﬁ ŉ"`, `"FI ʼN"`},
		{`"title"`, `"élan vital"`, `"Élan Vital"`},
		{`{"title":"nl"}`, `"ijsland"`, `"IJsland"`},
		{`"unescape"`, `"a+b%2Fc%C3%A9"`, `"a+b/cé"`},
		{`"unescape"`, `"100%"`, `!two hexadecimal digits`},

		{`"number"`, `"12345678901234567890123"`, `12345678901234567890123`},
		{`"number"`, `12345678901234567890.10`, `12345678901234567890.10`},
		{`"number"`, `"007"`, `7`},
		{`"number"`, `"-0"`, `0`},
		{`"number"`, `"-.5"`, `-0.5`},
		{`"number"`, `"5."`, `5`},
		{`"number"`, `"+1"`, `1`},
		{`"number"`, `"−12"`, `-12`},
		{`"number"`, `"1e3"`, `1e3`},
		{`"number"`, `"1.50E-7"`, `1.50E-7`},
		{`"number"`, `"1e"`, `!no number`},
		{`"number"`, `"1'234'567.5"`, `1234567.5`},
		{`"number"`, "\"1\u202f234\u00a0567\"", `1234567`},
		{`"number"`, `"1,5"`, `!say which by a language`},
		{`"number"`, `"1.2.3"`, `!no number`},
		{`"number"`, `"--1"`, `!no number`},
		{`"number"`, `"12 34"`, `!groups of three`},
		{`"number"`, `"0x10"`, `!no number`},
		{`"number"`, `"NaN"`, `!no number`},
		{`"number"`, `"٣٤٫"`, `!no number`},
		{`"number"`, `"٣٤"`, `34`},
		{`"number"`, `""`, ``},
		{`"number"`, `null`, `null`},
		{`"number"`, `true`, `!true or false is not a number`},
		{`"number"`, `["1","x"]`, `!no number`},
		{`"number"`, `["1","2.0"]`, `[1,2.0]`},
		{`"number"`, `"` + strings.Repeat("1", 401) + `"`, `!at most 400`},
		{`{"number":"en"}`, `"1,234.5"`, `1234.5`},
		{`{"number":"en"}`, `"1,5"`, `!groups of three`},
		{`{"number":"en-IN"}`, `"12,34,567.5"`, `1234567.5`},
		{`{"number":"de"}`, `"1.5"`, `!groups of three`},
		{`{"number":"de"}`, `"1.234"`, `1234`},
		{`{"number":"de-CH"}`, `"1’234.5"`, `1234.5`},
		{`{"number":"sv"}`, `"1 234,5"`, `1234.5`},
		{`{"number":"es"}`, `"1234,5"`, `1234.5`},
		{`{"number":"pt-BR"}`, `"1.234.567,89"`, `1234567.89`},
		{`{"number":"fa"}`, `"۱٬۲۳۴٫۵"`, `1234.5`},
		{`{"number":"."}`, `"1,234.5"`, `1234.5`},

		{`"boolean"`, `"ON"`, `true`}, {`"boolean"`, `0`, `false`}, {`"boolean"`, `true`, `true`}, {`"boolean"`, `" off "`, `false`}, {`"boolean"`, `"N"`, `false`},
		{`"boolean"`, `"maybe"`, `!neither yes nor no`}, {`"boolean"`, `2`, `!neither yes nor no`}, {`"boolean"`, `""`, ``}, {`"boolean"`, `{}`, `!an object is not a text`},

		{`{"split":","}`, `""`, `[]`},
		{`{"split":","}`, `5`, `["5"]`},
		{`{"split":","}`, `null`, `null`},
		{`{"split":{"by":" ","part":2}}`, `"Ada"`, ``},
		{`{"split":{"by":" ","part":-2}}`, `"Ada"`, ``},
		{`{"split":{"by":" ","part":1}}`, `"Ada Lovelace"`, `"Ada"`},
		{`{"split":","},{"join":"+"}`, `"a, b"`, `"a+b"`},
		{`"join"`, `[]`, ``},
		{`"join"`, `["a","b"]`, `"a b"`},
		{`{"join":""}`, `["a",true,1.50]`, `"atrue1.50"`},
		{`"join"`, `[["a"]]`, `!cannot be joined`},
		{`"join"`, `"a"`, `"a"`},
		{`"join"`, ``, ``},

		{`{"replace":{"old":"a","new":""}}`, `"banana"`, `"bnn"`},
		{`{"replace":{"old":"a"}}`, `"banana"`, `"bnn"`},
		{`{"replace":{"old":".","new":"x"}}`, `"a.b"`, `"axb"`}, // no pattern
		{`{"replace":{"pattern":"(?i)<b>(.*?)</b>","new":"*${1}*"}}`, `"a <B>c</b>"`, `"a *c*"`},
		{`{"replace":{"pattern":"x*","new":"-"}}`, `"ab"`, `"-a-b-"`},
		{`{"replace":{"pattern":"0"}}`, `1001`, `"11"`},
		{`{"replace":{"old":"a","new":"` + strings.Repeat("b", 2000) + `"}}`, `"` + strings.Repeat("a", 2000) + `"`, `!more than 1048576 bytes`},
		{`{"replace":{"pattern":"a","new":"` + strings.Repeat("b", 2000) + `"}}`, `"` + strings.Repeat("a", 2000) + `"`, `!more than 1048576 bytes`},
		{`{"replace":{"pattern":"a"}}`, `"` + strings.Repeat("a", 65537) + `"`, `!texts of up to 65536 bytes`},

		{`{"default":{"a":1}}`, ``, `{"a":1}`}, {`{"default":0}`, `null`, `0`}, {`{"default":0}`, `[]`, `0`}, {`{"default":0}`, `false`, `false`}, {`{"default":0}`, `"x"`, `"x"`},
		{`"number",{"default":0}`, `"  "`, `0`},

		{`{"lookup":{"table":{"a":1}}}`, `"a"`, `1`},
		{`{"lookup":{"table":{"a":1}}}`, `"A"`, `!does not have it`},
		{`{"lookup":{"table":{"a":1},"ignore_case":true}}`, `"A"`, `1`},
		{`{"lookup":{"table":{"true":"yes"},"default":null}}`, `true`, `"yes"`},
		{`{"lookup":{"table":{"true":"yes"},"default":null}}`, `false`, `null`},
		{`{"lookup":{"table":{"a":1}}}`, ``, ``},
		{`{"lookup":{"table":{"a":1},"default":2}}`, ``, `2`},
		{`{"lookup":{"table":{"a":1,"b":2}}}`, `["a","b"]`, `[1,2]`},
		{`{"lookup":{"table":{"":"none"}}}`, `""`, `"none"`},
	} {
		got, err := changed(c[1], transforms(t, c[0])...)
		if part, fails := strings.CutPrefix(c[2], "!"); fails {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%.80s of %.80s: got %.80s, %v, want an error with %q", c[0], c[1], got, err, part)
			}
			continue
		}
		if err != nil || got != c[2] {
			t.Errorf("%s of %s: got %s, %v, want %s", c[0], c[1], got, err, c[2])
		}
	}
}

func TestDates(t *testing.T) {
	for _, c := range [][3]string{
		{`"date"`, `"2026-03-15"`, `"2026-03-15"`},
		{`"date"`, `"20260315"`, `"2026-03-15"`},
		{`"date"`, `20260315`, `"2026-03-15"`},
		{`"date"`, `"2026/03/15 10:30:15.250"`, `"2026-03-15T10:30:15.25Z"`},
		{`"date"`, `"2026-03-15T10:30:00+0100"`, `"2026-03-15T09:30:00Z"`},
		{`"date"`, `"2026-03-15 10:30:00 -05:00"`, `"2026-03-15T15:30:00Z"`},
		{`"date"`, `"Sun, 15 Mar 2026 10:30:00 +0100"`, `"2026-03-15T09:30:00Z"`},
		{`"date"`, `1773570600.5`, `"2026-03-15T10:30:00.5Z"`},
		{`"date"`, `1773570600123`, `"2026-03-15T10:30:00.123Z"`},
		{`"date"`, `"1773570600123456"`, `"2026-03-15T10:30:00.123456Z"`},
		{`"date"`, `-86400`, `"1969-12-31T00:00:00Z"`},
		{`"date"`, `"03/15/2026"`, `!say how it is written`},
		{`"date"`, `"tomorrow"`, `!no date that is recognised`},
		{`"date"`, `""`, ``}, {`"date"`, `null`, `null`}, {`"date"`, ``, ``}, {`"date"`, `{}`, `!an object is not a text`},
		{`"date"`, `999999999999999999`, `!`},
		{`{"date":{"zone":"Europe/Berlin"}}`, `"2026-07-01 12:00"`, `"2026-07-01T10:00:00Z"`},
		{`{"date":"rfc3339"}`, `"2026-03-15T10:30:00.123456789+01:00"`, `"2026-03-15T09:30:00.123456789Z"`},
		{`{"date":"rfc3339"}`, `"2026-03-15"`, `!RFC 3339`},
		{`{"date":"rfc2822"}`, `"15 Mar 2026 10:30:00 GMT"`, `"2026-03-15T10:30:00Z"`},
		{`{"date":"rfc2822"}`, `"x"`, `!RFC 2822`},
		{`{"date":"unix"}`, `"-1.25"`, `"1969-12-31T23:59:58.75Z"`},
		{`{"date":"unix"}`, `"1e9"`, `!number of seconds`},
		{`{"date":"unix"}`, `99999999999999999`, `!years from 1 to 9999`},
		{`{"date":"unix_ms"}`, `"1"`, `"1970-01-01T00:00:00.001Z"`},
		{`{"date":"unix_ms"}`, `"1.5"`, `"1970-01-01T00:00:00.0015Z"`},
		{`{"date":"YYYY-MM-DDTHH:mm:ssZ"}`, `"2026-03-15T10:30:00Z"`, `"2026-03-15T10:30:00Z"`},
		{`{"date":"DD/MM/YYYY"}`, `"29/02/2024"`, `"2024-02-29"`},
		{`{"date":"DD/MM/YYYY"}`, `"29/02/2026"`, `!there is no day 2026-02-29`},
		{`{"date":"DD/MM/YYYY"}`, `"1/02/2026"`, `!character 1: here a number of 2 digits`},
		{`{"date":"DD/MM/YYYY"}`, `"01-02-2026"`, `!character 3: here "/" is expected`},
		{`{"date":"DD/MM/YYYY"}`, `"01/02/2026 10:00"`, `!character 11: here the date should end`},
		{`{"date":"DD/MM/YYYY HH:mm"}`, `"01/02/2026  24:00"`, `!there is no time 24:00:00`},
		{`{"date":"D. MMMM YYYY"}`, `"1. march 2026"`, `"2026-03-01"`},
		{`{"date":"dddd, MMM D, YYYY [at] h:mm a"}`, `"Sunday, Mar 15, 2026 at 12:05 AM"`, `"2026-03-15T00:05:00Z"`},
		{`{"date":"YYYY-MM-DD hh:mm A"}`, `"2026-03-15 12:05 pm"`, `"2026-03-15T12:05:00Z"`},
		{`{"date":"YYYY-MM-DD hh:mm A"}`, `"2026-03-15 13:05 pm"`, `!no hour of half a day`},
		{`{"date":"YY-MM-DD"}`, `"69-01-01"`, `"2069-01-01"`}, {`{"date":"YY-MM-DD"}`, `"70-01-01"`, `"1970-01-01"`},
		{`{"date":"YYYY-MM-DD HH:mm ZZ"}`, `"2026-03-15 10:30 +0530"`, `"2026-03-15T05:00:00Z"`},
		{`{"date":{"format":"YYYY-MM-DD","to":"MM/DD/YY"}}`, `"2026-03-05"`, `"03/05/26"`},
		{`{"date":{"format":"YYYY-MM-DD","to":"unix"}}`, `"1970-01-02"`, `86400`},
		{`{"date":{"to":"rfc2822","zone":"+01:00"}}`, `"2026-03-15T10:30:00Z"`, `"Sun, 15 Mar 2026 11:30:00 +0100"`},
		{`{"date":{"to":"YYYY-MM-DD HH:mm:ss.SSS Z","zone":"Asia/Kolkata"}}`, `"2026-03-15T10:30:00.0785Z"`, `"2026-03-15 16:00:00.078 +05:30"`},
		// The clocks of Berlin leave out 02:30 on this day.
		{`{"date":{"format":"YYYY-MM-DD HH:mm","zone":"Europe/Berlin"}}`, `"2026-03-29 02:30"`, `"2026-03-29T01:30:00Z"`},
		{`{"date":"YYYY-MM-DD"}`, `["2026-03-15","2026-03-16"]`, `["2026-03-15","2026-03-16"]`},
	} {
		got, err := changed(c[1], transforms(t, c[0])...)
		if part, fails := strings.CutPrefix(c[2], "!"); fails {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s of %s: got %s, %v, want an error with %q", c[0], c[1], got, err, part)
			}
			continue
		}
		if err != nil || got != c[2] {
			t.Errorf("%s of %s: got %s, %v, want %s", c[0], c[1], got, err, c[2])
		}
	}
}

// Arguments are checked when they are saved.
func TestTransformRefuses(t *testing.T) {
	for source, want := range map[string]string{
		`"trm"`:                                 "did you mean trim?",
		`"capitalise"`:                          "there are trim, lower",
		`{"trim":"x"}`:                          "takes no argument",
		`{"upper":"nowhere-land"}`:              "no language",
		`{"upper":1}`:                           "with a language",
		`{"number":"nowhere-land"}`:             "no language",
		`{"number":{}}`:                         "it is written",
		`{"boolean":{"yes":["ja"]}}`:            `there is no "yes" in it`,
		`{"date":"DD.MM"}`:                      "a year (YYYY)",
		`{"date":"rfc3393"}`:                    "did you mean rfc3339?",
		`{"date":"YYYY-MM-DD hh:mm"}`:           "with AM or PM",
		`{"date":"YYYY-MM-DD HH:mm A"}`:         "with AM or PM",
		`{"date":"YYYY-MM-DD mm"}`:              "minutes stand with hours",
		`{"date":"YYYY-MM-DD DD"}`:              "twice",
		`{"date":"YYYY-MM-DD Q"}`:               `"Q" means nothing`,
		`{"date":"YYYY-MM-DD [at"}`:             "no end",
		`{"date":{"zone":"Europe/Berlino"}}`:    "no time zone",
		`{"date":{"zone":"Local"}}`:             "no time zone",
		`{"date":{"zones":"UTC"}}`:              "it is written",
		`{"date":{"to":"auto"}}`:                "a format is needed",
		`"split"`:                               "it is written",
		`{"split":""}`:                          "between the parts",
		`{"split":{"by":"","part":1}}`:          "between the parts",
		`{"join":1}`:                            "it is written",
		`"replace"`:                             "it is written",
		`{"replace":{"new":"x"}}`:               "what is replaced",
		`{"replace":{"old":"a","pattern":"b"}}`: "what is replaced",
		`{"replace":{"pattern":"("}}`:           "no regular expression (RE2): missing closing )",
		`{"replace":{"pattern":"(?=x)"}}`:       "no regular expression",
		`{"replace":{"pattern":"` + strings.Repeat("a", 1025) + `"}}`: "at most 1024",
		`"default"`:               "it takes the value",
		`{"lookup":{"a":"b"}}`:    `there is no "a" in it`,
		`{"lookup":{"table":{}}}`: "0 entries",
		`{"lookup":{"table":{"a":1,"A":2},"ignore_case":true}}`: "twice",
	} {
		if _, err := newTransform(transforms(t, source)[0]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %s", source, err, want)
		}
	}
}

// What any language writes of a whole number is read as the same number, whatever its length.
func TestNumbersOfLanguages(t *testing.T) {
	tags := []string{"en", "de", "de-CH", "fr", "fr-CH", "es", "it", "sv", "pl", "pt", "ru", "hi", "en-IN", "ja", "ar-EG", "fa", "mr"}
	rapid.Check(t, func(t *rapid.T) {
		tag := rapid.SampledFrom(tags).Draw(t, "language")
		n := rapid.Int64().Draw(t, "number")
		text := message.NewPrinter(language.MustParse(tag)).Sprint(number.Decimal(n))
		text = strings.NewReplacer("\u200e", "", "\u200f", "", "\u061c", "").Replace(text) // marks of direction
		got, err := changed(string(jsonText(text)), postroom.Transform{Name: "number", Arg: jsonText(tag)})
		if err != nil || got != fmt.Sprint(n) {
			t.Fatalf("%s writes %d as %q, which is read as %s, %v", tag, n, text, got, err)
		}
	})
}

// A number's value never changes, and it never goes through a float.
func TestNumbersAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?[0-9]{1,40}(\.[0-9]{1,40})?`).Draw(t, "number")
		got, err := changed(string(jsonText(text)), postroom.Transform{Name: "number"})
		if err != nil {
			t.Fatal(err)
		}
		want, _ := new(big.Rat).SetString(text)
		if is, ok := new(big.Rat).SetString(got); !ok || is.Cmp(want) != 0 {
			t.Fatalf("%s became %s", text, got)
		}
	})
}

// What a format writes, it reads.
func TestDateFormatsRoundTrip(t *testing.T) {
	formats := []string{"YYYY-MM-DD HH:mm:ss", "D.M.YYYY H:m:s", "dddd D MMMM YYYY hh:mm:ss A", "MMM DD, YYYY [at] h:mm:ss a ZZ", "YYYYMMDDTHHmmssZ", "unix", "rfc3339", "rfc2822"}
	rapid.Check(t, func(t *rapid.T) {
		format := rapid.SampledFrom(formats).Draw(t, "format")
		zone := rapid.SampledFrom([]string{"", "+05:45", "-11:00"}).Draw(t, "zone")
		at := time.Unix(rapid.Int64Range(0, 4102444800).Draw(t, "time"), 0).UTC()
		arg := func(name string) []byte {
			return []byte(`{"` + name + `":` + quote(format) + `,"zone":` + quote(zone) + `}`)
		}
		text, err := changed(string(timeText(at)), postroom.Transform{Name: "date", Arg: arg("to")})
		if err != nil {
			t.Fatal(err)
		}
		back, err := changed(text, postroom.Transform{Name: "date", Arg: arg("format")})
		if err != nil || back != string(timeText(at)) {
			t.Fatalf("%s was written %s and read %s, %v", at, text, back, err)
		}
	})
}

func FuzzTransform(f *testing.F) {
	for _, seed := range [][2]string{
		{`"trim"`, `" x "`}, {`{"number":"de"}`, `"1.234,5"`}, {`{"date":"DD.MM.YYYY HH:mm"}`, `"15.03.2026 10:30"`}, {`"date"`, `1773570600`}, {`{"split":","}`, `"a,b"`},
		{`{"join":", "}`, `["a",null]`}, {`{"replace":{"pattern":"(a)","new":"$1"}}`, `"aa"`}, {`{"lookup":{"table":{"a":1}}}`, `"a"`}, {`{"default":1}`, ``},
		{`{"upper":"tr"}`, `"i"`}, {`"boolean"`, `"on"`}, {`"title"`, `["ǆ","\ud800"]`}, {`{"date":{"format":"auto","to":"YYYY-MM-DD S","zone":"+01:00"}}`, `"2026-03-15T10:30:00Z"`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, source, value string) {
		var transform postroom.Transform
		if json.Unmarshal([]byte(source), &transform) != nil || value != "" && payload.Valid([]byte(value)) != nil {
			return
		}
		got, err := changed(value, transform)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		if got != "" && payload.Valid([]byte(got)) != nil {
			t.Errorf("%s makes %q of %q, which is not JSON", source, got, value)
		}
		if len(got) > max(maxValue, 6*len(value)+6*len(source)) {
			t.Errorf("%s makes %d bytes of %d", source, len(got), len(value))
		}
	})
}
