package payload

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// AppendString appends s as a JSON string, quotes included. Bytes of s that are not UTF-8 become U+FFFD, each its own.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := len(dst)
	dst = append(dst, s...)
	if plainEnd(dst, start) == len(dst) && utf8.Valid(dst[start:]) {
		return append(dst, '"')
	}
	dst = dst[:start]
	copied := 0 // bytes of s that are in dst
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' {
				dst = append(dst, s[copied:i]...)
				dst = appendRune(dst, rune(c))
				copied = i + 1
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, s[copied:i]...)
			dst = utf8.AppendRune(dst, utf8.RuneError)
			copied = i + 1
		}
		i += n
	}
	dst = append(dst, s[copied:]...)
	return append(dst, '"')
}

// appendRune appends r, which may be a lone surrogate, the way JSON.stringify writes it inside a string (QuoteJSONString).
func appendRune(dst []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	switch {
	case r == '"' || r == '\\':
		return append(dst, '\\', byte(r))
	case r >= ' ' && !isSurrogate(r):
		return utf8.AppendRune(dst, r)
	case r == '\b':
		return append(dst, `\b`...)
	case r == '\t':
		return append(dst, `\t`...)
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\f':
		return append(dst, `\f`...)
	case r == '\r':
		return append(dst, `\r`...)
	}
	return append(dst, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// appendRewritten appends a string's text, quotes and escapes and all, with each escape as JSON.stringify writes it or
// the character itself.
func appendRewritten(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		r, n := unescape(text[i:])
		dst = appendRune(dst, r)
		text = text[i+n:]
	}
}

// decode is the value of a string's text as UTF-8, a part of text itself where it has no escapes. A lone surrogate, which UTF-8
// cannot hold, becomes U+FFFD.
func decode(text []byte) []byte {
	text = text[1 : len(text)-1]
	i := bytes.IndexByte(text, '\\')
	if i < 0 {
		return text
	}
	value := make([]byte, 0, len(text))
	for i >= 0 {
		value = append(value, text[:i]...)
		r, n := unescape(text[i:])
		value = utf8.AppendRune(value, r) // writes U+FFFD for a surrogate
		text = text[i+n:]
		i = bytes.IndexByte(text, '\\')
	}
	return append(value, text...)
}

// unescape reads the escape, already found right, that text begins with: its character and how many bytes it took. A surrogate
// is returned as such unless its other half is the next escape.
func unescape(text []byte) (r rune, n int) {
	switch c := text[1]; c {
	case 'b':
		return '\b', 2
	case 't':
		return '\t', 2
	case 'n':
		return '\n', 2
	case 'f':
		return '\f', 2
	case 'r':
		return '\r', 2
	case 'u':
	default:
		return rune(c), 2
	}
	r = unit(text)
	if r >= 0xd800 && r < 0xdc00 && len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		if low := unit(text[6:]); low >= 0xdc00 && low < 0xe000 {
			return 0x10000 + (r-0xd800)<<10 + (low - 0xdc00), 12
		}
	}
	return r, 6
}

// unit is the UTF-16 code unit of the escape \uXXXX that text begins with.
func unit(text []byte) (r rune) {
	for _, c := range text[2:6] {
		if isDigit(c) {
			r = r<<4 | rune(c-'0')
		} else {
			r = r<<4 | rune(c|0x20-'a'+10)
		}
	}
	return r
}

func isSurrogate(r rune) bool { return r >= 0xd800 && r < 0xe000 }

// plainEnd is where the first quote, backslash or control character at or after i is, or len(src). It looks at eight bytes at a
// time: in each word below, the lowest high bit that is set belongs to the first byte that was looked for (borrows only go up).
func plainEnd(src []byte, i int) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(src); i += 8 {
		word := binary.LittleEndian.Uint64(src[i:])
		quote := word ^ '"'*ones
		backslash := word ^ '\\'*ones
		found := ((quote-ones)&^quote | (backslash-ones)&^backslash | (word-' '*ones)&^word) & high
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(src) && src[i] >= ' ' && src[i] != '"' && src[i] != '\\' {
		i++
	}
	return i
}
