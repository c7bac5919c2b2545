package postroom

import (
	"encoding/json"
	"unicode/utf8"
)

// SourceRequest is a request as the API shows it: Request, with what was done about it.
type SourceRequest struct {
	ID            RequestID      `json:"id"`
	SourceID      SourceID       `json:"source_id"`
	ReceivedAt    Timestamp      `json:"received_at"`
	Status        RequestStatus  `json:"status"`
	EventType     string         `json:"event_type"` // of what it told; of several events, the first's
	Sender        string         `json:"sender"`
	Method        string         `json:"method"`
	Path          string         `json:"path"` // with the query
	Records       int            `json:"records"`
	Attempts      int            `json:"attempts"`
	NextAttemptAt *Timestamp     `json:"next_attempt_at"`
	DurationMs    float64        `json:"duration_ms"`
	Error         *RequestError  `json:"error"`
	Warnings      []RequestNote  `json:"warnings,omitempty"`
	Actions       []ActionResult `json:"actions"`
	Events        []string       `json:"events"`
	Contacts      []ContactID    `json:"contacts"`
	ResentFrom    *RequestID     `json:"resent_from"`
	Answer        *SourceAnswer  `json:"answer"` // null if there was none

	// Only where one request is asked for, in exports of NDJSON and in tails.
	Headers    []Header `json:"headers,omitempty"`
	Body       *string  `json:"body,omitempty"`
	BodyBase64 []byte   `json:"body_base64,omitempty"` // in place of body, where it is not UTF-8
}

// Resource is the request as the API shows it; whole with its headers and its body, as text if that is UTF-8.
func (r *Request) Resource(whole bool) SourceRequest {
	out := SourceRequest{ID: r.ID, SourceID: r.SourceID, ReceivedAt: Timestamp{r.At}, Status: r.State.Status(), EventType: r.EventType,
		Sender: r.Sender, Method: r.Method, Path: r.Target, Records: r.Records, Attempts: r.Attempts, DurationMs: float64(r.Duration.Microseconds()) / 1000, Error: r.Log.Error,
		Warnings: r.Log.Warnings, Actions: listed(r.Log.Actions), Events: listed(r.Log.Events), Contacts: listed(r.Log.Contacts), ResentFrom: r.ResentFrom}
	if r.State == RequestWaiting || r.State == RequestRetry {
		out.NextAttemptAt = timestampOf(&r.DueAt)
	}
	if r.Status != 0 {
		out.Answer = &SourceAnswer{StatusCode: r.Status, Body: r.Answer}
	}
	if !whole {
		return out
	}
	out.Headers = listed(r.Headers)
	if utf8.Valid(r.Body) {
		text := string(r.Body)
		out.Body = &text
	} else {
		out.BodyBase64 = r.Body
	}
	return out
}

// listed is a list that JSON shows as one even when it is empty.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// SourceAnswer is what the caller of a source was answered.
type SourceAnswer struct {
	StatusCode int             `json:"status_code"`
	Body       json.RawMessage `json:"body,omitempty"`
}

// SourceTest is what a source makes of a call, beside the call.
type SourceTest struct {
	Stored   bool             `json:"stored"`   // it was done; else it would be
	Request  SourceRequest    `json:"request"`  // the call; of one that is not stored, the id is null
	Items    []SourceTestItem `json:"items"`    // the events that the call was split into
	Error    *RequestError    `json:"error"`    // why the call as a whole cannot be processed
	Warnings []RequestNote    `json:"warnings"` // of the call as a whole
}

// SourceTestItem is what a source makes of one event of a call.
type SourceTestItem struct {
	Number    int                        `json:"number"` // from 1
	Input     json.RawMessage            `json:"input"`  // what it is made from
	Type      string                     `json:"type"`   // of the catalogue, or the workspace's own; empty where it is not known
	Name      string                     `json:"name"`   // what the caller called it
	ID        string                     `json:"id"`     // the caller's own id of it
	Time      *Timestamp                 `json:"time"`
	Duplicate bool                       `json:"duplicate"` // it came before, and would not be acted on
	Fields    map[string]json.RawMessage `json:"fields"`    // of the contact, as the mapping makes them
	Data      json.RawMessage            `json:"data"`      // of the event, as the mapping makes it
	Contact   *Contact                   `json:"contact"`   // as it becomes; null for none
	Actions   []ActionResult             `json:"actions"`
	Events    []SourceTestEvent          `json:"events"`
	Error     *RequestError              `json:"error"`
	Warnings  []RequestNote              `json:"warnings"`
}

// SourceTestEvent is an event that is published.
type SourceTestEvent struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

// SourceStats is what happened to the requests of a source in a span of time.
type SourceStats struct {
	After      Timestamp          `json:"after"`  // where the first step begins
	Before     Timestamp          `json:"before"` // where the last step ends
	Requests   int64              `json:"requests"`
	Processed  int64              `json:"processed"`
	Failed     int64              `json:"failed"`  // given up
	Retried    int64              `json:"retried"` // tries that failed and are followed by another
	Duplicates int64              `json:"duplicates"`
	Refused    int64              `json:"refused"`
	DurationMs LatencyStats       `json:"duration_ms"` // of the processing
	LastAt     *Timestamp         `json:"last_at"`     // when the newest came
	Series     []SourceStatsPoint `json:"series"`
}

// SourceStatsPoint is one step of a series.
type SourceStatsPoint struct {
	At         Timestamp `json:"at"` // when the step begins
	Requests   int64     `json:"requests"`
	Processed  int64     `json:"processed"`
	Failed     int64     `json:"failed"`
	Retried    int64     `json:"retried"`
	Duplicates int64     `json:"duplicates"`
	Refused    int64     `json:"refused"`
}
