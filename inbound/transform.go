package inbound

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

// Bounds of what transforms are given and make.
const (
	maxTransforms  = 32      // of a row
	maxPattern     = 1 << 10 // bytes of a regular expression
	maxPatternText = 64 << 10
	maxValue       = 1 << 20 // bytes of a value that a transform makes
	maxTable       = 10_000  // entries of a lookup table
)

// transform changes a value on its way. It is given JSON, or nil for what is missing, and gives the same.
type transform struct {
	name string
	// whole says that a list is changed as one value; else each of its elements is.
	whole bool
	run   func(raw []byte) ([]byte, error)
}

// missError says that a value is none of those that a table has. It is left out, and its owner is told.
type missError struct{ message string }

func (e *missError) Error() string { return e.message }

// transformNames are all transforms.
func transformNames() []string {
	return []string{"trim", "lower", "upper", "title", "number", "boolean", "date", "split", "join", "replace", "default", "lookup", "unescape"}
}

// newTransform checks a transform and makes it ready. The error is a clause.
func newTransform(t postroom.Transform) (transform, error) {
	var run func([]byte) ([]byte, error)
	var err error
	switch t.Name {
	case "trim":
		run, err = onText(trim), noArgument(t.Arg)
	case "unescape":
		run, err = unescape, noArgument(t.Arg)
	case "lower", "upper", "title":
		run, err = newCase(t)
	case "number":
		run, err = newNumber(t.Arg)
	case "boolean":
		run, err = newBoolean(t.Arg)
	case "date":
		run, err = newDate(t.Arg)
	case "split":
		run, err = newSplit(t.Arg)
	case "join":
		run, err = newJoin(t.Arg)
	case "replace":
		run, err = newReplace(t.Arg)
	case "default":
		run, err = newDefault(t.Arg)
	case "lookup":
		run, err = newLookup(t.Arg)
	default:
		err = fmt.Errorf("there is no transform %q%s; there are %s", t.Name, nearest.Hint(t.Name, transformNames()), strings.Join(transformNames(), ", "))
	}
	return transform{t.Name, t.Name == "join" || t.Name == "default", run}, err
}

// apply runs the transform on a value, or on each element of a list.
func (t *transform) apply(raw []byte) ([]byte, error) {
	if t.whole || payload.KindOf(raw) != payload.KindArray {
		out, err := t.run(raw)
		if err == nil && len(out) > max(maxValue, len(raw)) {
			err = fmt.Errorf("%s makes more than %d bytes of it", t.name, maxValue)
		}
		return out, err
	}
	list := []byte{'['}
	err := payload.Elements(raw, func(element []byte) error {
		out, err := t.run(element)
		if err != nil || out == nil {
			return err
		}
		if list = append(payload.AppendComma(list), out...); len(list) > max(maxValue, len(raw)) {
			return fmt.Errorf("%s makes more than %d bytes of it", t.name, maxValue)
		}
		return nil
	})
	return append(list, ']'), err
}

// decodeArg reads the argument of a transform strictly.
func decodeArg(arg json.RawMessage, v any, form string) error {
	d := json.NewDecoder(bytes.NewReader(arg))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		if field, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
			return fmt.Errorf("there is no %s in it: it is written %s", field, form)
		}
		return fmt.Errorf("it is written %s", form)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("it is written %s", form)
	}
	return nil
}

func noArgument(arg json.RawMessage) error {
	if arg != nil && string(arg) != "null" && string(arg) != "{}" && string(arg) != "true" {
		return errors.New("this transform takes no argument")
	}
	return nil
}

// onText changes texts. Other plain values and null stay as they are.
func onText(change func(string) string) func([]byte) ([]byte, error) {
	return func(raw []byte) ([]byte, error) {
		switch kind := payload.KindOf(raw); kind {
		case payload.KindString:
			s, err := payload.String(raw)
			return jsonText(change(s)), err
		case payload.KindObject, payload.KindArray:
			return nil, fmt.Errorf("%s is not a text", kind)
		}
		return raw, nil
	}
}

// trim takes white space off both ends, also that which has no width.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff' })
}

func unescape(raw []byte) ([]byte, error) {
	if payload.KindOf(raw) != payload.KindString {
		return onText(nil)(raw)
	}
	s, err := payload.String(raw)
	if err != nil {
		return nil, err
	}
	if s, err = url.PathUnescape(s); err != nil {
		return nil, errors.New("a percent sign is not followed by two hexadecimal digits")
	}
	return jsonText(s), nil
}

