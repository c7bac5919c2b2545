package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/postroom/postroom"
)

// commitWhole stores a commit, or nothing of it when it is refused. One with many contacts, as of an import, or with audit entries has a
// transaction of its own, so that calls do not wait for it.
func (s *postgresStore) commitWhole(_ context.Context, c *wholeCommit) error {
	if len(c.Contacts) <= fewContacts && len(c.Audit) == 0 {
		return s.submit(&op{whole: c})
	}
	node := s.node // not a committer's: its statistics would wait for theirs
	node[len(node)-1] ^= byte(committers + s.alone.Add(1)%aloneNodes)
	began := time.Now()
	work := postgresBatch{node: node, wholes: []*wholeCommit{c}}
	err := guarded(func() error { return s.attemptCommit(work) })
	if noPartition(err) {
		err = s.commitOnNewDay(work)
	}
	if err != nil {
		s.metrics.failed()
		return err
	}
	s.metrics.committed(1, time.Since(began))
	return nil
}

const (
	// fewContacts is how many contacts a commit may have that shares a transaction.
	fewContacts = 20
	// aloneNodes is in how many rows of the statistics those commits count that have a transaction of their own. One row has one writer
	// at a time.
	aloneNodes = 8
)

// apart takes those ops that can be stored in one transaction: of commits that are about the same, only the first.
func apart(batch []*op) (now, later []*op) {
	seen := map[about]bool{}
	for i, o := range batch {
		var own []about
		if o.whole != nil {
			own = o.whole.about
		}
		if slices.ContainsFunc(own, func(a about) bool { return seen[a] }) {
			if later == nil {
				now = slices.Clone(batch[:i])
			}
			later = append(later, o)
			continue
		}
		for _, a := range own {
			seen[a] = true
		}
		if later != nil {
			now = append(now, o)
		}
	}
	if later == nil {
		return batch, nil
	}
	return now, later
}

// errNotAll ends a try to commit in which a commit was refused: the next one is without it.
var errNotAll = errors.New("a commit of the batch was refused")

// withoutRefused leaves out what was refused, and notes of a commit of which one publication is stale that all of them are.
func (w postgresBatch) withoutRefused() postgresBatch {
	w.pubs = dropStale(w.pubs)
	w.wholes = slices.DeleteFunc(slices.Clone(w.wholes), func(c *wholeCommit) bool {
		if c.Stored() {
			return false
		}
		if !c.Taken && !c.Stale && !c.Lost {
			for _, p := range c.Publications {
				p.Stale, p.Duplicate = true, nil
			}
		}
		return true
	})
	return w
}

func (w postgresBatch) empty() bool {
	return len(w.pubs)+len(w.fins)+len(w.dues)+len(w.wholes) == 0
}

// publications are all of the batch, those of commits too.
func (w postgresBatch) publications() []*postroom.Publication {
	if len(w.wholes) == 0 {
		return w.pubs
	}
	all := slices.Clone(w.pubs)
	for _, c := range w.wholes {
		all = append(all, c.Publications...)
	}
	return all
}

