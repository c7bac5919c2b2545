package inbound

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/payload"
)

// Bounds of what is read of a call.
const (
	maxItems = 10_000 // events
	maxParts = 1_000  // fields and files of a form
)

// Call is a request as it is read, stored or new.
type Call struct {
	*postroom.Request
	Query  url.Values
	Header http.Header
}

// NewCall makes a request ready to be read. Parameters that cannot be read are left out.
func NewCall(r *postroom.Request) *Call {
	c := &Call{Request: r, Header: make(http.Header, len(r.Headers))}
	_, query, _ := strings.Cut(r.Target, "?")
	c.Query, _ = url.ParseQuery(query)
	for _, h := range r.Headers {
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		c.Header[name] = append(c.Header[name], h.Value)
	}
	return c
}

// content is a body, read: one value or several.
type content struct {
	raw   []byte   // the value as JSON; nil where there are several
	lines [][]byte // of NDJSON
}

// decode reads the body of a call. What the content type says is tried first; what it does not say is recognised.
func (c *Call) decode() (content, error) {
	body := bytes.TrimPrefix(c.Body, []byte("\xef\xbb\xbf"))
	kind, parameters := c.contentType()
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		raw, err := readMultipart(body, parameters["boundary"])
		return content{raw: raw}, err
	case len(bytes.TrimSpace(body)) == 0:
		return content{raw: []byte("{}")}, nil
	case kind == "application/x-www-form-urlencoded":
		// Some programs, such as curl, say form and send something else.
		if looksLikeJSON(body) && payload.Valid(body) == nil {
			return content{raw: bytes.TrimSpace(body)}, nil
		}
		raw, err := readForm(body)
		return content{raw: raw}, err
	case isNDJSON(kind):
		lines, err := readLines(body)
		return content{lines: lines}, err
	}
	return recognise(body, isJSON(kind))
}

// contentType is the body's media type in small letters, empty where there is none or it cannot be read.
func (c *Call) contentType() (kind string, parameters map[string]string) {
	kind, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", nil
	}
	return kind, parameters
}

func isJSON(kind string) bool {
	return strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json")
}

func isNDJSON(kind string) bool {
	switch kind {
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl", "application/jsonlines", "application/x-jsonlines", "text/x-ndjson":
		return true
	}
	return false
}

// looksLikeJSON tells whether a body begins like an object or a list.
func looksLikeJSON(body []byte) bool {
	kind := payload.KindOf(body)
	return kind == payload.KindObject || kind == payload.KindArray
}

// recognise reads a body by what it looks like: JSON, NDJSON, a form, or text.
func recognise(body []byte, sayJSON bool) (content, error) {
	wrong := payload.Valid(body)
	if wrong == nil {
		return content{raw: bytes.TrimSpace(body)}, nil
	}
	if looksLikeJSON(body) {
		if lines, err := readLines(body); err == nil && len(lines) > 1 {
			return content{lines: lines}, nil
		}
	}
	if sayJSON || looksLikeJSON(body) {
		return content{}, bodyError("the body is not JSON: %s", wrong)
	}
	if looksLikeForm(body) {
		raw, err := readForm(body)
		return content{raw: raw}, err
	}
	if !utf8.Valid(body) {
		return content{}, bodyError("the body is neither JSON nor a form nor text in UTF-8")
	}
	return content{raw: jsonText(string(body))}, nil
}

// readLines reads NDJSON. Empty lines are passed over.
func readLines(body []byte) (lines [][]byte, err error) {
	number := 0
	for line := range bytes.Lines(body) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if wrong := payload.Valid(line); wrong != nil {
			return nil, bodyError("line %d of the body is not JSON: %s", number, wrong)
		}
		if lines = append(lines, line); len(lines) > maxItems {
			return nil, tooMany()
		}
	}
	return lines, nil
}

func tooMany() error { return bodyError("a call holds at most %d events", maxItems) }

// split takes a body apart into events.
func (c content) split(how string, at *path) ([][]byte, error) {
	whole := c.raw
	if whole == nil && (at != nil || how == dialect.SplitNone) {
		whole = listOf(c.lines)
	}
	switch {
	case at != nil:
		found := follow(whole, at.steps)
		if isMissing(found) {
			return nil, bodyError("the body has no %s, where the events of this kind are", at.text)
		}
		if payload.KindOf(found) != payload.KindArray {
			return [][]byte{found}, nil
		}
		return elements(found)
	case how == dialect.SplitNone:
		return [][]byte{whole}, nil
	case c.raw == nil:
		return c.lines, nil
	case payload.KindOf(c.raw) == payload.KindArray:
		return elements(c.raw)
	}
	return [][]byte{c.raw}, nil
}

func listOf(values [][]byte) []byte {
	list := []byte{'['}
	for _, v := range values {
		list = append(payload.AppendComma(list), v...)
	}
	return append(list, ']')
}

func elements(list []byte) (all [][]byte, err error) {
	err = payload.Elements(list, func(element []byte) error {
		if all = append(all, element); len(all) > maxItems {
			return tooMany()
		}
		return nil
	})
	return all, err
}
