package outbound

import (
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// The breaker opens after so many attempts in a row have failed, and then lets a single probe through now and then, further
// and further apart.
const (
	breakerAfter = 10
	firstProbe   = 10 * time.Second
	lastProbe    = 10 * time.Minute
)

// nextHealth says how a receiver is doing after an attempt that began at a time and ended in an outcome. It is a pure
// function.
func nextHealth(h postroom.Health, o postroom.Outcome, at, now time.Time) postroom.Health {
	if o.State == postroom.StateSucceeded || o.State == postroom.StateCancelled {
		return postroom.Health{}
	}
	h.Failures++
	if h.FailingSince.IsZero() {
		h.FailingSince = at
	}
	if o.State == postroom.StateFailed {
		h.FailedDeliveries++
	}
	// Attempts that were under way when the breaker opened are no probes: they do not open it further.
	if h.Failures >= breakerAfter && !now.Before(h.OpenUntil) {
		wait := lastProbe
		if h.Opens < 6 { // 10 s, 20 s … 320 s, and then 10 min
			wait = firstProbe << h.Opens
		}
		h.Opens++
		h.OpenUntil = now.Add(wait)
	}
	return h
}

// disableReason says why failures disable a webhook now; empty when they do not.
func disableReason(h postroom.Health, d postroom.DisableAfter, now time.Time) string {
	switch {
	case d.Failures > 0 && h.FailedDeliveries >= d.Failures:
		return fmt.Sprintf("%d deliveries in a row have failed.", h.FailedDeliveries)
	case d.For > 0 && !h.FailingSince.IsZero() && now.Sub(h.FailingSince) >= time.Duration(d.For):
		return fmt.Sprintf("Nothing has succeeded for %s, since %s.", d.For, h.FailingSince.UTC().Format(postroom.TimestampFormat))
	}
	return ""
}
