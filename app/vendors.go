package app

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/outbound"
)

// What the management APIs of vendors need beside the rest: each shows the webhooks of one dialect.

// WebhooksOfDialect lists up to limit webhooks of a dialect, from old to new, after the first offset; and counts them all. Those that are
// paused are left out, unless asked for.
func (a *App) WebhooksOfDialect(ctx context.Context, who Caller, dialect string, paused bool, offset, limit int) (webhooks []postroom.Webhook, total int64, err error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return nil, 0, err
	}
	found, total, err := a.Store.WebhooksOfDialect(ctx, who.Workspace, dialect, paused, offset, limit, a.Now())
	webhooks = make([]postroom.Webhook, len(found))
	for i, w := range found {
		webhooks[i] = w.Webhook
	}
	return webhooks, total, err
}

// WebhookByNumber finds a webhook by its number.
func (a *App) WebhookByNumber(ctx context.Context, who Caller, number int64) (postroom.Webhook, error) {
	if err := authorise(who, postroom.RoleViewer); err != nil {
		return postroom.Webhook{}, err
	}
	w, err := a.Store.WebhookByNumber(ctx, who.Workspace, number, a.Now())
	return w.Webhook, err
}

// EventNames are the vendor's names by the catalogue's types, of those that the dialect names.
func (a *App) EventNames(dialect string) map[string]string {
	names := map[string]string{}
	if d := a.Dialects[dialect]; d != nil {
		types, _ := d.Out.Named()
		for _, t := range types {
			names[t], _ = d.Out.Name(t)
		}
	}
	return names
}

// CreateWebhookWithKey makes an active webhook whose signing key SigningKey gives, for a vendor's API that shows it. secret is the caller's own,
// or empty for a new one.
func (a *App) CreateWebhookWithKey(ctx context.Context, who Caller, in postroom.WebhookSettings, secret string) (postroom.Webhook, error) {
	w, _, err := a.createWebhook(ctx, who, in, postroom.WebhookActive, secret, true)
	return w, err
}

// CheckSecret refuses a text that cannot be a secret of webhooks of a dialect.
func (a *App) CheckSecret(dialect, secret string) error {
	if _, _, err := outbound.ParseSecretFor(a.Dialects[dialect].Out.Signature.Scheme, secret); err != nil {
		return postroom.Invalid(postroom.CodeInvalid, "/secret", "%s", err.Error())
	}
	return nil
}

// SigningKey is the secret that signs the calls of a webhook which CreateWebhookWithKey made, and which still has the dialect for which it
// did; of any other webhook it is empty. Nothing else reads a secret back: docs/adr/0016 says why this does.
func (a *App) SigningKey(ctx context.Context, who Caller, dialect string, id postroom.WebhookID) (string, error) {
	if err := authorise(who, postroom.RoleAdmin); err != nil {
		return "", err
	}
	w, err := a.Store.Webhook(ctx, who.Workspace, id, a.Now())
	if err != nil || !w.KeyShown || w.Dialect != dialect {
		return "", err
	}
	secrets, err := a.Store.Secrets(ctx, who.Workspace, id, a.Now())
	if err != nil || len(secrets) == 0 {
		return "", err
	}
	plain, err := a.Sealer.Open(outbound.SecretContext(id), secrets[0].Sealed) // the newest, which signs alone
	if err != nil {
		return "", err
	}
	a.Log.Info("webhook secret shown", "workspace", who.Workspace, "webhook", id, "key", who.Key)
	return string(plain), nil
}
