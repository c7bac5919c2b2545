package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

// fakeFault names the environment variable that tells the fake what to do wrong:
//
//	lose    does not deliver every tenth event
//	repeat  delivers every tenth event twice
//	refuse  refuses every tenth event
//	die     ends at the hundredth event
//	sick    ends before it listens
const fakeFault = "BENCH_TEST_FAULT"

// fake stands for `postroom serve`, so that the benchmark itself is tested, and with failures that Postroom does not
// offer. It has the part of the API that the benchmark uses, and stores nothing.
type fake struct {
	key, fault string
	sender     *http.Transport

	mu     sync.Mutex
	hooks  map[string]fakeHook
	events int
	source postroom.SourceID // the last that was made
	calls  int               // to it
}

type fakeHook struct {
	url, eventType string
	queue          chan []byte
}

func serveFake(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", "", "")
	dev := flags.Bool("dev", false, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	f := &fake{key: os.Getenv("POSTROOM_ADMIN_KEY"), fault: os.Getenv(fakeFault), sender: newTransport(forwarderWorkers), hooks: make(map[string]fakeHook)}
	database := os.Getenv("POSTROOM_DATABASE")
	path, isFile := strings.CutPrefix(database, "sqlite:")
	switch {
	case f.fault == "sick":
		return errors.New("the fake is sick")
	case !*dev:
		return errors.New("receivers on loopback need --dev")
	case !isFile:
		return fmt.Errorf("the fake has no database like %s", database)
	}
	// A real one would make its files too.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v1/webhooks", f.withKey(f.list))
	mux.HandleFunc("POST /v1/webhooks", f.withKey(f.create))
	mux.HandleFunc("DELETE /v1/webhooks/{id}", f.withKey(f.remove))
	mux.HandleFunc("POST /v1/sources", f.withKey(f.addSource))
	mux.HandleFunc("GET /v1/sources/{id}", f.withKey(f.showSource))
	mux.HandleFunc("POST /in/{id}", f.takeCall)
	mux.HandleFunc("POST /v1/events", f.withKey(f.publish))
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (f *fake) withKey(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+f.key || len(f.key) != 44 {
			http.Error(w, "no such key", http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

func (f *fake) list(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	page := postroom.Page[map[string]string]{Data: []map[string]string{}}
	for _, h := range f.hooks {
		page.Data = append(page.Data, map[string]string{"url": h.url})
	}
	_ = json.NewEncoder(w).Encode(page)
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	var in client.WebhookInput
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Events) != 1 || in.Concurrency != forwarderWorkers {
		http.Error(w, fmt.Sprintf("unexpected %+v (%v)", in, err), http.StatusUnprocessableEntity)
		return
	}
	id := postroom.NewID[postroom.WebhookKind](time.Now())
	h := fakeHook{url: in.URL, eventType: in.Events[0], queue: make(chan []byte, 10_000)}
	for range 8 {
		go f.deliver(h)
	}
	f.mu.Lock()
	f.hooks[id.String()] = h
	f.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": id.String(), "url": in.URL})
}

func (f *fake) remove(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.hooks, r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) deliver(h fakeHook) {
	for body := range h.queue {
		resp, err := f.post(h.url, body)
		if err == nil {
			drain(resp.Body)
			_ = resp.Body.Close()
		}
	}
}

func (f *fake) post(url string, body []byte) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return f.sender.RoundTrip(req)
}

func (f *fake) publish(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.Header.Get("Content-Type") != "application/x-ndjson" {
		if !f.take(body) {
			http.Error(w, "the fake refuses", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		return
	}
	var results []string
	for line := range bytes.Lines(body) {
		if f.take(bytes.TrimSpace(line)) {
			results = append(results, `{"id":"evt_1"}`)
		} else {
			results = append(results, `{"error":{"detail":"the fake refuses"}}`)
		}
	}
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(results, ","))
}

// take puts an event, in its envelope, into the queues of the webhooks for its type. It is false when it refuses.
func (f *fake) take(body []byte) bool {
	var e struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if len(body) != eventBytes || json.Unmarshal(body, &e) != nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events++
	times := 1
	switch tenth := f.events%10 == 0; {
	case f.fault == "die" && f.events == 100:
		exit(errors.New("the fake dies"))
	// The warm-up is spared, which has to succeed.
	case !tenth || f.events <= 20:
	case f.fault == "lose":
		times = 0
	case f.fault == "repeat":
		times = 2
	case f.fault == "refuse":
		return false
	}
	sent := fmt.Appendf(nil, `{"type":%q,"timestamp":"2026-03-15T10:30:00.000Z","data":%s}`, e.Type, e.Data)
	for _, h := range f.hooks {
		for range times {
			if h.eventType == e.Type {
				h.queue <- sent
			}
		}
	}
	return true
}
