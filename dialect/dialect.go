package dialect

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

// Standard is the dialect of webhooks that name none.
const Standard = "standard"

// Dialect is a vendor's way of sending webhooks, and of taking those that the vendor sends. It is immutable.
type Dialect struct {
	Name        string // that of its folder
	Title       string // for people
	Description string // a sentence or two
	Out         Out
	In          *In // nil where sources of this kind are not known
}

// Out is how a dialect sends events.
type Out struct {
	ContentType string
	Signature   Signature
	Auth        []postroom.AuthType // that its webhooks may use
	Defaults    Defaults
	Test        Test

	names   map[string]string // by catalogue type: the vendor's name
	others  bool              // every other type is sent, too, under its own name
	bodies  []*Body           // the most specific last
	headers []headers         // the most specific last
}

// Body is the template of a call's body for the types that a pattern takes in, unless a more specific one does.
type Body struct {
	Events   string // a type, a group such as "email.*", or "*"
	Source   string // the template as it is written
	Template *payload.Template
}

// headers are those of the types that a pattern takes in.
type headers struct {
	pattern string
	lines   []Header
}

// Header is a header of each call. Its value is a template of a text; without a value the header is left out.
type Header struct {
	Name     string // canonical
	Source   string // the template as it is written
	Template *payload.Template
}

// Scheme is a way to sign calls.
type Scheme string

// The schemes.
const (
	SchemeStandard Scheme = "standard" // Standard Webhooks: three headers, HMAC-SHA256 or ed25519 over "id.timestamp.body"
	SchemeHMAC     Scheme = "hmac"     // one header with an HMAC over the body, keyed with the secret's text
	SchemeNone     Scheme = "none"
)

// Signature is how a dialect signs calls. The rest is for SchemeHMAC.
type Signature struct {
	Scheme    Scheme
	Header    string // canonical
	Algorithm string // sha1, sha256 or sha512
	Encoding  string // hex or base64
	Prefix    string // before the encoded value, such as "sha256="
}

// Defaults are what a webhook has unless its owner says otherwise.
type Defaults struct {
	Method       string
	Retry        postroom.Retry
	Timeout      postroom.Duration
	ExpectJSON   bool
	RateLimit    *postroom.RateLimit
	DisableAfter postroom.DisableAfter
}

// Test is the event that a test of a webhook sends.
type Test struct {
	Type string // in the catalogue's words
	Data []byte // nil for the type's sample
}

// Offers tells whether the dialect sends events of a type.
func (o *Out) Offers(eventType string) bool {
	_, named := o.names[eventType]
	return named || o.others
}

// Name is what the vendor calls an event type; false when the dialect does not send it.
func (o *Out) Name(eventType string) (string, bool) {
	if name, named := o.names[eventType]; named {
		return name, true
	}
	return eventType, o.others
}

// Types are the catalogue's types that the vendor calls by a name, sorted. Upper and lower case are the same.
func (o *Out) Types(name string) (types []string) {
	for _, t := range slices.Sorted(maps.Keys(o.names)) {
		if strings.EqualFold(o.names[t], name) {
			types = append(types, t)
		}
	}
	if types == nil && o.others {
		types = []string{name}
	}
	return types
}

// Named lists the types that the dialect names, sorted, and tells whether it sends all others under their own names.
func (o *Out) Named() (types []string, others bool) {
	return slices.Sorted(maps.Keys(o.names)), o.others
}

// Body is the template of the body for an event type. It is nil for a type that the dialect does not offer.
func (o *Out) Body(eventType string) *Body {
	for i := len(o.bodies) - 1; i >= 0; i-- {
		if matches(o.bodies[i].Events, eventType) {
			return o.bodies[i]
		}
	}
	return nil
}

// Bodies lists the templates, the widest pattern first.
func (o *Out) Bodies() []*Body { return slices.Clone(o.bodies) }

// Headers are those of an event type, in the order of the file; none stands twice.
func (o *Out) Headers(eventType string) (lines []Header) {
	for _, group := range o.headers {
		if !matches(group.pattern, eventType) {
			continue
		}
		for _, h := range group.lines {
			same := slices.IndexFunc(lines, func(other Header) bool { return other.Name == h.Name })
			if same < 0 {
				lines = append(lines, h)
			} else {
				lines[same] = h
			}
		}
	}
	return lines
}

// HeaderGroup is the headers of the types that a pattern takes in: one type, a group such as "email.*", or "*".
type HeaderGroup struct {
	Events  string
	Headers []Header
}

// HeaderGroups lists the headers by the types that they belong to, the widest pattern first.
func (o *Out) HeaderGroups() (groups []HeaderGroup) {
	for _, h := range o.headers {
		groups = append(groups, HeaderGroup{h.pattern, slices.Clone(h.lines)})
	}
	return groups
}

// Reserved tells whether a canonical header name is the dialect's own, so that a webhook cannot set it.
func (o *Out) Reserved(name string) bool {
	if name == "" {
		return false
	}
	if name == o.Signature.Header {
		return true
	}
	for _, group := range o.headers {
		if slices.ContainsFunc(group.lines, func(h Header) bool { return h.Name == name }) {
			return true
		}
	}
	return false
}

// matches tells whether a pattern takes in a type: exact, "group.*" or "*".
func matches(pattern, eventType string) bool {
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		return strings.HasPrefix(eventType, prefix)
	}
	return pattern == eventType
}

// Set is dialects by their names.
type Set map[string]*Dialect

// Names lists them, sorted, the standard one first.
func (s Set) Names() []string {
	return slices.SortedFunc(maps.Keys(s), func(a, b string) int {
		if (a == Standard) != (b == Standard) {
			if a == Standard {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
}

// Hint suggests a dialect for a name that is none: " (did you mean x?)", or "".
func (s Set) Hint(unknown string) string { return nearest.Hint(unknown, s.Names()) }

// defaults are what a dialect has that says nothing: those of the standard one.
func defaults() Defaults {
	d := Defaults{Method: "POST", Timeout: postroom.Duration(15 * time.Second), Retry: postroom.Retry{Jitter: 0.1},
		DisableAfter: postroom.DisableAfter{For: postroom.Duration(5 * 24 * time.Hour)}}
	for _, wait := range []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour} {
		d.Retry.Schedule = append(d.Retry.Schedule, postroom.Duration(wait))
	}
	return d
}
