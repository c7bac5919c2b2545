package store

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// listing builds the SELECT of a list that is ordered by id, newest first, and filtered by what a person asked for. All
// values are parameters.
type listing struct {
	columns, table, id string
	newer              bool
	conditions         []string
	args               []any
	states             []postroom.DeliveryState // one ordered arm for each, so that each can use the index of its state
	window             int                      // look at no more than so many rows; 0 for no bound
	index              string                   // for SQLite; empty to let it choose
}

func newListing(cursor *postroom.Cursor, id, columns, table string) *listing {
	l := &listing{columns: columns, table: table, id: id}
	if cursor != nil {
		l.newer = cursor.Newer
		if l.newer {
			l.where(id+" > $", cursor.ID[:])
		} else {
			l.where(id+" < $", cursor.ID[:])
		}
	}
	return l
}

// where adds a condition; its one $ stands for the value.
func (l *listing) where(condition string, value any) {
	l.args = append(l.args, value)
	l.conditions = append(l.conditions, strings.Replace(condition, "$", "$"+strconv.Itoa(len(l.args)), 1))
}

// between bounds the ids by the time that they carry.
func (l *listing) between(after, before time.Time) {
	from, to := bounds(after, before)
	if !after.IsZero() {
		l.where(l.id+" >= $", from[:])
	}
	if !before.IsZero() {
		l.where(l.id+" < $", to[:])
	}
}

// pattern filters an event type: a name, "group.*", or "*" for all.
func (l *listing) pattern(column, pattern string) {
	switch group, isGroup := strings.CutSuffix(pattern, ".*"); {
	case pattern == "" || pattern == "*":
	case isGroup:
		prefix := group + "." // compared as such: what is greater than a text depends on the database's locale
		l.where("substr("+column+", 1, "+strconv.Itoa(utf8.RuneCountInString(prefix))+") = $", prefix)
	default:
		l.where(column+" = $", pattern)
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
	if len(l.states) == 0 {
		return l.arm("", l.index) + end, l.args
	}
	arms := make([]string, len(l.states))
	for i, state := range l.states {
		index := l.index
		if index == "" && state == postroom.StateLeased {
			index = "deliveries_queue" // not in the order of ids, but few are leased
		}
		arms[i] = "SELECT * FROM (" + l.arm(stateCondition(state), index) + end + ") AS arm" + strconv.Itoa(i)
	}
	return "SELECT * FROM (" + strings.Join(arms, " UNION ALL ") + ") AS arms" + end, l.args
}

func (l *listing) arm(more, index string) string {
	from, conditions := l.table, l.conditions
	if index != "" {
		from += " INDEXED BY " + index
	}
	if l.window > 0 { // the last condition is the costly one: it sees a bounded number of rows
		inner := conditions[:len(conditions)-1]
		from = "(SELECT " + l.columns + " FROM " + l.table + " WHERE " + strings.Join(inner, " AND ") + l.order() + " LIMIT " + strconv.Itoa(l.window) + ") AS recent"
		conditions = conditions[len(conditions)-1:]
	}
	return "SELECT " + l.columns + " FROM " + from + " WHERE " + strings.Join(conditions, " AND ") + more
}

// stateCondition names a state together with the condition of the partial index that holds it.
func stateCondition(state postroom.DeliveryState) string {
	n := strconv.Itoa(int(state))
	switch state {
	case postroom.StateLeased:
		return " AND state = 0 AND state < 10"
	case postroom.StateSucceeded:
		return " AND state = 10"
	}
	return " AND state = " + n + " AND state <> 0 AND state <> 10"
}
