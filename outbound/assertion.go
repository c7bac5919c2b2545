package outbound

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// DefaultAssertionLifetime is how long an assertion can be used, unless the webhook says otherwise: what Salesforce allows.
const DefaultAssertionLifetime = 3 * time.Minute

// assertionSkew is how far an assertion's time lies back, for endpoints whose clocks are late.
const assertionSkew = 10 * time.Second

// assertion makes a JWT (RFC 7519) that says who asks, and signs it (RFC 7515). Each is used once.
func (g *grant) assertion() (string, error) {
	a := g.auth
	claims := map[string]any{}
	for name, value := range a.Claims {
		claims[name] = value
	}
	lifetime := time.Duration(a.Lifetime)
	if lifetime == 0 {
		lifetime = DefaultAssertionLifetime
	}
	issued := g.now().Add(-assertionSkew)
	claims["iss"], claims["sub"], claims["aud"] = a.Issuer, a.Subject, a.Audience
	claims["iat"], claims["exp"], claims["jti"] = issued.Unix(), issued.Add(lifetime).Unix(), rand.Text()
	if a.Subject == "" {
		claims["sub"] = a.Issuer
	}
	if a.Audience == "" {
		claims["aud"] = a.TokenURL
	}
	header := map[string]string{"alg": g.algorithm, "typ": "JWT"}
	if a.KeyID != "" {
		header["kid"] = a.KeyID
	}
	signed, err := segment(header)
	if err != nil {
		return "", err
	}
	payload, err := segment(claims)
	if err != nil {
		return "", err
	}
	signed += "." + payload
	signature, err := signAssertion(g.key, []byte(signed))
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func segment(v any) (string, error) {
	text, err := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text), err
}

// signAssertion signs in the form that JOSE wants (RFC 7518, 3.3 and 3.4; RFC 8037).
func signAssertion(key crypto.Signer, text []byte) ([]byte, error) {
	digest := sha256.Sum256(text)
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(k, text), nil
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, digest[:])
		if err != nil {
			return nil, err
		}
		both := make([]byte, 64)
		r.FillBytes(both[:32])
		s.FillBytes(both[32:])
		return both, nil
	default: // RSA: PKCS #1 v1.5
		return key.Sign(rand.Reader, digest[:], crypto.SHA256)
	}
}
