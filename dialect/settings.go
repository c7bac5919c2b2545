package dialect

import (
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

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
	if n.Kind != yaml.SequenceNode || len(n.Content) == 0 {
		c.fail(n, "auth is a list of the types that webhooks may have, none among them")
		return
	}
	known := make([]string, 0, 8)
	for _, t := range postroom.AuthTypes() {
		known = append(known, string(t))
	}
	c.d.Out.Auth = nil
	for _, node := range n.Content {
		switch t := postroom.AuthType(node.Value); {
		case node.Kind != yaml.ScalarNode || !slices.Contains(known, node.Value):
			c.fail(node, "there is no auth type %s%s; there are %s", strconv.Quote(node.Value), nearest.Hint(node.Value, known), strings.Join(known, ", "))
		case slices.Contains(c.d.Out.Auth, t):
			c.fail(node, "%s is there twice", t)
		default:
			c.d.Out.Auth = append(c.d.Out.Auth, t)
		}
	}
}

func (c *compiler) duration(n *yaml.Node, what string, dest *postroom.Duration, least, most time.Duration) {
	if n.Kind != yaml.ScalarNode || dest.UnmarshalText([]byte(n.Value)) != nil || time.Duration(*dest) < least || time.Duration(*dest) > most {
		c.fail(n, "%s is a time from %s to %s, such as 30s or 5m", what, postroom.Duration(least), postroom.Duration(most))
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
				c.duration(wait, "a wait", &r.Schedule[i], minWait, maxWait)
			}
		},
		"jitter": func(_, value *yaml.Node) {
			if value.Kind != yaml.ScalarNode || value.Decode(&r.Jitter) != nil || !(r.Jitter >= 0 && r.Jitter <= 1) { // not NaN either
				c.fail(value, "jitter is a number from 0 to 1")
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
	before := len(c.problems)
	c.object(n, "rate_limit", map[string]reader{
		"limit":  func(_, value *yaml.Node) { c.integer(value, "limit", &r.Limit, 1, maxRate) },
		"period": func(_, value *yaml.Node) { c.duration(value, "period", &r.Period, minWait, maxPeriod) },
	})
	if len(c.problems) == before && (r.Limit == 0 || r.Period == 0) {
		c.fail(n, "rate_limit has a limit and a period")
	}
}

func (c *compiler) disableAfter(_, n *yaml.Node) {
	d := &c.d.Out.Defaults.DisableAfter
	*d = postroom.DisableAfter{}
	c.object(n, "disable_after", map[string]reader{
		"failures": func(_, value *yaml.Node) { c.integer(value, "failures", &d.Failures, 1, maxRate) },
		"for":      func(_, value *yaml.Node) { c.duration(value, "for", &d.For, minDisable, maxDisable) },
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
				t.Data = []byte(strings.TrimSpace(value.Value))
			},
		})
	}
	if _, known := c.known.Types[t.Type]; !c.unsure && (!known || !c.d.Out.Offers(t.Type)) {
		c.fail(at, "a test sends an event type of the catalogue that the dialect offers, and %s is none", strconv.Quote(t.Type))
	}
}
