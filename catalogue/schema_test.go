package catalogue

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// wantObjects are the objects that data is made of, and their fields, as promised to users.
var wantObjects = map[string][]string{
	"contact": {
		"id", "uid", "email", "phone", "first_name", "last_name", "status", "lists", "tags", "custom_fields", "source",
		"created_at", "updated_at",
	},
	"campaign": {"id", "name", "subject", "sent_at"},
	"message":  {"id", "thread_id", "from", "to", "subject", "text", "html", "attachments"},
	"inbox":    {"id", "name", "email"},
	"link":     {"url"},
	"bounce":   {"type", "code", "reason"},
	"client":   {"ip_address", "user_agent", "device_type", "email_client"},
	"chat":     {"id", "type", "title"},
	"member":   {"phone", "email"},
	"counts":   {"opens", "clicks"},
	"error":    {"code", "message"},
}

func TestObjectsHaveExactlyThePromisedFields(t *testing.T) {
	var file objectsFile
	if err := read(files, "objects.yaml", &file); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for name, object := range file.Objects {
		at := find(&object, "properties")
		if at < 0 {
			t.Fatalf("object %s has no properties", name)
		}
		properties := object.Content[at].Content
		for i := 0; i < len(properties); i += 2 {
			got[name] = append(got[name], properties[i].Value)
		}
	}
	if diff := cmp.Diff(wantObjects, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// TestObjectsLookTheSameInEveryType follows each object into the schemas that were written out.
func TestObjectsLookTheSameInEveryType(t *testing.T) {
	// A message on WhatsApp, and one in an inbox, say more than the object does.
	more := map[string][]string{
		"whatsapp": {"type", "file_name", "file_url", "caption"},
		"message":  {"cc", "bcc", "labels", "status", "external_id", "created_at", "updated_at"},
	}
	seen := map[string]bool{}
	for _, typ := range mustLoad(t).Types() {
		for name, property := range properties(decode(t, typ.Schema)) {
			want, isObject := wantObjects[name]
			if !isObject {
				continue
			}
			seen[name] = true
			if name == "message" {
				want = slices.Concat(want, more[typ.Group])
			}
			got := slices.Collect(maps.Keys(properties(property)))
			if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" {
				t.Errorf("%s: fields of %s (-want +got):\n%s", typ.Name, name, diff)
			}
		}
	}
	for name := range wantObjects {
		if !seen[name] {
			t.Errorf("no type has a %s", name)
		}
	}
}

// keywords are all that a schema here may say. A misspelled keyword means nothing to a validator, which then accepts all.
var keywords = []string{
	"$schema", "title", "description", "type", "required", "properties", "items", "anyOf", "enum", "examples", "format",
	"pattern", "minimum", "minLength", "minProperties", "contentEncoding",
}

func TestSchemasSayNothingUnknown(t *testing.T) {
	for _, typ := range mustLoad(t).Types() {
		schema := decode(t, typ.Schema).(map[string]any)
		if schema["$schema"] != dialect2020 || schema["title"] != typ.Title || schema["description"] != typ.Description ||
			schema["type"] != "object" {
			t.Errorf("%s: the schema begins %.200s", typ.Name, typ.Schema)
		}
		checkKeywords(t, typ.Name, schema)
	}
}

func checkKeywords(t *testing.T, where string, schema any) {
	t.Helper()
	for keyword, value := range schema.(map[string]any) {
		if !slices.Contains(keywords, keyword) {
			t.Errorf("%s: unknown keyword %q", where, keyword)
		}
		switch keyword {
		case "properties":
			for name, property := range value.(map[string]any) {
				if describes := property.(map[string]any); describes["description"] == nil && !strings.Contains(where, "/anyOf") {
					t.Errorf("%s/%s: no description", where, name)
				}
				checkKeywords(t, where+"/"+name, property)
			}
		case "items":
			checkKeywords(t, where+"/items", value)
		case "anyOf":
			for i, option := range value.([]any) {
				checkKeywords(t, fmt.Sprintf("%s/anyOf/%d", where, i), option)
			}
		}
	}
}

func TestSchemasAcceptTheirSamples(t *testing.T) {
	for _, typ := range mustLoad(t).Types() {
		schema := compile(t, typ)
		if err := schema.Validate(decode(t, typ.Sample)); err != nil {
			t.Errorf("%s: %v", typ.Name, err)
		}
	}
}

// TestSchemasRefuseWrongTypes puts false, which no field here can be, in the place of each described value of each sample.
func TestSchemasRefuseWrongTypes(t *testing.T) {
	for _, typ := range mustLoad(t).Types() {
		schema := compile(t, typ)
		places := describedPlaces(t, typ)
		if len(places) == 0 {
			t.Errorf("%s: nothing is described", typ.Name)
		}
		for _, place := range places {
			data := decode(t, typ.Sample)
			put(data, place, false)
			if schema.Validate(data) == nil {
				t.Errorf("%s: accepts false at %v", typ.Name, place)
			}
		}
	}
}

func TestSchemasAllowMore(t *testing.T) {
	for _, typ := range mustLoad(t).Types() {
		schema := compile(t, typ)
		data := decode(t, typ.Sample)
		for _, value := range data.(map[string]any) {
			if object, ok := value.(map[string]any); ok {
				object["x_more"] = []any{true}
			}
		}
		data.(map[string]any)["x_more"] = false
		if err := schema.Validate(data); err != nil {
			t.Errorf("%s: %v", typ.Name, err)
		}
	}
}

func TestSchemasRequireLittle(t *testing.T) {
	c := mustLoad(t)
	for _, test := range []struct {
		name, data string
		ok         bool
	}{
		{"email.opened", `{"contact":{"email":"a@example.com"}}`, true},
		{"email.opened", `{"contact":{"id":501}}`, true},
		{"email.opened", `{"contact":{"id":"501","email":null,"first_name":null}}`, true},
		{"email.opened", `{"contact":{"phone":"+12025550143"}}`, true},
		{"email.opened", `{"contact":{"uid":"u-1"},"campaign":{"id":790}}`, true},
		{"email.opened", `{}`, false},
		{"email.opened", `{"contact":null}`, false},
		{"email.opened", `{"contact":{}}`, false},
		{"email.opened", `{"contact":{"email":""}}`, false},
		{"email.opened", `{"contact":{"email":null}}`, false},
		{"email.opened", `{"contact":{"first_name":"Zoë"}}`, false},
		{"email.opened", `{"contact":{"id":5.5}}`, false},
		{"email.opened", `{"contact":{"id":1},"campaign":{}}`, false},
		{"email.opened", `{"contact":{"id":1},"counts":{"opens":-1}}`, false},
		{"email.opened", `{"contact":{"id":1,"status":"gone"}}`, false},
		{"email.opened", `{"contact":{"id":1,"created_at":"yesterday"}}`, false},
		{"email.opened", `{"contact":{"id":1,"lists":["News",{"id":1,"name":"News"}],"tags":[]}}`, true},
		{"email.opened", `{"contact":{"id":1,"lists":[1]}}`, false},
		{"email.opened", `{"contact":{"id":1,"tags":[{"name":"vip"}]}}`, false},
		{"email.opened", `{"contact":{"id":1,"custom_fields":{"a":[1,{"b":null}]}}}`, true},
		{"email.opened", `{"contact":{"phone":"12025550143"}}`, false},
		{"email.bounced", `{"contact":{"id":1},"bounce":{"type":"block","code":550}}`, true},
		{"campaign.sent", `{"campaign":{"name":"Spring"}}`, true},
		{"campaign.sent", `{}`, false},
		{"whatsapp.message_received", `{"message":{"type":"poll_creation"}}`, true},
		{"whatsapp.message_received", `{"message":{"type":"fax"}}`, false},
		{"whatsapp.message_received", `{"message":{}}`, false},
		{"whatsapp.message_received", `{"message":{"id":"1"},"chat":{"type":"channel"}}`, false},
		{"whatsapp.read", `{"contact":{"phone":"+12025550143"}}`, true},
		{"inbox.created", `{"inbox":{"email":"support@example.com"}}`, true},
		{"inbox.created", `{"inbox":{"name":"Support"}}`, false},
		{"message.received", `{"message":{"from":"a@example.com","to":"b@example.com"}}`, true},
		{"message.received", `{"message":{"id":"m","to":["b@example.com"],"attachments":[{"name":"a","size":1}]}}`, true},
		{"message.received", `{"inbox":{"id":1}}`, false},
		{"postroom.test", `{}`, true},
		{"postroom.delivery.failed", `{"webhook":{"id":"whk_1"}}`, false},
	} {
		typ, _ := c.Lookup(test.name)
		err := compile(t, typ).Validate(decode(t, []byte(test.data)))
		if (err == nil) != test.ok {
			t.Errorf("%s: data %s: accepted is %t, want %t (%v)", test.name, test.data, err == nil, test.ok, err)
		}
	}
}

// TestSamplesFillTheSchemas wants every described field in the sample, so that whatever is built on a sample meets all
// of them, and the other way round no field of a sample that the schema does not describe.
func TestSamplesFillTheSchemas(t *testing.T) {
	absent := map[string][]string{
		// An object of a shared kind that does not apply to what the sample tells.
		"email.subscribed":          {"campaign", "message"},
		"whatsapp.subscribed":       {"campaign", "message"},
		"whatsapp.message_received": {"error"},
		"whatsapp.message_sent":     {"contact", "error"},
	}
	for _, typ := range mustLoad(t).Types() {
		sample := decode(t, typ.Sample).(map[string]any)
		for name := range properties(decode(t, typ.Schema)) {
			if _, has := sample[name]; has == slices.Contains(absent[typ.Name], name) {
				t.Errorf("%s: that the sample has %q is %t", typ.Name, name, has)
			}
		}
		describedPlaces(t, typ) // reports fields that are not described
	}
}

// compile compiles the schema of a type, which also checks it against the meta-schema. Formats are checked, too.
func compile(t *testing.T, typ Type) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	location := "https://example.com/" + typ.Name
	if err := compiler.AddResource(location, decode(t, typ.Schema)); err != nil {
		t.Fatalf("%s: %v", typ.Name, err)
	}
	schema, err := compiler.Compile(location)
	if err != nil {
		t.Fatalf("%s: %v", typ.Name, err)
	}
	return schema
}

