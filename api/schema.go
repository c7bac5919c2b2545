package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
)

// refineSchemas makes the schemas that huma made of Go types say what is true of the JSON: which strings are ids, times or one
// of a few words, what may be null, what a body must have, and what each field means.
func refineSchemas(schemas huma.Registry) {
	required := requiredFields()
	docs := fieldDocs()
	for name, schema := range schemas.Map() {
		goType := schemas.TypeFromRef(schemaRef + name)
		if fields, isInput := required[name]; isInput {
			schema.Required = fields
		} else {
			schema.AdditionalProperties = nil // fields may be added to answers
		}
		for _, f := range reflect.VisibleFields(goType) {
			if prop := schema.Properties[jsonName(f)]; prop != nil {
				place := typeName(goType, f) + "." + jsonName(f)
				schema.Properties[jsonName(f)] = refine(prop, f, docs[place])
				if slices.Contains(objectFields(), place) {
					prop.Type = "object"
				}
			}
		}
	}
	refineForms(schemas)
	for _, name := range []string{"WebhookSettings", "SourceSettings", "EventTypeInput", "WorkspaceInput", "ContactSettings", "ListInput", "FieldInput", "RenameInput", "MemberSettings", "PortalSettings"} {
		addPatch(schemas.Map(), name)
	}
	for _, name := range []string{"WebhookSettings", "SourceSettings", "ContactSettings", "RenameInput", "MemberSettings", "PortalSettings"} {
		delete(schemas.Map(), name) // their fields are in other schemas
	}
}

// objectFields are fields that hold any JSON by their Go type, and are objects in truth.
func objectFields() []string {
	return []string{"Event.data", "EventType.schema", "EventType.sample", "EventTypeInput.schema", "EventTypeInput.sample", "TestInput.data"}
}

// patchName is the name of the schema of merge patches of what name, or a reference, names.
func patchName(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, "Input"), "Settings") + "Patch"
}

// addPatch adds the schema of merge patches: the same fields, none of which is required, and all of which may be null.
func addPatch(schemas map[string]*huma.Schema, name string) {
	of := *schemas[name]
	of.Required, of.Properties = nil, map[string]*huma.Schema{}
	for field, prop := range schemas[name].Properties {
		of.Properties[field] = patchOf(schemas, prop)
	}
	schemas[patchName(name)] = &of
}

func patchOf(schemas map[string]*huma.Schema, s *huma.Schema) *huma.Schema {
	p := *s
	ref := s.Ref
	if len(s.OneOf) > 0 { // of a reference and null
		ref = s.OneOf[0].Ref
	}
	if ref != "" && strings.TrimPrefix(ref, schemaRef) != "Payload" { // which is replaced as a whole
		addPatch(schemas, strings.TrimPrefix(ref, schemaRef))
		p.Ref, p.OneOf = "", []*huma.Schema{{Ref: patchName(ref)}, {Type: "null"}}
		return &p
	}
	if of, isMap := s.AdditionalProperties.(*huma.Schema); isMap {
		value := *of
		value.Nullable = of.Type != "" // one that is of any kind may be null already
		p.AdditionalProperties = &value
	}
	p.Nullable = p.Type != ""
	if p.Enum != nil {
		p.Enum = append(slices.Clone(p.Enum), nil)
	}
	return &p
}

// typeName is the name of the struct that a field, perhaps one of an embedded struct, is declared in; Page for all pages.
func typeName(t reflect.Type, f reflect.StructField) string {
	for _, i := range f.Index[:len(f.Index)-1] {
		t = t.Field(i).Type
	}
	if generic, _, is := strings.Cut(t.Name(), "["); is {
		return generic
	}
	return schemaName(t, "")
}

// refine corrects the schema of one field.
func refine(prop *huma.Schema, f reflect.StructField, doc string) *huma.Schema {
	nullable := f.Type.Kind() == reflect.Pointer && !strings.Contains(f.Tag.Get("json"), ",omitempty")
	refineLeaf(prop, f.Type)
	if prop.Items != nil {
		refineLeaf(prop.Items, f.Type.Elem())
		prop.Nullable = false // the API has no null for a list
	}
	if prop.Ref != "" && nullable {
		prop = &huma.Schema{OneOf: []*huma.Schema{{Ref: prop.Ref}, {Type: "null"}}, Description: prop.Description}
	} else {
		prop.Nullable = nullable && prop.Type != ""
	}
	if doc != "" {
		prop.Description = doc
	}
	return prop
}

