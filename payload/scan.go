package payload

import "unicode/utf8"

// MaxDepth is how many objects and arrays may be open at once in a text that [Valid], [Members], [Elements] and [String] accept.
const MaxDepth = 256

// MaxBuiltDepth is how many objects and arrays may be open at once in a text that [AppendJS] accepts. It is twice
// [MaxDepth], so that accepted data inside an accepted template never goes beyond it.
const MaxBuiltDepth = 2 * MaxDepth

// scanner reads one JSON text from left to right, strictly by RFC 8259. Its methods return false when the text is wrong; pos
// is then where, and failure what. The text must be valid UTF-8: bytes from 0x80 up are not looked at again.
type scanner struct {
	src      []byte
	pos      int
	depth    int // objects and arrays that are open
	maxDepth int
	failure  failure // none while all is well
}

// token is where a string or a number is in the text; a string's quotes are part of it.
type token struct {
	start, end int
	special    bool // a string: has escapes. A number: is not a plain run of digits.
}

// fail records what is wrong at pos.
func (s *scanner) fail(pos int, f failure) bool {
	s.pos, s.failure = pos, f
	return false
}

// peek goes to the next byte that is not white space and returns it, or 0 at the end of the text.
func (s *scanner) peek() byte {
	if s.pos < len(s.src) && s.src[s.pos] > ' ' {
		return s.src[s.pos]
	}
	return s.skipSpace()
}

func (s *scanner) skipSpace() byte {
	for ; s.pos < len(s.src); s.pos++ {
		switch c := s.src[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// open steps over the bracket at pos into its object or array.
func (s *scanner) open() bool {
	if s.depth == s.maxDepth {
		return s.fail(s.pos, tooDeep)
	}
	s.depth++
	s.pos++
	return true
}

// member steps over the comma, key and colon that come before the next value of the open object, and returns the key. more
// is false after the closing brace, and when the text is wrong.
func (s *scanner) member(first bool) (key token, more bool) {
	wrong := wantKeyOrBrace
	switch c := s.peek(); {
	case c == '}':
		s.depth--
		s.pos++
		return key, false
	case first:
	case c == ',':
		s.pos++
		wrong = wantKey
	default:
		return key, s.fail(s.pos, wantCommaOrBrace)
	}
	if s.peek() != '"' {
		return key, s.fail(s.pos, wrong)
	}
	key, ok := s.string()
	if !ok {
		return key, false
	}
	if s.peek() != ':' {
		return key, s.fail(s.pos, wantColon)
	}
	s.pos++
	return key, true
}

// element steps over the comma, if any, to the next value of the open array. It is false after the closing bracket, and
// when the text is wrong.
func (s *scanner) element(first bool) bool {
	switch c := s.peek(); {
	case c == ']':
		s.depth--
		s.pos++
		return false
	case first:
		return true
	case c == ',':
		s.pos++
		return true
	}
	return s.fail(s.pos, wantCommaOrBracket)
}

// text makes sure that the text is UTF-8. If it is not, what is wrong in front of the first bad byte goes first, so that
// everything before pos is right for all failures.
func (s *scanner) text() bool {
	if utf8.Valid(s.src) {
		return true
	}
	bad := validUTF8(s.src)
	front := scanner{src: s.src[:bad], maxDepth: s.maxDepth}
	if front.skip() && front.end() || front.pos == bad {
		return s.fail(bad, wantUTF8)
	}
	return s.fail(front.pos, front.failure)
}

// validUTF8 is how many bytes come before the first that is not UTF-8.
func validUTF8(b []byte) int {
	i := 0
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		i += n
	}
	return i
}

// end makes sure that nothing follows the value.
func (s *scanner) end() bool {
	if s.failure != none {
		return false
	}
	if s.peek(); s.pos < len(s.src) {
		return s.fail(s.pos, wantEnd)
	}
	return true
}

// skip reads one value of any kind.
func (s *scanner) skip() bool {
	switch c := s.peek(); c {
	case '"':
		_, ok := s.string()
		return ok
	case '{':
		if !s.open() {
			return false
		}
		for first := true; ; first = false {
			if _, more := s.member(first); !more {
				return s.failure == none
			}
			if !s.skip() {
				return false
			}
		}
	case '[':
		if !s.open() {
			return false
		}
		for first := true; s.element(first); first = false {
			if !s.skip() {
				return false
			}
		}
		return s.failure == none
	default:
		if c == '-' || isDigit(c) {
			_, ok := s.number()
			return ok
		}
		_, ok := s.literal()
		return ok
	}
}

// literal reads true, false or null.
func (s *scanner) literal() (token, bool) {
	rest := s.src[s.pos:]
	for _, word := range [...]string{"true", "false", "null"} {
		if len(rest) >= len(word) && string(rest[:len(word)]) == word {
			t := token{start: s.pos, end: s.pos + len(word)}
			s.pos = t.end
			return t, true
		}
	}
	return token{}, s.fail(s.pos, wantValue)
}

// string reads the string at pos.
func (s *scanner) string() (token, bool) {
	t := token{start: s.pos}
	src, i := s.src, s.pos+1
	for {
		i = plainEnd(src, i)
		switch {
		case i == len(src):
			return t, s.fail(i, wantQuote)
		case src[i] == '"':
			t.end = i + 1
			s.pos = t.end
			return t, true
		case src[i] < ' ':
			return t, s.fail(i, wantNoControl)
		}
		t.special = true
		if i++; i == len(src) {
			return t, s.fail(i, wantEscape)
		}
		switch src[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i++
		case 'u':
			i++
			for n := 0; n < 4; n++ {
				if i == len(src) || !isHex(src[i]) {
					return t, s.fail(i, wantHex)
				}
				i++
			}
		default:
			return t, s.fail(i, wantEscape)
		}
	}
}

// number reads the number at pos, which begins with a digit or a minus.
func (s *scanner) number() (token, bool) {
	t := token{start: s.pos}
	src, i := s.src, s.pos
	if src[i] == '-' {
		t.special = true
		i++
	}
	first := i
	if i = digitsEnd(src, i); i == first {
		return t, s.fail(i, wantDigit)
	}
	if src[first] == '0' && i > first+1 {
		return t, s.fail(first+1, wantNoZero)
	}
	if i < len(src) && src[i] == '.' {
		t.special = true
		i++
		first = i
		if i = digitsEnd(src, i); i == first {
			return t, s.fail(i, wantDigit)
		}
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		t.special = true
		if i++; i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		first = i
		if i = digitsEnd(src, i); i == first {
			return t, s.fail(i, wantDigit)
		}
	}
	t.end, s.pos = i, i
	return t, true
}

func digitsEnd(src []byte, i int) int {
	for i < len(src) && isDigit(src[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isHex(c byte) bool { return isDigit(c) || (c|0x20)-'a' <= 5 }
