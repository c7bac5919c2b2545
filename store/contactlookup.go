package store

import (
	"context"
	"encoding/json"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

const (
	// maxLookups is how many queries for contacts run at the same time. With more of them fewer callers would share each.
	maxLookups = 2
	// maxRefsShared is how many references a caller may have whose query is shared.
	maxRefsShared = 20
	// maxRefsPerLookup bounds a shared query.
	maxRefsPerLookup = 200
	// lookupTime is how long a shared query may take: nobody's impatience ends what others wait for.
	lookupTime = 10 * time.Second
)

// lookups let those who look for contacts at the same time share a query, since most of what a query costs is the same for one contact and for
// many. Nobody waits for company: while maxLookups queries run, whoever comes waits for the next, which the first of them runs for all.
type lookups struct {
	mu      sync.Mutex
	running int
	waiting []*contactLookup
}

type contactLookup struct {
	workspace postroom.WorkspaceID
	refs      []postroom.ContactRef
	found     []*postroom.Contact
	err       error
	ready     chan bool // true: run the next query; false: the result is there
}

// finder runs a query for contacts of a workspace.
type finder func(workspace postroom.WorkspaceID, refs []postroom.ContactRef) ([]*postroom.Contact, error)

// find looks for contacts.
func (l *lookups) find(workspace postroom.WorkspaceID, refs []postroom.ContactRef, query finder) ([]*postroom.Contact, error) {
	one := &contactLookup{workspace: workspace, refs: refs, ready: make(chan bool, 1)}
	l.mu.Lock()
	first := l.running < maxLookups
	if first {
		l.running++
	} else {
		l.waiting = append(l.waiting, one)
	}
	l.mu.Unlock()
	if first {
		runtime.Gosched() // calls come in bursts, as when a commit has answered many: those that are on their way join
	} else if first = <-one.ready; !first {
		return one.found, one.err
	}
	defer l.next()
	batch := l.take(one)
	answer(batch, query)
	for _, other := range batch[1:] {
		other.ready <- false
	}
	return one.found, one.err
}

// take takes those of the waiting who share a query with one, which does not wait any more: nobody else may take it too.
func (l *lookups) take(one *contactLookup) []*contactLookup {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch, refs := []*contactLookup{one}, len(one.refs)
	l.waiting = slices.DeleteFunc(l.waiting, func(o *contactLookup) bool {
		if o.workspace != one.workspace || refs+len(o.refs) > maxRefsPerLookup {
			return false
		}
		batch, refs = append(batch, o), refs+len(o.refs)
		return true
	})
	return batch
}

// next lets the first of the waiting run a query.
func (l *lookups) next() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.running--
		return
	}
	first := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	first.ready <- true
}

// answer runs the query of a batch. When it fails, each gets one of its own, so that what is wrong with one does not keep the others from
// theirs.
func answer(batch []*contactLookup, query finder) {
	all := batch[0].refs
	if len(batch) > 1 {
		all = nil
		for _, o := range batch {
			all = append(all, o.refs...)
		}
	}
	found, err := query(batch[0].workspace, all)
	if err != nil && len(batch) > 1 {
		for _, o := range batch {
			o.found, o.err = query(o.workspace, o.refs)
		}
		return
	}
	given := map[*postroom.Contact]bool{}
	for _, o := range batch {
		if o.err = err; err != nil {
			continue
		}
		o.found, found = found[:len(o.refs):len(o.refs)], found[len(o.refs):]
		for i, c := range o.found {
			if c != nil && len(batch) > 1 {
				if given[c] {
					o.found[i] = cloned(c)
				}
				given[c] = true
			}
		}
	}
}

// cloned is a contact of which nothing is shared that a caller may change.
func cloned(c *postroom.Contact) *postroom.Contact {
	clone := *c
	clone.Tags, clone.Lists, clone.CustomFields = slices.Clone(c.Tags), slices.Clone(c.Lists), map[string]json.RawMessage{}
	maps.Copy(clone.CustomFields, c.CustomFields)
	return &clone
}

// findTogether finds contacts for those who share a query. A defect in it is an error, so that nobody waits for ever.
func (s *Store) findTogether(workspace postroom.WorkspaceID, refs []postroom.ContactRef) (found []*postroom.Contact, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	err = guarded(func() (err error) {
		found, err = s.findAlone(ctx, workspace, refs)
		return err
	})
	return found, err
}
