package ui

import (
	"strings"

	"github.com/postroom/postroom"
)

// authTypes are the kinds of authorization, for forms.
func authTypes() []option {
	return []option{
		{string(postroom.AuthNone), "None", "The signature alone, where the dialect has one."},
		{string(postroom.AuthBearer), "Bearer token", "Authorization: Bearer …"},
		{string(postroom.AuthAPIKey), "API key", "In a header, X-API-Key unless you name another."},
		{string(postroom.AuthBasic), "Basic", "A user name and a password."},
		{string(postroom.AuthHeader), "Headers of your own", "Several, whose values are kept secret."},
		{string(postroom.AuthQuery), "Query parameters", "In the URL: less safe, since URLs get into logs."},
		{string(postroom.AuthOAuth2), "OAuth 2", "With access tokens that Postroom gets and renews."},
	}
}

// auth reads how the webhook proves itself. A secret value that is empty stays as it was, if the kind does.
func (r *formReader) auth(old *postroom.WebhookSettings) *postroom.Auth {
	a := &postroom.Auth{Type: postroom.AuthType(r.Get("auth.type"))}
	if a.Type == "" {
		a.Type = postroom.AuthNone
	}
	was := &postroom.Auth{}
	if old != nil && old.Auth != nil {
		was = old.Auth
	}
	secret := func(name, before string) string {
		if v := r.Get(name); v != "" || before == "" || was.Type != a.Type {
			return v
		}
		return postroom.Redacted
	}
	switch a.Type {
	case postroom.AuthAPIKey:
		a.Header, a.Key = r.Get("auth.header"), secret("auth.key", was.Key)
	case postroom.AuthBearer:
		a.Token = secret("auth.token", was.Token)
	case postroom.AuthBasic:
		a.Username, a.Password = r.Get("auth.username"), secret("auth.password", was.Password)
	case postroom.AuthHeader:
		a.Headers = r.pairs("auth.headers", ":")
	case postroom.AuthQuery:
		a.Query = r.pairs("auth.query", "=")
	case postroom.AuthOAuth2:
		r.oauth2(a, was, secret)
	}
	tls := postroom.ClientTLS{Certificate: r.Get("auth.tls.certificate"), Key: r.Get("auth.tls.key"), CA: r.Get("auth.tls.ca")}
	if tls.Key == "" && tls.Certificate != "" && was.TLS != nil && was.TLS.Key != "" {
		tls.Key = postroom.Redacted
	}
	if tls != (postroom.ClientTLS{}) {
		a.TLS = &tls
	}
	return a
}

func (r *formReader) oauth2(a, was *postroom.Auth, secret func(name, before string) string) {
	a.Grant, a.TokenURL, a.Audience = postroom.OAuthGrant(r.Get("auth.grant")), r.Get("auth.token_url"), r.Get("auth.audience")
	a.Scopes = strings.Fields(r.Get("auth.scopes"))
	if params := r.pairs("auth.params", "="); len(params) > 0 {
		a.Params = params
	}
	if a.Grant != postroom.GrantJWTBearer {
		a.ClientID, a.ClientSecret = r.Get("auth.client_id"), secret("auth.client_secret", was.ClientSecret)
		a.ClientAuth = postroom.OAuthClientAuth(r.Get("auth.client_auth"))
		return
	}
	a.Issuer, a.Subject, a.KeyID = r.Get("auth.issuer"), r.Get("auth.subject"), r.Get("auth.key_id")
	a.PrivateKey = secret("auth.private_key", was.PrivateKey)
	a.Lifetime = r.duration("auth.lifetime", 0)
	if claims := r.pairs("auth.claims", "="); len(claims) > 0 {
		a.Claims = claims
	}
}

// authValues fills a form with what is not secret; what is secret among names stands there as it is redacted.
func authValues(f *form, a *postroom.Auth) {
	f.values.Set("auth.type", string(postroom.AuthNone))
	f.values.Set("auth.grant", string(postroom.GrantClientCredentials))
	if a == nil {
		return
	}
	f.values.Set("auth.type", string(a.Type))
	for name, value := range map[string]string{"header": a.Header, "username": a.Username, "token_url": a.TokenURL, "audience": a.Audience,
		"grant": string(a.Grant), "client_id": a.ClientID, "client_auth": string(a.ClientAuth), "issuer": a.Issuer, "subject": a.Subject, "key_id": a.KeyID,
		"scopes": strings.Join(a.Scopes, " "), "headers": linesOfPairs(a.Headers, ": "), "query": linesOfPairs(a.Query, "="), "params": linesOfPairs(a.Params, "="),
		"claims": linesOfPairs(a.Claims, "=")} {
		if value != "" {
			f.values.Set("auth."+name, value)
		}
	}
	if a.Lifetime != 0 {
		f.values.Set("auth.lifetime", a.Lifetime.String())
	}
	if a.TLS != nil {
		f.values.Set("auth.tls.certificate", a.TLS.Certificate)
		f.values.Set("auth.tls.ca", a.TLS.CA)
	}
}

// previewAuth is an auth that a call can be shown with: what is secret and not at hand is stood in for, and what a token endpoint would give
// too. Credentials are left out of what is shown anyway.
func previewAuth(a *postroom.Auth) *postroom.Auth {
	if a.Type == postroom.AuthOAuth2 {
		return &postroom.Auth{Type: postroom.AuthNone}
	}
	a.TLS = nil
	for name, field := range map[postroom.AuthType]*string{postroom.AuthAPIKey: &a.Key, postroom.AuthBearer: &a.Token, postroom.AuthBasic: &a.Password} {
		if a.Type == name && (*field == "" || *field == postroom.Redacted) {
			*field = "secret"
		}
	}
	if a.Type == postroom.AuthBasic && a.Username == "" {
		a.Username = "user"
	}
	for _, m := range []map[string]string{a.Headers, a.Query} {
		for name, value := range m {
			if value == "" || value == postroom.Redacted {
				m[name] = "secret"
			}
		}
	}
	if len(a.Headers) == 0 && a.Type == postroom.AuthHeader || len(a.Query) == 0 && a.Type == postroom.AuthQuery {
		a.Type = postroom.AuthNone
	}
	return a
}
