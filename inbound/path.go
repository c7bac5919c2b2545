package inbound

import (
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

const (
	maxPath  = 512 // bytes
	maxSteps = 32
	wholeRef = "." // the path of the whole body
)

// path is a way to a value of an item, or of the call that brought it. docs/mapping.md describes how it is written.
type path struct {
	text  string
	root  root
	steps []step // without the root
}

// root is where a path begins.
type root uint8

const (
	rootBody root = iota
	rootHeaders
	rootQuery
	rootRequest
)

// step is one step of a path into a JSON value.
type step struct {
	name  string // of an object's member
	index int    // of a list's element; -1 if the step is none
	every bool   // each element of a list, or value of an object
}

// requestFields are what a path may name of the request itself.
var requestFields = []string{"id", "ip", "time"}

// parsePath reads a path. The error is a clause that names the place and, where it can, what was meant.
func parsePath(text string) (path, error) {
	p := path{text: text}
	switch {
	case text == "":
		return p, errors.New(`a path is missing, such as contact.email; the whole body is "."`)
	case len(text) > maxPath:
		return p, fmt.Errorf("a path is at most %d bytes long", maxPath)
	case text == wholeRef:
		return p, nil
	}
	if meant := foreign(text); meant != "" {
		if _, err := parsePath(meant); err == nil {
			return p, fmt.Errorf("this is not how paths are written here (did you mean %s?)", meant)
		}
	}
	r := pathReader{text: text}
	for r.at < len(text) {
		s, err := r.step()
		if err != nil {
			return p, err
		}
		if p.steps = append(p.steps, s); len(p.steps) > maxSteps {
			return p, fmt.Errorf("a path has at most %d steps", maxSteps)
		}
	}
	if len(p.steps) > 1 && !r.quotedFirst {
		switch p.steps[0].name {
		case "headers":
			p.root = rootHeaders
		case "query":
			p.root = rootQuery
		case "request":
			p.root = rootRequest
		}
	}
	if p.root != rootBody {
		p.steps = p.steps[1:]
	}
	err := p.checkRoot()
	return p, err
}

// checkRoot refuses what the roots beside the body do not have.
func (p *path) checkRoot() error {
	if p.root == rootBody {
		return nil
	}
	first := &p.steps[0]
	if first.name == "" {
		return fmt.Errorf(`after %s stands a name; a field of the body with this name is written ["…"]`, p.text[:strings.IndexAny(p.text, ".[")])
	}
	switch p.root {
	case rootHeaders:
		first.name = textproto.CanonicalMIMEHeaderKey(first.name)
	case rootRequest:
		if !slices.Contains(requestFields, first.name) || len(p.steps) > 1 {
			return fmt.Errorf("of the request there are id, ip and time%s; a field of the body that is called request is written [\"request\"]", nearest.Hint(first.name, requestFields))
		}
		return nil
	}
	if len(p.steps) > 2 || len(p.steps) == 2 && p.steps[1].index < 0 && !p.steps[1].every {
		return errors.New("a header or parameter is a text: nothing can be named in it; a name with a dot is written [\"a.b\"]")
	}
	return nil
}

// foreign guesses what was meant by a path as other systems write them.
func foreign(text string) string {
	meant := text
	meant = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(meant, "{{"), "}}"), "{"), "}")
	meant = strings.TrimPrefix(strings.TrimSpace(meant), "$.")
	meant = strings.ReplaceAll(meant, "[]", "[*]")
	if pointer, ok := strings.CutPrefix(meant, "/"); ok {
		meant = strings.ReplaceAll(pointer, "/", ".")
	}
	for strings.Contains(meant, "..") {
		meant = strings.ReplaceAll(meant, "..", ".")
	}
	if meant = strings.Trim(meant, "."); meant == text {
		return ""
	}
	return meant
}

// pathReader reads the steps of a path.
type pathReader struct {
	text        string
	at          int
	quotedFirst bool
}

func (r *pathReader) fail(format string, args ...any) error {
	return fmt.Errorf("character %d: %s", utf8.RuneCountInString(r.text[:r.at])+1, fmt.Sprintf(format, args...))
}

func (r *pathReader) step() (step, error) {
	if r.text[r.at] == '[' {
		return r.bracket()
	}
	if r.at > 0 {
		if r.text[r.at] != '.' {
			return step{}, r.fail("after ] comes a dot or another [")
		}
		r.at++
	}
	rest := r.text[r.at:]
	if strings.HasPrefix(rest, "*") {
		if r.at++; r.at < len(r.text) && r.text[r.at] != '.' && r.text[r.at] != '[' {
			return step{}, r.fail("after * comes a dot or a [")
		}
		return step{index: -1, every: true}, nil
	}
	end := strings.IndexFunc(rest, func(c rune) bool { return strings.ContainsRune(`.[]*"'`, c) || unicode.IsControl(c) })
	name := rest
	if end >= 0 {
		name = rest[:end]
	}
	if name == "" || end >= 0 && rest[end] != '.' && rest[end] != '[' || strings.TrimSpace(name) != name {
		return step{}, r.fail(`here stands a name; one with dots, brackets, quotes or spaces at its ends is written ["like this"]`)
	}
	r.at += len(name)
	return step{name: name, index: listIndex(name)}, nil
}

