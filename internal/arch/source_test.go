package arch

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

func TestSource(t *testing.T) {
	for _, f := range files(t) {
		for _, complaint := range checkSource(f) {
			t.Error(complaint)
		}
	}
}

// packageHTTP are the identifiers of net/http that send through the client that the whole process shares, which has
// no timeout and no check of addresses; or serve from the mux that it shares.
var packageHTTP = []string{
	"DefaultClient", "Get", "Head", "Post", "PostForm", "DefaultServeMux", "Handle", "HandleFunc",
}

// checkSource returns a sentence, with its place, about each thing in a file that no file of its kind may contain.
func checkSource(f file) []string {
	complaints := checkInit(f)
	if f.test {
		return slices.Concat(complaints, checkSleep(f), checkSkip(f))
	}
	return slices.Concat(complaints, checkHTTP(f))
}

func checkInit(f file) (complaints []string) {
	for _, declaration := range f.ast.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
			complaints = append(complaints, f.at(function)+": an init function; do it where it is needed, and pass what it made")
		}
	}
	return complaints
}

func checkSleep(f file) (complaints []string) {
	if f.importName("testing/synctest") != "" {
		return nil
	}
	return checkSelectors(f, "time", []string{"Sleep"},
		"tests do not sleep; wait with testenv.Eventually, or run in a testing/synctest bubble, where time costs nothing")
}

func checkHTTP(f file) []string {
	return checkSelectors(f, "net/http", packageHTTP,
		"is shared by the whole process; send through internal/egress or a client of your own, serve from a mux of your own")
}

// checkSelectors complains about the given names of a package of the standard library.
func checkSelectors(f file, importPath string, names []string, why string) (complaints []string) {
	pkg := f.importName(importPath)
	if pkg == "" {
		return nil
	}
	ast.Inspect(f.ast, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok && slices.Contains(names, selector.Sel.Name) {
			if x, ok := selector.X.(*ast.Ident); ok && x.Name == pkg {
				complaints = append(complaints, fmt.Sprintf("%s: %s.%s: %s", f.at(selector), pkg, selector.Sel.Name, why))
			}
		}
		return true
	})
	return complaints
}

// checkSkip complains about Skip, Skipf and SkipNow of the file's parameters of a type from package testing.
func checkSkip(f file) (complaints []string) {
	pkg := f.importName("testing")
	tests := make(map[string]bool)
	ast.Inspect(f.ast, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.Field:
			if isTestType(node.Type, pkg) {
				for _, name := range node.Names {
					tests[name.Name] = true
				}
			}
		case *ast.SelectorExpr:
			// A parameter stands before its use, so it is known by now.
			x, ok := node.X.(*ast.Ident)
			if ok && tests[x.Name] && strings.HasPrefix(node.Sel.Name, "Skip") && node.Sel.Name != "Skipped" {
				complaints = append(complaints, fmt.Sprintf(
					"%s: %s.%s: tests are not skipped; what they need is installed, or its absence is a failure that says what to install",
					f.at(node), x.Name, node.Sel.Name))
			}
		}
		return true
	})
	return complaints
}

// isTestType tells whether a type is testing.TB, *testing.T, *testing.B or *testing.F.
func isTestType(expr ast.Expr, pkg string) bool {
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	selector, ok := expr.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := selector.X.(*ast.Ident)
	return ok && x.Name == pkg && slices.Contains([]string{"TB", "T", "B", "F"}, selector.Sel.Name)
}

func TestCheckSource(t *testing.T) {
	for _, test := range []struct {
		name, source string
		complaints   []string // a part of each
	}{
		{"a.go", `package p; func init() {}`, []string{"a.go:1: an init function"}},
		{"a_test.go", `package p; func init() {}`, []string{"an init function"}},
		{"a.go", `package p; type t struct{}; func (t) init() {}`, nil},
		{"a_test.go", "package p\nimport \"time\"\nfunc f() { time.Sleep(1) }", []string{"a_test.go:3: time.Sleep"}},
		{"a_test.go", `package p; import clock "time"; func f() { clock.Sleep(1) }`, []string{"clock.Sleep"}},
		{"a_test.go", `package p; import ("time"; "testing/synctest"); func f() { synctest.Wait(); time.Sleep(1) }`, nil},
		{"a.go", `package p; import "time"; func f() { time.Sleep(1) }`, nil},
		{"a_test.go", `package p; import "testing"; func TestX(t *testing.T) { t.Skip("no database") }`, []string{"t.Skip: tests are not skipped"}},
		{"a_test.go", `package p; import "testing"; func f(tb testing.TB) { tb.SkipNow(); tb.Skipf("x") }`, []string{"tb.SkipNow", "tb.Skipf"}},
		{"a_test.go", `package p; import "testing"; func TestX(t *testing.T) { if t.Skipped() { decoder.Skip() } }`, nil},
		{"a.go", `package p; import "net/http"; func f() { http.Get("x"); _ = http.DefaultClient }`, []string{"http.Get", "http.DefaultClient"}},
		{"a.go", `package p; import "net/http"; func f(h http.Header) { h.Get("x"); http.NewServeMux().Handle("/", nil) }`, nil},
		{"a_test.go", `package p; import "net/http"; func f() { http.Get("x") }`, nil},
	} {
		got := checkSource(parse(t, test.name, test.source))
		if len(got) != len(test.complaints) {
			t.Errorf("%s\ngot  %q\nwant %q", test.source, got, test.complaints)
			continue
		}
		for i, want := range test.complaints {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s\ngot  %q\nwant %q", test.source, got[i], want)
			}
		}
	}
}
