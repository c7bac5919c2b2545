package app

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// Publish stores events and their deliveries durably before it returns. One bad event does not sink the others. dedupe,
// if not empty, is the caller's Idempotency-Key: events without an id of their own that are published again under the same
// key and position are duplicates.
func (a *App) Publish(ctx context.Context, who Caller, events []NewEvent, dedupe string) ([]PublishResult, error) {
	if err := authorise(who, postroom.RolePublisher); err != nil {
		return nil, err
	}
	results := make([]PublishResult, len(events))
	outgoing, place := make([]*postroom.Outgoing, 0, len(events)), make([]int, 0, len(events))
	now := a.Now()
	for i := range events {
		o, err := a.outgoing(ctx, who, &events[i], now)
		if err != nil {
			switch postroom.CodeOf(err) {
			case postroom.CodeInternal, postroom.CodeUnavailable:
				return nil, err
			}
			results[i].Err = err
			continue
		}
		if dedupe != "" && events[i].UID == "" {
			o.Keys = append(o.Keys, "i:"+dedupe+":"+strconv.Itoa(i))
		}
		outgoing, place = append(outgoing, o), append(place, i)
	}
	if err := a.Engine.Publish(ctx, outgoing); err != nil {
		return nil, unavailable(err)
	}
	for j, o := range outgoing {
		published, err := a.published(ctx, who, o)
		if err != nil {
			return nil, err
		}
		results[place[j]].Event = published
	}
	return results, nil
}

// unavailable turns an error of the database into one that says to try again, unless it already does.
func unavailable(err error) error {
	var known *postroom.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &postroom.Error{Code: postroom.CodeUnavailable, Message: "The database cannot be written at the moment: try again.", Err: err}
}

// outgoing checks a new event and gives it an identity.
func (a *App) outgoing(ctx context.Context, who Caller, in *NewEvent, now time.Time) (*postroom.Outgoing, error) {
	if err := a.checkEvent(ctx, who, in, now); err != nil {
		return nil, err
	}
	e := &postroom.Event{ID: postroom.Next[postroom.EventKind](a.IDs, now), WorkspaceID: who.Workspace, UID: in.UID, Type: in.Type,
		Time: in.Time.UTC().Truncate(time.Microsecond), Actor: in.Actor, OrderingKey: in.OrderingKey, Data: in.Data}
	if in.Time.IsZero() {
		e.Time = now.UTC().Truncate(time.Microsecond)
	}
	if err := payload.Describe(e); err != nil {
		return nil, err
	}
	o := &postroom.Outgoing{Event: e, State: postroom.StateFresh}
	if in.UID != "" {
		o.Keys = []string{"u:" + in.UID}
	}
	return o, nil
}

