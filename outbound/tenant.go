package outbound

import (
	"slices"

	"github.com/postroom/postroom"
)

// tenant is a workspace among the lanes. Workspaces take turns, and within each its lanes. Of what is bounded (places and bytes in
// memory, attempts at once) a workspace may have one half of what the others leave, so that each that comes still finds some.
type tenant struct {
	workspace postroom.WorkspaceID
	lanes     int     // that it has
	ring      []*lane // those with work that may go out, taking turns
	crowded   []*lane // those that had their turn when the workspace had its share of the workers
	places    int     // taken or promised
	bytes     int     // of the events' data there
	active    int     // attempts under way
}

// half is how much more of something a workspace may have: a half of what there is but for what others have, less what it has.
func half(all, others, own int) int { return (all-others)/2 - own }

func (s *lanes) tenant(id postroom.WorkspaceID) *tenant {
	t := s.tenants[id]
	if t == nil {
		t = &tenant{workspace: id}
		s.tenants[id] = t
	}
	return t
}

// dropTenant forgets a workspace that has nothing here.
func (s *lanes) dropTenant(t *tenant) {
	if t.lanes == 0 && t.places == 0 {
		delete(s.tenants, t.workspace)
	}
}

// mayBegin tells whether the workspace has a worker left for a lane. For the first attempt of a lane some more are kept, so that
// lanes whose receivers hang do not keep the others of the same workspace from going on.
func (s *lanes) mayBegin(l *lane) bool {
	left := s.workers - (s.active - l.tenant.active)
	if l.active == 0 {
		return l.tenant.active < max(1, left*3/4)
	}
	return l.tenant.active < left/2
}

// enterRing gives a lane its place behind the others of its workspace, and the workspace behind the others.
func (s *lanes) enterRing(l *lane) {
	l.inRing = true
	t := l.tenant
	t.ring = append(t.ring, l)
	if len(t.ring) == 1 {
		s.turns = append(s.turns, t)
	}
	s.ready++
}

// turn takes the lane whose turn it is out of the ring.
func (s *lanes) turn() *lane {
	t := s.turns[0]
	s.turns[0] = nil
	s.turns = s.turns[1:]
	l := t.ring[0]
	t.ring[0] = nil
	t.ring = t.ring[1:]
	if len(t.ring) > 0 {
		s.turns = append(s.turns, t)
	}
	l.inRing = false
	s.ready--
	return l
}

// leaveRing takes a lane out of the ring out of turn, and out of the crowd.
func (s *lanes) leaveRing(l *lane) {
	t := l.tenant
	if l.crowded {
		l.crowded = false
		t.crowded = slices.DeleteFunc(t.crowded, func(other *lane) bool { return other == l })
	}
	if !l.inRing {
		return
	}
	l.inRing = false
	s.ready--
	t.ring = slices.DeleteFunc(t.ring, func(other *lane) bool { return other == l })
	if len(t.ring) == 0 {
		s.turns = slices.DeleteFunc(s.turns, func(other *tenant) bool { return other == t })
	}
}

// uncrowd lets lanes that waited for an attempt of their workspace to end have their turn: two for one, as its share may have
// grown meanwhile.
func (s *lanes) uncrowd(t *tenant) {
	for range min(2, len(t.crowded)) {
		l := t.crowded[0]
		t.crowded[0] = nil
		t.crowded = t.crowded[1:]
		l.crowded = false
		s.enter(l)
	}
}
