package app

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// Bounds of a source's settings.
const (
	maxMapping   = 200 // rows
	maxActions   = 50
	maxAddresses = 200
	maxSecretLen = 4096 // bytes
)

// checkSource refuses settings that cannot work. Secret values stand in them.
func (a *App) checkSource(ctx context.Context, who Caller, p *postroom.Problems, s *postroom.SourceSettings, secrets postroom.SourceSecrets) error {
	checkName(p, "/name", s.Name)
	checkLongText(p, "/description", s.Description)
	if s.UID != nil && (!webhookUID.MatchString(*s.UID) || strings.HasPrefix(*s.UID, "src_")) {
		p.Add("/uid", "a uid is 1 to 64 letters, digits and . _ : @ -, begins with a letter or digit, and not with src_")
	}
	checkChoice(p, "/status", s.Status, []postroom.SourceStatus{postroom.SourceActive, postroom.SourceInactive})
	checkSourceSecrets(p, s)
	if r := s.RateLimit; r != nil {
		if r.Limit < 1 || r.Limit > maxRate {
			p.Add("/rate_limit/limit", "this is 1 to %d", maxRate)
		}
		if d := time.Duration(r.Period); d < minPeriod || d > maxPeriod {
			p.Add("/rate_limit/period", "this is %s to %s", postroom.Duration(minPeriod), postroom.Duration(maxPeriod))
		}
	}
	if h := s.Dedupe.Header; h != "" && !tokenName.MatchString(h) {
		p.Add("/dedupe/header", "%s cannot be the name of a header", quote(h))
	}
	if len(s.IPAllow) > maxAddresses {
		p.Add("/ip_allow", "there are at most %d addresses", maxAddresses)
	}
	if len(s.Mapping) > maxMapping {
		p.Add("/mapping", "there are at most %d rows", maxMapping)
	}
	if len(s.Actions) > maxActions {
		p.Add("/actions", "there are at most %d actions", maxActions)
	}
	if kinds := append([]string{postroom.KindGeneric}, a.Dialects.Kinds()...); !checkChoice(p, "/kind", s.Kind, kinds) {
		return nil // what else is wrong depends on it
	}
	return addAll(p, "", a.Intake.Check(ctx, who.Workspace, s, secrets))
}

func checkSourceSecrets(p *postroom.Problems, s *postroom.SourceSettings) {
	if k := s.APIKey; k != nil {
		if !tokenName.MatchString(k.Header) {
			p.Add("/api_key/header", "%s cannot be the name of a header", quote(k.Header))
		}
		checkCredential(p, "/api_key/key", k.Key)
	}
	if b := s.BasicAuth; b != nil {
		if b.Username == "" || strings.Contains(b.Username, ":") {
			p.Add("/basic_auth/username", "this is required, and holds no colon")
		}
		checkCredential(p, "/basic_auth/password", b.Password)
	}
	g := s.Signature
	if g == nil {
		return
	}
	if g.Secret == postroom.Redacted || len(g.Secret) > maxSecretLen {
		p.Add("/signature/secret", "this is a secret of at most %d bytes", maxSecretLen)
	}
	for i, secret := range g.Secrets {
		if secret == "" || secret == postroom.Redacted || len(secret) > maxSecretLen {
			p.Add("/signature/secrets/"+strconv.Itoa(i), "this is a secret of at most %d bytes", maxSecretLen)
		}
	}
	for name, value := range g.Credentials {
		if value == "" || value == postroom.Redacted || len(value) > maxSecretLen {
			p.Add("/signature/credentials/"+escapePointer(name), "this is a value of at most %d bytes", maxSecretLen)
		}
	}
}
