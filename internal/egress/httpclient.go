package egress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Doer is what makes the calls of an HTTPClient: a [Client], or what wraps one.
type Doer interface {
	Do(ctx context.Context, req *http.Request, limits Limits) (*Result, error)
}

// HTTPClient returns a client for libraries that want an *http.Client, such as those of OAuth 2. Each of its calls is a Do
// with the given limits; an answer that is larger than limits.MaxBody is an error, as half a document is of no use to them.
// A timeout of 0 leaves the deadline to the context of each request.
func HTTPClient(d Doer, timeout time.Duration, limits Limits) *http.Client {
	return &http.Client{
		Transport:     roundTripper{d, timeout, limits},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type roundTripper struct {
	client  Doer
	timeout time.Duration
	limits  Limits
}

var errTooLarge = errors.New("egress: the answer is larger than allowed")

// RoundTrip works on a copy of req, because Do takes its request over and a RoundTripper must not change it.
func (rt roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if rt.timeout > 0 { // http.Client.Timeout would hide where the time went
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, rt.timeout)
		defer cancel()
	}
	res, err := rt.client.Do(ctx, req.Clone(ctx), rt.limits)
	if err == nil && res.Truncated {
		err = errTooLarge
	}
	if err != nil {
		return nil, err
	}
	major, minor, _ := http.ParseHTTPVersion(res.Proto)
	return &http.Response{
		Status:        strconv.Itoa(res.StatusCode) + " " + http.StatusText(res.StatusCode),
		StatusCode:    res.StatusCode,
		Proto:         res.Proto,
		ProtoMajor:    major,
		ProtoMinor:    minor,
		Header:        res.Header,
		Body:          io.NopCloser(bytes.NewReader(res.Body)),
		ContentLength: int64(len(res.Body)),
		Request:       req,
	}, nil
}
