package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom/config"
)

func TestRefusals(t *testing.T) {
	const nets = "networks such as 10.0.0.0/8 or addresses such as 192.168.1.10, with commas between them"
	const key = "32 bytes in base64, as `openssl rand -base64 32` makes them"
	const database = "sqlite:PATH, such as sqlite:./postroom-data/postroom.db, or a URL such as postgres://user:password@host:5432/postroom"
	for _, tc := range []struct{ setting, want string }{
		{"--listen=8080", `--listen is "8080", but must be host:port, such as 127.0.0.1:8080 or :8080`},
		{"--listen=:http", `--listen is ":http", but must be host:port, such as 127.0.0.1:8080 or :8080 (its port "http" is not a number from 0 to 65535)`},
		{"--listen=:70000", `--listen is ":70000", but must be host:port, such as 127.0.0.1:8080 or :8080 (its port "70000" is not a number from 0 to 65535)`},
		{"--database=postroom.db", `--database is "postroom.db", but must be ` + database},
		{"--database=sqlite:", `--database is "sqlite:", but must be ` + database + " (the path is missing)"},
		{"--database=sqlite::memory:", `--database is "sqlite::memory:", but must be ` + database + " (the path is that of a file on disk, and nothing else)"},
		{"--database=mysql://u:w0rd@h/d", `--database is "mysql://u:xxxxx@h/d", but must be ` + database},
		{"--database=postgres://u:w0%zzrd@h/d", `--database is "postgres:…", but must be ` + database},
		{"POSTROOM_DATABASE=postgres:///d?password=w0rd", `POSTROOM_DATABASE is "postgres:///d?password=xxxxx", but must be ` + database + " (the host is missing)"},
		{"--public-url=hooks.example.com", `--public-url is "hooks.example.com", but must be a URL with http or https and a host, such as https://hooks.example.com`},
		{"--public-url=https://example.com?a=b", `--public-url is "https://example.com?a=b", but must be a URL with http or https and a host, such as https://hooks.example.com (it carries no user, no query and no fragment)`},
		{"POSTROOM_SECRET_KEY=hush!", "POSTROOM_SECRET_KEY (not shown) must be " + key + " (this is not base64)"},
		{"POSTROOM_SECRET_KEY=aHVzaA==", "POSTROOM_SECRET_KEY (not shown) must be " + key + " (this is 4 bytes)"},
		{"POSTROOM_ADMIN_KEY=prk_hush", "POSTROOM_ADMIN_KEY (not shown) must be prk_ and 24 to 128 letters, digits, - or _"},
		{"POSTROOM_ALLOW_NETS=10.0.0.0/8,example.com", `POSTROOM_ALLOW_NETS is "10.0.0.0/8,example.com", but must be ` + nets + ` ("example.com" is neither)`},
		{"--allow-net=10.0.0.5/8", `--allow-net is "10.0.0.5/8", but must be ` + nets + " (10.0.0.5/8 is ambiguous: write 10.0.0.0/8 or 10.0.0.5)"},
		{"--allow-http=maybe", `--allow-http is "maybe", but must be true or false`},
		{"POSTROOM_DEV=on", `POSTROOM_DEV is "on", but must be true or false`},
		{"--trusted-proxy=10/8", `--trusted-proxy is "10/8", but must be ` + nets + ` ("10/8" is neither)`},
		{"--retention=30m", `--retention is "30m", but must be a duration of at least 1h, such as 720h`},
		{"--retention=30 days", `--retention is "30 days", but must be a duration of at least 1h, such as 720h`},
		{"--max-body=1000000000", `--max-body is "1000000000", but must be a size from 1KiB to 256MiB, such as 512KiB, 1MiB or 1048576`},
		{"--max-body=99999999999999GiB", `--max-body is "99999999999999GiB", but must be a size from 1KiB to 256MiB, such as 512KiB, 1MiB or 1048576`},
		{"--max-body=1 mebibyte", `--max-body is "1 mebibyte", but must be a size from 1KiB to 256MiB, such as 512KiB, 1MiB or 1048576`},
		{"--proxy=ftp://user:w0rd@proxy", `--proxy is "ftp://user:xxxxx@proxy", but must be a URL such as http://proxy.example.com:3128, with http, https or socks5`},
		{"--otlp-endpoint=localhost:4318", `--otlp-endpoint is "localhost:4318", but must be a URL such as http://localhost:4318`},
		{"--otlp-endpoint=http://user:w0rd@collector?x=y", `--otlp-endpoint is "http://user:xxxxx@collector?x=y", but must be a URL such as http://localhost:4318`},
		{"--log-level=loud", `--log-level is "loud", but must be debug, info, warn or error`},
		{"--log-format=xml", `--log-format is "xml", but must be json or text`},
		{"--lease=4999ms", `--lease is "4999ms", but must be a duration from 5s to 1h, such as 1m`},
		{"--lease=61m", `--lease is "61m", but must be a duration from 5s to 1h, such as 1m`},
		{"--shutdown-timeout=0s", `--shutdown-timeout is "0s", but must be a duration from 1s to 1h, such as 20s`},
		{"--shutdown-timeout=2h", `--shutdown-timeout is "2h", but must be a duration from 1s to 1h, such as 20s`},
		{"--config=/does/not/exist.yaml", `--config is "/does/not/exist.yaml", but must be a YAML file that can be read (no such file or directory)`},
		{"POSTROOM_RETENTOIN=1h", "POSTROOM_RETENTOIN is not a setting; did you mean POSTROOM_RETENTION?"},
		{"POSTROOM_ALLOW_NET=10.0.0.0/8", "POSTROOM_ALLOW_NET is not a setting; did you mean POSTROOM_ALLOW_NETS?"},
		{"POSTROOM_DATABASE_URL=x", "POSTROOM_DATABASE_URL is not a setting; did you mean POSTROOM_DATABASE?"},
		{"POSTROOM_KEY_OF_LIFE=x", "POSTROOM_KEY_OF_LIFE is not a setting; `postroom serve --help` lists them"},
		{"POSTROOM_PORT=8080", "POSTROOM_PORT is not a setting; `postroom serve --help` lists them"},
	} {
		given := config.Given{Environ: []string{tc.setting}}
		if flag, ok := strings.CutPrefix(tc.setting, "--"); ok {
			name, value, _ := strings.Cut(flag, "=")
			given = config.Given{Flags: map[string][]string{name: {value}}}
		}
		if diff := cmp.Diff([]string{tc.want}, faults(t, given)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.setting, diff)
		}
	}
}

