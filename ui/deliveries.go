package ui

import (
	"context"
	"strconv"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// deliveryApp is what the pages of deliveries need of the application.
type deliveryApp interface {
	Deliveries(ctx context.Context, who app.Caller, f postroom.DeliveryFilter, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error)
	EachDelivery(ctx context.Context, who app.Caller, f postroom.DeliveryFilter, visit func(postroom.Delivery) error) error
	Delivery(ctx context.Context, who app.Caller, id string) (postroom.Delivery, []postroom.Attempt, error)
	RetryDelivery(ctx context.Context, who app.Caller, ref string) (postroom.Delivery, error)
	Webhook(ctx context.Context, who app.Caller, ref string) (postroom.Webhook, error)
	Webhooks(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error)
	Event(ctx context.Context, who app.Caller, id string) (postroom.Event, []postroom.Delivery, error)
	PreviewReplay(ctx context.Context, who app.Caller, ref string, f postroom.ReplayFilter) (app.ReplayPreview, error)
	StartReplay(ctx context.Context, who app.Caller, ref string, f postroom.ReplayFilter) (postroom.Replay, error)
	Replays(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Replay], error)
	Replay(ctx context.Context, who app.Caller, ref string) (r postroom.Replay, waiting int64, err error)
	CancelReplay(ctx context.Context, who app.Caller, ref string) (r postroom.Replay, waiting int64, err error)
}

func deliveryRoutes() []route {
	const one, replays = "/deliveries/{id}", "/deliveries/replays"
	return []route{
		get("/deliveries", postroom.RoleViewer, deliveriesPage), get("/deliveries/export", postroom.RoleViewer, exportDeliveries),
		get("/deliveries/replay", postroom.RoleViewer, replayPreview), post(replays, postroom.RoleAdmin, startReplay),
		get(replays, postroom.RoleViewer, replaysPage), get(replays+"/{id}", postroom.RoleViewer, replayPage),
		post(replays+"/{id}/cancel", postroom.RoleAdmin, cancelReplay),
		get(one, postroom.RoleViewer, deliveryPage), post(one+"/retry", postroom.RoleViewer, retryDelivery),
		get(one+"/attempts/{number}/{part}", postroom.RoleViewer, attemptBody),
	}
}

// deliveryFields are the fields of the filter bar of deliveries.
func deliveryFields() []string {
	return []string{"webhook", "event", "type", "status", "status_code", "since", "after", "before"}
}

// deliveryFilter reads the filter bar.
func deliveryFilter(c *call, f *form) (postroom.DeliveryFilter, error) {
	var p postroom.Problems
	filter := postroom.DeliveryFilter{Type: f.Get("type"), Status: postroom.DeliveryStatus(f.Get("status"))}
	filter.After, filter.Before = spanOf(f, c.d.Now(), &p)
	if filter.Status != "" && !known(filter.Status) {
		p.Add("/status", "this is one of the statuses of deliveries")
	}
	if code := f.Get("status_code"); code != "" {
		n, err := strconv.Atoi(code)
		if err != nil || n < 100 || n > 599 {
			p.Add("/status_code", "this is an HTTP status, from 100 to 599")
		}
		filter.StatusCode = n
	}
	if ref := f.Get("webhook"); ref != "" && filter.Webhook.UnmarshalText([]byte(ref)) != nil {
		w, err := c.app.Webhook(c.Context(), c.in.Caller, ref)
		if notThere(err, &p, "/webhook", "there is no such webhook in this workspace") {
			return filter, err
		}
		filter.Webhook = w.ID
	}
	if ref := f.Get("event"); ref != "" && filter.Event.UnmarshalText([]byte(ref)) != nil {
		e, _, err := c.app.Event(c.Context(), c.in.Caller, ref)
		if notThere(err, &p, "/event", "there is no such event in this workspace") {
			return filter, err
		}
		filter.Event = e.ID
	}
	return filter, p.Err()
}

func known(s postroom.DeliveryStatus) bool {
	for _, one := range postroom.DeliveryStatuses() {
		if s == one {
			return true
		}
	}
	return false
}

// notThere blames a field for what it names and is not there. It tells whether err is another error.
func notThere(err error, p *postroom.Problems, pointer, detail string) bool {
	if postroom.CodeOf(err) == postroom.CodeNotFound && err != nil {
		p.Add(pointer, "%s", detail)
		return false
	}
	return err != nil
}

// deliveryRow is a delivery in a list.
type deliveryRow struct {
	postroom.Delivery
	Webhook string
}

