package store

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestStats(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) { testStats(newFixture(t, db.open())) })
}

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
	series := func(points []postroom.StatsPoint) (bare []postroom.StatsPoint) {
		for _, p := range points {
			p.LatencyMs = nil
			bare = append(bare, p)
		}
		return bare
	}
	all := postroom.WebhookID{}
	look := func(moved string) {
		t.Helper()
		last := stamp(at(5 * time.Minute))
		got := stats(f.s.Stats(f.ctx, workspace, webhook, noon(), at(7*time.Minute), time.Minute))
		rate := 2.0 / 5
		f.equal(moved+"the webhook's statistics", got, postroom.Stats{After: stamp(noon()), Before: stamp(at(7 * time.Minute)), Attempts: 5, Succeeded: 2, Failed: 1, Retried: 2,
			SuccessRate: &rate, LatencyMs: got.LatencyMs, LastStatus: 0, LastAt: &last, Series: got.Series})
		f.equal(moved+"each minute", series(got.Series), []postroom.StatsPoint{point(0, 3, 2, 1, 0), point(1, 1, 0, 0, 1), point(2, 0, 0, 0, 0),
			point(3, 0, 0, 0, 0), point(4, 0, 0, 0, 0), point(5, 1, 0, 0, 1), point(6, 0, 0, 0, 0)})
		if mean := (4 + 4 + 400 + 40) / 4.0; got.LatencyMs.Mean != mean {
			t.Errorf("%sthe mean latency is %v ms, want %v: only what was answered counts", moved, got.LatencyMs.Mean, mean)
		}
		if l := got.LatencyMs; l.P50 < 2 || l.P50 > 5 || l.P95 < 200 || l.P95 > 500 || l.P99 < l.P95 || l.P99 > 500 {
			t.Errorf("%sthe latencies are %+v", moved, l)
		}
		if l := got.Series[1].LatencyMs; l == nil || l.Mean != 40 || got.Series[5].LatencyMs != nil || got.Series[2].LatencyMs != nil {
			t.Errorf("%sthe latencies of the minutes are %+v, %+v and %+v", moved, l, got.Series[5].LatencyMs, got.Series[2].LatencyMs)
		}

		got = stats(f.s.Stats(f.ctx, workspace, webhook, noon(), at(time.Minute), time.Minute)) // the last minute left out
		last = stamp(at(50 * time.Second))
		if got.Attempts != 3 || got.LastStatus != 201 || got.LastAt == nil || *got.LastAt != last {
			t.Errorf("%sthe first minute has %d attempts, the last with status %d at %v; want 3, 201 at %s", moved, got.Attempts, got.LastStatus, got.LastAt, last)
		}
		for _, step := range []time.Duration{time.Hour, 24 * time.Hour} {
			start := noon().Truncate(step)
			got = stats(f.s.Stats(f.ctx, workspace, webhook, start.Add(-step), start.Add(step), step))
			if got.Attempts != 5 || len(got.Series) != 2 || got.Series[0].Attempts != 0 || got.Series[1].Attempts != 5 || !got.Series[1].At.Equal(start) {
				t.Errorf("%sby %s: %+v", moved, step, got)
			}
		}
		got = stats(f.s.Stats(f.ctx, workspace, webhook, at(time.Hour), at(time.Hour), time.Minute))
		f.equal(moved+"an empty span", got, postroom.Stats{After: stamp(at(time.Hour)), Before: stamp(at(time.Hour)), Series: []postroom.StatsPoint{}})

		got = stats(f.s.Stats(f.ctx, workspace, all, noon(), at(8*time.Minute), time.Minute))
		last = stamp(at(6 * time.Minute))
		rate = 2.0 / 6
		f.equal(moved+"the workspace's statistics", got, postroom.Stats{After: stamp(noon()), Before: stamp(at(8 * time.Minute)), Attempts: 6, Succeeded: 2, Failed: 2, Retried: 2,
			SuccessRate: &rate, LatencyMs: got.LatencyMs, LastStatus: 410, LastAt: &last, Series: got.Series})
	}
	look("")
	moved, err := f.s.Compact(f.ctx, at(3*time.Minute+59*time.Second))
	f.must(err)
	if moved != 2 && moved != 4 { // a minute of the webhook and of the workspace, of one committer or two
		t.Errorf("%d rows were moved, want 2 or 4", moved)
	}
	if open := f.number("SELECT count(*) FROM rollups_open WHERE workspace_id = $1 AND minute < $2", workspace, micros(at(time.Minute))); open != 0 {
		t.Errorf("%d rows of the first minute are still open", open)
	}
	if open := f.number("SELECT count(*) FROM rollups_open WHERE workspace_id = $1 AND minute >= $2", workspace, micros(at(2*time.Minute))); open != 4 {
		t.Errorf("%d rows of the minutes that are not over are open, want 4", open)
	}
	look("partly moved: ")
	_, err = f.s.Compact(f.ctx, at(time.Hour))
	f.must(err)
	look("moved: ")

	// What is stored late is moved late, and counts once.
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{finish(workspace, second, 10*time.Second, 200, 4*ms, postroom.StateSucceeded)}))
	for range 2 {
		if got := stats(f.s.Stats(f.ctx, workspace, all, noon().Truncate(24*time.Hour), noon().Add(12*time.Hour), 24*time.Hour)); got.Attempts != 7 {
			t.Errorf("with what came late there are %d attempts, want 7", got.Attempts)
		}
		_, err = f.s.Compact(f.ctx, at(time.Hour))
		f.must(err)
	}
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
		if rows := f.number("SELECT count(*) FROM rollups_open"); rows != 4 {
			t.Errorf("two nodes have %d rows, want 2 for the webhook and 2 for the workspace", rows)
		}
		for range 2 {
			got, err := f.s.Stats(f.ctx, workspace, webhook, noon(), at(time.Hour), time.Minute)
			f.must(err)
			if got.Attempts != 2 || got.Succeeded != 1 || got.Failed != 1 || got.LastStatus != 500 || len(got.Series) != 60 || got.Series[0].Attempts != 2 {
				t.Errorf("the statistics are %+v", got)
			}
			_, err = f.s.Compact(f.ctx, at(time.Hour))
			f.must(err)
		}
		if rows := f.number("SELECT count(*) FROM rollups"); rows != 6 {
			t.Errorf("the nodes' rows became %d, want one a step for the webhook and the workspace: 6", rows)
		}
	})
}

