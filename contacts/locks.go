package contacts

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/postroom/postroom"
)

// Locks let changes of the same contact on this node take turns, so that they do not race each other for its version. Contacts share locks, of which there
// is a fixed number. What other nodes do, or who means the same contact by another reference, is for the store to find out.
type Locks struct {
	seed    maphash.Seed
	stripes [256]sync.Mutex
}

// NewLocks makes locks.
func NewLocks() *Locks { return &Locks{seed: maphash.MakeSeed()} }

// Lock waits until nobody else holds any of the contacts that are referred to, and then holds them until unlock is called.
func (l *Locks) Lock(workspace postroom.WorkspaceID, refs []postroom.ContactRef) (unlock func()) {
	var places []int
	for _, ref := range refs {
		key := "p" + ref.Phone
		switch {
		case !ref.ID.IsZero():
			key = "i" + ref.ID.String()
		case ref.Email != "":
			key = "e" + postroom.Fold(trim(ref.Email))
		case ref.UID != "":
			key = "u" + ref.UID
		}
		places = append(places, int(maphash.String(l.seed, workspace.String()+key)%uint64(len(l.stripes))))
	}
	slices.Sort(places) // all take them in the same order, so that nobody waits for who waits for it
	places = slices.Compact(places)
	for _, place := range places {
		l.stripes[place].Lock()
	}
	return func() {
		for _, place := range places {
			l.stripes[place].Unlock()
		}
	}
}
