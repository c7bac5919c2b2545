package payload

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says that a text is not the JSON that was asked for, where, and what was expected there.
type SyntaxError struct {
	Offset  int    // bytes before the place
	Line    int    // from 1
	Column  int    // in characters, from 1
	Pointer string // JSON pointer (RFC 6901) of the value that the place is in: "" is the whole text, and also a pointer of more than 512 bytes
	Msg     string // what was expected and what was found, as a clause: `expected ":" after the member's name, found '}'`
}

// Error is one sentence for a person.
func (e *SyntaxError) Error() string {
	in := ""
	if e.Pointer != "" {
		in = fmt.Sprintf(" (in %q)", e.Pointer)
	}
	return fmt.Sprintf("invalid JSON at line %d, column %d%s: %s", e.Line, e.Column, in, e.Msg)
}

// failure is what a scanner found wrong.
type failure uint8

const (
	none failure = iota
	wantUTF8
	wantValue
	wantObject
	wantArray
	wantString
	wantKey
	wantKeyOrBrace
	wantColon
	wantCommaOrBrace
	wantCommaOrBracket
	wantEnd
	wantQuote
	wantEscape
	wantHex
	wantNoControl
	wantDigit
	wantNoZero
	tooDeep
)

func (f failure) expected() string {
	switch f {
	case wantUTF8:
		return "valid UTF-8"
	case wantValue:
		return "a value (an object, an array, a string, a number, true, false or null)"
	case wantObject:
		return "an object"
	case wantArray:
		return "an array"
	case wantString:
		return "a string"
	case wantKey:
		return "a member's name in double quotes"
	case wantKeyOrBrace:
		return `a member's name in double quotes, or "}"`
	case wantColon:
		return `":" after the member's name`
	case wantCommaOrBrace:
		return `"," or "}" after the member`
	case wantCommaOrBracket:
		return `"," or "]" after the element`
	case wantEnd:
		return "nothing but white space after the value"
	case wantQuote:
		return "a closing double quote"
	case wantEscape:
		return `one of " \ / b f n r t u after the backslash`
	case wantHex:
		return `four hexadecimal digits after \u`
	case wantNoControl:
		return `control characters in strings to be escaped, as in \n or \u000a`
	case wantDigit:
		return "a digit"
	case wantNoZero:
		return "no digit after a leading zero"
	}
	return "valid JSON"
}

// err makes the error for what the scanner has found, or nil.
func (s *scanner) err() error {
	if s.failure == none {
		return nil
	}
	e := &SyntaxError{Offset: s.pos, Pointer: pointerAt(s.src[:s.pos])}
	e.Line, e.Column = lineAt(s.src[:s.pos])
	if s.failure == tooDeep {
		e.Msg = fmt.Sprintf("expected at most %d levels of nesting, found more", s.maxDepth)
	} else {
		e.Msg = "expected " + s.failure.expected() + ", found " + found(s.src[s.pos:])
	}
	return e
}

// found names what rest begins with.
func found(rest []byte) string {
	if len(rest) == 0 {
		return "the end of the text"
	}
	switch r, n := utf8.DecodeRune(rest); {
	case r == utf8.RuneError && n == 1:
		return fmt.Sprintf("the byte 0x%02x", rest[0])
	case unicode.IsPrint(r):
		return strconv.QuoteRune(r)
	default:
		return fmt.Sprintf("%U", r)
	}
}

// lineAt is the line and the column that come after before.
func lineAt(before []byte) (line, column int) {
	line = 1
	start := 0
	for i, c := range before {
		if c == '\n' {
			line++
			start = i + 1
		}
	}
	return line, utf8.RuneCount(before[start:]) + 1
}

// pointerAt is the JSON pointer of the value in which before, the beginning of a JSON text, ends. It reads the text a second time,
// so that the first time, which mostly finds nothing wrong, need not keep the path. What comes before the end must have been
// found right.
func pointerAt(before []byte) string {
	type level struct {
		key   []byte // of the current member, nil while there is none; in an object
		index int    // of the current element, in an array; -1 in an object
	}
	var path []level
	for i := 0; i < len(before); i++ {
		top := len(path) - 1
		switch c := before[i]; {
		case c == '{':
			path = append(path, level{index: -1})
		case c == '[':
			path = append(path, level{index: 0})
		case c == '"':
			start := i
			if i = stringEnd(before, i); i < len(before) && top >= 0 && path[top].index < 0 && path[top].key == nil {
				path[top].key = before[start : i+1]
			}
		case top < 0:
		case c == '}' || c == ']':
			path = path[:top]
		case c == ',' && path[top].index < 0:
			path[top].key = nil
		case c == ',':
			path[top].index++
		}
	}
	const longest = 512
	var pointer []byte
	for _, l := range path {
		switch {
		case l.index >= 0:
			pointer = strconv.AppendInt(append(pointer, '/'), int64(l.index), 10)
		case l.key != nil:
			pointer = appendPointerKey(append(pointer, '/'), decode(l.key))
		}
		if len(pointer) > longest {
			return ""
		}
	}
	return string(pointer)
}

// stringEnd is where the quote is that ends the string at i, or len(src).
func stringEnd(src []byte, i int) int {
	for i++; i < len(src) && src[i] != '"'; i++ {
		if src[i] == '\\' {
			i++
		}
	}
	return min(i, len(src))
}

func appendPointerKey(dst, key []byte) []byte {
	for _, c := range key {
		switch c {
		case '~':
			dst = append(dst, "~0"...)
		case '/':
			dst = append(dst, "~1"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
