package scheme

import (
	"encoding/base64"
	"strings"
)

// basicScheme wants one of the pairs of user and password (RFC 7617).
type basicScheme struct{ pairs digests }

func (c *compiler) basic() verifier {
	for i, pair := range c.secrets() {
		if user, _, found := strings.Cut(pair, ":"); !found || user == "" {
			c.blameSecret(i, `This is a user and a password, as in "user:password".`)
		}
	}
	return &basicScheme{digestsOf(c.Secrets)}
}

func (s *basicScheme) cost() cost   { return costCompare }
func (s *basicScheme) proves() bool { return true }

func (s *basicScheme) verify(r *Request) *Reason {
	header := place{inHeader, "Authorization"}
	value, reason := header.get(r)
	if reason != nil {
		return reason
	}
	text, ok := cutPrefix(value, "Basic ")
	if !ok {
		return because(KindMalformed, "%s is not of the kind Basic", header)
	}
	pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return because(KindMalformed, "%s is not base64", header)
	}
	if !s.pairs.hold(string(pair)) {
		return because(KindMismatch, "the user or the password in %s is wrong", header)
	}
	return nil
}
