package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSourceCommands runs every command of sources, as TestCommands does those of the rest.
func TestSourceCommands(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := write("secret.txt", "hush\n")
	mapping := write("mapping.json", `[{"from":"a","to":"email","transform":["trim"]}]`)
	body := write("body.txt", "a=1&b=\xff")
	for name, args := range map[string][]string{
		"create": {"create", "-n", "Signup form", "--event-type", "contact.created", "--map", "contact_email=email", "--map", "first+last=custom_field.full_name",
			"--action", "add_subscriber:lists=Newsletter,Customers,tags=vip,field.plan=pro", "--action", "apply_tag:tags=lead,when=body.score > 10, or so", "--source-key", "new"},
		"create-all": {"create", "-n", "Shop", "--kind", "generic", "--uid", "shop", "--description", "Orders", "--inactive", "--no-require-token", "--hmac-secret", "@" + secret,
			"--signature-header", "X-Sign", "--signature-prefix", "v1=", "--signature-algorithm", "sha512", "--signature-encoding", "base64", "--signature-over", "{timestamp}.{body}",
			"--signature-timestamp", "X-Time", "--signature-tolerance", "1m", "--basic", "ada:lovelace:1", "--source-key", "k", "--source-key-header", "X-Key",
			"--ip-allow", "203.0.113.0/24,2001:db8::1", "--rate-limit", "50/s", "--dedupe", "id:event.id", "--mapping", "@" + mapping,
			"--actions", `[{"type":"change_status","status":"pending"}]`},
		"create-seed":    {"create", "-n", "CloudCusp", "--hmac-secret", "env:HUSH", "--action", `publish_event:event_type=order.paid,data={"a":[1,2]}`, "--action", "call_api:url=https://crm.example.com/,method=PUT"},
		"list":           {"list"},
		"get":            {"get", src1},
		"show-full":      {"show", "shop"},
		"get-token":      {"get", src1, "--show-token"},
		"update":         {"update", src1, "--active", "-n", "New", "--mapping", "none", "--rate-limit", "none", "--ip-allow", "none", "--source-key", "none", "--basic", "none", "--no-signature", "--uid", ""},
		"update-rotate":  {"update", src1, "--signing-secret", "new", "--keep-secret", "--dedupe", "none"},
		"token":          {"token", src1, "--force"},
		"token-show":     {"token", src1, "--show"},
		"test":           {"test", src1, "--data", "@" + body, "--header", "Content-Type=application/x-www-form-urlencoded", "--query", "a=b", "--mapping", "@" + mapping},
		"test-store":     {"test", "shop", "--request", req1, "--store"},
		"requests":       {"requests", src1, "--status", "failed", "--type", "contact.created", "--sender", "203.0.113.7", "--after", "24h", "--limit", "10"},
		"requests-all":   {"requests"},
		"request":        {"request", req1},
		"retry":          {"retry", req1},
		"resend":         {"resend", req1},
		"export":         {"export", "shop", "--format", "csv", "--status", "refused"},
		"clear":          {"clear", src1, "--force"},
		"stats":          {"stats", src1, "--by", "hour"},
		"delete":         {"delete", src1, "-f"},
		"delete-unasked": {"delete", src1},
	} {
		t.Run(name, func(t *testing.T) {
			all := ""
			for _, format := range []string{asTable, asJSON} {
				full := append([]string{"-o", format, "sources"}, args...)
				all += transcript(full, run(t, newFakeServer(t), given{environ: []string{"HUSH=hush"}}, full...)) + "\n"
			}
			golden(t, "sources-"+name+".txt", strings.ReplaceAll(all, dir, "/tmp"))
		})
	}
}

