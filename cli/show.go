package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// The ways in which results are written.
const (
	asTable = "table"
	asJSON  = "json"
	asYAML  = "yaml"
)

// format is how results are written: as asked for, else as a table on a terminal and as JSON elsewhere.
func (s *session) format() string {
	switch {
	case s.global.Output != nil:
		return *s.global.Output
	case s.Terminal.Stdout:
		return asTable
	}
	return asJSON
}

// show writes a result: as JSON or YAML, or as people writes it.
func (s *session) show(v any, people func(*screen)) error {
	switch s.format() {
	case asJSON:
		return s.write(encodeJSON(v, "  "))
	case asYAML:
		return s.write(encodeYAML(v))
	}
	p := s.screen(s.Stdout, s.Terminal.Stdout)
	people(p)
	return s.write(p.text.Bytes(), nil)
}

// write writes to stdout. A reader that has read enough, such as head, is no failure.
func (s *session) write(text []byte, err error) error {
	if err != nil {
		return err
	}
	if _, err := s.Stdout.Write(text); err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("the result could not be written: %w", err)
	}
	return nil
}

// encodeJSON writes v with an indent, or on one line without. Characters stay as they are.
func encodeJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	err := e.Encode(v)
	return b.Bytes(), err
}

// encodeYAML writes v with the names and the order of its JSON.
func encodeYAML(v any) ([]byte, error) {
	text, err := encodeJSON(v, "")
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	node, err := yamlNode(d)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(node); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// yamlNode reads the next JSON value as YAML. Going over tokens keeps the order of keys, and numbers as they are.
func yamlNode(d *json.Decoder) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if t == '{' {
			node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		for d.More() { // keys come as values of their own
			child, err := yamlNode(d)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		if len(node.Content) == 0 {
			node.Style = yaml.FlowStyle // {} and []
		}
		_, err := d.Token()
		return node, err
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: t.String()}, nil
	default:
		node := &yaml.Node{}
		err := node.Encode(t)
		return node, err
	}
}

// line writes results one by one, as they come: a line of JSON each, or a YAML document each, or as people writes it.
func (s *session) line(v any, people func(*screen)) error {
	switch s.format() {
	case asJSON:
		return s.write(encodeJSON(v, ""))
	case asYAML:
		text, err := encodeYAML(v)
		return s.write(append([]byte("---\n"), text...), err)
	}
	return s.show(v, people)
}

// readAll reads a file, or stdin for "-".
func (s *session) readAll(name string) ([]byte, error) {
	r, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	return text, nil
}
