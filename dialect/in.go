package dialect

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// In is how a kind of source understands the calls that come to it. Paths, rows and conditions are those of a source's own mapping
// (docs/mapping.md); package inbound compiles them.
type In struct {
	// Verify is how a call proves where it comes from: a scheme.Config of package inbound/scheme as JSON, without secrets. Nil where the
	// kind has no way of its own.
	Verify json.RawMessage
	// Required says that a source must have what Verify needs. Otherwise its calls are verified only if it has it.
	Required    bool
	Credentials []Credential // what a source of this kind is asked for; the first is usually "secret"

	Challenge string // path of what a GET, once it is verified, is answered with; empty where the kind asks for nothing
	CORS      bool   // browsers may post
	Split     string // how a call becomes events: SplitItems, SplitNone, or the path of its items

	// Type, ID and Time are where an event's type, id and time stand, Data what its data is, and Key what tells it from others where the id
	// alone does not: of each, the first row counts that applies and finds something.
	Type, ID, Time, Data, Key []postroom.MappingRow
	Dedupe                    postroom.DedupeBy     // what a source means by auto: DedupeAuto, or DedupeBody for vendors that send no id
	Fields                    []postroom.MappingRow // the catalogue's objects; what a row takes whole from the data is moved, not copied
	Recognise                 bool                  // a contact is looked for under the usual names
	Samples                   []Sample              // calls to try a source with

	names  map[string]string // by the vendor's name in lower case: the catalogue's type
	others bool              // other types come under their own names
}

// The ways to split a call that are no path.
const (
	SplitItems = "items" // the elements of an array, and the lines of NDJSON, are events; any other body is one
	SplitNone  = "none"  // a call is one event, whatever it holds
)

// Credential is something secret that a source of a kind has.
type Credential struct {
	Name  string // as the scheme's credential
	Title string // for people
}

// Sample is a call to try a source with.
type Sample struct {
	Name    string
	Headers map[string]string
	Body    string
}

// TypeOf is the catalogue's type that the vendor calls by a name. Upper and lower case are the same. For a name that the kind does not list,
// it is that name itself if the kind takes other types too; whether there is such a type, it does not know.
func (in *In) TypeOf(name string) (string, bool) {
	if t, named := in.names[strings.ToLower(name)]; named {
		return t, true
	}
	return name, in.others
}

// Names lists the vendor's names, in lower case and sorted, and tells whether other types come under their own.
func (in *In) Names() (names []string, others bool) {
	return slices.Sorted(maps.Keys(in.names)), in.others
}

// TypeNamed is the catalogue's type that vendors call by a name, if all who have that name mean the same. Upper and lower case are the
// same.
func (s Set) TypeNamed(name string) (string, bool) {
	found := ""
	for _, d := range s {
		var types []string
		for t, vendors := range d.Out.names {
			if strings.EqualFold(vendors, name) {
				types = append(types, t)
			}
		}
		if d.In != nil {
			if t, named := d.In.names[strings.ToLower(name)]; named {
				types = append(types, t)
			}
		}
		for _, t := range types {
			if found != "" && found != t {
				return "", false
			}
			found = t
		}
	}
	return found, found != ""
}

// Kinds lists the dialects with an incoming part, sorted.
func (s Set) Kinds() (names []string) {
	for name, d := range s {
		if d.In != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
