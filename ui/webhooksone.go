package ui

import (
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const logShown = 15 // deliveries on the page of a webhook

// webhookData is what the page of a webhook shows.
type webhookData struct {
	Webhook   postroom.Webhook
	Stats     postroom.Stats
	By, Span  string
	Log       []postroom.Delivery
	Secrets   []postroom.Secret
	Held      int64
	HeldSince *time.Time
	Cause     string // of the newest failure, in a sentence
}

// Schedule is when a failed delivery is tried again, in words.
func (d webhookData) Schedule() string { return schedule(d.Webhook.Retry.Schedule) }

// Overlaps are for how long two secrets may sign.
func (d webhookData) Overlaps() []option {
	return []option{{"24h", "A day", ""}, {"1h", "An hour", ""}, {"168h", "A week", ""}, {"0s", "Not at all", "the present one stops at once"}}
}

// chartSpan is the span of the statistics that a URL asks for.
func chartSpan(c *call) app.Span {
	if c.URL.Query().Get("by") == "day" {
		return app.Span{By: "day"}
	}
	return app.Span{By: "hour"}
}

func webhookPage(c *call) error {
	return c.showWebhook(newForm("overlap", "24h"), nil)
}

// showWebhook is the page of a webhook; wrong is what was wrong with its form, if it was sent.
func (c *call) showWebhook(f *form, wrong error) error {
	w, err := c.findWebhook()
	if err != nil {
		return err
	}
	d := webhookData{Webhook: w, By: chartSpan(c).By, Span: "in the last day"}
	if d.By == "day" {
		d.Span = "in the last 30 days"
	}
	id := w.ID.String()
	if d.Stats, err = c.app.WebhookStats(c.Context(), c.in.Caller, id, chartSpan(c)); err != nil {
		return err
	}
	log, err := c.app.Deliveries(c.Context(), c.in.Caller, postroom.DeliveryFilter{Webhook: w.ID}, postroom.PageQuery{Limit: logShown})
	if err != nil {
		return err
	}
	d.Log = log.Data
	if d.Secrets, err = c.app.WebhookSecrets(c.Context(), c.in.Caller, id); err != nil {
		return err
	}
	if w.Status != postroom.WebhookActive {
		if _, d.Held, d.HeldSince, err = c.app.HeldDeliveries(c.Context(), c.in.Caller, id); err != nil {
			return err
		}
	}
	d.Cause = causeOfWebhook(&d)
	p := page{Name: "webhooks/one", Title: w.Name, Nav: "webhooks", Crumbs: []crumb{webhookTop()}, Form: f, Data: d}
	if wrong != nil {
		return c.invalid(wrong, p, "overlap", "secret")
	}
	return c.render(p)
}

// causeOfWebhook explains why the newest attempt failed, where the log shows one that did.
func causeOfWebhook(d *webhookData) string {
	for i := range d.Log {
		kind := d.Log[i].LastErrorKind
		if kind == "" {
			continue
		}
		for _, known := range postroom.FailureKinds() {
			if known.Kind == kind {
				return known.Meaning + " " + known.Remedy
			}
		}
	}
	return ""
}

// webhookChart is what the chart of a webhook draws.
func webhookChart(c *call) error {
	stats, err := c.app.WebhookStats(c.Context(), c.in.Caller, c.PathValue("id"), chartSpan(c))
	if err != nil {
		return err
	}
	ch := newChart(series{Label: "Succeeded", Kind: "ok"}, series{Label: "Failed", Kind: "bad"}, series{Label: "Retried", Kind: "wait"})
	for _, p := range stats.Series {
		ch.count(p.At.Time, p.Succeeded, p.Failed, p.Retried)
	}
	return c.json(ch)
}
