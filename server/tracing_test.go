package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/config"
	"github.com/postroom/postroom/internal/testenv"
)

// span is one that the collector got, as OTLP writes it in JSON.
type span struct {
	TraceID      string `json:"traceId"`
	SpanID       string `json:"spanId"`
	ParentSpanID string `json:"parentSpanId"`
	Name         string `json:"name"`
	Attributes   []struct {
		Key   string `json:"key"`
		Value struct {
			StringValue string `json:"stringValue"`
			IntValue    any    `json:"intValue"`
		} `json:"value"`
	} `json:"attributes"`
	Status struct {
		Code int `json:"code"`
	} `json:"status"`
}

func (s span) attribute(key string) string {
	for _, a := range s.Attributes {
		if a.Key == key && a.Value.IntValue != nil {
			return fmt.Sprint(a.Value.IntValue)
		}
		if a.Key == key {
			return a.Value.StringValue
		}
	}
	return ""
}

// collector is an OTLP collector that keeps what it gets.
type collector struct {
	mu     sync.Mutex
	spans  []span
	header http.Header
	path   string
	all    string
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var got struct {
		ResourceSpans []struct {
			ScopeSpans []struct {
				Spans []span `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	if err = errors.Join(err, json.Unmarshal(body, &got)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.header, c.path, c.all = r.Header, r.URL.Path, c.all+string(body)
	for _, resource := range got.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans { // OTLP does not say how hexadecimal digits are written
				s.TraceID, s.SpanID, s.ParentSpanID = strings.ToLower(s.TraceID), strings.ToLower(s.SpanID), strings.ToLower(s.ParentSpanID)
				c.spans = append(c.spans, s)
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}

func (c *collector) named(name string) (found []span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// receiver answers 500 to the first call and 200 to the others, and keeps their headers.
type receiver struct {
	mu    sync.Mutex
	calls []http.Header
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls = append(r.calls, req.Header); len(r.calls) == 1 {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

func (r *receiver) headers() []http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]http.Header(nil), r.calls...)
}

// running starts a server, and gives a function that stops it and waits.
func running(t *testing.T, flags map[string][]string) (url string, stop func()) {
	t.Helper()
	flags["database"] = []string{"sqlite:" + t.TempDir() + "/postroom.db"}
	flags["listen"], flags["dev"], flags["shutdown-timeout"] = []string{"127.0.0.1:0"}, []string{"true"}, []string{"4s"}
	cfg, err := config.Load(config.Given{Flags: flags, Environ: []string{"POSTROOM_ADMIN_KEY=" + tracingKey}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, cfg, Options{Version: "1.2.3", Started: func(addr net.Addr) { started <- addr }})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	select {
	case addr := <-started:
		return "http://" + addr.String(), stop
	case err := <-ended:
		ended <- err
		t.Fatal(err)
		return "", stop
	}
}

const tracingKey = "prk_tests-of-tracing-0000000001"

// deliver makes a webhook, publishes an event in the trace of a caller, and waits for two calls.
func deliver(t *testing.T, url, traceparent string, to *receiver) {
	t.Helper()
	server := httptest.NewServer(to)
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{URL: url, Key: tracingKey})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateWebhook(t.Context(), client.WebhookInput{Name: "hook", URL: server.URL, Events: []string{"*"}, Headers: map[string]string{"x-a": "b"},
		Retry: &client.RetryInput{Schedule: []postroom.Duration{postroom.Duration(100 * time.Millisecond)}}}); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/events", strings.NewReader(`{"type":"email.opened","id":"e-1","data":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tracingKey)
	req.Header.Set("Content-Type", "application/json")
	if traceparent != "" {
		req.Header.Set("Traceparent", traceparent)
	}
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d, %v", res.StatusCode, err)
	}
	testenv.Eventually(t, 20*time.Second, func() error {
		if n := len(to.headers()); n != 2 {
			return fmt.Errorf("%d calls", n)
		}
		return nil
	})
}

// TestTraces follows an event from its publisher's span over the commit to its attempts, of which the second comes back from the
// database, and to the receiver.
func TestTraces(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=s3cret")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	c, to := &collector{}, &receiver{}
	server := httptest.NewServer(c)
	defer server.Close()
	url, stop := running(t, map[string][]string{"otlp-endpoint": {server.URL}})
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	deliver(t, url, "00-"+trace+"-"+parent+"-01", to)
	stop() // hands over what is left

	publish, commits, attempts := c.named("publish"), c.named("commit"), c.named("attempt")
	if len(publish) != 1 || len(commits) != 1 || len(attempts) != 2 {
		t.Fatalf("there are %d, %d and %d spans", len(publish), len(commits), len(attempts))
	}
	if p := publish[0]; p.TraceID != trace || p.ParentSpanID != parent || p.attribute("postroom.events") != "1" {
		t.Errorf("the span of the publisher's call is %+v", p)
	}
	for _, s := range append(commits, attempts...) {
		if s.TraceID != trace || s.ParentSpanID != publish[0].SpanID {
			t.Errorf("%s is in trace %s below %s, want %s below %s", s.Name, s.TraceID, s.ParentSpanID, trace, publish[0].SpanID)
		}
	}
	for i, want := range []struct{ status, outcome, kind string }{{"500", "retried", "status"}, {"200", "succeeded", ""}} {
		s := attempts[i]
		if s.attribute("http.response.status_code") != want.status || s.attribute("postroom.outcome") != want.outcome || s.attribute("error.type") != want.kind ||
			s.attribute("postroom.event.id") != "e-1" || s.attribute("postroom.attempt") != fmt.Sprint(i+1) || (s.Status.Code == 2) != (want.kind != "") {
			t.Errorf("attempt %d is %+v", i+1, s)
		}
		if got, want := to.headers()[i].Get("Traceparent"), "00-"+trace+"-"+s.SpanID+"-01"; got != want {
			t.Errorf("the receiver's traceparent is %q, want %q", got, want)
		}
	}
	if c.path != "/v1/traces" || c.header.Get("X-Token") != "s3cret" || !strings.Contains(c.all, "deployment.environment") || !strings.Contains(c.all, `"postroom"`) {
		t.Errorf("the collector was called at %s with %v", c.path, c.header)
	}
}

// TestNoTraces has receivers see nothing of tracing unless it is on.
func TestNoTraces(t *testing.T) {
	to := &receiver{}
	url, _ := running(t, map[string][]string{})
	deliver(t, url, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", to)
	for _, h := range to.headers() {
		if h.Get("Traceparent") != "" || h.Get("Tracestate") != "" {
			t.Errorf("the receiver got %v", h)
		}
	}
}

// TestTracesWithoutCollector delivers, and stops within its bound, although no collector answers.
func TestTracesWithoutCollector(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1000") // so that the test ends soon after the server
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that the client has gone
		<-r.Context().Done()
	}))
	defer hanging.Close()
	to := &receiver{}
	url, stop := running(t, map[string][]string{"otlp-endpoint": {hanging.URL}})
	deliver(t, url, "", to)
	began := time.Now()
	stop()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if to.headers()[0].Get("Traceparent") == "" {
		t.Error("the receiver got no traceparent")
	}
}
