package ui

import (
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// editorData is what the editors of mappings and of actions show.
type editorData struct {
	Samples []option
	Rows    []rowView
	Actions []actionView
	Adds    []option // the types of actions to add
	Targets []string // that rows may have
	Types   []postroom.EventType
	Tried   tried
}

// targets are what rows bring values to.
func (c *call) targets() ([]string, error) {
	all := []string{"email", "phone", "first_name", "last_name", "uid", "source", "status", "lists", "tags", "event.id", "event.time", "event.type", "data."}
	fields, err := c.app.Fields(c.Context(), c.in.Caller)
	for _, f := range fields {
		all = append(all, "custom_field."+f.Name)
	}
	return append(all, "custom_field."), err
}

// mappingView is the editor of the mapping with what comes of it.
func mappingView(c *call, d sourceData, f *form, fresh bool) (page, error) {
	data, err := c.editorData(d, f)
	if err != nil {
		return page{}, err
	}
	if data.Tried, err = c.tryMapping(d, f); err != nil {
		return page{}, err
	}
	data.Rows = f.rowViews("mapping", fresh)
	p := sourceView(c, d, "mapping", "Mapping", data)
	p.Form, p.Wide = f, true
	return p, nil
}

func (c *call) editorData(d sourceData, f *form) (data editorData, err error) {
	samples, err := c.samples(d.Source)
	if err != nil {
		return data, err
	}
	data.Samples = withSample(samples, f.Get("request"))
	if data.Types, err = c.app.EventTypes(c.Context(), c.in.Caller); err != nil {
		return data, err
	}
	data.Targets, err = c.targets()
	return data, err
}

// tryMapping says what comes of the rows of a form.
func (c *call) tryMapping(d sourceData, f *form) (tried, error) {
	in := f.input()
	rows, places := said(f.rows("mapping"))
	in.Mapping = rows
	t, err := c.tryIt(d.Source.ID.String(), in, func(pointer string) string { return plainPlace(placed(pointer, places)) })
	if err != nil {
		return t, err
	}
	t.Live = liveOf(t.Live, len(f.rows("mapping")), places)
	renumber(t.Result, places)
	return t, nil
}

// placed is a pointer to a row as the form has it, which has rows in which nothing was said too.
func placed(pointer string, places []int) string {
	rest, is := strings.CutPrefix(pointer, "/mapping/")
	if !is {
		return pointer
	}
	index, part, more := strings.Cut(rest, "/")
	n, err := strconv.Atoi(index)
	if err != nil || n >= len(places) {
		return pointer
	}
	pointer = "/mapping/" + strconv.Itoa(places[n])
	if more {
		pointer += "/" + part
	}
	return pointer
}

// liveOf are the places for what is wrong with each of n rows, most of which are empty.
func liveOf(wrong []liveError, n int, places []int) []liveError {
	all := make([]liveError, n)
	for i := range all {
		all[i].ID = "live-mapping-" + strconv.Itoa(i)
	}
	for _, w := range wrong {
		at, err := strconv.Atoi(strings.TrimPrefix(w.ID, "live-mapping-"))
		if err != nil || at >= len(places) {
			continue
		}
		row := &all[places[at]]
		if row.Text != "" {
			row.Text += "; "
		}
		row.Text += w.Text
	}
	return all
}

// renumber gives the rows that errors name the numbers that they have in the form.
func renumber(t *postroom.SourceTest, places []int) {
	if t == nil {
		return
	}
	row := func(n int) int {
		if n > 0 && n <= len(places) {
			return places[n-1] + 1
		}
		return n
	}
	for i := range t.Items {
		if e := t.Items[i].Error; e != nil && e.Action == 0 {
			e.Row = row(e.Row)
		}
		for n := range t.Items[i].Warnings {
			if w := &t.Items[i].Warnings[n]; w.Action == 0 {
				w.Row = row(w.Row)
			}
		}
	}
}

func mappingPage(c *call) error {
	d, err := c.findSource()
	if err != nil {
		return err
	}
	samples, err := c.samples(d.Source)
	if err != nil {
		return err
	}
	f := newForm()
	f.setRows("mapping", d.Source.Mapping)
	if len(d.Source.Mapping) == 0 {
		f.setRows("mapping", []postroom.MappingRow{{}})
	}
	f.startSample(c, d, samples)
	p, err := mappingView(c, d, f, false)
	if err != nil {
		return err
	}
	return c.render(p)
}

func changeMapping(c *call) error {
	f, d, err := c.sourceForm()
	if err != nil {
		return err
	}
	if e := f.edit(); e.verb != "" && e.verb != "save" {
		if e.list == "mapping" {
			e.apply(f)
		}
		p, err := mappingView(c, d, f, e.verb == "add")
		if err != nil {
			return err
		}
		return c.render(p)
	}
	rows, _ := said(f.rows("mapping"))
	_, err = c.app.UpdateSource(c.Context(), c.in.Caller, d.Source.ID.String(), 0, func(s *postroom.SourceSettings) error {
		s.Mapping = rows
		return nil
	})
	if err == nil {
		return c.redirect(d.Path("/mapping"), "The mapping was saved. Calls from now on are understood by it.")
	}
	f.setRows("mapping", rows)
	return c.invalidRows(err, f, f.rowFields("mapping"), func() (page, error) { return mappingView(c, d, f, false) })
}

// invalidRows shows an editor again with what is wrong. The view is made after the form was blamed, as its rows hold their errors.
func (c *call) invalidRows(err error, f *form, names []string, view func() (page, error)) error {
	if failed := f.take(err, names); failed != nil {
		return failed
	}
	p, failed := view()
	if failed != nil {
		return failed
	}
	p.Status = statusOf(postroom.CodeOf(err))
	return c.render(p)
}

func previewMapping(c *call) error {
	f, d, err := c.sourceForm()
	if err != nil {
		return err
	}
	t, err := c.tryMapping(d, f)
	if err != nil {
		return err
	}
	return c.fragment("sources/mapping", "preview", t)
}
