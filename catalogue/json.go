package catalogue

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// appendJSON appends n as compact JSON: keys in the order of the file, numbers with the digits of the file, and a time
// without quotes as the string that it is. What JSON has no word for (anchors, other tags, hexadecimal numbers) is an error.
func appendJSON(dst []byte, n *yaml.Node) ([]byte, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return appendObject(dst, n)
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, child := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendJSON(dst, child); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case yaml.ScalarNode:
		return appendScalar(dst, n)
	default:
		return nil, fmt.Errorf("line %d: anchors and aliases are not read here", n.Line)
	}
}

func appendObject(dst []byte, n *yaml.Node) ([]byte, error) {
	seen := make(map[string]bool, len(n.Content)/2)
	dst = append(dst, '{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return nil, fmt.Errorf("line %d: a key must be a string", key.Line)
		}
		if seen[key.Value] {
			return nil, fmt.Errorf("line %d: key %q is there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendString(dst, key.Value); err != nil {
			return nil, err
		}
		dst = append(dst, ':')
		if dst, err = appendJSON(dst, value); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendScalar(dst []byte, n *yaml.Node) ([]byte, error) {
	switch tag := n.ShortTag(); tag {
	case "!!str", "!!timestamp":
		return appendString(dst, n.Value)
	case "!!null":
		return append(dst, "null"...), nil
	case "!!bool", "!!int", "!!float":
		if !json.Valid([]byte(n.Value)) {
			return nil, fmt.Errorf("line %d: write %s as JSON does, or put it in quotes", n.Line, n.Value)
		}
		return append(dst, n.Value...), nil
	default:
		return nil, fmt.Errorf("line %d: JSON has no %s", n.Line, tag)
	}
}

// appendString appends a JSON string, with <, > and & as they are.
func appendString(dst []byte, s string) ([]byte, error) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return nil, err
	}
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...), nil
}
