package server

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postroom/postroom/api"
	"github.com/postroom/postroom/outbound"
)

// metrics are what Prometheus reads at /metrics. What each of them means stands in docs/operations.md, which a test compares with
// them.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	panics   prometheus.Counter
	// violations are what browsers report that the dashboard's policy has refused.
	violations prometheus.Counter
}

func newMetrics(p *parts) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "postroom_http_request_seconds",
			Help: "Time to answer a request of the API.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}},
			[]string{"method", "route", "status"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "postroom_http_panics_total", Help: "Requests whose handler panicked: defects of Postroom."}),
		violations: prometheus.NewCounter(prometheus.CounterOpts{Name: "postroom_ui_policy_violations_total",
			Help: "Reports of browsers about what the dashboard's content security policy refused."}),
	}
	e, i, s := p.engine.Metrics(), p.intake.Metrics(), p.store.Metrics()
	m.registry.MustRegister(m.requests, m.panics, m.violations, e.Attempts, e.Seconds, e.Wait, i.Requests, i.Seconds, s.Writes, s.Seconds, p.upkeepDone,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&readings{engine: p.engine, counters: counterReadings(p), lanes: laneGauges(), queue: p.readings})
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "postroom_build_info", Help: "1; the version is a label.",
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

// reading is one metric of which the engine or the store keeps the value.
type reading struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(c outbound.Counts) int64
}

func counterReadings(p *parts) []reading {
	counter := func(name, help string, read func(outbound.Counts) int64) reading {
		return reading{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, read}
	}
	gauge := func(name, help string, read func(outbound.Counts) int64) reading {
		return reading{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, read}
	}
	s := p.store.Metrics()
	return []reading{
		counter("postroom_events_published_total", "Events that were stored.", func(c outbound.Counts) int64 { return c.Published }),
		counter("postroom_events_duplicate_total", "Events that were not stored again.", func(c outbound.Counts) int64 { return c.Duplicates }),
		counter("postroom_events_unpublished_total", "Events that could not be stored.", func(c outbound.Counts) int64 { return c.Unpublished }),
		counter("postroom_attempt_panics_total", "Attempts that panicked: defects of Postroom.", func(c outbound.Counts) int64 { return c.Panics }),
		counter("postroom_deliveries_cancelled_total", "Deliveries that were cancelled because their webhook is gone.", func(c outbound.Counts) int64 { return c.Cancelled }),
		counter("postroom_leases_taken_over_total", "Deliveries of which a lease had run out.", func(c outbound.Counts) int64 { return c.TakenOver }),
		gauge("postroom_attempts_in_flight", "Attempts under way.", func(c outbound.Counts) int64 { return c.InFlight }),
		gauge("postroom_memory_deliveries", "Deliveries that this node holds.", func(c outbound.Counts) int64 { return c.Held }),
		gauge("postroom_memory_bytes", "Event data of what this node holds.", func(c outbound.Counts) int64 { return c.HeldBytes }),
		gauge("postroom_workers", "Workers, busy or idle.", func(c outbound.Counts) int64 { return c.Workers }),
		gauge("postroom_results_waiting", "Results of attempts that wait to be stored.", func(c outbound.Counts) int64 { return c.Results }),
		gauge("postroom_intake_processing", "Calls to sources that are being processed.", func(outbound.Counts) int64 { return p.intake.Counts().Processing }),
		counter("postroom_intake_panics_total", "Calls to sources that panicked: defects of Postroom.", func(outbound.Counts) int64 { return p.intake.Counts().Panics }),
		counter("postroom_intake_unlogged_total", "Refused calls to sources that are not in the log.", func(outbound.Counts) int64 { return p.intake.Counts().Unlogged }),
		counter("postroom_commits_total", "Transactions that writers shared.", func(outbound.Counts) int64 { return s.Commits.Value() }),
		counter("postroom_commit_failures_total", "Transactions that failed.", func(outbound.Counts) int64 { return s.Failed.Value() }),
	}
}

// laneGauge is the number of lanes in one state.
type laneGauge struct {
	state string
	read  func(c outbound.LaneCounts) int
}

func laneGauges() []laneGauge {
	return []laneGauge{
		{"stopped", func(c outbound.LaneCounts) int { return c.Stopped }},
		{"open", func(c outbound.LaneCounts) int { return c.Open }},
		{"active", func(c outbound.LaneCounts) int { return c.Active }},
		{"limited", func(c outbound.LaneCounts) int { return c.Limited }},
		{"crowded", func(c outbound.LaneCounts) int { return c.Crowded }},
		{"ready", func(c outbound.LaneCounts) int { return c.Ready }},
		{"idle", func(c outbound.LaneCounts) int { return c.Idle }},
	}
}

// readings collects what the engine, the store and the database know, once for each time that it is asked.
type readings struct {
	engine   *outbound.Engine
	counters []reading
	lanes    []laneGauge
	queue    *queueReadings
}

var (
	lanesDesc          = prometheus.NewDesc("postroom_lanes", "Webhooks that have a lane in memory, by its state.", []string{"state"}, nil)
	laneWorkspacesDesc = prometheus.NewDesc("postroom_lane_workspaces", "Workspaces that have a lane in memory.", nil, nil)
	idleWorkersDesc    = prometheus.NewDesc("postroom_workers_idle", "Workers that wait for work.", nil, nil)
)

// Describe is part of prometheus.Collector. What it describes is checked with each collection instead.
func (r *readings) Describe(chan<- *prometheus.Desc) {}

// Collect is part of prometheus.Collector.
func (r *readings) Collect(out chan<- prometheus.Metric) {
	counts := r.engine.Counts()
	for _, c := range r.counters {
		out <- prometheus.MustNewConstMetric(c.desc, c.kind, float64(c.read(counts)))
	}
	lanes := r.engine.LaneCounts()
	for _, l := range r.lanes {
		out <- prometheus.MustNewConstMetric(lanesDesc, prometheus.GaugeValue, float64(l.read(lanes)), l.state)
	}
	out <- prometheus.MustNewConstMetric(laneWorkspacesDesc, prometheus.GaugeValue, float64(lanes.Workspaces))
	out <- prometheus.MustNewConstMetric(idleWorkersDesc, prometheus.GaugeValue, float64(lanes.IdleWorkers))
	r.queue.collect(out)
}
