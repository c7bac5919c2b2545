package api

import (
	"context"
	"net/http"

	"github.com/postroom/postroom"
)

// DialectName is the parameter of paths that name a dialect. It is exported for huma.
type DialectName struct {
	Name string `path:"name" doc:"The dialect's name." example:"cakemail"`
}

func (a *api) routeDialects(rt *router) {
	const path, tag = "/v1/dialects", "Dialects"
	register(rt, operation{
		ID: "list-dialects", Method: http.MethodGet, Path: path, Tag: tag, Role: postroom.RoleViewer,
		Summary: "List dialects",
		Description: "The ways of sending webhooks: what each calls the event types, its templates, headers, signature, kinds of auth and defaults. " +
			"Answers with all of them; there are no further pages.",
	}, a.listDialects)
	register(rt, operation{
		ID: "get-dialect", Method: http.MethodGet, Path: path + "/{name}", Tag: tag, Role: postroom.RoleViewer,
		Summary: "Get a dialect",
		Description: "One dialect, with a sample of each event that it names as it would be sent. The samples are signed with a secret that nobody " +
			"knows.",
	}, a.getDialect)
}

func (a *api) listDialects(ctx context.Context, c *call, _ *struct{}) (*all[postroom.DialectResource], error) {
	found, err := a.App.ListDialects(ctx, c.who)
	if err != nil {
		return nil, err
	}
	return newAll(found), nil
}

func (a *api) getDialect(ctx context.Context, c *call, in *DialectName) (*answer[postroom.DialectResource], error) {
	d, err := a.App.FindDialect(ctx, c.who, in.Name)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.DialectResource]{d}, nil
}
