package inbound

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// maxStale is how often what a call is computed from may change under it before it is tried again later.
const maxStale = 10

// work is a call that is being processed.
type work struct {
	Verified
	begun time.Time
	seen  map[int]postroom.RequestID // events of the call, by number, that are known, and which request brought each
	stale int                        // how often it had to begin anew
	err   *postroom.RequestError     // why there is no point in trying on
}

func newWork(v Verified, now time.Time) *work {
	begun := now
	if v.request.Claim == 0 {
		begun = v.request.At
	}
	return &work{Verified: v, begun: begun, seen: map[int]postroom.RequestID{}}
}

// plan is what a call does, computed and not stored.
type plan struct {
	events []*effects
	keys   []postroom.RequestKey
	keyOf  []int // the number of the event of each key
	writes []postroom.ContactWrite
	err    *postroom.RequestError // why the call as a whole cannot be processed
	final  bool                   // and trying again cannot help
	unlock func()
}

// plan reads a call, and carries out its actions in thought. A defect in that is a failure of the call, and of nothing else. The error is
// one of the database.
func (in *Intake) plan(ctx context.Context, w *work) (p *plan, err error) {
	p = &plan{unlock: func() {}}
	defer func() {
		if r := recover(); r != nil {
			in.panicked("panic while processing a request", r)
			p.unlock()
			p, err = &plan{unlock: func() {}, err: &postroom.RequestError{Kind: "internal", Message: "Postroom failed to process the request; its log has the cause."}}, nil
		}
	}()
	if w.err != nil {
		p.err = w.err
		return p, nil
	}
	if w.source.broken != nil {
		p.err = &postroom.RequestError{Kind: "mapping", Message: sentence("the source's settings cannot be used any more: " + w.source.broken.Error())}
		return p, nil
	}
	items, err := w.source.program.Read(NewCall(w.request))
	if err != nil {
		if p.err = requestError(err, "body"); p.err == nil {
			return p, err
		}
		p.final = p.err.Kind == "body"
		return p, nil
	}
	if err := in.act(ctx, w, p, items); err != nil {
		p.unlock()
		return nil, err
	}
	return p, nil
}

// act carries out the actions for each event of a call that is new.
func (in *Intake) act(ctx context.Context, w *work, p *plan, items []*Item) (err error) {
	a := &actor{in: in, source: w.source, call: w.request, now: in.now(), doubt: w.stale > 0,
		people: map[string]*person{}, lists: map[string]postroom.List{}}
	refs := w.source.refs(items)
	if p.unlock, err = in.locks.Lock(ctx, w.source.WorkspaceID, refs); err != nil {
		p.unlock = func() {}
		return err
	}
	if err := a.meet(ctx, refs); err != nil {
		return err
	}
	p.know(w, items)
	for _, e := range p.events {
		switch {
		case !e.seen.IsZero(), e.Skip:
		case e.Err != nil:
			failure := *e.Err
			failure.Event = e.Number
			e.err = &failure
		default:
			if err := a.event(ctx, e); err != nil {
				return err
			}
		}
	}
	p.keep(w.request.ID)
	p.writes = a.writes()
	return nil
}

// refs are whom the events of a call mean, as far as its actions look for contacts.
func (s *source) refs(items []*Item) (refs []postroom.ContactRef) {
	looks := slices.ContainsFunc(s.Actions, func(a postroom.Action) bool {
		return a.Type != postroom.ActionTransform && a.Type != postroom.ActionPublishEvent
	})
	if !looks {
		return nil
	}
	seen := map[string]bool{}
	for _, item := range items {
		ref, err := contacts.Ref(item.Contact.Ref) // what is no reference fails in its action
		if key := contacts.RefKey(&ref); err == nil && key != "" && !seen[key] {
			seen[key] = true
			refs = append(refs, ref)
		}
	}
	return refs
}

// know finds out which events of a call came before, and what the others will be known by.
func (p *plan) know(w *work, items []*Item) {
	first := map[string]bool{}
	for _, item := range items {
		e := &effects{Item: item}
		p.events = append(p.events, e)
		key := w.keyOf(item)
		if e.seen = w.seen[item.Number]; key == "" || e.Skip || !e.seen.IsZero() {
			continue
		}
		if first[key] {
			e.seen = w.request.ID
			w.seen[item.Number] = w.request.ID
			continue
		}
		first[key] = true
		p.keys, p.keyOf = append(p.keys, postroom.RequestKey{Key: key}), append(p.keyOf, item.Number)
	}
}

