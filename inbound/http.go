package inbound

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/inbound/scheme"
)

// Paths are what the paths of sources begin with; the source's id ends them. The second is that of the seed's vendor, so that senders which
// were set up for it need another host only.
func Paths() []string { return []string{"/in/", "/wp-json/ccsp-mailer/v1/webhooks/"} }

// ServeHTTP takes calls to sources. Nothing in its answers tells a caller that proves nothing whether there is such a source.
func (in *Intake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			in.panicked("panic while taking a call", p)
			refuse(w, problemOf(postroom.CodeInternal, "Something went wrong in Postroom. Its log has the cause."), 0)
		}
	}()
	h := w.Header()
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Cache-Control"] = []string{"no-store"}
	source, ok := sourceOf(r.URL.Path)
	if !ok {
		refuse(w, problemOf(postroom.CodeNotFound, "There is nothing at this path."), 0)
		return
	}
	switch r.Method {
	case http.MethodPost:
		in.post(w, r, source)
	case http.MethodHead: // some senders want to know whether a URL answers before they keep it; all of these do
		w.WriteHeader(http.StatusOK)
	case http.MethodOptions:
		in.allowBrowsers(w, r, source)
		h.Set("Allow", allowedMethods)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodGet:
		in.challenge(w, r, source)
	default:
		noMethod(w)
	}
}

const allowedMethods = "POST, OPTIONS, HEAD"

// noMethod is what calls with other methods hear, at each URL.
func noMethod(w http.ResponseWriter) {
	w.Header().Set("Allow", allowedMethods)
	refuse(w, problemOf(postroom.CodeMethodNotAllowed, "This URL takes POST."), 0)
}

// sourceOf is the id at the end of a path. A path of the right shape has one, even if no source can have it.
func sourceOf(path string) (id postroom.SourceID, ok bool) {
	for _, prefix := range Paths() {
		if name, found := strings.CutPrefix(path, prefix); found {
			name = strings.TrimSuffix(name, "/")
			id, _ = postroom.ParseID[postroom.SourceKind](name) // the zero id is that of no source
			return id, name != "" && !strings.Contains(name, "/")
		}
	}
	return id, false
}

// post takes a call.
func (in *Intake) post(w http.ResponseWriter, r *http.Request, source postroom.SourceID) {
	a, err := in.receive(w, r, source)
	if err != nil {
		var e *postroom.Error
		if !errors.As(err, &e) {
			e = &postroom.Error{Code: postroom.CodeBadJSON, Message: "The body could not be read."}
		}
		in.metrics.count(outcomeUnread)
		in.allowBrowsers(w, r, source)
		refuse(w, problemOf(e.Code, e.Message), 0)
		return
	}
	in.allowBrowsers(w, r, source)
	in.Accept(r.Context(), a).write(w)
}

// challenge answers a sender that wants to see whether whoever gave it the URL owns it. To all others a GET is no call.
func (in *Intake) challenge(w http.ResponseWriter, r *http.Request, source postroom.SourceID) {
	src, err := in.sources.get(r.Context(), source)
	if err != nil || src.kind == nil || src.kind.Challenge == "" || src.program == nil {
		noMethod(w)
		return
	}
	a := &Arrival{Source: source, Method: r.Method, Target: targetOf(r), Header: r.Header, Client: scheme.ClientAddr(r.RemoteAddr, r.Header, in.trusted), At: in.now()}
	v, refused := in.verify(src, a)
	if refused != nil {
		in.refuse(src, a, refused)
		noMethod(w)
		return
	}
	text, ok := src.program.Challenge(NewCall(v.request))
	if !ok {
		noMethod(w)
		return
	}
	in.metrics.count(outcomeChallenge)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(text)) // the caller may be gone
}

// allowBrowsers lets a page of any origin read the answer, where the kind of the source posts from browsers.
func (in *Intake) allowBrowsers(w http.ResponseWriter, r *http.Request, source postroom.SourceID) {
	if r.Header.Get("Origin") == "" {
		return
	}
	src, err := in.sources.get(r.Context(), source)
	if err != nil || src.kind == nil || !src.kind.CORS {
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", "*, Authorization, Content-Type")
		h.Set("Access-Control-Max-Age", "600")
	}
}

// Answer is what a caller hears.
type Answer struct {
	Status     int
	Body       []byte
	RetryAfter time.Duration // 0 for nothing
}

// write sends an answer.
func (a Answer) write(w http.ResponseWriter) {
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	switch {
	case a.Status < 400:
	case a.Status == http.StatusUnauthorized:
		h["Www-Authenticate"] = []string{`Bearer realm="postroom"`, `Basic realm="postroom"`}
		fallthrough
	default:
		h["Content-Type"] = []string{"application/problem+json"}
	}
	if a.RetryAfter > 0 {
		h["Retry-After"] = []string{strconv.Itoa(int(math.Ceil(a.RetryAfter.Seconds())))}
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // the caller may be gone
}

// kinds are the titles and statuses of the problems that callers of sources meet.
type problemKind struct {
	code   postroom.Code
	status int
	title  string
}

func problemKinds() []problemKind {
	return []problemKind{
		{postroom.CodeBadJSON, http.StatusBadRequest, "Not readable"},
		{postroom.CodeUnauthenticated, http.StatusUnauthorized, "Not authenticated"},
		{postroom.CodeForbidden, http.StatusForbidden, "Not allowed"},
		{postroom.CodeNotFound, http.StatusNotFound, "Not found"},
		{postroom.CodeMethodNotAllowed, http.StatusMethodNotAllowed, "Method not allowed"},
		{postroom.CodeTooLarge, http.StatusRequestEntityTooLarge, "Too large"},
		{postroom.CodeUnsupportedMedia, http.StatusUnsupportedMediaType, "Unsupported content type"},
		{postroom.CodeRateLimited, http.StatusTooManyRequests, "Too many calls"},
		{postroom.CodeInternal, http.StatusInternalServerError, "Internal error"},
		{postroom.CodeUnavailable, http.StatusServiceUnavailable, "Unavailable"},
	}
}

// problemOf is the answer of a refusal (RFC 9457).
func problemOf(code postroom.Code, detail string) Answer {
	kinds := problemKinds()
	at := slices.IndexFunc(kinds, func(k problemKind) bool { return k.code == code })
	if at < 0 {
		at = slices.IndexFunc(kinds, func(k problemKind) bool { return k.code == postroom.CodeInternal })
	}
	kind := kinds[at]
	body, err := json.Marshal(postroom.Problem{Type: "/docs/errors#" + string(kind.code), Title: kind.title, Status: kind.status, Detail: detail, Code: kind.code})
	if err != nil { // cannot be: a Problem holds strings and a number
		panic(err)
	}
	return Answer{Status: kind.status, Body: body}
}

// refuse answers with a problem.
func refuse(w http.ResponseWriter, a Answer, again time.Duration) {
	a.RetryAfter = again
	a.write(w)
}

// panicked notes a defect that must not end the process.
func (in *Intake) panicked(what string, p any) {
	in.metrics.panics.Add(1)
	in.log.Error(what, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}
