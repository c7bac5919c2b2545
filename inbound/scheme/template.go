package scheme

import (
	"slices"
	"strings"

	"github.com/postroom/postroom/internal/nearest"
)

// template is a string to sign: texts and names in turn.
type template []segment

type segment struct {
	text  []byte // literal, if name is ""
	name  string
	place place // if name is "place"
}

const (
	nameTimestamp = "timestamp"
	nameID        = "id"
	nameSecret    = "secret"
	namePlace     = "place"
)

// templateNames are the names that a template may have, besides places.
func templateNames() []string {
	return []string{"body", "url", "url_with_port", "url_without_port", "unescaped_url", "path", "query", "method", "params", nameTimestamp, nameID, nameSecret}
}

// parseTemplate reads a template. The complaint is "" if it could.
func parseTemplate(text string) (t template, complaint string) {
	var literal []byte
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			literal = append(literal, text...)
			break
		}
		literal = append(literal, text[:i]...)
		brace, rest := text[i], text[i+1:]
		if rest != "" && rest[0] == brace { // {{ and }}
			literal, text = append(literal, brace), rest[1:]
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		if brace == '}' || !closed {
			return nil, "A brace has no other end; {{ and }} are braces that stand for themselves."
		}
		if len(literal) > 0 {
			t, literal = append(t, segment{text: literal}), nil
		}
		s := segment{name: name}
		if strings.Contains(name, ":") {
			s.name = namePlace
			if s.place, complaint = parsePlace(name); complaint != "" {
				return nil, "{" + name + "}: " + complaint
			}
			if s.place.kind == inItem {
				return nil, "{" + name + "}: an item is named by id or timestamp."
			}
		} else if !slices.Contains(templateNames(), name) {
			return nil, "{" + name + "} is not known" + nearest.Hint(name, templateNames()) + "."
		}
		t, text = append(t, s), after
	}
	if len(literal) > 0 {
		t = append(t, segment{text: literal})
	}
	return t, ""
}

// has tells whether a name is in the template.
func (t template) has(name string) bool {
	return slices.ContainsFunc(t, func(s segment) bool { return s.name == name })
}

// usesSecret tells whether a template holds {secret}.
func usesSecret(text string) bool {
	t, _ := parseTemplate(text)
	return t.has(nameSecret)
}

// values are what a template's names stand for, as far as it is found out before the template is filled in.
type values struct{ timestamp, id string }

// fill gives the parts of the text, without copying the body. {secret} is nil.
func (t template) fill(r *Request, v values) ([][]byte, *Reason) {
	parts := make([][]byte, len(t))
	for i, s := range t {
		part, reason := s.fill(r, v)
		if reason != nil {
			return nil, reason
		}
		parts[i] = part
	}
	return parts, nil
}

func (s segment) fill(r *Request, v values) ([]byte, *Reason) {
	switch s.name {
	case "":
		return s.text, nil
	case "body":
		return r.Body, nil
	case "url":
		return []byte(r.URL), nil
	case "url_with_port":
		return []byte(withPort(r.URL)), nil
	case "url_without_port":
		return []byte(withoutPort(r.URL)), nil
	case "unescaped_url":
		return []byte(unescapeURL(r.URL)), nil
	case "path":
		_, path, _ := splitURL(r.URL)
		return []byte(path), nil
	case "query":
		_, _, query := splitURL(r.URL)
		return []byte(query), nil
	case "method":
		return []byte(r.Method), nil
	case "params":
		return formParams(r)
	case nameTimestamp:
		return []byte(v.timestamp), nil
	case nameID:
		return []byte(v.id), nil
	case namePlace:
		value, reason := s.place.get(r)
		return []byte(value), reason
	}
	return nil, nil // {secret}
}
