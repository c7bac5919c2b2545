package inbound

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// Error is why a call, or one of the events in it, could not be understood.
type Error struct{ postroom.RequestError }

// Error is one sentence, with the place where it is known.
func (e *Error) Error() string {
	var at []string
	if e.Event > 0 {
		at = append(at, fmt.Sprintf("event %d", e.Event))
	}
	if e.Action > 0 {
		at = append(at, fmt.Sprintf("action %d", e.Action))
	}
	if e.Row > 0 {
		at = append(at, fmt.Sprintf("row %d", e.Row))
	}
	if e.Path != "" {
		at = append(at, e.Path)
	}
	if len(at) == 0 {
		return e.Message
	}
	return strings.Join(at, ", ") + ": " + e.Message
}

// Kinds of errors and notes about what a call says.
const (
	kindBody    = "body"
	kindMapping = "mapping"
	kindType    = "type"
)

func bodyError(format string, args ...any) *Error {
	return &Error{postroom.RequestError{Kind: kindBody, Message: fmt.Sprintf(format, args...)}}
}

// maxShown is how much of a value errors show, in bytes.
const maxShown = 120

// shown is a value for people, cut.
func shown(raw []byte) string {
	if len(raw) <= maxShown {
		return string(raw)
	}
	end := maxShown
	for end > 0 && !utf8.RuneStart(raw[end]) {
		end--
	}
	return string(raw[:end]) + "…"
}

// isMissing tells whether there is no value, or null.
func isMissing(raw []byte) bool { return raw == nil || payload.KindOf(raw) == payload.KindNull }

// isEmpty tells whether there is no value, null or an empty text.
func isEmpty(raw []byte) bool { return isMissing(raw) || string(raw) == `""` }

// textOf is a value as text: a text itself, a number as it is spelled, true or false. Null is the empty text.
func textOf(raw []byte) (string, error) {
	switch kind := payload.KindOf(raw); kind {
	case payload.KindString:
		return payload.String(raw)
	case payload.KindNumber, payload.KindBool:
		return string(raw), nil
	case payload.KindNull, payload.KindNone:
		return "", nil
	default:
		return "", fmt.Errorf("%s is not a text", kind)
	}
}

func jsonText(s string) []byte { return payload.AppendString(nil, s) }
