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
	if len(c.Pairs) == 0 {
		c.details(b)
		fmt.Fprintf(b, "  ⇒ %s%s\n", c.result(), c.goalWords())
		return
	}
	pair := c.typical()
	sides := []struct {
		name string
		m    Measurement
	}{{c.Base, pair.Base}, {c.Subject, pair.Subject}}

	titles := []string{"", "deliveries/s", "arrival in ms: p50", "p95", "p99", "max", "answer in ms: p50", "p95", "p99", "max"}
	if c.Metric == Answers { // nothing is delivered
		titles = []string{"", "calls/s", "answer in ms: p50", "p95", "p99", "max"}
	}
	speed := newColumns(b, titles...)
	for _, s := range sides {
		cells := append([]string{s.name, rounded(s.m.PerSecond)}, s.m.Latency.cells()...)
		if c.Metric != Answers {
			cells = append(cells, s.m.Publish.cells()...)
		}
		speed.row(cells...)
	}
	speed.end()

	cost := newColumns(b, "", "CPU s", "CPU in µs/event: all", "publisher", "server", "database", "receiver", "peak MiB: publisher", "server", "receiver")
	for _, s := range sides {
		cost.row(append([]string{s.name}, s.m.cost()...)...)
	}
	cost.end()

	for _, p := range c.Pairs {
		p.Base.faults(b, c.Base)
		p.Subject.faults(b, c.Subject)
	}
	fmt.Fprintf(b, "  ⇒ %s%s\n", c.result(), c.goalWords())
}

// details writes what was measured beside the metric.
func (c *Comparison) details(b *bytes.Buffer) {
	if len(c.Details) == 0 {
		return
	}
	calls := c.Metric == Slowest
	titles := []string{"", "value"}
	if calls {
		titles = []string{"", "p50 in ms", "max", "first after a start", "found"}
	}
	t := newColumns(b, titles...)
	for _, d := range c.Details {
		if calls {
			t.row(d.What, ms(d.Value), ms(d.Max), ms(d.First), d.Found)
		} else {
			t.row(d.What, ms(d.Value))
		}
	}
	t.end()
}

// columns is a table whose columns are as wide as what they hold, aligned at the right.
type columns struct{ w *tabwriter.Writer }

func newColumns(b *bytes.Buffer, titles ...string) columns {
	c := columns{tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)}
	c.row(titles...)
	return c
}

func (c columns) row(cells ...string) { fmt.Fprintf(c.w, "%s\t\n", strings.Join(cells, "\t")) }

func (c columns) end() { _ = c.w.Flush() } // to memory, which takes it

func (p Percentiles) cells() []string { return []string{ms(p.P50), ms(p.P95), ms(p.P99), ms(p.Max)} }

// result is the metric in words.
func (c *Comparison) result() string {
	what := map[Metric]string{Throughput: "ratio of throughput", Answers: "ratio of throughput", P99: "p99", P99Ratio: "ratio of p99", Slowest: "the slowest filter's p50", Seconds: "time", MiB: "memory"}[c.Metric]
	runs := "one run"
	if n := max(len(c.Pairs), len(c.Values)); c.Metric == Slowest {
		runs = fmt.Sprintf("%s for %d filters", c.spread(), n)
	} else if n > 1 {
		runs = fmt.Sprintf("%s in %d runs", c.spread(), n)
	}
	text := fmt.Sprintf("%s %s (%s)", what, c.Metric.number(c.Median), runs)
	if c.isRatioOfSpeed() && c.CPURatio > 0 {
		text += fmt.Sprintf(", by CPU time alone %.2f", c.CPURatio)
	}
	return text
}

func (c *Comparison) goalWords() string {
	if c.Goal == nil {
		return ""
	}
	return fmt.Sprintf("; required: %s, aim: %s: %s", c.Goal.MustText, c.Goal.AimText, c.verdict())
}

// cost are the cells that say how much of the machine was used; a dash stands for what was not, or is not known.
func (m Measurement) cost() []string {
	cells := []string{"–", "–", "–", "–", "–", "–", "–", "–", "–"}
	if len(m.Processes) == 0 {
		return cells
	}
	var seconds, perEvent float64
	for _, u := range m.Processes {
		seconds += u.CPUSeconds
		perEvent += u.CPUPerEvent
		cpu, peak := 3, 7 // the server: Postroom or the bare forwarder
		switch u.Process {
		case "publisher":
			cpu, peak = 2, 6
		case "postgres":
			cpu = 4 // its memory is not measured
		case roleReceiver:
			cpu, peak = 5, 8
		}
		cells[cpu] = fmt.Sprintf("%.1f", u.CPUPerEvent)
		if u.PeakBytes > 0 {
			cells[peak] = fmt.Sprintf("%.0f", float64(u.PeakBytes)/(1<<20))
		}
	}
	cells[0], cells[1] = fmt.Sprintf("%.2f", seconds), fmt.Sprintf("%.1f", perEvent)
	return cells
}

// faults writes a line about what did not go well, if anything did not.
func (m Measurement) faults(b *bytes.Buffer, name string) {
	if m.Duplicates == 0 && m.loss() == nil {
		return
	}
	fmt.Fprintf(b, "  ! %s: %s refused, %s missing", name, count(m.Refused), count(m.Missing))
	if !m.Calls {
		fmt.Fprintf(b, ", %s delivered twice or more", count(m.Duplicates))
	}
	if m.Refusal != "" {
		fmt.Fprintf(b, "; the first refusal: %s", m.Refusal)
	}
	b.WriteByte('\n')
}