// commitOnNewDay commits a batch with a request or an event of a day that nobody has made a partition for.
func (s *postgresStore) commitOnNewDay(work postgresBatch) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	var days []time.Time
	for _, c := range work.wholes {
		if c.Request != nil {
			days = append(days, c.Request.ID.Time())
		}
	}
	for _, p := range work.publications() {
		days = append(days, p.Event.ID.Time())
	}
	err := s.locked(ctx, func(conn *sql.Conn) error {
		for _, day := range days {
			if err := makeDays(ctx, conn, day, day.Add(time.Hour)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.attemptCommit(work)
}

// begin begins a transaction, and gives a querier in it where there is something to write that needs one.
func (s *postgresStore) begin(ctx context.Context, work postgresBatch) (tx pgx.Tx, q querier, end func(), err error) {
	if !slices.ContainsFunc(work.wholes, func(c *wholeCommit) bool { return len(c.Contacts) > 0 || len(c.Audit) > 0 }) {
		tx, err = s.pool.Begin(ctx)
		return tx, q, func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }, err
	}
	// One connection, which nobody else has meanwhile, seen in two ways that are used in turn.
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, q, nil, err
	}
	err = conn.Raw(func(dc any) (err error) {
		c, ok := dc.(*stdlib.Conn)
		if !ok {
			return errors.New("the PostgreSQL driver is another one")
		}
		tx, err = c.Conn().Begin(ctx)
		return err
	})
	if err != nil {
		return nil, q, nil, errors.Join(err, conn.Close())
	}
	return tx, querier{conn: conn, texts: s.texts}, func() {
		_ = tx.Rollback(context.WithoutCancel(ctx))
		_ = conn.Close()
	}, nil
}

// writeContactsOf writes the contacts and the audit entries of commits. When what some of them were planned on has changed, it writes nothing
// and notes which.
func writeContactsOf(ctx context.Context, q querier, wholes []*wholeCommit) error {
	byWorkspace := map[postroom.WorkspaceID][][]postroom.ContactWrite{}
	var audit []postroom.AuditEntry
	for _, c := range wholes {
		if len(c.Contacts) > 0 {
			workspace := c.Contacts[0].Contact.WorkspaceID
			byWorkspace[workspace] = append(byWorkspace[workspace], c.Contacts)
		}
		audit = append(audit, c.Audit...)
	}
	var all contactBatches
	for _, workspace := range slices.SortedFunc(maps.Keys(byWorkspace), func(a, b postroom.WorkspaceID) int { return bytes.Compare(a[:], b[:]) }) {
		b, err := newContactBatch(byWorkspace[workspace]...)
		if err != nil {
			return err
		}
		all = append(all, b)
	}
	stale, err := all.fence(ctx, q)
	if err != nil {
		return err
	}
	if stale {
		for _, c := range wholes {
			c.Stale = staleContacts(c.Contacts)
		}
		return errNotAll
	}
	if err := all.store(ctx, q); err != nil || len(audit) == 0 {
		return err
	}
	return writeAudit(ctx, q, audit)
}

// queueWholes stores the requests of commits, with their keys, the health of their sources and their statistics.
func (s *postgresStore) queueWholes(batch *pgx.Batch, work postgresBatch) {
	var added, ended []*wholeCommit
	var sums rollups
	sums.reset()
	for _, c := range work.wholes {
		if c.Request == nil {
			continue
		}
		if sums.addRequest(c.Request); c.claimed() {
			ended = append(ended, c)
		} else {
			added = append(added, c)
		}
	}
	queueRequestKeys(batch, added, "DO UPDATE SET request_id = excluded.request_id WHERE k.request_id = excluded.request_id")
	queueRequestKeys(batch, ended, "DO NOTHING")
	queueRequestEnds(batch, ended)
	queueRequests(batch, added)
	s.queueSourceHealth(batch, work.wholes)
	s.queueRollups(batch, work.node, &sums)
}

// queueRequestKeys takes the keys of commits. One that a request has already ends the try, unless conflict says otherwise: lookUpKeys then
// finds out which.
func queueRequestKeys(batch *pgx.Batch, wholes []*wholeCommit, conflict string) {
	var sources, digests, requests [][]byte
	for _, c := range wholes {
		for i := range c.keys {
			sources, digests, requests = append(sources, c.Request.SourceID[:]), append(digests, c.keys[i].digest[:]), append(requests, c.Request.ID[:])
		}
	}
	if len(digests) == 0 {
		return
	}
	batch.Queue(`INSERT INTO request_keys AS k (source_id, digest, request_id)
		SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS v (source_id, digest, request_id) ORDER BY source_id, digest
		ON CONFLICT (source_id, digest) `+conflict,
		sources, digests, requests).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() < int64(len(digests)) {
			return errKeysTaken
		}
		return nil
	})
}

