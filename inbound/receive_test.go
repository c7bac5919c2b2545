package inbound

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func packed(t testing.TB, body []byte) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestBodies checks which bodies are read, and that the bound holds for what is in a packed one.
func TestBodies(t *testing.T) {
	r := newRig(t)
	source := r.source(func(s *postroom.SourceSettings, secrets *postroom.SourceSecrets) {
		s.Signature, secrets.Signature = &postroom.SourceSignature{Scheme: "hmac", Header: "X-Sig", Prefix: "sha256="}, []string{"secret"}
	})
	const body = `{"a":1}`
	most := strings.Repeat(" ", int(r.in.maxBody)-len(body)) + body
	signed := func(body string, more ...string) map[string]string {
		h := map[string]string{"X-Sig": sign("secret", body)}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	for name, c := range map[string]struct {
		call
		status int
	}{
		"as it is":             {call{body: body, headers: signed(body)}, 200},
		"packed":               {call{body: packed(t, []byte(body)), headers: signed(body, "Content-Encoding", "gzip")}, 200},
		"as large as allowed":  {call{body: most, headers: signed(most)}, 200},
		"packed, as large":     {call{body: packed(t, []byte(most)), headers: signed(most, "Content-Encoding", "GZIP")}, 200},
		"too large":            {call{body: most + " ", headers: signed(most + " ")}, 413},
		"a bomb":               {call{body: packed(t, make([]byte, 20<<20)), headers: map[string]string{"Content-Encoding": "gzip"}}, 413},
		"not packed":           {call{body: body, headers: signed(body, "Content-Encoding", "gzip")}, 400},
		"cut":                  {call{body: packed(t, []byte(most))[:40], headers: signed(most, "Content-Encoding", "gzip")}, 400},
		"another packing":      {call{body: body, headers: signed(body, "Content-Encoding", "br")}, 415},
		"packed twice":         {call{body: body, headers: signed(body, "Content-Encoding", "gzip, gzip")}, 415},
		"packed, not verified": {call{body: packed(t, []byte(body)), headers: map[string]string{"Content-Encoding": "gzip"}}, 401},
	} {
		w := r.call(source, c.call)
		if w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
		if w.Code == 200 {
			got := r.last()
			if want := strings.TrimSpace(body); strings.TrimSpace(string(got.Body)) != want {
				t.Errorf("%s: %q is kept", name, got.Body)
			}
			for _, h := range got.Headers {
				if h.Name == "Content-Encoding" {
					t.Errorf("%s: what is kept says that it is packed", name)
				}
			}
		}
	}
}

// TestHideParams checks that nothing of a query changes but the values of credentials.
func TestHideParams(t *testing.T) {
	for target, want := range map[string]string{
		"/in/x":                                  "/in/x",
		"/in/x?":                                 "/in/x?",
		"/in/x?token=abc":                        "/in/x?token=***",
		"/in/x?a=1&token=abc&b=%20c+d&&e":        "/in/x?a=1&token=***&b=%20c+d&&e",
		"/in/x?Token=abc&to%6ben=def":            "/in/x?Token=***&to%6ben=***",
		"/in/x?token":                            "/in/x?token=***",
		"/in/x?a=1;token=abc&tokens=1":           "/in/x?a=1;token=***&tokens=1",
		"/in/x?q=token=abc&hub.verify_token=abc": "/in/x?q=token=abc&hub.verify_token=***",
	} {
		if got := hideParams(target, []string{"token", "hub.verify_token"}); got != want {
			t.Errorf("%s becomes %s, want %s", target, got, want)
		}
	}
}

// TestMethods checks what calls other than POST hear: at each URL the same, whether there is a source or not.
func TestMethods(t *testing.T) {
	r := newRig(t)
	source := r.source()
	for _, path := range []string{"/in/" + source.String(), "/in/src_unknown", "/wp-json/ccsp-mailer/v1/webhooks/" + source.String() + "/"} {
		for method, status := range map[string]int{"GET": 405, "PUT": 405, "DELETE": 405, "PATCH": 405, "HEAD": 200, "OPTIONS": 204} {
			w := r.call(source, call{method: method, path: path})
			if w.Code != status || w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
			if status != 200 && w.Header().Get("Allow") != allowedMethods {
				t.Errorf("%s %s allows %q", method, path, w.Header().Get("Allow"))
			}
		}
	}
	for _, path := range []string{"/in/", "/in/a/b", "/other"} {
		if w := r.call(source, call{path: path}); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := r.call(source, call{path: "/wp-json/ccsp-mailer/v1/webhooks/" + strings.ToUpper(source.String()[4:])}); w.Code != 401 {
		t.Errorf("an id without its prefix: %d", w.Code)
	}
	if w := r.call(source, call{path: "/wp-json/ccsp-mailer/v1/webhooks/" + source.String(), body: "{}"}); w.Code != 200 {
		t.Errorf("the form of the seed's URL: %d %s", w.Code, w.Body)
	}
}

// TestPanicInHandler checks that a defect in taking a call is answered, and counted.
func TestPanicInHandler(t *testing.T) {
	r := newRig(t)
	source := r.source()
	r.in.sources.now = func() time.Time { panic("a defect") }
	w := httptest.NewRecorder()
	r.in.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/in/"+source.String(), strings.NewReader("{}")))
	if w.Code != 500 || r.in.Counts().Panics != 1 || strings.Contains(w.Body.String(), "defect") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
