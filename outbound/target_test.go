package outbound

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
)

// Credentials reach the receiver, and nothing of them is logged. The call is real.
func TestCredentials(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	client, err := egress.New(egress.Config{Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	const secret = "s3cr:t & more"
	for _, test := range []struct {
		name   string
		auth   *postroom.Auth
		header string // where it arrives
		value  string
		query  string
	}{
		{name: "none"},
		{name: "type none", auth: &postroom.Auth{Type: postroom.AuthNone}},
		{name: "api_key", auth: &postroom.Auth{Type: postroom.AuthAPIKey, Key: secret}, header: "X-API-Key", value: secret},
		{name: "api_key in another header", auth: &postroom.Auth{Type: postroom.AuthAPIKey, Header: "x-token", Key: secret}, header: "X-Token", value: secret},
		{name: "bearer", auth: &postroom.Auth{Type: postroom.AuthBearer, Token: secret}, header: "Authorization", value: "Bearer " + secret},
		{name: "basic", auth: &postroom.Auth{Type: postroom.AuthBasic, Username: "me", Password: secret}, header: "Authorization", value: "Basic bWU6czNjcjp0ICYgbW9yZQ=="},
		{name: "header", auth: &postroom.Auth{Type: postroom.AuthHeader, Headers: map[string]string{"x-custom": secret, "X-Second": secret}}, header: "X-Second", value: secret},
		{name: "header that is set otherwise too", auth: &postroom.Auth{Type: postroom.AuthHeader, Headers: map[string]string{"X-TENANT": secret}}, header: "X-Tenant", value: secret},
		{name: "query", auth: &postroom.Auth{Type: postroom.AuthQuery, Query: map[string]string{"key": secret, "a b": secret}}, query: "z=1&flag&b=%2f&a+b=s3cr%3At+%26+more&key=s3cr%3At+%26+more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, Config{})
			r.config.Sender = client
			e := New(r.config)
			id := r.webhook("a", func(w *storedHook) {
				w.URL = server.URL + "/hook?z=1&flag&b=%2f"
				w.Headers = map[string]string{"x-tenant": "mine"}
				w.Auth = redacted(test.auth)
				if test.auth != nil && test.auth.Type != postroom.AuthNone {
					w.SealedAuth, _ = json.Marshal(test.auth)
				}
				w.secrets = []postroom.StoredSecret{{Sealed: []byte(NewSecret(postroom.SecretHMAC))}}
			})
			a, err := e.Try(t.Context(), r.leased(id))
			if err != nil || a.Error != nil {
				t.Fatal(err, a.Error)
			}
			if test.header != "" && got.Header.Get(test.header) != test.value {
				t.Errorf("%s arrived as %q", test.header, got.Header.Get(test.header))
			}
			if test.query == "" {
				test.query = "z=1&flag&b=%2f"
			}
			if got.URL.RawQuery != test.query || string(body) == "" {
				t.Errorf("the query arrived as %s", got.URL.RawQuery)
			}
			checkLogged(t, a, got, secret)
		})
	}
}

// redacted is auth as the app stores it beside the sealed one: the names without the values.
func redacted(a *postroom.Auth) *postroom.Auth {
	if a == nil {
		return nil
	}
	shown := &postroom.Auth{Type: a.Type, Header: a.Header}
	hide := func(values map[string]string) map[string]string {
		all := map[string]string{}
		for name := range values {
			all[name] = postroom.Redacted
		}
		return all
	}
	shown.Headers, shown.Query = hide(a.Headers), hide(a.Query)
	return shown
}

// checkLogged checks that the log has what was sent, but no secret in any form.
func checkLogged(t *testing.T, a *postroom.Attempt, got *http.Request, secret string) {
	t.Helper()
	logged := fmt.Sprintf("%+v", a.Request)
	for _, form := range []string{secret, "s3cr", "czNjcjp0", "bWU6", "more"} {
		if strings.Contains(logged, form) {
			t.Errorf("%q is logged: %s", form, logged)
		}
	}
	lines := map[string]string{}
	for _, h := range a.Request.Headers {
		if lines[h.Name] = h.Value; h.Value != hidden && got.Header.Get(h.Name) != h.Value {
			t.Errorf("%s is logged as %q, and arrived as %q", h.Name, h.Value, got.Header.Get(h.Name))
		}
	}
	for name := range got.Header {
		if _, ok := lines[name]; !ok && name != "Content-Length" && name != "Accept-Encoding" {
			t.Errorf("%s is not logged", name)
		}
	}
	if a.Request.Method != "POST" || !strings.HasPrefix(a.Request.URL, "http://"+got.Host+"/hook?z=1&flag&b=%2f") || a.Request.Body != nil {
		t.Errorf("logged: %+v", a.Request)
	}
}

func TestAuthURL(t *testing.T) {
	query := func(values ...string) *postroom.Auth {
		a := &postroom.Auth{Type: postroom.AuthQuery, Query: map[string]string{}}
		for i := 0; i < len(values); i += 2 {
			a.Query[values[i]] = values[i+1]
		}
		return a
	}
	for _, test := range []struct {
		raw         string
		auth        *postroom.Auth
		full, shown string
	}{
		{"https://a/x?b=1", nil, "https://a/x?b=1", "https://a/x?b=1"},
		{"https://a/x?b=1", &postroom.Auth{Type: postroom.AuthBearer, Token: "t"}, "https://a/x?b=1", "https://a/x?b=1"},
		{"https://a/x", query("k", "v"), "https://a/x?k=v", "https://a/x?k=***"},
		{"https://a/x?", query("k", "v"), "https://a/x?k=v", "https://a/x?k=***"},
		{"https://a/x?b=2&a=1", query("z", "v", "k", "w"), "https://a/x?b=2&a=1&k=w&z=v", "https://a/x?b=2&a=1&k=***&z=***"},
		{"https://a/x?flag&e=&x=%zz", query("k", "v"), "https://a/x?flag&e=&x=%zz&k=v", "https://a/x?flag&e=&x=%zz&k=***"},
		{"https://a/x?k=old&%6b=older&b=1", query("k", "v"), "https://a/x?b=1&k=v", "https://a/x?b=1&k=***"},
		{"https://a/%2Fx%20y?b=1", query("k&=?", "v w/+#"), "https://a/%2Fx%20y?b=1&k%26%3D%3F=v+w%2F%2B%23", "https://a/%2Fx%20y?b=1&k%26%3D%3F=***"},
	} {
		full, shown, err := authURL(test.raw, test.auth)
		if err != nil || full != test.full || shown != test.shown {
			t.Errorf("%s:\ngot  %s, %s, %v\nwant %s, %s", test.raw, full, shown, err, test.full, test.shown)
		}
	}
	if _, _, err := authURL("https://a/\x7f", query("k", "v")); err == nil {
		t.Error("a URL that is none is taken")
	}
}

func TestTargetErrorsNameTheWebhook(t *testing.T) {
	closed := errors.New("sealed with another key")
	r := newRig(t, Config{})
	id := r.webhook("a", func(w *storedHook) {
		w.Auth = &postroom.Auth{Type: postroom.AuthBearer}
		w.SealedAuth = []byte(`{`)
	})
	get := func(o Opener) error {
		r.config.Opener = o
		_, err := New(r.config).targets.get(t.Context(), id)
		return err
	}
	if err := get(opener(func(string) ([]byte, error) { return nil, closed })); !errors.Is(err, closed) || !strings.Contains(err.Error(), id.String()) {
		t.Errorf("auth: %v", err)
	}
	if err := get(plain{}); err == nil || !strings.Contains(err.Error(), id.String()) {
		t.Errorf("auth that is no JSON: %v", err)
	}
	r.change(id, func(w *storedHook) {
		w.SealedAuth = []byte(`{"type":"bearer","token":"t"}`)
		w.secrets = []postroom.StoredSecret{{Sealed: []byte("x")}}
	})
	err := get(opener(func(context string) ([]byte, error) {
		switch context {
		case AuthContext(id):
			return []byte(`{}`), nil
		case SecretContext(id):
			return nil, closed
		}
		return nil, errors.New("an unknown context: " + context)
	}))
	if !errors.Is(err, closed) || !strings.Contains(err.Error(), id.String()) {
		t.Errorf("secret: %v", err)
	}
	if err := get(plain{}); err == nil || !strings.Contains(err.Error(), id.String()) {
		t.Errorf("secret that is none: %v", err)
	}
}

type opener func(context string) ([]byte, error)

func (o opener) Open(context string, _ []byte) ([]byte, error) { return o(context) }

// An old secret signs until it ends, although the webhook is kept ready meanwhile.
func TestRotatedSecretEnds(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ends := postroom.Timestamp{Time: time.Now().Add(time.Hour)}
		r.webhook("a", func(w *storedHook) {
			w.secrets = []postroom.StoredSecret{{Sealed: []byte(NewSecret(postroom.SecretHMAC))},
				{Secret: postroom.Secret{ExpiresAt: &ends}, Sealed: []byte(NewSecret(postroom.SecretEd25519))}}
		})
		for _, want := range []int{2, 1} {
			r.publish(0, 1)
			wait(0)
			calls := r.out.calls("a")
			if got := strings.Fields(calls[len(calls)-1].header.Get(headerSignature)); len(got) != want {
				t.Errorf("%d signatures, want %d", len(got), want)
			}
			wait(time.Until(ends.Time))
		}
		if n := r.store.count("Secrets"); n != 1 {
			t.Errorf("the webhook was read %d times", n)
		}
	})
}

