package ui

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// webhookApp is what the pages of webhooks need of the application.
type webhookApp interface {
	Webhook(ctx context.Context, who app.Caller, ref string) (postroom.Webhook, error)
	CreateWebhook(ctx context.Context, who app.Caller, in postroom.WebhookSettings, status postroom.WebhookStatus, secret string) (postroom.Webhook, string, error)
	UpdateWebhook(ctx context.Context, who app.Caller, ref string, ifMatch int64, change func(*postroom.WebhookSettings) error) (postroom.Webhook, error)
	DeleteWebhook(ctx context.Context, who app.Caller, ref string, ifMatch int64) error
	DefaultSettings(name string) postroom.WebhookSettings
	ListDialects(ctx context.Context, who app.Caller) ([]postroom.DialectResource, error)
	EventTypes(ctx context.Context, who app.Caller) ([]postroom.EventType, error)
	EventType(ctx context.Context, who app.Caller, name string) (postroom.EventType, error)
	Events(ctx context.Context, who app.Caller, f postroom.EventFilter, q postroom.PageQuery) (postroom.Page[postroom.Event], error)
	PayloadVariables() []app.Variable
	PreviewSettings(ctx context.Context, who app.Caller, s postroom.WebhookSettings, in app.PreviewInput) (app.Preview, error)
	WebhookStats(ctx context.Context, who app.Caller, ref string, span app.Span) (postroom.Stats, error)
	Deliveries(ctx context.Context, who app.Caller, f postroom.DeliveryFilter, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error)
	HeldDeliveries(ctx context.Context, who app.Caller, ref string) (postroom.Webhook, int64, *time.Time, error)
	PauseWebhook(ctx context.Context, who app.Caller, ref, reason string) (postroom.Webhook, error)
	ResumeWebhook(ctx context.Context, who app.Caller, ref, held string) (postroom.Webhook, int64, error)
	TestWebhook(ctx context.Context, who app.Caller, ref, eventType string, data json.RawMessage) (postroom.Delivery, postroom.Attempt, error)
	WebhookSecrets(ctx context.Context, who app.Caller, ref string) ([]postroom.Secret, error)
	RotateSecret(ctx context.Context, who app.Caller, ref string, kind postroom.SecretKind, given string, overlap time.Duration) (postroom.Secret, string, error)
	PreviewReplay(ctx context.Context, who app.Caller, ref string, f postroom.ReplayFilter) (app.ReplayPreview, error)
	StartReplay(ctx context.Context, who app.Caller, ref string, f postroom.ReplayFilter) (postroom.Replay, error)
	Replay(ctx context.Context, who app.Caller, ref string) (postroom.Replay, int64, error)
	CancelReplay(ctx context.Context, who app.Caller, ref string) (postroom.Replay, int64, error)
}

// webhookRoutes are the pages of webhooks. Who may test and replay is up to what the member may trigger, which app decides.
func webhookRoutes() []route {
	const one = "/webhooks/{id}"
	return []route{
		get("/webhooks", postroom.RoleViewer, webhooksPage),
		get("/webhooks/new", postroom.RoleAdmin, newWebhookPage), post("/webhooks", postroom.RoleAdmin, createWebhook),
		post("/webhooks/parts", postroom.RoleAdmin, webhookParts), post("/webhooks/preview", postroom.RoleAdmin, previewWebhook),
		get(one, postroom.RoleViewer, webhookPage), get(one+"/stats.json", postroom.RoleViewer, webhookChart),
		get(one+"/edit", postroom.RoleAdmin, editWebhookPage), post(one, postroom.RoleAdmin, changeWebhook),
		post(one+"/delete", postroom.RoleAdmin, deleteWebhook),
		post(one+"/pause", postroom.RoleAdmin, pauseWebhook), post(one+"/resume", postroom.RoleAdmin, resumeWebhook),
		post(one+"/secrets", postroom.RoleAdmin, rotateSecret),
		get(one+"/test", postroom.RoleViewer, testPage), post(one+"/test", postroom.RoleViewer, testWebhook),
		get(one+"/test/sample", postroom.RoleViewer, testSample),
		get(one+"/replay", postroom.RoleViewer, webhookReplayPage), post(one+"/replay", postroom.RoleViewer, startWebhookReplay),
		get(one+"/replays/{replay}", postroom.RoleViewer, replayProgress), post(one+"/replays/{replay}/cancel", postroom.RoleViewer, cancelWebhookReplay),
	}
}

