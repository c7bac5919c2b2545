package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultURL is where a server listens that was started without settings.
const DefaultURL = "http://127.0.0.1:8080"

// Config says which server to call, and how.
type Config struct {
	URL       string // of the server, such as https://hooks.example.com; DefaultURL if empty
	Key       string // the API key, prk_…; a client without one can ask for Healthz and Readyz alone
	UserAgent string // "postroom-go" if empty

	// HTTPClient makes the calls; nil for one that follows no redirects and waits two minutes for an answer to begin.
	HTTPClient *http.Client

	// Retries is how many times a call is made again; 0 for DefaultRetries, negative for never.
	Retries int
}

// DefaultRetries is how many times a call is made again when nothing else is asked for.
const DefaultRetries = 3

// answerTimeout leaves room for the slowest call, the test of a webhook, which lasts as long as the webhook's timeout.
const answerTimeout = 2 * time.Minute

// Client calls one server with one key.
type Client struct {
	base      string // without a slash at the end
	key       string
	userAgent string
	http      *http.Client
	retries   int
}

// New makes a client. It makes no call; an error means that the configuration cannot be used.
func New(config Config) (*Client, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	u, err := url.Parse(config.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the URL of a server, such as %s", config.URL, DefaultURL)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the URL of a server carries no user, no query and no fragment")
	}
	if strings.ContainsFunc(config.Key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key holds spaces or characters that no key has")
	}
	c := &Client{
		base: strings.TrimRight(config.URL, "/"), key: config.Key,
		userAgent: config.UserAgent, http: config.HTTPClient, retries: config.Retries,
	}
	if c.userAgent == "" {
		c.userAgent = "postroom-go"
	}
	if c.retries == 0 {
		c.retries = DefaultRetries
	}
	if c.http == nil {
		c.http = defaultHTTPClient()
	}
	return c, nil
}

// URL is the server's, without a slash at the end.
func (c *Client) URL() string { return c.base }

func defaultHTTPClient() *http.Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if shared, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = shared.Clone()
	}
	transport.ResponseHeaderTimeout = answerTimeout
	return &http.Client{
		Transport: transport,
		// A redirect would turn a POST into a GET; the error tells where to instead.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
