package app

import (
	"context"
	"errors"
	"slices"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/outbound"
	"github.com/postroom/postroom/payload"
)

// PreviewInput says what a preview shows.
type PreviewInput struct {
	Payload *postroom.Payload // tried in place of the webhook's own, if Try is set; nil for the dialect's
	Try     bool
	Type    string // the event is a sample of this type; by default of the first that the webhook subscribes to
	Event   string // the event is a past one with this id
}

// Preview is a call that was not made.
type Preview struct {
	Event   postroom.Event
	Request postroom.SentRequest
	Notes   []postroom.FieldError // where the payload could not be made as it was meant, and null stands instead
}

// PreviewWebhook makes the call that would bring an event to a webhook, with its body and signature, and does not send it.
func (a *App) PreviewWebhook(ctx context.Context, who Caller, ref string, in PreviewInput) (Preview, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return Preview{}, err
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return Preview{}, err
	}
	if in.Try {
		w.Payload = emptyPayload(in.Payload)
		var p postroom.Problems
		if err := a.checkPayload(ctx, who, &p, &w.WebhookSettings); err != nil {
			return Preview{}, err
		}
		if err := p.Err(); err != nil {
			return Preview{}, err
		}
	}
	secrets, err := a.Store.Secrets(ctx, who.Workspace, w.ID, a.Now())
	if err != nil {
		return Preview{}, err
	}
	return a.preview(ctx, who, w, secrets, in)
}

// previewURL is where a preview goes that names no URL.
const previewURL = "https://example.com/"

// PreviewSettings is PreviewWebhook for a webhook that is not there yet, all of whose settings may be left out. It is signed with a secret
// that nobody knows.
func (a *App) PreviewSettings(ctx context.Context, who Caller, s postroom.WebhookSettings, in PreviewInput) (Preview, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return Preview{}, err
	}
	before := postroom.WebhookSettings{URL: previewURL}
	if s.Name == "" {
		s.Name = "Preview"
	}
	if s.URL == "" {
		s.URL = previewURL
	}
	if len(s.Events) == 0 {
		s.Events = []string{"*"}
		if in.Type != "" {
			s.Events = []string{in.Type}
		}
	}
	a.fillDefaults(&s)
	if err := a.checkWebhook(ctx, who, &s, &before); err != nil {
		return Preview{}, err
	}
	w := postroom.StoredWebhook{Webhook: postroom.Webhook{WorkspaceID: who.Workspace, WebhookSettings: s}}
	return a.preview(ctx, who, w, nil, in)
}

func (a *App) preview(ctx context.Context, who Caller, w postroom.StoredWebhook, secrets []postroom.StoredSecret, in PreviewInput) (Preview, error) {
	e, err := a.previewEvent(ctx, who, &w.WebhookSettings, in)
	if err != nil {
		return Preview{}, err
	}
	request, notes, err := a.Engine.Preview(w, secrets, &e)
	var known *postroom.Error
	if err != nil && !errors.As(err, &known) {
		err = postroom.Invalid(postroom.CodeInvalid, "/payload", "the payload of this event cannot be made: %s", err)
	}
	return Preview{Event: e, Request: request, Notes: notes}, err
}

