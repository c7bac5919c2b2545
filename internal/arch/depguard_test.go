package arch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// The part of golangci-lint's configuration that this test reads.
type golangci struct {
	Linters struct {
		Settings struct {
			Depguard struct {
				Rules map[string]rule `yaml:"rules"`
			} `yaml:"depguard"`
		} `yaml:"settings"`
	} `yaml:"linters"`
}

type rule struct {
	ListMode string   `yaml:"list-mode"`
	Files    []string `yaml:"files"`
	Allow    []string `yaml:"allow"`
	Deny     []denied `yaml:"deny"`
}

type denied struct {
	Pkg  string `yaml:"pkg"`
	Desc string `yaml:"desc"`
}

// TestDepguard compares .golangci.yml with the rules that follow from the table.
func TestDepguard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var config golangci
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	got := config.Linters.Settings.Depguard.Rules
	for name, want := range depguardRules() {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("the depguard rule %s in .golangci.yml differs from the import table (-table +.golangci.yml):\n%s\nit must be\n%s",
				name, diff, want.yaml(name))
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("no row of the import table belongs to the depguard rule %s in .golangci.yml", name)
	}
}

// depguardRules says in depguard's words what the table allows to files that are no tests: a rule for each row that
// forbids something, and one for the database drivers. Package names there are prefixes, unless they end in "$"; in
// the mode "lax" what is denied can be allowed again by a longer name.
func depguardRules() map[string]rule {
	rules := make(map[string]rule)
	withoutDrivers := rule{ListMode: "lax", Files: []string{"$all", "!$test"}}
	for _, driver := range drivers {
		withoutDrivers.Deny = append(withoutDrivers.Deny, denied{driver, "database drivers belong in store"})
	}
	for _, own := range table {
		if own.drivers {
			withoutDrivers.Files = append(withoutDrivers.Files, "!"+here+own.folder+"/**")
		}
		if !allows(own.imports, "*") {
			rules[ruleName(own.folder)] = depguardRule(own)
		}
	}
	rules["drivers"] = withoutDrivers
	return rules
}

// here is the folder of .golangci.yml in depguard's patterns.
const here = "${config-path}/"

func ruleName(folder string) string {
	if folder == "." {
		return "root"
	}
	return strings.ReplaceAll(folder, "/", "-")
}

func depguardRule(own row) rule {
	files := ruleFiles(own)
	if own.stdOnly {
		return rule{ListMode: "strict", Files: files, Allow: []string{"$gostd"}}
	}
	var allow []string
	folders := slices.Concat(own.imports, []string{own.folder})
	for _, folder := range folders {
		// depguard looks at the nearest name before an import only: a name below another one that is allowed would hide it.
		if slices.ContainsFunc(folders, func(other string) bool { return other != folder && within(folder, other) }) {
			continue
		}
		allow = append(allow, importable(folder)+"$")
		if folder != "." {
			allow = append(allow, importable(folder)+"/")
		}
	}
	return rule{
		ListMode: "lax",
		Files:    files,
		Allow:    allow,
		Deny:     []denied{{module, "see the import table in internal/arch/table_test.go"}},
	}
}

// ruleFiles are the files of a row: those of its folder, less those of a more specific row, less tests.
func ruleFiles(own row) []string {
	if own.folder == "." {
		return []string{here + "*.go", "!$test"}
	}
	patterns := []string{here + own.folder + "/**", "!$test"}
	for _, other := range table {
		if other.folder != own.folder && within(other.folder, own.folder) {
			patterns = append(patterns, "!"+here+other.folder+"/**")
		}
	}
	return patterns
}

// yaml is the rule as it may stand in .golangci.yml.
func (r rule) yaml(name string) string {
	const indent = "\n          "
	text := "        " + name + ":" + indent + "list-mode: " + r.ListMode
	text += indent + fmt.Sprintf("files: [%s]", quoted(r.Files))
	if len(r.Allow) > 0 {
		text += indent + fmt.Sprintf("allow: [%s]", quoted(r.Allow))
	}
	if len(r.Deny) > 0 {
		text += indent + "deny:"
	}
	for _, d := range r.Deny {
		text += indent + fmt.Sprintf("  - {pkg: %q, desc: %q}", d.Pkg, d.Desc)
	}
	return text
}

func quoted(list []string) string {
	var all []string
	for _, element := range list {
		all = append(all, strconv.Quote(element))
	}
	return strings.Join(all, ", ")
}
