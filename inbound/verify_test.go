package inbound

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// proofsOf are the ways to prove oneself to a generic source, each with a call that does and calls that do not.
func proofsOf() map[string]struct {
	set   func(*postroom.SourceSettings, *postroom.SourceSecrets)
	right call
	wrong []call
} {
	const body = `{"email":"ada@example.com"}`
	basic := func(user, password string) map[string]string {
		return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
	}
	type way = struct {
		set   func(*postroom.SourceSettings, *postroom.SourceSecrets)
		right call
		wrong []call
	}
	return map[string]way{
		"token in the URL": {func(*postroom.SourceSettings, *postroom.SourceSecrets) {}, call{body: body},
			[]call{{body: body, query: "-"}, {body: body, query: "token=wrong"}, {body: body, query: "token="}, {body: body, query: "token=" + testToken + "&token=" + testToken}}},
		"token as a bearer": {func(*postroom.SourceSettings, *postroom.SourceSecrets) {},
			call{body: body, query: "-", headers: map[string]string{"Authorization": "Bearer " + testToken}},
			[]call{{body: body, query: "-", headers: map[string]string{"Authorization": "Bearer wrong"}}, {body: body, query: "-", headers: map[string]string{"Authorization": testToken}}}},
		"token in a header": {func(*postroom.SourceSettings, *postroom.SourceSecrets) {},
			call{body: body, query: "-", headers: map[string]string{"X-Webhook-Token": testToken}},
			[]call{{body: body, query: "-", headers: map[string]string{"X-Webhook-Token": testToken + "x"}}}},
		"API key beside the token": {func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
			s.APIKey, secrets.APIKey = &postroom.SourceKey{Header: "X-API-Key"}, "key-1"
		}, call{body: body, headers: map[string]string{"X-API-Key": "key-1"}},
			[]call{{body: body}, {body: body, headers: map[string]string{"X-API-Key": "key-2"}}, {body: body, query: "-", headers: map[string]string{"X-API-Key": "key-1"}}}},
		"signature": {func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
			s.RequireToken = false
			s.Signature, secrets.Signature = &postroom.SourceSignature{Scheme: "hmac", Header: "X-Webhook-Signature", Prefix: "sha256="}, []string{"new", "old"}
		}, call{body: body, query: "-", headers: map[string]string{"X-Webhook-Signature": sign("old", body)}},
			[]call{{body: body, query: "-"}, {body: body, query: "-", headers: map[string]string{"X-Webhook-Signature": sign("other", body)}},
				{body: body + " ", query: "-", headers: map[string]string{"X-Webhook-Signature": sign("new", body)}}}},
		"basic authentication": {func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
			s.RequireToken = false
			s.BasicAuth, secrets.Password = &postroom.BasicAuth{Username: "sender"}, "password"
		}, call{body: body, query: "-", headers: basic("sender", "password")},
			[]call{{body: body, query: "-", headers: basic("sender", "wrong")}, {body: body, query: "-", headers: basic("other", "password")}, {body: body, query: "-"}}},
		"address alone": {func(s *postroom.SourceSettings, _ *postroom.SourceSecrets) {
			s.RequireToken, s.IPAllow = false, []string{"203.0.113.0/24", "2001:db8::/32"}
		}, call{body: body, query: "-", from: "203.0.113.9:4711"},
			[]call{{body: body, query: "-"}, {body: body, query: "-", from: "[2001:db9::1]:80"}, {body: body, query: "-", headers: map[string]string{"X-Forwarded-For": "203.0.113.9"}}}},
		"all together": {func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
			s.APIKey, secrets.APIKey = &postroom.SourceKey{Header: "X-API-Key"}, "key-1"
			s.Signature, secrets.Signature = &postroom.SourceSignature{Scheme: "hmac", Header: "X-Webhook-Signature", Prefix: "sha256="}, []string{"new"}
			s.IPAllow = []string{"192.0.2.1"}
		}, call{body: body, headers: map[string]string{"X-API-Key": "key-1", "X-Webhook-Signature": sign("new", body)}},
			[]call{{body: body, headers: map[string]string{"X-API-Key": "key-1"}}, {body: body, headers: map[string]string{"X-Webhook-Signature": sign("new", body)}},
				{body: body, query: "-", headers: map[string]string{"X-API-Key": "key-1", "X-Webhook-Signature": sign("new", body)}}}},
	}
}

// TestProofs checks each way to prove oneself, and that whoever does not hears the same as for a source that there is not, byte for byte.
func TestProofs(t *testing.T) {
	for name, way := range proofsOf() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			source := r.source(way.set)
			if w := r.call(source, way.right); w.Code != http.StatusOK {
				t.Fatalf("the right call is answered %d %s; the log says %+v", w.Code, w.Body, r.store.all())
			}
			nowhere := r.call(postroom.NewID[postroom.SourceKind](time.Now()), way.right)
			for i, c := range append(way.wrong, call{path: "/in/src_nothing"}, call{path: "/wp-json/ccsp-mailer/v1/webhooks/a1b2c3d4e5f6"}) {
				w := r.call(source, c)
				if w.Code != http.StatusUnauthorized || w.Body.String() != nowhere.Body.String() {
					t.Errorf("wrong call %d is answered %d %s, want that of no source: %s", i, w.Code, w.Body, nowhere.Body)
				}
				for name := range nowhere.Header() {
					if strings.Join(w.Header()[name], "|") != strings.Join(nowhere.Header()[name], "|") {
						t.Errorf("the header %s of wrong call %d is %q, and that of no source %q", name, i, w.Header()[name], nowhere.Header()[name])
					}
				}
			}
			if n := len(r.store.all()); n != 1 {
				t.Errorf("%d requests are stored before Run, want the right one alone", n)
			}
		})
	}
}

