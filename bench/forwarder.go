package bench

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// forwarderWorkers post what the bare forwarder takes, and a webhook that is measured has the same concurrency.
const forwarderWorkers = 64

// forwarderQueue is how many bodies the forwarder holds. Past that publishers wait: they may not run ahead without limit.
const forwarderQueue = 1024

// forwarder is what Postroom is compared with. It answers 202 to every request, keeps nothing, and posts each body once.
// It has no errors to tell: what it does not deliver is missed at the receiver.
type forwarder struct {
	to      string
	queue   chan []byte
	client  *http.Transport
	workers sync.WaitGroup
}

// newForwarder starts the workers. They end when ctx does, and what is queued then is lost.
func newForwarder(ctx context.Context, to string, workers int) *forwarder {
	f := &forwarder{to: to, queue: make(chan []byte, forwarderQueue), client: newTransport(workers)}
	for range workers {
		f.workers.Go(func() { f.work(ctx) })
	}
	return f
}

// ServeHTTP takes one body.
func (f *forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ContentLength < 0 {
		http.Error(w, "POST a body of known length", http.StatusBadRequest)
		return
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		http.Error(w, "the body broke off", http.StatusBadRequest)
		return
	}
	select {
	case f.queue <- body:
		w.WriteHeader(http.StatusAccepted)
	case <-r.Context().Done():
	}
}

func (f *forwarder) work(ctx context.Context) {
	for {
		select {
		case body := <-f.queue:
			f.post(ctx, body)
		case <-ctx.Done():
			return
		}
	}
}

func (f *forwarder) post(ctx context.Context, body []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.to, bytes.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.client.RoundTrip(req)
	if err != nil {
		return
	}
	drain(resp.Body)
	_ = resp.Body.Close()
}

// newTransport keeps a connection for each of so many callers at a time. It knows no proxy: all addresses are loopback.
func newTransport(callers int) *http.Transport {
	return &http.Transport{
		MaxIdleConnsPerHost: callers,
		MaxConnsPerHost:     callers,
		DisableCompression:  true,
		// Far beyond what any answer takes, so that a server that hangs is noticed.
		ResponseHeaderTimeout: time.Minute,
	}
}
