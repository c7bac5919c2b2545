package config

import (
	"log/slog"
	"net/url"
	"strings"
)

const redacted = "(not shown)"

// Secret is a value that does not show itself: printed, logged or encoded it reads "(not shown)", or nothing when it
// is empty. Reveal gives what it hides.
type Secret string

// Reveal gives the value.
func (s Secret) Reveal() string { return string(s) }

// Bytes gives a copy of the value.
func (s Secret) Bytes() []byte { return []byte(s) }

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the value from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// redactURL writes a URL without the passwords in it: that of user:password@ and the query's (PostgreSQL takes
// password and sslpassword there).
func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		scheme, _, _ := strings.Cut(raw, ":")
		return scheme + ":…" // what cannot be read could hold a password anywhere
	}
	query := u.Query()
	for name := range query {
		if strings.Contains(strings.ToLower(name), "password") {
			query.Set(name, "xxxxx")
			u.RawQuery = query.Encode()
		}
	}
	return u.Redacted()
}
