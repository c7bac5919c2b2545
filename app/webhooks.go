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
// active (the default) or paused.
func (a *App) CreateWebhook(ctx context.Context, who Caller, in postroom.WebhookSettings, status postroom.WebhookStatus) (postroom.Webhook, string, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return postroom.Webhook{}, "", err
	}
	if status == "" {
		status = postroom.WebhookActive
	}
	now := a.Now()
	w := postroom.StoredWebhook{Webhook: postroom.Webhook{ID: postroom.Next[postroom.WebhookKind](a.IDs, now), WorkspaceID: who.Workspace,
		WebhookSettings: in, Status: status, Secrets: 1, Version: 1, CreatedAt: stamp(now), UpdatedAt: stamp(now)}}
	if status != postroom.WebhookActive && status != postroom.WebhookPaused {
		return w.Webhook, "", postroom.Invalid(postroom.CodeInvalid, "/status", "a new webhook is active or paused")
	}
	fillDefaults(&w.WebhookSettings)
	if err := a.checkWebhook(ctx, who, &w.WebhookSettings, nil); err != nil {
		return w.Webhook, "", err
	}
	if err := a.sealAuth(&w, w.Auth); err != nil {
		return w.Webhook, "", err
	}
	secret, plain, err := a.newSecret(w.ID, postroom.SecretHMAC, "", now)
	if err != nil {
		return w.Webhook, "", err
	}
	if err := a.Store.CreateWebhook(ctx, w, secret); err != nil {
		return w.Webhook, "", err
	}
	a.Engine.Changed(who.Workspace, w.ID)
	a.Log.Info("webhook created", "workspace", who.Workspace, "webhook", w.ID, "key", who.Key)
	return w.Webhook, plain, nil
}

func stamp(t time.Time) postroom.Timestamp {
	return postroom.Timestamp{Time: t.UTC().Truncate(time.Microsecond)}
}

// DefaultSettings are the settings of a webhook of which nothing is said.
func DefaultSettings() postroom.WebhookSettings {
	s := postroom.WebhookSettings{Retry: postroom.Retry{Jitter: 0.1}, Disable: postroom.DisableAfter{For: postroom.Duration(120 * time.Hour)}}
	fillDefaults(&s)
	return s
}

// fillDefaults sets what is unset and cannot be meant so.
func fillDefaults(s *postroom.WebhookSettings) {
	if s.Dialect == "" {
		s.Dialect = "standard"
	}
	if s.Method == "" {
		s.Method = "POST"
	}
	if s.Retry.Schedule == nil {
		s.Retry.Schedule = standardSchedule()
	}
	if s.Timeout == 0 {
		s.Timeout = postroom.Duration(15 * time.Second)
	}
	if s.Concurrency == 0 {
		s.Concurrency = 8
	}
	if s.Ordering == "" {
		s.Ordering = postroom.OrderingNone
	}
	if s.Auth == nil {
		s.Auth = &postroom.Auth{Type: postroom.AuthNone}
	}
	if s.Headers == nil {
		s.Headers = map[string]string{}
	}
	s.Payload = emptyPayload(s.Payload)
}

// standardSchedule is the example of the Standard Webhooks specification: about three days in all.
func standardSchedule() []postroom.Duration {
	var all []postroom.Duration
	for _, d := range []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
		14 * time.Hour, 20 * time.Hour, 24 * time.Hour} {
		all = append(all, postroom.Duration(d))
	}
	return all
}

// sealAuth seals the secret values of auth, and leaves Redacted where they stood.
func (a *App) sealAuth(w *postroom.StoredWebhook, auth *postroom.Auth) error {
	w.SealedAuth = nil
	if auth == nil || auth.Type == postroom.AuthNone {
		return nil
	}
	plain, err := json.Marshal(auth)
	if err != nil {
		return err
	}
	w.SealedAuth = a.Sealer.Seal(outbound.AuthContext(w.ID), plain)
	w.Auth = redact(auth)
	return nil
}

// redact hides the secret values of auth.
func redact(auth *postroom.Auth) *postroom.Auth {
	r := *auth
	for _, s := range []*string{&r.Key, &r.Token, &r.Password} {
		if *s != "" {
			*s = postroom.Redacted
		}
	}
	r.Headers, r.Query = redactAll(auth.Headers), redactAll(auth.Query)
	return &r
}

func redactAll(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	r := make(map[string]string, len(m))
	for k := range m {
		r[k] = postroom.Redacted
	}
	return r
}

// unredact puts the old secret values where the new auth says Redacted.
func unredact(auth, old *postroom.Auth) {
	if auth == nil || old == nil {
		return
	}
	for _, p := range []struct{ new, old *string }{{&auth.Key, &old.Key}, {&auth.Token, &old.Token}, {&auth.Password, &old.Password}} {
		if *p.new == postroom.Redacted {
			*p.new = *p.old
		}
	}
	for _, p := range []struct{ new, old map[string]string }{{auth.Headers, old.Headers}, {auth.Query, old.Query}} {
		for name, value := range p.new {
			if old, ok := p.old[name]; ok && value == postroom.Redacted { // else it is refused, as any value that is none
				p.new[name] = old
			}
		}
	}
}

