package cli

import (
	"encoding/pem"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testenv"
)

func TestAuthSummary(t *testing.T) {
	now := time.Date(2026, 1, 31, 10, 30, 0, 0, time.UTC)
	p := &screen{now: now, zone: time.UTC}
	authority := testenv.NewAuthority(t)
	in := func(left time.Duration) *postroom.ClientTLS {
		c := authority.Issue(t, "crm", now.Add(-time.Hour), now.Add(left))
		return &postroom.ClientTLS{Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))}
	}
	for name, c := range map[string]struct {
		auth        *postroom.Auth
		kind, text  string
		certificate color
	}{
		"nothing":     {nil, "", "", plain},
		"bearer":      {&postroom.Auth{Type: postroom.AuthBearer}, "bearer", "", plain},
		"oauth2":      {&postroom.Auth{Type: postroom.AuthOAuth2, Grant: "jwt_bearer", TokenURL: "https://a/t"}, "oauth2 (jwt_bearer at https://a/t)", "", plain},
		"far":         {&postroom.Auth{Type: "none", TLS: in(1000 * time.Hour)}, "none", "CN=crm, until " + p.time(now.Add(1000*time.Hour)), plain},
		"soon":        {&postroom.Auth{Type: "none", TLS: in(100 * time.Hour)}, "none", "CN=crm, until " + p.time(now.Add(100*time.Hour)), yellow},
		"over":        {&postroom.Auth{Type: "none", TLS: in(0)}, "none", "CN=crm, expired at " + p.time(now), red},
		"authorities": {&postroom.Auth{Type: "none", TLS: &postroom.ClientTLS{CA: "PEM"}}, "none", "none, but authorities of its own", plain},
	} {
		kind, certificate := authSummary(p, c.auth)
		if kind != c.kind || certificate.text != c.text || certificate.color != c.certificate {
			t.Errorf("%s: %q, %+v", name, kind, certificate)
		}
	}
}
