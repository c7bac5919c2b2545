package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// problemKind is what HTTP says of an error code.
type problemKind struct {
	code   postroom.Code
	status int
	title  string // short, the same for every problem of the code
	help   string // what the caller can do about it, for the page of errors
}

// problemKinds is the one table of error codes: their HTTP statuses, and what people are told of them.
func problemKinds() []problemKind {
	return []problemKind{
		{postroom.CodeBadJSON, 400, "Not valid JSON", "The body is not valid JSON, or not an object where one is expected. The detail says at which line and column."},
		{postroom.CodeUnauthenticated, 401, "Not authenticated", "The API key (prk_…) in the header Authorization is missing, unknown, expired or deleted."},
		{postroom.CodeForbidden, 403, "Not allowed", "The key is valid, but its role does not allow this call. Use a key with the role that the operation names."},
		{postroom.CodeNotFound, 404, "Not found", "There is no such path, or no such thing in the workspace of the key."},
		{postroom.CodeMethodNotAllowed, 405, "Method not allowed", "The path exists, but not with this method. The header Allow lists the methods that it has."},
		{postroom.CodeConflict, 409, "Conflict", "The call clashes with what is there, for example a uid that another webhook has."},
		{postroom.CodeInFlight, 409, "Still running", "A call with the same Idempotency-Key has not ended yet. Try again in a moment; you will get its answer."},
		{postroom.CodePreconditionFailed, 412, "Changed meanwhile", "If-Match names another version than the present one. Read the resource again, and repeat the change if it still makes sense."},
		{postroom.CodeTooLarge, 413, "Too large", "The body is larger than the limit that the detail names. Send less at once, or publish many events as NDJSON."},
		{postroom.CodeUnsupportedMedia, 415, "Unsupported content type", "The body's Content-Type is not one that the operation reads. The detail lists those that it reads."},
		{postroom.CodeInvalid, 422, "Not valid", "Values are not allowed. Each entry of errors points at one, and says what is allowed."},
		{postroom.CodeUnknownField, 422, "Unknown field", "The body holds a field that does not exist, which is most often a misspelled one. Each entry of errors points at one."},
		{postroom.CodeUnknownEventType, 422, "Unknown event type", "The type is neither in the catalogue nor declared in the workspace. Declare it with POST /v1/event-types."},
		{postroom.CodeURLInvalid, 422, "URL not usable", "The URL cannot be used. The detail says why."},
		{postroom.CodeAddressNotAllowed, 422, "Address not allowed", "The URL leads to an address that the operator of this installation does not allow, such as a private one."},
		{postroom.CodeIdempotencyReuse, 422, "Idempotency-Key used before", "The Idempotency-Key was used with another request in the last 24 hours. Use a new key for a new request."},
		{postroom.CodeRateLimited, 429, "Too many calls", "Wait for as many seconds as the header Retry-After says."},
		{postroom.CodeInternal, 500, "Internal error", "A defect in Postroom. The server's log has the cause, under the request id of the answer."},
		{postroom.CodeUnavailable, 503, "Unavailable", "The server cannot store at the moment. Nothing was done; try again after as many seconds as Retry-After says."},
	}
}

const (
	errorsPath  = "/docs/errors" // where problemKinds is shown; a problem's type points into it
	problemType = "application/problem+json"
)

// problem is a postroom.Problem on its way out. It is also an error that huma can write.
type problem struct {
	postroom.Problem
	header http.Header // of the answer; may be nil
	cause  error       // for the log; nil where there is nothing to look into
}

// Error gives the detail. With GetStatus, ContentType and GetHeaders it makes a problem one of huma's errors.
func (p *problem) Error() string                { return p.Detail }
func (p *problem) GetStatus() int               { return p.Status }
func (p *problem) ContentType(string) string    { return problemType }
func (p *problem) GetHeaders() http.Header      { return p.header }
func (p *problem) MarshalJSON() ([]byte, error) { return json.Marshal(p.Problem) }

