package app

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// jsonRows reads rows that are a JSON object a line: a contact as the API and an export show it. Lists may also be names.
type jsonRows struct{ in *records }

func (j *jsonRows) next() (row importRow, err error) {
	if err := j.in.next(); err != nil {
		return row, err
	}
	row.number = j.in.row
	if row.number == 1 {
		if j.in.record, err = withoutMark(j.in.record); err != nil {
			return row, err
		}
	}
	if !row.readable(j.in) {
		return row, nil
	}
	line := bytes.Clone(bytes.TrimSpace(j.in.record)) // values are parts of it
	if err := payload.Valid(line); err != nil {
		row.fault("", err.Error())
		return row, nil
	}
	if kind := payload.KindOf(line); kind != payload.KindObject {
		row.fault("", "a row is a JSON object; this is "+kind.String())
		return row, nil
	}
	seen := map[string]bool{}
	_ = payload.Members(line, func(k, raw []byte) error { // cannot fail: it is a valid object
		key := string(k)
		if seen[key] {
			row.fault("/"+escapePointer(cutText(key)), "is there twice")
			return nil
		}
		seen[key] = true
		row.member(key, raw)
		return nil
	})
	return row, nil
}

// member sets what a member says. One that is null says nothing.
func (r *importRow) member(key string, raw []byte) {
	kind := payload.KindOf(raw)
	if kind == payload.KindNull || slices.Contains(notImported(), key) {
		return
	}
	pointer := "/" + escapePointer(cutText(key))
	switch key {
	case "tags":
		r.tags = r.words(raw, pointer)
	case "lists":
		r.memberships(raw, pointer)
	case "custom_fields":
		r.custom(raw)
	default:
		if !r.setText(key, "") {
			r.fault(pointer, "there is no such field; the fields are "+strings.Join(importNames(), ", "))
			return
		}
		text, err := payload.String(raw)
		if kind != payload.KindString || err != nil {
			r.fault(pointer, "must be a string; it is "+kind.String())
			return
		}
		r.setText(key, text)
	}
}

// words reads an array of strings.
func (r *importRow) words(raw []byte, pointer string) (words []string) {
	if kind := payload.KindOf(raw); kind != payload.KindArray {
		r.fault(pointer, "must be an array; it is "+kind.String())
		return nil
	}
	n := 0
	_ = payload.Elements(raw, func(raw []byte) error { // cannot fail: it is a valid array
		if word, err := payload.String(raw); payload.KindOf(raw) == payload.KindString && err == nil {
			words = append(words, word)
		} else {
			r.fault(pointer+"/"+strconv.Itoa(n), "must be a string; it is "+payload.KindOf(raw).String())
		}
		n++
		return nil
	})
	return words
}

// memberships reads an array of lists: names, or objects as a contact has them. One that the contact has left is left out.
func (r *importRow) memberships(raw []byte, pointer string) {
	if kind := payload.KindOf(raw); kind != payload.KindArray {
		r.fault(pointer, "must be an array; it is "+kind.String())
		return
	}
	n := 0
	_ = payload.Elements(raw, func(raw []byte) error { // cannot fail: it is a valid array
		at := pointer + "/" + strconv.Itoa(n)
		n++
		if payload.KindOf(raw) == payload.KindString {
			name, _ := payload.String(raw) // cannot fail: it is a valid string
			r.lists = append(r.lists, rowList{name: name})
			return nil
		}
		m, ok := membershipOf(raw)
		if !ok {
			r.fault(at, `must be the name of a list, or an object such as {"name":"Newsletter","status":"subscribed"}`)
			return nil
		}
		if m.Status != postroom.MemberUnsubscribed {
			r.lists = append(r.lists, rowList{m.Name, m.Status == postroom.MemberPending})
		}
		return nil
	})
}

// custom reads an object with the values of custom fields.
func (r *importRow) custom(raw []byte) {
	const pointer = "/custom_fields"
	if payload.Valid(raw) != nil || payload.KindOf(raw) != payload.KindObject {
		r.fault(pointer, "must be a JSON object")
		return
	}
	if r.fields.CustomFields == nil {
		r.fields.CustomFields = map[string]json.RawMessage{}
	}
	_ = payload.Members(raw, func(k, raw []byte) error { // cannot fail: it is a valid object
		r.fields.CustomFields[string(k)] = bytes.Clone(raw)
		return nil
	})
}

// membershipOf reads a membership; false for what is none.
func membershipOf(raw []byte) (m postroom.Membership, ok bool) {
	var given struct {
		Name   string
		Status postroom.MembershipStatus
	}
	err := json.Unmarshal(raw, &given)
	return postroom.Membership{Name: given.Name, Status: given.Status}, err == nil && given.Name != "" && payload.KindOf(raw) == payload.KindObject
}