// refineLeaf corrects the schema of a value by its Go type.
func refineLeaf(s *huma.Schema, t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[postroom.WorkspaceID]():
		idSchema(s, "wsp_")
	case reflect.TypeFor[postroom.KeyID]():
		idSchema(s, "key_")
	case reflect.TypeFor[postroom.MemberID]():
		idSchema(s, "mem_")
	case reflect.TypeFor[postroom.MemberStatus]():
		s.Enum = anys([]postroom.MemberStatus{postroom.MemberInvited, postroom.MemberActive})
	case reflect.TypeFor[postroom.WebhookID]():
		idSchema(s, "whk_")
	case reflect.TypeFor[postroom.SecretID]():
		idSchema(s, "sec_")
	case reflect.TypeFor[postroom.DeliveryID]():
		idSchema(s, "dlv_")
	case reflect.TypeFor[postroom.ReplayID]():
		idSchema(s, "rpl_")
	case reflect.TypeFor[postroom.SourceID]():
		idSchema(s, "src_")
	case reflect.TypeFor[postroom.RequestID]():
		idSchema(s, "req_")
	case reflect.TypeFor[postroom.ContactID]():
		idSchema(s, "con_")
	case reflect.TypeFor[postroom.ListID]():
		idSchema(s, "lst_")
	case reflect.TypeFor[postroom.SourceStatus]():
		s.Enum = anys([]postroom.SourceStatus{postroom.SourceActive, postroom.SourceInactive})
	case reflect.TypeFor[postroom.RequestStatus]():
		s.Enum = anys(postroom.RequestStatuses())
	case reflect.TypeFor[postroom.ActionType]():
		s.Enum = anys(postroom.ActionTypes())
	case reflect.TypeFor[postroom.DedupeBy]():
		s.Enum = anys([]postroom.DedupeBy{postroom.DedupeAuto, postroom.DedupeID, postroom.DedupeHeader, postroom.DedupeBody, postroom.DedupeNone})
	case reflect.TypeFor[postroom.ImportID]():
		idSchema(s, "imp_")
	case reflect.TypeFor[postroom.AuditID]():
		idSchema(s, "aud_")
	case reflect.TypeFor[postroom.ContactStatus]():
		s.Enum = anys(postroom.ContactStatuses())
	case reflect.TypeFor[postroom.MembershipStatus]():
		s.Enum = anys([]postroom.MembershipStatus{postroom.MemberSubscribed, postroom.MemberPending, postroom.MemberUnsubscribed})
	case reflect.TypeFor[postroom.FieldType]():
		s.Enum = anys(postroom.FieldTypes())
	case reflect.TypeFor[postroom.Origin]():
		s.Enum = anys([]postroom.Origin{postroom.OriginAPI, postroom.OriginImport, postroom.OriginRequest})
	case reflect.TypeFor[postroom.ImportState]():
		s.Enum = anys([]postroom.ImportState{postroom.ImportRunning, postroom.ImportDone, postroom.ImportFailed})
	case reflect.TypeFor[postroom.ReplayState]():
		s.Enum = anys(postroom.ReplayStates())
	case reflect.TypeFor[postroom.Timestamp]():
		s.Format = "date-time"
	case reflect.TypeFor[postroom.Duration]():
		s.Pattern, s.Examples = `^([0-9.]+(ns|us|µs|ms|s|m|h))+$|^0$`, []any{"5s", "30m", "2h"}
	case reflect.TypeFor[postroom.Role]():
		s.Enum = anys([]postroom.Role{postroom.RoleViewer, postroom.RolePublisher, postroom.RoleAdmin})
	case reflect.TypeFor[postroom.DeliveryStatus]():
		s.Enum = anys(postroom.DeliveryStatuses())
	case reflect.TypeFor[postroom.WebhookStatus]():
		if s.Enum == nil {
			s.Enum = anys([]postroom.WebhookStatus{postroom.WebhookActive, postroom.WebhookPaused, postroom.WebhookDisabled})
		}
	case reflect.TypeFor[postroom.Ordering]():
		s.Enum = anys(postroom.Orderings())
	case reflect.TypeFor[postroom.AuthType]():
		s.Enum = anys(postroom.AuthTypes())
	case reflect.TypeFor[postroom.OAuthGrant]():
		s.Enum = anys(postroom.OAuthGrants())
	case reflect.TypeFor[postroom.OAuthClientAuth]():
		s.Enum = anys(postroom.OAuthClientAuths())
	case reflect.TypeFor[postroom.SecretKind]():
		s.Enum = anys([]postroom.SecretKind{postroom.SecretHMAC, postroom.SecretEd25519})
	case reflect.TypeFor[postroom.Code]():
		for _, kind := range problemKinds() {
			s.Enum = append(s.Enum, kind.code)
		}
	case reflect.TypeFor[json.RawMessage]():
		s.Description = "Any JSON."
	}
}

func idSchema(s *huma.Schema, prefix string) {
	s.Pattern = fmt.Sprintf("^%s[0-7][0-9a-hjkmnp-tv-z]{25}$", prefix)
	s.Examples = []any{prefix + "01jd3v8x2mf4k8c0q9r7t5y1za"}
}

// requiredFields are the schemas of bodies, which have no other fields than those that they list, each with the fields that must
// be there.
func requiredFields() map[string][]string {
	return map[string][]string{
		"Action":               {"type"},
		"Auth":                 {"type"},
		"BasicAuth":            {"username", "password"},
		"Call":                 {"url"},
		"ClientTLS":            nil,
		"CloudEvent":           {"id", "source", "specversion", "type"},
		"Dedupe":               nil,
		"DisableAfter":         nil,
		"ContactInput":         nil,
		"ContactSettings":      nil,
		"EventInput":           {"type", "data"},
		"EventTypeInput":       {"name"},
		"FieldInput":           {"name"},
		"KeyInput":             {"name", "role"},
		"ListInput":            {"name"},
		"MemberInput":          {"email", "role"},
		"MemberSettings":       nil,
		"PortalLinkInput":      {"customer"},
		"PortalSettings":       nil,
		"MembersInput":         {"contacts"},
		"MappingRow":           {"from", "to"},
		"PauseInput":           nil,
		"Payload":              nil,
		"PreviewInput":         nil,
		"PreviewSettingsInput": nil,
		"RateLimit":            {"limit", "period"},
		"RenameInput":          {"name"},
		"ReplayEventInput":     nil,
		"ReplayInput":          nil,
		"ResumeInput":          nil,
		"Retry":                nil,
		"RotateInput":          nil,
		"SourceInput":          {"name"},
		"SourceKey":            nil,
		"SourceSettings":       nil,
		"SourceSignature":      nil,
		"SourceTestInput":      nil,
		"TagsInput":            nil,
		"TestInput":            nil,
		"WebhookInput":         {"name", "url", "events"},
		"WebhookSettings":      nil,
		"WorkspaceInput":       {"name"},
	}
}
