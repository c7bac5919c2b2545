package payload_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postroom/postroom/payload"
)

// known are texts and what JSON.stringify(JSON.parse(text)) is, by the specification.
var known = []struct{ name, text, want string }{
	{"white space", " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } , \"c\" : [ ] } \n", `{"a":[1,2],"b":{},"c":[]}`},
	{"words", `[true,false,null]`, `[true,false,null]`},
	{"a string alone", `"x"`, `"x"`},
	{"a number alone", `12`, `12`},

	{"HTML is not escaped", `"\u003cb\u003e & \u0026 </b>"`, `"<b> & & </b>"`},
	{"line separators are not escaped", `"\u2028\u2029"`, "\"\u2028\u2029\""},
	{"short escapes", `"\u0008\u0009\u000a\u000c\u000d\u0022\u005c\/"`, `"\b\t\n\f\r\"\\/"`},
	{"other controls, lower case", `"\u0000\u000B\u001F\u007f"`, `"\u0000\u000b\u001f` + "\x7f\""},
	{"pair", `"\uD83D\uDE00"`, `"😀"`},
	{"lone surrogates", `"\uD83D \uDEAD"`, `"\ud83d \udead"`},
	{"lone surrogate before a pair", `"\uD83D\uD83D\uDE00"`, `"\ud83d😀"`},
	{"halves in the wrong order", `"\uDE00\uD83D"`, `"\ude00\ud83d"`},
	{"surrogate and an escape that is none", `"\ud83d\n\ud83d\\ude00"`, `"\ud83d\n\ud83d\\ude00"`},
	{"byte order mark in a string", "\"\ufeff\"", "\"\ufeff\""},

	{"zeros", `[0,-0,0.0,-0.0,0e9,-0e-9,0.000]`, `[0,0,0,0,0,0,0]`},
	{"integers", `[1.0,100e-2,1e2,-5,123456789012345]`, `[1,1,100,-5,123456789012345]`},
	{"large integers", `[9007199254740991,9007199254740992,9007199254740993,-9007199254740993]`, `[9007199254740991,9007199254740992,9007199254740992,-9007199254740992]`},
	{"larger integers", `[12345678901234567890,123456789012345678901234567890]`, `[12345678901234567000,1.2345678901234568e+29]`},
	{"exponents up", `[1e20,1e21,1e22,-1E+21,123e19,1.5e300]`, `[100000000000000000000,1e+21,1e+22,-1e+21,1.23e+21,1.5e+300]`},
	{"exponents down", `[1e-6,1e-7,0.000001,0.0000001,0.00000015,-1.5e-10,1e-100]`, `[0.000001,1e-7,0.000001,1e-7,1.5e-7,-1.5e-10,1e-100]`},
	{"decimals", `[1.10,0.1,-0.25,48.85661400,3.141592653589793238]`, `[1.1,0.1,-0.25,48.856614,3.141592653589793]`},
	{"the ends of the range", `[1.7976931348623157e308,5e-324,3e-324,2e-324,-1e-400]`, `[1.7976931348623157e+308,5e-324,5e-324,0,0]`},
	{"infinity", `[1e400,-1e400,1.7976931348623159e308]`, `[null,null,null]`},

	{"names keep their order", `{"b":1,"a":2,"B":3}`, `{"b":1,"a":2,"B":3}`},
	{"indexes come first", `{"b":1,"10":2,"9":3,"a":4,"0":5}`, `{"0":5,"9":3,"10":2,"b":1,"a":4}`},
	{"indexes in order", `{"0":1,"1":2,"10":3,"a":4}`, `{"0":1,"1":2,"10":3,"a":4}`},
	{"what is an index", `{"4294967295":1,"01":2,"-1":3,"1.5":4,"":5,"4294967294":6}`, `{"4294967294":6,"4294967295":1,"01":2,"-1":3,"1.5":4,"":5}`},
	{"an escaped index", `{"a":1,"\u0037":2}`, `{"7":2,"a":1}`},
	{"the last of two wins, at the first's place", `{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
	{"the same key in two spellings", `{"\u0061":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
	{"an index twice", `{"1":1,"1":2}`, `{"1":2}`},
	{"__proto__ is a key", `{"__proto__":{"x":1},"y":2,"__proto__":null}`, `{"__proto__":null,"y":2}`},
	{"odd objects in odd objects", `{"b":{"d":{"y":1,"x":2,"y":3},"4":5},"1":[{"z":0,"3":{"q":1,"0":2}},{"z":1,"z":2}]}`,
		`{"1":[{"3":{"0":2,"q":1},"z":0},{"z":2}],"b":{"4":5,"d":{"y":3,"x":2}}}`},
	{"odd objects in what is dropped", `{"a":{"b":1,"1":{"x":1,"x":2}},"a":{"c":1,"0":2}}`, `{"a":{"0":2,"c":1}}`},
}

func TestAppendJSKnown(t *testing.T) {
	for _, c := range known {
		t.Run(c.name, func(t *testing.T) { checkJS(t, c.text, c.want) })
	}
}

func TestAppendJSManyKeys(t *testing.T) {
	for _, n := range []int{31, 32, 33, 34, 64, 65, 1000} {
		distinct := string(object(n))
		checkJS(t, distinct, distinct)

		// The first key comes once more at the end, then an index.
		rest := distinct[len(`{"custom_field_0":0`):]
		again := strings.TrimSuffix(distinct, "}") + `,"custom_field_0":"last"`
		checkJS(t, again+"}", `{"custom_field_0":"last"`+rest)
		checkJS(t, again+`,"5":0}`, `{"5":0,"custom_field_0":"last"`+rest)
	}
}

// TestAppendJSAllKeysAlike has keys that differ only where fingerprint does not look.
func TestAppendJSAllKeysAlike(t *testing.T) {
	const n = 20_000
	var text, want strings.Builder
	for round := range 2 {
		for i := range n {
			fmt.Fprintf(&text, `,"aaaaaaaaaaaa%06daaaaaaaaaaaa":%d`, i, round)
		}
	}
	for i := range n {
		fmt.Fprintf(&want, `,"aaaaaaaaaaaa%06daaaaaaaaaaaa":1`, i)
	}
	checkJS(t, "{"+text.String()[1:]+"}", "{"+want.String()[1:]+"}")
}

func TestAppendJSDepth(t *testing.T) {
	for _, level := range []struct{ open, end string }{{"[", "]"}, {`{"a":`, "}"}, {`{"b":0,"0":`, "}"}} {
		nest := func(n int) string { return strings.Repeat(level.open, n) + "1" + strings.Repeat(level.end, n) }
		if _, err := payload.AppendJS(nil, []byte(nest(payload.MaxBuiltDepth))); err != nil {
			t.Errorf("%s: %v", level.open, err)
		}
		if err := payload.Valid([]byte(nest(payload.MaxDepth))); err != nil {
			t.Errorf("%s: %v", level.open, err)
		}
		var syntax *payload.SyntaxError
		if _, err := payload.AppendJS(nil, []byte(nest(payload.MaxBuiltDepth+1))); !errors.As(err, &syntax) {
			t.Errorf("%s: AppendJS accepts one level too many: %v", level.open, err)
		}
		if err := payload.Valid([]byte(nest(payload.MaxDepth + 1))); !errors.As(err, &syntax) {
			t.Errorf("%s: Valid accepts one level too many: %v", level.open, err)
		}
	}
	beside := "[" + strings.Repeat("[[]],", 2000) + "[]]"
	if err := payload.Valid([]byte(beside)); err != nil {
		t.Errorf("arrays beside each other count as nested: %v", err)
	}
}

func TestAppendJSLeavesDstOnError(t *testing.T) {
	dst, err := payload.AppendJS([]byte("before"), []byte(`{"a":[1,2,`))
	if err == nil || string(dst) != "before" {
		t.Errorf("AppendJS = %q, %v", dst, err)
	}
}

func TestAppendJSAllocatesNothing(t *testing.T) {
	var indented bytes.Buffer
	for _, line := range strings.SplitAfter(eventData, ",") {
		indented.WriteString(line + "\n  ")
	}
	for name, text := range map[string][]byte{
		"normal":            []byte(eventData),
		"white space":       indented.Bytes(),
		"escapes":           []byte(`{"html":"\u003ca href=\"https:\/\/example.com\"\u003e\n","name":"Ren\u00e9e \ud83d\ude00"}`),
		"numbers":           []byte(`[1,-2,3.50,1e3,12345678901234567890,0.1e-9]`),
		"indexes, in order": []byte(`{"0":"a","1":"b","2":{"x":1}}`),
	} {
		dst := make([]byte, 0, 2*len(text))
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := payload.AppendJS(dst, text); err != nil {
				t.Error(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

// longNumber matches a number that strconv, and so goja, may get wrong.
var longNumber = regexp.MustCompile(`[0-9.]{300}`)

// TestLongNumbers compares with arithmetic that has no limits.
func TestLongNumbers(t *testing.T) {
	check := func(t rapid.TB, text string) {
		t.Helper()
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q is not a number", text)
		}
		nearest, _ := exact.Float64()
		checkJS(t, text, string(payload.AppendFloat(nil, nearest)))
	}
	zeros := strings.Repeat("0", 20_000)
	for _, text := range []string{
		"9007199254740993" + zeros + "e-20000", // strconv takes the point to be after 800 digits
		"9007199254740993" + zeros + "1e-20001",
		"9007199254740993." + zeros + "1",
		"-9007199254740993." + zeros,
		"0." + zeros + "123456789e20001", // strconv reads 20001 as it is
		"0." + zeros + "9007199254740993" + zeros + "e20016",
		zeros[:1] + "." + zeros, "-0." + zeros + "e5", "1" + zeros + "e-20000", "0." + zeros + "1", "1" + zeros,
	} {
		check(t, text)
	}
	million := strings.Repeat("0", 1_000_000)
	checkJS(t, "0."+million+"25e1000000", "0.25") // strconv reads the exponent as 10000
	checkJS(t, "1"+million+"e-1000000", "1")
	checkJS(t, "["+"1"+million+"e-9999999999999999999999999999,0."+million+"1e+9999999999999999999999999999]", "[0,null]")

	rapid.Check(t, func(t *rapid.T) {
		// A midpoint between two float64, or close to it, which takes up to 767 digits to tell from its neighbours.
		bits := rapid.Uint64Range(1, math.Float64bits(math.MaxFloat64)-1).Draw(t, "bits")
		low := new(big.Float).SetPrec(2000).SetFloat64(math.Float64frombits(bits))
		high := new(big.Float).SetPrec(2000).SetFloat64(math.Float64frombits(bits + 1))
		middle := low.Add(low, high)
		middle.SetMantExp(middle, -1)
		mantissa, exponent, _ := strings.Cut(middle.Text('e', 800), "e")
		mantissa = strings.TrimRight(mantissa, "0")
		e, err := strconv.Atoi(exponent)
		if err != nil {
			t.Fatal(err)
		}
		mantissa += strings.Repeat("0", rapid.IntRange(0, 900).Draw(t, "zeros")) + rapid.SampledFrom([]string{"0", "1"}).Draw(t, "last")
		if rapid.Bool().Draw(t, "no point") {
			e -= len(mantissa) - 2
			mantissa = strings.Replace(mantissa, ".", "", 1)
		}
		check(t, mantissa+"e"+strconv.Itoa(e))
	})
}
