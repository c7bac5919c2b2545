package inbound

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
	"github.com/postroom/postroom/payload"
)

// eventCalled tells the webhook of an action's call what to send.
const eventCalled = "postroom.action.called"

// published is an event, and the action that causes it, from 0; -1 for the call's own event.
type published struct {
	*postroom.Outgoing
	action int
}

// publish publishes the event that an action names.
func (a *actor) publish(e *effects, i int, result *postroom.ActionResult) error {
	eventType := a.source.program.EventType(e.Item, i)
	if eventType == "" {
		return postroom.Errorf(postroom.CodeInvalid, "The action names no event type, and that of the call is not known.")
	}
	data, err := a.source.program.Data(e.Item, i)
	if err != nil {
		return err
	}
	if err := a.tell(e, i, eventType, data, e.Time); err != nil {
		return err
	}
	result.Outcome, result.EventID = postroom.OutcomeDone, e.events[len(e.events)-1].Event.PublicID()
	return nil
}

// callOut queues the call of an action.
func (a *actor) callOut(ctx context.Context, e *effects, i int, result *postroom.ActionResult) error {
	call := a.source.Actions[i].Call
	if call == nil || call.WebhookID == nil {
		return postroom.Errorf(postroom.CodeInvalid, "The action has no call: save the source again.")
	}
	contact, err := a.contactOf(ctx, e)
	if err != nil {
		return err
	}
	if err := a.tell(e, i, eventCalled, a.calledData(e, contact), a.now); err != nil {
		return err
	}
	called := e.events[len(e.events)-1]
	called.To = []postroom.WebhookID{*call.WebhookID}
	result.Outcome, result.EventID = postroom.OutcomeQueued, called.Event.PublicID()
	return nil
}

// contactOf is the event's contact as it is after the actions so far; nil for none.
func (a *actor) contactOf(ctx context.Context, e *effects) (*postroom.Contact, error) {
	if e.contact != nil {
		return e.contact, nil
	}
	ref, wrong := contacts.Ref(e.Contact.Ref)
	if wrong == nil && contacts.RefKey(&ref) != "" {
		p, err := a.person(ctx, ref)
		if err != nil {
			return nil, err
		}
		return p.contact, nil
	}
	return nil, nil // it tells of nobody whom a contact could be
}

// calledData is what a call tells, unless its payload says otherwise.
func (a *actor) calledData(e *effects, contact *postroom.Contact) []byte {
	dst := appendSource([]byte{'{'}, a.source)
	dst = append(payload.AppendKey(dst, "request"), '{')
	dst = payload.AppendString(payload.AppendKey(dst, "id"), a.call.ID.String())
	dst = append(payload.AppendTime(payload.AppendKey(dst, "time"), a.call.At), '}')
	dst = payload.AppendKey(dst, "event_type")
	if e.Type == "" {
		dst = append(dst, "null"...)
	} else {
		dst = payload.AppendString(dst, e.Type)
	}
	if contact != nil {
		dst = contacts.Append(payload.AppendKey(dst, "contact"), contact)
	}
	dst = payload.AppendKey(dst, "data")
	if len(e.Data) == 0 {
		return append(dst, "{}}"...)
	}
	return append(append(dst, e.Data...), '}')
}

// appendSource appends the member that tells which source it is.
func appendSource(dst []byte, s *source) []byte {
	dst = append(payload.AppendKey(dst, "source"), '{')
	dst = payload.AppendString(payload.AppendKey(dst, "id"), s.ID.String())
	dst = payload.AppendKey(dst, "uid")
	if s.UID == nil {
		dst = append(dst, "null"...)
	} else {
		dst = payload.AppendString(dst, *s.UID)
	}
	dst = payload.AppendString(payload.AppendKey(dst, "name"), s.Name)
	return append(payload.AppendString(payload.AppendKey(dst, "kind"), s.Kind), '}')
}

// own publishes the call's own event, first of all, unless an action has caused one of its type, which knows more of the contact.
func (a *actor) own(e *effects, id postroom.EventID) error {
	if e.Type == "" {
		return nil
	}
	for _, p := range e.events {
		if p.Event.Type == e.Type {
			return nil
		}
	}
	caused := e.events
	e.events = nil
	if err := a.tell(e, -1, e.Type, e.Data, e.Time); err != nil {
		failure := requestError(err, "mapping")
		if failure == nil {
			return err
		}
		failure.Event = e.Number
		e.err = failure
		e.undone(0)
		return nil
	}
	e.events[0].Event.ID = id
	e.events = append(e.events, caused...)
	return nil
}

// tell publishes an event.
func (a *actor) tell(e *effects, action int, eventType string, data []byte, at time.Time) error {
	if at.IsZero() {
		at = a.call.At
	}
	event := &postroom.Event{ID: postroom.Next[postroom.EventKind](a.in.ids, a.now), WorkspaceID: a.source.WorkspaceID, Type: eventType,
		Time: at.UTC().Truncate(time.Microsecond), Actor: a.source.ID.String(), Data: data}
	if len(data) == 0 {
		event.Data = []byte("{}")
	}
	if err := payload.Describe(event); err != nil {
		return postroom.Errorf(postroom.CodeInvalid, "The data of the event %s cannot be published: %w", eventType, err)
	}
	e.events = append(e.events, &published{&postroom.Outgoing{Event: event, State: postroom.StateFresh}, action})
	return nil
}
