package postroom

import "time"

// Health is how a webhook's receiver has been doing since its last success. The zero value is a healthy one.
//
//	closed ── breakerAfter failures in a row ──▶ open until a time ──▶ one probe ──┬─ success ─▶ closed
//	                                                  ▲                            │
//	                                                  └── further away ── failure ─┘
type Health struct {
	Failures         int       // attempts that failed in a row
	FailedDeliveries int       // deliveries that were given up in a row
	FailingSince     time.Time // when the first of those attempts began; zero when healthy
	Opens            int       // how often the breaker has opened since the last success
	OpenUntil        time.Time // nothing goes out before; zero when the breaker is closed
}

// Healthy tells whether the last attempt succeeded.
func (h Health) Healthy() bool { return h == Health{} }

// Open tells whether the breaker is open: only probes go out.
func (h Health) Open() bool { return !h.OpenUntil.IsZero() }
