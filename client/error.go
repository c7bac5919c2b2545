package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// Error is what the server refused a call with.
type Error struct {
	Status     int                   // of the answer
	Code       postroom.Code         // for programs; empty when the answer is not Postroom's own, as from a proxy
	Message    string                // a plain sentence
	Fields     []postroom.FieldError // which fields are to blame, if any are
	RetryAfter time.Duration         // when to try again; 0 when the server did not say
	RequestID  string                // under which the server's log has the call
}

// Error gives the sentence, and what each field did wrong.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for i, f := range e.Fields {
		b.WriteString("; ")
		if i == 0 && strings.HasSuffix(e.Message, ".") {
			b.Reset()
			b.WriteString(strings.TrimSuffix(e.Message, ".") + ": ")
		}
		b.WriteString(FieldName(f.Pointer) + ": " + f.Detail)
	}
	return b.String()
}

// IsNotFound tells whether err means that the thing asked for does not exist.
func IsNotFound(err error) bool { return hasCode(err, postroom.CodeNotFound) }

func hasCode(err error, code postroom.Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// FieldName writes a pointer as people read it: "/retry/schedule/0" is retry.schedule[0], and "?limit" is limit.
func FieldName(pointer string) string {
	if name, ok := strings.CutPrefix(pointer, "?"); ok {
		return name
	}
	if pointer == "" {
		return "the body"
	}
	var b strings.Builder
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if _, err := strconv.ParseUint(step, 10, 31); err == nil {
			b.WriteString("[" + step + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(step)
	}
	return b.String()
}

// maxProblem is how much of a refusal is read.
const maxProblem = 1 << 20

// errorOf reads the refusal that an answer is, and closes it.
func errorOf(resp *http.Response) *Error {
	defer func() { _ = resp.Body.Close() }()
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header), RequestID: resp.Header.Get("X-Request-Id")}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if kind == "application/problem+json" && err == nil {
		var p postroom.Problem
		if json.Unmarshal(body, &p) == nil && p.Code != "" {
			e.fill(p)
			return e
		}
	}
	e.Message = fmt.Sprintf("The server answered %d %s, and not as Postroom does.", resp.StatusCode, http.StatusText(resp.StatusCode))
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode/100 == 3 {
		e.Message = fmt.Sprintf("The server sends calls on to %s: use that URL.", to)
	}
	return e
}

// fill takes over what a problem says.
func (e *Error) fill(p postroom.Problem) {
	e.Code, e.Message, e.Fields = p.Code, p.Detail, p.Errors
	if e.Message == "" {
		e.Message = p.Title
	}
}

// retryAfter reads the header as seconds or as a date; 0 when there is none.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
