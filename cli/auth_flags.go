package cli

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/postroom/postroom"
)

// authFlags say how a webhook proves itself to its receiver, besides the signature.
type authFlags struct {
	NoAuth       bool              `name:"no-auth" xor:"auth" help:"Nothing but the signature, and the client certificate if there is one."`
	Bearer       *string           `name:"auth-bearer" xor:"auth" placeholder:"TOKEN" help:"Authorization: Bearer TOKEN."`
	Basic        *string           `name:"auth-basic" xor:"auth" placeholder:"USER:PASSWORD" help:"Authorization: Basic …"`
	APIKey       *string           `name:"auth-api-key" xor:"auth" placeholder:"KEY" help:"X-API-Key: KEY, or the header that --auth-api-key-header names."`
	APIKeyHeader *string           `name:"auth-api-key-header" placeholder:"NAME" help:"Header for --auth-api-key."`
	Header       map[string]string `name:"auth-header" xor:"auth" mapsep:"none" placeholder:"NAME=VALUE" help:"A secret header; may be repeated."`
	Query        map[string]string `name:"auth-query" xor:"auth" mapsep:"none" placeholder:"NAME=VALUE" help:"A secret query parameter; may be repeated."`
	JSON         *string           `name:"auth" xor:"auth" placeholder:"JSON" help:"Any kind, as the API takes it: JSON, @FILE, or - for stdin."`

	ClientID     *string           `name:"auth-client-id" placeholder:"ID" help:"OAuth 2 client credentials: the client's id."`
	ClientSecret *string           `name:"auth-client-secret" xor:"auth" placeholder:"SECRET" help:"OAuth 2 client credentials: the client's secret."`
	ClientAuth   *string           `name:"auth-client-in" placeholder:"PLACE" help:"Where id and secret go in the token request: header or body."`
	PrivateKey   *string           `name:"auth-private-key" xor:"auth" placeholder:"PEM" help:"OAuth 2 JWT bearer: the key that signs assertions."`
	Issuer       *string           `name:"auth-issuer" placeholder:"TEXT" help:"OAuth 2 JWT bearer: the assertion's iss."`
	Subject      *string           `name:"auth-subject" placeholder:"TEXT" help:"OAuth 2 JWT bearer: the assertion's sub; by default the issuer."`
	KeyID        *string           `name:"auth-key-id" placeholder:"ID" help:"OAuth 2 JWT bearer: the assertion's kid."`
	TokenURL     *string           `name:"auth-token-url" placeholder:"URL" help:"OAuth 2: where a token is asked for."`
	Scopes       []string          `name:"auth-scope" placeholder:"NAMES" help:"OAuth 2: scopes."`
	Audience     *string           `name:"auth-audience" placeholder:"TEXT" help:"OAuth 2: the audience of the token, or of the assertion."`
	Params       map[string]string `name:"auth-param" mapsep:"none" placeholder:"NAME=VALUE" help:"OAuth 2: a further parameter of the token request; may be repeated."`

	Certificate *string `name:"tls-certificate" placeholder:"PEM" help:"Client certificate for mutual TLS, with its chain; goes with any of the above."`
	Key         *string `name:"tls-key" placeholder:"PEM" help:"The client certificate's private key."`
	CA          *string `name:"tls-ca" placeholder:"PEM" help:"Authorities that are trusted besides the usual ones."`
	NoTLS       bool    `name:"no-tls" help:"No client certificate and no authorities of its own."`
}

// patch is the auth that was asked for, as a merge patch; nil when nothing was.
func (f authFlags) patch(s *session) (map[string]any, error) {
	if f.JSON != nil {
		return f.json(s)
	}
	auth, err := f.value(s)
	if err != nil {
		return nil, err
	}
	put(auth, "token_url", f.TokenURL)
	put(auth, "audience", f.Audience)
	put(auth, "client_id", f.ClientID)
	put(auth, "client_auth", f.ClientAuth)
	put(auth, "issuer", f.Issuer)
	put(auth, "subject", f.Subject)
	put(auth, "key_id", f.KeyID)
	if len(f.Scopes) > 0 {
		auth["scopes"] = f.Scopes
	}
	if len(f.Params) > 0 {
		if auth["params"], err = f.secrets(s, f.Params); err != nil {
			return nil, err
		}
	}
	if err := f.setGrant(auth); err != nil {
		return nil, err
	}
	tls, err := f.tls(s)
	if err != nil {
		return nil, err
	}
	switch {
	case f.NoTLS && len(tls) > 0:
		return nil, usagef("--no-tls does not go with --tls-certificate, --tls-key and --tls-ca")
	case f.NoTLS:
		auth["tls"] = nil
	case len(tls) > 0:
		auth["tls"] = tls
	}
	if len(auth) == 0 {
		return nil, nil
	}
	return auth, nil
}