// bracket reads [0], [*] or ["name"], in which \ takes the meaning from the character that follows.
func (r *pathReader) bracket() (step, error) {
	start := r.at
	r.at++
	if r.at < len(r.text) && (r.text[r.at] == '"' || r.text[r.at] == '\'') {
		return r.quoted(start)
	}
	inside, _, closed := strings.Cut(r.text[r.at:], "]")
	s := step{index: listIndex(inside), every: inside == "*"}
	if !closed || s.index < 0 && !s.every {
		hint := ""
		if closed && inside != "" && !strings.ContainsAny(inside, `"'[`) {
			hint = fmt.Sprintf(" (did you mean [%q]?)", inside)
		}
		return s, r.fail("in brackets stands the place of an element, from 0, a * for all of them, or a name in quotes%s", hint)
	}
	r.at += len(inside) + 1
	return s, nil
}

func (r *pathReader) quoted(start int) (step, error) {
	quote := r.text[r.at]
	var name strings.Builder
	for i := r.at + 1; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '\\' && i+1 < len(r.text):
			i++
			name.WriteByte(r.text[i])
		case c == quote:
			if i+1 == len(r.text) || r.text[i+1] != ']' {
				r.at = i + 1
				return step{}, r.fail("here the bracket ends: ]")
			}
			r.at, r.quotedFirst = i+2, r.quotedFirst || start == 0
			return step{name: name.String(), index: -1}, nil
		default:
			name.WriteByte(c)
		}
	}
	return step{}, r.fail("the quote has no end")
}

// listIndex is the number that a text writes as the place of a list's element, or -1.
func listIndex(text string) int {
	if text == "" || len(text) > 9 || text[0] == '0' && len(text) > 1 || strings.Trim(text, "0123456789") != "" {
		return -1
	}
	n, _ := strconv.Atoi(text) // nine digits
	return n
}

// find gives the value that the path leads to as JSON, nil if there is none. A path with a * gives a list of all that there is.
func (p *path) find(c *Call, body []byte) []byte {
	switch p.root {
	case rootHeaders:
		return p.among(c.Header[p.steps[0].name])
	case rootQuery:
		return p.among(c.Query[p.steps[0].name])
	case rootRequest:
		switch p.steps[0].name {
		case "id":
			return payload.AppendString(nil, c.ID.String())
		case "ip":
			return payload.AppendString(nil, c.Sender)
		default:
			return payload.AppendTime(nil, c.At)
		}
	}
	return follow(body, p.steps)
}

// among picks from the values of a header or parameter: the text where there is one, else the list.
func (p *path) among(values []string) []byte {
	if len(values) == 0 {
		return nil
	}
	if len(p.steps) == 1 && len(values) == 1 {
		return payload.AppendString(nil, values[0])
	}
	list := []byte{'['}
	for _, v := range values {
		list = payload.AppendString(payload.AppendComma(list), v)
	}
	return follow(append(list, ']'), p.steps[1:])
}

// follow finds the value in raw that steps lead to: a part of it, or nil. Of members with one name the last counts.
func follow(raw []byte, steps []step) []byte {
	for i, s := range steps {
		if s.every {
			if kind := payload.KindOf(raw); kind != payload.KindArray && kind != payload.KindObject {
				return nil
			}
			return append(gather([]byte{'['}, raw, steps[i:]), ']')
		}
		if raw = descend(raw, s); raw == nil {
			return nil
		}
	}
	return raw
}

// gather appends what steps lead to, with commas between. What is not there is left out.
func gather(dst, raw []byte, steps []step) []byte {
	for i, s := range steps {
		if s.every {
			next := func(value []byte) error {
				dst = gather(dst, value, steps[i+1:])
				return nil
			}
			switch payload.KindOf(raw) { // the body is valid: it was checked when it was read
			case payload.KindArray:
				_ = payload.Elements(raw, next)
			case payload.KindObject:
				_ = payload.Members(raw, func(_, value []byte) error { return next(value) })
			}
			return dst
		}
		if raw = descend(raw, s); raw == nil {
			return dst
		}
	}
	return append(payload.AppendComma(dst), raw...)
}

// errFound ends the reading of a list whose element was found.
var errFound = errors.New("found")

// descend finds a member of an object, or an element of a list; nil if there is none.
func descend(raw []byte, s step) (found []byte) {
	switch payload.KindOf(raw) {
	case payload.KindObject:
		if s.name == "" && s.index >= 0 {
			return nil // [0] is for lists
		}
		_ = payload.Members(raw, func(key, value []byte) error {
			if string(key) == s.name {
				found = value
			}
			return nil
		})
	case payload.KindArray:
		if s.index < 0 {
			return nil
		}
		i := 0
		_ = payload.Elements(raw, func(value []byte) error {
			if i == s.index {
				found = value
				return errFound
			}
			i++
			return nil
		})
	}
	return found
}

// memberOf tells whether the path is that of one member of an object at a base, and gives the member's name.
func (p *path) memberOf(base *path) (string, bool) {
	n := len(base.steps)
	if p.root != rootBody || base.root != rootBody || len(p.steps) != n+1 || !slices.Equal(p.steps[:n], base.steps) || p.steps[n].every {
		return "", false
	}
	return p.steps[n].name, true
}

// timeText is a time as JSON, as RFC 3339 writes it, in UTC.
func timeText(t time.Time) []byte {
	return payload.AppendString(nil, t.UTC().Format(time.RFC3339Nano))
}
