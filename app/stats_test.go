package app

import (
	"errors"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestSpan(t *testing.T) {
	day := 24 * time.Hour
	now := time.Date(2026, 1, 31, 9, 30, 20, 0, time.UTC)
	at := func(d time.Duration) time.Time { return now.Truncate(time.Hour).Add(d) } // 9:00
	for _, test := range []struct {
		what     string
		span     Span
		from, to time.Time
		step     time.Duration
	}{
		{"nothing said", Span{}, at(-day), at(time.Hour), time.Hour},
		{"minutes", Span{By: "minute"}, at(-30 * time.Minute), at(31 * time.Minute), time.Minute},
		{"days", Span{By: "day"}, now.Truncate(day).Add(-30 * day), now.Truncate(day).Add(day), day},
		{"a period", Span{Period: 3 * time.Hour}, at(-3 * time.Hour), at(time.Hour), time.Hour},
		{"a period before", Span{Period: 3 * time.Hour, Before: at(-time.Hour)}, at(-4 * time.Hour), at(-time.Hour), time.Hour},
		{"a period after", Span{Period: 3 * time.Hour, After: at(-5 * time.Hour)}, at(-5 * time.Hour), at(-2 * time.Hour), time.Hour},
		{"widened", Span{After: at(-5*time.Hour + time.Second), Before: at(-3*time.Hour + time.Second)}, at(-5 * time.Hour), at(-2 * time.Hour), time.Hour},
		{"up to the future", Span{After: at(-time.Hour), Before: at(9 * day)}, at(-time.Hour), at(time.Hour), time.Hour},
		{"all minutes there are", Span{By: "minute", Period: 2 * day}, at(30*time.Minute - 2*day), at(31 * time.Minute), time.Minute},
		{"another zone", Span{By: "day", Period: time.Minute, Before: now.In(time.FixedZone("", 3600))}, now.Truncate(day), now.Truncate(day).Add(day), day},
	} {
		from, to, step, err := test.span.bounds(now)
		if err != nil || !from.Equal(test.from) || !to.Equal(test.to) || step != test.step {
			t.Errorf("%s: from %s to %s by %s, %v; want from %s to %s by %s", test.what, from, to, step, err, test.from, test.to, test.step)
		}
	}
	for pointer, spans := range map[string][]Span{
		"?by":     {{By: "week"}},
		"?period": {{Period: -1}, {Period: 1, After: at(-time.Hour), Before: now}},
		"?after": {{After: now, Before: now}, {After: now.Add(time.Second)}, {By: "minute", After: now.Add(-3 * day)}, {After: now.Add(-61 * day)},
			{By: "day", Period: 402 * day}},
	} {
		for _, span := range spans {
			_, _, _, err := span.bounds(now)
			var refused *postroom.Error
			if !errors.As(err, &refused) || len(refused.Fields) != 1 || refused.Fields[0].Pointer != pointer {
				t.Errorf("%+v: %v, want a fault at %s", span, err, pointer)
			}
		}
	}
}
