package outbound

import (
	"context"

	"github.com/postroom/postroom"
)

// watchBuffer is how far a follower may lag behind before it misses events.
const watchBuffer = 256

// Watch gives the events that this node publishes for a workspace from now on, until ctx ends. A follower that is too slow
// misses some.
func (e *Engine) Watch(ctx context.Context, workspace postroom.WorkspaceID) <-chan postroom.Event {
	return e.watchers.Follow(ctx, workspace, watchBuffer, nil)
}

// StopWatching ends what all followers are given, so that a server can stop.
func (e *Engine) StopWatching() { e.watchers.Stop() }

// tell passes a published event on.
func (e *Engine) tell(event *postroom.Event) { e.watchers.Tell(event.WorkspaceID, event) }
