package dialects_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/postroom/postroom/dialect/fixture"
)

// A reference to a file of the repository, and to a word in it.
var reference = regexp.MustCompile("`([A-Za-z0-9_./-]+\\.(?:go|md|yaml|txtar|txt))(?::([A-Za-z0-9]+))?`")

// The pages of the vendors name where each statement is implemented and tested. What they name is there.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("../docs/dialects/*.md")
	if err != nil || len(pages) != 6 {
		t.Fatal(pages, err)
	}
	readmes, err := filepath.Glob("*/README.md")
	if err != nil || len(readmes) != 5 {
		t.Fatal(readmes, err)
	}
	for _, page := range append(pages, readmes...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range reference.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(m[1], "/") {
				continue // a file of any dialect, such as dialect.yaml
			}
			content, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(m[1])))
			if err != nil {
				t.Errorf("%s: %v", page, err)
			} else if m[2] != "" && !regexp.MustCompile(`func (?:\([^)]*\) )?`+m[2]+`\(`).Match(content) {
				t.Errorf("%s: %s has no %s", page, m[1], m[2])
			}
		}
	}
}

// Each row of a vendor's page has what it says, where, and, unless it follows, a test.
func TestRows(t *testing.T) {
	for _, vendor := range []string{"cakemail", "cloudcusp", "cocoonmail", "cooby", "sendook"} {
		text, err := os.ReadFile("../docs/dialects/" + vendor + ".md")
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "| ") || strings.Contains(line, "says | Postroom") {
				continue
			}
			rows++
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
			last := cells[len(cells)-1]
			if len(cells) < 2 || !strings.Contains(last, "`") && !strings.Contains(last, "follows") && !strings.Contains(last, "it is about") {
				t.Errorf("%s: this row names no test: %s", vendor, line)
			}
		}
		if rows < 20 {
			t.Errorf("%s has %d rows", vendor, rows)
		}
		// The page names a fixture of every event that the dialect names.
		types, _ := load(t)[vendor].Out.Named()
		for _, eventType := range types {
			if !strings.Contains(string(text), vendor+"/testdata/"+eventType+".txtar") {
				t.Errorf("%s.md names no fixture of %s", vendor, eventType)
			}
		}
	}
}

// The sixth vendor of docs/dialects/README.md is a folder; the page shows it as it is.
func TestSixthVendor(t *testing.T) {
	r, err := fixture.Run("../docs/dialects", known(t), *update)
	if err != nil || len(r.Dialects) != 1 || r.Dialects[0].Name != "acme" || r.Dialects[0].Fixtures != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, p := range r.Problems {
		t.Error(p)
	}
	page, err := os.ReadFile("../docs/dialects/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for file, from := range map[string]string{"dialect.yaml": "", "testdata/email.bounced.txtar": "-- request --\n"} {
		text, err := os.ReadFile("../docs/dialects/acme/" + file)
		if err != nil {
			t.Fatal(err)
		}
		_, part, found := strings.Cut(string(text), from)
		if !found || !strings.Contains(string(page), "\n"+from+part+"```") {
			t.Errorf("the page does not show acme/%s as it is", file)
		}
	}
	if !strings.Contains(string(page), fixture.Secret) {
		t.Error("the page does not name the secret of fixtures")
	}
	for name := range load(t) {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("the page does not have %s", name)
		}
	}
}
