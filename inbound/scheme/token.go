package scheme

import (
	"crypto/sha256"
	"crypto/subtle"
)

// The places where a token and an API key stand by default.
const (
	tokenParameter = "token"
	tokenHeader    = "X-Webhook-Token"
	keyHeader      = "X-API-Key"
)

// tokenScheme wants one of the secrets at one of the places.
type tokenScheme struct {
	what    string // for people
	places  []prefixed
	secrets digests
}

type prefixed struct {
	place  place
	prefix string
}

func (c *compiler) token() verifier {
	s := &tokenScheme{what: "token", secrets: digestsOf(c.secrets())}
	header := c.Header
	if c.Scheme == SchemeAPIKey {
		s.what = "API key"
		if header == "" {
			header = keyHeader
		}
	}
	c.short("prefix", c.Prefix)
	if header != "" {
		s.places = []prefixed{{c.place("header", header), c.Prefix}}
		return s
	}
	if c.Prefix != "" {
		c.blame("prefix", "It stands in front of the token in a header; say which header.")
	}
	s.places = []prefixed{{place{inQuery, tokenParameter}, ""}, {place{inHeader, "Authorization"}, "Bearer "}, {place{inHeader, tokenHeader}, ""}}
	return s
}

func (s *tokenScheme) proves() bool { return true }

func (s *tokenScheme) cost() cost {
	if s.places[0].place.parsesBody() {
		return costHash
	}
	return costCompare
}

// verify takes the places for alternatives: a call may have an Authorization header that is not meant for this scheme.
func (s *tokenScheme) verify(r *Request) *Reason {
	var reason *Reason
	for _, p := range s.places {
		why := s.at(p, r)
		if why == nil {
			return nil
		}
		reason = moreSpecific(reason, why)
	}
	if reason.Kind == KindMissing && len(s.places) > 1 {
		return because(KindMissing, "there is no %s, neither in the URL nor in a header", s.what)
	}
	return reason
}

func (s *tokenScheme) at(p prefixed, r *Request) *Reason {
	value, reason := p.place.get(r)
	if reason != nil {
		return reason
	}
	value, ok := cutPrefix(value, p.prefix)
	if !ok {
		return because(KindMalformed, "what is in %s does not begin with %q", p.place, p.prefix)
	}
	if !s.secrets.hold(value) {
		return because(KindMismatch, "the %s in %s is wrong", s.what, p.place)
	}
	return nil
}

// digests are SHA-256 sums of secrets. Comparing sums takes a time that tells neither a secret's length nor how far a guess is right.
type digests [][sha256.Size]byte

func digestsOf(secrets []string) digests {
	d := make(digests, len(secrets))
	for i, s := range secrets {
		d[i] = sha256.Sum256([]byte(s))
	}
	return d
}

// hold tells whether a value is one of the secrets.
func (d digests) hold(value string) bool {
	sum, equal := sha256.Sum256([]byte(value)), 0
	for i := range d {
		equal |= subtle.ConstantTimeCompare(sum[:], d[i][:])
	}
	return equal == 1
}
