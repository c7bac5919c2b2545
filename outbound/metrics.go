package outbound

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postroom/postroom"
)

// Metrics counts what the engine does; the server publishes it. No label has more values than the code names: a webhook is none.
type Metrics struct {
	attempts, succeeded, failed, retried, cancelled, lost, panics atomic.Int64
	inFlight                                                      atomic.Int64
	takenOver                                                     atomic.Int64
	published, duplicates, unpublished                            atomic.Int64

	Attempts *prometheus.CounterVec // by outcome and kind of failure
	Seconds  prometheus.Histogram   // how long attempts took
	Wait     prometheus.Histogram   // from a delivery's making to its first attempt
}

func newMetrics() *Metrics {
	return &Metrics{
		Attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postroom_attempts_total",
			Help: "Attempts that were made and stored, by what became of the delivery and the kind of failure."}, []string{"outcome", "kind"}),
		Seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "postroom_attempt_seconds",
			Help: "Time of an attempt, body of the answer included.", Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 30}}),
		Wait: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "postroom_first_attempt_wait_seconds",
			Help: "Time from publishing to the first attempt.", Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .5, 1, 5, 10, 60, 300, 3600}}),
	}
}

// The outcomes of attempts, as a label.
const (
	outcomeSucceeded = "succeeded"
	outcomeRetried   = "retried"
	outcomeFailed    = "failed"
	outcomeLost      = "lost"
	noFailure        = "none"
)

// Counts is a reading of the engine's counters and gauges.
type Counts struct {
	Attempts, Succeeded, Failed, Retried, Cancelled, Lost, Panics int64 // since the start
	TakenOver                                                     int64 // deliveries whose lease had run out, since the start
	Published, Duplicates, Unpublished                            int64 // events since the start: stored, not stored again, not stored
	InFlight                                                      int64 // attempts under way
	Held                                                          int64 // deliveries in memory
	HeldBytes                                                     int64 // of their events' data
	Lanes                                                         int64
	Workers                                                       int64 // busy or idle
	Results                                                       int64 // wait to be stored
}

func (m *Metrics) recorded(f *postroom.Finish) {
	outcome := outcomeRetried
	switch {
	case f.Lost:
		m.lost.Add(1)
		outcome = outcomeLost
	case f.Outcome.State == postroom.StateSucceeded:
		m.succeeded.Add(1)
		outcome = outcomeSucceeded
	case f.Outcome.State == postroom.StateFailed:
		m.failed.Add(1)
		outcome = outcomeFailed
	case f.Outcome.State == postroom.StateCancelled:
		m.cancelled.Add(1)
	default:
		m.retried.Add(1)
	}
	if f.Attempt == nil {
		return
	}
	m.attempts.Add(1)
	kind := noFailure
	if f.Attempt.Error != nil {
		kind = f.Attempt.Error.Kind
	}
	m.Attempts.WithLabelValues(outcome, kind).Inc()
	m.Seconds.Observe(f.Attempt.Phases.Total.Seconds())
	if f.Attempt.Number == 1 && !f.Job.Test {
		m.Wait.Observe(max(0, f.Attempt.At.Sub(f.Job.DeliveryID.Time())).Seconds())
	}
}

// Metrics are the engine's counters that have labels or buckets.
func (e *Engine) Metrics() *Metrics { return e.metrics }

// Counts reads the counters and gauges.
func (e *Engine) Counts() Counts {
	m := e.metrics
	c := Counts{Attempts: m.attempts.Load(), Succeeded: m.succeeded.Load(), Failed: m.failed.Load(), Retried: m.retried.Load(),
		Cancelled: m.cancelled.Load(), Lost: m.lost.Load(), Panics: m.panics.Load(), TakenOver: m.takenOver.Load(),
		Published: m.published.Load(), Duplicates: m.duplicates.Load(), Unpublished: m.unpublished.Load(),
		InFlight: m.inFlight.Load(), Workers: e.running.Load(), Results: int64(len(e.results))}
	e.lanes.mu.Lock()
	defer e.lanes.mu.Unlock()
	c.Held, c.HeldBytes, c.Lanes = int64(len(e.lanes.held)), int64(e.lanes.heldBytes), int64(len(e.lanes.byID))
	return c
}
