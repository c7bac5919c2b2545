package cli

import (
	"fmt"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// spanFlags choose a span of time, and how it is divided.
type spanFlags struct {
	After  string `placeholder:"TIME" help:"From this time on: a time, a date, or how long ago, such as 24h, which is the default by hour."`
	Before string `placeholder:"TIME" help:"Up to this time; by default now."`
	By     string `enum:"minute,hour,day," default:"" placeholder:"STEP" help:"Show what happened in each minute (of the last 2 days), hour (60 days) or day (400 days)."`
}

func (f spanFlags) query(s *session) (q client.StatsQuery, err error) {
	q.By = f.By
	if q.After, err = s.moment("--after", f.After); err != nil {
		return q, err
	}
	q.Before, err = s.moment("--before", f.Before)
	return q, err
}

type statsCmd struct{ spanFlags }

// Run shows the workspace's statistics.
func (cmd statsCmd) Run(s *session) error {
	return cmd.show(s, func(c *client.Client, q client.StatsQuery) (postroom.Stats, error) { return c.Stats(s.ctx, q) })
}

type webhookStatsCmd struct {
	webhookArg
	spanFlags
}

// Run shows the statistics of a webhook.
func (cmd webhookStatsCmd) Run(s *session) error {
	return cmd.show(s, func(c *client.Client, q client.StatsQuery) (postroom.Stats, error) {
		return c.WebhookStats(s.ctx, cmd.Webhook, q)
	})
}

func (f spanFlags) show(s *session, ask func(*client.Client, client.StatsQuery) (postroom.Stats, error)) error {
	q, err := f.query(s)
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	stats, err := ask(c, q)
	if err != nil {
		return err
	}
	return s.show(stats, func(p *screen) { p.stats(stats, f.By != "") })
}

func (p *screen) stats(st postroom.Stats, series bool) {
	waiting := field{label: "Waiting", value: val(count(st.Waiting))}
	if st.WaitingMore {
		waiting.value.text += "+"
	}
	if st.WaitingSince != nil {
		waiting.note = "since " + p.time(st.WaitingSince.Time)
	}
	attempts := field{label: "Attempts", value: val(count(st.Attempts)), note: count(st.Retried) + " retried"}
	if st.SuccessRate != nil {
		attempts.note += fmt.Sprintf(", %.1f %% succeeded", *st.SuccessRate*100)
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
		attempts,
		field{label: "Latency", value: val(latency)},
		field{label: "Last attempt", value: val(lastAttempt(p, st.LastStatus, st.LastAt))},
		waiting,
	)
	if !series {
		return
	}
	t := newTable("TIME", "SUCCEEDED", "FAILED", "RETRIED", "ATTEMPTS", "P50", "P99")
	for _, at := range st.Series {
		var p50, p99 string
		if at.LatencyMs != nil {
			p50, p99 = milliseconds(at.LatencyMs.P50), milliseconds(at.LatencyMs.P99)
		}
		t.row(val(p.time(at.At.Time)), val(count(at.Succeeded)), cell{count(at.Failed), ifAny(at.Failed, red)}, val(count(at.Retried)), val(count(at.Attempts)),
			val(p50), val(p99))
	}
	p.printf("\n")
	p.table(t)
}

// lastAttempt says when the newest attempt began, and how it ended.
func lastAttempt(p *screen, status int, at *postroom.Timestamp) string {
	switch {
	case at == nil:
		return ""
	case status == 0:
		return p.time(at.Time) + ", no answer"
	}
	return p.time(at.Time) + ", " + statusText(status)
}

// ifAny is the colour for a number that is not 0.
func ifAny(n int64, c color) color {
	if n == 0 {
		return plain
	}
	return c
}
