package app

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/outbound"
)

// Bounds of a webhook's auth.
const (
	maxPEM       = 64 << 10 // bytes
	maxScopes    = 50
	maxParams    = 20
	minAssertion = 30 * time.Second
	maxAssertion = time.Hour
)

// authField is a field of auth, for the check that it goes with the type.
type authField struct {
	name string
	set  bool
}

func authFields(a *postroom.Auth) []authField {
	return []authField{{"key", a.Key != ""}, {"token", a.Token != ""}, {"username", a.Username != ""}, {"password", a.Password != ""},
		{"header", a.Header != ""}, {"headers", len(a.Headers) > 0}, {"query", len(a.Query) > 0}, {"grant", a.Grant != ""},
		{"token_url", a.TokenURL != ""}, {"scopes", len(a.Scopes) > 0}, {"audience", a.Audience != ""}, {"params", len(a.Params) > 0},
		{"client_id", a.ClientID != ""}, {"client_secret", a.ClientSecret != ""}, {"client_auth", a.ClientAuth != ""}, {"issuer", a.Issuer != ""},
		{"subject", a.Subject != ""}, {"private_key", a.PrivateKey != ""}, {"key_id", a.KeyID != ""}, {"claims", len(a.Claims) > 0},
		{"lifetime", a.Lifetime != 0}}
}

// fieldsOf are the fields that go with a type of auth, or with one of the grants of oauth2.
func fieldsOf() map[string][]string {
	token := []string{"grant", "token_url", "scopes", "audience", "params"}
	return map[string][]string{
		string(postroom.AuthNone):   nil,
		string(postroom.AuthAPIKey): {"key", "header"},
		string(postroom.AuthBearer): {"token"},
		string(postroom.AuthBasic):  {"username", "password"},
		string(postroom.AuthHeader): {"headers"},
		string(postroom.AuthQuery):  {"query"},

		string(postroom.GrantClientCredentials): append(token, "client_id", "client_secret", "client_auth"),
		string(postroom.GrantJWTBearer):         append(token, "issuer", "subject", "private_key", "key_id", "claims", "lifetime"),
	}
}

func (a *App) checkAuth(p *postroom.Problems, s, before *postroom.WebhookSettings) {
	auth := s.Auth
	if auth == nil {
		return
	}
	var was postroom.Auth
	if before != nil && before.Auth != nil {
		was = *before.Auth
	}
	a.checkClientTLS(p, s, was.TLS)
	if !checkChoice(p, "/auth/type", auth.Type, postroom.AuthTypes()) {
		return
	}
	kind, with := string(auth.Type), "the type "+string(auth.Type)
	if auth.Type == postroom.AuthOAuth2 {
		if !checkChoice(p, "/auth/grant", auth.Grant, postroom.OAuthGrants()) {
			return
		}
		kind, with = string(auth.Grant), "the grant "+string(auth.Grant)
	}
	mine := fieldsOf()[kind]
	for _, f := range authFields(auth) {
		if f.set && !slices.Contains(mine, f.name) {
			p.Add("/auth/"+f.name, "this does not go with %s", with)
		}
	}
	if auth.Type == postroom.AuthOAuth2 {
		a.checkOAuth2(p, auth, was.TokenURL)
	} else {
		checkCredentials(p, auth)
	}
}

// checkChoice refuses what is not one of a few words, and suggests the nearest of them.
func checkChoice[T ~string](p *postroom.Problems, pointer string, given T, choices []T) bool {
	if slices.Contains(choices, given) {
		return true
	}
	words := make([]string, len(choices))
	for i, c := range choices {
		words[i] = string(c)
	}
	last := len(words) - 1
	detail := "this is " + strings.Join(words[:last], ", ") + " or " + words[last]
	if near := catalogue.NearestWord(string(given), words); near != "" {
		detail += "; did you mean " + near + "?"
	}
	p.Add(pointer, "%s", detail)
	return false
}