var errKeysTaken = errors.New("a key of a request is taken")

// lookUpKeys notes which requests have the keys of commits, and tells whether any of them is refused for it. None is where a transaction
// that had a key was rolled back meanwhile.
func (s *postgresStore) lookUpKeys(ctx context.Context, wholes []*wholeCommit) error {
	type place struct {
		source postroom.SourceID
		digest [16]byte
	}
	wanted := map[place]*wholeCommit{}
	var sources, digests [][]byte
	for _, c := range wholes {
		for i := range c.keys {
			wanted[place{c.Request.SourceID, c.keys[i].digest}] = c
			sources, digests = append(sources, c.Request.SourceID[:]), append(digests, c.keys[i].digest[:])
		}
	}
	rows, err := s.pool.Query(ctx, `SELECT k.source_id, k.digest, k.request_id FROM request_keys k
		JOIN unnest($1::bytea[], $2::bytea[]) AS v (source_id, digest) ON k.source_id = v.source_id AND k.digest = v.digest`, sources, digests)
	if err != nil {
		return err
	}
	var source postroom.SourceID
	var digest []byte
	var request postroom.RequestID
	taken := false
	_, err = pgx.ForEachRow(rows, []any{&source, &digest, &request}, func() error {
		p := place{source, [16]byte(digest)}
		c := wanted[p]
		for _, k := range c.keys {
			if k.digest == p.digest {
				c.takenBy(k, request)
			}
		}
		taken = taken || c.Taken
		return nil
	})
	if err == nil && !taken {
		err = errRaced
	}
	return err
}

// queueRequestEnds changes requests that were claimed. A claim that is not the newest any more ends the try.
func queueRequestEnds(batch *pgx.Batch, wholes []*wholeCommit) {
	if len(wholes) == 0 {
		return
	}
	n := len(wholes)
	wholes = slices.SortedFunc(slices.Values(wholes), func(a, b *wholeCommit) int { return bytes.Compare(a.Request.ID[:], b.Request.ID[:]) })
	workspaces, ids, logs, answers := make([][]byte, n), make([][]byte, n), make([][]byte, n), make([][]byte, n)
	claims, states, dues, attempts := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	records, durations, statuses, types := make([]int64, n), make([]int64, n), make([]int64, n), make([]*string, n)
	byID := map[postroom.RequestID]*wholeCommit{}
	for i, c := range wholes {
		q := c.Request
		byID[q.ID] = c
		workspaces[i], ids[i], logs[i], answers[i] = q.WorkspaceID[:], q.ID[:], c.log, orNil(q.Answer)
		claims[i], states[i], dues[i], attempts[i] = int64(q.Claim), int64(q.State), due(q), int64(q.Attempts)
		records[i], durations[i], statuses[i], types[i] = int64(q.Records), q.Duration.Microseconds(), int64(q.Status), pointer(storable(q.EventType))
	}
	batch.Queue(`UPDATE requests AS r SET state = v.state, due_at = v.due_at, attempts = v.attempts, event_type = v.event_type, records = v.records,
			duration_us = v.duration_us, status = v.status, log = v.log, answer = v.answer
		FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[],
			$11::bytea[], $12::bytea[]) AS v (workspace_id, id, claim, state, due_at, attempts, event_type, records, duration_us, status, log, answer)
		WHERE r.workspace_id = v.workspace_id AND r.id = v.id AND r.claim = v.claim AND r.state = 0 AND r.id >= $13 AND r.id <= $14
		RETURNING r.id`, workspaces, ids, claims, states, dues, attempts, types, records, durations, statuses, logs, answers, ids[0], ids[n-1]).Query(func(rows pgx.Rows) error {
		for _, c := range wholes {
			c.Lost = true
		}
		var id postroom.RequestID
		held := 0
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
			byID[id].Lost = false
			held++
			return nil
		})
		if err == nil && held < n {
			err = errNotAll
		}
		return err
	})
}

