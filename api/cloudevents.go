package api

import (
	"encoding/base64"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
	"github.com/postroom/postroom/payload"
)

// CloudEvents 1.0 are published here too. Of an event's attributes, type and time stay what they are, id becomes the event's
// own id, source its actor, and partitionkey (the Partitioning extension), or else subject, its ordering key. Other extension
// attributes are allowed and not kept. The data must be a JSON object: given as such, or as data_base64.
//
// The rules are those of the JSON format (formats/json-format.md) and the HTTP binding (bindings/http-protocol-binding.md) of
// the specification, version 1.0.2.

const (
	ceHeader    = "Ce-" // before an attribute's name, in the canonical form of net/http
	specVersion = "1.0"
)

// parseCloudEvent reads an event in the JSON format. Its data is a part of raw, unless it was in base64.
func parseCloudEvent(raw []byte) (app.NewEvent, error) {
	var e app.NewEvent
	var p eventParser
	var version, subject string
	err := payload.Members(raw, func(key, value []byte) error {
		switch string(key) {
		case "specversion":
			version = p.text(hasSpecVersion, "/specversion", value)
		case "type":
			e.Type = p.text(hasType, "/type", value)
		case "id":
			e.UID = p.text(hasID, "/id", value)
		case "source":
			e.Actor = p.text(hasSource, "/source", value)
		case "time":
			e.Time = p.time("/time", value)
		case "subject":
			subject = p.text(hasSubject, "/subject", value)
		case "partitionkey":
			e.OrderingKey = p.text(hasPartitionKey, "/partitionkey", value)
		case "datacontenttype":
			p.contentType("/datacontenttype", p.text(hasDataContentType, "/datacontenttype", value))
		case "data":
			e.Data = p.data("/data", value)
		case "data_base64":
			e.Data = p.dataBase64("/data_base64", value)
		default:
			p.extension(key)
		}
		return p.next()
	})
	if err != nil && !errors.Is(err, errFull) {
		return e, badJSON(err)
	}
	if e.OrderingKey == "" {
		e.OrderingKey = subject
	}
	p.requireAttributes("/", version)
	p.require(hasData, "/data", "is required here: an object, which may be empty")
	return e, p.err()
}

// requireAttributes blames what every CloudEvent must have and this one has not. prefix comes before an attribute's name in
// pointers.
func (p *eventParser) requireAttributes(prefix, version string) {
	const required = "is required of every CloudEvent"
	p.require(hasID, prefix+"id", required)
	p.require(hasSource, prefix+"source", required)
	p.require(hasType, prefix+"type", required)
	p.require(hasSpecVersion, prefix+"specversion", required)
	if p.seen&hasSpecVersion != 0 && version != specVersion {
		p.add(prefix+"specversion", "must be %s, the version that is read here", specVersion)
	}
}

// contentType blames a type of data that is not JSON; empty stands for JSON.
func (p *eventParser) contentType(pointer, value string) {
	if value != "" && !isJSON(value) {
		p.add(pointer, "must be application/json or end in +json: the data of an event is a JSON object here")
	}
}

// isJSON tells whether a content type is one of JSON, as the specification defines it: */json or */*+json.
func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json"))
}

// dataBase64 reads data that is written in base64. It excludes data.
func (p *eventParser) dataBase64(pointer string, value []byte) []byte {
	if !p.first(hasData, pointer) {
		return nil
	}
	text := p.text(hasDataBase64, pointer, value)
	if text == "" {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		p.add(pointer, "is not base64 (RFC 4648, with padding)")
	case payload.KindOf(data) != payload.KindObject || payload.Valid(data) != nil:
		p.add(pointer, "must hold a JSON object")
	}
	return data
}

// extension allows an attribute that the specification does not define, if it can be one.
func (p *eventParser) extension(name []byte) {
	if !isAttribute(name) {
		p.addCode(postroom.CodeUnknownField, "/"+pointerEscape(string(name)), "cannot be an attribute of a CloudEvent: their names are lower-case letters and digits")
	}
}

func isAttribute(name []byte) bool {
	notAllowed := func(c byte) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') }
	return len(name) > 0 && !slices.ContainsFunc(name, notAllowed)
}

// isBinaryCloudEvent tells whether a request is a CloudEvent in binary mode: its attributes are headers, and its body is the
// data.
func isBinaryCloudEvent(h http.Header) bool {
	return h["Ce-Specversion"] != nil || h["Ce-Type"] != nil
}

// parseBinaryCloudEvent reads an event in binary mode. Its data is body. Pointers are the names of headers.
func parseBinaryCloudEvent(h http.Header, body []byte) (app.NewEvent, error) {
	var e app.NewEvent
	var p eventParser
	version := p.header(h, "specversion", hasSpecVersion)
	e.Type = p.header(h, "type", hasType)
	e.UID = p.header(h, "id", hasID)
	e.Actor = p.header(h, "source", hasSource)
	if at := p.header(h, "time", hasTime); at != "" {
		e.Time = p.moment("ce-time", at)
	}
	e.OrderingKey = p.header(h, "partitionkey", hasPartitionKey)
	if subject := p.header(h, "subject", hasSubject); e.OrderingKey == "" {
		e.OrderingKey = subject
	}
	if h["Ce-Datacontenttype"] != nil {
		p.add("ce-datacontenttype", "must not be given: the header Content-Type is the attribute datacontenttype")
	}
	p.requireAttributes("ce-", version)
	if err := payload.Valid(body); err != nil {
		return e, badJSON(err)
	}
	e.Data = p.data("", body)
	return e, p.err()
}

// header reads an attribute from its header.
func (p *eventParser) header(h http.Header, attribute string, field uint) string {
	values := h[ceHeader+strings.ToUpper(attribute[:1])+attribute[1:]]
	if len(values) == 0 {
		return ""
	}
	p.seen |= field
	pointer := "ce-" + attribute
	value, ok := unescapeHeader(values[0])
	switch {
	case len(values) > 1:
		p.add(pointer, "is there %d times", len(values))
	case !ok:
		p.add(pointer, "is not well formed: characters other than visible ASCII, and the percent sign, are written as UTF-8 with %% and two hexadecimal digits for each byte")
	default:
		p.checkText(field, pointer, value)
	}
	return value
}

// unescapeHeader reads the value of an attribute in a header: it undoes double quotes, and then percent-encoding, once.
func unescapeHeader(s string) (string, bool) {
	if strings.Contains(s, `"`) {
		var b strings.Builder
		quoted := false
		for i := 0; i < len(s); i++ {
			switch c := s[i]; {
			case c == '"':
				quoted = !quoted
			case c == '\\' && quoted && i+1 < len(s):
				i++
				b.WriteByte(s[i])
			default:
				b.WriteByte(c)
			}
		}
		if quoted {
			return "", false
		}
		s = b.String()
	}
	if strings.IndexByte(s, '%') >= 0 {
		var err error
		if s, err = url.PathUnescape(s); err != nil {
			return "", false
		}
	}
	return s, utf8.ValidString(s)
}

// headerPointer says in which header the field of an event in binary mode was, for what App finds wrong with it.
func headerPointer(pointer string) string {
	switch pointer {
	case "/type", "/id", "/time":
		return "ce-" + pointer[1:]
	}
	return pointer
}
