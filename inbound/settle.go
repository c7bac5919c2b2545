package inbound

import (
	"fmt"
	"slices"

	"github.com/postroom/postroom"
)

// maxTraced bounds the actions, events, contacts and notes in the log of one request.
const maxTraced = 1000

// settle is the request as it is to be stored: what became of it, and what its log says.
func (in *Intake) settle(w *work, p *plan) *postroom.Request {
	now := in.now()
	before := w.request
	r := *before
	r.Attempts++
	r.Duration = max(0, now.Sub(w.begun))
	r.Log = postroom.RequestLog{}
	t := tally{log: &r.Log, request: before, now: map[int]bool{}}
	for _, e := range p.events {
		t.add(e)
	}
	if p.err != nil {
		t.fail(p.err)
	}
	t.finish()
	r.Records += t.acted
	if t.eventType != "" {
		r.EventType = t.eventType
	}
	r.DueAt = now
	switch retries := postroom.RequestRetries(); {
	case t.failed > 0 && !p.final && r.Attempts <= len(retries):
		r.State, r.DueAt = postroom.RequestRetry, now.Add(retries[r.Attempts-1])
	case t.failed > 0:
		r.State = postroom.RequestFailed
	case t.duplicates > 0 && t.acted == 0 && t.again == 0:
		r.State = postroom.RequestDuplicate
	default:
		r.State = postroom.RequestProcessed
	}
	settleAnswer(&r)
	return &r
}

// tally sums up what became of the events of a call, and writes the log of the request.
type tally struct {
	log                              *postroom.RequestLog
	request                          *postroom.Request // as it was before
	acted, failed, duplicates, again int
	eventType                        string       // of the first event
	now                              map[int]bool // the events that were looked at this time, by number
	left                             int          // what found no room in the log
}

// add counts one event.
func (t *tally) add(e *effects) {
	if t.eventType == "" {
		if t.eventType = e.Type; e.Type == "" {
			t.eventType = e.Name
		}
	}
	if !e.seen.IsZero() {
		t.seen(e)
		return
	}
	t.now[e.Number] = true
	for _, w := range e.Warnings {
		w.Event = e.Number
		t.note(w)
	}
	for _, n := range e.notes {
		t.note(n)
	}
	for _, result := range e.actions {
		t.log.Actions = room(t, t.log.Actions, result)
	}
	if e.err != nil {
		t.fail(e.err)
		return
	}
	if !e.Skip {
		t.acted++
	}
	for _, caused := range e.events {
		t.log.Events = room(t, t.log.Events, caused.Event.PublicID())
	}
	for _, id := range e.touched {
		if !slices.Contains(t.log.Contacts, id) {
			t.log.Contacts = room(t, t.log.Contacts, id)
		}
	}
}

// seen counts an event that came before.
func (t *tally) seen(e *effects) {
	switch {
	case e.seen != t.request.ID:
		t.duplicates++
		t.note(postroom.RequestNote{Kind: "duplicate", Message: fmt.Sprintf("The request %s brought this event before.", e.seen), Event: e.Number})
	case t.request.Claim == 0:
		t.note(postroom.RequestNote{Kind: "duplicate", Message: "The call has this event more than once.", Event: e.Number})
	default:
		t.again++ // it was done when the request was processed before
	}
}

// fail notes why something failed: the first reason is the request's error, and others are notes.
func (t *tally) fail(why *postroom.RequestError) {
	t.failed++
	if t.log.Error == nil {
		t.log.Error = why
		return
	}
	t.note(postroom.RequestNote(*why))
}

func (t *tally) note(n postroom.RequestNote) { t.log.Warnings = room(t, t.log.Warnings, n) }

// room appends to a part of the log, if it has room.
func room[T any](t *tally, to []T, one T) []T {
	if len(to) >= maxTraced {
		t.left++
		return to
	}
	return append(to, one)
}

// finish adds what was done when the request was processed before, and that not all has found room.
func (t *tally) finish() {
	before := &t.request.Log
	t.log.Events = slices.Concat(before.Events, t.log.Events)
	for _, id := range before.Contacts {
		if !slices.Contains(t.log.Contacts, id) {
			t.log.Contacts = append(t.log.Contacts, id)
		}
	}
	var earlier []postroom.ActionResult
	for _, result := range before.Actions {
		if !t.now[result.Event] {
			earlier = append(earlier, result)
		}
	}
	t.log.Actions = append(earlier, t.log.Actions...)
	if t.left > 0 {
		t.log.Warnings = append(t.log.Warnings, postroom.RequestNote{Kind: "log", Message: fmt.Sprintf("The log has no room for %d more lines.", t.left)})
	}
}
