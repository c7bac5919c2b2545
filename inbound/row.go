package inbound

import (
	"errors"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

// row is a compiled row of a mapping.
type row struct {
	number     int // from 1; 0 for a row of the kind
	action     int // from 1: the action that it is of; 0 for the source's mapping
	from       []path
	to         target
	transforms []transform
	joined     bool // several values become one text before the first transform
	when       *condition
}

const (
	maxRows  = 200
	maxFroms = 32
)

// newRow compiles a row at a place of a source's JSON, such as /mapping/0.
func newRow(r postroom.MappingRow, number int, at string, problems *postroom.Problems) *row {
	out := &row{number: number}
	var err error
	if n := len(r.From); n > maxFroms || n == 0 {
		problems.Add(at+"/from", "a row has 1 to %d paths", maxFroms)
	}
	for i, text := range r.From {
		p, err := parsePath(text)
		if err != nil {
			pointer := at + "/from"
			if len(r.From) > 1 {
				pointer = fmt.Sprintf("%s/%d", pointer, i)
			}
			problems.Add(pointer, "%s", err)
		}
		out.from = append(out.from, p)
	}
	if out.to, err = parseTarget(r.To); err != nil {
		problems.Add(at+"/to", "%s", err)
	}
	if len(r.Transform) > maxTransforms {
		problems.Add(at+"/transform", "a row has at most %d transforms", maxTransforms)
		return out
	}
	out.joined = len(r.From) > 1 && !out.to.list()
	for i, t := range r.Transform {
		compiled, err := newTransform(t)
		if err != nil {
			problems.Add(fmt.Sprintf("%s/transform/%d", at, i), "%s", err)
			continue
		}
		if t.Name == "join" {
			out.joined = false
		}
		out.transforms = append(out.transforms, compiled)
	}
	if out.when, err = newCondition(r.When); err != nil {
		problems.Add(at+"/when", "%s", err)
	}
	return out
}

// newRows compiles rows at a place of a source's JSON.
func newRows(rows []postroom.MappingRow, action int, at string, problems *postroom.Problems) (out []*row) {
	if len(rows) > maxRows {
		problems.Add(at, "a mapping has at most %d rows", maxRows)
		return nil
	}
	for i, r := range rows {
		place := fmt.Sprintf("%s/%d", at, i)
		compiled := newRow(r, i+1, place, problems)
		if compiled.action = action; compiled.to.kind == toWhole || compiled.to.kind == toKey {
			problems.Add(place+"/to", "%s is for kinds alone: the data is set by its members, data.<path>, and duplicates are recognised by event.id", r.To)
		}
		out = append(out, compiled)
	}
	return out
}

// target is what a row sets.
type target struct {
	kind targetKind
	path []string // of the event's data
	text string
}

type targetKind uint8

const (
	toData        targetKind = iota
	toField                  // a text of the contact
	toStatus                 // the contact's status
	toList                   // its lists or tags
	toCustomField            // any value of the contact
	toID
	toTime
	toType
	toWhole // the data itself: for kinds
	toKey   // what tells the event from others: for kinds
)

// list tells whether the target takes several values.
func (t *target) list() bool { return t.kind == toList }

// contactFields are the fields of a contact that rows set, by the names that rows have for them.
func contactFields() []string {
	return []string{"email", "first_name", "last_name", "phone", "status", "uid", "source", "subscription_source", "lists", "tags"}
}

// parseTarget reads where a row leads to.
func parseTarget(text string) (target, error) {
	t := target{text: text}
	switch text {
	case "email", "first_name", "last_name", "phone", "uid", "source":
		t.kind, t.path = toField, []string{"contact", text}
		return t, nil
	case "subscription_source":
		t.kind, t.path = toField, []string{"contact", "source"}
		return t, nil
	case "status":
		t.kind, t.path = toStatus, []string{"contact", text}
		return t, nil
	case "lists", "tags":
		t.kind, t.path = toList, []string{"contact", text}
		return t, nil
	case "event.id":
		t.kind = toID
		return t, nil
	case "event.time":
		t.kind = toTime
		return t, nil
	case "event.type":
		t.kind = toType
		return t, nil
	case "data":
		t.kind = toWhole
		return t, nil
	case "event.key":
		t.kind = toKey
		return t, nil
	}
	if name, ok := strings.CutPrefix(text, "custom_field."); ok {
		t.kind = toCustomField
		err := t.customField(name)
		return t, err
	}
	if name, ok := strings.CutPrefix(text, "data"); ok && name != "" && (name[0] == '.' || name[0] == '[') {
		err := t.dataPath(text)
		return t, err
	}
	known := append(contactFields(), "custom_field.name", "data.name", "event.id", "event.time", "event.type")
	return t, fmt.Errorf("there is nothing called %q to map to%s; it is a field of the contact (%s), custom_field.<name>, data.<path>, event.id, event.time or event.type",
		text, targetHint(text, known), strings.Join(contactFields(), ", "))
}

// targetHint suggests a target.
func targetHint(text string, known []string) string {
	group, name, dotted := strings.Cut(text, ".")
	switch {
	case dotted && strings.HasPrefix(group, "custom"):
		return " (did you mean custom_field." + name + "?)"
	case dotted && (group == "contact" || group == "subscriber"):
		if near := nearest.Name(name, contactFields()); near != "" {
			return " (did you mean " + near + "?)"
		}
	}
	return nearest.Hint(text, known)
}

// customField reads the name of a custom field, which may hold anything, also dots.
func (t *target) customField(name string) error {
	if name == "" || len(name) > 128 || strings.TrimSpace(name) != name {
		return errors.New("after custom_field. stands the field's name, such as custom_field.company")
	}
	t.path = []string{"contact", "custom_fields", name}
	return nil
}

// dataPath reads a path into the event's data.
func (t *target) dataPath(text string) error {
	p, err := parsePath(text)
	if err != nil {
		return err
	}
	for _, s := range p.steps[1:] {
		if s.every || s.name == "" {
			return errors.New("what is set in the data has names on its way: data.order.total")
		}
		t.path = append(t.path, s.name)
	}
	return nil
}

// value finds what the row is about: nil for nothing.
func (r *row) value(i *Item) []byte {
	if len(r.from) == 1 {
		return r.from[0].find(i.reading.call, i.Body)
	}
	list := []byte{'['}
	for n := range r.from {
		if v := r.from[n].find(i.reading.call, i.Body); !isEmpty(v) {
			list = append(payload.AppendComma(list), v...)
		}
	}
	if len(list) == 1 {
		return nil
	}
	return append(list, ']')
}

// run brings the row's value to where it belongs, and gives it: nil for none.
func (r *row) run(i *Item) (value []byte, wrong *Error) {
	holds, err := r.when.holds(i, r.number, r.action)
	if err != nil {
		return nil, failure(i.Number, r.number, r.action, err)
	}
	trace := RowTrace{Row: r.number, Action: r.action, Applies: holds}
	if !holds {
		i.trace(trace)
		return nil, nil
	}
	found := r.value(i)
	trace.From = found
	value, err = r.change(i, found)
	if err == nil {
		trace.To = value
		err = i.put(&r.to, value)
	}
	i.trace(trace)
	if err != nil {
		return nil, r.blame(i, found, err)
	}
	return value, nil
}

// change applies the transforms.
func (r *row) change(i *Item, value []byte) ([]byte, error) {
	var err error
	if r.joined && value != nil {
		if value, err = join(value, " "); err != nil {
			return nil, err
		}
	}
	for n := range r.transforms {
		before := value
		if value, err = r.transforms[n].apply(value); err != nil {
			var miss *missError
			if !errors.As(err, &miss) {
				return nil, err
			}
			i.warn(r.blame(i, before, miss))
			value = nil
		}
	}
	if i.reading.bytes += len(value); i.reading.bytes > maxMade {
		return nil, fmt.Errorf("the mapping makes more than %d bytes of this call", maxMade)
	}
	return value, nil
}

// blame makes an error of a row one of the call.
func (r *row) blame(i *Item, value []byte, err error) *Error {
	where := make([]string, len(r.from))
	for n, p := range r.from {
		where[n] = p.text
	}
	return &Error{postroom.RequestError{Kind: kindMapping, Message: err.Error(), Event: i.Number, Row: r.number, Action: r.action,
		Path: strings.Join(where, ", "), Value: shown(value)}}
}
