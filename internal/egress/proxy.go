package egress

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// proxy is the operator's proxy, whose own address is not held against the policy.
type proxy struct {
	url     *url.URL
	address string // host:port, as the transport dials it
	dialer  *net.Dialer
}

func newProxy(cfg Config) (*proxy, error) {
	u := cfg.Proxy
	ports := map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}
	port, known := ports[u.Scheme]
	if !known {
		return nil, fmt.Errorf("egress: the proxy's scheme is %q; it must be http, https, socks5 or socks5h", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("egress: the proxy's URL has no host")
	}
	if p := u.Port(); p != "" {
		port = p
	}
	return &proxy{
		url:     u,
		address: net.JoinHostPort(u.Hostname(), port),
		dialer:  &net.Dialer{Timeout: cfg.DialTimeout, Resolver: cfg.Resolver},
	}, nil
}

// dialProxy connects to the proxy. Whatever else the transport might ever want to connect to is checked as usual.
func (c *Client) dialProxy(ctx context.Context, network, address string) (net.Conn, error) {
	if address == c.proxy.address {
		return dial(ctx, c.proxy.dialer, network, address)
	}
	return c.DialContext(ctx, network, address)
}

// checkProxied refuses what the proxy would connect to in our stead although we may not. Literal addresses were checked
// with the URL; here a name is resolved, and one bad address is enough, as the proxy might pick that one.
func (c *Client) checkProxied(ctx context.Context, req *http.Request) error {
	// A proxy takes the target of an http request from its Host header.
	if req.URL.Scheme == "http" && req.Host != "" && !strings.EqualFold(req.Host, req.URL.Host) {
		return notAllowed("The request's Host header is not the host of its URL, which is not allowed through a proxy.")
	}
	host := req.URL.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	addrs, _ := c.resolver.LookupNetIP(ctx, "ip", host) // none: perhaps only the proxy knows the name
	for _, addr := range addrs {
		if err := c.policy.checkAddr(addr.Unmap()); err != nil { // resolvers write IPv4 as IPv6
			return err
		}
	}
	return nil
}

// proxyRefusal tells that the proxy answered a CONNECT with something else than 200.
type proxyRefusal struct{ status string }

func (e *proxyRefusal) Error() string { return "egress: the proxy answered " + e.status }

func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusal{res.Status}
}
