package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// webhookInput is the body of a call that makes a webhook.
type webhookInput struct {
	postroom.WebhookSettings
	Secret string                 `json:"secret" writeOnly:"true" doc:"The first signing secret, to go on with one that the receiver knows. One is made if it is left out."`
	Status postroom.WebhookStatus `json:"status" doc:"active, or paused to hold deliveries from the start." enum:"active,paused" default:"active"`
}

// webhookCreated is a new webhook, with its secret.
type webhookCreated struct {
	postroom.Webhook
	Secret string `json:"secret" doc:"The first signing secret (whsec_… or whsk_…). It is shown this once."`
}

// newWebhook is the answer that has a new webhook.
type newWebhook struct {
	Location string `header:"Location" doc:"The path of the webhook."`
	ETag     string `header:"ETag" doc:"The version of the webhook, for If-Match and If-None-Match."`
	Body     webhookCreated
}

// taggedWebhook is an answer that is a webhook.
type taggedWebhook[T any] struct {
	ETag string `header:"ETag" doc:"The version of the webhook, for If-Match and If-None-Match."`
	Body T
}

func newTagged[T any](w postroom.Webhook, body T) *taggedWebhook[T] {
	return &taggedWebhook[T]{ETag: etag(w.Version), Body: body}
}

// WebhookRef is the parameter of paths that name a webhook. It is exported for huma.
type WebhookRef struct {
	ID string `path:"id" doc:"The webhook's id (whk_…), or its uid."`
}

// Matching are the conditions of a change. It is exported for huma.
type Matching struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the version that is to be changed; if it is not the present one, nothing is changed."`
}

func (a *api) routeWebhooks(rt *router) {
	const path = "/v1/webhooks"
	register(rt, operation{
		ID: "list-webhooks", Method: http.MethodGet, Path: path, Tag: "Webhooks", Role: postroom.RoleViewer,
		Summary:     "List webhooks",
		Description: "The webhooks of the workspace, or those of one customer, newest first.",
	}, a.listWebhooks)
	register(rt, operation{
		ID: "create-webhook", Method: http.MethodPost, Path: path, Tag: "Webhooks", Role: postroom.RoleAdmin,
		Summary: "Create a webhook",
		Description: "Subscribes a URL to events. What is left out has its default, many of which come from the dialect, whose names for events can be used in `events`. The answer holds the " +
			"webhook's signing `secret`, which is shown this once.",
		Status: http.StatusCreated, Body: reflect.TypeFor[webhookInput](), Need: true, Example: exampleWebhookInput, Answer: exampleWebhookCreated,
		Codes: []postroom.Code{postroom.CodeConflict, postroom.CodeURLInvalid, postroom.CodeAddressNotAllowed, postroom.CodeUnknownEventType},
	}, a.createWebhook)
	register(rt, operation{
		ID: "get-webhook", Method: http.MethodGet, Path: path + "/{id}", Tag: "Webhooks", Role: postroom.RoleViewer,
		Summary:     "Get a webhook",
		Description: "Values in `auth` are secret and read as `•••`. Answers 304 when `If-None-Match` has the present ETag.",
		Answer:      exampleWebhook,
		Conditional: true,
		Codes:       []postroom.Code{postroom.CodePreconditionFailed},
	}, a.getWebhook)
	register(rt, operation{
		ID: "update-webhook", Method: http.MethodPatch, Path: path + "/{id}", Tag: "Webhooks", Role: postroom.RoleAdmin,
		Summary: "Change a webhook",
		Description: "A JSON merge patch (RFC 7396): fields that are left out stay as they are, objects are merged at every depth, lists are " +
			"replaced, and `null` sets a field back to its default, which is the dialect's. With another `dialect`, settings that have the default of the old one get that of the new one. A `payload` replaces the present one as a whole; a new `auth.type` or `auth.grant` replaces all of `auth` but `tls`; a value of `•••` stays as it was. " +
			"The status is changed with pause and resume.",
		Body: reflect.TypeFor[postroom.WebhookSettings](), Need: true, Patch: true, Example: `{"name":"CRM sync, EU","retry":{"jitter":0.2},"headers":{"x-tenant":null}}`,
		Answer: exampleWebhook,
		Codes: []postroom.Code{postroom.CodeConflict, postroom.CodePreconditionFailed, postroom.CodeURLInvalid, postroom.CodeAddressNotAllowed,
			postroom.CodeUnknownEventType},
	}, a.updateWebhook)
	register(rt, operation{
		ID: "delete-webhook", Method: http.MethodDelete, Path: path + "/{id}", Tag: "Webhooks", Role: postroom.RoleAdmin,
		Summary:     "Delete a webhook",
		Description: "Deliveries that wait for it are cancelled. What was delivered stays in the log until it is as old as the retention.",
		Status:      http.StatusNoContent,
		Codes:       []postroom.Code{postroom.CodePreconditionFailed},
	}, a.deleteWebhook)
	a.routePreviews(rt)
	a.routeWebhookActions(rt)
	a.routeSecrets(rt)
}

