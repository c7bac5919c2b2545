package catalogue

import (
	"embed"
	"encoding/json"
	"slices"
)

//go:embed groups.yaml objects.yaml samples.yaml types/*.yaml
var files embed.FS

// Type is one event type of the catalogue.
type Type struct {
	Name        string // such as "email.opened"
	Group       string // such as "email"; also the first part of Name
	Title       string // a few words for a heading
	Description string // one sentence: when it happens

	// Schema is a JSON Schema (2020-12) of the event's data, as compact JSON. It refers to nothing: what objects.yaml
	// defines is written out at each place, so that a reader finds a field by following "properties" alone.
	Schema json.RawMessage

	// Sample is data that Schema accepts, as compact JSON with the keys in the order of the data files. Parsing it with
	// JSON.parse and writing it with JSON.stringify gives the same bytes.
	Sample json.RawMessage
}

// Group is a set of event types with the same first part of their names.
type Group struct {
	Name        string   // such as "email"; the pattern Name + ".*" matches the whole group
	Title       string   // a few words for a heading
	Description string   // one sentence
	Types       []string // the names of its types, in catalogue order
}

// Catalogue is the loaded catalogue. It never changes, and is safe for concurrent use.
type Catalogue struct {
	types  []Type
	groups []Group
	byName map[string]int // index into types
}

// Load reads the catalogue that is part of the program. It parses the files each time, which takes some milliseconds: call
// it once and keep the result. It fails only if the files that the program was built with are wrong.
func Load() (*Catalogue, error) { return load(files) }

// Types gives all types in catalogue order. The slice is the caller's own; the JSON that it points to is shared and must
// not be changed.
func (c *Catalogue) Types() []Type { return slices.Clone(c.types) }

// Lookup finds a type by its exact name.
func (c *Catalogue) Lookup(name string) (Type, bool) {
	i, ok := c.byName[name]
	if !ok {
		return Type{}, false
	}
	return c.types[i], true
}

// Groups gives the groups in catalogue order. The group "custom" is not among them: its types belong to a workspace. The
// slice is the caller's own; the names in each group are shared and must not be changed.
func (c *Catalogue) Groups() []Group { return slices.Clone(c.groups) }
