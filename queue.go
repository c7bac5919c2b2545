package postroom

import "time"

// DeliveryState is where a delivery stands in the queue. What people see is DeliveryStatus; it is derived from the
// state and from whether the webhook is active. The numbers are stored and never change their meaning; those below
// StateSucceeded are the queue, and one partial index holds just them.
//
//	publish ──▶ StateLeased ──▶ StateSucceeded
//	   │            │  ▲   └──▶ StateFailed ◀─┐ (a person may retry: back to waiting)
//	   ▼            ▼  │                      │
//	StateFresh   StateRetry ──── exhausted ───┘
//	StateReplay      any waiting state ──▶ StateCancelled
//
// Only the holder of the newest claim may move a delivery out of StateLeased, until its lease runs out.
//
// A delivery with an order key that is published while another of the key is in the queue begins in StateParked. At most one
// of a key is in the queue in another state: the head. When the head ends, the first that is parked becomes StateFresh.
type DeliveryState int

// The states of a delivery.
const (
	StateLeased    DeliveryState = 0  // a node holds it in memory, until due_at
	StateFresh     DeliveryState = 1  // waits for its first attempt
	StateRetry     DeliveryState = 2  // waits for another attempt
	StateReplay    DeliveryState = 3  // waits, because a person asked for it again
	StateParked    DeliveryState = 4  // waits until those of its order key that came before it have ended; nobody claims it
	StateSucceeded DeliveryState = 10 // the receiver took it
	StateFailed    DeliveryState = 11 // given up
	StateCancelled DeliveryState = 12 // discarded
)

// WaitingStates are the states from which a node may claim a delivery.
func WaitingStates() []DeliveryState {
	return []DeliveryState{StateFresh, StateRetry, StateReplay}
}

// Outgoing is an event to publish, and what became of it.
type Outgoing struct {
	Event  *Event
	Keys   []string      // what may be published once in 24 hours
	Except WebhookID     // which does not get it, such as the one that it tells of
	To     []WebhookID   // nil for all that subscribe
	State  DeliveryState // where deliveries wait that do not fit into memory: StateFresh, or StateReplay

	// Set when it is published.
	Webhooks  []WebhookID // which will receive it
	Duplicate *EventID    // the event that has one of the keys already; nothing was stored
}

// Publication is an event with all that is stored with it in one transaction.
type Publication struct {
	Event      *Event
	Deliveries []NewDelivery
	Keys       []string // what may be published once in 24 hours; one that is taken makes it a duplicate
	Revision   int64    // of the subscriptions that were matched; 0 not to check

	// Set by the store.
	Duplicate *EventID // the event that has the key; nothing was stored
	Stale     bool     // the subscriptions have changed: match again; nothing was stored
}

// NewDelivery is a delivery to be stored with its event.
type NewDelivery struct {
	ID        DeliveryID
	WebhookID WebhookID
	State     DeliveryState // StateLeased for one that goes straight to this node's lane, else a waiting state
	DueAt     time.Time     // when the lease ends, or when it is due
	Test      bool
	OrderKey  *string // what it must stay in order with, among those of its webhook; nil for nothing

	// Set by the store.
	Parked bool // it waits behind others of its key: it was stored in StateParked, and neither leased nor due
}

// Job is a delivery that this node has leased, with all that an attempt needs but the webhook.
type Job struct {
	DeliveryID DeliveryID
	WebhookID  WebhookID
	Event      *Event
	From       DeliveryState // where it was claimed from: its share of the lane
	Claim      int           // fences the result: only the newest claim counts
	Attempts   int           // made before
	LeaseUntil time.Time
	Test       bool
	OrderKey   *string // nil for none
}

// Finish is the end of one attempt: what happened, and what becomes of the delivery.
type Finish struct {
	Job     *Job
	Attempt *Attempt
	Outcome Outcome
	Health  *Health        // of the receiver from now on; nil when it has not changed
	Also    []*Publication // events that this causes, stored in the same transaction unless it is lost

	// Set by the store.
	Lost     bool // another claim was newer: the attempt was logged, the delivery left alone
	Next     bool // the next delivery of the order key waits now in StateFresh; says nothing when lost
	Doubtful bool // an earlier try to store it failed in a way that leaves open whether it is stored
}

// Outcome is what an attempt means for its delivery.
type Outcome struct {
	State  DeliveryState // StateSucceeded, StateFailed, StateCancelled or StateRetry
	NextAt time.Time     // when to try again, with StateRetry
	Stop   WebhookStatus // what the webhook is to become: WebhookPaused or WebhookDisabled; empty to leave it
	Reason string        // why, with Stop
}

// Ended tells whether the delivery leaves the queue.
func (o Outcome) Ended() bool { return o.State >= StateSucceeded }

// OrderCursor is a place in the list of all order keys.
type OrderCursor struct {
	WebhookID WebhookID
	Key       string
}

// Due is a webhook for which deliveries wait.
type Due struct {
	WorkspaceID WorkspaceID
	WebhookID   WebhookID
	At          time.Time // when the first is due
}
