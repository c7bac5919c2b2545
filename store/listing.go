package store

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// listing builds the SELECT of a list that is ordered by id, newest first, and filtered by what a person asked for. All
// values are parameters. What an index finds in the order of ids are its conditions; what is left to look at row by row
// are its filters, and those see no more than a window of rows.
type listing struct {
	columns, table, id string
	newer              bool
	conditions         []string
	filters            []string
	args               []any
	driving            int                      // how many args the conditions have
	states             []postroom.DeliveryState // one ordered arm for each, so that each can use the index of its state
	either             []string                 // conditions without values, each of which makes an ordered arm in the same way
	window             int                      // how many rows of each arm the filters look at; set before sql
	index              string                   // for SQLite; empty to let it choose
}

// A condition is SQL in which each $ stands for a value.
type condition struct {
	text   string
	values []any
}

func is(text string, value any) condition { return condition{text, []any{value}} }

// defaultListWindow is how many rows the filters of a list look at, and defaultTextWindow those of a search in events' data: as
// many as take a few hundredths of a second.
const (
	defaultListWindow = 5000
	defaultTextWindow = 4000
)

func newListing(cursor *postroom.Cursor, id, columns, table string) *listing {
	l := &listing{columns: columns, table: table, id: id}
	if cursor != nil {
		l.newer = cursor.Newer
		if l.newer {
			l.where(is(id+" > $", cursor.ID[:]))
		} else {
			l.where(is(id+" < $", cursor.ID[:]))
		}
	}
	return l
}

// where adds a condition that an index meets. All of them come before the first filter.
func (l *listing) where(c condition) {
	l.conditions = append(l.conditions, l.bind(c))
	l.driving = len(l.args)
}

// filter adds a condition that rows are looked at for.
func (l *listing) filter(c condition) { l.filters = append(l.filters, l.bind(c)) }

func (l *listing) bind(c condition) string {
	parts := strings.Split(c.text, "$")
	text := parts[0]
	for i, part := range parts[1:] {
		l.args = append(l.args, c.values[i])
		text += "$" + strconv.Itoa(len(l.args)) + part
	}
	return text
}

// drive makes one of several conditions the one that an index meets, and filters of the others. None is driving if there is
// no such one.
func (l *listing) drive(all []condition, one int) {
	if one >= 0 && one < len(all) {
		l.where(all[one])
	}
	for i, c := range all {
		if i != one {
			l.filter(c)
		}
	}
}

// between bounds the ids by the time that they carry.
func (l *listing) between(after, before time.Time) {
	from, to := bounds(after, before)
	if !after.IsZero() {
		l.where(is(l.id+" >= $", from[:]))
	}
	if !before.IsZero() {
		l.where(is(l.id+" < $", to[:]))
	}
}

// patternOf is the condition of an event type: a name, or "group.*"; false for all.
func patternOf(column, pattern string) (c condition, isGroup, some bool) {
	group, isGroup := strings.CutSuffix(pattern, ".*")
	switch {
	case pattern == "" || pattern == "*":
		return c, false, false
	case isGroup:
		prefix := group + "." // compared as such: what is greater than a text depends on the database's locale
		return is("substr("+column+", 1, "+strconv.Itoa(utf8.RuneCountInString(prefix))+") = $", prefix), true, true
	default:
		return is(column+" = $", pattern), false, true
	}
}

func (l *listing) order() string {
	if l.newer {
		return " ORDER BY " + l.id
	}
	return " ORDER BY " + l.id + " DESC"
}

// sql gives the text and its arguments.
func (l *listing) sql(limit int) (string, []any) {
	end := l.order() + " LIMIT " + strconv.Itoa(limit)
	arms := l.arms(l.columns)
	for i, arm := range arms {
		if len(l.filters) > 0 {
			arm = "SELECT " + l.columns + " FROM (" + arm + l.order() + " LIMIT " + strconv.Itoa(l.window) + ") AS recent" + strconv.Itoa(i) +
				" WHERE " + strings.Join(l.filters, " AND ")
		}
		arms[i] = arm + end
	}
	return l.together(arms, "*", end), l.args
}

// rest gives the text that finds how far a query has looked whose filters saw a whole window; it finds nothing when all was
// looked at. Of several arms, it is the place up to which each of them has looked.
func (l *listing) rest() (string, []any) {
	arms := l.arms(l.id)
	for i := range arms {
		arms[i] += l.order() + " LIMIT 1 OFFSET " + strconv.Itoa(l.window-1)
	}
	direction := " DESC"
	if l.newer {
		direction = ""
	}
	return l.together(arms, l.id, " ORDER BY "+l.id+direction+" LIMIT 1"), l.args[:l.driving]
}

