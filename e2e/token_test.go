package e2e

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// tokenEndpoint gives access tokens to who proves itself, with an id and a secret or with an assertion, and says which of
// them are good.
type tokenEndpoint struct {
	server *httptest.Server
	key    *rsa.PrivateKey // of the assertions' signer

	mu        sync.Mutex
	given     []string
	good      map[string]time.Time // until when
	lifetime  time.Duration
	seen      map[string]bool // assertions' jti
	down      int             // the status instead of a token; 0 to give one
	hang      bool
	refusals  []string
	arrived   int
	abandoned chan struct{}
}

func newTokenEndpoint(t *testing.T) *tokenEndpoint {
	t.Helper()
	key := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	e := &tokenEndpoint{key: key, good: map[string]time.Time{}, seen: map[string]bool{}, lifetime: time.Hour, abandoned: make(chan struct{})}
	e.server = httptest.NewServer(e)
	t.Cleanup(func() {
		close(e.abandoned)
		e.server.Close()
	})
	return e
}

// change changes what the endpoint does.
func (e *tokenEndpoint) change(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

// tokens are those that were given so far.
func (e *tokenEndpoint) tokens() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string{}, e.given...)
}

// revoke ends all tokens.
func (e *tokenEndpoint) revoke() { e.change(func() { clear(e.good) }) }

// client is an auth with an id and a secret.
func (e *tokenEndpoint) client(secret string) *postroom.Auth {
	return &postroom.Auth{Type: postroom.AuthOAuth2, Grant: postroom.GrantClientCredentials, TokenURL: e.server.URL + "/token", ClientID: "crm", ClientSecret: secret,
		Scopes: []string{"hooks:write"}, Params: map[string]string{"resource": "hooks"}}
}

// assertion is an auth with a private key.
func (e *tokenEndpoint) assertion(t *testing.T) *postroom.Auth {
	t.Helper()
	der := must(x509.MarshalPKCS8PrivateKey(e.key))(t)
	return &postroom.Auth{Type: postroom.AuthOAuth2, Grant: postroom.GrantJWTBearer, TokenURL: e.server.URL + "/token", Issuer: "consumer", Subject: "ada@example.com",
		Audience: "https://login.example.com", KeyID: "k1", PrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
}

// requires is a receiver that takes calls with a good token only.
func (e *tokenEndpoint) requires(a arrival) reply {
	e.mu.Lock()
	defer e.mu.Unlock()
	token, ok := strings.CutPrefix(a.header.Get("Authorization"), "Bearer ")
	if until, known := e.good[token]; !ok || !known || time.Now().After(until) {
		return reply{status: 401, body: `[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]`}
	}
	return reply{}
}

// ServeHTTP gives a token.
func (e *tokenEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.arrived++
	if e.hang {
		e.mu.Unlock()
		select {
		case <-r.Context().Done():
		case <-e.abandoned:
		}
		e.mu.Lock()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if e.down != 0 {
		w.WriteHeader(e.down)
		_, _ = fmt.Fprint(w, `{"error":"temporarily_unavailable"}`)
		return
	}
	if err := e.verify(r); err != nil {
		e.refusals = append(e.refusals, err.Error())
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"error":"invalid_grant","error_description":%q}`, err)
		return
	}
	token := fmt.Sprintf("access-token-%d-%s", len(e.given)+1, rand.Text())
	e.given = append(e.given, token)
	e.good[token] = time.Now().Add(e.lifetime)
	_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":%d}`, token, int(e.lifetime.Seconds()))
}

func (e *tokenEndpoint) verify(r *http.Request) error {
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost {
		return fmt.Errorf("a %s that cannot be read: %v", r.Method, err)
	}
	switch grant := r.PostForm.Get("grant_type"); grant {
	case "client_credentials":
		id, secret, _ := r.BasicAuth()
		if id != "crm" || secret != "client-secret" || r.PostForm.Get("scope") != "hooks:write" || r.PostForm.Get("resource") != "hooks" {
			return fmt.Errorf("client %s is not known, or may not have the scope %s", id, r.PostForm.Get("scope"))
		}
		return nil
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		return e.verifyAssertion(r.PostForm.Get("assertion"))
	default:
		return fmt.Errorf("the grant %s is not known", grant)
	}
}

func (e *tokenEndpoint) verifyAssertion(jwt string) error {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return fmt.Errorf("not an assertion")
	}
	var header struct{ Alg, Typ, Kid string }
	var claims struct {
		Iss, Sub, Aud, Jti string
		Iat, Exp           int64
	}
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			return err
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&e.key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		return err
	}
	now := time.Now().Unix()
	if header.Alg != "RS256" || header.Kid != "k1" || claims.Iss != "consumer" || claims.Sub != "ada@example.com" || claims.Aud != "https://login.example.com" ||
		claims.Iat > now || claims.Exp <= now || claims.Exp > now+180 || claims.Jti == "" || e.seen[claims.Jti] {
		return fmt.Errorf("an assertion %+v %+v", header, claims)
	}
	e.seen[claims.Jti] = true
	return nil
}
