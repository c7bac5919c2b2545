package ui

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// contactApp is what the pages of contacts need of the application.
type contactApp interface {
	Contacts(ctx context.Context, who app.Caller, s app.ContactSearch, q postroom.PageQuery) (postroom.Page[postroom.Contact], error)
	EachContact(ctx context.Context, who app.Caller, s app.ContactSearch, visit func(postroom.Contact) error) error
	Contact(ctx context.Context, who app.Caller, ref string) (postroom.Contact, error)
	CreateContact(ctx context.Context, who app.Caller, in app.ContactInput) (postroom.Contact, error)
	UpdateContact(ctx context.Context, who app.Caller, ref string, ifMatch int64, edit func(*app.ContactSettings) error) (postroom.Contact, error)
	TagContact(ctx context.Context, who app.Caller, ref string, tag, untag []string) (postroom.Contact, error)
	DeleteContact(ctx context.Context, who app.Caller, ref string, ifMatch int64) error
	EraseContact(ctx context.Context, who app.Caller, ref string, progress func(rows int64)) (app.Erasure, error)
	Consents(ctx context.Context, who app.Caller, ref string) ([]postroom.Consent, error)
	ContactEvents(ctx context.Context, who app.Caller, ref string, q postroom.PageQuery) (postroom.Page[postroom.Event], error)
	ContactDeliveries(ctx context.Context, who app.Caller, ref string, q postroom.PageQuery) (postroom.Page[postroom.Delivery], error)
}

func contactRoutes() []route {
	const one = "/contacts/{id}"
	return []route{
		get("/contacts", postroom.RoleViewer, contactsPage), get("/contacts/export", postroom.RoleViewer, exportContacts),
		get("/contacts/new", postroom.RoleAdmin, newContactPage), post("/contacts/new", postroom.RoleAdmin, createContact),
		get(one, postroom.RoleViewer, contactPage), get(one+"/edit", postroom.RoleAdmin, editContactPage), post(one+"/edit", postroom.RoleAdmin, changeContact),
		post(one+"/tag", postroom.RoleAdmin, tagContact), post(one+"/untag", postroom.RoleAdmin, untagContact),
		post(one+"/join", postroom.RoleAdmin, joinList), post(one+"/leave", postroom.RoleAdmin, leaveList),
		post(one+"/delete", postroom.RoleAdmin, deleteContact), post(one+"/erase", postroom.RoleAdmin, eraseContact),
	}
}

// audienceTabs are the pages of the contacts.
func audienceTabs(c *call) []tab {
	return tabsAt(c.URL.Path, tab{Title: "Contacts", Path: "/contacts"}, tab{Title: "Imports", Path: "/imports"}, tab{Title: "Custom fields", Path: "/fields"})
}

// contactSearch is what a query asks for.
func contactSearch(q url.Values) app.ContactSearch {
	return app.ContactSearch{ListRef: q.Get("list"), ContactFilter: postroom.ContactFilter{Status: postroom.ContactStatus(q.Get("status")), Tag: q.Get("tag"), Text: strings.TrimSpace(q.Get("q"))}}
}

type contactsData struct {
	postroom.Page[postroom.Contact]
	Statuses, Lists, Tags []option
	Filtered              bool
	Exports               string // the URL of the export
}

// maxChoices is how many lists and tags a choice has.
const maxChoices = 200

func listOptions(c *call) ([]option, error) {
	lists, err := c.app.Lists(c.Context(), c.in.Caller, postroom.PageQuery{Limit: min(maxChoices, postroom.MaxPageLimit)})
	all := make([]option, len(lists.Data))
	for i, l := range lists.Data {
		all[i] = option{Value: l.ID.String(), Label: l.Name}
	}
	return all, err
}

func tagOptions(c *call) ([]option, error) {
	tags, err := c.app.Tags(c.Context(), c.in.Caller)
	all := []option{}
	for _, t := range tags[:min(len(tags), maxChoices)] {
		all = append(all, option{Value: t.Name, Label: t.Name})
	}
	return all, err
}

func statusOptions() (all []option) {
	for _, s := range postroom.ContactStatuses() {
		all = append(all, option{string(s), string(s), ""})
	}
	return all
}

