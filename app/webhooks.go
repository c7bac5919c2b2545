package app

import (
	"bytes"
	"context"
	"encoding/json"
	"net/textproto"
	"slices"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/outbound"
)

// CreateWebhook makes a webhook with its first secret, which is the second result and never shown again. status is
// active (the default) or paused; secret is the caller's own, or empty for a new one.
func (a *App) CreateWebhook(ctx context.Context, who Caller, in postroom.WebhookSettings, status postroom.WebhookStatus, secret string) (postroom.Webhook, string, error) {
	return a.createWebhook(ctx, who, in, status, secret, false)
}

func (a *App) createWebhook(ctx context.Context, who Caller, in postroom.WebhookSettings, status postroom.WebhookStatus, secret string, keyShown bool) (postroom.Webhook, string, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Webhook{}, "", err
	}
	if status == "" {
		status = postroom.WebhookActive
	}
	now := a.Now()
	w := postroom.StoredWebhook{Webhook: postroom.Webhook{ID: postroom.Next[postroom.WebhookKind](a.IDs, now), WorkspaceID: who.Workspace,
		WebhookSettings: in, Status: status, StatusAt: stamp(now), Secrets: 1, KeyShown: keyShown, Version: 1, CreatedAt: stamp(now), UpdatedAt: stamp(now)}}
	if status != postroom.WebhookActive && status != postroom.WebhookPaused {
		return w.Webhook, "", postroom.Invalid(postroom.CodeInvalid, "/status", "a new webhook is active or paused")
	}
	a.fillDefaults(&w.WebhookSettings)
	if err := a.checkWebhook(ctx, who, &w.WebhookSettings, nil); err != nil {
		return w.Webhook, "", err
	}
	if err := a.sealAuth(&w, w.Auth); err != nil {
		return w.Webhook, "", err
	}
	sealed, plain, err := a.newSecret(&w.Webhook, postroom.SecretHMAC, secret, now)
	if err != nil {
		return w.Webhook, "", err
	}
	if err := a.Store.CreateWebhook(ctx, &w, sealed); err != nil {
		return w.Webhook, "", err
	}
	a.Engine.Changed(who.Workspace, w.ID)
	a.Log.Info("webhook created", "workspace", who.Workspace, "webhook", w.ID, "key", who.Key)
	a.audit(ctx, who, "webhook.created", w.ID.String(), nil)
	return w.Webhook, plain, nil
}

func stamp(t time.Time) postroom.Timestamp {
	return postroom.Timestamp{Time: t.UTC().Truncate(time.Microsecond)}
}

// Webhooks lists webhooks, newest first.
func (a *App) Webhooks(ctx context.Context, who Caller, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) {
	return a.webhooksOf(ctx, who, who.Customer, q)
}

// CustomerWebhooks lists the webhooks of an operator's customer, newest first.
func (a *App) CustomerWebhooks(ctx context.Context, who Caller, customer string, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) {
	var p postroom.Problems
	checkCustomer(&p, "?customer", customer)
	if err := p.Err(); err != nil {
		return postroom.Page[postroom.Webhook]{}, err
	}
	return a.webhooksOf(ctx, who, customer, q)
}

// webhooksOf lists the webhooks of a customer; of everybody if that is empty.
func (a *App) webhooksOf(ctx context.Context, who Caller, customer string, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) {
	var none postroom.Page[postroom.Webhook]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	var found []postroom.StoredWebhook
	if customer == "" {
		found, err = a.Store.Webhooks(ctx, who.Workspace, cursor, limit+1, a.Now())
	} else {
		found, err = a.Store.CustomerWebhooks(ctx, who.Workspace, customer, cursor, limit+1, a.Now())
	}
	if err != nil {
		return none, err
	}
	webhooks := make([]postroom.Webhook, len(found))
	for i, w := range found {
		webhooks[i] = w.Webhook
	}
	page := postroom.NewPage(webhooks, limit, cursor, nil, func(w postroom.Webhook) [16]byte { return w.ID })
	return page, a.addHealth(ctx, who, page.Data)
}

