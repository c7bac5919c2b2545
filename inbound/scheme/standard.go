package scheme

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
)

// What secrets of the Standard Webhooks specification begin with.
const (
	secretPrefix    = "whsec_"
	publicKeyPrefix = "whpk_"
)

// standardScheme is Standard Webhooks, version 1: "id.timestamp.body" is signed, by an HMAC (v1) or with Ed25519 (v1a).
type standardScheme struct {
	signature, id place
	stamp         timestamp
	hmacKeys      [][]byte
	publicKeys    []ed25519.PublicKey
}

func (c *compiler) standard() verifier {
	header := c.Header
	if header == "" {
		header = "webhook-signature"
	}
	family, ok := strings.CutSuffix(strings.ToLower(header), "-signature")
	if !ok || !isToken(header) || len(header) > maxText {
		c.blame("header", "This is the name of the signature header, such as webhook-signature; it ends in -signature, as its siblings do in -id and -timestamp.")
		return nil
	}
	s := &standardScheme{
		signature: c.place("header", header), id: c.place("header", family+"-id"),
		stamp: timestamp{c.place("header", family+"-timestamp"), "unix", c.tolerance(defaultTolerance)},
	}
	for i, secret := range c.secrets() {
		if strings.HasPrefix(secret, publicKeyPrefix) {
			key, ok := parsePublicKey(secret).(ed25519.PublicKey)
			if !ok {
				c.blameSecret(i, "The public key is not whpk_ and the base64 of 32 bytes.")
			}
			s.publicKeys = append(s.publicKeys, key)
			continue
		}
		key, ok := decode(strings.TrimPrefix(secret, secretPrefix), "base64")
		if !ok {
			c.blameSecret(i, "The secret is not whsec_ and base64, nor a public key, whpk_ and base64.")
		}
		s.hmacKeys = append(s.hmacKeys, key)
	}
	return s
}

func (s *standardScheme) proves() bool { return true }

func (s *standardScheme) cost() cost {
	if len(s.publicKeys) > 0 {
		return costKey
	}
	return costHash
}

func (s *standardScheme) verify(r *Request) *Reason {
	header, reason := s.signature.get(r)
	if reason != nil {
		return reason
	}
	v1, v1a, reason := s.signatures(header)
	if reason != nil {
		return reason
	}
	id, reason := s.id.get(r)
	if reason != nil {
		return reason
	}
	stamp, reason := s.stamp.place.get(r)
	if reason != nil {
		return reason
	}
	at, reason := s.stamp.parse(stamp)
	if reason != nil {
		return reason
	}
	if !s.fits(v1, v1a, []byte(id+"."+stamp+"."), r.Body) {
		return because(KindMismatch, "no signature in %s fits the id, the timestamp and the body: the key is another one, or what was signed", s.signature)
	}
	return s.stamp.fresh(at, r.At)
}

// signatures are those in the header, which are separated by spaces. Those of other versions are passed over.
func (s *standardScheme) signatures(header string) (v1, v1a [][]byte, reason *Reason) {
	found := 0
	for item := range strings.FieldsSeq(header) {
		version, text, _ := strings.Cut(item, ",")
		if version != "v1" && version != "v1a" {
			continue
		}
		if found++; found > maxSignatures {
			return nil, nil, because(KindMalformed, "%s holds more than %d signatures", s.signature, maxSignatures)
		}
		signature, ok := decode(text, "base64")
		switch {
		case !ok:
		case version == "v1":
			v1 = append(v1, signature)
		default:
			v1a = append(v1a, signature)
		}
	}
	switch {
	case found == 0:
		return nil, nil, because(KindMissing, "%s holds no signature of the version v1 or v1a", s.signature)
	case len(v1)+len(v1a) == 0:
		return nil, nil, because(KindMalformed, "the signature in %s is not base64", s.signature)
	}
	return v1, v1a, nil
}

func (s *standardScheme) fits(v1, v1a [][]byte, head, body []byte) bool {
	fits := 0
	for _, key := range s.hmacKeys {
		mac := hmac.New(sha256.New, key)
		mac.Write(head)
		mac.Write(body)
		fits |= equalToAny(mac.Sum(nil), v1)
	}
	if fits == 1 || len(v1a) == 0 || len(s.publicKeys) == 0 {
		return fits == 1
	}
	return ed25519Fits(s.publicKeys, bytes.Join([][]byte{head, body}, nil), v1a)
}
