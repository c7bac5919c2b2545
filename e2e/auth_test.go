package e2e

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

func authCases() map[string]func(*tenant) {
	return map[string]func(*tenant){
		"every kind of auth is accepted by who checks it": authKinds,
		"a token is kept, and renewed when it is refused": tokenRenewal,
		"a token is renewed when it ends":                 tokenExpiry,
		"a token endpoint that is down holds nobody up":   tokenEndpointDown,
		"a token endpoint refuses":                        tokenRefused,
		"a client certificate is presented":               clientCertificate,
		"auth is changed in part":                         authChanges,
	}
}

// authKinds delivers to receivers that answer 401 to whoever does not prove itself.
func authKinds(x *tenant) {
	endpoint := newTokenEndpoint(x.t)
	header := func(name, want string) func(arrival) bool {
		return func(a arrival) bool { return a.header.Get(name) == want }
	}
	for name, c := range map[string]struct {
		auth    *postroom.Auth
		accepts func(arrival) bool
	}{
		"none":        {&postroom.Auth{Type: postroom.AuthNone}, header("Authorization", "")},
		"api_key":     {&postroom.Auth{Type: postroom.AuthAPIKey, Key: "key-value"}, header("X-API-Key", "key-value")},
		"api_key_own": {&postroom.Auth{Type: postroom.AuthAPIKey, Header: "X-Mine", Key: "key-value"}, header("X-Mine", "key-value")},
		"bearer":      {&postroom.Auth{Type: postroom.AuthBearer, Token: "token-value"}, header("Authorization", "Bearer token-value")},
		"basic":       {&postroom.Auth{Type: postroom.AuthBasic, Username: "ada", Password: "pass:word"}, header("Authorization", "Basic YWRhOnBhc3M6d29yZA==")},
		"header": {&postroom.Auth{Type: postroom.AuthHeader, Headers: map[string]string{"X-A": "value-a", "Authorization": "Custom value-b"}}, func(a arrival) bool {
			return a.header.Get("X-A") == "value-a" && a.header.Get("Authorization") == "Custom value-b"
		}},
		"query":        {&postroom.Auth{Type: postroom.AuthQuery, Query: map[string]string{"token": "value q", "k": "v&w"}}, func(a arrival) bool { return a.uri == "/query?k=v%26w&token=value+q" }},
		"credentials":  {endpoint.client("client-secret"), func(a arrival) bool { return endpoint.requires(a).status == 0 }},
		"jwt_bearer":   {endpoint.assertion(x.t), func(a arrival) bool { return endpoint.requires(a).status == 0 }},
		"own_headers":  {nil, header("X-Api-Key", "")},
		"wrong_answer": {&postroom.Auth{Type: postroom.AuthBearer, Token: "another-token"}, header("Authorization", "Bearer token-value")},
	} {
		x.t.Run(name, func(t *testing.T) {
			path := "/" + name
			x.r.answer(path, func(a arrival) reply {
				if !c.accepts(a) {
					return reply{status: 401}
				}
				return reply{}
			})
			w := x.webhook(path, client.WebhookInput{Auth: c.auth, Events: []string{"postroom.test"}, Retry: quick(0)})
			got := must(x.api.TestWebhook(t.Context(), w.ID.String(), client.TestInput{}))(t)
			if refused := got.StatusCode == 401; refused != (name == "wrong_answer") || (got.Error != nil) != refused {
				t.Errorf("the attempt is %d, %+v; the receiver got %+v", got.StatusCode, got.Error, x.r.on(path))
			}
		})
	}
	if len(endpoint.refusals) > 0 {
		x.t.Errorf("the token endpoint refused: %v", endpoint.refusals)
	}
}

