package store

import (
	"context"
	"database/sql/driver"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// commitStatements are those of Commit, prepared on the writing connection.
type commitStatements struct {
	savepoint, backTo, release             stmt
	requestInsert, requestHeld, requestEnd stmt
	requestKeyPut, requestKeyGet           stmt
	sourceHealthPut, sourceHealthDelete    stmt
}

// commitWhole stores a commit, or nothing of it when it is refused. An error ends the transaction.
//
// Only what was written before a refusal must be undone. A commit with one key and no contacts, which is the usual one, is refused
// before it has written anything, and needs no savepoint.
func (w *sqliteWriter) commitWhole(c *wholeCommit) error {
	c.reset()
	undo := len(c.keys) > 1 || len(c.Contacts) > 0
	if undo {
		if _, err := w.savepoint.exec(); err != nil {
			return err
		}
	}
	refused, err := w.refuses(c)
	if err != nil {
		return err
	}
	if undo {
		if refused {
			if _, err := w.backTo.exec(); err != nil {
				return err
			}
		}
		if _, err := w.release.exec(); err != nil {
			return err
		}
	}
	if refused {
		return nil
	}
	return w.storeWhole(c)
}

// refuses takes the steps that may refuse a commit.
func (w *sqliteWriter) refuses(c *wholeCommit) (bool, error) {
	if c.claimed() {
		var one [1]driver.Value
		q := c.Request
		held, err := w.requestHeld.row(one[:], q.WorkspaceID[:], q.ID[:], int64(q.Claim))
		if c.Lost = !held; err != nil || c.Lost {
			return true, err
		}
	}
	for _, k := range c.keys {
		if err := w.takeRequestKey(c, k); err != nil {
			return true, err
		}
	}
	if c.Taken || len(c.Contacts) == 0 {
		return c.Taken, nil
	}
	var err error
	c.Stale, err = writeContacts(context.Background(), w.querier, c.Contacts)
	return c.Stale, err
}

// takeRequestKey takes a key for the commit's request, or notes who has it.
func (w *sqliteWriter) takeRequestKey(c *wholeCommit, k requestKey) error {
	source := c.Request.SourceID
	took, err := w.requestKeyPut.exec(source[:], k.digest[:], c.Request.ID[:])
	if err != nil || took > 0 {
		return err
	}
	var found [1]driver.Value
	if _, err := w.requestKeyGet.row(found[:], source[:], k.digest[:]); err != nil {
		return err
	}
	var by postroom.RequestID
	if err := by.Scan(found[0]); err != nil {
		return err
	}
	c.takenBy(k, by)
	return nil
}

// storeWhole writes what nothing can refuse any more.
func (w *sqliteWriter) storeWhole(c *wholeCommit) error {
	if c.Request != nil {
		if err := w.putRequest(c); err != nil {
			return err
		}
		w.rollups.addRequest(c.Request)
	}
	for _, p := range c.Publications {
		if err := w.publish(p); err != nil {
			return err
		}
	}
	if c.Health != nil {
		if err := w.putSourceHealth(c); err != nil {
			return err
		}
	}
	if len(c.Audit) > 0 {
		if err := writeAudit(context.Background(), w.querier, c.Audit); err != nil {
			return err
		}
	}
	failpoint.Hit(failpoint.CommitInTransaction)
	return nil
}

func (w *sqliteWriter) putRequest(c *wholeCommit) error {
	q := c.Request
	if c.claimed() {
		_, err := w.requestEnd.exec(q.WorkspaceID[:], q.ID[:], int64(q.Claim), int64(q.State), due(q), int64(q.Attempts), textOrNull(storable(q.EventType)),
			int64(q.Records), q.Duration.Microseconds(), int64(q.Status), bytesOrNull(c.log), answerOf(q))
		return err
	}
	var from driver.Value
	if q.ResentFrom != nil {
		from = q.ResentFrom[:]
	}
	_, err := w.requestInsert.exec(q.ID[:], q.WorkspaceID[:], q.SourceID[:], int64(q.State), int64(0), due(q), int64(q.Attempts),
		textOrNull(storable(q.EventType)), textOrNull(storable(q.Sender)), micros(q.At), int64(q.Records), q.Duration.Microseconds(), int64(q.Status),
		from, storable(q.Method), storable(q.Target), c.headers, bytesOrNull(c.log), answerOf(q), bytesOrNull(q.Body))
	return err
}

func (w *sqliteWriter) putSourceHealth(c *wholeCommit) error {
	source, workspace := c.Request.SourceID, c.Request.WorkspaceID
	if c.Health.Failures == 0 {
		_, err := w.sourceHealthDelete.exec(workspace[:], source[:])
		return err
	}
	_, err := w.sourceHealthPut.exec(source[:], workspace[:], int64(c.Health.Failures), micros(c.Health.FailingSince.Time), boolInt(c.Health.Told))
	return err
}
