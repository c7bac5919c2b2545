package payload

import (
	"regexp"
	"slices"
	"strings"
)

// Variable is a name that every template knows.
type Variable struct {
	Name    string // as it is written between braces; custom_field_<name> stands for many
	Path    string // what it is short for, as a path; empty for what has none
	Meaning string // a phrase for people
}

// variables are the names of the language; each that begins with subscriber_ can be written with contact_ too.
var variables = []Variable{
	{"event_id", "event.id", "the event's id"},
	{"event_type", "event.type", "the event's type, such as email.opened"},
	{"timestamp", "event.time", "when it happened, such as 2026-03-15T10:30:00.000Z"},
	{"workspace_id", "", "the workspace's id"},
	{"subscriber_id", "data.contact.id", "the contact's id"},
	{"subscriber_email", "data.contact.email", "the contact's email address"},
	{"subscriber_first_name", "data.contact.first_name", "the contact's given name"},
	{"subscriber_last_name", "data.contact.last_name", "the contact's family name"},
	{"subscriber_phone", "data.contact.phone", "the contact's telephone number"},
	{"subscriber_lists", "data.contact.lists", "the lists that the contact is on"},
	{"subscriber_tags", "data.contact.tags", "the tags that the contact has"},
	{"subscriber_status", "data.contact.status", "whether the contact may be written to"},
	{"campaign_id", "data.campaign.id", "the campaign's id"},
	{"campaign_name", "data.campaign.name", "the campaign's name"},
	{"campaign_sent_date", "data.campaign.sent_at", "when sending of the campaign began"},
	{"custom_field_<name>", "data.contact.custom_fields.<name>", "one of the contact's own fields"},
	{"custom_field_*", "data.contact.custom_fields", "all of the contact's own fields, as an object"},
}

// Variables lists the names that every template knows.
func Variables() []Variable { return slices.Clone(variables) }

const (
	subscriberPrefix  = "subscriber_"
	contactPrefix     = "contact_"
	customFieldPrefix = "custom_field_"
)

// customFieldName finds the names of contacts' own fields in an expression, whose names are of ASCII.
var customFieldName = regexp.MustCompile(`\b(?:subscriber_|contact_)?custom_field_[A-Za-z0-9_]+`)

// customField is the rest of a name that speaks of a contact's own field.
func customField(name string) (field string, ok bool) {
	name = strings.TrimPrefix(strings.TrimPrefix(name, subscriberPrefix), contactPrefix)
	field, ok = strings.CutPrefix(name, customFieldPrefix)
	return field, ok && field != ""
}

// variablePath is what a name is short for, as a path. It is nil for names that the language does not have.
func variablePath(name string) []step {
	if field, ok := customField(name); ok {
		path := []step{named("data"), named("contact"), named("custom_fields")}
		if field == "*" {
			return path
		}
		return append(path, step{name: field, index: -1, free: true})
	}
	if rest, ok := strings.CutPrefix(name, contactPrefix); ok {
		name = subscriberPrefix + rest
	}
	switch name {
	case "event", "data":
		return []step{named(name)}
	case "workspace_id":
		return []step{named(name)}
	}
	for _, v := range variables {
		if v.Name == name {
			return path(strings.Split(v.Path, ".")...)
		}
	}
	return nil
}

func named(name string) step { return step{name: name, index: -1} }

func path(names ...string) []step {
	steps := make([]step, len(names))
	for i, name := range names {
		steps[i] = named(name)
	}
	return steps
}

// variableNames are all names that can be suggested.
func variableNames(more []string) []string {
	names := append([]string{"data", "event"}, more...)
	for _, v := range variables {
		if strings.Contains(v.Name, "<") {
			continue
		}
		names = append(names, v.Name)
		if rest, ok := strings.CutPrefix(v.Name, subscriberPrefix); ok {
			names = append(names, contactPrefix+rest)
		}
	}
	return names
}

// eventFields are what a path may name in event.
var eventFields = []string{"id", "type", "time", "actor", "ordering_key", "data"}

// distance is how many single characters must be added, removed, replaced or swapped with their neighbour to turn a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int // the row before prev
	prev := make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			replace := prev[j-1]
			if x[i-1] != y[j-1] {
				replace++
			}
			row[j] = min(prev[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(y)]
}

// nearest is the name that an unknown one was probably meant to be, or "": one with few misspellings, else the only one of which
// it is the end, as email is of subscriber_email.
func nearest(unknown string, names []string) string {
	if len(unknown) > 128 {
		return ""
	}
	unknown = strings.ToLower(unknown)
	best, bestDistance := "", min(1+len(unknown)/4, 4)
	for _, name := range names {
		if d := distance(unknown, strings.ToLower(name)); d < bestDistance || d == bestDistance && best == "" {
			best, bestDistance = name, d
		}
	}
	if best != "" {
		return best
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_"+unknown) {
			return name
		}
	}
	return ""
}

// didYouMean is what to append to a message about an unknown name.
func didYouMean(unknown string, names []string) string {
	if near := nearest(unknown, names); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}
