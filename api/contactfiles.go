package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

const (
	importPath = contactPath + "/import"
	mediaCSV   = "text/csv"
	maxImport  = 1 << 30 // bytes of a file of contacts
)

type exportContactsInput struct {
	Format formatParam `query:"format" doc:"One JSON object a line, or comma-separated values with a line of names first."`
	ContactParams
}

const importDescription = `Brings contacts in from a CSV file (` + "`text/csv`" + `, in UTF-8) or NDJSON (` + "`application/x-ndjson`" + `, an object as of a contact a line). The file is read while it comes, and stored some hundred rows at a time, each with the events that follow; the answer comes at its end, and ` + "`GET /v1/imports/{id}`" + ` tells meanwhile how far it is.

The first row of a CSV names the columns: ` + "`email`" + `, ` + "`uid`" + `, ` + "`phone`" + `, ` + "`first_name`" + `, ` + "`last_name`" + `, ` + "`status`" + `, ` + "`source`" + `, ` + "`tags`" + ` and ` + "`lists`" + ` (with commas between them, or a JSON array), ` + "`custom_field.NAME`" + `, and ` + "`custom_fields`" + ` (a JSON object). Common other spellings are known, such as ` + "`E-Mail`" + ` or ` + "`Last name`" + `, and so is the name of a declared field. Semicolons and tabs may separate values. An empty cell says nothing.

A row means the contact with its email, else the one with its uid, else, if it has neither, the one with its phone. A contact that does not exist is made. Rows that cannot be stored are reported and do not keep the others from it; of several rows for one contact, each is a change of what the one before has left. To import a file again changes nothing more, so that one that broke off can be sent again.`

// importParams are the query parameters of an import.
func importParams() []string { return []string{"list", "tag", "update", "double_opt_in", "dry_run"} }

func (a *api) routeContactFiles(rt *router) {
	register(rt, operation{
		ID: "export-contacts", Method: http.MethodGet, Path: contactPath + "/export", Tag: "Contacts", Role: postroom.RoleViewer,
		Summary: "Export contacts",
		Description: "All contacts that the filters let through, newest first, as a file that can be imported again. CSV has a column for each declared custom field; others are in the column custom_fields, as " +
			"JSON. " + exportPromise,
		Produces: []string{mediaLines, mediaCSV},
	}, a.exportContacts)
	a.routeImport(rt)
	register(rt, operation{
		ID: "list-imports", Method: http.MethodGet, Path: "/v1/imports", Tag: "Contacts", Role: postroom.RoleViewer,
		Summary:     "List imports",
		Description: "The imports of contacts of the workspace, newest first.",
	}, a.listImports)
	register(rt, operation{
		ID: "get-import", Method: http.MethodGet, Path: "/v1/imports/{id}", Tag: "Contacts", Role: postroom.RoleViewer,
		Summary:     "Get an import",
		Description: "One import: how far it is, and the first rows that were refused.",
		Answer:      exampleImport,
	}, a.getImport)
}

func (a *api) exportContacts(ctx context.Context, c *call, in *exportContactsInput) (*stream, error) {
	var fields []postroom.Field
	if in.Format.s == app.FormatCSV {
		var err error
		if fields, err = a.App.Fields(ctx, c.who); err != nil {
			return nil, err
		}
	}
	return a.exporting(ctx, in.Format.s, "contacts", app.ContactColumns(fields), func(e *app.Export) error {
		return a.App.EachContact(ctx, c.who, in.search(), func(contact postroom.Contact) error {
			return e.Add(showContact(contact), func() []string { return app.ContactCells(contact, fields) })
		})
	}), nil
}

func (a *api) listImports(ctx context.Context, c *call, in *PageParams) (*page[postroom.ImportResource], error) {
	found, err := a.App.Imports(ctx, c.who, in.query())
	if err != nil {
		return nil, err
	}
	return newPage(c.url, found, showImport), nil
}

func (a *api) getImport(ctx context.Context, c *call, in *ID) (*answer[postroom.ImportResource], error) {
	found, err := a.App.Import(ctx, c.who, in.ID)
	if err != nil {
		return nil, err
	}
	return &answer[postroom.ImportResource]{showImport(found)}, nil
}

func showImport(i postroom.Import) postroom.ImportResource {
	r := postroom.ImportResource{ID: &i.ID, State: i.State, Rows: i.Rows, Created: i.Created, Updated: i.Updated, Unchanged: i.Unchanged, Refused: i.Refused,
		Problems: notNil(i.Problems), Reason: i.Reason, CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt, EndedAt: i.EndedAt}
	for n := range r.Problems {
		r.Problems[n].Errors = notNil(r.Problems[n].Errors)
	}
	return r
}

