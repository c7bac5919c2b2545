package payload

// Valid returns nil if src is one JSON text by RFC 8259, in UTF-8, that nests at most [MaxDepth] levels, and otherwise a
// [*SyntaxError].
func Valid(src []byte) error {
	s := scanner{src: src, maxDepth: MaxDepth}
	if s.text() && s.skip() {
		s.end()
	}
	return s.err()
}

// Members calls fn for each member of the object that src is, in the order of the text; a key that is there twice comes twice.
// key is decoded (a lone surrogate becomes U+FFFD), and raw is the value's text without white space around it. Both may be
// parts of src: they are valid as long as src is, and must not be changed.
//
// src must be [Valid] as a whole, or the error is a [*SyntaxError]; but fn has then been called for the members before the
// place that is wrong. An error of fn ends the reading and is returned as it is.
func Members(src []byte, fn func(key, raw []byte) error) error {
	s := scanner{src: src, maxDepth: MaxDepth}
	if !s.text() || !s.begin('{', wantObject) {
		return s.err()
	}
	for first := true; ; first = false {
		key, more := s.member(first)
		if !more {
			break
		}
		raw, ok := s.raw()
		if !ok {
			break
		}
		if err := fn(decode(src[key.start:key.end]), raw); err != nil {
			return err
		}
	}
	s.end()
	return s.err()
}

// Elements calls fn for each element of the array that src is, and is otherwise like [Members].
func Elements(src []byte, fn func(raw []byte) error) error {
	s := scanner{src: src, maxDepth: MaxDepth}
	if !s.text() || !s.begin('[', wantArray) {
		return s.err()
	}
	for first := true; s.element(first); first = false {
		raw, ok := s.raw()
		if !ok {
			break
		}
		if err := fn(raw); err != nil {
			return err
		}
	}
	s.end()
	return s.err()
}

// String returns the value of the JSON string that src is. A lone surrogate becomes U+FFFD. The error is a [*SyntaxError].
func String(src []byte) (string, error) {
	s := scanner{src: src, maxDepth: MaxDepth}
	if !s.text() {
		return "", s.err()
	}
	if s.peek() != '"' {
		s.fail(s.pos, wantString)
		return "", s.err()
	}
	if t, ok := s.string(); ok && s.end() {
		return string(decode(src[t.start:t.end])), nil
	}
	return "", s.err()
}

// begin steps into the outermost object or array.
func (s *scanner) begin(bracket byte, otherwise failure) bool {
	if s.peek() != bracket {
		return s.fail(s.pos, otherwise)
	}
	return s.open()
}

// raw reads one value and returns its text.
func (s *scanner) raw() ([]byte, bool) {
	s.peek()
	start := s.pos
	ok := s.skip()
	return s.src[start:s.pos:s.pos], ok
}

// Kind is what kind of value a JSON text is.
type Kind uint8

// The kinds of value. KindNone is that of a text that does not begin like any value.
const (
	KindNone Kind = iota
	KindObject
	KindArray
	KindString
	KindNumber
	KindBool
	KindNull
)

// KindOf looks at how raw begins, after white space; of a text that is not [Valid] it can say no more than that.
func KindOf(raw []byte) Kind {
	s := scanner{src: raw}
	switch c := s.peek(); {
	case c == '{':
		return KindObject
	case c == '[':
		return KindArray
	case c == '"':
		return KindString
	case c == 't' || c == 'f':
		return KindBool
	case c == 'n':
		return KindNull
	case c == '-' || isDigit(c):
		return KindNumber
	}
	return KindNone
}

// String names the kind as error messages do: "an object", "a number".
func (k Kind) String() string {
	switch k {
	case KindObject:
		return "an object"
	case KindArray:
		return "an array"
	case KindString:
		return "a string"
	case KindNumber:
		return "a number"
	case KindBool:
		return "true or false"
	case KindNull:
		return "null"
	}
	return "no value"
}
