package scheme

import (
	"net/textproto"
	"strings"
)

// place is where in a call a value stands.
type place struct {
	kind placeKind
	name string // of the header (canonical), parameter, or field; the JSON pointer; the beginning of the item
}

type placeKind string

const (
	inHeader placeKind = "header"
	inQuery  placeKind = "query"
	inForm   placeKind = "form"
	inJSON   placeKind = "json"
	inItem   placeKind = "item" // of the signature header; see signature.go
)

// parsePlace reads a header's name, or "kind:name". The complaint is "" if it could.
func parsePlace(text string) (p place, complaint string) {
	kind, name, found := strings.Cut(text, ":")
	if !found {
		kind, name = string(inHeader), text
	}
	p = place{placeKind(kind), name}
	switch {
	case len(text) > maxText:
		return p, "This is too long."
	case name == "":
		return p, "A name is missing."
	}
	switch p.kind {
	case inHeader:
		if !isToken(name) {
			return p, "This is not the name of a header."
		}
		p.name = textproto.CanonicalMIMEHeaderKey(name)
	case inJSON:
		if !strings.HasPrefix(name, "/") {
			return p, "This is not a JSON pointer such as json:/signature/token."
		}
	case inQuery, inForm, inItem:
	default:
		return p, "A place is the name of a header, or begins with header:, query:, form: or json:."
	}
	return p, ""
}

// isToken tells whether a text may be the name of a header (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for _, b := range []byte(s) {
		if (b|0x20 < 'a' || b|0x20 > 'z') && (b < '0' || b > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(b)) {
			return false
		}
	}
	return s != ""
}

// place compiles a parameter that is a place.
func (c *compiler) place(field, text string) place {
	p, complaint := parsePlace(text)
	if complaint == "" && p.kind == inItem && (c.Separator == "" || field == "header") {
		complaint = "There are items only in a signature header with a separator."
	}
	if complaint != "" {
		c.blame(field, "%s", complaint)
	}
	return p
}

// parsesBody tells whether finding the value needs the whole body.
func (p place) parsesBody() bool { return p.kind == inForm || p.kind == inJSON }

// String names the place for people.
func (p place) String() string {
	switch p.kind {
	case inQuery:
		return "the parameter " + p.name + " of the URL"
	case inForm:
		return "the form field " + p.name
	case inJSON:
		return "the field " + p.name + " of the body"
	case inItem:
		return "the item " + p.name + " of the signature"
	}
	return "the header " + p.name
}

// get finds the value, which is not empty. A value that stands there twice is refused: another reader might take the other one.
func (p place) get(r *Request) (string, *Reason) {
	var values []string
	switch p.kind {
	case inHeader:
		values = r.Header[p.name]
	case inQuery:
		parameters, ok := r.query()
		if !ok {
			return "", because(KindMalformed, "the query of the URL cannot be read")
		}
		values = parameters[p.name]
	case inForm:
		var reason *Reason
		if values, reason = formField(r, p.name); reason != nil {
			return "", reason
		}
	case inJSON:
		var reason *Reason
		if values, reason = jsonField(r.Body, p.name); reason != nil {
			return "", reason
		}
	}
	switch {
	case len(values) > 1:
		return "", because(KindAmbiguous, "%s is there %d times", p, len(values))
	case len(values) == 0:
		return "", because(KindMissing, "%s is missing", p)
	case values[0] == "":
		return "", because(KindMissing, "%s is empty", p)
	}
	return values[0], nil
}
