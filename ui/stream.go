package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// heartbeat is how often a stream without news says that it is alive.
const heartbeat = 15 * time.Second

// streamLife is when a stream ends, for the browser to ask anew: whoever was signed out meanwhile is refused then.
const streamLife = 5 * time.Minute

// stream sends events as they come, until there are no more or the browser goes: server-sent events, for hx-ext="sse". Each becomes what
// html makes of it, under the name event.
func stream[T any](c *call, event string, from <-chan T, html func(T) (string, error)) error {
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.w.WriteHeader(http.StatusOK)
	c.answered = true
	flusher := http.NewResponseController(c.w)
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	end := time.NewTimer(streamLife)
	defer end.Stop()
	if _, err := fmt.Fprint(c.w, ": hello\n\n"); err != nil {
		return nil //nolint:nilerr // the browser went away
	}
	for {
		if err := flusher.Flush(); err != nil {
			return nil //nolint:nilerr // the browser went away
		}
		select {
		case <-c.Context().Done():
			return nil
		case <-end.C:
			return nil
		case <-ticker.C:
			_, _ = fmt.Fprint(c.w, ": still here\n\n")
		case x, more := <-from:
			if !more {
				return nil
			}
			text, err := html(x)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(c.w, "event: %s\ndata: %s\n\n", event, strings.NewReplacer("\r", "", "\n", "\ndata: ").Replace(text))
		}
	}
}

// chart is what app.js draws: times in seconds since 1970, and a line for each series.
type chart struct {
	Times  []int64  `json:"times"`
	Series []series `json:"series"`
}

// series is a line of a chart, in which values may be missing. Its kind says its colour: ok, bad, wait or accent.
type series struct {
	Label  string     `json:"label"`
	Kind   string     `json:"kind"`
	Unit   string     `json:"unit,omitempty"`
	Values []*float64 `json:"values"`
}

func newChart(all ...series) chart { return chart{Times: []int64{}, Series: all} }

// add adds a time, with a value for each series; nil for one that is missing.
func (ch *chart) add(at time.Time, values ...*float64) {
	ch.Times = append(ch.Times, at.Unix())
	for i, v := range values {
		ch.Series[i].Values = append(ch.Series[i].Values, v)
	}
}

// count adds a time, with a number for each series.
func (ch *chart) count(at time.Time, numbers ...int64) {
	values := make([]*float64, len(numbers))
	for i, n := range numbers {
		v := float64(n)
		values[i] = &v
	}
	ch.add(at, values...)
}

// json answers with JSON, such as a chart.
func (c *call) json(body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Vary", "Accept-Encoding")
	return c.write(text, 0)
}
