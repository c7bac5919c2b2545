package postroom

// StoredWebhook is a webhook with the secret values of its auth, sealed.
type StoredWebhook struct {
	Webhook
	SealedAuth []byte
}

// StoredSecret is a signing secret with its value, sealed.
type StoredSecret struct {
	Secret
	Sealed []byte
}

// Subscription is what matching needs of a webhook.
type Subscription struct {
	ID       WebhookID
	Status   WebhookStatus
	Settings WebhookSettings
}

// IdempotencyRecord is what is known of an Idempotency-Key.
type IdempotencyRecord struct {
	Hash   []byte // SHA-256 of the request
	Answer []byte // sealed; nil while the call runs
}
