package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// root is the checkout, seen from this package's folder.
const root = "../.."

// unchecked are the folders that the rules leave out.
var unchecked = map[string]bool{
	"bin":              true, // built
	"internal/tmpdeps": true, // only names modules until what needs them is there
}

// A file is one Go file of the checkout, of any build configuration.
type file struct {
	name string // from the root, with slashes
	test bool
	fset *token.FileSet
	ast  *ast.File
}

// folder is the package's folder, "." for the root package.
func (f file) folder() string { return path.Dir(f.name) }

// at is the place of a node, for a message.
func (f file) at(node ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.fset.Position(node.Pos()).Line)
}

// files parses every Go file of this module. Folders named testdata or beginning with "." or "_", and modules
// within this one, are no part of it, as the go command has it.
func files(t *testing.T) []file {
	t.Helper()
	var all []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if rel != "." && (leftOut(entry.Name()) || unchecked[rel] || exists(filepath.Join(name, "go.mod"))) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(rel) != ".go" {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		all = append(all, parse(t, rel, string(source)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func parse(t *testing.T, name, source string) file {
	t.Helper()
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file{name: name, test: strings.HasSuffix(name, "_test.go"), fset: fset, ast: parsed}
}

// imports maps the path of each import to its node.
func (f file) imports() map[string]*ast.ImportSpec {
	imports := make(map[string]*ast.ImportSpec)
	for _, spec := range f.ast.Imports {
		if importPath, err := strconv.Unquote(spec.Path.Value); err == nil {
			imports[importPath] = spec
		}
	}
	return imports
}

// importName is the name that the file has for a package of the standard library, and "" if it does not import it.
func (f file) importName(importPath string) string {
	spec := f.imports()[importPath]
	switch {
	case spec == nil:
		return ""
	case spec.Name != nil:
		return spec.Name.Name
	default:
		return path.Base(importPath)
	}
}

func leftOut(name string) bool {
	return name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
