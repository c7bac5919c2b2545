package egress

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// BenchmarkDo posts 1 KiB to a server that answers 202, 32 at a time for each processor. The server's half of the work is in
// the figure; BenchmarkTransport is the same without Do, so that the difference is what Do costs.
func BenchmarkDo(b *testing.B) {
	c := newClient(b, loopback())
	benchmark(b, func(ctx context.Context, req *http.Request) error {
		_, err := c.Do(ctx, req, Limits{})
		return err
	})
}

func BenchmarkTransport(b *testing.B) {
	c := newClient(b, loopback())
	benchmark(b, func(ctx context.Context, req *http.Request) error {
		res, err := c.transport.RoundTrip(req.WithContext(ctx))
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return err
	})
}

func benchmark(b *testing.B, call func(context.Context, *http.Request) error) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"ok":true}`)
	}))
	defer srv.Close()
	body := bytes.Repeat([]byte("x"), 1<<10)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			req, err := http.NewRequest(http.MethodPost, srv.URL, bytes.NewReader(body))
			if err == nil {
				err = call(ctx, req)
			}
			cancel()
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}
