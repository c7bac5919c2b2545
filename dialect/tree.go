package dialect

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom/payload"
)

// appendNode writes a node as JSON. Numbers keep their spelling where JSON has it too, and are texts where it has not; so are times.
func appendNode(dst []byte, n *yaml.Node) ([]byte, error) {
	switch n.Kind {
	case yaml.MappingNode:
		dst = append(dst, '{')
		seen := map[string]bool{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				return dst, errors.New("a key is a text")
			}
			if seen[key.Value] {
				return dst, errors.New(key.Value + " is there twice")
			}
			seen[key.Value] = true
			var err error
			if dst, err = appendNode(payload.AppendKey(dst, key.Value), n.Content[i+1]); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for _, element := range n.Content {
			var err error
			if dst, err = appendNode(payload.AppendComma(dst), element); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
	switch n.ShortTag() {
	case "!!null":
		return append(dst, "null"...), nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return dst, err
		}
		return strconv.AppendBool(dst, b), nil
	case "!!int", "!!float":
		if payload.Valid([]byte(n.Value)) == nil {
			return append(dst, strings.TrimSpace(n.Value)...), nil
		}
	}
	return payload.AppendString(dst, n.Value), nil
}

// decode reads a node into a value that JSON has a reader for, strictly. It is false where it failed.
func (c *compiler) decode(n *yaml.Node, what string, v any) bool {
	raw, err := appendNode(nil, n)
	if err == nil {
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.DisallowUnknownFields()
		err = d.Decode(v)
	}
	if err != nil {
		c.fail(n, "%s: %s", what, strings.TrimPrefix(err.Error(), "json: "))
	}
	return err == nil
}

// nodeAt is the node that a JSON pointer names, or the last one on the way to it.
func nodeAt(n *yaml.Node, pointer string) *yaml.Node {
	for _, name := range strings.Split(pointer, "/")[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		var next *yaml.Node
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i < len(n.Content); i += 2 {
				if n.Content[i].Value == name {
					next = n.Content[i+1]
				}
			}
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(n.Content) {
				next = n.Content[i]
			}
		}
		if next == nil && name == "0" && n.Kind != yaml.SequenceNode {
			next = n // where there may be several, one may stand alone
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}
