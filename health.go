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

// WebhookHealth is what people see of a webhook's health.
type WebhookHealth struct {
	FailingSince     *Timestamp `json:"failing_since"`     // when the first attempt failed since the last success; null when healthy
	Failures         int        `json:"failures"`          // attempts that failed in a row
	FailedDeliveries int        `json:"failed_deliveries"` // deliveries that were given up in a row
	OpenUntil        *Timestamp `json:"open_until"`        // the breaker is open, and the next probe goes out then; null while it is closed
	LastStatus       int        `json:"last_status"`       // of the newest attempt; 0 without an answer
	LastAt           *Timestamp `json:"last_at"`           // when the newest attempt began; null for none in 400 days
}
