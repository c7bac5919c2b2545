package scheme

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what senders sign with
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
)

// hmacScheme wants an HMAC of the text with one of the keys.
type hmacScheme struct {
	signed
	hash func() hash.Hash
	keys [][]byte
}

func (c *compiler) hmac() verifier {
	s := &hmacScheme{signed: c.signed(), hash: c.hashes("sha256", "sha1", "sha512")}
	encoding := c.oneOf("secret_encoding", c.SecretEncoding, "text", "hex", "base64")
	for i, secret := range c.secrets() {
		key, ok := []byte(secret), true
		if encoding != "text" {
			key, ok = decode(secret, encoding)
		}
		if !ok {
			c.blameSecret(i, "The secret is not %s.", encoding)
		}
		s.keys = append(s.keys, key)
	}
	if s.content.has(nameSecret) {
		c.blame("signed", "{secret} is the key here, and not part of what is signed.")
	}
	return s
}

// hashes picks one of the hashes, of which the first is the default.
func (c *compiler) hashes(allowed ...string) func() hash.Hash {
	switch c.oneOf("algorithm", c.Algorithm, allowed...) {
	case "sha1":
		return sha1.New
	case "sha384":
		return sha512.New384
	case "sha512":
		return sha512.New
	}
	return sha256.New
}

func (s *hmacScheme) proves() bool { return true }

func (s *hmacScheme) verify(r *Request) *Reason {
	return s.signed.verify(r, func(text, signatures [][]byte) bool {
		fits := 0
		for _, key := range s.keys {
			mac := hmac.New(s.hash, key)
			for _, part := range text {
				mac.Write(part)
			}
			fits |= equalToAny(mac.Sum(nil), signatures)
		}
		return fits == 1
	})
}

// equalToAny is 1 if one of the signatures is the sum, else 0, in a time that does not tell how far they are the same.
func equalToAny(sum []byte, signatures [][]byte) int {
	equal := 0
	for _, signature := range signatures {
		equal |= subtle.ConstantTimeCompare(sum, signature)
	}
	return equal
}
