package catalogue

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// schemas are the definitions that {$ref: name} stands for.
type schemas map[string]*yaml.Node

// samples are the samples that {$sample: kind.name} stands for.
type samples map[string]*yaml.Node

func (s schemas) clone() schemas { return maps.Clone(s) }

// add adds definitions. A name has one meaning, so a file cannot redefine a shared one.
func (s schemas) add(defs map[string]yaml.Node) error {
	for name, def := range defs {
		if _, twice := s[name]; twice {
			return fmt.Errorf("line %d: schema %q is defined twice", def.Line, name)
		}
		s[name] = &def
	}
	return nil
}

// flatten turns kind → name → sample into "kind.name" → sample.
func flatten(named map[string]map[string]yaml.Node) samples {
	all := samples{}
	for kind, of := range named {
		for name, sample := range of {
			all[kind+"."+name] = &sample
		}
	}
	return all
}

// expand gives n with every $ref in it replaced by what it stands for.
func (s schemas) expand(n *yaml.Node) (*yaml.Node, error) {
	return expand(n, "$ref", s, extend, nil)
}

// expand gives n with every $sample in it replaced by what it stands for.
func (s samples) expand(n *yaml.Node) (*yaml.Node, error) {
	return expand(n, "$sample", s, override, nil)
}

// expand copies n. A mapping with the given key becomes the definition of that name, with what stands beside the key
// joined to it. The names being expanded are in within, so that a definition made of itself is noticed.
func expand(n *yaml.Node, key string, defs map[string]*yaml.Node,
	join func(base, beside *yaml.Node) (*yaml.Node, error), within []string,
) (*yaml.Node, error) {
	if n.Kind != yaml.MappingNode && n.Kind != yaml.SequenceNode {
		return n, nil
	}
	var name *yaml.Node
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Line: n.Line}
	for i, child := range n.Content {
		isKey := n.Kind == yaml.MappingNode && i%2 == 0
		isName := n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == key
		switch {
		case isName:
			name = child
		case isKey && child.Value == key:
		case isKey:
			out.Content = append(out.Content, child)
		default:
			expanded, err := expand(child, key, defs, join, within)
			if err != nil {
				return nil, err
			}
			out.Content = append(out.Content, expanded)
		}
	}
	if name == nil {
		return out, nil
	}

	def, ok := defs[name.Value]
	if !ok {
		return nil, fmt.Errorf("line %d: %s names %q, which is not defined", name.Line, key, name.Value)
	}
	if slices.Contains(within, name.Value) {
		return nil, fmt.Errorf("line %d: %s: %q is made of itself", name.Line, key, name.Value)
	}
	base, err := expand(def, key, defs, join, append(slices.Clip(within), name.Value))
	if err != nil {
		return nil, err
	}
	if base.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: %s: %q must be an object", name.Line, key, name.Value)
	}
	return join(base, out)
}

// extend joins a schema with the keywords that stand beside its $ref. The result accepts what both accept: properties
// and required names add up, an annotation is replaced, and any other keyword cannot be given twice.
func extend(base, beside *yaml.Node) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.MappingNode, Line: beside.Line, Content: slices.Clone(base.Content)}
	for i := 0; i+1 < len(beside.Content); i += 2 {
		key, value := beside.Content[i], beside.Content[i+1]
		at := find(out, key.Value)
		if at < 0 {
			out.Content = append(out.Content, key, value)
			continue
		}
		switch key.Value {
		case "title", "description", "examples":
			out.Content[at] = value
		case "required":
			both := *out.Content[at]
			both.Content = slices.Concat(both.Content, value.Content)
			out.Content[at] = &both
		case "properties":
			both := *out.Content[at]
			for j := 0; j+1 < len(value.Content); j += 2 {
				if find(&both, value.Content[j].Value) >= 0 {
					return nil, fmt.Errorf("line %d: property %q is defined twice", value.Content[j].Line, value.Content[j].Value)
				}
			}
			both.Content = slices.Concat(both.Content, value.Content)
			out.Content[at] = &both
		default:
			return nil, fmt.Errorf("line %d: %q is already given by what $ref stands for", key.Line, key.Value)
		}
	}
	return out, nil
}

// override joins a sample with the fields that stand beside its $sample: each replaces the field of its name in its
// place, or comes at the end.
func override(base, beside *yaml.Node) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.MappingNode, Line: beside.Line, Content: slices.Clone(base.Content)}
	for i := 0; i+1 < len(beside.Content); i += 2 {
		key, value := beside.Content[i], beside.Content[i+1]
		if at := find(out, key.Value); at >= 0 {
			out.Content[at] = value
		} else {
			out.Content = append(out.Content, key, value)
		}
	}
	return out, nil
}

// find gives the index, in a mapping's Content, of the value with the given key, or -1.
func find(m *yaml.Node, key string) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return i + 1
		}
	}
	return -1
}

// mapping makes a mapping of strings from keys and values that take turns.
func mapping(keysAndValues ...string) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for _, s := range keysAndValues {
		m.Content = append(m.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s})
	}
	return m
}
