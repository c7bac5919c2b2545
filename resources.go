package postroom

import (
	"encoding/json"
	"time"
)

// The shapes below are what the HTTP API speaks where it differs from the nouns; the api package writes them and the
// client package reads them.

// EventResource is an event as the API shows it.
type EventResource struct {
	ID          string             `json:"id"` // the publisher's own, else evt_…
	Type        string             `json:"type"`
	Time        Timestamp          `json:"time"`
	PublishedAt Timestamp          `json:"published_at"`
	Actor       string             `json:"actor,omitempty"`
	OrderingKey string             `json:"ordering_key,omitempty"`
	Data        json.RawMessage    `json:"data"`
	Deliveries  []DeliveryResource `json:"deliveries,omitempty"` // only where one event is asked for
}

// Published is the answer to a published event.
type Published struct {
	ID        string      `json:"id"`
	Type      string      `json:"type"`
	Time      Timestamp   `json:"time"`
	Duplicate bool        `json:"duplicate"` // its id was published in the last 24 hours: nothing was stored
	Webhooks  []WebhookID `json:"webhooks"`  // which will receive it
}

// DeliveryResource is a delivery as the API shows it.
type DeliveryResource struct {
	ID             DeliveryID        `json:"id"`
	EventID        string            `json:"event_id"`
	EventType      string            `json:"event_type"`
	WebhookID      WebhookID         `json:"webhook_id"`
	Status         DeliveryStatus    `json:"status"`
	AttemptCount   int               `json:"attempt_count"`
	NextAttemptAt  *Timestamp        `json:"next_attempt_at"`
	LastStatusCode int               `json:"last_status_code"`
	LastErrorKind  string            `json:"last_error_kind,omitempty"`
	LastAttemptAt  *Timestamp        `json:"last_attempt_at"`
	Test           bool              `json:"test,omitempty"`
	CreatedAt      Timestamp         `json:"created_at"`
	Attempts       []AttemptResource `json:"attempts,omitempty"` // only where one delivery is asked for
}

// Resource is the delivery as the API shows it, without its attempts.
func (d *Delivery) Resource() DeliveryResource {
	r := DeliveryResource{
		ID:             d.ID,
		EventID:        d.EventUID,
		EventType:      d.EventType,
		WebhookID:      d.WebhookID,
		Status:         d.Status,
		AttemptCount:   d.Attempts,
		NextAttemptAt:  timestampOf(d.NextAt),
		LastStatusCode: d.LastStatusCode,
		LastErrorKind:  d.LastErrorKind,
		LastAttemptAt:  timestampOf(d.LastAt),
		Test:           d.Test,
		CreatedAt:      Timestamp{d.CreatedAt()},
	}
	if r.EventID == "" {
		r.EventID = d.EventID.String()
	}
	return r
}

func timestampOf(t *time.Time) *Timestamp {
	if t == nil {
		return nil
	}
	return &Timestamp{*t}
}

// AttemptResource is an attempt as the API shows it.
type AttemptResource struct {
	Number     int               `json:"number"`
	At         Timestamp         `json:"at"`
	StatusCode int               `json:"status_code"` // 0 without an answer
	DurationMs float64           `json:"duration_ms"`
	PhasesMs   PhasesResource    `json:"phases_ms"`
	Request    RequestResource   `json:"request"`
	Response   *ResponseResource `json:"response"` // null without an answer
	Error      *AttemptError     `json:"error"`    // null after a success
	Notes      []FieldError      `json:"notes,omitempty"`
}

// PhasesResource is where an attempt's time went, in milliseconds.
type PhasesResource struct {
	DNS       float64 `json:"dns"`
	Connect   float64 `json:"connect"`
	TLS       float64 `json:"tls"`
	FirstByte float64 `json:"first_byte"`
	Total     float64 `json:"total"`
}

// RequestResource is what was sent. A body that is not UTF-8 is in body_base64 instead of body.
type RequestResource struct {
	Method     string   `json:"method"`
	URL        string   `json:"url"`
	Headers    []Header `json:"headers"`
	Body       string   `json:"body"`
	BodyBase64 []byte   `json:"body_base64,omitempty"`
}

