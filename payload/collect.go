package payload

// field is a place in an event's data that a template looks at, or that lies on the way to one. All of them are found in one pass
// over the data.
type field struct {
	name     string
	wanted   bool
	slot     int // where the value goes, if it is wanted
	end      int // the slot after the last one of this field and those below it
	children []*field
	byName   map[string]*field // of the children, if there are many
}

// fewChildren is how many children are looked through one by one.
const fewChildren = 8

// want adds a place and returns it. What comes after the first step that is not a name is left to follow.
func (f *field) want(steps []step) (at *field, rest []step) {
	for i, s := range steps {
		if s.every || s.index >= 0 {
			f.wanted = true
			return f, steps[i:]
		}
		next := f.find(s.name)
		if next == nil {
			next = &field{name: s.name}
			f.children = append(f.children, next)
			if f.byName != nil {
				f.byName[s.name] = next
			} else if len(f.children) > fewChildren {
				f.byName = map[string]*field{}
				for _, c := range f.children {
					f.byName[c.name] = c
				}
			}
		}
		f = next
	}
	f.wanted = true
	return f, nil
}

func (f *field) find(name string) *field {
	if f.byName != nil {
		return f.byName[name]
	}
	for _, c := range f.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// number gives each wanted place a slot, from next on.
func (f *field) number(next int) int {
	f.slot = next
	if f.wanted {
		next++
	}
	for _, c := range f.children {
		next = c.number(next)
	}
	f.end = next
	return next
}

// collect reads the value at the scanner's place and puts what is wanted of it into slots. A key that is there twice counts as the last
// one says.
func (f *field) collect(s *scanner, slots [][]byte) bool {
	clear(slots[f.slot:f.end])
	isObject := s.peek() == '{' && len(f.children) > 0
	start := s.pos
	if !isObject && !s.skip() || isObject && !f.members(s, slots) {
		return false
	}
	if f.wanted {
		slots[f.slot] = s.src[start:s.pos:s.pos]
	}
	return true
}

func (f *field) members(s *scanner, slots [][]byte) bool {
	if !s.open() {
		return false
	}
	for first := true; ; first = false {
		key, more := s.member(first)
		if !more {
			return s.failure == none
		}
		if child := f.child(s, key); child != nil {
			if !child.collect(s, slots) {
				return false
			}
		} else if !s.skip() {
			return false
		}
	}
}

func (f *field) child(s *scanner, key token) *field {
	if f.byName != nil {
		if key.special {
			return f.byName[string(decode(s.src[key.start:key.end]))]
		}
		return f.byName[string(s.src[key.start+1:key.end-1])]
	}
	for _, c := range f.children {
		if s.isKey(key, c.name) {
			return c
		}
	}
	return nil
}
