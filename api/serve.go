package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// exchange is a response writer that remembers what the log and the metrics need to know.
type exchange struct {
	http.ResponseWriter
	route  string // of the operation, once it is known
	status int    // once it is written
}

// WriteHeader notes the status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes that the status is 200, if none was written.
func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	return x.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController the writer below.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// ServeHTTP answers one request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	x := &exchange{ResponseWriter: w}
	h := w.Header()
	h["X-Request-Id"] = requestID(r)
	h["X-Content-Type-Options"] = a.headers.nosniff
	defer func() {
		panicked := recover()
		if panicked != nil {
			a.afterPanic(x, r, started, panicked)
		}
		a.finish(x, r, started, panicked != nil)
	}()
	if r.Method == http.MethodPost && r.URL.Path == publishPath {
		x.route = publishPath
		a.publish(x, r) // the hot path: its answers are no pages, and a POST's are not cached anyway
		return
	}
	h["Content-Security-Policy"] = a.headers.policy
	h["Cache-Control"] = a.headers.noStore
	if handler, pattern := a.mux.Handler(r); pattern == "" {
		a.noRoute(x, r, handler)
		return
	}
	a.mux.ServeHTTP(x, r)
}

// finish logs and counts an answer.
func (a *api) finish(x *exchange, r *http.Request, started time.Time, panicked bool) {
	took := time.Since(started)
	if x.status == 0 {
		x.status = http.StatusOK // what net/http writes when the handler wrote nothing
	}
	if a.Log.Enabled(r.Context(), slog.LevelDebug) {
		a.Log.LogAttrs(r.Context(), slog.LevelDebug, "request",
			slog.String("method", r.Method), slog.String("route", x.route), slog.Int("status", x.status),
			slog.Duration("duration", took), slog.String("request_id", requestIDOf(r)))
	}
	if a.Observe != nil {
		a.Observe(Observation{Method: r.Method, Route: x.route, Status: x.status, Duration: took, Panicked: panicked})
	}
}

// afterPanic answers a request whose handler panicked. When the answer had begun, all that is left is to break it off, so
// that the caller does not take a part for the whole; net/http does so on http.ErrAbortHandler, which is also what handlers
// panic with for that purpose.
func (a *api) afterPanic(x *exchange, r *http.Request, started time.Time, panicked any) {
	err, _ := panicked.(error)
	defect := !errors.Is(err, http.ErrAbortHandler)
	if defect {
		a.Log.LogAttrs(r.Context(), slog.LevelError, "panic while answering a request",
			slog.String("method", r.Method), slog.String("route", x.route), slog.String("request_id", requestIDOf(r)),
			slog.Any("panic", panicked), slog.String("stack", string(debug.Stack())))
		if x.status == 0 {
			a.fail(x, r, postroom.Errorf(postroom.CodeInternal, "panic: %v", panicked))
			return
		}
	}
	a.finish(x, r, started, defect)
	panic(http.ErrAbortHandler)
}

// noRoute answers what no operation does. refusal is the mux's own answer, which knows whether the path has other methods.
func (a *api) noRoute(x *exchange, r *http.Request, refusal http.Handler) {
	dry := newRecorder()
	refusal.ServeHTTP(dry, r)
	if dry.status != http.StatusMethodNotAllowed {
		a.fail(x, r, postroom.Errorf(postroom.CodeNotFound, "There is nothing at this path. /docs shows what there is."))
		return
	}
	allow := dry.header.Get("Allow")
	x.Header().Set("Allow", allow)
	a.fail(x, r, postroom.Errorf(postroom.CodeMethodNotAllowed, "This path does not have the method %s; it has %s.", printable(r.Method), allow))
}

// logCause logs what an internal error or an outage is made of, which the caller is not shown.
func (a *api) logCause(r *http.Request, p *problem) {
	if p.cause == nil || r.Context().Err() != nil { // a caller that went away is no fault of ours
		return
	}
	level := slog.LevelError
	if p.Code == postroom.CodeUnavailable {
		level = slog.LevelWarn
	}
	cause := p.cause
	var e *postroom.Error
	if errors.As(cause, &e) && e.Err != nil {
		cause = fmt.Errorf("%s: %w", e.Message, e.Err)
	}
	a.Log.LogAttrs(r.Context(), level, "request failed",
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.String("code", string(p.Code)),
		slog.String("request_id", requestIDOf(r)), slog.Any("error", cause))
}

const maxRequestID = 128

// requestID is the caller's own X-Request-Id if it is sane, which is visible ASCII without quotes and not too long; else a
// new one, which is then also in the request. It is a header's values, for the answer.
func requestID(r *http.Request) []string {
	given := r.Header["X-Request-Id"]
	if len(given) == 1 && given[0] != "" && len(given[0]) <= maxRequestID && !strings.ContainsFunc(given[0], notInRequestID) {
		return given
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	made := []string{hex.EncodeToString(b[:])}
	r.Header["X-Request-Id"] = made
	return made
}

// requestIDOf is what requestID settled on.
func requestIDOf(r *http.Request) string { return r.Header.Get("X-Request-Id") }

func notInRequestID(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }

// printable cuts a caller's word for use in a sentence.
func printable(s string) string {
	if len(s) > 32 {
		s = s[:32] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}
