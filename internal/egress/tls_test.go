package egress

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/testenv"
)

// serveTLS runs a server with the given configuration, whose complaints about clients that go away are not shown.
func serveTLS(t *testing.T, cfg *tls.Config) (port string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	srv.TLS = cfg
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestCertificates(t *testing.T) {
	ours, theirs := testenv.NewAuthority(t), testenv.NewAuthority(t)
	day := 24 * time.Hour
	now := time.Now()
	cfg := loopback()
	cfg.RootCAs = ours.Pool()
	cfg.Resolver = names(map[string]string{"receiver.test": "127.0.0.1", "other.test": "127.0.0.1"})
	for name, tc := range map[string]struct {
		cert tls.Certificate
		part string // of the sentence; empty if the call succeeds
	}{
		"good":              {ours.Issue(t, "receiver.test", now.Add(-day), now.Add(day)), ""},
		"expired":           {ours.Issue(t, "receiver.test", now.Add(-2*day), now.Add(-day)), "expired at " + now.Add(-day).UTC().Format("2006-01-02")},
		"not yet valid":     {ours.Issue(t, "receiver.test", now.Add(day), now.Add(2*day)), "not valid before " + now.Add(day).UTC().Format("2006-01-02")},
		"wrong host":        {ours.Issue(t, "other.test", now.Add(-day), now.Add(day)), "is not for receiver.test, but for other.test"},
		"unknown authority": {theirs.Issue(t, "receiver.test", now.Add(-day), now.Add(day)), "not from an authority that is trusted"},
	} {
		t.Run(name, func(t *testing.T) {
			port := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{tc.cert}})
			res, err := post(t, newClient(t, cfg), "https://receiver.test:"+port, "{}")
			if tc.part == "" {
				if err != nil || res.StatusCode != http.StatusNoContent {
					t.Errorf("got %+v, %v", res, err)
				}
				return
			}
			wantFailure(t, err, KindTLS, tc.part)
			if res.StatusCode != 0 {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
	t.Run("self-signed", func(t *testing.T) {
		port := serveTLS(t, nil) // httptest's own certificate
		_, err := post(t, newClient(t, loopback()), "https://127.0.0.1:"+port, "{}")
		wantFailure(t, err, KindTLS, "self-signed")
	})
}

func TestHandshakes(t *testing.T) {
	raw := func(greeting string) string {
		return serveRaw(t, func(_ int, conn *net.TCPConn) {
			_, _ = conn.Read(make([]byte, 1))
			_, _ = io.WriteString(conn, greeting)
			if greeting == "" {
				reset(conn)
			} else {
				untilClosed(conn)
			}
		})
	}
	cert := testenv.NewAuthority(t).Issue(t, "127.0.0.1", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	old := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	for name, tc := range map[string]struct{ address, part string }{
		"plain HTTP":      {raw("HTTP/1.1 400 Bad Request\r\n\r\n"), "plain HTTP"},
		"no TLS at all":   {raw("SSH-2.0-server\r\n"), "does not speak TLS"},
		"closes":          {raw(""), "closed the connection during the TLS handshake"},
		"TLS 1.1 only":    {"127.0.0.1:" + old, "older than TLS 1.2"},
		"alert of theirs": {raw("\x15\x03\x03\x00\x02\x02\x28"), "handshake failure"},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := post(t, newClient(t, loopback()), "https://"+tc.address, "{}")
			wantFailure(t, err, KindTLS, tc.part)
			if res.Phases.Connect <= 0 || res.Phases.TLS <= 0 {
				t.Errorf("phases %+v", res.Phases)
			}
		})
	}
}
