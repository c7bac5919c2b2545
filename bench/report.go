package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
)

// Report is all that a benchmark has shown.
type Report struct {
	Version     string       `json:"version"`
	Machine     Machine      `json:"machine"`
	Settings    Settings     `json:"settings"`
	Comparisons []Comparison `json:"comparisons"`
}

// Settings are those parts of the Config that results depend on.
type Settings struct {
	Events      int     `json:"events"`
	EventBytes  int     `json:"event_bytes"`
	Publishers  int     `json:"publishers"`
	Runs        int     `json:"runs"`
	Warmup      int     `json:"warmup"`
	Concurrency int     `json:"concurrency"` // of each webhook, and of the bare forwarder
	Rate        int     `json:"rate"`
	PacedS      float64 `json:"paced_s"`
}

func settingsOf(c Config) Settings {
	return Settings{
		Events: c.Events, EventBytes: eventBytes, Publishers: c.Publishers, Runs: c.Runs, Warmup: c.Warmup,
		Concurrency: forwarderWorkers, Rate: c.Rate, PacedS: c.Paced.Seconds(),
	}
}

// words are the settings as a reader wants them.
func (s Settings) words() string {
	runs := "one run"
	if s.Runs > 1 {
		runs = fmt.Sprintf("median of %d runs", s.Runs)
	}
	return fmt.Sprintf("%s events of %s bytes from %d publishers after a warm-up of %s; %d posts at a time; %s; steady rate: %d/s for %v",
		count(s.Events), count(s.EventBytes), s.Publishers, count(s.Warmup), s.Concurrency, runs, s.Rate,
		time.Duration(s.PacedS*float64(time.Second)).Round(time.Millisecond))
}

func (r *Report) write(w io.Writer, format Format) error {
	switch format {
	case JSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(r)
	case Markdown:
		return r.writeMarkdown(w)
	default:
		return r.writeTable(w)
	}
}

// losses are errors about what was refused or lost.
func (c *Comparison) losses() (errs []error) {
	for i, p := range c.Pairs {
		for _, m := range []Measurement{p.Base, p.Subject} {
			if err := m.loss(); err != nil {
				errs = append(errs, fmt.Errorf("%s on %s, run %d, %s: %w", c.Scenario, c.Database, i+1, m.Target, err))
			}
		}
	}
	return errs
}

// unit is what a value of the metric is in, with a space before it; empty for a ratio.
func (m Metric) unit() string {
	switch m {
	case P99, Slowest:
		return " ms"
	case Seconds:
		return " s"
	case MiB:
		return " MiB"
	}
	return ""
}

// digits writes a value of the metric without its unit.
func (m Metric) digits(v float64) string {
	if m.unit() == "" {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return ms(v)
}

// number writes a value of the metric, with its unit.
func (m Metric) number(v float64) string { return m.digits(v) + m.unit() }

// spread writes the extremes of the metric.
func (c *Comparison) spread() string {
	return c.Metric.digits(c.Lowest) + "–" + c.Metric.digits(c.Highest) + c.Metric.unit()
}

// ms writes milliseconds with three digits that say something.
func ms(v float64) string {
	switch {
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// rounded writes a rate with the digits that say something.
func rounded(v float64) string {
	if v >= 10_000 {
		v = math.Round(v/100) * 100
	} else if v >= 1_000 {
		v = math.Round(v/10) * 10
	}
	return count(int(math.Round(v)))
}

// count writes a number with commas between thousands.
func count(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