// Webhooks lists webhooks, newest first.
func (a *App) Webhooks(ctx context.Context, who Caller, q postroom.PageQuery) (postroom.Page[postroom.Webhook], error) {
	var none postroom.Page[postroom.Webhook]
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return none, err
	}
	limit, cursor, err := pageOf(q)
	if err != nil {
		return none, err
	}
	found, err := a.Store.Webhooks(ctx, who.Workspace, cursor, limit+1, a.Now())
	if err != nil {
		return none, err
	}
	webhooks := make([]postroom.Webhook, len(found))
	for i, w := range found {
		webhooks[i] = w.Webhook
	}
	page := postroom.NewPage(webhooks, limit, cursor, func(w postroom.Webhook) [16]byte { return w.ID })
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
	if id, err := postroom.ParseID[postroom.WebhookKind](ref); err == nil {
		return a.Store.Webhook(ctx, who.Workspace, id, a.Now())
	}
	if !webhookUID.MatchString(ref) { // nor can a database look for it
		return postroom.StoredWebhook{}, postroom.Errorf(postroom.CodeNotFound, "There is no webhook %s in this workspace.", quote(ref))
	}
	return a.Store.WebhookByUID(ctx, who.Workspace, ref, a.Now())
}

func checkMatch(w postroom.StoredWebhook, ifMatch int64) error {
	if ifMatch != 0 && ifMatch != w.Version {
		return postroom.Errorf(postroom.CodePreconditionFailed, "The webhook was changed by somebody else: its version is %d, and If-Match names %d.", w.Version, ifMatch)
	}
	return nil
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
	fillDefaults(&settings)
	unredact(settings.Auth, old)
	if err := a.checkWebhook(ctx, who, &settings, &before); err != nil {
		return err
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
	if err := a.Store.DeleteWebhook(ctx, who.Workspace, w.ID, a.Now(), func(w postroom.StoredWebhook) error { return checkMatch(w, ifMatch) }); err != nil {
		return err
	}
	a.Engine.Changed(who.Workspace, w.ID)
	a.Log.Info("webhook deleted", "workspace", who.Workspace, "webhook", w.ID, "key", who.Key)
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
	return a.Webhook(ctx, who, w.ID.String())
}

// What may happen to held deliveries when a webhook is resumed.
const (
	HeldRelease = "release"
	HeldDiscard = "discard"
)

// ResumeWebhook makes a webhook active again. held says whether what was held is released (the default) or discarded; the
// second result is how many deliveries that was.
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
	var n int64
	if held == HeldDiscard {
		n, err = a.Store.DiscardQueue(ctx, who.Workspace, w.ID, a.Now(), "discarded")
	} else {
		n, err = a.Store.CountQueue(ctx, who.Workspace, w.ID)
	}
	if err != nil {
		return w.Webhook, n, err
	}
	resumed, err := a.setStatus(ctx, who, ref, postroom.WebhookActive, "")
	return resumed, n, err
}

// TestWebhook sends one event to a webhook now, whatever it subscribes to and even when it is paused, and gives the
// attempt. An empty type is postroom.test; nil data is the type's sample. There is no second attempt.
func (a *App) TestWebhook(ctx context.Context, who Caller, ref, eventType string, data json.RawMessage) (postroom.Delivery, postroom.Attempt, error) {
	var d postroom.Delivery
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return d, postroom.Attempt{}, err
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return d, postroom.Attempt{}, err
	}
	if eventType == "" {
		eventType = "postroom.test"
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

// replayPage is how many deliveries one step of a replay looks at.
const replayPage = 1000

// ReplayWebhook delivers again what a webhook was sent in a span of time, of a type and a status, and says how many
// deliveries that is. They wait behind fresh ones.
func (a *App) ReplayWebhook(ctx context.Context, who Caller, ref string, f postroom.DeliveryFilter) (int64, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return 0, err
	}
	wanted, err := replayStates(f.Status)
	if err != nil {
		return 0, err
	}
	if f.Type != "" {
		if err := checkPattern(f.Type); err != nil {
			return 0, postroom.Invalid(postroom.CodeInvalid, "/type", "%s", err.Error())
		}
	}
	w, err := a.findWebhook(ctx, who, ref)
	if err != nil {
		return 0, err
	}
	var total int64
	var last postroom.DeliveryID
	now := a.Now()
	if f.Before.IsZero() || f.Before.After(now) {
		f.Before = now
	}
	for {
		page, err := a.Store.Replayable(ctx, who.Workspace, w.ID, last, f, replayPage)
		if err != nil || len(page) == 0 {
			a.Engine.Wake(who.Workspace, w.ID, postroom.StateReplay, now)
			return total, err
		}
		var ids []postroom.DeliveryID
		for _, r := range page {
			if wanted[r.State] && (f.Type == "" || matchesAny([]string{f.Type}, r.Type)) {
				ids = append(ids, r.ID)
			}
		}
		n, err := a.Store.RequeueAll(ctx, who.Workspace, ids, postroom.StateReplay, now)
		total += n
		if err != nil {
			return total, unavailable(err)
		}
		last = page[len(page)-1].ID
	}
}

// replayStates are the states of deliveries that a replay of a status takes: what waits already is left where it is.
func replayStates(status postroom.DeliveryStatus) (map[postroom.DeliveryState]bool, error) {
	switch status {
	case "":
		return map[postroom.DeliveryState]bool{postroom.StateSucceeded: true, postroom.StateFailed: true, postroom.StateCancelled: true}, nil
	case postroom.DeliverySucceeded:
		return map[postroom.DeliveryState]bool{postroom.StateSucceeded: true}, nil
	case postroom.DeliveryFailed:
		return map[postroom.DeliveryState]bool{postroom.StateFailed: true}, nil
	case postroom.DeliveryCancelled:
		return map[postroom.DeliveryState]bool{postroom.StateCancelled: true}, nil
	}
	return nil, postroom.Invalid(postroom.CodeInvalid, "/status", "this is %s, %s or %s; what is pending or held will be delivered anyway",
		postroom.DeliverySucceeded, postroom.DeliveryFailed, postroom.DeliveryCancelled)
}

// headerName is a header as HTTP compares it.
func headerName(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }
