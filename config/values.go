package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errValue says that a value is not what its setting allows, and nothing more: the setting's own text tells the rest.
var errValue = errors.New("")

func setListen(to *string, value string) error {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		return errValue
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("its port %q is not a number from 0 to 65535", port)
	}
	*to = value
	return nil
}

func setFolder(to *string, value string) error {
	if info, err := os.Stat(value); err != nil || !info.IsDir() {
		return errValue
	}
	*to = value
	return nil
}

func setDatabase(to *Database, value string) error {
	if path, ok := strings.CutPrefix(value, "sqlite:"); ok {
		path = strings.TrimPrefix(path, "//")
		switch {
		case path == "":
			return errors.New("the path is missing")
		case path == ":memory:" || strings.HasPrefix(path, "file:"):
			return errors.New("the path is that of a file on disk, and nothing else")
		}
		*to = Database{Kind: SQLite, Path: path}
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errValue
	}
	if u.Host == "" && !u.Query().Has("host") {
		return errors.New("the host is missing")
	}
	*to = Database{Kind: Postgres, URL: Secret(value)}
	return nil
}

func setPublicURL(to *string, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return errValue
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("it carries no user, no query and no fragment")
	}
	*to = strings.TrimRight(value, "/")
	return nil
}

const secretKeyBytes = 32

// setSecretKey reads base64 in either alphabet, padded or not.
func setSecretKey(to *Secret, value string) error {
	text := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(value)), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return errors.New("this is not base64")
	}
	if len(key) != secretKeyBytes {
		return fmt.Errorf("this is %d bytes", len(key))
	}
	*to = Secret(key)
	return nil
}

var adminKey = regexp.MustCompile(`^prk_[A-Za-z0-9_-]{24,128}$`)

func setAdminKey(to *Secret, value string) error {
	if !adminKey.MatchString(value) {
		return errValue
	}
	*to = Secret(value)
	return nil
}

// setNets reads networks and single addresses. It refuses 10.0.0.5/8: whether the network or the address is meant
// decides what can be reached, so it is not guessed.
func setNets(to *[]netip.Prefix, values []string) error {
	var nets []netip.Prefix
	for _, value := range split(values) {
		if ip, err := netip.ParseAddr(value); err == nil && ip.Zone() == "" {
			nets = append(nets, netip.PrefixFrom(ip, ip.BitLen()))
			continue
		}
		net, err := netip.ParsePrefix(value)
		if err != nil {
			return fmt.Errorf("%q is neither", value)
		}
		if net != net.Masked() {
			return fmt.Errorf("%s is ambiguous: write %s or %s", value, net.Masked(), net.Addr())
		}
		nets = append(nets, net)
	}
	*to = nets
	return nil
}

// split cuts values at commas and spaces.
func split(values []string) []string {
	return strings.FieldsFunc(strings.Join(values, ","), func(r rune) bool { return r == ',' || r == ' ' })
}

func joinNets(nets []netip.Prefix) string {
	var all []string
	for _, n := range nets {
		all = append(all, n.String())
	}
	return strings.Join(all, ",")
}

func setBool(to *bool, value string) error {
	b, err := strconv.ParseBool(value)
	if err != nil {
		return errValue
	}
	*to = b
	return nil
}

// setDuration reads a duration of at least least and, unless most is 0, at most most.
func setDuration(to *time.Duration, value string, least, most time.Duration) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < least || most > 0 && d > most {
		return errValue
	}
	*to = d
	return nil
}

var size = regexp.MustCompile(`^([0-9]+) ?(B|KiB|MiB|GiB|kB|KB|MB|GB)?$`)

// setSize reads bytes: KiB, MiB and GiB are powers of 1024, kB, MB and GB of 1000.
func setSize(to *int64, value string, least, most int64) error {
	parts := size.FindStringSubmatch(value)
	if parts == nil {
		return errValue
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	unit := map[string]int64{
		"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
		"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9,
	}[parts[2]]
	if err != nil || n > math.MaxInt64/unit || n*unit < least || n*unit > most {
		return errValue
	}
	*to = n * unit
	return nil
}

func setProxy(to **url.URL, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
		return errValue
	}
	*to = u
	return nil
}

func setOTLPEndpoint(to **url.URL, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return errValue
	}
	*to = u
	return nil
}

func setLogLevel(to *slog.Level, value string) error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(value)) {
		return errValue // slog also reads WARN+2, which nobody has asked for
	}
	return to.UnmarshalText([]byte(value))
}

func setLogFormat(to *LogFormat, value string) error {
	switch f := LogFormat(value); f {
	case LogJSON, LogText:
		*to = f
		return nil
	}
	return errValue
}
