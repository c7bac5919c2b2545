package inbound

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

// maxNamed is how many lists or tags an action names at most.
const maxNamed = 100

// given are the parts that an action has.
func given(a *postroom.Action) (names []string) {
	for _, part := range []struct {
		name string
		is   bool
	}{{"lists", len(a.Lists) > 0}, {"double_opt_in", a.DoubleOptIn}, {"tags", len(a.Tags) > 0}, {"remove_tags", len(a.RemoveTags) > 0},
		{"custom_fields", len(a.CustomFields) > 0}, {"status", a.Status != ""}, {"mapping", len(a.Mapping) > 0}, {"event_type", a.EventType != ""},
		{"data", a.Data != nil}, {"call", a.Call != nil}} {
		if part.is {
			names = append(names, part.name)
		}
	}
	return names
}

// checkActions refuses actions that there are not, that lack something, or that have something which means nothing.
func checkActions(s *postroom.SourceSettings, fields []postroom.Field, problems *postroom.Problems) {
	for i := range s.Actions {
		a, at := &s.Actions[i], fmt.Sprintf("/actions/%d", i)
		if why := notYet(a.Type); why != "" {
			problems.Add(at+"/type", "%s", why)
			continue
		}
		has := a.Type.Parts()
		if has == nil {
			problems.Add(at+"/type", "%s", noAction(a.Type))
			continue
		}
		for _, name := range given(a) {
			if !slices.Contains(has, name) {
				problems.Add(at+"/"+name, "the action %s has no %s", a.Type, name)
			}
		}
		if name := lacks(s, a); name != "" {
			problems.Add(at+"/"+name, "the action %s needs %s", a.Type, name)
		}
		checkValues(a, at, fields, problems)
	}
}

func noAction(t postroom.ActionType) string {
	var names []string
	for _, known := range postroom.ActionTypes() {
		names = append(names, string(known))
	}
	if t == "" {
		return "an action has a type: one of " + strings.Join(names, ", ")
	}
	return fmt.Sprintf("there is no action %q%s; there are %s", string(t), nearest.Hint(string(t), names), strings.Join(names, ", "))
}

// lacks is the part without which an action would do nothing; empty if it has it, or if what the call says may give it.
func lacks(s *postroom.SourceSettings, a *postroom.Action) string {
	name, is := "", true
	switch a.Type {
	case postroom.ActionAddToList, postroom.ActionRemoveFromList:
		name, is = "lists", len(a.Lists) > 0
	case postroom.ActionApplyTag, postroom.ActionRemoveTag:
		name, is = "tags", len(a.Tags) > 0
	case postroom.ActionChangeStatus:
		name, is = "status", a.Status != ""
	case postroom.ActionTransform:
		name, is = "mapping", len(a.Mapping) > 0
	case postroom.ActionCallAPI:
		name, is = "call", a.Call != nil
	}
	if is || s.Kind != postroom.KindGeneric && name != "mapping" && name != "call" {
		return ""
	}
	rows := slices.Clone(s.Mapping)
	for i := range s.Actions {
		rows = append(rows, s.Actions[i].Mapping...)
	}
	if slices.ContainsFunc(rows, func(r postroom.MappingRow) bool {
		return strings.TrimPrefix(r.To, "contact.") == name || strings.HasPrefix(r.To, "data")
	}) {
		return ""
	}
	return name
}

// checkValues refuses what no contact can have.
func checkValues(a *postroom.Action, at string, fields []postroom.Field, problems *postroom.Problems) {
	for name, all := range map[string][]string{"lists": a.Lists, "tags": a.Tags, "remove_tags": a.RemoveTags} {
		if len(all) > maxNamed {
			problems.Add(at+"/"+name, "there are at most %d", maxNamed)
		}
	}
	for n, list := range a.Lists {
		if _, err := contacts.ListName(list); err != nil {
			problems.Add(fmt.Sprintf("%s/lists/%d", at, n), "%s", err)
		}
	}
	for name, tags := range map[string][]string{"tags": a.Tags, "remove_tags": a.RemoveTags} {
		for n, tag := range tags {
			if _, err := contacts.Tag(tag); err != nil {
				problems.Add(fmt.Sprintf("%s/%s/%d", at, name, n), "%s", err)
			}
		}
	}
	if a.Status != "" && !slices.Contains(postroom.ContactStatuses(), a.Status) {
		problems.Add(at+"/status", "%q is no status of a contact", string(a.Status))
	}
	for _, name := range slices.Sorted(maps.Keys(a.CustomFields)) {
		field := postroom.Field{Name: name, Type: postroom.FieldJSON}
		if n := slices.IndexFunc(fields, func(f postroom.Field) bool { return f.Name == name }); n >= 0 {
			field = fields[n]
		}
		_, err := contacts.FieldName(name)
		if err == nil && payload.KindOf(a.CustomFields[name]) != payload.KindNull {
			_, err = contacts.Value(field, a.CustomFields[name])
		}
		if err != nil {
			problems.Add(at+"/custom_fields/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), "%s", err)
		}
	}
}
