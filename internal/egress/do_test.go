package egress

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/testenv"
)

func serve(t testing.TB, handler http.HandlerFunc) (url string) {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestRequestIsSentAsItIs(t *testing.T) {
	var got *http.Request
	var body []byte
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "thanks")
	})
	c := newClient(t, loopback())
	req := newRequest(t, url+"/hooks?a=b", `{"big":12345678901234567890}`)
	req.Header.Set("Webhook-Id", "evt_1")
	res, err := c.Do(t.Context(), req, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 202 || string(res.Body) != "thanks" || res.BodyBytes != 6 || res.Truncated || res.Header.Get("X-Answer") != "yes" || res.Proto != "HTTP/1.1" {
		t.Errorf("got %+v", res)
	}
	if string(body) != `{"big":12345678901234567890}` || got.RequestURI != "/hooks?a=b" || got.Method != "POST" || got.Header.Get("Webhook-Id") != "evt_1" {
		t.Errorf("the server got %s %s %s", got.Method, got.RequestURI, body)
	}
	if got.UserAgent() != "Postroom" {
		t.Errorf("user agent %q", got.UserAgent())
	}
	for _, name := range []string{"Idempotency-Key", "Accept-Encoding"} {
		if v, sent := got.Header[name]; sent {
			t.Errorf("%s: %q is sent", name, v)
		}
	}
	if !strings.HasSuffix(url, res.RemoteAddr.String()) {
		t.Errorf("remote address %v, want that of %s", res.RemoteAddr, url)
	}
}

func TestHeadersOfTheCallerAreKept(t *testing.T) {
	var got http.Header
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	cfg := loopback()
	cfg.UserAgent = "Postroom/1.2"
	c := newClient(t, cfg)
	mustPost(t, c, url, "")
	if got.Get("User-Agent") != "Postroom/1.2" {
		t.Errorf("configured user agent: %q", got)
	}
	req := newRequest(t, url, "")
	req.Header.Set("User-Agent", "vendor/3")
	req.Header.Set("Idempotency-Key", "k")
	if _, err := c.Do(t.Context(), req, Limits{}); err != nil {
		t.Fatal(err)
	}
	if got.Get("User-Agent") != "vendor/3" || got.Get("Idempotency-Key") != "k" {
		t.Errorf("got %q", got)
	}
}

func TestRedirectsAreAnswers(t *testing.T) {
	port, hits := listenInside(t)
	for _, status := range []int{300, 301, 302, 303, 307, 308} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:"+port+"/")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "over there")
		})
		c := newClient(t, loopback())
		res := mustPost(t, c, url, "{}")
		if res.StatusCode != status || string(res.Body) != "over there" || res.Header.Get("Location") == "" {
			t.Errorf("%d: got %+v", status, res)
		}
		got, err := HTTPClient(c, time.Minute, Limits{}).Post(url, "text/plain", strings.NewReader("{}"))
		if err != nil || got.StatusCode != status {
			t.Errorf("%d through HTTPClient: got %v, %v", status, got, err)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the redirects' target got %d connections", n)
	}
}

func TestBodyIsCapped(t *testing.T) {
	c := newClient(t, loopback())
	for _, tc := range []struct {
		size      int
		length    bool // declare the length
		limits    Limits
		kept      int
		truncated bool
		reusable  bool
	}{
		{0, true, Limits{}, 0, false, true},
		{1, true, Limits{}, 1, false, true},
		{1, false, Limits{}, 1, false, true},
		{16 << 10, true, Limits{}, 16 << 10, false, true},
		{16 << 10, false, Limits{}, 16 << 10, false, true},
		{16<<10 + 1, true, Limits{}, 16 << 10, true, true},
		{60 << 10, false, Limits{}, 16 << 10, true, true},
		{80 << 10, true, Limits{}, 16 << 10, true, true},
		{80<<10 + 1, true, Limits{}, 16 << 10, true, false},
		{200 << 10, false, Limits{}, 16 << 10, true, false},
		{200 << 10, true, Limits{MaxBody: 1 << 20}, 200 << 10, false, true},
		{100, true, Limits{MaxBody: 10}, 10, true, true},
		{100, false, Limits{MaxBody: 100, MaxDrain: -1}, 100, false, true},
		{20_000, true, Limits{MaxBody: 100, MaxDrain: -1}, 100, true, false},
		{101, true, Limits{MaxBody: 100, MaxDrain: 1}, 100, true, true},
	} {
		want := bytes.Repeat([]byte("0123456789abcdef"), tc.size/16+1)[:tc.size]
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if tc.length {
				w.Header().Set("Content-Length", strconv.Itoa(tc.size))
			}
			_, _ = w.Write(want)
		})
		for call := range 2 {
			res, err := c.Do(t.Context(), newRequest(t, url, "{}"), tc.limits)
			if err != nil {
				t.Fatalf("%+v: %v", tc, err)
			}
			if !bytes.Equal(res.Body, want[:tc.kept]) || res.Truncated != tc.truncated || res.BodyBytes < len(res.Body) || res.BodyBytes > tc.size {
				t.Errorf("%+v: kept %d of %d, truncated %v", tc, len(res.Body), res.BodyBytes, res.Truncated)
			}
			if call == 1 && res.Reused != tc.reusable {
				t.Errorf("%+v: connection used again: %v", tc, res.Reused)
			}
		}
	}
}

