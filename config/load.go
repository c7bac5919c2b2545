package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Given is what was given to the program. A flag wins over the environment, the environment over the YAML file.
type Given struct {
	Flags   map[string][]string // what was given, by the flag's name without dashes; a boolean is "true" or "false"
	Environ []string            // NAME=value, as os.Environ gives it
}

// Faults are what is wrong with the settings, one line each. Each line names the setting as it was given, its value
// unless that is secret, and what is allowed.
type Faults []string

// Error gives the lines.
func (f Faults) Error() string { return strings.Join(f, "\n") }

// Load reads and checks all settings. The YAML file is the one that --config or POSTROOM_CONFIG names. What is wrong
// comes back as Faults, all of it at once.
func Load(given Given) (Config, error) {
	env := environment(given.Environ)
	l := loader{flags: given.Flags, env: env}
	l.faults = append(l.faults, unknownEnvironment(env)...)
	l.readFile()

	var c Config
	for _, s := range Settings() {
		if s.set != nil {
			l.apply(&c, s)
		}
	}
	l.complete(&c)
	if len(l.faults) > 0 {
		return Config{}, l.faults
	}
	return c, nil
}

// loader gathers settings and what is wrong with them.
type loader struct {
	flags  map[string][]string
	env    map[string]string
	file   map[string]fileValue
	faults Faults
}

func (l *loader) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// find gives the values of a setting, and the name under which they were given. ok is false when they were not.
func (l *loader) find(s Setting) (values []string, name string, ok bool) {
	if values, ok := l.flags[s.Flag]; ok && s.Flag != "" {
		return values, "--" + s.Flag, true
	}
	// An empty variable is what a container's configuration makes of one that is not set.
	if value := l.env[s.Env]; value != "" {
		return []string{value}, s.Env, true
	}
	if value, ok := l.file[s.Key]; ok {
		return value.values, value.name(s.Key), true
	}
	return nil, "", false
}

// apply sets one setting from the strongest source that has it, else from its default.
func (l *loader) apply(c *Config, s Setting) {
	values, name, ok := l.find(s)
	if !ok {
		if s.Default == "" {
			return
		}
		values, name = []string{s.Default}, "the default of "+s.Env
	}
	given := strings.Join(values, ",")
	if s.redact != nil {
		given = s.redact(given)
	}
	if s.Kind != List && len(values) != 1 {
		l.fault("%s has %d values, but must be %s", name, len(values), s.Allowed)
		return
	}
	err := s.set(c, values)
	if err == nil {
		return
	}
	line := fmt.Sprintf("%s is %q, but must be %s", name, given, s.Allowed)
	if given == redacted {
		line = fmt.Sprintf("%s %s must be %s", name, redacted, s.Allowed)
	}
	if !errors.Is(err, errValue) {
		line += " (" + err.Error() + ")"
	}
	l.faults = append(l.faults, line)
}

// complete fills in what follows from other settings, and checks what one setting asks of another.
func (l *loader) complete(c *Config) {
	if _, port, err := net.SplitHostPort(c.Listen); c.PublicURL == "" && err == nil && port != "0" {
		c.PublicURL = URLOf(c.Listen)
	}
	if c.Dev {
		loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
		for _, net := range loopback {
			if !slices.Contains(c.AllowNets, net) {
				c.AllowNets = append(c.AllowNets, net)
			}
		}
	}
	if c.LogFormat == "" {
		c.LogFormat = LogJSON
		if c.Dev {
			c.LogFormat = LogText
		}
	}
	key, _ := settingOf("secret_key")
	if _, _, given := l.find(key); c.Database.Kind == Postgres && !given {
		l.fault("%s is not set, but with PostgreSQL it must be %s, the same on every node", key.Env, key.Allowed)
	}
}

func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	return env
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
