package payload_test

import (
	"os"
	"strings"
	"testing"

	"github.com/postroom/postroom/payload"
)

func TestDocumentationIsWhole(t *testing.T) {
	text, err := os.ReadFile("../docs/payloads.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range payload.Variables() {
		if !strings.Contains(string(text), "\n| `"+v.Name+"` |") {
			t.Errorf("docs/payloads.md has no row for %s (%s)", v.Name, v.Meaning)
		}
	}
	for _, f := range payload.Functions() {
		if !strings.Contains(string(text), "`"+f.Usage+"`") {
			t.Errorf("docs/payloads.md does not have %s: %s", f.Usage, f.Meaning)
		}
	}
}

// The example of docs/payloads.md.
func TestDocumentedExample(t *testing.T) {
	text, err := os.ReadFile("../docs/payloads.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text2, _ := strings.Cut(string(text), "```json\n")
	source, rest, _ := strings.Cut(text2, "```")
	_, rest, _ = strings.Cut(rest, "```json\n")
	want, _, _ := strings.Cut(rest, "\n```")
	e := opened(`{"contact":{"id":501,"email":"ada@example.com","lists":[{"name":"News"}]},"counts":{"opens":2}}`)
	if got, notes := render(t, compile(t, source), e); got != want || notes != nil {
		t.Errorf("%s, %v\nwant %s", got, notes, want)
	}
}