func tokenRenewal(x *tenant) {
	endpoint := newTokenEndpoint(x.t)
	x.r.answer("/hook", endpoint.requires)
	w := x.webhook("/hook", client.WebhookInput{Auth: endpoint.client("client-secret")})
	x.publishMany("a", "email.opened", 50)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 50})
	if n := len(endpoint.tokens()); n != 1 {
		x.t.Errorf("%d tokens for 50 events", n)
	}
	endpoint.revoke()
	x.publish("late", "email.opened", `{}`)
	d := x.delivered(w.ID, "late")
	if n := len(endpoint.tokens()); n != 2 || len(d.Attempts) != 1 || d.Attempts[0].StatusCode != 204 || len(d.Attempts[0].Notes) != 1 ||
		!strings.Contains(d.Attempts[0].Notes[0].Detail, "401 to the access token that was kept") {
		x.t.Errorf("after a refusal: %d tokens, %+v", n, d.Attempts)
	}
	// Many that are refused at once renew it once.
	endpoint.revoke()
	x.publishMany("b", "email.opened", 20)
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 71})
	if n := len(endpoint.tokens()); n != 3 {
		x.t.Errorf("%d tokens after the second refusal", n)
	}
}

// delivered waits until the delivery of an event has succeeded, and gives it with its attempts.
func (x *tenant) delivered(webhook postroom.WebhookID, event string) (found postroom.DeliveryResource) {
	x.t.Helper()
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		for d, err := range x.api.Deliveries(x.t.Context(), client.DeliveryFilter{Webhook: webhook.String(), Event: event}) {
			if err == nil && d.Status == postroom.DeliverySucceeded {
				found = must(x.api.Delivery(x.t.Context(), d.ID.String()))(x.t)
				return nil
			}
		}
		return fmt.Errorf("%s was not delivered", event)
	})
	return found
}

func tokenExpiry(x *tenant) {
	endpoint := newTokenEndpoint(x.t)
	endpoint.lifetime = time.Second // a tenth of which is left unused
	x.r.answer("/hook", endpoint.requires)
	w := x.webhook("/hook", client.WebhookInput{Auth: endpoint.assertion(x.t)})
	for n := 1; n <= 2; n++ {
		testenv.Eventually(x.t, arrivalTimeout, func() error {
			x.publish("", "email.opened", `{}`)
			if got := len(endpoint.tokens()); got < n {
				return fmt.Errorf("%d tokens", got)
			}
			return nil
		})
	}
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		for _, d := range x.deliveries(w.ID) {
			if d.Status != postroom.DeliverySucceeded {
				return fmt.Errorf("a delivery is %s", d.Status)
			}
		}
		return nil
	})
}

func tokenEndpointDown(x *tenant) {
	endpoint := newTokenEndpoint(x.t)
	endpoint.hang = true
	x.r.answer("/hook", endpoint.requires)
	w := x.webhook("/hook", client.WebhookInput{Auth: endpoint.client("client-secret"), Timeout: postroom.Duration(500 * time.Millisecond), Concurrency: 4,
		Retry: &client.RetryInput{Schedule: []postroom.Duration{postroom.Duration(2 * time.Second), postroom.Duration(2 * time.Second), postroom.Duration(2 * time.Second)}}})
	other := x.webhook("/other", client.WebhookInput{})
	x.publishMany("e", "email.opened", 3) // with their retries they are too few to open the breaker
	x.counted(other.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 3})
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		if d := x.deliveries(w.ID)[0]; d.LastErrorKind != "auth" {
			return fmt.Errorf("the attempt has failed by %q", d.LastErrorKind)
		}
		return nil
	})
	endpoint.change(func() {
		if endpoint.arrived > 1 {
			x.t.Errorf("%d calls for a token at once", endpoint.arrived)
		}
		endpoint.hang, endpoint.down = false, 503
	})
	endpoint.server.CloseClientConnections()
	testenv.Eventually(x.t, arrivalTimeout, func() error {
		d := must(x.api.Delivery(x.t.Context(), x.deliveries(w.ID)[0].ID.String()))(x.t)
		if a := d.Attempts[len(d.Attempts)-1]; a.Error == nil || a.Error.Kind != "auth" || !strings.Contains(a.Error.Message, "answered 503 Service Unavailable: temporarily_unavailable.") {
			return fmt.Errorf("the attempt has failed by %+v", a.Error)
		}
		return nil
	})
	endpoint.change(func() { endpoint.down = 0 })
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: 3})
	if n := len(endpoint.tokens()); n != 1 {
		x.t.Errorf("%d tokens", n)
	}
}

