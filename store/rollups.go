package store

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// WebhookStats sums what happened to a webhook's deliveries from after to before, in steps of a length. What waits is not
// part of it: see Waiting.
func (s *Store) WebhookStats(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID, after, before time.Time, step time.Duration) (postroom.Stats, error) {
	return s.stats(ctx, "rollup_webhook", after, before, step, workspace, webhook, micros(after.Truncate(time.Minute)), micros(before))
}

// WorkspaceStats sums what happened to all deliveries of a workspace.
func (s *Store) WorkspaceStats(ctx context.Context, workspace postroom.WorkspaceID, after, before time.Time, step time.Duration) (postroom.Stats, error) {
	return s.stats(ctx, "rollup_workspace", after, before, step, workspace, micros(after.Truncate(time.Minute)), micros(before))
}

func (s *Store) stats(ctx context.Context, name string, after, before time.Time, step time.Duration, args ...any) (postroom.Stats, error) {
	stats := postroom.Stats{After: postroom.Timestamp{Time: after}, Before: postroom.Timestamp{Time: before}, Series: []postroom.StatsPoint{}}
	var sum rollup
	err := s.read(ctx, func(q querier) error {
		return q.each(ctx, name, func(row func(...any) error) error {
			var r rollup
			dest := []any{&r.minute, &r.attempts, &r.succeeded, &r.failed, &r.retried, &r.answered, &r.latencyUs, &r.statusCode, &r.at}
			for i := range r.classes {
				dest = append(dest, &r.classes[i])
			}
			if err := row(dest...); err != nil {
				return err
			}
			sum.plus(r)
			stats.Series = addPoint(stats.Series, fromMicros(r.minute).Truncate(step), r)
			return nil
		}, args...)
	})
	stats.Attempts, stats.Succeeded, stats.Failed, stats.Retried = sum.attempts, sum.succeeded, sum.failed, sum.retried
	stats.LastStatus = int(sum.statusCode)
	if sum.at > 0 {
		stats.LastAt = timestamp(&sum.at)
	}
	stats.LatencyMs = sum.latency()
	return stats, err
}

func (r *rollup) plus(o rollup) {
	r.attempts += o.attempts
	r.succeeded += o.succeeded
	r.failed += o.failed
	r.retried += o.retried
	r.answered += o.answered
	r.latencyUs += o.latencyUs
	if o.at >= r.at {
		r.at, r.statusCode = o.at, o.statusCode
	}
	for i, n := range o.classes {
		r.classes[i] += n
	}
}

func addPoint(series []postroom.StatsPoint, at time.Time, r rollup) []postroom.StatsPoint {
	if n := len(series); n == 0 || !series[n-1].At.Equal(at) {
		series = append(series, postroom.StatsPoint{At: postroom.Timestamp{Time: at}})
	}
	p := &series[len(series)-1]
	p.Attempts += r.attempts
	p.Succeeded += r.succeeded
	p.Failed += r.failed
	p.Retried += r.retried
	return series
}

// latency estimates percentiles from the classes, evenly within each.
func (r *rollup) latency() postroom.LatencyStats {
	if r.answered == 0 {
		return postroom.LatencyStats{}
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return postroom.LatencyStats{
		Mean: float64(r.latencyUs) / float64(r.answered) / 1000,
		P50:  ms(r.percentile(0.50)), P95: ms(r.percentile(0.95)), P99: ms(r.percentile(0.99)),
	}
}

func (r *rollup) percentile(share float64) time.Duration {
	bounds := latencyBounds()
	rank := share * float64(r.answered)
	var below time.Duration
	var seen float64
	for i, n := range r.classes {
		if i == len(bounds) {
			return below // slower than the last bound: at least that
		}
		if seen+float64(n) >= rank && n > 0 {
			return below + time.Duration(float64(bounds[i]-below)*(rank-seen)/float64(n))
		}
		seen, below = seen+float64(n), bounds[i]
	}
	return below
}