// webhookTop is where the pages of an area's things lead back to.
func webhookTop() crumb { return crumb{"Webhooks", "/webhooks"} }

const (
	webhooksShown  = 25   // each of which has its statistics looked up
	webhooksLooked = 1000 // that a search looks through, newest first
)

// listedWebhook is a row of the list: a webhook, and how it has been doing for a week.
type listedWebhook struct {
	postroom.Webhook
	Stats postroom.Stats
}

// Trouble says what is wrong with the receiver, if anything is.
func (w listedWebhook) Trouble() bool { return w.Health.FailingSince != nil }

// webhookList is what the list shows.
type webhookList struct {
	Webhooks   []listedWebhook
	Prev, Next *string
	Filtered   bool // by a text or a status
	More       bool // the search has not looked through all
	Text       string
	Status     string
	Statuses   []option
}

func webhooksPage(c *call) error {
	q := c.URL.Query()
	list := webhookList{Text: strings.TrimSpace(q.Get("q")), Status: q.Get("status"), Statuses: []option{{"", "Any status", ""},
		{"active", "Active", ""}, {"failing", "Failing", ""}, {"paused", "Paused", ""}, {"disabled", "Disabled", ""}}}
	found, err := c.listWebhooks(&list)
	if err != nil {
		return err
	}
	for _, w := range found {
		stats, err := c.app.WebhookStats(c.Context(), c.in.Caller, w.ID.String(), app.Span{By: "day", Period: 7 * 24 * time.Hour})
		if postroom.CodeOf(err) == postroom.CodeNotFound {
			continue // it was deleted this moment
		}
		if err != nil {
			return err
		}
		list.Webhooks = append(list.Webhooks, listedWebhook{w, stats})
	}
	p := page{Name: "webhooks/list", Title: "Webhooks", Nav: "webhooks", Data: list}
	if c.htmx() && c.Header.Get("HX-Target") == "webhooks" {
		return c.fragment(p.Name, "rows", list)
	}
	return c.render(p)
}

// listWebhooks finds the webhooks of a page of the list, or what a search finds.
func (c *call) listWebhooks(list *webhookList) ([]postroom.Webhook, error) {
	list.Filtered = list.Text != "" || list.Status != ""
	q := c.pageQuery()
	q.Limit = webhooksShown
	if !list.Filtered {
		found, err := c.app.Webhooks(c.Context(), c.in.Caller, q)
		list.Prev, list.Next = found.PrevCursor, found.NextCursor
		return found.Data, err
	}
	var all []postroom.Webhook
	q = postroom.PageQuery{Limit: postroom.MaxPageLimit}
	for looked := 0; looked < webhooksLooked; looked += postroom.MaxPageLimit {
		found, err := c.app.Webhooks(c.Context(), c.in.Caller, q)
		if err != nil {
			return nil, err
		}
		for _, w := range found.Data {
			if !list.lets(&w) {
				continue
			}
			if len(all) == webhooksShown {
				list.More = true
				return all, nil
			}
			all = append(all, w)
		}
		if found.NextCursor == nil {
			return all, nil
		}
		q.Cursor = *found.NextCursor
	}
	list.More = true
	return all, nil
}

// lets tells whether the search lets a webhook through.
func (l *webhookList) lets(w *postroom.Webhook) bool {
	switch {
	case l.Status == "failing" && (w.Status != postroom.WebhookActive || w.Health.FailingSince == nil):
		return false
	case l.Status != "" && l.Status != "failing" && l.Status != string(w.Status):
		return false
	}
	uid := ""
	if w.UID != nil {
		uid = *w.UID
	}
	text := strings.ToLower(strings.Join([]string{w.Name, w.Description, w.URL, w.Dialect, uid, w.ID.String(), strings.Join(w.Events, " ")}, "\n"))
	return strings.Contains(text, strings.ToLower(l.Text))
}

// findWebhook is the webhook of the path.
func (c *call) findWebhook() (postroom.Webhook, error) {
	return c.app.Webhook(c.Context(), c.in.Caller, c.PathValue("id"))
}

// webhookSubpage is a page below that of a webhook.
func webhookSubpage(w *postroom.Webhook, name, title string) page {
	return page{Name: name, Title: title, Nav: "webhooks", Crumbs: []crumb{webhookTop(), {w.Name, "/webhooks/" + w.ID.String()}}}
}
