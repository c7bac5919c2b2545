package app

import (
	"encoding/json"
	"time"

	"github.com/postroom/postroom"
)

// Caller is who asks, as a key or a session proved it.
type Caller struct {
	Workspace postroom.WorkspaceID
	Key       postroom.KeyID
	Role      postroom.Role
	Operator  bool // may manage workspaces

	// Of somebody who is signed in: which member that is, and the webhooks and sources that they may trigger without being an administrator.
	Member     postroom.MemberID
	MayTrigger []string

	// Customer, unless empty, is the only one whose webhooks and deliveries are found: of the portal.
	Customer string
}

// NewEvent is an event to publish.
type NewEvent struct {
	Type        string
	UID         string // the publisher's own id; an id seen in the last 24 hours is not published again
	Actor       string
	OrderingKey string
	Time        time.Time // zero for now
	Data        []byte    // a JSON object, known to be valid; kept byte for byte
}

// PublishResult is what became of one event of a call.
type PublishResult struct {
	Event postroom.Published
	Err   error // what was wrong with this event; nil when it is stored
}

// EventTypeInput is the part of a custom event type that people set.
type EventTypeInput struct {
	Name        string          `json:"name"`
	Group       string          `json:"group"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	Sample      json.RawMessage `json:"sample"`
}

// StoredAnswer is the answer to a call that carried an Idempotency-Key, kept to be replayed.
type StoredAnswer struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   []byte            `json:"body"`
}
