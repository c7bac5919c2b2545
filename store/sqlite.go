package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
)

// sqliteStore is a database file that this process owns. One goroutine, the committer, has the only writing
// connection; reads go to a pool, which in WAL mode never waits for it.
type sqliteStore struct {
	texts   map[string]string
	metrics *Metrics
	path    string
	lock    *os.File
	log     *slog.Logger

	readers  *sql.DB
	prepared *prepared // on readers
	writers  *sql.DB   // of one connection
	writer   *sqliteWriter
	index    *logIndex // nil when the database is only looked at
	copier   *checkpointer
	cancel   func() // ends what works beside the committer
	beside   sync.WaitGroup
	caught   sync.WaitGroup // until the index has caught up

	mu      sync.RWMutex // guards the sending to ops against its closing
	closed  bool
	ops     chan *op
	stopped chan struct{}
}

// The page size suits rows of about a kilobyte, such as events. FULL makes each commit wait for the disk.
// wal_autocheckpoint is in pages, and for when the checkpointer fails. The driver sorts what is called _pragma by its
// name, and sets _journal_mode after it: the page size must come before the file is made, and WAL makes it.
const sqlitePragmas = "_journal_mode=wal&_pragma=busy_timeout(10000)&_pragma=page_size(8192)&_pragma=synchronous(full)" +
	"&_pragma=foreign_keys(1)&_pragma=wal_autocheckpoint(40000)&_pragma=journal_size_limit(134217728)&_pragma=temp_store(memory)"

func openSQLite(ctx context.Context, path string, texts map[string]string, c Config, metrics *Metrics) (backend, []string, error) {
	s := &sqliteStore{texts: texts, metrics: metrics, path: path, log: c.Log, cancel: func() {}, ops: make(chan *op, 4096), stopped: make(chan struct{})}
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String()
	var err error
	if c.ReadOnly {
		if _, err := os.Stat(path); err != nil {
			return nil, nil, fmt.Errorf("there is no database %s, or it cannot be looked at (the first start makes it): %w", path, err)
		}
	} else if err = s.own(path); err != nil {
		return nil, nil, err
	}
	fail := func(err error) (backend, []string, error) {
		_ = s.closeFiles() // what matters is why it cannot be opened
		return nil, nil, named("SQLite database "+path, err)
	}

	var applied []string
	var uncovered rowNumbers
	if !c.ReadOnly {
		if s.writers, err = sql.Open("sqlite", name+"?_txlock=immediate&"+sqlitePragmas+"&_pragma=cache_size(-65536)"); err != nil {
			return fail(err)
		}
		s.writers.SetMaxOpenConns(1)
		conn, err := s.writers.Conn(ctx)
		if err != nil {
			return fail(err)
		}
		if err := quickCheck(ctx, conn); err != nil {
			return fail(errors.Join(err, conn.Close()))
		}
		if applied, err = migrate(ctx, conn, sqlite, c); err != nil {
			return fail(errors.Join(err, conn.Close()))
		}
		if s.writer, err = newSQLiteWriter(conn, texts, c.Node, metrics); err != nil {
			return fail(err)
		}
		// Whoever held these leases is gone: this process owns the file.
		now := micros(c.Now())
		if _, err := s.writer.querier.exec(ctx, "queue_take_over", now, int64(1)<<62); err != nil {
			return fail(err)
		}
		failpoint.Hit(failpoint.TakeOverCommitted)
		if _, err := s.writer.querier.exec(ctx, "request_take_over", now); err != nil {
			return fail(err)
		}
		if _, err := s.writer.querier.exec(ctx, "replay_void"); err != nil {
			return fail(err)
		}
		// Nor will it end the calls that it had begun under an Idempotency-Key: they can be made again. Those were to end soon.
		if _, err := s.writer.querier.exec(ctx, "idempotency_abandon", now+time.Hour.Microseconds()); err != nil {
			return fail(err)
		}
		if s.index, uncovered, err = openIndex(s.writer.querier); err != nil {
			return fail(err)
		}
		if s.copier, err = newCheckpointer(ctx, name, c.Log); err != nil {
			return fail(err)
		}
	}
	if s.readers, err = sql.Open("sqlite", name+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)&_pragma=cache_size(-8192)&_pragma=temp_store(memory)"); err != nil {
		return fail(err)
	}
	s.readers.SetMaxOpenConns(8)
	s.readers.SetMaxIdleConns(8)
	s.prepared = newPrepared(s.readers, false)
	if err := s.readers.PingContext(ctx); err != nil {
		return fail(err)
	}
	if c.ReadOnly {
		close(s.stopped)
		s.closed = true
	} else {
		beside, cancel := context.WithCancel(context.Background())
		s.cancel = cancel
		s.beside.Go(func() { s.copier.run(beside) })
		s.follow(beside, uncovered)
		go s.run()
	}
	return s, applied, nil
}

// follow brings the index of the log up to the rows that were there at the start, beside the work of the server.
func (s *sqliteStore) follow(ctx context.Context, until rowNumbers) {
	if s.index.complete {
		return
	}
	s.caught.Go(func() {
		if err := s.catchUp(ctx, until); err != nil && ctx.Err() == nil {
			s.log.Error("the index of the log could not be brought up to date: lists are searched row by row until the next start", "error", err)
		}
	})
}

