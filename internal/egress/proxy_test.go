package egress

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/testenv"
)

// testProxy is an HTTP proxy that connects everything to one address and notes what it was asked for.
type testProxy struct {
	url    *url.URL
	target string // host:port
	mu     sync.Mutex
	asked  []string
}

func newTestProxy(t *testing.T, target string) *testProxy {
	t.Helper()
	p := &testProxy{target: target}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	p.url, _ = url.Parse(srv.URL)
	return p
}

func (p *testProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI)
	p.mu.Unlock()
	if p.target == "" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if r.Method != http.MethodConnect {
		_, _ = io.WriteString(w, "through the proxy")
		return
	}
	to, err := net.Dial("tcp", p.target)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = to.Close() }()
	w.WriteHeader(http.StatusOK)
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = from.Close() }()
	go func() { _, _ = io.Copy(to, buffered); _ = to.Close() }()
	_, _ = io.Copy(from, to)
}

func (p *testProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// The proxy is inside, where nothing else may be called, and is used all the same.
func TestProxyIsUsed(t *testing.T) {
	ca := testenv.NewAuthority(t)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in the tunnel") }))
	srv.StartTLS()
	t.Cleanup(srv.Close)
	srv.TLS.Certificates[0] = ca.Issue(t, "receiver.test", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	p := newTestProxy(t, srv.Listener.Addr().String())
	c := newClient(t, Config{
		AllowHTTP: true, Proxy: p.url, RootCAs: ca.Pool(),
		Resolver: names(map[string]string{"receiver.test": "8.8.8.8"}),
	})
	for target, want := range map[string]string{
		"https://receiver.test/hooks": "in the tunnel",
		"http://receiver.test/hooks":  "through the proxy",
		"http://onlythere.test/":      "through the proxy", // a name that only the proxy knows
		"http://8.8.8.8/":             "through the proxy",
	} {
		res := mustPost(t, c, target, "{}")
		if string(res.Body) != want || res.RemoteAddr.String() != p.url.Host {
			t.Errorf("%s: %q from %v", target, res.Body, res.RemoteAddr)
		}
	}
	if n := len(p.requests()); n != 4 {
		t.Errorf("the proxy got %d requests: %q", n, p.requests())
	}
}

func TestProxyIsNotAWayAround(t *testing.T) {
	p := newTestProxy(t, "127.0.0.1:1")
	c := newClient(t, Config{AllowHTTP: true, Proxy: p.url, Resolver: resolver(func(name string) ([]netip.Addr, bool) {
		switch name {
		case "inside.test":
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, true
		case "mixed.test":
			return []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("fd00::1")}, true
		case "public.test":
			return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, true
		}
		return nil, false
	})})
	for _, target := range []string{
		"http://127.0.0.1/", "https://10.0.0.1/", "http://169.254.169.254/latest", "https://[::1]/", "http://0x7f.1/", "http://2130706433/", "https://localhost/",
		"http://" + p.url.Host + "/", // the proxy itself is no receiver
		"https://inside.test/", "http://mixed.test/",
	} {
		_, err := post(t, c, target, "{}")
		wantFailure(t, err, KindAddressNotAllowed, "")
	}
	req := newRequest(t, "http://public.test/", "{}")
	req.Host = "127.0.0.1"
	_, err := c.Do(t.Context(), req, Limits{})
	wantFailure(t, err, KindAddressNotAllowed, "Host header")
	if asked := p.requests(); len(asked) != 0 {
		t.Errorf("the proxy was asked for %q", asked)
	}
	if conn, err := c.DialContext(t.Context(), "tcp", p.url.Host); err == nil {
		_ = conn.Close()
		t.Error("DialContext reaches the proxy")
	}
}

func TestProxyFailures(t *testing.T) {
	refusing := newTestProxy(t, "")
	closing := serveRaw(t, func(int, *net.TCPConn) {})
	silent := serveRaw(t, func(_ int, conn *net.TCPConn) { untilClosed(conn) })
	// The socks servers read the greeting, choose "no authentication", read the request and answer "connection refused".
	socks := serveRaw(t, func(_ int, conn *net.TCPConn) {
		_, _ = io.ReadFull(conn, make([]byte, 3))
		_, _ = conn.Write([]byte{5, 0})
		_, _ = io.ReadFull(conn, make([]byte, 4))
		_, _ = conn.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		untilClosed(conn)
	})
	for name, tc := range map[string]struct{ proxy, kind, part string }{
		"refuses":           {refusing.url.String(), KindConnect, "it answered 403 Forbidden"},
		"is not there":      {"http://" + closedPort(t), KindConnect, "The proxy refused the connection"},
		"has no name":       {"http://gone.test:3128", KindDNS, "The proxy's name gone.test does not exist"},
		"closes":            {"http://" + closing, KindConnect, "The proxy closed the connection"},
		"hangs in TLS":      {"https://" + silent, KindConnectTimeout, "The proxy did not complete the TLS handshake"},
		"socks5 refuses":    {"socks5://" + socks, KindConnect, "The proxy did not connect to the receiver: "},
		"socks5h is a wall": {"socks5h://" + closedPort(t), KindConnect, "The proxy refused the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(tc.proxy)
			if err != nil {
				t.Fatal(err)
			}
			c := newClient(t, Config{Proxy: u, DialTimeout: soon, Resolver: names(map[string]string{"receiver.test": "8.8.8.8"})})
			_, err = post(t, c, "https://receiver.test/", "{}")
			wantFailure(t, err, tc.kind, tc.part)
		})
	}
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	p := newTestProxy(t, "")
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, p.url.String())
	}
	receiver := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	cfg := loopback()
	cfg.Resolver = names(map[string]string{"receiver.test": "127.0.0.1"}) // Go never asks a proxy for 127.0.0.1
	u, _ := url.Parse(receiver)
	if res := mustPost(t, newClient(t, cfg), "http://receiver.test:"+u.Port(), "{}"); res.StatusCode != http.StatusAccepted {
		t.Errorf("got %+v", res)
	}
	if asked := p.requests(); len(asked) != 0 {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

func TestBadProxyIsRefused(t *testing.T) {
	for _, proxy := range []*url.URL{{Scheme: "ftp", Host: "a"}, {Host: "a"}, {Scheme: "http"}, {Scheme: "http", Host: ":3128"}} {
		if _, err := New(Config{Proxy: proxy}); err == nil {
			t.Errorf("%v is accepted", proxy)
		}
	}
}
