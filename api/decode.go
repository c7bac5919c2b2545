package api

import (
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// decode reads a JSON object into a struct, strictly: fields that do not exist, that come twice or that are of the wrong kind
// are refused, each with its JSON pointer, and all at once. Field names are matched exactly. A field that is not there, or null,
// keeps the value that it has in into, its default. An empty body is an empty object.
func decode(body []byte, into any) error { return (&decoder{}).body(body, into) }

// decodeKnown is decode that leaves fields alone which do not exist.
func decodeKnown(body []byte, into any) error { return (&decoder{lenient: true}).body(body, into) }

func (d *decoder) body(body []byte, into any) error {
	if len(body) == 0 {
		return nil
	}
	if err := payload.Valid(body); err != nil {
		return badJSON(err)
	}
	if kind := payload.KindOf(body); kind != payload.KindObject {
		return notAnObject(kind)
	}
	d.object(body, reflect.ValueOf(into).Elem(), "")
	return d.err()
}

func notAnObject(kind payload.Kind) error {
	return postroom.Errorf(postroom.CodeBadJSON, "The body must be a JSON object; it is %s.", kind)
}

// decoder reads JSON that is known to be valid.
type decoder struct {
	faults
	lenient bool // fields that do not exist are left alone
}

// value reads raw into v.
func (d *decoder) value(raw []byte, v reflect.Value, pointer string) {
	if payload.KindOf(raw) == payload.KindNull {
		return
	}
	switch t := v.Addr().Interface().(type) {
	case *json.RawMessage:
		*t = append(json.RawMessage(nil), raw...)
		return
	case encoding.TextUnmarshaler:
		d.text(raw, t, pointer)
		return
	case json.Unmarshaler: // has forms of its own, such as a string or an object
		d.own(raw, t, pointer)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(raw, v.Elem(), pointer)
	case reflect.Struct:
		if d.isKind(raw, payload.KindObject, pointer) {
			d.object(raw, v, pointer)
		}
	case reflect.Map:
		if d.isKind(raw, payload.KindObject, pointer) {
			d.entries(raw, v, pointer)
		}
	case reflect.Slice:
		if d.isKind(raw, payload.KindArray, pointer) {
			d.elements(raw, v, pointer)
		}
	case reflect.String:
		if d.isKind(raw, payload.KindString, pointer) {
			s, _ := payload.String(raw) // cannot fail: it is a valid string
			v.SetString(s)
		}
	case reflect.Bool:
		if d.isKind(raw, payload.KindBool, pointer) {
			v.SetBool(raw[0] == 't')
		}
	default:
		d.number(raw, v, pointer)
	}
}

// isKind blames a value that is not of the kind that is wanted.
func (d *decoder) isKind(raw []byte, want payload.Kind, pointer string) bool {
	kind := payload.KindOf(raw)
	if kind != want {
		d.add(pointer, "must be %s; it is %s", want, kind)
	}
	return kind == want
}

func (d *decoder) text(raw []byte, t encoding.TextUnmarshaler, pointer string) {
	if !d.isKind(raw, payload.KindString, pointer) {
		return
	}
	s, _ := payload.String(raw) // cannot fail: it is a valid string
	err := t.UnmarshalText([]byte(s))
	if err == nil {
		return
	}
	var e *postroom.Error
	switch _, isTime := t.(*postroom.Timestamp); {
	case isTime:
		d.add(pointer, "%s", notATime)
	case errors.As(err, &e):
		d.addCode(e.Code, pointer, "%s", e.Message)
	default:
		d.add(pointer, "%s", err)
	}
}

// own reads a value of a type that knows its forms.
func (d *decoder) own(raw []byte, t json.Unmarshaler, pointer string) {
	err := t.UnmarshalJSON(raw)
	var e *postroom.Error
	switch {
	case err == nil:
	case errors.As(err, &e):
		d.add(pointer, "%s", e.Message)
	default:
		d.add(pointer, "must be a string, or an array of strings")
	}
}

func (d *decoder) number(raw []byte, v reflect.Value, pointer string) {
	if !d.isKind(raw, payload.KindNumber, pointer) {
		return
	}
	switch {
	case v.CanInt():
		n, err := strconv.ParseInt(string(raw), 10, v.Type().Bits())
		if err != nil {
			d.add(pointer, "must be a whole number, and not a very large one")
			return
		}
		v.SetInt(n)
	case v.CanFloat():
		n, err := strconv.ParseFloat(string(raw), v.Type().Bits())
		if err != nil {
			d.add(pointer, "is too large a number")
			return
		}
		v.SetFloat(n)
	default: // a type that no body has
		d.add(pointer, "cannot be set")
	}
}

func (d *decoder) elements(raw []byte, v reflect.Value, pointer string) {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	_ = payload.Elements(raw, func(raw []byte) error { // cannot fail: it is a valid array
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(raw, element, pointer+"/"+strconv.Itoa(v.Len()))
		v.Set(reflect.Append(v, element))
		return nil
	})
}

func (d *decoder) entries(raw []byte, v reflect.Value, pointer string) {
	v.Set(reflect.MakeMap(v.Type()))
	d.members(raw, pointer, func(key string, raw []byte, at string) {
		entry := reflect.New(v.Type().Elem()).Elem()
		d.value(raw, entry, at)
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), entry)
	})
}

func (d *decoder) object(raw []byte, v reflect.Value, pointer string) {
	fields := jsonFields(v.Type())
	d.members(raw, pointer, func(key string, raw []byte, at string) {
		index, ok := fields[key]
		if !ok && d.lenient {
			return
		}
		if !ok {
			d.addCode(postroom.CodeUnknownField, at, "there is no such field here; %s", listFields(fields))
			return
		}
		d.value(raw, v.FieldByIndex(index), at)
	})
}

var errFull = errors.New("enough faults")

// members calls fn for each member of an object with the pointer to its value, and blames those that come twice.
func (d *decoder) members(raw []byte, pointer string, fn func(key string, raw []byte, at string)) {
	seen := map[string]bool{}
	_ = payload.Members(raw, func(k, raw []byte) error { // fails with errFull only: it is a valid object
		key := string(k)
		at := pointer + "/" + pointerEscape(key)
		if seen[key] {
			d.add(at, "is there twice")
		} else {
			seen[key] = true
			fn(key, raw, at)
		}
		if d.full() {
			return errFull
		}
		return nil
	})
}

// jsonFields finds the fields of a struct, also embedded ones, by their names in JSON.
func jsonFields(t reflect.Type) map[string][]int {
	fields := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		if name := jsonName(f); name != "" {
			fields[name] = f.Index
		}
	}
	return fields
}

// jsonName is the name of a field in JSON; empty if it has none.
func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" || !f.IsExported() {
		return ""
	}
	return name
}

func listFields(fields map[string][]int) string {
	if len(fields) == 0 {
		return "no fields are allowed"
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return "the fields are " + strings.Join(names, ", ")
}

// pointerEscape writes a key for use in a JSON pointer (RFC 6901). A very long key is cut: it is wrong in any case.
func pointerEscape(key string) string {
	const longest = 128
	if len(key) > longest {
		key = strings.ToValidUTF8(key[:longest], "") + "…"
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}
