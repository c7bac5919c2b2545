package ui

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// Rows of mappings stand in forms under the names of their pointers: mapping.0.from, mapping.0.transform.1 and its .arg, and so on. A form
// has the whole of what is edited, so that rows can be added, moved and taken away without anything being stored.

// maxEdited is how many rows or actions a form may have.
const maxEdited = 200

// transformKinds are the transforms, with what they are given.
func transformKinds() []option {
	return []option{
		{"trim", "trim", "cut white space"}, {"lower", "lower case", ""}, {"upper", "UPPER CASE", ""}, {"title", "Title Case", ""},
		{"number", "number", "de, fr, or , as decimal mark"}, {"boolean", "yes or no", ""}, {"date", "date", "DD.MM.YYYY"}, {"split", "split", "at this text"},
		{"join", "join", "with this text"}, {"replace", "replace", `{"old": "-", "new": ""}`}, {"default", "default", "if there is nothing"},
		{"lookup", "look up", `{"table": {"1": "gold"}, "default": "none"}`}, {"unescape", "unescape", "%20 → space"},
	}
}

// argOf reads what a transform is given: JSON where it looks like it, else a text. Nothing is nil.
func argOf(name, text string) json.RawMessage {
	if text == "" {
		return nil
	}
	trimmed := strings.TrimSpace(text)
	structured := trimmed != "" && strings.ContainsRune(`{["`, rune(trimmed[0]))
	if (structured || name == "default") && json.Valid([]byte(trimmed)) {
		return json.RawMessage(trimmed)
	}
	quoted, err := json.Marshal(text)
	if err != nil { // a string always can be
		return nil
	}
	return quoted
}

// argText is what argOf reads.
func argText(name string, arg json.RawMessage) string {
	var text string
	if json.Unmarshal(arg, &text) == nil && string(argOf(name, text)) == string(arg) {
		return text
	}
	return string(arg)
}