// The times that an event may have: what both databases and RFC 3339 can hold, with room.
var (
	firstTime = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func (a *App) checkEvent(ctx context.Context, who Caller, in *NewEvent, now time.Time) error {
	if err := a.checkEventType(ctx, who.Workspace, in.Type, now); err != nil {
		return err
	}
	var p postroom.Problems
	if in.UID != "" {
		if err := postroom.CheckEventUID(in.UID); err != nil {
			p.Add("/id", "%s", err.Error())
		}
	}
	checkText(&p, "/actor", in.Actor, postroom.MaxActor)
	checkText(&p, "/ordering_key", in.OrderingKey, postroom.MaxOrderingKey)
	if !in.Time.IsZero() && (in.Time.Before(firstTime) || !in.Time.Before(lastTime)) {
		p.Add("/time", "an event happens between %d and %d", firstTime.Year(), lastTime.Year())
	}
	if payload.KindOf(in.Data) != payload.KindObject {
		p.Add("/data", "data is a JSON object")
	}
	return p.Err()
}

// checkText refuses control characters, which headers and databases cannot hold, and too much.
func checkText(p *postroom.Problems, pointer, text string, most int) {
	if len(text) > most {
		p.Add(pointer, "this is at most %d bytes long", most)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		p.Add(pointer, "this may not hold control characters")
	}
}

// published is the answer for one event: for a duplicate, that of the first.
func (a *App) published(ctx context.Context, who Caller, o *postroom.Outgoing) (postroom.Published, error) {
	e, webhooks := o.Event, o.Webhooks
	if o.Duplicate == nil {
		return postroom.Published{ID: e.PublicID(), Type: e.Type, Time: postroom.Timestamp{Time: e.Time}, Webhooks: webhooks}, nil
	}
	first, err := a.Store.Event(ctx, who.Workspace, *o.Duplicate)
	if err != nil {
		return postroom.Published{}, err
	}
	deliveries, err := a.Store.DeliveriesOf(ctx, who.Workspace, first.ID)
	if err != nil {
		return postroom.Published{}, err
	}
	seen := map[postroom.WebhookID]bool{}
	webhooks = []postroom.WebhookID{}
	for _, d := range deliveries {
		if !seen[d.WebhookID] {
			seen[d.WebhookID] = true
			webhooks = append(webhooks, d.WebhookID)
		}
	}
	return postroom.Published{ID: first.PublicID(), Type: first.Type, Time: postroom.Timestamp{Time: first.Time}, Duplicate: true, Webhooks: webhooks}, nil
}

// Events lists events, newest first.
func (a *App) Events(ctx context.Context, who Caller, f postroom.EventFilter, q postroom.PageQuery) (postroom.Page[postroom.Event], error) {
	var none postroom.Page[postroom.Event]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	if err := checkTypeFilter(f.Type); err != nil {
		return none, err
	}
	var p postroom.Problems
	checkSearch(&p, "?contact", f.Contact)
	checkSearch(&p, "?campaign", f.Campaign)
	checkSearch(&p, "?q", f.Text)
	if err := p.Err(); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, rest, err := a.Store.Events(ctx, who.Workspace, f, cursor, limit+1)
	if err != nil {
		return none, err
	}
	return postroom.NewPage(found, limit, cursor, rest, func(e postroom.Event) [16]byte { return e.ID }), nil
}

// checkTypeFilter refuses what no type can match, so that a misspelled filter does not look like an empty list.
func checkTypeFilter(pattern string) error {
	if pattern == "" {
		return nil
	}
	if err := checkPattern(pattern); err != nil {
		return postroom.Invalid(postroom.CodeInvalid, "?type", "%s", err.Error())
	}
	return nil
}

// checkSearch refuses what a database cannot look for.
func checkSearch(p *postroom.Problems, pointer, text string) {
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
		p.Add(pointer, "this is text in UTF-8, without zero characters")
	}
}

// Event finds an event by its publisher's id or Postroom's, with its deliveries.
func (a *App) Event(ctx context.Context, who Caller, id string) (postroom.Event, []postroom.Delivery, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Event{}, nil, err
	}
	e, err := a.findEvent(ctx, who, id)
	if err != nil {
		return e, nil, err
	}
	deliveries, err := a.Store.DeliveriesOf(ctx, who.Workspace, e.ID)
	return e, deliveries, err
}

func (a *App) findEvent(ctx context.Context, who Caller, ref string) (postroom.Event, error) {
	if id, err := postroom.ParseID[postroom.EventKind](ref); err == nil {
		e, err := a.Store.Event(ctx, who.Workspace, id)
		if postroom.CodeOf(err) != postroom.CodeNotFound {
			return e, err
		}
	}
	if postroom.CheckEventUID(ref) != nil { // nor can a database look for it
		return postroom.Event{}, postroom.Errorf(postroom.CodeNotFound, "There is no event %s in this workspace.", quote(ref))
	}
	return a.Store.EventByUID(ctx, who.Workspace, ref)
}

