package e2e

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
)

// tail follows events: the data of each message goes to got, which is closed when the stream ends. It returns when the
// stream has begun; stop ends it.
func (x *tenant) tail(query string, got chan<- string) (stop func()) {
	x.t.Helper()
	return openTail(x.t, x.s, x.key, query, got)
}

func openTail(t testing.TB, s *server, key, query string, got chan<- string) (stop func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address()+"/v1/events/tail"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the tail answers %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, ":") {
		t.Fatalf("the tail begins with %q (%v)", line, err)
	}
	go func() {
		defer close(got)
		defer func() { _ = resp.Body.Close() }()
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				got <- strings.TrimSuffix(data, "\n")
			}
		}
	}()
	return stop
}
