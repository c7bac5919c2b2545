package app

import (
	"slices"
	"strconv"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/contacts"
)

// maxNamed is how many lists or tags an action names at most.
const maxNamed = 100

// actionField is a field of an action, for the check that it goes with the type.
type actionField struct {
	name string
	set  bool
}

func actionFields(a *postroom.Action) []actionField {
	return []actionField{{"lists", len(a.Lists) > 0}, {"double_opt_in", a.DoubleOptIn}, {"tags", len(a.Tags) > 0}, {"remove_tags", len(a.RemoveTags) > 0},
		{"custom_fields", len(a.CustomFields) > 0}, {"status", a.Status != ""}, {"mapping", len(a.Mapping) > 0}, {"event_type", a.EventType != ""},
		{"data", a.Data != nil}, {"call", a.Call != nil}}
}

// fieldsOfAction are the fields that go with a type of action. Lists, tags and a status may also come from the mapping, so that they are not
// required.
func fieldsOfAction(t postroom.ActionType) []string {
	switch t {
	case postroom.ActionAddSubscriber:
		return []string{"lists", "tags", "custom_fields", "status"}
	case postroom.ActionUpdateSubscriber:
		return []string{"tags", "remove_tags", "custom_fields", "status"}
	case postroom.ActionAddToList:
		return []string{"lists", "double_opt_in"}
	case postroom.ActionRemoveFromList:
		return []string{"lists"}
	case postroom.ActionApplyTag, postroom.ActionRemoveTag:
		return []string{"tags"}
	case postroom.ActionChangeStatus:
		return []string{"status"}
	case postroom.ActionTransform:
		return []string{"mapping"}
	case postroom.ActionPublishEvent:
		return []string{"event_type", "data"}
	case postroom.ActionCallAPI:
		return []string{"call"}
	}
	return nil
}

// checkActions refuses what does not go with an action's type, and what is missing. blamed are the places that are refused already.
func checkActions(p *postroom.Problems, actions []postroom.Action, blamed map[string]bool) {
	for i := range actions {
		a, at := &actions[i], "/actions/"+strconv.Itoa(i)
		if blamed[at+"/type"] || !checkChoice(p, at+"/type", a.Type, postroom.ActionTypes()) {
			continue
		}
		mine := fieldsOfAction(a.Type)
		for _, f := range actionFields(a) {
			if f.set && !slices.Contains(mine, f.name) {
				p.Add(at+"/"+f.name, "this does not go with the type %s", a.Type)
			}
		}
		if a.Status != "" {
			checkChoice(p, at+"/status", a.Status, postroom.ContactStatuses())
		}
		if a.Type == postroom.ActionCallAPI && a.Call == nil {
			p.Add(at+"/call", "this is required")
		}
		if a.Type == postroom.ActionTransform && len(a.Mapping) == 0 {
			p.Add(at+"/mapping", "this is required")
		}
		checkNamed(p, at+"/lists", a.Lists, listRef)
		checkNamed(p, at+"/tags", a.Tags, contacts.Tag)
		checkNamed(p, at+"/remove_tags", a.RemoveTags, contacts.Tag)
	}
}

// listRef checks what names a list: its id, or its name.
func listRef(ref string) (string, error) {
	if _, err := postroom.ParseID[postroom.ListKind](ref); err == nil {
		return ref, nil
	}
	return contacts.ListName(ref)
}

func checkNamed(p *postroom.Problems, pointer string, names []string, clean func(string) (string, error)) {
	if len(names) > maxNamed {
		p.Add(pointer, "there are at most %d", maxNamed)
	}
	for i, name := range names {
		if _, err := clean(name); err != nil {
			p.Add(pointer+"/"+strconv.Itoa(i), "%s", err.Error())
		}
	}
}