// keyOf is what an event is recognised by when it comes again; empty for nothing. Of a request that is processed again each event has one,
// since some may have been acted on before. What a person sends again is meant to be acted on again.
func (w *work) keyOf(item *Item) string {
	if item.Key != "" && w.request.ResentFrom == nil {
		return "k:" + item.Key
	}
	if w.request.Claim > 0 {
		return partKey(w.request.ID, item.Number)
	}
	return ""
}

func partKey(id postroom.RequestID, number int) string {
	return "r:" + id.String() + ":" + strconv.Itoa(number)
}

// keep leaves only the keys of events that are acted on. If others of the call fail, they are tried again: then each that is acted on needs a key.
func (p *plan) keep(call postroom.RequestID) {
	acted, failed := map[int]bool{}, false
	for _, e := range p.events {
		acted[e.Number] = e.seen.IsZero() && e.err == nil && !e.Skip
		failed = failed || e.err != nil
	}
	keys, keyOf := p.keys[:0], p.keyOf[:0]
	for i, number := range p.keyOf {
		if acted[number] {
			keys, keyOf = append(keys, p.keys[i]), append(keyOf, number)
			delete(acted, number)
		}
	}
	p.keys, p.keyOf = keys, keyOf
	if !failed {
		return
	}
	for _, e := range p.events {
		if acted[e.Number] {
			p.keys, p.keyOf = append(p.keys, postroom.RequestKey{Key: partKey(call, e.Number)}), append(p.keyOf, e.Number)
		}
	}
}

// outgoing are the events that are published.
func (p *plan) outgoing() (all []*postroom.Outgoing) {
	for _, e := range p.events {
		for _, caused := range e.events {
			all = append(all, caused.Outgoing)
		}
	}
	return all
}

// commit stores a call with what follows from it. again says that nothing was stored, since something had changed, and that it is to be
// computed anew.
func (in *Intake) commit(ctx context.Context, w *work, p *plan) (r *postroom.Request, again bool, err error) {
	r = in.settle(w, p)
	health, done := in.judge(w, r)
	defer func() { done(err == nil && !again) }()
	outgoing := p.outgoing()
	if health != nil && health.told != nil {
		outgoing = append(outgoing, health.told)
	}
	c := &postroom.Commit{Request: r, Keys: p.keys, Contacts: p.writes}
	if health != nil {
		c.Health = &health.SourceHealth
	}
	err = in.publish.PublishWith(ctx, outgoing, func(ctx context.Context, pubs []*postroom.Publication) error {
		c.Publications, c.Taken, c.Stale, c.Lost = pubs, false, false, false
		for i := range c.Contacts {
			c.Contacts[i].Stale = false
		}
		p.addressed(pubs, r)
		if err := in.store.Commit(ctx, c); err != nil {
			return err
		}
		if c.Taken || c.Stale || c.Lost {
			return postroom.ErrNotStored
		}
		return nil
	})
	switch {
	case err == nil:
		in.stored(r)
		return r, false, nil
	case !errors.Is(err, postroom.ErrNotStored):
		return nil, false, err
	case c.Lost:
		return nil, false, errLost
	case c.Taken:
		w.learn(p, c.Keys)
	}
	if c.Stale {
		w.changed()
	}
	return nil, true, nil
}

// errLost says that another node has taken a request over.
var errLost = errors.New("another claim of the request is newer")

// learn notes which events of a call came before.
func (w *work) learn(p *plan, keys []postroom.RequestKey) {
	for i := range keys {
		if !keys[i].Request.IsZero() && i < len(p.keyOf) {
			w.seen[p.keyOf[i]] = keys[i].Request
		}
	}
}

// changed notes that a contact was changed by others meanwhile.
func (w *work) changed() {
	if w.stale++; w.stale >= maxStale {
		w.err = &postroom.RequestError{Kind: "action", Message: "A contact that the call is about kept being changed by others at the same time."}
	}
}

// addressed notes which delivery makes the call of each action.
func (p *plan) addressed(pubs []*postroom.Publication, r *postroom.Request) {
	deliveries := map[postroom.EventID]postroom.DeliveryID{}
	for _, pub := range pubs {
		if pub.Event.Type == eventCalled && len(pub.Deliveries) > 0 {
			deliveries[pub.Event.ID] = pub.Deliveries[0].ID
		}
	}
	if len(deliveries) == 0 {
		return
	}
	for _, e := range p.events {
		for _, caused := range e.events {
			id, ok := deliveries[caused.Event.ID]
			if !ok {
				continue
			}
			for i := range r.Log.Actions {
				if result := &r.Log.Actions[i]; result.Event == e.Number && result.Action == caused.action+1 {
					result.DeliveryID = &id
				}
			}
		}
	}
}

// stored tells those who want to know that a request was stored.
func (in *Intake) stored(r *postroom.Request) {
	in.metrics.ended(r)
	in.watchers.Tell(r.WorkspaceID, r)
}
