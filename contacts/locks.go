package contacts

import (
	"context"
	"hash/maphash"
	"slices"

	"github.com/postroom/postroom"
)

// stripes is how many locks there are. Contacts that share one wait for each other without need, which is rare.
const stripes = 1024

// Locks let changes of the same contact on this node take turns, whether a call to a source, an import or a person makes them, so that they do
// not race each other for its version. What other nodes do, or who means the same contact by another reference, is for the store to find out.
type Locks struct {
	seed maphash.Seed
	held []chan struct{} // each holds a token while it is taken
}

// NewLocks makes locks.
func NewLocks() *Locks {
	l := &Locks{maphash.MakeSeed(), make([]chan struct{}, stripes)}
	for i := range l.held {
		l.held[i] = make(chan struct{}, 1)
	}
	return l
}

// Lock waits until nobody else holds any of the contacts that are referred to, and then holds them until unlock is called. The only error
// is that of ctx, with which nothing is held.
func (l *Locks) Lock(ctx context.Context, workspace postroom.WorkspaceID, refs []postroom.ContactRef) (unlock func(), err error) {
	places := make([]int, 0, len(refs))
	for i := range refs {
		if key := RefKey(&refs[i]); key != "" {
			var h maphash.Hash
			h.SetSeed(l.seed)
			_, _ = h.Write(workspace[:]) // never fails
			_, _ = h.WriteString(key)
			places = append(places, int(h.Sum64()%stripes))
		}
	}
	slices.Sort(places) // all take them in the same order, so that nobody waits for somebody who waits for them
	places = slices.Compact(places)
	for i, n := range places {
		select {
		case l.held[n] <- struct{}{}:
		case <-ctx.Done():
			l.unlock(places[:i])
			return nil, ctx.Err()
		}
	}
	return func() { l.unlock(places) }, nil
}

func (l *Locks) unlock(places []int) {
	for _, n := range places {
		<-l.held[n]
	}
}

// RefKey is what a reference looks a contact up by; empty for one that means nobody.
func RefKey(r *postroom.ContactRef) string {
	switch {
	case !r.ID.IsZero():
		return "i:" + string(r.ID[:])
	case r.Email != "":
		return "e:" + postroom.Fold(trim(r.Email))
	case r.UID != "":
		return "u:" + r.UID
	case r.Phone != "":
		return "p:" + r.Phone
	}
	return ""
}
