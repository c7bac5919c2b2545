package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// WebhookInput is what a new webhook is made of. What is left out, which is what is zero or nil, has its default. It
// also serves as a change: what is left out stays as it is.
type WebhookInput struct {
	UID          string                 `json:"uid,omitempty"`
	Customer     string                 `json:"customer,omitempty"` // whom it belongs to, who manages it in the portal
	Name         string                 `json:"name,omitempty"`
	Description  string                 `json:"description,omitempty"`
	URL          string                 `json:"url,omitempty"`    // required for a new one
	Events       []string               `json:"events,omitempty"` // required for a new one: names, "group.*" or "*"
	Filter       string                 `json:"filter,omitempty"`
	Dialect      string                 `json:"dialect,omitempty"`
	Method       string                 `json:"method,omitempty"`
	Headers      map[string]string      `json:"headers,omitempty"`
	Auth         *postroom.Auth         `json:"auth,omitempty"`
	Payload      *postroom.Payload      `json:"payload,omitempty"`
	Retry        *RetryInput            `json:"retry,omitempty"`
	Timeout      postroom.Duration      `json:"timeout,omitzero"`
	RateLimit    *postroom.RateLimit    `json:"rate_limit,omitempty"`
	Concurrency  int                    `json:"concurrency,omitempty"`
	Ordering     postroom.Ordering      `json:"ordering,omitempty"`
	ExpectJSON   bool                   `json:"expect_json,omitempty"`
	DisableAfter *DisableInput          `json:"disable_after,omitempty"`
	Status       postroom.WebhookStatus `json:"status,omitempty"` // of a new one: active, or paused to hold deliveries from the start
	Secret       string                 `json:"secret,omitempty"` // of a new one: that which its receiver knows already; one is made if empty
}

// RetryInput is how failed attempts are repeated; nil leaves out.
type RetryInput struct {
	Schedule []postroom.Duration `json:"schedule,omitzero"` // empty and not nil: no retries
	Jitter   *float64            `json:"jitter,omitempty"`
}

// DisableInput says when failures disable a webhook; nil leaves out.
type DisableInput struct {
	Failures *int               `json:"failures,omitempty"`
	For      *postroom.Duration `json:"for,omitempty"`
}

// CreatedWebhook is a new webhook with its signing secret, which is shown this once.
type CreatedWebhook struct {
	postroom.Webhook
	Secret string `json:"secret"` // whsec_…, whsk_…, or as it was given
}

// CreateWebhook subscribes a URL to events.
func (c *Client) CreateWebhook(ctx context.Context, in WebhookInput) (CreatedWebhook, error) {
	var out CreatedWebhook
	r := request{method: http.MethodPost, path: "/v1/webhooks"}
	if err := r.setJSON(in); err != nil {
		return out, err
	}
	header, err := c.decode(ctx, r, &out)
	out.Version = version(header)
	return out, err
}

// Webhooks goes through all webhooks, newest first.
func (c *Client) Webhooks(ctx context.Context) iter.Seq2[postroom.Webhook, error] {
	return each(func(q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) { return c.WebhookPage(ctx, q) })
}

// WebhookPage gives one page of the webhooks, newest first.
func (c *Client) WebhookPage(ctx context.Context, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) {
	return page[postroom.Webhook](ctx, c, "/v1/webhooks", nil, q)
}

// Webhook gives one webhook. ref is its id (whk_…) or its uid. Its Version is that of the answer's ETag.
func (c *Client) Webhook(ctx context.Context, ref string) (postroom.Webhook, error) {
	return c.webhook(ctx, request{method: http.MethodGet, path: path("v1", "webhooks", ref)})
}

