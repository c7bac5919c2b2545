package dialect

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/nearest"
)

// Fault is something wrong in the incoming part of a dialect.
type Fault struct {
	Pointer string // JSON pointer into the part
	Message string // a clause that says what is wrong
}

const (
	maxCredentials = 8
	maxSamples     = 32
)

var credentialName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// in reads the incoming part, after the outgoing one, whose names it shares unless it has its own.
func (c *compiler) in(n *yaml.Node) {
	in := &In{Split: SplitItems, Dedupe: postroom.DedupeAuto, names: map[string]string{}}
	c.d.In = in
	before, named := len(c.problems), false
	c.object(n, "in", map[string]reader{
		"verify":      c.verify,
		"required":    func(_, value *yaml.Node) { c.boolean(value, "required", &in.Required) },
		"credentials": c.credentials,
		"challenge":   c.text(&in.Challenge),
		"cors":        func(_, value *yaml.Node) { c.boolean(value, "cors", &in.CORS) },
		"split":       c.text(&in.Split),
		"events":      func(_, value *yaml.Node) { named = true; c.inEvents(value) },
		"type":        c.places(&in.Type, "event.type"),
		"id":          c.places(&in.ID, "event.id"),
		"time":        c.places(&in.Time, "event.time"),
		"data":        c.places(&in.Data, "data"),
		"key":         c.places(&in.Key, "event.key"),
		"dedupe": func(_, value *yaml.Node) {
			in.Dedupe = postroom.DedupeBy(c.oneOf(value, "dedupe", string(postroom.DedupeAuto), string(postroom.DedupeBody)))
		},
		"fields":    c.fields,
		"recognise": func(_, value *yaml.Node) { c.boolean(value, "recognise", &in.Recognise) },
		"samples":   c.samples,
	})
	if in.Required && in.Verify == nil {
		c.fail(n, "required says that sources need what verify does, and there is no verify")
	}
	if !named {
		c.namesOfOut(n)
	}
	if c.known.Check == nil || len(c.problems) > before {
		return
	}
	for _, fault := range c.known.Check(in) {
		message := fault.Message
		if fault.Pointer != "" {
			message = "in" + fault.Pointer + ": " + message
		}
		c.fail(nodeAt(n, fault.Pointer), "%s", message)
	}
}

// namesOfOut takes the names under which the dialect sends.
func (c *compiler) namesOfOut(n *yaml.Node) {
	out := &c.d.Out
	c.d.In.others = out.others
	for _, t := range slices.Sorted(maps.Keys(out.names)) {
		name := strings.ToLower(out.names[t])
		if other, twice := c.d.In.names[name]; twice {
			c.fail(n, "out has the name %s for %s and for %s: in needs events of its own", out.names[t], other, t)
		}
		c.d.In.names[name] = t
	}
}

// inEvents reads the vendor's name, or several, by the catalogue's. "*": "*" takes every other type under its own name.
func (c *compiler) inEvents(n *yaml.Node) {
	in := c.d.In
	c.pairs(n, "events", func(key, value *yaml.Node) {
		if key.Value == "*" {
			if in.others = value.Value == "*"; !in.others {
				c.fail(key, `the only pattern is "*": "*"`)
			}
			return
		}
		if _, known := c.known.Types[key.Value]; !known {
			c.fail(key, "the catalogue has no event type %s%s", key.Value, nearest.Hint(key.Value, slices.Sorted(maps.Keys(c.known.Types))))
		}
		all := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			all = value.Content
		}
		for _, name := range all {
			lower := strings.ToLower(name.Value)
			switch other, twice := in.names[lower]; {
			case !isText(name) || len(name.Value) > maxName:
				c.fail(name, "the vendor's name for %s is a text of up to %d bytes", key.Value, maxName)
			case twice:
				c.fail(name, "%s is %s already", name.Value, other)
			default:
				in.names[lower] = key.Value
			}
		}
	})
}

func (c *compiler) verify(_, n *yaml.Node) {
	var object map[string]json.RawMessage
	if !c.decode(n, "verify", &object) {
		return
	}
	raw, err := appendNode(nil, n)
	if err != nil {
		c.fail(n, "verify: %s", err)
	}
	c.d.In.Verify = raw
}

// credentials reads the names of what a source is asked for, each with a title for people.
func (c *compiler) credentials(_, n *yaml.Node) {
	c.pairs(n, "credentials", func(key, value *yaml.Node) {
		if !credentialName.MatchString(key.Value) || !isText(value) {
			c.fail(key, "a credential is a name of small letters, digits and _, and a title for people")
			return
		}
		c.d.In.Credentials = append(c.d.In.Credentials, Credential{key.Value, strings.TrimSpace(value.Value)})
	})
	if len(c.d.In.Credentials) > maxCredentials {
		c.fail(n, "there are at most %d credentials", maxCredentials)
	}
}

// places reads a path, a row without "to", or several of these.
func (c *compiler) places(dest *[]postroom.MappingRow, to string) reader {
	return func(key, n *yaml.Node) {
		all := []*yaml.Node{n}
		if n.Kind == yaml.SequenceNode {
			all = n.Content
		}
		for _, one := range all {
			row := postroom.MappingRow{To: to}
			if isText(one) {
				row.From = postroom.Paths{one.Value}
			} else if !c.decode(one, key.Value, &row) {
				continue
			}
			if row.To != to {
				c.fail(one, "what %s brings goes to %s; leave out to", key.Value, to)
				continue
			}
			*dest = append(*dest, row)
		}
	}
}

func (c *compiler) fields(_, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		c.fail(n, "fields is a list of rows with from and to")
		return
	}
	for _, one := range n.Content {
		var row postroom.MappingRow
		if c.decode(one, "a row of fields", &row) {
			c.d.In.Fields = append(c.d.In.Fields, row)
		}
	}
}

func (c *compiler) samples(_, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode || len(n.Content) > maxSamples {
		c.fail(n, "samples is a list of up to %d calls", maxSamples)
		return
	}
	for _, one := range n.Content {
		var sample Sample
		c.object(one, "a sample", map[string]reader{
			"name": c.text(&sample.Name),
			"body": c.text(&sample.Body),
			"headers": func(_, value *yaml.Node) {
				sample.Headers = map[string]string{}
				c.pairs(value, "headers", func(key, value *yaml.Node) { sample.Headers[key.Value] = value.Value })
			},
		})
		if sample.Name == "" {
			c.fail(one, "a sample has a name")
		}
		c.d.In.Samples = append(c.d.In.Samples, sample)
	}
}
