package ui

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// overviewApp is what the overview needs of the application.
type overviewApp interface {
	WorkspaceStats(ctx context.Context, who app.Caller, span app.Span) (postroom.Stats, error)
	WatchEvents(ctx context.Context, who app.Caller, types []string) (<-chan postroom.Event, error)
}

func overviewRoutes() []route {
	return []route{
		get("/{$}", postroom.RoleViewer, overviewPage), get("/overview/deliveries.json", postroom.RoleViewer, overviewChart),
		get("/overview/tiles", postroom.RoleViewer, overviewTiles), get("/overview/events", postroom.RoleViewer, overviewEvents),
	}
}

func lastDay(c *call) (postroom.Stats, error) {
	return c.app.WorkspaceStats(c.Context(), c.in.Caller, app.Span{By: "hour"})
}

func overviewPage(c *call) error {
	stats, err := lastDay(c)
	if err != nil {
		return err
	}
	return c.render(page{Name: "overview/overview", Title: "Overview", Nav: "overview", Data: stats})
}

// overviewTiles is the part of the page that is asked for again from time to time.
func overviewTiles(c *call) error {
	stats, err := lastDay(c)
	if err != nil {
		return err
	}
	return c.fragment("overview/overview", "tiles", stats)
}

// overviewChart is what the page's chart draws.
func overviewChart(c *call) error {
	stats, err := lastDay(c)
	if err != nil {
		return err
	}
	ch := chart{Series: []series{{Label: "Succeeded", Kind: "ok"}, {Label: "Failed", Kind: "bad"}}}
	for _, p := range stats.Series {
		ch.Times = append(ch.Times, p.At.Unix())
		ch.Series[0].Values = append(ch.Series[0].Values, float64(p.Succeeded))
		ch.Series[1].Values = append(ch.Series[1].Values, float64(p.Failed))
	}
	return c.json(ch)
}

// overviewEvents tells of events as they are published.
func overviewEvents(c *call) error {
	events, err := c.app.WatchEvents(c.Context(), c.in.Caller, nil)
	if err != nil {
		return err
	}
	return stream(c, "event", events, func(e postroom.Event) (string, error) { return c.text("overview/overview", "event", &e) })
}
