package outbound

import (
	"errors"
	"sync"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// KindPayload is the kind of failure of a call that was not made because the webhook's payload could not be.
const KindPayload = "payload"

// standardTemplate makes what StandardBody makes.
var standardTemplate = sync.OnceValues(func() (*payload.Template, error) {
	return payload.Compile([]byte(`{"type":"{event_type}","timestamp":"{timestamp}","data":"{data}"}`), payload.Options{})
})

// CompilePayload makes a webhook's payload setting ready, and checks it against the types of the events that it gets; no types for no
// such check. Nil stands for the dialect's own payload. The error is a *payload.Error whose pointers begin at the setting.
func CompilePayload(p *postroom.Payload, types []payload.Type) (*payload.Template, error) {
	if p == nil {
		return nil, nil
	}
	if p.Template != nil {
		if p.Fields != nil || p.Add != nil {
			return nil, faulty("/template", "a template makes all of the payload, so fields and add do not go with it")
		}
		t, err := payload.Compile(p.Template, payload.Options{Types: types})
		return t, under("/template", err)
	}
	t, err := standardTemplate()
	if err != nil {
		return nil, err
	}
	var wrong []payload.Fault
	if p.Fields != nil {
		only, err := t.Only(p.Fields, types)
		if wrong = append(wrong, faultsOf(under("/fields", err))...); err == nil {
			t = only
		}
	}
	if p.Add != nil {
		add, err := payload.Compile(p.Add, payload.Options{Types: types})
		if payload.KindOf(p.Add) != payload.KindObject {
			err = faulty("", "this is an object, whose members are added to the payload")
		}
		if wrong = append(wrong, faultsOf(under("/add", err))...); err == nil {
			t = t.Add(add)
		}
	}
	if wrong != nil {
		return nil, &payload.Error{Faults: wrong}
	}
	return t, nil
}

func faulty(pointer, message string) error {
	return &payload.Error{Faults: []payload.Fault{{Pointer: pointer, Message: message}}}
}

// under makes the pointers of an error begin one level higher.
func under(pointer string, err error) error {
	if err == nil {
		return nil
	}
	e := &payload.Error{Faults: faultsOf(err)}
	for i := range e.Faults {
		e.Faults[i].Pointer = pointer + e.Faults[i].Pointer
	}
	return e
}

// faultsOf is what an error of Compile or Only tells of.
func faultsOf(err error) []payload.Fault {
	var e *payload.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return append([]payload.Fault(nil), e.Faults...)
	}
	return []payload.Fault{{Message: err.Error()}}
}

// payloadError means that a webhook's own payload could not be made. Its text is a clause.
type payloadError struct{ error }

// renderBody makes the body that brings an event to a webhook. standard tells that it is StandardBody of the event.
func renderBody(t *Target, e *postroom.Event) (body []byte, notes []postroom.FieldError, standard bool, err error) {
	if t.payloadErr != nil {
		return nil, nil, false, payloadError{t.payloadErr}
	}
	if t.template == nil {
		body, err = StandardBody(e)
		return body, nil, true, err
	}
	body, found, err := t.template.Render(nil, &payload.Input{Event: e})
	if err != nil {
		return nil, nil, false, payloadError{err}
	}
	for _, n := range found {
		notes = append(notes, postroom.FieldError{Pointer: t.payloadPointer + n.Pointer, Detail: n.Message})
	}
	return body, notes, false, nil
}

// pointerOf is where the places of a payload's notes are.
func pointerOf(p *postroom.Payload) string {
	if p != nil && p.Template == nil {
		return "/payload/add" // the fields make no notes
	}
	return "/payload/template"
}

// Preview makes the call that would bring an event to a webhook as a delivery's first attempt, as the log would show it. Without secrets it
// is signed with a new one. The error says why the body cannot be made.
func (e *Engine) Preview(w postroom.StoredWebhook, secrets []postroom.StoredSecret, event *postroom.Event) (postroom.SentRequest, []postroom.FieldError, error) {
	auth, err := OpenAuth(e.targets.opener, w)
	if err != nil {
		return postroom.SentRequest{}, nil, err
	}
	target, err := newTarget(e.targets.opener, w.Webhook, auth, secrets, e.targets.userAgent)
	if err != nil {
		return postroom.SentRequest{}, nil, err
	}
	if len(secrets) == 0 {
		key, _, err := ParseSecret(NewSecret(postroom.SecretHMAC))
		if err != nil {
			return postroom.SentRequest{}, nil, err
		}
		target.keys = []SigningKey{key}
	}
	now := e.now()
	c, err := build(target, &postroom.Job{DeliveryID: postroom.Next[postroom.DeliveryKind](e.ids, now), WebhookID: w.ID, Event: event})
	if err != nil {
		return postroom.SentRequest{}, nil, err
	}
	sign(c, target.keys, event.PublicID(), now)
	if auth != nil && auth.Type == postroom.AuthOAuth2 {
		c.header.set(headerAuthorization, "") // where the token will be; what is shown does not depend on it
	}
	request := sentRequest(target, c)
	request.Body = c.body
	return request, c.notes, nil
}