// What changes between reading a webhook and keeping it is not missed.
func TestTargetChangesWhileItIsRead(t *testing.T) {
	r := newRig(t, Config{})
	id := r.webhook("a")
	for _, zero := range []bool{false, true} {
		r.engine.Changed(r.workspace, id)
		r.store.once("Secrets", func() error {
			r.change(id, func(w *storedHook) { w.Concurrency++ })
			if zero {
				r.engine.targets.forget(r.workspace, postroom.WebhookID{})
			} else {
				r.engine.targets.forget(r.workspace, id)
			}
			return nil
		})
		old, err := r.engine.targets.get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := r.engine.targets.get(t.Context(), id)
		if err != nil || fresh.Concurrency != old.Concurrency+1 || r.engine.targets.current(old) || !r.engine.targets.current(fresh) {
			t.Errorf("concurrency %d, then %d, %v", old.Concurrency, fresh.Concurrency, err)
		}
		if again, err := r.engine.targets.get(t.Context(), id); again != fresh || err != nil {
			t.Errorf("it is not kept: %v", err)
		}
	}
	// Another workspace's change does not matter.
	kept, _ := r.engine.targets.get(t.Context(), id)
	r.engine.targets.forget(postroom.WorkspaceID{}, postroom.WebhookID{})
	if !r.engine.targets.current(kept) {
		t.Error("it was forgotten for another workspace's change")
	}
}

