package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/postroom/postroom"
)

// portalSettings are the settings of the portal that people set.
type portalSettings struct {
	Name         string   `json:"name" doc:"Your name, at the head of the pages." example:"Acme"`
	Accent       string   `json:"accent" doc:"The colour of buttons and links, as #rrggbb; empty for Postroom's own." example:"#0b7285"`
	Background   string   `json:"background" doc:"The colour of the page, as #rrggbb; empty to be light or dark as the reader's system is." example:"#ffffff"`
	FrameOrigins []string `json:"frame_origins" doc:"The sites that may have the pages in a frame, such as https://app.example.com."`
	Dialect      string   `json:"dialect" doc:"The dialect of the webhooks that customers make." default:"standard"`
	Events       []string `json:"events" doc:"The event types that customers may choose: names, order.* for a group, or * for all."`
	Filter       string   `json:"filter" doc:"The filter of the webhooks that customers make: a CEL expression, in which {customer} stands for the customer's name as a text. true lets every event through." example:"event.data.account == {customer}"`
}

type portalLinkInput struct {
	Customer  string             `json:"customer" doc:"Your short name of the customer: the customer of webhooks." example:"acme"`
	ExpiresIn *postroom.Duration `json:"expires_in" doc:"How long the link works: 1m to 24h, and 1h if it is left out."`
}

func (a *api) routePortal(rt *router) {
	const path, tag = "/v1/portal", "Portal"
	register(rt, operation{
		ID: "get-portal", Method: http.MethodGet, Path: path, Tag: tag, Role: postroom.RoleViewer,
		Summary:     "Get the portal's settings",
		Description: "How the portal looks in which your customers manage their webhooks, and what it offers.",
		Answer:      examplePortal,
	}, a.getPortal)
	register(rt, operation{
		ID: "update-portal", Method: http.MethodPatch, Path: path, Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "Change the portal's settings",
		Description: "A JSON merge patch (RFC 7396). A change of `filter`, `dialect` or `events` holds for webhooks that are made or edited from then on.",
		Body:        reflect.TypeFor[portalSettings](), Need: true, Patch: true, Example: `{"name":"Acme","filter":"event.data.account == {customer}"}`, Answer: examplePortal,
	}, a.updatePortal)
	register(rt, operation{
		ID: "create-portal-link", Method: http.MethodPost, Path: "/v1/portal-links", Tag: tag, Role: postroom.RoleAdmin,
		Summary: "Make a link to the portal",
		Description: "Whoever has the link manages the webhooks of that customer, and nothing else, until it ends. Make one for each visit, and put it in a frame, or lead the customer there. " +
			"Nothing is stored of a link. Answers 409 while the portal has no `filter`.",
		Status: http.StatusCreated, Body: reflect.TypeFor[portalLinkInput](), Need: true, Example: `{"customer":"acme","expires_in":"1h"}`, Answer: examplePortalLink,
		Codes: []postroom.Code{postroom.CodeConflict},
	}, a.createPortalLink)
	register(rt, operation{
		ID: "end-portal-links", Method: http.MethodDelete, Path: "/v1/portal-links", Tag: tag, Role: postroom.RoleAdmin,
		Summary:     "End all links to the portal",
		Description: "Every link that was made until now stops working at once. Webhooks stay.",
		Status:      http.StatusNoContent,
	}, a.endPortalLinks)
}

func (a *api) getPortal(ctx context.Context, c *call, _ *struct{}) (*answer[postroom.Portal], error) {
	p, err := a.App.Portal(ctx, c.who)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.Portal]{p}, nil
}

func (a *api) updatePortal(ctx context.Context, c *call, _ *struct{}) (*answer[postroom.Portal], error) {
	p, err := a.App.UpdatePortal(ctx, c.who, func(p *postroom.Portal) error {
		s := portalSettings{p.Name, p.Accent, p.Background, p.FrameOrigins, p.Dialect, p.Events, p.Filter}
		if err := patch(&s, portalSettings{Dialect: "standard", Events: []string{"*"}, FrameOrigins: []string{}}, c.body); err != nil {
			return err
		}
		p.Name, p.Accent, p.Background, p.FrameOrigins, p.Dialect, p.Events, p.Filter = s.Name, s.Accent, s.Background, s.FrameOrigins, s.Dialect, s.Events, s.Filter
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &answer[postroom.Portal]{p}, nil
}

// madeLink is the answer that has a new link; it is no thing that has a path of its own.
type madeLink struct{ Body postroom.PortalLink }

func (a *api) createPortalLink(ctx context.Context, c *call, _ *struct{}) (*madeLink, error) {
	var in portalLinkInput
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	var life time.Duration
	if in.ExpiresIn != nil {
		if life = time.Duration(*in.ExpiresIn); life == 0 {
			life = -1 // refused, not the default
		}
	}
	link, err := a.App.PortalLink(ctx, c.who, in.Customer, life)
	if err != nil {
		return nil, err
	}
	return &madeLink{link}, nil
}

func (a *api) endPortalLinks(ctx context.Context, c *call, _ *struct{}) (*done, error) {
	return &done{}, a.App.EndPortalLinks(ctx, c.who)
}
