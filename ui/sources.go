package ui

import (
	"context"
	"slices"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// sourceApp is what the pages of sources need of the application.
type sourceApp interface {
	Sources(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Source], error)
	Source(ctx context.Context, who app.Caller, ref string, showToken bool) (postroom.Source, error)
	SourceGlances(ctx context.Context, who app.Caller, ids []postroom.SourceID) (map[postroom.SourceID]app.SourceGlance, error)
	SourceKinds(ctx context.Context, who app.Caller) ([]app.Kind, error)
	DefaultSource() postroom.SourceSettings
	CreateSource(ctx context.Context, who app.Caller, in postroom.SourceSettings) (postroom.Source, error)
	UpdateSource(ctx context.Context, who app.Caller, ref string, ifMatch int64, change func(*postroom.SourceSettings) error) (postroom.Source, error)
	RenewSourceToken(ctx context.Context, who app.Caller, ref string) (postroom.Source, error)
	DeleteSource(ctx context.Context, who app.Caller, ref string, ifMatch int64) error
	SourceStats(ctx context.Context, who app.Caller, ref string, span app.Span) (postroom.SourceStats, error)
	TestSource(ctx context.Context, who app.Caller, ref string, in app.SourceTestInput) (postroom.Request, postroom.SourceTest, error)
	WatchRequests(ctx context.Context, who app.Caller, ref string, since postroom.RequestID) (<-chan postroom.Request, error)
	EventTypes(ctx context.Context, who app.Caller) ([]postroom.EventType, error)
	Fields(ctx context.Context, who app.Caller) ([]postroom.Field, error)
}

func sourceRoutes() []route {
	const one = "/sources/{id}"
	return []route{
		get("/sources", postroom.RoleViewer, sourcesPage),
		get("/sources/new", postroom.RoleAdmin, newSourcePage), post("/sources", postroom.RoleAdmin, createSource),
		get(one, postroom.RoleViewer, sourcePage), get(one+"/stats.json", postroom.RoleViewer, sourceChart),
		get(one+"/setup", postroom.RoleViewer, setupPage), get(one+"/live", postroom.RoleViewer, sourceLive),
		post(one+"/reveal", postroom.RoleAdmin, revealToken), post(one+"/token", postroom.RoleAdmin, renewToken),
		get(one+"/edit", postroom.RoleAdmin, editSourcePage), post(one+"/edit", postroom.RoleAdmin, changeSource),
		post(one+"/pause", postroom.RoleAdmin, pauseSource), post(one+"/resume", postroom.RoleAdmin, resumeSource), post(one+"/delete", postroom.RoleAdmin, deleteSource),
		get(one+"/security", postroom.RoleAdmin, securityPage), post(one+"/security", postroom.RoleAdmin, changeSecurity),
		get(one+"/mapping", postroom.RoleAdmin, mappingPage), post(one+"/mapping", postroom.RoleAdmin, changeMapping),
		post(one+"/mapping/preview", postroom.RoleAdmin, previewMapping),
		get(one+"/actions", postroom.RoleAdmin, actionsPage), post(one+"/actions", postroom.RoleAdmin, changeActions),
		post(one+"/actions/preview", postroom.RoleAdmin, previewActions),
		get(one+"/test", postroom.RoleViewer, trySourcePage), post(one+"/test", postroom.RoleViewer, trySource),
		get(one+"/requests", postroom.RoleViewer, sourceRequestsPage), post(one+"/clear", postroom.RoleAdmin, clearRequests),
	}
}

// sourcesShown is how many sources a page of the list has: each takes a few lookups.
const sourcesShown = 25

// listedSource is a source as the list shows it.
type listedSource struct {
	postroom.Source
	Kind   string
	Glance app.SourceGlance
}

// Health is a word for how the source is doing, for its badge.
func (s listedSource) Health() badge { return healthOf(&s.Source, s.Glance) }

