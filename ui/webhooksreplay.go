package ui

import (
	"net/url"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// webhookReplayData is what the page of a replay shows before it starts.
type webhookReplayData struct {
	Webhook postroom.Webhook
	Preview *app.ReplayPreview
}

// Statuses are what can be replayed.
func (d webhookReplayData) Statuses() []option {
	return []option{{"failed", "Failed", "given up"}, {"cancelled", "Cancelled", "discarded, or too old"}, {"succeeded", "Succeeded", "once more"}, {"", "All of them", ""}}
}

// Parts are how many there are of each event type, the most first.
func (d webhookReplayData) Parts() []option {
	var all []option
	for _, part := range counts(d.Preview.ByType) {
		all = append(all, option{part.Name, number(part.N), ""})
	}
	return all
}

// replayFilter reads what is to be replayed.
func replayFilter(f *form) (postroom.ReplayFilter, error) {
	r := &formReader{form: f}
	filter := postroom.ReplayFilter{Status: postroom.DeliveryStatus(f.Get("status")), After: r.moment("after"), Before: r.moment("before"),
		Types: strings.Fields(strings.ReplaceAll(f.Get("types"), ",", " "))}
	return filter, r.problems.Err()
}

// moment reads what an input of the type datetime-local holds, in UTC; zero for nothing.
func (r *formReader) moment(name string) time.Time {
	text := r.Get(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04:05.999", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	r.problems.Add("/"+name, "%q is no time such as 2026-03-15T10:30", text)
	return time.Time{}
}

func (c *call) replayForm(f *form) (page, webhookReplayData, error) {
	w, err := c.findWebhook()
	if err != nil {
		return page{}, webhookReplayData{}, err
	}
	p := webhookSubpage(&w, "webhooks/replay", "Replay")
	p.Form = f
	return p, webhookReplayData{Webhook: w}, c.mayTest(&w)
}

// webhookReplayPage asks what to replay, and says how much that is.
func webhookReplayPage(c *call) error {
	f := newForm()
	f.values = c.URL.Query()
	asked := len(f.values) > 0
	if !asked {
		f = newForm("status", "failed", "after", c.d.Now().UTC().Add(-24*time.Hour).Format("2006-01-02T15:04"))
	}
	p, d, err := c.replayForm(f)
	if err != nil {
		return err
	}
	p.Data = d
	filter, err := replayFilter(f)
	if err != nil {
		return c.invalid(err, p, "after", "before", "status", "types")
	}
	preview, err := c.app.PreviewReplay(c.Context(), c.in.Caller, d.Webhook.ID.String(), filter)
	if err != nil {
		return c.invalid(err, p, "after", "before", "status", "types")
	}
	d.Preview = &preview
	p.Data = d
	return c.render(p)
}

func startWebhookReplay(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	p, d, err := c.replayForm(f)
	if err != nil {
		return err
	}
	p.Data = d
	filter, err := replayFilter(f)
	if err != nil {
		return c.invalid(err, p, "after", "before", "status", "types")
	}
	r, err := c.app.StartReplay(c.Context(), c.in.Caller, d.Webhook.ID.String(), filter)
	if err != nil {
		return c.invalid(err, p, "after", "before", "status", "types")
	}
	return c.redirect("/webhooks/"+d.Webhook.ID.String()+"/replays/"+url.PathEscape(r.ID.String()), "The replay has begun.")
}

// replaying is how far a replay has come.
type replaying struct {
	Webhook postroom.Webhook
	Replay  postroom.Replay
	Waiting int64
}

// Over tells whether nothing happens any more.
func (d replaying) Over() bool { return d.Replay.EndedAt != nil && d.Waiting == 0 }

// Handled is how many deliveries it has been through.
func (d replaying) Handled() int64 { return d.Replay.Done + d.Replay.Skipped }

// Delivered is how many were attempted.
func (d replaying) Delivered() int64 {
	return max(0, d.Replay.Done-d.Replay.Withdrawn-d.Waiting)
}

func (c *call) replayOf() (replaying, error) {
	w, err := c.findWebhook()
	if err != nil {
		return replaying{}, err
	}
	r, waiting, err := c.app.Replay(c.Context(), c.in.Caller, c.PathValue("replay"))
	if err == nil && r.Webhook != w.ID {
		err = postroom.Errorf(postroom.CodeNotFound, "There is no such replay of this webhook.")
	}
	return replaying{w, r, waiting}, err
}

// replayProgress shows how far a replay is; the page asks anew every other second.
func replayProgress(c *call) error {
	d, err := c.replayOf()
	if err != nil {
		return err
	}
	if c.htmx() && c.Header.Get("HX-Target") == "progress" {
		if d.Over() {
			c.w.Header().Set("HX-Refresh", "true") // which ends the asking
		}
		return c.fragment("webhooks/replaying", "progress", d)
	}
	p := webhookSubpage(&d.Webhook, "webhooks/replaying", "Replay")
	p.Data = d
	return c.render(p)
}

func cancelWebhookReplay(c *call) error {
	d, err := c.replayOf()
	if err != nil {
		return err
	}
	if _, _, err := c.app.CancelReplay(c.Context(), c.in.Caller, d.Replay.ID.String()); err != nil {
		return err
	}
	return c.redirect("/webhooks/"+d.Webhook.ID.String()+"/replays/"+d.Replay.ID.String(), "The replay was cancelled.")
}
