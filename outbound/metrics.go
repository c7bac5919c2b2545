package outbound

import (
	"sync/atomic"

	"github.com/postroom/postroom"
)

// Metrics counts what the engine does.
type Metrics struct {
	attempts, succeeded, failed, retried, cancelled, lost, panics atomic.Int64
	inFlight                                                      atomic.Int64
}

// Counts is a reading of the engine's counters and gauges.
type Counts struct {
	Attempts, Succeeded, Failed, Retried, Cancelled, Lost, Panics int64 // since the start
	InFlight                                                      int64 // attempts under way
	Held                                                          int64 // deliveries in memory
	HeldBytes                                                     int64 // of their events' data
	Lanes                                                         int64
}

func (m *Metrics) recorded(f *postroom.Finish) {
	if f.Attempt != nil {
		m.attempts.Add(1)
	}
	if f.Lost {
		m.lost.Add(1)
		return
	}
	switch f.Outcome.State {
	case postroom.StateSucceeded:
		m.succeeded.Add(1)
	case postroom.StateFailed:
		m.failed.Add(1)
	case postroom.StateCancelled:
		m.cancelled.Add(1)
	default:
		m.retried.Add(1)
	}
}

// Counts reads the counters and gauges.
func (e *Engine) Counts() Counts {
	m := &e.metrics
	c := Counts{Attempts: m.attempts.Load(), Succeeded: m.succeeded.Load(), Failed: m.failed.Load(), Retried: m.retried.Load(),
		Cancelled: m.cancelled.Load(), Lost: m.lost.Load(), Panics: m.panics.Load(), InFlight: m.inFlight.Load()}
	e.lanes.mu.Lock()
	defer e.lanes.mu.Unlock()
	c.Held, c.HeldBytes, c.Lanes = int64(len(e.lanes.held)), int64(e.lanes.heldBytes), int64(len(e.lanes.byID))
	return c
}
