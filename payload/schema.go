package payload

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// schema is what a JSON Schema says about which names there are in a value.
type schema struct {
	open       bool // any
	properties map[string]*schema
	names      []string // of the properties, sorted
	others     *schema  // of members with other names; nil if there are none
	items      *schema  // of a list's elements
}

// keywords are those of JSON Schema that are looked at.
type keywords struct {
	Type                 json.RawMessage            `json:"type"`
	Properties           map[string]json.RawMessage `json:"properties"`
	AdditionalProperties json.RawMessage            `json:"additionalProperties"`
	PatternProperties    json.RawMessage            `json:"patternProperties"`
	Items                json.RawMessage            `json:"items"`
	AllOf                []json.RawMessage          `json:"allOf"`
	AnyOf                []json.RawMessage          `json:"anyOf"`
	OneOf                []json.RawMessage          `json:"oneOf"`
}

// parseSchema reads a JSON Schema. What it cannot judge ($ref, a value that is not described) may hold any name; an object whose
// properties are described has no others unless it says so in additionalProperties.
func parseSchema(raw []byte) *schema {
	var k keywords
	if len(raw) == 0 || json.Unmarshal(raw, &k) != nil {
		return &schema{open: true}
	}
	s := &schema{properties: map[string]*schema{}}
	for name, property := range k.Properties {
		s.properties[name] = parseSchema(property)
	}
	if extra := string(k.AdditionalProperties); extra != "" && extra != "false" {
		s.others = parseSchema(k.AdditionalProperties)
	}
	if k.Items != nil {
		s.items = parseSchema(k.Items)
	}
	for _, part := range slices.Concat(k.AllOf, k.AnyOf, k.OneOf) {
		if p := parseSchema(part); !p.open {
			s.merge(p)
		}
	}
	kinds := string(k.Type)
	isUndescribed := len(s.properties) == 0 && s.others == nil && s.items == nil
	mayHold := !strings.Contains(kinds, `"`) || strings.Contains(kinds, `"object"`) || strings.Contains(kinds, `"array"`)
	s.open = isUndescribed && mayHold || k.PatternProperties != nil
	for name := range s.properties {
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	return s
}

// merge adds what another schema of the same value allows.
func (s *schema) merge(other *schema) {
	for name, property := range other.properties {
		if mine := s.properties[name]; mine == nil {
			s.properties[name] = property
		} else {
			mine.merge(property)
		}
	}
	if s.others == nil {
		s.others = other.others
	}
	if s.items == nil {
		s.items = other.items
	}
}

// next are the schemas of what a step may lead to.
func (s *schema) next(to step) (found []*schema) {
	if to.every {
		for _, name := range s.names {
			found = append(found, s.properties[name])
		}
	} else if property := s.properties[to.name]; property != nil {
		return []*schema{property}
	}
	if s.others != nil {
		found = append(found, s.others)
	}
	if s.items != nil && (to.every || to.index >= 0) {
		found = append(found, s.items)
	}
	return found
}

// unknownPath says why a path into data exists in none of the types; empty if it does in one, or may.
func (c *compiler) unknownPath(steps []step) string {
	if len(c.options.Types) == 0 {
		return ""
	}
	if c.schemas == nil {
		for _, t := range c.options.Types {
			c.schemas = append(c.schemas, parseSchema(t.Schema))
		}
	}
	return unknownIn(c.schemas, steps, "data")
}

// unknownIn is unknownPath for steps from a place with the given name.
func unknownIn(at []*schema, steps []step, place string) string {
	for i, s := range steps {
		if s.free {
			return ""
		}
		var next []*schema
		var names []string
		for _, schema := range at {
			if schema.open {
				return ""
			}
			next = append(next, schema.next(s)...)
			names = append(names, schema.names...)
		}
		if len(next) > 0 {
			at = next
			continue
		}
		if i > 0 {
			place += "." + strings.TrimPrefix(writePath(steps[:i]), ".")
		}
		what := s.name
		if s.every {
			what = "list"
		}
		slices.Sort(names)
		return unknownName(what, place, slices.Compact(names))
	}
	return ""
}

// unknownName says that there is no such name in a place, and what there is.
func unknownName(name, place string, known []string) string {
	message := fmt.Sprintf("there is no %s in %s of the webhook's event types", name, place)
	if near := nearest(name, known); near != "" {
		message += fmt.Sprintf(" (did you mean %s?)", near)
	} else if len(known) > 0 && len(known) <= 20 {
		message += ", which has " + strings.Join(known, ", ")
	}
	return message + fmt.Sprintf("; a field of your own is written in brackets: %s['%s']", place, name)
}
