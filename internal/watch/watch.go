// Package watch passes on what happens, as it happens, to those who follow it.
package watch

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/postroom/postroom"
)

// Followers are those who follow what happens in a workspace, such as a tail or a page that is open. The zero value has none.
type Followers[T any] struct {
	n  atomic.Int64 // how many there are, so that telling costs nothing when there is none
	mu sync.Mutex
	to map[*follower[T]]struct{}
}

type follower[T any] struct {
	workspace postroom.WorkspaceID
	wants     func(*T) bool
	news      chan T
}

// Follow gives what is told from now on of a workspace and wanted, until ctx ends. A follower that lags behind by more than the
// given number misses some. A nil wants wants all.
func (f *Followers[T]) Follow(ctx context.Context, workspace postroom.WorkspaceID, lag int, wants func(*T) bool) <-chan T {
	w := &follower[T]{workspace, wants, make(chan T, lag)}
	f.mu.Lock()
	if f.to == nil {
		f.to = map[*follower[T]]struct{}{}
	}
	f.to[w] = struct{}{}
	f.n.Add(1)
	f.mu.Unlock()
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.end(w)
	})
	return w.news
}

func (f *Followers[T]) end(w *follower[T]) {
	if _, ok := f.to[w]; ok {
		delete(f.to, w)
		f.n.Add(-1)
		close(w.news)
	}
}

// Stop ends what all followers are given, so that a server can stop.
func (f *Followers[T]) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.to {
		f.end(w)
	}
}

// Tell passes on what happened in a workspace. It never waits.
func (f *Followers[T]) Tell(workspace postroom.WorkspaceID, news *T) {
	if f.n.Load() == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.to {
		if w.workspace == workspace && (w.wants == nil || w.wants(news)) {
			select {
			case w.news <- *news:
			default:
			}
		}
	}
}
