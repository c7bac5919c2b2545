// Package failpoint marks the places between steps where a test wants the process to die.
//
//	code ──▶ failpoint.Hit("published") ──▶ nothing, in an ordinary build
//	                                   └──▶ SIGKILL, in a build with the tag failpoints, when the environment asks for it
//
// POSTROOM_TEST_FAILPOINT=NAME:N kills the process at the Nth time that NAME is hit.
package failpoint

// The points, in the order of an event's way.
const (
	BeforePublish = "before-publish" // matched, not stored
	AfterPublish  = "after-publish"  // stored, not in a lane, nobody has heard of it
	BeforeSend    = "before-send"    // leased, built and signed, not sent
	AfterSend     = "after-send"     // answered, the result only in memory
	BeforeRecord  = "before-record"  // results gathered, not stored
	InCommit      = "in-commit"      // written, not committed
	AfterRecord   = "after-record"   // stored, the lanes do not know
	AfterClaim    = "after-claim"    // leased from the database, not in a lane
	AfterRelease  = "after-release"  // put back while stopping
)

// Names are all points, for the tests that go through them.
func Names() []string {
	return []string{BeforePublish, AfterPublish, BeforeSend, AfterSend, BeforeRecord, InCommit, AfterRecord, AfterClaim, AfterRelease}
}
