package payload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxPaths bounds how many paths Only takes.
const maxPaths = 500

// selection is a tree of names to keep. One without names below it keeps all.
type selection struct {
	below map[string]*selection
	every *selection // of each element or value
}

// newSelection reads paths, and checks that the template makes what they name.
func newSelection(t *Template, paths []string, types []Type) (*selection, error) {
	var faults []Fault
	fault := func(i int, format string, args ...any) {
		faults = append(faults, Fault{Pointer: "/" + strconv.Itoa(i), Message: fmt.Sprintf(format, args...)})
	}
	if len(paths) == 0 || len(paths) > maxPaths {
		return nil, &Error{[]Fault{{Message: fmt.Sprintf("there are 1 to %d fields", maxPaths)}}}
	}
	s := &selection{}
	for i, text := range paths {
		steps, ok := parsePath(text)
		if !ok {
			fault(i, "%.100q is not a path, such as data.contact.email", text)
			continue
		}
		if message := t.lacks(steps, types); message != "" {
			fault(i, "%s", message)
		}
		s.add(steps)
	}
	if faults != nil {
		return nil, &Error{faults}
	}
	return s, nil
}

func (s *selection) add(steps []step) {
	for i, step := range steps {
		fresh := &selection{}
		var next *selection
		if step.every {
			if s.every == nil {
				s.every = fresh
			}
			next = s.every
		} else {
			if s.below == nil {
				s.below = map[string]*selection{}
			}
			if s.below[step.name] == nil {
				s.below[step.name] = fresh
			}
			next = s.below[step.name]
		}
		if next != fresh && next.all() { // another path keeps all of it
			return
		}
		if i == len(steps)-1 {
			*next = selection{}
		}
		s = next
	}
}

// all tells that nothing is left out.
func (s *selection) all() bool { return s.below == nil && s.every == nil }

// lacks says why a template never makes what a path names; empty if it does, or may.
func (t *Template) lacks(steps []step, types []Type) string {
	n := &t.root
	for i, s := range steps {
		switch {
		case n.kind == objectNode && !n.spreads:
			var names []string
			var next *node
			for j := range n.members {
				name := string(decode(n.members[j].key[:len(n.members[j].key)-1]))
				if names = append(names, name); name == s.name {
					next = &n.members[j].value
				}
			}
			if next == nil {
				near := didYouMean(s.name, names)
				if near == "" {
					near = ", which has " + strings.Join(names, ", ")
				}
				return fmt.Sprintf("there is no %s in the payload%s", s.name, near)
			}
			n = next
		case n.kind == valueNode && n.value.from == fromData && n.value.path != nil && n.value.fallback == nil:
			c := compiler{options: Options{Types: types}}
			return c.unknownPath(slices.Concat(n.value.path, steps[i:]))
		default:
			return ""
		}
	}
	return ""
}

// combine renders a template that Only or Add made.
func (t *Template) combine(dst []byte, in *Input) ([]byte, []Note, error) {
	body, notes, err := t.base.Render(nil, in)
	if err != nil {
		return dst, nil, err
	}
	if t.only != nil {
		var kept bool
		if body, kept = t.only.appendKept(nil, body); !kept {
			body = []byte("{}")
		}
	}
	if t.more != nil {
		more, also, err := t.more.Render(nil, in)
		if err != nil {
			return dst, nil, err
		}
		body, notes = appendMerged(nil, body, more), append(notes, also...)
	}
	if limit := maxRendered(len(in.Event.Data)); len(body) > limit {
		return dst, nil, &TooLargeError{limit}
	}
	out, err := AppendJS(dst, body) // the order may have changed, where keys are array indexes
	return out, notes, err
}

// appendKept appends what the selection keeps of a value that is written as JavaScript would. It keeps nothing, and says so, of one
// that has no members although members are asked for.
func (s *selection) appendKept(dst, raw []byte) (out []byte, kept bool) {
	if s.all() {
		return append(dst, raw...), true
	}
	in := scanner{src: raw, maxDepth: MaxBuiltDepth}
	switch in.peek() {
	case '{':
		in.open()
		dst = append(dst, '{')
		for first := true; ; first = false {
			key, more := in.member(first)
			if !more {
				return append(dst, '}'), true
			}
			value, _ := in.raw() // cannot fail: it is valid
			keep := s.below[string(decode(raw[key.start:key.end]))]
			if keep == nil {
				keep = s.every
			}
			if keep == nil {
				continue
			}
			mark := len(dst)
			dst = append(append(AppendComma(dst), raw[key.start:key.end]...), ':')
			if dst, kept = keep.appendKept(dst, value); !kept {
				dst = dst[:mark]
			}
		}
	case '[':
		in.open()
		dst = append(dst, '[')
		for i := 0; in.element(i == 0); i++ {
			value, _ := in.raw() // cannot fail: it is valid
			keep := s.element(i)
			if keep == nil {
				continue
			}
			mark := len(dst)
			if dst, kept = keep.appendKept(AppendComma(dst), value); !kept {
				dst = dst[:mark]
			}
		}
		return append(dst, ']'), true
	}
	return dst, false
}

// element is what is kept of a list's element: what is said of it or of each, else what is said of the list; nil for nothing.
func (s *selection) element(i int) *selection {
	if keep := s.below[strconv.Itoa(i)]; keep != nil {
		return keep
	}
	if s.every != nil {
		return s.every
	}
	for name := range s.below {
		if listIndex(name) < 0 {
			return s
		}
	}
	return nil
}

// appendMerged appends base with the members of more; both are written as JavaScript would.
func appendMerged(dst, base, more []byte) []byte {
	if KindOf(base) != KindObject || KindOf(more) != KindObject {
		return append(dst, more...)
	}
	type change struct{ key, value []byte }
	var changes []change
	at := map[string]int{}
	in := scanner{src: more, maxDepth: MaxBuiltDepth}
	in.peek()
	in.open()
	for first := true; ; first = false {
		key, again := in.member(first)
		if !again {
			break
		}
		value, _ := in.raw() // cannot fail: it is valid
		text := in.src[key.start:key.end]
		at[string(text)] = len(changes)
		changes = append(changes, change{text, value})
	}
	in = scanner{src: base, maxDepth: MaxBuiltDepth}
	in.peek()
	in.open()
	dst = append(dst, '{')
	for first := true; ; first = false {
		key, again := in.member(first)
		if !again {
			break
		}
		value, _ := in.raw() // cannot fail: it is valid
		text := in.src[key.start:key.end]
		dst = append(append(AppendComma(dst), text...), ':')
		if i, changed := at[string(text)]; changed {
			dst = appendMerged(dst, value, changes[i].value)
			changes[i].key = nil
		} else {
			dst = append(dst, value...)
		}
	}
	for _, c := range changes {
		if c.key != nil {
			dst = append(append(append(AppendComma(dst), c.key...), ':'), c.value...)
		}
	}
	return append(dst, '}')
}
