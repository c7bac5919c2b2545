package postroom

import "time"

// Delivery is one event on its way to one webhook.
type Delivery struct {
	ID             DeliveryID
	WorkspaceID    WorkspaceID
	EventID        EventID
	EventUID       string // the publisher's own id of the event, if any
	EventType      string
	WebhookID      WebhookID
	Status         DeliveryStatus
	Attempts       int        // how many were made
	NextAt         *time.Time // when the next one is due, if one is
	LastStatusCode int        // of the newest attempt; 0 without an answer
	LastErrorKind  string     // of the newest attempt; empty after a success
	LastAt         *time.Time // when the newest attempt began
	Test           bool       // made by a test of the webhook
}

// CreatedAt is when the delivery was made, to the millisecond.
func (d *Delivery) CreatedAt() time.Time { return d.ID.Time() }

// DeliveryStatus is what people see of a delivery's state.
type DeliveryStatus string

// The states that people see.
const (
	DeliveryPending   DeliveryStatus = "pending"   // waiting for its first or a further attempt, or being attempted
	DeliverySucceeded DeliveryStatus = "succeeded" // the receiver took it
	DeliveryFailed    DeliveryStatus = "failed"    // given up
	DeliveryHeld      DeliveryStatus = "held"      // pending, and its webhook is paused or disabled
	DeliveryCancelled DeliveryStatus = "cancelled" // discarded by a person, or its webhook is gone
)

// DeliveryStatuses are all the states, for checks and documentation.
func DeliveryStatuses() []DeliveryStatus {
	return []DeliveryStatus{DeliveryPending, DeliverySucceeded, DeliveryFailed, DeliveryHeld, DeliveryCancelled}
}

// Attempt is one HTTP call made for a delivery, with what was sent and what came back.
type Attempt struct {
	DeliveryID DeliveryID    `json:"-"`
	Number     int           `json:"number"` // from 1
	At         time.Time     `json:"at"`
	StatusCode int           `json:"status_code"` // 0 without an answer
	Duration   time.Duration `json:"-"`
	Phases     Phases        `json:"-"`
	Request    SentRequest   `json:"request"`
	Response   *Response     `json:"response"` // null without an answer
	Error      *AttemptError `json:"error"`    // null after a success
	Notes      []FieldError  `json:"notes"`    // where null was sent because the payload could not be made as it was meant; that a kept access token was refused
}

// Phases is where an attempt's time went. A phase that did not happen, such as connecting on a connection that was
// open already, is zero.
type Phases struct {
	DNS, Connect, TLS, FirstByte, Total time.Duration
}

// SentRequest is the call exactly as it was sent, with credentials left out.
type SentRequest struct {
	Method  string   `json:"method"`
	URL     string   `json:"url"`
	Headers []Header `json:"headers"`
	Body    []byte   `json:"-"`
}

// Response is what the receiver answered, its body cut to MaxResponseBody.
type Response struct {
	StatusCode int      `json:"status_code"`
	Headers    []Header `json:"headers"`
	Body       []byte   `json:"-"`
	Truncated  bool     `json:"truncated"` // there was more body than is kept
}

// Header is one header line.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// MaxResponseBody is how much of an answer's body is kept, in bytes.
const MaxResponseBody = 16 << 10

// AttemptError is why an attempt failed.
type AttemptError struct {
	Kind    string `json:"kind"`    // one of a closed set, such as timeout or status
	Message string `json:"message"` // a sentence that a person understands
}
