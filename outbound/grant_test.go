package outbound

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

// serveTokens runs a real token endpoint, and gives its URL, whose path and query are secret as well.
func serveTokens(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL + "/canary-path?canary=query"
}

func egressDev(t *testing.T) *egress.Client {
	t.Helper()
	c, err := egress.New(egress.Config{Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func fetchToken(t *testing.T, auth *postroom.Auth) (*accessToken, error) {
	t.Helper()
	g, err := newGrant(auth, egressDev(t), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return g.fetch(ctx)
}

func TestClientCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		auth postroom.Auth
		user string // of Authorization: Basic
		pass string
		form url.Values
	}{
		"the least": {auth: postroom.Auth{ClientID: "me", ClientSecret: "s:cret &"}, user: "me", pass: "s%3Acret+%26", form: url.Values{}},
		"in the header, with all else": {auth: postroom.Auth{ClientID: "me", ClientSecret: "secret", ClientAuth: "header", Scopes: []string{"a", "b:c"}, Audience: "https://api.example.com",
			Params: map[string]string{"resource": "r&s"}}, user: "me", pass: "secret", form: url.Values{"scope": {"a b:c"}, "audience": {"https://api.example.com"}, "resource": {"r&s"}}},
		"in the body": {auth: postroom.Auth{ClientID: "me", ClientSecret: "s&cret", ClientAuth: "body"}, form: url.Values{"client_id": {"me"}, "client_secret": {"s&cret"}}},
		"no secret":   {auth: postroom.Auth{ClientID: "me"}, form: url.Values{"client_id": {"me"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c.form.Set("grant_type", "client_credentials")
			c.auth.Type, c.auth.Grant = postroom.AuthOAuth2, postroom.GrantClientCredentials
			c.auth.TokenURL = serveTokens(t, func(w http.ResponseWriter, r *http.Request) {
				user, pass, _ := r.BasicAuth()
				body, _ := io.ReadAll(r.Body)
				form, err := url.ParseQuery(string(body))
				if diff := cmp.Diff(c.form, form); r.Method != "POST" || user != c.user || pass != c.pass || err != nil || diff != "" {
					t.Errorf("%s by %s:%s, form: %s", r.Method, user, pass, diff)
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"access_token":"t0ken","token_type":"bearer","expires_in":"600"}`)
			})
			token, err := fetchToken(t, &c.auth)
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(token.until); token.header != "Bearer t0ken" || token.value != "t0ken" || left < 560*time.Second || left > 570*time.Second {
				t.Errorf("the token is %+v", token)
			}
		})
	}
}

func TestTokenFailures(t *testing.T) {
	const secret = "canary-s3cret/&"
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"refused":           {answer(401, `{"error":"invalid_client","error_description":"Client authentication failed."}`), "answered 401 Unauthorized: invalid_client, Client authentication failed."},
		"refused with 200":  {answer(200, `{"error":"invalid_grant"}`), "answered 200 OK: invalid_grant."},
		"a page":            {answer(503, `<html>canary-s3cret</html>`), "answered 503 Service Unavailable."},
		"no token":          {answer(200, `{"token_type":"bearer"}`), "answered, but not with an access token."},
		"not JSON":          {answer(200, `canary-s3cret`), "answered, but not with an access token."},
		"a line break":      {answer(200, `{"access_token":"canary-a\r\nX: b"}`), "gave a token that cannot be sent in a header."},
		"too long a token":  {answer(200, `{"access_token":"`+strings.Repeat("canary", 4000)+`"}`), "gave a token that cannot be sent in a header."},
		"too long":          {answer(200, `{"access_token":"`+strings.Repeat("canary", 20000)+`"}`), "The answer's body is larger than is accepted here."},
		"long description":  {answer(400, `{"error":"e","error_description":"`+strings.Repeat("ab ", 5000)+`"}`), "answered 400 Bad Request: e, ab ab"},
		"control character": {answer(400, `{"error":"e\u0000\u001b[31m","error_description":"a\n\n  b"}`), "answered 400 Bad Request: e��[31m, a��"},
		"an echo": {func(w http.ResponseWriter, r *http.Request) {
			_, pass, _ := r.BasicAuth()
			unescaped, _ := url.QueryUnescape(pass)
			text, _ := json.Marshal(map[string]string{"error": "e", "error_description": "you sent " + pass + " or " + unescaped})
			answer(400, string(text))(w, r)
		}, "answered 400 Bad Request: e, you sent *** or ***."},
		"an echo of the header": {func(w http.ResponseWriter, r *http.Request) {
			answer(400, `{"error":"e","error_description":"`+r.Header.Get("Authorization")+`"}`)(w, r)
		}, "answered 400 Bad Request: e, Basic ***."},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/canary", http.StatusFound) }, "answered 302 Found; redirects are not followed."},
		"it hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"The token endpoint closed the connection before it answered."},
	} {
		t.Run(name, func(t *testing.T) {
			auth := &postroom.Auth{Type: postroom.AuthOAuth2, Grant: postroom.GrantClientCredentials, ClientID: "me", ClientSecret: secret, TokenURL: serveTokens(t, c.handle)}
			token, err := fetchToken(t, auth)
			if err == nil || !strings.Contains(err.Error(), c.want) || token != nil {
				t.Fatalf("got %+v, %v", token, err)
			}
			text := err.Error()
			if strings.Contains(text, "canary") || len(text) > 400 || !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "…") {
				t.Errorf("what is told of it: %s", text)
			}
		})
	}
	// An assertion that comes back could still be used.
	jwt := &postroom.Auth{Type: postroom.AuthOAuth2, Grant: postroom.GrantJWTBearer, Issuer: "i", PrivateKey: pemKey(t, newRSA(t, 2048)),
		TokenURL: serveTokens(t, func(w http.ResponseWriter, r *http.Request) {
			answer(400, `{"error":"e","error_description":"`+r.PostFormValue("assertion")+`"}`)(w, r)
		})}
	if _, err := fetchToken(t, jwt); err == nil || !strings.HasSuffix(err.Error(), "e, ***.") {
		t.Errorf("an assertion that comes back: %v", err)
	}
	// The policy holds for the token endpoint as for the receiver.
	_, err := fetchToken(t, &postroom.Auth{Type: postroom.AuthOAuth2, ClientID: "me", ClientSecret: secret, TokenURL: "https://169.254.169.254/canary"})
	if err == nil || !strings.Contains(err.Error(), "link-local") || strings.Contains(err.Error(), "canary") {
		t.Errorf("an address that is not allowed: %v", err)
	}
}

// pemKey writes a private key as PKCS #8.
func pemKey(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// generated is a private key that a generator gave.
func generated[K any](key K, err error) func(*testing.T) K {
	return func(t *testing.T) K {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
}

func newRSA(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	return generated(rsa.GenerateKey(rand.Reader, bits))(t)
}

// verifyJWT checks a signature the way that a token endpoint does, and gives the two parts.
func verifyJWT(t *testing.T, public crypto.PublicKey, jwt string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("an assertion has %d parts", len(parts))
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			t.Fatal(err)
		}
	}
	if json.Unmarshal(raw[0], &header) != nil || json.Unmarshal(raw[1], &claims) != nil {
		t.Fatalf("an assertion is %s %s", raw[0], raw[1])
	}
	text := []byte(parts[0] + "." + parts[1])
	digest := sha256.Sum256(text)
	algorithm, good := "", false
	switch key := public.(type) {
	case *rsa.PublicKey:
		algorithm, good = "RS256", rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], raw[2]) == nil
	case *ecdsa.PublicKey:
		algorithm, good = "ES256", len(raw[2]) == 64 && ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:]))
	case ed25519.PublicKey:
		algorithm, good = "EdDSA", ed25519.Verify(key, text, raw[2])
	}
	if !good || header["alg"] != algorithm {
		t.Errorf("the signature of %v is not good: %v", header, good)
	}
	return header, claims
}

func TestJWTBearer(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key    crypto.Signer
		auth   postroom.Auth
		header string // but for alg
		claims string // but for times and jti
		life   float64
		form   url.Values // but for the assertion
	}{
		"RSA as for Salesforce": {key: newRSA(t, 2048), auth: postroom.Auth{Issuer: "3MVG9", Subject: "ada@example.com", Audience: "https://login.salesforce.com"},
			header: `{"typ":"JWT"}`, claims: `{"iss":"3MVG9","sub":"ada@example.com","aud":"https://login.salesforce.com"}`, life: 180, form: url.Values{}},
		"P-256 with all": {key: generated(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t), auth: postroom.Auth{Issuer: "i", KeyID: "k1", Claims: map[string]string{"scope": "x y"}, Scopes: []string{"a", "b"},
			Params: map[string]string{"client_id": "me"}, Lifetime: postroom.Duration(time.Minute)}, header: `{"typ":"JWT","kid":"k1"}`,
			claims: `{"iss":"i","sub":"i","aud":"URL","scope":"x y"}`, life: 60, form: url.Values{"scope": {"a b"}, "client_id": {"me"}}},
		"Ed25519": {key: edKey, auth: postroom.Auth{Issuer: "i"}, header: `{"typ":"JWT"}`, claims: `{"iss":"i","sub":"i","aud":"URL"}`, life: 180, form: url.Values{}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[any]bool{}
			auth := c.auth
			auth.TokenURL = serveTokens(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				form, _ := url.ParseQuery(string(body))
				header, claims := verifyJWT(t, c.key.Public(), form.Get("assertion"))
				issued, _ := claims["iat"].(float64)
				if ends, _ := claims["exp"].(float64); ends-issued != c.life || issued > float64(time.Now().Unix()) || issued < float64(time.Now().Unix()-20) {
					t.Errorf("it holds from %v to %v", issued, ends)
				}
				if jti, _ := claims["jti"].(string); len(jti) < 16 || seen[jti] {
					t.Errorf("jti is %q", jti)
				}
				seen[claims["jti"]] = true
				for _, name := range []string{"iat", "exp", "jti"} {
					delete(claims, name)
				}
				delete(header, "alg")
				for want, got := range map[string]any{c.header: header, strings.Replace(c.claims, "URL", auth.TokenURL, 1): claims} {
					var wanted any
					if err := json.Unmarshal([]byte(want), &wanted); err != nil {
						t.Error(err)
					}
					if diff := cmp.Diff(wanted, got); diff != "" {
						t.Error(diff)
					}
				}
				if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || r.Header.Get("Authorization") != "" {
					t.Errorf("the form is %v, Authorization %q", form, r.Header.Get("Authorization"))
				}
				form.Del("grant_type")
				form.Del("assertion")
				if diff := cmp.Diff(c.form, form); diff != "" {
					t.Error(diff)
				}
				w.Header().Set("Content-Type", "application/json;charset=UTF-8")
				_, _ = io.WriteString(w, `{"access_token":"t","token_type":"Bearer","instance_url":"https://example.my.salesforce.com"}`)
			})
			auth.Type, auth.Grant, auth.PrivateKey = postroom.AuthOAuth2, postroom.GrantJWTBearer, pemKey(t, c.key)
			for range 2 {
				token, err := fetchToken(t, &auth)
				if err != nil || token.header != "Bearer t" || time.Until(token.until) < 59*time.Minute {
					t.Errorf("%+v, %v", token, err)
				}
			}
		})
	}
}

func TestParsePrivateKey(t *testing.T) {
	rsaKey, p384 := newRSA(t, 2048), generated(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t)
	p256 := generated(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	sec1, err := x509.MarshalECPrivateKey(p256)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, algorithm, fault string }{
		"PKCS #8":                  {pemKey(t, rsaKey), "RS256", ""},
		"PKCS #1":                  {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), "RS256", ""},
		"SEC 1":                    {block("EC PRIVATE KEY", sec1), "ES256", ""},
		"as openssl ecparam makes": {block("EC PARAMETERS", []byte{6, 0}) + block("EC PRIVATE KEY", sec1), "ES256", ""},
		"P-384":                    {pemKey(t, p384), "", "RSA, P-256 and Ed25519 keys can"},
		"X25519":                   {pemKey(t, generated(p256.ECDH())(t)), "ES256", ""}, // the same form as ECDSA's
		"short":                    {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(newRSA(t, 1024))), "", "too short"},
		"encrypted":                {block("ENCRYPTED PRIVATE KEY", []byte("canary")), "", "passphrase"},
		"encrypted as of old":      {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nY2FuYXJ5\n-----END RSA PRIVATE KEY-----\n", "", "passphrase"},
		"a public key":             {block("PUBLIC KEY", []byte("canary")), "", "something else in PEM"},
		"damaged":                  {block("PRIVATE KEY", []byte("canary")), "", "cannot be read"},
		"no PEM":                   {"canary", "", "a private key in PEM"},
		"one line":                 {strings.ReplaceAll(pemKey(t, p256), "\n", " "), "", "a private key in PEM"},
		"empty":                    {"", "", "a private key in PEM"},
	} {
		_, algorithm, err := ParseAssertionKey(c.text)
		if algorithm != c.algorithm || (err == nil) != (c.fault == "") || err != nil && (!strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %q, %v", name, algorithm, err)
		}
	}
}

func TestParseCertificates(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	good := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	for name, c := range map[string]struct {
		text  string
		n     int
		fault string
	}{
		"one":            {good, 1, ""},
		"a chain":        {"Subject: x\n" + good + "\n" + good, 2, ""},
		"a key as well":  {good + pemKey(t, newRSA(t, 2048)), 0, "only certificates"},
		"damaged":        {"-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n", 0, "cannot be read"},
		"half":           {good + good[:100], 0, "damaged"},
		"one line":       {strings.ReplaceAll(good, "\n", " "), 0, "line breaks"},
		"something else": {"canary", 0, "a certificate in PEM"},
	} {
		got, err := ParseCertificates(c.text)
		if len(got) != c.n || (err == nil) != (c.fault == "") || err != nil && (!strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %d, %v", name, len(got), err)
		}
	}
}

func TestConcealer(t *testing.T) {
	auth := &postroom.Auth{Type: postroom.AuthHeader, Token: "short", Password: "pass-word", Username: "me", ClientSecret: "a/b&c d\"e", Headers: map[string]string{"x": "Bearer abcdef", "y": "abcdefgh"}}
	c := concealAuth(auth).and("t0ken-value")
	for given, want := range map[string]string{
		"nothing":                     "nothing",
		"short":                       "short",
		"x=pass-word;":                "x=***;",
		`a/b&c d"e a%2Fb%26c+d%22e`:   "*** ***",
		`{"s":"a/b\u0026c d\"e"}`:     `{"s":"***"}`,
		"abcdefgh Bearer abcdef":      "*** ***",
		"Bearer abcdefgh":             "***",
		"t0ken-value, t0ken-value":    "***, ***",
		fmt.Sprint("pass", "-wor", 1): "pass-wor1",
	} {
		if got := c.text(given); got != want {
			t.Errorf("%s becomes %s, want %s", given, got, want)
		}
		if got := string(c.bytes([]byte(given))); got != want {
			t.Errorf("%s becomes %s, want %s, as bytes", given, got, want)
		}
	}
	basic := concealAuth(&postroom.Auth{Type: postroom.AuthBasic, Username: "me", Password: "hush"})
	if got := basic.text("Basic " + base64.StdEncoding.EncodeToString([]byte("me:hush"))); got != "Basic ***" {
		t.Errorf("basic: %s", got)
	}
	if concealAuth(nil) != nil || string(concealer(nil).bytes([]byte("x"))) != "x" {
		t.Error("nothing to conceal")
	}
}
