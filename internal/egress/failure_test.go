package egress

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is the deadline of calls that are meant to run into it, and late is when one of them has certainly overrun it.
const (
	soon = 200 * time.Millisecond
	late = 5 * time.Second
)

// hostile lists receivers that misbehave, each with the failure that a person gets to see.
func hostile(t *testing.T) map[string]struct{ url, kind, part string } {
	drip := func(conn *net.TCPConn) { // a byte a time until the client goes away
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := conn.Write([]byte("x")); err != nil {
				return
			}
		}
	}
	forever := func(text string) func(*net.TCPConn) {
		return func(conn *net.TCPConn) {
			for {
				if _, err := io.WriteString(conn, text); err != nil {
					return
				}
			}
		}
	}
	return map[string]struct{ url, kind, part string }{
		"hangs":                     {answerWith(t, "", untilClosed), KindTimeout, "waiting for the answer"},
		"hangs amid its header":     {answerWith(t, "HTTP/1.1 200 OK\r\nA:", untilClosed), KindTimeout, "reading the answer's header"},
		"drips its header":          {answerWith(t, "HTTP/1.1 200 OK\r\nA: ", drip), KindTimeout, "reading the answer's header"},
		"hangs before its body":     {answerWith(t, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", untilClosed), KindTimeout, "reading the answer's body"},
		"drips its body":            {answerWith(t, "HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", drip), KindTimeout, "reading the answer's body"},
		"drips an endless body":     {answerWith(t, "HTTP/1.1 200 OK\r\n\r\n", drip), KindTimeout, "reading the answer's body"},
		"closes at once":            {answerWith(t, "", nil), KindReset, "before it answered"},
		"resets at once":            {answerWith(t, "", reset), KindReset, "before it answered"},
		"closes amid its header":    {answerWith(t, "HTTP/1.1 200 OK\r\nA: b", nil), KindReset, "in the middle of its answer's header"},
		"closes amid its body":      {answerWith(t, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", nil), KindBody, "in the middle of its answer's body"},
		"closes amid a chunk":       {answerWith(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab", nil), KindBody, "in the middle of its answer's body"},
		"sends a bad chunk":         {answerWith(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", untilClosed), KindBody, "could not be read to its end"},
		"speaks another protocol":   {answerWith(t, "220 mail.example.com ESMTP\r\n", untilClosed), KindProtocol, "mail.example.com"},
		"sends a bad status":        {answerWith(t, "HTTP/1.1 abc OK\r\n\r\n", untilClosed), KindProtocol, "not valid HTTP"},
		"sends a bad header":        {answerWith(t, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", untilClosed), KindProtocol, "not valid HTTP"},
		"sends a bad length":        {answerWith(t, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", untilClosed), KindProtocol, "not valid HTTP"},
		"sends an endless line":     {answerWith(t, "HTTP/1.1 200 OK\r\nA: ", forever("xxxxxxxx")), KindProtocol, "larger than 64 KiB"},
		"sends an endless header":   {answerWith(t, "HTTP/1.1 200 OK\r\n", forever("A: b\r\n")), KindProtocol, "larger than 64 KiB"},
		"sends 1xx without end":     {answerWith(t, "", forever("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")), KindProtocol, "1xx"},
		"sends 100 without end":     {answerWith(t, "", forever("HTTP/1.1 100 Continue\r\n\r\n")), KindProtocol, "1xx"},
		"hangs after a 1xx":         {answerWith(t, "HTTP/1.1 102 Processing\r\n\r\n", untilClosed), KindTimeout, "reading the answer's header"},
		"switches protocols":        {answerWith(t, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", untilClosed), KindProtocol, "101"},
		"switches without a header": {answerWith(t, "HTTP/1.1 101 Switching Protocols\r\n\r\n", untilClosed), KindProtocol, "101"},
		"refuses connections":       {"http://" + closedPort(t), KindConnect, "refused the connection"},
		"never greets TLS":          {"https://" + serveRaw(t, func(_ int, conn *net.TCPConn) { untilClosed(conn) }), KindTimeout, "connecting (the TLS handshake)"},
	}
}

func TestHostileReceivers(t *testing.T) {
	for name, tc := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), late)
			if tc.kind == KindTimeout {
				ctx, cancel = context.WithTimeout(context.Background(), soon)
			}
			defer cancel()
			c := newClient(t, loopback())
			start := time.Now()
			res, err := c.Do(ctx, newRequest(t, tc.url, "{}"), Limits{})
			if took := time.Since(start); took > late/2 {
				t.Errorf("took %v", took)
			}
			wantFailure(t, err, tc.kind, tc.part)
			if res == nil || res.Phases.Total <= 0 {
				t.Fatalf("no result with the failure: %+v", res)
			}
			if inBody := tc.kind == KindBody || strings.HasSuffix(tc.part, "body"); inBody != (res.StatusCode == 200) {
				t.Errorf("status %d is known", res.StatusCode)
			}
			if res.RemoteAddr.IsValid() == (tc.kind == KindConnect || strings.Contains(tc.part, "connecting")) {
				t.Errorf("remote address %v", res.RemoteAddr)
			}
		})
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestPartialBodyIsKept(t *testing.T) {
	url := answerWith(t, "HTTP/1.1 500 Oops\r\nContent-Length: 99\r\nX-Why: because\r\n\r\nhalf an ans", nil)
	res, err := post(t, newClient(t, loopback()), url, "{}")
	wantFailure(t, err, KindBody, "")
	if res.StatusCode != 500 || string(res.Body) != "half an ans" || res.Header.Get("X-Why") != "because" || res.BodyBytes != 11 {
		t.Errorf("got %+v", res)
	}
}

func TestFailuresWhileSending(t *testing.T) {
	c := newClient(t, loopback())
	huge := strings.Repeat("x", 64<<20)
	t.Run("receiver resets", func(t *testing.T) {
		url := "http://" + serveRaw(t, func(_ int, conn *net.TCPConn) {
			_, _ = bufio.NewReader(conn).Peek(1)
			reset(conn)
		})
		_, err := post(t, c, url, huge)
		wantFailure(t, err, KindReset, "while the request was sent")
	})
	t.Run("receiver does not read", func(t *testing.T) {
		done := make(chan struct{})
		url := "http://" + serveRaw(t, func(int, *net.TCPConn) { <-done })
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		_, err := c.Do(ctx, newRequest(t, url, huge), Limits{})
		close(done)
		wantFailure(t, err, KindTimeout, "sending the request")
	})
}

func TestCancelledCall(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client goes away
		cancel(errors.New("some cause"))
		<-r.Context().Done()
	})
	c := newClient(t, loopback())
	_, err := c.Do(ctx, newRequest(t, url, "{}"), Limits{})
	wantFailure(t, err, KindCancelled, "shutting down")
	_, err = c.Do(ctx, newRequest(t, url, "{}"), Limits{}) // before it began
	wantFailure(t, err, KindCancelled, "shutting down")
}

func TestFailuresOfTheCaller(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := newClient(t, loopback())
	for name, spoil := range map[string]func(*http.Request){
		"line in a header": func(r *http.Request) { r.Header.Set("X-A", "b\r\nc: d") },
		"bad header name":  func(r *http.Request) { r.Header["X A"] = []string{"b"} },
		"bad method":       func(r *http.Request) { r.Method = "PO ST" },
		"too short a body": func(r *http.Request) { r.ContentLength = 3 },
		"failing body":     func(r *http.Request) { r.Body, r.GetBody = io.NopCloser(failingReader{}), nil },
	} {
		t.Run(name, func(t *testing.T) {
			req := newRequest(t, url, "{}")
			spoil(req)
			_, err := c.Do(t.Context(), req, Limits{})
			wantFailure(t, err, KindInternal, "could not be made")
		})
	}
	t.Run("no header at all", func(t *testing.T) {
		req := newRequest(t, url, "{}")
		req.Header = nil
		if _, err := c.Do(t.Context(), req, Limits{}); err != nil {
			t.Error(err)
		}
	})
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func TestURLIsCheckedAtEachCall(t *testing.T) {
	c := newClient(t, Config{})
	for url, part := range map[string]string{
		"http://example.com/":       "only https://",
		"ftp://example.com/":        "start with https://",
		"https://a:b@example.com/":  "password",
		"https://10.0.0.1/":         "10.0.0.1 is a private address",
		"https://localhost/":        "this machine",
		"https://0x7f.1/":           "unusual spelling",
		"https://[fe80::1%25eth0]/": "an address with a zone",
	} {
		res, err := post(t, c, url, "{}")
		wantFailure(t, err, KindAddressNotAllowed, part)
		if res.StatusCode != 0 || res.RemoteAddr.IsValid() {
			t.Errorf("%s: %+v", url, res)
		}
	}
}

// The address that a name resolves to is not the business of the person who gave the name.
func TestSentenceHidesTheAddressBehindAName(t *testing.T) {
	c := newClient(t, Config{Resolver: names(map[string]string{"intranet.test": "10.11.12.13"})})
	_, err := post(t, c, "https://intranet.test/?token=s3cret", "{}")
	wantFailure(t, err, KindAddressNotAllowed, "intranet.test resolves to a private address")
	if _, sentence := Classify(err); strings.Contains(sentence, "10.11") || strings.Contains(sentence, "s3cret") {
		t.Errorf("the sentence tells too much: %s", sentence)
	}
}

func TestNames(t *testing.T) {
	silent := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, ours) }()
		return theirs, nil
	}}
	broken := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}
	for name, tc := range map[string]struct {
		cfg        Config
		kind, part string
	}{
		"unknown":        {Config{Resolver: names(nil)}, KindDNS, "The name gone.test does not exist"},
		"no addresses":   {Config{Resolver: resolver(func(string) ([]netip.Addr, bool) { return nil, true })}, KindDNS, "has no address"},
		"broken servers": {Config{Resolver: broken}, KindDNS, "could not answer"},
		"silent servers": {Config{Resolver: silent, DialTimeout: soon / 4}, KindDNS, "did not answer in time"},
		"deadline":       {Config{Resolver: silent}, KindTimeout, "looking up the name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), late)
			if tc.kind == KindTimeout {
				ctx, cancel = context.WithTimeout(context.Background(), soon)
			}
			defer cancel()
			res, err := newClient(t, tc.cfg).Do(ctx, newRequest(t, "https://gone.test/", "{}"), Limits{})
			wantFailure(t, err, tc.kind, tc.part)
			if res.Phases.DNS <= 0 {
				t.Errorf("no time for DNS: %+v", res.Phases)
			}
		})
	}
}

func TestDialTimeouts(t *testing.T) {
	cfg := loopback()
	cfg.DialTimeout = time.Nanosecond
	_, err := post(t, newClient(t, cfg), "http://"+closedPort(t), "{}")
	wantFailure(t, err, KindConnectTimeout, "did not accept a connection in time")

	cfg.DialTimeout = soon
	_, err = post(t, newClient(t, cfg), "https://"+serveRaw(t, func(_ int, conn *net.TCPConn) { untilClosed(conn) }), "{}")
	wantFailure(t, err, KindConnectTimeout, "did not complete the TLS handshake in time")
}

func TestHTTP2Failures(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Proto != "HTTP/2.0" {
			t.Errorf("the call came as %s", r.Proto)
		}
		switch r.URL.Path {
		case "/abort":
			panic(http.ErrAbortHandler)
		case "/abort-body":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/hang":
			<-r.Context().Done()
		case "/hang-body":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		case "/informational":
			for r.Context().Err() == nil {
				w.WriteHeader(http.StatusEarlyHints)
			}
		case "/header":
			for i := range 3000 {
				w.Header().Set(fmt.Sprintf("X-Header-%d", i), "some value that takes its place")
			}
		}
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	cfg := loopback()
	cfg.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for path, want := range map[string][2]string{
		"/abort":         {KindReset, "before it answered"},
		"/abort-body":    {KindBody, "in the middle of its answer's body"},
		"/hang":          {KindTimeout, "waiting for the answer"},
		"/hang-body":     {KindTimeout, "reading the answer's body"},
		"/informational": {KindProtocol, ""},
		"/header":        {KindProtocol, ""}, // far beyond the limit, HTTP/2 gives up the connection without a reason
	} {
		t.Run(path, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), late)
			if want[0] == KindTimeout {
				ctx, cancel = context.WithTimeout(t.Context(), soon)
			}
			defer cancel()
			_, err := newClient(t, cfg).Do(ctx, newRequest(t, srv.URL+path, "{}"), Limits{})
			wantFailure(t, err, want[0], want[1])
		})
	}
}

