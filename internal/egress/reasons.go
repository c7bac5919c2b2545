package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// noName is about names that cannot be resolved.
func (f failure) noName() (kind, sentence string) {
	e, ok := errors.AsType[*net.DNSError](f.err)
	if !ok {
		return "", ""
	}
	what := "The name " + e.Name
	if f.proxyFailed() {
		what = "The proxy's name " + e.Name
	}
	switch {
	case e.IsNotFound:
		return KindDNS, what + " does not exist, or has no address."
	case e.IsTimeout:
		return KindDNS, what + " could not be resolved: the name servers did not answer in time."
	default:
		return KindDNS, what + " could not be resolved: the name servers could not answer."
	}
}

// badTLS is about certificates and handshakes.
func (f failure) badTLS() (kind, sentence string) {
	if e, ok := errors.AsType[x509.CertificateInvalidError](f.err); ok {
		return KindTLS, badCertificate(e)
	}
	if e, ok := errors.AsType[x509.HostnameError](f.err); ok {
		return KindTLS, "The receiver's TLS certificate is not for " + e.Host + certificateNames(e.Certificate) + "."
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](f.err); ok {
		return KindTLS, "The receiver's TLS certificate is not from an authority that is trusted here; it may be self-signed, or an intermediate certificate is missing."
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](f.err); ok {
		if string(e.RecordHeader[:]) == "HTTP/" {
			return KindTLS, "The receiver answered in plain HTTP; this port does not speak TLS."
		}
		return KindTLS, "The receiver does not speak TLS on this port."
	}
	if f.proxyFailed() {
		return "", ""
	}
	// With TLS 1.3 the receiver looks at the client's certificate after the handshake is over on this side.
	if e, ok := errors.AsType[*net.OpError](f.err); ok && e.Op == "remote error" && strings.Contains(e.Err.Error(), "certificate") {
		// No server has another certificate to speak of.
		return KindTLS, "The receiver asks for a TLS client certificate, and got none or one that it does not accept: " + clip(strings.TrimPrefix(e.Err.Error(), "tls: ")) + "."
	}
	if f.stage != stageTLS || isTimeout(f.err) {
		return "", ""
	}
	if isLoss(f.err) {
		return KindTLS, "The receiver closed the connection during the TLS handshake."
	}
	if text := f.err.Error(); strings.Contains(text, "protocol version") { // of theirs: an alert; of ours: what the server chose
		return KindTLS, "The receiver only speaks versions of TLS that are older than TLS 1.2, which are no longer safe."
	}
	reason := f.err
	if e, ok := errors.AsType[*net.OpError](f.err); ok { // its own text has addresses in it
		reason = e.Err
	}
	return KindTLS, "The TLS handshake with the receiver failed: " + clip(strings.TrimPrefix(reason.Error(), "tls: ")) + "."
}

func badCertificate(e x509.CertificateInvalidError) string {
	const day = "2006-01-02 15:04 MST"
	if e.Reason == x509.Expired && e.Cert != nil {
		if strings.Contains(e.Detail, "before") { // the reason is the same for one that is not yet valid
			return "The receiver's TLS certificate is not valid before " + e.Cert.NotBefore.UTC().Format(day) + "."
		}
		return "The receiver's TLS certificate expired at " + e.Cert.NotAfter.UTC().Format(day) + "."
	}
	return "The receiver's TLS certificate is not acceptable: " + clip(strings.TrimPrefix(e.Error(), "x509: ")) + "."
}

// certificateNames tells the first names that a certificate is for.
func certificateNames(c *x509.Certificate) string {
	if c == nil || len(c.DNSNames) == 0 {
		return ""
	}
	names := c.DNSNames[:min(3, len(c.DNSNames))]
	return ", but for " + clip(strings.Join(names, ", "))
}

