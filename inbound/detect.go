package inbound

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/dialect"
	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

// Types are a workspace's event types.
type Types interface {
	// Known tells whether there is a type of this name, in the catalogue or of the workspace's own.
	Known(name string) bool
	// Named is the catalogue's type that vendors call so, if there is one and all mean the same.
	Named(name string) (string, bool)
	// Hint suggests a type for a name that is none: " (did you mean x?)", or "".
	Hint(name string) string
}

// NewTypes makes Types of a list of names and of what dialects call them.
func NewTypes(names []string, dialects dialect.Set) Types {
	t := &typeNames{names: names, known: make(map[string]bool, len(names)), dialects: dialects}
	for _, name := range names {
		t.known[name] = true
	}
	return t
}

type typeNames struct {
	names    []string
	known    map[string]bool
	dialects dialect.Set
}

// Known tells whether a name is in the list.
func (t *typeNames) Known(name string) bool { return t.known[name] }

// Named asks the dialects.
func (t *typeNames) Named(name string) (string, bool) { return t.dialects.TypeNamed(name) }

// Hint suggests one of the names.
func (t *typeNames) Hint(name string) string { return nearest.Hint(name, t.names) }

// Where generic calls say what they tell of: members of the body, then headers.
var (
	typeMembers = []string{"event", "event_type", "type", "eventType"}
	typeHeaders = []string{"Ce-Type", "X-Event-Type", "X-Event-Name", "X-Event", "X-Webhook-Event", "X-Webhook-Topic", "X-Github-Event", "X-Gitlab-Event",
		"X-Gitea-Event", "X-Shopify-Topic", "X-Wc-Webhook-Topic", "X-Cocoon-Event-Type", "Webhook-Type", "X-Topic"}
)

// idHeaders are headers that are the same when a sender repeats a call, and another one for every other call.
var idHeaders = []string{"Webhook-Id", "Svix-Id", "Idempotency-Key", "X-Idempotency-Key", "X-Event-Id", "X-Github-Delivery", "X-Gitea-Delivery",
	"X-Gitlab-Event-Uuid", "X-Shopify-Event-Id", "X-Wc-Webhook-Delivery-Id", "X-Delivery-Id", "X-Webhook-Delivery-Id", "X-Message-Id", "Linear-Delivery",
	"Postroom-Delivery", "Ce-Id"}

// typeName is what a call says that it tells of, in one of the usual places: the first name that means something, else the first one.
func (p *Program) typeName(i *Item) {
	first := ""
	try := func(name string) bool {
		if name = trim(name); name == "" || len(name) > 2*postroom.MaxEventType {
			return false
		}
		if first == "" {
			first = name
		}
		if _, known := p.resolve(name); known {
			i.Name = name
			return true
		}
		return false
	}
	for _, member := range typeMembers {
		if raw := i.member(member); payload.KindOf(raw) == payload.KindString {
			if name, err := payload.String(raw); err == nil && try(name) {
				return
			}
		}
	}
	for _, header := range typeHeaders {
		if try(i.reading.call.Header.Get(header)) {
			return
		}
	}
	i.Name = first
}

// resolve finds the workspace's type that a name stands for.
func (p *Program) resolve(name string) (string, bool) {
	if p.kind != nil {
		if t, ok := p.kind.in.TypeOf(name); ok && p.types.Known(t) {
			return t, true
		}
		return name, p.types.Known(name)
	}
	if p.types.Known(name) {
		return name, true
	}
	return p.types.Named(name)
}

// typeOf is the type of the item's event, empty for none. The note says why it has none, or why nothing is to be done about the item.
func (p *Program) typeOf(i *Item) (eventType string, skip bool, note *Error) {
	said, known := "", false
	if i.Name != "" {
		said, known = p.resolve(i.Name)
	}
	switch {
	case i.typed || p.eventType == "": // a row says it, or the call
		if known {
			return said, false, nil
		}
		if i.Name == "" {
			return "", false, typeError(i, "the call does not say what type of event it is, and the source has no event_type: no event is published")
		}
		return "", false, typeError(i, "there is no event type %q%s: no event is published", shown([]byte(i.Name)), p.types.Hint(i.Name))
	case p.kind != nil && known && said != p.eventType:
		return said, true, typeError(i, "the source is for %s, and the call tells of %s: nothing is done", p.eventType, i.Name)
	}
	return p.eventType, false, nil
}

func typeError(i *Item, format string, args ...any) *Error {
	return &Error{postroom.RequestError{Kind: kindType, Message: fmt.Sprintf(format, args...), Event: i.Number}}
}

// usualNames are the names under which a contact's fields usually come, without what is before and between the words.
var usualNames = map[string]string{
	"email": "email", "emailaddress": "email", "mail": "email", "useremail": "email",
	"firstname": "first_name", "fname": "first_name", "givenname": "first_name", "forename": "first_name",
	"lastname": "last_name", "lname": "last_name", "familyname": "last_name", "surname": "last_name",
	"phone": "phone", "phonenumber": "phone", "mobile": "phone", "mobilephone": "phone", "mobilenumber": "phone", "telephone": "phone",
}

// usualPlaces are the objects in a body in which a contact is looked for, beside the body itself.
var usualPlaces = []string{"contact", "subscriber", "customer", "user", "person", "lead", "member", "data"}

// usualPrefixes are words before the names.
var usualPrefixes = []string{"contact", "subscriber", "customer", "user", "person", "lead", "member"}

// opened is the body, taken apart once for all who look into it. Nobody changes it.
func (i *Item) opened() *object {
	if i.body == nil {
		i.body = openObject(i.Body)
	}
	return i.body
}

// member is a member of the body; nil if there is none.
func (i *Item) member(name string) []byte {
	if m := i.opened().find(name); m != nil {
		return m.raw
	}
	return nil
}

// recogniseContact finds a contact under the usual names, in the body or in an object in it. What the contact has already stays.
func (i *Item) recogniseContact() {
	if payload.KindOf(i.Body) != payload.KindObject {
		return
	}
	i.recogniseIn(i.opened())
	for _, place := range usualPlaces {
		if i.data.get("contact", "email") != nil {
			return
		}
		if raw := i.member(place); payload.KindOf(raw) == payload.KindObject {
			i.recogniseIn(openObject(raw))
		}
	}
}

// recogniseIn looks at the members of one object.
func (i *Item) recogniseIn(o *object) {
	for _, m := range o.members {
		field, usual := usualField(m.key)
		if !usual || i.data.get("contact", field) != nil {
			continue
		}
		text, err := textOf(m.raw)
		if text = trim(text); err != nil || text == "" || field == "email" && !strings.Contains(text, "@") || len(text) > 320 {
			continue
		}
		i.data.set([]string{"contact", field}, jsonText(text))
	}
}

// usualField is the contact's field that is usually meant by a name: contact_email, E-Mail and subscriberEmail are the email.
func usualField(name string) (string, bool) {
	word := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
	if field, usual := usualNames[word]; usual {
		return field, true
	}
	for _, prefix := range usualPrefixes {
		if field, usual := usualNames[strings.TrimPrefix(word, prefix)]; usual {
			return field, true
		}
	}
	return "", false
}

// sayWho tells whether rows say who the contact is.
func sayWho(rows []*row) bool {
	return slices.ContainsFunc(rows, func(r *row) bool {
		return r.to.kind == toField && slices.Contains([]string{"email", "uid", "phone"}, r.to.path[1])
	})
}