// contactsPage lists contacts. What is asked for and is not there, such as a list that was deleted, stays in the filter.
func contactsPage(c *call) error {
	q := c.URL.Query()
	search := contactSearch(q)
	d := contactsData{Filtered: search != app.ContactSearch{}, Statuses: statusOptions()}
	f := newForm("q", q.Get("q"), "status", q.Get("status"), "list", q.Get("list"), "tag", q.Get("tag"))
	p := page{Name: "contacts/list", Title: "Contacts", Nav: "contacts", Tabs: audienceTabs(c), Form: f}
	var err error
	if d.Lists, err = listOptions(c); err != nil {
		return err
	}
	if d.Tags, err = tagOptions(c); err != nil {
		return err
	}
	d.Lists, d.Tags = withOption(d.Lists, q.Get("list")), withOption(d.Tags, q.Get("tag"))
	q.Del("cursor")
	d.Exports = "/contacts/export?" + q.Encode()
	if d.Page, err = c.app.Contacts(c.Context(), c.in.Caller, search, c.pageQuery()); err != nil {
		p.Data = d
		return c.invalid(err, p, "q")
	}
	p.Data = d
	return c.render(p)
}

// withOption adds the value that is chosen, if it is not one of the options.
func withOption(all []option, chosen string) []option {
	if chosen == "" || slices.ContainsFunc(all, func(o option) bool { return o.Value == chosen }) {
		return all
	}
	return append(all, option{Value: chosen, Label: chosen})
}

// exportContacts streams what the filters let through. A file that breaks off is cut, so that it is not taken for the whole.
func exportContacts(c *call) error {
	search := contactSearch(c.URL.Query())
	if _, err := c.app.Contacts(c.Context(), c.in.Caller, search, postroom.PageQuery{Limit: 1}); err != nil {
		return err // while it can still be a page
	}
	if c.URL.Query().Get("format") == app.FormatNDJSON {
		c.download("contacts.ndjson", "application/x-ndjson")
		enc := json.NewEncoder(c.w)
		return c.streamed(c.app.EachContact(c.Context(), c.in.Caller, search, func(x postroom.Contact) error { return enc.Encode(x) }))
	}
	fields, err := c.app.Fields(c.Context(), c.in.Caller)
	if err != nil {
		return err
	}
	c.download("contacts.csv", "text/csv; charset=utf-8")
	w := csv.NewWriter(c.w)
	if err := w.Write(app.ContactColumns(fields)); err != nil {
		return c.streamed(err)
	}
	err = c.app.EachContact(c.Context(), c.in.Caller, search, func(x postroom.Contact) error { return w.Write(noFormulas(app.ContactCells(x, fields))) })
	w.Flush()
	return c.streamed(err)
}

// download begins an answer that is a file.
func (c *call) download(name, kind string) {
	h := c.w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

// streamed ends an answer that is a file. One that failed on the way is cut.
func (c *call) streamed(err error) error {
	if err == nil || c.Context().Err() != nil {
		return nil //nolint:nilerr // the browser went away
	}
	c.d.logCause(c.Context(), c.URL.Path, err)
	panic(http.ErrAbortHandler)
}

// noFormulas puts an apostrophe before what a spreadsheet could take for a formula.
func noFormulas(cells []string) []string {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) && !plainNumber(cell) {
			cells[i] = "'" + cell
		}
	}
	return cells
}

// plainNumber tells whether a cell is a number or a phone number, which no spreadsheet computes with.
func plainNumber(cell string) bool { return strings.Trim(cell[1:], "0123456789.") == "" }

// contactData is what the page of a contact shows.
type contactData struct {
	Contact    postroom.Contact
	Fields     []shownField
	Lists      []option // that it can join
	Consents   []postroom.Consent
	Events     []postroom.Event
	Deliveries []postroom.Delivery
	names      map[postroom.ListID]string
}

// shownField is a custom field of a contact.
type shownField struct{ Title, Name, Value string }

// List is the name of a list in the history; its id where the contact has left it for good.
func (d contactData) List(id *postroom.ListID) string { return nameOr(d.names[*id], id.String()) }

const shownHistory = 20

func contactPage(c *call) error {
	return showContact(c, newForm(), nil)
}