// noConnection is about TCP and the proxy.
func (f failure) noConnection() (kind, sentence string) {
	if e, ok := errors.AsType[*proxyRefusal](f.err); ok {
		return KindConnect, "The proxy did not connect to the receiver; it answered " + clip(e.status) + "."
	}
	other := "The receiver"
	if f.proxyFailed() {
		other = "The proxy"
	}
	if strings.Contains(f.err.Error(), "TLS handshake timeout") { // its type has no name
		return KindConnectTimeout, other + " did not complete the TLS handshake in time."
	}
	e, ok := errors.AsType[*net.OpError](f.err)
	switch {
	case !ok:
		return "", ""
	case strings.HasPrefix(e.Op, "socks"):
		return KindConnect, "The proxy did not connect to the receiver: " + clip(innermost(e).Error()) + "."
	case e.Op != "dial" && e.Op != "proxyconnect":
		return "", ""
	case e.Timeout():
		return KindConnectTimeout, other + " did not accept a connection in time."
	case errors.Is(e, syscall.ECONNREFUSED):
		return KindConnect, other + " refused the connection; nothing may be listening on its port."
	case errors.Is(e, syscall.ECONNRESET):
		return KindReset, other + " closed the connection as soon as it was open."
	case errors.Is(e, syscall.EHOSTUNREACH), errors.Is(e, syscall.ENETUNREACH), errors.Is(e, syscall.EADDRNOTAVAIL):
		return KindConnect, other + " cannot be reached from here; there is no route to its address."
	case errors.Is(e, syscall.EMFILE), errors.Is(e, syscall.ENFILE):
		return KindInternal, "No connection could be opened because this machine is out of file descriptors."
	default:
		return KindConnect, other + " could not be connected to: " + clip(innermost(e).Error()) + "."
	}
}

// proxyFailed tells that the error is about the way to the proxy.
func (f failure) proxyFailed() bool {
	e, ok := errors.AsType[*net.OpError](f.err)
	return ok && e.Op == "proxyconnect"
}

// innermost strips the addresses that wrap an operation's error.
func innermost(e *net.OpError) error {
	for {
		inner, ok := errors.AsType[*net.OpError](e.Err)
		if !ok {
			return e.Err
		}
		e = inner
	}
}

// brokenBody is about anything that happens once the answer's header was read.
func (f failure) brokenBody() (kind, sentence string) {
	switch {
	case errors.Is(f.err, errSwitching):
		return KindProtocol, "The receiver answered 101 Switching Protocols, which nobody had asked for."
	case errors.Is(f.err, errTooLarge):
		return KindBody, "The answer's body is larger than is accepted here."
	case f.stage != stageBody:
		return "", ""
	case isLoss(f.err):
		return KindBody, "The receiver closed the connection in the middle of its answer's body."
	default:
		return KindBody, "The answer's body could not be read to its end: " + clip(f.err.Error()) + "."
	}
}

// lost is about connections that end before the answer.
func (f failure) lost() (kind, sentence string) {
	if !isLoss(f.err) {
		return "", ""
	}
	switch f.stage {
	case stageResolve, stageConnect, stageTLS: // losses during the receiver's own handshake were explained before
		return KindConnect, "The proxy closed the connection before it had connected to the receiver."
	case stageSend:
		return KindReset, "The receiver closed the connection while the request was sent."
	case stageHeader:
		return KindReset, "The receiver closed the connection in the middle of its answer's header."
	default:
		return KindReset, "The receiver closed the connection before it answered."
	}
}

// notHTTP is about answers that are none. The transport's errors for those have no types.
func (f failure) notHTTP() (kind, sentence string) {
	text := f.err.Error()
	switch {
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "header list larger"):
		return KindProtocol, fmt.Sprintf("The answer's header is larger than %d KiB, counting all informational answers (1xx) before it.", maxHeaderBytes>>10)
	case f.stage >= stageHeader, strings.Contains(text, "malformed HTTP"), strings.Contains(text, "http2: "),
		strings.HasPrefix(text, "connection error: "), strings.HasPrefix(text, "stream error: "):
		text = strings.TrimPrefix(text, "net/http: HTTP/1.x transport connection broken: ")
		return KindProtocol, "The answer is not valid HTTP: " + clip(text) + "."
	}
	return "", ""
}

// isLoss tells that the other side ended the connection, or with HTTP/2 the stream.
func isLoss(err error) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.ETIMEDOUT) ||
		errors.Is(err, net.ErrClosed) {
		return true
	}
	// These have no types that can be named.
	text := err.Error()
	return strings.Contains(text, "server closed idle connection") || strings.Contains(text, "GOAWAY") ||
		strings.Contains(text, "http2: client conn") || isStreamEnd(err)
}

// isStreamEnd tells that the other side ended an HTTP/2 stream and left the connection open.
func isStreamEnd(err error) bool {
	text := err.Error()
	return strings.Contains(text, "stream error: ") && strings.Contains(text, "received from peer")
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// clip bounds text that the other side may have chosen.
func clip(text string) string {
	const most = 160 // bytes
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.TrimSuffix(text, ".")
}
