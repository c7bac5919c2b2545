package config

import (
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// Kind is how a setting is written on a command line.
type Kind int

// The kinds of settings.
const (
	Text Kind = iota // --flag VALUE
	Bool             // --flag, or --flag=false
	List             // --flag A --flag B, or --flag A,B
)

// Setting describes one setting: its names, what it means, what is allowed.
type Setting struct {
	Flag    string // without the dashes; empty for what must not be on a command line, which other users can read
	Env     string
	Key     string // in the YAML file; empty for what cannot be there
	Kind    Kind
	Holder  string // stands for the value in help, such as HOST:PORT
	Default string // as it would be given; empty for none
	Absent  string // what is documented as the default when Default is empty
	Meaning string // for help and documentation, in a phrase
	Allowed string // completes "must be …"

	set    func(c *Config, values []string) error // the error adds to Allowed; one value unless Kind is List
	show   func(c *Config) string                 // the value as String and logs have it
	redact func(value string) string              // for messages; nil shows the value as it is
}

// Settings are all the settings, in the order in which they are documented.
func Settings() []Setting {
	return []Setting{
		{
			Flag: "config", Env: "POSTROOM_CONFIG", Holder: "FILE", Absent: "none",
			Meaning: "YAML file with any of the settings below",
		},
		{
			Flag: "listen", Env: "POSTROOM_LISTEN", Key: "listen", Holder: "HOST:PORT", Default: "127.0.0.1:8080",
			Meaning: "address of the API, the dashboard and the intake",
			Allowed: "host:port, such as 127.0.0.1:8080 or :8080",
			set:     func(c *Config, v []string) error { return setListen(&c.Listen, v[0]) },
			show:    func(c *Config) string { return c.Listen },
		},
		{
			Flag: "database", Env: "POSTROOM_DATABASE", Key: "database", Holder: "URL", Default: "sqlite:./postroom-data/postroom.db",
			Meaning: "where everything is stored: sqlite:PATH or postgres://…",
			Allowed: "sqlite:PATH, such as sqlite:./postroom-data/postroom.db, or a URL such as postgres://user:password@host:5432/postroom",
			set:     func(c *Config, v []string) error { return setDatabase(&c.Database, v[0]) },
			show:    func(c *Config) string { return c.Database.String() },
			redact:  redactURL,
		},
		{
			Flag: "public-url", Env: "POSTROOM_PUBLIC_URL", Key: "public_url", Holder: "URL", Absent: "from --listen",
			Meaning: "what source URLs and mails carry",
			Allowed: "a URL with http or https and a host, such as https://hooks.example.com",
			set:     func(c *Config, v []string) error { return setPublicURL(&c.PublicURL, v[0]) },
			show:    func(c *Config) string { return c.PublicURL },
			redact:  redactURL,
		},
		{
			Env: "POSTROOM_SECRET_KEY", Key: "secret_key", Absent: "generated beside SQLite; required on PostgreSQL",
			Meaning: "encrypts secrets at rest: 32 bytes in base64, as `openssl rand -base64 32` makes them",
			Allowed: "32 bytes in base64, as `openssl rand -base64 32` makes them",
			set:     func(c *Config, v []string) error { return setSecretKey(&c.SecretKey, v[0]) },
			show:    func(c *Config) string { return c.SecretKey.String() },
			redact:  func(string) string { return redacted },
		},
		{
			Flag: "dialects", Env: "POSTROOM_DIALECTS", Key: "dialects", Holder: "DIR", Absent: "none",
			Meaning: "folder with dialects of your own: a folder for each, with its dialect.yaml",
			Allowed: "the path of a folder",
			set:     func(c *Config, v []string) error { return setFolder(&c.Dialects, v[0]) },
			show:    func(c *Config) string { return c.Dialects },
		},
		{
			Env: "POSTROOM_ADMIN_KEY", Key: "admin_key", Absent: "generated",
			Meaning: "a fixed API key for the first workspace, for automation: prk_ and at least 24 letters and digits",
			Allowed: "prk_ and 24 to 128 letters, digits, - or _",
			set:     func(c *Config, v []string) error { return setAdminKey(&c.AdminKey, v[0]) },
			show:    func(c *Config) string { return c.AdminKey.String() },
			redact:  func(string) string { return redacted },
		},
		{
			Flag: "allow-net", Env: "POSTROOM_ALLOW_NETS", Key: "allow_nets", Kind: List, Holder: "CIDR", Absent: "none",
			Meaning: "networks that outgoing calls may reach beyond public addresses",
			Allowed: "networks such as 10.0.0.0/8 or addresses such as 192.168.1.10, with commas between them",
			set:     func(c *Config, v []string) error { return setNets(&c.AllowNets, v) },
			show:    func(c *Config) string { return joinNets(c.AllowNets) },
		},
		{
			Flag: "allow-http", Env: "POSTROOM_ALLOW_HTTP", Key: "allow_http", Kind: Bool, Default: "false",
			Meaning: "let webhooks use http://",
			Allowed: "true or false",
			set:     func(c *Config, v []string) error { return setBool(&c.AllowHTTP, v[0]) },
			show:    func(c *Config) string { return strconv.FormatBool(c.AllowHTTP) },
		},
		{
			Flag: "dev", Env: "POSTROOM_DEV", Key: "dev", Kind: Bool, Default: "false",
			Meaning: "both of the above for loopback, plus readable logs",
			Allowed: "true or false",
			set:     func(c *Config, v []string) error { return setBool(&c.Dev, v[0]) },
			show:    func(c *Config) string { return strconv.FormatBool(c.Dev) },
		},
		{
			Flag: "trusted-proxy", Env: "POSTROOM_TRUSTED_PROXIES", Key: "trusted_proxies", Kind: List, Holder: "CIDR", Absent: "none",
			Meaning: "networks whose X-Forwarded-For counts",
			Allowed: "networks such as 10.0.0.0/8 or addresses such as 192.168.1.10, with commas between them",
			set:     func(c *Config, v []string) error { return setNets(&c.TrustedProxies, v) },
			show:    func(c *Config) string { return joinNets(c.TrustedProxies) },
		},
		{
			Flag: "retention", Env: "POSTROOM_RETENTION", Key: "retention", Holder: "DURATION", Default: "720h",
			Meaning: "how long events, deliveries, attempts and requests are kept",
			Allowed: "a duration of at least 1h, such as 720h",
			set:     func(c *Config, v []string) error { return setDuration(&c.Retention, v[0], time.Hour, 0) },
			show:    func(c *Config) string { return postroom.Duration(c.Retention).String() },
		},
		{
			Flag: "max-body", Env: "POSTROOM_MAX_BODY", Key: "max_body", Holder: "SIZE", Default: "1MiB",
			Meaning: "largest body that publish and intake take",
			Allowed: "a size from 1KiB to 256MiB, such as 512KiB, 1MiB or 1048576",
			set:     func(c *Config, v []string) error { return setSize(&c.MaxBody, v[0], 1<<10, 256<<20) },
			show:    func(c *Config) string { return strconv.FormatInt(c.MaxBody, 10) },
		},
		{
			Flag: "proxy", Env: "POSTROOM_PROXY", Key: "proxy", Holder: "URL", Absent: "none",
			Meaning: "proxy that all outgoing calls go through; HTTP_PROXY and its like are not read",
			Allowed: "a URL such as http://proxy.example.com:3128, with http, https or socks5",
			set:     func(c *Config, v []string) error { return setProxy(&c.Proxy, v[0]) },
			show: func(c *Config) string {
				if c.Proxy == nil {
					return ""
				}
				return redactURL(c.Proxy.String())
			},
			redact: redactURL,
		},
		{
			Flag: "otlp-endpoint", Env: "POSTROOM_OTLP_ENDPOINT", Key: "otlp_endpoint", Holder: "URL", Absent: "none",
			Meaning: "OpenTelemetry collector (OTLP over HTTP) that traces go to",
			Allowed: "a URL such as http://localhost:4318",
			set:     func(c *Config, v []string) error { return setOTLPEndpoint(&c.OTLPEndpoint, v[0]) },
			show: func(c *Config) string {
				if c.OTLPEndpoint == nil {
					return ""
				}
				return redactURL(c.OTLPEndpoint.String())
			},
			redact: redactURL,
		},
		{
			Flag: "log-level", Env: "POSTROOM_LOG_LEVEL", Key: "log_level", Holder: "LEVEL", Default: "info",
			Meaning: "least level that is logged: debug, info, warn or error",
			Allowed: "debug, info, warn or error",
			set:     func(c *Config, v []string) error { return setLogLevel(&c.LogLevel, v[0]) },
			show:    func(c *Config) string { return strings.ToLower(c.LogLevel.String()) },
		},
		{
			Flag: "log-format", Env: "POSTROOM_LOG_FORMAT", Key: "log_format", Holder: "FORMAT", Absent: "json; text with --dev",
			Meaning: "how log lines look: json or text",
			Allowed: "json or text",
			set:     func(c *Config, v []string) error { return setLogFormat(&c.LogFormat, v[0]) },
			show:    func(c *Config) string { return string(c.LogFormat) },
		},
		{
			Flag: "lease", Env: "POSTROOM_LEASE", Key: "lease", Holder: "DURATION", Default: "1m",
			Meaning: "how long after a node has died others take over what it held",
			Allowed: "a duration from 5s to 1h, such as 1m",
			set: func(c *Config, v []string) error {
				return setDuration(&c.Lease, v[0], 5*time.Second, time.Hour)
			},
			show: func(c *Config) string { return postroom.Duration(c.Lease).String() },
		},
		{
			Flag: "shutdown-timeout", Env: "POSTROOM_SHUTDOWN_TIMEOUT", Key: "shutdown_timeout", Holder: "DURATION", Default: "20s",
			Meaning: "how long a stop waits for what is under way",
			Allowed: "a duration from 1s to 1h, such as 20s",
			set: func(c *Config, v []string) error {
				return setDuration(&c.ShutdownTimeout, v[0], time.Second, time.Hour)
			},
			show: func(c *Config) string { return postroom.Duration(c.ShutdownTimeout).String() },
		},
	}
}
