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
	unsure   bool // what the dialect sends is not known, since something is wrong with its events
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
		read(key, value)
	}
}

// plain refuses anchors and aliases, all through the file: what is written is what is read, and nothing grows on the way.
func (c *compiler) plain(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		c.fail(n, "a dialect has no aliases: write out what *%s stands for", n.Value)
	case n.Anchor != "":
		c.fail(n, "a dialect has no anchors, such as &%s here", n.Anchor)
	}
	for _, child := range n.Content {
		c.plain(child)
	}
}

// isText tells whether a node is a text, and not empty.
func isText(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && strings.TrimSpace(n.Value) != ""
}

func (c *compiler) integer(n *yaml.Node, what string, dest *int, least, most int) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(dest) != nil || *dest < least || *dest > most {
		c.fail(n, "%s is a whole number from %d to %d", what, least, most)
	}
}

func (c *compiler) boolean(n *yaml.Node, what string, dest *bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(dest) != nil {
		c.fail(n, "%s is true or false", what)
	}
}

// oneOf reads a text that must be one of few.
func (c *compiler) oneOf(n *yaml.Node, what string, values ...string) string {
	if n.Kind == yaml.ScalarNode && slices.Contains(values, n.Value) {
		return n.Value
	}
	last := len(values) - 1
	c.fail(n, "%s is %s or %s%s", what, strings.Join(values[:last], ", "), values[last], nearest.Hint(n.Value, values))
	return values[0]
}
