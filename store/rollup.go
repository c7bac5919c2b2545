package store

import (
	"sort"
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

// rollup sums the attempts of one webhook in one minute.
type rollup struct {
	workspace postroom.WorkspaceID
	rollupKey

	attempts, succeeded, failed, retried int64
	answered, latencyUs                  int64
	statusCode                           int64
	at                                   int64
	classes                              [16]int64
}

type rollupKey struct {
	webhook postroom.WebhookID
	minute  int64
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
	key := rollupKey{f.Job.WebhookID, a.At.Truncate(time.Minute).UnixMicro()}
	sum := r.sums[key]
	if sum == nil {
		sum = &rollup{workspace: f.Job.Event.WorkspaceID, rollupKey: key}
		r.sums[key] = sum
	}
	sum.attempts++
	switch f.Outcome.State {
	case postroom.StateSucceeded:
		sum.succeeded++
	case postroom.StateFailed, postroom.StateCancelled:
		sum.failed++
	default:
		sum.retried++
	}
	if at := a.At.UnixMicro(); at >= sum.at {
		sum.at, sum.statusCode = at, int64(a.StatusCode)
	}
	if a.StatusCode != 0 {
		sum.answered++
		sum.latencyUs += a.Phases.Total.Microseconds()
		class := 0
		for class < len(r.bounds) && a.Phases.Total > r.bounds[class] {
			class++
		}
		sum.classes[class]++
	}
}

// sorted gives the sums in one order for all transactions, so that two of them cannot wait for each other in a circle.
func (r *rollups) sorted() []*rollup {
	all := make([]*rollup, 0, len(r.sums))
	for _, sum := range r.sums {
		all = append(all, sum)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if a.webhook != b.webhook {
			return string(a.webhook[:]) < string(b.webhook[:])
		}
		return a.minute < b.minute
	})
	return all
}
