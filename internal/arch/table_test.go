package arch

import (
	"path"
	"strings"
)

// module is the path of this module; its root package is the row ".".
const module = "github.com/postroom/postroom"

// A row says what the packages of one folder and the folders below it may import of this module and of its drivers.
// Packages under one row may import each other.
type row struct {
	folder string
	// imports are folders of other rows; "internal" stands for all that is below it, and "*" for everything.
	imports []string
	// stdOnly forbids modules of others too.
	stdOnly bool
	// drivers allows database drivers.
	drivers bool
	// tests are further folders that test files may import, beside those of the rows above this one.
	tests []string
}

// table is "Who may import whom" of the architecture. Its order is that of the house, ground floor first: the test
// files of a package may also import the packages of every row above its own, since tests run against the real
// neighbours and not against fakes.
var table = []row{
	{folder: ".", stdOnly: true, tests: []string{"internal"}},
	{folder: "internal", imports: []string{"."}, drivers: true}, // drivers: internal/testenv makes databases
	{folder: "internal/failpoint", stdOnly: true},
	{folder: "catalogue", imports: []string{"."}},
	{folder: "dialects", tests: []string{"dialect", "dialect/fixture", "payload", "outbound", "inbound/scheme", "inbound"}},
	{folder: "dialect", imports: []string{".", "payload", "internal"}},
	{folder: "payload", imports: []string{".", "internal"}},
	{folder: "contacts", imports: []string{".", "payload"}},
	{folder: "store", imports: []string{".", "internal/failpoint"}, drivers: true},
	{folder: "outbound", imports: []string{".", "dialect", "payload", "internal", "internal/failpoint"}},
	{folder: "dialect/fixture", imports: []string{".", "dialect", "outbound", "inbound", "inbound/scheme", "payload", "internal"}, tests: []string{"dialects"}},
	{folder: "inbound/scheme", imports: []string{".", "internal"}},
	{folder: "inbound", imports: []string{".", "contacts", "dialect", "inbound/scheme", "payload", "internal", "internal/failpoint"}},
	{folder: "app", imports: []string{".", "outbound", "inbound", "contacts", "dialect", "payload", "catalogue"}},
	{folder: "api", imports: []string{".", "app", "payload"}, tests: []string{"client"}},
	{folder: "ui", imports: []string{".", "app"}, tests: []string{"client"}},
	{folder: "config", imports: []string{"."}},
	{folder: "server", imports: []string{"*"}, tests: []string{"client"}},
	{folder: "client", imports: []string{"."}},
	{folder: "bench", imports: []string{".", "client", "internal"}},
	{folder: "demo", imports: []string{".", "client", "config", "server"}},
	{folder: "cli", imports: []string{".", "client", "config", "server", "bench", "demo"}},
	{folder: "cmd/postroom", imports: []string{".", "cli"}},
	{folder: "e2e", imports: []string{".", "client", "cli", "internal"}},
	{folder: "examples", imports: []string{".", "client"}},
}

// drivers are the modules that only rows with drivers may import, tests apart.
var drivers = []string{"github.com/jackc/pgx", "modernc.org/sqlite"}

// rowOf returns the index of the most specific row for a folder, and -1 if there is none.
func rowOf(folder string) int {
	best := -1
	for i, r := range table {
		if within(folder, r.folder) && (best < 0 || len(r.folder) > len(table[best].folder)) {
			best = i
		}
	}
	return best
}

// within tells whether folder is parent or below it. The root package's folder is only within itself.
func within(folder, parent string) bool {
	return folder == parent || parent != "." && strings.HasPrefix(folder, parent+"/")
}

// folderOf returns the folder of a package of this module, and false for the package of another.
func folderOf(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// importable is the import path of a row's own package.
func importable(folder string) string { return path.Join(module, folder) }
