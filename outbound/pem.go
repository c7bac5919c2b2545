package outbound

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

// The sentences of the errors below are for people, and hold nothing of what was given: it may be a key in the wrong place.

// ParseCertificates reads one or more certificates in PEM, and nothing else: what stands here is shown to people.
func ParseCertificates(text string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for rest := []byte(text); ; {
		block, more := pem.Decode(rest)
		switch {
		case block == nil && bytes.Contains(rest, []byte("-----BEGIN")):
			return nil, errors.New("the PEM is damaged, or its line breaks are lost")
		case block == nil && len(all) == 0:
			return nil, errors.New("this is a certificate in PEM: -----BEGIN CERTIFICATE-----, and so on")
		case block == nil:
			return all, nil
		case block.Type != "CERTIFICATE":
			return nil, errors.New("only certificates belong here, and something else is among them")
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("the certificate cannot be read")
		}
		all, rest = append(all, c), more
	}
}

// minRSA is the size of the smallest RSA key that is not refused, in bits.
const minRSA = 2048

// ParsePrivateKey reads a private key in PEM (PKCS #8, PKCS #1 or SEC 1), without a passphrase.
func ParsePrivateKey(text string) (crypto.Signer, error) {
	block, rest := pem.Decode([]byte(text))
	if block != nil && block.Type == "EC PARAMETERS" { // openssl puts the curve's name in front
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("this is a private key in PEM: -----BEGIN PRIVATE KEY-----, and so on")
	}
	if strings.Contains(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, errors.New("the key is encrypted with a passphrase: give it without one")
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, errors.New("this is not a private key, but something else in PEM")
	}
	if err != nil {
		return nil, errors.New("the private key cannot be read")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("a key of this kind cannot sign; RSA, ECDSA and Ed25519 keys can")
	}
	if k, ok := signer.(*rsa.PrivateKey); ok && k.N.BitLen() < minRSA {
		return nil, errors.New("the RSA key is too short; 2048 bits or more are safe")
	}
	return signer, nil
}

// ParseAssertionKey reads a private key that signs assertions, and gives its algorithm (RFC 7518, RFC 8037).
func ParseAssertionKey(text string) (key crypto.Signer, algorithm string, err error) {
	if key, err = ParsePrivateKey(text); err != nil {
		return nil, "", err
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return key, "RS256", nil
	case ed25519.PrivateKey:
		return key, "EdDSA", nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return key, "ES256", nil
		}
	}
	return nil, "", errors.New("a key of this kind cannot sign an assertion; RSA, P-256 and Ed25519 keys can")
}

// SamePublicKey tells whether a private key is that of a certificate.
func SamePublicKey(c *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// identity is what a webhook brings to TLS handshakes; the settings were checked when they were saved.
func identity(c *postroom.ClientTLS) (id egress.Identity, err error) {
	if c.CA != "" {
		if id.Authorities, err = ParseCertificates(c.CA); err != nil {
			return id, err
		}
	}
	if c.Certificate == "" {
		return id, nil
	}
	chain, err := ParseCertificates(c.Certificate)
	if err != nil {
		return id, err
	}
	key, err := ParsePrivateKey(c.Key)
	if err != nil {
		return id, err
	}
	id.Certificate = &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, link := range chain {
		id.Certificate.Certificate = append(id.Certificate.Certificate, link.Raw)
	}
	return id, nil
}
