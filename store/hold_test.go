package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testenv"
)

// hold makes all committers wait until release is called, so that what is handed over meanwhile shares a commit.
func (f *fixture) hold() (release func()) {
	f.t.Helper()
	if f.s.dialect == sqlite {
		return f.holdSQLite()
	}
	return f.holdPostgres()
}

func (f *fixture) holdSQLite() (release func()) {
	running, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- f.s.write(context.Background(), func(querier) error {
			close(running)
			<-end
			return nil
		})
	}()
	<-running
	return func() {
		close(end)
		f.must(<-done)
	}
}

// holdPostgres locks the events, and lets each committer run into the lock.
func (f *fixture) holdPostgres() (release func()) {
	f.t.Helper()
	tx, err := f.s.backend.(*postgresStore).pool.Begin(f.ctx)
	f.must(err)
	_, err = tx.Exec(f.ctx, "LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
	f.must(err)
	workspace := f.workspace("holder")
	done := make(chan error, committers)
	for i := range committers {
		go func() {
			done <- f.s.Publish(context.Background(), []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh)})
		}()
		f.eventually(func() error {
			if n := f.number("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation' AND relation = 'events'::regclass"); n != int64(i+1) {
				return fmt.Errorf("%d committers wait, want %d", n, i+1)
			}
			return nil
		})
	}
	return func() {
		f.must(tx.Rollback(context.Background()))
		for range committers {
			f.must(<-done)
		}
	}
}

func (f *fixture) eventually(check func() error) {
	f.t.Helper()
	testenv.Eventually(f.t, 30*time.Second, check)
}

// waiting returns when n writes wait for the committers.
func (f *fixture) waiting(n int) {
	f.t.Helper()
	var ops chan *op
	switch b := f.s.backend.(type) {
	case *sqliteStore:
		ops = b.ops
	case *postgresStore:
		ops = b.ops
	}
	f.eventually(func() error {
		if len(ops) != n {
			return fmt.Errorf("%d writes wait, want %d", len(ops), n)
		}
		return nil
	})
}

// commits are the transactions that the committers made since they were last asked, and the writes that shared them.
func (f *fixture) commits() (commits, ops int64) {
	m := f.s.Metrics()
	return m.Commits.Value(), m.Ops.Value()
}

var errRefused = errors.New("refused by the test")
