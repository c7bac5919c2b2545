package inbound

import (
	"slices"

	"github.com/postroom/postroom/payload"
)

// object is a JSON object that is being written: an event's data. What nobody looks into stays the bytes that it came as.
type object struct {
	members []member
	version int // grows with each change
}

// member is a member of an object. Once something in it was set, it is open, and raw is stale.
type member struct {
	key  string
	raw  []byte
	open *object
}

// fewMembers is up to how many members are compared one by one: that costs less than a map of their places.
const fewMembers = 16

// openObject takes an object apart, one level deep. Of members with one name the last counts.
func openObject(raw []byte) *object {
	o := &object{}
	var place map[string]int
	_ = payload.Members(raw, func(key, value []byte) error { // what is not valid has no members
		i, twice := 0, false
		if place == nil {
			i = slices.IndexFunc(o.members, func(m member) bool { return m.key == string(key) })
			twice = i >= 0
		} else {
			i, twice = place[string(key)]
		}
		if twice {
			o.members[i].raw = value
			return nil
		}
		o.members = append(o.members, member{key: string(key), raw: value})
		if n := len(o.members); place != nil {
			place[string(key)] = n - 1
		} else if n == fewMembers {
			place = make(map[string]int, 2*n)
			for i, m := range o.members {
				place[m.key] = i
			}
		}
		return nil
	})
	return o
}

// copied is an object like one in which nothing was set yet.
func (o *object) copied() *object { return &object{members: slices.Clone(o.members)} }

func (o *object) find(key string) *member {
	i := slices.IndexFunc(o.members, func(m member) bool { return m.key == key })
	if i < 0 {
		return nil
	}
	return &o.members[i]
}

// set puts a value at a path. Objects on the way are made; what is no object there is replaced by one.
func (o *object) set(path []string, raw []byte) {
	o.version++
	m := o.find(path[0])
	if m == nil {
		o.members = append(o.members, member{key: path[0]})
		m = &o.members[len(o.members)-1]
	}
	if len(path) == 1 {
		m.raw, m.open = raw, nil
		return
	}
	if m.open == nil {
		m.open = openObject(m.raw)
	}
	m.open.set(path[1:], raw)
}

// get is the value at a path, nil if there is none.
func (o *object) get(path ...string) []byte {
	m := o.find(path[0])
	switch {
	case m == nil:
		return nil
	case len(path) > 1 && m.open != nil:
		return m.open.get(path[1:]...)
	case len(path) > 1:
		return openObject(m.raw).get(path[1:]...)
	case m.open != nil:
		return m.open.append(nil)
	}
	return m.raw
}

// remove takes a member away.
func (o *object) remove(key string) {
	o.version++
	o.members = slices.DeleteFunc(o.members, func(m member) bool { return m.key == key })
}

// append writes the object.
func (o *object) append(dst []byte) []byte {
	dst = append(dst, '{')
	for _, m := range o.members {
		dst = payload.AppendKey(dst, m.key)
		if m.open != nil {
			dst = m.open.append(dst)
		} else {
			dst = append(dst, m.raw...)
		}
	}
	return append(dst, '}')
}
