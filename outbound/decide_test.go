package outbound

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func drawDelivery(t *rapid.T) (d postroom.DeliveryID) {
	copy(d[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "delivery"))
	return d
}

func drawPolicy(t *rapid.T) Policy {
	return Policy{
		Schedule:   rapid.SliceOfN(rapid.Custom(drawWait), 0, 12).Draw(t, "schedule"),
		Jitter:     rapid.Float64Range(0, 1).Draw(t, "jitter"),
		ExpectJSON: rapid.Bool().Draw(t, "expect JSON"),
	}
}

func drawWait(t *rapid.T) time.Duration {
	return time.Duration(rapid.Int64Range(int64(100*time.Millisecond), int64(7*24*time.Hour)).Draw(t, "wait"))
}

func drawResult(t *rapid.T) Result {
	r := Result{
		StatusCode: rapid.OneOf(rapid.IntRange(100, 599), rapid.SampledFrom([]int{0, 200, 204, 301, 410, 429, 500, 503, 999})).Draw(t, "status"),
		RetryAfter: rapid.OneOf(rapid.Just(""), rapid.Custom(drawRetryAfter), rapid.String()).Draw(t, "Retry-After"),
		JSON:       rapid.Bool().Draw(t, "JSON"),
	}
	if r.StatusCode == 0 || rapid.IntRange(0, 4).Draw(t, "broken") == 0 {
		r.Kind = rapid.SampledFrom([]string{egress.KindDNS, egress.KindTimeout, egress.KindBody, egress.KindInternal}).Draw(t, "kind")
		r.Sentence = rapid.String().Draw(t, "sentence")
	}
	return r
}

func drawRetryAfter(t *rapid.T) string {
	if rapid.Bool().Draw(t, "date") {
		at := epoch.Add(time.Duration(rapid.Int64Range(int64(-48*time.Hour), int64(48*time.Hour)).Draw(t, "in")))
		return at.Format(rapid.SampledFrom([]string{http.TimeFormat, time.RFC850, time.ANSIC}).Draw(t, "format"))
	}
	return fmt.Sprint(rapid.Int64Range(-10, 200000).Draw(t, "seconds"))
}

func TestDecideProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, p, r, made := drawDelivery(t), drawPolicy(t), drawResult(t), rapid.IntRange(1, 14).Draw(t, "made")
		schedule := slices.Clone(p.Schedule)
		o, failure := Decide(d, made, r, p, epoch)
		again, sameFailure := Decide(d, made, r, p, epoch)
		if o != again || (failure == nil) != (sameFailure == nil) || failure != nil && *failure != *sameFailure || !slices.Equal(schedule, p.Schedule) {
			t.Fatalf("not a pure function: %+v, then %+v", o, again)
		}
		accepted := r.Kind == "" && r.StatusCode >= 200 && r.StatusCode < 300
		if want := accepted && (r.JSON || !p.ExpectJSON); want != (o.State == postroom.StateSucceeded) || want != (failure == nil) {
			t.Fatalf("%+v: %v, failure %+v", r, o.State, failure)
		}
		if failure != nil && (failure.Kind == "" || failure.Message == "" && r.Sentence != "") {
			t.Fatalf("a failure without words: %+v", failure)
		}
		if r.Kind != "" && (failure.Kind != r.Kind || failure.Message != r.Sentence) {
			t.Fatalf("what egress said became %+v", failure)
		}
		if gone := r.Kind == "" && r.StatusCode == 410; gone != (o.Stop != "") || gone && o.State != postroom.StateFailed {
			t.Fatalf("%+v: %+v", r, o)
		}
		checkNext(t, o, made, r, p)
	})
}

