//go:build unix

package testenv

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/testenv/postgres"
	"github.com/postroom/postroom/internal/testenv/scratch"
)

// databaseTimeout bounds the creation and the removal of one database, which take a tenth of a second on an idle machine.
const databaseTimeout = 60 * time.Second

// server is a PostgreSQL that is started once, when the first test asks for it.
type server struct {
	once sync.Once
	url  string
	err  error
}

// Postgres returns the URL (postgres://…) of a new empty database in UTF-8 and locale C, whose user may do everything
// in it. Commits are durable (fsync is on). The database is dropped when the test ends, together with the connections
// that it has left open.
//
// The first call of a process starts a PostgreSQL server, as the user postgres where the process runs as root. Where
// the environment variable POSTROOM_TEST_POSTGRES holds the URL of a database whose user may create databases, they
// are made there instead.
func Postgres(t testing.TB) string {
	t.Helper()
	return database(t, &process.durable, false)
}

// PostgresFast is [Postgres] for tests that say nothing about durability or speed: commits do not wait for the disk.
func PostgresFast(t testing.TB) string {
	t.Helper()
	return database(t, &process.fast, true)
}

// PostgresServer returns a running PostgreSQL server that no other test uses, to be stopped, crashed and started
// again; it ends with the test. It has one database, "postgres", and never uses POSTROOM_TEST_POSTGRES.
func PostgresServer(t testing.TB) *postgres.Server {
	t.Helper()
	dir, err := process.scratch()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// PostgresStandby returns a synchronous standby of a server that [PostgresServer] returned; it ends with the test.
func PostgresStandby(t testing.TB, primary *postgres.Server) *postgres.Server {
	t.Helper()
	s, err := primary.NewStandby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func database(t testing.TB, s *server, fast bool) string {
	t.Helper()
	admin, err := s.start(fast)
	if err != nil {
		t.Fatalf("a PostgreSQL server for this test: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	url, err := postgres.CreateDatabase(ctx, admin, fast)
	if err != nil {
		t.Fatalf("a PostgreSQL database for this test (%s): %v", origin(), err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
		defer cancel()
		if err := postgres.DropDatabase(ctx, admin, url); err != nil {
			t.Errorf("drop the PostgreSQL database of this test: %v", err)
		}
	})
	return url
}

// start returns the URL of a database on the server that databases are made from.
func (s *server) start(fast bool) (string, error) {
	if url := os.Getenv(postgres.URLVariable); url != "" {
		return url, nil
	}
	s.once.Do(func() {
		dir, err := process.scratch()
		if err != nil {
			s.err = err
			return
		}
		running, err := newServer(dir, fast)
		if err != nil {
			s.err = err
			return
		}
		s.url = running.URL("postgres")
	})
	return s.url, s.err
}

func newServer(dir *scratch.Dir, fast bool) (*postgres.Server, error) {
	return postgres.New(postgres.Config{Scratch: dir, Fast: fast})
}

// origin tells a reader which server an error is about.
func origin() string {
	if os.Getenv(postgres.URLVariable) != "" {
		return fmt.Sprintf("on the server that %s names", postgres.URLVariable)
	}
	return "on the server that this process started"
}
