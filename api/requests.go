package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// requestStatusParam is a state of requests.
type requestStatusParam struct{ postroom.RequestStatus }

// UnmarshalText refuses what is not a state.
func (p *requestStatusParam) UnmarshalText(text []byte) error {
	p.RequestStatus = postroom.RequestStatus(text)
	if !slices.Contains(postroom.RequestStatuses(), p.RequestStatus) {
		return errors.New("is one of " + join(postroom.RequestStatuses()))
	}
	return nil
}

// Schema describes the parameter.
func (requestStatusParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: "string", Enum: anys(postroom.RequestStatuses())}
}

// RequestParams are the filters of lists of requests, but for the source. It is exported for huma.
type RequestParams struct {
	Status    requestStatusParam `query:"status" doc:"Only requests in this state."`
	EventType string             `query:"event_type" doc:"Only requests that told of this event type." example:"contact.created"`
	Sender    string             `query:"sender" doc:"Only requests from this address." example:"203.0.113.7"`
	After     timeParam          `query:"after" doc:"Only requests that came at this time or later."`
	Before    timeParam          `query:"before" doc:"Only requests that came before this time."`
}

func (p RequestParams) filter() postroom.RequestFilter {
	return postroom.RequestFilter{Status: p.Status.RequestStatus, EventType: p.EventType, Sender: p.Sender, After: p.After.Time, Before: p.Before.Time}
}

// RequestsParams are all filters of lists of requests. It is exported for huma.
type RequestsParams struct {
	Source string `query:"source" doc:"Only requests to this source: its id (src_…) or uid."`
	RequestParams
}

type listRequestsInput struct {
	PageParams
	RequestsParams
}

type sourceRequestsInput struct {
	SourceRef
	PageParams
	RequestParams
}

type exportRequestsInput struct {
	Format formatParam `query:"format" doc:"One JSON object a line, or comma-separated values with a line of names first."`
	RequestsParams
}

// cleared is what became of a log that was cleared.
type cleared struct {
	Deleted int64 `json:"deleted" doc:"How many requests were deleted."`
}

func (a *api) routeRequests(rt *router) {
	register(rt, operation{
		ID: "list-source-requests", Method: http.MethodGet, Path: "/v1/sources/{id}/requests", Tag: "Requests", Role: postroom.RoleViewer,
		Summary:     "List a source's requests",
		Description: "The calls that one source received, newest first, each with what was done about it.",
	}, a.listSourceRequests)
	register(rt, operation{
		ID: "clear-requests", Method: http.MethodDelete, Path: "/v1/sources/{id}/requests", Tag: "Requests", Role: postroom.RoleAdmin,
		Summary:     "Clear a source's log",
		Description: "Deletes the source's requests. Events and contacts that came of them stay. It goes on when the caller has gone.",
		Answer:      `{"deleted": 1204}`,
	}, a.clearRequests)
	register(rt, operation{
		ID: "get-source-stats", Method: http.MethodGet, Path: "/v1/sources/{id}/stats", Tag: "Statistics", Role: postroom.RoleViewer,
		Summary: "Get a source's statistics",
		Description: "What happened to the requests of one source in a span of time, as totals and as a series without gaps. " +
			"The span is widened to whole steps, which `after` and `before` of the answer show.",
		Answer: exampleSourceStats,
	}, a.sourceStats)
	const path = "/v1/requests"
	register(rt, operation{
		ID: "list-requests", Method: http.MethodGet, Path: path, Tag: "Requests", Role: postroom.RoleViewer,
		Summary:     "List requests",
		Description: "The calls that the workspace's sources received, newest first, each with what was done about it.",
	}, a.listRequests)
	register(rt, operation{
		ID: "export-requests", Method: http.MethodGet, Path: path + "/export", Tag: "Requests", Role: postroom.RoleViewer,
		Summary: "Export requests",
		Description: "All requests that the filters let through, newest first, as a file. NDJSON has the whole of each, with headers and body, in `body` where it is UTF-8 " +
			"and else in `body_base64`; CSV has a line for each without them. " + exportPromise,
		Produces: []string{"application/x-ndjson", "text/csv"},
	}, a.exportRequests)
	register(rt, operation{
		ID: "get-request", Method: http.MethodGet, Path: path + "/{id}", Tag: "Requests", Role: postroom.RoleViewer,
		Summary: "Get a request",
		Description: "One request whole: method, path, headers and body as they came, what was done about it, and what the caller was answered. Credentials that it " +
			"carried were not kept.",
		Answer: exampleRequest,
	}, a.getRequest)
	register(rt, operation{
		ID: "retry-request", Method: http.MethodPost, Path: path + "/{id}/retry", Tag: "Requests", Role: postroom.RoleAdmin,
		Summary:     "Process a request again",
		Description: "The request is processed now, as the source is now: one that failed or waits for its next try, and one that was processed, such as after its mapping was mended. One that was refused cannot be: it may be resent. Answers before it is done.",
		Status:      http.StatusAccepted,
		Codes:       []postroom.Code{postroom.CodeConflict},
	}, a.retryRequest)
	register(rt, operation{
		ID: "resend-request", Method: http.MethodPost, Path: path + "/{id}/resend", Tag: "Requests", Role: postroom.RoleAdmin,
		Summary: "Resend a request",
		Description: "Takes the request in once more as a new one, which is not verified again, and is processed as the source is now. What it tells of is acted on " +
			"although it came before.",
		Status: http.StatusAccepted, Answer: exampleRequest,
		Codes: []postroom.Code{postroom.CodeConflict},
	}, a.resendRequest)
}

