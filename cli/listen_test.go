package cli

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// received is a call that the local server got.
type received struct {
	line, body string
	header     http.Header
}

// localServer is a server on this machine, which answers with a status and remembers what it got.
type localServer struct {
	status int
	got    chan received
}

// ServeHTTP answers a call.
func (l *localServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.got <- received{r.Method + " " + r.URL.RequestURI(), string(body), r.Header}
	w.WriteHeader(l.status)
}

// listened runs `postroom listen` against a Postroom that streams what connection n of it is to send, until a line with last in it was
// written. hold waits until the connection is over; wrote, unless nil, is told of each line.
func listened(t *testing.T, stream func(n int, send func(message string), hold func()), wrote func(line string), last string, args ...string) (r ran) {
	t.Helper()
	connections := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !strings.HasSuffix(req.URL.Path, "/tail") {
			_, _ = io.WriteString(w, page())
			return
		}
		connections++
		r.asked = append(r.asked, strings.TrimSpace(req.Method+" "+req.URL.RequestURI()+" "+req.Header.Get("Last-Event-ID")))
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Date", "Sat, 31 Jan 2026 09:00:00 GMT")
		stream(connections, func(message string) {
			_, _ = io.WriteString(w, message)
			_ = http.NewResponseController(w).Flush()
		}, func() { <-req.Context().Done() })
	}))
	defer server.Close()
	ctx, interrupt := context.WithTimeout(t.Context(), 20*time.Second)
	defer interrupt()
	var stdout, stderr bytes.Buffer
	r.exit = Run(ctx, append([]string{"listen"}, args...), Config{
		Version: "v1.2.3", Stdin: strings.NewReader(""), Stderr: &stderr, Zone: time.UTC,
		Now: func() time.Time { return time.Date(2026, 1, 31, 10, 30, 0, 0, time.UTC) },
		Stdout: writerFunc(func(b []byte) {
			stdout.Write(b)
			if wrote != nil {
				wrote(string(b))
			}
			if bytes.Contains(b, []byte(last)) {
				interrupt()
			}
		}),
		Environ: []string{"POSTROOM_API_KEY=prk_test", "POSTROOM_URL=" + server.URL},
	})
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

// callMessage is the message of a request with an id that ends in n.
func callMessage(n int, more string) string {
	id := fmt.Sprintf("req_01kg95vh9ze00r00820c20a1g%d", n)
	return fmt.Sprintf("id: %s\ndata: {\"id\":%q,\"source_id\":%q,\"received_at\":\"2026-01-31T09:30:0%d.000Z\",\"method\":\"POST\",\"path\":\"/in/src_x?token=***&a=b%%20c\",%s}\n\n",
		id, id, src1, n, more)
}

const plainCall = `"headers":[{"name":"Content-Type","value":"application/json"}],"body":"{}"`

