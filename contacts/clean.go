package contacts

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// Email reads an email address: one address without a name, quotes or comments. Its spelling is kept, but for white space around it.
func Email(s string) (string, error) {
	s = trim(s)
	if len(s) > postroom.MaxEmail {
		return "", fmt.Errorf("an email address has at most %d bytes, and this one has %d", postroom.MaxEmail, len(s))
	}
	wrong := fmt.Errorf("%q is not an email address, such as name@example.com", cut(s))
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || strings.ContainsAny(s, `"[]`) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return "", wrong
	}
	local, domain, _ := strings.Cut(s, "@")
	if len(local) > 64 || strings.Contains(domain, "@") || !isDomain(domain) {
		return "", wrong
	}
	return s, nil
}

// isDomain tells whether a name could be that of a mail domain; letters of all languages are letters.
func isDomain(name string) bool {
	return !slices.ContainsFunc(strings.Split(name, "."), func(label string) bool {
		return label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.ContainsFunc(label, func(r rune) bool {
				return r != '-' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r < utf8.RuneSelf
			})
	})
}

// Phone reads a telephone number with its country code in one of the usual spellings, such as "+44 (0)20 7946 0958", "0044 20-7946-0958" or
// "tel:+44.20.7946.0958", and gives it in E.164 form. A national number cannot be told from others, and is refused.
func Phone(s string) (string, error) {
	s = trim(s)
	if len(s) > 64 {
		return "", errors.New("this is too long to be a phone number")
	}
	wrong := fmt.Errorf("%q is not a phone number with its country code, such as +12025550143", s)
	number := s
	if len(number) > 4 && strings.EqualFold(number[:4], "tel:") {
		number = number[4:]
	}
	var b strings.Builder
	for _, r := range strings.Replace(number, "(0)", "", 1) { // of the national form, which the country code replaces
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case strings.ContainsRune("-./()", r), unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r):
		default:
			return "", wrong
		}
	}
	number = b.String()
	if rest, ok := strings.CutPrefix(number, "00"); ok {
		number = "+" + rest
	}
	if len(number) < 8 || len(number) > 16 || number[0] != '+' || number[1] == '0' {
		return "", wrong
	}
	return number, nil
}

// Tag reads a tag. Upper and lower case make different ones.
func Tag(s string) (string, error) { return named("a tag", s, postroom.MaxTag) }

// ListName reads the name of a list.
func ListName(s string) (string, error) {
	return named("the name of a list", s, postroom.MaxListName)
}

// FieldName reads the name of a custom field.
func FieldName(s string) (string, error) {
	return named("the name of a custom field", s, postroom.MaxFieldName)
}

// Ref brings a reference to a contact into the form in which contacts are stored, so that it is found by it.
func Ref(r postroom.ContactRef) (postroom.ContactRef, error) {
	var problems postroom.Problems
	for _, t := range []struct {
		pointer string
		value   *string
		read    func(string) (string, error)
	}{{"/email", &r.Email, Email}, {"/phone", &r.Phone, Phone}, {"/uid", &r.UID, func(s string) (string, error) { return clean(s, postroom.MaxContactText) }}} {
		if isBlank(*t.value) {
			*t.value = ""
			continue
		}
		value, err := t.read(*t.value)
		if err != nil {
			problems.Add(t.pointer, "%s", err)
		}
		*t.value = value
	}
	return r, problems.Err()
}

func named(what, s string, most int) (string, error) {
	if isBlank(s) {
		return "", fmt.Errorf("%s cannot be empty", what)
	}
	cleaned, err := clean(s, most)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return cleaned, nil
}

// clean takes white space from around a text, and refuses what is too long or cannot be shown.
func clean(s string, most int) (string, error) {
	s = trim(s)
	switch {
	case !utf8.ValidString(s):
		return "", errors.New("the text is not UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", errors.New("control characters, such as line breaks, are not allowed here")
	case utf8.RuneCountInString(s) > most:
		return "", fmt.Errorf("at most %d characters are allowed", most)
	}
	return s, nil
}

func trim(s string) string { return strings.TrimSpace(s) }

func isBlank(s string) bool { return trim(s) == "" }

// cut shortens what is quoted in a message.
func cut(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}
