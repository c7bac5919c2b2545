package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAudienceCommands runs the commands of contacts and what belongs to them, as TestCommands does others.
func TestAudienceCommands(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "people.ndjson")
	if err := os.WriteFile(file, []byte(`{"email":"ada@example.com"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"contacts-list":        {"contacts", "list", "--list", "Newsletter", "--tag", "vip", "--status", "subscribed", "--field", "plan=pro=x", "-q", "ad a", "--after", "24h", "--limit", "10"},
		"contacts-get":         {"contacts", "get", "ada@example.com"},
		"contacts-show":        {"contacts", "show", con1},
		"contacts-set":         {"contacts", "set", "ada@example.com", "--first-name", "Ada", "--last-name", "", "--field", "company=Analytical Engines", "--field", "n=1.50", "--field", "gone=", "--tag", "vip,lead", "--list", "Newsletter", "--double-opt-in"},
		"contacts-set-id":      {"contacts", "set", con1, "--status", "bounced"},
		"contacts-set-email":   {"contacts", "set", "ada@example.com", "--email", "ada@example.org"},
		"contacts-tag":         {"contacts", "tag", con1, "vip", "very important"},
		"contacts-untag":       {"contacts", "untag", con1, "vip"},
		"contacts-subscribe":   {"contacts", "subscribe", "ada@example.com", "Newsletter", "--double-opt-in"},
		"contacts-confirm":     {"contacts", "confirm", "ada@example.com", "Newsletter"},
		"contacts-unsubscribe": {"contacts", "unsubscribe", "ada@example.com", "Newsletter"},
		"contacts-history":     {"contacts", "history", "ada@example.com"},
		"contacts-events":      {"contacts", "events", "ada@example.com"},
		"contacts-delete":      {"contacts", "delete", "ada@example.com", "--force"},
		"contacts-erase":       {"contacts", "erase", "ada@example.com", "-f"},
		"contacts-import":      {"contacts", "import", file, "--list", "A, B", "--list", "C", "--tag", "fair", "--no-update"},
		"contacts-imports":     {"contacts", "imports"},
		"contacts-export":      {"contacts", "export", "--list", "Newsletter"},
		"lists-list":           {"lists", "list"},
		"lists-get":            {"lists", "get", "Newsletter"},
		"lists-create":         {"lists", "create", "Newsletter", "--uid", "news", "--description", "Once a month"},
		"lists-update":         {"lists", "update", "Newsletter", "-n", "Newsletter", "--uid", ""},
		"lists-members":        {"lists", "members", "Newsletter"},
		"lists-delete":         {"lists", "delete", "Newsletter", "--force"},
		"tags-list":            {"tags", "list"},
		"tags-rename":          {"tags", "rename", "lead", "prospect"},
		"tags-delete":          {"tags", "delete", "lead", "-f"},
		"fields-list":          {"fields", "list"},
		"fields-create":        {"fields", "create", "plan", "--type", "choice", "--options", "free,pro"},
		"fields-update":        {"fields", "update", "plan", "--title", "Plan"},
		"fields-delete":        {"fields", "delete", "plan", "-f"},
		"audit":                {"audit", "--limit", "20"},
	} {
		t.Run(name, func(t *testing.T) {
			all := ""
			for _, format := range []string{asTable, asJSON} {
				full := append([]string{"-o", format}, args...)
				all += transcript(full, run(t, newFakeServer(t), given{}, full...)) + "\n"
			}
			golden(t, name+".txt", strings.ReplaceAll(all, dir, "/tmp"))
		})
	}
}

// TestImportsThatAreDifferent runs imports from stdin, as a trial, and one that breaks off.
func TestImportsThatAreDifferent(t *testing.T) {
	all := ""
	for key, args := range map[string][]string{
		"?dry_run": {"contacts", "import", "-", "--dry-run", "-o", "table"},
		"?broken":  {"contacts", "import", "-", "-o", "table"},
	} {
		f := newFakeServer(t)
		f.answers["POST /v1/contacts/import"] = f.answers["POST /v1/contacts/import"+key]
		r := run(t, f, given{stdin: "email\nada@example.com\n"}, args...)
		if want := map[string]int{"?dry_run": 0, "?broken": 1}[key]; r.exit != want {
			t.Errorf("%v ends with %d", args, r.exit)
		}
		if key == "?broken" {
			all += transcript(args, r)
		} else {
			all = transcript(args, r) + "\n" + all
		}
	}
	golden(t, "contacts-import-others.txt", all)
}

// TestAudienceRefusals runs what is not done.
func TestAudienceRefusals(t *testing.T) {
	all := ""
	for _, args := range [][]string{
		{"contacts", "set", con1, "--tag", "vip"},
		{"contacts", "set", "ada@example.com", "--email", "ada@example.org", "--list", "News"},
		{"contacts", "list", "--field", "plan"},
		{"contacts", "list", "--status", "asleep"},
		{"contacts", "list", "--after", "yesterday"},
		{"contacts", "delete", "ada@example.com"},
		{"contacts", "erase", "ada@example.com"},
		{"contacts", "import", "/does/not/exist"},
		{"contacts", "tag", con1},
		{"lists", "update", "Newsletter"},
		{"lists", "delete", "Newsletter"},
		{"tags", "delete", "lead"},
		{"fields", "update", "plan"},
		{"fields", "create", "plan", "--type", "colour"},
		{"audit", "--limit", "-1"},
	} {
		all += transcript(args, run(t, newFakeServer(t), given{}, args...)) + "\n"
	}
	golden(t, "audience-refusals.txt", all)
}

// On a terminal a person is asked, and sees how far long work is.
func TestAudienceOnATerminal(t *testing.T) {
	all := ""
	terminal := Terminal{Stdin: true, Stdout: true, Stderr: true, Width: 80}
	for _, c := range []struct {
		stdin string
		args  []string
	}{
		{"n\n", []string{"contacts", "erase", "ada@example.com"}},
		{"y\n", []string{"contacts", "erase", "ada@example.com"}},
		{"\n", []string{"contacts", "delete", "ada@example.com"}},
		{"y\n", []string{"lists", "delete", "Newsletter"}},
		{"y\n", []string{"tags", "delete", "lead"}},
		{"email\n", []string{"contacts", "import", "-"}},
		{"", []string{"contacts", "list"}},
	} {
		all += transcript(c.args, run(t, newFakeServer(t), given{stdin: c.stdin, terminal: terminal, environ: []string{"NO_COLOR=1"}}, c.args...)) + "\n"
	}
	golden(t, "audience-terminal.txt", strings.ReplaceAll(all, "\x1b", "^["))
}

func TestAudienceHelp(t *testing.T) {
	for name, args := range map[string][]string{"contacts": {"contacts", "--help"}, "contacts-import": {"contacts", "import", "--help"}, "contacts-set": {"contacts", "set", "--help"}, "contacts-erase": {"contacts", "erase", "--help"}} {
		r := run(t, newFakeServer(t), given{}, args...)
		if r.exit != 0 || r.stderr != "" {
			t.Errorf("exit %d, %s", r.exit, r.stderr)
		}
		golden(t, "help/"+name+".txt", r.stdout)
	}
}
