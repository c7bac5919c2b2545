package inbound

import (
	"context"
	"hash/maphash"
	"slices"

	"github.com/postroom/postroom"
)

// stripes is how many locks there are. Contacts that share one wait for each other without need, which is rare.
const stripes = 1024

// locks keep a node from racing itself: calls about the same contact are processed one after the other. What other nodes do at the same
// time, and what is known of a contact by another name, is caught when it is stored.
type locks struct {
	seed maphash.Seed
	held []chan struct{} // each holds a token while it is taken
}

func newLocks() locks {
	l := locks{maphash.MakeSeed(), make([]chan struct{}, stripes)}
	for i := range l.held {
		l.held[i] = make(chan struct{}, 1)
	}
	return l
}

// lock waits for the contacts that some references mean.
func (l *locks) lock(ctx context.Context, workspace postroom.WorkspaceID, refs []postroom.ContactRef) (unlock func(), err error) {
	numbers := make([]int, 0, len(refs))
	for i := range refs {
		if key := refKey(&refs[i]); key != "" {
			var h maphash.Hash
			h.SetSeed(l.seed)
			_, _ = h.Write(workspace[:]) // never fails
			_, _ = h.WriteString(key)
			numbers = append(numbers, int(h.Sum64()%stripes))
		}
	}
	slices.Sort(numbers) // all take them in the same order, so that nobody waits for somebody who waits for them
	numbers = slices.Compact(numbers)
	for i, n := range numbers {
		select {
		case l.held[n] <- struct{}{}:
		case <-ctx.Done():
			l.unlock(numbers[:i])
			return nil, ctx.Err()
		}
	}
	return func() { l.unlock(numbers) }, nil
}

func (l *locks) unlock(numbers []int) {
	for _, n := range numbers {
		<-l.held[n]
	}
}

// refKey is what a reference looks a contact up by; empty for one that means nobody.
func refKey(r *postroom.ContactRef) string {
	switch {
	case !r.ID.IsZero():
		return "i:" + string(r.ID[:])
	case r.Email != "":
		return "e:" + postroom.Fold(r.Email)
	case r.UID != "":
		return "u:" + r.UID
	case r.Phone != "":
		return "p:" + r.Phone
	}
	return ""
}
