package client

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/postroom/postroom"
)

// DeliveryFilter chooses deliveries. What is zero does not filter.
type DeliveryFilter struct {
	Webhook    string // its id (whk_…) or uid
	Event      string // its id, the publisher's or evt_…
	Type       string // an event type
	Status     postroom.DeliveryStatus
	StatusCode int // of the newest attempt
	After      time.Time
	Before     time.Time
}

func (f DeliveryFilter) values() url.Values {
	v := url.Values{}
	q := filter(v)
	q.text("webhook", f.Webhook)
	q.text("event", f.Event)
	q.text("type", f.Type)
	q.text("status", string(f.Status))
	if f.StatusCode != 0 {
		q.text("status_code", strconv.Itoa(f.StatusCode))
	}
	q.time("after", f.After)
	q.time("before", f.Before)
	return v
}

// Deliveries goes through deliveries, newest first, without their attempts.
func (c *Client) Deliveries(ctx context.Context, f DeliveryFilter) iter.Seq2[postroom.DeliveryResource, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.DeliveryResource], error) {
		return c.DeliveryPage(ctx, f, q)
	})
}

// DeliveryPage gives one page of deliveries, newest first, without their attempts.
func (c *Client) DeliveryPage(ctx context.Context, f DeliveryFilter, q postroom.PageQuery) (postroom.Page[postroom.DeliveryResource], error) {
	return page[postroom.DeliveryResource](ctx, c, "/v1/deliveries", f.values(), q)
}

// WebhookDeliveries goes through the deliveries to one webhook, newest first. It asks the webhook's own list, so that a
// webhook that does not exist is an error even if it once had deliveries. The filter's Webhook is not looked at.
func (c *Client) WebhookDeliveries(ctx context.Context, ref string, f DeliveryFilter) iter.Seq2[postroom.DeliveryResource, error] {
	f.Webhook = ""
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.DeliveryResource], error) {
		return page[postroom.DeliveryResource](ctx, c, path("v1", "webhooks", ref, "deliveries"), f.values(), q)
	})
}

// Delivery gives one delivery with its attempts.
func (c *Client) Delivery(ctx context.Context, id string) (postroom.DeliveryResource, error) {
	var out postroom.DeliveryResource
	err := c.get(ctx, path("v1", "deliveries", id), nil, &out)
	return out, err
}

// RetryDelivery makes a pending delivery's next attempt now, begins the schedule of a failed or cancelled one again,
// and sends one that succeeded once more. It does not wait for the attempt.
func (c *Client) RetryDelivery(ctx context.Context, id string) (postroom.DeliveryResource, error) {
	var out postroom.DeliveryResource
	err := c.post(ctx, path("v1", "deliveries", id, "retry"), nil, &out)
	return out, err
}

// ExportFormat is how an export looks.
type ExportFormat string

// The formats of exports.
const (
	ExportNDJSON ExportFormat = "ndjson" // a thing in JSON on each line
	ExportCSV    ExportFormat = "csv"    // with a line of names first
)

// ExportDeliveries gives all deliveries that the filter lets through, newest first, as they come from the server. The
// caller closes the reader; a read fails when the export broke off.
func (c *Client) ExportDeliveries(ctx context.Context, f DeliveryFilter, format ExportFormat) (io.ReadCloser, error) {
	return c.export(ctx, "/v1/deliveries/export", f, format)
}

// ExportAttempts gives all attempts of the deliveries that the filter lets through: deliveries newest first, the attempts of each from
// the first on. In NDJSON each is a postroom.ExportedAttempt. The caller closes the reader; a read fails when the export broke off.
func (c *Client) ExportAttempts(ctx context.Context, f DeliveryFilter, format ExportFormat) (io.ReadCloser, error) {
	return c.export(ctx, "/v1/attempts/export", f, format)
}

func (c *Client) export(ctx context.Context, path string, f DeliveryFilter, format ExportFormat) (io.ReadCloser, error) {
	return c.exportOf(ctx, path, f.values(), format)
}

// exportOf asks for an export of what query chooses.
func (c *Client) exportOf(ctx context.Context, path string, query url.Values, format ExportFormat) (io.ReadCloser, error) {
	query.Set("format", string(format))
	resp, err := c.do(ctx, request{method: http.MethodGet, path: path, query: query, accept: "*/*", stream: true}, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
