package postroom

import (
	"strings"
	"time"
)

// Duration is a time.Duration that reads and writes itself as people write one: "5s", "30m", "120h", "1h30m".
type Duration time.Duration

// String writes the duration without the empty units that time.Duration writes: "5m" and not "5m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes the duration as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return Errorf(CodeInvalid, "%q is not a duration such as 5s, 30m or 2h", cut(string(text), 32))
	}
	*d = Duration(v)
	return nil
}
