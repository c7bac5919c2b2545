package scheme

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

// sender signs calls as a provider would: it shares no code with the verification.
type sender struct {
	config Config
	sign   func(text []byte) []byte
	encode func([]byte) string

	body, stamp, id string
	at              time.Time
}

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const publicURL = "https://hooks.example.com/in/src_1?token=abc"

func drawSecret(t *rapid.T, label string) string {
	return rapid.StringMatching(`[A-Za-z0-9_/+.!-]{8,40}`).Draw(t, label)
}

// drawSender draws a configuration with a signature, and a call to sign.
func drawSender(t *rapid.T) *sender {
	s := &sender{body: string(rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "body")), id: drawSecret(t, "id")}
	s.config = Config{
		Scheme: rapid.SampledFrom([]Name{SchemeHMAC, SchemeHash, SchemeEd25519, SchemeECDSA}).Draw(t, "scheme"),
		Header: rapid.SampledFrom([]string{"X-Webhook-Signature", "x-hub-SIGNATURE-256", "query:signature"}).Draw(t, "header"),
		Prefix: rapid.SampledFrom([]string{"", "sha256=", "v1="}).Draw(t, "prefix"),
		Signed: rapid.SampledFrom([]string{"", "{body}", "{timestamp}.{body}", "v0:{timestamp}:{body}", "{id}.{timestamp}.{body}", "{method}{path}{body}{timestamp}", "{{{body}}}"}).Draw(t, "signed"),
	}
	if s.config.Prefix != "" && s.config.Header != "query:signature" {
		s.config.Separator = rapid.SampledFrom([]string{"", ",", " "}).Draw(t, "separator")
	}
	s.drawEncoding(t)
	s.drawTime(t)
	s.drawKey(t)
	return s
}

func (s *sender) drawEncoding(t *rapid.T) {
	s.config.Encoding = rapid.SampledFrom([]string{"", "auto", "hex", "base64"}).Draw(t, "encoding")
	encoders := []func([]byte) string{base64.StdEncoding.EncodeToString, base64.RawStdEncoding.EncodeToString, base64.URLEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString}
	switch s.config.Encoding {
	case "hex":
		encoders = []func([]byte) string{hex.EncodeToString, func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }}
	case "", "auto":
		encoders = append(encoders, hex.EncodeToString)
	}
	s.encode = encoders[rapid.IntRange(0, len(encoders)-1).Draw(t, "encoder")]
}

func (s *sender) drawTime(t *rapid.T) {
	if strings.Contains(s.config.Signed, "{id}") {
		s.config.ID = "X-Id"
	}
	if !strings.Contains(s.config.Signed, "{timestamp}") {
		return
	}
	s.config.Timestamp = "X-Timestamp"
	s.config.Tolerance = postroom.Duration(rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "tolerance"))
	s.config.TimestampFormat = rapid.SampledFrom([]string{"", "unix", "unix_ms", "rfc3339"}).Draw(t, "format")
	tolerance := int(max(time.Duration(s.config.Tolerance), time.Minute) / time.Second)
	s.at = at.Add(time.Duration(rapid.IntRange(-tolerance, tolerance).Draw(t, "age")) * time.Second)
	s.stamp = s.format(s.at)
}

func (s *sender) format(at time.Time) string {
	switch s.config.TimestampFormat {
	case "unix_ms":
		return strconv.FormatInt(at.UnixMilli(), 10)
	case "rfc3339":
		return at.Format(time.RFC3339)
	}
	return strconv.FormatInt(at.Unix(), 10)
}

func (s *sender) drawKey(t *rapid.T) {
	switch s.config.Scheme {
	case SchemeEd25519:
		key := ed25519.NewKeyFromSeed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		s.sign = func(text []byte) []byte { return ed25519.Sign(key, text) }
		s.config.Secrets = []string{base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))}
	case SchemeECDSA:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		s.sign = func(text []byte) []byte {
			sum := sha256.Sum256(text)
			signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			return signature
		}
		s.config.Secrets = []string{base64.StdEncoding.EncodeToString(der)}
	case SchemeHash:
		secret := drawSecret(t, "secret")
		if s.config.Signed == "" {
			s.config.Signed = "{body}"
		}
		s.config.Signed = "{secret}" + s.config.Signed
		s.sign = func(text []byte) []byte { sum := sha256.Sum256(append([]byte(secret), text...)); return sum[:] }
		s.config.Secrets = []string{secret}
	default:
		secret := drawSecret(t, "secret")
		s.config.Algorithm = rapid.SampledFrom([]string{"", "sha1", "sha256", "sha512"}).Draw(t, "algorithm")
		newHash := map[string]func() hash.Hash{"": sha256.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}[s.config.Algorithm]
		s.sign = func(text []byte) []byte {
			mac := hmac.New(newHash, []byte(secret))
			mac.Write(text)
			return mac.Sum(nil)
		}
		s.config.Secrets = []string{secret}
	}
}

// text is what is signed, by plain replacement.
func (s *sender) text() []byte {
	signed := s.config.Signed
	if signed == "" {
		signed = "{body}"
	}
	if strings.HasSuffix(signed, "{{{body}}}") {
		return []byte("{" + s.body + "}")
	}
	return []byte(strings.NewReplacer("{secret}", "", "{timestamp}", s.stamp, "{id}", s.id, "{method}", "POST", "{path}", "/in/src_1", "{body}", s.body).Replace(signed))
}

