package payload

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// fewMembers is up to how many members of an object each key is compared with all before it.
const fewMembers = 32

// member is where a member of an open object has been written. It ends where the next one, or the object, does.
type member struct {
	start, keyEnd int    // in dst, of the key with its quotes
	hash          uint64 // fingerprint of the key
}

func (m member) key(dst []byte) []byte { return dst[m.start:m.keyEnd] }

// fingerprint is equal for equal keys and mostly differs for others. Whoever makes keys with equal ones gains nothing: the keys
// are then compared, or sorted, as they are.
func fingerprint(key []byte) uint64 {
	n := len(key)
	var a, b uint64
	switch {
	case n >= 8:
		a = binary.LittleEndian.Uint64(key)
		b = binary.LittleEndian.Uint64(key[n-8:])
	case n >= 4:
		a = uint64(binary.LittleEndian.Uint32(key))
		b = uint64(binary.LittleEndian.Uint32(key[n-4:]))
	case n == 3: // quotes and one byte
		a = uint64(key[1])
	}
	return (a^bits.RotateLeft64(b, 29)+uint64(n))*0x9e3779b97f4a7c15 ^ b
}

// keyOrder watches the keys of one object as they come, for what JavaScript would order otherwise.
type keyOrder struct {
	odd       bool // an array index came late, or, among few members, a key came twice
	nextIndex int64
	named     bool // a key that is no array index has come
}

// add takes the key of m, which comes after those of before.
func (o *keyOrder) add(dst []byte, before []member, m member) {
	if o.odd {
		return
	}
	if index := arrayIndex(m.key(dst)); index < 0 {
		o.named = true
	} else {
		o.odd = o.named || index < o.nextIndex
		o.nextIndex = index + 1
		return // one that comes twice is below nextIndex the second time
	}
	if len(before) >= fewMembers {
		return
	}
	for i := range before {
		if before[i].hash == m.hash && bytes.Equal(before[i].key(dst), m.key(dst)) {
			o.odd = true
			return
		}
	}
}

// arrayIndex is the number that a key, in its quotes, is if it is an array index (ECMA-262, 6.1.7): a decimal without leading
// zeros, from 0 to 2^32-2. It is -1 for other keys.
func arrayIndex(key []byte) int64 {
	digits := key[1 : len(key)-1]
	if len(digits) == 0 || len(digits) > len("4294967294") || digits[0] == '0' && len(digits) > 1 {
		return -1
	}
	var index int64
	for _, c := range digits {
		if !isDigit(c) {
			return -1
		}
		index = index*10 + int64(c-'0')
	}
	if index >= math.MaxUint32 {
		return -1
	}
	return index
}

// mayRepeat reports that two members may have the same key: it is certainly false if it says so.
func mayRepeat(members []member) bool {
	hashes := make([]uint64, len(members))
	for i, m := range members {
		hashes[i] = m.hash
	}
	slices.Sort(hashes)
	for i, h := range hashes[1:] {
		if h == hashes[i] {
			return true
		}
	}
	return false
}

// span is a part of dst.
type span struct{ start, end int }

// oddObject is an object in dst whose members must be rearranged.
type oddObject struct {
	span
	members []span // as they must come, without those that a later one replaces
}

// newOddObject finds the order of the members of the object that begins at start and ends with dst.
func newOddObject(dst []byte, start int, members []member) oddObject {
	type entry struct {
		member
		index int64 // as array index, or -1
		order int   // where it was mentioned first
		value span
	}
	entries := make([]entry, len(members))
	for i, m := range members {
		end := len(dst) - 1
		if i+1 < len(members) {
			end = members[i+1].start - 1
		}
		entries[i] = entry{m, arrayIndex(m.key(dst)), i, span{m.start, end}}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), bytes.Compare(a.key(dst), b.key(dst)), cmp.Compare(a.order, b.order))
	})
	kept := entries[:0]
	for _, e := range entries {
		if n := len(kept); n > 0 && bytes.Equal(kept[n-1].key(dst), e.key(dst)) {
			kept[n-1].value = e.value
			continue
		}
		kept = append(kept, e)
	}
	slices.SortFunc(kept, func(a, b entry) int {
		// As uint64, -1 comes after all indexes.
		return cmp.Or(cmp.Compare(uint64(a.index), uint64(b.index)), cmp.Compare(a.order, b.order))
	})
	o := oddObject{span: span{start, len(dst)}, members: make([]span, len(kept))}
	for i, e := range kept {
		o.members[i] = e.value
	}
	return o
}

// rearrange writes dst from base on once more, with the members of odd objects in their order. All is done in one go, so that
// odd objects inside of others cost no more than those beside others.
func (w *writer) rearrange(dst []byte, base int) []byte {
	slices.SortFunc(w.odd, func(a, b oddObject) int { return cmp.Compare(a.start, b.start) })
	out := make([]byte, 0, len(dst)-base)
	out = w.appendSpan(out, dst, span{base, len(dst)})
	return append(dst[:base], out...)
}

// appendSpan appends a part of dst that cuts through no object.
func (w *writer) appendSpan(out, dst []byte, part span) []byte {
	for {
		i, _ := slices.BinarySearchFunc(w.odd, part.start, func(o oddObject, start int) int { return cmp.Compare(o.start, start) })
		if i == len(w.odd) || w.odd[i].start >= part.end {
			return append(out, dst[part.start:part.end]...)
		}
		o := &w.odd[i]
		out = append(out, dst[part.start:o.start+1]...)
		for n, m := range o.members {
			if n > 0 {
				out = append(out, ',')
			}
			out = w.appendSpan(out, dst, m)
		}
		out = append(out, '}')
		part.start = o.end
	}
}