// newCase makes lower, upper or title. The argument is a language, whose rules count: {"upper":"tr"}.
func newCase(t postroom.Transform) (func([]byte) ([]byte, error), error) {
	tag := language.Und
	if t.Arg != nil {
		var name string
		if err := decodeArg(t.Arg, &name, fmt.Sprintf(`{%q: "tr"}, with a language, or %q`, t.Name, t.Name)); err != nil {
			return nil, err
		}
		var err error
		if tag, err = language.Parse(name); err != nil {
			return nil, fmt.Errorf("%q is no language, such as en or tr", name)
		}
	}
	// A Caser has a state, and is made for each text.
	caser := map[string]func() cases.Caser{
		"lower": func() cases.Caser { return cases.Lower(tag) },
		"upper": func() cases.Caser { return cases.Upper(tag) },
		"title": func() cases.Caser { return cases.Title(tag) },
	}[t.Name]
	return onText(func(s string) string { c := caser(); return c.String(s) }), nil
}

// newBoolean makes the transform that reads true and false as people write them, and further words for both.
func newBoolean(arg json.RawMessage) (func([]byte) ([]byte, error), error) {
	var more struct{ True, False []string }
	if arg != nil {
		if err := decodeArg(arg, &more, `"boolean", or {"boolean": {"true": ["ja"], "false": ["nein"]}}`); err != nil {
			return nil, err
		}
	}
	words := map[string]string{"true": "true", "yes": "true", "y": "true", "on": "true", "1": "true", "t": "true",
		"false": "false", "no": "false", "n": "false", "off": "false", "0": "false", "f": "false"}
	for _, w := range more.True {
		words[strings.ToLower(trim(w))] = "true"
	}
	for _, w := range more.False {
		words[strings.ToLower(trim(w))] = "false"
	}
	return func(raw []byte) ([]byte, error) {
		text, err := textOf(raw)
		if err != nil {
			return nil, err
		}
		if text = strings.ToLower(trim(text)); text == "" {
			return nil, nil
		}
		b, known := words[text]
		if !known {
			return nil, errors.New("this is neither yes nor no: true, yes, y, on, 1, false, no, n, off, 0")
		}
		return []byte(b), nil
	}, nil
}

// newSplit makes the transform that takes a text apart.
func newSplit(arg json.RawMessage) (func([]byte) ([]byte, error), error) {
	const form = `{"split": ","} or {"split": {"by": " ", "part": 1}}`
	var by string
	var o struct {
		By   string
		Part int
	}
	if json.Unmarshal(arg, &by) == nil {
		o.By = by
	} else if err := decodeArg(arg, &o, form); err != nil {
		return nil, err
	}
	if o.By == "" {
		return nil, fmt.Errorf("it takes what stands between the parts: %s", form)
	}
	return func(raw []byte) ([]byte, error) {
		if isMissing(raw) {
			return raw, nil
		}
		text, err := textOf(raw)
		if err != nil {
			return nil, err
		}
		var parts []string
		for part := range strings.SplitSeq(text, o.By) {
			if part = trim(part); part != "" {
				parts = append(parts, part)
			}
		}
		if o.Part != 0 {
			at := o.Part - 1
			if o.Part < 0 {
				at = len(parts) + o.Part
			}
			if at < 0 || at >= len(parts) {
				return nil, nil
			}
			return jsonText(parts[at]), nil
		}
		list := []byte{'['}
		for _, part := range parts {
			list = payload.AppendString(payload.AppendComma(list), part)
		}
		return append(list, ']'), nil
	}, nil
}

// newJoin makes the transform that puts the elements of a list together as one text. What is missing or empty is left out.
func newJoin(arg json.RawMessage) (func([]byte) ([]byte, error), error) {
	between := " "
	if arg != nil {
		if err := decodeArg(arg, &between, `"join" (with a space) or {"join": ", "}`); err != nil {
			return nil, err
		}
	}
	return func(raw []byte) ([]byte, error) { return join(raw, between) }, nil
}

