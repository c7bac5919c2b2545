package payload

import (
	"fmt"
	"strings"
	"sync"

	"github.com/postroom/postroom"
)

// Bounds of templates and of what they make.
const (
	MaxTemplate    = 64 << 10 // bytes of a template
	MaxExpressions = 256      // expressions in a template
	minRendered    = 1 << 20  // see maxRendered
)

// maxRendered is how large a body may become, in bytes: at least 1 MiB, and always enough for the data itself in an envelope.
func maxRendered(data int) int { return max(minRendered, 2*data+MaxTemplate) }

// Options say what a template may speak of.
type Options struct {
	// Types are those of the events that it will be rendered for: a path into data that none of them has is refused. None
	// for no such check.
	Types []Type
	// Variables are names beyond those of [Variables], such as a dialect's own. Their values come with each [Input].
	Variables []string
}

// Type is an event type as checks see it.
type Type struct {
	Name   string
	Schema []byte // a JSON Schema of the event's data; nil allows any path
}

// Input is what a template is rendered from.
type Input struct {
	Event *postroom.Event
	// Variables are the values of the names in [Options.Variables], in that order, each a JSON text; nil for one that
	// is missing.
	Variables [][]byte
}

// Note tells that a template could not be rendered as its author meant: null stands in that place.
type Note struct {
	Pointer string // JSON pointer of the place in the template
	Message string // a clause, such as "join(data.tags, 1) failed: …"
}

// Fault is something wrong in a template.
type Fault struct {
	Pointer  string // JSON pointer of the place in the template
	Position int    // in characters from 1, in the string at that place; 0 for the whole of it
	Message  string // a clause that says what is wrong, and where it can what was meant
}

// Error says what is wrong with a template, everything at once.
type Error struct{ Faults []Fault }

// Error is one sentence for a person.
func (e *Error) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = f.String()
		if f.Pointer != "" {
			parts[i] = f.Pointer + ": " + parts[i]
		}
	}
	return strings.Join(parts, "; ")
}

// String is the fault without its pointer.
func (f Fault) String() string {
	if f.Position == 0 {
		return f.Message
	}
	return fmt.Sprintf("character %d: %s", f.Position, f.Message)
}

// TooLargeError means that a template made more of an event than may be sent.
type TooLargeError struct{ Limit int } // bytes

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("the template makes a body of more than %d bytes", e.Limit)
}

// Template is a compiled template. It is immutable, and safe for concurrent use.
type Template struct {
	root      node
	data      *field   // what is looked for in an event's data; nil for nothing
	variables []string // Options.Variables

	// A template made by Only or Add has these instead.
	base *Template
	only *selection // nil for all
	more *Template  // nil for nothing

	idle sync.Pool // of *renderer
}

// Compile reads a template, which is JSON, and checks it. The error is a [*SyntaxError] if it is not JSON, else an [*Error] with
// all that is wrong.
//
// docs/payloads.md describes the language.
func Compile(source []byte, o Options) (*Template, error) {
	if len(source) > MaxTemplate {
		return nil, &Error{[]Fault{{Message: fmt.Sprintf("a template is at most %d bytes long, and this one has %d", MaxTemplate, len(source))}}}
	}
	if err := Valid(source); err != nil {
		return nil, err
	}
	c := newCompiler(source, o)
	t := &Template{variables: o.Variables}
	t.root = c.value("")
	if len(c.faults) > 0 {
		return nil, &Error{c.faults}
	}
	t.data = c.plan()
	return t, nil
}

// Only is a template that makes what t makes, less what paths do not name: "data.contact.email" keeps that member, in the objects
// that it is in. Members stay in the order in which t has them; a list is gone through element by element. The error is an
// [*Error] whose pointers are into the list of paths; types are as in [Options].
func (t *Template) Only(paths []string, types []Type) (*Template, error) {
	s, err := newSelection(t, paths, types)
	if err != nil {
		return nil, err
	}
	return &Template{base: t, only: s}, nil
}

// Add is a template that makes what t makes with what more makes merged into it, if both are objects: a member of both becomes that
// of more, unless it is an object in both, which are merged in turn. New members come last.
func (t *Template) Add(more *Template) *Template { return &Template{base: t, more: more} }

// Render appends what the template makes of an event: one JSON text that JavaScript would write the same way. Notes tell of places
// where null stands for what could not be made.
//
// The event's data must be [Valid]. The error is mostly a [*TooLargeError]; dst is then returned as it was.
func (t *Template) Render(dst []byte, in *Input) ([]byte, []Note, error) {
	if t.base != nil {
		return t.combine(dst, in)
	}
	r, _ := t.idle.Get().(*renderer)
	if r == nil {
		r = &renderer{}
	}
	out, notes, err := r.run(t, dst, in)
	r.reset()
	t.idle.Put(r)
	if err != nil {
		return dst, nil, err
	}
	return out, notes, nil
}
