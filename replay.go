package postroom

import "time"

// Replay delivers again what was delivered, or was not: the deliveries of one webhook, or of a workspace, that a filter
// chooses. It goes through them from old to new in small steps, each of which also moves Cursor in the same transaction, so
// that a node can go on where another one ended.
//
//	ReplayRunning ──▶ ReplayDone ──┐ (while some of its deliveries wait)
//	     │  └───────▶ ReplayFailed └──▶ ReplayCancelled
//	     └────────────────────────────────────▲
//
// Its deliveries wait in StateReplay. They are due at its CreatedAt, which is how they are known from those of others.
type Replay struct {
	ID          ReplayID
	WorkspaceID WorkspaceID
	ReplayFilter
	State     ReplayState
	Reason    string // why it failed, in a sentence
	Total     int64  // deliveries that it is for, as far as it is known
	AtLeast   bool   // there may be more of them than Total
	Done      int64  // deliveries that were made to wait again
	Skipped   int64  // deliveries that had changed before their turn came
	Withdrawn int64  // of those done, that were taken back when it was cancelled
	Cursor    DeliveryID
	CreatedBy KeyID
	CreatedAt time.Time // in whole microseconds
	UpdatedAt time.Time
	EndedAt   *time.Time // nil while there is work to do, of a cancelled one too
}

// ReplayFilter chooses what is replayed. Tests of webhooks are never among it, nor what waits already.
type ReplayFilter struct {
	Webhook WebhookID      // zero for all webhooks of the workspace
	After   time.Time      // zero for no bound
	Before  time.Time      // zero for now
	Status  DeliveryStatus // DeliverySucceeded, DeliveryFailed or DeliveryCancelled; empty for all three
	Types   []string       // names, "group.*" or "*"; none for all
}

// ReplayState is how far a replay has come.
type ReplayState string

// The states of a replay.
const (
	ReplayRunning   ReplayState = "running"
	ReplayDone      ReplayState = "done"      // all of its deliveries were made to wait again, or were skipped
	ReplayCancelled ReplayState = "cancelled" // by a person
	ReplayFailed    ReplayState = "failed"    // it cannot go on
)

// ReplayStates are all the states, for checks and documentation.
func ReplayStates() []ReplayState {
	return []ReplayState{ReplayRunning, ReplayDone, ReplayCancelled, ReplayFailed}
}

// States are the states of the deliveries that the filter chooses: one, or all from StateSucceeded to StateCancelled.
func (f ReplayFilter) States() (first, last DeliveryState) {
	switch f.Status {
	case DeliverySucceeded:
		return StateSucceeded, StateSucceeded
	case DeliveryFailed:
		return StateFailed, StateFailed
	case DeliveryCancelled:
		return StateCancelled, StateCancelled
	}
	return StateSucceeded, StateCancelled
}

// Replayable is a delivery that a replay looks at, or several that are alike.
type Replayable struct {
	ID          DeliveryID // zero of several
	WebhookID   WebhookID
	Type        string
	State       DeliveryState
	Test        bool
	Deliverable bool  // its webhook was not deleted
	Count       int64 // how many; 1 of one
}

// ReplayStep is one step of a replay. It is stored whole or not at all.
type ReplayStep struct {
	IDs     []DeliveryID // that are made to wait again; or taken back, when the replay is cancelled
	Cursor  DeliveryID   // where the next step begins
	End     ReplayState  // what the replay becomes; empty to go on
	Reason  string       // with ReplayFailed
	Now     time.Time
	LeaseTo time.Time // until when the replay is this node's
}