// UpdateWebhook changes a webhook. patch is a JSON merge patch (RFC 7396): a map, in which nil sets a field back to its
// default, or a WebhookInput. ifMatch is the version that is to be changed, so that no other change is overwritten; 0
// changes any.
func (c *Client) UpdateWebhook(ctx context.Context, ref string, ifMatch int64, patch any) (postroom.Webhook, error) {
	r := request{method: http.MethodPatch, path: path("v1", "webhooks", ref)}
	if err := r.setJSON(patch); err != nil {
		return postroom.Webhook{}, err
	}
	r.kind = mergePatch
	if ifMatch != 0 {
		r.header = http.Header{"If-Match": {`"` + strconv.FormatInt(ifMatch, 10) + `"`}}
	}
	return c.webhook(ctx, r)
}

// DeleteWebhook removes a webhook. Deliveries that wait for it are cancelled.
func (c *Client) DeleteWebhook(ctx context.Context, ref string) error {
	return c.delete(ctx, path("v1", "webhooks", ref))
}

// webhook makes a call whose answer is a webhook.
func (c *Client) webhook(ctx context.Context, r request) (postroom.Webhook, error) {
	var w postroom.Webhook
	header, err := c.decode(ctx, r, &w)
	w.Version = version(header)
	return w, err
}

// version reads an ETag; 0 if there is none.
func version(h http.Header) int64 {
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(h.Get("ETag"), "W/"), `"`), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// TestInput is the event that a test sends.
type TestInput struct {
	Type string          `json:"type,omitempty"` // postroom.test if empty
	Data json.RawMessage `json:"data,omitempty"` // an object; the type's sample if nil
}

// TestResult is the attempt that a test made. The attempt failed when its Error is not nil.
type TestResult struct {
	DeliveryID postroom.DeliveryID `json:"delivery_id"`
	postroom.AttemptResource
}

// TestWebhook sends one event to a webhook now, once, and waits for the answer.
func (c *Client) TestWebhook(ctx context.Context, ref string, in TestInput) (TestResult, error) {
	var out TestResult
	err := c.post(ctx, path("v1", "webhooks", ref, "test"), in, &out)
	return out, err
}

// PreviewInput says what a preview shows. What is zero is left out.
type PreviewInput struct {
	Type    string            `json:"type,omitempty"`    // the event is a sample of this type
	Event   string            `json:"event,omitempty"`   // the event is a past one with this id
	Payload *postroom.Payload `json:"payload,omitempty"` // tried in place of the webhook's own
}

// Preview is a call that was not made.
type Preview struct {
	Event struct {
		ID   string             `json:"id"`
		Type string             `json:"type"`
		Time postroom.Timestamp `json:"time"`
	} `json:"event"`
	Request postroom.RequestResource `json:"request"`
	Notes   []postroom.FieldError    `json:"notes"` // where null stands for what could not be made
}

// PreviewWebhook gives the call that would bring an event to a webhook.
func (c *Client) PreviewWebhook(ctx context.Context, ref string, in PreviewInput) (Preview, error) {
	var out Preview
	err := c.post(ctx, path("v1", "webhooks", ref, "preview"), in, &out)
	return out, err
}

// PreviewSettings gives the call that would bring an event to a webhook that is not there yet. Of the input, only the payload, the type or
// the event count; all of the webhook's settings may be left out.
func (c *Client) PreviewSettings(ctx context.Context, w WebhookInput, in PreviewInput) (Preview, error) {
	if in.Payload != nil {
		w.Payload = in.Payload
	}
	body := struct {
		WebhookInput
		Type  string `json:"type,omitempty"`
		Event string `json:"event,omitempty"`
	}{w, in.Type, in.Event}
	var out Preview
	err := c.post(ctx, path("v1", "webhooks", "preview"), body, &out)
	return out, err
}

// PauseWebhook holds what a webhook would receive. reason is for people, and may be empty.
func (c *Client) PauseWebhook(ctx context.Context, ref, reason string) (postroom.Webhook, error) {
	in := map[string]string{}
	if reason != "" {
		in["reason"] = reason
	}
	r := request{method: http.MethodPost, path: path("v1", "webhooks", ref, "pause")}
	if err := r.setJSON(in); err != nil {
		return postroom.Webhook{}, err
	}
	return c.webhook(ctx, r)
}

