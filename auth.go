package postroom

// Auth is how a webhook proves itself to its receiver, besides the signature. Values are write-only: they are sealed
// before they are stored, and read back as Redacted. A client certificate goes with any type.
type Auth struct {
	Type     AuthType          `json:"type"`
	Header   string            `json:"header,omitempty"`   // api_key: the header, by default X-API-Key
	Key      string            `json:"key,omitempty"`      // api_key
	Token    string            `json:"token,omitempty"`    // bearer
	Username string            `json:"username,omitempty"` // basic
	Password string            `json:"password,omitempty"` // basic
	Headers  map[string]string `json:"headers,omitempty"`  // header
	Query    map[string]string `json:"query,omitempty"`    // query

	// OAuth 2: where a token comes from, and what it is asked for with.
	Grant    OAuthGrant        `json:"grant,omitempty"`
	TokenURL string            `json:"token_url,omitempty"`
	Scopes   []string          `json:"scopes,omitempty"`
	Audience string            `json:"audience,omitempty"` // a parameter of client_credentials; the claim aud of jwt_bearer, by default the token URL
	Params   map[string]string `json:"params,omitempty"`   // further parameters of the token request

	ClientID     string          `json:"client_id,omitempty"`     // client_credentials
	ClientSecret string          `json:"client_secret,omitempty"` // client_credentials; may be empty with a client certificate
	ClientAuth   OAuthClientAuth `json:"client_auth,omitempty"`   // client_credentials: where id and secret go, by default the header

	Issuer     string            `json:"issuer,omitempty"`      // jwt_bearer: the claim iss
	Subject    string            `json:"subject,omitempty"`     // jwt_bearer: the claim sub, by default the issuer
	PrivateKey string            `json:"private_key,omitempty"` // jwt_bearer: PEM; RSA signs RS256, P-256 ES256, Ed25519 EdDSA
	KeyID      string            `json:"key_id,omitempty"`      // jwt_bearer: the assertion's kid
	Claims     map[string]string `json:"claims,omitempty"`      // jwt_bearer: further claims
	Lifetime   Duration          `json:"lifetime,omitempty"`    // jwt_bearer: of an assertion, by default 3 minutes

	TLS *ClientTLS `json:"tls,omitempty"`
}

// AuthType names a way to prove oneself.
type AuthType string

// The ways that are offered.
const (
	AuthNone   AuthType = "none"
	AuthAPIKey AuthType = "api_key"
	AuthBearer AuthType = "bearer"
	AuthBasic  AuthType = "basic"
	AuthHeader AuthType = "header"
	AuthQuery  AuthType = "query"
	AuthOAuth2 AuthType = "oauth2"
)

// AuthTypes are all of them, for checks and documentation.
func AuthTypes() []AuthType {
	return []AuthType{AuthNone, AuthAPIKey, AuthBearer, AuthBasic, AuthHeader, AuthQuery, AuthOAuth2}
}

// OAuthGrant is what a token is given for.
type OAuthGrant string

// The grants that need no person.
const (
	GrantClientCredentials OAuthGrant = "client_credentials" // RFC 6749, 4.4: an id and a secret
	GrantJWTBearer         OAuthGrant = "jwt_bearer"         // RFC 7523: an assertion signed with a private key
)

// OAuthGrants are all of them, for checks and documentation.
func OAuthGrants() []OAuthGrant { return []OAuthGrant{GrantClientCredentials, GrantJWTBearer} }

// OAuthClientAuth says where the client's id and secret stand in a token request.
type OAuthClientAuth string

// The places of RFC 6749, 2.3.1.
const (
	ClientAuthHeader OAuthClientAuth = "header" // Authorization: Basic …
	ClientAuthBody   OAuthClientAuth = "body"   // client_id and client_secret in the form
)

// OAuthClientAuths are all of them, for checks and documentation.
func OAuthClientAuths() []OAuthClientAuth { return []OAuthClientAuth{ClientAuthHeader, ClientAuthBody} }

// ClientTLS is what a webhook brings to the TLS handshake (mutual TLS), with its receiver and with the token endpoint.
type ClientTLS struct {
	Certificate string `json:"certificate,omitempty"` // PEM: the certificate, and then those between it and its authority
	Key         string `json:"key,omitempty"`         // PEM: the certificate's private key; write-only
	CA          string `json:"ca,omitempty"`          // PEM: authorities that are trusted besides the usual ones
}

// Redacted stands where a secret value is not shown. Written back in a PATCH, it leaves the value as it was.
const Redacted = "•••"

// Secrets gives the places of the values that are secret: the single ones, of which some may be empty, and those in maps.
func (a *Auth) Secrets() (values []*string, maps []map[string]string) {
	values = []*string{&a.Key, &a.Token, &a.Password, &a.ClientSecret, &a.PrivateKey}
	if a.TLS != nil {
		values = append(values, &a.TLS.Key)
	}
	return values, []map[string]string{a.Headers, a.Query, a.Params}
}
