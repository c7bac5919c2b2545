package scheme

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/nearest"
)

const (
	maxDepth     = 4  // of combinations
	maxCombined  = 16 // schemes in one combination
	maxSecrets   = 16
	maxSecret    = 8 << 10 // bytes; a public key in PEM is shorter
	maxText      = 512     // bytes of a name, a prefix, a template
	maxAllow     = 1000
	maxTolerance = 7 * 24 * time.Hour

	defaultTolerance = 5 * time.Minute
)

// Compile checks a configuration and makes it ready. Its error is a *postroom.Error that blames each field by its pointer into c.
func Compile(c Config) (Scheme, error) {
	var problems postroom.Problems
	v := (&compiler{Config: c, problems: &problems}).compile()
	if err := problems.Err(); err != nil {
		return Scheme{}, err
	}
	if !v.proves() {
		return Scheme{}, postroom.Invalid(postroom.CodeInvalid, "/scheme",
			"A hash of what everybody can see proves nothing; it needs {secret}, or a scheme with a secret beside it in \"all\".")
	}
	return Scheme{v}, nil
}

// compiler compiles one Config at a place of the whole one.
type compiler struct {
	Config
	at       string // its pointer
	depth    int
	problems *postroom.Problems
	blamed   bool
}

func (c *compiler) blame(field, format string, args ...any) {
	c.blamed = true
	c.problems.Add(c.at+"/"+field, format, args...)
}

// compile gives nil where it blames.
func (c *compiler) compile() verifier {
	parameters, build := c.kind()
	if build == nil {
		var names []string
		for _, n := range Names() {
			names = append(names, string(n))
		}
		c.blame("scheme", "There is no such scheme%s; there are %s.", nearest.Hint(string(c.Scheme), names), strings.Join(names, ", "))
		return nil
	}
	for _, field := range c.given() {
		if !slices.Contains(strings.Fields(parameters), field) {
			c.blame(field, "The scheme %s has no such parameter.", c.Scheme)
		}
	}
	for i, m := range c.Methods {
		if m == "" || strings.ToUpper(m) != m || len(m) > 16 {
			c.blame(fmt.Sprintf("methods/%d", i), "This is the name of an HTTP method in capitals, such as POST.")
		}
	}
	v := build()
	if c.blamed || v == nil {
		return nil
	}
	return named{v, c.Scheme, slices.Clone(c.Methods)}
}

// kind is which parameters the scheme has, and what compiles it.
func (c *compiler) kind() (parameters string, build func() verifier) {
	const signed = "secrets header prefix separator encoding signed id timestamp timestamp_format tolerance"
	switch c.Scheme {
	case SchemeToken, SchemeAPIKey:
		return "secrets header prefix", c.token
	case SchemeBasic:
		return "secrets", c.basic
	case SchemeIP:
		return "allow", c.ip
	case SchemeHMAC:
		return signed + " algorithm secret_encoding", c.hmac
	case SchemeHash:
		return signed + " algorithm", c.hash
	case SchemeEd25519:
		return signed, c.ed25519
	case SchemeECDSA:
		return signed + " algorithm", c.ecdsa
	case SchemeStandard:
		return "secrets header tolerance", c.standard
	case SchemeRSASNS:
		return "allow tolerance", c.sns
	case SchemeAll, SchemeAny:
		return "of", c.combined
	}
	return "", nil
}

// given are the parameters that are not empty.
func (c *compiler) given() (fields []string) {
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"of", c.Of != nil}, {"secrets", c.Secrets != nil}, {"secret_encoding", c.SecretEncoding != ""}, {"allow", c.Allow != nil},
		{"header", c.Header != ""}, {"prefix", c.Prefix != ""}, {"separator", c.Separator != ""}, {"algorithm", c.Algorithm != ""},
		{"encoding", c.Encoding != ""}, {"signed", c.Signed != ""}, {"id", c.ID != ""}, {"timestamp", c.Timestamp != ""},
		{"timestamp_format", c.TimestampFormat != ""}, {"tolerance", c.Tolerance != 0},
	} {
		if f.given {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// combined compiles all and any.
func (c *compiler) combined() verifier {
	if n := len(c.Of); n == 0 || n > maxCombined {
		c.blame("of", "There are %d schemes; 1 to %d can be combined.", n, maxCombined)
		return nil
	}
	if c.depth >= maxDepth {
		c.blame("of", "Combinations stand at most %d deep in each other.", maxDepth)
		return nil
	}
	var of allOf
	for i := range c.Of {
		child := compiler{Config: c.Of[i], at: fmt.Sprintf("%s/of/%d", c.at, i), depth: c.depth + 1, problems: c.problems}
		if v := child.compile(); v != nil {
			of = append(of, v)
		}
	}
	if len(of) < len(c.Of) {
		return nil // the child was blamed
	}
	of.sorted()
	if c.Scheme == SchemeAny {
		return anyOf(of)
	}
	return of
}

// secrets checks what every secret must be, whatever the scheme.
func (c *compiler) secrets() []string {
	if n := len(c.Secrets); n == 0 || n > maxSecrets {
		c.blame("secrets", "There are %d secrets; it takes 1 to %d.", n, maxSecrets)
		return nil
	}
	for i, s := range c.Secrets {
		switch {
		case s == "":
			c.blameSecret(i, "The secret is empty.")
		case len(s) > maxSecret:
			c.blameSecret(i, "The secret has %d bytes; at most %d are allowed.", len(s), maxSecret)
		case strings.TrimSpace(s) != s && !strings.HasPrefix(s, "-----BEGIN"):
			c.blameSecret(i, "The secret begins or ends with white space.")
		}
	}
	return c.Secrets
}

func (c *compiler) blameSecret(i int, format string, args ...any) {
	c.blame(fmt.Sprintf("secrets/%d", i), format, args...)
}

// oneOf is a parameter with few values, of which the first is the default.
func (c *compiler) oneOf(field, value string, allowed ...string) string {
	if value == "" {
		return allowed[0]
	}
	if !slices.Contains(allowed, value) {
		c.blame(field, "This is not one of %s%s.", orList(allowed), nearest.Hint(value, allowed))
	}
	return value
}

// tolerance is the parameter, or what it is by default.
func (c *compiler) tolerance(otherwise time.Duration) time.Duration {
	d := time.Duration(c.Tolerance)
	switch {
	case d == 0:
		return otherwise
	case d < time.Second || d > maxTolerance:
		c.blame("tolerance", "%s is not between 1s and %s.", c.Tolerance, postroom.Duration(maxTolerance))
	}
	return d
}

// short refuses texts that are too long.
func (c *compiler) short(field, value string) {
	if len(value) > maxText {
		c.blame(field, "It has %d bytes; at most %d are allowed.", len(value), maxText)
	}
}

// orList writes "a, b or c".
func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
