package outbound

import (
	"encoding/binary"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// Policy is what a webhook wants done about failures.
type Policy struct {
	Schedule   []time.Duration // the wait before each further attempt; its length is how many there may be
	Jitter     float64         // 0 to 1: a wait is lengthened by up to this share of itself
	ExpectJSON bool            // a 2xx answer must carry JSON
}

// Result is how an attempt went.
type Result struct {
	StatusCode int    // 0 without an answer
	RetryAfter string // the answer's header of that name
	Kind       string // why there is no usable answer; empty with one
	Sentence   string // the same for a person
	JSON       bool   // the answer's body is JSON
}

// The kinds of failure that an answer means, or that credentials mean. Those of calls without an answer are egress's.
const (
	KindAuth     = "auth"     // there is no access token, or the client certificate has expired
	KindStatus   = "status"   // the receiver answered, but not 2xx
	KindRedirect = "redirect" // the receiver answered 3xx, which is not followed
	KindGone     = "gone"     // the receiver answered 410: it wants no more
	KindNotJSON  = "not_json" // the receiver answered 2xx without the JSON that the webhook expects
)

// Bounds of Retry-After: more than a day is not what a receiver means.
const (
	minRetryAfter = time.Second
	maxRetryAfter = 24 * time.Hour
)

// Decide says what an attempt means for its delivery. made is how many attempts there were, with this one. It is a pure
// function: what looks random is drawn from the delivery's id.
//
//   - 2xx succeeds (with JSON, where the webhook expects it).
//   - 410 ends the delivery and pauses the webhook.
//   - 429 and 503 wait as long as Retry-After asks, within bounds, but never less than the schedule.
//   - Anything else, 3xx too, follows the schedule; at its end the delivery has failed.
func Decide(d postroom.DeliveryID, made int, r Result, p Policy, now time.Time) (postroom.Outcome, *postroom.AttemptError) {
	failure := failureOf(r, p)
	switch {
	case failure == nil:
		return postroom.Outcome{State: postroom.StateSucceeded}, nil
	case failure.Kind == KindGone:
		return postroom.Outcome{State: postroom.StateFailed, Stop: postroom.WebhookPaused, Reason: gone}, failure
	case made > len(p.Schedule):
		return postroom.Outcome{State: postroom.StateFailed}, failure
	}
	wait := p.Schedule[max(made, 1)-1]
	wait += time.Duration(float64(wait) * p.Jitter * spread(d, made))
	if r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusServiceUnavailable {
		if asked, ok := retryAfter(r.RetryAfter, now); ok {
			wait = max(wait, asked)
		}
	}
	return postroom.Outcome{State: postroom.StateRetry, NextAt: now.Add(wait)}, failure
}

// gone says what happened, not what follows: a test does not pause the webhook.
const gone = "The receiver answered 410 Gone: it wants no more events."

func failureOf(r Result, p Policy) *postroom.AttemptError {
	status := strings.TrimSpace(strconv.Itoa(r.StatusCode) + " " + http.StatusText(r.StatusCode))
	fail := func(kind, sentence string) *postroom.AttemptError {
		return &postroom.AttemptError{Kind: kind, Message: sentence}
	}
	switch code := r.StatusCode; {
	case r.Kind != "":
		return fail(r.Kind, r.Sentence)
	case code == http.StatusGone:
		return fail(KindGone, gone)
	case code >= 200 && code < 300:
		if p.ExpectJSON && !r.JSON {
			return fail(KindNotJSON, "The receiver answered "+status+", but its body is not the JSON that this webhook expects.")
		}
		return nil
	case code >= 300 && code < 400:
		return fail(KindRedirect, "The receiver answered "+status+". Redirects are not followed: set the webhook's URL to where it leads.")
	case code == http.StatusTooManyRequests:
		return fail(KindStatus, "The receiver answered "+status+": it wants to be called less often.")
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fail(KindStatus, "The receiver answered "+status+": it does not accept the webhook's credentials or signature.")
	case code >= 400 && code < 500:
		return fail(KindStatus, "The receiver answered "+status+": it does not accept this call.")
	default:
		return fail(KindStatus, "The receiver answered "+status+": it has a problem of its own.")
	}
}

// spread draws a number from 0 to 1 for an attempt of a delivery.
func spread(d postroom.DeliveryID, made int) float64 {
	// The last eight bytes of an id are random; one round of splitmix64 mixes in the attempt.
	x := binary.BigEndian.Uint64(d[8:]) + uint64(made)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// retryAfter reads the header's two forms (RFC 9110, 10.2.3): seconds, or a date.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	var wait time.Duration
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) { // then the nearest there is
		if seconds < 0 {
			return 0, false
		}
		wait = time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	} else {
		return 0, false
	}
	return min(max(wait, minRetryAfter), maxRetryAfter), true
}
