package outbound

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/postroom/postroom"
)

// watchers are those who follow what is published, such as a tail.
type watchers struct {
	n  atomic.Int64 // how many there are, so that publishing costs nothing when there is none
	mu sync.Mutex
	to map[*watcher]struct{}
}

type watcher struct {
	workspace postroom.WorkspaceID
	events    chan postroom.Event
}

// watchBuffer is how far a follower may lag behind before it misses events.
const watchBuffer = 256

// Watch gives the events that this node publishes for a workspace from now on, until ctx ends. A follower that is too slow
// misses some.
func (e *Engine) Watch(ctx context.Context, workspace postroom.WorkspaceID) <-chan postroom.Event {
	w := &watcher{workspace, make(chan postroom.Event, watchBuffer)}
	s := &e.watchers
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
	return w.events
}

func (s *watchers) end(w *watcher) {
	if _, ok := s.to[w]; ok {
		delete(s.to, w)
		s.n.Add(-1)
		close(w.events)
	}
}

// StopWatching ends what all followers are given, so that a server can stop.
func (e *Engine) StopWatching() {
	e.watchers.mu.Lock()
	defer e.watchers.mu.Unlock()
	for w := range e.watchers.to {
		e.watchers.end(w)
	}
}

// tell passes a published event on.
func (e *Engine) tell(event *postroom.Event) {
	s := &e.watchers
	if s.n.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.to {
		if w.workspace == event.WorkspaceID {
			select {
			case w.events <- *event:
			default:
			}
		}
	}
}