// splitPaths takes several paths apart, which are written with " + " between them, and may have that in quotes.
func splitPaths(text string) postroom.Paths {
	paths := postroom.Paths{}
	quoted, from := false, 0
	for i := range len(text) {
		switch {
		case text[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(text[i:], " + "):
			paths = append(paths, strings.TrimSpace(text[from:i]))
			from = i + 3
		}
	}
	return append(paths, strings.TrimSpace(text[from:]))
}

// has tells whether the form has a field, whatever it holds.
func (f *form) has(name string) bool {
	_, is := f.values[name]
	return is
}

func at(prefix string, index int) string { return prefix + "." + strconv.Itoa(index) }

// rows reads the rows below a prefix.
func (f *form) rows(prefix string) []postroom.MappingRow {
	rows := []postroom.MappingRow{}
	for i := 0; i < maxEdited && f.has(at(prefix, i)+".to"); i++ {
		name := at(prefix, i)
		row := postroom.MappingRow{From: splitPaths(f.Get(name + ".from")), To: f.Get(name + ".to"), When: f.Get(name + ".when")}
		for n := 0; f.has(at(name+".transform", n)); n++ {
			kind := f.Get(at(name+".transform", n))
			if kind != "" {
				row.Transform = append(row.Transform, postroom.Transform{Name: kind, Arg: argOf(kind, f.Raw(at(name+".transform", n)+".arg"))})
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// blankRow tells whether nothing was said in a row yet.
func blankRow(r postroom.MappingRow) bool {
	return r.To == "" && r.When == "" && len(r.Transform) == 0 && strings.Join(r.From, "") == ""
}

// said are the rows without those in which nothing was said, and the places that they had.
func said(rows []postroom.MappingRow) (kept []postroom.MappingRow, places []int) {
	kept = []postroom.MappingRow{}
	for i, r := range rows {
		if !blankRow(r) {
			kept, places = append(kept, r), append(places, i)
		}
	}
	return kept, places
}

// setRows writes rows below a prefix, in the place of those that were there.
func (f *form) setRows(prefix string, rows []postroom.MappingRow) {
	f.drop(prefix)
	for i, r := range rows {
		name := at(prefix, i)
		f.values.Set(name+".from", strings.Join(r.From, " + "))
		f.values.Set(name+".to", r.To)
		f.values.Set(name+".when", r.When)
		for n, t := range r.Transform {
			f.values.Set(at(name+".transform", n), t.Name)
			if t.Arg != nil {
				f.values.Set(at(name+".transform", n)+".arg", argText(t.Name, t.Arg))
			}
		}
	}
}

// drop forgets what stands below a prefix.
func (f *form) drop(prefix string) {
	for name := range f.values {
		if strings.HasPrefix(name, prefix+".") {
			delete(f.values, name)
		}
	}
}

// moved is a list after up, down or remove of one of its elements. It is a new list.
func moved[T any](list []T, verb string, index int) []T {
	out := append([]T{}, list...)
	if index < 0 || index >= len(out) {
		return out
	}
	switch verb {
	case "up":
		if index > 0 {
			out[index-1], out[index] = out[index], out[index-1]
		}
	case "down":
		if index+1 < len(out) {
			out[index+1], out[index] = out[index], out[index+1]
		}
	case "remove":
		out = append(out[:index], out[index+1:]...)
	}
	return out
}

// edit is what a button of an editor does: a verb, the prefix of a list, and the place in it.
type edit struct {
	verb, list string
	index      int
}

// edit reads which button was pressed, such as up:mapping:2.
func (f *form) edit() edit {
	verb, rest, _ := strings.Cut(f.Get("op"), ":")
	list, index, _ := strings.Cut(rest, ":")
	n, err := strconv.Atoi(index)
	if err != nil {
		n = -1
	}
	return edit{verb, list, n}
}

// apply changes the list of rows that an edit is about.
func (e edit) apply(f *form) {
	rows := f.rows(e.list)
	if e.verb == "add" {
		if rows = append(rows, postroom.MappingRow{}); len(rows) > maxEdited {
			rows = rows[:maxEdited]
		}
	} else {
		rows = moved(rows, e.verb, e.index)
	}
	f.setRows(e.list, rows)
}

// rowView is a row as a form shows it.
type rowView struct {
	Form         *form
	List         string // the prefix of the list
	Index        int
	First, Last  bool
	Fresh        bool // it was just added
	From, To     field
	When         field
	Transforms   []transformView
	TargetErrors string // of the row as a whole
}

// Number is the row's number for people.
func (r rowView) Number() int { return r.Index + 1 }

// ID is a part of the ids of the row's elements.
func (r rowView) ID() string { return strings.ReplaceAll(at(r.List, r.Index), ".", "-") }

// Prefix is the beginning of the names of the row's fields.
func (r rowView) Prefix() string { return at(r.List, r.Index) }

// transformView is a transform as a form shows it.
type transformView struct{ Name, Arg field }

// rowViews are the rows below a prefix, for a template.
func (f *form) rowViews(prefix string, fresh bool) (views []rowView) {
	rows := f.rows(prefix)
	for i, r := range rows {
		name := at(prefix, i)
		label := func(what string) string { return what + " of row " + strconv.Itoa(i+1) }
		v := rowView{Form: f, List: prefix, Index: i, First: i == 0, Last: i == len(rows)-1, Fresh: fresh && i == len(rows)-1, TargetErrors: f.Error(name),
			From: field{form: f, Name: name + ".from", Label: label("From")}, To: field{form: f, Name: name + ".to", Label: label("To")},
			When: field{form: f, Name: name + ".when", Label: label("Condition")}}
		for n := 0; n <= len(r.Transform); n++ {
			t := at(name+".transform", n)
			v.Transforms = append(v.Transforms, transformView{field{form: f, Name: t, Label: label("Transform " + strconv.Itoa(n+1)), Options: transformKinds()},
				field{form: f, Name: t + ".arg", Label: label("What transform " + strconv.Itoa(n+1) + " is given")}})
		}
		views = append(views, v)
	}
	return views
}

// rowFields are the fields of rows that can be wrong.
func (f *form) rowFields(prefix string) (names []string) {
	for i, r := range f.rows(prefix) {
		name := at(prefix, i)
		names = append(names, name, name+".from", name+".to", name+".when")
		for n := range r.Transform {
			names = append(names, at(name+".transform", n))
		}
	}
	return names
}
