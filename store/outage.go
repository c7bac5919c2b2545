package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/postroom/postroom"
)

// trouble is what is wrong with the database itself, as opposed to with a call.
type trouble struct {
	what   string // for publishers and operators: a sentence, but for its capital and full stop; it names no file and no host
	remedy string // what an operator does about it
}

// outage is an error of a database that is in trouble. People see the sentence (it is a *postroom.Error with CodeUnavailable), and
// the log also what to do and what the database said.
type outage struct {
	trouble
	where string // the file, or the kind of the database
	err   error
}

func (o *outage) Error() string {
	return fmt.Sprintf("%s (%s): %s: %v", o.what, o.where, o.remedy, o.err)
}

func (o *outage) Unwrap() []error {
	// All of this passes by itself, or once somebody has seen to it.
	sentence := strings.ToUpper(o.what[:1]) + o.what[1:] + ". Try again later."
	return []error{&postroom.Error{Code: postroom.CodeUnavailable, Message: sentence}, o.err}
}

// explained is a backend whose errors tell what is wrong with the database, if anything is.
type explained struct {
	backend
	where string
}

func (e explained) explain(err error) error {
	if err == nil {
		return nil
	}
	var known *postroom.Error
	if errors.As(err, &known) {
		return err
	}
	if t := troubleOf(err); t.what != "" {
		return &outage{t, e.where, err}
	}
	return err
}

// named says which database an error is about, if explain does not.
func named(database string, err error) error {
	if troubleOf(err).what != "" {
		return err
	}
	return fmt.Errorf("%s: %w", database, err)
}

func (e explained) read(ctx context.Context, f func(q querier) error) error {
	return e.explain(e.backend.read(ctx, f))
}

func (e explained) write(ctx context.Context, f func(q querier) error) error {
	return e.explain(e.backend.write(ctx, f))
}

func (e explained) publish(ctx context.Context, pubs []*postroom.Publication) error {
	return e.explain(e.backend.publish(ctx, pubs))
}

func (e explained) finish(ctx context.Context, fins []*postroom.Finish) error {
	return e.explain(e.backend.finish(ctx, fins))
}

func (e explained) commitWhole(ctx context.Context, c *wholeCommit) error {
	return e.explain(e.backend.commitWhole(ctx, c))
}

func (e explained) claim(ctx context.Context, c claim) ([]*postroom.Job, error) {
	jobs, err := e.backend.claim(ctx, c)
	return jobs, e.explain(err)
}

func (e explained) setDue(ctx context.Context, changes []dueChange) error {
	return e.explain(e.backend.setDue(ctx, changes))
}

func (e explained) expire(ctx context.Context, before time.Time, progress func(rows int64)) error {
	return e.explain(e.backend.expire(ctx, before, progress))
}

func (e explained) maintain(ctx context.Context, now time.Time) error {
	return e.explain(e.backend.maintain(ctx, now))
}

func (e explained) info(ctx context.Context) (Info, error) {
	info, err := e.backend.info(ctx)
	return info, e.explain(err)
}

// troubleOf tells what is wrong with the database; the zero trouble when it is well, and the error has another cause.
func troubleOf(err error) trouble {
	var lite *driver.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &lite):
		return sqliteTrouble(lite.Code())
	case errors.As(err, &pg):
		return postgresTrouble(pg.Code)
	case errors.Is(err, context.Canceled):
		return trouble{} // somebody gave up, or the server stops
	case errors.Is(err, context.DeadlineExceeded):
		return trouble{"the database does not answer in time", "look at what it is busy with"}
	case isLost(err):
		return trouble{"the database cannot be reached", "see whether it runs, and whether this machine can connect to it"}
	}
	return trouble{}
}

// sqliteTrouble is about SQLite's result codes, extended or not.
func sqliteTrouble(code int) trouble {
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return trouble{"the disk that holds the database is full", "free some space; it goes on by itself"}
	case sqlite3.SQLITE_IOERR:
		return trouble{"the disk that holds the database fails", "look at the system's log, and at quotas and limits"}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return trouble{"the database cannot be written", "look at the permissions of the file and of its folder, and whether their file system is mounted read-only"}
	case sqlite3.SQLITE_CANTOPEN:
		return trouble{"the database cannot be opened", "look at the permissions of the file, of those beside it (-wal, -shm) and of their folder"}
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return trouble{"the database file is damaged", "stop the server and restore a backup, or try `sqlite3 FILE .recover`"}
	}
	return trouble{}
}

// postgresTrouble is about the codes of PostgreSQL (its manual, appendix A).
func postgresTrouble(code string) trouble {
	switch {
	case code == "53100":
		return trouble{"the disk that holds the database is full", "free some space; it goes on by itself"}
	case code == "53200":
		return trouble{"the database is out of memory", "look at what else it does"}
	case code == "53300":
		return trouble{"the database takes no more connections", "raise its max_connections, or run fewer nodes"}
	case code == "25006":
		return trouble{"the database cannot be written", "it is a standby, or was set to be read-only"}
	case code == "58030":
		return trouble{"the disk that holds the database fails", "look at the log of PostgreSQL"}
	case code == "XX001", code == "XX002":
		return trouble{"the database is damaged", "look at the log of PostgreSQL, and restore a backup"}
	case code[:min(2, len(code))] == "28":
		return trouble{"the database does not let Postroom in", "look at the user and the password in --database, and at pg_hba.conf"}
	case code[:min(3, len(code))] == "57P", code[:min(2, len(code))] == "08", code == idleTooLong:
		return trouble{"the database cannot be reached", "it is starting or stopping, or has ended the connection; it goes on by itself"}
	}
	return trouble{}
}

// isLost tells that there is no connection, or none any more.
func isLost(err error) bool {
	var connecting *pgconn.ConnectError
	var network *net.OpError
	return errors.As(err, &connecting) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
