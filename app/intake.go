package app

import (
	"context"

	"github.com/postroom/postroom"
)

// Intake is what the application needs of the taking in of calls.
type Intake interface {
	// Check refuses settings with which calls cannot be verified or understood. The errors blame pointers of the source's JSON.
	Check(ctx context.Context, workspace postroom.WorkspaceID, s *postroom.SourceSettings, secrets postroom.SourceSecrets) error
	// Changed tells that a source was made, changed or deleted.
	Changed(source postroom.SourceID)
	// Wake tells that a request is due now.
	Wake()
	// DryRun says what a source would make of a request, and stores nothing. Of the result, Request and Stored are not set.
	DryRun(ctx context.Context, s *postroom.StoredSource, r *postroom.Request) (postroom.SourceTest, error)
	// Resend takes a request in as a new one, without verifying it again.
	Resend(ctx context.Context, source postroom.SourceID, r *postroom.Request) (*postroom.Request, error)
	// Watch gives the requests of a source as this node stores them, until ctx ends.
	Watch(ctx context.Context, workspace postroom.WorkspaceID, source postroom.SourceID) <-chan postroom.Request
}
