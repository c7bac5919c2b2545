package egress

import (
	"crypto/tls"
	"crypto/x509"
)

// Identity is what one party brings to TLS handshakes that others must not share.
type Identity struct {
	// Certificate is presented to servers that ask for one, whichever authorities they name; nil for none.
	Certificate *tls.Certificate
	// Authorities are trusted besides those of the client that the identity is for.
	Authorities []*x509.Certificate
}

// maxIdleAs bounds the idle connections of each identity. There may be many identities, and each mostly calls one host.
const maxIdleAs = 32

// As gives a client under the same policy that calls with an identity. It shares neither connections nor TLS sessions with
// c or with any other: on a connection, the server takes every call to be from whom the handshake was with. Its idle
// connections close by themselves, so that it can be dropped at any time.
func (c *Client) As(id Identity) *Client {
	own := *c
	cfg := c.config
	cfg.MaxIdleConns, cfg.MaxIdleConnsPerHost = min(cfg.MaxIdleConns, maxIdleAs), min(cfg.MaxIdleConnsPerHost, maxIdleAs)
	if len(id.Authorities) > 0 {
		cfg.RootCAs = extend(cfg.RootCAs, id.Authorities)
	}
	t := own.newTransport(cfg)
	if id.Certificate != nil {
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.Certificate, nil }
	}
	own.setTransport(t)
	return &own
}

// extend adds authorities to a copy of those that are trusted already; nil stands for the system's.
func extend(trusted *x509.CertPool, more []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	if trusted != nil {
		pool = trusted.Clone()
	} else if usual, err := x509.SystemCertPool(); err == nil { // else a system without any
		pool = usual
	}
	for _, c := range more {
		pool.AddCert(c)
	}
	return pool
}
