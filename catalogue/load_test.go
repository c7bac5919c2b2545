package catalogue

import (
	"strings"
	"testing"
	"testing/fstest"
)

// small is a catalogue of one type, which the tests change to see what load makes of it.
func small(change map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{"types/none.yaml": {Data: []byte("types: []")}}
	for name, content := range map[string]string{
		"groups.yaml":  "- {name: order, title: Orders, description: Something was bought.}\n- {name: none}",
		"objects.yaml": "values: {id: {type: [string, integer]}}\nobjects: {buyer: {type: object, required: [id], properties: {id: {$ref: id}}}}",
		"samples.yaml": "buyer: {a: {zip: 1, id: 9007199254740993, at: 2026-03-15T10:30:00.10Z, ratio: 1.50, tags: [b, a], q: null}}",
		"types/order.yaml": `types:
  - name: order.paid
    title: Order paid
    description: An order was paid.
    schema: {type: object, required: [buyer], properties: {buyer: {$ref: buyer, description: Who paid., required: [zip], properties: {zip: {type: integer}}}}}
    sample: {zone: "<é & 😀>", buyer: {$sample: buyer.a, more: true, id: "7", at: 12e3}, again: {$sample: buyer.a}, code: 5.1.1}
`,
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	for name, content := range change {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func TestLoadWritesOutSchemaAndSample(t *testing.T) {
	c, err := load(small(nil))
	if err != nil {
		t.Fatal(err)
	}
	typ, ok := c.Lookup("order.paid")
	if !ok {
		t.Fatal("order.paid is not there")
	}
	wantSample := `{"zone":"<é & 😀>",` +
		`"buyer":{"zip":1,"id":"7","at":12e3,"ratio":1.50,"tags":["b","a"],"q":null,"more":true},` +
		`"again":{"zip":1,"id":9007199254740993,"at":"2026-03-15T10:30:00.10Z","ratio":1.50,"tags":["b","a"],"q":null},` +
		`"code":"5.1.1"}`
	if got := string(typ.Sample); got != wantSample {
		t.Errorf("sample\n got %s\nwant %s", got, wantSample)
	}
	wantSchema := `{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"Order paid","description":"An order was paid.",` +
		`"type":"object","required":["buyer"],"properties":{"buyer":{"type":"object","required":["id","zip"],` +
		`"properties":{"id":{"type":["string","integer"]},"zip":{"type":"integer"}},"description":"Who paid."}}}`
	if got := string(typ.Schema); got != wantSchema {
		t.Errorf("schema\n got %s\nwant %s", got, wantSchema)
	}
}

func TestLoadRefusesWrongFiles(t *testing.T) {
	// typeWith is a types file whose one type has a schema and a sample.
	typeWith := func(schema, sample string) string {
		return "types: [{name: order.paid, title: T, description: D, schema: " + schema + ", sample: " + sample + "}]"
	}
	named := func(name string) string {
		return "types: [{name: " + name + ", title: T, description: D, schema: {type: object}, sample: {}}]"
	}
	for _, test := range []struct{ why, file, content, want string }{
		{"not YAML", "groups.yaml", "- {", "groups.yaml: "},
		{"a misspelled field", "groups.yaml", "- {name: order, tilte: Orders}", "field tilte not found"},
		{"a group without a file", "groups.yaml", "- {name: order}\n- {name: gone}", "types/gone.yaml: "},
		{"a file without a group", "types/gone.yaml", "types: []", "types/gone.yaml: groups.yaml does not list this group"},
		{"a group twice", "groups.yaml", "- {name: none}\n- {name: none}\n- {name: order}", `group "none" is there twice`},
		{"a value that is an object too", "objects.yaml", "values: {id: {}}\nobjects: {id: {}}", `objects.yaml: line 2: schema "id" is defined twice`},
		{"a schema that hides an object", "types/order.yaml", "schemas: {buyer: {}}", `types/order.yaml: line 1: schema "buyer" is defined twice`},
		{"a name with a space", "types/order.yaml", named("order paid"), `"order paid" cannot be an event type`},
		{"a name of another group", "types/order.yaml", named("email.sent"), `the name must begin with "order."`},
		{"no title", "types/order.yaml", "types: [{name: order.paid, description: D}]", "needs a title and a description"},
		{
			"a name twice", "types/order.yaml",
			"types:\n  - &a {name: order.paid, title: T, description: D, schema: {type: object}, sample: {}}\n  - *a",
			`type "order.paid" is there twice`,
		},
		{"no schema", "types/order.yaml", "types: [{name: order.paid, title: T, description: D, sample: {}}]", "needs a schema and a sample"},
		{"no sample", "types/order.yaml", "types: [{name: order.paid, title: T, description: D, schema: {}}]", "needs a schema and a sample"},
		{"a sample that is no object", "types/order.yaml", typeWith("{}", "[]"), "both are objects"},
		{"an unknown $ref", "types/order.yaml", typeWith("{$ref: byuer}", "{}"), `line 1: $ref names "byuer", which is not defined`},
		{"an unknown $sample", "types/order.yaml", typeWith("{}", "{a: [{$sample: buyer.b}]}"), `$sample names "buyer.b", which is not defined`},
		{
			"a circle", "types/order.yaml",
			"schemas: {a: {properties: {b: {$ref: b}}}, b: {items: {$ref: a}}}\n" + typeWith("{$ref: a}", "{}"), `"a" is made of itself`,
		},
		{"a sample that is no object", "samples.yaml", "buyer: {a: [1]}", `"buyer.a" must be an object`},
		{"a property twice", "types/order.yaml", typeWith("{$ref: buyer, properties: {id: {}}}", "{}"), `property "id" is defined twice`},
		{"a keyword twice", "types/order.yaml", typeWith("{$ref: buyer, type: object}", "{}"), `"type" is already given by what $ref stands for`},
		{"a key twice", "types/order.yaml", typeWith("{}", "{a: {b: 1, b: 2}}"), `key "b" is there twice`},
		{"a key that is a number", "types/order.yaml", typeWith("{}", "{1: 2}"), "a key must be a string"},
		{"a hexadecimal number", "types/order.yaml", typeWith("{}", "{a: 0x10}"), "write 0x10 as JSON does"},
		{"no number", "types/order.yaml", typeWith("{}", "{a: .nan}"), "write .nan as JSON does"},
		{"an alias", "types/order.yaml", typeWith("{}", "{a: &x {b: 1}, c: *x}"), "anchors and aliases are not read here"},
		{"bytes", "types/order.yaml", typeWith("{}", "{a: !!binary aGk=}"), "JSON has no !!binary"},
	} {
		t.Run(test.why, func(t *testing.T) {
			c, err := load(small(map[string]string{test.file: test.content}))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, and should say %q", err, test.want)
			}
			if c != nil {
				t.Error("a catalogue comes with the error")
			}
		})
	}
}
