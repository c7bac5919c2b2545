package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
)

func TestAddressesThatAreRefused(t *testing.T) {
	c := newClient(t, Config{})
	for class, addrs := range map[string][]string{
		"private":       {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fdff::1"},
		"loopback":      {"127.0.0.1", "127.255.255.254", "::1"},
		"link-local":    {"169.254.1.1", "fe80::1", "fe80::1%eth0", "fec0::1"},
		"metadata":      {"169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"},
		"CGNAT":         {"100.64.0.1", "100.127.255.255"},
		"multicast":     {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
		"broadcast":     {"255.255.255.255"},
		"unspecified":   {"0.0.0.0", "0.1.2.3", "::"},
		"documentation": {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"},
		"reserved":      {"240.0.0.1", "198.18.0.1", "192.88.99.1", "100::1", "5f00::1", "4000::1"},
		"IPv4-mapped":   {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8"},
		"IPv4-compat":   {"::127.0.0.1", "::10.0.0.1", "::8.8.8.8"},
		"NAT64":         {"64:ff9b::a9fe:a9fe", "64:ff9b::808:808", "64:ff9b:1::1", "64:ff9b:1:ffff::a00:1"},
		"6to4":          {"2002:7f00:1::", "2002:a9fe:a9fe::1"},
		"Teredo":        {"2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"},
		"ORCHID, AS112": {"2001:20::1", "2001:10::1", "2620:4f:8000::1"},
	} {
		for _, addr := range addrs {
			a := netip.MustParseAddr(addr)
			network := "tcp6"
			if a.Is4() {
				network = "tcp4"
			}
			err := c.policy.control(network, netip.AddrPortFrom(a, 443).String(), nil)
			if err == nil {
				t.Errorf("%s: %s is let through", class, addr)
				continue
			}
			wantFailure(t, err, KindAddressNotAllowed, "may not be called")
		}
	}
}

func TestAddressesThatAreAllowed(t *testing.T) {
	nets := func(prefixes ...string) (c Config) {
		for _, p := range prefixes {
			c.AllowNets = append(c.AllowNets, netip.MustParsePrefix(p))
		}
		return c
	}
	for _, tc := range []struct {
		cfg  Config
		addr string
		want bool
	}{
		{Config{}, "8.8.8.8", true},
		{Config{}, "172.32.0.1", true},
		{Config{}, "100.128.0.1", true},
		{Config{}, "2001:4860:4860::8888", true},
		{nets("10.0.0.0/8"), "10.1.2.3", true},
		{nets("10.0.0.0/8"), "8.8.8.8", true},
		{nets("10.0.0.0/8"), "192.168.0.1", false},
		{nets("10.1.2.3/8"), "10.200.0.1", true}, // host bits do not matter
		{nets("10.0.0.0/8"), "::ffff:10.0.0.1", false},
		{nets("fd00::/8"), "fd00::1", true},
		{nets("fd00::/8"), "fd00::1%eth0", false},
		{nets("168.63.129.16/32"), "168.63.129.16", true},
		{nets("0.0.0.0/0"), "127.0.0.1", true},
		{nets("::/0"), "fe80::1", true},
		{nets("::/0"), "::ffff:127.0.0.1", false},
		{nets("64:ff9b::/96"), "64:ff9b::808:808", true},
		{nets("64:ff9b::/96"), "64:ff9b::7f00:1", false},
		{nets("64:ff9b::/96"), "64:ff9b::a9fe:a9fe", false},
		{nets("64:ff9b::/96", "10.0.0.0/8"), "64:ff9b::a00:1", true},
		{Config{Dev: true}, "127.0.0.1", true},
		{Config{Dev: true}, "127.8.8.8", true},
		{Config{Dev: true}, "::1", true},
		{Config{Dev: true}, "10.0.0.1", false},
		{Config{Dev: true}, "0.0.0.0", false},
		{Config{AllowHTTP: true}, "127.0.0.1", false},
	} {
		c := newClient(t, tc.cfg)
		if got := c.policy.checkAddr(netip.MustParseAddr(tc.addr)) == nil; got != tc.want {
			t.Errorf("%s with %v, dev %v: allowed %v, want %v", tc.addr, tc.cfg.AllowNets, tc.cfg.Dev, got, tc.want)
		}
	}
}

func TestOnlyTCPIsDialled(t *testing.T) {
	c := newClient(t, Config{})
	for _, network := range []string{"udp4", "udp6", "unix", "ip4:icmp"} {
		if err := c.policy.control(network, "8.8.8.8:443", nil); err == nil {
			t.Errorf("%s is let through", network)
		}
	}
	if err := c.policy.control("tcp4", ":443", nil); err == nil {
		t.Error("an address without a host is let through")
	}
}

func TestNewRefusesBadConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no prefix":         {AllowNets: []netip.Prefix{{}}},
		"IPv4 as IPv6":      {AllowNets: []netip.Prefix{netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.0"), 104)}},
		"line in the agent": {UserAgent: "a\r\nb"},
		"negative":          {MaxIdleConns: -1},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// listenInside is a server that must not be reached; it counts the connections that it gets.
func listenInside(t *testing.T) (port string, hits *atomic.Int32) {
	t.Helper()
	hits = new(atomic.Int32)
	address := serveRaw(t, func(int, *net.TCPConn) { hits.Add(1) })
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port, hits
}

// Every host here is some way to write or to name this machine. None may be reached, whether the URL is checked or not.
func TestSpellingsOfLoopbackAreRefused(t *testing.T) {
	port, hits := listenInside(t)
	inside := names(map[string]string{
		"inside.test": "127.0.0.1", "inside6.test": "::1", "mapped.test": "::ffff:127.0.0.1", "nat64.test": "64:ff9b::7f00:1",
		"zero.test": "0.0.0.0", "private.test": "10.0.0.1", "metadata.test": "169.254.169.254",
		// What C libraries make of the odd spellings; here a name server is so obliging.
		"0x7f.1": "127.0.0.1", "2130706433": "127.0.0.1", "127.1": "127.0.0.1", "0177.0.0.1": "127.0.0.1",
	})
	c := newClient(t, Config{AllowHTTP: true, Resolver: inside})
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "0177.0.0.1", "017700000001",
		"127.0.0.1.", "0.0.0.0", "0", "localhost", "LOCALHOST", "localhost.", "a.localhost", "ip6-localhost",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::127.0.0.1]", "[fe80::1%25lo]", "[::1%25lo]",
		"１２７.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "inside.test", "inside6.test", "mapped.test", "nat64.test", "zero.test", "private.test", "metadata.test",
	} {
		t.Run(host, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodPost, "http://"+host+":"+port+"/", nil)
			if err != nil {
				return // Go's own parser refuses it, so there is no call
			}
			_, err = c.Do(t.Context(), req, Limits{})
			wantFailure(t, err, KindAddressNotAllowed, "")
		})
	}
	for _, host := range []string{"127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "", "0.0.0.0", "localhost", "::1", "::ffff:127.0.0.1", "::1%lo", "inside.test", "mapped.test"} {
		t.Run("dial "+host, func(t *testing.T) {
			conn, err := c.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
			if err == nil {
				_ = conn.Close()
				t.Fatal("connected")
			}
			if kind, _ := Classify(err); kind != KindAddressNotAllowed && kind != KindDNS { // Go does not even look up some
				t.Errorf("got %s: %v", kind, err)
			}
		})
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the server inside got %d connections", n)
	}
}

// The name is public whenever somebody looks, and turns inside when the connection is made.
func TestRebindingIsRefused(t *testing.T) {
	port, hits := listenInside(t)
	var lookups atomic.Int32
	rebinding := resolver(func(string) ([]netip.Addr, bool) {
		if lookups.Add(1) <= 2 { // the questions for A and for AAAA
			return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, true
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, true
	})
	c := newClient(t, Config{AllowHTTP: true, Resolver: rebinding})
	url := "http://rebind.test:" + port + "/"
	if _, err := c.CheckURL(url); err != nil {
		t.Fatal(err)
	}
	addrs, err := rebinding.LookupNetIP(t.Context(), "ip", "rebind.test")
	if err != nil || c.policy.checkAddr(addrs[0].Unmap()) != nil {
		t.Fatalf("the first look is not harmless: %v, %v", addrs, err)
	}
	_, err = post(t, c, url, "{}")
	wantFailure(t, err, KindAddressNotAllowed, "rebind.test resolves to a loopback address")
	if n := hits.Load(); n != 0 {
		t.Errorf("the server inside got %d connections", n)
	}
}

// One good address among bad ones is used, and only that one.
func TestGoodAddressAmongBadOnes(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	defer srv.Close()
	cfg := loopback()
	cfg.Resolver = resolver(func(string) ([]netip.Addr, bool) {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}, true
	})
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	res := mustPost(t, newClient(t, cfg), "http://mixed.test:"+port, "{}")
	if res.StatusCode != http.StatusAccepted || res.RemoteAddr.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("got %d from %v", res.StatusCode, res.RemoteAddr)
	}
}

func TestDialContextReachesWhatIsAllowed(t *testing.T) {
	address := serveRaw(t, func(_ int, conn *net.TCPConn) { _, _ = conn.Write([]byte("220 ready\r\n")) })
	conn, err := newClient(t, Config{Dev: true}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	greeting := make([]byte, 3)
	if _, err := conn.Read(greeting); err != nil || string(greeting) != "220" {
		t.Errorf("read %q, %v", greeting, err)
	}
	if _, err := newClient(t, Config{}).DialContext(context.Background(), "tcp", address); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("without leave: %v", err)
	}
}