// Held says what becomes of the deliveries that a paused or disabled webhook has held.
type Held string

// What can become of them.
const (
	Release Held = "release" // they are sent
	Discard Held = "discard" // they are cancelled
)

// ResumedWebhook is a webhook that is active again.
type ResumedWebhook struct {
	postroom.Webhook
	Held int64 `json:"held"` // how many deliveries had been held
}

// HeldDeliveries is what a resume would release or discard.
type HeldDeliveries struct {
	postroom.Webhook
	Held  int64               `json:"held"`       // how many deliveries are held
	Since *postroom.Timestamp `json:"held_since"` // when the oldest of them was made; nil if there are none
}

// HeldDeliveries tells how many deliveries wait for a webhook, and changes nothing.
func (c *Client) HeldDeliveries(ctx context.Context, ref string) (HeldDeliveries, error) {
	var out HeldDeliveries
	err := c.post(ctx, path("v1", "webhooks", ref, "resume"), map[string]bool{"dry_run": true}, &out)
	return out, err
}

// ResumeWebhook makes a paused or disabled webhook active again.
func (c *Client) ResumeWebhook(ctx context.Context, ref string, held Held) (ResumedWebhook, error) {
	var out ResumedWebhook
	err := c.post(ctx, path("v1", "webhooks", ref, "resume"), map[string]Held{"held": held}, &out)
	return out, err
}

// WebhookSecrets gives the secrets that sign at present, without the secrets themselves.
func (c *Client) WebhookSecrets(ctx context.Context, ref string) ([]postroom.Secret, error) {
	return all[postroom.Secret](ctx, c, path("v1", "webhooks", ref, "secrets"))
}

// RotateInput is how a secret is replaced.
type RotateInput struct {
	Kind    postroom.SecretKind `json:"kind,omitempty"`    // that of the present secret if empty
	Secret  string              `json:"secret,omitempty"`  // your own; a new one is made if empty
	Overlap *postroom.Duration  `json:"overlap,omitempty"` // how long the old secrets go on signing; 24 hours if nil
}

// CreatedSecret is a new secret, which is shown this once.
type CreatedSecret struct {
	postroom.Secret
	Value string `json:"secret"` // whsec_… or whsk_…
}

// RotateSecret makes a new secret for a webhook. The old ones go on signing for a while.
func (c *Client) RotateSecret(ctx context.Context, ref string, in RotateInput) (CreatedSecret, error) {
	var out CreatedSecret
	err := c.post(ctx, path("v1", "webhooks", ref, "secrets"), in, &out)
	return out, err
}

// StatsQuery chooses a span of time, and how it is divided.
type StatsQuery struct {
	Period        time.Duration // how long it is: before Before or now, or from After on; zero for one that suits By
	After, Before time.Time     // two of the three at most
	By            string        // minute, hour or day; an hour if empty
}

func (q StatsQuery) values() url.Values {
	v := url.Values{}
	filter(v).time("after", q.After)
	filter(v).time("before", q.Before)
	filter(v).text("by", q.By)
	if q.Period != 0 {
		v.Set("period", postroom.Duration(q.Period).String())
	}
	return v
}

// WebhookStats tells what happened to a webhook's deliveries.
func (c *Client) WebhookStats(ctx context.Context, ref string, q StatsQuery) (postroom.Stats, error) {
	var out postroom.Stats
	err := c.get(ctx, path("v1", "webhooks", ref, "stats"), q.values(), &out)
	return out, err
}

// Stats tells what happened to all deliveries of the workspace.
func (c *Client) Stats(ctx context.Context, q StatsQuery) (postroom.Stats, error) {
	var out postroom.Stats
	err := c.get(ctx, "/v1/stats", q.values(), &out)
	return out, err
}
