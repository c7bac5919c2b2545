package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// badTokens are faults of what an access token is asked for with.
func badTokens(refuse func(name, extra string, code postroom.Code, pointer string)) {
	const client = `"grant":"client_credentials","token_url":"https://login.example.com/token","client_id":"i","client_secret":"s"`
	const assertion = `"grant":"jwt_bearer","token_url":"https://login.example.com/token","issuer":"i"`
	oauth := func(name, fields, pointer string) {
		refuse(name, `"auth":{"type":"oauth2",`+fields+`}`, postroom.CodeInvalid, pointer)
	}
	oauth("oauth2 without a grant", `"client_id":"i"`, "/auth/grant")
	oauth("an unknown grant", `"grant":"password"`, "/auth/grant")
	oauth("a key of another type", client+`,"key":"k"`, "/auth/key")
	oauth("a private key of the other grant", client+`,"private_key":"k"`, "/auth/private_key")
	oauth("a secret of the other grant", assertion+`,"client_secret":"k"`, "/auth/client_secret")
	oauth("no token URL", `"grant":"client_credentials","client_id":"i","client_secret":"s"`, "/auth/token_url")
	oauth("no client", strings.Replace(client, `"client_id":"i",`, "", 1), "/auth/client_id")
	oauth("no client secret", strings.Replace(client, `,"client_secret":"s"`, "", 1), "/auth/client_secret")
	oauth("the mask as a client secret", strings.Replace(client, `"s"`, `"•••"`, 1), "/auth/client_secret")
	oauth("a client secret with a line break", strings.Replace(client, `"s"`, `"a\nb"`, 1), "/auth/client_secret")
	oauth("an unknown place of the client", client+`,"client_auth":"heder"`, "/auth/client_auth")
	oauth("a scope with a space", client+`,"scopes":["a","b c"]`, "/auth/scopes/1")
	oauth("an empty scope", client+`,"scopes":[""]`, "/auth/scopes/0")
	oauth("too many scopes", client+`,"scopes":["a"`+strings.Repeat(`,"a"`, 50)+`]`, "/auth/scopes")
	oauth("scopes as text", client+`,"scopes":"a b"`, "/auth/scopes")
	oauth("a parameter that has a field", client+`,"params":{"scope":"a"}`, "/auth/params/scope")
	oauth("a parameter that is the grant", client+`,"params":{"grant_type":"a"}`, "/auth/params/grant_type")
	oauth("a parameter without a value", client+`,"params":{"a/b":""}`, "/auth/params/a~1b")
	oauth("the mask as a parameter", client+`,"params":{"a":"•••"}`, "/auth/params/a")
	oauth("no issuer", strings.Replace(assertion, `,"issuer":"i"`, "", 1), "/auth/issuer")
	oauth("no private key", assertion, "/auth/private_key")
	oauth("a private key that is none", assertion+`,"private_key":"hush"`, "/auth/private_key")
	oauth("a claim that Postroom sets", assertion+`,"claims":{"exp":"never"}`, "/auth/claims/exp")
	oauth("a short-lived assertion", assertion+`,"lifetime":"1s"`, "/auth/lifetime")
	oauth("a long-lived assertion", assertion+`,"lifetime":"2h"`, "/auth/lifetime")
	oauth("a parameter that is the assertion", assertion+`,"params":{"assertion":"a"}`, "/auth/params/assertion")
	refuse("a token URL that is none", `"auth":{"type":"oauth2",`+strings.Replace(client, "https://login.example.com/token", "login.example.com", 1)+`}`, postroom.CodeURLInvalid, "/auth/token_url")
	refuse("a private token URL", `"auth":{"type":"oauth2",`+strings.Replace(client, "https://login.example.com/token", "https://169.254.169.254/", 1)+`}`, postroom.CodeAddressNotAllowed, "/auth/token_url")
	refuse("an unknown field of TLS", `"auth":{"type":"none","tls":{"cert":"c"}}`, postroom.CodeUnknownField, "/auth/tls/cert")
}

// pair makes a certificate that signs itself, and its key, in PEM.
func pair(notAfter time.Time) (certificate, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // of a test: the machine has no randomness
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "crm"}, NotBefore: notAfter.Add(-time.Hour), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// badCertificates are faults of client certificates. The webhooks of all but the last case have a URL with https.
func badCertificates(bad map[string]refusal, invalid func(name, extra, pointer string)) {
	certificate, key := pair(time.Now().Add(time.Hour))
	_, otherKey := pair(time.Now().Add(time.Hour))
	expired, expiredKey := pair(time.Now().Add(-time.Minute))
	for name, c := range map[string]struct {
		tls     postroom.ClientTLS
		pointer string
		says    string
	}{
		"TLS of nothing":                    {postroom.ClientTLS{}, "/auth/tls", "a certificate and its key, a ca, or both"},
		"a certificate without a key":       {postroom.ClientTLS{Certificate: certificate}, "/auth/tls/key", "required"},
		"a key without a certificate":       {postroom.ClientTLS{Key: key}, "/auth/tls/certificate", "required"},
		"the key of another certificate":    {postroom.ClientTLS{Certificate: certificate, Key: otherKey}, "/auth/tls/key", "not the key of the certificate"},
		"a certificate that has expired":    {postroom.ClientTLS{Certificate: expired, Key: expiredKey}, "/auth/tls/certificate", "expired at"},
		"a certificate that is none":        {postroom.ClientTLS{Certificate: "hush", Key: key}, "/auth/tls/certificate", "a certificate in PEM"},
		"a key where the certificate is":    {postroom.ClientTLS{Certificate: key, Key: key}, "/auth/tls/certificate", "only certificates"},
		"a certificate where the key is":    {postroom.ClientTLS{Certificate: certificate, Key: certificate}, "/auth/tls/key", "not a private key"},
		"the mask as a key":                 {postroom.ClientTLS{Certificate: certificate, Key: postroom.Redacted}, "/auth/tls/key", "required"},
		"authorities that are none":         {postroom.ClientTLS{CA: "hush"}, "/auth/tls/ca", "a certificate in PEM"},
		"a certificate that is cut":         {postroom.ClientTLS{Certificate: certificate[:100], Key: key}, "/auth/tls/certificate", "damaged"},
		"a certificate in a single line":    {postroom.ClientTLS{Certificate: strings.ReplaceAll(certificate, "\n", " "), Key: key}, "/auth/tls/certificate", "line breaks"},
		"a certificate beyond all measure":  {postroom.ClientTLS{Certificate: strings.Repeat("x", 70_000), Key: key}, "/auth/tls/certificate", "64 KiB"},
		"a key beyond all measure":          {postroom.ClientTLS{Certificate: certificate, Key: strings.Repeat("x", 70_000)}, "/auth/tls/key", "64 KiB"},
		"authorities that are beyond count": {postroom.ClientTLS{CA: strings.Repeat("x", 70_000)}, "/auth/tls/ca", "64 KiB"},
	} {
		text, _ := json.Marshal(c.tls) // cannot fail
		bad[name] = refusal{post("/v1/webhooks", `{"name":"n","url":"https://hooks.example.com/","events":["*"],"auth":{"type":"none","tls":`+string(text)+`}}`), 422, postroom.CodeInvalid, c.pointer, c.says}
	}
	text, _ := json.Marshal(postroom.ClientTLS{Certificate: certificate, Key: key})
	invalid("a certificate for plain HTTP", `"auth":{"type":"none","tls":`+string(text)+`}`, "/auth/tls")
}
