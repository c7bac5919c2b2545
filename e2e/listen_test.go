package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/testenv"
)

// freeAddress is an address of this machine at which nothing listens at present.
func freeAddress(t *testing.T) string {
	t.Helper()
	l := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// serveAt starts a server at an address.
func serveAt(t *testing.T, address string, handler http.Handler) *httptest.Server {
	t.Helper()
	server := &httptest.Server{Listener: must(net.Listen("tcp", address))(t), Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	return server
}

// TestListen runs `postroom listen` beside a server that is restarted, and a local server that goes away and comes back.
func TestListen(t *testing.T) {
	t.Parallel()
	// The server comes back at the same address.
	s := startServer(t, settings{flags: append(devFlags(), "--listen", freeAddress(t))})
	x := newTenant(t, s)
	made := must(x.api.CreateSource(t.Context(), signup("form")))(t)
	local := freeAddress(t)
	got := make(chan string, 100)
	serve := func() *httptest.Server {
		return serveAt(t, local, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body strings.Builder
			_, _ = bufio.NewReader(r.Body).WriteTo(&body)
			got <- r.Method + " " + r.URL.RequestURI() + " " + body.String()
			w.WriteHeader(http.StatusTeapot)
		}))
	}
	here := serve()

	cmd := exec.CommandContext(t.Context(), testenv.Binary(t), "listen", "-o", "table", "--forward", "http://"+local, "--source", "form")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "POSTROOM_URL=" + s.address(), "POSTROOM_API_KEY=" + x.key, raceDetector}
	out, said := &tail{}, &tail{}
	cmd.Stdout, cmd.Stderr = out, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows := func(where *tail, text string, times int) {
		t.Helper()
		testenv.Eventually(t, startTimeout, func() error {
			if n := strings.Count(where.String(), text); n < times {
				return fmt.Errorf("%q is shown %d times in:\n%s", text, n, where.String())
			}
			return nil
		})
	}
	shows(said, "✓ Listening: requests of source form go to http://"+local, 1)
	path := "/in/" + made.ID.String()
	x.callSource(made.URL+"&utm=a", `{"contact_email":"a@example.com"}`, nil).is(t, http.StatusOK)
	if call := receive(t, got); call != "POST "+path+`?utm=a {"contact_email":"a@example.com"}` {
		t.Errorf("the local server got %s", call)
	}
	shows(out, "→ 418 I'm a teapot", 1)

	here.Close()
	x.callSource(made.URL, `{"contact_email":"b@example.com"}`, nil).is(t, http.StatusOK)
	shows(out, "→ nothing answers at http://"+local+": is the server running?", 1)
	here = serve()
	defer here.Close()
	x.callSource(made.URL, `{"contact_email":"c@example.com"}`, nil).is(t, http.StatusOK)
	if call := receive(t, got); !strings.Contains(call, "c@example.com") {
		t.Errorf("back, the local server got %s", call)
	}

	// What came while the connection was lost is brought too, once.
	s.kill(t)
	shows(said, "the connection was lost", 1)
	s.start(t)
	x.callSource(made.URL, `{"contact_email":"d@example.com"}`, nil).is(t, http.StatusOK)
	if call := receive(t, got); !strings.Contains(call, "d@example.com") {
		t.Errorf("connected again, the local server got %s", call)
	}
	shows(said, "✓ Connected again", 1)
	shows(out, "→ 418 I'm a teapot", 3)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted, it ends with %v: %s", err, said.String())
	}
	if n := strings.Count(out.String(), "→"); n != 4 {
		t.Errorf("it has shown %d lines:\n%s", n, out.String())
	}
}
