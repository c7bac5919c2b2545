package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/postroom/postroom"
)

const defaultOverlap = 24 * time.Hour

type rotateInput struct {
	Kind    postroom.SecretKind `json:"kind" doc:"The algorithm; that of the present secret if left out."`
	Secret  string              `json:"secret" doc:"Your own secret, whsec_… or whsk_…; a new one is made if left out."`
	Overlap *postroom.Duration  `json:"overlap" doc:"How long the old secrets go on signing beside the new one; 24h if left out."`
}

// secretCreated is a new secret, itself included.
type secretCreated struct {
	postroom.Secret
	Value string `json:"secret" doc:"The secret itself (whsec_… or whsk_…). It is shown this once."`
}

func (a *api) routeSecrets(rt *router) {
	const path = "/v1/webhooks/{id}/secrets"
	register(rt, operation{
		ID: "list-webhook-secrets", Method: http.MethodGet, Path: path, Tag: "Webhooks", Role: postroom.RoleViewer,
		Summary:     "List a webhook's secrets",
		Description: "The secrets that sign at present, without the secrets themselves. Answers with all of them; there are no further pages.",
	}, a.listSecrets)
	register(rt, operation{
		ID: "rotate-webhook-secret", Method: http.MethodPost, Path: path, Tag: "Webhooks", Role: postroom.RoleAdmin,
		Summary: "Rotate a webhook's secret",
		Description: "Makes a new secret. While the old ones overlap with it, every call is signed with all of them, so that receivers can change over " +
			"without missing any.",
		Status: http.StatusCreated, Body: reflect.TypeFor[rotateInput](), Example: `{"overlap":"48h"}`, Answer: exampleSecretCreated,
	}, a.rotateSecret)
}

func (a *api) listSecrets(ctx context.Context, c *call, in *WebhookRef) (*all[postroom.Secret], error) {
	secrets, err := a.App.WebhookSecrets(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return newAll(secrets), nil
}

func (a *api) rotateSecret(ctx context.Context, c *call, in *WebhookRef) (*answer[secretCreated], error) {
	var body rotateInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	overlap := defaultOverlap
	if body.Overlap != nil {
		overlap = time.Duration(*body.Overlap)
	}
	s, value, err := a.App.RotateSecret(ctx, c.who, in.ID, body.Kind, body.Secret, overlap)
	if err != nil {
		return nil, err
	}
	return &answer[secretCreated]{secretCreated{Secret: s, Value: value}}, nil
}
