package inbound

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

// Program is how a source understands its calls: its kind, its mapping, and the conditions and mappings of its actions, compiled. It is
// immutable, and safe for concurrent use; reading a call is a pure function of the call.
type Program struct {
	kind      *kind // nil for generic
	types     Types
	eventType string // empty: the call says it

	dedupe     postroom.Dedupe
	dedupePath *path // nil for the event's own id

	rows      []*row
	setsData  bool // rows say what the data is
	recognise bool // a contact is looked for under the usual names
	actions   []action
	maxWork   uint64 // of the conditions of one call
}

// action is what of an action depends on an item.
type action struct {
	when *condition
	rows []*row
	data *payload.Template // nil for the event's own data
	typ  string            // of the event that it publishes
}

// templateVariables are what the template of publish_event can name beside the event.
var templateVariables = []string{"body", "headers", "query", "request"}

// Item is an event that a call tells of, and what was understood of it.
type Item struct {
	Number int    // from 1
	Body   []byte // what the item is, as JSON

	Name string    // what the sender calls the type; empty where it does not say
	Type string    // the workspace's type; empty where it is not known: then no event is published
	Skip bool      // the source is for another type: nothing is to be done about the item
	ID   string    // the sender's id of the event, if it can be an event's uid
	Time time.Time // when it happened; when the call arrived, unless the call says it
	Data []byte    // a JSON object with the catalogue's objects (contact, campaign, …)
	Key  string    // for recognising duplicates within the source; empty for none

	Contact  ContactDraft
	Warnings []postroom.RequestNote
	Err      *postroom.RequestError // why the item cannot be acted on; the rest is then as far as it came
	Rows     []RowTrace             // what each row of the mapping did, after Explain

	reading *reading
	body    *object // Body, taken apart; see opened
	data    *object
	base    *path  // where in the body the data was found, for kinds
	typed   bool   // a row of the owner's says what the type is
	ownID   string // the sender's id, whether it can be a uid or not
	ownKey  string // what the kind tells events by, where that is more than the id
	seen    view
}

// reading is what the items of one call share.
type reading struct {
	call       *Call
	work       uint64 // what conditions did
	maxWork    uint64
	bytes      int // what rows made
	explain    bool
	headerView map[string]any
	queryView  map[string]any
}

