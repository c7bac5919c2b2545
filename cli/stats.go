package cli

import (
	"fmt"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type webhookStatsCmd struct {
	webhookArg
	After  string `placeholder:"TIME" help:"From this time on: a time, a date, or how long ago, such as 24h, which is the default."`
	Before string `placeholder:"TIME" help:"Up to this time; by default now."`
	Step   string `enum:"minute,hour,day," default:"" placeholder:"STEP" help:"Show what happened in each minute, hour or day."`
}

// Run shows the statistics.
func (cmd webhookStatsCmd) Run(s *session) error {
	q := client.StatsQuery{Step: cmd.Step}
	var err error
	if q.After, err = s.moment("--after", cmd.After); err != nil {
		return err
	}
	if q.Before, err = s.moment("--before", cmd.Before); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	stats, err := c.WebhookStats(s.ctx, cmd.Webhook, q)
	if err != nil {
		return err
	}
	return s.show(stats, func(p *screen) { p.stats(stats, cmd.Step != "") })
}

func (p *screen) stats(st postroom.Stats, series bool) {
	last := ""
	if st.LastAt != nil {
		last = p.time(st.LastAt.Time) + ", no answer"
		if st.LastStatus != 0 {
			last = p.time(st.LastAt.Time) + ", " + statusText(st.LastStatus)
		}
	}
	waiting := field{label: "Waiting", value: val(count(st.Waiting))}
	if st.WaitingSince != nil {
		waiting.note = "since " + p.time(st.WaitingSince.Time)
	}
	latency := "nothing was answered"
	if st.LatencyMs != (postroom.LatencyStats{}) {
		latency = fmt.Sprintf("mean %s, p50 %s, p95 %s, p99 %s", milliseconds(st.LatencyMs.Mean),
			milliseconds(st.LatencyMs.P50), milliseconds(st.LatencyMs.P95), milliseconds(st.LatencyMs.P99))
	}
	p.printf("%s to %s\n", p.time(st.After.Time), p.time(st.Before.Time))
	p.fields(
		field{label: "Succeeded", value: val(count(st.Succeeded))},
		field{label: "Failed", value: cell{count(st.Failed), ifAny(st.Failed, red)}},
		field{label: "Attempts", value: val(count(st.Attempts)), note: count(st.Retried) + " retried"},
		field{label: "Latency", value: val(latency)},
		field{label: "Last attempt", value: val(last)},
		waiting,
	)
	if !series {
		return
	}
	t := newTable("TIME", "SUCCEEDED", "FAILED", "RETRIED", "ATTEMPTS")
	for _, at := range st.Series {
		t.row(val(p.time(at.At.Time)), val(count(at.Succeeded)), cell{count(at.Failed), ifAny(at.Failed, red)}, val(count(at.Retried)), val(count(at.Attempts)))
	}
	p.printf("\n")
	p.table(t)
}

// ifAny is the colour for a number that is not 0.
func ifAny(n int64, c color) color {
	if n == 0 {
		return plain
	}
	return c
}