// checkNext checks whether and when there is a further attempt.
func checkNext(t *rapid.T, o postroom.Outcome, made int, r Result, p Policy) {
	if o.State != postroom.StateRetry {
		if !o.NextAt.IsZero() {
			t.Fatalf("%v has a next time", o.State)
		}
		if o.State == postroom.StateFailed && o.Stop == "" && made <= len(p.Schedule) {
			t.Fatalf("given up after %d attempts, with %d waits", made, len(p.Schedule))
		}
		return
	}
	if made > len(p.Schedule) {
		t.Fatalf("attempt %d has a successor, with %d waits", made, len(p.Schedule))
	}
	wait, got := p.Schedule[made-1], o.NextAt.Sub(epoch)
	longest := wait + time.Duration(float64(wait)*p.Jitter)
	if asked, ok := retryAfter(r.RetryAfter, epoch); ok && (r.StatusCode == 429 || r.StatusCode == 503) {
		if asked < minRetryAfter || asked > maxRetryAfter {
			t.Fatalf("Retry-After %q means %v", r.RetryAfter, asked)
		}
		wait, longest = max(wait, asked), max(longest, asked)
	}
	if got < wait || got > longest {
		t.Fatalf("the next attempt is in %v, want %v to %v", got, wait, longest)
	}
}

func TestRetryAfter(t *testing.T) {
	const none = -1
	date := func(d time.Duration) string { return epoch.Add(d).Format(http.TimeFormat) }
	for _, test := range []struct {
		value string
		want  time.Duration
	}{
		{"", none}, {"  ", none}, {"soon", none}, {"1.5", none}, {"1e3", none}, {"0x10", none}, {"10 s", none}, {"10;q=1", none},
		{"-1", none}, {"-99999999999999999999", none},
		{"0", time.Second}, {"1", time.Second}, {"2", 2 * time.Second}, {" 120 ", 2 * time.Minute}, {"007", 7 * time.Second},
		{"86399", 86399 * time.Second}, {"86400", 24 * time.Hour}, {"86401", 24 * time.Hour},
		{"9223372036", 24 * time.Hour}, {"9223372037", 24 * time.Hour}, {"9223372036854775807", 24 * time.Hour},
		{"9223372036854775808", 24 * time.Hour}, {"99999999999999999999999999", 24 * time.Hour},
		{date(time.Hour), time.Hour - 123456*time.Microsecond}, // dates have no fractions
		{epoch.Add(time.Hour).Format("Monday, 02-Jan-06 15:04:05 GMT"), time.Hour - 123456*time.Microsecond},
		{epoch.Add(time.Hour).Format(time.ANSIC), time.Hour - 123456*time.Microsecond},
		{date(0), time.Second}, {date(-time.Hour), time.Second}, {"Thu, 01 Jan 1970 00:00:00 GMT", time.Second},
		{"Mon, 01 Jan 0001 00:00:00 GMT", time.Second}, {date(48 * time.Hour), 24 * time.Hour}, {"Fri, 31 Dec 9999 23:59:59 GMT", 24 * time.Hour},
		{"Wed, 32 Jan 2026 00:00:00 GMT", none}, {"2026-03-01T13:00:00Z", none},
	} {
		got, ok := retryAfter(test.value, epoch)
		if !ok {
			got = none
		}
		if got != test.want {
			t.Errorf("%q: %v, want %v", test.value, got, test.want)
		}
	}
}

// Only 429 and 503 may ask for a time, and never for less than the schedule.
func TestRetryAfterByStatus(t *testing.T) {
	p := Policy{Schedule: []time.Duration{time.Minute}}
	for code := 300; code < 600; code++ {
		if code == http.StatusGone {
			continue
		}
		want := time.Minute
		if code == 429 || code == 503 {
			want = time.Hour
		}
		for value, want := range map[string]time.Duration{"3600": want, "5": time.Minute} {
			o, _ := Decide(postroom.DeliveryID{}, 1, Result{StatusCode: code, RetryAfter: value}, p, epoch)
			if got := o.NextAt.Sub(epoch); got != want {
				t.Errorf("%d with Retry-After %s: the next attempt is in %v, want %v", code, value, got, want)
			}
		}
	}
}

