//go:build unix

package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// CreateDatabase makes an empty database (UTF-8, locale C) with a random name beside the one that adminURL names, and
// returns its URL. The user of adminURL must be allowed to create databases.
//
// With relaxed, commits in the new database return before they are on the disk (synchronous_commit=off).
func CreateDatabase(ctx context.Context, adminURL string, relaxed bool) (string, error) {
	u, err := url.Parse(adminURL)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return "", fmt.Errorf("the URL of a PostgreSQL database must be like postgres://user:password@host:port/database")
	}
	name := "postroom_test_" + strings.ToLower(rand.Text()[:12])
	statements := []string{"CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"}
	if relaxed {
		statements = append(statements, "ALTER DATABASE "+name+" SET synchronous_commit = off")
	}
	if err := execute(ctx, adminURL, statements...); err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// DropDatabase removes what [CreateDatabase] made, and cuts the connections that it still has. It refuses any other
// database.
func DropDatabase(ctx context.Context, adminURL, databaseURL string) error {
	u, err := url.Parse(databaseURL)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(u.Path, "/")
	if !strings.HasPrefix(name, "postroom_test_") {
		return fmt.Errorf("the database %q was not made by a test and is not dropped", name)
	}
	return execute(ctx, adminURL, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

// execute runs the statements on a connection of their own, each in its own transaction, as CREATE DATABASE demands.
func execute(ctx context.Context, adminURL string, statements ...string) (err error) {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