func checkCredentials(p *postroom.Problems, auth *postroom.Auth) {
	switch auth.Type {
	case postroom.AuthAPIKey:
		name := auth.Header
		if name == "" {
			name = outbound.DefaultAPIKeyHeader
		}
		checkHeader(p, "/auth/header", name, "")
		checkCredential(p, "/auth/key", auth.Key)
	case postroom.AuthBearer:
		checkCredential(p, "/auth/token", auth.Token)
	case postroom.AuthBasic:
		if auth.Username == "" || strings.Contains(auth.Username, ":") {
			p.Add("/auth/username", "this is required, and holds no colon")
		}
		checkCredential(p, "/auth/password", auth.Password)
	case postroom.AuthHeader:
		if len(auth.Headers) == 0 {
			p.Add("/auth/headers", "this is required")
		}
		checkHeaders(p, "/auth/headers", auth.Headers)
	case postroom.AuthQuery:
		if len(auth.Query) == 0 {
			p.Add("/auth/query", "this is required")
		}
		for name, value := range auth.Query {
			checkCredential(p, "/auth/query/"+escapePointer(name), value)
		}
	}
}

// checkCredential checks a required value that goes into a header or a URL.
func checkCredential(p *postroom.Problems, pointer, value string) {
	if checkGiven(p, pointer, value) {
		checkHeader(p, pointer, "X-Credential", value)
	}
}

// checkGiven refuses a required value that is empty, or only stands for one that is not there.
func checkGiven(p *postroom.Problems, pointer, value string) bool {
	given := value != "" && value != postroom.Redacted
	if !given {
		p.Add(pointer, "this is required")
	}
	return given
}

// checkOAuth2 checks what a token is asked for with. The URL is held against the policy when it has changed.
func (a *App) checkOAuth2(p *postroom.Problems, auth *postroom.Auth, oldURL string) {
	if auth.TokenURL == "" || auth.TokenURL != oldURL {
		a.checkURL(p, "/auth/token_url", auth.TokenURL)
	}
	if len(auth.Scopes) > maxScopes {
		p.Add("/auth/scopes", "there are at most %d scopes", maxScopes)
	}
	for i, scope := range auth.Scopes {
		if !isScope(scope) {
			p.Add("/auth/scopes/"+strconv.Itoa(i), "a scope is printable ASCII without spaces, quotes and backslashes")
		}
	}
	checkText(p, "/auth/audience", auth.Audience, maxHeaderValue)
	reserved := []string{"grant_type", "scope", "assertion"}
	if auth.Grant == postroom.GrantClientCredentials {
		reserved = []string{"grant_type", "scope", "audience", "client_id", "client_secret"}
		a.checkClient(p, auth)
	} else {
		checkAssertion(p, auth)
	}
	checkNames(p, "/auth/params", auth.Params, reserved, "the token request sets it itself, or a field of auth does")
	for name, value := range auth.Params {
		checkGiven(p, "/auth/params/"+escapePointer(name), value)
	}
}

