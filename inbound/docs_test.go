package inbound

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// table gives the cells of the rows of docs/mapping.md under a heading.
func table(t *testing.T, heading string) (rows [][]string) {
	t.Helper()
	page, err := os.ReadFile("../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(page), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the page has no part %s", heading)
	}
	part, _, _ = strings.Cut(part, "\n## ")
	for line := range strings.Lines(part) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") {
			continue
		}
		var cells []string
		for _, cell := range strings.Split(strings.Trim(line, "|"), " | ") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	return rows[1:]
}

// code is what stands in backquotes, if all of a cell does.
func code(cell string) (string, bool) {
	text, ok := strings.CutPrefix(cell, "`")
	if ok {
		text, ok = strings.CutSuffix(text, "`")
	}
	return text, ok && !strings.Contains(text, "`")
}

// Every example of a transform in the documentation gives what it says, and there is one of each.
func TestDocumentedTransforms(t *testing.T) {
	shown := map[string]bool{}
	for _, cells := range table(t, "Transforms") {
		source, _ := code(cells[0])
		given, _ := code(cells[1])
		want, _ := code(cells[2])
		var transform postroom.Transform
		if err := json.Unmarshal([]byte(source), &transform); err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		shown[transform.Name] = true
		if got, err := changed(given, transform); err != nil || got != want {
			t.Errorf("%s of %s: %s, %v; the page says %s", source, given, got, err, want)
		}
	}
	for _, name := range transformNames() {
		if !shown[name] {
			t.Errorf("the page has no example of %s", name)
		}
	}
}

// Every path of the documentation leads to what it says.
func TestDocumentedPaths(t *testing.T) {
	page, err := os.ReadFile("../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "With the body\n\n```json\n")
	body, _, _ := strings.Cut(after, "\n```")
	for _, cells := range table(t, "Paths") {
		text, isPath := code(cells[0])
		want, isValue := code(cells[1])
		if !isPath || !isValue {
			continue
		}
		p, err := parsePath(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := string(p.find(called("", body), []byte(body))); got != want {
			t.Errorf("%s leads to %s; the page says %s", text, got, want)
		}
	}
}

// Every condition of the documentation is what it says.
func TestDocumentedConditions(t *testing.T) {
	const body = `{"first": "Ada", "score": 12, "tags": ["vip"], "plan": null, "email": "ada@example.com"}`
	n := 0
	for _, cells := range table(t, "Conditions") {
		text, ok := code(cells[0])
		if !ok {
			t.Fatal(cells)
		}
		p := program(t, `{"event_type":"contact.created","actions":[{"when":`+quote(text)+`}]}`)
		items, err := p.Read(called("application/json", body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Applies(items[0], 0); err != nil || got != (cells[1] == "true") {
			t.Errorf("%s: %v, %v; the page says %s", text, got, err, cells[1])
		}
		n++
	}
	if n < 10 {
		t.Errorf("the page has %d conditions", n)
	}
}

// The page's example of a source compiles, and every target that it names is one.
func TestDocumentedRows(t *testing.T) {
	page, err := os.ReadFile("../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "```json\n")
	source, _, _ := strings.Cut(after, "\n```")
	item := only(t, program(t, source), called("application/json", `{"contact_email":" Ada@Example.com","first":"Ada","last":"Lovelace","signed_up":"15.03.2026 11:30"}`))
	want := `{"contact_email":" Ada@Example.com","first":"Ada","last":"Lovelace","signed_up":"15.03.2026 11:30",` +
		`"contact":{"email":"ada@example.com","custom_fields":{"full_name":"Ada Lovelace","signed_up":"2026-03-15T10:30:00Z"}}}`
	if string(item.Data) != want {
		t.Errorf("the example makes %s, want %s", item.Data, want)
	}
	for _, cells := range table(t, "Rows") {
		for name := range strings.SplitSeq(cells[0], "`") {
			name = strings.NewReplacer("<name>", "x", "<path>", "x.y").Replace(name)
			if name = strings.Trim(name, " ,()"); name == "" || name == "or" {
				continue
			}
			if _, err := parseTarget(name); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
