package app

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// maxCustomerWebhooks is how many webhooks a customer may make.
const maxCustomerWebhooks = 50

// PortalInput is what customers set of their webhooks; the rest is the operator's.
type PortalInput struct {
	Name, URL string
	Events    []string
}

// PortalWebhooks lists the customer's webhooks, newest first.
func (a *App) PortalWebhooks(ctx context.Context, v Visit, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) {
	return a.Webhooks(ctx, v.caller(), q)
}

// PortalWebhook finds one of the customer's webhooks.
func (a *App) PortalWebhook(ctx context.Context, v Visit, ref string) (postroom.Webhook, error) {
	return a.Webhook(ctx, v.caller(), ref)
}

// CreatePortalWebhook makes a webhook for the customer, with the filter that keeps other customers' events from it. The second result is its
// secret, which is shown this once.
func (a *App) CreatePortalWebhook(ctx context.Context, v Visit, in PortalInput) (postroom.Webhook, string, error) {
	if v.Portal.Filter == "" {
		return postroom.Webhook{}, "", postroom.Errorf(postroom.CodeConflict, "No webhooks can be made here at present.")
	}
	s := a.DefaultSettings(v.Portal.Dialect)
	s.Customer, s.Name, s.URL, s.Events, s.Filter = v.Customer, in.Name, in.URL, in.Events, filterOf(v.Portal.Filter, v.Customer)
	if err := a.checkChosen(v, in.Events, nil); err != nil {
		return postroom.Webhook{}, "", err
	}
	have, err := a.Store.CustomerWebhooks(ctx, v.workspace, v.Customer, nil, maxCustomerWebhooks, a.Now())
	if err != nil {
		return postroom.Webhook{}, "", err
	}
	if len(have) >= maxCustomerWebhooks {
		return postroom.Webhook{}, "", postroom.Errorf(postroom.CodeConflict, "There are %d webhooks already, which is as many as there may be: delete one first.", maxCustomerWebhooks)
	}
	return a.CreateWebhook(ctx, v.caller(), s, postroom.WebhookActive, "")
}

// checkChosen refuses events that the customer may not choose; those that the webhook had may stay.
func (a *App) checkChosen(v Visit, events, had []string) error {
	var p postroom.Problems
	for i, e := range events {
		if !slices.Contains(had, e) && (strings.HasSuffix(e, "*") || !offered(v.Portal, a.Dialects[v.Portal.Dialect], e)) {
			p.AddCode(postroom.CodeUnknownEventType, "/events/"+strconv.Itoa(i), "%s cannot be chosen", quote(e))
		}
	}
	return p.Err()
}

// UpdatePortalWebhook changes what the customer may set. The URL of a webhook to which the operator has given credentials or headers stays: they
// would go wherever it leads.
func (a *App) UpdatePortalWebhook(ctx context.Context, v Visit, ref string, in PortalInput) (postroom.Webhook, error) {
	return a.UpdateWebhook(ctx, v.caller(), ref, 0, func(s *postroom.WebhookSettings) error {
		if s.URL != in.URL && (len(s.Headers) > 0 || s.Auth != nil && (s.Auth.Type != postroom.AuthNone && s.Auth.Type != "" || s.Auth.TLS != nil)) {
			return postroom.Invalid(postroom.CodeConflict, "/url", "this webhook has credentials that belong to its URL, which cannot be changed here")
		}
		if err := a.checkChosen(v, in.Events, s.Events); err != nil {
			return err
		}
		s.Name, s.URL, s.Events = in.Name, in.URL, in.Events
		return nil
	})
}

// DeletePortalWebhook deletes one of the customer's webhooks.
func (a *App) DeletePortalWebhook(ctx context.Context, v Visit, ref string) error {
	return a.DeleteWebhook(ctx, v.caller(), ref, 0)
}

// PausePortalWebhook holds what would be sent.
func (a *App) PausePortalWebhook(ctx context.Context, v Visit, ref string) (postroom.Webhook, error) {
	return a.PauseWebhook(ctx, v.caller(), ref, "Paused in the portal.")
}

// ResumePortalWebhook sends again, and first what was held.
func (a *App) ResumePortalWebhook(ctx context.Context, v Visit, ref string) (postroom.Webhook, error) {
	w, _, err := a.ResumeWebhook(ctx, v.caller(), ref, HeldRelease)
	return w, err
}

// TestPortalWebhook sends a sample of the first event type that the webhook names.
func (a *App) TestPortalWebhook(ctx context.Context, v Visit, ref string) (postroom.Delivery, postroom.Attempt, error) {
	w, err := a.PortalWebhook(ctx, v, ref)
	if err != nil {
		return postroom.Delivery{}, postroom.Attempt{}, err
	}
	event := ""
	if i := slices.IndexFunc(w.Events, func(e string) bool { return !strings.HasSuffix(e, "*") }); i >= 0 {
		event = w.Events[i]
	}
	return a.TestWebhook(ctx, v.caller(), ref, event, nil)
}

// portalOverlap is for how long the old secret signs beside a new one.
const portalOverlap = 24 * time.Hour

// RotatePortalSecret makes a new secret, which is shown this once. The old one signs too for a day.
func (a *App) RotatePortalSecret(ctx context.Context, v Visit, ref string) (string, error) {
	_, plain, err := a.RotateSecret(ctx, v.caller(), ref, "", "", portalOverlap)
	return plain, err
}

// PortalDeliveries lists what was sent to one of the customer's webhooks, newest first.
func (a *App) PortalDeliveries(ctx context.Context, v Visit, ref string, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error) {
	w, err := a.findWebhook(ctx, v.caller(), ref)
	if err != nil {
		return postroom.Page[postroom.Delivery]{}, err
	}
	return a.Deliveries(ctx, v.caller(), postroom.DeliveryFilter{Webhook: w.ID}, q)
}

// PortalDelivery finds a delivery to one of the customer's webhooks, with its attempts.
func (a *App) PortalDelivery(ctx context.Context, v Visit, id string) (postroom.Delivery, []postroom.Attempt, error) {
	return a.Delivery(ctx, v.caller(), id)
}

// RetryPortalDelivery attempts a delivery again.
func (a *App) RetryPortalDelivery(ctx context.Context, v Visit, id string) (postroom.Delivery, error) {
	return a.RetryDelivery(ctx, v.caller(), id)
}
