package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestClockWatch(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for name, c := range map[string]struct {
		newest  time.Duration // before the start; 0 for none
		step    time.Duration
		says    string // empty for nothing
		trusted bool
	}{
		"all is well":                         {newest: time.Hour, trusted: true},
		"nothing is stored":                   {trusted: true},
		"a little forward":                    {step: time.Second, trusted: true},
		"forward":                             {step: time.Minute, says: "set forward", trusted: true},
		"far forward":                         {step: 40 * 24 * time.Hour, says: "no old data is deleted"},
		"back":                                {step: -time.Minute, says: "set back", trusted: true},
		"far back":                            {step: -month, says: "set back", trusted: true},
		"all is old":                          {newest: 2 * month, says: "nothing is deleted"},
		"it was written by a clock far ahead": {newest: -time.Hour, trusted: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				start := time.Now()
				var newest time.Time
				if c.newest != 0 {
					newest = start.Add(-c.newest).Round(0)
				}
				w := newClockWatch(slog.New(slog.NewTextHandler(&said, nil)), newest, month, start)
				time.Sleep(clockEvery)
				w.look(time.Now()) // sees no step
				w.stepped(c.step, time.Now())
				if got := said.String(); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
					t.Errorf("it says %q, want %q", got, c.says)
				}
				if got := w.trusted(time.Now()); got != c.trusted {
					t.Errorf("it is trusted: %v", got)
				}
				time.Sleep(25 * time.Hour)
				if !w.trusted(time.Now()) {
					t.Error("it is not trusted after a day")
				}
			})
		})
	}
}
