package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// Measurement is what one run of one thing has shown.
type Measurement struct {
	Target     string `json:"target"`
	Calls      bool   `json:"calls,omitempty"` // it is of calls to a source: an event is a call, and has arrived when it was answered and is stored
	Events     int    `json:"events"`          // published
	Deliveries int    `json:"deliveries"`      // that ought to arrive: of the events that were accepted, one in each lane
	Arrived    int    `json:"arrived"`         // each counted once
	Missing    int    `json:"missing"`
	Duplicates int    `json:"duplicates"`
	Refused    int    `json:"refused"`           // events that were not answered with 202; calls with 200
	Refusal    string `json:"refusal,omitempty"` // how the first of them was

	Seconds        float64 `json:"seconds"`         // from the first publish until the last arrival
	PublishSeconds float64 `json:"publish_seconds"` // from the first publish until the last answer
	PerSecond      float64 `json:"per_second"`      // deliveries, over Seconds

	Latency   Percentiles `json:"latency_ms"` // from publish to arrival
	Publish   Percentiles `json:"publish_ms"` // from publish to answer, of each request
	Processes []Usage     `json:"processes"`  // empty where CPU and memory cannot be measured
}

// Usage is what a process used of the machine during a measurement.
type Usage struct {
	Process     string  `json:"process"`
	CPUSeconds  float64 `json:"cpu_seconds"`
	CPUPerEvent float64 `json:"cpu_us_per_event"` // µs for each event published
	PeakBytes   int64   `json:"peak_bytes"`       // largest resident memory since the process began; 0 for a database
}

// loss is an error if something was refused or did not arrive.
func (m Measurement) loss() error {
	var errs []error
	if m.Refused > 0 {
		errs = append(errs, fmt.Errorf("%d of %d %s were refused, the first one with: %s", m.Refused, m.Events, m.things(), m.Refusal))
	}
	switch {
	case m.Missing > 0 && m.Calls:
		errs = append(errs, fmt.Errorf("%d of %d calls that were answered with 200 are not stored", m.Missing, m.Deliveries))
	case m.Missing > 0:
		errs = append(errs, fmt.Errorf("%d of %d deliveries did not arrive", m.Missing, m.Deliveries))
	}
	return errors.Join(errs...)
}

// things are what was sent.
func (m Measurement) things() string {
	if m.Calls {
		return "calls"
	}
	return "events"
}

// cpuPerDelivery is the CPU time of all processes for each delivery, in seconds.
func (m Measurement) cpuPerDelivery() float64 {
	var sum float64
	for _, u := range m.Processes {
		sum += u.CPUSeconds
	}
	return quotient(sum, float64(m.Arrived))
}

// process is one whose use of the machine is measured.
type process struct {
	name   string
	child  *child // nil for this process, the publisher
	family bool   // with the processes that it has started, as PostgreSQL does; their memory is shared, and not summed
}

// arrivalPoll is how often the receiver is asked whether all is there. It knows when the last one came, so this is no
// part of what is measured.
const arrivalPoll = 25 * time.Millisecond

// measure publishes a load to a target and waits until it has arrived, or nothing arrives any more.
func (s *session) measure(ctx context.Context, t target, l load) (m Measurement, err error) {
	first := s.numbers(l.events)
	want := expectation{First: first, Events: l.events, Lanes: l.lanes}
	if err := call(ctx, s.caller, http.MethodPost, s.at(wantPath), want, nil); err != nil {
		return m, err
	}
	processes := append([]process{{name: "publisher"}}, append(t.processes, process{name: roleReceiver, child: s.receiver})...)
	before, err := usage(processes)
	if err != nil {
		return m, err
	}
	sent, err := publish(ctx, t, l, first, s.cfg.Publishers)
	if err != nil {
		return m, err
	}
	got, err := s.await(ctx, t, sent.accepted*l.lanes)
	if err != nil {
		return m, err
	}
	if err := pause(ctx, s.cfg.settle); err != nil {
		return m, err
	}
	after, err := usage(processes)
	if err != nil {
		return m, err
	}
	if err := call(ctx, s.caller, http.MethodGet, s.at(statsPath+"?latency=1"), nil, &got); err != nil {
		return m, err
	}
	m = newMeasurement(t.name, l, sent, got)
	m.Processes = difference(before, after, l.events)
	return m, nil
}

func newMeasurement(name string, l load, sent published, got arrivals) Measurement {
	m := Measurement{
		Target: name, Events: l.events, Deliveries: sent.accepted * l.lanes, Arrived: got.Arrived, Duplicates: got.Duplicates,
		Refused: sent.refused, Refusal: sent.refusal, PublishSeconds: sent.took.Seconds(),
		Latency: got.Latency, Publish: percentilesOf(sent.latency),
	}
	m.Missing = max(m.Deliveries-m.Arrived, 0) // an event that was refused may have arrived all the same
	if got.Arrived > 0 {
		m.Seconds = float64(max(got.LastUS-sent.startUS, 1)) / 1e6
		m.PerSecond = float64(got.Arrived) / m.Seconds
	}
	return m
}

// await returns when so many deliveries have arrived, or none has for as long as patience lasts.
func (s *session) await(ctx context.Context, t target, deliveries int) (got arrivals, err error) {
	last, since := -1, time.Now()
	err = poll(ctx, arrivalPoll, func() (bool, error) {
		if err := call(ctx, s.caller, http.MethodGet, s.at(statsPath), nil, &got); err != nil {
			return false, err
		}
		if got.Arrived != last {
			last, since = got.Arrived, time.Now()
		}
		if t.server.hasEnded() {
			return false, errors.Join(fmt.Errorf("the %s ended during the measurement", t.name), t.server.lastWords())
		}
		return got.Arrived >= deliveries || time.Since(since) > s.cfg.Patience, nil
	})
	return got, err
}

// usage reads what the processes have used so far: seconds of CPU and the peak of memory.
func usage(processes []process) ([]Usage, error) {
	all := make([]Usage, 0, len(processes))
	for _, p := range processes {
		pid := os.Getpid()
		if p.child != nil {
			pid = p.child.cmd.Process.Pid
		}
		cpu, peak, err := usageOf(pid, p.family)
		if err != nil {
			return nil, fmt.Errorf("the CPU time and memory of the %s: %w", p.name, err)
		}
		if p.family {
			peak = 0
		}
		if peak == 0 && cpu == 0 {
			continue // this system does not tell
		}
		all = append(all, Usage{Process: p.name, CPUSeconds: cpu.Seconds(), PeakBytes: peak})
	}
	return all, nil
}

// difference is what was used between two readings of the same processes.
func difference(before, after []Usage, events int) []Usage {
	for i := range after {
		u := &after[i]
		for _, b := range before {
			if b.Process == u.Process {
				u.CPUSeconds -= b.CPUSeconds
			}
		}
		u.CPUPerEvent = u.CPUSeconds * 1e6 / float64(events)
	}
	return after
}

// pause waits, or ends with ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
