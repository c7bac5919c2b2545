package ui

import (
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// attention is a sentence about what needs a person now: Name Text, then Since and a time, and what can be done.
type attention struct {
	Kind  string // bad or wait
	Name  string
	Text  string
	Since *postroom.Timestamp
	Tail  string
	Links []crumb
}

// Bounds of what the overview looks at and says.
const (
	failuresInARow = 3                // of a webhook that needs attention before its breaker opens
	waitsLong      = 10 * time.Minute // what waits for longer needs attention
	maxAttention   = 12               // sentences of each kind
	failedRequests = 50               // that are looked at
)

// needsAttention says what needs a person now, the worst first: webhooks that are stopped or fail, sources whose requests fail, and what waits
// for long.
func needsAttention(c *call, webhooks []postroom.Webhook, stats postroom.Stats) ([]attention, error) {
	failing := failingWebhooks(c, webhooks)
	stopped, err := stoppedWebhooks(c, webhooks)
	if err != nil {
		return nil, err
	}
	sources, err := failingSources(c)
	all := append(append(failing, stopped...), sources...)
	if s := stats.WaitingSince; s != nil && s.Before(c.d.Now().Add(-waitsLong)) {
		more := ""
		if stats.WaitingMore {
			more = " at least"
		}
		verb := "deliveries wait"
		if stats.Waiting == 1 {
			verb = "delivery waits"
		}
		all = append(all, attention{Kind: "wait", Text: fmt.Sprintf("In all,%s %s %s, held ones too, the oldest", more, number(stats.Waiting), verb), Since: s,
			Links: []crumb{{"See what waits", "/deliveries?status=pending"}, {"What is held", "/deliveries?status=held"}}})
	}
	return all, err
}

func failingWebhooks(c *call, webhooks []postroom.Webhook) (all []attention) {
	for _, w := range webhooks {
		h := w.Health
		if w.Status != postroom.WebhookActive || h.FailingSince == nil || h.Failures < failuresInARow && h.OpenUntil == nil && h.FailedDeliveries == 0 || len(all) == maxAttention {
			continue
		}
		a := attention{Kind: "bad", Name: nameOr(w.Name, w.URL), Since: h.FailingSince, Links: webhookLinks(w, "failed")}
		a.Links = append(a.Links[:1:1], crumb{"What is tried again", "/deliveries?webhook=" + w.ID.String() + "&status=pending"}, a.Links[1])
		a.Text = "has failed " + times(h.Failures) + " in a row"
		switch {
		case h.LastStatus > 0:
			a.Text += fmt.Sprintf(", the last time with %d,", h.LastStatus)
		default:
			a.Text += ", the last time without an answer,"
		}
		if h.OpenUntil != nil && h.OpenUntil.After(c.d.Now()) {
			a.Tail = "Postroom waits before it tries again."
		}
		all = append(all, a)
	}
	return all
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return number(n) + " times"
}

// webhookLinks lead to the deliveries of a webhook that have a status, and to the webhook.
func webhookLinks(w postroom.Webhook, status string) []crumb {
	what := map[string]string{"failed": "See the failures", "held": "See what is held"}[status]
	return []crumb{{what, "/deliveries?webhook=" + w.ID.String() + "&status=" + status}, {"Open the webhook", "/webhooks/" + w.ID.String()}}
}

func stoppedWebhooks(c *call, webhooks []postroom.Webhook) (all []attention, err error) {
	for _, w := range webhooks {
		if w.Status == postroom.WebhookActive || len(all) == maxAttention {
			continue
		}
		stats, err := c.app.WebhookStats(c.Context(), c.in.Caller, w.ID.String(), lastHour())
		if err != nil {
			return nil, err
		}
		a := attention{Kind: "wait", Name: nameOr(w.Name, w.URL), Text: "is paused", Since: &w.StatusAt, Links: webhookLinks(w, "held")}
		if w.Status == postroom.WebhookDisabled {
			a.Kind, a.Text = "bad", "was disabled after failures,"
		}
		switch {
		case stats.WaitingMore:
			a.Tail = "It holds more than " + number(stats.Waiting) + " deliveries."
		case stats.Waiting == 1:
			a.Tail = "It holds 1 delivery."
		case stats.Waiting > 0:
			a.Tail = "It holds " + number(stats.Waiting) + " deliveries."
		default:
			a.Tail = "It holds nothing."
			a.Links = a.Links[1:]
		}
		if w.StatusReason != "" {
			a.Tail = strings.TrimRight(w.StatusReason, ".") + ". " + a.Tail
		}
		all = append(all, a)
	}
	return all, nil
}

// failingSources are the sources of the requests that failed in the last day.
func failingSources(c *call) (all []attention, err error) {
	found, err := c.app.Requests(c.Context(), c.in.Caller, postroom.RequestFilter{Status: postroom.StatusFailed, After: c.d.Now().Add(-24 * time.Hour)}, postroom.PageQuery{Limit: failedRequests})
	if err != nil {
		return nil, err
	}
	at := map[postroom.SourceID]int{}
	n := map[postroom.SourceID]int{}
	for _, r := range found.Data {
		if n[r.SourceID]++; n[r.SourceID] > 1 {
			all[at[r.SourceID]].Text = fmt.Sprintf("could not process %d requests of the last day, the newest", n[r.SourceID])
			continue
		}
		s, err := c.app.Source(c.Context(), c.in.Caller, r.SourceID.String(), false)
		if postroom.CodeOf(err) == postroom.CodeNotFound && err != nil {
			n[r.SourceID]-- // it was deleted
			continue
		}
		if err != nil {
			return nil, err
		}
		at[r.SourceID] = len(all)
		a := attention{Kind: "bad", Name: nameOr(s.Name, s.ID.String()), Text: "could not process a request", Since: &postroom.Timestamp{Time: r.At},
			Links: []crumb{{"See the failed requests", "/requests?source=" + s.ID.String() + "&status=failed"}, {"Open the source", "/sources/" + s.ID.String()}}}
		if r.Log.Error != nil {
			a.Tail = r.Log.Error.Message
		}
		all = append(all, a)
	}
	return all, nil
}