func tokenRefused(x *tenant) {
	endpoint := newTokenEndpoint(x.t)
	w := x.webhook("/hook", client.WebhookInput{Auth: endpoint.client("wrong-secret")})
	got := must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{}))(x.t)
	want := "There is no access token for this call. The token endpoint 127.0.0.1 answered 400 Bad Request: invalid_grant, client crm is not known, or may not have the scope hooks:write."
	if got.Error == nil || got.Error.Kind != "auth" || got.Error.Message != want || got.StatusCode != 0 || got.Response != nil {
		x.t.Errorf("the attempt is %+v, %+v", got, got.Error)
	}
	x.r.wait(x.t, "/hook", 0)
	// The right secret is used from the next attempt on.
	must(x.api.UpdateWebhook(x.t.Context(), w.ID.String(), 0, map[string]any{"auth": map[string]any{"client_secret": "client-secret"}}))(x.t)
	x.r.answer("/hook", endpoint.requires)
	if got := must(x.api.TestWebhook(x.t.Context(), w.ID.String(), client.TestInput{}))(x.t); got.Error != nil {
		x.t.Errorf("with the right secret: %+v", got.Error)
	}
}

// inPEM writes a certificate and its key.
func inPEM(t *testing.T, c tls.Certificate) (certificate, key string) {
	t.Helper()
	private, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("the key is a %T", c.PrivateKey)
	}
	der := must(x509.MarshalPKCS8PrivateKey(private))(t)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// identity is a client certificate of an authority, for a receiver with one of its own.
func identity(t *testing.T, authority *testenv.Authority, name string, receivers *testenv.Authority) *postroom.ClientTLS {
	t.Helper()
	id := &postroom.ClientTLS{CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receivers.Certificate().Raw}))}
	if name != "" {
		id.Certificate, id.Key = inPEM(t, authority.Issue(t, name, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
	}
	return id
}

func clientCertificate(x *tenant) {
	receivers, clients, strangers := testenv.NewAuthority(x.t), testenv.NewAuthority(x.t), testenv.NewAuthority(x.t)
	for version, name := range map[uint16]string{tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3"} {
		x.t.Run(name, func(t *testing.T) {
			y := *x
			y.t = t
			y.r = startReceiver(t, &tls.Config{Certificates: []tls.Certificate{receivers.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))},
				ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients.Pool(), MinVersion: version, MaxVersion: version})
			for path, c := range map[string]struct {
				auth *postroom.Auth
				who  string
			}{
				"/ada": {&postroom.Auth{Type: postroom.AuthBearer, Token: "token-value", TLS: identity(t, clients, "ada", receivers)}, "ada"},
				"/bob": {&postroom.Auth{Type: postroom.AuthNone, TLS: identity(t, clients, "bob", receivers)}, "bob"},
				"/eve": {&postroom.Auth{Type: postroom.AuthNone, TLS: identity(t, strangers, "eve", receivers)}, ""},
				"/who": {&postroom.Auth{Type: postroom.AuthNone, TLS: identity(t, nil, "", receivers)}, ""},
			} {
				w := y.webhook(path, client.WebhookInput{Auth: c.auth, Events: []string{"postroom.test"}})
				got := must(y.api.TestWebhook(t.Context(), w.ID.String(), client.TestInput{}))(t)
				arrived := y.r.on(path)
				if c.who == "" { // with TLS 1.3 the refusal may be overtaken by the end of the connection
					if got.Error == nil || got.Error.Kind != "tls" && (version == tls.VersionTLS12 || got.Error.Kind != "reset") || len(arrived) > 0 {
						t.Errorf("%s: %+v, %d calls", path, got.Error, len(arrived))
					}
					continue
				}
				if got.Error != nil || len(arrived) != 1 || arrived[0].client != c.who {
					t.Errorf("%s: %+v, %+v", path, got.Error, arrived)
				}
				if path == "/ada" && arrived[0].header.Get("Authorization") != "Bearer token-value" {
					t.Errorf("the token arrived as %q", arrived[0].header.Get("Authorization"))
				}
			}
		})
	}
}

