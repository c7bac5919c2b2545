package inbound

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/nearest"
	"github.com/postroom/postroom/payload"
)

// maxMade bounds what the rows make of a call, in bytes, all items together.
const maxMade = 64 << 20

// ContactDraft is what an event says of its contact.
type ContactDraft struct {
	Ref    postroom.ContactRef // email, uid and phone, as far as they are known
	Fields postroom.ContactFields
	Lists  []string // names, or ids of this workspace's lists
	Tags   []string
}

// RowTrace is what a row of a mapping did with an item, for showing it beside the input.
type RowTrace struct {
	Row     int    // from 1
	Action  int    // from 1; 0 for a row of the source's mapping
	Applies bool   // its condition held
	From    []byte // what it found, as JSON; nil for nothing
	To      []byte // what it made of that; nil for nothing
}

// put sets a target. Nothing is done for a value that is missing; the error is a clause.
func (i *Item) put(t *target, raw []byte) error {
	if raw == nil {
		return nil
	}
	switch t.kind {
	case toField:
		return i.putField(t, raw)
	case toStatus:
		return i.putStatus(t, raw)
	case toList:
		return i.putList(t, raw)
	case toID:
		return i.putID(raw)
	case toTime:
		if isEmpty(raw) {
			return nil
		}
		at, err := timeOf(raw)
		if err == nil {
			i.Time = at
		}
		return err
	case toType:
		text, err := plain(raw)
		if text = trim(text); err == nil && text != "" {
			i.Name = text
		}
		return err
	case toKey:
		text, err := plain(raw)
		i.ownKey = trim(text)
		return err
	case toWhole:
		if !isMissing(raw) {
			i.data = dataOf(raw)
		}
		return nil
	default: // toData, toCustomField
		i.data.set(t.path, raw)
		return nil
	}
}

// bodyData is the item itself as an event's data: see dataOf.
func (i *Item) bodyData() *object {
	if payload.KindOf(i.Body) == payload.KindObject {
		return i.opened().copied()
	}
	return dataOf(i.Body)
}

// dataOf is an object as an event's data, or the object {"body": …} of any other value.
func dataOf(raw []byte) *object {
	if payload.KindOf(raw) == payload.KindObject {
		return openObject(raw)
	}
	o := &object{}
	o.set([]string{"body"}, raw)
	return o
}

// plain is a value as text; of a list with one element, that one.
func plain(raw []byte) (string, error) {
	if payload.KindOf(raw) == payload.KindArray {
		var only []byte
		n := 0
		_ = payload.Elements(raw, func(element []byte) error { only = element; n++; return nil }) // it was checked before
		if n > 1 {
			return "", fmt.Errorf("there are %d values, and one text is wanted: join them, or choose one as in items[0]", n)
		}
		raw = only
	}
	text, err := textOf(raw)
	return strings.ToValidUTF8(text, "\uFFFD"), err
}

func (i *Item) putField(t *target, raw []byte) error {
	if isMissing(raw) {
		return nil
	}
	text, err := plain(raw)
	if err != nil {
		return err
	}
	switch t.path[len(t.path)-1] {
	case "email", "uid", "phone": // who the contact is: an empty text says nothing
		if text = trim(text); text == "" {
			return nil
		}
	}
	i.data.set(t.path, jsonText(text))
	return nil
}

func (i *Item) putStatus(t *target, raw []byte) error {
	text, err := plain(raw)
	if text = strings.ToLower(trim(text)); err != nil || text == "" {
		return err
	}
	if err := checkStatus(text); err != nil {
		return err
	}
	i.data.set(t.path, jsonText(text))
	return nil
}

func checkStatus(text string) error {
	var names []string
	for _, s := range postroom.ContactStatuses() {
		names = append(names, string(s))
	}
	if !slices.Contains(names, text) {
		return fmt.Errorf("there is no status %q%s; there are %s", shown([]byte(text)), nearest.Hint(text, names), strings.Join(names, ", "))
	}
	return nil
}

// putList sets lists or tags: a text is one of them, a list is several.
func (i *Item) putList(t *target, raw []byte) error {
	names, err := namesIn(raw)
	if err != nil {
		return err
	}
	list := []byte{'['}
	for _, name := range names {
		list = payload.AppendString(payload.AppendComma(list), name)
	}
	i.data.set(t.path, append(list, ']'))
	return nil
}

