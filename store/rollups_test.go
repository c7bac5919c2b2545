package store

import (
	"math"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func testStats(f *fixture) {
	t := f.t
	workspace, other := f.workspace("one"), f.workspace("other")
	webhook, second, theirs := f.webhook(workspace), f.webhook(workspace), f.webhook(other)
	finish := func(workspace postroom.WorkspaceID, webhook postroom.WebhookID, began time.Duration, status int, took time.Duration, state postroom.DeliveryState) *postroom.Finish {
		fin := finishOf(f.leased(workspace, noon(), webhook)[0], at(began), status, postroom.Outcome{State: state, NextAt: at(time.Hour)})
		fin.Attempt.Phases.Total = took
		return fin
	}
	ms := time.Millisecond
	// Minute 0 in two commits, the newer attempt first; minute 1; minute 5; and what is not this webhook's.
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{
		finish(workspace, webhook, 50*time.Second, 201, 4*ms, postroom.StateSucceeded),
		finish(workspace, webhook, 20*time.Second, 200, 4*ms, postroom.StateSucceeded),
		finish(workspace, webhook, 65*time.Second, 500, 40*ms, postroom.StateRetry),
	}))
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{
		finish(workspace, webhook, 30*time.Second, 404, 400*ms, postroom.StateFailed),
		finish(workspace, webhook, 5*time.Minute, 0, 15*time.Second, postroom.StateRetry),
		finish(workspace, second, 6*time.Minute, 410, 4*ms, postroom.StateCancelled),
		finish(other, theirs, 7*time.Minute, 200, 4*ms, postroom.StateSucceeded),
	}))

	stats := func(s postroom.Stats, err error) postroom.Stats {
		t.Helper()
		f.must(err)
		return s
	}
	point := func(minutes int, attempts, succeeded, failed, retried int64) postroom.StatsPoint {
		return postroom.StatsPoint{At: stamp(at(time.Duration(minutes) * time.Minute)), Attempts: attempts, Succeeded: succeeded, Failed: failed, Retried: retried}
	}
	last := stamp(at(5 * time.Minute))
	got := stats(f.s.WebhookStats(f.ctx, workspace, webhook, noon(), at(time.Hour), time.Minute))
	f.equal("the webhook's statistics", got, postroom.Stats{After: stamp(noon()), Before: stamp(at(time.Hour)), Attempts: 5, Succeeded: 2, Failed: 1, Retried: 2,
		LatencyMs: got.LatencyMs, LastStatus: 0, LastAt: &last,
		Series: []postroom.StatsPoint{point(0, 3, 2, 1, 0), point(1, 1, 0, 0, 1), point(5, 1, 0, 0, 1)}})
	if mean := (4 + 4 + 400 + 40) / 4.0; got.LatencyMs.Mean != mean {
		t.Errorf("the mean latency is %v ms, want %v: only what was answered counts", got.LatencyMs.Mean, mean)
	}
	if l := got.LatencyMs; l.P50 < 2 || l.P50 > 5 || l.P95 < 200 || l.P95 > 500 || l.P99 < l.P95 || l.P99 > 500 {
		t.Errorf("the latencies are %+v", l)
	}

	// A span: whole minutes, the first of them whole, the last left out.
	got = stats(f.s.WebhookStats(f.ctx, workspace, webhook, at(30*time.Second), at(time.Minute), time.Minute))
	last = stamp(at(50 * time.Second))
	if got.Attempts != 3 || got.LastStatus != 201 || got.LastAt == nil || *got.LastAt != last {
		t.Errorf("the first minute has %d attempts, the last with status %d at %v; want 3, 201 at %s", got.Attempts, got.LastStatus, got.LastAt, last)
	}
	got = stats(f.s.WebhookStats(f.ctx, workspace, webhook, at(time.Minute), at(time.Hour), 5*time.Minute))
	f.equal("five minutes a step", got.Series, []postroom.StatsPoint{point(0, 1, 0, 0, 1), point(5, 1, 0, 0, 1)})
	got = stats(f.s.WebhookStats(f.ctx, workspace, webhook, at(time.Hour), at(2*time.Hour), time.Minute))
	f.equal("an empty span", got, postroom.Stats{After: stamp(at(time.Hour)), Before: stamp(at(2 * time.Hour)), Series: []postroom.StatsPoint{}})

	got = stats(f.s.WorkspaceStats(f.ctx, workspace, noon(), at(time.Hour), 5*time.Minute))
	last = stamp(at(6 * time.Minute))
	f.equal("the workspace's statistics", got, postroom.Stats{After: stamp(noon()), Before: stamp(at(time.Hour)), Attempts: 6, Succeeded: 2, Failed: 2, Retried: 2,
		LatencyMs: got.LatencyMs, LastStatus: 410, LastAt: &last, Series: []postroom.StatsPoint{point(0, 4, 2, 1, 1), point(5, 2, 0, 1, 1)}})
}