// request is the call with a signature.
func (s *sender) request(signature []byte) *Request {
	r := &Request{Method: "POST", URL: publicURL, Header: http.Header{}, Body: []byte(s.body), At: at}
	value := s.config.Prefix + s.encode(signature)
	switch s.config.Separator {
	case ",":
		value = "t=1, v0=beef, " + value
	case " ":
		value += " v2=beef"
	}
	if s.config.Header == "query:signature" {
		r.URL += "&signature=" + strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(value)
	} else {
		r.Header.Set(s.config.Header, value)
	}
	r.Header.Set("x-TIMESTAMP", s.stamp)
	r.Header.Set("x-id", s.id)
	return r
}

// A valid call always verifies, also with other secrets beside the right one; and with any bit of it changed, never.
func TestSignatures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSender(t)
		scheme, err := Compile(s.config)
		if err != nil {
			t.Fatal(err)
		}
		signature := s.sign(s.text())
		if err := scheme.Verify(s.request(signature)); err != nil {
			t.Fatalf("a valid call: %v", err)
		}

		rotated := s.config
		other := drawSender(t)
		other.config.Scheme = s.config.Scheme
		other.drawKey(t)
		rotated.Secrets = append(slices.Clone(other.config.Secrets), s.config.Secrets...)
		if err := mustCompileRapid(t, rotated).Verify(s.request(signature)); err != nil {
			t.Fatalf("a valid call, with two secrets: %v", err)
		}
		rotated.Secrets = other.config.Secrets
		if other.config.Secrets[0] != s.config.Secrets[0] && mustCompileRapid(t, rotated).Verify(s.request(signature)) == nil {
			t.Fatal("another secret verifies too")
		}

		r := s.request(signature)
		flip(t, r.Body)
		if scheme.Verify(r) == nil {
			t.Fatal("a bit of the body was changed")
		}
		changed := bytes.Clone(signature)
		flip(t, changed)
		if scheme.Verify(s.request(changed)) == nil {
			t.Fatal("a bit of the signature was changed")
		}
		if cut := rapid.IntRange(0, len(signature)-1).Draw(t, "cut"); scheme.Verify(s.request(signature[:cut])) == nil {
			t.Fatal("the signature was cut")
		}
		if s.config.Timestamp != "" {
			r := s.request(signature)
			r.Header.Set("X-Timestamp", s.format(s.at.Add(time.Second)))
			if scheme.Verify(r) == nil {
				t.Fatal("the timestamp was changed")
			}
		}
		if s.config.ID != "" {
			r := s.request(signature)
			r.Header.Set("X-Id", s.id+"x")
			if scheme.Verify(r) == nil {
				t.Fatal("the id was changed")
			}
		}
	})
}

func mustCompileRapid(t *rapid.T, c Config) Scheme {
	s, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func flip(t *rapid.T, b []byte) {
	bit := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
	b[bit/8] ^= 1 << (bit % 8)
}

// The time that a signature is good for has two ends, and each is where the tolerance says.
func TestTolerance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tolerance := time.Duration(rapid.IntRange(1, 7*24*3600).Draw(t, "tolerance")) * time.Second
		age := time.Duration(rapid.IntRange(-10*24*3600, 10*24*3600).Draw(t, "age")) * time.Second
		s := &sender{body: "{}", encode: hex.EncodeToString, stamp: strconv.FormatInt(at.Add(-age).Unix(), 10)}
		s.config = Config{Scheme: SchemeHMAC, Header: "X-Signature", Signed: "{timestamp}{body}", Timestamp: "X-Timestamp", Tolerance: postroom.Duration(tolerance)}
		s.drawKey(t)
		err := mustCompileRapid(t, s.config).Verify(s.request(s.sign(s.text())))
		var want Kind
		switch {
		case age > tolerance:
			want = KindTooOld
		case age < -tolerance:
			want = KindTooNew
		}
		var got Kind
		if reason, ok := err.(*Reason); ok { //nolint:errorlint // what Verify promises
			got = reason.Kind
		}
		if got != want {
			t.Fatalf("got %q, want %q: %v", got, want, err)
		}
	})
}

// Tokens, keys and pairs: the right one verifies, and what differs in a bit or in length does not.
func TestSecretsInPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := drawSecret(t, "secret")
		guess := []byte(secret)
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			flip(t, guess)
		case 1:
			guess = guess[:len(guess)-1]
		case 2:
			guess = append(guess, 'x')
		}
		for name, call := range map[Name]func(secret string) *Request{
			SchemeToken:  func(s string) *Request { return &Request{Header: http.Header{"X-Webhook-Token": {s}}} },
			SchemeAPIKey: func(s string) *Request { return &Request{Header: http.Header{"X-Api-Key": {s}}} },
			SchemeBasic: func(s string) *Request {
				return &Request{Header: http.Header{"Authorization": {"basic " + base64.StdEncoding.EncodeToString([]byte("user:"+s))}}}
			},
		} {
			config := Config{Scheme: name, Secrets: []string{"user:older", "user:" + secret}}
			if name != SchemeBasic {
				config.Secrets = []string{"older", secret}
			}
			if err := mustCompileRapid(t, config).Verify(call(string(guess))); (err == nil) != (string(guess) == secret) {
				t.Fatalf("%s: secret %q, guess %q: %v", name, secret, guess, err)
			}
		}
	})
}