// Errors that take a machine or a network in trouble to bring about, and errors of which nothing more is known.
func TestClassifyByItself(t *testing.T) {
	dialError := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for _, tc := range []struct {
		err        error
		kind, part string
	}{
		{dialError(syscall.ECONNREFUSED), KindConnect, "refused the connection"},
		{dialError(syscall.EHOSTUNREACH), KindConnect, "no route"},
		{dialError(syscall.ENETUNREACH), KindConnect, "no route"},
		{dialError(syscall.ECONNRESET), KindReset, "as soon as it was open"},
		{dialError(syscall.EACCES), KindConnect, "permission denied"},
		{dialError(syscall.ETIMEDOUT), KindConnectTimeout, "in time"},
		{dialError(syscall.EMFILE), KindInternal, "file descriptors"},
		{&net.DNSError{Name: "a.test", IsNotFound: true}, KindDNS, "a.test does not exist"},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, KindReset, "closed the connection"},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}, KindReset, "closed the connection"},
		{io.ErrUnexpectedEOF, KindReset, "closed the connection"},
		{errors.New("http2: server sent GOAWAY and closed the connection; LastStreamID=1"), KindReset, "closed the connection"},
		{errors.New("connection error: PROTOCOL_ERROR"), KindProtocol, "not valid HTTP"},
		{context.DeadlineExceeded, KindTimeout, "There was no complete answer."},
		{fmt.Errorf("token: %w", context.DeadlineExceeded), KindTimeout, "no complete answer"},
		{fmt.Errorf("token: %w", context.Canceled), KindCancelled, "given up"},
		{fmt.Errorf("token: %w", &Error{Kind: KindTLS, Sentence: "As it was."}), KindTLS, "As it was."},
		{&URLError{CodeURLNotHTTPS, "Not https."}, KindAddressNotAllowed, "Not https."},
		{&addressError{netip.MustParseAddr("10.0.0.1")}, KindAddressNotAllowed, "The receiver resolves to a private address"},
		{errors.New("something else"), KindInternal, "something else"},
		{errors.New(strings.Repeat("é", 500)), KindInternal, "…"},
	} {
		wantFailure(t, tc.err, tc.kind, tc.part)
		if _, sentence := Classify(tc.err); len(sentence) > 300 {
			t.Errorf("%d bytes in a sentence", len(sentence))
		}
	}
	if kind, sentence := Classify(nil); kind != "" || sentence != "" {
		t.Errorf("nil is %q, %q", kind, sentence)
	}
}