func TestFileRefusals(t *testing.T) {
	for _, tc := range []struct{ yaml, want string }{
		{"retention: 5m", `retention (FILE, line 1) is "5m", but must be a duration of at least 1h, such as 720h`},
		{"\nretentoin: 5h", "retentoin (FILE, line 2) is not a setting; did you mean retention?"},
		{"allow-nets: [10.0.0.0/8]", "allow-nets (FILE, line 1) is not a setting; did you mean allow_nets?"},
		{"webhooks: 1", "webhooks (FILE, line 1) is not a setting; `postroom serve --help` lists them"},
		{"config: other.yaml", "config (FILE, line 1) is not a setting; `postroom serve --help` lists them"},
		{"dev: true\ndev: false", "dev (FILE, line 2) is given twice: it is already on line 1"},
		{"listen: {host: a}", "listen (FILE, line 1) is not a value, but must be host:port, such as 127.0.0.1:8080 or :8080"},
		{"listen: ['a:1', 'b:1']", "listen (FILE, line 1) is not a value, but must be host:port, such as 127.0.0.1:8080 or :8080"},
		{"secret_key: aHVzaA==", "secret_key (FILE, line 1) (not shown) must be 32 bytes in base64, as `openssl rand -base64 32` makes them (this is 4 bytes)"},
		{"- listen", `--config is "FILE", but must be a YAML file of settings, such as listen: 127.0.0.1:8080`},
		{"a: b: c", `--config is "FILE", but must be a YAML file (mapping values are not allowed in this context)`},
	} {
		file := writeYAML(t, tc.yaml)
		got := faults(t, config.Given{Flags: map[string][]string{"config": {file}}})
		want := strings.ReplaceAll(tc.want, "FILE", file)
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", tc.yaml, diff)
		}
	}
}

func TestPostgresNeedsSecretKey(t *testing.T) {
	got := faults(t, config.Given{Environ: []string{"POSTROOM_DATABASE=postgres://db.example.com/postroom"}})
	want := []string{"POSTROOM_SECRET_KEY is not set, but with PostgreSQL it must be 32 bytes in base64, as `openssl rand -base64 32` makes them, the same on every node"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	got := faults(t, config.Given{Environ: []string{"POSTROOM_LISTEN=x", "POSTROOM_RETENTION=y", "POSTROOM_LITSEN=z"}})
	if len(got) != 3 {
		t.Errorf("three settings are wrong, got %d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
}

func TestNotSettings(t *testing.T) {
	file := writeYAML(t, "proxy:\n")
	for _, environ := range [][]string{
		{"POSTROOM_URL=http://x", "POSTROOM_API_KEY=k", "POSTROOM_TEST_POSTGRES=postgres://x", "PATH=/bin", "NO_EQUALS"},
		{"POSTROOM_SERVICE_HOST=10.0.0.1", "POSTROOM_SERVICE_PORT=80", "POSTROOM_SERVICE_PORT_HTTP=80", "POSTROOM_PORT=tcp://10.0.0.1:80"},
		{"POSTROOM_PORT_80_TCP=tcp://10.0.0.1:80", "POSTROOM_PORT_80_TCP_ADDR=10.0.0.1", "POSTROOM_WEB_SERVICE_HOST=10.0.0.1"},
		{"POSTROOM_CONFIG=" + file},
		{"POSTROOM_CONFIG=" + writeYAML(t, "")},
		{"POSTROOM_CONFIG=" + writeYAML(t, "# nothing\n---\n")},
	} {
		if _, err := config.Load(config.Given{Environ: environ}); err != nil {
			t.Errorf("%v: %v", environ, err)
		}
	}
}

// faults are the lines that Load refuses with. A line never holds the word that the tests use as a secret.
func faults(t *testing.T, given config.Given) []string {
	t.Helper()
	c, err := config.Load(given)
	var f config.Faults
	if !errors.As(err, &f) {
		t.Fatalf("%v was taken: %v, %v", given, c, err)
	}
	for _, line := range f {
		if strings.Contains(line, "w0") || strings.Contains(line, "hush") {
			t.Errorf("a secret is shown: %s", line)
		}
		if strings.Contains(line, "\n") {
			t.Errorf("more than one line: %s", line)
		}
	}
	return f
}
