package bench

import "slices"

// Metric says what number a comparison comes down to.
type Metric string

// The metrics.
const (
	Throughput Metric = "throughput" // deliveries per second of the subject, as a part of the base's; more is better
	Answers    Metric = "answers"    // answered calls per second, likewise; more is better
	P99        Metric = "p99"        // the subject's p99 from publish to arrival, in ms; less is better
	P99Ratio   Metric = "p99_ratio"  // the subject's p99 as a multiple of the base's; less is better
	Slowest    Metric = "slowest"    // of several calls the one that takes longest, in ms; less is better
	Seconds    Metric = "seconds"    // less is better
	MiB        Metric = "mib"        // of memory; less is better
)

// Pair is a base and a subject that were measured in turn.
type Pair struct {
	Base    Measurement `json:"base"`
	Subject Measurement `json:"subject"`
}

// Comparison is what a scenario has shown on a database: pairs of measurements, and the number they come down to.
type Comparison struct {
	Scenario string `json:"scenario"`
	Database string `json:"database"`
	What     string `json:"what"`
	Base     string `json:"base"`    // what Postroom is compared with, in words
	Subject  string `json:"subject"` // what of Postroom is compared with it
	Metric   Metric `json:"metric"`
	Goal     *Goal  `json:"goal"` // null where none is set
	Pairs    []Pair `json:"pairs"`
	// Values are the metric of each run, where nothing is compared with a base; there are no pairs then.
	Values  []float64 `json:"values,omitempty"`
	Details []Detail  `json:"details,omitempty"`
	Median  float64   `json:"median"` // of the metric over the pairs
	Lowest  float64   `json:"lowest"`
	Highest float64   `json:"highest"`
	// CPURatio is the CPU time of all processes for a delivery of the base, as a part of the subject's, median over the
	// pairs; 0 where it is not known. On a machine that is busy with other things it says more than throughput does.
	CPURatio float64 `json:"cpu_ratio"`
}

// Detail is a further number that was measured.
type Detail struct {
	What  string  `json:"what"`
	Value float64 `json:"value"` // in the unit of the metric, unless What says another
	First float64 `json:"first"` // of several calls the first after a start; 0 where there is one value only
	Max   float64 `json:"max"`   // of several calls the slowest of the others
	Found string  `json:"found,omitempty"`
}

// Goal is what a metric must reach, and what it aims at.
type Goal struct {
	Must     float64 `json:"must"`
	Aim      float64 `json:"aim"`
	MustText string  `json:"must_text"`
	AimText  string  `json:"aim_text"`
}

// summarise works out the metric of the pairs.
func (c *Comparison) summarise() {
	var values, cpu []float64
	for _, p := range c.Pairs {
		values = append(values, c.value(p))
		cpu = append(cpu, quotient(p.Base.cpuPerDelivery(), p.Subject.cpuPerDelivery()))
	}
	if len(c.Values) > 0 {
		values = c.Values
	}
	if len(values) == 0 {
		return
	}
	c.Median, c.Lowest, c.Highest = median(values), slices.Min(values), slices.Max(values)
	if c.Metric == Slowest {
		c.Median = c.Highest // of calls that differ the middle one says nothing
	}
	c.CPURatio = median(cpu)
}

func (c *Comparison) value(p Pair) float64 {
	switch c.Metric {
	case P99:
		return p.Subject.Latency.P99
	case P99Ratio:
		return quotient(p.Subject.Latency.P99, p.Base.Latency.P99)
	default:
		return quotient(p.Subject.PerSecond, p.Base.PerSecond)
	}
}

// quotient is 0 where nothing arrived to divide by.
func quotient(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// verdict says in a word how the median stands to the goal.
func (c *Comparison) verdict() string {
	reaches := func(goal float64) bool {
		if c.isRatioOfSpeed() {
			return c.Median >= goal
		}
		return c.Median <= goal
	}
	switch {
	case c.Goal == nil:
		return ""
	case len(c.Pairs)+len(c.Values) == 0:
		return "not measured"
	case c.lost():
		return c.lossWords()
	case reaches(c.Goal.Aim):
		return "reached, and what it aims at too"
	case reaches(c.Goal.Must):
		return "reached"
	default:
		return "not reached"
	}
}

// isRatioOfSpeed tells whether the metric is how much the subject does beside the base.
func (c *Comparison) isRatioOfSpeed() bool { return c.Metric == Throughput || c.Metric == Answers }

func (c *Comparison) lost() bool {
	return slices.ContainsFunc(c.Pairs, func(p Pair) bool { return p.Base.loss() != nil || p.Subject.loss() != nil })
}

// lossWords say that something was lost.
func (c *Comparison) lossWords() string {
	if c.Metric == Answers {
		return "calls were lost"
	}
	return "events were lost"
}

// typical is the pair whose metric is the median, or the lower of the two in the middle: one run whose figures belong
// together.
func (c *Comparison) typical() Pair {
	if len(c.Pairs) == 0 {
		return Pair{}
	}
	sorted := slices.SortedStableFunc(slices.Values(c.Pairs), func(a, b Pair) int {
		switch x, y := c.value(a), c.value(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		default:
			return 0
		}
	})
	return sorted[(len(sorted)-1)/2]
}
