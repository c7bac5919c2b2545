package inbound

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// compileData compiles the template of the data that an action publishes.
func compileData(source json.RawMessage, at string, problems *postroom.Problems) *payload.Template {
	if payload.KindOf(source) != payload.KindObject && payload.KindOf(source) != payload.KindString {
		problems.Add(at, "it is a template of an object: %s cannot be an event's data", payload.KindOf(source))
		return nil
	}
	t, err := payload.Compile(source, payload.Options{Variables: templateVariables})
	var wrong *payload.Error
	if errors.As(err, &wrong) {
		for _, f := range wrong.Faults {
			problems.Add(at+f.Pointer, "%s", f)
		}
	} else if err != nil {
		problems.Add(at, "%s", err)
	}
	return t
}

// Data is what a publish_event action publishes for an item: its own data, or what the action's template makes of it. Notes of the
// template are among the item's warnings. The error is an *Error.
func (p *Program) Data(i *Item, action int) ([]byte, error) {
	a := &p.actions[action]
	if a.data == nil {
		return i.Data, nil
	}
	event := &postroom.Event{ID: postroom.FirstID[postroom.EventKind](i.reading.call.At), WorkspaceID: i.reading.call.WorkspaceID,
		UID: i.ID, Type: p.EventType(i, action), Time: i.Time, Data: i.Data}
	c := i.reading.call
	out, notes, err := a.data.Render(nil, &payload.Input{Event: event, Variables: [][]byte{i.Body, c.headerObject(), c.queryObject(), c.requestObject()}})
	if err == nil && payload.KindOf(out) != payload.KindObject {
		err = fmt.Errorf("the template makes %s, and an event's data is an object", payload.KindOf(out))
	}
	if err != nil {
		return nil, failure(i.Number, 0, action+1, err)
	}
	for _, n := range notes {
		i.warn(&Error{postroom.RequestError{Kind: kindMapping, Message: n.Message, Event: i.Number, Action: action + 1, Path: n.Pointer}})
	}
	return out, nil
}

// headerObject is the call's headers as JSON, by their names in lower case.
func (c *Call) headerObject() []byte {
	out := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		out = payload.AppendString(payload.AppendKey(out, strings.ToLower(name)), strings.Join(c.Header[name], ", "))
	}
	return append(out, '}')
}

// queryObject is the parameters of the call's URL as JSON.
func (c *Call) queryObject() []byte {
	var f form
	for _, name := range slices.Sorted(maps.Keys(c.Query)) {
		for _, value := range c.Query[name] {
			f.names = appendNew(f.names, name)
			if f.values == nil {
				f.values = map[string][][]byte{}
			}
			f.values[name] = append(f.values[name], jsonText(value))
		}
	}
	return f.object()
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// requestObject is what is known of the call itself, as JSON.
func (c *Call) requestObject() []byte {
	out := payload.AppendString(payload.AppendKey([]byte{'{'}, "id"), c.ID.String())
	out = payload.AppendString(payload.AppendKey(out, "ip"), c.Sender)
	out = payload.AppendTime(payload.AppendKey(out, "time"), c.At)
	return append(out, '}')
}
