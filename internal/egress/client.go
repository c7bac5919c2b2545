package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxHeaderBytes bounds the header of an answer, together with all informational (1xx) answers before it.
const maxHeaderBytes = 64 << 10

// Config says what a [Client] may reach and how it holds connections. Its zero value reaches public addresses over https.
type Config struct {
	// AllowNets are networks that may be reached beyond public addresses (setting --allow-net). A prefix that covers
	// public addresses, too, does no harm. IPv4 inside IPv6 has to be allowed as both: as the IPv6 prefix that carries
	// it, and as what it carries.
	AllowNets []netip.Prefix
	// AllowHTTP lets calls use http:// (setting --allow-http).
	AllowHTTP bool
	// Dev allows loopback addresses, and http:// to them (setting --dev).
	Dev bool
	// Proxy is the http, https, socks5 or socks5h proxy that every call goes through; nil means none. The environment
	// (HTTP_PROXY and the like) is never looked at. See the package comment for what is checked then.
	Proxy *url.URL
	// UserAgent is sent by requests that name none; by default "Postroom".
	UserAgent string

	// MaxIdleConnsPerHost bounds the idle connections kept to one host; by default 512, which lets one busy receiver, to
	// which several webhooks may go, take as many calls at a time without reconnecting.
	MaxIdleConnsPerHost int
	// MaxIdleConns bounds the idle connections kept to all hosts; by default 1024. Each holds some 10 to 40 KiB.
	MaxIdleConns int
	// MaxConnsPerHost bounds all connections to one host; by default there is no bound: webhooks have their own limits on
	// concurrency, and a bound here would let a webhook that hangs starve others that share its host.
	MaxConnsPerHost int
	// IdleTimeout is how long an idle connection is kept; by default 50 s, less than the 60 to 75 s after which most load
	// balancers and servers close it. Where the other side is quicker, the request is sent again on another connection.
	IdleTimeout time.Duration
	// DialTimeout bounds the look-up of a name and the connecting to its addresses together, and on top of that the TLS
	// handshake by itself; by default 10 s each. The deadline of a call may end both earlier.
	DialTimeout time.Duration

	// RootCAs are the authorities whose certificates are trusted; nil means those of the system.
	RootCAs *x509.CertPool
	// Resolver looks up names; nil means that of the system.
	Resolver *net.Resolver
}

// Client makes outgoing calls. It is safe for concurrent use. Make one for the whole process, as it holds the connections.
type Client struct {
	policy    *policy
	dialer    *net.Dialer // checks every address
	transport *http.Transport
	fresh     *http.Transport // opens a new connection for every call
	userAgent string
	buffers   *sync.Pool // of *[]byte, for reading bodies

	proxy    *proxy // nil without one
	resolver *net.Resolver
	config   Config
}

// New makes a client, or tells what is wrong with cfg. It does not use the network.
func New(cfg Config) (*Client, error) {
	p, err := newPolicy(cfg)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(cfg.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, fmt.Errorf("egress: the user agent %q may only hold printable ASCII", cfg.UserAgent)
	}
	cfg = cfg.withDefaults()
	if cfg.MaxIdleConnsPerHost < 0 || cfg.MaxIdleConns < 0 || cfg.MaxConnsPerHost < 0 || cfg.IdleTimeout < 0 || cfg.DialTimeout < 0 {
		return nil, errors.New("egress: limits on connections and times must not be negative")
	}
	c := &Client{
		policy: p,
		dialer: &net.Dialer{
			Timeout:  cfg.DialTimeout,
			Resolver: cfg.Resolver,
			Control:  p.control,
		},
		userAgent: cfg.UserAgent,
		buffers:   &sync.Pool{New: func() any { b := make([]byte, 8<<10); return &b }},
		resolver:  cfg.Resolver,
		config:    cfg,
	}
	if cfg.Proxy != nil {
		if c.proxy, err = newProxy(cfg); err != nil {
			return nil, err
		}
	}
	c.setTransport(c.newTransport(cfg))
	return c, nil
}

func (c *Client) setTransport(t *http.Transport) {
	c.transport, c.fresh = t, t.Clone()
	c.fresh.DisableKeepAlives = true
}

func (cfg Config) withDefaults() Config {
	if cfg.UserAgent == "" {
		cfg.UserAgent = "Postroom"
	}
	if cfg.MaxIdleConnsPerHost == 0 {
		cfg.MaxIdleConnsPerHost = 512
	}
	if cfg.MaxIdleConns == 0 {
		cfg.MaxIdleConns = 1024
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = 50 * time.Second
	}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = 10 * time.Second
	}
	if cfg.Resolver == nil {
		cfg.Resolver = net.DefaultResolver
	}
	return cfg
}

func (c *Client) newTransport(cfg Config) *http.Transport {
	t := &http.Transport{
		DialContext: c.DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            cfg.RootCAs,
			ClientSessionCache: tls.NewLRUClientSessionCache(512), // a shorter handshake when reconnecting
		},
		TLSHandshakeTimeout:    cfg.DialTimeout,
		MaxIdleConns:           cfg.MaxIdleConns,
		MaxIdleConnsPerHost:    cfg.MaxIdleConnsPerHost,
		MaxConnsPerHost:        cfg.MaxConnsPerHost,
		IdleConnTimeout:        cfg.IdleTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // a gzip bomb is just bytes
		Protocols:              new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			// All calls to a host share one HTTP/2 connection. Without these, one that died in silence would swallow
			// every call until TCP gives up, which takes a quarter of an hour.
			SendPingTimeout:  15 * time.Second,
			PingTimeout:      10 * time.Second,
			WriteByteTimeout: 30 * time.Second,
		},
	}
	t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(true)
	if c.proxy != nil {
		t.Proxy = http.ProxyURL(c.proxy.url)
		t.DialContext = c.dialProxy
		t.OnProxyConnectResponse = refusedByProxy
	}
	return t
}

// DialContext opens a TCP connection for protocols other than HTTP, such as SMTP, under the same policy. It never uses the
// proxy. Classify explains its errors.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return dial(ctx, c.dialer, network, address)
}

// CloseIdleConnections closes the connections that no call is using.
func (c *Client) CloseIdleConnections() { c.transport.CloseIdleConnections() }
