package bench

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
)

// kind is a database system, as reports name it.
type kind string

const (
	sqlite   kind = "SQLite"
	postgres kind = "PostgreSQL"
)

// database says where a Postroom that is measured stores.
type database struct {
	kind kind
	url  string // of a database that is there already; empty to make a new one for each run
}

// parseDatabase reads "sqlite", "postgres" or a URL.
func parseDatabase(s string) (database, error) {
	switch s {
	case "sqlite":
		return database{kind: sqlite}, nil
	case "postgres":
		return database{kind: postgres, url: os.Getenv(EnvPostgres)}, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		// Not shown whole: what was meant to be a URL may hold a password.
		return database{}, fmt.Errorf("a database must be sqlite, postgres, or the URL of an empty database that begins with postgres://")
	}
	return database{kind: postgres, url: s}, nil
}

// foundDatabases are the databases that can be measured here without being told more.
func foundDatabases() []string {
	found := []string{"sqlite"}
	_, err := postgresPrograms()
	if err == nil || os.Getenv(EnvPostgres) != "" {
		found = append(found, "postgres")
	}
	return found
}

// opened is a database that a run uses.
type opened struct {
	url    string // as POSTROOM_DATABASE has it
	server *child // the PostgreSQL that was started for it; nil if none was
	stays  bool   // it was there before, and the next run uses it too
}

// open makes a database whose files are in dir, unless there is one already.
func (d database) open(ctx context.Context, dir string) (opened, error) {
	switch {
	case d.url != "":
		return opened{url: d.url, stays: true}, nil
	case d.kind == sqlite:
		return opened{url: "sqlite:" + filepath.Join(dir, "postroom.db")}, nil
	default:
		server, databaseURL, err := startPostgres(ctx, dir)
		return opened{url: databaseURL, server: server}, err
	}
}

// close ends the server that open started. SIGINT asks PostgreSQL to cut its connections and end in good order.
func (o opened) close() error { return o.server.end(syscall.SIGINT) }
