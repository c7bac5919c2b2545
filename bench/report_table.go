package bench

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// writeTable writes the report for a terminal.
func (r *Report) writeTable(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Postroom %s on %s\n%s\n", r.Version, r.Machine.words(), r.Settings.words())
	for i := range r.Comparisons {
		r.Comparisons[i].table(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// table writes one comparison: a typical run of each side, then what all runs come down to.
func (c *Comparison) table(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n%s\n", c.What)
	pair := c.typical()
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\tdeliveries/s\tarrival p50\tp95\tp99\tmax\tanswer p50\tp95\tp99\tmax ms\t\n")
	for _, side := range []struct {
		name string
		m    Measurement
	}{{c.Base, pair.Base}, {c.Subject, pair.Subject}} {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", side.name, rounded(side.m.PerSecond), side.m.Latency.cells(), side.m.Publish.cells())
	}
	_ = t.Flush() // to memory
	fmt.Fprintf(b, "  %s: %s\n  %s: %s\n", c.Base, pair.Base.cost(), c.Subject, pair.Subject.cost())
	for _, p := range c.Pairs {
		p.Base.faults(b, c.Base)
		p.Subject.faults(b, c.Subject)
	}
	fmt.Fprintf(b, "  ⇒ %s%s\n", c.result(), c.goalWords())
}

func (p Percentiles) cells() string {
	return strings.Join([]string{ms(p.P50), ms(p.P95), ms(p.P99), ms(p.Max)}, "\t")
}

// result is the metric in words.
func (c *Comparison) result() string {
	what := map[Metric]string{Throughput: "ratio of throughput", P99: "p99", P99Ratio: "ratio of p99"}[c.Metric]
	return fmt.Sprintf("%s %s (%s in %d runs)", what, c.Metric.number(c.Median), c.spread(), len(c.Pairs))
}

func (c *Comparison) goalWords() string {
	if c.Goal == nil {
		return ""
	}
	return fmt.Sprintf("; must reach %s, aims at %s: %s", c.Goal.MustText, c.Goal.AimText, c.verdict())
}

// cost says which process used how much of the machine.
func (m Measurement) cost() string {
	if len(m.Processes) == 0 {
		return "CPU and memory are measured on Linux only"
	}
	var parts []string
	for _, u := range m.Processes {
		part := fmt.Sprintf("%s %.2f s (%.1f µs)", u.Process, u.CPUSeconds, u.CPUPerEvent)
		if u.PeakBytes > 0 {
			part += fmt.Sprintf(" %.0f MiB", float64(u.PeakBytes)/(1<<20))
		}
		parts = append(parts, part)
	}
	return fmt.Sprintf("CPU (per event) and peak memory: %s; %.1f µs in all", strings.Join(parts, ", "), m.cpuPerEvent())
}

// faults writes a line about what did not go well, if anything did not.
func (m Measurement) faults(b *bytes.Buffer, name string) {
	if m.Duplicates == 0 && m.loss() == nil {
		return
	}
	fmt.Fprintf(b, "  ! %s: %s refused, %s missing, %s delivered twice or more", name, count(m.Refused), count(m.Missing), count(m.Duplicates))
	if m.Refusal != "" {
		fmt.Fprintf(b, "; the first refusal: %s", m.Refusal)
	}
	b.WriteByte('\n')
}