// ReplayEvent delivers an event again: to the named webhooks (ids or uids), else to all that subscribe to it now. One that
// had it before gets the same delivery again.
func (a *App) ReplayEvent(ctx context.Context, who Caller, id string, webhooks []string) ([]postroom.Delivery, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return nil, err
	}
	e, err := a.findEvent(ctx, who, id)
	if err != nil {
		return nil, err
	}
	to, err := a.replayTo(ctx, who, &e, webhooks)
	if err != nil {
		return nil, err
	}
	had, err := a.Store.DeliveriesOf(ctx, who.Workspace, e.ID)
	if err != nil {
		return nil, err
	}
	now, again := a.Now(), map[postroom.WebhookID]postroom.DeliveryID{}
	for _, d := range had {
		again[d.WebhookID] = d.ID
	}
	var fresh []postroom.NewDelivery
	for _, w := range to {
		if id, ok := again[w]; ok {
			if _, err := a.Store.Requeue(ctx, who.Workspace, id, postroom.StateReplay, now); err != nil {
				return nil, err
			}
			continue
		}
		fresh = append(fresh, postroom.NewDelivery{ID: postroom.Next[postroom.DeliveryKind](a.IDs, now), WebhookID: w, State: postroom.StateReplay, DueAt: now})
	}
	if err := a.Store.AddDeliveries(ctx, &e, fresh); err != nil {
		return nil, unavailable(err)
	}
	wanted := map[postroom.WebhookID]bool{}
	for _, w := range to {
		wanted[w] = true
		a.Engine.Wake(who.Workspace, w, postroom.StateReplay, now)
	}
	all, err := a.Store.DeliveriesOf(ctx, who.Workspace, e.ID)
	replayed := []postroom.Delivery{}
	for _, d := range all {
		if wanted[d.WebhookID] {
			replayed = append(replayed, d)
		}
	}
	return replayed, err
}

// PreviewEventReplay says which webhooks ReplayEvent would deliver an event to.
func (a *App) PreviewEventReplay(ctx context.Context, who Caller, id string, webhooks []string) ([]postroom.WebhookID, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	e, err := a.findEvent(ctx, who, id)
	if err != nil {
		return nil, err
	}
	return a.replayTo(ctx, who, &e, webhooks)
}

func (a *App) replayTo(ctx context.Context, who Caller, e *postroom.Event, refs []string) ([]postroom.WebhookID, error) {
	if len(refs) == 0 {
		return a.Engine.Match(ctx, e)
	}
	var to []postroom.WebhookID
	for i, ref := range refs {
		w, err := a.findWebhook(ctx, who, ref)
		if postroom.CodeOf(err) == postroom.CodeNotFound {
			return nil, postroom.Invalid(postroom.CodeInvalid, "/webhooks/"+strconv.Itoa(i), "there is no webhook %q in this workspace", ref)
		}
		if err != nil {
			return nil, err
		}
		to = append(to, w.ID)
	}
	return to, nil
}

// WatchEvents gives what this node publishes from now on, until ctx ends. types are names, "group.*" or "*"; none for all.
func (a *App) WatchEvents(ctx context.Context, who Caller, types []string) (<-chan postroom.Event, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, err
	}
	for _, t := range types {
		if err := checkTypeFilter(t); err != nil {
			return nil, err
		}
	}
	all := a.Engine.Watch(ctx, who.Workspace)
	if len(types) == 0 {
		return all, nil
	}
	some := make(chan postroom.Event)
	go func() {
		defer close(some)
		for e := range all {
			if !matchesAny(types, e.Type) {
				continue
			}
			select {
			case some <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	return some, nil
}

// StopWatching ends all that WatchEvents gives, so that a server can stop.
func (a *App) StopWatching() { a.Engine.StopWatching() }

// PublishWritten publishes an event that a person has written: unlike that of Publish, its data may be anything.
func (a *App) PublishWritten(ctx context.Context, who Caller, event NewEvent, dedupe string) (postroom.Published, error) {
	if err := authorise(who, postroom.RolePublisher); err != nil {
		return postroom.Published{}, err
	}
	if err := payload.Valid(event.Data); err != nil {
		return postroom.Published{}, postroom.Invalid(postroom.CodeBadJSON, "/data", "%v", err)
	}
	results, err := a.Publish(ctx, who, []NewEvent{event}, dedupe)
	if err != nil {
		return postroom.Published{}, err
	}
	return results[0].Event, results[0].Err
}
