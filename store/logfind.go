package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// An idRange is the ids from one to another, both included.
type idRange struct{ first, last place }

// lookup asks for ranges of ids in which rows may be that have all of some terms, in the direction of a list.
type lookup struct {
	terms []term
	newer bool
	idRange
}

// turned orders ids the other way round, so that what follows only ever goes from high to low.
func (r idRange) turned(newer bool) idRange {
	if !newer {
		return r
	}
	return idRange{flip(r.last), flip(r.first)}
}

func flip(id place) place {
	for i := range id {
		id[i] = ^id[i]
	}
	return id
}

// find visits the ranges, until visit says to stop. They do not overlap.
func (x *logIndex) find(ctx context.Context, q querier, l lookup, visit func(idRange) (stop bool, err error)) error {
	bounds := l.turned(l.newer)
	waiting := make([][]idRange, len(l.terms)) // by term: what is found but may still overlap with what is not
	keep := func(s span) {
		for i, t := range l.terms {
			if s.term == t {
				waiting[i] = append(waiting[i], idRange{s.first, s.last}.turned(l.newer))
			}
		}
	}
	type part struct {
		number int64
		idRange
	}
	var parts []part
	x.mu.RLock()
	x.live.each(keep)
	for _, s := range x.segments {
		if r := (idRange{s.first, s.last}).turned(l.newer); !less(r.last, bounds.first) && !less(bounds.last, r.first) {
			parts = append(parts, part{s.number, r})
		}
	}
	x.mu.RUnlock()
	slices.SortFunc(parts, func(a, b part) int { return strings.Compare(string(b.last[:]), string(a.last[:])) })

	for step := 2; ; step = min(4*step, 64) {
		n := min(step, len(parts))
		numbers := make([]int64, n)
		for i, p := range parts[:n] {
			numbers[i] = p.number
		}
		if err := readSpans(ctx, q, numbers, l.terms, keep); err != nil {
			return err
		}
		parts = parts[n:]
		known := place{} // nothing that is still to be read lies beyond it
		if len(parts) > 0 {
			known = up(parts[0].last)
		}
		var ready []idRange
		for i := range waiting {
			var part []idRange
			part, waiting[i] = split(waiting[i], known)
			if i == 0 {
				ready = part
			} else {
				ready = intersect(ready, part)
			}
		}
		for _, r := range ready {
			r = idRange{highest(r.first, bounds.first), lowest(r.last, bounds.last)}
			if less(r.last, r.first) {
				continue
			}
			if stop, err := visit(r.turned(l.newer)); stop || err != nil {
				return err
			}
		}
		if len(parts) == 0 {
			return nil
		}
	}
}

func highest(a, b place) place {
	if less(a, b) {
		return b
	}
	return a
}

func lowest(a, b place) place {
	if less(b, a) {
		return b
	}
	return a
}

// readSpans reads the buckets of terms in segments.
func readSpans(ctx context.Context, q querier, numbers []int64, terms []term, visit func(span)) error {
	if len(numbers) == 0 {
		return nil
	}
	var places []string
	for _, number := range numbers {
		for i, t := range terms {
			if !slices.ContainsFunc(terms[:i], func(other term) bool { return other%spanBuckets == t%spanBuckets }) {
				places = append(places, strconv.FormatInt(number*spanBuckets+int64(t%spanBuckets), 10))
			}
		}
	}
	return q.eachText(ctx, "log_spans", "SELECT spans FROM log_spans WHERE place IN ("+strings.Join(places, ",")+")", func(row func(...any) error) error {
		var spans []byte
		if err := row(&spans); err != nil {
			return err
		}
		return decodeSpans(spans, visit)
	})
}

// split orders ranges from high to low without overlaps, and parts them at an id: those from it on, and those below.
func split(ranges []idRange, at place) (above, below []idRange) {
	slices.SortFunc(ranges, func(a, b idRange) int {
		return cmp.Or(strings.Compare(string(b.last[:]), string(a.last[:])), strings.Compare(string(b.first[:]), string(a.first[:])))
	})
	for i, r := range ranges {
		if less(r.last, at) {
			return above, append(below, ranges[i:]...)
		}
		if less(r.first, at) {
			below = append(below, idRange{r.first, down(at)})
			r.first = at
		}
		if n := len(above); n > 0 && !less(r.last, above[n-1].first) {
			if !less(r.first, above[n-1].first) {
				continue // all of it is there
			}
			r.last = down(above[n-1].first)
		}
		above = append(above, r)
	}
	return above, below
}

// intersect gives what is in both of two lists that go from high to low.
func intersect(a, b []idRange) (both []idRange) {
	for len(a) > 0 && len(b) > 0 {
		if r := (idRange{highest(a[0].first, b[0].first), lowest(a[0].last, b[0].last)}); !less(r.last, r.first) {
			both = append(both, r)
		}
		if less(a[0].first, b[0].first) {
			b = b[1:]
		} else {
			a = a[1:]
		}
	}
	return both
}

// throughIndex lists what lies in the ranges of a lookup: fetch lists what it can within a range, or among
// some ids. It looks at about so many rows as the window is, and says how far it came if it found fewer than the limit.
func throughIndex[T any](ctx context.Context, s *Store, x *logIndex, l lookup, limit, window int, fetch func(within condition, limit int) ([]T, error)) (all []T, rest *[16]byte, err error) {
	var singles []any
	looked := 0
	flush := func() error {
		if len(singles) == 0 || len(all) >= limit {
			return nil
		}
		found, err := fetch(condition{"id IN ($" + strings.Repeat(", $", len(singles)-1) + ")", singles}, limit-len(all))
		all, singles = append(all, found...), nil
		return err
	}
	err = s.read(ctx, func(q querier) error {
		err := x.find(ctx, q, l, func(r idRange) (stop bool, err error) {
			if looked >= window {
				end := up(r.last) // nothing of this range was looked at
				if l.newer {
					end = down(r.first)
				}
				rest = &end
				return true, nil
			}
			if r.first == r.last {
				looked++
				if singles = append(singles, r.first[:]); len(singles) >= limit {
					err = flush()
				}
				return len(all) >= limit, err
			}
			looked += x.live.block
			if err := flush(); err != nil || len(all) >= limit {
				return true, err
			}
			found, err := fetch(condition{"id >= $ AND id <= $", []any{r.first[:], r.last[:]}}, limit-len(all))
			all = append(all, found...)
			return len(all) >= limit, err
		})
		if err != nil {
			return err
		}
		return flush()
	})
	if len(all) >= limit {
		rest = nil
	}
	return all, rest, err
}

// lookupOf is a lookup within the span of time and beyond the cursor of a list; false when nothing can be there.
func lookupOf(terms []term, after, before time.Time, cursor *postroom.Cursor) (lookup, bool) {
	from, to := bounds(after, before)
	l := lookup{terms: terms, idRange: idRange{place(from), place(to)}}
	if !before.IsZero() {
		l.last = down(l.last)
	}
	if cursor == nil {
		return l, !less(l.last, l.first)
	}
	if l.newer = cursor.Newer; l.newer {
		l.first = highest(l.first, up(cursor.ID))
	} else {
		l.last = lowest(l.last, down(cursor.ID))
	}
	return l, !less(l.last, l.first) && (l.newer || cursor.ID != place{})
}
