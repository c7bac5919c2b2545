package payload

import (
	"cmp"
	"strings"

	"github.com/postroom/postroom"
)

// Describe takes from an event's data what the event is found and ordered by, and sets it.
func Describe(e *postroom.Event) error {
	var id, uid, phone string
	err := Members(e.Data, func(key, raw []byte) error {
		switch string(key) {
		case "contact":
			if KindOf(raw) != KindObject {
				return nil
			}
			return Members(raw, func(key, raw []byte) error {
				switch string(key) {
				case "email":
					e.Contact = scalar(raw)
				case "id":
					id = scalar(raw)
				case "uid":
					uid = scalar(raw)
				case "phone":
					phone = scalar(raw)
				}
				return nil
			})
		case "campaign":
			if KindOf(raw) != KindObject {
				return nil
			}
			return Members(raw, func(key, raw []byte) error {
				if string(key) == "id" {
					e.Campaign = scalar(raw)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return postroom.Invalid(postroom.CodeBadJSON, "/data", "%s", err.Error())
	}
	e.Contact = cmp.Or(e.Contact, id, uid, phone)
	return nil
}

// maxScalar bounds what an event is found by, in bytes.
const maxScalar = 320 // the longest email address

// scalar is a string or a number as text; empty for anything else, and for what cannot be stored or is too long to look for.
func scalar(raw []byte) string {
	switch KindOf(raw) {
	case KindNumber:
		if len(raw) <= maxScalar {
			return string(raw)
		}
	case KindString:
		if s, err := String(raw); err == nil && len(s) <= maxScalar && !strings.ContainsRune(s, 0) {
			return s
		}
	}
	return ""
}
