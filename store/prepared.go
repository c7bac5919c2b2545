package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// prepared are the named texts that were run on SQLite, each prepared once for a connection: parsing and planning a text costs several
// times what running it does. PostgreSQL needs none: its driver keeps what it has prepared.
type prepared struct {
	conn   conn
	single bool // conn is one connection, so that a statement of which rows are being read cannot be run again

	mu     sync.Mutex
	byName map[string]*preparedText
}

type preparedText struct {
	stmt *sql.Stmt
	busy bool // only of a single connection
}

func newPrepared(c conn, single bool) *prepared {
	return &prepared{conn: c, single: single, byName: map[string]*preparedText{}}
}

// take gives the statement of a named text, and what to call when all its rows are read; nil where the text is to be run as it is.
func (p *prepared) take(ctx context.Context, name, text string) (*preparedText, func(), error) {
	if p == nil {
		return nil, func() {}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.byName[name]
	if t == nil {
		stmt, err := p.conn.PrepareContext(context.WithoutCancel(ctx), text)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		t = &preparedText{stmt: stmt}
		p.byName[name] = t
	}
	switch {
	case !p.single:
		return t, func() {}, nil
	case t.busy:
		return nil, func() {}, nil
	}
	t.busy = true
	return t, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		t.busy = false
	}, nil
}

// close closes the statements.
func (p *prepared) close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, t := range p.byName {
		if closing := t.stmt.Close(); closing != nil {
			err = fmt.Errorf("%s: %w", name, closing)
		}
	}
	clear(p.byName)
	return err
}
