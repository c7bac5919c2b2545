package cli

import (
	"fmt"
	"strconv"
	"time"
)

// progress shows on a terminal how far long work has come. Elsewhere it shows nothing.
type progress struct {
	s     *session
	shown time.Time
	on    bool
}

const progressEvery = 100 * time.Millisecond

func (s *session) progress() *progress {
	return &progress{s: s, on: s.Terminal.Stderr && s.env("TERM") != "dumb"}
}

// show replaces the line that is shown, if the last one was shown long enough.
func (p *progress) show(format string, args ...any) {
	now := p.s.Now()
	if !p.on || now.Sub(p.shown) < progressEvery {
		return
	}
	p.shown = now
	_, _ = fmt.Fprintf(p.s.Stderr, "\r\x1b[K"+format, args...)
}

// end takes the line away.
func (p *progress) end() {
	if p.on && !p.shown.IsZero() {
		_, _ = fmt.Fprint(p.s.Stderr, "\r\x1b[K")
	}
}

// count writes a number with commas between thousands.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// plural writes a number of things.
func plural[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(int64(n)) + " " + many
}

// size writes a number of bytes.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return plural(n, "byte", "bytes")
}
