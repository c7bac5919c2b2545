package catalogue

import (
	"strings"

	"github.com/postroom/postroom"
)

// Match tells whether a subscription to pattern takes in events of the type name. The pattern "*" takes in all, "email.*"
// all whose name begins with "email.", and any other only its own name. Neither argument is checked: a pattern that
// CheckPattern refuses matches no name that an event type can have.
func Match(pattern, name string) bool {
	if pattern == "*" || pattern == name {
		return true
	}
	start, ok := strings.CutSuffix(pattern, "*")
	return ok && strings.HasSuffix(start, ".") && len(name) > len(start) && strings.HasPrefix(name, start)
}

// CheckPattern says what is wrong with the form of a pattern that a subscription names: a type's name, the beginning of
// names as in "email.*", or "*". Whether such a type exists is another question (see Catalogue.Lookup). The error is a
// *postroom.Error with CodeInvalid.
func CheckPattern(pattern string) error {
	if pattern == "*" {
		return nil
	}
	if err := postroom.CheckEventTypeName(strings.TrimSuffix(pattern, ".*")); err != nil {
		return postroom.Errorf(postroom.CodeInvalid,
			"%v; a subscription is to a type such as email.opened, to a group such as email.*, or to * for all", err)
	}
	return nil
}
