package payload

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// step is one step of a path into a JSON value.
type step struct {
	name  string // of an object's member; for a number also that of a list's element
	index int    // name as the index of a list's element; -1 if it is none
	every bool   // *: each element of a list, each value of an object
	free  bool   // written in brackets: schemas are not asked whether it exists
}

// parsePath reads a plain name or path, such as subscriber_email, data.items.*.name or data.list[0]["odd key"]. The first step is
// the root. It is false for anything else, which is then an expression.
func parsePath(text string) (steps []step, ok bool) {
	name, rest := cutName(text)
	if _, isField := customField(text); isField && rest != "" {
		name, rest = cutFieldName(text)
	}
	switch name {
	case "", "true", "false", "null", "in":
		return nil, false
	}
	steps = append(steps, named(name))
	for rest != "" {
		var s step
		if s, rest, ok = cutStep(rest); !ok {
			return nil, false
		}
		steps = append(steps, s)
	}
	return steps, true
}

// cutStep reads .name, .*, .0, [0], ["name"] or ['name'] from the front of text.
func cutStep(text string) (s step, rest string, ok bool) {
	s.index = -1
	switch {
	case strings.HasPrefix(text, ".*"):
		s.every = true
		return s, text[2:], true
	case text[0] == '.':
		if s.name, rest = cutName(text[1:]); s.name == "" {
			digits := len(text) - 1 - len(strings.TrimLeft(text[1:], "0123456789"))
			s.name, rest = text[1:1+digits], text[1+digits:]
			s.index = listIndex(s.name)
			ok = s.index >= 0
			return s, rest, ok
		}
		return s, rest, true
	case text[0] == '[':
		inside, rest, closed := cutBracket(text[1:])
		if !closed {
			return s, "", false
		}
		if quote := inside[0]; quote == '"' || quote == '\'' {
			s.name, s.free = inside[1:len(inside)-1], true
			return s, rest, true
		}
		s.name, s.index = inside, listIndex(inside)
		return s, rest, s.index >= 0
	}
	return s, "", false
}

// cutBracket reads what stands before the closing bracket: a number, or a quoted name without escapes.
func cutBracket(text string) (inside, rest string, ok bool) {
	if text == "" {
		return "", "", false
	}
	if quote := text[0]; quote == '"' || quote == '\'' {
		end := strings.IndexByte(text[1:], quote) + 2
		if end < 2 || !strings.HasPrefix(text[end:], "]") || strings.Contains(text[:end], `\`) {
			return "", "", false
		}
		return text[:end], text[end+1:], true
	}
	inside, rest, ok = strings.Cut(text, "]")
	return inside, rest, ok && inside != ""
}

// listIndex is the number that text writes as a list's index, or -1.
func listIndex(text string) int {
	if text == "" || len(text) > 9 || text[0] == '0' && len(text) > 1 {
		return -1
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// cutName reads a name: letters, digits and _, not beginning with a digit.
func cutName(text string) (name, rest string) {
	for i, r := range text {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !isNamePart(r)) {
			return text[:i], text[i:]
		}
	}
	return text, ""
}

func isNamePart(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}

// cutFieldName reads the name of a contact's own field, which may hold dashes too, or be *.
func cutFieldName(text string) (name, rest string) {
	field := strings.Index(text, customFieldPrefix) + len(customFieldPrefix)
	if text[field:] == "*" {
		return text, ""
	}
	for i := field; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if r != '-' && !isNamePart(r) {
			return text[:i], text[i:]
		}
		i += n
	}
	return text, ""
}

// writePath writes a path as people would.
func writePath(steps []step) string {
	var b strings.Builder
	for i, s := range steps {
		switch {
		case s.every:
			b.WriteString(".*")
		case s.free:
			b.WriteString(`["` + s.name + `"]`)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.name)
		}
	}
	return b.String()
}

// follow finds the value in raw that steps lead to, nil if there is none. Steps with every make a list of all that there is, which
// is written to scratch; a value that is not in raw is a part of that.
func follow(raw []byte, steps []step, scratch *[]byte) []byte {
	for i, s := range steps {
		if raw == nil {
			return nil
		}
		if !s.every {
			raw = descend(raw, s)
			continue
		}
		if kind := KindOf(raw); kind != KindArray && kind != KindObject {
			return nil
		}
		start := len(*scratch)
		*scratch = gather(append(*scratch, '['), raw, steps[i:])
		*scratch = append(*scratch, ']')
		return (*scratch)[start:len(*scratch):len(*scratch)]
	}
	return raw
}

// gather appends what steps lead to, with commas between; what is not there is left out.
func gather(dst, raw []byte, steps []step) []byte {
	for i, s := range steps {
		if s.every {
			each(raw, func(value []byte) { dst = gather(dst, value, steps[i+1:]) })
			return dst
		}
		if raw = descend(raw, s); raw == nil {
			return dst
		}
	}
	return append(AppendComma(dst), raw...)
}

// each calls fn for the elements of a list, or the values of an object as JavaScript would list them.
func each(raw []byte, fn func(value []byte)) {
	switch KindOf(raw) {
	case KindObject:
		sorted, err := AppendJS(nil, raw)
		if err != nil {
			return
		}
		s := scanner{src: sorted, maxDepth: MaxBuiltDepth}
		s.open()
		for first := true; ; first = false {
			if _, more := s.member(first); !more {
				return
			}
			value, ok := s.raw()
			if !ok {
				return
			}
			fn(value)
		}
	case KindArray:
		s := scanner{src: raw, maxDepth: MaxBuiltDepth}
		s.peek()
		s.open()
		for first := true; s.element(first); first = false {
			value, ok := s.raw()
			if !ok {
				return
			}
			fn(value)
		}
	}
}

// descend finds a member of an object, of several the last, or an element of a list.
func descend(raw []byte, step step) (found []byte) {
	s := scanner{src: raw, maxDepth: MaxBuiltDepth}
	switch s.peek() {
	case '{':
		s.open()
		for first := true; ; first = false {
			key, more := s.member(first)
			if !more {
				return found
			}
			value, ok := s.raw()
			if !ok {
				return found
			}
			if s.isKey(key, step.name) {
				found = value
			}
		}
	case '[':
		s.open()
		for i := 0; step.index >= 0 && s.element(i == 0); i++ {
			value, ok := s.raw()
			if !ok {
				return nil
			}
			if i == step.index {
				return value
			}
		}
	}
	return nil
}

// isKey tells whether a key is a name.
func (s *scanner) isKey(key token, name string) bool {
	if text := s.src[key.start:key.end]; key.special {
		return string(decode(text)) == name
	}
	return string(s.src[key.start+1:key.end-1]) == name
}
