package payload

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Function is a function of the language, beyond CEL's own.
type Function struct {
	Name    string
	Usage   string // its arguments, as they are written
	Meaning string // a phrase for people
	call    func(args []ref.Val) (ref.Val, error)
	most    int // arguments; the least is 1
}

// language is all of the functions. Each gives null for null.
var language = []Function{
	{"unix", "unix(time)", "the time in whole seconds since 1970", atTime(func(t time.Time) ref.Val { return types.Int(t.Unix()) }), 1},
	{"unix_ms", "unix_ms(time)", "the time in whole milliseconds since 1970", atTime(func(t time.Time) ref.Val { return types.Int(t.UnixMilli()) }), 1},
	{"iso", "iso(time)", "the time in UTC to the second, such as 2026-03-15T10:30:00Z",
		atTime(func(t time.Time) ref.Val { return types.String(t.UTC().Format("2006-01-02T15:04:05Z")) }), 1},
	{"date", "date(time)", "the day in UTC, such as 2026-03-15",
		atTime(func(t time.Time) ref.Val { return types.String(t.UTC().Format(time.DateOnly)) }), 1},
	{"lower", "lower(text)", "the text in lower case", onText(strings.ToLower), 1},
	{"upper", "upper(text)", "the text in upper case", onText(strings.ToUpper), 1},
	{"percent", "percent(text)", "the text with all but visible ASCII, and with quotes and percent signs, as %XX", onText(percentEncode), 1},
	{"text", "text(value)", "the value as it would be inside of a text", textFunction, 1},
	{"json", "json(value)", "the value as JSON, in a text", jsonFunction, 1},
	{"join", `join(list, ", ")`, "the elements as one text, with the second text between them", joinFunction, 2},
	{"flatten", `flatten(object, "_")`, "an object without objects in it: {\"a\":{\"b\":1}} becomes {\"a_b\":1}", flattenFunction, 2},
}

// Functions lists the functions of the language, beyond CEL's own.
func Functions() []Function { return slices.Clone(language) }

func functionNames() []string {
	names := make([]string, len(language))
	for i, f := range language {
		names[i] = f.Name
	}
	return names
}

func functions() []cel.EnvOption {
	var options []cel.EnvOption
	for _, f := range language {
		call := func(args ...ref.Val) ref.Val {
			if args[0] == types.NullValue {
				return args[0]
			}
			v, err := f.call(args)
			if err != nil {
				return types.NewErr("%s: %s", f.Name, err)
			}
			return v
		}
		var overloads []cel.FunctionOpt
		for n := 1; n <= f.most; n++ {
			args := slices.Repeat([]*cel.Type{cel.DynType}, n)
			overloads = append(overloads, cel.Overload(fmt.Sprintf("%s_%d", f.Name, n), args, cel.DynType, cel.FunctionBinding(call)))
		}
		options = append(options, cel.Function(f.Name, overloads...))
	}
	return options
}

func atTime(fn func(time.Time) ref.Val) func([]ref.Val) (ref.Val, error) {
	return func(args []ref.Val) (ref.Val, error) {
		t, err := timeOf(args[0])
		if err != nil {
			return nil, err
		}
		return fn(t), nil
	}
}

func onText(fn func(string) string) func([]ref.Val) (ref.Val, error) {
	return func(args []ref.Val) (ref.Val, error) {
		s, ok := args[0].(types.String)
		if !ok {
			return nil, fmt.Errorf("a %s is not a text", args[0].Type().TypeName())
		}
		return types.String(fn(string(s))), nil
	}
}

// percentEncode writes a text as the HTTP binding of CloudEvents 1.0 (3.1.3.2) wants the value of a header.
func percentEncode(s string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToValidUTF8(s, "\uFFFD")) {
		if c <= ' ' || c > '~' || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// plainText is a value as text.
func plainText(v ref.Val) (string, error) {
	if s, isText := v.(types.String); isText {
		return string(s), nil
	}
	raw, err := appendVal(nil, v, 0)
	if err != nil {
		return "", err
	}
	text, err := appendPlain(nil, raw)
	return string(text), err
}

func textFunction(args []ref.Val) (ref.Val, error) {
	s, err := plainText(args[0])
	return types.String(s), err
}

func jsonFunction(args []ref.Val) (ref.Val, error) {
	raw, err := appendVal(nil, args[0], 0)
	if err != nil {
		return nil, err
	}
	js, err := AppendJS(nil, raw)
	return types.String(js), err
}

// separator is the second argument, if there is one.
func separator(args []ref.Val, otherwise string) (string, error) {
	if len(args) == 1 {
		return otherwise, nil
	}
	s, ok := args[1].(types.String)
	if !ok {
		return "", errors.New("what comes between must be a text")
	}
	return string(s), nil
}

func joinFunction(args []ref.Val) (ref.Val, error) {
	between, err := separator(args, ", ")
	if err != nil {
		return nil, err
	}
	list, ok := args[0].(traits.Lister)
	if !ok {
		return nil, fmt.Errorf("a %s is not a list", args[0].Type().TypeName())
	}
	var parts []string
	for it := list.Iterator(); it.HasNext() == types.True; {
		part, err := plainText(it.Next())
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return types.String(strings.Join(parts, between)), nil
}

// maxFlattened bounds what flatten makes, in bytes: names grow with each level.
const maxFlattened = 4 << 20

func flattenFunction(args []ref.Val) (ref.Val, error) {
	between, err := separator(args, "_")
	if err != nil {
		return nil, err
	}
	if _, ok := args[0].(traits.Mapper); !ok {
		return nil, fmt.Errorf("a %s is not an object", args[0].Type().TypeName())
	}
	raw, err := appendVal(nil, args[0], 0)
	if err != nil {
		return nil, err
	}
	flat, err := flatten([]byte{'{'}, raw, "", between)
	if err != nil {
		return nil, err
	}
	return &object{raw: append(flat, '}')}, nil
}

// flatten appends the members of an object that are not objects, under the names that lead to them.
func flatten(dst, raw []byte, prefix, between string) ([]byte, error) {
	s := scanner{src: raw, maxDepth: MaxBuiltDepth}
	s.peek()
	s.open()
	for first := true; ; first = false {
		key, more := s.member(first)
		if !more {
			return dst, nil
		}
		value, ok := s.raw()
		if !ok {
			return dst, nil
		}
		name := prefix + string(decode(s.src[key.start:key.end]))
		if KindOf(value) != KindObject {
			dst = append(AppendKey(dst, name), value...)
		} else {
			var err error
			if dst, err = flatten(dst, value, name+between, between); err != nil {
				return dst, err
			}
		}
		if len(dst) > maxFlattened {
			return dst, errors.New("the flat object is too large")
		}
	}
}