func TestGigabyteIsCutOff(t *testing.T) {
	var written atomic.Int64
	done := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(done)
		chunk := make([]byte, 64<<10)
		for written.Load() < 1<<30 {
			n, err := w.Write(chunk)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	res := mustPost(t, newClient(t, loopback()), url, "{}")
	<-done
	if !res.Truncated || len(res.Body) != DefaultMaxBody || res.BodyBytes > DefaultMaxBody+DefaultMaxDrain+8<<10 || written.Load() == 1<<30 {
		t.Errorf("kept %d, read %d, the server wrote %d", len(res.Body), res.BodyBytes, written.Load())
	}
	if cap(res.Body) > 2*DefaultMaxBody {
		t.Errorf("the body holds on to %d bytes", cap(res.Body))
	}
}

func TestGzipBombStaysCompressed(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 8 << 4 { // 8 MiB become 8 KiB
		_, _ = z.Write(make([]byte, 64<<10))
	}
	_ = z.Close()
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	res := mustPost(t, newClient(t, loopback()), url, "{}")
	if !bytes.Equal(res.Body, bomb.Bytes()) || res.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("got %d bytes, want the %d that were sent", len(res.Body), bomb.Len())
	}
}

// What is cut off anyway may break off or drag on: the answer is there.
func TestFailureBeyondTheCapDoesNotMatter(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("a", DefaultMaxBody)
	for name, after := range map[string]func(*net.TCPConn){"reset": reset, "close": nil, "hang": untilClosed} {
		url := answerWith(t, head, after)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		res, err := newClient(t, loopback()).Do(ctx, newRequest(t, url, "{}"), Limits{})
		cancel()
		if name == "reset" && err != nil {
			continue // a reset may overtake the bytes before it
		}
		if err != nil || res.StatusCode != 200 || len(res.Body) != DefaultMaxBody || !res.Truncated {
			t.Errorf("%s: %+v, %v", name, res.StatusCode, err)
		}
	}
}

func TestPhases(t *testing.T) {
	const wait = 30 * time.Millisecond
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(wait)
		_, _ = io.WriteString(w, "a")
		_ = http.NewResponseController(w).Flush()
		<-time.After(wait)
		_, _ = io.WriteString(w, "b")
	}))
	defer srv.Close()
	ca := testenv.NewAuthority(t)
	srv.TLS.Certificates[0] = ca.Issue(t, "receiver.test", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	cfg := loopback()
	cfg.RootCAs, cfg.Resolver = ca.Pool(), names(map[string]string{"receiver.test": "127.0.0.1"})
	c := newClient(t, cfg)
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	for call := range 2 {
		res := mustPost(t, c, "https://receiver.test:"+port, "{}")
		p := res.Phases
		if p.FirstByte < wait || p.Total < 2*wait || p.Total < p.DNS+p.Connect+p.TLS+p.FirstByte || p.DNS < 0 || p.Connect < 0 {
			t.Errorf("call %d: %+v", call, p)
		}
		opened := p.DNS > 0 && p.Connect > 0 && p.TLS > 0
		used := p.DNS == 0 && p.Connect == 0 && p.TLS == 0
		if reused := call == 1; res.Reused != reused || reused && !used || !reused && !opened {
			t.Errorf("call %d: reused %v, %+v", call, res.Reused, p)
		}
	}
}

func TestHTTP2(t *testing.T) {
	var conns sync.Map
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conns.Store(r.RemoteAddr, true)
		_, _ = io.Copy(w, r.Body)
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	cfg := loopback()
	cfg.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c := newClient(t, cfg)
	body := strings.Repeat("x", 100_000)
	for call := range 3 {
		res := mustPost(t, c, srv.URL, body)
		if res.Proto != "HTTP/2.0" || res.BodyBytes < DefaultMaxBody || !res.Truncated || res.Reused != (call > 0) || !res.RemoteAddr.IsValid() {
			t.Errorf("call %d: %s, %d bytes, reused %v", call, res.Proto, res.BodyBytes, res.Reused)
		}
	}
	var n int
	conns.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	// A connection that the server ended is replaced without a failure.
	for range 20 {
		srv.CloseClientConnections()
		mustPost(t, c, srv.URL, "{}")
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	c := newClient(t, loopback())
	var wg sync.WaitGroup
	for worker := range 32 {
		wg.Go(func() {
			for i := range 50 {
				body := strings.Repeat(strconv.Itoa(worker), i*10+1)
				res, err := post(t, c, url, body)
				if err != nil || string(res.Body) != body {
					t.Errorf("worker %d, call %d: %v", worker, i, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestHTTPClient(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.Copy(w, r.Body)
	})
	c := newClient(t, loopback())
	req := newRequest(t, url, "hello")
	res, err := HTTPClient(c, time.Minute, Limits{MaxBody: 5}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "hello" || res.Status != "201 Created" || res.ProtoMajor != 1 || res.ContentLength != 5 {
		t.Errorf("got %q, %v, %+v", body, err, res)
	}
	if len(req.Header) != 0 {
		t.Error("the request was changed")
	}
	_, err = HTTPClient(c, time.Minute, Limits{MaxBody: 4}).Do(newRequest(t, url, "hello"))
	wantFailure(t, err, KindBody, "larger than is accepted")
	_, err = HTTPClient(c, 100*time.Millisecond, Limits{}).Do(newRequest(t, url+"/hang", ""))
	wantFailure(t, err, KindTimeout, "waiting for the answer")
	_, err = HTTPClient(newClient(t, Config{}), time.Minute, Limits{}).Do(newRequest(t, url, ""))
	wantFailure(t, err, KindAddressNotAllowed, "127.0.0.1 is a loopback address")
}
