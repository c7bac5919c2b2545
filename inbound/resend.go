package inbound

import (
	"context"

	"github.com/postroom/postroom"
)

// Resend takes a stored request in as a new one, because a person wants it. It is not verified again, since what it proved itself with is not
// kept, and what it brings is acted on even if it came before.
func (in *Intake) Resend(ctx context.Context, source postroom.SourceID, r *postroom.Request) (*postroom.Request, error) {
	src, err := in.sources.get(ctx, source)
	if err != nil {
		return nil, err
	}
	now := in.now()
	again := &postroom.Request{ID: postroom.Next[postroom.RequestKind](in.ids, now), WorkspaceID: src.WorkspaceID, SourceID: src.ID, At: now,
		Method: r.Method, Target: r.Target, Headers: r.Headers, Body: r.Body, Sender: r.Sender}
	if r.State != postroom.RequestLeased || r.Claim > 0 { // else it was made up, to try the source
		again.ResentFrom = &r.ID
	}
	return in.take(ctx, verifiedBefore(src, again))
}
