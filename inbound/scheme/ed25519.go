package scheme

import (
	"bytes"
	"crypto/ed25519"
)

// ed25519Scheme wants a signature by one of the keys over the text.
type ed25519Scheme struct {
	signed
	keys []ed25519.PublicKey
}

func (c *compiler) ed25519() verifier {
	s := &ed25519Scheme{signed: c.signed()}
	c.noSecret(s.content)
	for i, secret := range c.secrets() {
		key, ok := parsePublicKey(secret).(ed25519.PublicKey)
		if !ok {
			c.blameSecret(i, "This is not the public key of an Ed25519 key pair, in base64, hex or PEM.")
		}
		s.keys = append(s.keys, key)
	}
	return s
}

// noSecret refuses {secret} where the secrets are public keys.
func (c *compiler) noSecret(content template) {
	if content.has(nameSecret) {
		c.blame("signed", "There is no {secret} in what is signed with a key pair.")
	}
}

func (s *ed25519Scheme) cost() cost   { return costKey }
func (s *ed25519Scheme) proves() bool { return true }

func (s *ed25519Scheme) verify(r *Request) *Reason {
	return s.signed.verify(r, func(text, signatures [][]byte) bool {
		return ed25519Fits(s.keys, bytes.Join(text, nil), signatures)
	})
}

// ed25519Fits needs no constant time: all that it compares is public.
func ed25519Fits(keys []ed25519.PublicKey, text []byte, signatures [][]byte) bool {
	for _, signature := range signatures {
		for _, key := range keys {
			if ed25519.Verify(key, text, signature) {
				return true
			}
		}
	}
	return false
}