func TestJitterIsSpread(t *testing.T) {
	p := Policy{Schedule: []time.Duration{time.Hour, time.Hour}, Jitter: 0.5}
	ids := &postroom.IDs{}
	var buckets [2][10]int
	const n = 10000
	differ := 0
	for range n {
		d := postroom.Next[postroom.DeliveryKind](ids, epoch)
		var bucket [2]int
		for made := range 2 {
			o, _ := Decide(d, made+1, Result{StatusCode: 500}, p, epoch)
			bucket[made] = int(float64(o.NextAt.Sub(epoch)-time.Hour) / float64(30*time.Minute) * 10)
			buckets[made][bucket[made]]++
		}
		if bucket[0] != bucket[1] {
			differ++
		}
	}
	for made, b := range buckets {
		for i, got := range b {
			if got < n/10*8/10 || got > n/10*12/10 { // about six standard deviations
				t.Errorf("attempt %d: %d of %d waits are in the %d. tenth", made+1, got, n, i+1)
			}
		}
	}
	if differ < n*8/10 {
		t.Errorf("only %d of %d deliveries have another jitter for another attempt", differ, n)
	}
	if o, _ := Decide(postroom.DeliveryID{1}, 1, Result{StatusCode: 500}, Policy{Schedule: p.Schedule}, epoch); !o.NextAt.Equal(epoch.Add(time.Hour)) {
		t.Errorf("without jitter: %v", o.NextAt)
	}
}

func TestFailureSentences(t *testing.T) {
	for _, test := range []struct {
		result Result
		json   bool // expected
		kind   string
		says   string
	}{
		{Result{StatusCode: 200}, false, "", ""},
		{Result{StatusCode: 299}, false, "", ""},
		{Result{StatusCode: 200, JSON: true}, true, "", ""},
		{Result{StatusCode: 200}, true, KindNotJSON, "The receiver answered 200 OK, but its body is not the JSON that this webhook expects."},
		{Result{StatusCode: 204}, true, KindNotJSON, "The receiver answered 204 No Content, but its body is not the JSON that this webhook expects."},
		{Result{StatusCode: 301}, false, KindRedirect, "The receiver answered 301 Moved Permanently. Redirects are not followed: set the webhook's URL to where it leads."},
		{Result{StatusCode: 304}, false, KindRedirect, "The receiver answered 304 Not Modified. Redirects are not followed: set the webhook's URL to where it leads."},
		{Result{StatusCode: 400}, false, KindStatus, "The receiver answered 400 Bad Request: it does not accept this call."},
		{Result{StatusCode: 401}, false, KindStatus, "The receiver answered 401 Unauthorized: it does not accept the webhook's credentials or signature."},
		{Result{StatusCode: 403}, true, KindStatus, "The receiver answered 403 Forbidden: it does not accept the webhook's credentials or signature."},
		{Result{StatusCode: 410}, true, KindGone, "The receiver answered 410 Gone: it wants no more events."},
		{Result{StatusCode: 429}, false, KindStatus, "The receiver answered 429 Too Many Requests: it wants to be called less often."},
		{Result{StatusCode: 499}, false, KindStatus, "The receiver answered 499: it does not accept this call."},
		{Result{StatusCode: 500, JSON: true}, true, KindStatus, "The receiver answered 500 Internal Server Error: it has a problem of its own."},
		{Result{StatusCode: 999}, false, KindStatus, "The receiver answered 999: it has a problem of its own."},
		{Result{StatusCode: 200, JSON: true, Kind: egress.KindBody, Sentence: "The body broke off."}, true, egress.KindBody, "The body broke off."},
		{Result{StatusCode: 410, Kind: egress.KindBody, Sentence: "The body broke off."}, false, egress.KindBody, "The body broke off."},
		{Result{Kind: egress.KindDNS, Sentence: "No such name."}, false, egress.KindDNS, "No such name."},
	} {
		got := failureOf(test.result, Policy{ExpectJSON: test.json})
		if got == nil {
			got = &postroom.AttemptError{}
		}
		if got.Kind != test.kind || got.Message != test.says {
			t.Errorf("%+v: %q, %q", test.result, got.Kind, got.Message)
		}
		if got.Message != "" && !strings.HasSuffix(got.Message, ".") {
			t.Errorf("%q is no sentence", got.Message)
		}
	}
}

// The attempts of a delivery that never succeeds are as many as the schedule has waits, and one.
func TestAttemptsOfASchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, p := drawDelivery(t), drawPolicy(t)
		for made, now := 1, epoch; ; made++ {
			o, _ := Decide(d, made, Result{StatusCode: 500}, p, now)
			if o.State == postroom.StateFailed {
				if made != len(p.Schedule)+1 {
					t.Fatalf("given up after %d attempts, with %d waits", made, len(p.Schedule))
				}
				return
			}
			if !o.NextAt.After(now) {
				t.Fatalf("attempt %d is not later than the one before", made+1)
			}
			now = o.NextAt
		}
	})
}
