package inbound

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/expr"
)

// maxWork bounds how much all conditions of a call do together, in CEL's units (about one an operation).
const maxWork = 4_000_000

// conditions compiles conditions, for all sources.
var conditions = sync.OnceValues(func() (*expr.Compiler, error) {
	return expr.NewCompilerOf([]string{"headers", "query", "contact", "event"}, "body")
})

// condition says whether a row applies, or an action. The nil condition always does.
type condition struct{ program *expr.Program }

// newCondition compiles a condition; nil for an empty text.
func newCondition(text string) (*condition, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	compiler, err := conditions()
	if err != nil {
		return nil, err
	}
	program, err := compiler.Compile(text)
	if err != nil {
		return nil, err
	}
	return &condition{program}, nil
}

// holds runs the condition of a row or action on an item as it stands.
func (c *condition) holds(i *Item, row, action int) (bool, error) {
	if c == nil {
		return true, nil
	}
	if i.reading.work >= i.reading.maxWork {
		return false, errors.New("the conditions are too much work for this call")
	}
	holds, work, err := c.program.Holds(i.view)
	i.reading.work += work
	if errors.Is(err, expr.ErrKinds) { // null where a number is expected, say: what is to be done next time is the same
		i.warn(&Error{postroom.RequestError{Kind: kindMapping, Event: i.Number, Row: row, Action: action, Message: "the condition is taken for false: " + err.Error()}})
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("the condition failed: %w", err)
	}
	return holds, nil
}

// view gives conditions their variables. What is read from JSON is kept, until it changes.
type view struct {
	body    any
	event   map[string]any
	version int // of the data that event was made of
}

// view is the value of a condition's variable.
func (i *Item) view(name string) any {
	v := &i.seen
	switch name {
	case "body":
		if v.body == nil {
			v.body = decoded(i.Body)
		}
		return v.body
	case "headers":
		return i.reading.headers()
	case "query":
		return i.reading.query()
	case "contact":
		contact, _ := i.viewEvent()["data"].(map[string]any)["contact"].(map[string]any)
		if contact == nil {
			contact = map[string]any{}
		}
		return contact
	default:
		return i.viewEvent()
	}
}

// viewEvent is the event as far as it is known.
func (i *Item) viewEvent() map[string]any {
	v := &i.seen
	if v.event == nil || v.version != i.data.version {
		v.version = i.data.version
		data, isObject := decoded(i.data.append(nil)).(map[string]any)
		if !isObject {
			data = map[string]any{} // too deep to be read
		}
		v.event = map[string]any{"data": data}
	}
	v.event["id"], v.event["type"], v.event["time"] = i.ID, i.Type, i.Time
	return v.event
}

// decoded reads JSON for conditions. It was checked before.
func decoded(raw []byte) any {
	v, err := expr.Decode(raw)
	if err != nil {
		return nil
	}
	return v
}

// headers are those of the call, by their names in lower case; of several with one name, the values with commas between.
func (r *reading) headers() map[string]any {
	if r.headerView == nil {
		r.headerView = map[string]any{}
		for name, values := range r.call.Header {
			r.headerView[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	return r.headerView
}

// query are the parameters of the URL; of several with one name, the list of their values.
func (r *reading) query() map[string]any {
	if r.queryView == nil {
		r.queryView = map[string]any{}
		for name, values := range r.call.Query {
			if len(values) == 1 {
				r.queryView[name] = values[0]
				continue
			}
			r.queryView[name] = values
		}
	}
	return r.queryView
}

// failure makes a condition's error one of the call.
func failure(item, row, action int, err error) *Error {
	return &Error{postroom.RequestError{Kind: kindMapping, Message: err.Error(), Event: item, Row: row, Action: action}}
}
