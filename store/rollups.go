package store

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// RollupStep is a resolution in which rollups are kept.
type RollupStep struct {
	Length time.Duration
	Keep   time.Duration // how long; it does not depend on the retention of what was delivered
}

// RollupSteps are the resolutions, the finest first. A month of days can be compared with that of the year before.
func RollupSteps() []RollupStep {
	const day = 24 * time.Hour
	return []RollupStep{{time.Minute, 2 * day}, {time.Hour, 60 * day}, {day, 400 * day}}
}

// Stats sums what happened to a webhook's deliveries, or with the zero webhook to all of the workspace, from after to before,
// which are whole steps; step is one of RollupSteps. The series has each step, those too in which nothing happened. What waits is
// not part of it: see Waiting.
func (s *Store) Stats(ctx context.Context, workspace postroom.WorkspaceID, webhook postroom.WebhookID, after, before time.Time, step time.Duration) (postroom.Stats, error) {
	stats := postroom.Stats{After: postroom.Timestamp{Time: after}, Before: postroom.Timestamp{Time: before}, Series: []postroom.StatsPoint{}}
	var total sums
	steps := make([]sums, max(0, before.Sub(after)/step))
	err := s.read(ctx, func(q querier) error {
		return q.each(ctx, "rollup_series", func(row func(...any) error) error {
			var startsAt int64
			var one sums
			if err := row(append([]any{&startsAt}, one.dest()...)...); err != nil {
				return err
			}
			total.plus(&one)
			if i := int(fromMicros(startsAt).Sub(after) / step); i < len(steps) {
				steps[i].plus(&one)
			}
			return nil
		}, workspace, webhook[:], int64(step/time.Second), micros(after), micros(before))
	})
	for i := range steps {
		stats.Series = append(stats.Series, steps[i].point(after.Add(time.Duration(i)*step)))
	}
	stats.Attempts, stats.Succeeded, stats.Failed, stats.Retried = total.attempts, total.succeeded, total.failed, total.retried
	stats.Duplicates, stats.Refused = total.duplicates, total.refused
	if total.attempts > 0 {
		rate := float64(total.succeeded) / float64(total.attempts)
		stats.SuccessRate, stats.LastStatus, stats.LastAt = &rate, int(total.statusCode), timestamp(&total.at)
	}
	stats.LatencyMs = total.latency()
	return stats, err
}

func (s *sums) point(at time.Time) postroom.StatsPoint {
	p := postroom.StatsPoint{At: postroom.Timestamp{Time: at}, Attempts: s.attempts, Succeeded: s.succeeded, Failed: s.failed, Retried: s.retried,
		Duplicates: s.duplicates, Refused: s.refused}
	if s.answered > 0 {
		latency := s.latency()
		p.LatencyMs = &latency
	}
	return p
}

// latency estimates percentiles from the classes, evenly within each.
func (s *sums) latency() postroom.LatencyStats {
	if s.answered == 0 {
		return postroom.LatencyStats{}
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return postroom.LatencyStats{
		Mean: float64(s.latencyUs) / float64(s.answered) / 1000,
		P50:  ms(s.percentile(0.50)), P95: ms(s.percentile(0.95)), P99: ms(s.percentile(0.99)),
	}
}

func (s *sums) percentile(share float64) time.Duration {
	bounds := latencyBounds()
	rank := share * float64(s.answered)
	var below time.Duration
	var seen float64
	for i, n := range s.classes {
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
