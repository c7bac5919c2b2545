package outbound

import (
	"fmt"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/expr"
)

// CheckFilter refuses a webhook's filter that cannot work, and says what is wrong and where. An empty one lets everything
// through.
func (e *Engine) CheckFilter(text string) error {
	if text == "" {
		return nil
	}
	_, err := e.matchers.filters.Compile(text)
	return err
}

// compileFilter makes the filter of a subscription ready; nil for one that has none. One that does not compile, which
// saving a webhook would have refused, lets nothing through.
func compileFilter(c *expr.Compiler, s postroom.Subscription) (*filter, error) {
	if s.Settings.Filter == "" {
		return nil, nil
	}
	program, err := c.Compile(s.Settings.Filter)
	if err != nil {
		return &filter{}, fmt.Errorf("the filter of webhook %s: %w", s.ID, err)
	}
	return &filter{program}, nil
}

// filter is a webhook's filter, ready to run.
type filter struct{ program *expr.Program }

// passing keeps those of the subscribers whose filter lets the event through. The event's data is only read when one of them
// has a filter.
func (e *Engine) passing(who []*subscriber, event *postroom.Event) []*subscriber {
	var view map[string]any
	kept := who[:0]
	for _, s := range who {
		if s.filter == nil {
			kept = append(kept, s)
			continue
		}
		if s.filter.program == nil {
			continue
		}
		if view == nil {
			view = eventView(event)
		}
		ok, err := s.filter.program.Match(view)
		if err != nil {
			e.log.Warn("a webhook's filter failed on an event, which it does not get", "webhook", s.id, "event", event.ID, "error", err)
		}
		if ok {
			kept = append(kept, s)
		}
	}
	return kept
}

// eventView is an event as expressions see it.
func eventView(event *postroom.Event) map[string]any {
	data, err := expr.Decode(event.Data)
	if err != nil {
		data = map[string]any{} // cannot be: it was checked when it was published
	}
	return map[string]any{"id": event.PublicID(), "type": event.Type, "time": event.Time, "actor": event.Actor,
		"ordering_key": event.OrderingKey, "data": data}
}
