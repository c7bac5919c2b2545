package store

import (
	"context"
	"database/sql/driver"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// commitStatements are those of Commit, prepared on the writing connection.
type commitStatements struct {
	requestInsert, requestHeld, requestEnd stmt
	requestKeyPut, requestKeyGet           stmt
	sourceHealthPut, sourceHealthDelete    stmt
}

// commitWhole stores a commit, or nothing of it when it is refused. An error ends the transaction.
//
// What may refuse it only reads, so that nothing has to be undone when it does. There is no other writer that could change what was read.
func (w *sqliteWriter) commitWhole(c *wholeCommit) error {
	c.reset()
	contacts, refused, err := w.refuses(c)
	if err != nil || refused {
		return err
	}
	for _, k := range c.keys {
		if _, err := w.requestKeyPut.exec(c.Request.SourceID[:], k.digest[:], c.Request.ID[:]); err != nil {
			return err
		}
	}
	if err := contacts.store(context.Background(), w.querier); err != nil {
		return err
	}
	return w.storeWhole(c)
}

// refuses takes the steps that may refuse a commit.
func (w *sqliteWriter) refuses(c *wholeCommit) (contacts contactBatches, refused bool, err error) {
	if c.claimed() {
		var one [1]driver.Value
		q := c.Request
		held, err := w.requestHeld.row(one[:], q.WorkspaceID[:], q.ID[:], int64(q.Claim))
		if c.Lost = !held; err != nil || c.Lost {
			return nil, true, err
		}
	}
	for _, k := range c.keys {
		if err := w.findRequestKey(c, k); err != nil {
			return nil, true, err
		}
	}
	if c.Taken || len(c.Contacts) == 0 {
		return nil, c.Taken, nil
	}
	b, err := newContactBatch(c.Contacts)
	if err != nil {
		return nil, true, err
	}
	contacts = contactBatches{b}
	c.Stale, err = contacts.fence(context.Background(), w.querier)
	return contacts, c.Stale, err
}

// findRequestKey notes who has a key, if anybody has.
func (w *sqliteWriter) findRequestKey(c *wholeCommit, k requestKey) error {
	source := c.Request.SourceID
	var found [1]driver.Value
	taken, err := w.requestKeyGet.row(found[:], source[:], k.digest[:])
	if err != nil || !taken {
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
