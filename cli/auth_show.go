package cli

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// expiresSoon is how long before its end a certificate is pointed out.
const expiresSoon = 30 * 24 * time.Hour

// authSummary is how a webhook proves itself: the kind, and its client certificate with the time at which that ends.
func authSummary(p *screen, auth *postroom.Auth) (kind string, certificate cell) {
	if auth == nil {
		return "", cell{}
	}
	kind = string(auth.Type)
	if auth.Type == postroom.AuthOAuth2 {
		kind += fmt.Sprintf(" (%s at %s)", auth.Grant, auth.TokenURL)
	}
	if auth.TLS == nil {
		return kind, cell{}
	}
	block, _ := pem.Decode([]byte(auth.TLS.Certificate))
	if block == nil {
		return kind, val("none, but authorities of its own")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return kind, val("one that cannot be read")
	}
	certificate = val(fmt.Sprintf("%s, until %s", c.Subject, p.time(c.NotAfter)))
	switch left := c.NotAfter.Sub(p.now); {
	case left <= 0:
		certificate.text, certificate.color = fmt.Sprintf("%s, expired at %s", c.Subject, p.time(c.NotAfter)), red
	case left < expiresSoon:
		certificate.color = yellow
	}
	return kind, certificate
}