// setGrant adds the grant of OAuth 2 that the flags are for. Flags that are for both leave a webhook's grant as it is.
func (f authFlags) setGrant(auth map[string]any) error {
	client := f.ClientID != nil || f.ClientSecret != nil || f.ClientAuth != nil
	assertion := f.PrivateKey != nil || f.Issuer != nil || f.Subject != nil || f.KeyID != nil
	grant := postroom.GrantClientCredentials
	switch {
	case !client && !assertion:
		return nil
	case client && assertion:
		return usagef("--auth-client-… are for client credentials, and --auth-private-key, --auth-issuer, --auth-subject and --auth-key-id for JWT bearer: give those of one")
	case assertion:
		grant = postroom.GrantJWTBearer
	}
	if kind, is := auth["type"]; is && kind != postroom.AuthOAuth2 {
		return usagef("the flags of OAuth 2 do not go with another kind of authentication")
	}
	auth["type"], auth["grant"] = postroom.AuthOAuth2, grant
	return nil
}

// value is the part of the auth that the flags name of which there can be one.
func (f authFlags) value(s *session) (map[string]any, error) {
	if f.APIKeyHeader != nil && f.APIKey == nil {
		return nil, usagef("--auth-api-key-header goes with --auth-api-key, which is missing")
	}
	switch {
	case f.ClientSecret != nil:
		secret, err := s.secretValue(*f.ClientSecret)
		return map[string]any{"type": postroom.AuthOAuth2, "client_secret": secret}, err
	case f.PrivateKey != nil:
		key, err := s.secretText(*f.PrivateKey)
		return map[string]any{"type": postroom.AuthOAuth2, "private_key": key}, err
	case f.NoAuth:
		return map[string]any{"type": postroom.AuthNone}, nil
	case f.Bearer != nil:
		token, err := s.secretValue(*f.Bearer)
		return map[string]any{"type": postroom.AuthBearer, "token": token}, err
	case f.Basic != nil:
		both, err := s.secretValue(*f.Basic)
		user, password, ok := strings.Cut(both, ":")
		if err == nil && !ok {
			err = usagef("--auth-basic must be a user and a password with a colon between them")
		}
		return map[string]any{"type": postroom.AuthBasic, "username": user, "password": password}, err
	case f.APIKey != nil:
		key, err := s.secretValue(*f.APIKey)
		auth := map[string]any{"type": postroom.AuthAPIKey, "key": key}
		put(auth, "header", f.APIKeyHeader)
		return auth, err
	case len(f.Header) > 0:
		values, err := f.secrets(s, f.Header)
		return map[string]any{"type": postroom.AuthHeader, "headers": values}, err
	case len(f.Query) > 0:
		values, err := f.secrets(s, f.Query)
		return map[string]any{"type": postroom.AuthQuery, "query": values}, err
	}
	return map[string]any{}, nil
}

func (authFlags) secrets(s *session, given map[string]string) (map[string]string, error) {
	values := map[string]string{}
	for name, value := range given {
		secret, err := s.secretValue(value)
		if err != nil {
			return nil, err
		}
		values[name] = secret
	}
	return values, nil
}

// json is the auth that --auth has. Its fields are checked here, since those that are unknown would get lost.
func (f authFlags) json(s *session) (map[string]any, error) {
	if !reflect.DeepEqual(f, authFlags{JSON: f.JSON}) {
		return nil, usagef("--auth says everything: leave the other flags of authentication out")
	}
	text, err := s.jsonValue("--auth", *f.JSON)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&postroom.Auth{}); err != nil {
		return nil, usagef("--auth cannot be used: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	auth := map[string]any{}
	err = json.Unmarshal(text, &auth)
	return auth, err
}

// tls is the client certificate with what belongs to it.
func (f authFlags) tls(s *session) (map[string]any, error) {
	tls := map[string]any{}
	for name, given := range map[string]*string{"certificate": f.Certificate, "key": f.Key, "ca": f.CA} {
		if given == nil {
			continue
		}
		text, err := s.secretText(*given)
		if err != nil {
			return nil, err
		}
		tls[name] = text
	}
	return tls, nil
}
