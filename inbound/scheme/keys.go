package scheme

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
)

// parsePublicKey reads a public key: PEM, base64 of DER, and for Ed25519 also its 32 bytes in hex or base64, or whpk_…. It is nil if
// the text is none of these.
func parsePublicKey(text string) any {
	if strings.HasPrefix(text, "-----BEGIN") {
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "PUBLIC KEY" || len(bytes.TrimSpace(rest)) > 0 {
			return nil
		}
		return parseDER(block.Bytes)
	}
	raw, ok := decode(strings.TrimPrefix(text, publicKeyPrefix), "auto")
	if !ok {
		return nil
	}
	if len(raw) == ed25519.PublicKeySize {
		return ed25519.PublicKey(raw)
	}
	return parseDER(raw)
}

func parseDER(der []byte) any {
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil
	}
	return key
}

// ParseCertificate reads a certificate in PEM, the first if there are several.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("this is not a certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}
