package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestImports(t *testing.T) {
	all := files(t)
	if len(all) == 0 {
		t.Fatal("found no Go files")
	}
	for _, f := range all {
		for importPath, spec := range f.imports() {
			if complaint := checkImport(f.folder(), f.test, importPath); complaint != "" {
				t.Errorf("%s: %s", f.at(spec), complaint)
			}
		}
	}
}

// checkImport returns a sentence about an import that a package in folder may not have, and "" for one that it may.
func checkImport(folder string, test bool, importPath string) string {
	at := rowOf(folder)
	if at < 0 {
		return fmt.Sprintf("no row of the import table (internal/arch/table_test.go) is about the folder %s; add one that says what it may import", folder)
	}
	own := table[at]
	target, ours := folderOf(importPath)
	if !ours {
		return checkForeign(own, test, importPath)
	}
	if within(target, "internal/testenv") && !test && !within(folder, "internal/testenv") {
		return fmt.Sprintf("%s is imported outside of tests, and would become part of the program", importPath)
	}
	to := rowOf(target)
	if to < 0 {
		return fmt.Sprintf("no row of the import table (internal/arch/table_test.go) is about %s", importPath)
	}
	if to == at || allows(own.imports, table[to].folder) {
		return ""
	}
	if test && (to < at || allows(own.tests, table[to].folder)) {
		return ""
	}
	return fmt.Sprintf("%s imports %s, and may import of this module: %s", describe(folder), importPath, list(own.imports))
}

// checkForeign is checkImport for packages of other modules and of the standard library.
func checkForeign(own row, test bool, importPath string) string {
	if test {
		return ""
	}
	if first, _, _ := strings.Cut(importPath, "/"); own.stdOnly && strings.Contains(first, ".") {
		return fmt.Sprintf("%s imports %s, and may import the standard library only", describe(own.folder), importPath)
	}
	for _, driver := range drivers {
		if !own.drivers && within(importPath, driver) {
			return fmt.Sprintf("%s imports the database driver %s, which belongs in store", describe(own.folder), importPath)
		}
	}
	return ""
}

func allows(imports []string, folder string) bool {
	return slices.Contains(imports, "*") || slices.Contains(imports, folder)
}

func describe(folder string) string {
	if folder == "." {
		return "the root package"
	}
	return folder
}

func list(imports []string) string {
	if len(imports) == 0 {
		return "nothing"
	}
	return strings.Join(imports, ", ")
}

func TestTable(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range table {
		if seen[r.folder] {
			t.Errorf("two rows are about %s", r.folder)
		}
		seen[r.folder] = true
	}
	for _, r := range table {
		for _, imported := range slices.Concat(r.imports, r.tests) {
			if imported != "*" && !seen[imported] {
				t.Errorf("the row of %s names %s, which has no row", r.folder, imported)
			}
		}
	}
}

func TestCheckImport(t *testing.T) {
	for _, test := range []struct {
		folder, imports string
		test            bool
		complaint       string // part of it; "" if the import is allowed
	}{
		{folder: ".", imports: "net/http"},
		{folder: ".", imports: "golang.org/x/text/cases", complaint: "the standard library only"},
		{folder: ".", imports: module + "/internal/expr", complaint: "may import of this module: nothing"},
		{folder: ".", imports: "pgregory.net/rapid", test: true},
		{folder: "inbound", imports: module + "/inbound/scheme"},
		{folder: "inbound/scheme", imports: module + "/internal/expr"},
		{folder: "inbound/scheme", imports: module + "/dialect", complaint: "inbound/scheme imports"},
		{folder: "outbound", imports: module},
		{folder: "outbound", imports: module + "/internal/egress"},
		{folder: "outbound", imports: module + "/inbound", complaint: "may import of this module: ., dialect, payload, internal"},
		{folder: "outbound", imports: module + "/inbound", test: true, complaint: "outbound imports"},
		{folder: "outbound", imports: module + "/store", complaint: "outbound imports"},
		{folder: "outbound", imports: module + "/store", test: true},
		{folder: "outbound", imports: module + "/internal/testenv", test: true},
		{folder: "outbound", imports: module + "/internal/testenv", complaint: "outside of tests"},
		{folder: "api", imports: module + "/store", complaint: "api imports"},
		{folder: "server", imports: module + "/store"},
		{folder: "dialect", imports: module + "/dialects", complaint: "dialect imports"},
		{folder: "dialects", imports: module, complaint: "may import of this module: nothing"},
		{folder: "store/migrations", imports: module + "/store"},
		{folder: "store", imports: "github.com/jackc/pgx/v5/pgxpool"},
		{folder: "app", imports: "github.com/jackc/pgx/v5", complaint: "database driver"},
		{folder: "app", imports: "github.com/jackc/pgx/v5", test: true},
		{folder: "utils", imports: "strings", complaint: "add one that says what it may import"},
		{folder: "cmd/other", imports: "strings", complaint: "add one that says what it may import"},
		{folder: "app", imports: module + "/models", complaint: "no row of the import table"},
	} {
		got := checkImport(test.folder, test.test, test.imports)
		if (got == "") != (test.complaint == "") || !strings.Contains(got, test.complaint) {
			t.Errorf("%s (test: %t) importing %s: got %q, want %q", test.folder, test.test, test.imports, got, test.complaint)
		}
	}
}