// problem makes the problem that err is. What is not a postroom.Error, or has a code that is not in the table, is an internal
// error.
func (a *api) problem(err error) *problem {
	var already *problem
	if errors.As(err, &already) {
		return already
	}
	var e *postroom.Error
	if !errors.As(err, &e) || a.kinds[e.Code].status == 0 {
		e = &postroom.Error{Code: postroom.CodeInternal}
	}
	kind := a.kinds[e.Code]
	p := &problem{Problem: postroom.Problem{
		Type: errorsPath + "#" + string(e.Code), Title: kind.title, Status: kind.status,
		Detail: e.Message, Code: e.Code, Errors: e.Fields,
	}}
	switch e.Code {
	case postroom.CodeInternal:
		p.Detail, p.Errors, p.cause = "Something went wrong in Postroom. The log has the cause, under this answer's X-Request-Id.", nil, err
	case postroom.CodeUnavailable:
		p.header, p.cause = http.Header{"Retry-After": {"1"}}, err
	case postroom.CodeRateLimited:
		p.header = http.Header{"Retry-After": {"1"}}
	case postroom.CodeUnauthenticated:
		p.header = http.Header{"Www-Authenticate": {`Bearer realm="postroom"`}}
	}
	return p
}

// fail answers with the problem that err is.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(err)
	a.logCause(r, p)
	h := w.Header()
	for name, values := range p.header {
		h[name] = values
	}
	body, err := json.Marshal(p.Problem)
	if err != nil { // cannot be: a Problem holds strings and a number
		panic(err)
	}
	h["Content-Type"] = []string{problemType}
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the caller may be gone
}

// fromHuma turns what huma refuses, which is parameters that it could not bind, into a problem with our codes and pointers.
// It is one of huma's transformers, which see every answer.
func (a *api) fromHuma(_ huma.Context, _ string, v any) (any, error) {
	refused, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	var faults faults
	for _, d := range refused.Errors {
		faults.add(humaPointer(d.Location), "%s", strings.TrimPrefix(d.Message, "invalid value: "))
	}
	if err := faults.err(); err != nil {
		return a.problem(err), nil
	}
	return a.problem(postroom.Errorf(postroom.CodeInternal, "huma: %s", refused.Detail)), nil
}

// humaPointer turns one of huma's locations, such as "query.limit" or "header.If-Match", into a pointer of ours.
func humaPointer(location string) string {
	where, name, _ := strings.Cut(location, ".")
	if where == "query" {
		return "?" + name
	}
	return name
}

// maxFaults is how many faults of one body are reported: enough to mend it, and not an answer larger than the body.
const maxFaults = 20

// faults gathers what is wrong with an input, up to maxFaults.
type faults struct {
	found postroom.Problems
	count int
}

// add blames a place with CodeInvalid.
func (f *faults) add(pointer, format string, args ...any) {
	f.addCode(postroom.CodeInvalid, pointer, format, args...)
}

// addCode blames a place with a code of its own.
func (f *faults) addCode(code postroom.Code, pointer, format string, args ...any) {
	if f.count++; f.count <= maxFaults {
		f.found.AddCode(code, pointer, format, args...)
	}
}

// full tells whether there is no point in looking for more.
func (f *faults) full() bool { return f.count > maxFaults }

// err is nil when nothing was wrong.
func (f *faults) err() error { return f.found.Err() }

// badJSON is the error for a text that package payload refused.
func badJSON(err error) error {
	var syntax *payload.SyntaxError
	if !errors.As(err, &syntax) {
		return err
	}
	message := syntax.Error()
	return &postroom.Error{
		Code:    postroom.CodeBadJSON,
		Message: strings.ToUpper(message[:1]) + message[1:] + ".",
		Fields:  []postroom.FieldError{{Pointer: syntax.Pointer, Detail: syntax.Msg}},
	}
}
