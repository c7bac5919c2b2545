package server

import (
	"context"
	"fmt"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/store"
)

// The doctor shows so many webhooks of which something waits, or that are failing.
const (
	maxBacklogLines = 20
	maxFailingLines = 10
)

// stuckAfter is when somebody should have taken over a lease that has run out: a running server does within seconds.
const stuckAfter = time.Minute

func leaseFindings(ctx context.Context, _ config.Config, db *store.Store, now time.Time) []Finding {
	n, err := db.Stuck(ctx, now.Add(-stuckAfter))
	if err != nil {
		return []Finding{broken("leases", err)}
	}
	return []Finding{judgeLeases(n)}
}

func judgeLeases(stuck int64) Finding {
	if stuck > 0 {
		return bad(Trouble, "leases", fmt.Sprintf("The lease of %d deliveries ran out more than a minute ago, and nobody has taken them over.", stuck),
			"A server that runs does so within seconds. Is one running, and can it write the database?")
	}
	return well("leases", "No lease is stuck.")
}

// queueFindings tell what waits, webhook by webhook.
func queueFindings(ctx context.Context, cfg config.Config, db *store.Store, now time.Time) (found []Finding) {
	backlog, err := db.Backlog(ctx, now, maxBacklogLines)
	if err != nil {
		return []Finding{broken("queue", err)}
	}
	for _, a := range backlog {
		found = append(found, judgeBacklog(a, now, cfg.Retention))
	}
	if len(found) == 0 {
		found = append(found, well("queue", "Nothing waits."))
	}
	return found
}

// overdue is when a delivery should have gone out long ago.
const overdue = 5 * time.Minute

// judgeBacklog says why deliveries wait for a webhook, and what lets them go.
func judgeBacklog(a store.Ailing, now time.Time, retention time.Duration) Finding {
	said := fmt.Sprintf("%s: %s for it", describe(a), waits(a.Waiting))
	due := time.Duration(0)
	if a.Due != nil && a.Due.Before(now) {
		due = now.Sub(*a.Due)
		said += fmt.Sprintf(", the first since %s", moment(*a.Due))
	}
	said += "."
	resume := fmt.Sprintf("`postroom webhooks resume %s` delivers them, with --held discard it drops them.", a.WebhookID)
	switch {
	case a.Status == string(postroom.WebhookPaused) && due > retention*3/4:
		return bad(Warning, "queue", said, "It is paused, and what it holds will soon be as old as --retention, and be deleted. "+resume)
	case a.Status == string(postroom.WebhookPaused):
		return Finding{"queue", Well, said, "It is paused. " + resume}
	case a.Status == string(postroom.WebhookDisabled):
		return bad(Warning, "queue", said, "It was disabled by failures. When its receiver is well again, "+resume)
	case a.Status != string(postroom.WebhookActive):
		return Finding{"queue", Well, said, "Its webhook was deleted: a server that runs cancels them."}
	case a.OpenUntil != nil:
		return bad(Warning, "queue", said, failingAdvice(a))
	case due > overdue && a.RateLimit != nil:
		return bad(Warning, "queue", said, fmt.Sprintf("Its rate limit lets %d attempts through in %s, which may be too few.", a.RateLimit.Limit, a.RateLimit.Period))
	case due > overdue:
		return bad(Warning, "queue", said, "They should have gone out. If a server runs, the receiver takes longer to answer than events come: raise the webhook's concurrency, or have it answer before it does its work.")
	}
	return well("queue", "%s", said)
}

func waits(n int64) string {
	if n == 1 {
		return "1 delivery waits"
	}
	return fmt.Sprintf("%d deliveries wait", n)
}

// describe names a webhook by its name and its id.
func describe(a store.Ailing) string {
	if a.Name == "" {
		return fmt.Sprintf("%s (%s)", a.WebhookID, a.Status)
	}
	return fmt.Sprintf("%s (%s, %s)", a.Name, a.WebhookID, a.Status)
}

func failingAdvice(a store.Ailing) string {
	said := fmt.Sprintf("`postroom deliveries list --webhook %s` shows how its attempts end.", a.WebhookID)
	if a.OpenUntil != nil {
		said = fmt.Sprintf("Its receiver fails, so that only probes go out; the next at %s. ", moment(*a.OpenUntil)) + said
	}
	return said
}

// failsLong is when a receiver that fails is worth a line.
const failsLong = 15 * time.Minute

func failingFindings(ctx context.Context, _ config.Config, db *store.Store, now time.Time) (found []Finding) {
	failing, err := db.LongestFailing(ctx, maxFailingLines)
	if err != nil {
		return []Finding{broken("receivers", err)}
	}
	for _, a := range failing {
		if f, long := judgeFailing(a, now); long {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		found = append(found, well("receivers", "None has been failing for long."))
	}
	return found
}

func judgeFailing(a store.Ailing, now time.Time) (f Finding, long bool) {
	if a.FailingSince == nil || now.Sub(*a.FailingSince) < failsLong {
		return f, false
	}
	return bad(Warning, "receivers", fmt.Sprintf("%s: it has been failing for %s, %d attempts in a row.", describe(a), ago(now.Sub(*a.FailingSince)), a.Failures),
		failingAdvice(a)), true
}