// isScope tells whether a text is a scope-token (RFC 6749, 3.3).
func isScope(s string) bool {
	return s != "" && len(s) <= 1024 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// checkNames checks a map of texts.
func checkNames(p *postroom.Problems, pointer string, m map[string]string, reserved []string, why string) {
	if len(m) > maxParams {
		p.Add(pointer, "there are at most %d", maxParams)
	}
	for name, value := range m {
		at := pointer + "/" + escapePointer(name)
		if name == "" {
			p.Add(at, "a name is required")
		}
		if slices.Contains(reserved, name) {
			p.Add(at, "this cannot be set here: %s", why)
		}
		checkText(p, at, value, maxHeaderValue)
	}
}

func (a *App) checkClient(p *postroom.Problems, auth *postroom.Auth) {
	if checkGiven(p, "/auth/client_id", auth.ClientID) {
		checkText(p, "/auth/client_id", auth.ClientID, maxHeaderValue)
	}
	if auth.ClientAuth != "" {
		checkChoice(p, "/auth/client_auth", auth.ClientAuth, postroom.OAuthClientAuths())
	}
	switch {
	case auth.ClientSecret == "" && auth.TLS != nil && auth.TLS.Certificate != "": // the certificate proves who it is
	case checkGiven(p, "/auth/client_secret", auth.ClientSecret):
		checkText(p, "/auth/client_secret", auth.ClientSecret, maxHeaderValue)
	}
}

func checkAssertion(p *postroom.Problems, auth *postroom.Auth) {
	if checkGiven(p, "/auth/issuer", auth.Issuer) {
		checkText(p, "/auth/issuer", auth.Issuer, maxHeaderValue)
	}
	checkText(p, "/auth/subject", auth.Subject, maxHeaderValue)
	checkText(p, "/auth/key_id", auth.KeyID, maxHeaderValue)
	if d := time.Duration(auth.Lifetime); d != 0 && (d < minAssertion || d > maxAssertion) {
		p.Add("/auth/lifetime", "this is %s to %s", postroom.Duration(minAssertion), postroom.Duration(maxAssertion))
	}
	if checkPEM(p, "/auth/private_key", auth.PrivateKey) {
		if _, _, err := outbound.ParseAssertionKey(auth.PrivateKey); err != nil {
			p.Add("/auth/private_key", "%s", err.Error())
		}
	}
	checkNames(p, "/auth/claims", auth.Claims, []string{"iss", "sub", "aud", "iat", "exp", "jti"}, "Postroom sets it, or a field of auth does")
}

func checkPEM(p *postroom.Problems, pointer, text string) bool {
	if len(text) > maxPEM {
		p.Add(pointer, "this is at most %d KiB long", maxPEM>>10)
		return false
	}
	return checkGiven(p, pointer, text)
}

// checkClientTLS checks a webhook's own certificate. One that has expired since it was saved is no reason to refuse another
// change.
func (a *App) checkClientTLS(p *postroom.Problems, s *postroom.WebhookSettings, was *postroom.ClientTLS) {
	c := s.Auth.TLS
	if c == nil {
		return
	}
	if c.Certificate == "" && c.Key == "" && c.CA == "" {
		p.Add("/auth/tls", "this has a certificate and its key, a ca, or both")
	}
	if scheme, _, _ := strings.Cut(s.URL, ":"); strings.EqualFold(scheme, "http") {
		p.Add("/auth/tls", "this goes with a URL that starts with https://")
	}
	if c.CA != "" && checkPEM(p, "/auth/tls/ca", c.CA) {
		if _, err := outbound.ParseCertificates(c.CA); err != nil {
			p.Add("/auth/tls/ca", "%s", err.Error())
		}
	}
	if c.Certificate != "" || c.Key != "" {
		checkKeyPair(p, c, was == nil || was.Certificate != c.Certificate, a.Now())
	}
}

func checkKeyPair(p *postroom.Problems, c *postroom.ClientTLS, changed bool, now time.Time) {
	const atCertificate, atKey = "/auth/tls/certificate", "/auth/tls/key"
	hasCertificate, hasKey := checkPEM(p, atCertificate, c.Certificate), checkPEM(p, atKey, c.Key)
	if !hasCertificate || !hasKey {
		return
	}
	chain, err := outbound.ParseCertificates(c.Certificate)
	if err != nil {
		p.Add(atCertificate, "%s", err.Error())
	}
	key, keyErr := outbound.ParsePrivateKey(c.Key)
	if keyErr != nil {
		p.Add(atKey, "%s", keyErr.Error())
	}
	if err != nil || keyErr != nil {
		return
	}
	if !outbound.SamePublicKey(chain[0], key) {
		p.Add(atKey, "this is not the key of the certificate, or the certificate is not the first of its chain")
	}
	if changed && !now.Before(chain[0].NotAfter) {
		p.Add(atCertificate, "the certificate expired at %s", stamp(chain[0].NotAfter))
	}
}
