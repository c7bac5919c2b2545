package ui

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// overviewApp is what the overview needs of the application.
type overviewApp interface {
	WorkspaceStats(ctx context.Context, who app.Caller, span app.Span) (postroom.Stats, error)
	WebhookStats(ctx context.Context, who app.Caller, ref string, span app.Span) (postroom.Stats, error)
	WatchEvents(ctx context.Context, who app.Caller, types []string) (<-chan postroom.Event, error)
	Sources(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Source], error)
	Source(ctx context.Context, who app.Caller, ref string, showToken bool) (postroom.Source, error)
}

func overviewRoutes() []route {
	return []route{
		get("/{$}", postroom.RoleViewer, overviewPage), get("/overview/deliveries.json", postroom.RoleViewer, deliveriesChart),
		get("/overview/latency.json", postroom.RoleViewer, latencyChart), get("/overview/events", postroom.RoleViewer, overviewEvents),
	}
}

// timeRange is a span of time up to now that the overview can show.
type timeRange struct {
	Key, Label, Ago, By, Step string
	period                    time.Duration
}

func timeRanges() []timeRange {
	const day = 24 * time.Hour
	return []timeRange{
		{"1h", "1 hour", "in the last hour", "minute", "Minute", time.Hour}, {"24h", "24 hours", "in the last 24 hours", "hour", "Hour", day},
		{"7d", "7 days", "in the last 7 days", "hour", "Hour", 7 * day}, {"30d", "30 days", "in the last 30 days", "day", "Day", 30 * day},
	}
}

// timeRange is the one that the URL asks for.
func (c *call) timeRange() timeRange {
	all := timeRanges()
	for _, r := range all {
		if r.Key == c.URL.Query().Get("range") {
			return r
		}
	}
	return all[1]
}

func (c *call) rangeStats() (timeRange, postroom.Stats, error) {
	r := c.timeRange()
	stats, err := c.app.WorkspaceStats(c.Context(), c.in.Caller, app.Span{By: r.By, Period: r.period})
	return r, stats, err
}

// overviewData is what the overview shows.
type overviewData struct {
	postroom.Stats
	Range     timeRange
	Ranges    []tab
	Attention []attention
	Failures  []*deliveryRow
	Steps     []firstStep // empty once there is something of all
	Quiet     bool        // nothing was ever delivered
}

// firstStep is something to do in a new workspace.
type firstStep struct {
	Title, Text, Path, Action string
	Done                      bool
}

const shownFailures = 8

func overviewPage(c *call) error {
	r, stats, err := c.rangeStats()
	if err != nil {
		return err
	}
	data := &overviewData{Stats: stats, Range: r}
	for _, one := range timeRanges() {
		data.Ranges = append(data.Ranges, tab{Title: one.Label, Path: "/?range=" + one.Key, Current: one.Key == r.Key})
	}
	webhooks, err := c.app.Webhooks(c.Context(), c.in.Caller, postroom.PageQuery{Limit: postroom.MaxPageLimit})
	if err != nil {
		return err
	}
	names := webhookNames{}
	for _, w := range webhooks.Data {
		names[w.ID] = nameOr(w.Name, w.URL)
	}
	if data.Attention, err = needsAttention(c, webhooks.Data, stats); err != nil {
		return err
	}
	failed, err := c.app.Deliveries(c.Context(), c.in.Caller, postroom.DeliveryFilter{Status: postroom.DeliveryFailed, After: c.d.Now().Add(-r.period)}, postroom.PageQuery{Limit: shownFailures})
	if err != nil {
		return err
	}
	if data.Failures, err = deliveryRows(c, failed.Data, names); err != nil {
		return err
	}
	if err := data.firstSteps(c, len(webhooks.Data) > 0); err != nil {
		return err
	}
	return c.render(page{Name: "overview/overview", Title: "Overview", Nav: "overview", Data: data})
}

// firstSteps are what is to do while there is no webhook, no event or no source.
func (d *overviewData) firstSteps(c *call, webhooks bool) error {
	events, err := c.app.Events(c.Context(), c.in.Caller, postroom.EventFilter{}, postroom.PageQuery{Limit: 1})
	if err != nil {
		return err
	}
	sources, err := c.app.Sources(c.Context(), c.in.Caller, postroom.PageQuery{Limit: 1})
	if err != nil {
		return err
	}
	steps := []firstStep{
		{"Create a webhook", "Say where events go, and which.", "/webhooks/new", "Create a webhook", webhooks},
		{"Send a test event", "Publish one by hand, and watch it arrive.", "/events/new", "Publish an event", len(events.Data) > 0},
		{"Create a source", "Get a URL that your providers can call.", "/sources/new", "Create a source", len(sources.Data) > 0},
	}
	d.Quiet = d.Attempts == 0 && len(events.Data) == 0
	if !webhooks || len(events.Data) == 0 || len(sources.Data) == 0 {
		d.Steps = steps
	}
	return nil
}

// deliveriesChart draws what became of deliveries over time.
func deliveriesChart(c *call) error {
	_, stats, err := c.rangeStats()
	if err != nil {
		return err
	}
	ch := newChart(series{Label: "Succeeded", Kind: "ok"}, series{Label: "Failed", Kind: "bad"}, series{Label: "Tried again", Kind: "wait"})
	for _, p := range stats.Series {
		ch.count(p.At.Time, p.Succeeded, p.Failed, p.Retried)
	}
	return c.json(ch)
}

// latencyChart draws how long answers took over time.
func latencyChart(c *call) error {
	_, stats, err := c.rangeStats()
	if err != nil {
		return err
	}
	l := newChart(series{Label: "Half within", Kind: "accent", Unit: "ms"}, series{Label: "95 % within", Kind: "wait", Unit: "ms"})
	for _, p := range stats.Series {
		if p.LatencyMs == nil {
			l.add(p.At.Time, nil, nil)
			continue
		}
		l.add(p.At.Time, &p.LatencyMs.P50, &p.LatencyMs.P95)
	}
	return c.json(l)
}

// overviewEvents tells of events as they are published.
func overviewEvents(c *call) error {
	events, err := c.app.WatchEvents(c.Context(), c.in.Caller, nil)
	if err != nil {
		return err
	}
	return stream(c, "event", events, func(e postroom.Event) (string, error) { return c.text("overview/overview", "event", &e) })
}

// lastHour is the cheapest span: for who asks what waits now.
func lastHour() app.Span { return app.Span{By: "minute", Period: time.Hour} }
