package inbound

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postroom/postroom"
)

// Metrics counts what the intake does; the server publishes it. No label has more values than the code names: a source is none.
type Metrics struct {
	processing, panics, unlogged atomic.Int64

	Requests *prometheus.CounterVec // by what became of them
	Seconds  prometheus.Histogram   // how long processing took
}

// What becomes of calls, as a label.
const (
	outcomeProcessed   = "processed"
	outcomeDuplicate   = "duplicate"
	outcomeQueued      = "queued"
	outcomeRetried     = "retried"
	outcomeFailed      = "failed"
	outcomeRefused     = "refused"
	outcomeUnknown     = "unknown"     // there is no such source
	outcomeUnread      = "unread"      // too large, or not whole
	outcomeUnavailable = "unavailable" // could not be stored
	outcomeChallenge   = "challenge"   // a GET that was answered
)

func newMetrics() *Metrics {
	m := &Metrics{
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postroom_intake_requests_total",
			Help: "Calls to sources, and further tries to process them, by what became of them."}, []string{"outcome"}),
		Seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "postroom_intake_seconds",
			Help: "Time from a call's arrival, or the beginning of a further try, until what follows from it was known.", Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}}),
	}
	for _, outcome := range []string{outcomeProcessed, outcomeDuplicate, outcomeQueued, outcomeRetried, outcomeFailed, outcomeRefused, outcomeUnknown,
		outcomeUnread, outcomeUnavailable, outcomeChallenge} {
		m.Requests.WithLabelValues(outcome) // so that none is missing until it happens
	}
	return m
}

func (m *Metrics) count(outcome string) { m.Requests.WithLabelValues(outcome).Inc() }

// ended counts a request that was stored.
func (m *Metrics) ended(r *postroom.Request) {
	switch r.State {
	case postroom.RequestProcessed:
		m.count(outcomeProcessed)
	case postroom.RequestDuplicate:
		m.count(outcomeDuplicate)
	case postroom.RequestRetry:
		m.count(outcomeRetried)
	case postroom.RequestFailed:
		m.count(outcomeFailed)
	default:
		m.count(outcomeQueued)
	}
	m.Seconds.Observe(r.Duration.Seconds())
}

// Counts is a reading of the intake's counters and gauges.
type Counts struct {
	Processing int64 // calls that are being processed
	Panics     int64 // since the start
	Unlogged   int64 // refused calls that were not stored, since the start
}

// Metrics are the intake's counters that have labels or buckets.
func (in *Intake) Metrics() *Metrics { return in.metrics }

// Counts reads the counters and gauges.
func (in *Intake) Counts() Counts {
	m := in.metrics
	return Counts{Processing: m.processing.Load(), Panics: m.panics.Load(), Unlogged: m.unlogged.Load()}
}
