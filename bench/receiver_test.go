package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestReceiver(t *testing.T) {
	server := httptest.NewServer(newReceiver())
	defer server.Close()
	post := func(path, body string) int {
		t.Helper()
		resp, err := server.Client().Post(server.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		drain(resp.Body)
		return resp.StatusCode
	}
	stats := func() (a arrivals) {
		t.Helper()
		if err := call(t.Context(), server.Client(), http.MethodGet, server.URL+statsPath+"?latency=1", nil, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	now := time.Now().UnixMicro()
	arrive := func(path string, seq, ago int64) {
		t.Helper()
		body := fmt.Sprintf(`{"type":"email.opened","data":{"seq":%d,"sent_us":%d,"x":%q}}`, seq, now-ago, strings.Repeat("x", 2*maxRead))
		if status := post(path, body); status != http.StatusNoContent {
			t.Errorf("%s was answered with %d", path, status)
		}
	}
	if err := call(t.Context(), server.Client(), http.MethodPost, server.URL+wantPath, expectation{First: 100, Events: 3, Lanes: 2}, nil); err != nil {
		t.Fatal(err)
	}

	arrive("/in/0", 100, 5_000_000)
	arrive("/in/1", 100, 7_000_000)
	arrive("/in/1", 102, -9_000_000) // a clock that went back
	arrive("/in/0", 100, 0)          // again
	arrive("/in/0", 99, 0)           // of the measurement before
	arrive("/in/0", 103, 0)
	arrive("/in/2", 101, 0) // a lane that does not count
	post("/in/0", `{}`)
	post("/in/0", ``)
	post("/in/x", `{"seq":100,"sent_us":1}`)

	got := stats()
	if got.FirstUS < now || got.LastUS < got.FirstUS || got.LastUS > time.Now().UnixMicro() {
		t.Errorf("the last arrived at %d, and it is %d", got.LastUS, time.Now().UnixMicro())
	}
	l := got.Latency
	if l.P50 < 5000 || l.P50 >= 7000 || l.Max < 7000 || l.P99 != l.Max {
		t.Errorf("latencies are %+v", l)
	}
	got.FirstUS, got.LastUS, got.Latency = 0, 0, Percentiles{}
	if want := (arrivals{Expected: 6, Arrived: 3, Duplicates: 1, Stray: 3, Unreadable: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	if err := call(t.Context(), server.Client(), http.MethodPost, server.URL+wantPath, expectation{First: 103, Events: 1, Lanes: 1}, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := stats(), (arrivals{Expected: 1}); got != want {
		t.Errorf("a new measurement begins with %+v, want %+v", got, want)
	}
	for _, body := range []string{`no JSON`, `{"events":-1}`, `{"events":1,"lanes":100000}`} {
		if status := post(wantPath, body); status != http.StatusBadRequest {
			t.Errorf("expecting %s was answered with %d", body, status)
		}
	}
}

func TestReceiverMisbehaves(t *testing.T) {
	server := httptest.NewServer(newReceiver())
	defer server.Close()
	for path, want := range map[string]int{failPath: 500, slowPath + "?ms=1": 204, "/elsewhere": 404} {
		resp, err := server.Client().Post(server.URL+path, "", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s was answered with %d, want %d", path, resp.StatusCode, want)
		}
	}

	// A receiver that hangs lets its caller go: its handler has to end, or Close above would wait for it. The request's
	// body is read first, so the caller ends once that has happened.
	ctx, cancel := context.WithCancel(t.Context())
	body, sent := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+hangPath, body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = sent.Write([]byte("{}")) // returns when it is on its way
		_ = sent.Close()
		cancel()
	}()
	if resp, err := server.Client().Do(req); err == nil {
		_ = resp.Body.Close()
		t.Errorf("a receiver that hangs answered %s", resp.Status)
	}
}
