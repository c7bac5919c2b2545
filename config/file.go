package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// fileValue is what the YAML file gives to one setting.
type fileValue struct {
	values []string
	file   string
	line   int
}

// name tells people where the value stands.
func (v fileValue) name(key string) string { return place(key, v.file, v.line) }

func place(key, file string, line int) string {
	return fmt.Sprintf("%s (%s, line %d)", key, file, line)
}

// readFile reads the YAML file, if there is one, into l.file.
func (l *loader) readFile() {
	values, name, ok := l.find(Setting{Flag: "config", Env: "POSTROOM_CONFIG"})
	if !ok {
		return
	}
	path := values[len(values)-1]
	text, err := os.ReadFile(path)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		l.fault("%s is %q, but must be a YAML file that can be read (%v)", name, path, err)
		return
	}
	var doc yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc); errors.Is(err, io.EOF) {
		return // an empty file sets nothing
	} else if err != nil {
		l.fault("%s is %q, but must be a YAML file (%s)", name, path, strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	l.file = map[string]fileValue{}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	if root.Kind != yaml.MappingNode {
		l.fault("%s is %q, but must be a YAML file of settings, such as listen: 127.0.0.1:8080", name, path)
		return
	}
	for i := 0; i < len(root.Content); i += 2 {
		l.readKey(path, root.Content[i], root.Content[i+1])
	}
}

// readKey takes one setting from the file.
func (l *loader) readKey(path string, key, value *yaml.Node) {
	where := place(key.Value, path, key.Line)
	setting, ok := settingOf(key.Value)
	if !ok {
		l.faults = append(l.faults, unknown("", key.Value, where, keys())...)
		return
	}
	if first, ok := l.file[key.Value]; ok {
		l.fault("%s is given twice: it is already on line %d", where, first.line)
		return
	}
	values, ok := texts(value, setting.Kind == List)
	if !ok {
		l.fault("%s is not a value, but must be %s", where, setting.Allowed)
		return
	}
	if values != nil {
		l.file[key.Value] = fileValue{values: values, file: path, line: key.Line}
	}
}

// texts reads a scalar, or where list allows it a list of scalars, as the text that stands in the file. It is nil
// without a value.
func texts(n *yaml.Node, list bool) (values []string, ok bool) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil, true
	case n.Kind == yaml.ScalarNode:
		return []string{n.Value}, true
	case n.Kind == yaml.SequenceNode && list:
		values = []string{}
		for _, item := range n.Content {
			v, ok := texts(item, false)
			if !ok {
				return nil, false
			}
			values = append(values, v...)
		}
		return values, true
	}
	return nil, false
}

func settingOf(key string) (Setting, bool) {
	for _, s := range Settings() {
		if s.Key == key && key != "" {
			return s, true
		}
	}
	return Setting{}, false
}

func keys() []string {
	var all []string
	for _, s := range Settings() {
		if s.Key != "" {
			all = append(all, s.Key)
		}
	}
	return all
}
