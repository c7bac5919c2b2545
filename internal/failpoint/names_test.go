package failpoint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/failpoint"
)

// TestNames checks that Names lists all constants, each with a name of its own, and that the program has each place.
func TestNames(t *testing.T) {
	declared := map[string]failpoint.Name{} // by the name of the constant
	file, err := parser.ParseFile(token.NewFileSet(), "names.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			declared[spec.Names[0].Name] = failpoint.Name(strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	listed := map[failpoint.Name]bool{}
	for _, name := range failpoint.Names() {
		if listed[name] {
			t.Errorf("%s is listed twice", name)
		}
		listed[name] = true
	}
	if len(listed) != len(declared) {
		t.Errorf("%d places are declared, and %d listed", len(declared), len(listed))
	}
	used := uses(t)
	for constant, name := range declared {
		if !listed[name] {
			t.Errorf("%s (%s) is not listed", constant, name)
		}
		if !used[constant] {
			t.Errorf("nothing comes by %s (%s)", constant, name)
		}
	}
}

// uses are the identifiers that the program takes from this package.
func uses(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	root := os.DirFS(filepath.Join("..", ".."))
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		if err != nil || !strings.Contains(string(text), "/internal/failpoint\"") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "failpoint" {
					used[s.Sel.Name] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}
