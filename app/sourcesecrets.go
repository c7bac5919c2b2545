package app

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/inbound"
)

const (
	// maskedToken stands in the URL of a source where its token is not shown.
	maskedToken = "***"

	defaultSourceKeyHeader = "X-API-Key"
)

// newSourceSecret makes a token or an API key: 26 letters and digits, which hold 130 random bits.
func newSourceSecret() string { return strings.ToLower(rand.Text()) }

func (a *App) sealSource(s *postroom.StoredSource, secrets postroom.SourceSecrets) error {
	plain, err := json.Marshal(secrets)
	if err != nil {
		return err
	}
	s.Sealed = a.Sealer.Seal(inbound.SourceContext(s.ID), plain)
	return nil
}

func (a *App) openSource(s *postroom.StoredSource) (secrets postroom.SourceSecrets, err error) {
	plain, err := a.Sealer.Open(inbound.SourceContext(s.ID), s.Sealed)
	if err != nil {
		return secrets, fmt.Errorf("the secrets of source %s: %w", s.ID, err)
	}
	if err := json.Unmarshal(plain, &secrets); err != nil {
		return secrets, fmt.Errorf("the secrets of source %s: %w", s.ID, err)
	}
	return secrets, nil
}

// setSecrets puts the old secret values where the settings say Redacted, makes an API key where one without a value is asked for, and takes
// the secrets as they become from the settings. What there is no old value for stays, and is refused as any value that is none.
func (e *sourceEdit) setSecrets() {
	s, old := &e.after.SourceSettings, e.secrets
	fresh := postroom.SourceSecrets{Token: old.Token}
	if s.APIKey != nil {
		restore(&s.APIKey.Key, old.APIKey)
		if s.APIKey.Key == "" {
			s.APIKey.Key, e.newAPIKey = newSourceSecret(), true
		}
		fresh.APIKey = s.APIKey.Key
	}
	if s.BasicAuth != nil {
		restore(&s.BasicAuth.Password, old.Password)
		fresh.Password = s.BasicAuth.Password
	}
	if s.Signature != nil {
		restoreSignature(s.Signature, old)
		if s.Signature.Secret != "" {
			fresh.Signature = append([]string{s.Signature.Secret}, s.Signature.Secrets...)
		}
		fresh.Credentials = s.Signature.Credentials
	}
	e.secrets = fresh
}

// restore puts an old value where Redacted stands for it.
func restore(value *string, old string) {
	if *value == postroom.Redacted && old != "" {
		*value = old
	}
}

// restoreSignature puts the old secrets of a signature in their places. In the list of further ones, each Redacted stands for the next of the
// old list; and after its end for the old secret, if that was replaced, so that a secret can be rotated by whoever does not know it.
func restoreSignature(g *postroom.SourceSignature, old postroom.SourceSecrets) {
	further := []string(nil)
	if len(old.Signature) > 0 {
		further = append(further, old.Signature[1:]...)
		if g.Secret == postroom.Redacted {
			g.Secret = old.Signature[0]
		} else {
			further = append(further, old.Signature[0])
		}
	}
	for i := range g.Secrets {
		if g.Secrets[i] == postroom.Redacted && len(further) > 0 {
			g.Secrets[i], further = further[0], further[1:]
		}
	}
	for name, value := range g.Credentials {
		if was, ok := old.Credentials[name]; ok && value == postroom.Redacted {
			g.Credentials[name] = was
		}
	}
}

// redactSource leaves Redacted where secret values stand. The secrets that were taken from the settings stay as they are.
func redactSource(s *postroom.SourceSettings) {
	hide := func(value *string) {
		if *value != "" {
			*value = postroom.Redacted
		}
	}
	if s.APIKey != nil {
		hide(&s.APIKey.Key)
	}
	if s.BasicAuth != nil {
		hide(&s.BasicAuth.Password)
	}
	if g := s.Signature; g != nil {
		hide(&g.Secret)
		secrets := make([]string, len(g.Secrets))
		for i := range secrets {
			secrets[i] = postroom.Redacted
		}
		if g.Secrets = secrets; len(secrets) == 0 {
			g.Secrets = nil
		}
		if g.Credentials != nil {
			names := map[string]string{}
			for name := range g.Credentials {
				names[name] = postroom.Redacted
			}
			g.Credentials = names
		}
	}
}

// show is the source with those secrets that are told this once.
func (e *sourceEdit) show(public string) postroom.Source {
	s := e.after.Source
	token := maskedToken
	if e.before == nil || e.newToken {
		token = e.secrets.Token
	}
	s.URL = sourceURL(public, &s, token)
	if e.newAPIKey {
		key := *s.APIKey
		key.Key = e.secrets.APIKey
		s.APIKey = &key
	}
	return s
}
