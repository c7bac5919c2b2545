package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// acceptAll is an App that takes every event and does nothing with it.
type acceptAll struct {
	App
	caller  app.Caller
	results []app.PublishResult
}

func (a *acceptAll) Authenticate(context.Context, string) (app.Caller, error) { return a.caller, nil }

func (a *acceptAll) Publish(_ context.Context, _ app.Caller, events []app.NewEvent, _ string) ([]app.PublishResult, error) {
	return a.results[:len(events)], nil
}

// discard is a response writer that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) WriteHeader(int)             {}
func (d discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkPublish measures the handler's own time: without net/http's, and without the application's.
func BenchmarkPublish(b *testing.B) {
	one := `{"type":"email.opened","id":"order-48213-opened","data":{"contact":{"email":"renee@example.com","first_name":"Renée"},"text":"` + strings.Repeat("0123456789", 90) + `"}}`
	result := app.PublishResult{Event: postroom.Published{
		ID: "order-48213-opened", Type: "email.opened", Time: postroom.Timestamp{Time: testTime}, Webhooks: []postroom.WebhookID{fixedID[postroom.WebhookID]()},
	}}
	for _, c := range []struct{ name, media, body string }{
		{"one", mediaJSON, one},
		{"lines", mediaLines, strings.Repeat(one+"\n", chunkEvents)},
	} {
		b.Run(c.name, func(b *testing.B) {
			fake := &acceptAll{caller: app.Caller{Role: postroom.RolePublisher}, results: make([]app.PublishResult, chunkEvents)}
			for i := range fake.results {
				fake.results[i] = result
			}
			handler := New(Config{App: fake})
			r := request("POST", "/v1/events", c.body, "Content-Type", c.media)
			body := strings.NewReader(c.body)
			r.Body = io.NopCloser(body)
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(c.body)
				delete(r.Header, "X-Request-Id")
				handler.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}
