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
	"github.com/postroom/postroom/payload"
)

// eventCalled tells the webhook of an action's call what to send.
const eventCalled = "postroom.action.called"

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

// published is an event, and the action that causes it, from 0; -1 for the call's own event.
type published struct {
	*postroom.Outgoing
	action int
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

// person is a contact, as it is after all that was planned so far.
type person struct {
	contact *postroom.Contact      // nil where there is none
	write   *postroom.ContactWrite // nil while nothing changes
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
	if refKey(&ref) == "" && !c.MayMake {
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

// plan keeps a change for those that follow, and for the commit.
func (a *actor) plan(p *person, w postroom.ContactWrite) {
	before := *p
	a.undo = append(a.undo, func() { *p = before })
	if p.write != nil {
		w = contacts.Merge(*p.write, w)
	}
	p.write, p.contact = &w, &w.Contact
	for _, list := range w.Lists {
		key := postroom.Fold(list.Name)
		if _, had := a.lists[key]; !had {
			a.undo = append(a.undo, func() { delete(a.lists, key) })
		}
		a.lists[key] = list
	}
	a.index(p)
}

// index lets a person be found by all that it is now known by. Of a phone number the oldest contact counts, which a change cannot make newer.
func (a *actor) index(p *person) {
	c := p.contact
	refs := []postroom.ContactRef{{ID: c.ID}, {Email: c.Email}}
	if c.UID != nil {
		refs = append(refs, postroom.ContactRef{UID: *c.UID})
	}
	for i := range refs {
		key := refKey(&refs[i])
		had, known := a.people[key]
		if key == "" || known && had == p {
			continue
		}
		if known && had.contact != nil {
			continue
		}
		a.people[key] = p
		a.undo = append(a.undo, func() {
			if delete(a.people, key); known {
				a.people[key] = had
			}
		})
	}
}

// person finds the contact that a reference means.
func (a *actor) person(ctx context.Context, ref postroom.ContactRef) (*person, error) {
	key := refKey(&ref)
	if p, known := a.people[key]; known {
		return p, nil
	}
	if key == "" { // a contact to be made without anything to know it by, which contacts.Plan refuses
		return &person{}, nil
	}
	if err := a.meet(ctx, []postroom.ContactRef{ref}); err != nil {
		return nil, err
	}
	return a.people[key], nil
}

// meet reads the contacts that references mean.
func (a *actor) meet(ctx context.Context, refs []postroom.ContactRef) error {
	if len(refs) == 0 {
		return nil
	}
	found, err := a.in.store.FindContacts(ctx, a.source.WorkspaceID, refs)
	if err != nil {
		return err
	}
	for i, c := range found {
		p := &person{contact: c}
		if c != nil {
			id := refKey(&postroom.ContactRef{ID: c.ID})
			if known, ok := a.people[id]; ok {
				p = known
			} else {
				a.people[id] = p
				a.known = append(a.known, p)
			}
		} else {
			a.known = append(a.known, p)
		}
		if key := refKey(&refs[i]); a.people[key] == nil {
			a.people[key] = p
		}
	}
	return nil
}

// clash refuses a contact that would get an email or a uid that is another's. It looks only after something has gone wrong, since it
// seldom does.
func (a *actor) clash(ctx context.Context, before, after *postroom.Contact) error {
	if !a.doubt {
		return nil
	}
	var refs []postroom.ContactRef
	if after.Email != "" && (before == nil || postroom.Fold(before.Email) != postroom.Fold(after.Email)) {
		refs = append(refs, postroom.ContactRef{Email: after.Email})
	}
	if after.UID != nil && (before == nil || before.UID == nil || *before.UID != *after.UID) {
		refs = append(refs, postroom.ContactRef{UID: *after.UID})
	}
	if len(refs) == 0 {
		return nil
	}
	found, err := a.in.store.FindContacts(ctx, a.source.WorkspaceID, refs)
	if err != nil {
		return err
	}
	for i, other := range found {
		if other != nil && other.ID != after.ID {
			what, value := "email", refs[i].Email
			if value == "" {
				what, value = "uid", refs[i].UID
			}
			return postroom.Errorf(postroom.CodeConflict, "The contact %s has the %s %q already.", other.ID, what, value)
		}
	}
	return nil
}

// listsNamed finds lists by their names or ids. One that there is not is left out, or is there without an id, to be made.
func (a *actor) listsNamed(ctx context.Context, names []string, make bool) (lists []postroom.List, err error) {
	var unknown []string
	for _, name := range names {
		if _, known := a.lists[listKey(name)]; !known {
			unknown = append(unknown, strings.TrimSpace(name))
		}
	}
	if len(unknown) > 0 {
		found, err := a.in.store.ListsNamed(ctx, a.source.WorkspaceID, unknown)
		if err != nil {
			return nil, err
		}
		maps.Copy(a.lists, found)
	}
	for _, name := range names {
		list, known := a.lists[listKey(name)]
		_, notID := postroom.ParseID[postroom.ListKind](strings.TrimSpace(name))
		switch {
		case known:
			lists = append(lists, list)
		case notID == nil:
			return nil, postroom.Errorf(postroom.CodeInvalid, "There is no list %s any more.", name)
		case make:
			lists = append(lists, postroom.List{WorkspaceID: a.source.WorkspaceID, Name: strings.TrimSpace(name)})
		}
	}
	return lists, nil
}

func listKey(name string) string { return postroom.Fold(strings.TrimSpace(name)) }

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
	if wrong != nil || refKey(&ref) == "" {
		return nil, nil //nolint:nilerr // it tells of nobody whom a contact could be
	}
	p, err := a.person(ctx, ref)
	if err != nil {
		return nil, err
	}
	return p.contact, nil
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

// writes are the changes of contacts, in the order in which they were met.
func (a *actor) writes() (all []postroom.ContactWrite) {
	for _, p := range a.known {
		if p.write != nil {
			all = append(all, *p.write)
		}
	}
	return all
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