func TestTargetsAreBounded(t *testing.T) {
	r := newRig(t, Config{})
	for range maxTargets + 50 {
		if _, err := r.engine.targets.get(t.Context(), r.webhook("a")); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.engine.targets.ready); n != maxTargets {
		t.Errorf("%d are kept", n)
	}
}

func TestExpectJSON(t *testing.T) {
	for body, want := range map[string]bool{`{"ok":true}`: true, `[]`: true, ` "ok" `: true, `1`: true, "": false, "ok": false, `{"a":`: false, "<html>": false} {
		for _, truncated := range []bool{false, true} {
			client := sender(func(*http.Request) (*egress.Result, error) {
				return &egress.Result{StatusCode: 200, Body: []byte(body), Truncated: truncated}, nil
			})
			r := newRig(t, Config{})
			r.config.Sender = client
			id := r.webhook("a", func(w *storedHook) { w.ExpectJSON = true })
			a, err := New(r.config).Try(t.Context(), r.leased(id))
			if err != nil {
				t.Fatal(err)
			}
			if got := kindOf(a.Error); (got == "") != (want && !truncated) || got != "" && got != KindNotJSON {
				t.Errorf("%q, truncated: %v: %q", body, truncated, got)
			}
			if a.Response == nil || string(a.Response.Body) != body || a.Response.Truncated != truncated {
				t.Errorf("logged: %+v", a.Response)
			}
		}
	}
}
