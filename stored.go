package postroom

// StoredWebhook is a webhook with the secret values of its auth, sealed.
type StoredWebhook struct {
	Webhook
	SealedAuth []byte
	SourceID   SourceID // whose call_api action it makes; zero for a webhook that people made
	Action     int      // the place of that action, from 1
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
	Settings SubscriptionSettings
}

// SubscriptionSettings are those of a webhook's settings that matching needs. A workspace may have very many.
type SubscriptionSettings struct {
	Events   []string `json:"events"`
	Filter   string   `json:"filter"`
	Dialect  string   `json:"dialect"`
	Ordering Ordering `json:"ordering"`
}

// Subscription is the part of a webhook's settings that matching needs.
func (s *WebhookSettings) Subscription() SubscriptionSettings {
	return SubscriptionSettings{Events: s.Events, Filter: s.Filter, Dialect: s.Dialect, Ordering: s.Ordering}
}

// IdempotencyRecord is what is known of an Idempotency-Key.
type IdempotencyRecord struct {
	Hash   []byte // SHA-256 of the request
	Answer []byte // sealed; nil while the call runs
}
