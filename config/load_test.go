package config_test

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom/config"
)

const (
	key32    = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" // the bytes 0 to 31
	adminKey = "prk_0123456789abcdefghijklmn"
)

// writeYAML writes a configuration file and gives its path.
func writeYAML(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "postroom.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, given config.Given) config.Config {
	t.Helper()
	c, err := config.Load(given)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	got := load(t, config.Given{})
	want := config.Config{
		Listen:          "127.0.0.1:8080",
		Database:        config.Database{Kind: config.SQLite, Path: "./postroom-data/postroom.db"},
		PublicURL:       "http://127.0.0.1:8080",
		Retention:       720 * time.Hour,
		MaxBody:         1 << 20,
		Lease:           time.Minute,
		ShutdownTimeout: 20 * time.Second,
		LogLevel:        slog.LevelInfo,
		LogFormat:       config.LogJSON,
	}
	if got.String() != want.String() {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if dir := got.Database.Dir(); dir != "postroom-data" {
		t.Errorf("the database's directory is %q", dir)
	}
}

// settingCase gives a setting a value from each place in turn. what reads the value back.
type settingCase struct {
	key, value string // the value as flag and variable have it
	yaml       string // the value as the file has it, where that differs
	what       func(config.Config) any
	want       any
}

func settingCases() []settingCase {
	nets := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.1.10/32")}
	return []settingCase{
		{"listen", "0.0.0.0:9090", "", func(c config.Config) any { return c.Listen }, "0.0.0.0:9090"},
		{"listen", "[::1]:0", "'[::1]:0'", func(c config.Config) any { return c.Listen }, "[::1]:0"},
		{"database", "sqlite:/var/lib/postroom.db", "", func(c config.Config) any { return c.Database.Path }, "/var/lib/postroom.db"},
		{"database", "sqlite:///var/lib/postroom.db", "", func(c config.Config) any { return c.Database.Path }, "/var/lib/postroom.db"},
		{"public_url", "https://hooks.example.com/", "", func(c config.Config) any { return c.PublicURL }, "https://hooks.example.com"},
		{"secret_key", key32, "", func(c config.Config) any { return len(c.SecretKey.Bytes()) }, 32},
		{"secret_key", strings.TrimRight(key32, "="), "", func(c config.Config) any { return c.SecretKey.Bytes()[31] }, byte(31)},
		{"secret_key", "__-_AwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "", func(c config.Config) any { return c.SecretKey.Bytes()[0] }, byte(0xff)},
		{"dialects", ".", "", func(c config.Config) any { return c.Dialects }, "."},
		{"admin_key", adminKey, "", func(c config.Config) any { return c.AdminKey.Reveal() }, adminKey},
		{"allow_nets", "10.0.0.0/8, 192.168.1.10", "[10.0.0.0/8, 192.168.1.10]", func(c config.Config) any { return c.AllowNets }, nets},
		{"allow_http", "true", "", func(c config.Config) any { return c.AllowHTTP }, true},
		{"dev", "true", "", func(c config.Config) any { return c.Dev }, true},
		{"trusted_proxies", "10.0.0.0/8,192.168.1.10", "", func(c config.Config) any { return c.TrustedProxies }, nets},
		{"retention", "24h", "", func(c config.Config) any { return c.Retention }, 24 * time.Hour},
		{"max_body", "512KiB", "", func(c config.Config) any { return c.MaxBody }, int64(512 << 10)},
		{"max_body", "2097152", "", func(c config.Config) any { return c.MaxBody }, int64(2 << 20)},
		{"max_body", "2MB", "", func(c config.Config) any { return c.MaxBody }, int64(2e6)},
		{"proxy", "socks5://user:word@proxy.example.com:1080", "", func(c config.Config) any { return c.Proxy.String() }, "socks5://user:word@proxy.example.com:1080"},
		{"otlp_endpoint", "https://collector.example.com/v1/traces", "", func(c config.Config) any { return c.OTLPEndpoint.String() }, "https://collector.example.com/v1/traces"},
		{"log_level", "warn", "", func(c config.Config) any { return c.LogLevel }, slog.LevelWarn},
		{"log_format", "text", "", func(c config.Config) any { return c.LogFormat }, config.LogText},
		{"lease", "10s", "", func(c config.Config) any { return c.Lease }, 10 * time.Second},
		{"shutdown_timeout", "5s", "", func(c config.Config) any { return c.ShutdownTimeout }, 5 * time.Second},
	}
}

func settingOf(t *testing.T, key string) config.Setting {
	t.Helper()
	i := slices.IndexFunc(config.Settings(), func(s config.Setting) bool { return s.Key == key })
	if i < 0 {
		t.Fatalf("no setting %s", key)
	}
	return config.Settings()[i]
}

func TestEverySettingFromEachPlace(t *testing.T) {
	prefixes := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	tested := map[string]bool{"config": true}
	for _, tc := range settingCases() {
		s := settingOf(t, tc.key)
		tested[s.Key] = true
		inFile := tc.yaml
		if inFile == "" {
			inFile = tc.value
		}
		file := writeYAML(t, tc.key+": "+inFile+"\n")
		places := map[string]config.Given{
			"environment": {Environ: []string{s.Env + "=" + tc.value}},
			"file":        {Environ: []string{"POSTROOM_CONFIG=" + file}},
			"file by flag, beside an empty variable": {
				Flags: map[string][]string{"config": {file}}, Environ: []string{s.Env + "="},
			},
		}
		if s.Flag != "" {
			places["flag"] = config.Given{Flags: map[string][]string{s.Flag: {tc.value}}}
		}
		for place, given := range places {
			t.Run(tc.key+" by "+place, func(t *testing.T) {
				if diff := cmp.Diff(tc.want, tc.what(load(t, given)), prefixes); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			})
		}
	}
	for _, s := range config.Settings() {
		if s.Key != "" && !tested[s.Key] {
			t.Errorf("no case for %s", s.Key)
		}
	}
}

func TestStrongestPlaceWins(t *testing.T) {
	file := writeYAML(t, "retention: 3h\nmax_body: 3KiB\nlog_level: error\n")
	c := load(t, config.Given{
		Flags:   map[string][]string{"retention": {"1h"}, "config": {file}},
		Environ: []string{"POSTROOM_RETENTION=2h", "POSTROOM_MAX_BODY=2KiB", "POSTROOM_CONFIG=/does/not/exist"},
	})
	if c.Retention != time.Hour {
		t.Errorf("the flag's retention is 1h, got %v", c.Retention)
	}
	if c.MaxBody != 2<<10 {
		t.Errorf("the environment's body is 2KiB, got %v", c.MaxBody)
	}
	if c.LogLevel != slog.LevelError {
		t.Errorf("the file's level is error, got %v", c.LogLevel)
	}
}

func TestListFlagsAddUp(t *testing.T) {
	c := load(t, config.Given{Flags: map[string][]string{"allow-net": {"10.0.0.0/8,fd00::/8", "192.168.0.0/16"}}})
	var got []string
	for _, n := range c.AllowNets {
		got = append(got, n.String())
	}
	if diff := cmp.Diff([]string{"10.0.0.0/8", "fd00::/8", "192.168.0.0/16"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDev(t *testing.T) {
	c := load(t, config.Given{
		Flags:   map[string][]string{"dev": {"true"}},
		Environ: []string{"POSTROOM_ALLOW_NETS=127.0.0.0/8,10.0.0.0/8"},
	})
	want := "127.0.0.0/8 10.0.0.0/8 ::1/128"
	var got []string
	for _, n := range c.AllowNets {
		got = append(got, n.String())
	}
	if strings.Join(got, " ") != want {
		t.Errorf("allowed are %v, want %v", got, want)
	}
	if c.LogFormat != config.LogText {
		t.Errorf("logs are %q, want text", c.LogFormat)
	}
	if c.AllowHTTP {
		t.Error("http is allowed to every host")
	}
	asked := load(t, config.Given{Flags: map[string][]string{"dev": {"true"}, "log-format": {"json"}}})
	if asked.LogFormat != config.LogJSON {
		t.Errorf("logs are %q though json was asked for", asked.LogFormat)
	}
}

func TestPublicURLFollowsListen(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		":9000":          "http://localhost:9000",
		"0.0.0.0:80":     "http://localhost:80",
		"[::]:8080":      "http://localhost:8080",
		"[::1]:8080":     "http://[::1]:8080",
		"mail.lan:8080":  "http://mail.lan:8080",
		"127.0.0.1:0":    "", // known only once the server listens
	} {
		c := load(t, config.Given{Flags: map[string][]string{"listen": {listen}}})
		if c.PublicURL != want {
			t.Errorf("with %s the public URL is %q, want %q", listen, c.PublicURL, want)
		}
	}
}

func TestPostgres(t *testing.T) {
	for _, url := range []string{"postgres://u:word@db.example.com:5432/postroom", "postgresql:///postroom?host=/run/postgresql"} {
		c := load(t, config.Given{Environ: []string{"POSTROOM_DATABASE=" + url, "POSTROOM_SECRET_KEY=" + key32}})
		if c.Database.Kind != config.Postgres || c.Database.URL.Reveal() != url || c.Database.Dir() != "" {
			t.Errorf("%s became %+v", url, c.Database)
		}
	}
}