type listWebhooksInput struct {
	PageParams
	Customer string `query:"customer" doc:"Only webhooks of this customer."`
}

func (a *api) listWebhooks(ctx context.Context, c *call, in *listWebhooksInput) (*page[postroom.Webhook], error) {
	list := a.App.Webhooks
	if in.Customer != "" {
		list = func(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) {
			return a.App.CustomerWebhooks(ctx, who, in.Customer, q)
		}
	}
	found, err := list(ctx, c.who, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showWebhook), nil
}

func (a *api) createWebhook(ctx context.Context, c *call, _ *struct{}) (*newWebhook, error) {
	in := webhookInput{WebhookSettings: a.App.DefaultSettings(dialectOf(c.body, ""))}
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	switch in.Status {
	case "":
		in.Status = postroom.WebhookActive
	case postroom.WebhookActive, postroom.WebhookPaused:
	default:
		return nil, postroom.Invalid(postroom.CodeInvalid, "/status", "is active or paused")
	}
	w, secret, err := a.App.CreateWebhook(ctx, c.who, in.WebhookSettings, in.Status, in.Secret)
	if err != nil {
		return nil, err
	}
	return &newWebhook{
		Location: "/v1/webhooks/" + w.ID.String(), ETag: etag(w.Version),
		Body: webhookCreated{Webhook: showWebhook(w), Secret: secret},
	}, nil
}

type getWebhookInput struct {
	WebhookRef
	IfMatch     string `header:"If-Match" doc:"Answers 412 unless this is the present ETag."`
	IfNoneMatch string `header:"If-None-Match" doc:"Answers 304, without a body, if this is the present ETag."`
}

type getWebhookAnswer struct {
	Status int
	ETag   string `header:"ETag" doc:"The version of the webhook, for If-Match and If-None-Match."`
	Body   postroom.Webhook
}

func (a *api) getWebhook(ctx context.Context, c *call, in *getWebhookInput) (*getWebhookAnswer, error) {
	match, err := parseTags("If-Match", in.IfMatch, false)
	if err != nil {
		return nil, err
	}
	none, err := parseTags("If-None-Match", in.IfNoneMatch, true)
	if err != nil {
		return nil, err
	}
	w, err := a.App.Webhook(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	if match.given && !match.has(w.Version) {
		return nil, errChanged()
	}
	out := &getWebhookAnswer{Status: http.StatusOK, ETag: etag(w.Version), Body: showWebhook(w)}
	if none.has(w.Version) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

type changeWebhookInput struct {
	WebhookRef
	Matching
}

// ifMatch is the version that a change of the webhook is bound to; 0 for none.
func (a *api) ifMatch(ctx context.Context, c *call, in *changeWebhookInput) (int64, error) {
	match, err := parseTags("If-Match", in.IfMatch, false)
	if err != nil {
		return 0, err
	}
	return match.version(func() (int64, error) {
		w, err := a.App.Webhook(ctx, c.who, in.ID)
		return w.Version, err
	})
}

func (a *api) updateWebhook(ctx context.Context, c *call, in *changeWebhookInput) (*taggedWebhook[postroom.Webhook], error) {
	version, err := a.ifMatch(ctx, c, in)
	if err != nil {
		return nil, err
	}
	w, err := a.App.UpdateWebhook(ctx, c.who, in.ID, version, func(s *postroom.WebhookSettings) error {
		return a.patchWebhook(s, c.body)
	})
	if err != nil {
		return nil, err
	}
	return newTagged(w, showWebhook(w)), nil
}

// patchWebhook merges a patch into settings. The values of one type of auth mean nothing to another, nor do those of one grant,
// so a patch that changes either begins with an auth that has nothing but what goes with all of them. A payload is
// replaced as a whole: what is in a template is a value, and so is a null.
func (a *api) patchWebhook(s *postroom.WebhookSettings, body []byte) error {
	var wanted struct {
		Auth struct {
			Type  postroom.AuthType
			Grant postroom.OAuthGrant
		}
	}
	if json.Unmarshal(body, &wanted) == nil && s.Auth != nil { // faults are found by patch
		to, from := wanted.Auth, s.Auth
		if to.Type != "" && to.Type != from.Type || to.Grant != "" && to.Grant != from.Grant {
			s.Auth = &postroom.Auth{Type: from.Type, TLS: from.TLS}
		}
	}
	return patch(s, a.App.DefaultSettings(dialectOf(body, s.Dialect)), body, "payload")
}

// dialectOf is the dialect that a body names, whose defaults the settings have; otherwise if it names none, or no string.
func dialectOf(body []byte, otherwise string) string {
	var wanted struct{ Dialect string }
	if json.Unmarshal(body, &wanted) != nil || wanted.Dialect == "" { // which the decoder will tell of
		return otherwise
	}
	return wanted.Dialect
}

func (a *api) deleteWebhook(ctx context.Context, c *call, in *changeWebhookInput) (*done, error) {
	version, err := a.ifMatch(ctx, c, in)
	if err != nil {
		return nil, err
	}
	return &done{}, a.App.DeleteWebhook(ctx, c.who, in.ID, version)
}
