package store

import (
	"bytes"
	"cmp"
	"database/sql/driver"
	"maps"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// latencyBounds are the upper bounds of the first 15 of the 16 latency classes that a rollup counts.
func latencyBounds() [15]time.Duration {
	return [15]time.Duration{
		1 * time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond,
		50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, 1 * time.Second,
		2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
	}
}

// rollup sums attempts: those of one webhook, or of all webhooks of a workspace, in a minute, an hour or a day.
type rollup struct {
	rollupKey
	sums
}

// rollupKey says what a rollup sums. The zero webhook stands for the whole workspace, so that what it did need not be added up
// from what each of its webhooks did. The id of a source, in place of a webhook's, stands for its requests; they are no part of the
// workspace's own row.
type rollupKey struct {
	workspace postroom.WorkspaceID
	webhook   postroom.WebhookID
	startsAt  int64 // microseconds
}

func (k rollupKey) compare(o rollupKey) int {
	return cmp.Or(bytes.Compare(k.workspace[:], o.workspace[:]), bytes.Compare(k.webhook[:], o.webhook[:]), cmp.Compare(k.startsAt, o.startsAt))
}

// sums are the columns that rollups add up, in the order of the tables.
type sums struct {
	attempts, succeeded, failed, retried int64
	answered, latencyUs                  int64
	statusCode                           int64
	at                                   int64
	classes                              [16]int64
	duplicates, refused                  int64 // of sources
}

// values are the sums as the texts take them.
func (s *sums) values() []driver.Value {
	v := make([]driver.Value, 0, 10+len(s.classes))
	v = append(v, s.attempts, s.succeeded, s.failed, s.retried, s.answered, s.latencyUs, s.statusCode, s.at)
	for _, n := range s.classes {
		v = append(v, n)
	}
	return append(v, s.duplicates, s.refused)
}

// dest are where the columns of a row go.
func (s *sums) dest() []any {
	d := []any{&s.attempts, &s.succeeded, &s.failed, &s.retried, &s.answered, &s.latencyUs, &s.statusCode, &s.at}
	for i := range s.classes {
		d = append(d, &s.classes[i])
	}
	return append(d, &s.duplicates, &s.refused)
}

// plus adds other sums; the newer attempt's status stays.
func (s *sums) plus(o *sums) {
	s.attempts += o.attempts
	s.succeeded += o.succeeded
	s.failed += o.failed
	s.retried += o.retried
	s.answered += o.answered
	s.latencyUs += o.latencyUs
	if o.at >= s.at {
		s.at, s.statusCode = o.at, o.statusCode
	}
	for i, n := range o.classes {
		s.classes[i] += n
	}
	s.duplicates += o.duplicates
	s.refused += o.refused
}

// rollups sums the attempts of one transaction. The zero value is empty and ready.
type rollups struct {
	sums   map[rollupKey]*rollup
	bounds [15]time.Duration
}

func (r *rollups) reset() {
	if r.sums == nil {
		r.sums, r.bounds = map[rollupKey]*rollup{}, latencyBounds()
	}
	clear(r.sums)
}

func (r *rollups) add(f *postroom.Finish) {
	a := f.Attempt
	if a == nil {
		return
	}
	minute, workspace := micros(a.At.Truncate(time.Minute)), f.Job.Event.WorkspaceID
	one := r.sumsOf(f)
	r.sum(rollupKey{workspace, f.Job.WebhookID, minute}).plus(&one)
	r.sum(rollupKey{workspace, postroom.WebhookID{}, minute}).plus(&one)
}

func (r *rollups) sum(key rollupKey) *sums {
	sum := r.sums[key]
	if sum == nil {
		sum = &rollup{rollupKey: key}
		r.sums[key] = sum
	}
	return &sum.sums
}

// sumsOf are the sums of one attempt.
func (r *rollups) sumsOf(f *postroom.Finish) sums {
	a := f.Attempt
	one := sums{attempts: 1, at: micros(a.At), statusCode: int64(a.StatusCode)}
	switch f.Outcome.State {
	case postroom.StateSucceeded:
		one.succeeded = 1
	case postroom.StateFailed, postroom.StateCancelled:
		one.failed = 1
	default:
		one.retried = 1
	}
	if a.StatusCode != 0 {
		one.took(a.Phases.Total, &r.bounds)
	}
	return one
}

// took notes how long one took that was answered.
func (s *sums) took(d time.Duration, bounds *[15]time.Duration) {
	s.answered, s.latencyUs = 1, d.Microseconds()
	class := 0
	for class < len(bounds) && d > bounds[class] {
		class++
	}
	s.classes[class] = 1
}

// sorted gives the sums in one order for all transactions, so that two of them cannot wait for each other in a circle.
func (r *rollups) sorted() []*rollup { return sortedRollups(r.sums) }

func sortedRollups(sums map[rollupKey]*rollup) []*rollup {
	return slices.SortedFunc(maps.Values(sums), func(a, b *rollup) int { return a.compare(b.rollupKey) })
}
