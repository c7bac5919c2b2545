package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Config is every setting of the server, checked. Printed or logged, it leaves out what is secret.
type Config struct {
	Listen    string   // host:port of the API, the dashboard and the intake
	Database  Database // where everything is stored
	PublicURL string   // what source URLs and mails carry, without a slash at the end; empty only when it was not given and the port of Listen is 0: URLOf then makes it from the real address
	SecretKey Secret   // the 32 bytes that encrypt secrets at rest; empty when the server has to generate them beside SQLite
	Dialects  string   // the folder of the operator's own dialects; empty for none
	AdminKey  Secret   // the fixed API key of the first workspace; empty for a generated one

	AllowNets      []netip.Prefix // what outgoing calls may reach beyond public addresses; with Dev also loopback
	AllowHTTP      bool           // webhooks may use http:// to any host; Dev lets them use it to loopback alone
	Dev            bool           // a developer's machine: loopback is allowed, logs are readable
	TrustedProxies []netip.Prefix // whose X-Forwarded-For counts
	Proxy          *url.URL       // through which outgoing calls go; nil for none. May hold a password: log it with Redacted

	Retention       time.Duration // how long events, deliveries, attempts and requests are kept
	MaxBody         int64         // bytes of a body that publish and intake take
	Lease           time.Duration // how long a delivery is a node's, unless it renews that; what a dead node held is free after it
	ShutdownTimeout time.Duration // how long a stop waits for what is under way

	OTLPEndpoint *url.URL // of the OpenTelemetry collector that traces go to; nil for none

	LogLevel  slog.Level
	LogFormat LogFormat
}

// LogFormat is how log lines look.
type LogFormat string

// The log formats.
const (
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
)

// DatabaseKind is one of the databases that Postroom stores in.
type DatabaseKind string

// The databases.
const (
	SQLite   DatabaseKind = "sqlite"
	Postgres DatabaseKind = "postgres"
)

// Database says where everything is stored.
type Database struct {
	Kind DatabaseKind
	Path string // SQLite: the file, as it was given
	URL  Secret // PostgreSQL: the URL, which may hold a password
}

// Dir is the directory of the SQLite file, where the generated secret key lives too; empty on PostgreSQL.
func (d Database) Dir() string {
	if d.Kind != SQLite {
		return ""
	}
	return filepath.Dir(d.Path)
}

// String writes the database as the setting does, without its password.
func (d Database) String() string {
	if d.Kind == SQLite {
		return "sqlite:" + d.Path
	}
	return redactURL(d.URL.Reveal())
}

// LogValue is String.
func (d Database) LogValue() slog.Value { return slog.StringValue(d.String()) }

// URLOf makes the base URL under which a server that listens on addr (host:port) is reached from its own machine. A
// server that listens on all addresses is reached as localhost.
func URLOf(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// String writes every setting as key=value, without what is secret.
func (c Config) String() string {
	var b strings.Builder
	for i, s := range shown() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.Key + "=" + s.show(&c))
	}
	return b.String()
}

// GoString is String, so that %#v shows no secret either.
func (c Config) GoString() string { return c.String() }

// LogValue is a group of every setting, without what is secret.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, s := range shown() {
		attrs = append(attrs, slog.String(s.Key, s.show(&c)))
	}
	return slog.GroupValue(attrs...)
}

// shown are the settings that have a value in Config.
func shown() []Setting {
	var all []Setting
	for _, s := range Settings() {
		if s.show != nil {
			all = append(all, s)
		}
	}
	return all
}
