package app

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxRecord is how many bytes a row of an import has at most.
const maxRecord = 256 << 10

// records cuts a file into records: lines, or those of CSV, in which quoted values may hold the ends of lines. A record that is too long is
// skipped up to its end and not kept, so that one without end does not fill the memory.
type records struct {
	in     *bufio.Reader
	comma  byte // of CSV; 0 where a quote means nothing
	row    int64
	record []byte // with the end of its line; valid until the next call of next
	over   bool   // it is too long, and cut
	open   bool   // the file ends within a quoted value
}

func newRecords(file io.Reader, comma byte) *records {
	return &records{in: bufio.NewReaderSize(file, 64<<10), comma: comma}
}

// next reads the next record that is not blank. It returns io.EOF after the last one. A record that the file breaks off in, with another
// error, is no record.
func (r *records) next() error {
	for {
		if err := r.read(); err != nil {
			return err
		}
		r.row++
		if r.over || len(bytes.TrimSpace(r.record)) > 0 {
			return nil
		}
	}
}

func (r *records) read() error {
	r.record, r.over, r.open = r.record[:0], false, false
	begins, quoted, closed := true, false, false // a value begins here; it is quoted; its last quote may be its end
	for n := 0; ; n++ {
		c, err := r.in.ReadByte()
		if errors.Is(err, io.EOF) && n > 0 {
			r.open = quoted
			r.keep('\n')
			return nil
		}
		if err != nil {
			return err
		}
		r.keep(c)
		switch {
		case quoted:
			quoted, closed = c != '"', c == '"'
		case c == '"' && (closed || begins && r.comma != 0):
			quoted, closed = true, false
		case c == '\n':
			return nil
		default:
			closed = false
		}
		begins = c == r.comma && !quoted
	}
}

func (r *records) keep(c byte) {
	if r.over = r.over || len(r.record) >= maxRecord; !r.over {
		r.record = append(r.record, c)
	}
}
