package config_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom/config"
)

var update = flag.Bool("update", false, "write the golden files")

func TestDocument(t *testing.T) {
	const golden = "testdata/settings.md"
	got := config.Document()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (go test ./config -update writes it): -want +got:\n%s", golden, diff)
	}
}

func TestNamesAgree(t *testing.T) {
	for _, s := range config.Settings() {
		env := strings.TrimPrefix(s.Env, "POSTROOM_")
		if s.Key != "" && strings.ToLower(env) != s.Key {
			t.Errorf("%s is %s in the file", s.Env, s.Key)
		}
		// --allow-net is given once for each, so its name is that of one.
		flag := strings.ReplaceAll(s.Flag, "-", "_")
		if s.Flag != "" && flag != strings.ToLower(env) && flag+"s" != s.Key && strings.TrimSuffix(flag, "y")+"ies" != s.Key {
			t.Errorf("%s is --%s on the command line", s.Env, s.Flag)
		}
	}
}

func TestHelp(t *testing.T) {
	for key, want := range map[string]string{
		"listen":     "Address of the API, the dashboard and the intake; by default 127.0.0.1:8080 ($POSTROOM_LISTEN).",
		"public_url": "What source URLs and mails carry; by default from --listen ($POSTROOM_PUBLIC_URL).",
		"allow_nets": "Networks that outgoing calls may reach beyond public addresses ($POSTROOM_ALLOW_NETS).",
		"allow_http": "Let webhooks use http:// ($POSTROOM_ALLOW_HTTP).",
	} {
		if got := settingOf(t, key).Help(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestSecretsAreNotShown prints, logs and encodes a configuration in every way that is likely, and looks for what must
// not be there.
func TestSecretsAreNotShown(t *testing.T) {
	c := load(t, config.Given{Environ: []string{
		"POSTROOM_DATABASE=postgres://user:dbword@db.example.com/postroom?sslpassword=sslword",
		"POSTROOM_SECRET_KEY=" + key32,
		"POSTROOM_ADMIN_KEY=" + adminKey,
		"POSTROOM_PROXY=http://user:proxyword@proxy.example.com:3128",
	}})
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s\n", c, c, c, c)
	fmt.Fprintf(&out, "%v %+v %#v %s\n", &c, &c, &c, &c)
	fmt.Fprintf(&out, "%v %+v %#v %q\n", c.AdminKey, c.SecretKey, c.AdminKey, c.SecretKey)
	fmt.Fprintf(&out, "%v %+v\n", c.Database, c.Database)
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("starting", "config", c, "database", c.Database, "key", c.SecretKey, "admin", c.AdminKey)
	}
	if err := json.NewEncoder(&out).Encode([]any{c.AdminKey, c.SecretKey, c.Database}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"dbword", "sslword", "proxyword", adminKey, key32, "\x01\x02\x03", `\x01\x02`, `\u0001\u0002`} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is shown in\n%s", secret, out.String())
		}
	}
	for _, shown := range []string{"listen=127.0.0.1:8080", "secret_key=(not shown)", "max_body=1048576", "proxy=http://user:xxxxx@proxy.example.com:3128", `"retention":"720h"`} {
		if !strings.Contains(out.String(), shown) {
			t.Errorf("%q is missing in\n%s", shown, out.String())
		}
	}
}

// TestDocumentation sees to it that the guide has the table as it is.
func TestDocumentation(t *testing.T) {
	guide, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(guide), config.Document()) {
		t.Error("docs/configuration.md does not hold the table of testdata/settings.md")
	}
}
