package scheme

import (
	"log/slog"
	"slices"
)

// Scheme verifies calls. It is made by Compile, safe for concurrent use, and does no I/O. The zero Scheme verifies nothing.
type Scheme struct{ verifier verifier }

// Verify is nil if the call comes from whom it should. Its error is always a *Reason.
func (s Scheme) Verify(r *Request) error {
	if s.verifier == nil {
		return because(KindNothing, "nothing is there to verify the call with")
	}
	if reason := s.verifier.verify(r); reason != nil {
		return reason
	}
	return nil
}

// String hides keys from every kind of printing.
func (s Scheme) String() string { return "scheme.Scheme" }

// GoString is String.
func (s Scheme) GoString() string { return s.String() }

// LogValue is String.
func (s Scheme) LogValue() slog.Value { return slog.StringValue(s.String()) }

// verifier is a compiled scheme.
type verifier interface {
	verify(*Request) *Reason
	cost() cost
	// proves tells whether passing it says anything about the caller. A digest of the body alone does not.
	proves() bool
}

// cost says how dear a verification is.
type cost int

const (
	costCompare cost = iota // a few bytes are compared
	costHash                // the body is hashed, or parsed
	costKey                 // and a public key is used
)

// All wants every one of the schemes. The cheapest go first, so that a caller without the token does not make the server compute
// signatures; of those that cost the same the most specific reason counts. All of no schemes verifies nothing.
func All(schemes ...Scheme) Scheme {
	all := make(allOf, 0, len(schemes))
	for _, s := range schemes {
		if s.verifier == nil {
			return Scheme{}
		}
		all = append(all, s.verifier)
	}
	if len(all) == 0 {
		return Scheme{}
	}
	return Scheme{all.sorted()}
}

// allOf is at least one verifier, the cheapest first.
type allOf []verifier

func (a allOf) sorted() allOf {
	slices.SortStableFunc(a, func(x, y verifier) int { return int(x.cost()) - int(y.cost()) })
	return a
}

func (a allOf) verify(r *Request) *Reason {
	var reason *Reason
	for i, v := range a {
		if reason != nil && v.cost() > a[i-1].cost() {
			break
		}
		reason = moreSpecific(reason, v.verify(r))
	}
	return reason
}

func (a allOf) cost() cost   { return a[len(a)-1].cost() }
func (a allOf) proves() bool { return slices.ContainsFunc(a, verifier.proves) }

// anyOf is at least one verifier, the cheapest first. If none verifies the call, that one speaks which the call came nearest to.
type anyOf []verifier

func (a anyOf) verify(r *Request) *Reason {
	var reason *Reason
	for _, v := range a {
		why := v.verify(r)
		if why == nil {
			return nil
		}
		reason = moreSpecific(reason, why)
	}
	return reason
}

func (a anyOf) cost() cost { return a[len(a)-1].cost() }
func (a anyOf) proves() bool {
	return !slices.ContainsFunc(a, func(v verifier) bool { return !v.proves() })
}

// named puts a scheme's name on its reasons, and keeps it to the methods that it is for.
type named struct {
	verifier
	name    Name
	methods []string // none for all
}

func (n named) verify(r *Request) *Reason {
	if len(n.methods) > 0 && !slices.Contains(n.methods, r.Method) {
		return &Reason{Scheme: n.name, Kind: KindMethod, Message: "only " + orList(n.methods) + " calls are verified this way"}
	}
	reason := n.verifier.verify(r)
	if reason != nil && reason.Scheme == "" {
		reason.Scheme = n.name
	}
	return reason
}
