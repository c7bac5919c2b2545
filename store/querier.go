package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/postroom/postroom"
)

// conn is what a *sql.DB, a *sql.Conn and a *sql.Tx have in common.
type conn interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// querier runs the named texts on a connection.
type querier struct {
	conn
	texts    map[string]string
	prepared *prepared // nil for none
}

func (q querier) text(name string) (string, error) {
	text, ok := q.texts[name]
	if !ok {
		return "", fmt.Errorf("there is no SQL named %q", name)
	}
	return text, nil
}

// brief is the context of a look-up that costs some microseconds on SQLite, where giving it up would cost more than ending it:
// for each statement that may be given up two goroutines wait. On PostgreSQL it is the caller's, since a network may hang.
func (q querier) brief(ctx context.Context) context.Context {
	if q.prepared == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// exec runs a named text and says how many rows it touched.
func (q querier) exec(ctx context.Context, name string, args ...any) (int64, error) {
	text, err := q.text(name)
	if err != nil {
		return 0, err
	}
	ready, done, err := q.prepared.take(ctx, name, text)
	if err != nil {
		return 0, err
	}
	defer done()
	var res sql.Result
	if ready != nil {
		res, err = ready.stmt.ExecContext(ctx, args...)
	} else {
		res, err = q.ExecContext(ctx, text, args...)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return res.RowsAffected()
}

// execEach runs a named text once for each row of arguments.
func (q querier) execEach(ctx context.Context, name string, rows [][]any) (err error) {
	text, err := q.text(name)
	if err != nil || len(rows) == 0 {
		return err
	}
	if q.prepared != nil {
		for _, args := range rows {
			if _, err := q.exec(ctx, name, args...); err != nil {
				return err
			}
		}
		return nil
	}
	once, err := q.PrepareContext(ctx, text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() { err = errors.Join(err, once.Close()) }()
	for _, args := range rows {
		if _, err := once.ExecContext(ctx, args...); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// each runs a named text and calls scan for each row; scan reads the row with its argument.
func (q querier) each(ctx context.Context, name string, scan func(row func(dest ...any) error) error, args ...any) (err error) {
	text, err := q.text(name)
	if err != nil {
		return err
	}
	ready, done, err := q.prepared.take(ctx, name, text)
	if err != nil {
		return err
	}
	defer done()
	if ready == nil {
		return q.eachText(ctx, name, text, scan, args...)
	}
	rows, err := ready.stmt.QueryContext(ctx, args...)
	return eachRow(name, rows, err, scan)
}

// eachText does the same with a text that has no name of its own.
func (q querier) eachText(ctx context.Context, name, text string, scan func(row func(dest ...any) error) error, args ...any) (err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	return eachRow(name, rows, err, scan)
}

func eachRow(name string, rows *sql.Rows, err error, scan func(row func(dest ...any) error) error) (failed error) {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() {
		if closing := rows.Close(); failed == nil && closing != nil {
			failed = fmt.Errorf("%s: %w", name, closing)
		}
	}()
	for rows.Next() {
		if err := scan(rows.Scan); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// one runs a named text that finds one row at most, and reports errNoRow when it finds none.
func (q querier) one(ctx context.Context, name string, dest []any, args ...any) error {
	found := false
	err := q.each(ctx, name, func(row func(...any) error) error {
		if found {
			return nil
		}
		found = true
		return row(dest...)
	}, args...)
	if err == nil && !found {
		return errNoRow
	}
	return err
}

var errNoRow = errors.New("no row")

// notFound turns errNoRow into the error that people meet.
func notFound(err error, what, ref string) error {
	if errors.Is(err, errNoRow) {
		return postroom.Errorf(postroom.CodeNotFound, "There is no %s %q in this workspace.", what, ref)
	}
	return err
}
