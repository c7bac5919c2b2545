package postroom

import (
	"encoding/json"
	"strings"
)

// Webhook is an outgoing subscription: which events go where, how they look, how they are signed and retried.
type Webhook struct {
	ID          WebhookID   `json:"id"`
	WorkspaceID WorkspaceID `json:"-"`
	Number      int64       `json:"-"` // small, the workspace gives it once; an id for clients that read numbers
	WebhookSettings
	Status       WebhookStatus `json:"status"`
	StatusAt     Timestamp     `json:"-"`             // since when
	StatusReason string        `json:"status_reason"` // why it is paused or disabled, in a sentence
	Secrets      int           `json:"secrets"`       // how many secrets sign at present
	Health       WebhookHealth `json:"health"`        // read-only; it is no part of the version
	KeyShown     bool          `json:"-"`             // made by a vendor's API that shows the signing key again
	CreatedAt    Timestamp     `json:"created_at"`
	UpdatedAt    Timestamp     `json:"updated_at"`
	Version      int64         `json:"-"` // grows with each change; the ETag
}

// WebhookSettings is the part of a webhook that people set.
type WebhookSettings struct {
	UID         *string           `json:"uid"`      // the caller's own id, unique in the workspace
	Customer    string            `json:"customer"` // the operator's name of whom the webhook belongs to, who manages it in the portal; empty for none
	Name        string            `json:"name"`     // for people
	Description string            `json:"description"`
	URL         string            `json:"url"`
	Events      []string          `json:"events"` // exact names, "group.*" or "*"
	Filter      string            `json:"filter"` // a CEL expression over event; empty lets everything through
	Dialect     string            `json:"dialect"`
	Method      string            `json:"method"`
	Headers     map[string]string `json:"headers"` // added to every call; reserved ones are refused
	Auth        *Auth             `json:"auth"`
	Payload     *Payload          `json:"payload"` // null for the dialect's own
	Retry       Retry             `json:"retry"`
	Timeout     Duration          `json:"timeout"`    // for the whole call, body included
	RateLimit   *RateLimit        `json:"rate_limit"` // null for none
	Concurrency int               `json:"concurrency"`
	Ordering    Ordering          `json:"ordering"`
	ExpectJSON  bool              `json:"expect_json"`   // a 2xx answer whose body is not JSON counts as a failure
	Disable     DisableAfter      `json:"disable_after"` // when failures disable the webhook
}

// Payload is what a webhook sends in place of its dialect's own payload: a template; or the dialect's own with only some fields,
// with some added, or both.
type Payload struct {
	Template json.RawMessage `json:"template,omitempty"` // JSON in which {name} is replaced; any kind of value
	Fields   []string        `json:"fields,omitempty"`   // paths into the dialect's own payload: only these are sent
	Add      json.RawMessage `json:"add,omitempty"`      // a template, an object that is merged into the dialect's own payload
}

// WebhookStatus says whether deliveries go out.
type WebhookStatus string

// The states of a webhook. Deliveries of a paused or disabled one are held, not dropped.
const (
	WebhookActive   WebhookStatus = "active"
	WebhookPaused   WebhookStatus = "paused"   // by a person, or because the receiver answered 410
	WebhookDisabled WebhookStatus = "disabled" // by failures
)

// Retry is what happens after a failed attempt: a wait before each further one, and how far the waits are spread.
type Retry struct {
	Schedule []Duration `json:"schedule"`
	Jitter   float64    `json:"jitter"` // 0 to 1: a wait is lengthened by up to this share of itself
}

// RateLimit bounds how many attempts are made in a period.
type RateLimit struct {
	Limit  int      `json:"limit"`
	Period Duration `json:"period"`
}

// Ordering says what must not be overtaken.
type Ordering string

// The orders that a webhook may ask for.
const (
	OrderingNone    Ordering = "none"    // as fast as possible
	OrderingWebhook Ordering = "webhook" // one after the other
	OrderingKey     Ordering = "key"     // one after the other for each ordering key
)

// Orderings are all the orders, for checks and documentation.
func Orderings() []Ordering { return []Ordering{OrderingNone, OrderingWebhook, OrderingKey} }

// KeyOf is what an event's delivery must stay in order with, among those of the webhook; nil for nothing. Without an ordering
// key of its own an event is ordered by its contact, of which upper and lower case are the same.
func (o Ordering) KeyOf(e *Event) *string {
	var key string
	switch {
	case o == OrderingWebhook: // all have the same
	case o != OrderingKey:
		return nil
	case e.OrderingKey != "":
		key = e.OrderingKey
	case e.Contact != "":
		key = strings.ToLower(e.Contact)
	default:
		return nil
	}
	return &key
}

// DisableAfter says when failures disable a webhook; a zero leaves that condition out.
type DisableAfter struct {
	Failures int      `json:"failures"` // failed deliveries in a row
	For      Duration `json:"for"`      // time since the last success
}

// Secret is a signing secret of a webhook, without the secret itself.
type Secret struct {
	ID        SecretID   `json:"id"`
	Kind      SecretKind `json:"kind"`
	PublicKey string     `json:"public_key,omitempty"` // ed25519: whpk_…, for the receiver
	CreatedAt Timestamp  `json:"created_at"`
	ExpiresAt *Timestamp `json:"expires_at"` // when it stops signing; null for the newest
}

// SecretKind is the algorithm that a secret signs with.
type SecretKind string

// The kinds of the Standard Webhooks specification.
const (
	SecretHMAC    SecretKind = "hmac"    // whsec_…, signatures v1: HMAC-SHA256
	SecretEd25519 SecretKind = "ed25519" // whsk_…, signatures v1a: ed25519
)