// ResponseResource is what came back. A body that is not UTF-8 is in body_base64 instead of body.
type ResponseResource struct {
	StatusCode int      `json:"status_code"`
	Headers    []Header `json:"headers"`
	Body       string   `json:"body"`
	BodyBase64 []byte   `json:"body_base64,omitempty"`
	Truncated  bool     `json:"truncated"`
}

// ReplayResource is a replay as the API shows it, or a preview of one.
type ReplayResource struct {
	ID        *ReplayID                `json:"id"`         // null in a preview
	WebhookID *WebhookID               `json:"webhook_id"` // null for all webhooks
	After     *Timestamp               `json:"after"`
	Before    Timestamp                `json:"before"`
	Status    DeliveryStatus           `json:"status,omitempty"` // of the deliveries; left out for all
	Types     []string                 `json:"types"`            // empty for all
	State     ReplayState              `json:"state,omitempty"`  // left out in a preview
	Reason    string                   `json:"reason,omitempty"`
	Total     int64                    `json:"total"`
	AtLeast   bool                     `json:"at_least"` // there may be more than Total
	Done      int64                    `json:"done"`
	Skipped   int64                    `json:"skipped"`
	Withdrawn int64                    `json:"withdrawn"`
	Waiting   *int64                   `json:"waiting,omitempty"`   // only where one replay is asked for
	ByStatus  map[DeliveryStatus]int64 `json:"by_status,omitempty"` // only in a preview
	ByType    map[string]int64         `json:"by_type,omitempty"`   // only in a preview
	CreatedBy *KeyID                   `json:"created_by"`          // the key; null in a preview, and of a member
	CreatedAt *Timestamp               `json:"created_at"`          // null in a preview
	UpdatedAt *Timestamp               `json:"updated_at"`          // null in a preview
	EndedAt   *Timestamp               `json:"ended_at"`            // null while there is work to do
}

// ExportedAttempt is an attempt as an export shows it, with what it was made for.
type ExportedAttempt struct {
	DeliveryID DeliveryID `json:"delivery_id"`
	EventID    string     `json:"event_id"`
	EventType  string     `json:"event_type"`
	WebhookID  WebhookID  `json:"webhook_id"`
	AttemptResource
}

// ImportResource is an import as the API shows it.
type ImportResource struct {
	ID        *ImportID   `json:"id"` // null of a dry run
	State     ImportState `json:"state"`
	Rows      int64       `json:"rows"`
	Created   int64       `json:"created"`
	Updated   int64       `json:"updated"`
	Unchanged int64       `json:"unchanged"`
	Refused   int64       `json:"refused"`
	Problems  []BadRow    `json:"problems"`
	Reason    string      `json:"reason,omitempty"`
	CreatedAt Timestamp   `json:"created_at"`
	UpdatedAt Timestamp   `json:"updated_at"`
	EndedAt   *Timestamp  `json:"ended_at"` // null while it runs
}

// ErasureResource is how far the erasure of a person is, or what it has come to.
type ErasureResource struct {
	ContactID *ContactID `json:"contact_id"` // null before the end
	Rows      int64      `json:"rows"`
	Done      bool       `json:"done"`
}

// Problem is an error as the API shows it (RFC 9457, application/problem+json).
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   Code         `json:"code"`
	Errors []FieldError `json:"errors,omitempty"`
}

// TimestampFormat is RFC 3339 in UTC with milliseconds.
const TimestampFormat = "2006-01-02T15:04:05.000Z"

// Timestamp is a time that writes itself in TimestampFormat and reads any RFC 3339 time.
type Timestamp struct{ time.Time }

// String writes the time in TimestampFormat.
func (t Timestamp) String() string { return t.UTC().Format(TimestampFormat) }

// MarshalText writes the time in TimestampFormat.
func (t Timestamp) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON writes the time in TimestampFormat; without it, the embedded time's own form would win.
func (t Timestamp) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }
