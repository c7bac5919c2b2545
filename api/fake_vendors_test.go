package api

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

func (f *fakeApp) WebhooksOfDialect(_ context.Context, _ app.Caller, dialect string, paused bool, offset, limit int) ([]postroom.Webhook, int64, error) {
	f.asked = []any{dialect, paused, offset, limit}
	if dialect != f.webhook.Dialect || offset > 0 {
		return nil, 1, nil
	}
	return []postroom.Webhook{f.webhook}, 1, nil
}

func (f *fakeApp) WebhookByNumber(_ context.Context, _ app.Caller, number int64) (postroom.Webhook, error) {
	if number != f.webhook.Number {
		return postroom.Webhook{}, notFound("webhook")
	}
	return f.webhook, nil
}

func (f *fakeApp) EventNames(dialect string) map[string]string {
	return map[string]map[string]string{
		"cakemail": {"email.opened": "email.opened", "email.complained": "email.spam_complaint", "campaign.completed": "campaign.sent"},
		"sendook":  {"message.received": "message.received", "inbox.created": "inbox.created"},
	}[dialect]
}

func (f *fakeApp) CreateWebhookWithKey(ctx context.Context, who app.Caller, in postroom.WebhookSettings, secret string) (postroom.Webhook, error) {
	f.asked = secret
	w, _, err := f.CreateWebhook(ctx, who, in, postroom.WebhookActive, secret)
	return w, err
}

func (f *fakeApp) CheckSecret(_, secret string) error {
	if len(secret) < 8 {
		return postroom.Invalid(postroom.CodeInvalid, "/secret", "a secret is longer")
	}
	return nil
}

func (f *fakeApp) SigningKey(_ context.Context, who app.Caller, dialect string, id postroom.WebhookID) (string, error) {
	f.asked = []any{who.Role, dialect, id}
	return "secret-key-123", nil
}