// addHealth looks the health of webhooks up, which are all that there are from the newest, the first, to the oldest.
func (a *App) addHealth(ctx context.Context, who Caller, webhooks []postroom.Webhook) error {
	if len(webhooks) == 0 {
		return nil
	}
	health, err := a.Store.WebhookHealths(ctx, who.Workspace, webhooks[len(webhooks)-1].ID, webhooks[0].ID)
	for i := range webhooks {
		webhooks[i].Health = health[webhooks[i].ID]
	}
	return err
}

func (a *App) withHealth(ctx context.Context, who Caller, w postroom.Webhook) (postroom.Webhook, error) {
	one := []postroom.Webhook{w}
	err := a.addHealth(ctx, who, one)
	return one[0], err
}

// Webhook finds a webhook by its id or the caller's uid.
func (a *App) Webhook(ctx context.Context, who Caller, ref string) (postroom.Webhook, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Webhook{}, err
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return w.Webhook, err
	}
	return a.withHealth(ctx, who, w.Webhook)
}

func (a *App) findWebhook(ctx context.Context, who Caller, ref string) (postroom.StoredWebhook, error) {
	w, err := a.anyWebhook(ctx, who, ref)
	if err == nil && who.Customer != "" && w.Customer != who.Customer {
		return postroom.StoredWebhook{}, noWebhook(ref)
	}
	return w, err
}

func noWebhook(ref string) error {
	return postroom.Errorf(postroom.CodeNotFound, "There is no webhook %s in this workspace.", quote(ref))
}

// anyWebhook finds a webhook, whoever's it is.
func (a *App) anyWebhook(ctx context.Context, who Caller, ref string) (postroom.StoredWebhook, error) {
	if id, err := postroom.ParseID[postroom.WebhookKind](ref); err == nil {
		return a.Store.Webhook(ctx, who.Workspace, id, a.Now())
	}
	if !webhookUID.MatchString(ref) { // nor can a database look for it
		return postroom.StoredWebhook{}, noWebhook(ref)
	}
	return a.Store.WebhookByUID(ctx, who.Workspace, ref, a.Now())
}

func checkMatch(w postroom.StoredWebhook, ifMatch int64) error {
	if ifMatch != 0 && ifMatch != w.Version {
		return postroom.Errorf(postroom.CodePreconditionFailed, "The webhook was changed by somebody else: its version is %d, and If-Match names %d.", w.Version, ifMatch)
	}
	return nil
}

// ofPeople refuses to change what a source's action owns.
func ofPeople(w postroom.StoredWebhook) error {
	if w.SourceID.IsZero() {
		return nil
	}
	return postroom.Errorf(postroom.CodeConflict, "The webhook makes the calls of action %d of source %s: change the source.", w.Action, w.SourceID)
}

// UpdateWebhook changes settings: change gets the present ones, secret values redacted, and edits them. ifMatch is the
// version that the caller saw, or 0.
func (a *App) UpdateWebhook(ctx context.Context, who Caller, ref string, ifMatch int64, change func(*postroom.WebhookSettings) error) (postroom.Webhook, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Webhook{}, err
	}
	found, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return found.Webhook, err
	}
	if err := ofPeople(found); err != nil {
		return found.Webhook, err
	}
	// The edit and its checks come before the transaction, which others wait for; the version tells whether it still fits.
	edited := found
	if err := checkMatch(found, ifMatch); err != nil {
		return found.Webhook, err
	}
	if err := a.edit(ctx, who, &edited, change); err != nil {
		return found.Webhook, err
	}
	w, err := a.Store.UpdateWebhook(ctx, who.Workspace, found.ID, a.Now(), func(w *postroom.StoredWebhook) error {
		if w.Version != found.Version {
			return postroom.Errorf(postroom.CodeConflict, "The webhook was changed by somebody else at the same time: look at it again.")
		}
		w.WebhookSettings, w.SealedAuth = edited.WebhookSettings, edited.SealedAuth
		return nil
	})
	if err != nil {
		return w.Webhook, err
	}
	a.Engine.Changed(who.Workspace, w.ID)
	a.Log.Info("webhook changed", "workspace", who.Workspace, "webhook", w.ID, "key", who.Key)
	a.audit(ctx, who, "webhook.changed", w.ID.String(), nil)
	return a.withHealth(ctx, who, w.Webhook)
}

