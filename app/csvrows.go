package app

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/payload"
)

// csvRows reads the rows of a CSV file (RFC 4180), whose first row names the columns. Values may be separated by commas, semicolons or
// tabs, as the first row shows.
type csvRows struct {
	in      *records
	buffer  *bufio.Reader // of one record
	columns []string      // as importNames has them, "custom_field.NAME", or "" for what is not imported
	types   map[string]postroom.FieldType
}

func newCSVRows(file io.Reader, fields []postroom.Field) (*csvRows, error) {
	c := &csvRows{in: newRecords(file, ','), buffer: bufio.NewReader(nil), types: map[string]postroom.FieldType{}}
	for _, f := range fields {
		c.types[f.Name] = f.Type
	}
	head, _ := c.in.in.Peek(4096) // enough to see the separator; what is wrong is met again
	first, _, _ := bytes.Cut(head, []byte("\n"))
	for _, comma := range []byte{',', ';', '\t'} {
		if bytes.IndexByte(first, comma) >= 0 {
			c.in.comma = comma
			break
		}
	}
	if err := c.in.next(); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, postroom.Errorf(postroom.CodeInvalid, "The file is empty. Its first row names the columns, such as email,first_name.")
		}
		return nil, err
	}
	record, err := withoutMark(c.in.record)
	if err != nil {
		return nil, err
	}
	c.in.record = record
	var row importRow
	if !row.readable(c.in) {
		return nil, postroom.Invalid(postroom.CodeInvalid, "", "the first row, which names the columns, cannot be read: %s", row.faults[0].Detail)
	}
	names, err := c.cells()
	if err != nil {
		return nil, postroom.Invalid(postroom.CodeInvalid, "", "the first row, which names the columns, cannot be read: %s", err)
	}
	err = c.header(names)
	return c, err
}

// header finds out what each column holds.
func (c *csvRows) header(names []string) error {
	var p postroom.Problems
	c.columns = make([]string, len(names))
	for i, name := range names {
		column, known := columnOf(name, c.types)
		pointer := "/" + escapePointer(cutText(name))
		switch {
		case !known:
			p.Add(pointer, "there is no such column; the first row names the columns, which are %s, and custom_field.NAME for your own fields", strings.Join(importNames(), ", "))
		case column != "" && slices.Contains(c.columns[:i], column):
			p.Add(pointer, "two columns are %s", column)
		default:
			c.columns[i] = column
		}
	}
	if err := p.Err(); err != nil {
		return err
	}
	for _, one := range []string{"email", "uid", "phone"} {
		if slices.Contains(c.columns, one) {
			return nil
		}
	}
	return postroom.Invalid(postroom.CodeInvalid, "/email", "a column says who a contact is: email, uid or phone")
}

// columnOf is what a column holds by its heading, as people and other programs write it; empty for one that is not imported.
func columnOf(heading string, types map[string]postroom.FieldType) (column string, known bool) {
	name := strings.TrimSpace(heading)
	for _, prefix := range []string{"custom_field.", "custom_fields.", "custom_field_"} {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return "custom_field." + name[len(prefix):], true
		}
	}
	if _, ok := types[name]; ok && !slices.Contains(importNames(), name) {
		return "custom_field." + name, true
	}
	plain := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(name))
	for _, as := range []struct {
		column string
		names  []string
	}{
		{"", notImported()},
		{"email", []string{"email", "e_mail", "email_address", "mail"}},
		{"uid", []string{"uid", "external_id"}},
		{"phone", []string{"phone", "phone_number", "telephone", "mobile"}},
		{"first_name", []string{"first_name", "firstname", "given_name"}},
		{"last_name", []string{"last_name", "lastname", "surname", "family_name"}},
		{"status", []string{"status"}},
		{"source", []string{"source"}},
		{"tags", []string{"tags", "tag"}},
		{"lists", []string{"lists", "list"}},
		{"pending_lists", []string{"pending_lists"}},
		{"custom_fields", []string{"custom_fields"}},
	} {
		if slices.Contains(as.names, plain) {
			return as.column, true
		}
	}
	return "", false
}