func join(raw []byte, between string) ([]byte, error) {
	if isMissing(raw) {
		return raw, nil
	}
	if payload.KindOf(raw) != payload.KindArray {
		text, err := textOf(raw)
		return jsonText(text), err
	}
	var parts []string
	err := payload.Elements(raw, func(element []byte) error {
		text, err := textOf(element)
		if err == nil && trim(text) != "" {
			parts = append(parts, text)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%w, and cannot be joined", err)
	}
	if parts == nil {
		return nil, nil
	}
	return jsonText(strings.Join(parts, between)), nil
}

// newReplace makes the transform that replaces a text, or what a regular expression matches.
func newReplace(arg json.RawMessage) (func([]byte) ([]byte, error), error) {
	const form = `{"replace": {"old": "-", "new": ""}} or {"replace": {"pattern": "[^0-9]", "new": ""}}`
	var o struct{ Old, Pattern, New string }
	if err := decodeArg(arg, &o, form); err != nil {
		return nil, err
	}
	if (o.Old == "") == (o.Pattern == "") {
		return nil, fmt.Errorf("it takes what is replaced, as old or as a pattern: %s", form)
	}
	if len(o.Pattern) > maxPattern {
		return nil, fmt.Errorf("a pattern is at most %d bytes long", maxPattern)
	}
	var pattern *regexp.Regexp
	if o.Pattern != "" {
		var err error
		if pattern, err = regexp.Compile(o.Pattern); err != nil {
			return nil, fmt.Errorf("the pattern is no regular expression (RE2): %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	return func(raw []byte) ([]byte, error) {
		if isMissing(raw) {
			return raw, nil
		}
		text, err := textOf(raw)
		if err != nil {
			return nil, err
		}
		if pattern == nil {
			if grown := strings.Count(text, o.Old) * (len(o.New) - len(o.Old)); len(text)+grown > maxValue && grown > 0 {
				return nil, fmt.Errorf("replace makes more than %d bytes of it", maxValue)
			}
			return jsonText(strings.ReplaceAll(text, o.Old, o.New)), nil
		}
		if len(text) > maxPatternText {
			return nil, fmt.Errorf("patterns are for texts of up to %d bytes", maxPatternText)
		}
		return replacePattern(pattern, text, o.New)
	}, nil
}

// replacePattern replaces each match; $1 and ${name} in what is new stand for groups. It ends when the text becomes too long.
func replacePattern(pattern *regexp.Regexp, text, with string) ([]byte, error) {
	var out []byte
	from := 0
	for _, match := range pattern.FindAllStringSubmatchIndex(text, -1) {
		out = append(out, text[from:match[0]]...)
		out = pattern.ExpandString(out, with, text, match)
		if from = match[1]; len(out) > maxValue {
			return nil, fmt.Errorf("replace makes more than %d bytes of it", maxValue)
		}
	}
	return jsonText(string(append(out, text[from:]...))), nil
}

// newDefault makes the transform that stands in for what is missing, null or an empty text.
func newDefault(arg json.RawMessage) (func([]byte) ([]byte, error), error) {
	if arg == nil || payload.Valid(arg) != nil {
		return nil, errors.New(`it takes the value that stands in: {"default": "unknown"}`)
	}
	return func(raw []byte) ([]byte, error) {
		if isEmpty(raw) || string(raw) == "[]" {
			return arg, nil
		}
		return raw, nil
	}, nil
}

// newLookup makes the transform that finds a value in a table.
func newLookup(arg json.RawMessage) (func([]byte) ([]byte, error), error) {
	var o struct {
		Table      map[string]json.RawMessage `json:"table"`
		Default    json.RawMessage            `json:"default"`
		IgnoreCase bool                       `json:"ignore_case"`
	}
	if err := decodeArg(arg, &o, `{"lookup": {"table": {"1": "gold", "2": "silver"}, "default": "none"}}`); err != nil {
		return nil, err
	}
	if len(o.Table) == 0 || len(o.Table) > maxTable {
		return nil, fmt.Errorf("the table has %d entries; it takes 1 to %d", len(o.Table), maxTable)
	}
	fold := func(s string) string { return s }
	if o.IgnoreCase {
		fold = strings.ToLower
	}
	table := make(map[string]json.RawMessage, len(o.Table))
	for key, value := range o.Table {
		if _, twice := table[fold(key)]; twice {
			return nil, fmt.Errorf("the table has %q twice, in upper and lower case", key)
		}
		table[fold(key)] = value
	}
	return func(raw []byte) ([]byte, error) {
		text, err := textOf(raw)
		if err != nil {
			return nil, err
		}
		if value, found := table[fold(text)]; found {
			return value, nil
		}
		if o.Default != nil || isMissing(raw) {
			return o.Default, nil
		}
		return nil, &missError{"the lookup table does not have it, and no default"}
	}, nil
}
