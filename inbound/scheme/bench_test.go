package scheme

import (
	"encoding/base64"
	"strings"
	"testing"
)

// BenchmarkVerify is what verification adds to a call of 1 KiB.
func BenchmarkVerify(b *testing.B) {
	body := strings.Repeat("x", 1<<10)
	now := "1772366400"
	standard := base64.StdEncoding.EncodeToString(macOf("key", "m1."+now+"."+body))
	for name, c := range map[string]struct {
		config  Config
		request *Request
	}{
		"hmac":      {hubConfig, post(body, "X-Hub-Signature-256: sha256="+hexMAC("key", body))},
		"standard":  {Config{Scheme: SchemeStandard, Secrets: []string{"whsec_a2V5"}}, post(body, "webhook-id: m1", "webhook-timestamp: "+now, "webhook-signature: v1,"+standard)},
		"token":     {queryToken, post(body)},
		"token+all": {Config{Scheme: SchemeAll, Of: []Config{queryToken, hubConfig}}, post(body, "X-Hub-Signature-256: sha256="+hexMAC("key", body))},
		"wrong":     {Config{Scheme: SchemeAll, Of: []Config{queryToken, hubConfig}}, withURL("https://hooks.example.com/?token=x", "X-Hub-Signature-256: sha256=00")},
	} {
		s := mustCompile(b, c.config)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Verify(c.request); (err != nil) != (name == "wrong") {
					b.Fatal(err)
				}
			}
		})
	}
}
