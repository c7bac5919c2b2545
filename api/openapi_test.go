package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/postroom/postroom"
)

var update = flag.Bool("update", false, "write openapi.yaml anew")

// TestOpenAPI compares the document with openapi.yaml. When a change is meant, renew the file:
//
//	go test ./api -run TestOpenAPI -update
func TestOpenAPI(t *testing.T) {
	const golden = "openapi.yaml"
	got, err := newServer(t).api.document.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the API and %s differ (-file +API); if that is meant, run: go test ./api -run TestOpenAPI -update\n%s", golden, diff)
	}
}

// documentAsServed is the document that /openapi.json answers, decoded.
func documentAsServed(t *testing.T) any {
	t.Helper()
	w := newServer(t).call("GET", "/openapi.json", "", "Authorization", "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/openapi+json" {
		t.Fatalf("status %d, headers %v", w.Code, w.Header())
	}
	doc, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// schemaAt compiles the schema at a place of the document, which is given as the keys that lead there.
func schemaAt(t *testing.T, doc any, keys ...string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("https://postroom.test/openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	pointer := ""
	for _, key := range keys {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D", "+", "%2B").Replace(key)
	}
	schema, err := c.Compile("https://postroom.test/openapi.json#" + pointer)
	if err != nil {
		t.Fatalf("%s: %v", pointer, err)
	}
	return schema
}

func validate(t *testing.T, what string, schema *jsonschema.Schema, text []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Errorf("%s: %v: %s", what, err, text)
		return
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v\n%s", what, err, text)
	}
}

func TestExamples(t *testing.T) {
	doc := documentAsServed(t)
	n := 0
	check := func(what string, content map[string]*huma.MediaType, keys ...string) {
		for media, c := range content {
			examples := map[string]any{"": c.Example}
			for name, e := range c.Examples {
				examples[name] = e.Value
			}
			for name, e := range examples {
				if e == nil {
					continue
				}
				n++
				schema := schemaAt(t, doc, append(slices.Clone(keys), "content", media, "schema")...)
				validate(t, what+" "+name, schema, e.(json.RawMessage))
			}
		}
	}
	for _, op := range operationsOf(newServer(t).api.document) {
		at := []string{"paths", op.Path, strings.ToLower(op.Method)}
		if op.RequestBody != nil {
			check(op.OperationID+" body", op.RequestBody.Content, append(slices.Clone(at), "requestBody")...)
		}
		for status, r := range op.Responses {
			if r.Ref == "" {
				check(op.OperationID+" "+status, r.Content, append(slices.Clone(at), "responses", status)...)
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d examples", n)
	}
}

// Every operation answers as the document says, to the call that the document shows.
func TestAnswersAreAsDocumented(t *testing.T) {
	doc := documentAsServed(t)
	for _, op := range operationsOf(newServer(t).api.document) {
		if op.Extensions["x-intake"] != nil {
			continue // package inbound serves it
		}
		s := newServer(t)
		close(s.watched)
		close(s.watchedCalls)
		s.exported = []postroom.Delivery{s.delivery()}
		path, body, headers := callOf(op)
		w := s.call(op.Method, path, body, headers...)
		status := strconv.Itoa(w.Code)
		r := op.Responses[status]
		if r == nil || w.Code >= 300 {
			t.Errorf("%s: status %d is not documented: %s", op.OperationID, w.Code, w.Body)
			continue
		}
		media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
		if media == "" && len(r.Content) == 0 {
			continue
		}
		if r.Content[media] == nil {
			t.Errorf("%s: content type %q is not documented", op.OperationID, media)
			continue
		}
		for name := range r.Headers {
			if w.Header().Get(name) == "" && name != "Link" {
				t.Errorf("%s: no header %s", op.OperationID, name)
			}
		}
		if media == "application/json" {
			validate(t, op.OperationID, schemaAt(t, doc, "paths", op.Path, strings.ToLower(op.Method), "responses", status, "content", media, "schema"), w.Body.Bytes())
		}
	}
}

func TestProblemsAreAsDocumented(t *testing.T) {
	s := newServer(t)
	schema := schemaAt(t, documentAsServed(t), "components", "schemas", "Problem")
	for _, w := range []*httptest.ResponseRecorder{
		s.call("GET", "/nothing", ""), s.call("POST", "/v1/webhooks", `{"url":1}`), s.call("GET", "/v1/events?limit=x", ""),
		s.call("POST", "/v1/events", "{}"), s.call("GET", "/v1/events", "", "Authorization", ""),
	} {
		validate(t, strconv.Itoa(w.Code), schema, w.Body.Bytes())
	}
}

// Nothing in the document is without words, and all of it is used.
func TestDocumentIsWhole(t *testing.T) {
	doc := newServer(t).api.document
	tags := map[string]bool{}
	for _, tag := range doc.Tags {
		tags[tag.Name] = tag.Description != ""
	}
	for _, op := range operationsOf(doc) {
		if op.OperationID == "" || op.Summary == "" || op.Description == "" || len(op.Tags) != 1 || !tags[op.Tags[0]] || op.Security == nil || op.Responses["500"] == nil {
			t.Errorf("%s %s is not described: %+v", op.Method, op.Path, op)
		}
		for _, p := range op.Parameters {
			if p.Schema == nil || p.Description == "" && p.In != "path" {
				t.Errorf("%s: parameter %s is not described", op.OperationID, p.Name)
			}
		}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for name, schema := range doc.Components.Schemas.Map() {
		if !bytes.Contains(text, []byte(`"`+schemaRef+name+`"`)) {
			t.Errorf("nothing refers to the schema %s", name)
		}
		for field, p := range schema.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s is not described", name, field)
			}
		}
		if strings.HasSuffix(name, "Input") != (schema.AdditionalProperties == false) && !slices.Contains([]string{"Auth", "ClientTLS", "Payload", "Retry", "RateLimit", "DisableAfter", "CloudEvent", "Action", "BasicAuth", "Call", "Dedupe", "MappingRow", "SourceKey",
			"SourceSignature"}, name) &&
			!strings.HasSuffix(name, "Patch") {
			t.Errorf("%s: additional properties %v", name, schema.AdditionalProperties)
		}
	}
	// Descriptions of fields that are not there any more.
	for place := range fieldDocs() {
		name, field, _ := strings.Cut(place, ".")
		if !slices.ContainsFunc(schemasLike(doc, name), func(s *huma.Schema) bool { return s.Properties[field] != nil }) {
			t.Errorf("there is no %s", place)
		}
	}
}

// schemasLike are the schemas that hold the fields of a Go type, of which some are embedded.
func schemasLike(doc *huma.OpenAPI, name string) []*huma.Schema {
	var list []*huma.Schema
	for have, schema := range doc.Components.Schemas.Map() {
		if strings.HasPrefix(have, strings.TrimSuffix(name, "Settings")) {
			list = append(list, schema)
		}
	}
	return list
}

// The table of errors has every code of the root package.
func TestEveryCodeIsInTheTable(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[postroom.Code]int{}
	for _, kind := range problemKinds() {
		codes[kind.code]++
		if kind.status < 400 || kind.title == "" || !strings.HasSuffix(kind.help, ".") {
			t.Errorf("%+v", kind)
		}
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || fmt.Sprint(spec.Type) != "Code" {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if codes[postroom.Code(code)] != 1 {
			t.Errorf("%s is %d times in the table", code, codes[postroom.Code(code)])
		}
		return true
	})
	if n != len(codes) || n < 15 {
		t.Errorf("%d codes are declared, and %d in the table", n, len(codes))
	}
}