func (a *App) edit(ctx context.Context, who Caller, w *postroom.StoredWebhook, change func(*postroom.WebhookSettings) error) error {
	old, err := outbound.OpenAuth(a.Sealer, *w)
	if err != nil {
		return err
	}
	before := w.WebhookSettings
	settings, err := clone(w.WebhookSettings)
	if err != nil {
		return err
	}
	if err := change(&settings); err != nil {
		return err
	}
	a.fillDefaults(&settings)
	a.changeDialect(&settings, &before)
	unredact(settings.Auth, old)
	if err := a.checkWebhook(ctx, who, &settings, &before); err != nil {
		return err
	}
	if settings.Dialect != before.Dialect {
		var p postroom.Problems
		if err := a.checkSecrets(ctx, who, &p, w.ID, a.Dialects[settings.Dialect]); err != nil {
			return err
		}
		if err := p.Err(); err != nil {
			return err
		}
	}
	w.WebhookSettings = settings
	return a.sealAuth(w, settings.Auth)
}

// clone copies settings deeply, so that an edit cannot reach what a cache holds.
func clone(s postroom.WebhookSettings) (c postroom.WebhookSettings, err error) {
	p := s.Payload
	s.Payload = nil
	b, err := json.Marshal(s)
	if err != nil {
		return c, err
	}
	err = json.Unmarshal(b, &c)
	if p != nil { // by hand, since Marshal would write the templates anew
		c.Payload = &postroom.Payload{Template: bytes.Clone(p.Template), Fields: slices.Clone(p.Fields), Add: bytes.Clone(p.Add)}
	}
	return c, err
}

// DeleteWebhook deletes a webhook. The log of its deliveries stays until it is too old; what still waits is cancelled.
func (a *App) DeleteWebhook(ctx context.Context, who Caller, ref string, ifMatch int64) error {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return err
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return err
	}
	if err := ofPeople(w); err != nil {
		return err
	}
	if err := a.Store.DeleteWebhook(ctx, who.Workspace, w.ID, a.Now(), func(w postroom.StoredWebhook) error { return checkMatch(w, ifMatch) }); err != nil {
		return err
	}
	a.Engine.Changed(who.Workspace, w.ID)
	a.Log.Info("webhook deleted", "workspace", who.Workspace, "webhook", w.ID, "key", who.Key)
	a.audit(ctx, who, "webhook.deleted", w.ID.String(), nil)
	return nil
}

// PauseWebhook holds a webhook's deliveries until it is resumed. reason is for people, and may be empty.
func (a *App) PauseWebhook(ctx context.Context, who Caller, ref, reason string) (postroom.Webhook, error) {
	if reason == "" {
		reason = "Paused by a person."
	}
	var p postroom.Problems
	checkText(&p, "/reason", reason, maxTitle)
	if err := p.Err(); err != nil {
		return postroom.Webhook{}, err
	}
	return a.setStatus(ctx, who, ref, postroom.WebhookPaused, reason)
}

func (a *App) setStatus(ctx context.Context, who Caller, ref string, status postroom.WebhookStatus, reason string) (postroom.Webhook, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Webhook{}, err
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return w.Webhook, err
	}
	if err := a.Store.SetWebhookStatus(ctx, who.Workspace, w.ID, status, reason, a.Now()); err != nil {
		return w.Webhook, err
	}
	a.Engine.Changed(who.Workspace, w.ID)
	a.Log.Info("webhook "+string(status), "workspace", who.Workspace, "webhook", w.ID, "key", who.Key)
	a.audit(ctx, who, "webhook."+string(status), w.ID.String(), nil)
	return a.Webhook(ctx, who, w.ID.String())
}

// What may happen to held deliveries when a webhook is resumed.
const (
	HeldRelease = "release"
	HeldDiscard = "discard"
)

// HeldDeliveries says how many deliveries wait for a webhook, and since when the oldest: what ResumeWebhook would release or discard.
func (a *App) HeldDeliveries(ctx context.Context, who Caller, ref string) (w postroom.Webhook, n int64, since *time.Time, err error) {
	if w, err = a.Webhook(ctx, who, ref); err != nil {
		return w, 0, nil, err
	}
	n, more, since, err := a.Store.Waiting(ctx, who.Workspace, w.ID)
	if more {
		n, err = a.Store.CountQueue(ctx, who.Workspace, w.ID)
	}
	return w, n, since, err
}

