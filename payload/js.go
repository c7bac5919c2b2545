package payload

import "slices"

// AppendJS appends what JSON.stringify(JSON.parse(src)) is in JavaScript, as UTF-8. src may be any JSON text that nests at most
// [MaxBuiltDepth] levels; it must not overlap the free space of dst. The error is a [*SyntaxError], and dst is then returned
// as it was.
//
// That is: no white space; strings with only the escapes that JSON.stringify uses; numbers as Number::toString writes the
// nearest float64, or null where that is infinite; in objects, keys that are array indexes (0 to 2^32-2) first and ascending,
// then the others in the order of their first mention, each once, with the value mentioned last.
//
// It allocates nothing if dst has room for as many bytes as src has, and src has only what is common: objects of at most 32
// members that need no reordering, 64 members in all objects that are open at once, finite numbers of at most 32 bytes.
func AppendJS(dst, src []byte) ([]byte, error) {
	var room [64]member
	w := writer{scanner: scanner{src: src, maxDepth: MaxBuiltDepth}}
	out, ok := dst, w.text()
	if ok {
		out, ok = w.value(slices.Grow(dst, len(src)), room[:0])
	}
	if !ok || !w.end() {
		return dst, w.err()
	}
	if len(w.odd) > 0 {
		out = w.rearrange(out, len(dst))
	}
	return out, nil
}

// writer writes values in the order in which they come, and notes the objects whose members must be rearranged at the end.
//
// free is room for the members of objects that are still to be opened. It and dst are passed along and not kept here, so that
// both can be on the stack.
type writer struct {
	scanner
	odd []oddObject
}

// value reads one value and appends it.
func (w *writer) value(dst []byte, free []member) ([]byte, bool) {
	switch c := w.peek(); {
	case c == '"':
		t, ok := w.string()
		if !ok {
			return dst, false
		}
		return w.appendText(dst, t), true
	case c == '{':
		return w.object(dst, free)
	case c == '[':
		return w.array(dst, free)
	case c == '-' || isDigit(c):
		t, ok := w.number()
		if !ok {
			return dst, false
		}
		text := w.src[t.start:t.end]
		if t.special || len(text) > exactDigits {
			return appendNumber(dst, text), true
		}
		return append(dst, text...), true
	default:
		t, ok := w.literal()
		return append(dst, w.src[t.start:t.end]...), ok
	}
}

func (w *writer) array(dst []byte, free []member) ([]byte, bool) {
	if !w.open() {
		return dst, false
	}
	dst = append(dst, '[')
	for first := true; w.element(first); first = false {
		if !first {
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = w.value(dst, free); !ok {
			return dst, false
		}
	}
	return append(dst, ']'), w.failure == none
}

func (w *writer) object(dst []byte, free []member) ([]byte, bool) {
	if !w.open() {
		return dst, false
	}
	start, members := len(dst), free[:0]
	var order keyOrder
	dst = append(dst, '{')
	for first := true; ; first = false {
		key, more := w.member(first)
		if !more {
			break
		}
		if !first {
			dst = append(dst, ',')
		}
		m := member{start: len(dst)}
		dst = w.appendText(dst, key)
		m.keyEnd = len(dst)
		m.hash = fingerprint(m.key(dst))
		order.add(dst, members, m)
		members = append(members, m)
		dst = append(dst, ':')
		var ok bool
		if dst, ok = w.value(dst, members[len(members):]); !ok {
			return dst, false
		}
	}
	dst = append(dst, '}')
	if order.odd || len(members) > fewMembers && mayRepeat(members) {
		w.odd = append(w.odd, newOddObject(dst, start, members))
	}
	return dst, w.failure == none
}

// appendText appends a string as JSON.stringify would write it.
func (w *writer) appendText(dst []byte, t token) []byte {
	if text := w.src[t.start:t.end]; t.special {
		return appendRewritten(dst, text)
	}
	return append(dst, w.src[t.start:t.end]...)
}
