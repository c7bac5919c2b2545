package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/payload"
)

// PreviewFields say which event a preview shows. It is exported for huma.
type PreviewFields struct {
	Type  string `json:"type" doc:"The event type whose sample is shown; the first that the webhook subscribes to if left out." example:"email.opened"`
	Event string `json:"event" doc:"The id of a past event that is shown in place of a sample."`
}

// previewInput is the body of a preview of a webhook that is there.
type previewInput struct {
	Payload *postroom.Payload `json:"payload" doc:"The payload to try; null for the dialect's own, and the webhook's if left out."`
	PreviewFields
}

// previewSettingsInput is the body of a preview of a webhook that is not there yet.
type previewSettingsInput struct {
	postroom.WebhookSettings
	PreviewFields
}

// preview is a call that was not made.
type preview struct {
	Event   previewEvent             `json:"event" doc:"The event that the call brings."`
	Request postroom.RequestResource `json:"request" doc:"The call as it would be sent, with credentials left out."`
	Notes   []postroom.FieldError    `json:"notes" doc:"Where the payload could not be made as it was meant, and null stands instead."`
}

type previewEvent struct {
	ID   string             `json:"id" doc:"The event's id."`
	Type string             `json:"type" doc:"The event type."`
	Time postroom.Timestamp `json:"time" doc:"When it happened."`
}

func showPreview(p app.Preview) *answer[preview] {
	out := preview{
		Event:   previewEvent{ID: p.Event.PublicID(), Type: p.Event.Type, Time: postroom.Timestamp{Time: p.Event.Time}},
		Request: postroom.RequestResource{Method: p.Request.Method, URL: p.Request.URL, Headers: notNil(p.Request.Headers)},
		Notes:   notNil(p.Notes),
	}
	out.Request.Body, out.Request.BodyBase64 = showBody(p.Request.Body)
	return &answer[preview]{out}
}

func (a *api) routePreviews(rt *router) {
	const what = "Makes the call that would bring an event to the webhook, byte for byte, and answers with it; nothing is sent or stored. A payload that " +
		"cannot be used is refused with its places in `errors`; what could not be made of this event is in `notes`. "
	register(rt, operation{
		ID: "preview-settings", Method: http.MethodPost, Path: "/v1/webhooks/preview", Tag: "Webhooks", Role: postroom.RoleAdmin,
		Summary:     "Preview a call of a webhook that is not made yet",
		Description: what + "The body has the settings of the webhook, all of which may be left out. The signature is made with a secret that nobody knows.",
		Body:        reflect.TypeFor[previewSettingsInput](),
		Example:     `{"events":["email.opened"],"payload":{"template":{"event":"{event_type}","email":"{subscriber_email}"}}}`, Answer: examplePreview,
		Codes: []postroom.Code{postroom.CodeURLInvalid, postroom.CodeAddressNotAllowed, postroom.CodeUnknownEventType},
	}, a.previewSettings)
	register(rt, operation{
		ID: "preview-webhook", Method: http.MethodPost, Path: "/v1/webhooks/{id}/preview", Tag: "Webhooks", Role: postroom.RoleAdmin,
		Summary:     "Preview a call of a webhook",
		Description: what + "It is signed with the webhook's own secrets.",
		Body:        reflect.TypeFor[previewInput](),
		Example:     `{"type":"email.opened","payload":{"template":{"event":"{event_type}","email":"{subscriber_email}"}}}`, Answer: examplePreview,
		Codes: []postroom.Code{postroom.CodeUnknownEventType},
	}, a.previewWebhook)
}

func (a *api) previewSettings(ctx context.Context, c *call, _ *struct{}) (*answer[preview], error) {
	in := previewSettingsInput{WebhookSettings: a.App.DefaultSettings(dialectOf(c.body, ""))}
	if err := decode(c.body, &in); err != nil {
		return nil, err
	}
	p, err := a.App.PreviewSettings(ctx, c.who, in.WebhookSettings, app.PreviewInput{Type: in.Type, Event: in.Event})
	if err != nil {
		return nil, err
	}
	return showPreview(p), nil
}

func (a *api) previewWebhook(ctx context.Context, c *call, in *WebhookRef) (*answer[preview], error) {
	var body previewInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	p, err := a.App.PreviewWebhook(ctx, c.who, in.ID, app.PreviewInput{
		Payload: body.Payload, Try: hasMember(c.body, "payload"), Type: body.Type, Event: body.Event,
	})
	if err != nil {
		return nil, err
	}
	return showPreview(p), nil
}

// hasMember tells whether a JSON object has a member, which may be null.
func hasMember(body []byte, name string) (has bool) {
	_ = payload.Members(body, func(key, _ []byte) error { // a body that is empty has none
		has = has || string(key) == name
		return nil
	})
	return has
}