// TestCompactCutOff cuts compactions off wherever they are, lets nodes compete, and counts.
func TestCompactCutOff(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		workspace := f.workspace("one")
		const webhooks, minutes = 7, 90 // more rows than a few steps take
		for w := range webhooks {
			id := f.webhook(workspace)
			var fins []*postroom.Finish
			for m := range minutes {
				fins = append(fins, finishOf(f.leased(workspace, noon(), id)[0], at(time.Duration(m)*time.Minute), 200+w%2, postroom.Outcome{State: postroom.StateSucceeded}))
			}
			f.must(f.s.Finish(f.ctx, fins))
		}
		day := noon().Truncate(24 * time.Hour)
		check := func(when string) {
			t.Helper()
			for _, step := range RollupSteps() {
				got, err := f.s.Stats(f.ctx, workspace, postroom.WebhookID{}, day, day.Add(24*time.Hour), step.Length)
				f.must(err)
				if got.Attempts != webhooks*minutes || got.Succeeded != webhooks*minutes {
					t.Errorf("%s, by %s: %d attempts, want %d", when, step.Length, got.Attempts, webhooks*minutes)
				}
			}
		}
		check("before")
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		if _, err := f.s.Compact(ctx, at(time.Hour)); !errors.Is(err, context.Canceled) {
			t.Errorf("a compaction that is cut off says %v", err)
		}
		// A step that fails leaves nothing half done.
		f.must(f.s.write(f.ctx, func(q querier) error {
			_, err := q.ExecContext(f.ctx, "ALTER TABLE rollups RENAME TO gone")
			return err
		}))
		if _, err := f.s.Compact(f.ctx, at(time.Hour)); err == nil {
			t.Error("a compaction without its table reports nothing")
		}
		f.exec("ALTER TABLE gone RENAME TO rollups")
		check("after a failure")
		atOnce(t, 4, func(int) error {
			_, err := f.s.Compact(f.ctx, at(time.Hour))
			return err
		})
		check("half moved")
		_, err := f.s.Compact(f.ctx, at(3*time.Hour))
		f.must(err)
		if open := f.number("SELECT count(*) FROM rollups_open"); open != 0 {
			t.Errorf("%d rows are open after all was moved", open)
		}
		check("moved")
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
		var all rollups
		all.reset()
		for _, took := range test.took {
			fin := finishOf(&postroom.Job{WebhookID: postroom.WebhookID{1}, Event: &postroom.Event{}}, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})
			fin.Attempt.Phases.Total = took
			all.add(fin)
		}
		sorted := all.sorted()
		if len(sorted) != 2 { // of the webhook, and of the workspace
			t.Fatalf("%s: there are %d rollups", test.what, len(sorted))
		}
		got := sorted[1].latency()
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
	var all rollups
	all.reset()
	fin := finishOf(&postroom.Job{WebhookID: postroom.WebhookID{1}, Event: &postroom.Event{}}, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})
	fin.Attempt.Phases.Total = time.Hour
	all.add(fin)
	if got := all.sorted()[1].latency(); got.P50 != 30000 || got.P99 != 30000 || got.Mean != 3600000 {
		t.Errorf("an hour is %+v", got)
	}
	if got := (&sums{}).latency(); got != (postroom.LatencyStats{}) {
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
