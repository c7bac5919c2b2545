package api

import (
	"errors"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/payload"
)

// The fields of an event to publish, as bits, to notice those that are missing or come twice.
const (
	hasType = 1 << iota
	hasData
	hasID
	hasTime
	hasActor
	hasOrderingKey
	hasSource // the rest: CloudEvents only
	hasSpecVersion
	hasDataBase64
	hasDataContentType
	hasSubject
	hasPartitionKey
)

// parseEvent reads an event to publish, in Postroom's own form. Its data is a part of raw.
func parseEvent(raw []byte) (app.NewEvent, error) {
	var e app.NewEvent
	var p eventParser
	err := payload.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "type":
			e.Type = p.text(hasType, "/type", value)
		case "data":
			e.Data = p.data("/data", value)
		case "id":
			e.UID = p.text(hasID, "/id", value)
		case "time":
			e.Time = p.time("/time", value)
		case "actor":
			e.Actor = p.text(hasActor, "/actor", value)
		case "ordering_key":
			e.OrderingKey = p.text(hasOrderingKey, "/ordering_key", value)
		default:
			p.unknown(key)
		}
		return p.next()
	})
	if err != nil && !errors.Is(err, errFull) {
		return e, badJSON(err)
	}
	p.require(hasType, "/type", "is required: the event's type, such as email.opened")
	p.require(hasData, "/data", "is required: an object, which may be empty")
	return e, p.err()
}

// eventParser notes what was there, and what was wrong with it.
type eventParser struct {
	faults
	seen uint
}

// next is nil if it is worth reading on.
func (p *eventParser) next() error {
	if p.full() {
		return errFull
	}
	return nil
}

// first notes a field, and blames it if it was there before.
func (p *eventParser) first(field uint, pointer string) bool {
	if p.seen&field != 0 {
		p.add(pointer, "is there twice")
		return false
	}
	p.seen |= field
	return true
}

// text reads a field that is a string and not empty; null is as good as none.
func (p *eventParser) text(field uint, pointer string, value []byte) string {
	if !p.first(field, pointer) {
		return ""
	}
	switch kind := payload.KindOf(value); kind {
	case payload.KindNull:
		p.seen &^= field
		return ""
	case payload.KindString:
	default:
		p.add(pointer, "must be a string; it is %s", kind)
		return ""
	}
	s, _ := payload.String(value) // cannot fail: Members found it valid
	p.checkText(field, pointer, s)
	return s
}

// checkText blames a text that is empty, or longer than its field may be. App checks the rest of what an event may hold.
func (p *eventParser) checkText(field uint, pointer, s string) {
	longest := 0
	switch field {
	case hasActor, hasSource:
		longest = postroom.MaxActor
	case hasOrderingKey, hasSubject, hasPartitionKey:
		longest = postroom.MaxOrderingKey
	}
	switch {
	case s == "":
		p.add(pointer, "is empty; leave it out, or give it a value")
	case longest > 0 && len(s) > longest:
		p.add(pointer, "is %d bytes long; at most %d are allowed", len(s), longest)
	}
}

// time reads the moment at which the event happened.
func (p *eventParser) time(pointer string, value []byte) time.Time {
	s := p.text(hasTime, pointer, value)
	if s == "" {
		return time.Time{}
	}
	return p.moment(pointer, s)
}

func (p *eventParser) moment(pointer, s string) time.Time {
	var t time.Time
	if err := t.UnmarshalText([]byte(s)); err != nil { // stricter than time.Parse
		p.add(pointer, "%s", notATime)
	}
	return t
}

// data reads the event's data, which is an object and is kept as it is.
func (p *eventParser) data(pointer string, value []byte) []byte {
	if !p.first(hasData, pointer) {
		return nil
	}
	if kind := payload.KindOf(value); kind != payload.KindObject {
		p.add(pointer, "must be an object; it is %s", kind)
	}
	return value
}

func (p *eventParser) unknown(key []byte) {
	p.addCode(postroom.CodeUnknownField, "/"+pointerEscape(string(key)),
		"there is no such field here; the fields are type, data, id, time, actor, ordering_key")
}

// require blames a field that was not there.
func (p *eventParser) require(field uint, pointer, detail string) {
	if p.seen&field == 0 {
		p.add(pointer, "%s", detail)
	}
}
