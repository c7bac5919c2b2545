package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
)

type contactImportCmd struct {
	File        string   `arg:"" help:"The file; - is stdin."`
	Format      string   `enum:"csv,ndjson," default:"" placeholder:"FORMAT" help:"csv or ndjson; by default what the file's name says, else csv."`
	List        []string `sep:"none" placeholder:"LIST" help:"List that every contact joins; one that does not exist is made. May be repeated."`
	Tag         []string `sep:"none" placeholder:"TAG" help:"Tag that every contact is given. May be repeated."`
	Update      bool     `default:"true" negatable:"" help:"Contacts that exist are changed to what the file says; --no-update leaves their fields as they are."`
	DoubleOptIn bool     `help:"What is joined is pending until it is confirmed."`
	DryRun      bool     `help:"Change nothing, and say what would happen."`
}

// Help is shown by `postroom contacts import --help`.
func (contactImportCmd) Help() string {
	return `The first row of a CSV names the columns: email, uid, phone, first_name, last_name, status, source, tags, lists, and custom_field.NAME.
NDJSON has a contact in JSON on each line. Rows that cannot be stored are reported, and the others are stored all the same.
To import a file again does no harm.

    postroom contacts import people.csv --list Newsletter --tag fair-2026
    postroom contacts import people.csv --dry-run
    gunzip -c people.ndjson.gz | postroom contacts import - --format ndjson`
}

// Run imports the file.
func (cmd contactImportCmd) Run(s *session) error {
	in := client.ImportInput{Format: client.ExportFormat(cmd.Format), Lists: cmd.List, Tags: cmd.Tag, Keep: !cmd.Update, DoubleOptIn: cmd.DoubleOptIn, DryRun: cmd.DryRun}
	if in.Format == "" {
		in.Format = client.ExportCSV
		switch strings.ToLower(filepath.Ext(cmd.File)) {
		case ".ndjson", ".jsonl", ".json":
			in.Format = client.ExportNDJSON
		}
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	file, err := s.open(cmd.File)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	progress, of := s.progress(), ""
	if f, ok := file.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			of = " of " + size(info.Size())
		}
	}
	done, err := c.ImportContacts(s.ctx, in, &counted{file, 0, func(n int64) { progress.show("%s%s sent", size(n), of) }})
	progress.end()
	if err != nil {
		return err
	}
	if err := s.show(done, func(p *screen) { p.imported(done) }); err != nil {
		return err
	}
	if done.State != postroom.ImportDone {
		return errFailed
	}
	return nil
}

// maxShownRows is how many bad rows are shown on a terminal.
const maxShownRows = 20

// imported shows what has come of an import.
func (p *screen) imported(i postroom.ImportResource) {
	switch {
	case i.State != postroom.ImportDone:
		p.printf("%s %s\n", p.paint(red, "✗"), clean("The import has not come to its end. "+i.Reason))
	case i.ID == nil:
		p.done("Nothing was changed; this is what would be")
	default:
		p.done("%s read", plural(i.Rows, "row", "rows"))
	}
	id, refused := "", cell{}
	if i.ID != nil {
		id = i.ID.String()
	}
	if i.Refused > 0 {
		refused = cell{count(i.Refused), red}
	}
	p.fields(
		field{label: "ID", value: val(id)},
		field{label: "Created", value: val(count(i.Created))},
		field{label: "Updated", value: val(count(i.Updated))},
		field{label: "Unchanged", value: val(count(i.Unchanged))},
		field{label: "Refused", value: refused},
	)
	for _, row := range i.Problems[:min(len(i.Problems), maxShownRows)] {
		who := ""
		if row.Email != "" {
			who = " (" + clean(row.Email) + ")"
		}
		for _, e := range row.Errors {
			at := ""
			if e.Pointer != "" {
				at = clean(client.FieldName(e.Pointer)) + ": "
			}
			p.printf("  row %d%s: %s%s\n", row.Row, who, at, clean(e.Detail))
		}
	}
	if i.Refused > maxShownRows {
		p.printf("%s\n", p.paint(dim, "There are more; -o json shows the first 1,000."))
	}
}

type contactImportsCmd struct{ listFlags }

// Run lists the imports.
func (cmd contactImportsCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	list, more, err := collect(s.ctx, cmd.Limit, c.ImportPage)
	if err != nil {
		return err
	}
	t := newTable("ID", "BEGAN", "STATE", "ROWS", "CREATED", "UPDATED", "REFUSED")
	return showList(s, list, more, "There are no imports.", t, func(p *screen, i postroom.ImportResource) {
		id, colors := "", map[postroom.ImportState]color{postroom.ImportRunning: yellow, postroom.ImportDone: green, postroom.ImportFailed: red}
		if i.ID != nil {
			id = i.ID.String()
		}
		t.row(val(id), val(p.time(i.CreatedAt.Time)), cell{string(i.State), colors[i.State]}, val(count(i.Rows)), val(count(i.Created)), val(count(i.Updated)), val(count(i.Refused)))
	})
}

type contactExportCmd struct {
	contactFilterFlags
	Format string `default:"csv" enum:"csv,ndjson" placeholder:"FORMAT" help:"csv, which is the default, or ndjson."`
	Output string `default:"-" placeholder:"FILE" help:"File to write; - is stdout, which is the default."`
}

// Help is shown by `postroom contacts export --help`.
func (contactExportCmd) Help() string {
	return `All contacts that the filters let through, newest first, in a form that can be imported again. A file is complete or not there: it is
written under another name, and gets its own when the export has ended.

    postroom contacts export --output people.csv
    postroom contacts export --format ndjson --list Newsletter | gzip > newsletter.ndjson.gz`
}

// Run exports contacts.
func (cmd contactExportCmd) Run(s *session) error {
	f, err := cmd.filter(s)
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	return s.exportTo(cmd.Output, func(ctx context.Context) (io.ReadCloser, error) {
		return c.ExportContacts(ctx, f, client.ExportFormat(cmd.Format))
	})
}

// exportTo writes an export to a file, or to stdout for "-".
func (s *session) exportTo(name string, fetch func(context.Context) (io.ReadCloser, error)) error {
	from, err := fetch(s.ctx)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	if name == "-" {
		_, err := io.Copy(s.Stdout, from)
		return exportError(err)
	}
	n, err := s.saveAs(name, from)
	if err != nil {
		return err
	}
	p := s.screen(s.Stderr, s.Terminal.Stderr)
	p.done("%s written to %s", size(n), name)
	p.flush()
	return nil
}

type auditCmd struct{ listFlags }

// Help is shown by `postroom audit --help`.
func (auditCmd) Help() string {
	return `Newest first. Entries are kept for a year, and hold no personal data.

    postroom audit --limit 20`
}

// Run lists the audit log.
func (cmd auditCmd) Run(s *session) error {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	list, more, err := collect(s.ctx, cmd.Limit, c.AuditPage)
	if err != nil {
		return err
	}
	t := newTable("AT", "ACTION", "SUBJECT", "BY", "DETAIL")
	t.cut = true
	return showList(s, list, more, "Nothing was done yet.", t, func(p *screen, e postroom.AuditEntry) {
		by := "-"
		if e.KeyID != nil {
			by = e.KeyID.String()
		} else if e.MemberID != nil {
			by = e.MemberID.String()
		}
		t.row(val(p.time(e.At.Time)), val(e.Action), val(e.Subject), val(by), val(string(e.Detail)))
	})
}
