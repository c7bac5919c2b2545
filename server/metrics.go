package server

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postroom/postroom/api"
)

// metrics are what Prometheus reads at /metrics.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	panics   prometheus.Counter
}

func newMetrics(p *parts) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "postroom_http_request_seconds",
			Help: "Time to answer a request of the API.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}},
			[]string{"method", "route", "status"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "postroom_http_panics_total", Help: "Requests whose handler panicked: defects of Postroom."}),
	}
	m.registry.MustRegister(m.requests, m.panics, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counter := func(name, help string, read func() int64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(read()) }))
	}
	gauge := func(name, help string, read func() int64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) }))
	}
	e, s := p.engine, p.store
	counter("postroom_attempts_total", "Attempts that were made and stored.", func() int64 { return e.Counts().Attempts })
	counter("postroom_deliveries_succeeded_total", "Deliveries that the receiver took.", func() int64 { return e.Counts().Succeeded })
	counter("postroom_deliveries_failed_total", "Deliveries that were given up.", func() int64 { return e.Counts().Failed })
	counter("postroom_deliveries_retried_total", "Attempts that failed and are followed by another.", func() int64 { return e.Counts().Retried })
	counter("postroom_deliveries_cancelled_total", "Deliveries that were cancelled because their webhook or event is gone.", func() int64 { return e.Counts().Cancelled })
	counter("postroom_deliveries_lost_total", "Attempts whose delivery another node had taken over.", func() int64 { return e.Counts().Lost })
	counter("postroom_attempt_panics_total", "Attempts that panicked: defects of Postroom.", func() int64 { return e.Counts().Panics })
	gauge("postroom_attempts_in_flight", "Attempts under way.", func() int64 { return e.Counts().InFlight })
	gauge("postroom_deliveries_held_in_memory", "Deliveries that this node has leased.", func() int64 { return e.Counts().Held })
	gauge("postroom_deliveries_held_bytes", "Bytes of event data in memory.", func() int64 { return e.Counts().HeldBytes })
	gauge("postroom_lanes", "Webhooks that have a lane in memory.", func() int64 { return e.Counts().Lanes })
	counter("postroom_commits_total", "Transactions that writers shared.", func() int64 { return s.Metrics().Commits.Value() })
	counter("postroom_commit_writes_total", "Writes that shared those transactions.", func() int64 { return s.Metrics().Ops.Value() })
	counter("postroom_commit_failures_total", "Transactions that failed.", func() int64 { return s.Metrics().Failed.Value() })
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "postroom_info", Help: "The version, as a label.",
		ConstLabels: prometheus.Labels{"version": p.version}}, func() float64 { return 1 }))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) observe(o api.Observation) {
	route := o.Route
	if route == "" {
		route = "other"
	}
	m.requests.WithLabelValues(o.Method, route, strconv.Itoa(o.Status)).Observe(o.Duration.Seconds())
	if o.Panicked {
		m.panics.Inc()
	}
}