// TestOnlyTheProvenHearMore checks what those hear who have proven who they are, and may not call all the same.
func TestOnlyTheProvenHearMore(t *testing.T) {
	r := newRig(t, proxies("192.0.2.0/24"))
	inactive := r.source(with(func(s *postroom.SourceSettings) { s.Status = postroom.SourceInactive }))
	elsewhere := r.source(with(func(s *postroom.SourceSettings) { s.IPAllow = []string{"203.0.113.0/24"} }))
	for name, c := range map[string]struct {
		source postroom.SourceID
		call
		status int
	}{
		"inactive":                            {inactive, call{body: "{}"}, 403},
		"inactive, not proven":                {inactive, call{body: "{}", query: "token=x"}, 401},
		"from elsewhere":                      {elsewhere, call{body: "{}"}, 403},
		"from elsewhere, not proven":          {elsewhere, call{body: "{}", query: "token=x"}, 401},
		"from there, behind a proxy":          {elsewhere, call{body: "{}", headers: map[string]string{"X-Forwarded-For": "198.51.100.1, 203.0.113.4"}}, 200},
		"from there, as only the caller says": {elsewhere, call{body: "{}", headers: map[string]string{"X-Forwarded-For": "203.0.113.4, 198.51.100.1"}}, 403},
	} {
		if w := r.call(c.source, c.call); w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
	if last := r.last(); last.Sender != "203.0.113.4" {
		t.Errorf("the sender behind the proxy is %q", last.Sender)
	}
}

// TestRateLimit checks that more calls than allowed hear 429 and when to come again, and that those of others do not count.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		source := r.source(with(func(s *postroom.SourceSettings) {
			s.RateLimit = &postroom.RateLimit{Limit: 2, Period: postroom.Duration(10 * time.Second)}
		}))
		for range 5 {
			r.call(source, call{body: "{}", query: "token=wrong"})
		}
		r.post(source, "{}", 200)
		r.post(source, "{}", 200)
		w := r.call(source, call{body: "{}"})
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "5" {
			t.Fatalf("the third call is answered %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		r.in.Changed(source) // to read it again must not give it a new budget
		if w := r.call(source, call{body: "{}"}); w.Code != http.StatusTooManyRequests {
			t.Errorf("after a change the fourth call is answered %d", w.Code)
		}
		time.Sleep(5 * time.Second)
		r.post(source, "{}", 200)
	})
}

// TestRefusedAreLogged checks what the log says of refused calls, and that there are no more of them than the bound.
func TestRefusedAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.run()
		source := r.source(func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
			s.Signature, secrets.Signature = &postroom.SourceSignature{Scheme: "hmac", Header: "X-Sig", Timestamp: "X-Time", Signed: "{timestamp}.{body}"}, []string{"secret"}
		})
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write([]byte("1000000000.{}"))
		r.call(source, call{body: "{}", headers: map[string]string{"X-Sig": hex.EncodeToString(mac.Sum(nil)), "X-Time": "1000000000", "Authorization": "Bearer stolen"}})
		synctest.Wait()
		got := r.last()
		switch {
		case got.State != postroom.RequestRefused || got.Status != 401 || got.Log.Error == nil || got.Log.Error.Kind != "too_new" && got.Log.Error.Kind != "too_old":
			t.Errorf("the log has %+v with %+v", got.RequestResult, got.Log.Error)
		case strings.Contains(got.Target, testToken), !strings.Contains(got.Target, "token=***"):
			t.Errorf("the token is kept: %s", got.Target)
		}
		for _, h := range got.Headers {
			if strings.Contains(h.Value, "stolen") {
				t.Errorf("the header %s keeps a credential", h.Name)
			}
		}
		for range 200 {
			r.call(source, call{body: strings.Repeat("x", 50<<10), query: "token=guess"})
			synctest.Wait()
		}
		if n := len(r.store.all()); n != maxLogged {
			t.Errorf("%d refused calls are in the log of the first minute, want %d", n, maxLogged)
		}
		if n := r.in.Counts().Unlogged; n != 201-maxLogged {
			t.Errorf("%d are counted beyond, want %d", n, 201-maxLogged)
		}
		time.Sleep(time.Minute)
		r.call(source, call{body: "{}", query: "-"})
		synctest.Wait()
		last := r.last()
		if len(r.store.all()) != maxLogged+1 || last.Log.Error.Kind != "missing" || len(last.Log.Warnings) != 1 || !strings.HasPrefix(last.Log.Warnings[0].Message, "141 more calls") {
			t.Errorf("in the next minute the log has %d, the last with %+v", len(r.store.all()), last.Log)
		}
		r.stop()
	})
}
