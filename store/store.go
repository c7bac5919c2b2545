package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// Config says which database to open, and how.
type Config struct {
	URL  string           // "sqlite:PATH" or "postgres://…"
	Node postroom.NodeID  // this process
	Log  *slog.Logger     // nil for none
	Now  func() time.Time // for partitions and migrations; nil for time.Now
	// Check, if not nil, may refuse an existing database by what its Meta holds, before anything in it is changed.
	Check func(Meta) error
	// ReadOnly opens a database, which another process may be using, to look at it only.
	ReadOnly bool
}

// Meta gives a value of Store.SetMeta; nil when there is none.
type Meta func(key string) (value []byte, err error)

// Store is the database. It is safe for concurrent use.
type Store struct {
	explained
	dialect dialect
	texts   map[string]string
	node    postroom.NodeID
	log     *slog.Logger
	now     func() time.Time
	applied []string
	metrics *Metrics
	lookups lookups
	closing sync.Once

	listWindow, textWindow int // how many rows a list looks at
}

// backend is what the two databases do differently.
type backend interface {
	// read runs f on a connection that does not wait for writers.
	read(ctx context.Context, f func(q querier) error) error
	// write runs f in a transaction and returns when it is durable. f may run again, so it must set and not add.
	write(ctx context.Context, f func(q querier) error) error

	publish(ctx context.Context, pubs []*postroom.Publication) error
	finish(ctx context.Context, fins []*postroom.Finish) error
	commitWhole(ctx context.Context, c *wholeCommit) error
	claim(ctx context.Context, c claim) ([]*postroom.Job, error)
	add(ctx context.Context, a addedDeliveries) error
	setDue(ctx context.Context, changes []dueChange) error
	// promote makes the first of each key's line its head, where there is none, and says how often.
	promote(ctx context.Context, keys []orderKey, now time.Time) (n int64, err error)
	// expire deletes what is older than the bound, in small steps, and calls progress after each.
	expire(ctx context.Context, before time.Time, progress func(rows int64)) error
	// purged follows the deletion of a workspace's rows.
	purged(ctx context.Context) error
	// maintain does what the database needs from time to time, such as making partitions.
	maintain(ctx context.Context, now time.Time) error
	info(ctx context.Context) (Info, error)
	close() error
}

// Open opens the database and applies the migrations that are missing. On SQLite it also puts back into the queue what an
// earlier process left leased: this process is the only one, so those leases are void.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Store{node: c.Node, log: c.Log, now: c.Now, metrics: newMetrics(), listWindow: defaultListWindow, textWindow: defaultTextWindow}
	var err error
	switch {
	case strings.HasPrefix(c.URL, "sqlite:"):
		s.dialect = sqlite
		if s.texts, err = loadSQL(sqlite); err != nil {
			return nil, err
		}
		s.where = filepath.Clean(strings.TrimPrefix(c.URL, "sqlite:"))
		s.backend, s.applied, err = openSQLite(ctx, s.where, s.texts, c, s.metrics)
	case strings.HasPrefix(c.URL, "postgres://"), strings.HasPrefix(c.URL, "postgresql://"):
		s.dialect = postgres
		if s.texts, err = loadSQL(postgres); err != nil {
			return nil, err
		}
		s.where = "PostgreSQL"
		s.backend, s.applied, err = openPostgres(ctx, c.URL, s.texts, c, s.metrics)
	default:
		return nil, fmt.Errorf("the database %q is neither sqlite:PATH nor postgres://…", c.URL)
	}
	if err != nil {
		return nil, s.explain(err)
	}
	return s, nil
}

// Applied are the migrations that Open applied.
func (s *Store) Applied() []string { return s.applied }

// Close waits for the commits under way and closes the database. To close it again does nothing.
func (s *Store) Close() (err error) {
	s.closing.Do(func() { err = s.close() })
	return err
}

// Ping proves that the database can store: it commits a row.
func (s *Store) Ping(ctx context.Context, now time.Time) error {
	return s.write(ctx, func(q querier) error {
		// SQLite writes nothing when nothing changes, so that a full disk would go unnoticed: the value is never the same.
		_, err := q.exec(ctx, "meta_put", "ping", []byte(now.UTC().Format(time.RFC3339Nano)))
		return err
	})
}

// Maintain does what the database needs from time to time, such as making the partitions of the days to come. Call
// it at least once a day.
func (s *Store) Maintain(ctx context.Context, now time.Time) error { return s.maintain(ctx, now) }

// Meta gives a value that belongs to the whole database, such as the check of the secret key; nil when there is none.
func (s *Store) Meta(ctx context.Context, key string) (value []byte, err error) {
	err = s.read(ctx, func(q querier) error {
		return q.one(ctx, "meta_get", []any{&value}, key)
	})
	if errors.Is(err, errNoRow) {
		return nil, nil
	}
	return value, err
}

// SetMeta sets a value that belongs to the whole database.
func (s *Store) SetMeta(ctx context.Context, key string, value []byte) error {
	return s.write(ctx, func(q querier) error {
		_, err := q.exec(ctx, "meta_put", key, value)
		return err
	})
}

// Metrics are the committer's counters.
func (s *Store) Metrics() *Metrics { return s.metrics }

// Info is what an operator wants to know of the database.
type Info struct {
	Kind      string // "sqlite" or "postgres"
	Version   string
	SizeBytes int64
	Detail    string // such as the path, or the partitions

	Pending []string  // migrations that the next start applies
	Unknown []string  // migrations of a newer version, which has used the database
	Empty   bool      // nothing was ever migrated
	Newest  time.Time // when the newest event was published; zero when there is none
	Damage  string    // something that is damaged in the file of SQLite; empty for nothing
	// ClockAhead is how far PostgreSQL's clock is ahead of this machine's; less than 0 when it is behind.
	ClockAhead time.Duration
}

// Info looks the database over. On SQLite it reads the whole file, to find damage.
func (s *Store) Info(ctx context.Context) (Info, error) {
	info, err := s.info(ctx)
	if err != nil {
		return info, err
	}
	err = s.read(ctx, func(q querier) error {
		there, err := hasTable(ctx, q, s.dialect, "schema_migrations")
		if info.Empty = !there; err != nil || info.Empty {
			return err
		}
		info.Pending, info.Unknown, err = compareMigrations(ctx, q, s.dialect)
		return err
	})
	if err == nil && !info.Empty && len(info.Unknown) == 0 {
		info.Newest, err = s.Newest(ctx)
	}
	return info, err
}

// Newest is when the newest event was published; zero when there is none.
func (s *Store) Newest(ctx context.Context) (at time.Time, err error) {
	var id postroom.EventID
	err = s.read(ctx, func(q querier) error { return q.one(ctx, "newest_event", []any{&id}) })
	switch {
	case errors.Is(err, errNoRow):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	}
	return id.Time(), nil
}

// compareMigrations tells which migrations the database lacks, and which it has that this version does not know.
func compareMigrations(ctx context.Context, q querier, d dialect) (pending, unknown []string, err error) {
	all, err := migrations(d)
	if err != nil {
		return nil, nil, err
	}
	done, err := appliedMigrations(ctx, q)
	for _, m := range all {
		if !done[m.name] {
			pending = append(pending, m.name)
		}
		delete(done, m.name)
	}
	return pending, slices.Sorted(maps.Keys(done)), err
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func boolInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
