package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/postroom/postroom"
)

// postgresStore is a database that several nodes may share. Two committers write what the hot paths hand over, in
// pipelined batches; everything else has a transaction of its own.
type postgresStore struct {
	texts   map[string]string
	metrics *Metrics
	pool    *pgxpool.Pool
	db      *sql.DB // the same connections, for the named SQL

	node  postroom.NodeID
	alone atomic.Uint32 // commits that had a transaction of their own

	contacts atomic.Int64 // were stored since the start

	mu      sync.RWMutex // guards the sending to ops against its closing
	closed  bool
	ops     chan *op
	stopped sync.WaitGroup
}

// committers write at the same time, so that one works while the other waits for the disk. More would make smaller
// batches.
const committers = 2

// migrationLock is the advisory lock that migrations and partitions are made under: "postroom" in hexadecimal.
const migrationLock = 0x706f7374726f6f6d

func openPostgres(ctx context.Context, url string, texts map[string]string, c Config, metrics *Metrics) (backend, []string, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, fmt.Errorf("the database URL cannot be read: %w", err) // pgx leaves the password out
	}
	for name, value := range map[string]string{
		"application_name": "postroom",
		// A node that is paused or cut off in the middle of a transaction must not keep what it has locked from the others.
		"idle_in_transaction_session_timeout": "15s",
	} {
		if config.ConnConfig.RuntimeParams[name] == "" {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	if c.ReadOnly {
		config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	}
	config.MaxConns = max(config.MaxConns, 12)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, named("PostgreSQL", err)
	}
	s := &postgresStore{texts: texts, metrics: metrics, pool: pool, db: stdlib.OpenDBFromPool(pool), node: c.Node, ops: make(chan *op, 4096)}
	s.db.SetMaxIdleConns(0) // the pool keeps them
	var applied []string
	if !c.ReadOnly {
		if applied, err = s.prepare(ctx, c); err != nil {
			_ = s.closeFiles() // what matters is why it cannot be used
			return nil, nil, named("PostgreSQL", err)
		}
	}
	for i := range committers {
		node := c.Node // each has rollups of its own: they would wait for each other's commits else
		node[len(node)-1] ^= byte(i)
		s.stopped.Add(1)
		go s.run(node)
	}
	return s, applied, nil
}

// idleTooLong is the code with which PostgreSQL ends a connection for idle_in_transaction_session_timeout.
const idleTooLong = "25P03"

// prepare migrates and makes the partitions, under the lock that keeps other nodes from doing so at the same time.
func (s *postgresStore) prepare(ctx context.Context, c Config) (applied []string, err error) {
	var version int
	if err := s.db.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		return nil, err
	}
	if version < 150000 {
		return nil, fmt.Errorf("version %d is too old: Postroom needs PostgreSQL 15 or newer", version/10000)
	}
	err = s.locked(ctx, func(conn *sql.Conn) error {
		if applied, err = migrate(ctx, conn, postgres, c); err != nil {
			return err
		}
		return makePartitions(ctx, conn, c.Now())
	})
	return applied, err
}

// locked runs f on a connection that holds the migration lock.
func (s *postgresStore) locked(ctx context.Context, f func(conn *sql.Conn) error) (err error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	defer func() {
		_, unlocking := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrationLock))
		err = errors.Join(err, unlocking)
	}()
	return f(conn)
}

func (s *postgresStore) read(_ context.Context, f func(q querier) error) error {
	return f(querier{conn: s.db, texts: s.texts})
}

func (s *postgresStore) write(ctx context.Context, f func(q querier) error) error {
	for try := 1; ; try++ {
		err := s.writeOnce(ctx, f)
		if err == nil || !passing(err) || try == maxTries {
			return err
		}
		backOff(try)
	}
}

func (s *postgresStore) writeOnce(ctx context.Context, f func(q querier) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := guarded(func() error { return f(querier{conn: tx, texts: s.texts}) }); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// maxTries bounds how often a transaction that lost against another one is tried.
const maxTries = 8

// passing tells whether the transaction failed only because of another one that ran at the same time.
func passing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

func backOff(try int) {
	time.Sleep(time.Duration(rand.Int64N(int64(try) * int64(5*time.Millisecond))))
}

// submit hands an op to the committers and waits until it is durable or has failed.
func (s *postgresStore) submit(o *op) error {
	o.done = make(chan struct{})
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		return errClosed
	}
	s.ops <- o
	s.mu.RUnlock()
	<-o.done
	return o.err
}

func (s *postgresStore) publish(_ context.Context, pubs []*postroom.Publication) error {
	return s.submit(&op{pubs: pubs})
}

func (s *postgresStore) finish(_ context.Context, fins []*postroom.Finish) error {
	return s.submit(&op{fins: fins})
}

func (s *postgresStore) setDue(_ context.Context, changes []dueChange) error {
	return s.submit(&op{dues: changes})
}

func (s *postgresStore) add(ctx context.Context, a addedDeliveries) error {
	return s.write(ctx, func(q querier) error { return a.insert(ctx, q) })
}

func (s *postgresStore) purged(context.Context) error { return nil }