func decode(t *testing.T, raw []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// properties gives the described fields of a schema, or none.
func properties(schema any) map[string]any {
	p, _ := schema.(map[string]any)["properties"].(map[string]any)
	return p
}

// describedPlaces gives the path to every value of the sample that the schema describes. A field that is not described,
// in an object whose others are, is an error.
func describedPlaces(t *testing.T, typ Type) [][]any {
	t.Helper()
	var places [][]any
	var walk func(schema, value any, at []any)
	walk = func(schema, value any, at []any) {
		if len(at) > 0 {
			places = append(places, slices.Clone(at))
		}
		switch v := value.(type) {
		case map[string]any:
			described := properties(schema)
			if described == nil {
				return // free, such as custom fields
			}
			for name, field := range v {
				property, ok := described[name]
				if !ok {
					t.Errorf("%s: the schema does not describe %v of the sample", typ.Name, append(at, name))
					continue
				}
				walk(property, field, append(slices.Clip(at), name))
			}
		case []any:
			for i, item := range v {
				walk(schema.(map[string]any)["items"], item, append(slices.Clip(at), i))
			}
		}
	}
	walk(decode(t, typ.Schema), decode(t, typ.Sample), nil)
	return places
}

// put replaces the value at a path of keys and indexes.
func put(data any, place []any, value any) {
	last := len(place) - 1
	for _, step := range place[:last] {
		switch s := step.(type) {
		case string:
			data = data.(map[string]any)[s]
		case int:
			data = data.([]any)[s]
		}
	}
	switch s := place[last].(type) {
	case string:
		data.(map[string]any)[s] = value
	case int:
		data.([]any)[s] = value
	}
}
