package scheme

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
)

// randomKeys are credentials that no input can know.
func randomKeys() map[string][]string {
	text := rand.Text()
	return map[string][]string{
		"secret": {"u:" + text, "v:" + text}, "verify_token": {text}, "topics": {"arn:aws:sns:eu-west-1:1:" + text},
		"standard":   {base64.StdEncoding.EncodeToString([]byte(text)), "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="},
		"public_key": {"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="},
	}
}

// FuzzVerify gives every provider's scheme headers, queries and bodies of all kinds: none is verified, and none panics.
func FuzzVerify(f *testing.F) {
	schemes := map[string]Scheme{}
	keys := randomKeys()
	for name, config := range readProviders(f) {
		switch config.Scheme {
		case SchemeStandard:
			config.Secrets = keys["standard"]
		case SchemeEd25519:
			config.Secrets = keys["standard"][1:]
		}
		schemes[name] = mustCompile(f, config.Fill(keys))
	}
	for _, v := range readVectors(f) {
		for name, value := range v.Headers {
			_, query, _ := strings.Cut(v.URL, "?")
			f.Add(v.Method, query, name, value, v.Headers["Content-Type"], v.Body)
		}
	}
	f.Add("POST", "token=%zz", "Stripe-Signature", "t=,v1=,v1=#,,t", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nx\r\n--x--")
	f.Fuzz(func(t *testing.T, method, query, name, value, contentType, body string) {
		r := &Request{Method: method, URL: "https://hooks.example.com/in/src_1?" + query, Header: http.Header{}, Body: []byte(body), At: at}
		r.Header.Set("Content-Type", contentType)
		r.Header.Set(name, value)
		for provider, s := range schemes {
			// The value also stands where the provider's own signature does.
			for _, header := range []string{"", "X-Webhook-Signature", "Webhook-Signature", "Svix-Signature", "X-Twilio-Signature", "Authorization", "X-Signature"} {
				if header != "" {
					r.Header.Set(header, value)
				}
				if err := s.Verify(r); err == nil {
					t.Errorf("%s verified it", provider)
				} else if err.Error() == "" {
					t.Errorf("%s has no sentence", provider)
				}
			}
		}
	})
}

// FuzzDecode looks for two texts of one alphabet that stand for the same bytes.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"AAAA", "AA==", "AA", "AB==", "-_-_", "+/+/", "beef", "A\nAAA", "A===", "====", "AAA=A"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, ok := decode(text, "base64")
		if !ok {
			return
		}
		bare := strings.TrimRight(text, "=")
		if base64.RawStdEncoding.EncodeToString(b) != bare && base64.RawURLEncoding.EncodeToString(b) != bare {
			t.Errorf("%q is read as %x", text, b)
		}
	})
}

// FuzzCompile compiles templates and places of all kinds, and verifies with what compiles.
func FuzzCompile(f *testing.F) {
	f.Add("{timestamp}.{body}", "X-Signature", "item:t=", "v1=", ",")
	f.Add("{{{json:/a/b}}}{params}{url_with_port}", "form:signature", "json:/~0~1/", "", "")
	f.Fuzz(func(t *testing.T, signed, header, timestamp, prefix, separator string) {
		s, err := Compile(Config{Scheme: SchemeHMAC, Secrets: []string{rand.Text()}, Signed: signed, Header: header, Timestamp: timestamp, Prefix: prefix, Separator: separator})
		if err != nil {
			return
		}
		r := &Request{URL: "https://a.example/?" + header, Header: http.Header{}, Body: []byte(`{"a":{"b":"x"},"~/":{"":1}}`), At: at}
		if name, _ := strings.CutPrefix(header, "header:"); isToken(name) {
			r.Header.Set(name, prefix+"AAAA"+separator+strings.TrimPrefix(timestamp, "item:")+"1")
		}
		if s.Verify(r) == nil {
			t.Error("verified")
		}
	})
}
