package payload

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// placeholder is what stands between braces.
type placeholder struct {
	pointer string // JSON pointer of the string that it stands in
	source  string // as it is written, without braces

	from     origin
	path     []step      // fromData, from the data on
	field    *field      // fromData: as much of path as are names
	rest     []step      // what follows the field, or the extra variable
	extra    int         // fromExtra: index into Options.Variables
	run      *expression // fromExpression
	asText   bool        // string(…): the value as text
	optional bool        // what the string belongs to goes if there is no value
	fallback []byte      // JSON that stands for a value that is missing; nil for null
}

// origin is where a placeholder's value comes from.
type origin uint8

const (
	fromData origin = iota
	fromExtra
	fromExpression
	fromEvent
	fromEventID
	fromEventType
	fromTime
	fromActor
	fromOrderingKey
	fromWorkspaceID
)

// character is one character of a string, and where it begins in the string's text as JavaScript would write it.
type character struct {
	r     rune // U+FFFD for half of a surrogate pair
	start int
}

// characters takes a string's text, without quotes, apart. The last one is an end mark.
func characters(text []byte) []character {
	var all []character
	for i := 0; i < len(text); {
		var r rune
		var n int
		if text[i] == '\\' {
			r, n = unescape(text[i:])
		} else {
			r, n = utf8.DecodeRune(text[i:])
		}
		if isSurrogate(r) {
			r = utf8.RuneError
		}
		all = append(all, character{r, i})
		i += n
	}
	return append(all, character{0, len(text)})
}

func textOf(all []character) string {
	var b strings.Builder
	for _, c := range all {
		b.WriteRune(c.r)
	}
	return b.String()
}

// pieces takes a string, given with its quotes, apart into text and placeholders.
func (c *compiler) pieces(raw []byte, pointer string) []piece {
	text := appendRewritten(nil, raw)
	text = text[1 : len(text)-1]
	all := characters(text)
	last := len(all) - 1
	var pieces []piece
	add := func(literal []byte) {
		if n := len(pieces); n > 0 && pieces[n-1].value == nil {
			pieces[n-1].literal = append(slices.Clip(pieces[n-1].literal), literal...)
		} else if len(literal) > 0 {
			pieces = append(pieces, piece{literal: literal})
		}
	}
	from := 0 // what is not in a piece yet
	for i := 0; i < last; {
		switch r := all[i].r; {
		case (r == '{' || r == '}') && all[i+1].r == r && i+1 < last: // {{ or }}
			add(text[all[from].start:all[i+1].start])
			i += 2
			from = i
		case r == '{':
			add(text[all[from].start:all[i].start])
			end := c.placeholder(&pieces, all[:last], i, pointer)
			if end < 0 {
				return nil
			}
			i, from = end, end
		default:
			i++
		}
	}
	add(text[all[from].start:])
	return pieces
}

// placeholder reads the one that begins at all[at] and returns where it ends; -1 if it does not.
func (c *compiler) placeholder(pieces *[]piece, all []character, at int, pointer string) int {
	split, end := bounds(all, at+1)
	if end < 0 {
		c.fault(pointer, at+1, "this brace opens a placeholder that has no end; a brace that is meant as such is written {{")
		return -1
	}
	inside := all[at+1 : end]
	p := &placeholder{pointer: pointer, source: textOf(inside)}
	if split >= 0 {
		inside = all[at+1 : split]
		p.fallback = fallback(textOf(all[split+1 : end]))
	}
	begin := at + 1
	for len(inside) > 0 && isSpace(inside[0].r) {
		inside, begin = inside[1:], begin+1
	}
	name := strings.TrimRight(textOf(inside), " \t\n\r")
	if name, p.optional = strings.CutSuffix(name, "?"); p.optional {
		name = strings.TrimRight(name, " \t\n\r")
		if p.fallback != nil {
			c.fault(pointer, at+1, "{%s} cannot both be left out and have a default when it is missing", p.source)
		}
	}
	if name == "" {
		c.fault(pointer, at+1, "there is nothing between these braces; a brace that is meant as such is written {{")
	} else {
		c.resolve(p, name, begin+1)
	}
	*pieces = append(*pieces, piece{value: p})
	return end + 1
}

func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

