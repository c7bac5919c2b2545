package ui

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// count is how many there are of something.
type count struct {
	Name string
	N    int64
}

func counts[K ~string](of map[K]int64) []count {
	var all []count
	for _, k := range slices.Sorted(maps.Keys(of)) {
		all = append(all, count{string(k), of[k]})
	}
	slices.SortStableFunc(all, func(a, b count) int { return cmp.Compare(b.N, a.N) })
	return all
}

// replayPreviewData is what would be delivered again.
type replayPreviewData struct {
	Preview          app.ReplayPreview
	ByStatus, ByType []count
	Webhook          string // its name; empty for all
	WebhookID        string
	After, Before    string // as the form sends them
	Type, Status     string
	Refused          string // why not
	Back             string // to the list
}

// replayFilterOf reads a replay's filter from the fields of a form.
func replayFilterOf(c *call, f *form) (webhook string, filter postroom.ReplayFilter, err error) {
	d, err := deliveryFilter(c, f)
	if err == nil {
		if refused := noReplay(f); refused != "" {
			err = postroom.Errorf(postroom.CodeInvalid, "%s", refused)
		}
	}
	filter = postroom.ReplayFilter{After: d.After, Before: d.Before, Status: d.Status}
	if d.Type != "" {
		filter.Types = []string{d.Type}
	}
	if !d.Webhook.IsZero() {
		webhook = d.Webhook.String()
	}
	return webhook, filter, err
}

// replayPreview shows what would be delivered again, before it is.
func replayPreview(c *call) error {
	f := c.filterForm()
	p := page{Name: "deliveries/replay", Title: "Deliver again", Nav: "deliveries", Crumbs: []crumb{{"Deliveries", "/deliveries"}}, Form: f}
	data := &replayPreviewData{Back: tidyURL("/deliveries", c.URL.Query(), "cursor", "live"), Refused: noReplay(f)}
	p.Data = data
	if data.Refused != "" {
		return c.render(p)
	}
	webhook, filter, err := replayFilterOf(c, f)
	if err != nil {
		return err
	}
	data.Preview, err = c.app.PreviewReplay(c.Context(), c.in.Caller, webhook, filter)
	if err != nil {
		return err
	}
	if webhook != "" {
		names := webhookNames{}
		if err := names.find(c, data.Preview.Webhook); err != nil {
			return err
		}
		data.Webhook = names[data.Preview.Webhook]
	}
	data.ByStatus, data.ByType = counts(data.Preview.ByStatus), counts(data.Preview.ByType)
	data.WebhookID, data.Type, data.Status = webhook, f.Get("type"), f.Get("status")
	// What is delivered again is what was shown here, not what has come since.
	data.Before = data.Preview.Before.Format(time.RFC3339Nano)
	if !data.Preview.After.IsZero() {
		data.After = data.Preview.After.Format(time.RFC3339Nano)
	}
	return c.render(p)
}

func startReplay(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	webhook, filter, err := replayFilterOf(c, f)
	if err != nil {
		return err
	}
	r, err := c.app.StartReplay(c.Context(), c.in.Caller, webhook, filter)
	if err != nil {
		return err
	}
	return c.redirect("/deliveries/replays/"+r.ID.String(), "They are being delivered again.")
}

// replayRow is a replay in a list.
type replayRow struct {
	postroom.Replay
	To string // the webhook's name, or all
}

func replayRowOf(c *call, names webhookNames, r postroom.Replay) (replayRow, error) {
	if r.Webhook.IsZero() {
		return replayRow{r, "all webhooks"}, nil
	}
	err := names.find(c, r.Webhook)
	return replayRow{r, names[r.Webhook]}, err
}

type replaysData struct {
	Rows                   []replayRow
	PrevCursor, NextCursor *string
}

func replaysPage(c *call) error {
	found, err := c.app.Replays(c.Context(), c.in.Caller, c.pageQuery())
	if err != nil {
		return err
	}
	data := replaysData{PrevCursor: found.PrevCursor, NextCursor: found.NextCursor}
	names := webhookNames{}
	for _, r := range found.Data {
		row, err := replayRowOf(c, names, r)
		if err != nil {
			return err
		}
		data.Rows = append(data.Rows, row)
	}
	return c.render(page{Name: "deliveries/replays", Title: "Replays", Nav: "deliveries", Crumbs: []crumb{{"Deliveries", "/deliveries"}}, Data: data})
}

// replayData is how far a replay is.
type replayData struct {
	Replay  replayRow
	Waiting int64 // deliveries that wait and were not begun
	Live    bool
	Over    bool
	Share   int64 // of 1000, that is done
	Type    string
}

func replayPage(c *call) error {
	r, waiting, err := c.app.Replay(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	data := replayData{Waiting: waiting, Over: r.EndedAt != nil && waiting == 0}
	data.Live = !data.Over
	if data.Replay, err = replayRowOf(c, webhookNames{}, r); err != nil {
		return err
	}
	if all := max(r.Total, r.Done+r.Skipped); all > 0 {
		data.Share = max(0, 1000*(r.Done+r.Skipped-waiting)/all)
	}
	if data.Over && r.State == postroom.ReplayDone {
		data.Share = 1000
	}
	if len(r.Types) > 0 {
		data.Type = r.Types[0]
	}
	return c.list(page{Name: "deliveries/replaying", Title: "Replay", Nav: "deliveries", Crumbs: []crumb{{"Deliveries", "/deliveries"}, {"Replays", "/deliveries/replays"}}, Data: data})
}

func cancelReplay(c *call) error {
	r, _, err := c.app.CancelReplay(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.redirect("/deliveries/replays/"+r.ID.String(), "The replay is cancelled.")
}