func TestSourceRefusals(t *testing.T) {
	all := ""
	for _, args := range [][]string{
		{"create"},
		{"create", "-n", "x", "--map", "email"},
		{"create", "-n", "x", "--map", "a=email", "--mapping", "[]"},
		{"create", "-n", "x", "--mapping", "{}"},
		{"create", "-n", "x", "--actions", "[]", "--action", "apply_tag"},
		{"create", "-n", "x", "--action", "apply_tag:lead"},
		{"create", "-n", "x", "--action", "publish_event:data={"},
		{"create", "-n", "x", "--basic", "ada"},
		{"create", "-n", "x", "--hmac-secret", "a", "--signing-secret", "b"},
		{"create", "-n", "x", "--hmac-secret", ""},
		{"create", "-n", "x", "--source-key", ""},
		{"create", "-n", "x", "--signature-scheme", "md5"},
		{"create", "-n", "x", "--active", "--inactive"},
		{"create", "-n", "x", "--rate-limit", "many"},
		{"update", src1},
		{"update", src1, "--keep-secret"},
		{"update", src1, "--no-signature", "--signature-prefix", "x"},
		{"requests", "--status", "lost"},
		{"requests", "--after", "soon"},
		{"test", src1, "--data", "{}", "--request", req1},
		{"test", src1, "--mapping", "{"},
		{"token", src1},
		{"clear", src1},
	} {
		full := append([]string{"sources"}, args...)
		all += transcript(full, run(t, newFakeServer(t), given{}, full...)) + "\n"
	}
	for _, args := range [][]string{
		{"listen"},
		{"listen", "--forward", "localhost:3000"},
		{"listen", "--forward", "http://example.com/hooks"},
		{"listen", "--forward", "http://192.168.0.7/"},
		{"listen", "--forward", "http://localhost:3000", "--source", "x", "--events", "*"},
		{"listen", "--forward", "http://localhost:3000", "--source", "x", "--secret", "whsec_AAAA"},
		{"listen", "--forward", "http://localhost:3000", "--secret", "hush"},
		{"listen", "--forward", "http://localhost:3000", "--timeout", "long"},
	} {
		all += transcript(args, run(t, newFakeServer(t), given{}, args...)) + "\n"
	}
	golden(t, "sources-refusals.txt", all)
}

func TestSourceHelp(t *testing.T) {
	for name, args := range map[string][]string{
		"sources": {"sources", "--help"}, "sources-create": {"sources", "create", "--help"}, "sources-test": {"sources", "test", "-h"}, "listen": {"listen", "--help"},
	} {
		r := run(t, newFakeServer(t), given{}, args...)
		if r.exit != 0 || r.stderr != "" {
			t.Errorf("exit %d, %s", r.exit, r.stderr)
		}
		golden(t, "help/"+name+".txt", r.stdout)
	}
}

func TestDeletingSourcesAsks(t *testing.T) {
	for _, tc := range []struct {
		stdin    string
		args     []string
		question string
		last     string
	}{
		{"y\n", []string{"delete", "shop"}, "Delete source " + src1 + " (Shop) with the log of its 7 requests? Its URL ends at once. [y/N] ", "DELETE /v1/sources/" + src1},
		{"n\n", []string{"delete", "shop"}, "", "GET /v1/sources/shop"},
		{"y\n", []string{"clear", src1}, "Delete the log of source " + src1 + " (Signup form), which had 1,204 requests? [y/N] ", "DELETE /v1/sources/" + src1 + "/requests"},
		{"\n", []string{"clear", src1}, "", "GET /v1/sources/" + src1},
		{"yes\n", []string{"token", src1}, "Renew the token of source " + src1 + " (Signup form)? The old one ends at once. [y/N] ", "POST /v1/sources/" + src1 + "/token"},
		{"no\n", []string{"token", src1}, "", "GET /v1/sources/" + src1},
	} {
		r := run(t, newFakeServer(t), given{terminal: atTerminal, stdin: tc.stdin}, append([]string{"sources"}, tc.args...)...)
		if got := r.asked[len(r.asked)-1]; got != tc.last {
			t.Errorf("%v: the last call is %q", tc.args, got)
		}
		if !strings.HasPrefix(r.stderr, tc.question) || (r.exit == exitOK) != (tc.question != "") {
			t.Errorf("%v: exit %d, it asked %q", tc.args, r.exit, r.stderr)
		}
	}
}
