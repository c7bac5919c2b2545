package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The server ends each connection after a few answers, without saying so, as servers do with idle ones. How it ends them
// and how much of the next request it reads makes the difference between the errors that the client sees.
func TestStaleConnectionsAreReplaced(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		end  func(conn *net.TCPConn, br *bufio.Reader)
	}{
		"closed at once":           {"{}", func(*net.TCPConn, *bufio.Reader) {}},
		"reset at once":            {"{}", func(conn *net.TCPConn, _ *bufio.Reader) { reset(conn) }},
		"closed after the request": {"{}", func(_ *net.TCPConn, br *bufio.Reader) { _ = readRequest(br) }},
		"reset after the request":  {"{}", func(conn *net.TCPConn, br *bufio.Reader) { _ = readRequest(br); reset(conn) }},
		"reset amid a large request": {strings.Repeat("x", 8<<20), func(conn *net.TCPConn, br *bufio.Reader) {
			_, _ = br.Peek(1)
			reset(conn)
		}},
		"large, reset at once": {strings.Repeat("x", 1<<20), func(conn *net.TCPConn, _ *bufio.Reader) { reset(conn) }},
	} {
		t.Run(name, func(t *testing.T) {
			var served atomic.Int32
			url := "http://" + serveRaw(t, func(_ int, conn *net.TCPConn) {
				br := bufio.NewReader(conn)
				if readRequest(br) != nil {
					return
				}
				served.Add(1)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				tc.end(conn, br)
			})
			c := newClient(t, loopback())
			const calls = 30
			for i := range calls {
				res, err := post(t, c, url, tc.body)
				if err != nil {
					kind, _ := Classify(err)
					t.Fatalf("call %d: %s: %v (%#v)", i, kind, err, err.(*Error).Err)
				}
				if string(res.Body) != "ok" {
					t.Fatalf("call %d: %q", i, res.Body)
				}
			}
			if n := served.Load(); n != calls {
				t.Errorf("%d requests were answered, want %d", n, calls)
			}
		})
	}
}

// With HTTP/2 the connection goes down under a request that was already sent, without a GOAWAY.
func TestStaleHTTP2ConnectionsAreReplaced(t *testing.T) {
	type connKey struct{}
	type counted struct {
		net.Conn
		requests atomic.Int32
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn := r.Context().Value(connKey{}).(*counted); conn.requests.Add(1) > 1 {
			_ = conn.Close()
			return
		}
		_, _ = io.WriteString(w, r.Proto)
	}))
	srv.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, &counted{Conn: conn.(*tls.Conn).NetConn()})
	}
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	cfg := loopback()
	cfg.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c := newClient(t, cfg)
	for call := range 20 {
		if res := mustPost(t, c, srv.URL, "{}"); string(res.Body) != "HTTP/2.0" {
			t.Errorf("call %d: %q", call, res.Body)
		}
	}
}

// Several idle connections that died together are all got over by one call.
func TestAllIdleConnectionsDied(t *testing.T) {
	const conns = 4
	var release sync.WaitGroup
	release.Add(conns)
	url := "http://" + serveRaw(t, func(n int, conn *net.TCPConn) {
		br := bufio.NewReader(conn)
		if readRequest(br) != nil {
			return
		}
		if n < conns { // the first ones wait for each other, so that each needs its own connection
			release.Done()
			release.Wait()
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_, _ = br.Peek(1)
		reset(conn)
	})
	c := newClient(t, loopback())
	var calls sync.WaitGroup
	for range conns {
		calls.Go(func() {
			if _, err := post(t, c, url, "{}"); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	mustPost(t, c, url, strings.Repeat("x", 8<<20))
}

// A receiver that hangs up on one particular request gets that twice, and not on every connection there is.
func TestPoisonIsNotSpread(t *testing.T) {
	const conns = 8
	var poisoned, accepted atomic.Int32
	var release sync.WaitGroup
	release.Add(conns)
	url := "http://" + serveRaw(t, func(n int, conn *net.TCPConn) {
		accepted.Add(1)
		br := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if req.URL.Path == "/poison" {
				poisoned.Add(1)
				return
			}
			release.Done()
			release.Wait()
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := newClient(t, loopback())
	var calls sync.WaitGroup
	for range conns {
		calls.Go(func() {
			if _, err := post(t, c, url, "{}"); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	_, err := post(t, c, url+"/poison", "{}")
	wantFailure(t, err, KindReset, "before it answered")
	if n := poisoned.Load(); n != 2 || accepted.Load() != conns+1 {
		t.Errorf("the receiver got the request %d times, on %d connections", n, accepted.Load())
	}
}

// On a new connection there is no doubt that the receiver means it, so the request is not repeated behind its back.
func TestNewConnectionsAreNotRetried(t *testing.T) {
	var conns atomic.Int32
	url := "http://" + serveRaw(t, func(_ int, conn *net.TCPConn) {
		conns.Add(1)
		_ = readRequest(bufio.NewReader(conn))
		reset(conn)
	})
	_, err := post(t, newClient(t, loopback()), url, "{}")
	wantFailure(t, err, KindReset, "before it answered")
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A body that cannot be rewound is not sent a second time, and not half of it either.
func TestBodyWithoutGetBodyIsNotRepeated(t *testing.T) {
	url := "http://" + serveRaw(t, func(_ int, conn *net.TCPConn) {
		br := bufio.NewReader(conn)
		_ = readRequest(br)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_ = readRequest(br)
	})
	c := newClient(t, loopback())
	mustPost(t, c, url, "{}")
	req, err := http.NewRequest(http.MethodPost, url, struct{ io.Reader }{strings.NewReader("{}")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), req, Limits{})
	wantFailure(t, err, KindReset, "")
}