// Answer is what the newest attempt came to, in a word.
func (r *deliveryRow) Answer() string {
	switch {
	case r.LastStatusCode > 0:
		return strconv.Itoa(r.LastStatusCode)
	case r.LastErrorKind != "":
		return r.LastErrorKind
	}
	return ""
}

// Next is when the next attempt is due; zero when none is, or its webhook holds it.
func (r *deliveryRow) Next() time.Time { return nextAt(&r.Delivery) }

func nextAt(d *postroom.Delivery) time.Time {
	if d.NextAt == nil || d.Status != postroom.DeliveryPending {
		return time.Time{}
	}
	return *d.NextAt
}

// deliveryRows names the webhooks of deliveries.
func deliveryRows(c *call, found []postroom.Delivery, names webhookNames) ([]*deliveryRow, error) {
	rows := make([]*deliveryRow, len(found))
	for i, d := range found {
		if err := names.find(c, d.WebhookID); err != nil {
			return nil, err
		}
		rows[i] = &deliveryRow{d, names[d.WebhookID]}
	}
	return rows, nil
}

// deliveriesData is what the list of deliveries shows.
type deliveriesData struct {
	Rows                             []*deliveryRow
	PrevCursor, NextCursor           *string
	Webhooks, Types, Statuses, Spans []option
	ManyWebhooks, Filtered, More     bool // More: one of the lesser filters is in use
	Live                             string
	NDJSON, CSV, Replay              string // URLs with the same filter
	NoReplay                         string // why what is shown cannot be delivered again as a whole
}

func deliveriesPage(c *call) error {
	f := c.filterForm()
	p := page{Name: "deliveries/list", Title: "Deliveries", Nav: "deliveries", Form: f, Wide: true}
	data := &deliveriesData{Statuses: []option{{"", "Any status", ""}}, Spans: spanOptions()}
	p.Data = data
	for _, s := range postroom.DeliveryStatuses() {
		data.Statuses = append(data.Statuses, option{string(s), string(s), ""})
	}
	webhooks, names, many, err := c.webhookOptions()
	if err != nil {
		return err
	}
	data.ManyWebhooks = many
	data.Webhooks = append([]option{{"", "All webhooks", ""}}, webhooks...)
	if data.Types, err = c.eventTypeOptions(); err != nil {
		return err
	}
	query := c.URL.Query()
	for _, name := range deliveryFields() {
		data.Filtered = data.Filtered || f.Get(name) != ""
	}
	data.More = f.Get("event") != "" || f.Get("status_code") != "" || f.Get("after") != "" || f.Get("before") != ""
	data.NDJSON, data.Replay = tidyURL("/deliveries/export", query, "cursor", "live", "format"), tidyURL("/deliveries/replay", query, "cursor", "live")
	query.Set("format", "csv")
	data.CSV = tidyURL("/deliveries/export", query, "cursor", "live")
	data.NoReplay = noReplay(f)
	if f.Get("live") != "" && f.Get("cursor") == "" {
		data.Live = tidyURL("/deliveries", c.URL.Query())
	}
	filter, err := deliveryFilter(c, f)
	if err == nil {
		err = data.load(c, filter, names)
	}
	if err != nil {
		if err = p.blameFilter(err, deliveryFields()...); err != nil {
			return err
		}
	}
	// A webhook that is older than those in the list, or was deleted, is chosen all the same.
	if ref := f.Get("webhook"); ref != "" && !filter.Webhook.IsZero() && !hasOption(data.Webhooks, ref) {
		if err := names.find(c, filter.Webhook); err != nil {
			return err
		}
		data.Webhooks = append(data.Webhooks, option{ref, names[filter.Webhook], ""})
	}
	return c.list(p)
}

func hasOption(all []option, value string) bool {
	for _, o := range all {
		if o.Value == value {
			return true
		}
	}
	return false
}

func (d *deliveriesData) load(c *call, filter postroom.DeliveryFilter, names webhookNames) error {
	found, err := c.app.Deliveries(c.Context(), c.in.Caller, filter, c.pageQuery())
	if err != nil {
		return err
	}
	d.PrevCursor, d.NextCursor = found.PrevCursor, found.NextCursor
	d.Rows, err = deliveryRows(c, found.Data, names)
	return err
}

// noReplay says why a replay cannot choose what the filter bar chooses.
func noReplay(f *form) string {
	switch s := postroom.DeliveryStatus(f.Get("status")); {
	case s == postroom.DeliveryPending || s == postroom.DeliveryHeld:
		return "What is " + string(s) + " will be delivered anyway."
	case f.Get("event") != "":
		return "To deliver one event again, open it and replay it there."
	case f.Get("status_code") != "":
		return "What is delivered again can be chosen by webhook, type, status and time, not by status code."
	}
	return ""
}
