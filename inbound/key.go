package inbound

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
)

// maxKey bounds what recognises a duplicate, in bytes; what is longer is hashed.
const maxKey = 200

// setKey finds what tells an item from others, so that one that comes again is recognised. of is how many items the call has.
func (p *Program) setKey(i *Item, of int) {
	by := p.dedupe.By
	if by == postroom.DedupeAuto {
		switch {
		case i.ownKey != "":
			i.Key = key("key", i.ownKey)
			return
		case i.ownID != "":
			by = postroom.DedupeID
		case p.kind != nil && p.kind.in.Dedupe == postroom.DedupeBody:
			by = postroom.DedupeBody
		default:
			i.Key = i.headerKey(of, idHeaders...)
			return
		}
	}
	switch by {
	case postroom.DedupeID:
		i.Key = p.idKey(i)
	case postroom.DedupeHeader:
		i.Key = i.headerKey(of, p.dedupe.Header)
	case postroom.DedupeBody:
		// Of a call with one event, what was sent, so that a form is told from JSON that says the same.
		body := i.Body
		if of == 1 {
			body = i.reading.call.Body
		}
		sum := sha256.Sum256(body)
		i.Key = "body:" + hex.EncodeToString(sum[:])
	default:
		return
	}
	if i.Key == "" {
		i.warn(&Error{postroom.RequestError{Kind: kindMapping, Event: i.Number, Message: "there is no " + p.dedupeWords() + ", so that a duplicate would not be recognised"}})
	}
}

// dedupeWords says what duplicates are recognised by.
func (p *Program) dedupeWords() string {
	switch {
	case p.dedupe.By == postroom.DedupeHeader:
		return "header " + p.dedupe.Header
	case p.dedupePath != nil:
		return "id at " + p.dedupePath.text
	}
	return "id"
}

// idKey is made of the event's id, or of what stands at the path of the source's own choice.
func (p *Program) idKey(i *Item) string {
	if p.dedupePath == nil {
		return key("id", i.ownID)
	}
	text, err := plain(p.dedupePath.find(i.reading.call, i.Body))
	if err != nil {
		return ""
	}
	return key("id", trim(text))
}

// headerKey is made of the first of some headers that is there. Of a call with several events each has its number in it.
func (i *Item) headerKey(of int, names ...string) string {
	for _, name := range names {
		value := trim(i.reading.call.Header.Get(name))
		if value == "" {
			continue
		}
		if of > 1 {
			value = fmt.Sprintf("%s#%d", value, i.Number)
		}
		return key(strings.ToLower(name), value)
	}
	return ""
}

// key writes a key; empty for an empty value.
func key(what, value string) string {
	if value == "" {
		return ""
	}
	if len(value) > maxKey {
		sum := sha256.Sum256([]byte(value))
		value = "sha256:" + hex.EncodeToString(sum[:])
	}
	return what + ":" + utf8Text(value)
}
