package inbound

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// effects is what one event of a call does. It is computed whole before anything of it is stored.
type effects struct {
	*Item
	seen    postroom.RequestID     // the request that brought it before; zero for none
	err     *postroom.RequestError // why nothing of it is done
	notes   []postroom.RequestNote
	actions []postroom.ActionResult
	events  []*published      // in the order in which they are published
	contact *postroom.Contact // as it becomes; nil for none
	touched []postroom.ContactID
}

// actor carries out actions in thought: it reads contacts, and computes what becomes of them. What it finds out for one event of a call
// counts for those after it.
type actor struct {
	in     *Intake
	source *source
	call   *postroom.Request
	now    time.Time
	doubt  bool // something has clashed when it was stored: look whether others have a contact's email or uid

	people map[string]*person // by refKey
	known  []*person
	lists  map[string]postroom.List // by folded name or id
	undo   []func()                 // of the event under way, the last first
}

// event carries out all actions for one event of a call: all of them, or, if one fails, none. The error is one of the database.
func (a *actor) event(ctx context.Context, e *effects) error {
	a.undo = a.undo[:0]
	first := postroom.Next[postroom.EventKind](a.in.ids, a.now) // the call's own event comes before what follows from it
	err := a.steps(ctx, e)
	if e.err == nil && err == nil {
		err = a.own(e, first)
	}
	if e.err != nil || err != nil {
		for i := len(a.undo) - 1; i >= 0; i-- {
			a.undo[i]()
		}
		e.events, e.touched, e.contact = nil, nil, nil
	}
	return err
}

// steps carries out the actions in their order, and notes how each of them ended.
func (a *actor) steps(ctx context.Context, e *effects) error {
	for i := range a.source.Actions {
		action := &a.source.Actions[i]
		begun := a.in.now()
		result := postroom.ActionResult{Event: e.Number, Action: i + 1, Type: action.Type, At: stamp(begun)}
		err := a.step(ctx, e, i, &result)
		result.DurationMs = float64(a.in.now().Sub(begun).Microseconds()) / 1000
		if err == nil {
			e.actions = append(e.actions, result)
			continue
		}
		failure := requestError(err, "action")
		if failure == nil {
			return err
		}
		failure.Event, failure.Action = e.Number, i+1
		e.undone(i + 1)
		result.Outcome, result.Detail = postroom.OutcomeFailed, failure.Message
		e.err, e.actions = failure, append(e.actions, result)
		break
	}
	return nil
}

// undone says of the actions so far that nothing came of them, since a later one failed.
func (e *effects) undone(failed int) {
	why := fmt.Sprintf("Not done, since action %d failed.", failed)
	if failed == 0 {
		why = "Not done, since the event itself cannot be published."
	}
	for i := range e.actions {
		r := &e.actions[i]
		if r.Outcome != postroom.OutcomeSkipped {
			r.Outcome, r.Detail = postroom.OutcomeSkipped, why
			r.ContactID, r.EventID = nil, ""
		}
	}
}

// step carries out one action, if its condition holds.
func (a *actor) step(ctx context.Context, e *effects, i int, result *postroom.ActionResult) error {
	applies, err := a.source.program.Applies(e.Item, i)
	if err != nil {
		return err
	}
	if !applies {
		result.Outcome, result.Detail = postroom.OutcomeSkipped, "Its condition is false."
		return nil
	}
	return a.do(ctx, e, i, result)
}

// do carries out one action. This is the one place that knows what actions there are. Those that run an automation, write a record of a
// CRM, send a mail or run code will stand here: like a call, each is an event that is addressed to what does the work, and is stored
// with the rest, so that its failure undoes and repeats nothing. Until then notYet refuses them when a source is saved.
func (a *actor) do(ctx context.Context, e *effects, i int, result *postroom.ActionResult) error {
	action := &a.source.Actions[i]
	switch action.Type {
	case postroom.ActionTransform:
		result.Outcome = postroom.OutcomeDone
		return a.source.program.Transform(e.Item, i)
	case postroom.ActionPublishEvent:
		return a.publish(e, i, result)
	case postroom.ActionCallAPI:
		return a.callOut(ctx, e, i, result)
	}
	change, err := a.changeFor(ctx, e, action)
	if err != nil {
		return err
	}
	return a.change(ctx, e, i, change, result)
}

// notYet is what people are told of actions that are not there yet; empty for those that are.
func notYet(t postroom.ActionType) string {
	switch t {
	case "trigger_automation":
		return "automations cannot be triggered yet; publish_event or call_api can tell another system to do the work"
	case "create_crm_record":
		return "records of a CRM cannot be made yet; call_api can call the CRM's API"
	case "send_mail":
		return "mails cannot be sent yet; call_api can call the API of a mail service"
	case "run_code":
		return "custom code cannot be run yet; transform and conditions can change what is done, and call_api can call code elsewhere"
	}
	return ""
}

