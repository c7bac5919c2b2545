package store

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the committers do; the server publishes it.
type Metrics struct {
	Commits counter // transactions committed
	Ops     counter // writes that shared them
	Failed  counter // transactions that failed

	Writes  prometheus.Histogram // how many writes shared a transaction
	Seconds prometheus.Histogram // how long it took, from its begin until it was durable
}

func newMetrics() *Metrics {
	return &Metrics{
		Writes: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "postroom_commit_writes",
			Help: "Writes that shared a transaction.", Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000}}),
		Seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "postroom_commit_seconds",
			Help: "Time of a shared transaction until it was durable.", Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}}),
	}
}

// committed counts a transaction that n writes shared.
func (m *Metrics) committed(n int, took time.Duration) {
	m.Commits.n.Add(1)
	m.Ops.n.Add(int64(n))
	m.Writes.Observe(float64(n))
	m.Seconds.Observe(took.Seconds())
}

func (m *Metrics) failed() { m.Failed.n.Add(1) }

type counter struct{ n atomic.Int64 }

// Value is the count so far.
func (c *counter) Value() int64 { return c.n.Load() }