// showContact shows a contact, with what was wrong with a form of the page.
func showContact(c *call, f *form, wrong error) error {
	ctx, who, ref := c.Context(), c.in.Caller, c.PathValue("id")
	x, err := c.app.Contact(ctx, who, ref)
	if err != nil {
		return err
	}
	d := contactData{Contact: x, names: map[postroom.ListID]string{}}
	ref = x.ID.String()
	fields, err := c.app.Fields(ctx, who)
	if err != nil {
		return err
	}
	d.Fields = shownFields(x, fields)
	if d.Lists, err = listOptions(c); err != nil {
		return err
	}
	for _, m := range x.Lists {
		d.names[m.ID] = m.Name
	}
	if d.Consents, err = c.app.Consents(ctx, who, ref); err != nil {
		return err
	}
	d.Consents = d.Consents[:min(len(d.Consents), shownHistory)]
	q := postroom.PageQuery{Limit: shownHistory}
	events, err := c.app.ContactEvents(ctx, who, ref, q)
	if err != nil {
		return err
	}
	deliveries, err := c.app.ContactDeliveries(ctx, who, ref, q)
	if err != nil {
		return err
	}
	d.Events, d.Deliveries = events.Data, deliveries.Data[:min(len(deliveries.Data), shownHistory)]
	p := page{Name: "contacts/contact", Title: contactName(x), Nav: "contacts", Crumbs: []crumb{{"Contacts", "/contacts"}}, Form: f, Data: d}
	if wrong != nil {
		return c.invalid(wrong, p, "tag", "list")
	}
	return c.render(p)
}

// contactName is what a contact is called.
func contactName(x postroom.Contact) string {
	uid := ""
	if x.UID != nil {
		uid = *x.UID
	}
	for _, name := range []string{strings.TrimSpace(x.FirstName + " " + x.LastName), x.Email, x.Phone, uid} {
		if name != "" {
			return name
		}
	}
	return x.ID.String()
}

func shownFields(x postroom.Contact, declared []postroom.Field) []shownField {
	var all []shownField
	known := map[string]bool{}
	for _, f := range declared {
		known[f.Name] = true
		if value, ok := x.CustomFields[f.Name]; ok {
			all = append(all, shownField{nameOr(f.Title, f.Name), f.Name, fieldText(value)})
		}
	}
	for name, value := range x.CustomFields {
		if !known[name] {
			all = append(all, shownField{name, name, fieldText(value)})
		}
	}
	slices.SortStableFunc(all, func(a, b shownField) int { return strings.Compare(a.Title, b.Title) })
	return all
}

// fieldText is the value of a custom field: texts without their quotes, everything else as JSON.
func fieldText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

func tagContact(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if _, err := c.app.TagContact(c.Context(), c.in.Caller, c.PathValue("id"), app.Words(f.Get("tag")), nil); err != nil {
		return showContact(c, f, retitle(err, "tag"))
	}
	return c.redirect("/contacts/"+c.PathValue("id"), "Tagged.")
}

func untagContact(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if _, err := c.app.TagContact(c.Context(), c.in.Caller, c.PathValue("id"), nil, f.All("tag")); err != nil {
		return err
	}
	return c.redirect("/contacts/"+c.PathValue("id"), "The tag was taken away.")
}

// retitle makes everything that an error says be said of one field.
func retitle(err error, field string) error {
	known := asError(err)
	if known == nil {
		return err
	}
	moved := *known
	moved.Fields = slices.Clone(known.Fields)
	for i := range moved.Fields {
		moved.Fields[i].Pointer = "/" + field
	}
	if len(moved.Fields) == 0 {
		moved.Fields = []postroom.FieldError{{Pointer: "/" + field, Detail: known.Message}}
	}
	return &moved
}

func joinList(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if _, err := c.app.AddMembers(c.Context(), c.in.Caller, f.Get("list"), []string{c.PathValue("id")}, f.Has("pending", "on")); err != nil {
		return showContact(c, f, retitle(err, "list"))
	}
	return c.redirect("/contacts/"+c.PathValue("id"), "The contact is on the list.")
}

func leaveList(c *call) error {
	f, err := c.form()
	if err != nil {
		return err
	}
	if _, err := c.app.RemoveMember(c.Context(), c.in.Caller, f.Get("list"), c.PathValue("id")); err != nil {
		return err
	}
	return c.redirect("/contacts/"+c.PathValue("id"), "The contact was taken off the list.")
}

func deleteContact(c *call) error {
	if err := c.app.DeleteContact(c.Context(), c.in.Caller, c.PathValue("id"), 0); err != nil {
		return err
	}
	return c.redirect("/contacts", "The contact was deleted.")
}

func eraseContact(c *call) error {
	done, err := c.app.EraseContact(c.Context(), c.in.Caller, c.PathValue("id"), func(int64) {})
	if err != nil {
		return err
	}
	return c.redirect("/contacts", "The person was erased: "+plural(done.Rows, "row")+" of the log that told of them are gone.")
}
