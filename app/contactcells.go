package app

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// ContactColumns are the names of the columns of an export of contacts as CSV. Each declared field has one.
func ContactColumns(fields []postroom.Field) []string {
	columns := []string{"id", "email", "uid", "phone", "first_name", "last_name", "status", "lists", "pending_lists", "tags", "source"}
	for _, f := range fields {
		columns = append(columns, "custom_field."+f.Name)
	}
	return append(columns, "custom_fields", "created_at", "updated_at")
}

// ContactCells are the cells of a contact, as ContactColumns has them. What is imported again from them is the same contact.
func ContactCells(c postroom.Contact, fields []postroom.Field) []string {
	on := map[postroom.MembershipStatus][]string{}
	for _, m := range c.Lists {
		on[m.Status] = append(on[m.Status], m.Name)
	}
	cells := []string{c.ID.String(), c.Email, textOf(c.UID), c.Phone, c.FirstName, c.LastName, string(c.Status), WordsCell(on[postroom.MemberSubscribed]),
		WordsCell(on[postroom.MemberPending]), WordsCell(c.Tags), c.Source}
	others := maps.Clone(c.CustomFields)
	for _, f := range fields {
		cell, plain := fieldCell(f, c.CustomFields[f.Name])
		if plain {
			delete(others, f.Name)
		}
		cells = append(cells, cell)
	}
	rest := ""
	if len(others) > 0 {
		rest = string(customJSON(others))
	}
	return append(cells, rest, c.CreatedAt.String(), c.UpdatedAt.String())
}

// fieldCell is a value of a declared field as a cell. It is not plain if an import would read another value from it.
func fieldCell(f postroom.Field, value json.RawMessage) (cell string, plain bool) {
	if value == nil {
		return "", true
	}
	cell = string(value)
	if payload.KindOf(value) == payload.KindString {
		cell, _ = payload.String(value) // cannot fail: it is a valid string
	}
	if cell == "" || string(cellValue(f.Type, unguarded(strings.TrimSpace(cell)))) != string(value) {
		return "", false
	}
	return cell, true
}

// customJSON is custom fields as an object, sorted by name.
func customJSON(fields map[string]json.RawMessage) []byte {
	dst := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		dst = append(payload.AppendKey(dst, name), fields[name]...)
	}
	return append(dst, '}')
}
