package ui

import (
	"bytes"
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// eventApp is what the pages of events need of the application.
type eventApp interface {
	Events(ctx context.Context, who app.Caller, f postroom.EventFilter, q postroom.PageQuery) (postroom.Page[postroom.Event], error)
	Event(ctx context.Context, who app.Caller, id string) (postroom.Event, []postroom.Delivery, error)
	ReplayEvent(ctx context.Context, who app.Caller, id string, webhooks []string) ([]postroom.Delivery, error)
	PreviewEventReplay(ctx context.Context, who app.Caller, id string, webhooks []string) ([]postroom.WebhookID, error)
	PublishWritten(ctx context.Context, who app.Caller, event app.NewEvent, dedupe string) (postroom.Published, error)
	EventTypes(ctx context.Context, who app.Caller) ([]postroom.EventType, error)
	EventType(ctx context.Context, who app.Caller, name string) (postroom.EventType, error)
	CreateEventType(ctx context.Context, who app.Caller, in app.EventTypeInput) (postroom.EventType, error)
	UpdateEventType(ctx context.Context, who app.Caller, name string, change func(*app.EventTypeInput) error) (postroom.EventType, error)
	DeleteEventType(ctx context.Context, who app.Caller, name string) error
	Requests(ctx context.Context, who app.Caller, f postroom.RequestFilter, q postroom.PageQuery) (postroom.Page[postroom.Request], error)
}

func eventRoutes() []route {
	const one, types = "/events/{id}", "/event-types"
	return []route{
		get("/events", postroom.RoleViewer, eventsPage), get(one, postroom.RoleViewer, eventPage), get(one+"/data", postroom.RoleViewer, eventBody),
		post(one+"/replay", postroom.RoleAdmin, replayEvent),
		get("/events/new", postroom.RolePublisher, newEventPage), post("/events", postroom.RolePublisher, publishEvent),
		get(types, postroom.RoleViewer, typesPage), post(types, postroom.RoleAdmin, createType), get("/event-types/new", postroom.RoleAdmin, newTypePage),
		get(types+"/{type}", postroom.RoleViewer, typePage), get(types+"/{type}/edit", postroom.RoleAdmin, editTypePage),
		post(types+"/{type}", postroom.RoleAdmin, updateType), post(types+"/{type}/delete", postroom.RoleAdmin, deleteType),
	}
}

// eventTabs are the pages of events that stand beside each other.
func eventTabs(c *call) []tab {
	tabs := []tab{{Title: "Explorer", Path: "/events"}, {Title: "Catalogue", Path: "/event-types"}}
	if c.in.Caller.Role.Allows(postroom.RolePublisher) {
		tabs = append(tabs, tab{Title: "Publish", Path: "/events/new"})
	}
	return tabsAt(c.URL.Path, tabs...)
}

func eventFields() []string {
	return []string{"type", "contact", "campaign", "q", "since", "after", "before", "id"}
}

// eventRow is an event in a list.
type eventRow struct {
	postroom.Event
	Excerpt string // of its data
}

const excerpt = 160 // bytes of an event's data in a list

func eventRows(found []postroom.Event) []*eventRow {
	rows := make([]*eventRow, len(found))
	for i, e := range found {
		text := bytes.TrimSpace(e.Data)
		row := &eventRow{Event: e}
		if len(text) > excerpt {
			row.Excerpt = strings.ToValidUTF8(string(text[:excerpt]), "") + "…"
		} else {
			row.Excerpt = strings.ToValidUTF8(string(text), "�")
		}
		rows[i] = row
	}
	return rows
}

// eventsData is what the explorer shows.
type eventsData struct {
	Rows                   []*eventRow
	PrevCursor, NextCursor *string
	Types, Spans           []option
	Filtered, More         bool
	Live                   string
}

func eventsPage(c *call) error {
	f := c.filterForm()
	p := page{Name: "events/list", Title: "Events", Nav: "events", Form: f, Wide: true, Tabs: eventTabs(c)}
	data := &eventsData{Spans: spanOptions()}
	p.Data = data
	var err error
	if data.Types, err = c.eventTypeOptions(); err != nil {
		return err
	}
	for _, name := range eventFields() {
		data.Filtered = data.Filtered || f.Get(name) != ""
	}
	data.More = f.Get("campaign") != "" || f.Get("id") != "" || f.Get("after") != "" || f.Get("before") != ""
	if f.Get("live") != "" && f.Get("cursor") == "" {
		data.Live = tidyURL("/events", c.URL.Query())
	}
	if err := data.load(c, f); err != nil {
		if err = p.blameFilter(err, eventFields()...); err != nil {
			return err
		}
	}
	if c.answered {
		return nil
	}
	return c.list(p)
}

func (d *eventsData) load(c *call, f *form) error {
	var p postroom.Problems
	filter := postroom.EventFilter{Type: f.Get("type"), Contact: f.Get("contact"), Campaign: f.Get("campaign"), Text: f.Raw("q")}
	filter.After, filter.Before = spanOf(f, c.d.Now(), &p)
	if id := f.Get("id"); id != "" {
		e, _, err := c.app.Event(c.Context(), c.in.Caller, id)
		switch {
		case err == nil:
			c.leadTo("/events/" + e.ID.String())
			return nil
		case notThere(err, &p, "/id", "there is no event with this id in the workspace"):
			return err
		}
	}
	if err := p.Err(); err != nil {
		return err
	}
	found, err := c.app.Events(c.Context(), c.in.Caller, filter, c.pageQuery())
	d.Rows, d.PrevCursor, d.NextCursor = eventRows(found.Data), found.PrevCursor, found.NextCursor
	return err
}

// eventData is what the page of one event shows.
type eventData struct {
	Event      *postroom.Event
	Public     string // its id, as publishers and receivers see it
	Body       body
	Deliveries []*deliveryRow
	Source     string              // which published it; empty for none
	Request    *postroom.RequestID // in which it came, where that is known
	Replay     []option            // webhooks to deliver it to again
	Form       *form
}

func eventPage(c *call) error {
	e, deliveries, err := c.app.Event(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	data := &eventData{Event: &e, Public: e.PublicID(), Body: showBody(e.Data, "/events/"+e.ID.String()+"/data")}
	webhooks, names, _, err := c.webhookOptions()
	if err != nil {
		return err
	}
	if data.Deliveries, err = deliveryRows(c, deliveries, names); err != nil {
		return err
	}
	if err := data.findCause(c); err != nil {
		return err
	}
	p := page{Name: "events/one", Title: e.Type, Nav: "events", Crumbs: []crumb{{"Events", "/events"}}, Data: data}
	if c.in.Caller.Role.Allows(postroom.RoleAdmin) {
		matching, err := c.app.PreviewEventReplay(c.Context(), c.in.Caller, e.ID.String(), nil)
		if err != nil {
			return err
		}
		p.Form = newForm()
		data.Replay = webhooks
		for _, id := range matching {
			p.Form.values.Add("webhooks", id.String())
		}
	}
	return c.render(p)
}

// lookBack is how many requests are looked at for the one that an event came in.
const lookBack = 50

// findCause looks for what published an event. The events of a source have its id as their actor, and the log of the request has theirs.
func (d *eventData) findCause(c *call) error {
	source, err := postroom.ParseID[postroom.SourceKind](d.Event.Actor)
	if err != nil {
		return nil //nolint:nilerr // it came from elsewhere
	}
	d.Source = source.String()
	found, err := c.app.Requests(c.Context(), c.in.Caller, postroom.RequestFilter{Source: source, Before: d.Event.PublishedAt().Add(time.Second)}, postroom.PageQuery{Limit: lookBack})
	if err != nil {
		return err
	}
	for _, r := range found.Data {
		for _, id := range r.Log.Events {
			if id == d.Public {
				d.Request = &r.ID
				return nil
			}
		}
	}
	return nil
}

// eventBody gives the data of an event as it is.
func eventBody(c *call) error {
	e, _, err := c.app.Event(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	return c.file(e.ID.String(), e.Data)
}

func replayEvent(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	var to []string
	for _, ref := range f.All("webhooks") {
		if ref != "" && utf8.ValidString(ref) {
			to = append(to, ref)
		}
	}
	if len(to) == 0 {
		return postroom.Invalid(postroom.CodeInvalid, "/webhooks", "choose the webhooks that get it again")
	}
	made, err := c.app.ReplayEvent(c.Context(), c.in.Caller, c.PathValue("id"), to)
	if err != nil {
		return err
	}
	said := "It is being delivered again."
	if len(made) > 1 {
		said = "It is being delivered again to " + plural(len(made), "webhook") + "."
	}
	return c.redirect("/events/"+c.PathValue("id"), said)
}
