package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

//go:embed migrations
var migrationFiles embed.FS

type migration struct {
	name, text string
}

// migrations of one database, in order. Their names begin with a number; they only ever go forward.
func migrations(d dialect) ([]migration, error) {
	files, err := fs.Glob(migrationFiles, path.Join("migrations", string(d), "*.sql"))
	if err != nil {
		return nil, err
	}
	var all []migration // Glob sorts
	for _, file := range files {
		text, err := migrationFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{strings.TrimSuffix(path.Base(file), ".sql"), string(text)})
	}
	return all, nil
}

// migrate applies what is missing, each migration in a transaction of its own, on a connection that holds the
// database's migration lock. It refuses a database that a newer Postroom has migrated further, or that c.Check refuses; then it has
// changed nothing.
func migrate(ctx context.Context, conn *sql.Conn, d dialect, c Config) (applied []string, err error) {
	all, err := migrations(d)
	if err != nil {
		return nil, err
	}
	if c.Check != nil {
		if err := checkFirst(ctx, conn, d, c.Check); err != nil {
			return nil, err
		}
	}
	return applyMigrations(ctx, conn, d, all, c.Now())
}

// checkFirst calls check with what an existing database keeps; of a new one there is nothing to check.
func checkFirst(ctx context.Context, conn *sql.Conn, d dialect, check func(Meta) error) error {
	if there, err := hasTable(ctx, conn, d, "meta"); err != nil || !there {
		return err
	}
	return check(func(key string) (value []byte, err error) {
		err = conn.QueryRowContext(ctx, translate(d, `SELECT value FROM meta WHERE key = $1`), key).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return value, err
	})
}

// hasTable tells whether a table exists.
func hasTable(ctx context.Context, c conn, d dialect, name string) (bool, error) {
	text := `SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1`
	if d == postgres {
		text = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1`
	}
	rows, err := c.QueryContext(ctx, translate(d, text), name)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	return rows.Next(), rows.Err()
}

func applyMigrations(ctx context.Context, conn *sql.Conn, d dialect, all []migration, now time.Time) (applied []string, err error) {
	if _, err := conn.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY NOT NULL, applied_at BIGINT NOT NULL)`); err != nil {
		return nil, err
	}
	done, err := appliedMigrations(ctx, conn)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, m := range all {
		known[m.name] = true
	}
	for name := range done {
		if !known[name] {
			return nil, fmt.Errorf("the database has migration %s, which this version of Postroom does not know: it was used by a newer version", name)
		}
	}
	insert := translate(d, `INSERT INTO schema_migrations (name, applied_at) VALUES ($1, $2)`)
	for _, m := range all {
		if done[m.name] {
			continue
		}
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return applied, err
		}
		if _, err = tx.ExecContext(ctx, m.text); err == nil {
			_, err = tx.ExecContext(ctx, insert, m.name, now.UnixMicro())
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			_ = tx.Rollback()
			return applied, fmt.Errorf("migration %s: %w", m.name, err)
		}
		applied = append(applied, m.name)
	}
	return applied, nil
}

func appliedMigrations(ctx context.Context, c conn) (map[string]bool, error) {
	rows, err := c.QueryContext(ctx, `SELECT name FROM schema_migrations`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	done := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		done[name] = true
	}
	return done, rows.Err()
}
