package postroom_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// TestFailureKinds holds the list against the constants that the code uses, and against the documentation.
func TestFailureKinds(t *testing.T) {
	var listed, used []string
	docs, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range postroom.FailureKinds() {
		listed = append(listed, k.Kind)
		if row := "| `" + k.Kind + "` | " + k.Meaning + " | " + k.Remedy + " |\n"; !strings.Contains(string(docs), row) {
			t.Errorf("docs/operations.md should have the row\n%s", row)
		}
	}
	for file, name := range map[string]string{"internal/egress/failure.go": "^Kind", "outbound/decide.go": "^Kind", "outbound/payload.go": "^Kind", "store/finish.go": "^eventGone$"} {
		used = append(used, constants(t, file, regexp.MustCompile(name))...)
	}
	slices.Sort(listed)
	slices.Sort(used)
	if !slices.Equal(listed, used) {
		t.Errorf("listed are %q, and the code uses %q", listed, used)
	}
}

// constants are the values of a file's string constants with such names.
func constants(t *testing.T, file string, name *regexp.Regexp) (values []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !name.MatchString(spec.Names[0].Name) || len(spec.Values) != 1 {
			return true
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok {
			value, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
		}
		return true
	})
	return values
}
