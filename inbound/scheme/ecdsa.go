package scheme

import (
	"crypto/ecdsa"
	"hash"
)

// ecdsaScheme wants a signature in ASN.1 by one of the keys over the hash of the text.
type ecdsaScheme struct {
	signed
	hash func() hash.Hash
	keys []*ecdsa.PublicKey
}

func (c *compiler) ecdsa() verifier {
	s := &ecdsaScheme{signed: c.signed(), hash: c.hashes("sha256", "sha384", "sha512")}
	c.noSecret(s.content)
	for i, secret := range c.secrets() {
		key, ok := parsePublicKey(secret).(*ecdsa.PublicKey)
		if !ok {
			c.blameSecret(i, "This is not the public key of an ECDSA key pair, in base64 of DER or in PEM.")
		}
		s.keys = append(s.keys, key)
	}
	return s
}

func (s *ecdsaScheme) cost() cost   { return costKey }
func (s *ecdsaScheme) proves() bool { return true }

func (s *ecdsaScheme) verify(r *Request) *Reason {
	return s.signed.verify(r, func(text, signatures [][]byte) bool {
		h := s.hash()
		for _, part := range text {
			h.Write(part)
		}
		sum := h.Sum(nil)
		for _, signature := range signatures {
			for _, key := range s.keys {
				if ecdsa.VerifyASN1(key, sum, signature) {
					return true
				}
			}
		}
		return false
	})
}
