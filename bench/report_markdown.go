package bench

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// writeMarkdown writes the report as a table for documentation, below a sentence about the machine.
func (r *Report) writeMarkdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Postroom %s on %s. %s.\n\n", r.Version, r.Machine.words(), r.Settings.words())
	b.WriteString("| what | must reach | measured | aims at |\n|---|---|---|---|\n")
	for i := range r.Comparisons {
		c := &r.Comparisons[i]
		must, aim := "–", "–"
		if c.Goal != nil {
			must, aim = c.Goal.MustText, c.Goal.AimText
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(c.What), cell(must), cell(c.measured()), cell(aim))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// measured is what a comparison has shown, for one cell.
func (c *Comparison) measured() string {
	pair := c.typical()
	runs := ""
	if max(len(c.Pairs), len(c.Values)) > 1 {
		runs = "; runs " + c.spread()
	}
	var text string
	switch c.Metric {
	case P99:
		text = fmt.Sprintf("%s (p50 %s ms; %s: p99 %s ms%s)", c.Metric.number(c.Median), ms(pair.Subject.Latency.P50), c.Base, ms(pair.Base.Latency.P99), runs)
	case Slowest:
		worst := 0.0
		for _, d := range c.Details {
			worst = max(worst, d.Max, d.First)
		}
		return fmt.Sprintf("%s (p50 of the slowest of %d filters; the slowest call of all %s)", c.Metric.number(c.Median), len(c.Values), c.Metric.number(worst))
	case Seconds, MiB:
		text = c.Metric.number(c.Median)
		if runs != "" {
			text += " (" + strings.TrimPrefix(runs, "; ") + ")"
		}
		return text
	case P99Ratio:
		text = fmt.Sprintf("%s (%s ms beside %s ms%s)", c.Metric.number(c.Median), ms(pair.Subject.Latency.P99), ms(pair.Base.Latency.P99), runs)
	default:
		text = fmt.Sprintf("%s (%s/s beside %s/s%s)", c.Metric.number(c.Median), rounded(pair.Subject.PerSecond), rounded(pair.Base.PerSecond), runs)
	}
	if c.lost() {
		text += "; " + c.lossWords()
	}
	return text
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
