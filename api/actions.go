package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"github.com/postroom/postroom"
)

type testInput struct {
	Type string          `json:"type" doc:"The event type to try; postroom.test if left out." example:"email.opened"`
	Data json.RawMessage `json:"data" doc:"The event's data, an object; the type's sample if left out."`
}

// testResult is the attempt that a test made.
type testResult struct {
	DeliveryID postroom.DeliveryID `json:"delivery_id" doc:"The delivery that was made for the test."`
	postroom.AttemptResource
}

type pauseInput struct {
	Reason string `json:"reason" doc:"Why, for people; shown as status_reason." example:"Maintenance until noon"`
}

type resumeInput struct {
	Held   string `json:"held" doc:"What becomes of the deliveries that were held: release sends them, discard cancels them." enum:"release,discard" default:"release"`
	DryRun bool   `json:"dry_run" doc:"Change nothing, and answer what would happen."`
}

type resumed struct {
	postroom.Webhook
	Held      int64               `json:"held" doc:"How many deliveries had been held."`
	HeldSince *postroom.Timestamp `json:"held_since" doc:"When the oldest of them was made; null if there were none, or once they are released or discarded."`
}

func (a *api) routeWebhookActions(rt *router) {
	const path = "/v1/webhooks/{id}"
	register(rt, operation{
		ID: "test-webhook", Method: http.MethodPost, Path: path + "/test", Tag: "Webhooks", Role: postroom.RoleAdmin,
		Summary: "Test a webhook",
		Description: "Sends one event to the webhook now, whatever it is subscribed to and also when it is paused, waits for the answer, and returns " +
			"the attempt. It is tried once. The call succeeds whether or not the receiver took the event: `error` tells.",
		Body: reflect.TypeFor[testInput](), Example: `{"type":"email.opened"}`, Answer: exampleTest,
		Codes: []postroom.Code{postroom.CodeUnknownEventType},
	}, a.testWebhook)
	register(rt, operation{
		ID: "pause-webhook", Method: http.MethodPost, Path: path + "/pause", Tag: "Webhooks", Role: postroom.RoleAdmin,
		Summary:     "Pause a webhook",
		Description: "Nothing is sent any more. What the webhook would receive is held, and is released or discarded on resume.",
		Body:        reflect.TypeFor[pauseInput](), Example: `{"reason":"Maintenance until noon"}`,
	}, a.pauseWebhook)
	register(rt, operation{
		ID: "resume-webhook", Method: http.MethodPost, Path: path + "/resume", Tag: "Webhooks", Role: postroom.RoleAdmin,
		Summary: "Resume a webhook",
		Description: "Makes a paused or disabled webhook active again. What was held is released or discarded; a discard of very many takes a while, goes " +
			"on when the caller has gone, and can be repeated if the server is killed meanwhile. " + previewNote,
		Body: reflect.TypeFor[resumeInput](), Example: `{"held":"release"}`, Preview: true,
	}, a.resumeWebhook)
	register(rt, operation{
		ID: "list-webhook-deliveries", Method: http.MethodGet, Path: path + "/deliveries", Tag: "Webhooks", Role: postroom.RoleViewer,
		Summary:     "List a webhook's deliveries",
		Description: "The deliveries to one webhook, newest first.",
	}, a.listWebhookDeliveries)
}

func (a *api) testWebhook(ctx context.Context, c *call, in *WebhookRef) (*answer[testResult], error) {
	var body testInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	d, attempt, err := a.App.TestWebhook(ctx, c.who, in.ID, body.Type, body.Data)
	if err != nil {
		return nil, err
	}
	return &answer[testResult]{testResult{DeliveryID: d.ID, AttemptResource: showAttempt(attempt)}}, nil
}

func (a *api) pauseWebhook(ctx context.Context, c *call, in *WebhookRef) (*taggedWebhook[postroom.Webhook], error) {
	var body pauseInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	w, err := a.App.PauseWebhook(ctx, c.who, in.ID, body.Reason)
	if err != nil {
		return nil, err
	}
	return newTagged(w, showWebhook(w)), nil
}

func (a *api) resumeWebhook(ctx context.Context, c *call, in *WebhookRef) (*taggedWebhook[resumed], error) {
	var body resumeInput
	if err := decode(c.body, &body); err != nil {
		return nil, err
	}
	switch body.Held {
	case "":
		body.Held = "release"
	case "release", "discard":
	default:
		return nil, postroom.Invalid(postroom.CodeInvalid, "/held", "is release or discard")
	}
	if body.DryRun {
		w, held, since, err := a.App.HeldDeliveries(ctx, c.who, in.ID)
		if err != nil {
			return nil, err
		}
		return newTagged(w, resumed{Webhook: showWebhook(w), Held: held, HeldSince: timestamp(since)}), nil
	}
	w, held, err := a.App.ResumeWebhook(ctx, c.who, in.ID, body.Held)
	if err != nil {
		return nil, err
	}
	return newTagged(w, resumed{Webhook: showWebhook(w), Held: held}), nil
}

// moment is the time, or the zero time if there is none.
func moment(t *postroom.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

type webhookDeliveriesInput struct {
	WebhookRef
	PageParams
	DeliveryParams
}

func (a *api) listWebhookDeliveries(ctx context.Context, c *call, in *webhookDeliveriesInput) (*page[postroom.DeliveryResource], error) {
	w, err := a.App.Webhook(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	f, err := a.deliveryFilter(ctx, c, in.DeliveryParams)
	if err != nil {
		return nil, err
	}
	f.Webhook = w.ID
	found, err := a.App.Deliveries(ctx, c.who, f, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showDelivery), nil
}