// changeFor is what an action wants of the event's contact.
func (a *actor) changeFor(ctx context.Context, e *effects, action *postroom.Action) (c postroom.ContactChange, err error) {
	draft := &e.Contact
	c = postroom.ContactChange{WorkspaceID: a.source.WorkspaceID, Ref: draft.Ref,
		By: postroom.Author{Origin: postroom.OriginRequest, Request: a.call.ID, IP: a.call.Sender}}
	lists, tags := or(action.Lists, draft.Lists), or(action.Tags, draft.Tags)
	switch action.Type {
	case postroom.ActionAddSubscriber:
		c.MayMake = true
		c.Fields = fieldsFor(draft.Fields, action)
		if c.Fields.Source == nil {
			c.Fields.Source = &a.source.Name
		}
		c.Tag = append(append([]string{}, draft.Tags...), action.Tags...)
		c.Join, err = a.listsNamed(ctx, append(append([]string{}, draft.Lists...), action.Lists...), true)
	case postroom.ActionUpdateSubscriber:
		c.MayAlter = true
		c.Fields = fieldsFor(draft.Fields, action)
		c.Tag, c.Untag = append(append([]string{}, draft.Tags...), action.Tags...), action.RemoveTags
	case postroom.ActionAddToList:
		c.Pending = action.DoubleOptIn
		c.Join, err = a.listsNamed(ctx, lists, true)
	case postroom.ActionRemoveFromList:
		var leave []postroom.List
		leave, err = a.listsNamed(ctx, lists, false)
		for i := range leave {
			c.Leave = append(c.Leave, leave[i].ID)
		}
	case postroom.ActionApplyTag:
		c.Tag = tags
	case postroom.ActionRemoveTag:
		c.Untag = tags
	case postroom.ActionChangeStatus:
		c.MayAlter = true
		if c.Fields.Status = draft.Fields.Status; action.Status != "" {
			c.Fields.Status = &action.Status
		}
	default:
		err = postroom.Errorf(postroom.CodeInvalid, "This version of Postroom has no action %s.", action.Type)
	}
	return c, err
}

// or is the first of two lists that is not empty.
func or(a, b []string) []string {
	if len(a) > 0 {
		return a
	}
	return b
}

// fieldsFor are the fields that an event has for a contact, with those that an action sets.
func fieldsFor(f postroom.ContactFields, action *postroom.Action) postroom.ContactFields {
	if len(action.CustomFields) > 0 {
		all := make(map[string]json.RawMessage, len(f.CustomFields)+len(action.CustomFields))
		maps.Copy(all, f.CustomFields)
		maps.Copy(all, action.CustomFields)
		f.CustomFields = all
	}
	if action.Status != "" {
		f.Status = &action.Status
	}
	return f
}

// change changes the event's contact.
func (a *actor) change(ctx context.Context, e *effects, i int, c postroom.ContactChange, result *postroom.ActionResult) error {
	ref, err := contacts.Ref(c.Ref)
	if err != nil {
		return err
	}
	c.Ref = ref
	if contacts.RefKey(&ref) == "" && !c.MayMake {
		a.nothing(e, i, result, "The event tells of no contact: it has no email, uid or phone.")
		return nil
	}
	p, err := a.person(ctx, ref)
	if err != nil {
		return err
	}
	w, events, err := contacts.Plan(p.contact, c, a.source.fields, a.in.ids, a.now)
	if postroom.CodeOf(err) == postroom.CodeNotFound {
		a.nothing(e, i, result, "There is no such contact; add_subscriber makes one.")
		return nil
	}
	if err != nil {
		return err
	}
	result.ContactID = &w.Contact.ID
	result.Outcome = postroom.OutcomeNothing
	if w.Changes() {
		if err := a.clash(ctx, p.contact, &w.Contact); err != nil {
			return err
		}
		a.plan(p, w)
		result.Outcome = postroom.OutcomeDone
	}
	e.contact, e.touched = p.contact, append(e.touched, w.Contact.ID)
	for _, caused := range events {
		if err := a.tell(e, i, caused.Type, caused.Data, a.now); err != nil {
			return err
		}
	}
	return nil
}

// nothing notes an action that finds nothing to do, as its owner may not expect.
func (a *actor) nothing(e *effects, i int, result *postroom.ActionResult, why string) {
	result.Outcome, result.Detail = postroom.OutcomeNothing, why
	e.notes = append(e.notes, postroom.RequestNote{Kind: "action", Message: why, Event: e.Number, Action: i + 1})
}

// requestError is what the log of a request says of an error of its input; nil for errors of the database and defects.
func requestError(err error, kind string) *postroom.RequestError {
	var told *Error
	if errors.As(err, &told) {
		failure := told.RequestError
		return &failure
	}
	var e *postroom.Error
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case postroom.CodeInternal, postroom.CodeUnavailable:
		return nil
	}
	failure := &postroom.RequestError{Kind: kind, Message: e.Message}
	if len(e.Fields) > 0 {
		parts := make([]string, len(e.Fields))
		for i, f := range e.Fields {
			parts[i] = strings.TrimPrefix(f.Pointer, "/") + ": " + f.Detail
		}
		failure.Message = fmt.Sprintf("The contact cannot be stored: %s.", strings.TrimSuffix(strings.Join(parts, "; "), "."))
	}
	return failure
}

func stamp(t time.Time) postroom.Timestamp {
	return postroom.Timestamp{Time: t.UTC().Truncate(time.Millisecond)}
}
