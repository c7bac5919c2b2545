package postroom

import (
	"encoding/json"
	"regexp"
	"time"
)

// Event is something that happened. It never changes.
type Event struct {
	ID          EventID
	WorkspaceID WorkspaceID
	UID         string    // the publisher's own id, if it gave one
	Type        string    // a name in the catalogue, such as email.opened, or one that the workspace declared
	Time        time.Time // when it happened, to the microsecond; by default when it was published
	Actor       string    // who or what caused it, in the publisher's words
	OrderingKey string    // what must stay in order with it; by default the contact
	Contact     string    // data.contact.email, else its id, uid or phone, for finding
	Campaign    string    // data.campaign.id, for finding
	Data        []byte    // the JSON object as it came, byte for byte
}

// PublicID is the id that publishers and receivers see: the publisher's own, else Postroom's.
func (e *Event) PublicID() string {
	if e.UID != "" {
		return e.UID
	}
	return e.ID.String()
}

// PublishedAt is when Postroom took the event, to the millisecond.
func (e *Event) PublishedAt() time.Time { return e.ID.Time() }

// EventType is a kind of event: from the catalogue, or declared by the workspace.
type EventType struct {
	Name        string          `json:"name"`
	Group       string          `json:"group"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema,omitempty"` // a JSON Schema (2020-12) of the event's data
	Sample      json.RawMessage `json:"sample,omitempty"` // an example of the event's data
	Custom      bool            `json:"custom"`           // declared by the workspace; only these can be changed
	CreatedAt   *Timestamp      `json:"created_at,omitempty"`
	UpdatedAt   *Timestamp      `json:"updated_at,omitempty"`
}

// Bounds of what an event may hold.
const (
	MaxEventType   = 128 // bytes of a type's name
	MaxEventUID    = 128 // bytes of the publisher's own id
	MaxOrderingKey = 255
	MaxActor       = 255
)

var (
	eventTypeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	eventUID      = regexp.MustCompile(`^[\x21-\x7e]+$`)
)

// CheckEventTypeName refuses what cannot be the name of an event type: it is words of letters, digits, - and _ with
// dots between them.
func CheckEventTypeName(name string) error {
	if len(name) == 0 || len(name) > MaxEventType || !eventTypeName.MatchString(name) {
		return Errorf(CodeInvalid, "%q cannot be an event type: it is 1 to %d letters, digits, - and _ in words with dots between them, such as order.paid", cut(name, 64), MaxEventType)
	}
	return nil
}

// CheckEventUID refuses what cannot be a publisher's own event id. The id is sent in a header, so it is visible ASCII
// without spaces.
func CheckEventUID(uid string) error {
	if len(uid) > MaxEventUID || !eventUID.MatchString(uid) {
		return Errorf(CodeInvalid, "an event's id is 1 to %d visible ASCII characters without spaces", MaxEventUID)
	}
	return nil
}
