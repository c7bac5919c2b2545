package store

import (
	"context"
	"database/sql"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// checkpointEvery is how often the checkpointer looks at the log.
	checkpointEvery = 100 * time.Millisecond
	// checkpointPages is how many pages of the log are worth copying back: the more there are, the more of them are newer
	// versions of the same page, which is copied once.
	checkpointPages = 4000
	// checkpointRest is how few pages are left to the committer.
	checkpointRest = 400
	// checkpointRounds bounds how often the checkpointer copies what was written while it copied.
	checkpointRounds = 3
)

// checkpointer copies the write-ahead log back into the database file beside the committer, which would otherwise do that inside a
// commit, and have all publishers wait for it. It gets ever closer to the end of a log that grows meanwhile, and never quite there;
// but only when all is copied does SQLite write the log from its start again. So the committer copies the last few pages, between two
// commits, when the checkpointer asks for it. (https://sqlite.org/wal.html, "Avoiding Excessively Large WAL Files")
//
// When it cannot do its work, the log grows up to wal_autocheckpoint, and then SQLite copies it back in a commit.
type checkpointer struct {
	db     *sql.DB // of one connection
	log    *slog.Logger
	nearby atomic.Bool // there is so little left that the committer should copy it
	failed bool        // the last tick did
}

// newCheckpointer makes one for the database of a driver's name for it.
func newCheckpointer(ctx context.Context, name string, log *slog.Logger) (*checkpointer, error) {
	db, err := sql.Open("sqlite", name+"?_pragma=synchronous(full)&_pragma=busy_timeout(10000)&_pragma=journal_size_limit(134217728)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &checkpointer{db: db, log: log}, db.PingContext(ctx)
}

// run works until ctx ends.
func (c *checkpointer) run(ctx context.Context) {
	ticker := time.NewTicker(checkpointEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := c.tick(ctx)
		if err != nil && !c.failed && ctx.Err() == nil {
			c.log.Warn("the write-ahead log could not be copied into the database; trying again", "error", err)
		}
		c.failed = err != nil
	}
}

func (c *checkpointer) tick(ctx context.Context) error {
	left, err := checkpoint(ctx, c.db, "noop")
	if err != nil || left < checkpointPages {
		return err
	}
	for round := 0; round < checkpointRounds && left > checkpointRest; round++ {
		if _, err := checkpoint(ctx, c.db, "passive"); err != nil {
			return err
		}
		if left, err = checkpoint(ctx, c.db, "noop"); err != nil {
			return err
		}
	}
	c.nearby.Store(left < checkpointPages) // else somebody still reads an old state, which the log must keep
	return nil
}

// finish copies what is left, if the checkpointer wants that. Only the committer calls it, between two commits.
func (c *checkpointer) finish(conn *sql.Conn) {
	if !c.nearby.Swap(false) {
		return
	}
	if _, err := checkpoint(context.Background(), conn, "passive"); err != nil {
		c.log.Warn("the end of the write-ahead log could not be copied into the database; trying again", "error", err)
	}
}

// rowQuerier is a *sql.DB or a *sql.Conn.
type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// checkpoint runs a checkpoint of a mode, which never waits for readers or writers, and says how many pages of the log are not copied
// back; "noop" only looks.
func checkpoint(ctx context.Context, q rowQuerier, mode string) (left int64, err error) {
	var busy, pages, copied int64
	err = q.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &copied)
	return pages - copied, err
}
