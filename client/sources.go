package client

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/postroom/postroom"
)

// CreateSource makes a source. in is a map or a struct with the fields of postroom.SourceSettings, of which all but the name may be left
// out. The URL of the result has the token; an API key that was asked for without a key is whole in it, this once.
func (c *Client) CreateSource(ctx context.Context, in any) (postroom.Source, error) {
	r := request{method: http.MethodPost, path: "/v1/sources"}
	if err := r.setJSON(in); err != nil {
		return postroom.Source{}, err
	}
	return c.source(ctx, r)
}

// Sources goes through all sources, newest first.
func (c *Client) Sources(ctx context.Context) iter.Seq2[postroom.Source, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.Source], error) { return c.SourcePage(ctx, q) })
}

// SourcePage gives one page of the sources, newest first.
func (c *Client) SourcePage(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.Source], error) {
	return page[postroom.Source](ctx, c, "/v1/sources", nil, q)
}

// Source gives one source. ref is its id (src_…) or its uid. Its Version is that of the answer's ETag. Its URL has the token if showToken is
// set, which takes an administrator's key.
func (c *Client) Source(ctx context.Context, ref string, showToken bool) (postroom.Source, error) {
	r := request{method: http.MethodGet, path: path("v1", "sources", ref)}
	if showToken {
		r.query = url.Values{"show_token": {"true"}}
	}
	return c.source(ctx, r)
}

// UpdateSource changes a source. patch is a JSON merge patch (RFC 7396). ifMatch is the version that is to be changed, so that no other change
// is overwritten; 0 changes any.
func (c *Client) UpdateSource(ctx context.Context, ref string, ifMatch int64, patch any) (postroom.Source, error) {
	r := request{method: http.MethodPatch, path: path("v1", "sources", ref)}
	if err := r.setJSON(patch); err != nil {
		return postroom.Source{}, err
	}
	r.kind = mergePatch
	if ifMatch != 0 {
		r.header = http.Header{"If-Match": {`"` + strconv.FormatInt(ifMatch, 10) + `"`}}
	}
	return c.source(ctx, r)
}

// RenewSourceToken gives a source a new token, which the URL of the result has. The old one ends at once.
func (c *Client) RenewSourceToken(ctx context.Context, ref string) (postroom.Source, error) {
	return c.source(ctx, request{method: http.MethodPost, path: path("v1", "sources", ref, "token")})
}

// DeleteSource removes a source with its log.
func (c *Client) DeleteSource(ctx context.Context, ref string) error {
	return c.delete(ctx, path("v1", "sources", ref))
}

// source makes a call whose answer is a source.
func (c *Client) source(ctx context.Context, r request) (postroom.Source, error) {
	var s postroom.Source
	header, err := c.decode(ctx, r, &s)
	s.Version = version(header)
	return s, err
}

// SourceTestInput is the call that a source is tried with: a stored one, or one that is made up.
type SourceTestInput struct {
	Request string            `json:"request,omitempty"` // the id of a stored request; the rest of the call is then left out
	Method  string            `json:"method,omitempty"`  // POST if empty
	Query   string            `json:"query,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    []byte            `json:"body_base64,omitempty"`
	Mapping json.RawMessage   `json:"mapping,omitempty"` // rows that are tried in place of the source's own
	Actions json.RawMessage   `json:"actions,omitempty"` // actions that are tried in place of the source's own
	Store   bool              `json:"store,omitempty"`   // take the call in, though not verified
}

// TestSource tells what a source makes of a call. Nothing is stored unless that is asked for.
func (c *Client) TestSource(ctx context.Context, ref string, in SourceTestInput) (postroom.SourceTest, error) {
	var out postroom.SourceTest
	err := c.post(ctx, path("v1", "sources", ref, "test"), in, &out)
	return out, err
}

// SourceStats tells what happened to a source's requests.
func (c *Client) SourceStats(ctx context.Context, ref string, q StatsQuery) (postroom.SourceStats, error) {
	var out postroom.SourceStats
	err := c.get(ctx, path("v1", "sources", ref, "stats"), q.values(), &out)
	return out, err
}

// RequestFilter chooses requests. What is zero does not filter.
type RequestFilter struct {
	Source    string // its id or uid
	Status    postroom.RequestStatus
	EventType string
	Sender    string // an address
	After     time.Time
	Before    time.Time
}

func (f RequestFilter) values() url.Values {
	v := url.Values{}
	q := filter(v)
	q.text("source", f.Source)
	q.text("status", string(f.Status))
	q.text("event_type", f.EventType)
	q.text("sender", f.Sender)
	q.time("after", f.After)
	q.time("before", f.Before)
	return v
}

// RequestPage gives one page of the requests, newest first, without their headers and bodies.
func (c *Client) RequestPage(ctx context.Context, f RequestFilter, q postroom.PageQuery) (postroom.Page[postroom.SourceRequest], error) {
	return page[postroom.SourceRequest](ctx, c, "/v1/requests", f.values(), q)
}

// SourceRequestPage gives one page of a source's requests. It asks the source's own list, so that a source that does not exist is an error. The
// filter's Source is not looked at.
func (c *Client) SourceRequestPage(ctx context.Context, ref string, f RequestFilter, q postroom.PageQuery) (postroom.Page[postroom.SourceRequest], error) {
	f.Source = ""
	return page[postroom.SourceRequest](ctx, c, path("v1", "sources", ref, "requests"), f.values(), q)
}

// Requests goes through requests, newest first, without their headers and bodies.
func (c *Client) Requests(ctx context.Context, f RequestFilter) iter.Seq2[postroom.SourceRequest, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.SourceRequest], error) {
		return c.RequestPage(ctx, f, q)
	})
}

// Request gives one request whole.
func (c *Client) Request(ctx context.Context, id string) (postroom.SourceRequest, error) {
	var out postroom.SourceRequest
	err := c.get(ctx, path("v1", "requests", id), nil, &out)
	return out, err
}

// RetryRequest lets a request be processed again, and does not wait for it.
func (c *Client) RetryRequest(ctx context.Context, id string) (postroom.SourceRequest, error) {
	var out postroom.SourceRequest
	err := c.post(ctx, path("v1", "requests", id, "retry"), nil, &out)
	return out, err
}

// ResendRequest takes a request in once more, as a new one, which is the result.
func (c *Client) ResendRequest(ctx context.Context, id string) (postroom.SourceRequest, error) {
	var out postroom.SourceRequest
	err := c.post(ctx, path("v1", "requests", id, "resend"), nil, &out)
	return out, err
}

// ClearRequests deletes the log of a source, and says how many requests that were.
func (c *Client) ClearRequests(ctx context.Context, source string) (int64, error) {
	var out struct{ Deleted int64 }
	_, err := c.decode(ctx, request{method: http.MethodDelete, path: path("v1", "sources", source, "requests")}, &out)
	return out.Deleted, err
}

// ExportRequests gives all requests that the filter lets through, newest first, as they come from the server. In NDJSON each is a
// postroom.SourceRequest, whole. The caller closes the reader; a read fails when the export broke off.
func (c *Client) ExportRequests(ctx context.Context, f RequestFilter, format ExportFormat) (io.ReadCloser, error) {
	return c.exportOf(ctx, "/v1/requests/export", f.values(), format)
}
