package dialect

import (
	"errors"
	"maps"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

// Bounds of what a dialect may ask for: those of a webhook's own settings.
const (
	maxRetries = 30
	maxWait    = 7 * 24 * time.Hour
	maxTimeout = time.Minute
)

var headerToken = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$") // RFC 9110, 5.6.2

func (c *compiler) dialect(n *yaml.Node) {
	out := false
	c.object(n, "a dialect", map[string]reader{
		"title":       c.text(&c.d.Title),
		"description": c.text(&c.d.Description),
		"out":         func(_, value *yaml.Node) { out = true; c.out(value) },
	})
	if c.d.Title == "" {
		c.fail(n, "a dialect has a title")
	}
	if !out {
		c.fail(n, "a dialect has a part out")
	}
}

// text reads a text into dest.
func (c *compiler) text(dest *string) reader {
	return func(key, value *yaml.Node) {
		if value.Kind != yaml.ScalarNode || strings.TrimSpace(value.Value) == "" {
			c.fail(value, "%s is a text", key.Value)
			return
		}
		*dest = strings.TrimSpace(value.Value)
	}
}

func (c *compiler) out(n *yaml.Node) {
	o := &c.d.Out
	o.ContentType, o.Defaults, o.names = "application/json", defaults(), map[string]string{}
	o.Signature = Signature{Scheme: SchemeStandard}
	o.Auth = postroom.AuthTypes()
	var bodies, headers, test *yaml.Node
	c.object(n, "out", map[string]reader{
		"content_type":  c.text(&o.ContentType),
		"events":        c.events,
		"bodies":        func(_, value *yaml.Node) { bodies = value },
		"headers":       func(_, value *yaml.Node) { headers = value },
		"signature":     func(_, value *yaml.Node) { c.signature(value) },
		"auth":          c.auth,
		"method":        func(_, value *yaml.Node) { o.Defaults.Method = c.oneOf(value, "method", "POST", "PUT", "PATCH") },
		"retry":         c.retry,
		"timeout":       func(_, value *yaml.Node) { c.duration(value, "timeout", &o.Defaults.Timeout, maxTimeout) },
		"expect_json":   func(_, value *yaml.Node) { c.decode(value, "expect_json", &o.Defaults.ExpectJSON) },
		"rate_limit":    c.rateLimit,
		"disable_after": c.disableAfter,
		"test":          func(_, value *yaml.Node) { test = value },
	})
	if len(o.names) == 0 && !o.others {
		c.fail(n, "out has events: the types that it sends, and the vendor's names for them")
		return
	}
	// What speaks of events is read when they are known.
	if bodies == nil {
		c.fail(n, "out has bodies: templates by type, group.* or *")
	} else {
		c.bodies(bodies)
	}
	if headers != nil {
		c.headers(headers)
	}
	if test == nil {
		c.fail(n, "out has a test: the type of the event that a test sends")
	} else {
		c.test(test)
	}
}

// events reads the vendor's names by the catalogue's. "*": "*" sends every other type under its own name.
func (c *compiler) events(_, n *yaml.Node) {
	c.pairs(n, "events", func(key, value *yaml.Node) {
		switch {
		case value.Kind != yaml.ScalarNode || value.Value == "":
			c.fail(value, "the vendor's name for %s is a text", key.Value)
		case key.Value == "*" && value.Value == "*":
			c.d.Out.others = true
		case key.Value == "*" || value.Value == "*":
			c.fail(key, `the only pattern is "*": "*"`)
		default:
			if _, known := c.known.Types[key.Value]; !known {
				c.fail(key, "the catalogue has no event type %s%s", key.Value, nearest.Hint(key.Value, slices.Sorted(maps.Keys(c.known.Types))))
			}
			c.d.Out.names[key.Value] = value.Value
		}
	})
}

// pattern reads a type that the dialect offers, a group.* of which it offers some, or *, and gives the types.
func (c *compiler) pattern(key *yaml.Node) (types []payload.Type) {
	o := &c.d.Out
	offered := []string{"*"}
	for _, name := range slices.Sorted(maps.Keys(c.known.Types)) {
		if !o.Offers(name) {
			continue
		}
		offered = append(offered, name)
		if matches(key.Value, name) {
			types = append(types, payload.Type{Name: name, Schema: c.known.Types[name].Schema})
		}
	}
	if types == nil {
		c.fail(key, "no event type of this dialect is %s%s", key.Value, nearest.Hint(key.Value, offered))
	} else if o.others && matches(key.Value, "any.other") {
		types = append(types, payload.Type{Name: "any.other"}) // of whose data nothing is known
	}
	return types
}

func (c *compiler) bodies(n *yaml.Node) {
	o := &c.d.Out
	c.pairs(n, "bodies", func(key, value *yaml.Node) {
		types := c.pattern(key)
		if value.Kind != yaml.ScalarNode {
			c.fail(value, "a body is a template: JSON in a block of text (%s: |)", key.Value)
			return
		}
		template, err := payload.Compile([]byte(value.Value), payload.Options{Types: types})
		if err != nil {
			c.template(value, "the body of "+key.Value, err)
			return
		}
		o.bodies = append(o.bodies, &Body{key.Value, strings.TrimSpace(value.Value), template})
	})
	slices.SortStableFunc(o.bodies, func(a, b *Body) int { return specific(a.Events) - specific(b.Events) })
	for _, name := range slices.Sorted(maps.Keys(o.names)) {
		if o.Body(name) == nil && c.problems == nil {
			c.fail(n, "there is no body for %s", name)
		}
	}
	if o.others && o.Body("any.other") == nil && c.problems == nil {
		c.fail(n, "there is no body for types that are not named: add one for \"*\"")
	}
}

// specific orders patterns: * before group.* before a type.
func specific(pattern string) int {
	switch {
	case pattern == "*":
		return 0
	case strings.HasSuffix(pattern, "*"):
		return 1
	default:
		return 2
	}
}

// template reports what is wrong with a template, in its own line where that is known.
func (c *compiler) template(n *yaml.Node, what string, err error) {
	var syntax *payload.SyntaxError
	if errors.As(err, &syntax) {
		line := n.Line
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			line += syntax.Line // the block begins in the next line
		}
		c.problems = append(c.problems, Problem{c.file, line, what + ": " + err.Error()})
		return
	}
	var wrong *payload.Error
	if !errors.As(err, &wrong) {
		c.fail(n, "%s: %s", what, err)
		return
	}
	for _, fault := range wrong.Faults {
		at := what
		if fault.Pointer != "" {
			at += ", " + fault.Pointer
		}
		c.fail(n, "%s: %s", at, fault)
	}
}

