package contacts

import (
	"bytes"
	"maps"
	"slices"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// Event is something that follows from a change of a contact: a type of the catalogue, and its data.
type Event struct {
	Type string
	Data []byte // a JSON object; the same contact and change always give the same bytes
}

// eventsOf are the events that follow from the difference between what a contact was, nil for none, and what it is. It was made, or its
// fields changed; then its status, its tags, and its lists.
func eventsOf(before, after *postroom.Contact) (events []Event) {
	add := func(eventType string, more func(dst []byte) []byte) {
		events = append(events, Event{eventType, data(after, more)})
	}
	was := postroom.Contact{Status: after.Status}
	if before == nil {
		add("contact.created", nil)
	} else {
		was = *before
		if previous := previous(before, after); previous != nil {
			add("contact.updated", func(dst []byte) []byte { return append(payload.AppendKey(dst, "previous"), previous...) })
		}
	}
	if was.Status != after.Status {
		add("contact.status_changed", func(dst []byte) []byte {
			dst = append(payload.AppendKey(dst, "previous"), '{')
			return append(payload.AppendString(payload.AppendKey(dst, "status"), string(was.Status)), '}')
		})
	}
	tag := func(eventType string, of, butNot []string) {
		for _, name := range of {
			if !slices.Contains(butNot, name) {
				add(eventType, func(dst []byte) []byte { return payload.AppendString(payload.AppendKey(dst, "tag"), name) })
			}
		}
	}
	tag("contact.untagged", was.Tags, after.Tags)
	tag("contact.tagged", after.Tags, was.Tags)
	list := func(eventType string, m postroom.Membership) {
		add(eventType, func(dst []byte) []byte { return appendList(payload.AppendKey(dst, "list"), m) })
	}
	for _, m := range after.Lists {
		from := statusOn(&was, m.ID)
		if m.Status == postroom.MemberUnsubscribed && from != "" && from != m.Status {
			list("contact.unsubscribed", m)
		}
	}
	for _, m := range after.Lists {
		if m.Status == postroom.MemberSubscribed && statusOn(&was, m.ID) != m.Status {
			list("contact.subscribed", m)
		}
	}
	return events
}

// data is a contact, and what more an event tells.
func data(c *postroom.Contact, more func(dst []byte) []byte) []byte {
	dst := make([]byte, 0, 1024)
	dst = append(dst, '{')
	dst = Append(payload.AppendKey(dst, "contact"), c)
	if more != nil {
		dst = more(dst)
	}
	return append(dst, '}')
}

// Append appends a contact as events show it: what is not known is null, and only lists that it is on are there.
func Append(dst []byte, c *postroom.Contact) []byte {
	dst = append(dst, '{')
	dst = payload.AppendString(payload.AppendKey(dst, "id"), c.ID.String())
	for _, f := range textFields(c) {
		dst = appendText(payload.AppendKey(dst, f.name), f.value)
	}
	dst = payload.AppendString(payload.AppendKey(dst, "status"), string(c.Status))
	dst = append(payload.AppendKey(dst, "lists"), '[')
	for _, m := range c.Lists {
		if m.Status == postroom.MemberSubscribed {
			dst = appendList(payload.AppendComma(dst), m)
		}
	}
	dst = append(payload.AppendKey(append(dst, ']'), "tags"), '[')
	for _, tag := range c.Tags {
		dst = payload.AppendString(payload.AppendComma(dst), tag)
	}
	dst = append(payload.AppendKey(append(dst, ']'), "custom_fields"), '{')
	for _, name := range slices.Sorted(maps.Keys(c.CustomFields)) {
		dst = append(payload.AppendKey(dst, name), c.CustomFields[name]...)
	}
	dst = appendText(payload.AppendKey(append(dst, '}'), "source"), c.Source)
	dst = payload.AppendTime(payload.AppendKey(dst, "created_at"), c.CreatedAt.Time)
	return append(payload.AppendTime(payload.AppendKey(dst, "updated_at"), c.UpdatedAt.Time), '}')
}

type textField struct{ name, value string }

// textFields are the fields of a contact that say who it is.
func textFields(c *postroom.Contact) []textField {
	uid := ""
	if c.UID != nil {
		uid = *c.UID
	}
	return []textField{{"uid", uid}, {"email", c.Email}, {"phone", c.Phone}, {"first_name", c.FirstName}, {"last_name", c.LastName}}
}

// appendText appends a text, or null for none.
func appendText(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return payload.AppendString(dst, s)
}

func appendList(dst []byte, m postroom.Membership) []byte {
	dst = payload.AppendString(payload.AppendKey(append(dst, '{'), "id"), m.ID.String())
	return append(payload.AppendString(payload.AppendKey(dst, "name"), m.Name), '}')
}

// previous is what changed fields held before, and nil if none changed. A custom field that was not there held null.
func previous(before, after *postroom.Contact) []byte {
	dst := []byte{'{'}
	now := textFields(after)
	for i, f := range textFields(before) {
		if f.value != now[i].value {
			dst = appendText(payload.AppendKey(dst, f.name), f.value)
		}
	}
	if custom := previousCustom(before, after); custom != nil {
		dst = append(payload.AppendKey(dst, "custom_fields"), custom...)
	}
	if before.Source != after.Source {
		dst = appendText(payload.AppendKey(dst, "source"), before.Source)
	}
	if len(dst) == 1 {
		return nil
	}
	return append(dst, '}')
}

func previousCustom(before, after *postroom.Contact) []byte {
	names := slices.Collect(maps.Keys(before.CustomFields))
	for name := range after.CustomFields {
		if _, both := before.CustomFields[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	dst := []byte{'{'}
	for _, name := range names {
		was, some := before.CustomFields[name]
		if bytes.Equal(was, after.CustomFields[name]) {
			continue
		}
		if !some {
			was = []byte("null")
		}
		dst = append(payload.AppendKey(dst, name), was...)
	}
	if len(dst) == 1 {
		return nil
	}
	return append(dst, '}')
}