// run is one committer.
func (s *postgresStore) run(node postroom.NodeID) {
	defer s.stopped.Done()
	gather, took := newGatherer(s.ops), time.Duration(0)
	for batch := gather.next(took); len(batch) > 0; batch = gather.next(took) {
		began := time.Now()
		for rest := batch; len(rest) > 0; {
			var now []*op
			now, rest = apart(rest)
			s.commit(node, now)
		}
		took = time.Since(began)
		for _, o := range batch {
			close(o.done)
		}
	}
}

// commit runs the ops in one transaction. When it fails for a reason of its own, each op gets a transaction of its
// own, so that one cannot take the others with it.
func (s *postgresStore) commit(node postroom.NodeID, batch []*op) {
	err := s.commitTogether(node, batch)
	switch {
	case err == nil:
	case lostConnection(err):
	case len(batch) > 1:
		for i := range batch {
			s.commit(node, batch[i:i+1])
		}
		return
	case noPartition(err) && batch[0].pubs != nil:
		err = s.publishOnNewDay(batch[0].pubs)
	case noPartition(err) && batch[0].whole != nil:
		err = s.commitOnNewDay(postgresBatch{node: node, wholes: []*wholeCommit{batch[0].whole}})
	case noPartition(err) && batch[0].fins != nil:
		err = s.finishWhatIsThere(node, batch[0].fins)
	}
	for _, o := range batch {
		o.err = err
	}
}

// noPartition tells whether a row is of a day that has no partition: one that has been dropped, or is too far ahead.
func noPartition(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23514" && pg.ConstraintName == ""
}

// publishOnNewDay stores events of a day that nobody has made a partition for, such as after a machine was suspended for a week or
// its clock was set forward.
func (s *postgresStore) publishOnNewDay(pubs []*postroom.Publication) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	day := pubs[0].Event.ID.Time()
	err := s.locked(ctx, func(conn *sql.Conn) error { return makeDays(ctx, conn, day, day.Add(time.Hour)) }) // deliveries come after their event
	if err != nil {
		return err
	}
	return s.attemptCommit(postgresBatch{pubs: pubs})
}

// finishWhatIsThere ends attempts of which some deliveries were dropped with their day: of those there is nothing to store.
func (s *postgresStore) finishWhatIsThere(node postroom.NodeID, fins []*postroom.Finish) error {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	var workspaces, ids [][]byte
	for _, f := range fins {
		workspaces, ids = append(workspaces, f.Job.Event.WorkspaceID[:]), append(ids, f.Job.DeliveryID[:])
	}
	rows, err := s.pool.Query(ctx, "SELECT id FROM deliveries WHERE workspace_id = ANY($1::bytea[]) AND id = ANY($2::bytea[])", workspaces, ids)
	if err != nil {
		return err
	}
	var id postroom.DeliveryID
	there := map[postroom.DeliveryID]bool{}
	if _, err := pgx.ForEachRow(rows, []any{&id}, func() error {
		there[id] = true
		return nil
	}); err != nil {
		return err
	}
	work := postgresBatch{node: node}
	for _, f := range fins {
		if f.Lost = true; there[f.Job.DeliveryID] {
			work.fins = append(work.fins, f)
		}
	}
	return s.attemptCommit(work)
}

// lostConnection tells whether the database itself could not be reached, or went away: then there is no use in trying
// each op, and what was under way may be stored or not.
func lostConnection(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// The server ends, or ends the connection.
		return strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08") || pg.Code == idleTooLong
	}
	return !errors.Is(err, errRaced) && !errors.Is(err, errPanic)
}

func (s *postgresStore) commitTogether(node postroom.NodeID, batch []*op) error {
	began := time.Now()
	work := postgresBatch{node: node}
	for _, o := range batch {
		work.pubs = append(work.pubs, o.pubs...)
		work.fins = append(work.fins, o.fins...)
		work.dues = append(work.dues, o.dues...)
		if o.whole != nil {
			work.wholes = append(work.wholes, o.whole)
		}
	}
	if err := guarded(func() error { return s.attemptCommit(work) }); err != nil {
		s.metrics.failed()
		return err
	}
	s.metrics.committed(len(batch), time.Since(began))
	return nil
}

func (s *postgresStore) info(ctx context.Context) (Info, error) {
	info := Info{Kind: string(postgres)}
	var partitions int
	var theirs time.Time
	before := time.Now()
	if err := s.db.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		return info, err
	}
	info.ClockAhead = theirs.Sub(before.Add(time.Since(before) / 2))
	err := s.db.QueryRowContext(ctx, `SELECT current_setting('server_version'), pg_database_size(current_database()),
		(SELECT count(*) FROM pg_inherits WHERE inhparent IN (to_regclass('events'), to_regclass('deliveries'), to_regclass('attempts'),
			to_regclass('requests')))`).
		Scan(&info.Version, &info.SizeBytes, &partitions)
	info.Detail = fmt.Sprintf("%d partitions", partitions)
	return info, err
}

func (s *postgresStore) close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.ops)
	}
	s.mu.Unlock()
	s.stopped.Wait()
	return s.closeFiles()
}

func (s *postgresStore) closeFiles() error {
	err := s.db.Close()
	s.pool.Close()
	return err
}
