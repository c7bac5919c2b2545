package outbound

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/egress"
	"github.com/postroom/postroom/payload"
)

// send makes the call and waits for its answer, both within the webhook's timeout. The attempt it returns is complete but
// for its error, which Decide words.
func (e *Engine) send(ctx context.Context, t *Target, c *call, at time.Time) (*postroom.Attempt, Result) {
	a := &postroom.Attempt{At: at, Request: sentRequest(t, c), Notes: c.notes}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(t.Timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader(c.body))
	if err != nil {
		return a, Result{Kind: egress.KindInternal, Sentence: "The call could not be made from the webhook's settings."}
	}
	req.Header = c.header.http()
	e.metrics.inFlight.Add(1)
	defer e.metrics.inFlight.Add(-1)
	got, err := e.sender.Do(ctx, req, egress.Limits{MaxBody: postroom.MaxResponseBody})
	a.Phases = postroom.Phases{DNS: got.Phases.DNS, Connect: got.Phases.Connect, TLS: got.Phases.TLS, FirstByte: got.Phases.FirstByte, Total: got.Phases.Total}
	a.StatusCode, a.Duration = got.StatusCode, got.Phases.Total
	if got.StatusCode != 0 {
		a.Response = &postroom.Response{StatusCode: got.StatusCode, Headers: sortedHeaders(got.Header), Body: got.Body, Truncated: got.Truncated}
	}
	r := Result{StatusCode: got.StatusCode, RetryAfter: got.Header.Get("Retry-After")}
	if err != nil {
		r.Kind, r.Sentence = egress.Classify(err)
		r.Sentence = strings.Map(legible, r.Sentence)
	} else if t.policy.ExpectJSON {
		r.JSON = !got.Truncated && payload.Valid(got.Body) == nil
	}
	return a, r
}

// hidden stands for a credential in the log.
const hidden = "***"

// sentRequest is the call as the log shows it. The standard body is left out: it can be made again from the event.
func sentRequest(t *Target, c *call) postroom.SentRequest {
	r := postroom.SentRequest{Method: c.method, URL: c.shown, Headers: c.header}
	if !c.standard {
		r.Body = c.body
	}
	if len(t.secret) == 0 {
		return r
	}
	r.Headers = append([]postroom.Header(nil), c.header...)
	for i := range r.Headers {
		if t.secret[r.Headers[i].Name] {
			r.Headers[i].Value = hidden
		}
	}
	return r
}

// legible replaces what the other side may have put into a text that is stored and shown, and that not every database
// can store. strings.Map does the same to bytes that are not UTF-8.
func legible(r rune) rune {
	if unicode.IsControl(r) && r != '\t' {
		return unicode.ReplacementChar
	}
	return r
}

func sortedHeaders(h http.Header) []postroom.Header {
	lines := make([]postroom.Header, 0, len(h))
	for name, values := range h {
		for _, value := range values {
			lines = append(lines, postroom.Header{Name: name, Value: strings.Map(legible, value)})
		}
	}
	slices.SortFunc(lines, func(a, b postroom.Header) int { return strings.Compare(a.Name, b.Name) })
	return lines
}
