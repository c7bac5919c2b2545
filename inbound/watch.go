package inbound

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/postroom/postroom"
)

// watchers are those who follow what comes in, such as a developer's machine.
type watchers struct {
	n  atomic.Int64 // how many there are, so that taking a call costs nothing when there is none
	mu sync.Mutex
	to map[*watcher]struct{}
}

type watcher struct {
	workspace postroom.WorkspaceID
	source    postroom.SourceID // zero for all of the workspace
	requests  chan postroom.Request
}

// watchBuffer is how far a follower may lag behind before it misses requests.
const watchBuffer = 64

// Watch gives the requests of a source, or of the whole workspace for the zero id, as this node stores them from now on, until ctx ends. One that
// is processed again comes again. A follower that is too slow misses some.
func (in *Intake) Watch(ctx context.Context, workspace postroom.WorkspaceID, source postroom.SourceID) <-chan postroom.Request {
	w := &watcher{workspace, source, make(chan postroom.Request, watchBuffer)}
	s := &in.watchers
	s.mu.Lock()
	if s.to == nil {
		s.to = map[*watcher]struct{}{}
	}
	s.to[w] = struct{}{}
	s.n.Add(1)
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.end(w)
	})
	return w.requests
}

func (s *watchers) end(w *watcher) {
	if _, ok := s.to[w]; ok {
		delete(s.to, w)
		s.n.Add(-1)
		close(w.requests)
	}
}

// StopWatching ends what all followers are given, so that a server can stop.
func (in *Intake) StopWatching() {
	in.watchers.mu.Lock()
	defer in.watchers.mu.Unlock()
	for w := range in.watchers.to {
		in.watchers.end(w)
	}
}

// tell passes a stored request on.
func (s *watchers) tell(r *postroom.Request) {
	if s.n.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.to {
		if w.workspace == r.WorkspaceID && (w.source.IsZero() || w.source == r.SourceID) {
			select {
			case w.requests <- *r:
			default:
			}
		}
	}
}
