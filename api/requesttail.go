package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
)

type tailRequestsInput struct {
	SourceRef
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last request that the caller has seen: those that came after it are sent first, up to 1,000."`
}

func (a *api) routeRequestTail(rt *router) {
	register(rt, operation{
		ID: "tail-requests", Method: http.MethodGet, Path: "/v1/sources/{id}/requests/tail", Tag: "Requests", Role: postroom.RoleViewer,
		Summary: "Follow a source's requests",
		Description: "Server-sent events: the requests that the source receives from now on, each whole, as JSON in a message with its id, until the caller goes away. One that " +
			"is processed later, or again, comes again. A comment is sent every 15 seconds, so that a dead connection is noticed. When the caller reads too slowly, requests are left out.",
		Produces: []string{"text/event-stream"},
	}, a.tailRequests)
}

func (a *api) tailRequests(ctx context.Context, c *call, in *tailRequestsInput) (*stream, error) {
	var since postroom.RequestID
	if in.LastEventID != "" && since.UnmarshalText([]byte(in.LastEventID)) != nil {
		return nil, postroom.Invalid(postroom.CodeInvalid, "Last-Event-ID", "is the id of a request (req_…)")
	}
	requests, err := a.App.WatchRequests(ctx, c.who, in.ID, since)
	if err != nil {
		return nil, err
	}
	return &stream{func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		writeTail(ctx, w, a.heartbeat, "requests", requests, func(r postroom.Request) []byte { return message(r.ID.String(), r.Resource(true)) })
	}}, nil
}