// routeImport describes import, which is a plain handler because it reads its body while it comes.
func (a *api) routeImport(rt *router) {
	op := operation{
		ID: "import-contacts", Method: http.MethodPost, Path: importPath, Tag: "Contacts", Role: postroom.RoleAdmin,
		Summary: "Import contacts", Description: importDescription, Status: http.StatusCreated,
	}
	rt.add(&op)
	h := rt.describe(&op)
	yes := &huma.Schema{Type: "boolean"}
	for _, p := range []struct {
		name   string
		schema *huma.Schema
		doc    string
	}{
		{"list", &huma.Schema{Type: "string"}, "Names or ids of lists that all contacts join, with commas between them, or a JSON array. One that does not exist is made."},
		{"tag", &huma.Schema{Type: "string"}, "Tags that all contacts are given, with commas between them, or a JSON array."},
		{"update", &huma.Schema{Type: "boolean", Default: true}, "With false, contacts that exist keep their fields; tags and lists are added to theirs all the same."},
		{"double_opt_in", yes, "What is joined is pending until it is confirmed."},
		{"dry_run", yes, "Change nothing, and answer what would happen. Contacts that do not exist yet are counted as created in each part of the file that names them."},
	} {
		h.Parameters = append(h.Parameters, &huma.Param{Name: p.name, In: "query", Schema: p.schema, Description: p.doc})
	}
	h.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		mediaCSV:   {Schema: &huma.Schema{Type: "string", Description: "The first row names the columns."}},
		mediaLines: {Schema: &huma.Schema{Type: "string", Description: "A contact on each line."}},
	}}
	imported := rt.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[postroom.ImportResource](), true, op.ID)
	h.Responses["201"].Content[mediaJSON] = &huma.MediaType{Schema: imported, Example: rawExample(exampleImport)}
	h.Responses["201"].Headers = map[string]*huma.Param{"Location": {Schema: &huma.Schema{Type: "string", Description: "The path of the import."}}}
	h.Responses["200"] = &huma.Response{Description: "Of a dry run.", Content: map[string]*huma.MediaType{mediaJSON: {Schema: imported}}}
	documenter{rt.huma, rt}.DocumentOperation(&h)
	a.mux.HandleFunc(op.Method+" "+op.Path, a.importContacts)
}

// importContacts answers an import.
func (a *api) importContacts(w http.ResponseWriter, r *http.Request) {
	if x, ok := w.(*exchange); ok {
		x.route = importPath
	}
	who, err := a.authenticate(r, postroom.RoleAdmin)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	o, key, err := importOptions(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if key == "" {
		a.runImport(w, r, who, o, wholeFile{http.MaxBytesReader(w, r.Body, maxImport)})
		return
	}
	body, err := readBody(w, r, maxKeyedLinesBody)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.once(w, r, who, key, append([]byte(r.URL.RawQuery+"\n"), body...), func(w http.ResponseWriter) bool {
		a.runImport(w, r, who, o, bytes.NewReader(body))
		return false
	})
}

// importOptions checks everything but the body.
func importOptions(r *http.Request) (o app.ImportOptions, key string, err error) {
	if err := checkQuery(r.URL.RawQuery, importParams()); err != nil {
		return o, "", err
	}
	if key, err = idempotencyKey(r.Header); err != nil {
		return o, "", err
	}
	allowed := []string{mediaCSV, mediaLines}
	media, err := mediaType(r.Header)
	switch {
	case err != nil:
		return o, "", err
	case media == mediaCSV:
		o.Format = app.FormatCSV
	case media == mediaLines:
		o.Format = app.FormatNDJSON
	case media == "":
		return o, "", postroom.Errorf(postroom.CodeUnsupportedMedia, "The Content-Type is missing; it is text/csv or application/x-ndjson.")
	default:
		return o, "", unsupported(media, allowed)
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return o, "", postroom.Errorf(postroom.CodeUnsupportedMedia, "The Content-Encoding %q is not read here; send the body as it is.", printable(coding))
	}
	query := r.URL.Query()
	o.Lists, o.Tags = app.Words(query.Get("list")), app.Words(query.Get("tag"))
	var f faults
	update := boolOf(query, "update", true, &f)
	o.Keep = !update
	o.Pending, o.DryRun = boolOf(query, "double_opt_in", false, &f), boolOf(query, "dry_run", false, &f)
	return o, key, f.err()
}

// boolOf reads a query parameter that is true or false.
func boolOf(query url.Values, name string, otherwise bool, f *faults) bool {
	if !slices.Contains([]string{"", "true", "false"}, query.Get(name)) {
		f.add("?"+name, "is true or false")
	}
	if on, err := strconv.ParseBool(query.Get(name)); err == nil {
		return on
	}
	return otherwise
}

func (a *api) runImport(w http.ResponseWriter, r *http.Request, who app.Caller, o app.ImportOptions, file io.Reader) {
	imported, err := a.App.ImportContacts(r.Context(), who, o, file)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	shown, status := showImport(imported), http.StatusCreated
	if o.DryRun {
		shown.ID, status = nil, http.StatusOK
	} else {
		w.Header().Set("Location", "/v1/imports/"+imported.ID.String())
	}
	text, err := marshal(shown)
	if err != nil { // cannot be: it holds texts and numbers
		panic(err)
	}
	w.Header()["Content-Type"] = a.headers.json
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the caller may be gone
}

// wholeFile is a body whose errors are sentences.
type wholeFile struct{ io.Reader }

// Read reads.
func (f wholeFile) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if err != nil && err != io.EOF { //nolint:errorlint // Read returns io.EOF itself
		err = cutShort(err)
	}
	return n, err
}
