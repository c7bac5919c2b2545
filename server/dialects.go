package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/postroom/postroom/catalogue"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/dialect/fixture"
	"github.com/postroom/postroom/dialects"
	"github.com/postroom/postroom/inbound"
)

// loadDialects compiles the dialects that Postroom brings, and those of a folder, unless its name is empty.
func loadDialects(types *catalogue.Catalogue, folder string) (dialect.Set, error) {
	known := knownTypes(types)
	set, err := dialect.Load(dialects.Files, "dialects", known)
	if err != nil || folder == "" {
		return set, err
	}
	files := os.DirFS(folder)
	if dialect.Is(files, ".") {
		return nil, fmt.Errorf("%s is the folder of one dialect: --dialects names the folder above", folder)
	}
	own, err := dialect.Load(files, folder, known)
	if err != nil {
		return nil, err
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("%s has no dialects, which are folders with a dialect.yaml", folder)
	}
	all, err := set.With(own)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, dialect.Standard), err)
	}
	return all, nil
}

func knownTypes(types *catalogue.Catalogue) dialect.Known {
	known := dialect.Known{Types: map[string]dialect.EventType{}, Check: inbound.CheckKind}
	for _, t := range types.Types() {
		known.Types[t.Name] = dialect.EventType{Schema: t.Schema, Sample: t.Sample}
	}
	return known
}

// TestDialects tests the dialect of a folder, or those of the folders in it, with their fixtures, and tells of each. With update, fixtures
// that are missing or differ are written. The error says how many problems there are, or that there is no dialect.
func TestDialects(dir string, update bool, out io.Writer) error {
	types, err := catalogue.Load()
	if err != nil {
		return err
	}
	r, err := fixture.Run(dir, knownTypes(types), update)
	if err != nil {
		if errors.Is(err, fixture.ErrNone) {
			return fmt.Errorf("%s: %w", dir, err)
		}
		return err
	}
	for _, p := range r.Problems {
		_, _ = fmt.Fprintln(out, p)
	}
	for _, d := range r.Dialects {
		mark, written := "✓", ""
		if d.Failed {
			mark = "✗"
		}
		if d.Written > 0 {
			written = fmt.Sprintf(", %d written", d.Written)
		}
		_, _ = fmt.Fprintf(out, "%s %-20s %s%s\n", mark, d.Name, counted(d.Fixtures, "fixture"), written)
	}
	if len(r.Problems) > 0 {
		return errors.New(counted(len(r.Problems), "problem"))
	}
	return nil
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