// Compile makes a source's settings ready. in is nil for a source of the kind generic. The error is a *postroom.Error that blames
// fields of the source by their pointers, such as /mapping/0/from.
func Compile(s *postroom.SourceSettings, in *dialect.In, types Types) (*Program, error) {
	p := &Program{types: types, dedupe: s.Dedupe, maxWork: maxWork}
	var problems postroom.Problems
	if in != nil {
		var wrong postroom.Problems // those of the kind itself, which were found when it was loaded
		p.kind = newKind(in, &wrong)
		if err := wrong.Err(); err != nil {
			return nil, fmt.Errorf("the kind %s is wrong: %w", s.Kind, err)
		}
	}
	if s.EventType != "" {
		var known bool
		if p.eventType, known = p.resolve(s.EventType); !known {
			problems.AddCode(postroom.CodeUnknownEventType, "/event_type", "there is no event type %q%s", s.EventType, types.Hint(s.EventType))
		}
	}
	p.compileDedupe(&problems)
	p.rows = newRows(s.Mapping, 0, "/mapping", &problems)
	p.setsData = slices.ContainsFunc(p.rows, func(r *row) bool { return r.to.kind == toData })
	p.recognise = (in == nil || in.Recognise) && !sayWho(p.rows)
	for n := range s.Actions {
		p.actions = append(p.actions, p.compileAction(&s.Actions[n], n, &problems))
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Program) compileDedupe(problems *postroom.Problems) {
	ways := []string{string(postroom.DedupeAuto), string(postroom.DedupeID), string(postroom.DedupeHeader), string(postroom.DedupeBody), string(postroom.DedupeNone)}
	d := &p.dedupe
	switch {
	case d.By == "":
		d.By = postroom.DedupeAuto
	case !slices.Contains(ways, string(d.By)):
		problems.Add("/dedupe/by", "it is one of %s%s", strings.Join(ways, ", "), nearest.Hint(string(d.By), ways))
	}
	if (d.By == postroom.DedupeHeader) != (d.Header != "") {
		problems.Add("/dedupe/header", "by header, and only then, the name of the header is given")
	}
	if d.Path == "" {
		return
	}
	at, err := parsePath(d.Path)
	switch {
	case d.By != postroom.DedupeID:
		problems.Add("/dedupe/path", "a path is only given to recognise duplicates by id")
	case err != nil:
		problems.Add("/dedupe/path", "%s", err)
	}
	p.dedupePath = &at
}

func (p *Program) compileAction(a *postroom.Action, n int, problems *postroom.Problems) (out action) {
	at := fmt.Sprintf("/actions/%d", n)
	var err error
	if out.when, err = newCondition(a.When); err != nil {
		problems.Add(at+"/when", "%s", err)
	}
	out.rows = newRows(a.Mapping, n+1, at+"/mapping", problems)
	if a.EventType != "" {
		var known bool
		if out.typ, known = p.resolve(a.EventType); !known {
			problems.AddCode(postroom.CodeUnknownEventType, at+"/event_type", "there is no event type %q%s", a.EventType, p.types.Hint(a.EventType))
		}
	}
	if a.Data != nil {
		out.data = compileData(a.Data, at+"/data", problems)
	}
	return out
}

// Read takes a call apart and understands each event in it. The error is an *Error about the call as a whole; what is wrong with one item
// is in its Err, and does not keep the others from being read.
func (p *Program) Read(c *Call) ([]*Item, error) { return p.read(c, false) }

// Explain is Read, and tells in each item's Rows what each row of the mapping did.
func (p *Program) Explain(c *Call) ([]*Item, error) { return p.read(c, true) }

func (p *Program) read(c *Call, explain bool) ([]*Item, error) {
	content, err := c.decode()
	if err != nil {
		return nil, err
	}
	how, at := dialect.SplitItems, (*path)(nil)
	if p.kind != nil {
		how, at = p.kind.in.Split, p.kind.split
	}
	bodies, err := content.split(how, at)
	if err != nil {
		return nil, err
	}
	r := &reading{call: c, explain: explain, maxWork: p.maxWork}
	items := make([]*Item, len(bodies))
	for n, body := range bodies {
		i := &Item{Number: n + 1, Body: body, Time: c.At, reading: r, data: &object{}}
		items[n] = i
		if wrong := p.item(i, len(bodies)); wrong != nil {
			i.Err = &wrong.RequestError
		}
		i.finish()
	}
	return items, nil
}

// item understands one item.
func (p *Program) item(i *Item, of int) *Error {
	if p.kind != nil {
		p.kind.read(i)
	} else {
		p.typeName(i)
		if !p.setsData {
			i.data = i.bodyData()
		}
	}
	if p.recognise {
		i.recogniseContact()
	}
	i.Type, _, _ = p.typeOf(i) // for conditions
	if wrong := i.apply(p.rows); wrong != nil {
		return wrong
	}
	p.settle(i)
	p.setKey(i, of)
	return nil
}

// settle says what type the item's event is of, and warns where it is none.
func (p *Program) settle(i *Item) {
	var note *Error
	if i.Type, i.Skip, note = p.typeOf(i); note != nil {
		i.warn(note)
	}
}

// apply runs rows of the owner's.
func (i *Item) apply(rows []*row) *Error {
	for _, r := range rows {
		value, wrong := r.run(i)
		if wrong != nil {
			return wrong
		}
		if r.to.kind == toType && value != nil {
			i.typed = true
		}
	}
	return nil
}

// Applies tells whether the condition of an action, counted from 0, holds for an item. The error is an *Error.
func (p *Program) Applies(i *Item, action int) (bool, error) {
	holds, err := p.actions[action].when.holds(i, 0, action+1)
	if err != nil {
		return false, failure(i.Number, 0, action+1, err)
	}
	return holds, nil
}

// Transform applies the rows of a transform action to an item, whose data, contact, type, id and time change. The error is an *Error.
func (p *Program) Transform(i *Item, action int) error {
	wrong := i.apply(p.actions[action].rows)
	i.finish()
	if wrong != nil {
		return wrong
	}
	if slices.ContainsFunc(p.actions[action].rows, func(r *row) bool { return r.to.kind == toType }) {
		p.settle(i)
	}
	return nil
}

// EventType is the type of the event that a publish_event action publishes for an item; empty where it is not known.
func (p *Program) EventType(i *Item, action int) string {
	if t := p.actions[action].typ; t != "" {
		return t
	}
	return i.Type
}
