package outbound

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

// clientTLS makes a certificate for a name that signs itself, and trusts the server's.
func clientTLS(t *testing.T, server *httptest.Server, name string, notAfter time.Time) *postroom.ClientTLS {
	t.Helper()
	key := generated(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter}
	der := generated(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	in := func(der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return &postroom.ClientTLS{Certificate: in(der), Key: pemKey(t, key), CA: in(server.Certificate().Raw)}
}

// Webhooks of one receiver present each their own certificate, a new one from the next call on, and nobody else presents any.
func TestCertificatesAreTheWebhooksOwn(t *testing.T) {
	var mu sync.Mutex
	var saw []string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		name := "nobody"
		for _, c := range r.TLS.PeerCertificates {
			name = c.Subject.CommonName
		}
		saw = append(saw, name+" "+r.Header.Get("Authorization"))
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()

	client := egressDev(t)
	r := newRig(t, Config{})
	r.config.Sender, r.config.SenderAs = client, func(id egress.Identity) Sender { return client.As(id) }
	e := New(r.config)
	day := time.Now().Add(24 * time.Hour)
	set := func(w *storedHook, auth *postroom.Auth) {
		w.URL, w.Auth = server.URL, &postroom.Auth{Type: auth.Type}
		w.SealedAuth, _ = json.Marshal(auth)
	}
	ada := r.webhook("a", func(w *storedHook) {
		set(w, &postroom.Auth{Type: postroom.AuthBearer, Token: "ada-token", TLS: clientTLS(t, server, "ada", day)})
	})
	bob := r.webhook("b", func(w *storedHook) {
		set(w, &postroom.Auth{Type: postroom.AuthNone, TLS: clientTLS(t, server, "bob", day)})
	})
	eve := r.webhook("c", func(w *storedHook) {
		set(w, &postroom.Auth{Type: postroom.AuthNone, TLS: &postroom.ClientTLS{CA: clientTLS(t, server, "", day).CA}})
	})
	try := func(id postroom.WebhookID) *postroom.Attempt {
		a, err := e.Try(t.Context(), r.leased(id))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, id := range []postroom.WebhookID{ada, bob, eve, ada, bob, eve} {
		if a := try(id); a.Error != nil {
			t.Error(a.Error)
		}
	}
	if a := try(ada); a.Phases.Connect != 0 || a.Phases.TLS != 0 {
		t.Errorf("a connection is not used again: %+v", a.Phases)
	}
	r.change(ada, func(w *storedHook) { w.Name = "changed" })
	e.Changed(r.workspace, ada)
	if a := try(ada); a.Phases.Connect != 0 {
		t.Error("a change of the name closes the connection")
	}
	r.change(ada, func(w *storedHook) {
		set(w, &postroom.Auth{Type: postroom.AuthNone, TLS: clientTLS(t, server, "ada-2", day)})
	})
	e.Changed(r.workspace, ada)
	if a := try(ada); a.Error != nil || a.Phases.Connect == 0 {
		t.Errorf("a new certificate goes over the connection of the old one: %+v", a)
	}
	want := "[ada Bearer ada-token bob  nobody  ada Bearer ada-token bob  nobody  ada Bearer ada-token ada Bearer ada-token ada-2 ]"
	if got := fmt.Sprint(saw); got != want {
		t.Errorf("the receiver saw\n%s, want\n%s", got, want)
	}
}

func TestCertificateThatExpired(t *testing.T) {
	clients := x509.NewCertPool()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	lenient := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := http.StatusOK
		_, _ = fmt.Sscan(r.URL.Path[1:], &code)
		w.WriteHeader(code)
	}))
	defer lenient.Close()

	client := egressDev(t)
	r := newRig(t, Config{})
	r.config.Sender, r.config.SenderAs = client, func(id egress.Identity) Sender { return client.As(id) }
	e := New(r.config)
	past := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		server     *httptest.Server
		path, kind string
	}{{server, "/", KindAuth}, {lenient, "/401", KindAuth}, {lenient, "/500", KindStatus}, {lenient, "/200", ""}} {
		own := clientTLS(t, c.server, "old", past)
		id := r.webhook("a", func(w *storedHook) {
			w.URL = c.server.URL + c.path
			w.Auth = &postroom.Auth{Type: postroom.AuthNone}
			w.SealedAuth, _ = json.Marshal(&postroom.Auth{Type: postroom.AuthNone, TLS: own})
		})
		a, err := e.Try(t.Context(), r.leased(id))
		if err != nil || kindOf(a.Error) != c.kind {
			t.Errorf("%s: %v, %+v", c.path, err, a.Error)
			continue
		}
		if c.kind == KindAuth && !strings.HasPrefix(a.Error.Message, "The webhook's client certificate expired at "+past.UTC().Format("2006-01-02 15:04 MST")+": give it a new one in auth.tls.") {
			t.Errorf("%s: %s", c.path, a.Error.Message)
		}
	}
}

// The certificate goes to the token endpoint too, where it may prove by itself who asks (RFC 8705).
func TestCertificateForTokens(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			who = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		switch {
		case r.URL.Path == "/token" && who == "ada" && r.PostFormValue("client_id") == "me" && r.Header.Get("Authorization") == "":
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token":"bound-to-ada"}`)
		case r.URL.Path != "/hook" || who != "ada" || r.Header.Get("Authorization") != "Bearer bound-to-ada":
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	client := egressDev(t)
	r := newRig(t, Config{})
	r.config.Sender, r.config.SenderAs = client, func(id egress.Identity) Sender { return client.As(id) }
	e := New(r.config)
	auth := &postroom.Auth{Type: postroom.AuthOAuth2, Grant: postroom.GrantClientCredentials, ClientID: "me", TokenURL: server.URL + "/token",
		TLS: clientTLS(t, server, "ada", time.Now().Add(time.Hour))}
	id := r.webhook("a", func(w *storedHook) {
		w.URL, w.Auth = server.URL+"/hook", &postroom.Auth{Type: auth.Type}
		w.SealedAuth, _ = json.Marshal(auth)
	})
	if a, err := e.Try(t.Context(), r.leased(id)); err != nil || a.Error != nil {
		t.Errorf("%v, %+v", err, a.Error)
	}
}
