package payload

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"cel.dev/cel-go/common/types/ref"
)

// renderer renders templates, one after the other.
type renderer struct {
	t         *Template
	in        *Input
	slots     [][]byte // what was collected of the event's data
	scratch   []byte   // values that are not parts of the input
	copy      []byte   // of an object that is put into order
	dataValue ref.Val  // the data, for expressions
	notes     []Note
	start     int   // where the body begins
	limit     int   // how large it may become
	err       error // ends all
}

func (r *renderer) run(t *Template, dst []byte, in *Input) ([]byte, []Note, error) {
	r.t, r.in, r.start, r.limit = t, in, len(dst), maxRendered(len(in.Event.Data))
	if t.data != nil {
		if cap(r.slots) < t.data.end {
			r.slots = make([][]byte, t.data.end)
		}
		r.slots = r.slots[:t.data.end]
		s := scanner{src: in.Event.Data, maxDepth: MaxDepth}
		if !t.data.collect(&s, r.slots) || !s.end() {
			return dst, nil, s.err()
		}
	}
	out, present := r.node(dst, &t.root)
	if r.err != nil {
		return dst, nil, r.err
	}
	if !present {
		out = append(out, "null"...)
	}
	if r.tooLarge(out) {
		return dst, nil, r.err
	}
	return out, r.notes, nil
}

// maxIdle bounds the buffers that an idle renderer keeps.
const maxIdle = 64 << 10

// reset forgets the event.
func (r *renderer) reset() {
	clear(r.slots)
	if cap(r.scratch) > maxIdle {
		r.scratch = nil
	}
	if cap(r.copy) > maxIdle {
		r.copy = nil
	}
	*r = renderer{slots: r.slots[:0], scratch: r.scratch[:0], copy: r.copy[:0]}
}

// tooLarge ends the rendering when it has made too much.
func (r *renderer) tooLarge(dst []byte) bool {
	if r.err == nil && len(dst)-r.start > r.limit {
		r.err = &TooLargeError{r.limit}
	}
	return r.err != nil
}

func (r *renderer) note(p *placeholder, message string) {
	const most = 20
	if len(r.notes) < most {
		r.notes = append(r.notes, Note{p.pointer, describe(p.source) + " failed: " + message})
	}
}

// node appends a node. present is false when it goes with what it belongs to; nothing is then appended.
func (r *renderer) node(dst []byte, n *node) (out []byte, present bool) {
	switch n.kind {
	case objectNode:
		return r.object(dst, n), true
	case arrayNode:
		dst = append(dst, '[')
		for i := range n.elements {
			mark := len(dst)
			var present bool
			if dst, present = r.node(AppendComma(dst), &n.elements[i]); !present {
				dst = dst[:mark]
			}
		}
		return append(dst, ']'), true
	case valueNode:
		return r.value(dst, n.value)
	case textNode:
		return r.text(dst, n.text)
	}
	return append(dst, n.literal...), true
}

func (r *renderer) object(dst []byte, n *node) []byte {
	start := len(dst)
	dst = append(dst, '{')
	for i := range n.members {
		m := &n.members[i]
		for _, p := range m.spread {
			dst = r.spread(dst, p)
		}
		if m.spread != nil || r.err != nil {
			continue
		}
		mark := len(dst)
		var present bool
		if dst, present = r.node(append(AppendComma(dst), m.key...), &m.value); !present {
			dst = dst[:mark]
		}
	}
	dst = append(dst, '}')
	if n.spreads && !r.tooLarge(dst) {
		r.copy = append(r.copy[:0], dst[start:]...)
		dst, r.err = AppendJS(dst[:start], r.copy)
	}
	return dst
}

// spread appends the members of the object that a placeholder gives.
func (r *renderer) spread(dst []byte, p *placeholder) []byte {
	raw := r.resolve(p)
	switch KindOf(raw) {
	case KindObject:
		inside := bytes.TrimSpace(raw)
		if inside = bytes.TrimSpace(inside[1 : len(inside)-1]); len(inside) > 0 {
			dst = append(AppendComma(dst), inside...)
		}
		r.tooLarge(dst)
	case KindNone, KindNull:
	default:
		r.note(p, "it gives "+KindOf(raw).String()+", and only an object has members to put here")
	}
	return dst
}

// value appends a placeholder that is alone in its string, as JSON.
func (r *renderer) value(dst []byte, p *placeholder) (out []byte, present bool) {
	raw := r.resolve(p)
	if r.err != nil {
		return dst, false
	}
	if raw == nil {
		if p.optional {
			return dst, false
		}
		return append(dst, "null"...), true
	}
	if p.asText && KindOf(raw) != KindString {
		out, err := appendText(append(dst, '"'), raw)
		if err != nil {
			r.err = err
		}
		return append(out, '"'), true
	}
	out, err := AppendJS(dst, raw)
	if err != nil { // deeper than what may be built
		r.note(p, err.Error())
		return append(dst, "null"...), true
	}
	r.tooLarge(out)
	return out, true
}