func healthOf(s *postroom.Source, g app.SourceGlance) badge {
	switch {
	case s.Status == postroom.SourceInactive:
		return badge{"inactive", "wait"}
	case g.Failures > 0:
		return badge{"failing", "bad"}
	case g.LastAt == nil:
		return badge{"no calls yet", "plain"}
	case g.Last == postroom.StatusRefused:
		return badge{"last call refused", "wait"}
	}
	return badge{"healthy", "ok"}
}

// sourceList is a page of sources.
type sourceList struct {
	Sources []listedSource
	postroom.Page[postroom.Source]
}

func sourcesPage(c *call) error {
	q := c.pageQuery()
	q.Limit = sourcesShown
	found, err := c.app.Sources(c.Context(), c.in.Caller, q)
	if err != nil {
		return err
	}
	kinds, err := c.app.SourceKinds(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	var ids []postroom.SourceID
	for i := range found.Data {
		ids = append(ids, found.Data[i].ID)
	}
	glances, err := c.app.SourceGlances(c.Context(), c.in.Caller, ids)
	if err != nil {
		return err
	}
	list := sourceList{Page: found}
	for _, s := range found.Data {
		list.Sources = append(list.Sources, listedSource{s, kindTitle(kinds, s.Kind), glances[s.ID]})
	}
	return c.render(page{Name: "sources/list", Title: "Sources", Nav: "sources", Data: list})
}

func kindTitle(kinds []app.Kind, name string) string {
	return kindNamed(kinds, name).Title
}

// kindNamed finds a kind; one that is not here any more has nothing but its name.
func kindNamed(kinds []app.Kind, name string) app.Kind {
	if n := slices.IndexFunc(kinds, func(k app.Kind) bool { return k.Name == name }); n >= 0 {
		return kinds[n]
	}
	return app.Kind{Name: name, Title: name}
}

// sourceData is what the pages of one source show.
type sourceData struct {
	Source postroom.Source
	Kind   app.Kind
	Kinds  []app.Kind
	Tabs   []tab
	Body   any // of the page
}

// Path is where a page of the source is.
func (d sourceData) Path(rest string) string { return "/sources/" + d.Source.ID.String() + rest }

// Name is what people call the source.
func (d sourceData) Name() string { return nameOr(d.Source.Name, d.Source.ID.String()) }

// findSource finds the source that a path names, and its kind.
func (c *call) findSource() (d sourceData, err error) {
	if d.Source, err = c.app.Source(c.Context(), c.in.Caller, c.PathValue("id"), false); err != nil {
		return d, err
	}
	if d.Kinds, err = c.app.SourceKinds(c.Context(), c.in.Caller); err != nil {
		return d, err
	}
	d.Kind = kindNamed(d.Kinds, d.Source.Kind)
	return d, nil
}

// sourceForm reads the form that was sent, and finds the source that it is about.
func (c *call) sourceForm() (*form, sourceData, error) {
	f, err := c.form()
	if err != nil {
		return nil, sourceData{}, err
	}
	d, err := c.findSource()
	return f, d, err
}

// sourceView is a page of one source.
func sourceView(c *call, d sourceData, name, title string, body any) page {
	tabs := []tab{{Title: "Overview", Path: d.Path("")}, {Title: "Requests", Path: d.Path("/requests")}}
	if c.in.Caller.Role.Allows(postroom.RoleAdmin) {
		tabs = append(tabs, tab{Title: "Mapping", Path: d.Path("/mapping")}, tab{Title: "Actions", Path: d.Path("/actions")},
			tab{Title: "Security", Path: d.Path("/security")}, tab{Title: "Settings", Path: d.Path("/edit")})
	}
	tabs = append(tabs, tab{Title: "Setup", Path: d.Path("/setup")})
	if c.in.Member.Triggers(d.Source.ID.String()) {
		tabs = append(tabs, tab{Title: "Test", Path: d.Path("/test")})
	}
	for i := range tabs {
		tabs[i].Current = tabs[i].Path == d.Path(title) || tabs[i].Title == title
	}
	d.Tabs, d.Body = tabs, body
	return page{Name: "sources/" + name, Title: title, Nav: "sources", Data: d, Form: newForm()}
}
