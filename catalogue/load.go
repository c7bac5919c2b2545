package catalogue

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/postroom/postroom"
	"go.yaml.in/yaml/v3"
)

// dialect2020 is the "$schema" of every schema here.
const dialect2020 = "https://json-schema.org/draft/2020-12/schema"

// The files, as they are written. Schemas and samples stay YAML nodes, which keep the order of keys and the digits of
// numbers.
type (
	groupEntry struct {
		Name        string `yaml:"name"`
		Title       string `yaml:"title"`
		Description string `yaml:"description"`
	}
	objectsFile struct {
		Values  map[string]yaml.Node `yaml:"values"`
		Objects map[string]yaml.Node `yaml:"objects"`
	}
	typesFile struct {
		Schemas map[string]yaml.Node `yaml:"schemas"` // for $ref within this file
		Types   []typeEntry          `yaml:"types"`
	}
	typeEntry struct {
		Name        string    `yaml:"name"`
		Title       string    `yaml:"title"`
		Description string    `yaml:"description"`
		Schema      yaml.Node `yaml:"schema"`
		Sample      yaml.Node `yaml:"sample"`
	}
)

// load puts the catalogue together from the files of doc.go's picture.
func load(fsys fs.FS) (*Catalogue, error) {
	var (
		groups  []groupEntry
		objects objectsFile
		named   map[string]map[string]yaml.Node
	)
	if err := errors.Join(
		read(fsys, "groups.yaml", &groups),
		read(fsys, "objects.yaml", &objects),
		read(fsys, "samples.yaml", &named),
	); err != nil {
		return nil, err
	}

	shared := schemas{}
	if err := shared.add(objects.Values); err != nil {
		return nil, fmt.Errorf("objects.yaml: %w", err)
	}
	if err := shared.add(objects.Objects); err != nil {
		return nil, fmt.Errorf("objects.yaml: %w", err)
	}

	c := &Catalogue{byName: map[string]int{}}
	for _, g := range groups {
		file := path.Join("types", g.Name+".yaml")
		if err := c.addGroup(fsys, file, g, shared, flatten(named)); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	if err := c.checkFiles(fsys); err != nil {
		return nil, err
	}
	return c, nil
}

// addGroup adds a group and the types of its file.
func (c *Catalogue) addGroup(fsys fs.FS, file string, g groupEntry, shared schemas, named samples) error {
	var content typesFile
	if err := read(fsys, file, &content); err != nil {
		return err
	}
	known := shared.clone()
	if err := known.add(content.Schemas); err != nil {
		return err
	}

	group := Group{Name: g.Name, Title: g.Title, Description: g.Description}
	for _, entry := range content.Types {
		t, err := newType(group.Name, entry, known, named)
		if err != nil {
			return fmt.Errorf("type %q: %w", entry.Name, err)
		}
		if _, twice := c.byName[t.Name]; twice {
			return fmt.Errorf("type %q is there twice", t.Name)
		}
		c.byName[t.Name] = len(c.types)
		c.types = append(c.types, t)
		group.Types = append(group.Types, t.Name)
	}
	c.groups = append(c.groups, group)
	return nil
}

// newType writes out the schema and the sample of one type.
func newType(group string, entry typeEntry, known schemas, named samples) (Type, error) {
	t := Type{Name: entry.Name, Group: group, Title: entry.Title, Description: entry.Description}
	if err := postroom.CheckEventTypeName(t.Name); err != nil {
		return t, err
	}
	if !strings.HasPrefix(t.Name, group+".") {
		return t, fmt.Errorf("the name must begin with %q, like all of its group", group+".")
	}
	if t.Title == "" || t.Description == "" {
		return t, errors.New("a type needs a title and a description")
	}

	if entry.Schema.Kind != yaml.MappingNode || entry.Sample.Kind != yaml.MappingNode {
		return t, errors.New("a type needs a schema and a sample, and both are objects")
	}

	schema, err := known.expand(&entry.Schema)
	if err != nil {
		return t, fmt.Errorf("schema: %w", err)
	}
	head := mapping("$schema", dialect2020, "title", t.Title, "description", t.Description)
	if schema, err = extend(head, schema); err != nil {
		return t, fmt.Errorf("schema: %w", err)
	}
	if t.Schema, err = appendJSON(nil, schema); err != nil {
		return t, fmt.Errorf("schema: %w", err)
	}

	sample, err := named.expand(&entry.Sample)
	if err != nil {
		return t, fmt.Errorf("sample: %w", err)
	}
	if t.Sample, err = appendJSON(nil, sample); err != nil {
		return t, fmt.Errorf("sample: %w", err)
	}
	return t, nil
}

// checkFiles refuses a group that is listed twice, and a file of types whose group is not listed, since nobody would
// ever see them.
func (c *Catalogue) checkFiles(fsys fs.FS) error {
	listed := map[string]bool{}
	for _, g := range c.groups {
		file := path.Join("types", g.Name+".yaml")
		if listed[file] {
			return fmt.Errorf("groups.yaml: group %q is there twice", g.Name)
		}
		listed[file] = true
	}
	found, err := fs.Glob(fsys, "types/*.yaml")
	if err != nil {
		return err
	}
	for _, file := range found {
		if !listed[file] {
			return fmt.Errorf("%s: groups.yaml does not list this group", file)
		}
	}
	return nil
}

// read decodes one file. A field that nothing reads is an error, since it is a misspelled one.
func read(fsys fs.FS, file string, into any) error {
	content, err := fs.ReadFile(fsys, file)
	if err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