// TestStatsOfNodes adds up what several nodes counted in the same minute.
func TestStatsOfNodes(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		s := db.open()
		f := newFixture(t, s)
		workspace := f.workspace("one")
		webhook := f.webhook(workspace)
		f.finish(f.leased(workspace, noon(), webhook)[0], at(time.Second), 200)
		if s.dialect == sqlite {
			f.must(s.Close())
		}
		f.s = db.open()
		f.finish(f.leased(workspace, noon(), webhook)[0], at(2*time.Second), 500)
		if rows := f.number("SELECT count(*) FROM rollups"); rows != 2 {
			t.Errorf("two nodes have %d rows", rows)
		}
		got, err := f.s.WebhookStats(f.ctx, workspace, webhook, noon(), at(time.Hour), time.Minute)
		f.must(err)
		if got.Attempts != 2 || got.Succeeded != 1 || got.Failed != 1 || got.LastStatus != 500 || len(got.Series) != 1 {
			t.Errorf("the statistics are %+v", got)
		}
	})
}

func TestPercentiles(t *testing.T) {
	ms := func(values ...float64) []time.Duration {
		var all []time.Duration
		for _, v := range values {
			all = append(all, time.Duration(v*float64(time.Millisecond)))
		}
		return all
	}
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i) + 0.5 // 0.5 ms to 99.5 ms
	}
	for _, test := range []struct {
		what          string
		took          []time.Duration
		p50, p95, p99 float64 // of the attempts themselves
	}{
		{"one", ms(7), 7, 7, 7},
		{"evenly spread", ms(hundred...), 50, 95, 99},
		{"on the bounds", ms(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), 20, 1000, 1000},
		{"most are fast", append(ms(hundred[:50]...), ms(25000)...), 25, 49, 25000},
	} {
		var sums rollups
		sums.reset()
		for _, took := range test.took {
			fin := finishOf(&postroom.Job{Event: &postroom.Event{}}, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})
			fin.Attempt.Phases.Total = took
			sums.add(fin)
		}
		all := sums.sorted()
		if len(all) != 1 {
			t.Fatalf("%s: there are %d rollups", test.what, len(all))
		}
		got := all[0].latency()
		for _, p := range []struct {
			name      string
			got, want float64
		}{{"p50", got.P50, test.p50}, {"p95", got.P95, test.p95}, {"p99", got.P99, test.p99}} {
			if low, high := classOf(p.want); p.got < low || p.got > high {
				t.Errorf("%s: %s is %v ms, want one between %v and %v", test.what, p.name, p.got, low, high)
			}
		}
		if got.P50 > got.P95 || got.P95 > got.P99 || math.IsNaN(got.Mean) {
			t.Errorf("%s: the latencies are %+v", test.what, got)
		}
	}

	// What is slower than the last bound counts as just that slow.
	var sums rollups
	sums.reset()
	fin := finishOf(&postroom.Job{Event: &postroom.Event{}}, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})
	fin.Attempt.Phases.Total = time.Hour
	sums.add(fin)
	if got := sums.sorted()[0].latency(); got.P50 != 30000 || got.P99 != 30000 || got.Mean != 3600000 {
		t.Errorf("an hour is %+v", got)
	}
	if got := (&rollup{}).latency(); got != (postroom.LatencyStats{}) {
		t.Errorf("without answers the latencies are %+v", got)
	}
}

// classOf is the latency class of a number of milliseconds: what an estimate cannot tell apart.
func classOf(value float64) (low, high float64) {
	for _, bound := range latencyBounds() {
		if high = float64(bound.Microseconds()) / 1000; value <= high {
			return low, high
		}
		low = high
	}
	return low, math.Inf(1)
}