// previewEvent is the event that a preview shows.
func (a *App) previewEvent(ctx context.Context, who Caller, s *postroom.WebhookSettings, in PreviewInput) (postroom.Event, error) {
	if in.Event != "" {
		if in.Type != "" {
			return postroom.Event{}, postroom.Invalid(postroom.CodeInvalid, "/type", "a past event has its own type: leave this or event out")
		}
		e, err := a.findEvent(ctx, who, in.Event)
		if postroom.CodeOf(err) == postroom.CodeNotFound {
			err = postroom.Invalid(postroom.CodeInvalid, "/event", "there is no event %s in this workspace", quote(in.Event))
		}
		return e, err
	}
	d := a.Dialects[s.Dialect]
	if d == nil {
		return postroom.Event{}, postroom.Errorf(postroom.CodeConflict, "The webhook's dialect %s is not here.", quote(s.Dialect))
	}
	var err error
	name, now := in.Type, a.Now()
	if name == "" {
		types, err := a.subscribedTypes(ctx, who, s.Events)
		if err != nil {
			return postroom.Event{}, err
		}
		name = d.Out.Test.Type
		if i := slices.IndexFunc(types, func(t payload.Type) bool { return d.Out.Offers(t.Name) }); i >= 0 {
			name = types[i].Name
		}
	} else if name, _, err = a.testOf(s.Dialect, name, nil); err != nil {
		return postroom.Event{}, err
	}
	if err := a.checkEventType(ctx, who.Workspace, name, now); err != nil {
		return postroom.Event{}, err
	}
	t, err := a.findEventType(ctx, who, name)
	if err != nil {
		return postroom.Event{}, err
	}
	o, err := a.outgoing(ctx, who, &NewEvent{Type: name, Data: sampleOf(t)}, now)
	if err != nil {
		return postroom.Event{}, err
	}
	return *o.Event, nil
}

// subscribedTypes are the event types that patterns stand for, those of the catalogue first.
func (a *App) subscribedTypes(ctx context.Context, who Caller, patterns []string) ([]payload.Type, error) {
	var types []payload.Type
	for _, t := range a.Catalogue.Types() {
		if matchesAny(patterns, t.Name) {
			types = append(types, payload.Type{Name: t.Name, Schema: t.Schema})
		}
	}
	own, err := a.Store.EventTypes(ctx, who.Workspace)
	if err != nil {
		return nil, err
	}
	for _, t := range own {
		if matchesAny(patterns, t.Name) {
			types = append(types, payload.Type{Name: t.Name, Schema: t.Schema})
		}
	}
	// What is named comes in the order of its naming.
	slices.SortStableFunc(types, func(x, y payload.Type) int { return firstMatch(patterns, x.Name) - firstMatch(patterns, y.Name) })
	return types, nil
}

func firstMatch(patterns []string, name string) int {
	return slices.IndexFunc(patterns, func(p string) bool { return catalogue.Match(p, name) })
}

// emptyPayload is nil for a payload of which nothing is said.
func emptyPayload(p *postroom.Payload) *postroom.Payload {
	if p == nil || p.Template == nil && p.Fields == nil && p.Add == nil {
		return nil
	}
	return p
}

// checkPayload refuses a payload that cannot be made of the events that the webhook gets.
func (a *App) checkPayload(ctx context.Context, who Caller, p *postroom.Problems, s *postroom.WebhookSettings) error {
	if s.Payload == nil {
		return nil
	}
	types, err := a.subscribedTypes(ctx, who, s.Events)
	if err != nil {
		return err
	}
	d := a.Dialects[s.Dialect]
	if d == nil {
		return nil // which is another problem
	}
	types = slices.DeleteFunc(types, func(t payload.Type) bool { return !d.Out.Offers(t.Name) })
	err = outbound.CompilePayload(s.Payload, d, types)
	var wrong *payload.Error
	if !errors.As(err, &wrong) {
		return err
	}
	for _, f := range wrong.Faults {
		p.Add("/payload"+f.Pointer, "%s", f)
	}
	return nil
}

// samePayload tells that neither the payload nor the events that it is made of have changed: then it is not checked again, since a type's
// schema may have changed meanwhile.
func samePayload(a, b *postroom.WebhookSettings) bool {
	if b == nil || a.Dialect != b.Dialect || !slices.Equal(a.Events, b.Events) || (a.Payload == nil) != (b.Payload == nil) {
		return false
	}
	x, y := a.Payload, b.Payload
	return x == nil || string(x.Template) == string(y.Template) && string(x.Add) == string(y.Add) && slices.Equal(x.Fields, y.Fields)
}
