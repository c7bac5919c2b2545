package store

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// traces are what tells of a contact, wherever it stands.
type traces struct {
	Keys   []string `json:"keys"`   // what events name their contact by
	Texts  []string `json:"texts"`  // ids, which nothing else has, in lower case
	Emails []string `json:"emails"` // in lower case
	Phones []string `json:"phones"` // digits
}

// add adds a contact's own. Its phone number may be that of others too.
func (t *traces) add(c postroom.Contact, sharedPhone bool) {
	put := func(list *[]string, s string) {
		if s != "" && !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	id := c.ID.String()
	put(&t.Texts, id)
	for _, key := range []string{id, c.Email, postroom.Fold(c.Email), textOf(c.UID)} {
		put(&t.Keys, key)
	}
	put(&t.Emails, postroom.Fold(c.Email))
	if !sharedPhone {
		put(&t.Keys, c.Phone)
		put(&t.Phones, strings.TrimPrefix(c.Phone, "+"))
	}
}

// in tells whether a text tells of the contact: as it stands, or as a form or JSON may write it.
func (t *traces) in(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	lower := bytes.ToLower(text)
	if t.plainly(lower) {
		return true
	}
	return bytes.ContainsAny(lower, `%\`) && t.plainly(bytes.ToLower(unescape(text)))
}

func (t *traces) plainly(text []byte) bool {
	for _, id := range t.Texts {
		if bytes.Contains(text, []byte(id)) {
			return true
		}
	}
	for _, email := range t.Emails {
		if whole(text, email, isMailByte) {
			return true
		}
	}
	for _, digits := range t.Phones {
		if whole(text, digits, isDigit) {
			return true
		}
	}
	return false
}

// whole looks for a word that is not part of a longer one: another person's address may end, or begin, with this one's.
func whole(text []byte, word string, isPart func(byte) bool) bool {
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte(word))
		if i < 0 {
			return false
		}
		begin, end := at+i, at+i+len(word)
		after := end
		if after < len(text) && text[after] == '.' { // the end of a sentence, or a further part of a domain
			after++
		}
		if (begin == 0 || !isPart(text[begin-1])) && (after == len(text) || !isPart(text[after]) || text[after] == '.') {
			return true
		}
		at = begin + 1
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isMailByte(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= utf8.RuneSelf || strings.IndexByte("._+-", c) >= 0
}

// unescape reads the escapes of JSON and of forms, and leaves what is none.
func unescape(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '%' && i+2 < len(text):
			if v, ok := unhex(text[i+1 : i+3]); ok {
				out, i = append(out, byte(v)), i+2
				continue
			}
		case c == '\\' && i+5 < len(text) && text[i+1] == 'u':
			if v, ok := unhex(text[i+2 : i+6]); ok {
				out, i = utf8.AppendRune(out, v), i+5
				continue
			}
		case c == '\\' && i+1 < len(text):
			if text[i+1] == '/' || text[i+1] == '\\' || text[i+1] == '"' {
				c = text[i+1]
			} else {
				c = ' ' // a line break or the like
			}
			i++
		}
		out = append(out, c)
	}
	return out
}

func unhex(digits []byte) (v rune, ok bool) {
	for _, d := range digits {
		switch {
		case isDigit(d):
			v = v<<4 | rune(d-'0')
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			v = v<<4 | rune(d|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
