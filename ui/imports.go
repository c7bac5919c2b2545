package ui

import (
	"context"
	"encoding/csv"
	"io"
	"mime/multipart"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/app"
)

// importApp is what the pages of imports need of the application.
type importApp interface {
	StartImport(ctx context.Context, who app.Caller, o app.ImportOptions, file io.ReadCloser) (postroom.Import, error)
	Import(ctx context.Context, who app.Caller, ref string) (postroom.Import, error)
	Imports(ctx context.Context, who app.Caller, q postroom.PageQuery) (postroom.Page[postroom.Import], error)
}

func importRoutes() []route {
	upload := post("/imports", postroom.RoleAdmin, startImport)
	upload.body = app.MaxImportFile
	return []route{
		get("/imports", postroom.RoleViewer, importsPage), get("/imports/new", postroom.RoleAdmin, newImportPage), upload,
		get("/imports/{id}", postroom.RoleViewer, importPage), get("/imports/{id}/problems", postroom.RoleViewer, importProblems),
	}
}

func importsPage(c *call) error {
	found, err := c.app.Imports(c.Context(), c.in.Caller, c.pageQuery())
	if err != nil {
		return err
	}
	return c.render(page{Name: "imports/list", Title: "Imports", Nav: "contacts", Tabs: audienceTabs(c), Data: found})
}

type importFormData struct {
	Most  int64 // bytes of a file, in MiB
	Lists []option
}

func importForm(c *call, f *form) (page, error) {
	lists, err := listOptions(c)
	return page{Name: "imports/new", Title: "Import contacts", Nav: "contacts", Crumbs: []crumb{{"Contacts", "/contacts"}, {"Imports", "/imports"}}, Form: f,
		Data: importFormData{app.MaxImportFile >> 20, lists}}, err
}

func newImportPage(c *call) error {
	p, err := importForm(c, newForm("update", "on"))
	if err != nil {
		return err
	}
	return c.render(p)
}

// startImport begins an import. The file was read with the form, to the disk where it is large; it stays open, and is gone when it is closed.
func startImport(c *call) error {
	f := newForm()
	if c.MultipartForm != nil {
		f.values = c.MultipartForm.Value
	}
	made, err := c.upload(f)
	if err != nil {
		p, failed := importForm(c, f)
		if failed != nil {
			return failed
		}
		return c.invalid(err, p, "file", "lists", "tags")
	}
	return c.redirect("/imports/"+made.ID.String(), "")
}

func (c *call) upload(f *form) (postroom.Import, error) {
	var none postroom.Import
	var header *multipart.FileHeader
	if c.MultipartForm != nil && len(c.MultipartForm.File["file"]) == 1 {
		header = c.MultipartForm.File["file"][0]
	}
	if header == nil || header.Filename == "" {
		return none, postroom.Invalid(postroom.CodeInvalid, "/file", "choose a file")
	}
	o := app.ImportOptions{Format: app.FormatCSV, Lists: f.All("lists"), Tags: app.Words(f.Get("tags")), Pending: f.Has("pending", "on"), Keep: !f.Has("update", "on")}
	name := strings.ToLower(header.Filename)
	for _, ending := range []string{".ndjson", ".jsonl", ".json"} {
		if strings.HasSuffix(name, ending) {
			o.Format = app.FormatNDJSON
		}
	}
	if other := f.Get("new_list"); other != "" {
		o.Lists = append(o.Lists, other)
	}
	file, err := header.Open()
	if err != nil {
		return none, err
	}
	made, err := c.app.StartImport(c.Context(), c.in.Caller, o, file)
	if known := asError(err); known != nil {
		moved := *known
		for i, field := range moved.Fields {
			switch field.Pointer {
			case "?list":
				moved.Fields[i].Pointer = "/lists"
			case "?tag":
				moved.Fields[i].Pointer = "/tags"
			}
		}
		if len(moved.Fields) == 0 {
			moved.Fields = []postroom.FieldError{{Pointer: "/file", Detail: moved.Message}}
		}
		return none, &moved
	}
	return made, err
}

// importPage tells how far an import is; htmx asks for it again while it runs.
func importPage(c *call) error {
	i, err := c.app.Import(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	if c.htmx() && c.URL.Query().Get("part") == "progress" {
		return c.fragment("imports/import", "progress", i)
	}
	return c.render(page{Name: "imports/import", Title: "Import", Nav: "contacts", Crumbs: []crumb{{"Contacts", "/contacts"}, {"Imports", "/imports"}}, Data: i})
}

// importProblems is the report of bad rows, as a file.
func importProblems(c *call) error {
	i, err := c.app.Import(c.Context(), c.in.Caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	c.download("problems-"+i.ID.String()+".csv", "text/csv; charset=utf-8")
	w := csv.NewWriter(c.w)
	_ = w.Write([]string{"row", "email", "field", "problem"}) // what fails is told by Error
	for _, bad := range i.Problems {
		for _, e := range bad.Errors {
			_ = w.Write(noFormulas([]string{strconv.FormatInt(bad.Row, 10), bad.Email, strings.TrimPrefix(e.Pointer, "/"), e.Detail}))
		}
	}
	w.Flush()
	return c.streamed(w.Error())
}
