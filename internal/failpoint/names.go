package failpoint

// A Name is a place in the program.
type Name string

// The places, in the order in which an event comes by them. Each stands at one step's end, and before the next.
const (
	// An event on its way in.
	PublishBegun         Name = "publish.begun"          // matched, and room is reserved for it; nothing is stored
	PublishInTransaction Name = "publish.in-transaction" // its rows are written, before COMMIT
	PublishCommitted     Name = "publish.committed"      // before its deliveries are handed to their lanes
	PublishHandedOver    Name = "publish.handed-over"    // before the answer

	// A call to a source.
	IntakeVerified Name = "intake.verified" // before anything of it is read
	IntakeStored   Name = "intake.stored"   // before the answer

	// A call with an Idempotency-Key.
	KeyTaken     Name = "key.taken"     // the key is held, before the call is made
	KeyUnsettled Name = "key.unsettled" // the call is made, before its answer is stored
	KeySettled   Name = "key.settled"   // before the answer

	// A request to a source, or a change of contacts, with all that it causes.
	CommitBegun         Name = "commit.begun"          // its effects are known; nothing is stored
	CommitInTransaction Name = "commit.in-transaction" // its rows are written, before COMMIT
	CommitCommitted     Name = "commit.committed"      // before anybody is told

	// A claim of requests that wait to be processed.
	RequestClaimInTransaction Name = "request-claim.in-transaction" // before COMMIT
	RequestClaimCommitted     Name = "request-claim.committed"      // before they are processed

	// An attempt.
	AttemptBegun   Name = "attempt.begun"   // the delivery has left its lane
	AttemptBuilt   Name = "attempt.built"   // before the call
	AttemptSent    Name = "attempt.sent"    // the receiver has answered, before anybody is told
	AttemptDecided Name = "attempt.decided" // before the result is handed to who stores it

	// Results.
	RecordBegun         Name = "record.begun"          // a batch is gathered
	RecordInTransaction Name = "record.in-transaction" // before COMMIT
	RecordCommitted     Name = "record.committed"      // before the lanes are told

	// A claim of what waits in the database.
	ClaimInTransaction Name = "claim.in-transaction" // before COMMIT
	ClaimCommitted     Name = "claim.committed"      // before the lane gets it

	// What happens to leases.
	RenewInTransaction    Name = "renew.in-transaction"
	RenewCommitted        Name = "renew.committed"
	ReleaseInTransaction  Name = "release.in-transaction"
	ReleaseCommitted      Name = "release.committed"
	TakeOverInTransaction Name = "take-over.in-transaction"
	TakeOverCommitted     Name = "take-over.committed" // before anybody looks for what was taken over

	// A replay.
	ReplayInTransaction Name = "replay.in-transaction"
	ReplayCommitted     Name = "replay.committed" // before the lane is told

	// A stop.
	StopBegun    Name = "stop.begun"    // nothing new begins, before what has not begun is put back
	StopReleased Name = "stop.released" // before the attempts under way are waited for
	StopDrained  Name = "stop.drained"  // all results are stored
)

// Names are all places.
func Names() []Name {
	return []Name{
		PublishBegun, PublishInTransaction, PublishCommitted, PublishHandedOver,
		IntakeVerified, IntakeStored,
		KeyTaken, KeyUnsettled, KeySettled,
		CommitBegun, CommitInTransaction, CommitCommitted, RequestClaimInTransaction, RequestClaimCommitted,
		AttemptBegun, AttemptBuilt, AttemptSent, AttemptDecided,
		RecordBegun, RecordInTransaction, RecordCommitted,
		ClaimInTransaction, ClaimCommitted,
		RenewInTransaction, RenewCommitted, ReleaseInTransaction, ReleaseCommitted, TakeOverInTransaction, TakeOverCommitted,
		ReplayInTransaction, ReplayCommitted,
		StopBegun, StopReleased, StopDrained,
	}
}