// cells takes the present record apart.
func (c *csvRows) cells() ([]string, error) {
	c.buffer.Reset(bytes.NewReader(c.in.record))
	r := csv.NewReader(c.buffer) // which uses the buffer as it is
	r.Comma, r.FieldsPerRecord = rune(c.in.comma), -1
	cells, err := r.Read()
	var wrong *csv.ParseError
	if errors.As(err, &wrong) {
		return nil, fmt.Errorf("%w (at the row's byte %d)", wrong.Err, wrong.Column)
	}
	return cells, err
}

func (c *csvRows) next() (row importRow, err error) {
	if err := c.in.next(); err != nil {
		return row, err
	}
	row.number = c.in.row
	if !row.readable(c.in) {
		return row, nil
	}
	cells, err := c.cells()
	if err != nil {
		row.fault("", err.Error())
		return row, nil
	}
	if len(cells) != len(c.columns) {
		row.fault("", fmt.Sprintf("the row has %d values, and there are %d columns", len(cells), len(c.columns)))
		return row, nil
	}
	for i, cell := range cells {
		if cell = unguarded(strings.TrimSpace(cell)); cell != "" && c.columns[i] != "" {
			c.set(&row, c.columns[i], cell)
		}
	}
	return row, nil
}

// set sets what a cell says. An empty one says nothing.
func (c *csvRows) set(row *importRow, column, cell string) {
	if row.setText(column, cell) {
		return
	}
	switch column {
	case "tags":
		row.tags = append(row.tags, Words(cell)...)
	case "lists", "pending_lists":
		for _, name := range Words(cell) {
			row.lists = append(row.lists, rowList{name, column == "pending_lists"})
		}
	case "custom_fields":
		row.custom([]byte(cell))
	default:
		name := strings.TrimPrefix(column, "custom_field.")
		if row.fields.CustomFields == nil {
			row.fields.CustomFields = map[string]json.RawMessage{}
		}
		row.fields.CustomFields[name] = cellValue(c.types[name], cell)
	}
}

// cellValue is a cell as the JSON that a field of a type holds; text where it does not look like that.
func cellValue(of postroom.FieldType, cell string) json.RawMessage {
	text := payload.AppendString(nil, cell)
	switch of {
	case postroom.FieldNumber, postroom.FieldJSON:
		if payload.Valid([]byte(cell)) == nil {
			return json.RawMessage(cell)
		}
	case postroom.FieldBoolean:
		switch strings.ToLower(cell) {
		case "true", "yes", "1":
			return json.RawMessage("true")
		case "false", "no", "0":
			return json.RawMessage("false")
		}
	}
	return text
}

// Words takes a cell with several words apart: with commas or semicolons between them, or a JSON array.
func Words(cell string) (words []string) {
	if strings.HasPrefix(cell, "[") && json.Unmarshal([]byte(cell), &words) == nil {
		return words
	}
	words = nil
	for word := range strings.FieldsFuncSeq(cell, func(r rune) bool { return r == ',' || r == ';' }) {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// WordsCell is the cell of a CSV that Words takes apart into these words.
func WordsCell(words []string) string {
	plain := true
	for _, w := range words {
		plain = plain && w != "" && strings.TrimSpace(w) == w && !strings.ContainsAny(w, ",;") && !strings.HasPrefix(w, "[")
	}
	if plain {
		return strings.Join(words, ",")
	}
	text, err := json.Marshal(words)
	if err != nil { // cannot be: they are strings
		panic(err)
	}
	return string(text)
}

// unguarded takes the apostrophe away that an export puts before what a spreadsheet would run.
func unguarded(cell string) string {
	if len(cell) > 1 && cell[0] == '\'' && strings.ContainsRune("=+-@\t\r\n", rune(cell[1])) {
		return cell[1:]
	}
	return cell
}

// cutText cuts a text for use in a pointer.
func cutText(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
