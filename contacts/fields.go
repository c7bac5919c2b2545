package contacts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// setCustomFields sets, changes and takes away custom fields.
func (p *plan) setCustomFields() {
	for _, key := range slices.Sorted(maps.Keys(p.change.Fields.CustomFields)) {
		raw := p.change.Fields.CustomFields[key]
		pointer := "/custom_fields/" + pointerToken(key)
		name, err := FieldName(key)
		if err != nil {
			p.problems.Add(pointer, "%s", err)
			continue
		}
		value, err := p.fieldValue(name, raw)
		switch {
		case err != nil:
			p.problems.Add(pointer, "%s", err)
		case value == nil:
			delete(p.after.CustomFields, name)
		default:
			if p.after.CustomFields == nil {
				p.after.CustomFields = map[string]json.RawMessage{}
			}
			p.after.CustomFields[name] = value
		}
	}
}

// pointerToken writes a key as part of a JSON pointer.
func pointerToken(key string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// fieldValue is the value of a custom field as it is stored; nil for none.
func (p *plan) fieldValue(name string, raw json.RawMessage) (json.RawMessage, error) {
	at := slices.IndexFunc(p.fields, func(f postroom.Field) bool { return f.Name == name })
	field := postroom.Field{Name: name, Type: postroom.FieldJSON}
	if at >= 0 {
		field = p.fields[at]
	}
	return Value(field, raw)
}

// checkFields bounds what custom fields take together.
func (p *plan) checkFields() {
	if len(p.after.CustomFields) > postroom.MaxContactFields {
		p.problems.Add("/custom_fields", "a contact has at most %d custom fields", postroom.MaxContactFields)
	}
	size := 0
	for name, value := range p.after.CustomFields {
		size += len(name) + len(value) + 4
	}
	if size > postroom.MaxContactDocument {
		p.problems.Add("/custom_fields", "a contact's custom fields have at most %d bytes as JSON, and these have %d", postroom.MaxContactDocument, size)
	}
}

// Value brings a JSON value into the form in which a field of its type is stored: "18" becomes a number, 1 becomes true. Numbers keep
// their spelling. It is nil for null, and for an empty text where the type has no empty value.
func Value(field postroom.Field, raw json.RawMessage) (json.RawMessage, error) {
	if raw == nil {
		return nil, nil
	}
	if err := payload.Valid(raw); err != nil {
		return nil, fmt.Errorf("this is not JSON: %w", err)
	}
	kind := payload.KindOf(raw)
	if kind == payload.KindNull {
		return nil, nil
	}
	var text string
	switch kind {
	case payload.KindString:
		var err error
		if text, err = payload.String(raw); err != nil {
			return nil, err
		}
	case payload.KindNumber, payload.KindBool:
		text = string(bytes.TrimSpace(raw))
	}
	isText := field.Type == postroom.FieldText || field.Type == postroom.FieldJSON
	if kind == payload.KindString && !isText && isBlank(text) {
		return nil, nil // a form sends an empty text for what was not filled in
	}
	isScalar := kind != payload.KindObject && kind != payload.KindArray
	switch field.Type {
	case postroom.FieldText:
		if isScalar {
			return payload.AppendString(nil, text), nil
		}
		return nil, fmt.Errorf("the field holds a text, and this is %s", kind)
	case postroom.FieldNumber:
		return number(kind, text)
	case postroom.FieldBoolean:
		return boolean(text)
	case postroom.FieldDate:
		return date(kind, text)
	case postroom.FieldChoice:
		return choice(field.Options, text)
	}
	var b bytes.Buffer
	err := json.Compact(&b, raw)
	return b.Bytes(), err
}

func number(kind payload.Kind, text string) (json.RawMessage, error) {
	text = trim(text)
	if kind != payload.KindBool && payload.KindOf([]byte(text)) == payload.KindNumber && payload.Valid([]byte(text)) == nil {
		return json.RawMessage(text), nil
	}
	return nil, errors.New("the field holds a number, such as 18 or -2.5")
}

func boolean(text string) (json.RawMessage, error) {
	switch strings.ToLower(trim(text)) {
	case "true", "yes", "on", "1":
		return json.RawMessage("true"), nil
	case "false", "no", "off", "0":
		return json.RawMessage("false"), nil
	}
	return nil, errors.New("the field holds true or false")
}

func date(kind payload.Kind, text string) (json.RawMessage, error) {
	text = trim(text)
	if kind == payload.KindString {
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if _, err := time.Parse(layout, text); err == nil {
				return payload.AppendString(nil, text), nil
			}
		}
	}
	return nil, errors.New("the field holds a date, such as 2026-03-15, or a time, such as 2026-03-15T10:30:00Z")
}

func choice(options []string, text string) (json.RawMessage, error) {
	text = trim(text)
	at := slices.Index(options, text)
	if at < 0 {
		at = slices.IndexFunc(options, func(option string) bool { return postroom.Fold(option) == postroom.Fold(text) })
	}
	if at < 0 {
		return nil, fmt.Errorf("the field holds one of %s", quoted(options))
	}
	return payload.AppendString(nil, options[at]), nil
}

// quoted lists some words for a message.
func quoted(words []string) string {
	const most = 10
	more := len(words) > most
	b := make([]byte, 0, 64)
	for i, w := range words[:min(len(words), most)] {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = payload.AppendString(b, cut(w))
	}
	if more {
		b = append(b, " and others"...)
	}
	return string(b)
}

// CheckField refuses a custom field that cannot be declared, and gives it as it is stored.
func CheckField(f postroom.Field) (postroom.Field, error) {
	var problems postroom.Problems
	var err error
	if f.Name, err = FieldName(f.Name); err != nil {
		problems.Add("/name", "%s", err)
	}
	if f.Title, err = clean(f.Title, postroom.MaxContactText); err != nil {
		problems.Add("/title", "%s", err)
	}
	types := []postroom.FieldType{postroom.FieldText, postroom.FieldNumber, postroom.FieldBoolean, postroom.FieldDate, postroom.FieldChoice, postroom.FieldJSON}
	if !slices.Contains(types, f.Type) {
		problems.Add("/type", "%q is not a type of fields: it is one of text, number, boolean, date, choice and json", cut(string(f.Type)))
	}
	switch {
	case f.Type == postroom.FieldChoice && len(f.Options) == 0:
		problems.Add("/options", "a choice needs options")
	case f.Type != postroom.FieldChoice && len(f.Options) > 0:
		problems.Add("/options", "only a choice has options")
	}
	f.Options = slices.Clone(f.Options)
	for i, option := range f.Options {
		cleaned, err := clean(option, postroom.MaxContactText)
		if err != nil || cleaned == "" || slices.Contains(f.Options[:i], cleaned) {
			problems.Add(fmt.Sprintf("/options/%d", i), "an option is a text of 1 to %d characters, and none comes twice", postroom.MaxContactText)
		}
		f.Options[i] = cleaned
	}
	if size := utf8.RuneCountInString(strings.Join(f.Options, "")); size > 1<<14 {
		problems.Add("/options", "the options have %d characters together, and at most %d are allowed", size, 1<<14)
	}
	return f, problems.Err()
}
