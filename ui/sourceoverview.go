package ui

import (
	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// sourceOverview is what one sees of a source at first.
type sourceOverview struct {
	Stats  postroom.SourceStats
	Glance app.SourceGlance
	Health badge
	Recent recent
	Span   string
	Spans  []tab
}

// spans are the spans of time that statistics are shown of.
func spans() []option {
	return []option{{"hour", "minute", "Last hour"}, {"day", "hour", "Last day"}, {"month", "day", "Last 30 days"}}
}

// statSpanOf is the span that a URL asks for.
func statSpanOf(name string) (string, app.Span) {
	for _, s := range spans() {
		if s.Value == name {
			return name, app.Span{By: s.Label}
		}
	}
	return "day", app.Span{By: "hour"}
}

func sourcePage(c *call) error {
	d, err := c.findSource()
	if err != nil {
		return err
	}
	var body sourceOverview
	name, span := statSpanOf(c.URL.Query().Get("span"))
	if body.Stats, err = c.app.SourceStats(c.Context(), c.in.Caller, d.Source.ID.String(), span); err != nil {
		return err
	}
	glances, err := c.app.SourceGlances(c.Context(), c.in.Caller, []postroom.SourceID{d.Source.ID})
	if err != nil {
		return err
	}
	body.Glance = glances[d.Source.ID]
	body.Health, body.Span = healthOf(&d.Source, body.Glance), name
	for _, s := range spans() {
		body.Spans = append(body.Spans, tab{s.Hint, d.Path("?span=" + s.Value), s.Value == name})
	}
	if body.Recent, err = c.recentOf(d.Source); err != nil {
		return err
	}
	return c.render(sourceView(c, d, "overview", "Overview", body))
}

// sourceChart is what the chart of a source's page draws.
func sourceChart(c *call) error {
	_, span := statSpanOf(c.URL.Query().Get("span"))
	stats, err := c.app.SourceStats(c.Context(), c.in.Caller, c.PathValue("id"), span)
	if err != nil {
		return err
	}
	ch := newChart(series{Label: "Processed", Kind: "ok"}, series{Label: "Failed", Kind: "bad"}, series{Label: "Refused", Kind: "wait"})
	for _, p := range stats.Series {
		ch.count(p.At.Time, p.Processed, p.Failed, p.Refused)
	}
	return c.json(ch)
}
