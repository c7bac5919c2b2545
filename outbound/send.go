package outbound

import (
	"bytes"
	"context"
	"errors"
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
//
// Where an access token is wanted, it comes first. A 401 to one that was kept may only mean that the token ended before its
// time: then the call is made once more, with a new token, and it is this call that the attempt is about.
func (e *Engine) send(ctx context.Context, t *Target, c *call, at time.Time) (*postroom.Attempt, Result) {
	a := &postroom.Attempt{At: at, Notes: c.notes}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(t.Timeout))
	defer cancel()
	if t.own == nil || t.own.tokens == nil {
		r := e.exchange(ctx, t, c, a, t.conceal)
		return a, r
	}
	token, fetched, err := t.own.tokens.get(ctx, nil)
	if err != nil {
		a.Request, a.Phases.Total = sentRequest(t, c), e.now().Sub(at)
		a.Duration = a.Phases.Total
		return a, noToken(t, err)
	}
	r := e.exchangeWith(ctx, t, c, a, token)
	if r.StatusCode != http.StatusUnauthorized || fetched {
		return a, r
	}
	renewed, _, err := t.own.tokens.get(ctx, token)
	if err != nil {
		failed := noToken(t, err)
		failed.StatusCode, failed.Sentence = r.StatusCode, "The receiver answered 401 Unauthorized: it does not accept the access token any more. "+failed.Sentence
		return a, failed
	}
	a.Notes = append(slices.Clip(a.Notes), postroom.FieldError{Pointer: "/auth", Detail: "The receiver answered 401 to the access token that was kept. This is the call that was then made with a new one."})
	return a, e.exchangeWith(ctx, t, c, a, renewed)
}

// noToken is how an attempt went that got no access token.
func noToken(t *Target, err error) Result {
	if errors.Is(err, context.Canceled) {
		kind, sentence := egress.Classify(err)
		return Result{Kind: kind, Sentence: sentence}
	}
	return Result{Kind: KindAuth, Sentence: tokenFailure(err, time.Duration(t.Timeout))}
}

// exchangeWith is exchange with an access token.
func (e *Engine) exchangeWith(ctx context.Context, t *Target, c *call, a *postroom.Attempt, token *accessToken) Result {
	c.header.set(headerAuthorization, token.header)
	a.At = e.now()
	return e.exchange(ctx, t, c, a, t.conceal.and(token.value))
}

// exchange makes one call, and writes into the attempt what was sent and what came back, without credentials.
func (e *Engine) exchange(ctx context.Context, t *Target, c *call, a *postroom.Attempt, conceal concealer) Result {
	a.Request = sentRequest(t, c)
	req, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader(c.body))
	if err != nil {
		return Result{Kind: egress.KindInternal, Sentence: "The call could not be made from the webhook's settings."}
	}
	req.Header = c.header.http()
	sender := e.sender
	if t.own != nil {
		sender = t.own.sender
	}
	e.metrics.inFlight.Add(1)
	defer e.metrics.inFlight.Add(-1)
	got, err := sender.Do(ctx, req, egress.Limits{MaxBody: postroom.MaxResponseBody, Allowed: time.Duration(t.Timeout)})
	a.Phases = postroom.Phases{DNS: got.Phases.DNS, Connect: got.Phases.Connect, TLS: got.Phases.TLS, FirstByte: got.Phases.FirstByte, Total: got.Phases.Total}
	a.StatusCode, a.Duration, a.Response = got.StatusCode, got.Phases.Total, nil
	if got.StatusCode != 0 {
		a.Response = &postroom.Response{StatusCode: got.StatusCode, Headers: sortedHeaders(got.Header, conceal), Body: conceal.bytes(got.Body), Truncated: got.Truncated}
	}
	r := Result{StatusCode: got.StatusCode, RetryAfter: got.Header.Get("Retry-After")}
	if err != nil {
		r.Kind, r.Sentence = egress.Classify(err)
		r.Sentence = conceal.text(strings.Map(legible, r.Sentence))
	} else if t.policy.ExpectJSON {
		r.JSON = !got.Truncated && payload.Valid(got.Body) == nil
	}
	if why := t.own.expired(r, a.At); why != "" {
		r.Kind, r.Sentence = KindAuth, strings.TrimSpace(why+" "+r.Sentence)
	}
	return r
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

func sortedHeaders(h http.Header, conceal concealer) []postroom.Header {
	lines := make([]postroom.Header, 0, len(h))
	for name, values := range h {
		for _, value := range values {
			lines = append(lines, postroom.Header{Name: name, Value: conceal.text(strings.Map(legible, value))})
		}
	}
	slices.SortFunc(lines, func(a, b postroom.Header) int { return strings.Compare(a.Name, b.Name) })
	return lines
}