func (c *compiler) headers(n *yaml.Node) {
	o := &c.d.Out
	c.pairs(n, "headers", func(key, value *yaml.Node) {
		types := c.pattern(key)
		group := headers{pattern: key.Value}
		c.pairs(value, "the headers of "+key.Value, func(name, value *yaml.Node) {
			h, ok := c.header(name, value, types)
			if ok {
				group.lines = append(group.lines, h)
			}
		})
		o.headers = append(o.headers, group)
	})
	slices.SortStableFunc(o.headers, func(a, b headers) int { return specific(a.pattern) - specific(b.pattern) })
}

func (c *compiler) header(name, value *yaml.Node, types []payload.Type) (Header, bool) {
	if !c.headerName(name) {
		return Header{}, false
	}
	if value.Kind != yaml.ScalarNode || value.Value == "" {
		c.fail(value, "the value of %s is a template of a text", name.Value)
		return Header{}, false
	}
	template, err := payload.Compile(payload.AppendString(nil, value.Value), payload.Options{Types: types})
	if err != nil {
		c.template(value, "the header "+name.Value, err)
		return Header{}, false
	}
	return Header{textproto.CanonicalMIMEHeaderKey(name.Value), value.Value, template}, true
}

func (c *compiler) headerName(n *yaml.Node) bool {
	switch textproto.CanonicalMIMEHeaderKey(n.Value) {
	case "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Te", "Trailer", "Expect",
		"Authorization", "Proxy-Authorization", "Proxy-Connection", "Accept-Encoding", "Content-Encoding":
		c.fail(n, "a dialect cannot set the header %s", n.Value)
		return false
	}
	if !headerToken.MatchString(n.Value) {
		c.fail(n, "%s cannot be the name of a header", strconv.Quote(n.Value))
		return false
	}
	return true
}

func (c *compiler) signature(n *yaml.Node) {
	s := &c.d.Out.Signature
	*s = Signature{Algorithm: "sha256", Encoding: "hex"}
	var header, prefix string
	var hmacOnly []*yaml.Node
	only := func(read reader) reader {
		return func(key, value *yaml.Node) {
			hmacOnly = append(hmacOnly, key)
			read(key, value)
		}
	}
	c.object(n, "signature", map[string]reader{
		"scheme": func(_, value *yaml.Node) {
			s.Scheme = Scheme(c.oneOf(value, "scheme", string(SchemeStandard), string(SchemeHMAC), string(SchemeNone)))
		},
		"header": only(func(key, value *yaml.Node) {
			if c.headerName(value) {
				header = textproto.CanonicalMIMEHeaderKey(value.Value)
			}
		}),
		"algorithm": only(func(_, value *yaml.Node) { s.Algorithm = c.oneOf(value, "algorithm", "sha1", "sha256", "sha512") }),
		"encoding":  only(func(_, value *yaml.Node) { s.Encoding = c.oneOf(value, "encoding", "hex", "base64") }),
		"prefix":    only(c.text(&prefix)),
	})
	switch {
	case s.Scheme == SchemeHMAC && header == "":
		c.fail(n, "the scheme hmac has a header")
	case s.Scheme == SchemeHMAC:
		s.Header, s.Prefix = header, prefix
	default:
		for _, key := range hmacOnly {
			c.fail(key, "%s goes with the scheme hmac", key.Value)
		}
		*s = Signature{Scheme: s.Scheme}
	}
}

