package egress

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// The kinds of failure: a closed set, which the log of deliveries, its filters and its metrics use.
const (
	// KindDNS: the name could not be resolved.
	KindDNS = "dns"
	// KindAddressNotAllowed: the policy refused the URL or the address behind its name; nothing was sent.
	KindAddressNotAllowed = "address_not_allowed"
	// KindConnect: the connection was refused, or the address or the proxy cannot be reached.
	KindConnect = "connect"
	// KindConnectTimeout: connecting, or the TLS handshake, took longer than Config.DialTimeout.
	KindConnectTimeout = "connect_timeout"
	// KindTLS: the certificate is not acceptable, or the handshake failed.
	KindTLS = "tls"
	// KindTimeout: no complete answer within the call's deadline.
	KindTimeout = "timeout"
	// KindReset: the receiver closed the connection before its answer.
	KindReset = "reset"
	// KindProtocol: what came back is not valid HTTP, or its header is too large.
	KindProtocol = "protocol"
	// KindBody: the answer's body broke off.
	KindBody = "body"
	// KindCancelled: the caller gave the call up, as a shutdown does.
	KindCancelled = "cancelled"
	// KindInternal: anything else; the fault is on this side, such as a header that cannot be sent.
	KindInternal = "internal"
)

// Error tells why a call failed.
type Error struct {
	// Kind is one of the Kind constants.
	Kind string
	// Sentence is for a person. It never holds the URL's path or query, nor the address behind a name, which is the
	// business of whoever runs the network.
	Sentence string
	// Err is what the transport said.
	Err error
}

func (e *Error) Error() string { return e.Sentence }

func (e *Error) Unwrap() error { return e.Err }

// Classify returns the kind of a failed call, and a plain sentence. It understands the errors of Do, DialContext,
// HTTPClient and CheckURL, and takes any other as the failure of a call of which nothing more is known.
// For nil, both are empty.
func Classify(err error) (kind, sentence string) {
	if err == nil {
		return "", ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind, e.Sentence
	}
	return failure{err: err}.classify()
}

// explain makes the error that Do returns for a call that began at start and was allowed so much time, 0 for what its deadline
// left it.
func explain(ctx context.Context, err error, req *http.Request, m *marks, start time.Time, allowed time.Duration) *Error {
	f := failure{err: err, stage: m.stage(), host: req.URL.Hostname(), allowed: allowed}
	if deadline, ok := ctx.Deadline(); ok && allowed == 0 {
		f.allowed = deadline.Sub(start)
	}
	if ctx.Err() != nil && !isRefusal(err) {
		f.err = ctx.Err() // whatever the transport says, this is why it gave up
	}
	kind, sentence := f.classify()
	return &Error{kind, sentence, err}
}

// failure is an error and what is known about the call that it ended.
type failure struct {
	err     error
	stage   stage
	host    string        // empty if not known
	allowed time.Duration // for the whole; 0 if there is no bound, or it is not known
}

// classify asks the more specific questions first: a time-out while dialling, say, is also the end of some deadline.
func (f failure) classify() (kind, sentence string) {
	for _, explain := range []func() (string, string){
		f.refused, f.noName, f.badTLS, f.noConnection, f.outOfTime, f.brokenBody, f.lost, f.notHTTP,
	} {
		if kind, sentence := explain(); kind != "" {
			return kind, sentence
		}
	}
	return KindInternal, "The call could not be made: " + clip(f.err.Error()) + "."
}

func isRefusal(err error) bool {
	_, byURL := errors.AsType[*URLError](err)
	_, byAddress := errors.AsType[*addressError](err)
	return byURL || byAddress
}

func (f failure) refused() (kind, sentence string) {
	if e, ok := errors.AsType[*URLError](f.err); ok {
		return KindAddressNotAllowed, e.Message
	}
	if e, ok := errors.AsType[*addressError](f.err); ok {
		return KindAddressNotAllowed, f.receiver() + " resolves to " + describe(e.addr) +
			", which may not be called; an operator can allow it with --allow-net."
	}
	return "", ""
}

// outOfTime is about the deadline of the call and its cancellation.
func (f failure) outOfTime() (kind, sentence string) {
	switch {
	case errors.Is(f.err, context.Canceled):
		return KindCancelled, "The call was given up because Postroom is shutting down or nobody waits for it any more."
	case errors.Is(f.err, context.DeadlineExceeded):
		sentence = "There was no complete answer"
		if f.allowed > 0 {
			sentence += " within " + round(f.allowed).String()
		}
		if doing := f.stage.doing(); doing != "" {
			sentence += "; time ran out while " + doing
		}
		return KindTimeout, sentence + "."
	}
	return "", ""
}

// round leaves as many digits as a person wants to read.
func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// doing completes "while …".
func (s stage) doing() string {
	switch s {
	case stageResolve:
		return "connecting (looking up the name)"
	case stageConnect:
		return "connecting"
	case stageTLS:
		return "connecting (the TLS handshake)"
	case stageSend:
		return "sending the request"
	case stageWait:
		return "waiting for the answer"
	case stageHeader:
		return "reading the answer's header"
	case stageBody:
		return "reading the answer's body"
	default:
		return ""
	}
}

// receiver names the other side at the beginning of a sentence.
func (f failure) receiver() string {
	if f.host == "" {
		return "The receiver"
	}
	return "The receiver " + f.host
}