// orNil keeps nothing as null.
func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// queueRequests stores new requests.
func queueRequests(batch *pgx.Batch, wholes []*wholeCommit) {
	if len(wholes) == 0 {
		return
	}
	n := len(wholes)
	ids, workspaces, sources, from := make([][]byte, n), make([][]byte, n), make([][]byte, n), make([][]byte, n)
	states, dues, attempts, ats := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	records, durations, statuses := make([]int64, n), make([]int64, n), make([]int64, n)
	types, senders, methods, targets, headers := make([]*string, n), make([]*string, n), make([]string, n), make([]string, n), make([]string, n)
	logs, answers, bodies := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, c := range wholes {
		q := c.Request
		ids[i], workspaces[i], sources[i] = q.ID[:], q.WorkspaceID[:], q.SourceID[:]
		if q.ResentFrom != nil {
			from[i] = q.ResentFrom[:]
		}
		states[i], dues[i], attempts[i], ats[i] = int64(q.State), due(q), int64(q.Attempts), micros(q.At)
		records[i], durations[i], statuses[i] = int64(q.Records), q.Duration.Microseconds(), int64(q.Status)
		types[i], senders[i] = pointer(storable(q.EventType)), pointer(storable(q.Sender))
		methods[i], targets[i], headers[i] = storable(q.Method), storable(q.Target), c.headers
		logs[i], answers[i], bodies[i] = c.log, orNil(q.Answer), orNil(q.Body)
	}
	batch.Queue(`INSERT INTO requests (id, workspace_id, source_id, state, claim, due_at, attempts, event_type, sender, at, records, duration_us, status,
			resent_from, method, target, headers, log, answer, body)
		SELECT id, workspace_id, source_id, state, 0, due_at, attempts, event_type, sender, at, records, duration_us, status,
			resent_from, method, target, headers, log, answer, body
		FROM unnest($1::bytea[], $2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::bigint[], $10::bigint[],
			$11::bigint[], $12::bigint[], $13::bytea[], $14::text[], $15::text[], $16::text[], $17::bytea[], $18::bytea[], $19::bytea[])
			AS v (id, workspace_id, source_id, state, due_at, attempts, event_type, sender, at, records, duration_us, status,
			resent_from, method, target, headers, log, answer, body)`,
		ids, workspaces, sources, states, dues, attempts, types, senders, ats, records, durations, statuses, from, methods, targets, headers, logs, answers, bodies)
}

// queueSourceHealth notes how sources are doing, in one order for all transactions.
func (s *postgresStore) queueSourceHealth(batch *pgx.Batch, wholes []*wholeCommit) {
	health := map[postroom.SourceID]*wholeCommit{}
	for _, c := range wholes {
		if c.Health != nil {
			health[c.Request.SourceID] = c // the newest counts
		}
	}
	for _, source := range slices.SortedFunc(maps.Keys(health), func(a, b postroom.SourceID) int { return bytes.Compare(a[:], b[:]) }) {
		c := health[source]
		if c.Health.Failures == 0 {
			batch.Queue(s.texts["source_health_delete"], c.Request.WorkspaceID[:], source[:])
			continue
		}
		batch.Queue(s.texts["source_health_put"], source[:], c.Request.WorkspaceID[:], int64(c.Health.Failures), micros(c.Health.FailingSince.Time), boolInt(c.Health.Told))
	}
}

// queueRollups adds to the statistics.
func (s *postgresStore) queueRollups(batch *pgx.Batch, node postroom.NodeID, sums *rollups) {
	for _, sum := range sums.sorted() {
		args := []any{sum.workspace[:], sum.webhook[:], sum.startsAt, node[:]}
		for _, value := range sum.values() {
			args = append(args, value)
		}
		batch.Queue(s.texts["rollup_add"], args...)
	}
}
