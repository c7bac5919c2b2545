package inbound

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime/multipart"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom/payload"
)

// maxFile is up to which size the content of a file in a form is kept, in bytes.
const maxFile = 256 << 10

// form gathers the fields of a form in the order of their first mention.
type form struct {
	names  []string
	values map[string][][]byte // by name, as JSON
	parts  int
}

// add adds a value to a field.
func (f *form) add(name string, value []byte) error {
	if f.parts++; f.parts > maxParts {
		return bodyError("a form has at most %d fields", maxParts)
	}
	if f.values == nil {
		f.values = map[string][][]byte{}
	}
	if _, known := f.values[name]; !known {
		f.names = append(f.names, name)
	}
	f.values[name] = append(f.values[name], value)
	return nil
}

// object is the form as a JSON object. A field that is there several times has a list.
func (f *form) object() []byte {
	out := []byte{'{'}
	for _, name := range f.names {
		out = payload.AppendKey(out, name)
		if values := f.values[name]; len(values) == 1 {
			out = append(out, values[0]...)
		} else {
			out = append(out, listOf(values)...)
		}
	}
	return append(out, '}')
}

// readForm reads an urlencoded form.
func readForm(body []byte) ([]byte, error) {
	var f form
	for pair := range strings.SplitSeq(strings.TrimSpace(string(body)), "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, bodyError("the form cannot be read: a percent sign in %q is not followed by two hexadecimal digits", shown([]byte(pair)))
		}
		if err := f.add(utf8Text(name), jsonText(value)); err != nil {
			return nil, err
		}
	}
	return f.object(), nil
}

func utf8Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// looksLikeForm tells whether a text is name=value, one or several with & between, as forms are encoded: visible ASCII alone.
func looksLikeForm(body []byte) bool {
	body = bytes.TrimSpace(body)
	name, _, pair := bytes.Cut(body, []byte{'='})
	return pair && len(name) > 0 && bytes.IndexFunc(body, func(r rune) bool { return r <= ' ' || r >= utf8.RuneSelf || r == '<' || r == '"' }) < 0
}

// readMultipart reads a form with files. Parts without a name are passed over.
func readMultipart(body []byte, boundary string) ([]byte, error) {
	if boundary == "" {
		return nil, bodyError("the Content-Type says multipart and has no boundary")
	}
	if !bytes.Contains(body, []byte("--"+boundary)) && len(bytes.TrimSpace(body)) > 0 {
		return nil, bodyError("the multipart form cannot be read: its boundary is not in the body")
	}
	var f form
	reader := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return f.object(), nil
		}
		if err != nil {
			return nil, bodyError("the multipart form cannot be read: %s", err)
		}
		content, err := io.ReadAll(part) // no more than the body, which is bounded
		if err != nil {
			return nil, bodyError("the multipart form cannot be read: %s", err)
		}
		name, file := part.FormName(), part.FileName()
		if name == "" {
			continue
		}
		value := jsonText(string(content))
		if file != "" {
			value = fileObject(file, part.Header.Get("Content-Type"), content)
		}
		if err := f.add(utf8Text(name), value); err != nil {
			return nil, err
		}
	}
}

// fileObject is a file as JSON: its name, type and size, and its content as text, or as base64 where it is none. A file that is larger than
// maxFile has no content.
func fileObject(name, kind string, content []byte) []byte {
	out := payload.AppendString(payload.AppendKey([]byte{'{'}, "name"), name)
	out = payload.AppendString(payload.AppendKey(out, "type"), kind)
	out = strconv.AppendInt(payload.AppendKey(out, "size"), int64(len(content)), 10)
	switch {
	case len(content) > maxFile:
	case isPlainText(content):
		out = payload.AppendString(payload.AppendKey(out, "text"), string(content))
	default:
		out = payload.AppendString(payload.AppendKey(out, "base64"), base64.StdEncoding.EncodeToString(content))
	}
	return append(out, '}')
}

// isPlainText tells whether a content is text in UTF-8, without control characters but those of lines.
func isPlainText(content []byte) bool {
	return utf8.Valid(content) && bytes.IndexFunc(content, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f
	}) < 0
}
