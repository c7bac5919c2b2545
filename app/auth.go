package app

import (
	"encoding/json"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/outbound"
)

// sealAuth seals the secret values of auth, and leaves Redacted where they stood.
func (a *App) sealAuth(w *postroom.StoredWebhook, auth *postroom.Auth) error {
	w.SealedAuth = nil
	if auth == nil || auth.Type == postroom.AuthNone && auth.TLS == nil {
		return nil
	}
	plain, err := json.Marshal(auth)
	if err != nil {
		return err
	}
	w.SealedAuth = a.Sealer.Seal(outbound.AuthContext(w.ID), plain)
	w.Auth, err = redact(plain)
	return err
}

// redact gives an auth without its secret values.
func redact(plain []byte) (*postroom.Auth, error) {
	r := &postroom.Auth{}
	if err := json.Unmarshal(plain, r); err != nil { // a deep copy
		return nil, err
	}
	values, maps := r.Secrets()
	for _, v := range values {
		if *v != "" {
			*v = postroom.Redacted
		}
	}
	for _, m := range maps {
		for name := range m {
			m[name] = postroom.Redacted
		}
	}
	return r, nil
}

// unredact puts the old secret values where the new auth says Redacted. What there is no old value for stays, and is refused
// as any value that is none.
func unredact(auth, old *postroom.Auth) {
	if auth == nil || old == nil {
		return
	}
	values, maps := auth.Secrets()
	oldValues, oldMaps := old.Secrets()
	for i, v := range values {
		if *v == postroom.Redacted && i < len(oldValues) && *oldValues[i] != "" {
			*v = *oldValues[i]
		}
	}
	for i, m := range maps {
		for name, value := range m {
			if was, ok := oldMaps[i][name]; ok && value == postroom.Redacted {
				m[name] = was
			}
		}
	}
}
