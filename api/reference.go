package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
)

// reference is the OpenAPI document in the form that the reference page shows.
type reference struct {
	Title, Version string
	Intro          []block
	Groups         []opGroup
	Schemas        []schemaView
}

// opGroup are the operations of a tag.
type opGroup struct {
	Name, Anchor, Description string
	Ops                       []opView
}

type opView struct {
	ID, Method, Path, Summary string
	Description               []block
	Role                      string // empty: no key is needed
	Operator                  bool
	Params                    []fieldView
	Body                      *bodyView
	Answers                   []answerView
	Codes                     []postroom.Code
	Curl                      string
}

type fieldView struct {
	Name, In    string
	Type        []typePart
	Required    bool
	Description []span
	Facts       []string // what else the schema says, such as bounds
}

// typePart is a word of a type; Link is the schema that it names, if it names one.
type typePart struct{ Text, Link string }

type bodyView struct {
	Required bool
	Contents []contentView
}

type contentView struct {
	Media    string
	Type     []typePart
	Examples []exampleView
}

type exampleView struct{ Summary, Text string }

type answerView struct {
	Status, Text string
	Headers      []fieldView
	Contents     []contentView
}

type schemaView struct {
	Name   string
	Fields []fieldView
}

func newReference(doc *huma.OpenAPI, ids []string, version string) reference {
	ops := operationsOf(doc)
	slices.SortStableFunc(ops, func(a, b *huma.Operation) int {
		return slices.Index(ids, a.OperationID) - slices.Index(ids, b.OperationID)
	})
	ref := reference{Title: "HTTP API", Version: version, Intro: blocks(doc.Info.Description)}
	for _, tag := range doc.Tags {
		group := opGroup{Name: tag.Name, Anchor: "tag-" + strings.ReplaceAll(strings.ToLower(tag.Name), " ", "-"), Description: tag.Description}
		for _, op := range ops {
			if slices.Contains(op.Tags, tag.Name) {
				group.Ops = append(group.Ops, newOpView(op))
			}
		}
		ref.Groups = append(ref.Groups, group)
	}
	schemas := doc.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		ref.Schemas = append(ref.Schemas, schemaView{name, propertyViews(schemas[name])})
	}
	return ref
}

func newOpView(op *huma.Operation) opView {
	v := opView{ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Description: blocks(op.Description)}
	if role, ok := op.Extensions["x-role"].(postroom.Role); ok {
		v.Role = string(role)
	}
	v.Operator, _ = op.Extensions["x-operator"].(bool)
	v.Codes, _ = op.Extensions["x-error-codes"].([]postroom.Code)
	for _, p := range op.Parameters {
		v.Params = append(v.Params, fieldView{
			Name: p.Name, In: p.In, Type: typeParts(p.Schema), Required: p.Required, Description: spans(p.Description), Facts: facts(p.Schema),
		})
	}
	if op.RequestBody != nil {
		v.Body = &bodyView{op.RequestBody.Required, contentViews(op.RequestBody.Content)}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		if r.Ref != "" { // an error
			continue
		}
		a := answerView{Status: status, Text: r.Description, Contents: contentViews(r.Content)}
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			h := r.Headers[name]
			a.Headers = append(a.Headers, fieldView{Name: name, Type: typeParts(h.Schema), Description: spans(h.Description)})
		}
		v.Answers = append(v.Answers, a)
	}
	v.Curl = curl(op, v.Body)
	return v
}

func contentViews(content map[string]*huma.MediaType) []contentView {
	var views []contentView
	names := slices.SortedFunc(maps.Keys(content), func(a, b string) int { // plain JSON first
		return cmp.Or(cmp.Compare(boolInt(b == mediaJSON), boolInt(a == mediaJSON)), cmp.Compare(a, b))
	})
	for _, media := range names {
		c := content[media]
		v := contentView{Media: media, Type: typeParts(c.Schema)}
		if c.Example != nil {
			v.Examples = []exampleView{{Text: indented(c.Example)}}
		}
		for _, name := range slices.Sorted(maps.Keys(c.Examples)) {
			v.Examples = append(v.Examples, exampleView{c.Examples[name].Summary, indented(c.Examples[name].Value)})
		}
		views = append(views, v)
	}
	return views
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func indented(example any) string {
	raw, _ := example.(json.RawMessage)
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil { // a test checks the examples
		return string(raw)
	}
	return b.String()
}

func propertyViews(s *huma.Schema) []fieldView {
	var views []fieldView
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		views = append(views, fieldView{
			Name: name, Type: typeParts(p), Required: slices.Contains(s.Required, name), Description: spans(p.Description), Facts: facts(p),
		})
	}
	return views
}

// typeParts says in words what a schema is.
func typeParts(s *huma.Schema) []typePart {
	switch {
	case s == nil:
		return []typePart{{Text: "any"}}
	case s.Ref != "":
		name := strings.TrimPrefix(s.Ref, schemaRef)
		return []typePart{{Text: name, Link: "schema-" + name}}
	case len(s.OneOf) > 0:
		var parts []typePart
		for i, one := range s.OneOf {
			if i > 0 {
				parts = append(parts, typePart{Text: " or "})
			}
			parts = append(parts, typeParts(one)...)
		}
		return parts
	case s.Items != nil:
		return append([]typePart{{Text: "list of "}}, typeParts(s.Items)...)
	case s.Type == "":
		return []typePart{{Text: "any JSON"}}
	}
	text := s.Type
	if of, ok := s.AdditionalProperties.(*huma.Schema); ok && of.Type != "" {
		text = "map of " + of.Type
	}
	if s.Format == "date-time" {
		text = "time"
	}
	if s.Nullable {
		text += " or null"
	}
	return []typePart{{Text: text}}
}

// facts are what a schema says beyond its type.
func facts(s *huma.Schema) []string {
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if s == nil {
		return nil
	}
	if len(s.Enum) > 0 {
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = fmt.Sprint(v)
		}
		say("one of %s", strings.Join(words, ", "))
	}
	if s.Minimum != nil && s.Maximum != nil {
		say("from %v to %v", *s.Minimum, *s.Maximum)
	}
	if s.Default != nil {
		say("default %v", s.Default)
	}
	if len(s.Examples) > 0 {
		say("such as %v", s.Examples[0])
	}
	return list
}

// curl is a command line that makes the call.
func curl(op *huma.Operation, body *bodyView) string {
	path := strings.NewReplacer("{id}", "ID", "{type}", "TYPE").Replace(op.Path)
	line := "curl"
	if op.Method != http.MethodGet {
		line += " -X " + op.Method
	}
	line += ` "$POSTROOM_URL` + path + `"`
	if len(op.Security) > 0 {
		line += " \\\n  -H \"Authorization: Bearer $POSTROOM_API_KEY\""
	}
	if body == nil {
		return line
	}
	for _, c := range body.Contents {
		if strings.HasSuffix(c.Media, "json") && len(c.Examples) > 0 && !strings.Contains(c.Media, "cloudevents") {
			var compact bytes.Buffer
			if json.Compact(&compact, []byte(c.Examples[0].Text)) == nil {
				line += " \\\n  -H 'Content-Type: " + c.Media + "' \\\n  -d '" + strings.ReplaceAll(compact.String(), "'", `'\''`) + "'"
			}
			break
		}
	}
	return line
}
