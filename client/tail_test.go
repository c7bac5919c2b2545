package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom/client"
)

// tailEvent is an event that was published at a second of the first minute of 2026.
func tailEvent(id, kind string, second int) string {
	return fmt.Sprintf(`{"id":%q,"type":%q,"time":"2026-01-01T00:00:00.000Z","published_at":"2026-01-01T00:00:%02d.000Z","data":{}}`, id, kind, second)
}

// streams answers calls for the tail with what stream makes of the number of the connection, and lists with list.
func streams(t *testing.T, stream func(n int, ctx context.Context) (*http.Response, error), list func(r *http.Request) string) *client.Client {
	t.Helper()
	n := 0
	return newClient(t, client.Config{URL: "http://example.com", Key: "k", Retries: -1, HTTPClient: &http.Client{
		Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != "/v1/events/tail" {
				return response(200, "application/json", list(r)), nil
			}
			n++
			return stream(n, r.Context())
		}),
	}})
}

// eventStream is an answer that sends text, and then ends, or hangs until the call does.
func eventStream(ctx context.Context, hang bool, text ...string) (*http.Response, error) {
	r := response(200, "text/event-stream", "")
	r.Header.Set("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
	in, out := io.Pipe()
	go func() {
		for _, part := range text {
			_, _ = io.WriteString(out, part)
		}
		if hang {
			<-ctx.Done()
		}
		_ = out.CloseWithError(context.Cause(ctx))
	}()
	r.Body = in
	return r, nil
}

func TestTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := streams(t, func(_ int, ctx context.Context) (*http.Response, error) {
			return eventStream(ctx, true, ": events from now on\n\n", "data: "+tailEvent("a", "order.paid", 1)+"\n", "\n",
				"event: x\r\nid: 5\r\ndata:{\"id\":\"b\",\r\ndata: \"type\":\"order.paid\"}\r\n\r\n", ": still here\n\n", "data: {\"id\":\"unfinished\"}\n")
		}, nil)
		var got []string
		for e, err := range c.Tail(ctx, client.TailInput{Types: []string{"order.*", "email.*"}}) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("it ended with %v", err)
				}
				continue
			}
			got = append(got, e.ID)
			if len(got) == 2 {
				cancel()
			}
		}
		if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestTailAsksForTypes(t *testing.T) {
	f := newFake(t, problem(422, "invalid", "No.", ""))
	for _, err := range f.client(t).Tail(t.Context(), client.TailInput{Types: []string{"order.*", "email.*"}}) {
		if codeOf(err) != "invalid" {
			t.Errorf("it ended with %v", err)
		}
	}
	asked := f.asked()
	if want := "GET /v1/events/tail?type=order.%2A%2Cemail.%2A"; len(asked) != 1 || asked[0].line != want || asked[0].header.Get("Accept") != "text/event-stream" {
		t.Errorf("asked for %+v", asked)
	}
}

// TestTailCatchesUp loses connections, and sees to it that nothing is missed or told twice, and that waits grow.
func TestTailCatchesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var lost []string
		lists := ""
		c := streams(t, func(n int, ctx context.Context) (*http.Response, error) {
			switch n {
			case 1:
				return eventStream(ctx, false, "data: "+tailEvent("a", "order.paid", 1)+"\n\n")
			case 2, 3:
				return refused()
			default:
				return eventStream(ctx, true, "data: "+tailEvent("c", "order.paid", 3)+"\n\n", "data: "+tailEvent("d", "order.paid", 4)+"\n\n")
			}
		}, func(r *http.Request) string {
			lists += r.URL.RawQuery + " "
			return `{"data":[` + strings.Join([]string{
				tailEvent("c", "order.paid", 3), tailEvent("x", "email.opened", 2), tailEvent("b", "order.paid", 2), tailEvent("a", "order.paid", 1),
			}, ",") + `]}`
		})
		var got []string
		in := client.TailInput{Types: []string{"order.*"}, Lost: func(err error) {
			lost = append(lost, fmt.Sprintf("%v %v", time.Since(began), strings.TrimPrefix(err.Error(), `Get "http://example.com/v1/events/tail?type=order.%2A": `)))
		}}
		for e, err := range c.Tail(t.Context(), in) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, e.ID); e.ID == "d" {
				break
			}
		}
		if diff := cmp.Diff([]string{"a", "b", "c", "d"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		want := []string{"0s the server ended the connection", "1s connection refused", "3s connection refused"}
		if diff := cmp.Diff(want, lost); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if want := "after=2026-01-01T00%3A00%3A01.000Z&limit=250 "; lists != want {
			t.Errorf("lists asked for: %s, want %s", lists, want)
		}
	})
}

func TestTailNoticesASilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := streams(t, func(n int, ctx context.Context) (*http.Response, error) {
			if n == 1 {
				return eventStream(ctx, true, ": events from now on\n\n")
			}
			return response(401, "application/problem+json", problem(401, "unauthenticated", "The key is gone.", "").body), nil
		}, func(*http.Request) string { return `{"data":[]}` })
		var lost []string
		var last error
		for _, err := range c.Tail(t.Context(), client.TailInput{Lost: func(err error) { lost = append(lost, fmt.Sprint(time.Since(began), " ", err)) }}) {
			last = err
		}
		if diff := cmp.Diff([]string{"45s nothing came for 45s"}, lost); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if codeOf(last) != "unauthenticated" {
			t.Errorf("it ended with %v", last)
		}
	})
}

func TestTailThatNeverWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := streams(t, func(int, context.Context) (*http.Response, error) { return refused() }, nil)
		ends := 0
		for _, err := range c.Tail(t.Context(), client.TailInput{}) {
			if ends++; err == nil || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("it ended with %v", err)
			}
		}
		if ends != 1 {
			t.Errorf("%d errors", ends)
		}
	})
}
