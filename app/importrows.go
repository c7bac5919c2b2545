package app

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// importRow is a row of an import: what is wanted of a contact.
type importRow struct {
	number int64 // from 1, the header of a CSV being 1
	fields postroom.ContactFields
	tags   []string
	lists  []rowList
	faults []postroom.FieldError // why it is refused
}

// rowList is a list that a row names.
type rowList struct {
	name    string // or its id
	pending bool
}

func (r *importRow) fault(pointer, detail string) {
	r.faults = append(r.faults, postroom.FieldError{Pointer: pointer, Detail: detail})
}

// refs are the contacts that a row may mean: by email, else by uid; by phone only where there is neither.
func (r *importRow) refs() (refs []postroom.ContactRef) {
	if email := textOf(r.fields.Email); email != "" {
		refs = append(refs, postroom.ContactRef{Email: email})
	}
	if uid := textOf(r.fields.UID); uid != "" {
		refs = append(refs, postroom.ContactRef{UID: uid})
	}
	if phone := textOf(r.fields.Phone); phone != "" && len(refs) == 0 {
		refs = append(refs, postroom.ContactRef{Phone: phone})
	}
	return refs
}

func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// setText sets a field that holds text. It is false for a name that is none of those.
func (r *importRow) setText(name, text string) bool {
	switch name {
	case "uid":
		r.fields.UID = &text
	case "email":
		r.fields.Email = &text
	case "phone":
		r.fields.Phone = &text
	case "first_name":
		r.fields.FirstName = &text
	case "last_name":
		r.fields.LastName = &text
	case "source":
		r.fields.Source = &text
	case "status":
		status := postroom.ContactStatus(strings.ToLower(text))
		r.fields.Status = &status
	default:
		return false
	}
	return true
}

// importNames are the names of a contact's fields in an import, beside custom_field.NAME.
func importNames() []string {
	return []string{"email", "uid", "phone", "first_name", "last_name", "status", "source", "tags", "lists", "custom_fields"}
}

// notImported are names that an export has, and that say nothing about what a contact is to become.
func notImported() []string { return []string{"id", "created_at", "updated_at"} }

// rowReader gives the rows of a file, one by one. It returns io.EOF after the last; another error ends the import.
type rowReader interface {
	next() (importRow, error)
}

// The forms of imports and exports of contacts.
const (
	FormatCSV    = "csv"
	FormatNDJSON = "ndjson"
)

// newRowReader begins to read a file. What makes no sense as a whole, such as a CSV whose columns are not known, is refused.
func newRowReader(format string, file io.Reader, fields []postroom.Field) (rowReader, error) {
	switch format {
	case FormatCSV:
		return newCSVRows(file, fields)
	case FormatNDJSON:
		return &jsonRows{in: newRecords(file, 0)}, nil
	}
	return nil, postroom.Errorf(postroom.CodeInvalid, "contacts are imported from CSV or NDJSON")
}

var errUTF16 = postroom.Errorf(postroom.CodeUnsupportedMedia, "The file is in UTF-16. Save it as CSV in UTF-8, and import that.")

// withoutMark takes the mark away with which some programs begin a file in UTF-8, and refuses the others' files.
func withoutMark(record []byte) ([]byte, error) {
	if bytes.HasPrefix(record, []byte{0xff, 0xfe}) || bytes.HasPrefix(record, []byte{0xfe, 0xff}) {
		return nil, errUTF16
	}
	return bytes.TrimPrefix(record, []byte("\xef\xbb\xbf")), nil
}

// readable blames what no field can hold. It is false for a record that is not looked into.
func (r *importRow) readable(in *records) bool {
	switch {
	case in.over && in.open:
		r.fault("", "a quote is opened here and never closed, so that the rest of the file is one row")
	case in.over:
		r.fault("", "the row is longer than 262144 bytes")
	case in.open:
		r.fault("", "a quote is opened here and not closed")
	case bytes.IndexByte(in.record, 0) >= 0:
		r.fault("", "the row holds a zero character")
	case !utf8.Valid(in.record):
		r.fault("", "the row is not UTF-8")
	default:
		return true
	}
	return false
}

// endOf is the sentence for a file that broke off.
func endOf(err error) string {
	var known *postroom.Error
	if errors.As(err, &known) {
		return known.Message
	}
	return "The file broke off: its sender went away."
}
