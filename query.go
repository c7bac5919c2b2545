package postroom

import (
	"encoding/base64"
	"time"
)

// Bounds of a page of a list.
const (
	DefaultPageLimit = 50
	MaxPageLimit     = 250
)

// PageQuery asks for one page of a list, newest first.
type PageQuery struct {
	Limit  int    // 1 to MaxPageLimit; 0 for DefaultPageLimit
	Cursor string // next_cursor or prev_cursor of another page; empty for the first
}

// Page is one page of a list, newest first. A page may hold less than was asked for, or nothing, and yet have a cursor: a
// query looks at a bounded number of things.
type Page[T any] struct {
	Data       []T     `json:"data"`
	NextCursor *string `json:"next_cursor"` // older things; null on the last page
	PrevCursor *string `json:"prev_cursor"` // newer things; null on the first page
}

// Cursor is a place in a list that is ordered by id. People see it as an opaque string.
type Cursor struct {
	Newer bool     // the page holds what is newer than ID, else what is older
	ID    [16]byte // the place itself is not part of the page
}

// String writes the cursor as people see it.
func (c Cursor) String() string {
	b := [17]byte{0: 'o'}
	if c.Newer {
		b[0] = 'n'
	}
	copy(b[1:], c.ID[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ParseCursor reads what String wrote.
func ParseCursor(s string) (Cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != 17 || b[0] != 'o' && b[0] != 'n' {
		return Cursor{}, Invalid(CodeInvalid, "?cursor", "this is not a cursor that a list returned")
	}
	c := Cursor{Newer: b[0] == 'n'}
	copy(c.ID[:], b[1:])
	return c, nil
}

// NewPage cuts what a query found into a page. found holds up to limit+1 things in the direction of the query (oldest
// first when the cursor asks for newer ones); id gives the place of a thing. rest, if not nil, is how far the query looked
// before it gave up: then there may be more, even where it found little or nothing.
func NewPage[T any](found []T, limit int, cursor *Cursor, rest *[16]byte, id func(T) [16]byte) Page[T] {
	var end [16]byte
	more := len(found) > limit
	if more {
		found = found[:limit]
	}
	switch {
	case !more && rest != nil:
		more, end = true, *rest
	case len(found) > 0:
		end = id(found[len(found)-1])
	default:
		return Page[T]{Data: []T{}}
	}
	first := end // of what is shown; of an empty page, the place up to which nothing is
	if len(found) > 0 {
		first = id(found[0])
	}
	newer := cursor != nil && cursor.Newer
	if newer {
		for i, j := 0, len(found)-1; i < j; i, j = i+1, j-1 {
			found[i], found[j] = found[j], found[i]
		}
	}
	page := Page[T]{Data: found}
	if page.Data == nil {
		page.Data = []T{}
	}
	pointer := func(c Cursor) *string {
		s := c.String()
		return &s
	}
	switch {
	case newer:
		page.NextCursor = pointer(Cursor{ID: first})
		if more {
			page.PrevCursor = pointer(Cursor{Newer: true, ID: end})
		}
	default:
		if more {
			page.NextCursor = pointer(Cursor{ID: end})
		}
		if cursor != nil {
			page.PrevCursor = pointer(Cursor{Newer: true, ID: first})
		}
	}
	return page
}

// EventFilter chooses events. What is zero does not filter.
type EventFilter struct {
	Type     string // a name, "group.*" or "*"
	After    time.Time
	Before   time.Time
	Contact  string // an email address, or the id, uid or phone of a contact without one
	Campaign string
	Text     string // is part of the data
}

// DeliveryFilter chooses deliveries. What is zero does not filter.
type DeliveryFilter struct {
	Webhook    WebhookID
	Event      EventID
	Type       string
	Status     DeliveryStatus
	StatusCode int // of the newest attempt
	After      time.Time
	Before     time.Time
}

// MaxWaiting is how far what waits is counted; beyond it, it is told that there are more.
const MaxWaiting = 10000

// Stats is what happened to a webhook's deliveries, or a workspace's, in a span of time.
type Stats struct {
	After        Timestamp    `json:"after"`  // where the first step begins
	Before       Timestamp    `json:"before"` // where the last step ends
	Attempts     int64        `json:"attempts"`
	Succeeded    int64        `json:"succeeded"`     // deliveries
	Failed       int64        `json:"failed"`        // deliveries given up
	Retried      int64        `json:"retried"`       // attempts that failed and are followed by another
	Duplicates   int64        `json:"-"`             // of a source: requests that came before
	Refused      int64        `json:"-"`             // of a source: requests that were not verified, or not wanted
	SuccessRate  *float64     `json:"success_rate"`  // of the attempts, from 0 to 1; null without any
	LatencyMs    LatencyStats `json:"latency_ms"`    // of attempts that were answered, in milliseconds
	LastStatus   int          `json:"last_status"`   // of the newest attempt; 0 without an answer
	LastAt       *Timestamp   `json:"last_at"`       // when the newest attempt began
	Waiting      int64        `json:"waiting"`       // deliveries that wait now, held ones too, counted up to MaxWaiting
	WaitingMore  bool         `json:"waiting_more"`  // there are more than MaxWaiting
	WaitingSince *Timestamp   `json:"waiting_since"` // when the oldest of them was made
	Series       []StatsPoint `json:"series"`
}

// LatencyStats are a mean and percentiles, in milliseconds.
type LatencyStats struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
}

// StatsPoint is one step of a series.
type StatsPoint struct {
	At         Timestamp     `json:"at"` // when the step begins
	Attempts   int64         `json:"attempts"`
	Succeeded  int64         `json:"succeeded"`
	Failed     int64         `json:"failed"`
	Retried    int64         `json:"retried"`
	Duplicates int64         `json:"-"`
	Refused    int64         `json:"-"`
	LatencyMs  *LatencyStats `json:"latency_ms"` // of what was answered in the step; null for nothing
}
