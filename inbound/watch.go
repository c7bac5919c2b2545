package inbound

import (
	"context"

	"github.com/postroom/postroom"
)

// Watch gives the requests of a source, or of the whole workspace for the zero id, as this node stores them from now on, until ctx ends. One that
// is processed again comes again. A follower that is too slow misses some.
func (in *Intake) Watch(ctx context.Context, workspace postroom.WorkspaceID, source postroom.SourceID) <-chan postroom.Request {
	return in.watchers.Follow(ctx, workspace, 64, func(r *postroom.Request) bool { return source.IsZero() || r.SourceID == source })
}

// StopWatching ends what all followers are given, so that a server can stop.
func (in *Intake) StopWatching() { in.watchers.Stop() }
