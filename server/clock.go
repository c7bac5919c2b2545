package server

import (
	"log/slog"
	"time"
)

// How the clock is watched.
const (
	clockEvery     = 10 * time.Second
	smallStep      = 2 * time.Second // of which nobody needs to hear
	largeStep      = time.Hour       // after one forward, nothing is deleted for a while
	afterLargeStep = 24 * time.Hour
)

// clockWatch notices when the clock of this machine is set, by holding it against the time that has really passed.
type clockWatch struct {
	log  *slog.Logger
	last time.Time // with a reading of the monotonic clock
	// doubtUntil is when old data may be deleted again. A clock that is wrong by a month must not make a month's data old, and a
	// person needs time to see it.
	doubtUntil time.Time
}

// newClockWatch begins to watch. newest is when the newest stored event was published; zero for none.
func newClockWatch(log *slog.Logger, newest time.Time, retention time.Duration, now time.Time) *clockWatch {
	w := &clockWatch{log: log, last: now}
	if !newest.IsZero() && now.Sub(newest) >= retention {
		w.doubtUntil = now.Add(afterLargeStep)
		log.Warn("all that is stored is older than it is kept, or the clock is ahead: nothing is deleted for a while",
			"newest_event", newest, "wait", afterLargeStep)
	}
	return w
}

// look compares the clocks at now, which has both readings.
func (w *clockWatch) look(now time.Time) {
	passed := now.Sub(w.last)                          // by the monotonic clock
	step := now.Round(0).Sub(w.last.Round(0)) - passed // Round strips the monotonic reading
	w.last = now
	w.stepped(step, now)
}

// stepped notes that the clock has jumped, by less than 0 when it was set back.
func (w *clockWatch) stepped(step time.Duration, now time.Time) {
	switch {
	case step > largeStep:
		w.doubtUntil = now.Add(afterLargeStep)
		w.log.Warn("the clock was set forward, or the machine was suspended: no old data is deleted for a while", "by", step, "wait", afterLargeStep)
	case step > smallStep:
		w.log.Warn("the clock was set forward, or the machine was suspended", "by", step)
	case step < -smallStep:
		w.log.Warn("the clock was set back: what is due by the old clock waits for longer", "by", -step)
	}
}

// trusted tells whether the clock may say what is old.
func (w *clockWatch) trusted(now time.Time) bool { return !now.Before(w.doubtUntil) }
