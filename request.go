package postroom

import (
	"encoding/json"
	"time"
)

// Request is one call that a source received, as it came, with what was done about it. Credentials that it carried are not kept.
type Request struct {
	ID          RequestID
	WorkspaceID WorkspaceID
	SourceID    SourceID
	At          time.Time // when it arrived
	Method      string
	Target      string   // path and query
	Headers     []Header // sorted by name
	Body        []byte   // as it came
	Sender      string   // the caller's address, behind trusted proxies; empty if it is not known
	ResentFrom  *RequestID
	RequestResult
}

// RequestResult is what was done about a request.
type RequestResult struct {
	State     RequestState
	Claim     int       // grows with each lease; fences the result
	DueAt     time.Time // when it is processed next; of a leased one, when the lease ends
	Attempts  int       // how often it was processed
	EventType string    // of what it told; of several events, the first's
	Records   int       // events that were acted on
	Duration  time.Duration
	Status    int             // of the answer that was sent
	Answer    json.RawMessage // the body of that answer
	Log       RequestLog
}

// RequestState is where a request stands. The numbers are stored and never change their meaning; those below
// RequestProcessed are the queue.
//
//	receive ──▶ RequestProcessed, RequestDuplicate, RequestRefused (at once, in the commit that stores it)
//	   │
//	   ├──▶ RequestWaiting ──▶ RequestLeased ──▶ RequestProcessed, RequestDuplicate
//	   └──▶ RequestRetry ────▶      │       └──▶ RequestFailed (a person may retry: back to RequestWaiting)
//	              ▲─────────────────┘ 5 min, 30 min, 2 h
//
// Only the holder of the newest claim may move a request out of RequestLeased, until its lease runs out.
type RequestState int

// The states of a request.
const (
	RequestLeased    RequestState = 0  // a node processes it, until due_at
	RequestWaiting   RequestState = 1  // is to be processed for the first time, or because a person asked for it
	RequestRetry     RequestState = 2  // could not be processed, and is tried again
	RequestProcessed RequestState = 10 // done
	RequestFailed    RequestState = 11 // given up
	RequestDuplicate RequestState = 12 // all of it came before; nothing was done again
	RequestRefused   RequestState = 13 // it could not be verified, or was not wanted; it is never processed
)

// RequestStatus is what people see of a request's state.
type RequestStatus string

// The statuses of a request.
const (
	StatusQueued    RequestStatus = "queued"
	StatusRetrying  RequestStatus = "retrying"
	StatusProcessed RequestStatus = "processed"
	StatusFailed    RequestStatus = "failed"
	StatusDuplicate RequestStatus = "duplicate"
	StatusRefused   RequestStatus = "refused"
)

// RequestStatuses are all of them.
func RequestStatuses() []RequestStatus {
	return []RequestStatus{StatusQueued, StatusRetrying, StatusProcessed, StatusFailed, StatusDuplicate, StatusRefused}
}

// Status is what people see of the state.
func (s RequestState) Status() RequestStatus {
	switch s {
	case RequestRetry:
		return StatusRetrying
	case RequestProcessed:
		return StatusProcessed
	case RequestFailed:
		return StatusFailed
	case RequestDuplicate:
		return StatusDuplicate
	case RequestRefused:
		return StatusRefused
	default:
		return StatusQueued
	}
}

// States are those that people see as the status; none for a status that does not exist.
func (s RequestStatus) States() (states []RequestState) {
	for _, state := range []RequestState{RequestLeased, RequestWaiting, RequestRetry, RequestProcessed, RequestFailed, RequestDuplicate, RequestRefused} {
		if state.Status() == s {
			states = append(states, state)
		}
	}
	return states
}

// RequestLog is what people see of how a request was processed. Of several tries it is the newest's.
type RequestLog struct {
	Error    *RequestError  `json:"error"` // why it was refused, failed or is tried again; null for nothing
	Warnings []RequestNote  `json:"warnings,omitempty"`
	Actions  []ActionResult `json:"actions,omitempty"` // in the order in which they ran
	Events   []string       `json:"events,omitempty"`  // public ids of the events that it published
	Contacts []ContactID    `json:"contacts,omitempty"`
}

// RequestError is why a request was refused or could not be processed.
type RequestError struct {
	Kind    string `json:"kind"` // for programs: a kind of inbound/scheme, or body, mapping, action, inactive, rate_limited, internal
	Message string `json:"message"`
	Event   int    `json:"event,omitempty"`  // which of the events of the call, from 1; 0 for the whole call
	Row     int    `json:"row,omitempty"`    // which row of the mapping, from 1
	Action  int    `json:"action,omitempty"` // which action, from 1
	Path    string `json:"path,omitempty"`   // where in the body
	Value   string `json:"value,omitempty"`  // what stands there, cut
}

// RequestNote is something that went otherwise than its owner may expect, and did not keep the request from being processed.
type RequestNote RequestError

// ActionResult is what came of an action.
type ActionResult struct {
	Event      int           `json:"event"`  // which of the events of the call, from 1
	Action     int           `json:"action"` // its place, from 1
	Type       ActionType    `json:"type"`
	Outcome    ActionOutcome `json:"outcome"`
	Detail     string        `json:"detail,omitempty"` // a sentence for people
	At         Timestamp     `json:"at"`
	DurationMs float64       `json:"duration_ms"`
	ContactID  *ContactID    `json:"contact_id,omitempty"`
	EventID    string        `json:"event_id,omitempty"`    // of the event that it published
	DeliveryID *DeliveryID   `json:"delivery_id,omitempty"` // of the call that it makes
}

// ActionOutcome says how an action ended.
type ActionOutcome string

// How an action ends.
const (
	OutcomeDone    ActionOutcome = "done"
	OutcomeNothing ActionOutcome = "unchanged" // all was as it should be
	OutcomeSkipped ActionOutcome = "skipped"   // its condition is false
	OutcomeQueued  ActionOutcome = "queued"    // a call that goes out as a delivery
	OutcomeFailed  ActionOutcome = "failed"
)

// RequestFilter chooses requests. What is zero does not filter.
type RequestFilter struct {
	Source    SourceID
	Status    RequestStatus
	EventType string
	Sender    string
	After     time.Time
	Before    time.Time
}

// RequestKey recognises what arrives twice. Of a call with several events each has its own.
type RequestKey struct {
	Key     string
	Request RequestID // set by the store: which request has it already; zero when it was free
}

// MaxRequestAttempts is how often a request is processed by itself: once, and three times again (seed: CloudCusp, "Retry Logic").
const MaxRequestAttempts = 4

// RequestRetries are the waits before each further try.
func RequestRetries() []time.Duration {
	return []time.Duration{5 * time.Minute, 30 * time.Minute, 2 * time.Hour}
}