// ResumeWebhook makes a webhook active again. held says whether what was held is released (the default) or discarded; the
// second result is how many deliveries that was. A discard goes on when its caller has gone; one that a crash cuts off leaves the webhook
// as it was, and can be repeated.
func (a *App) ResumeWebhook(ctx context.Context, who Caller, ref, held string) (postroom.Webhook, int64, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Webhook{}, 0, err
	}
	if held != "" && held != HeldRelease && held != HeldDiscard {
		return postroom.Webhook{}, 0, postroom.Invalid(postroom.CodeInvalid, "/held", "this is %s or %s", HeldRelease, HeldDiscard)
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return w.Webhook, 0, err
	}
	ctx = context.WithoutCancel(ctx)
	var n int64
	if held == HeldDiscard {
		begun := time.Now()
		n, err = a.Store.DiscardQueue(ctx, who.Workspace, w.ID, a.Now(), "discarded", func(int64) {
			pause(ctx, time.Since(begun)) // publishers get as much time as each step took
			begun = time.Now()
		})
	} else {
		n, err = a.Store.CountQueue(ctx, who.Workspace, w.ID)
	}
	if err != nil {
		return w.Webhook, n, unavailable(err)
	}
	resumed, err := a.setStatus(ctx, who, ref, postroom.WebhookActive, "")
	a.Log.Info("webhook resumed", "workspace", who.Workspace, "webhook", w.ID, "held", held, "deliveries", n, "key", who.Key)
	return resumed, n, err
}

// TestWebhook sends one event to a webhook now, whatever it subscribes to and even when it is paused, and gives the
// attempt. An empty type is that of the dialect's test, in which the vendor's names can be used too; nil data is the type's sample. There
// is no second attempt.
func (a *App) TestWebhook(ctx context.Context, who Caller, ref, eventType string, data json.RawMessage) (postroom.Delivery, postroom.Attempt, error) {
	var d postroom.Delivery
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return d, postroom.Attempt{}, err
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return d, postroom.Attempt{}, err
	}
	if err := mayTrigger(who, w.ID.String()); err != nil {
		return d, postroom.Attempt{}, err
	}
	eventType, data, err = a.testOf(w.Dialect, eventType, data)
	if err != nil {
		return d, postroom.Attempt{}, err
	}
	now := a.Now()
	if err := a.checkEventType(ctx, who.Workspace, eventType, now); err != nil {
		return d, postroom.Attempt{}, err
	}
	if data == nil {
		t, err := a.findEventType(ctx, who, eventType)
		if err != nil {
			return d, postroom.Attempt{}, err
		}
		data = sampleOf(t)
	}
	o, err := a.outgoing(ctx, who, &NewEvent{Type: eventType, Data: data}, now)
	if err != nil {
		return d, postroom.Attempt{}, err
	}
	job := &postroom.Job{DeliveryID: postroom.Next[postroom.DeliveryKind](a.IDs, now), WebhookID: w.ID, Event: o.Event, Claim: 1,
		LeaseUntil: a.Engine.LeaseUntil(time.Duration(w.Timeout)), Test: true}
	pub := &postroom.Publication{Event: o.Event, Deliveries: []postroom.NewDelivery{{ID: job.DeliveryID, WebhookID: w.ID,
		State: postroom.StateLeased, DueAt: job.LeaseUntil, Test: true}}}
	if err := a.Store.Publish(context.WithoutCancel(ctx), []*postroom.Publication{pub}); err != nil {
		return d, postroom.Attempt{}, unavailable(err)
	}
	if _, err := a.Engine.Try(ctx, job); err != nil {
		return d, postroom.Attempt{}, unavailable(err)
	}
	d, attempts, err := a.Delivery(ctx, who, job.DeliveryID.String())
	if err != nil || len(attempts) == 0 {
		return d, postroom.Attempt{}, err
	}
	return d, attempts[len(attempts)-1], nil
}

// headerName is a header as HTTP compares it.
func headerName(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }
