package outbound

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

func mustParse(t testing.TB, secret string) SigningKey {
	t.Helper()
	key, _, err := ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The published vectors of Standard Webhooks and Svix.
func TestSignVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/standard_webhooks.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		ID         string `json:"id"`
		Secret     string `json:"secret"`
		PrivateKey string `json:"secret_key"`
		PublicKey  string `json:"public_key"`
		MessageID  string `json:"webhook-id"`
		Timestamp  string `json:"webhook-timestamp"`
		Body       string `json:"body"`
		Signature  string `json:"webhook-signature"`
		Expect     string `json:"expect"`
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) != 3 {
		t.Fatal(len(vectors), err)
	}
	for _, v := range vectors {
		key, public, err := ParseSecret(v.Secret + v.PrivateKey)
		if err != nil || public != v.PublicKey {
			t.Errorf("%s: public key %s, %v", v.ID, public, err)
			continue
		}
		seconds, err := strconv.ParseInt(v.Timestamp, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		c := &call{body: []byte(v.Body)}
		signStandard(c, []SigningKey{key}, v.MessageID, time.Unix(seconds, 999))
		got := c.header.http()
		if same, valid := got.Get(headerSignature) == v.Signature, strings.HasPrefix(v.Expect, "valid"); same != valid {
			t.Errorf("%s: %s, want it the same: %v", v.ID, got.Get(headerSignature), valid)
		}
		if got.Get("webhook-id") != v.MessageID || got.Get("webhook-timestamp") != v.Timestamp {
			t.Errorf("%s: headers %v", v.ID, got)
		}
	}
}

// verify checks a signed call as receivers do, with the official library.
func verify(t testing.TB, c *call, secret string) error {
	t.Helper()
	official, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return official.Verify(c.body, c.header.http())
}

func TestOfficialLibraryVerifies(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		secret := secretPrefix + base64.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), minSecret, maxSecret).Draw(rt, "secret"))
		id := rapid.StringMatching(`[!-~]{1,128}`).Draw(rt, "id")
		c := &call{body: rapid.SliceOf(rapid.Byte()).Draw(rt, "body")}
		signStandard(c, []SigningKey{mustParse(t, secret)}, id, time.Now())
		if err := verify(t, c, secret); err != nil {
			rt.Fatal(err)
		}
		if err := verify(t, c, NewSecret(postroom.SecretHMAC)); err == nil {
			rt.Fatal("another secret verifies")
		}
		c.body = append(c.body, ' ')
		if err := verify(t, c, secret); err == nil {
			rt.Fatal("another body verifies")
		}
	})
}

func TestRotation(t *testing.T) {
	now := time.Now()
	secrets := []string{NewSecret(postroom.SecretHMAC), NewSecret(postroom.SecretHMAC), NewSecret(postroom.SecretHMAC)}
	ends := now.Add(time.Hour)
	keys := []SigningKey{mustParse(t, secrets[0]), mustParse(t, secrets[1]).until(ends), mustParse(t, secrets[2]).until(now.Add(-time.Second))}
	at := func(when time.Time) *call {
		c := &call{body: []byte(`{"a":1}`)}
		signStandard(c, keys, "evt_1", when)
		return c
	}
	c := at(now)
	for i, secret := range secrets {
		if err := verify(t, c, secret); (err == nil) != (i < 2) {
			t.Errorf("secret %d: %v", i, err)
		}
	}
	for when, want := range map[time.Time]int{now: 2, ends.Add(-time.Nanosecond): 2, ends: 1, ends.Add(time.Hour): 1} {
		got := strings.Split(at(when).header.http().Get(headerSignature), " ")
		if len(got) != want {
			t.Errorf("%v before the old secret ends there are %d signatures, want %d", ends.Sub(when), len(got), want)
		}
		for _, s := range got {
			if !strings.HasPrefix(s, "v1,") {
				t.Errorf("signature %q", s)
			}
		}
	}
	// When all have ended the call goes out without a signature, not with an empty one.
	keys = []SigningKey{keys[2]}
	if _, ok := at(now).header.http()[headerSignature]; ok {
		t.Error("there is a signature of a secret that has ended")
	}
}

func TestEd25519(t *testing.T) {
	for range 20 {
		secret := NewSecret(postroom.SecretEd25519)
		key, public, err := ParseSecret(secret)
		if err != nil || key.Kind() != postroom.SecretEd25519 || !strings.HasPrefix(secret, "whsk_") {
			t.Fatal(secret, err)
		}
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
		if err != nil || len(raw) != ed25519.PublicKeySize {
			t.Fatalf("public key %q: %v", public, err)
		}
		hmac := NewSecret(postroom.SecretHMAC)
		c := &call{body: []byte(`{"type":"email.opened"}`)}
		signStandard(c, []SigningKey{key, mustParse(t, hmac)}, "msg_1", time.Now())
		h := c.header.http()
		first, second, _ := strings.Cut(h.Get("webhook-signature"), " ")
		encoded, ok := strings.CutPrefix(first, "v1a,")
		if !ok || !strings.HasPrefix(second, "v1,") {
			t.Fatalf("signatures %q, %q", first, second)
		}
		signature, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		content := h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "." + string(c.body)
		if !ed25519.Verify(raw, []byte(content), signature) {
			t.Error("the public key does not verify the signature")
		}
		if err := verify(t, c, hmac); err != nil { // a v1 beside a v1a
			t.Error(err)
		}
		// The seed alone is the same key.
		private, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsk_"))
		if err != nil {
			t.Fatal(err)
		}
		_, samePublic, err := ParseSecret("whsk_" + base64.StdEncoding.EncodeToString(private[:ed25519.SeedSize]))
		if err != nil || samePublic != public {
			t.Errorf("from the seed: %q, %v", samePublic, err)
		}
	}
}

func TestParseSecret(t *testing.T) {
	b64 := func(n int) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, n)) }
	pair := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	mismatch := append(bytes.Clone(pair[:32]), bytes.Repeat([]byte{1}, 32)...)
	for _, test := range []struct{ name, secret, says string }{
		{"24 bytes", "whsec_" + b64(24), ""},
		{"32 bytes", "whsec_" + b64(32), ""},
		{"64 bytes", "whsec_" + b64(64), ""},
		{"seed", "whsk_" + b64(32), ""},
		{"seed and public key", "whsk_" + base64.StdEncoding.EncodeToString(pair), ""},
		{"23 bytes", "whsec_" + b64(23), "24 to 64 bytes, and this one 23"},
		{"65 bytes", "whsec_" + b64(65), "24 to 64 bytes, and this one 65"},
		{"nothing in it", "whsec_", "24 to 64 bytes, and this one 0"},
		{"empty", "", "begins with whsec_ (HMAC) or whsk_ (ed25519)"},
		{"no prefix", b64(32), "begins with"},
		{"upper case prefix", "WHSEC_" + b64(32), "begins with"},
		{"public key", "whpk_" + b64(32), "begins with"},
		{"not base64", "whsec_" + strings.Repeat("é", 20), "what follows whsec_ in a secret is base64"},
		{"URL alphabet", "whsec_" + strings.Repeat("-_", 22), "what follows whsec_"},
		{"no padding", "whsec_" + strings.TrimRight(b64(25), "="), "what follows whsec_"},
		{"a line break", "whsec_" + b64(30) + "\n", "what follows whsec_"},
		{"a line break within", "whsk_" + b64(30) + "\r\n" + b64(2), "what follows whsk_"},
		{"a blank", "whsec_ " + b64(32), "what follows whsec_"},
		{"31 byte key", "whsk_" + b64(31), "32 or 64 bytes, and this one 31"},
		{"33 byte key", "whsk_" + b64(33), "32 or 64 bytes, and this one 33"},
		{"another's public key", "whsk_" + base64.StdEncoding.EncodeToString(mismatch), "is not its own"},
	} {
		_, _, err := ParseSecret(test.secret)
		if test.says == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.says) || postroom.CodeOf(err) != postroom.CodeInvalid {
			t.Errorf("%s: %v", test.name, err)
		} else if raw := strings.TrimPrefix(test.secret, "whsec_"); len(raw) > 8 && strings.Contains(err.Error(), raw) {
			t.Errorf("%s: the error tells the secret", test.name)
		}
	}
}

func TestNewSecretsDiffer(t *testing.T) {
	for _, kind := range []postroom.SecretKind{postroom.SecretHMAC, postroom.SecretEd25519} {
		seen := map[string]bool{}
		for range 100 {
			secret := NewSecret(kind)
			if key := mustParse(t, secret); key.Kind() != kind || seen[secret] {
				t.Fatalf("%s %q", kind, secret)
			}
			seen[secret] = true
		}
	}
}

// Signing twice, as for another attempt, leaves one header of each.
func TestSignReplaces(t *testing.T) {
	c := &call{body: []byte("{}"), header: header{{Name: headerID, Value: "old"}}}
	key := mustParse(t, NewSecret(postroom.SecretHMAC))
	signStandard(c, []SigningKey{key}, "evt_1", time.Unix(1, 0))
	signStandard(c, []SigningKey{key}, "evt_1", time.Unix(2, 0))
	if len(c.header) != 3 || len(c.header.http()[http.CanonicalHeaderKey(headerSignature)]) != 1 || c.header.http().Get(headerTimestamp) != "2" {
		t.Errorf("headers: %v", c.header)
	}
}
