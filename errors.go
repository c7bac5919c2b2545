package postroom

import (
	"errors"
	"fmt"
)

// Code says to a program what kind of error it met; it never changes its meaning. docs/errors.md lists them.
type Code string

// The codes that people and programs meet, in one place. The HTTP status of each is in the api package's table.
const (
	CodeBadJSON            Code = "bad_json"            // the body is not valid JSON, or not of the expected kind
	CodeUnknownField       Code = "unknown_field"       // the body holds a field that does not exist
	CodeInvalid            Code = "invalid"             // a value is not allowed; the fields say which
	CodeUnknownEventType   Code = "unknown_event_type"  // the type is neither in the catalogue nor declared
	CodeURLInvalid         Code = "url_invalid"         // a URL cannot be used
	CodeAddressNotAllowed  Code = "address_not_allowed" // a URL leads to an address that the operator does not allow
	CodeTooLarge           Code = "too_large"           // the body is larger than the limit
	CodeUnsupportedMedia   Code = "unsupported_media"   // the body's content type is not one that is read here
	CodeUnauthenticated    Code = "unauthenticated"     // the key is missing, unknown, expired or revoked
	CodeForbidden          Code = "forbidden"           // the key's role does not allow this
	CodeNotFound           Code = "not_found"           // there is no such thing in this workspace
	CodeMethodNotAllowed   Code = "method_not_allowed"  // the path exists, the method does not
	CodeConflict           Code = "conflict"            // it clashes with what is there, such as a uid in use
	CodeInFlight           Code = "in_flight"           // a call with the same Idempotency-Key is still running
	CodeIdempotencyReuse   Code = "idempotency_reuse"   // the Idempotency-Key was used with another body
	CodePreconditionFailed Code = "precondition_failed" // If-Match names another version
	CodeRateLimited        Code = "rate_limited"        // too many calls; Retry-After says when
	CodeUnavailable        Code = "unavailable"         // the server cannot store at the moment; try again
	CodeInternal           Code = "internal"            // a defect in Postroom; the log has the cause
)

// Error is the one kind of error that reaches people: a code for programs, a plain sentence, and, where fields are to
// blame, which and why.
type Error struct {
	Code    Code
	Message string
	Fields  []FieldError
	Err     error // the cause, for the log; never shown
}

// FieldError blames one place of the input.
type FieldError struct {
	Pointer string `json:"pointer"` // an RFC 6901 JSON pointer into the body, or "?name" for a query parameter
	Detail  string `json:"detail"`  // a plain sentence
}

// Error gives the sentence, and what each field did wrong.
func (e *Error) Error() string {
	s := e.Message
	for _, f := range e.Fields {
		s += "; " + f.Pointer + ": " + f.Detail
	}
	return s
}

// Unwrap gives the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a code with a sentence. A %w keeps the cause, which is then part of the sentence too.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// Invalid makes an error that blames one field. The code is CodeInvalid unless the field's fault has one of its own.
func Invalid(code Code, pointer, format string, args ...any) *Error {
	detail := fmt.Sprintf(format, args...)
	return &Error{Code: code, Message: "The input was refused.", Fields: []FieldError{{Pointer: pointer, Detail: detail}}}
}

// CodeOf is the code of err: that of the first Error in its chain, else CodeInternal.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// Problems gathers what is wrong with an input, so that a person hears all of it at once.
type Problems struct{ found []*Error }

// Add blames a field with CodeInvalid.
func (p *Problems) Add(pointer, format string, args ...any) {
	p.AddCode(CodeInvalid, pointer, format, args...)
}

// AddCode blames a field with a code of its own.
func (p *Problems) AddCode(code Code, pointer, format string, args ...any) {
	p.found = append(p.found, Invalid(code, pointer, format, args...))
}

// Err is nil when nothing was wrong. The code is the faults' own when they share one, else CodeInvalid.
func (p *Problems) Err() error {
	if len(p.found) == 0 {
		return nil
	}
	all := *p.found[0]
	for _, f := range p.found[1:] {
		if f.Code != all.Code {
			all.Code = CodeInvalid
		}
		all.Fields = append(all.Fields, f.Fields...)
	}
	return &all
}