// text appends a string of several pieces.
func (r *renderer) text(dst []byte, pieces []piece) (out []byte, present bool) {
	start := len(dst)
	dst = append(dst, '"')
	for i := range pieces {
		p := pieces[i].value
		seam := len(dst)
		if p == nil {
			dst = append(dst, pieces[i].literal...)
		} else {
			raw := r.resolve(p)
			if raw == nil && p.optional {
				return dst[:start], false
			}
			var err error
			if dst, err = appendText(dst, raw); err != nil {
				r.note(p, err.Error())
				dst = dst[:seam]
			}
		}
		if dst = joinHalves(dst, start+1, seam); r.tooLarge(dst) {
			break
		}
	}
	return append(dst, '"'), true
}

// appendText appends a JSON value as text, escaped for the inside of a string: a string's characters, a number as it is written, objects
// and lists as compact JSON, and nothing for null.
func appendText(dst, raw []byte) ([]byte, error) {
	switch KindOf(raw) {
	case KindString:
		raw = bytes.TrimSpace(raw)
		return appendRewritten(dst, raw[1:len(raw)-1]), nil
	case KindObject, KindArray:
		js, err := AppendJS(nil, raw)
		if err != nil {
			return dst, err
		}
		start := len(dst)
		dst = AppendString(dst, string(js))
		return append(dst[:start], dst[start+1:len(dst)-1]...), nil
	case KindNumber, KindBool:
		return append(dst, bytes.TrimSpace(raw)...), nil
	}
	return dst, nil
}

// appendPlain is appendText without the escapes.
func appendPlain(dst, raw []byte) ([]byte, error) {
	switch KindOf(raw) {
	case KindString:
		return append(dst, decode(bytes.TrimSpace(raw))...), nil
	case KindObject, KindArray:
		return AppendJS(dst, raw)
	case KindNumber, KindBool:
		return append(dst, bytes.TrimSpace(raw)...), nil
	}
	return dst, nil
}

// joinHalves makes one character of two halves of a surrogate pair that have come to stand beside each other at seam: JavaScript would.
// start is where the string's text begins.
func joinHalves(dst []byte, start, seam int) []byte {
	const half = len(`\ud83d`)
	if seam-start < half || len(dst)-seam < half || dst[seam] != '\\' || dst[seam+1] != 'u' || dst[seam-half] != '\\' || dst[seam-half+1] != 'u' {
		return dst
	}
	slashes := 0 // before the first half: if their number is odd, it is no escape
	for i := seam - half - 1; i >= start && dst[i] == '\\'; i-- {
		slashes++
	}
	pair, n := unescape(dst[seam-half:])
	if slashes%2 == 1 || n == half {
		return dst
	}
	size := utf8.EncodeRune(dst[seam-half:], pair) // shorter than the two halves
	return append(dst[:seam-half+size], dst[seam+half:]...)
}

// resolve finds the value of a placeholder, as JSON; nil if there is none, not even a default. It is a part of the input, or of scratch,
// which the next call may write over.
func (r *renderer) resolve(p *placeholder) []byte {
	r.scratch = r.scratch[:0]
	raw := r.find(p)
	if kind := KindOf(raw); kind == KindNull || kind == KindNone {
		return p.fallback
	}
	return raw
}

func (r *renderer) find(p *placeholder) []byte {
	switch p.from {
	case fromData:
		raw := r.slots[p.field.slot]
		if p.rest == nil {
			return raw
		}
		return follow(raw, p.rest, &r.scratch)
	case fromExtra:
		return follow(r.in.Variables[p.extra], p.rest, &r.scratch)
	case fromExpression:
		var err error
		r.scratch, err = p.run.eval(r.scratch, &activation{r})
		if err == nil {
			return r.scratch
		}
		if !errors.Is(err, errMissing) {
			r.note(p, err.Error())
		}
		return nil
	case fromEvent:
		r.scratch = r.appendEvent(r.scratch)
		return r.scratch
	}
	raw := r.appendScalar(r.scratch, p.from)
	if raw != nil {
		r.scratch = raw
	}
	return raw
}

// appendScalar appends a text of the event; nil if the event has none.
func (r *renderer) appendScalar(dst []byte, from origin) []byte {
	e, text := r.in.Event, ""
	switch from {
	case fromEventID:
		text = e.PublicID()
	case fromEventType:
		text = e.Type
	case fromActor:
		text = e.Actor
	case fromOrderingKey:
		text = e.OrderingKey
	case fromWorkspaceID:
		text = e.WorkspaceID.String()
	case fromTime:
		return AppendTime(dst, e.Time)
	}
	if text == "" {
		return nil
	}
	return AppendString(dst, text)
}

// appendEvent appends the whole event.
func (r *renderer) appendEvent(dst []byte) []byte {
	e := r.in.Event
	dst = AppendString(AppendKey(append(dst, '{'), "id"), e.PublicID())
	dst = AppendString(AppendKey(dst, "type"), e.Type)
	dst = AppendTime(AppendKey(dst, "time"), e.Time)
	for _, m := range []struct{ key, value string }{{"actor", e.Actor}, {"ordering_key", e.OrderingKey}} {
		if dst = AppendKey(dst, m.key); m.value == "" {
			dst = append(dst, "null"...)
		} else {
			dst = AppendString(dst, m.value)
		}
	}
	return append(append(AppendKey(dst, "data"), e.Data...), '}')
}
