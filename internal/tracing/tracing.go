package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/postroom/postroom"
)

// Config says where spans go.
type Config struct {
	Endpoint *url.URL // of an OTLP/HTTP collector; /v1/traces is added when it has no path
	Version  string   // of Postroom
	Log      *slog.Logger
}

// Tracer makes spans. A nil one makes none.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	events   memory
}

// New makes a tracer. What the standard variables of OpenTelemetry say about the exporter (OTEL_EXPORTER_OTLP_HEADERS and its like), the
// sampler, the batches and the resource counts; the endpoint is the one of the config.
func New(ctx context.Context, c Config) (*Tracer, error) {
	endpoint := *c.Endpoint
	if strings.Trim(endpoint.Path, "/") == "" {
		endpoint.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint.String()),
		otlptracehttp.WithProxy(func(*http.Request) (*url.URL, error) { return nil, nil }))
	if err != nil {
		return nil, fmt.Errorf("the exporter of traces: %w", err)
	}
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", "postroom"), attribute.String("service.version", c.Version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("the resource of traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { c.Log.Warn("traces could not be handed to the collector", "error", err) }))
	return newTracer(sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(described))), nil
}

func newTracer(provider *sdk.TracerProvider) *Tracer {
	return &Tracer{provider: provider, tracer: provider.Tracer("github.com/postroom/postroom")}
}

// Shutdown hands over what is left, until ctx ends.
func (t *Tracer) Shutdown(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Handler lets calls continue the trace that their traceparent header (W3C Trace Context) names.
func (t *Tracer) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Traceparent") != "" {
			r = r.WithContext(propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
		}
		next.ServeHTTP(w, r)
	})
}

// Span is one that has begun; the zero Span does nothing.
type Span struct{ span trace.Span }

// End ends a span that has no more to say than whether it went well.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}

// Receive begins the span of a call to a source. The spans of what follows belong to it.
func (t *Tracer) Receive(ctx context.Context, workspace postroom.WorkspaceID, source postroom.SourceID) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, "receive", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("postroom.workspace.id", workspace.String()), attribute.String("postroom.source.id", source.String())))
	return ctx, Span{span}
}

// Publish begins the span of a call that publishes events. The spans of what follows belong to it.
func (t *Tracer) Publish(ctx context.Context, workspace postroom.WorkspaceID, events int) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, "publish", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("postroom.workspace.id", workspace.String()), attribute.Int("postroom.events", events)))
	return ctx, Span{span}
}

// Begun notes that an event belongs to the span of ctx, for its attempts.
func (t *Tracer) Begun(ctx context.Context, event postroom.EventID) {
	if t == nil {
		return
	}
	t.events.put(event, trace.SpanContextFromContext(ctx))
}

// Commit begins the span of a wait for the disk.
func (t *Tracer) Commit(ctx context.Context) Span {
	if t == nil {
		return Span{}
	}
	_, span := t.tracer.Start(ctx, "commit")
	return Span{span}
}

// Attempt begins the span of an attempt, in the trace of its event if that is known.
func (t *Tracer) Attempt(ctx context.Context, job *postroom.Job, method string, at time.Time) Span {
	if t == nil {
		return Span{}
	}
	ctx = trace.ContextWithSpanContext(ctx, t.events.get(job.Event.ID))
	_, span := t.tracer.Start(ctx, "attempt", trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("postroom.event.id", job.Event.PublicID()), attribute.String("postroom.event.type", job.Event.Type),
		attribute.String("postroom.delivery.id", job.DeliveryID.String()), attribute.String("postroom.webhook.id", job.WebhookID.String()),
		attribute.String("postroom.workspace.id", job.Event.WorkspaceID.String()), attribute.Int("postroom.attempt", job.Attempts+1),
		attribute.String("http.request.method", method)))
	return Span{span}
}

// Headers are what tells the receiver which span its call belongs to; nil for none.
func (s Span) Headers() []postroom.Header {
	if s.span == nil {
		return nil
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), s.span), carrier)
	headers := make([]postroom.Header, 0, 2)
	for _, name := range []string{"traceparent", "tracestate"} {
		if value := carrier[name]; value != "" {
			headers = append(headers, postroom.Header{Name: http.CanonicalHeaderKey(name), Value: value})
		}
	}
	return headers
}

// Attempted ends the span of an attempt; f is nil when it was cut off.
func (s Span) Attempted(f *postroom.Finish) {
	if s.span == nil {
		return
	}
	defer s.span.End()
	if f == nil {
		s.span.SetStatus(codes.Error, "cut off by the shutdown")
		return
	}
	s.span.SetAttributes(attribute.String("postroom.outcome", outcome(f.Outcome.State)))
	if f.Attempt == nil {
		return
	}
	if f.Attempt.StatusCode != 0 {
		s.span.SetAttributes(attribute.Int("http.response.status_code", f.Attempt.StatusCode))
	}
	if failure := f.Attempt.Error; failure != nil {
		s.span.SetAttributes(attribute.String("error.type", failure.Kind))
		s.span.SetStatus(codes.Error, failure.Message)
	}
}

func outcome(state postroom.DeliveryState) string {
	switch state {
	case postroom.StateSucceeded:
		return "succeeded"
	case postroom.StateFailed:
		return "failed"
	case postroom.StateCancelled:
		return "cancelled"
	default:
		return "retried"
	}
}

// remembered is of how many events, the newest, the trace is known.
const remembered = 1 << 14

// memory knows the spans that events were published in.
type memory struct {
	mu    sync.Mutex
	spans map[postroom.EventID]trace.SpanContext
	order []postroom.EventID // a ring, once it is full
	next  int
}

func (m *memory) put(id postroom.EventID, span trace.SpanContext) {
	if !span.IsValid() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.spans == nil {
		m.spans = make(map[postroom.EventID]trace.SpanContext)
	}
	if _, known := m.spans[id]; !known {
		if len(m.order) < remembered {
			m.order = append(m.order, id)
		} else {
			delete(m.spans, m.order[m.next])
			m.order[m.next] = id
			m.next = (m.next + 1) % remembered
		}
	}
	m.spans[id] = span
}

func (m *memory) get(id postroom.EventID) trace.SpanContext {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spans[id]
}
