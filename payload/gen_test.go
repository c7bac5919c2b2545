package payload_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

// hostile draws JSON texts that are valid and full of what is easily got wrong.
type hostile struct {
	// beyond allows lone surrogates and numbers that are infinite as float64, and leaves out the key __proto__.
	beyond bool
}

// text draws a whole text.
func (h hostile) text() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 9).Draw(t, "wrapped") == 0 { // deep, but within the limits of all who are asked
			n := rapid.IntRange(1, 120).Draw(t, "levels")
			return strings.Repeat(`[{"b":0,"0":`, n) + h.value(t, 2) + strings.Repeat(`}]`, n)
		}
		return space(t) + h.value(t, 4) + space(t)
	})
}

func (h hostile) value(t *rapid.T, depth int) string {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0, 1:
		return h.number(t)
	case 2, 3:
		return h.string(t)
	case 4:
		return rapid.SampledFrom([]string{"true", "false", "null", "{}", "[]", "{ }", "[\n]"}).Draw(t, "word")
	case 5:
		return h.list(t, "[", "]", func() string { return h.value(t, depth-1) })
	default:
		return h.list(t, "{", "}", func() string {
			return h.key(t) + space(t) + ":" + space(t) + h.value(t, depth-1)
		})
	}
}

func (h hostile) list(t *rapid.T, open, end string, item func() string) string {
	longest := 6
	if rapid.IntRange(0, 19).Draw(t, "long") == 0 {
		longest = 50
	}
	items := make([]string, rapid.IntRange(0, longest).Draw(t, "items"))
	for i := range items {
		items[i] = space(t) + item() + space(t)
	}
	return open + strings.Join(items, ",") + end
}

func space(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "\r\n  "}).Draw(t, "space")
}

func (h hostile) key(t *rapid.T) string {
	if rapid.Bool().Draw(t, "random key") {
		return h.string(t)
	}
	keys := []string{
		`"a"`, `"b"`, `"\u0061"`, `"ab"`, `"abc"`, `"abcdefgh"`, `"abcdefgi"`, `""`, `"\""`, `"\u0022"`, `"é"`, `"\u00e9"`, `"\u00E9"`,
		`"0"`, `"1"`, `"\u0031"`, `"2"`, `"10"`, `"9"`, `"00"`, `"01"`, `"-0"`, `"-1"`, `"1.0"`, `"1e3"`, `" 1"`,
		`"4294967293"`, `"4294967294"`, `"4294967295"`, `"4294967296"`, `"9007199254740991"`, `"99999999999"`,
		`"constructor"`, `"toString"`, `"toJSON"`, `"length"`, `"hasOwnProperty"`,
	}
	if !h.beyond {
		keys = append(keys, `"__proto__"`, `"\u005f_proto__"`)
	}
	return rapid.SampledFrom(keys).Draw(t, "key")
}

func (h hostile) string(t *rapid.T) string {
	var b strings.Builder
	b.WriteByte('"')
	for range rapid.IntRange(0, 12).Draw(t, "characters") {
		b.WriteString(h.character(t))
	}
	b.WriteByte('"')
	return b.String()
}

func (h hostile) character(t *rapid.T) string {
	escape := func(from, to int) string {
		form := rapid.SampledFrom([]string{`\u%04x`, `\u%04X`}).Draw(t, "form")
		return fmt.Sprintf(form, rapid.IntRange(from, to).Draw(t, "unit"))
	}
	kinds := 7
	if h.beyond {
		kinds = 9
	}
	switch rapid.IntRange(0, kinds).Draw(t, "character") {
	case 0, 1:
		return rapid.StringMatching(`[ !#-\[\]-~]{1,20}`).Draw(t, "ASCII")
	case 2:
		return rapid.SampledFrom([]string{`\b`, `\t`, `\n`, `\f`, `\r`, `\"`, `\\`, `\/`}).Draw(t, "escape")
	case 3:
		return rapid.SampledFrom([]string{"/", "<", ">", "&", "'", "\x7f", "\u0080", "é", "\u2028", "\u2029", "\ufeff", "\ufffd", "\uffff", "😀", "\U0010ffff"}).Draw(t, "raw")
	case 4:
		return escape(0, 0x7f)
	case 5:
		return escape(0x80, 0xd7ff)
	case 6:
		return escape(0xe000, 0xffff)
	case 7:
		return escape(0xd800, 0xdbff) + escape(0xdc00, 0xdfff)
	default:
		return escape(0xd800, 0xdfff)
	}
}

func (h hostile) number(t *rapid.T) string {
	s := drawNumber(t)
	if f, _ := strconv.ParseFloat(s, 64); math.IsInf(f, 0) && !h.beyond {
		return "1"
	}
	return s
}

func drawNumber(t *rapid.T) string {
	switch rapid.IntRange(0, 4).Draw(t, "number") {
	case 0:
		return strconv.FormatInt(rapid.Int64().Draw(t, "integer"), 10)
	case 1:
		return rapid.SampledFrom([]string{
			"0", "-0", "0.0", "-0.0", "0e5", "-0E-5", "1.0", "10", "1.10", "1e0", "1E+2", "1e-2", "100e-2", "1e20", "1e21", "1e22", "-1e21",
			"123456789012345678901", "0.000001", "0.0000001", "0.00000123", "1.5e-7", "1e-10", "5e-324", "2e-324", "3e-324", "2.2250738585072011e-308",
			"1.7976931348623157e308", "1.7976931348623159e308", "1e400", "-1e400", "1e-400", "9007199254740991", "9007199254740992",
			"9007199254740993", "-9007199254740993", "9007199254740994.5", "999999999999999", "9999999999999999", "99999999999999999",
			"0.1", "0.30000000000000004", "123456.789012345", "1234567.8901234567", "1e1000000000000000000000", "1e-1000000000000000000000",
		}).Draw(t, "number")
	case 2:
		f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 0
		}
		return strconv.FormatFloat(f, rapid.SampledFrom([]byte("eEfg")).Draw(t, "format"), -1, 64)
	default:
		return rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "digits")
	}
}