func (c *compiler) auth(_, n *yaml.Node) {
	var names []string
	if !c.decode(n, "auth", &names) {
		return
	}
	c.d.Out.Auth = nil
	for i, name := range names {
		all := postroom.AuthTypes()
		if !slices.Contains(all, postroom.AuthType(name)) {
			known := make([]string, len(all))
			for i, t := range all {
				known[i] = string(t)
			}
			c.fail(n.Content[i], "there is no auth type %s%s", name, nearest.Hint(name, known))
			continue
		}
		c.d.Out.Auth = append(c.d.Out.Auth, postroom.AuthType(name))
	}
}

func (c *compiler) duration(n *yaml.Node, what string, dest *postroom.Duration, most time.Duration) {
	if err := dest.UnmarshalText([]byte(n.Value)); err != nil {
		c.fail(n, "%s: %s", what, err)
	} else if d := time.Duration(*dest); d <= 0 || d > most {
		c.fail(n, "%s is more than 0s and at most %s", what, postroom.Duration(most))
	}
}

func (c *compiler) retry(_, n *yaml.Node) {
	r := &c.d.Out.Defaults.Retry
	*r = postroom.Retry{}
	c.object(n, "retry", map[string]reader{
		"schedule": func(key, value *yaml.Node) {
			if value.Kind != yaml.SequenceNode || len(value.Content) > maxRetries {
				c.fail(value, "schedule is a list of at most %d waits", maxRetries)
				return
			}
			r.Schedule = make([]postroom.Duration, len(value.Content))
			for i, wait := range value.Content {
				c.duration(wait, "a wait", &r.Schedule[i], maxWait)
			}
		},
		"jitter": func(_, value *yaml.Node) {
			if c.decode(value, "jitter", &r.Jitter) && !(r.Jitter >= 0 && r.Jitter <= 1) {
				c.fail(value, "jitter is 0 to 1")
			}
		},
	})
	if r.Schedule == nil {
		r.Schedule = []postroom.Duration{}
	}
}

func (c *compiler) rateLimit(_, n *yaml.Node) {
	r := &postroom.RateLimit{}
	c.d.Out.Defaults.RateLimit = r
	c.object(n, "rate_limit", map[string]reader{
		"limit":  func(_, value *yaml.Node) { c.decode(value, "limit", &r.Limit) },
		"period": func(_, value *yaml.Node) { c.duration(value, "period", &r.Period, 24*time.Hour) },
	})
	if r.Limit < 1 || r.Period == 0 {
		c.fail(n, "rate_limit has a limit of 1 or more, and a period")
	}
}

func (c *compiler) disableAfter(_, n *yaml.Node) {
	d := &c.d.Out.Defaults.DisableAfter
	*d = postroom.DisableAfter{}
	c.object(n, "disable_after", map[string]reader{
		"failures": func(_, value *yaml.Node) {
			if c.decode(value, "failures", &d.Failures) && d.Failures < 0 {
				c.fail(value, "failures is 0 (never) or more")
			}
		},
		"for": func(_, value *yaml.Node) { c.duration(value, "for", &d.For, 365*24*time.Hour) },
	})
}

// test reads what a test sends: a type, or a mapping with the type and data of its own.
func (c *compiler) test(n *yaml.Node) {
	t := &c.d.Out.Test
	at := n
	if n.Kind == yaml.ScalarNode {
		t.Type = n.Value
	} else {
		c.object(n, "test", map[string]reader{
			"type": func(_, value *yaml.Node) { t.Type, at = value.Value, value },
			"data": func(_, value *yaml.Node) {
				if err := payload.Valid([]byte(value.Value)); value.Kind != yaml.ScalarNode || err != nil || payload.KindOf([]byte(value.Value)) != payload.KindObject {
					c.fail(value, "data is a JSON object in a text")
					return
				}
				t.Data = []byte(value.Value)
			},
		})
	}
	if _, known := c.known.Types[t.Type]; !known || !c.d.Out.Offers(t.Type) {
		c.fail(at, "a test sends an event type of the catalogue that the dialect offers, and %s is none", strconv.Quote(t.Type))
	}
}
