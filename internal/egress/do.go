package egress

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"time"
)

// Limits bound what is read of an answer's body, in bytes, and name the bound of the time.
type Limits struct {
	// MaxBody is how much is kept; 0 or less means DefaultMaxBody.
	MaxBody int
	// MaxDrain is how much more is read and thrown away, so that the connection can be used again; 0 means
	// DefaultMaxDrain, less than 0 means none. A connection with more to come is closed.
	MaxDrain int
	// Allowed is the time that the caller was given for all of which this call is a part, as the sentence about a time-out
	// names it; 0 means from the call's start to its deadline. It bounds nothing: the deadline of the context does.
	Allowed time.Duration
}

const (
	// DefaultMaxBody is what the log of deliveries shows of an answer.
	DefaultMaxBody = 16 << 10
	// DefaultMaxDrain is about what costs less to read than a new TLS connection.
	DefaultMaxDrain = 64 << 10
)

// Result is what is known of a call.
type Result struct {
	// StatusCode is 0 if no answer's header was read.
	StatusCode int
	// Header is the answer's.
	Header http.Header
	// Body is the beginning of the answer's body as it was sent, compressed or not. The caller owns it.
	Body []byte
	// BodyBytes counts what was read of the body, of which Body is the beginning.
	BodyBytes int
	// Truncated tells that the body went on after Body.
	Truncated bool
	// Proto is the answer's protocol, such as "HTTP/1.1" or "HTTP/2.0".
	Proto string
	// Phases tells where the time went.
	Phases Phases
	// Reused tells that the connection was used before.
	Reused bool
	// RemoteAddr is the other end of the connection: the receiver, or the proxy. It is zero if there was no connection.
	RemoteAddr netip.AddrPort
}

// Do sends req and reads its answer, all within the deadline of ctx. An answer with any status is a success, redirects
// included. The Result is never nil; with an error, which is always an *[Error], it holds what was known by then.
//
// Do takes req over, and adds a User-Agent where there is none. When a connection that had served other calls turns out to
// be closed, req is sent once more on a new one, provided that req.GetBody is set, as http.NewRequest does for the usual
// readers. So a receiver may get a request twice, as it may anyway when deliveries are made at least once. What the body is
// read from must not be changed even after Do has returned.
func (c *Client) Do(ctx context.Context, req *http.Request, limits Limits) (*Result, error) {
	start := time.Now()
	out, t := new(Result), new(trace)
	err := c.exchange(ctx, req, limits, out, t)
	m := t.read()
	out.Phases = m.phases(start, time.Now())
	out.Reused, out.RemoteAddr = m.reused, m.remote
	if err != nil {
		return out, explain(ctx, err, req, &m, start, limits.Allowed)
	}
	return out, nil
}

// exchange checks, sends, and reads into out.
func (c *Client) exchange(ctx context.Context, req *http.Request, limits Limits, out *Result, t *trace) error {
	if err := c.check(ctx, req); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return err
	}
	c.nameAgent(req)
	res, err := c.send(req.WithContext(t.into(ctx)), t)
	if err != nil {
		return err
	}
	t.gotAnswer()
	out.StatusCode, out.Header, out.Proto = res.StatusCode, res.Header, res.Proto
	defer func() { _ = res.Body.Close() }() // what could fail here has no bearing on the answer
	if res.StatusCode == http.StatusSwitchingProtocols {
		return errSwitching // its body is the bare connection, which knows of no deadline
	}
	return c.readBody(res, limits, out)
}

// check refuses what can be refused before there is a connection.
func (c *Client) check(ctx context.Context, req *http.Request) error {
	if err := c.policy.checkURL(req.URL); err != nil {
		return err
	}
	if c.proxy != nil {
		return c.checkProxied(ctx, req)
	}
	return nil
}

func (c *Client) nameAgent(req *http.Request) {
	if req.Header == nil {
		req.Header = make(http.Header, 1)
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header["User-Agent"] = []string{c.userAgent}
	}
}

// send makes the round trip. A connection that was idle may have been closed by the other side at the very moment it was
// taken. Unless nothing at all was sent, the transport repeats such a POST only if told that it is idempotent, and then as
// often as there are idle connections; to a receiver that hangs up on one particular request that could be a hundred times.
// So it is not told, and the request is sent once more, on a connection that is certainly new.
func (c *Client) send(req *http.Request, t *trace) (*http.Response, error) {
	res, err := c.transport.RoundTrip(req)
	if err == nil || !t.wentStale(err) || req.Context().Err() != nil {
		return res, err
	}
	again := req.WithContext(req.Context())
	if req.Body != nil && req.Body != http.NoBody {
		if req.GetBody == nil {
			return nil, err
		}
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	return c.fresh.RoundTrip(again)
}

// wentStale tells that err is the loss of a connection that had served other calls, before any answer. An HTTP/2 stream
// that was ended by itself is not, as somebody had to be there to do it.
func (t *trace) wentStale(err error) bool {
	m := t.read()
	return m.reused && m.firstByte.IsZero() && isLoss(err) && !isStreamEnd(err)
}

var errSwitching = errors.New("egress: the receiver switched protocols")

// readBody keeps the beginning of the body, and drains a little more for the sake of the connection. Once all is there
// that is kept, no failure matters any more.
func (c *Client) readBody(res *http.Response, limits Limits, out *Result) error {
	if res.Body == http.NoBody {
		return nil
	}
	limits = limits.withDefaults()
	buf := c.buffers.Get().(*[]byte)
	defer c.buffers.Put(buf)
	for {
		n, err := res.Body.Read(*buf)
		out.BodyBytes += n
		out.Body = append(out.Body, (*buf)[:min(n, limits.MaxBody-len(out.Body))]...)
		out.Truncated = out.BodyBytes > len(out.Body)
		full := len(out.Body) == limits.MaxBody
		switch {
		case err == io.EOF:
			return nil
		case err != nil && full:
			out.Truncated = true
			return nil
		case err != nil:
			return err
		case full && tooFar(res.ContentLength, out.BodyBytes, limits):
			out.Truncated = true
			return nil
		}
	}
}

func (l Limits) withDefaults() Limits {
	if l.MaxBody <= 0 {
		l.MaxBody = DefaultMaxBody
	}
	if l.MaxDrain == 0 {
		l.MaxDrain = DefaultMaxDrain
	}
	return l
}

// tooFar tells that a body is not worth draining: its end is known to be far away (length, or less than 0), or enough was read.
func tooFar(length int64, read int, l Limits) bool {
	most := l.MaxBody + max(0, l.MaxDrain)
	return read > most || length > int64(most)
}
