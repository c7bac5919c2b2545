package inbound

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// FuzzServe throws calls at the handler: it never panics, its answers are whole, and what it took is stored without the token.
func FuzzServe(f *testing.F) {
	f.Add("POST", "token="+testToken, "application/json", "", "", `{"email":"ada@example.com"}`)
	f.Add("POST", "token="+testToken, "application/x-www-form-urlencoded", "", "203.0.113.1", "email=ada%40example.com&tags=a&tags=b")
	f.Add("POST", "token="+testToken, "multipart/form-data; boundary=x", "", "", "--x\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\nada@example.com\r\n--x--\r\n")
	f.Add("POST", "token="+testToken, "application/x-ndjson", "", "a, b", "{\"email\":\"a@example.com\"}\n{\"email\":\"b@example.com\"}\n")
	f.Add("POST", "token="+testToken, "application/json", "gzip", "", packed(f, []byte(`[{"email":"ada@example.com"},1,null]`)))
	f.Add("GET", "hub.challenge=1", "", "", "", "")
	f.Add("POST", "token=%zz&token="+testToken+";token=1", "text/plain", "", "\xff", "\x00\xff")
	f.Fuzz(func(t *testing.T, method, query, contentType, encoding, forwarded, body string) {
		if !slices.Contains([]string{"GET", "POST", "HEAD", "OPTIONS", "PUT"}, method) {
			return
		}
		r := newRig(t, proxies("192.0.2.0/24"))
		source := r.source(with(func(s *postroom.SourceSettings) { s.EventType = "order.paid" }),
			doing(postroom.Action{Type: postroom.ActionAddSubscriber, Lists: []string{"News"}}))
		req := httptest.NewRequest(method, "/in/"+source.String(), strings.NewReader(body))
		req.RequestURI += "?" + query
		req.URL.RawQuery = query
		req.Header.Set("Content-Type", contentType)
		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}
		req.Header.Set("X-Forwarded-For", forwarded)
		w := httptest.NewRecorder()
		r.in.ServeHTTP(w, req)
		if w.Code == 500 || r.in.Counts().Panics != 0 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("the answer %d %q is not JSON", w.Code, w.Body)
		}
		all := r.store.all()
		if (w.Code == 200 && method == "POST" || w.Code == 202) != (len(all) == 1) && w.Code != 400 {
			t.Fatalf("the answer is %d, and %d requests are stored", w.Code, len(all))
		}
		for _, stored := range all {
			_, query, _ := strings.Cut(stored.Target, "?")
			kept, _ := url.ParseQuery(query) // what can be read of it
			if slices.Contains(kept["token"], testToken) || string(stored.Body) != body && encoding == "" {
				t.Fatalf("stored is %q with %d bytes", stored.Target, len(stored.Body))
			}
		}
	})
}