func showListed(r postroom.Request) postroom.SourceRequest { return r.Resource(false) }

// requestsFilter resolves what the parameters name.
func (a *api) requestsFilter(ctx context.Context, c *call, in RequestsParams) (postroom.RequestFilter, error) {
	f := in.filter()
	if in.Source == "" {
		return f, nil
	}
	s, err := a.App.Source(ctx, c.who, in.Source, false)
	if postroom.CodeOf(err) == postroom.CodeNotFound {
		return f, postroom.Invalid(postroom.CodeInvalid, "?source", "there is no such source in this workspace")
	}
	f.Source = s.ID
	return f, err
}

func (a *api) listRequests(ctx context.Context, c *call, in *listRequestsInput) (*page[postroom.SourceRequest], error) {
	f, err := a.requestsFilter(ctx, c, in.RequestsParams)
	if err != nil {
		return nil, err
	}
	found, err := a.App.Requests(ctx, c.who, f, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showListed), nil
}

func (a *api) listSourceRequests(ctx context.Context, c *call, in *sourceRequestsInput) (*page[postroom.SourceRequest], error) {
	s, err := a.App.Source(ctx, c.who, in.ID, false)
	if err != nil {
		return nil, err
	}
	f := in.filter()
	f.Source = s.ID
	found, err := a.App.Requests(ctx, c.who, f, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showListed), nil
}

func (a *api) clearRequests(ctx context.Context, c *call, in *SourceRef) (*answer[cleared], error) {
	n, err := a.App.ClearRequests(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[cleared]{cleared{n}}, nil
}

type sourceStatsInput struct {
	SourceRef
	Span
}

func (a *api) sourceStats(ctx context.Context, c *call, in *sourceStatsInput) (*answer[postroom.SourceStats], error) {
	s, err := a.App.SourceStats(ctx, c.who, in.ID, in.span())
	if err != nil {
		return nil, err
	}
	s.Series = notNil(s.Series)
	return &answer[postroom.SourceStats]{s}, nil
}

func (a *api) exportRequests(ctx context.Context, c *call, in *exportRequestsInput) (*stream, error) {
	f, err := a.requestsFilter(ctx, c, in.RequestsParams)
	if err != nil {
		return nil, err
	}
	whole := in.Format.s != "csv"
	return a.exporting(ctx, in.Format.s, "requests", app.RequestColumns(), func(e *app.Export) error {
		return a.App.EachRequest(ctx, c.who, f, whole, func(r postroom.Request) error {
			shown := r.Resource(whole)
			return e.Add(shown, func() []string { return app.RequestCells(shown) })
		})
	}), nil
}

func (a *api) getRequest(ctx context.Context, c *call, in *ID) (*answer[postroom.SourceRequest], error) {
	r, err := a.App.Request(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.SourceRequest]{r.Resource(true)}, nil
}

func (a *api) retryRequest(ctx context.Context, c *call, in *ID) (*answer[postroom.SourceRequest], error) {
	r, err := a.App.RetryRequest(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.SourceRequest]{r.Resource(false)}, nil
}

func (a *api) resendRequest(ctx context.Context, c *call, in *ID) (*answer[postroom.SourceRequest], error) {
	r, err := a.App.ResendRequest(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.SourceRequest]{r.Resource(true)}, nil
}