// bounds finds the end of the placeholder whose inside begins at i, and the bar before its default, -1 if there is none. Braces and
// bars in an expression's texts do not count, nor do braces in pairs.
func bounds(all []character, i int) (split, end int) {
	split = -1
	depth := 0
	for ; i < len(all); i++ {
		switch r := all[i].r; {
		case r == '{':
			depth++
		case r == '}' && depth == 0:
			return split, i
		case r == '}':
			depth--
		case split >= 0:
			if r == '"' && blank(all[split+1:i]) { // a default in quotes
				i = quoteEnd(all, i)
			}
		case r == '"' || r == '\'':
			i = quoteEnd(all, i)
		case r == '|' && i+1 < len(all) && all[i+1].r == '|':
			i++
		case r == '|' && depth == 0:
			split = i
		}
	}
	return split, -1
}

func blank(all []character) bool {
	for _, c := range all {
		if !isSpace(c.r) {
			return false
		}
	}
	return true
}

// quoteEnd is where the text ends that begins with the quote at i: one of CEL's, or of JSON's.
func quoteEnd(all []character, i int) int {
	quote := all[i].r
	raw := i > 0 && (all[i-1].r == 'r' || all[i-1].r == 'R') && (i < 2 || !isNamePart(all[i-2].r))
	triple := i+2 < len(all) && all[i+1].r == quote && all[i+2].r == quote
	if triple {
		i += 2
	}
	for i++; i < len(all); i++ {
		switch r := all[i].r; {
		case r == '\\' && !raw:
			i++
		case r == quote && !triple:
			return i
		case r == quote && i+2 < len(all) && all[i+1].r == quote && all[i+2].r == quote:
			return i + 2
		}
	}
	return i
}

// fallback is a default as JSON: what is written, if that is JSON, else a text.
func fallback(text string) []byte {
	text = strings.Trim(text, " \t\n\r")
	if js, err := AppendJS(nil, []byte(text)); err == nil {
		return js
	}
	return AppendString(nil, text)
}

// resolve finds out what a placeholder names. position is where the name stands in the string.
func (c *compiler) resolve(p *placeholder, name string, position int) {
	inner, isCall := strings.CutPrefix(name, "string(")
	if inner, closed := strings.CutSuffix(inner, ")"); isCall && closed {
		inner = strings.TrimSpace(inner)
		if steps, ok := parsePath(inner); ok {
			p.asText = true
			c.name(p, steps, inner, position+strings.Index(name, inner))
			return
		}
	}
	if steps, ok := parsePath(name); ok {
		c.name(p, steps, name, position)
		return
	}
	c.expression(p, name, position)
}

// name resolves a name or a path.
func (c *compiler) name(p *placeholder, steps []step, name string, position int) {
	root := steps[0].name
	if i := slices.Index(c.options.Variables, root); i >= 0 {
		p.from, p.extra, p.rest = fromExtra, i, steps[1:]
		return
	}
	base := variablePath(root)
	if base == nil {
		c.fault(p.pointer, position, "%s is not known here%s", root, didYouMean(root, variableNames(c.options.Variables)))
		return
	}
	steps = append(base, steps[1:]...)
	if steps[0].name == "event" {
		if steps = c.eventPath(p, steps, position); steps == nil {
			return
		}
	}
	switch steps[0].name {
	case "workspace_id":
		p.from = fromWorkspaceID
		c.scalar(p, steps, position)
	case "data":
		// A variable that no type has is null; but what is looked for in one must be there.
		if message := c.unknownPath(steps[1:]); message != "" && (len(base) == 1 || c.unknownPath(base[1:]) == "") {
			c.fault(p.pointer, position, "%s: %s", name, message)
			return
		}
		p.from, p.path = fromData, steps[1:]
		p.field, p.rest = c.root.want(steps[1:])
	}
}

// eventOrigins are the texts that an event has.
var eventOrigins = map[string]origin{"id": fromEventID, "type": fromEventType, "time": fromTime, "actor": fromActor, "ordering_key": fromOrderingKey}

// eventPath resolves a path that begins with event; one into the data is returned as such, and nil else.
func (c *compiler) eventPath(p *placeholder, steps []step, position int) []step {
	if len(steps) == 1 {
		p.from = fromEvent
		return nil
	}
	name := steps[1].name
	if name == "data" {
		return steps[1:]
	}
	from, ok := eventOrigins[name]
	if !ok {
		c.fault(p.pointer, position, "event has no %s%s; it has %s", name, didYouMean(name, eventFields), strings.Join(eventFields, ", "))
		return nil
	}
	p.from = from
	c.scalar(p, steps[1:], position)
	return nil
}

// scalar refuses a path that goes into a text.
func (c *compiler) scalar(p *placeholder, steps []step, position int) {
	if len(steps) > 1 {
		c.fault(p.pointer, position, "%s is a text, and there is no %s in it", steps[0].name, strings.TrimPrefix(writePath(steps[1:]), "."))
	}
}
