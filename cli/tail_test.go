package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// tail follows a stream of events until it has shown the last one, and is then interrupted. drop cuts the first
// connection after the first event.
func tail(t *testing.T, drop bool, terminal Terminal, args ...string) (r ran) {
	t.Helper()
	second := strings.NewReplacer("order-17", "last-one").Replace(eventJSON)
	connections := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/v1/events/tail" {
			_, _ = io.WriteString(w, page())
			return
		}
		r.asked = append(r.asked, req.Method+" "+req.URL.RequestURI())
		connections++
		w.Header().Set("Content-Type", "text/event-stream")
		if connections == 1 {
			_, _ = fmt.Fprintf(w, ": events from now on\n\ndata: %s}\n\n", eventJSON)
		}
		if !drop || connections == 2 {
			_, _ = fmt.Fprintf(w, "data: %s}\n\n", second)
			_ = http.NewResponseController(w).Flush()
			<-req.Context().Done()
		}
	}))
	defer server.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stdout, stderr bytes.Buffer
	r.exit = Run(ctx, append([]string{"events", "tail"}, args...), Config{
		Stdin: strings.NewReader(""), Stderr: &stderr, Terminal: terminal, Zone: time.UTC,
		Now: func() time.Time { return time.Date(2026, 1, 31, 10, 30, 0, 0, time.UTC) },
		Stdout: writerFunc(func(b []byte) {
			stdout.Write(b)
			if bytes.Contains(b, []byte("last-one")) {
				interrupt()
			}
		}),
		Environ: []string{"POSTROOM_API_KEY=prk_test", "POSTROOM_URL=" + server.URL, "NO_COLOR=1"},
	})
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

func TestTail(t *testing.T) {
	all := ""
	for _, args := range [][]string{{"-o", "table", "--type", "order.*,email.*"}, {"-o", "json"}, {"-o", "yaml"}} {
		all += transcript(append([]string{"events", "tail"}, args...), tail(t, false, Terminal{}, args...)) + "\n"
	}
	all += transcript([]string{"events", "tail"}, tail(t, false, atTerminal)) + "\n"
	golden(t, "events-tail.txt", all)
}

func TestTailGoesOnAfterALoss(t *testing.T) {
	r := tail(t, true, Terminal{}, "-o", "table")
	if r.exit != exitOK || len(r.asked) != 2 || strings.Count(r.stdout, "\n") != 2 {
		t.Errorf("exit %d, calls %v, %s", r.exit, r.asked, r.stdout)
	}
	if want := "postroom: the connection was lost, and is made anew: the server ended the connection\n"; r.stderr != want {
		t.Errorf("it said %q", r.stderr)
	}
}
