package payload

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/postroom/postroom/internal/expr"
)

// costLimit bounds the work of one run of an expression, in CEL's units (about one an operation, or ten bytes of a text).
const costLimit = 500_000

// expression is a compiled expression. It is safe for concurrent use.
type expression struct{ program cel.Program }

// expressions compiles the expressions of one template.
type expressions struct {
	env   *cel.Env
	known []string // the contacts' own fields that are declared
}

// environment is what the expressions of all templates share: CEL's own library, the language's functions and its variables.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := append(expr.Library(), cel.CustomTypeAdapter(adapter{}), ext.TwoVarComprehensions())
	options = append(options, functions()...)
	for _, name := range variableNames(nil) {
		if name != "custom_field_*" {
			options = append(options, cel.Variable(name, cel.DynType))
		}
	}
	return cel.NewEnv(options...)
})

func newExpressions(variables []string) (*expressions, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	e := &expressions{env: env}
	err = e.declare(variables)
	return e, err
}

// declare makes more names known.
func (e *expressions) declare(names []string) error {
	var options []cel.EnvOption
	for _, name := range names {
		if !slices.Contains(e.known, name) {
			e.known = append(e.known, name)
			options = append(options, cel.Variable(name, cel.DynType))
		}
	}
	if options == nil {
		return nil
	}
	env, err := e.env.Extend(options...)
	if err != nil {
		return err
	}
	e.env = env
	return nil
}

// expression compiles what is neither a name nor a path. position is where it begins in the string.
func (c *compiler) expression(p *placeholder, text string, position int) {
	p.from = fromExpression
	if c.count++; c.count > MaxExpressions {
		if c.count == MaxExpressions+1 {
			c.fault(p.pointer, position, "there are more than %d expressions in this template", MaxExpressions)
		}
		return
	}
	if len(text) > expr.MaxLength {
		c.fault(p.pointer, position, "an expression is at most %d bytes long", expr.MaxLength)
		return
	}
	if c.expressions == nil {
		var err error
		if c.expressions, err = newExpressions(c.options.Variables); err != nil {
			c.fault(p.pointer, 0, "%s", err)
			return
		}
	}
	if err := c.expressions.declare(customFieldName.FindAllString(text, -1)); err != nil {
		c.fault(p.pointer, position, "%s", err)
		return
	}
	ast, issues := c.expressions.env.Compile(text)
	if issues.Err() != nil {
		c.issue(p.pointer, text, position, issues)
		return
	}
	if message := c.unknownIn(ast); message != "" {
		c.fault(p.pointer, position, "%s", message)
		return
	}
	program, err := c.expressions.env.Program(ast, cel.CostTracking(costs{}), cel.CostLimit(costLimit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		c.fault(p.pointer, position, "%s", err)
		return
	}
	p.run = &expression{program}
}

// issue tells of the first thing that is wrong with an expression.
func (c *compiler) issue(pointer, text string, position int, issues *cel.Issues) {
	message, line, column := expr.FirstIssue(issues)
	if line > 0 {
		for ; line > 1; line-- {
			before, after, _ := strings.Cut(text, "\n")
			position += len([]rune(before)) + 1
			text = after
		}
		position += column
	}
	if name, unknown := strings.CutPrefix(message, "undeclared reference to '"); unknown {
		name, _, _ = strings.Cut(name, "'")
		c.fault(pointer, position, "%s is not known here%s", name, didYouMean(name, append(variableNames(c.options.Variables), functionNames()...)))
		return
	}
	if strings.Contains(message, "'<EOF>'") {
		message = "it ends too early"
	}
	message, _, _ = strings.Cut(message, " expecting {")
	c.fault(pointer, position, "this is neither a name nor an expression: %s; a brace that is meant as such is written {{", message)
}

// unknownIn says which path of an expression none of the types has; empty if all are known.
func (c *compiler) unknownIn(ast *cel.Ast) (message string) {
	celast.PreOrderVisit(ast.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if steps := pathOf(e); message == "" && len(steps) > 1 && steps[0].name == "data" {
			message = c.unknownPath(steps[1:])
		}
	}))
	return message
}

// pathOf is the path that a part of an expression is, from its root on; nil if it is none.
func pathOf(e celast.Expr) []step {
	switch e.Kind() {
	case celast.IdentKind:
		if name := e.AsIdent(); name == "data" || name == "event" {
			return path(name)
		}
	case celast.SelectKind:
		s := e.AsSelect()
		if base := pathOf(s.Operand()); base != nil {
			if len(base) == 1 && base[0].name == "event" {
				return path(s.FieldName())
			}
			return append(base, named(s.FieldName()))
		}
	}
	return nil
}

// errMissing means that an expression speaks of something that the event does not have.
var errMissing = errors.New("missing")

// eval runs the expression and appends its result to dst as JSON.
func (x *expression) eval(dst []byte, vars *activation) ([]byte, error) {
	out, _, err := x.program.Eval(vars)
	if err != nil {
		return dst, evalError(err)
	}
	return appendVal(dst, out, 0)
}

// evalError tells what is missing from what went wrong.
func evalError(err error) error {
	message := err.Error()
	switch {
	case strings.Contains(message, "no such key"), strings.Contains(message, "index out of bounds"):
		return errMissing
	case strings.Contains(message, "cost limit exceeded"):
		return errors.New("it is too much work")
	}
	return errors.New(message)
}

// activation gives an expression the values of its variables.
type activation struct{ r *renderer }

func (a *activation) Parent() cel.Activation { return nil }

func (a *activation) ResolveName(name string) (any, bool) { return a.r.variable(name), true }

// variable is the value of a name in an expression: null if it is missing.
func (r *renderer) variable(name string) ref.Val {
	for i, extra := range r.t.variables {
		if extra == name {
			return fromJSON(r.in.Variables[i])
		}
	}
	steps := variablePath(name)
	if len(steps) == 0 {
		return types.NewErr("no such attribute: %s", name)
	}
	if steps[0].name == "event" {
		if len(steps) == 1 {
			return fromJSON(r.appendEvent(nil))
		}
		return fromJSON(r.appendScalar(nil, eventOrigins[steps[1].name]))
	}
	if steps[0].name == "workspace_id" {
		return fromJSON(r.appendScalar(nil, fromWorkspaceID))
	}
	if r.dataValue == nil {
		r.dataValue = fromJSON(r.in.Event.Data)
	}
	v := r.dataValue
	for _, s := range steps[1:] {
		o, isObject := v.(*object)
		if !isObject {
			return types.NullValue
		}
		if v = o.member(s.name); v == nil {
			return types.NullValue
		}
	}
	return v
}

// costs says how much work the language's functions are: what they read and write.
type costs struct{}

func (costs) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	if !slices.Contains(functionNames(), function) {
		return nil
	}
	work := uint64(1)
	for _, v := range append(args, result) {
		work += uint64(sizeOf(v)) / 10
	}
	return &work
}

// sizeOf is about how many bytes a value has as JSON.
func sizeOf(v ref.Val) int {
	switch v := v.(type) {
	case *object:
		return len(v.raw)
	case *list:
		return len(v.raw)
	case types.String:
		return len(v)
	}
	return 8
}

// describe is an expression as notes show it.
func describe(source string) string {
	const most = 100
	if r := []rune(source); len(r) > most {
		source = string(r[:most]) + "…"
	}
	return fmt.Sprintf("{%s}", source)
}