// namesIn are the texts in a value, each once: of a text itself, of a list its elements, of an object its name.
func namesIn(raw []byte) (names []string, err error) {
	add := func(text string) {
		if text = trim(text); text != "" && !slices.Contains(names, text) {
			names = append(names, text)
		}
	}
	var each func(raw []byte, inside bool) error
	each = func(raw []byte, inside bool) error {
		switch payload.KindOf(raw) {
		case payload.KindArray:
			if inside {
				return errors.New("a list in a list is no name")
			}
			return payload.Elements(raw, func(element []byte) error { return each(element, true) })
		case payload.KindObject:
			o := openObject(raw)
			name := o.get("name")
			if isMissing(name) {
				return nil // an id alone is that of the sender's own list
			}
			text, err := textOf(name)
			add(text)
			return err
		}
		text, err := textOf(raw)
		add(text)
		return err
	}
	err = each(raw, false)
	return names, err
}

// putID sets the event's own id, if it can be one; else it only serves to recognise duplicates.
func (i *Item) putID(raw []byte) error {
	text, err := plain(raw)
	if text = trim(text); err != nil || text == "" {
		return err
	}
	i.ownID, i.ID = text, text
	if err := postroom.CheckEventUID(text); err != nil {
		i.ID = ""
	}
	return nil
}

// warn notes something that does not keep the item from being used.
func (i *Item) warn(e *Error) { i.Warnings = append(i.Warnings, postroom.RequestNote(e.RequestError)) }

func (i *Item) trace(t RowTrace) {
	if i.reading.explain && t.Row > 0 {
		i.Rows = append(i.Rows, t)
	}
}

// finish writes what the item has become: its data, and its contact.
func (i *Item) finish() {
	i.Data = i.data.append(nil)
	i.Contact = contactOf(i.data.get("contact"))
}

// contactOf reads the contact of an event's data. What is not as it should be is left out: the catalogue's schema says what should be.
func contactOf(raw []byte) (d ContactDraft) {
	if payload.KindOf(raw) != payload.KindObject {
		return d
	}
	o := openObject(raw)
	text := func(name string) *string {
		switch v := o.get(name); payload.KindOf(v) {
		case payload.KindString, payload.KindNumber:
			if s, err := textOf(v); err == nil {
				return &s
			}
		}
		return nil
	}
	f := &d.Fields
	f.UID, f.Email, f.Phone, f.FirstName, f.LastName, f.Source = text("uid"), text("email"), text("phone"), text("first_name"), text("last_name"), text("source")
	for _, key := range []**string{&f.UID, &f.Email, &f.Phone} {
		if *key != nil && trim(**key) == "" {
			*key = nil
		}
	}
	if s := text("status"); s != nil && checkStatus(*s) == nil {
		status := postroom.ContactStatus(*s)
		f.Status = &status
	}
	if fields := o.get("custom_fields"); payload.KindOf(fields) == payload.KindObject {
		for _, m := range openObject(fields).members {
			if f.CustomFields == nil {
				f.CustomFields = map[string]json.RawMessage{}
			}
			f.CustomFields[m.key] = m.raw
		}
	}
	if v := o.get("lists"); v != nil {
		d.Lists, _ = namesIn(v)
	}
	if v := o.get("tags"); v != nil {
		d.Tags, _ = namesIn(v)
	}
	d.Ref = refOf(f, text("id"))
	return d
}

// refOf tells which contact is meant. An id counts only where nothing else does, since it is mostly the sender's.
func refOf(f *postroom.ContactFields, id *string) (ref postroom.ContactRef) {
	if f.Email != nil {
		ref.Email = *f.Email
	}
	if f.UID != nil {
		ref.UID = *f.UID
	}
	if f.Phone != nil {
		ref.Phone = *f.Phone
	}
	if ref == (postroom.ContactRef{}) && id != nil {
		if own, err := postroom.ParseID[postroom.ContactKind](*id); err == nil {
			ref.ID = own
		}
	}
	return ref
}
