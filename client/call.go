package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/postroom/postroom"
)

// request is one call to make.
type request struct {
	method string
	path   string // under the server's URL; parts are escaped already
	query  url.Values
	body   []byte
	file   io.Reader // the body, in place of body, as it comes; it is sent once
	kind   string    // the body's content type
	accept string    // JSON if empty
	header http.Header
	stream bool // the answer is handed on as it comes, and not read here
	// unkeyed leaves the Idempotency-Key out of a POST that may be made twice, since the answer to a call with one does not come before its end.
	unkeyed bool
}

// path makes a path of parts, each escaped.
func path(parts ...string) string {
	p := ""
	for _, part := range parts {
		p += "/" + url.PathEscape(part)
	}
	return p
}

// get asks for a resource and decodes it into out.
func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	_, err := c.decode(ctx, request{method: http.MethodGet, path: path, query: query}, out)
	return err
}

// post sends in as JSON, unless it is nil, and decodes the answer into out, unless that is nil.
func (c *Client) post(ctx context.Context, path string, in, out any) error {
	r := request{method: http.MethodPost, path: path}
	if err := r.setJSON(in); err != nil {
		return err
	}
	_, err := c.decode(ctx, r, out)
	return err
}

// patch sends a JSON merge patch and decodes the answer into out.
func (c *Client) patch(ctx context.Context, path string, patch, out any) error {
	r := request{method: http.MethodPatch, path: path}
	if err := r.setJSON(patch); err != nil {
		return err
	}
	r.kind = mergePatch
	_, err := c.decode(ctx, r, out)
	return err
}

const mergePatch = "application/merge-patch+json"

// delete removes a resource. When the first try got no answer and a later one finds nothing, the first one did it.
func (c *Client) delete(ctx context.Context, path string) error {
	tries := 0
	resp, err := c.do(ctx, request{method: http.MethodDelete, path: path}, &tries)
	if err != nil {
		if tries > 1 && IsNotFound(err) {
			return nil
		}
		return err
	}
	return resp.Body.Close()
}

func (r *request) setJSON(in any) error {
	if in == nil {
		return nil
	}
	body, err := encode(in)
	r.body, r.kind = body, "application/json"
	return err
}

// encode writes JSON without the escapes that only HTML needs.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("the input cannot be written as JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// decode makes a call and decodes the JSON of its answer into out, unless that is nil.
func (c *Client) decode(ctx context.Context, r request, out any) (http.Header, error) {
	resp, err := c.do(ctx, r, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil {
		return resp.Header, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return nil, fmt.Errorf("the server's answer to %s %s cannot be read: %w", r.method, r.path, err)
	}
	return resp.Header, nil
}

// do makes a call, again where that helps, and gives the answer if it is a success. tries, unless nil, counts the tries.
func (c *Client) do(ctx context.Context, r request, tries *int) (*http.Response, error) {
	if r.file != nil {
		return c.send(ctx, r)
	}
	if r.method == http.MethodPost && !r.unkeyed {
		if r.header == nil {
			r.header = http.Header{}
		}
		if r.header.Get("Idempotency-Key") == "" {
			r.header.Set("Idempotency-Key", newIdempotencyKey())
		}
	}
	for try := 1; ; try++ {
		if tries != nil {
			*tries = try
		}
		resp, err := c.send(ctx, r)
		if err == nil {
			return resp, nil
		}
		wait, again := c.again(err, try)
		if !again || ctx.Err() != nil {
			return nil, err
		}
		if stopped := sleep(ctx, wait); stopped != nil {
			return nil, fmt.Errorf("%w, after: %v", stopped, err)
		}
	}
}

// newIdempotencyKey makes a key that no other call has.
func newIdempotencyKey() string { return rand.Text() }

// send makes one try. The answer is a success, and unless it is a stream it was read whole.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	if r.file != nil {
		body = r.file
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", "application/json")
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if r.kind != "" {
		req.Header.Set("Content-Type", r.kind)
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, errorOf(resp)
	}
	if r.stream {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	whole, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: the answer broke off: %w", r.method, target, err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(whole))
	return resp, nil
}

const (
	firstWait    = 200 * time.Millisecond
	maxDoublings = 6           // of the wait from try to try: 12.8 s
	longestTry   = time.Minute // a Retry-After beyond it is left to the caller
)

// again tells whether a try that failed with err is worth another one, and after how long. It is when the server was not
// reached, could not answer, or was still at the same call.
func (c *Client) again(err error, try int) (time.Duration, bool) {
	if try > c.retries {
		return 0, false
	}
	wait := firstWait << min(try-1, maxDoublings)
	wait = wait/2 + mathrand.N(wait) // half to one and a half times as long, so that clients do not come back together
	var refused *Error
	if errors.As(err, &refused) {
		switch {
		case refused.Code == postroom.CodeInFlight:
		case refused.Status == http.StatusTooManyRequests, refused.Status == http.StatusBadGateway,
			refused.Status == http.StatusServiceUnavailable, refused.Status == http.StatusGatewayTimeout:
		default:
			return 0, false
		}
		return max(wait, refused.RetryAfter), refused.RetryAfter <= longestTry
	}
	var certificate *tls.CertificateVerificationError
	return wait, !errors.As(err, &certificate)
}

// sleep waits, or ends with ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
