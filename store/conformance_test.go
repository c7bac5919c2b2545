package store

import (
	"maps"
	"slices"
	"testing"
)

// conformance is what both databases do in the same way. Each test has workspaces of its own in a database that it shares with the others,
// which run at the same time.
func conformance() map[string]func(*fixture) {
	all := contactConformance()
	maps.Copy(all, map[string]func(*fixture){
		"Workspaces":        testWorkspaces,
		"DeleteWorkspace":   testDeleteWorkspace,
		"Revisions":         testRevisions,
		"Keys":              testKeys,
		"Members":           testMembers,
		"LastAdminRace":     testLastAdminRace,
		"Sessions":          testSessions,
		"SignInFailures":    testSignInFailures,
		"EventTypes":        testEventTypes,
		"Idempotency":       testIdempotency,
		"IdempotencyRace":   testIdempotencyRace,
		"Webhooks":          testWebhooks,
		"WebhookUID":        testWebhookUID,
		"WebhookUIDRace":    testWebhookUIDRace,
		"WebhookPages":      testWebhookPages,
		"WebhooksOfDialect": testWebhooksOfDialect,
		"CustomerWebhooks":  testCustomerWebhooks,
		"Portal":            testPortal,
		"WebhookNumberRace": testWebhookNumberRace,
		"UpdateWebhook":     testUpdateWebhook,
		"UpdateWebhookRace": testUpdateWebhookRace,
		"WebhookStatus":     testWebhookStatus,
		"DeleteWebhook":     testDeleteWebhook,
		"Secrets":           testSecrets,
		"Publish":           testPublish,
		"AddDeliveries":     testAddDeliveries,
		"EventByUID":        testEventByUID,
		"PublishKeys":       testPublishKeys,
		"PublishRace":       testPublishRace,
		"PublishStale":      testPublishStale,
		"Events":            testEvents,
		"Deliveries":        testDeliveries,
		"Attempts":          testAttempts,
		"AttemptOddText":    testAttemptOddText,
		"Claim":             testClaim,
		"ClaimOrder":        testClaimOrder,
		"ClaimRace":         testClaimRace,
		"ClaimWithoutEvent": testClaimWithoutEvent,
		"Finish":            testFinish,
		"FinishPause":       testFinishPause,
		"Leases":            testLeases,
		"Due":               testDue,
		"WaitingAndBacklog": testWaitingAndBacklog,
		"Requeue":           testRequeue,
		"DiscardQueue":      testDiscardQueue,
		"DiscardRace":       testDiscardRace,
		"ReplayPages":       testReplayPages,
		"ReplayRequeues":    testReplayRequeues,
		"ReplayRace":        testReplayRace,
		"ReplayLeases":      testReplayLeases,
		"ReplayCancel":      testReplayCancel,
		"Replays":           testReplays,
		"DiscardCutOff":     testDiscardCutOff,
		"AttemptsOf":        testAttemptsOf,
		"ChangeRefused":     testChangeRefused,
		"MetaPingInfo":      testMetaPingInfo,
		"Order":             testOrder,
		"OrderTogether":     testOrderTogether,
		"OrderLeave":        testOrderLeave,
		"OrderDiscard":      testOrderDiscard,
		"OrderWithoutEvent": testOrderWithoutEvent,
		"OrderRace":         testOrderRace,
		"OrderRaceLeaving":  testOrderRaceLeaving,
		"Health":            testHealth,
		"CausedEvents":      testCausedEvents,
		"Commit":            testCommit,
		"CommitRace":        testCommitRace,
		"CommitPeople":      testCommitContacts,
		"CommitPeopleStale": testCommitContactsStale,
		"CommitPeopleRace":  testCommitContactsRace,
		"CommitDays":        testCommitDays,
		"ContactLookups":    testContactLookups,
		"CommitLog":         testCommitLog,
		"Requests":          testRequests,
		"RetryRequest":      testRetryRequest,
		"ClearRequests":     testClearRequests,
		"DeleteIntake":      testDeleteWorkspaceIntake,
		"Sources":           testSources,
		"SourcePages":       testSourcePages,
		"SourceRevisions":   testSourceRevisions,
		"SourceCalls":       testSourceCalls,
		"SourceUIDRace":     testSourceUIDRace,
		"SourceHealth":      testSourceHealth,
		"EveryTextPrepares": testEveryTextPrepares,
	})
	return all
}

// sharing is what both databases do when writes share commits. Each test has the committers to itself.
func sharing() map[string]func(*fixture) {
	return map[string]func(*fixture){
		"SharedCommits":            testSharedCommits,
		"LargeBatch":               testLargeBatch,
		"PublishFailure":           testPublishFailure,
		"PublishFailureBehindKeys": testPublishFailureBehindKeys,
		"CommitKeys":               testCommitKeys,
		"CommitShared":             testCommitShared,
		"CommitContactsShared":     testCommitContactsShared,
		"CommitContactsAudited":    testCommitContactsAudited,
		"CommitFailure":            testCommitFailure,
		"DefectiveCaller":          testDefectiveCaller,
		"CancelledChange":          testCancelledChange,
	}
}

func TestConformance(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		s := db.open()
		for name, test := range conformance() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(db.fixture(t, s))
			})
		}
	})
}

func TestSharing(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		s := db.open()
		for _, name := range slices.Sorted(maps.Keys(sharing())) {
			t.Run(name, func(t *testing.T) { sharing()[name](db.fixture(t, s)) })
		}
	})
}