// together makes one query of ordered arms.
func (l *listing) together(arms []string, columns, end string) string {
	if len(arms) == 1 {
		return arms[0]
	}
	for i, arm := range arms {
		arms[i] = "SELECT * FROM (" + arm + ") AS arm" + strconv.Itoa(i)
	}
	return "SELECT " + columns + " FROM (" + strings.Join(arms, " UNION ALL ") + ") AS arms" + end
}

// arms are the queries, one for each state, that an index answers in the order of ids.
func (l *listing) arms(columns string) []string {
	if len(l.either) > 0 {
		arms := make([]string, len(l.either))
		for i, c := range l.either {
			arms[i] = l.arm(columns, " AND "+c, l.index)
		}
		return arms
	}
	if len(l.states) == 0 {
		return []string{l.arm(columns, "", l.index)}
	}
	arms := make([]string, len(l.states))
	for i, state := range l.states {
		index := l.index
		if state == postroom.StateLeased && index != "deliveries_event" {
			index = "deliveries_queue" // not in the order of ids, but few are leased
		}
		arms[i] = l.arm(columns, stateCondition(state), index)
	}
	return arms
}

func (l *listing) arm(columns, more, index string) string {
	from := l.table
	if index != "" {
		from += " INDEXED BY " + index
	}
	return "SELECT " + columns + " FROM " + from + " WHERE " + strings.Join(l.conditions, " AND ") + more
}

// stateCondition names a state together with the condition of the partial index that holds it.
func stateCondition(state postroom.DeliveryState) string {
	n := strconv.Itoa(int(state))
	switch state {
	case postroom.StateLeased:
		return " AND state = 0 AND state < 10"
	case postroom.StateSucceeded:
		return " AND state = 10 AND state <> 0"
	}
	return " AND state = " + n + " AND state <> 0 AND state <> 10"
}

// looked finds how far a query has looked that found so many rows, and cuts off what lies beyond: there one arm has looked and
// another has not. It is nil when the query looked at all that there is, or found a whole page.
func looked[T any](ctx context.Context, s *Store, l *listing, found []T, limit int, id func(T) [16]byte) ([]T, *[16]byte, error) {
	if len(l.filters) == 0 || len(found) >= limit && max(len(l.states), len(l.either)) < 2 {
		return found, nil, nil
	}
	text, args := l.rest()
	var rest *[16]byte
	err := s.read(ctx, func(q querier) error {
		return q.eachText(ctx, "rest", translate(s.dialect, text), func(row func(...any) error) error {
			var place []byte
			err := row(&place)
			rest = (*[16]byte)(place)
			return err
		}, args...)
	})
	if err != nil || rest == nil {
		return found, nil, err
	}
	found, rest = cut(found, rest, limit, l.newer, id)
	return found, rest, nil
}

// cut cuts off what lies beyond the place up to which a query has looked. Where that leaves a whole page, the place does not matter.
func cut[T any](found []T, rest *[16]byte, limit int, newer bool, id func(T) [16]byte) ([]T, *[16]byte) {
	if rest == nil {
		return found, nil
	}
	for i, v := range found {
		if beyond(id(v), *rest, newer) {
			found = found[:i]
			break
		}
	}
	if len(found) >= limit {
		rest = nil
	}
	return found, rest
}

// beyond tells whether a place comes after another one in the direction of a list.
func beyond(place, other [16]byte, newer bool) bool {
	if newer {
		return string(place[:]) > string(other[:])
	}
	return string(place[:]) < string(other[:])
}

// probeRows is how many rows a probe counts at most.
const probeRows = 1000

// rarest says which of several conditions fewest rows meet, as far as a short look tells, and the first of those that many
// meet. PostgreSQL's own estimate takes what is rare at one time for evenly spread, and then reads a whole table for it.
func (s *Store) rarest(ctx context.Context, l *listing, all []condition) (best int, err error) {
	if len(all) < 2 {
		return len(all) - 1, nil
	}
	fewest := probeRows + 1
	err = s.read(ctx, func(q querier) error {
		for i, c := range all {
			probe := listing{columns: "1", table: l.table, id: l.id, conditions: append([]string(nil), l.conditions...), args: append([]any(nil), l.args...)}
			probe.where(c)
			var n int
			text := "SELECT count(*) FROM (" + probe.arm("1", "", "") + " LIMIT " + strconv.Itoa(probeRows) + ") AS few"
			if err := q.eachText(ctx, "probe", translate(s.dialect, text), func(row func(...any) error) error { return row(&n) }, probe.args...); err != nil {
				return err
			}
			if n < fewest {
				fewest, best = n, i
			}
		}
		return nil
	})
	return best, err
}
