package cli

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares text with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (go test ./cli -update writes it): -want +got:\n%s", file, diff)
	}
}

// transcript is a run as it would look in a terminal, with what the server was asked.
func transcript(args []string, r ran) string {
	var b strings.Builder
	b.WriteString("$ postroom")
	for _, arg := range args {
		if strings.ContainsAny(arg, " '\"{}*<>") || arg == "" {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		b.WriteString(" " + arg)
	}
	b.WriteString("\n")
	for _, asked := range r.asked {
		b.WriteString("→ " + asked + "\n")
	}
	b.WriteString(r.stdout)
	if r.stderr != "" {
		b.WriteString("-- stderr --\n" + r.stderr)
	}
	fmt.Fprintf(&b, "-- exit %d --\n", r.exit)
	return b.String()
}

// TestCommands runs every command that calls a server, in each format that it has. The golden files show calls and
// output.
func TestCommands(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := write("token.txt", "hush\n")
	order := write("order.json", "{\n  \"order\": {\"id\": 17}\n}\n")
	lines := write("events.ndjson", `{"type":"order.paid"}`+"\n\n"+`{"type":"bad"}`+"\n"+`{"type":"twice"}`+"\n")

	inYAML := map[string]bool{"webhooks-get-full": true, "events-get": true, "deliveries-show": true, "event-types-sample": true, "webhooks-delete": true}
	for name, args := range map[string][]string{
		"webhooks-create":      {"webhooks", "create", "-u", "https://example.com/hooks", "-e", "email.sent,email.opened", "-n", "Production Webhook"},
		"webhooks-create-all":  {"webhooks", "create", "-u", "https://example.com/hooks", "-e", "*", "--uid", "crm", "--description", "D", "--header", "x-a=b;c", "--header", "x-d=e=f", "--method", "PUT", "--timeout", "5s", "--retry", "5s,5m", "--retry-jitter", "0", "--rate-limit", "100/1s", "--concurrency", "1", "--ordering", "key", "--expect-json", "--disable-after-failures", "10", "--disable-after", "120h", "--filter", "event.data.a == 1", "--dialect", "cloudcusp", "--auth-bearer", "@" + token, "--payload", "@" + order, "--paused"},
		"webhooks-create-own":  {"webhooks", "create", "-u", "https://example.com/hooks", "-e", "email.*", "--dialect", "cakemail", "--secret", "@" + token},
		"webhooks-create-tls":  {"webhooks", "create", "-u", "https://example.com/hooks", "-e", "*", "--tls-ca", "PEM"},
		"webhooks-list":        {"webhooks", "list"},
		"webhooks-get":         {"webhooks", "get", whk1},
		"webhooks-get-full":    {"webhooks", "get", "crm-sync"},
		"webhooks-update":      {"webhooks", "update", whk1, "-e", "email.bounced"},
		"webhooks-update-away": {"webhooks", "update", whk1, "--uid", "", "--description", "", "--rate-limit", "none", "--payload", "none", "--no-auth", "--no-expect-json", "--header", "x-a=", "--retry", "none"},
		"webhooks-test":        {"webhooks", "test", whk1},
		"webhooks-test-failed": {"webhooks", "test", "crm-sync", "--type", "order.paid", "--data", `{"order":17}`},
		"webhooks-preview":     {"webhooks", "preview", whk1, "--type", "order.paid", "--payload", `{"id":"{event_id}"}`},
		"webhooks-preview-new": {"webhooks", "preview", "-e", "order.paid", "--event", "order-17", "--payload-fields", "type,data.order", "--payload-add", "@" + order},
		"webhooks-pause":       {"webhooks", "pause", whk1, "--reason", "Moving house"},
		"webhooks-resume":      {"webhooks", "resume", whk1, "--held", "discard", "--force"},
		"webhooks-release":     {"webhooks", "resume", whk1},
		"webhooks-delete":      {"webhooks", "delete", "--force", whk1},
		"webhooks-secrets":     {"webhooks", "secrets", whk1},
		"webhooks-rotate":      {"webhooks", "rotate-secret", whk1, "--kind", "ed25519", "--overlap", "48h"},
		"webhooks-stats":       {"webhooks", "stats", whk1, "--after", "24h", "--by", "hour"},
		"stats":                {"stats"},
		"webhooks-replay":      {"webhooks", "replay", whk1, "--after", "2026-01-31", "--before", "2026-01-31T10:00:00Z", "--status", "failed", "--type", "order.paid", "--force"},
		"webhooks-replay-wait": {"webhooks", "replay", whk1, "--force", "--wait"},
		"replay-preview":       {"webhooks", "replay", "crm-sync", "--preview"},
		"replays-create":       {"replays", "create", "--status", "failed", "--type", "email.*,order.paid", "-f"},
		"replays-list":         {"replays", "list"},
		"replays-show":         {"replays", "show", rpl1},
		"replays-watch":        {"replays", "watch", rpl1},
		"replays-watch-failed": {"replays", "watch", "rpl_1"},
		"replays-cancel":       {"replays", "cancel", rpl1},
		"attempts-export":      {"attempts", "export", "--webhook", "crm", "--status", "failed"},
		"events-preview":       {"events", "replay", "order-17", "--preview"},
		"events-send":          {"events", "send", "--type", "order.paid", "--id", "order-17", "--data", "@" + order, "--time", "5m", "--actor", "shop", "--ordering-key", "17"},
		"events-send-bare":     {"events", "send", "--type", "order.paid"},
		"events-send-lines":    {"events", "send", "--ndjson", lines},
		"events-list":          {"events", "list", "--type", "order.*", "--contact", "ada@example.com", "--campaign", "790", "-q", "x y"},
		"events-get":           {"events", "get", "order-17"},
		"events-replay":        {"events", "replay", "order-17", "--webhook", "crm-sync," + whk1},
		"event-types-list":     {"event-types", "list"},
		"event-types-custom":   {"event-types", "list", "--custom"},
		"event-types-get":      {"event-types", "get", "order.paid"},
		"event-types-create":   {"event-types", "create", "order.paid", "--title", "Order paid", "--schema", `{"type":"object"}`, "--sample", "@" + order},
		"event-types-delete":   {"event-types", "delete", "order.paid", "-f"},
		"event-types-sample":   {"event-types", "sample", "order.paid"},
		"dialect-list":         {"dialect", "list"},
		"dialect-show":         {"dialect", "show", "acme"},
		"dialect-show-type":    {"dialect", "show", "acme", "--type", "opened"},
		"deliveries-list":      {"deliveries", "list", "--webhook", "crm", "--event", "order-17", "--type", "order.paid", "--status", "failed", "--status-code", "500", "--after", "24h", "--limit", "10"},
		"deliveries-show":      {"deliveries", "show", dlv1},
		"deliveries-show-full": {"deliveries", "show", dlv1, "--full"},
		"deliveries-show-none": {"deliveries", "show", "dlv_1"},
		"deliveries-retry":     {"deliveries", "retry", dlv1},
		"deliveries-export":    {"deliveries", "export", "--format", "csv", "--status", "failed"},
		"keys-create":          {"keys", "create", "--role", "publisher", "-n", "Shop", "--expires", "720h"},
		"keys-list":            {"keys", "list"},
		"members-invite":       {"members", "invite", "ada@example.com", "--role", "viewer", "-n", "Ada", "--trigger", "*"},
		"members-list":         {"members", "list"},
		"members-update":       {"members", "update", "ada@example.com", "--role", "admin"},
		"members-remove":       {"members", "remove", "ada@example.com", "--force"},
		"members-link":         {"members", "link", "ada@example.com"},
		"keys-delete":          {"keys", "delete", key1, "--force"},
		"workspaces-create":    {"workspaces", "create", "-n", "Acme"},
		"workspaces-list":      {"workspaces", "list"},
		"workspaces-delete":    {"workspaces", "delete", wsp1, "--force"},
	} {
		t.Run(name, func(t *testing.T) {
			all := ""
			formats := []string{asTable, asJSON}
			if inYAML[name] {
				formats = append(formats, asYAML)
			}
			for _, format := range formats {
				full := append([]string{"-o", format}, args...)
				all += transcript(full, run(t, newFakeServer(t), given{}, full...)) + "\n"
			}
			golden(t, name+".txt", strings.ReplaceAll(all, dir, "/tmp"))
		})
	}
}

// TestRefusals runs what goes wrong: exit statuses, sentences and hints.
func TestRefusals(t *testing.T) {
	all := ""
	for _, args := range [][]string{
		// The server refuses.
		{"webhooks", "get", "gone"},
		{"webhooks", "pause", "gone"},
		{"webhooks", "resume", "gone"},
		{"webhooks", "replay", "gone", "--force"},
		{"webhooks", "replay", "gone"},
		{"webhooks", "resume", whk1, "--held", "discard"},
		{"webhooks", "update", "gone", "-n", "x"},
		{"webhooks", "secrets", "gone"},
		// The command is not used as it should be.
		{"webhoks"},
		{"webhooks", "lits"},
		{"webhooks", "get"},
		{"webhooks", "get", "a", "b"},
		{"webhooks", "create", "--url", "https://example.com/hooks", "-e", "*"},
		{"webhooks", "update", whk1},
		{"webhooks", "update", whk1, "--url", "https://example.com/hooks", "-n", "x"},
		{"webhooks", "delete", whk1},
		{"webhooks", "list", "--limit", "-1"},
		{"-o", "xml", "webhooks", "list"},
		{"webhooks", "resume", whk1, "--held", "eat"},
		{"webhooks", "rotate-secret", whk1, "--kind", "rot13"},
		{"webhooks", "rotate-secret", whk1, "--overlap", "a day"},
		{"webhooks", "replay", whk1, "--after", "yesterday"},
		{"webhooks", "update", whk1, "--retry", "5"},
		{"webhooks", "update", whk1, "--rate-limit", "fast"},
		{"webhooks", "update", whk1, "--rate-limit", "1/0s"},
		{"webhooks", "update", whk1, "--timeout", "-1s"},
		{"webhooks", "update", whk1, "--payload", "{"},
		{"webhooks", "update", whk1, "--auth-basic", "user"},
		{"webhooks", "update", whk1, "--auth-bearer", "a", "--no-auth"},
		{"webhooks", "update", whk1, "--auth-bearer", "@/does/not/exist"},
		{"webhooks", "update", whk1, "--auth-api-key-header", "X-Key"},
		{"webhooks", "update", whk1, "--auth-bearer", "env:POSTROOM_NOT_SET"},
		{"webhooks", "update", whk1, "--auth-client-id", "me", "--auth-issuer", "i"},
		{"webhooks", "update", whk1, "--auth-bearer", "t", "--auth-client-id", "me"},
		{"webhooks", "update", whk1, "--auth", `{"type":"bearer","tokn":"t"}`},
		{"webhooks", "update", whk1, "--auth", `{"type":"bearer","token":"t"}`, "--no-tls"},
		{"webhooks", "create", "-u", "https://example.com/hooks", "-e", "*", "--secret", ""},
		{"webhooks", "update", whk1, "--no-tls", "--tls-ca", "x"},
		{"events", "send"},
		{"events", "send", "--type", "order.paid", "--data", "{broken"},
		{"events", "send", "--ndjson", "/does/not/exist"},
		{"events", "send", "--ndjson", "-", "--id", "x"},
		{"keys", "create"},
		{"members", "update", "ada@example.com"},
		{"members", "invite", "ada@example.com"},
		{"keys", "create", "--role", "boss"},
		{"keys", "create", "--role", "admin", "--expires", "soon"},
		{"keys", "list", "--api-key", "two words"},
		{"keys", "list", "--url", "example.com"},
		{"dialect", "show", "acme", "--type", "closed"},
		{"dialect", "test"},
		{"dialect", "test", "/does/not/exist"},
		{"completion", "tcsh"},
	} {
		all += transcript(args, run(t, newFakeServer(t), given{}, args...)) + "\n"
	}
	golden(t, "refusals.txt", all)
}

func TestHelp(t *testing.T) {
	for name, args := range map[string][]string{
		"root": {"--help"}, "webhooks": {"webhooks", "--help"}, "webhooks-create": {"webhooks", "create", "-h"},
		"serve": {"serve", "--help"}, "dialect-test": {"dialect", "test", "--help"}, "events-send": {"events", "send", "--help"}, "demo": {"demo", "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, newFakeServer(t), given{}, args...)
			if r.exit != 0 || r.stderr != "" {
				t.Errorf("exit %d, %s", r.exit, r.stderr)
			}
			golden(t, "help/"+name+".txt", r.stdout)
		})
	}
}
