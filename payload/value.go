package payload

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// adapter turns Go values into those of expressions.
type adapter struct{}

func (adapter) NativeToValue(v any) ref.Val {
	if raw, isJSON := v.([]byte); isJSON {
		return fromJSON(raw)
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}

// fromJSON is the value of a JSON text that is valid. Objects are only read when they are looked into, and keep the order of their
// members. Whole numbers that fit are integers.
func fromJSON(raw []byte) ref.Val {
	switch KindOf(raw) {
	case KindObject:
		return &object{raw: raw}
	case KindArray:
		return newList(raw)
	case KindString:
		s, _ := String(raw)
		return types.String(s)
	case KindBool:
		return types.Bool(strings.TrimSpace(string(raw)) == "true")
	case KindNumber:
		text := strings.TrimSpace(string(raw))
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return types.Int(i)
		}
		f, _ := strconv.ParseFloat(text, 64) // too large a number is an infinity
		return types.Double(f)
	}
	return types.NullValue
}

// object is a JSON object in an expression.
type object struct {
	raw  []byte
	keys []string // in the order of JavaScript, once it was read
	all  map[string]any
	traits.Mapper
}

// read looks into the object.
func (o *object) read() *object {
	if o.Mapper != nil {
		return o
	}
	o.all = map[string]any{}
	s := scanner{src: o.raw, maxDepth: MaxBuiltDepth}
	s.peek()
	s.open()
	for first := true; ; first = false {
		key, more := s.member(first)
		if !more {
			break
		}
		raw, ok := s.raw()
		if !ok {
			break
		}
		name := string(decode(s.src[key.start:key.end]))
		if _, again := o.all[name]; !again {
			o.keys = append(o.keys, name)
		}
		o.all[name] = fromJSON(raw)
	}
	slices.SortStableFunc(o.keys, compareKeys)
	o.Mapper = types.NewStringInterfaceMap(adapter{}, o.all)
	return o
}

// compareKeys puts array indexes first, in ascending order, as JavaScript does.
func compareKeys(a, b string) int {
	// As uint64, the -1 of other keys comes after all indexes.
	x, y := uint64(arrayIndex([]byte(`"`+a+`"`))), uint64(arrayIndex([]byte(`"`+b+`"`)))
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// member is a member's value, nil if there is none.
func (o *object) member(name string) ref.Val {
	v, _ := o.read().all[name].(ref.Val)
	return v
}

// The methods of traits.Mapper, which read the object first.

func (o *object) ConvertToNative(t reflect.Type) (any, error) {
	return o.read().Mapper.ConvertToNative(t)
}

func (o *object) ConvertToType(t ref.Type) ref.Val {
	switch t {
	case types.MapType:
		return o
	case types.TypeType:
		return types.MapType
	}
	return o.read().Mapper.ConvertToType(t)
}

func (o *object) Equal(other ref.Val) ref.Val      { return o.read().Mapper.Equal(other) }
func (o *object) Type() ref.Type                   { return types.MapType }
func (o *object) Value() any                       { return o.read().all }
func (o *object) Contains(key ref.Val) ref.Val     { return o.read().Mapper.Contains(key) }
func (o *object) Get(key ref.Val) ref.Val          { return o.read().Mapper.Get(key) }
func (o *object) Find(key ref.Val) (ref.Val, bool) { return o.read().Mapper.Find(key) }
func (o *object) Size() ref.Val                    { return o.read().Mapper.Size() }
func (o *object) Iterator() traits.Iterator {
	return types.NewStringList(adapter{}, o.read().keys).Iterator()
}

// list is a JSON list in an expression.
type list struct {
	raw []byte
	traits.Lister
}

func newList(raw []byte) *list {
	var elements []ref.Val
	s := scanner{src: raw, maxDepth: MaxBuiltDepth}
	s.peek()
	s.open()
	for first := true; s.element(first); first = false {
		element, ok := s.raw()
		if !ok {
			break
		}
		elements = append(elements, fromJSON(element))
	}
	return &list{raw, types.NewRefValList(adapter{}, elements)}
}

var errDeep = errors.New("its value nests too deeply")

// appendVal appends the result of an expression as JSON. It appends nothing, with the error errMissing, for an optional without a
// value.
func appendVal(dst []byte, v ref.Val, depth int) ([]byte, error) {
	if depth > MaxDepth/2 {
		return dst, errDeep
	}
	switch v := v.(type) {
	case *object:
		return append(dst, v.raw...), nil
	case *list:
		return append(dst, v.raw...), nil
	case types.Null:
		return append(dst, "null"...), nil
	case types.Bool:
		return strconv.AppendBool(dst, bool(v)), nil
	case types.Int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case types.Uint:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case types.Double:
		return AppendFloat(dst, float64(v)), nil
	case types.String:
		return AppendString(dst, string(v)), nil
	case types.Bytes:
		return AppendString(dst, base64.StdEncoding.EncodeToString(v)), nil
	case types.Timestamp:
		return AppendTime(dst, v.Time), nil
	case types.Duration:
		return AppendString(dst, v.String()), nil
	case *types.Optional:
		if !v.HasValue() {
			return dst, errMissing
		}
		return appendVal(dst, v.GetValue(), depth)
	case traits.Lister:
		return appendLister(dst, v, depth)
	case traits.Mapper:
		return appendMapper(dst, v, depth)
	case *types.Err:
		return dst, evalError(v)
	}
	return dst, fmt.Errorf("its value is a %s, which JSON does not have", v.Type().TypeName())
}

func appendLister(dst []byte, v traits.Lister, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for i, it := 0, v.Iterator(); it.HasNext() == types.True; i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendVal(dst, it.Next(), depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendMapper appends an object that an expression made. Such a one has no order of its own: its keys are sorted.
func appendMapper(dst []byte, v traits.Mapper, depth int) ([]byte, error) {
	type entry struct {
		key   string
		value ref.Val
	}
	var entries []entry
	for it := v.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		text, ok := key.ConvertToType(types.StringType).(types.String)
		if !ok {
			return dst, errors.New("a key of its object is not a text")
		}
		entries = append(entries, entry{string(text), v.Get(key)})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, e.key), ':')
		var err error
		if dst, err = appendVal(dst, e.value, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// timeOf is the time that a value means: a timestamp, RFC 3339, a date, or seconds since 1970.
func timeOf(v ref.Val) (time.Time, error) {
	switch v := v.(type) {
	case types.Timestamp:
		return inYears(v.Time)
	case types.Int:
		return inYears(time.Unix(int64(v), 0).UTC())
	case types.Double:
		return inYears(time.UnixMicro(int64(float64(v) * 1e6)).UTC())
	case types.String:
		for _, layout := range []string{time.RFC3339Nano, time.DateOnly, "2006-01-02T15:04:05", time.DateTime} {
			if t, err := time.Parse(layout, string(v)); err == nil {
				return inYears(t.UTC())
			}
		}
		return time.Time{}, fmt.Errorf("%.40q is not a time", string(v))
	}
	return time.Time{}, fmt.Errorf("a %s is not a time", v.Type().TypeName())
}

// inYears refuses a time that RFC 3339 cannot write.
func inYears(t time.Time) (time.Time, error) {
	if year := t.Year(); year < 1 || year > 9998 {
		return t, errors.New("the time is beyond what can be written")
	}
	return t, nil
}