// authChanges changes parts of an auth, and keeps the rest.
func authChanges(x *tenant) {
	receivers, clients := testenv.NewAuthority(x.t), testenv.NewAuthority(x.t)
	endpoint := newTokenEndpoint(x.t)
	auth := endpoint.client("client-secret")
	auth.TLS = identity(x.t, clients, "ada", receivers)
	secure := startReceiver(x.t, &tls.Config{Certificates: []tls.Certificate{receivers.Issue(x.t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients.Pool()})
	y := *x
	y.r = secure
	secure.answer("/hook", endpoint.requires)
	y.webhook("/hook", client.WebhookInput{UID: "crm", Auth: auth, Events: []string{"postroom.test"}})
	works := func(after string) {
		x.t.Helper()
		if got := must(x.api.TestWebhook(x.t.Context(), "crm", client.TestInput{}))(x.t); got.Error != nil {
			x.t.Errorf("after %s: %+v", after, got.Error)
		}
	}
	works("creating")
	shown := must(x.api.Webhook(x.t.Context(), "crm"))(x.t).Auth
	if shown.ClientSecret != postroom.Redacted || shown.Params["resource"] != postroom.Redacted || shown.TLS.Key != postroom.Redacted || shown.TLS.Certificate != auth.TLS.Certificate || shown.ClientID != "crm" {
		x.t.Errorf("the auth is shown as %+v, %+v", shown, shown.TLS)
	}
	// What was read can be written back.
	must(x.api.UpdateWebhook(x.t.Context(), "crm", 0, map[string]any{"auth": shown, "name": "new"}))(x.t)
	works("writing back what was read")
	if n := len(endpoint.tokens()); n != 1 {
		x.t.Errorf("%d tokens, and no secret has changed", n)
	}
	patch := func(body string) postroom.Webhook {
		x.t.Helper()
		var w postroom.Webhook
		x.do(http.MethodPatch, "/v1/webhooks/crm", `{"auth":`+body+`}`).is(x.t, http.StatusOK).into(x.t, &w)
		return w
	}
	patch(`{"scopes":["hooks:write"],"audience":"x"}`)
	works("a change of the audience")
	a := endpoint.assertion(x.t)
	patch(fmt.Sprintf(`{"grant":"jwt_bearer","token_url":%q,"issuer":%q,"subject":%q,"audience":%q,"key_id":"k1","private_key":%q}`, a.TokenURL, a.Issuer, a.Subject, a.Audience, a.PrivateKey))
	works("a change of the grant")
	// A certificate may do without a secret; that the endpoint does not take it is another matter.
	if now := patch(`{"grant":"client_credentials","token_url":"` + a.TokenURL + `","client_id":"crm"}`); now.Auth.ClientSecret != "" || now.Auth.PrivateKey != "" {
		x.t.Errorf("the auth is now %+v", now.Auth)
	}
	secure.answer("/hook", func(a arrival) reply {
		if a.header.Get("X-Api-Key") != "key-value" {
			return reply{status: 401}
		}
		return reply{}
	})
	now := patch(`{"type":"api_key","key":"key-value"}`)
	works("a change of the type")
	if now.Auth.TLS == nil || now.Auth.Grant != "" || now.Auth.PrivateKey != "" {
		x.t.Errorf("the auth is now %+v", now.Auth)
	}
	if now := patch(`{"tls":{"certificate":null,"key":null}}`); now.Auth.TLS == nil || now.Auth.TLS.Certificate != "" || now.Auth.TLS.CA == "" {
		x.t.Errorf("the auth is now %+v", now.Auth)
	}
	if got := must(x.api.TestWebhook(x.t.Context(), "crm", client.TestInput{}))(x.t); got.Error == nil {
		x.t.Error("the certificate is presented although it was taken away")
	}
	if now := patch(`{"tls":null}`); now.Auth.TLS != nil || now.Auth.Key != postroom.Redacted {
		x.t.Errorf("the auth is now %+v", now.Auth)
	}
}
