package outbound

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what a dialect asks for
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
)

// The Standard Webhooks specification, version 1: what is signed is "id.timestamp.body"; a symmetric secret is whsec_
// and base64, a private key whsk_ and base64, a public one whpk_ and base64.
const (
	secretPrefix     = "whsec_"
	privateKeyPrefix = "whsk_"
	publicKeyPrefix  = "whpk_"

	minSecret, maxSecret = 24, 64 // bytes of a symmetric secret
	newSecret            = 32
)

// SigningKey is a secret that is ready to sign.
type SigningKey struct {
	kind      postroom.SecretKind
	hmacKey   []byte
	private   ed25519.PrivateKey
	expiresAt time.Time // zero for never
}

// NewSecret makes a secret of a kind, as people see it.
func NewSecret(kind postroom.SecretKind) string {
	b := make([]byte, newSecret) // also the size of an ed25519 seed
	_, _ = rand.Read(b)          // never fails: crypto/rand ends the process instead
	if kind == postroom.SecretEd25519 {
		return privateKeyPrefix + base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(b))
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(b)
}

// ParseSecret reads a secret as people see it, and gives the public key, whpk_…, of an asymmetric one. A private key may
// be the 32 bytes of its seed, or the seed followed by the public key.
func ParseSecret(s string) (key SigningKey, publicKey string, err error) {
	encoded, symmetric := strings.CutPrefix(s, secretPrefix)
	if !symmetric {
		var private bool
		if encoded, private = strings.CutPrefix(s, privateKeyPrefix); !private {
			return key, "", postroom.Errorf(postroom.CodeInvalid, "a secret begins with %s (HMAC) or %s (ed25519)", secretPrefix, privateKeyPrefix)
		}
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") { // which the decoder leaves out
		return key, "", postroom.Errorf(postroom.CodeInvalid, "what follows %s in a secret is base64", s[:strings.IndexByte(s, '_')+1])
	}
	if symmetric {
		if len(raw) < minSecret || len(raw) > maxSecret {
			return key, "", postroom.Errorf(postroom.CodeInvalid, "a secret holds %d to %d bytes, and this one %d", minSecret, maxSecret, len(raw))
		}
		return SigningKey{kind: postroom.SecretHMAC, hmacKey: raw}, "", nil
	}
	if len(raw) != ed25519.SeedSize && len(raw) != ed25519.PrivateKeySize {
		return key, "", postroom.Errorf(postroom.CodeInvalid, "a private key holds %d or %d bytes, and this one %d", ed25519.SeedSize, ed25519.PrivateKeySize, len(raw))
	}
	private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if len(raw) == ed25519.PrivateKeySize && !private.Equal(ed25519.PrivateKey(raw)) {
		return key, "", postroom.Errorf(postroom.CodeInvalid, "the public key inside this private key is not its own")
	}
	public, _ := private.Public().(ed25519.PublicKey)
	return SigningKey{kind: postroom.SecretEd25519, private: private}, publicKeyPrefix + base64.StdEncoding.EncodeToString(public), nil
}

// Kind is the key's algorithm.
func (k SigningKey) Kind() postroom.SecretKind { return k.kind }

// until makes the key end at a time; zero for never.
func (k SigningKey) until(t time.Time) SigningKey {
	k.expiresAt = t
	return k
}

// Bounds of a secret that is a text, in bytes.
const minTextSecret, maxTextSecret = 8, 256

// ParseSecretFor reads a secret as a dialect's scheme takes it. For the scheme hmac any printable text is one, and its bytes are the key.
func ParseSecretFor(scheme dialect.Scheme, s string) (key SigningKey, publicKey string, err error) {
	if scheme != dialect.SchemeHMAC {
		return ParseSecret(s)
	}
	if len(s) < minTextSecret || len(s) > maxTextSecret || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return key, "", postroom.Errorf(postroom.CodeInvalid, "a secret of this dialect is a text of %d to %d printable ASCII characters", minTextSecret, maxTextSecret)
	}
	if strings.HasPrefix(s, privateKeyPrefix) {
		return key, "", postroom.Errorf(postroom.CodeInvalid, "this dialect signs with HMAC, and %s… is a private key", privateKeyPrefix)
	}
	return SigningKey{kind: postroom.SecretHMAC, hmacKey: []byte(s)}, "", nil
}

// sign signs a call as its webhook's dialect says.
func sign(c *call, t *Target, id string, at time.Time) {
	switch s := t.bodies.dialect.Out.Signature; s.Scheme {
	case dialect.SchemeHMAC:
		signBody(c, s, t.keys)
	case dialect.SchemeStandard:
		signStandard(c, t.keys, id, at)
	case dialect.SchemeNone:
	}
}

// signBody adds a header with an HMAC over the body. Receivers of such a scheme know one secret, so the newest signs alone.
func signBody(c *call, s dialect.Signature, keys []SigningKey) {
	if len(keys) == 0 {
		return
	}
	newHash := sha256.New
	switch s.Algorithm {
	case "sha1":
		newHash = sha1.New
	case "sha512":
		newHash = sha512.New
	}
	mac := hmac.New(newHash, keys[0].hmacKey)
	mac.Write(c.body)
	sum := mac.Sum(nil)
	value := hex.EncodeToString(sum)
	if s.Encoding == "base64" {
		value = base64.StdEncoding.EncodeToString(sum)
	}
	c.header.set(s.Header, s.Prefix+value)
}

// signStandard adds the three headers of Standard Webhooks to a call: one signature for each key that has not ended.
func signStandard(c *call, keys []SigningKey, id string, at time.Time) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	c.header.set(headerID, id)
	c.header.set(headerTimestamp, timestamp)
	signatures := make([]byte, 0, 64*len(keys))
	for _, k := range keys {
		if !k.expiresAt.IsZero() && !at.Before(k.expiresAt) {
			continue
		}
		if len(signatures) > 0 {
			signatures = append(signatures, ' ')
		}
		signatures = k.append(signatures, id, timestamp, c.body)
	}
	if len(signatures) > 0 {
		c.header.set(headerSignature, string(signatures))
	}
}

// append appends "v1,…" or "v1a,…".
func (k SigningKey) append(dst []byte, id, timestamp string, body []byte) []byte {
	if k.kind == postroom.SecretEd25519 {
		content := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
		content = append(append(append(append(append(content, id...), '.'), timestamp...), '.'), body...)
		return base64.StdEncoding.AppendEncode(append(dst, "v1a,"...), ed25519.Sign(k.private, content))
	}
	mac := hmac.New(sha256.New, k.hmacKey)
	head := make([]byte, 0, 192)
	head = append(append(append(append(head, id...), '.'), timestamp...), '.')
	mac.Write(head)
	mac.Write(body)
	var sum [sha256.Size]byte
	return base64.StdEncoding.AppendEncode(append(dst, "v1,"...), mac.Sum(sum[:0]))
}
