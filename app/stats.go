package app

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// Resolution is how fine statistics are shown, and how far back they reach that fine.
type Resolution struct {
	Name   string        // minute, hour or day
	Step   time.Duration // its length; days are those of UTC
	Keep   time.Duration // how far back it reaches
	Period time.Duration // the span when none is asked for
}

// Resolutions are the resolutions, the finest first. The store keeps each of them this long at least.
func Resolutions() []Resolution {
	const day = 24 * time.Hour
	return []Resolution{
		{"minute", time.Minute, 2 * day, time.Hour},
		{"hour", time.Hour, 60 * day, day},
		{"day", day, 400 * day, 30 * day},
	}
}

// Span is a span of time, and the steps that it is shown in. It is widened to whole steps.
type Span struct {
	After  time.Time     // zero: Period before its end
	Before time.Time     // zero: Period after its beginning, or now
	Period time.Duration // of the three, two at most are given; zero for one that suits By
	By     string        // the name of a resolution; empty for hour
}

// WebhookStats sums what happened to a webhook's deliveries in a span of time.
func (a *App) WebhookStats(ctx context.Context, who Caller, ref string, span Span) (postroom.Stats, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Stats{}, err
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return postroom.Stats{}, err
	}
	stats, err := a.stats(ctx, who, w.ID, span)
	if err != nil {
		return stats, err
	}
	n, more, since, err := a.Store.Waiting(ctx, who.Workspace, w.ID)
	return withWaiting(stats, n, more, since), err
}

// WorkspaceStats sums what happened to all deliveries of the workspace.
func (a *App) WorkspaceStats(ctx context.Context, who Caller, span Span) (postroom.Stats, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Stats{}, err
	}
	stats, err := a.stats(ctx, who, postroom.WebhookID{}, span)
	if err != nil {
		return stats, err
	}
	n, more, since, err := a.Store.WaitingOf(ctx, who.Workspace)
	return withWaiting(stats, n, more, since), err
}

func withWaiting(s postroom.Stats, n int64, more bool, since *time.Time) postroom.Stats {
	s.Waiting, s.WaitingMore = n, more
	if since != nil {
		s.WaitingSince = &postroom.Timestamp{Time: *since}
	}
	return s
}

func (a *App) stats(ctx context.Context, who Caller, webhook postroom.WebhookID, span Span) (postroom.Stats, error) {
	after, before, step, err := span.bounds(a.Now())
	if err != nil {
		return postroom.Stats{}, err
	}
	return a.Store.Stats(ctx, who.Workspace, webhook, after, before, step)
}

// bounds checks the span and widens it to whole steps. Nothing is shown of the time to come.
func (s Span) bounds(now time.Time) (from, to time.Time, step time.Duration, err error) {
	r, err := resolution(s.By)
	if err != nil {
		return from, to, 0, err
	}
	if s.Period < 0 || s.Period > 0 && !s.After.IsZero() && !s.Before.IsZero() {
		return from, to, 0, postroom.Invalid(postroom.CodeInvalid, "?period", "this is a duration, and not given with both after and before")
	}
	after, before := s.After, s.Before
	if before.IsZero() && s.Period > 0 && !after.IsZero() {
		before = after.Add(s.Period)
	}
	if before.IsZero() || before.After(now) {
		before = now
	}
	if after.IsZero() {
		after = before.Add(-cmp.Or(s.Period, r.Period))
	}
	if !after.Before(before) {
		return from, to, 0, postroom.Invalid(postroom.CodeInvalid, "?after", "this is earlier than before, and not in the future")
	}
	from, to = after.UTC().Truncate(r.Step), before.UTC().Truncate(r.Step)
	if to.Before(before) {
		to = to.Add(r.Step)
	}
	if from.Before(now.Add(-r.Keep - r.Step)) {
		return from, to, 0, postroom.Invalid(postroom.CodeInvalid, "?after", "%s", tooFar(r))
	}
	return from, to, r.Step, nil
}

func resolution(by string) (Resolution, error) {
	if by == "" {
		by = "hour"
	}
	for _, r := range Resolutions() {
		if r.Name == by {
			return r, nil
		}
	}
	return Resolution{}, postroom.Invalid(postroom.CodeInvalid, "?by", "this is minute, hour or day")
}

// tooFar says what to do about a span that begins earlier than its resolution is kept.
func tooFar(r Resolution) string {
	said := fmt.Sprintf("statistics by %s reach back %d days", r.Name, r.Keep/(24*time.Hour))
	for _, coarser := range Resolutions() {
		if coarser.Step > r.Step {
			return said + "; those by " + coarser.Name + " reach further"
		}
	}
	return said
}
