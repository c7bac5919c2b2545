package scheme

import "hash"

// hashScheme wants a plain hash of the text. With {secret} in the text it is what some senders have in place of an HMAC.
type hashScheme struct {
	signed
	hash    func() hash.Hash
	secrets []string // nil if the text holds none
}

func (c *compiler) hash() verifier {
	s := &hashScheme{signed: c.signed(), hash: c.hashes("sha256", "sha512")}
	if s.content.has(nameSecret) {
		s.secrets = c.secrets()
	} else if c.Secrets != nil {
		c.blame("signed", "There is a secret, and {secret} is not in what is hashed.")
	}
	return s
}

func (s *hashScheme) proves() bool { return s.secrets != nil }

func (s *hashScheme) verify(r *Request) *Reason {
	return s.signed.verify(r, func(text, signatures [][]byte) bool {
		if s.secrets == nil {
			return equalToAny(s.sum(text, ""), signatures) == 1
		}
		fits := 0
		for _, secret := range s.secrets {
			fits |= equalToAny(s.sum(text, secret), signatures)
		}
		return fits == 1
	})
}

func (s *hashScheme) sum(text [][]byte, secret string) []byte {
	h := s.hash()
	for i, part := range text {
		if s.content[i].name == nameSecret {
			part = []byte(secret)
		}
		h.Write(part)
	}
	return h.Sum(nil)
}
