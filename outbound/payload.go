package outbound

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/payload"
)

// KindPayload is the kind of failure of a call that was not made because the webhook's payload could not be.
const KindPayload = "payload"

// bodies makes the bodies of a webhook's calls: by the dialect's templates, or as the webhook's payload setting says.
type bodies struct {
	dialect *dialect.Dialect
	own     *payload.Template                   // the webhook's own, for all types
	changed map[*dialect.Body]*payload.Template // of the dialect's, with the webhook's fields and additions
}

// CompilePayload checks a webhook's payload setting against the types of the events that it gets; no types for no such check. Nil stands
// for the dialect's own payload. The error is a *payload.Error whose pointers begin at the setting.
func CompilePayload(p *postroom.Payload, d *dialect.Dialect, types []payload.Type) error {
	_, err := compileBodies(p, d, types)
	return err
}

func compileBodies(p *postroom.Payload, d *dialect.Dialect, types []payload.Type) (*bodies, error) {
	b := &bodies{dialect: d}
	if p == nil {
		return b, nil
	}
	var err error
	if p.Template != nil {
		if p.Fields != nil || p.Add != nil {
			return nil, faulty("/template", "a template makes all of the payload, so fields and add do not go with it")
		}
		b.own, err = payload.Compile(p.Template, payload.Options{Types: types})
		return b, under("/template", err)
	}
	var add *payload.Template
	var wrong []payload.Fault
	if p.Add != nil {
		add, err = payload.Compile(p.Add, payload.Options{Types: types})
		if payload.KindOf(p.Add) != payload.KindObject {
			err = faulty("", "this is an object, whose members are added to the payload")
		}
		wrong = faultsOf(under("/add", err))
	}
	wrong = append(b.change(p.Fields, add, types), wrong...)
	if wrong != nil {
		return nil, &payload.Error{Faults: wrong}
	}
	return b, nil
}

// change makes the dialect's templates anew with only some fields, nil for all, and something added, nil for nothing. A field that none of
// the templates has is a fault; one that some have is left out of the others.
func (b *bodies) change(fields []string, add *payload.Template, types []payload.Type) []payload.Fault {
	b.changed = map[*dialect.Body]*payload.Template{}
	faults := map[string]payload.Fault{} // by pointer: of the fields that no template has
	for i, body := range b.dialect.Out.Bodies() {
		mine := b.typesOf(body, types)
		if types != nil && mine == nil {
			continue // no event that the webhook gets is sent so
		}
		template := body.Template
		if fields != nil {
			only, missing := onlyKnown(template, fields, mine)
			if i == 0 || len(b.changed) == 0 {
				faults = missing
			}
			for pointer := range faults {
				if _, missing := missing[pointer]; !missing {
					delete(faults, pointer)
				}
			}
			template = only
		}
		if add != nil {
			template = template.Add(add)
		}
		b.changed[body] = template
	}
	var wrong []payload.Fault
	for _, pointer := range slices.Sorted(maps.Keys(faults)) {
		wrong = append(wrong, faults[pointer])
	}
	return wrong
}

// typesOf are those types whose events a body of the dialect is for.
func (b *bodies) typesOf(body *dialect.Body, types []payload.Type) (mine []payload.Type) {
	for _, t := range types {
		if b.dialect.Out.Offers(t.Name) && b.dialect.Out.Body(t.Name) == body {
			mine = append(mine, t)
		}
	}
	return mine
}

// onlyKnown is a template with those of the fields that it has, and what is wrong with the others, by pointer.
func onlyKnown(t *payload.Template, fields []string, types []payload.Type) (*payload.Template, map[string]payload.Fault) {
	only, err := t.Only(fields, types)
	if err == nil {
		return only, nil
	}
	missing := map[string]payload.Fault{}
	for _, f := range faultsOf(under("/fields", err)) {
		missing[f.Pointer] = f
	}
	known := []string{}
	for i, field := range fields {
		if _, bad := missing["/fields/"+strconv.Itoa(i)]; !bad {
			known = append(known, field)
		}
	}
	if only, err = t.Only(known, types); err != nil { // an empty list, or one that is too long
		return t, missing
	}
	return only, missing
}

// template is what makes the body for an event type; nil when the dialect does not send it.
func (b *bodies) template(eventType string) *payload.Template {
	if b.own != nil {
		return b.own
	}
	body := b.dialect.Out.Body(eventType)
	if body == nil {
		return nil
	}
	if changed := b.changed[body]; changed != nil {
		return changed
	}
	return body.Template
}

// standard tells that the bodies are those of StandardBody.
func (b *bodies) standard() bool {
	return b.own == nil && b.changed == nil && b.dialect.Name == dialect.Standard
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
	if t.bodies.standard() {
		body, err = StandardBody(e)
		return body, nil, true, err
	}
	template := t.bodies.template(e.Type)
	if template == nil {
		return nil, nil, false, payloadError{fmt.Errorf("the dialect %s has none for %s", t.Dialect, e.Type)}
	}
	body, found, err := template.Render(nil, &payload.Input{Event: t.named(e)})
	if err != nil {
		return nil, nil, false, payloadError{err}
	}
	for _, n := range found {
		notes = append(notes, postroom.FieldError{Pointer: t.payloadPointer + n.Pointer, Detail: n.Message})
	}
	return body, notes, false, nil
}

// named is an event as templates of the dialect see it: its type has the vendor's name.
func (t *Target) named(e *postroom.Event) *postroom.Event {
	name, ok := t.bodies.dialect.Out.Name(e.Type)
	if !ok || name == e.Type {
		return e
	}
	same := *e
	same.Type = name
	return &same
}

// maxDialectHeader bounds the value of a header that is made of an event, in bytes.
const maxDialectHeader = 4096

// dialectHeaders sets the dialect's headers for an event. One without a value is left out.
func dialectHeaders(c *call, t *Target, e *postroom.Event) error {
	lines := t.bodies.dialect.Out.Headers(e.Type)
	if len(lines) == 0 {
		return nil
	}
	in := &payload.Input{Event: t.named(e)}
	for _, h := range lines {
		raw, _, err := h.Template.Render(nil, in)
		if err != nil {
			return payloadError{fmt.Errorf("its header %s: %w", h.Name, err)}
		}
		if value := headerValue(raw); value != "" {
			c.header.set(h.Name, value)
		}
	}
	return nil
}

// headerValue is a JSON text as the value of a header: null is none, a string is without what would end the line.
func headerValue(raw []byte) string {
	value := string(raw)
	switch payload.KindOf(raw) {
	case payload.KindNull:
		return ""
	case payload.KindString:
		value, _ = payload.String(raw)
	}
	value = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(value, "?")))
	if len(value) > maxDialectHeader {
		value = strings.ToValidUTF8(value[:maxDialectHeader], "")
	}
	return value
}

// pointerOf is where the places of a payload's notes are.
func pointerOf(p *postroom.Payload) string {
	if p != nil && p.Template == nil {
		return "/payload/add" // the fields make no notes
	}
	return "/payload/template"
}