func TestListenBringsRequests(t *testing.T) {
	local := &localServer{status: 204, got: make(chan received, 10)}
	server := httptest.NewServer(local)
	defer server.Close()
	stream := func(_ int, send func(string), hold func()) {
		send(": requests from now on\n\n")
		send(callMessage(1, `"headers":[{"name":"Authorization","value":"***"},{"name":"Content-Type","value":"text/plain"},{"name":"Host","value":"hooks.example.com"},{"name":"X-Sign","value":"sha256=ab"},{"name":"X-Two","value":"1"},{"name":"X-Two","value":"2"}],"body":"é <>"`))
		send(callMessage(2, `"headers":[],"body_base64":"//4="`))
		hold()
	}
	r := listened(t, stream, nil, "1g2", "--forward", server.URL, "--source", "shop", "-o", "table")
	first, second := <-local.got, <-local.got
	if first.line != "POST /in/src_x?a=b%20c" || first.body != "é <>" || second.body != "\xff\xfe" {
		t.Errorf("the local server got %q, %q and %q", first.line, first.body, second.body)
	}
	want := map[string][]string{"Content-Type": {"text/plain"}, "X-Sign": {"sha256=ab"}, "X-Two": {"1", "2"}, "Authorization": nil}
	for name, values := range want {
		if diff := cmp.Diff(values, first.header[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if lines := strings.Split(r.stdout, "\n"); r.exit != exitOK || len(lines) != 3 ||
		!strings.HasPrefix(lines[0], "Jan 31 09:30:01  POST /in/src_x?a=b%20c  req_01kg95vh9ze00r00820c20a1g1  → 204 No Content  ") {
		t.Errorf("exit %d: %q", r.exit, lines)
	}
	if want := "✓ Listening: requests of source shop go to " + server.URL + "\n"; r.stderr != want {
		t.Errorf("it said %q", r.stderr)
	}
	if diff := cmp.Diff([]string{"GET /v1/sources/shop/requests/tail"}, r.asked); diff != "" {
		t.Error(diff)
	}
}

// A path in the URL is taken in place of the request's, and both queries are kept.
func TestListenWithAPath(t *testing.T) {
	local := &localServer{status: 500, got: make(chan received, 10)}
	server := httptest.NewServer(local)
	defer server.Close()
	r := listened(t, func(_ int, send func(string), hold func()) { send(callMessage(1, plainCall)); hold() }, nil, "1g1", "--forward", server.URL+"/hooks/shop?x=1", "--source", "shop")
	if got := <-local.got; got.line != "POST /hooks/shop?x=1&a=b%20c" {
		t.Errorf("the local server got %q", got.line)
	}
	var made forwarded
	if err := json.Unmarshal([]byte(r.stdout), &made); err != nil || made.StatusCode != 500 || made.ID != "req_01kg95vh9ze00r00820c20a1g1" || made.Error != "" || made.Method != "POST" {
		t.Errorf("%v: %s", err, r.stdout)
	}
}

// A local server that is away is said so in a sentence, and what comes once it is back reaches it.
func TestListenWhileTheLocalServerIsAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	local := &localServer{status: 200, got: make(chan received, 10)}
	back := make(chan struct{})
	comeBack := sync.OnceFunc(func() {
		again, err := net.Listen("tcp", at)
		if err != nil {
			t.Error(err)
			return
		}
		server := &httptest.Server{Listener: again, Config: &http.Server{Handler: local, ReadHeaderTimeout: time.Second}}
		server.Start()
		t.Cleanup(server.Close)
		close(back)
	})
	r := listened(t, func(_ int, send func(string), hold func()) {
		send(callMessage(1, plainCall))
		<-back
		send(callMessage(2, plainCall))
		hold()
	}, func(string) { comeBack() }, "1g2", "--forward", "http://"+at+"/", "--source", "shop", "-o", "table")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "→ nothing answers at http://"+at+": is the server running?") || !strings.Contains(lines[1], "→ 200 OK") {
		t.Errorf("%q", lines)
	}
}

// After a loss it asks for what came after the last request, and does not bring again what it has brought.
func TestListenGoesOnAfterALoss(t *testing.T) {
	local := &localServer{status: 200, got: make(chan received, 10)}
	server := httptest.NewServer(local)
	defer server.Close()
	r := listened(t, func(n int, send func(string), hold func()) {
		send(callMessage(1, plainCall))
		if n == 2 {
			send(callMessage(2, plainCall))
			hold()
		}
	}, nil, "1g2", "--forward", server.URL, "--source", "shop", "-o", "table")
	if len(local.got) != 2 || strings.Count(r.stdout, "\n") != 2 {
		t.Errorf("the local server got %d calls: %s", len(local.got), r.stdout)
	}
	// Five seconds before the request that was seen last, since one that came earlier may be stored later.
	since := postroom.FirstID[postroom.RequestKind](time.Date(2026, 1, 31, 9, 29, 56, 0, time.UTC)).String()
	if diff := cmp.Diff([]string{"GET /v1/sources/shop/requests/tail", "GET /v1/sources/shop/requests/tail " + since}, r.asked); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(r.stderr, "the connection was lost, and is made anew") || !strings.Contains(r.stderr, "✓ Connected again\n") {
		t.Errorf("it said %q", r.stderr)
	}
}

func TestListenBringsEvents(t *testing.T) {
	const key = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for _, own := range []bool{true, false} {
		local := &localServer{status: 200, got: make(chan received, 10)}
		server := httptest.NewServer(local)
		args := []string{"--forward", server.URL + "/hooks", "-o", "table", "--events", "order.*"}
		if own {
			args = append(args, "--secret", "whsec_"+key)
		}
		r := listened(t, func(_ int, send func(string), hold func()) { send("data: " + eventJSON + "}\n\n"); hold() }, nil, "order-17", args...)
		got := <-local.got
		server.Close()
		const want = `{"type":"order.paid","timestamp":"2026-01-31T09:30:00.000Z","data":{"order":{"id":12345678901234567890,"note":"<b> é ` + "\U0001F600" + `"}}}`
		if got.body != want || got.line != "POST /hooks" || got.header.Get("Webhook-Id") != "order-17" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("the local server got %s %s %v", got.line, got.body, got.header)
		}
		secret := key
		if !own {
			_, after, _ := strings.Cut(r.stderr, "signed with whsec_")
			secret = strings.TrimSpace(after)
		} else if strings.Contains(r.stderr, key) {
			t.Errorf("it shows the secret: %s", r.stderr)
		}
		raw, err := base64.StdEncoding.DecodeString(secret)
		if err != nil {
			t.Fatalf("the secret is %q in %q", secret, r.stderr)
		}
		h := hmac.New(sha256.New, raw)
		h.Write([]byte("order-17." + got.header.Get("Webhook-Timestamp") + "." + got.body))
		if sum := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); got.header.Get("Webhook-Signature") != sum {
			t.Errorf("the signature is %s, want %s", got.header.Get("Webhook-Signature"), sum)
		}
		if !strings.HasPrefix(r.stdout, "Jan 31 09:30:00  order.paid  order-17  → 200 OK  ") || r.asked[0] != "GET /v1/events/tail?type=order.%2A" {
			t.Errorf("%v: %s", r.asked, r.stdout)
		}
	}
}

// What cannot work at all ends it, with the server's reason.
func TestListenRefused(t *testing.T) {
	r := run(t, newFakeServer(t), given{}, "listen", "--forward", "http://127.0.0.1:1/", "--source", "gone")
	if r.exit != exitFailed || r.stderr == "" {
		t.Errorf("exit %d: %s", r.exit, r.stderr)
	}
}
