package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/postroom/postroom"
)

// An outage is told to publishers in a sentence that names no file, and to the log with the file, the remedy and the cause.
func TestOutageSentences(t *testing.T) {
	e := explained{where: "/data/postroom.db"}
	for _, c := range []struct {
		err  error
		says string // empty when it is no outage
	}{
		{&pgconn.PgError{Code: "53100"}, "The disk that holds the database is full"},
		{&pgconn.PgError{Code: "53300"}, "takes no more connections"},
		{&pgconn.PgError{Code: "25006"}, "cannot be written"},
		{&pgconn.PgError{Code: "28P01"}, "does not let Postroom in"},
		{&pgconn.PgError{Code: "57P01"}, "cannot be reached"},
		{&pgconn.PgError{Code: "08006"}, "cannot be reached"},
		{&pgconn.PgError{Code: "XX001"}, "is damaged"},
		{&pgconn.PgError{Code: "23505"}, ""},
		{&pgconn.PgError{}, ""},
		{fmt.Errorf("commit: %w", io.ErrUnexpectedEOF), "cannot be reached"},
		{fmt.Errorf("commit: %w", context.DeadlineExceeded), "does not answer in time"},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, "cannot be reached"},
		{&os.PathError{Op: "open", Path: "/data", Err: syscall.ENOENT}, ""},
		{context.Canceled, ""},
		{errors.New("a defect"), ""},
		{&postroom.Error{Code: postroom.CodeNotFound, Message: "No."}, ""},
	} {
		got := e.explain(c.err)
		if c.says == "" {
			if !errors.Is(got, c.err) || got.Error() != c.err.Error() {
				t.Errorf("%v became %v", c.err, got)
			}
			continue
		}
		var known *postroom.Error
		if !errors.As(got, &known) || known.Code != postroom.CodeUnavailable || !strings.Contains(known.Message, c.says) || strings.Contains(known.Message, "/data") {
			t.Errorf("%v is told as %v, want a sentence with %q", c.err, known, c.says)
		}
		contains(t, "the log", got.Error(), "/data/postroom.db", c.err.Error())
		if !errors.Is(got, c.err) {
			t.Errorf("the cause is lost: %v", got)
		}
	}
	for code, says := range map[int]string{
		sqlite3.SQLITE_FULL: "is full", sqlite3.SQLITE_IOERR_WRITE: "fails", sqlite3.SQLITE_READONLY_DBMOVED: "cannot be written",
		sqlite3.SQLITE_CANTOPEN: "cannot be opened", sqlite3.SQLITE_CORRUPT_VTAB: "is damaged", sqlite3.SQLITE_NOTADB: "is damaged", sqlite3.SQLITE_CONSTRAINT: "",
	} {
		if got := sqliteTrouble(code).what; (got == "") != (says == "") || !strings.Contains(got, says) {
			t.Errorf("code %d is told as %q, want %q", code, got, says)
		}
	}
	if err := e.explain(nil); err != nil {
		t.Errorf("nil is told as %v", err)
	}
}

// Two pings at any two times write something, so that a disk that is full does not go unnoticed.
func TestPingAlwaysWrites(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		f.must(f.s.Ping(f.ctx, noon()))
		first, err := f.s.Meta(f.ctx, "ping")
		f.must(err)
		f.must(f.s.Ping(f.ctx, noon().Add(1)))
		if second, err := f.s.Meta(f.ctx, "ping"); err != nil || string(second) == string(first) {
			t.Errorf("a nanosecond later the ping stores %q again (%v)", second, err)
		}
	})
}
