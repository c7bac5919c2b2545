//go:build clients

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// clients installs the packages of e2e/clients, in the versions that its lock names, into a folder of the test.
func clients(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("clients")); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return dir
}

// node runs a script of e2e/clients, or of its packages, and gives what it prints.
func (x *tenant) node(dir, base, hook, script string, args ...string) string {
	x.t.Helper()
	hooks := `data:text/javascript,import { register } from "node:module"; register("file://` + filepath.Join(dir, "resolve.mjs") + `")`
	cmd := exec.Command("node", append([]string{"--import", hooks, filepath.Join(dir, script)}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "NO_COLOR=1", "KEY=" + x.key, "BASE=" + x.s.address() + base, "HOOK=" + x.r.url(hook),
		"CAKEMAIL_API_BASE=" + x.s.address() + base, "CAKEMAIL_ACCESS_TOKEN=" + x.key}
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		x.t.Fatalf("%s %s: %v\n%s%s", script, strings.Join(args, " "), err, out.String(), faults.String())
	}
	return out.String()
}

// TestClients runs vendors' own clients, unmodified, against the faces that are there for them: make clients.
func TestClients(t *testing.T) {
	dir := clients(t)
	onBoth(t, func(t *testing.T, set settings) {
		s := startServer(t, set)
		t.Run("Cakemail's SDK", func(t *testing.T) { cakemailSDK(newTenant(t, s), dir) })
		t.Run("Cakemail's command line", func(t *testing.T) { cakemailCLI(newTenant(t, s), dir) })
		t.Run("Sendook", func(t *testing.T) {
			x := newTenant(t, s)
			x.node(dir, "/compat/sendook", "/hook", "sendook.mjs")
			x.r.wait(t, "/hook", 1)
		})
	})
}

func cakemailSDK(x *tenant, dir string) {
	var got struct{ ID, Key string }
	if out := x.node(dir, "/compat/cakemail", "/hook", "cakemail.mjs"); json.Unmarshal([]byte(out), &got) != nil || got.Key == "" {
		x.t.Fatalf("the script prints %s", out)
	}
	x.publish("1", "email.opened", `{"contact":{"email":"ada@example.com"}}`)
	signedByCakemail(x.t, x.r.wait(x.t, "/hook", 1)[0], got.Key)
}

// cakemailCLI runs the program that the package has, which is of the older kind: it sends events, name and secret, and reads ids as numbers.
func cakemailCLI(x *tenant, dir string) {
	run := func(args ...string) string {
		x.t.Helper()
		return x.node(dir, "/compat/cakemail", "/hook", filepath.Join("node_modules", "@cakemail-org", "cakemail-cli", "dist", "cli.js"), append([]string{"-f", "json", "webhooks"}, args...)...)
	}
	const secret = "my_secret_key_12345"
	out := run("create", "-u", x.r.url("/hook"), "-e", "email.sent,email.opened,email.clicked", "-n", "Production Webhook", "-s", secret)
	_, rest, _ := strings.Cut(out, "Webhook created: ")
	id, _, _ := strings.Cut(rest, "\n")
	if id == "" {
		x.t.Fatalf("create prints %s", out)
	}
	for _, want := range []struct{ out, part string }{
		{run("list", "-l", "10", "-p", "1"), `"name": "Production Webhook"`},
		{run("get", id), `"key": "` + secret + `"`},
		{run("update", id, "-e", "email.sent,email.opened,email.clicked,email.bounced"), `"email.bounced"`},
		{run("archive", id), "Webhook " + id + " archived"},
		{run("list"), `"data": []`},
		{run("unarchive", id), "Webhook " + id + " unarchived"},
	} {
		if !strings.Contains(want.out, want.part) {
			x.t.Errorf("%q is not in:\n%s", want.part, want.out)
		}
	}
	if w := x.native("Production Webhook"); w.Status != postroom.WebhookActive || strings.Join(w.Events, " ") != "email.sent email.opened email.clicked email.bounced" {
		x.t.Errorf("in Postroom, it is %+v", w)
	}
	x.publish("1", "email.bounced", `{}`)
	signedByCakemail(x.t, x.r.wait(x.t, "/hook", 1)[0], secret)
}
