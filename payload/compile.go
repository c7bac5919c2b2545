package payload

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// node is a value of a template. Exactly one of its parts is set; kind says which.
type node struct {
	kind     nodeKind
	literal  []byte        // as JavaScript would write it
	members  []templMember // of an object, in the order in which JavaScript would write them
	spreads  bool          // some of the members are spread, so that only the event tells the order
	elements []node        // of a list
	value    *placeholder  // alone in its string
	text     []piece       // of a string
}

type nodeKind uint8

const (
	literalNode nodeKind = iota
	objectNode
	arrayNode
	valueNode
	textNode
)

// templMember is a member of a template's object.
type templMember struct {
	key    []byte // with quotes and colon, as JavaScript would write it
	value  node
	spread []*placeholder // for the key "...": objects whose members come here
}

// piece is a part of a string: text between quotes as JavaScript would write it, or a placeholder.
type piece struct {
	literal []byte
	value   *placeholder
}

// spreadKey is the key whose value's members take its place.
const spreadKey = "..."

// maxFaults bounds how many faults are told of.
const maxFaults = 20

// compiler reads a template that is valid JSON.
type compiler struct {
	scanner
	options     Options
	schemas     []*schema // of Options.Types, once they have been asked for
	root        *field    // of the data
	expressions *expressions
	count       int // of expressions
	faults      []Fault
}

func newCompiler(source []byte, o Options) *compiler {
	return &compiler{scanner: scanner{src: source, maxDepth: MaxDepth}, options: o, root: &field{}}
}

// plan is what the template looks for in an event's data.
func (c *compiler) plan() *field {
	if !c.root.wanted && len(c.root.children) == 0 {
		return nil
	}
	c.root.number(0)
	return c.root
}

func (c *compiler) fault(pointer string, position int, format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, Fault{pointer, position, fmt.Sprintf(format, args...)})
	}
}

// value compiles the value at the scanner's place.
func (c *compiler) value(pointer string) node {
	switch c.peek() {
	case '"':
		t, _ := c.string()
		return c.str(c.src[t.start:t.end], pointer)
	case '{':
		return c.object(pointer)
	case '[':
		return c.array(pointer)
	}
	raw, _ := c.raw()
	return literal(raw)
}

// literal is a value that stays as it is.
func literal(raw []byte) node {
	text, _ := AppendJS(nil, raw) // cannot fail: the template is valid
	return node{literal: text}
}

func (c *compiler) object(pointer string) node {
	n := node{kind: objectNode}
	var keys []string
	constant := true
	c.open()
	for first := true; ; first = false {
		key, more := c.member(first)
		if !more {
			break
		}
		text := appendRewritten(nil, c.src[key.start:key.end])
		name := string(decode(text))
		at := pointer + "/" + string(appendPointerKey(nil, []byte(name)))
		if slices.Contains(keys, string(text)) {
			c.fault(at, 0, "this key is there twice")
		}
		keys = append(keys, string(text))
		if name == spreadKey {
			m := templMember{key: text, spread: c.spread(at)}
			n.members, n.spreads, constant = append(n.members, m), true, false
			continue
		}
		if found := keyPlaceholder.FindString(name); found != "" {
			c.fault(at, 0, "a key is taken as it is, so %s would not be replaced in it; the key ... puts the members of an object here", found)
		}
		m := templMember{key: append(text, ':'), value: c.value(at)}
		constant = constant && m.value.kind == literalNode
		n.members = append(n.members, m)
	}
	slices.SortStableFunc(n.members, func(a, b templMember) int { return cmp.Compare(a.order(), b.order()) })
	return n.folded(constant)
}

// keyPlaceholder finds what looks like a placeholder in a key.
var keyPlaceholder = regexp.MustCompile(`\{[A-Za-z_][A-Za-z0-9_.*]*[?|]?[^{}]*\}`)

// order is where a member comes: array indexes first.
func (m *templMember) order() uint64 {
	return uint64(arrayIndex(bytes.TrimSuffix(m.key, []byte{':'}))) // -1 comes after all indexes
}

func (c *compiler) array(pointer string) node {
	n := node{kind: arrayNode}
	constant := true
	c.open()
	for first := true; c.element(first); first = false {
		e := c.value(pointer + "/" + strconv.Itoa(len(n.elements)))
		constant = constant && e.kind == literalNode
		n.elements = append(n.elements, e)
	}
	return n.folded(constant)
}

// folded is n, as a literal if there is nothing in it to replace.
func (n node) folded(constant bool) node {
	if !constant {
		return n
	}
	var r renderer
	text, _ := r.node(nil, &n)
	return node{literal: text}
}

// spread compiles the value of the key "...": a placeholder, or a list of placeholders.
func (c *compiler) spread(pointer string) []*placeholder {
	all := []*placeholder{}
	add := func(at string) {
		n := c.value(at)
		if n.kind != valueNode {
			if len(c.faults) == 0 {
				c.fault(at, 0, "the key ... takes a placeholder that gives an object, such as {custom_field_*}, or a list of such")
			}
			return
		}
		all = append(all, n.value)
	}
	if c.peek() != '[' {
		add(pointer)
		return all
	}
	c.open()
	for first := true; c.element(first); first = false {
		add(pointer + "/" + strconv.Itoa(len(all)))
	}
	return all
}

// str compiles a string, given with its quotes.
func (c *compiler) str(raw []byte, pointer string) node {
	if bytes.IndexByte(raw, '{') < 0 && bytes.IndexByte(raw, '}') < 0 && bytes.IndexByte(raw, '\\') < 0 {
		return literal(raw)
	}
	pieces := c.pieces(raw, pointer)
	switch {
	case len(pieces) == 1 && pieces[0].value != nil:
		return node{kind: valueNode, value: pieces[0].value}
	case len(pieces) == 1:
		return node{literal: append(append([]byte{'"'}, pieces[0].literal...), '"')}
	case len(pieces) == 0:
		return node{literal: []byte(`""`)}
	}
	return node{kind: textNode, text: pieces}
}
