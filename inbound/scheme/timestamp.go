package scheme

import (
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// timestamp is when a call was signed.
type timestamp struct {
	place     place
	format    string
	tolerance time.Duration
}

func (t *timestamp) parse(text string) (time.Time, *Reason) {
	at, ok := parseTime(text, t.format)
	if !ok {
		return at, because(KindMalformed, "the timestamp in %s is not in the format %s", t.place, t.format)
	}
	return at, nil
}

// parseTime reads a time. Numbers are digits alone, not more than the year 5000 needs.
func parseTime(text, format string) (time.Time, bool) {
	if format == "rfc3339" {
		at, err := time.Parse(time.RFC3339Nano, text)
		return at, err == nil && len(text) <= 64
	}
	digits := 11
	if format == "unix_ms" {
		digits = 14
	}
	if len(text) > digits || strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if format == "unix_ms" {
		return time.UnixMilli(n), err == nil
	}
	return time.Unix(n, 0), err == nil
}

// fresh tells whether a call that was signed at one time may arrive at another.
func (t *timestamp) fresh(signed, now time.Time) *Reason {
	age := now.Sub(signed)
	switch {
	case age > t.tolerance:
		return because(KindTooOld, "the timestamp in %s is %s old; %s is allowed", t.place, rounded(age), postroom.Duration(t.tolerance))
	case age < -t.tolerance:
		return because(KindTooNew, "the timestamp in %s is %s in the future; %s is allowed", t.place, rounded(-age), postroom.Duration(t.tolerance))
	}
	return nil
}

// rounded is to whole seconds, upwards, so that what is beyond a limit does not look like the limit itself.
func rounded(d time.Duration) postroom.Duration {
	if r := d.Truncate(time.Second); r != d && r < 1<<62 {
		d = r + time.Second
	}
	return postroom.Duration(d)
}
