package outbound

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// credentials are what a webhook proves itself with that is more than a text: an access token that is kept, and
// connections of its own for its certificate. They outlive the Target, which is made anew whenever anything changes.
type credentials struct {
	digest    [sha256.Size]byte // of the auth that they were made of
	sender    Sender            // that of the engine, or one with the webhook's certificate
	tokens    *tokens           // nil without OAuth 2
	expiresAt time.Time         // of the certificate; zero without one
}

// credentialsOf gives a webhook's credentials: those that it had, unless its auth has changed since. auth is open; nil
// credentials are those of a webhook that needs none.
func (t *targets) credentialsOf(id postroom.WebhookID, auth *postroom.Auth) (*credentials, error) {
	t.mu.Lock() // all along, so that two attempts do not make two
	defer t.mu.Unlock()
	if auth == nil || auth.Type != postroom.AuthOAuth2 && auth.TLS == nil {
		delete(t.credentials, id)
		return nil, nil
	}
	text, err := json.Marshal(auth)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(text)
	if had := t.credentials[id]; had != nil && had.digest == digest {
		return had, nil
	}
	made, err := t.newCredentials(auth)
	if err != nil {
		return nil, fmt.Errorf("the auth of webhook %s: %w", id, err)
	}
	made.digest = digest
	if len(t.credentials) >= maxTargets {
		for other := range t.credentials { // any one will do
			delete(t.credentials, other)
			break
		}
	}
	t.credentials[id] = made
	return made, nil
}

func (t *targets) newCredentials(auth *postroom.Auth) (*credentials, error) {
	c := &credentials{sender: t.sender}
	if auth.TLS != nil {
		id, err := identity(auth.TLS)
		if err != nil {
			return nil, err
		}
		if c.sender = t.senderAs(id); id.Certificate != nil {
			c.expiresAt = id.Certificate.Leaf.NotAfter
		}
	}
	if auth.Type == postroom.AuthOAuth2 {
		g, err := newGrant(auth, c.sender, t.now)
		if err != nil {
			return nil, err
		}
		c.tokens = &tokens{now: t.now, fetch: g.fetch}
	}
	return c, nil
}

// expired explains a failure by a certificate that has expired since it was saved; it is empty when that is not why.
func (c *credentials) expired(r Result, now time.Time) string {
	if c == nil || c.expiresAt.IsZero() || now.Before(c.expiresAt) {
		return ""
	}
	switch r.StatusCode {
	case 0, 400, 401, 403: // servers and proxies refuse it in the handshake, or in an answer
		return "The webhook's client certificate expired at " + c.expiresAt.UTC().Format("2006-01-02 15:04 MST") + ": give it a new one in auth.tls."
	}
	return ""
}
