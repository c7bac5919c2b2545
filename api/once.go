package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const (
	idempotencyHeader = "Idempotency-Key"
	maxIdempotencyKey = 255
	settleTimeout     = 5 * time.Second // to store an answer, also of a caller that went away
)

// idempotencyKey is the request's Idempotency-Key, or empty if it has none.
func idempotencyKey(h http.Header) (string, error) {
	given, ok := h[idempotencyHeader]
	if !ok {
		return "", nil
	}
	key := given[0]
	if len(given) > 1 || key == "" || len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", postroom.Invalid(postroom.CodeInvalid, idempotencyHeader, "is 1 to %d visible ASCII characters without spaces", maxIdempotencyKey)
	}
	return key, nil
}

// once makes a call that has an Idempotency-Key, unless it was made before: then its answer is given again. act makes the
// call and writes its answer; it returns true if the call may be made again although it did not fail as a whole.
func (a *api) once(w http.ResponseWriter, r *http.Request, who app.Caller, key string, body []byte, act func(http.ResponseWriter) (again bool)) {
	hash := requestHash(r, body)
	stored, err := a.App.BeginIdempotent(r.Context(), who, key, hash)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if stored != nil {
		h := w.Header()
		for name, value := range stored.Header {
			h.Set(name, value)
		}
		h.Set("Idempotency-Replayed", "true")
		w.WriteHeader(stored.Status)
		_, _ = w.Write(stored.Body) // the caller may be gone
		return
	}
	answer := newRecorder()
	keep := false
	func() {
		defer func() { a.settle(r, who, key, answer, keep) }() // also when act panics
		defer a.App.HoldIdempotent(r.Context(), who, key, hash)()
		again := act(answer)
		answer.WriteHeader(http.StatusOK) // unless there was one
		keep = !again && answer.status < 500 && answer.status != http.StatusTooManyRequests
	}()
	answer.copyTo(w)
}

// settle stores the answer of a call, or forgets that the call was made, so that it may be made again.
func (a *api) settle(r *http.Request, who app.Caller, key string, answer *recorder, keep bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), settleTimeout)
	defer cancel()
	var err error
	if keep {
		err = a.App.CompleteIdempotent(ctx, who, key, answer.stored())
	} else {
		err = a.App.AbandonIdempotent(ctx, who, key)
	}
	if err != nil { // the call is made, or not, all the same; its key stays in flight until it runs out
		a.Log.LogAttrs(ctx, slog.LevelWarn, "an idempotency key could not be settled",
			slog.Bool("keep", keep), slog.String("request_id", requestIDOf(r)), slog.Any("error", err))
	}
}

// requestHash tells requests apart: by method, path, content type and body, and by the attributes that a CloudEvent in binary
// mode has in its headers.
func requestHash(r *http.Request, body []byte) [sha256.Size]byte {
	lines := []string{r.Method, r.URL.EscapedPath(), r.Header.Get("Content-Type")}
	attributes := make([]string, 0, 8)
	for name, values := range r.Header {
		if strings.HasPrefix(name, ceHeader) {
			attributes = append(attributes, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(attributes)
	lines = append(lines, attributes...)
	h := sha256.New()
	h.Write([]byte(strings.Join(lines, "\n") + "\n\n"))
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}

// recorder keeps an answer instead of sending it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}} }

// Header, WriteHeader and Write make a recorder an http.ResponseWriter.
func (rec *recorder) Header() http.Header { return rec.header }

func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 {
		rec.status = status
	}
}

func (rec *recorder) Write(b []byte) (int, error) {
	rec.WriteHeader(http.StatusOK)
	return rec.body.Write(b)
}

// stored is the answer as App keeps it. No header of ours has more than one line.
func (rec *recorder) stored() app.StoredAnswer {
	answer := app.StoredAnswer{Status: rec.status, Header: map[string]string{}, Body: rec.body.Bytes()}
	for name, values := range rec.header {
		answer.Header[name] = values[0]
	}
	return answer
}

// copyTo sends the answer.
func (rec *recorder) copyTo(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range rec.header {
		h[name] = values
	}
	w.WriteHeader(rec.status)
	_, _ = w.Write(rec.body.Bytes()) // the caller may be gone
}
