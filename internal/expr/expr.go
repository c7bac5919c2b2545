// Package expr compiles and runs expressions in CEL (the Common Expression Language), such as a webhook's filter.
//
//	"event.data.campaign.id == 790" ──▶ Compile (checked, once) ──▶ Program ──▶ Match(event) ──▶ true or false
//
// An expression cannot loop without end, reach anything but its variables, or use more than a bounded amount of work.
package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// MaxLength is the longest expression, in bytes.
const MaxLength = 4096

// costLimit bounds the work of one run, in CEL's units (about one an operation, or ten bytes of a text).
const costLimit = 100_000

// Compiler compiles expressions over variables of given names. It is safe for concurrent use.
type Compiler struct {
	env   *cel.Env
	speak string // what an expression may speak of, for people
}

// NewCompiler makes a compiler of filters: their one variable is event, a map with id, type, time, actor, ordering_key and data.
func NewCompiler() (*Compiler, error) {
	c, err := NewCompilerOf([]string{"event"})
	if err == nil {
		c.speak = "event.type, event.data and so on"
	}
	return c, err
}

// NewCompilerOf makes a compiler of expressions over variables of these names: objects, and values that may be anything.
func NewCompilerOf(objects []string, values ...string) (*Compiler, error) {
	options := Library()
	for _, name := range objects {
		options = append(options, cel.Variable(name, cel.MapType(cel.StringType, cel.DynType)))
	}
	for _, name := range values {
		options = append(options, cel.Variable(name, cel.DynType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	return &Compiler{env, strings.Join(append(values, objects...), ", ")}, nil
}

// Library is what all expressions of the product share, whatever their variables.
func Library() []cel.EnvOption {
	return []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true), // JSON has one kind of number
		cel.OptionalTypes(),
		ext.Strings(), ext.Lists(), ext.Sets(), ext.Math(),
	}
}

// Program is a compiled filter or condition. It is safe for concurrent use.
type Program struct{ program cel.Program }

// Compile checks an expression whose result is true or false. Its error says what is wrong and where.
func (c *Compiler) Compile(text string) (*Program, error) {
	if len(text) > MaxLength {
		return nil, fmt.Errorf("an expression is at most %d bytes long", MaxLength)
	}
	ast, issues := c.env.Compile(text)
	if issues.Err() != nil {
		return nil, c.describe(issues)
	}
	if t := ast.OutputType(); t != cel.BoolType && t != cel.DynType {
		return nil, fmt.Errorf("the expression gives a %s, and must give true or false", t)
	}
	program, err := c.env.Program(ast, cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	return &Program{program}, nil
}

// describe says the first thing that is wrong, and its place.
func (c *Compiler) describe(issues *cel.Issues) error {
	message, line, column := FirstIssue(issues)
	where := ""
	if line > 0 {
		where = fmt.Sprintf(" (line %d, column %d)", line, column+1)
	}
	if name, unknown := strings.CutPrefix(message, "undeclared reference to '"); unknown {
		name, _, _ = strings.Cut(name, "'")
		return fmt.Errorf("%q is not known here%s: an expression speaks of %s", name, where, c.speak)
	}
	return errors.New(message + where)
}

// FirstIssue is the first thing that is wrong with an expression, as a clause on one line, and its place: the line from 1, 0 if it
// is not known, and the column in characters from 0.
func FirstIssue(issues *cel.Issues) (message string, line, column int) {
	all := issues.Errors()
	if len(all) == 0 || all[0].Message == "" {
		return issues.Err().Error(), 0, 0
	}
	first := all[0]
	if first.Location != nil {
		line, column = first.Location.Line(), first.Location.Column()
	}
	message = strings.ReplaceAll(first.Message, "\n", " ")
	return strings.ToLower(message[:1]) + message[1:], line, column
}

// Match runs a filter on an event. An event that lacks what the filter speaks of does not match; so does one on which the
// filter fails in another way, of which the error tells.
func (p *Program) Match(event map[string]any) (bool, error) {
	holds, _, err := p.Holds(func(string) any { return event })
	return holds, err
}

// Holds runs the expression on what lookup gives for its variables; it asks only for those that it needs. What is missing makes it false, and
// so does what goes wrong in another way, of which the error tells. work is how much it did, in CEL's units.
func (p *Program) Holds(lookup func(name string) any) (holds bool, work uint64, err error) {
	out, details, err := p.program.Eval(activation(lookup))
	if details != nil && details.ActualCost() != nil {
		work = *details.ActualCost()
	}
	switch {
	case err == nil:
	case isMissing(err):
		return false, work, nil
	case strings.Contains(err.Error(), "no such overload"):
		return false, work, ErrKinds
	default:
		return false, work, err
	}
	b, ok := out.(types.Bool)
	if !ok {
		return false, work, fmt.Errorf("the expression gave a %s instead of true or false", out.Type())
	}
	return bool(b), work, nil
}

// ErrKinds means that an expression puts together what does not fit, which is seen only when it runs.
var ErrKinds = errors.New("it compares or combines values of different kinds, such as a text with a number")

// isMissing tells whether an expression failed since something that it speaks of is not there: a key, an element, or a key of what has none.
func isMissing(err error) bool {
	message := err.Error()
	for _, missing := range []string{"no such key", "index out of bounds", "unsupported index type"} {
		if strings.Contains(message, missing) {
			return true
		}
	}
	return false
}

// activation gives an expression the values of its variables.
type activation func(name string) any

// ResolveName gives the value of a variable.
func (a activation) ResolveName(name string) (any, bool) { return a(name), true }

// Parent is that of a scope that has none.
func (a activation) Parent() cel.Activation { return nil }

// Decode reads JSON into what expressions work on: whole numbers become int64 where they fit, others float64.
func Decode(raw []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	return numbers(v), nil
}

func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64() // too large a number is an infinity
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}
