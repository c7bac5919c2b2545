package egress

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/testenv"
)

// mutual is a server that asks for a client certificate, and tells whose it got and over how many connections.
type mutual struct {
	url   string
	mu    sync.Mutex
	names []string        // of the clients, call by call
	conns map[string]bool // by the client's address
}

func serveMutual(t *testing.T, ours *testenv.Authority, version uint16, clients *x509.CertPool) *mutual {
	t.Helper()
	m := &mutual{conns: map[string]bool{}}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.names = append(m.names, r.TLS.PeerCertificates[0].Subject.CommonName)
		m.conns[r.RemoteAddr] = true
	}))
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{ours.Issue(t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: version, MaxVersion: version}
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	m.url = srv.URL
	return m
}

func clientCert(t *testing.T, a *testenv.Authority, name string, notAfter time.Time) *tls.Certificate {
	t.Helper()
	c := a.Issue(t, name, notAfter.Add(-2*time.Hour), notAfter)
	return &c
}

func TestIdentities(t *testing.T) {
	ours, clients, strangers := testenv.NewAuthority(t), testenv.NewAuthority(t), testenv.NewAuthority(t)
	soon := time.Now().Add(time.Hour)
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			m := serveMutual(t, ours, version, clients.Pool())
			base := newClient(t, loopback())
			as := func(c *tls.Certificate) *Client {
				own := base.As(Identity{Certificate: c, Authorities: []*x509.Certificate{ours.Certificate()}})
				t.Cleanup(own.CloseIdleConnections)
				return own
			}
			ada, bob := as(clientCert(t, clients, "ada", soon)), as(clientCert(t, clients, "bob", soon))
			for _, c := range []*Client{ada, bob, ada, bob} { // in turns: neither uses a connection of the other
				if res := mustPost(t, c, m.url, "{}"); res.StatusCode != http.StatusOK {
					t.Errorf("status %d", res.StatusCode)
				}
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			if want := []string{"ada", "bob", "ada", "bob"}; !slices.Equal(m.names, want) || len(m.conns) != 2 {
				t.Errorf("the server saw %v on %d connections, want %v on 2", m.names, len(m.conns), want)
			}

			const asks = "asks for a TLS client certificate, and got none or one that it does not accept: "
			none := asks
			if version == tls.VersionTLS12 {
				none = "handshake failure" // the server says no more
			}
			for c, part := range map[*Client]string{as(nil): none, as(clientCert(t, strangers, "eve", soon)): asks,
				as(clientCert(t, clients, "old", time.Now().Add(-time.Minute))): asks} {
				_, err := post(t, c, m.url, "{}")
				// With TLS 1.3 the refusal follows the handshake, and may be overtaken by the end of the connection.
				if kind, _ := Classify(err); version == tls.VersionTLS13 && kind == KindReset {
					continue
				}
				wantFailure(t, err, KindTLS, part)
			}
			// The one that all others share has not learnt to trust the server.
			_, err := post(t, base, m.url, "{}")
			wantFailure(t, err, KindTLS, "not from an authority that is trusted here")
		})
	}
}

// An identity lifts no restriction.
func TestIdentityKeepsPolicy(t *testing.T) {
	c := newClient(t, Config{}).As(Identity{Authorities: []*x509.Certificate{testenv.NewAuthority(t).Certificate()}})
	_, err := post(t, c, "https://127.0.0.1:1/", "{}")
	wantFailure(t, err, KindAddressNotAllowed, "loopback")
	c = newClient(t, Config{Resolver: names(map[string]string{"inside.test": "10.0.0.1"})}).As(Identity{})
	_, err = post(t, c, "https://inside.test/", "{}")
	wantFailure(t, err, KindAddressNotAllowed, "private")
}
