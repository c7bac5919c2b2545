package dialect

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom/internal/nearest"
)

// compiler reads one dialect and collects what is wrong with it.
type compiler struct {
	file     string
	known    Known
	d        *Dialect
	problems Problems
}

func (c *compiler) fail(n *yaml.Node, format string, args ...any) {
	c.problems = append(c.problems, Problem{c.file, n.Line, fmt.Sprintf(format, args...)})
}

// reader reads the value of a key.
type reader func(key, value *yaml.Node)

// object reads a mapping whose keys are known.
func (c *compiler) object(n *yaml.Node, what string, fields map[string]reader) {
	c.pairs(n, what, func(key, value *yaml.Node) {
		read := fields[key.Value]
		if read == nil {
			names := make([]string, 0, len(fields))
			for name := range fields {
				names = append(names, name)
			}
			slices.Sort(names)
			hint := "; it may have " + strings.Join(names, ", ")
			if near := nearest.Name(key.Value, names); near != "" {
				hint = " (did you mean " + near + "?)"
			}
			c.fail(key, "%s has no %s%s", what, key.Value, hint)
			return
		}
		read(key, value)
	})
}

// pairs reads a mapping with any keys, each of which stands there once.
func (c *compiler) pairs(n *yaml.Node, what string, read reader) {
	if n.Kind != yaml.MappingNode {
		c.fail(n, "%s is a mapping", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			c.fail(key, "a key of %s is a text", what)
			continue
		}
		if seen[key.Value] {
			c.fail(key, "%s is there twice", key.Value)
			continue
		}
		seen[key.Value] = true
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		read(key, value)
	}
}

// decode reads a value into dest, with YAML's own rules.
func (c *compiler) decode(n *yaml.Node, what string, dest any) bool {
	if err := n.Decode(dest); err != nil {
		message := err.Error()
		if p := yamlProblem(c.file, err); p.Message != "" {
			message = strings.TrimSpace(strings.TrimPrefix(p.Message, "unmarshal errors:"))
		}
		c.fail(n, "%s: %s", what, message)
		return false
	}
	return true
}

// oneOf reads a text that must be one of few.
func (c *compiler) oneOf(n *yaml.Node, what string, values ...string) string {
	if n.Kind == yaml.ScalarNode && slices.Contains(values, n.Value) {
		return n.Value
	}
	c.fail(n, "%s is %s", what, strings.Join(values, ", "))
	return ""
}
