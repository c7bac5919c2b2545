package scheme

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
)

const (
	maxFormParts = 1000
	maxFormValue = 64 << 10 // bytes of a field that counts
)

// formField finds the values of a field of a form, urlencoded or multipart.
func formField(r *Request, name string) ([]string, *Reason) {
	kind, parameters := contentType(r)
	if kind != "multipart/form-data" {
		form, reason := urlencoded(r)
		return form[name], reason
	}
	var values []string
	reader := multipart.NewReader(bytes.NewReader(r.Body), parameters["boundary"])
	for range maxFormParts {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, because(KindMalformed, "the multipart form cannot be read")
		}
		if part.FormName() != name || part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, maxFormValue+1))
		if err != nil {
			return nil, because(KindMalformed, "the multipart form cannot be read")
		}
		if len(value) > maxFormValue { // what is cut could be signed, and what follows the cut not
			return nil, because(KindMalformed, "the form field %s has more than %d bytes", name, maxFormValue)
		}
		values = append(values, string(value))
	}
	return nil, because(KindMalformed, "the form has more than %d fields", maxFormParts)
}

// contentType is the body's type; "" if none is given, or several.
func contentType(r *Request) (kind string, parameters map[string]string) {
	given := r.Header["Content-Type"]
	if len(given) != 1 {
		return "", nil
	}
	kind, parameters, err := mime.ParseMediaType(given[0])
	if err != nil {
		return "", nil
	}
	return kind, parameters
}

// urlencoded reads a form. An empty body is a form without fields, whatever its type.
func urlencoded(r *Request) (url.Values, *Reason) {
	if len(r.Body) == 0 {
		return nil, nil
	}
	if kind, _ := contentType(r); kind != "application/x-www-form-urlencoded" {
		return nil, because(KindBody, "the body is not a form")
	}
	form, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, because(KindMalformed, "the form cannot be read")
	}
	return form, nil
}

// formParams are name and value of each field, sorted, with nothing between. What is there twice counts once.
func formParams(r *Request) ([]byte, *Reason) {
	form, reason := urlencoded(r)
	if reason != nil {
		return nil, reason
	}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	var params []byte
	for _, name := range names {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			params = append(append(params, name...), value...)
		}
	}
	return params, nil
}

// jsonField finds the values at a JSON pointer through objects: more than one where a name on the way is there twice. A string stands
// for what it means, a number for how it is written.
func jsonField(body []byte, pointer string) ([]string, *Reason) {
	if !json.Valid(body) {
		return nil, because(KindBody, "the body is not JSON")
	}
	found := []json.RawMessage{body}
	for _, segment := range strings.Split(pointer, "/")[1:] {
		segment = strings.NewReplacer("~1", "/", "~0", "~").Replace(segment)
		var next []json.RawMessage
		for _, value := range found {
			members, err := jsonMembers(value)
			if err != nil {
				continue // not an object
			}
			for _, m := range members {
				if m.name == segment {
					next = append(next, m.value)
				}
			}
		}
		found = next
	}
	var values []string
	for _, raw := range found {
		raw = bytes.TrimSpace(raw)
		switch c := raw[0]; {
		case c == '"':
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return nil, because(KindMalformed, "the field %s of the body cannot be read", pointer)
			}
			values = append(values, s)
		case c == '-' || c >= '0' && c <= '9':
			values = append(values, string(raw))
		default:
			return nil, because(KindMalformed, "the field %s of the body is neither a string nor a number", pointer)
		}
	}
	return values, nil
}

type member struct {
	name  string
	value json.RawMessage
}

// jsonMembers are the members of an object in their order, with those that are there twice.
func jsonMembers(object []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not an object")
	}
	var members []member
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		m := member{}
		m.name, _ = name.(string)
		if err := d.Decode(&m.value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}
