package dialect

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"mime"
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
	maxRetries     = 30
	minWait        = 100 * time.Millisecond
	maxWait        = 7 * 24 * time.Hour
	maxTimeout     = time.Minute
	maxRate        = 1_000_000
	maxPeriod      = 24 * time.Hour
	minDisable     = time.Minute
	maxDisable     = 365 * 24 * time.Hour
	maxHeaders     = 50 // of a pattern
	maxHeaderValue = 4096
	maxName        = 128 // bytes of the vendor's name for an event type
)

var headerToken = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$") // RFC 9110, 5.6.2

func (c *compiler) dialect(n *yaml.Node) {
	var in *yaml.Node
	out := false
	c.object(n, "a dialect", map[string]reader{
		"title":       c.text(&c.d.Title),
		"description": c.text(&c.d.Description),
		"out":         func(_, value *yaml.Node) { out = true; c.out(value) },
		"in":          func(_, value *yaml.Node) { in = value },
	})
	if c.d.Title == "" {
		c.fail(n, "a dialect has a title")
	}
	if !out {
		c.fail(n, "a dialect has a part out")
	}
	if in != nil {
		c.in(in)
	}
}

// text reads a text into dest.
func (c *compiler) text(dest *string) reader {
	return func(key, value *yaml.Node) {
		if !isText(value) {
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
		"content_type":  c.contentType,
		"events":        c.events,
		"bodies":        func(_, value *yaml.Node) { bodies = value },
		"headers":       func(_, value *yaml.Node) { headers = value },
		"signature":     func(_, value *yaml.Node) { c.signature(value) },
		"auth":          c.auth,
		"method":        func(_, value *yaml.Node) { o.Defaults.Method = c.oneOf(value, "method", "POST", "PUT", "PATCH") },
		"retry":         c.retry,
		"timeout":       func(_, value *yaml.Node) { c.duration(value, "timeout", &o.Defaults.Timeout, minWait, maxTimeout) },
		"expect_json":   func(_, value *yaml.Node) { c.boolean(value, "expect_json", &o.Defaults.ExpectJSON) },
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

func (c *compiler) contentType(_, n *yaml.Node) {
	value := strings.TrimSpace(n.Value)
	if kind, _, err := mime.ParseMediaType(value); err != nil || !strings.Contains(kind, "/") || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		c.fail(n, "content_type is a media type, such as application/json")
		return
	}
	c.d.Out.ContentType = value
}

// events reads the vendor's names by the catalogue's. "*": "*" sends every other type under its own name.
func (c *compiler) events(_, n *yaml.Node) {
	before := len(c.problems)
	defer func() { c.unsure = len(c.problems) > before }()
	c.pairs(n, "events", func(key, value *yaml.Node) {
		switch {
		case !isText(value) || len(value.Value) > maxName || strings.ContainsFunc(value.Value, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			c.fail(value, "the vendor's name for %s is a text of up to %d bytes without spaces", key.Value, maxName)
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
	if prefix, wild := strings.CutSuffix(key.Value, "*"); wild && prefix != "" && !strings.HasSuffix(prefix, ".") {
		c.fail(key, "%s is no pattern: a type, group.* or *", key.Value)
		return nil
	}
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
	if types == nil && !c.unsure {
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
		if !isText(value) {
			c.fail(value, "a body is a template: JSON in a block of text (%s: |)", key.Value)
			return
		}
		template, err := payload.Compile([]byte(value.Value), payload.Options{Types: types})
		if err != nil {
			c.template(value, []byte(value.Value), "the body of "+key.Value, err)
			return
		}
		o.bodies = append(o.bodies, &Body{key.Value, strings.TrimSpace(value.Value), template})
	})
	slices.SortStableFunc(o.bodies, func(a, b *Body) int { return cmp.Compare(specific(a.Events), specific(b.Events)) })
	for _, name := range slices.Sorted(maps.Keys(o.names)) {
		if o.Body(name) == nil && c.problems == nil {
			c.fail(n, "there is no body for %s", name)
		}
	}
	if o.others && o.Body("any.other") == nil && c.problems == nil {
		c.fail(n, "there is no body for types that are not named: add one for \"*\"")
	}
}

// specific orders patterns: * before group.* before group.part.* before a type.
func specific(pattern string) int {
	if strings.HasSuffix(pattern, "*") {
		return len(pattern)
	}
	return math.MaxInt
}

// template reports what is wrong with a template, in its own line where that is known.
func (c *compiler) template(n *yaml.Node, source []byte, what string, err error) {
	first := 0 // the line of the template's first line; 0 where lines of the file are not those of the template
	if n.Style&yaml.LiteralStyle != 0 {
		first = n.Line + 1 // the block begins in the next line
	}
	at := func(line int) int {
		if first == 0 {
			return n.Line
		}
		return first + line - 1
	}
	var syntax *payload.SyntaxError
	if errors.As(err, &syntax) {
		c.problems = append(c.problems, Problem{c.file, at(syntax.Line), what + ": " + err.Error()})
		return
	}
	var wrong *payload.Error
	if !errors.As(err, &wrong) {
		c.fail(n, "%s: %s", what, err)
		return
	}
	for _, fault := range wrong.Faults {
		place := what
		if fault.Pointer != "" {
			place += ", " + fault.Pointer
		}
		c.problems = append(c.problems, Problem{c.file, at(lineOf(source, fault.Pointer)), place + ": " + fault.String()})
	}
}

func (c *compiler) headers(n *yaml.Node) {
	o := &c.d.Out
	c.pairs(n, "headers", func(key, value *yaml.Node) {
		types := c.pattern(key)
		group := headers{pattern: key.Value}
		c.pairs(value, "the headers of "+key.Value, func(name, value *yaml.Node) {
			h, ok := c.header(name, value, types)
			if ok && slices.ContainsFunc(group.lines, func(other Header) bool { return other.Name == h.Name }) {
				c.fail(name, "%s is there twice, in different spellings", h.Name)
			} else if ok {
				group.lines = append(group.lines, h)
			}
		})
		if len(group.lines) > maxHeaders {
			c.fail(key, "there are at most %d headers for %s", maxHeaders, key.Value)
		}
		o.headers = append(o.headers, group)
	})
	slices.SortStableFunc(o.headers, func(a, b headers) int { return cmp.Compare(specific(a.pattern), specific(b.pattern)) })
}

func (c *compiler) header(name, value *yaml.Node, types []payload.Type) (Header, bool) {
	if !c.headerName(name) {
		return Header{}, false
	}
	switch canonical := textproto.CanonicalMIMEHeaderKey(name.Value); {
	case canonical == c.d.Out.Signature.Header:
		c.fail(name, "the header %s carries the signature", name.Value)
		return Header{}, false
	case c.d.Out.Signature.Scheme == SchemeStandard && slices.Contains(standardHeaders(), canonical):
		c.fail(name, "the header %s is that of the scheme standard", name.Value)
		return Header{}, false
	case !isText(value) || len(value.Value) > maxHeaderValue:
		c.fail(value, "the value of %s is a template of a text of up to %d bytes", name.Value, maxHeaderValue)
		return Header{}, false
	}
	template, err := payload.Compile(payload.AppendString(nil, value.Value), payload.Options{Types: types})
	if err != nil {
		c.template(value, nil, "the header "+name.Value, err)
		return Header{}, false
	}
	return Header{textproto.CanonicalMIMEHeaderKey(name.Value), value.Value, template}, true
}

// standardHeaders are those of the scheme standard.
func standardHeaders() []string {
	return []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}
}

func (c *compiler) headerName(n *yaml.Node) bool {
	switch textproto.CanonicalMIMEHeaderKey(n.Value) {
	case "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Te", "Trailer", "Expect",
		"Authorization", "Proxy-Authorization", "Proxy-Connection", "Accept-Encoding", "Content-Encoding",
		"User-Agent", "Postroom-Delivery", "Postroom-Attempt":
		c.fail(n, "a dialect cannot set the header %s: Postroom or HTTP itself does", n.Value)
		return false
	}
	if !headerToken.MatchString(n.Value) {
		c.fail(n, "%s cannot be the name of a header", strconv.Quote(n.Value))
		return false
	}
	return true
}