// own makes the folder, and takes a lock that ends with the process, so that two servers cannot use one file.
func (s *sqliteStore) own(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("the folder of the database cannot be made: %w", err)
	}
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("the database cannot be locked: %w", err)
	}
	// A process that is being started may hold the file of its parent for a moment, after the parent has closed it.
	for wait := 10 * time.Millisecond; syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil; wait *= 2 {
		if wait > time.Second {
			_ = f.Close()
			return fmt.Errorf("the database %s is in use by another Postroom", path)
		}
		time.Sleep(wait)
	}
	s.lock = f
	// SQLite would let everybody read what it makes; its other files get the permissions of this one.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return errors.Join(fmt.Errorf("the database cannot be opened: %w", err), s.closeFiles())
	}
	return file.Close()
}

// quickCheck notices at the start that the file is no database, or a damaged one.
func quickCheck(ctx context.Context, conn *sql.Conn) error {
	var n int
	return conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&n)
}

// run is the committer.
func (s *sqliteStore) run() {
	defer close(s.stopped)
	gather, took := newGatherer(s.ops), time.Duration(0)
	for batch := gather.next(took); len(batch) > 0; batch = gather.next(took) {
		began := time.Now()
		s.writer.commit(batch)
		took = time.Since(began)
		for _, o := range batch {
			s.index.committed(o)
			close(o.done)
		}
		if s.index.live.full() {
			s.segment()
		}
		s.copier.finish(s.writer.conn)
	}
	if s.index.live.rows > 0 {
		s.segment()
	}
}

// segment writes a segment of the log's index. One that fails is written again with more.
func (s *sqliteStore) segment() {
	if err := s.writeSegment(); err != nil {
		s.log.Error("the index of the log could not be written; trying again", "error", err)
	}
}

// submit hands an op to the committer and waits until it is durable or has failed. It does not give up early: what
// was handed over may be stored, and the caller must know.
func (s *sqliteStore) submit(o *op) error {
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

var errClosed = &postroom.Error{Code: postroom.CodeUnavailable, Message: "The database is closed: the server is shutting down."}

func (s *sqliteStore) read(_ context.Context, f func(q querier) error) error {
	return f(querier{s.readers, s.texts, s.prepared})
}

func (s *sqliteStore) write(_ context.Context, f func(q querier) error) error {
	return s.submit(&op{change: f})
}

func (s *sqliteStore) publish(_ context.Context, pubs []*postroom.Publication) error {
	return s.submit(&op{pubs: pubs})
}

func (s *sqliteStore) finish(_ context.Context, fins []*postroom.Finish) error {
	return s.submit(&op{fins: fins})
}

func (s *sqliteStore) commitWhole(_ context.Context, c *wholeCommit) error {
	return s.submit(&op{whole: c})
}

func (s *sqliteStore) setDue(_ context.Context, changes []dueChange) error {
	return s.submit(&op{dues: changes})
}

func (s *sqliteStore) claim(_ context.Context, c claim) ([]*postroom.Job, error) {
	o := &op{claim: &c}
	err := s.submit(o)
	return o.jobs, err
}

func (s *sqliteStore) promote(ctx context.Context, keys []orderKey, now time.Time) (n int64, err error) {
	err = s.write(ctx, func(q querier) error {
		n = 0
		for _, k := range keys {
			touched, err := q.exec(ctx, "order_promote", k.webhook, k.key, micros(now))
			if err != nil {
				return err
			}
			n += touched
		}
		return nil
	})
	return n, err
}

func (s *sqliteStore) add(ctx context.Context, a addedDeliveries) error {
	return s.submit(&op{added: &a, change: func(q querier) error { return a.insert(ctx, q) }})
}

func (s *sqliteStore) purged(ctx context.Context) error { return s.uncover(ctx) }

func (s *sqliteStore) maintain(context.Context, time.Time) error { return nil }

func (s *sqliteStore) expire(ctx context.Context, before time.Time, progress func(int64)) error {
	if err := expireByDelete(ctx, s, before, progress); err != nil {
		return err
	}
	if err := s.uncover(ctx); err != nil {
		return err
	}
	return s.expireIndex(ctx, place(postroom.FirstID[postroom.DeliveryKind](before)))
}

func (s *sqliteStore) info(ctx context.Context) (Info, error) {
	info := Info{Kind: string(sqlite), Detail: s.path}
	var pages, size int64
	if err := s.readers.QueryRowContext(ctx, "SELECT sqlite_version(), (SELECT page_count FROM pragma_page_count()), (SELECT page_size FROM pragma_page_size())").
		Scan(&info.Version, &pages, &size); err != nil {
		return info, err
	}
	info.SizeBytes = pages * size
	rows, err := s.readers.QueryContext(ctx, "PRAGMA quick_check(1)")
	if err != nil {
		return info, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var said string
		if err := rows.Scan(&said); err != nil {
			return info, err
		}
		if said != "ok" {
			info.Damage = said[strings.LastIndexByte(said, '\n')+1:] // its first line names the database, "main"
		}
	}
	return info, rows.Err()
}

func (s *sqliteStore) close() error {
	s.cancel()
	s.caught.Wait()
	s.beside.Wait()
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.ops)
	}
	s.mu.Unlock()
	<-s.stopped
	return s.closeFiles()
}

func (s *sqliteStore) closeFiles() error {
	var errs []error
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.prepared != nil {
		errs = append(errs, s.prepared.close())
	}
	if s.copier != nil {
		errs = append(errs, s.copier.db.Close())
	}
	for _, db := range []*sql.DB{s.readers, s.writers} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
