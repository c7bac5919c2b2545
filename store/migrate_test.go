package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// names are those of a database's migrations.
func names(t *testing.T, d dialect) (all []string) {
	t.Helper()
	found, err := migrations(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range found {
		all = append(all, m.name)
	}
	return all
}

func TestMigrate(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		f.equal("what a new database got", f.s.Applied(), names(t, f.s.dialect))
		if n := f.number("SELECT count(*) FROM schema_migrations WHERE applied_at = $1", micros(noon())); n != int64(len(f.s.Applied())) {
			t.Errorf("%d migrations are noted", n)
		}
		f.must(f.s.SetMeta(f.ctx, "k", []byte("kept")))
		f.must(f.s.Close())

		f.s = db.open()
		f.equal("what an up-to-date database got", f.s.Applied(), []string(nil))
		if value, err := f.s.Meta(f.ctx, "k"); err != nil || string(value) != "kept" {
			t.Errorf("the value is %q, %v", value, err)
		}

		// A newer version was here.
		f.exec("INSERT INTO schema_migrations (name, applied_at) VALUES ('9999_future', 0)")
		f.must(f.s.Close())
		for range 2 { // the refusal leaves no lock behind
			contains(t, "the refusal", db.refuses(db.config()), "9999_future", "newer version")
		}
	})
}

// TestMigrateFailure has a migration that fails in its second statement: nothing of it stays, and what came before does.
func TestMigrateFailure(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, db.open())
		on := func(do func(conn *sql.Conn) error) {
			t.Helper()
			switch b := f.s.backend.(type) {
			case *sqliteStore:
				f.must(do(b.writer.conn))
			case *postgresStore:
				f.must(b.locked(f.ctx, do))
			}
		}
		known, err := migrations(f.s.dialect)
		f.must(err)
		all := append(slices.Clip(known), migration{"0900_fine", "CREATE TABLE fine (id BIGINT PRIMARY KEY NOT NULL); INSERT INTO fine (id) VALUES (1)"},
			migration{"0901_broken", "CREATE TABLE broken (id BIGINT PRIMARY KEY NOT NULL);\nINSERT INTO fine (id) VALUES (2);\nINSERT INTO fine (id) VALUES (1)"},
			migration{"0902_never", "CREATE TABLE never (id BIGINT PRIMARY KEY NOT NULL)"})
		for try := range 2 {
			on(func(conn *sql.Conn) error {
				applied, err := applyMigrations(f.ctx, conn, f.s.dialect, all, noon())
				if err == nil || !strings.Contains(err.Error(), "0901_broken") {
					t.Errorf("the error is %v", err)
				}
				if try == 0 {
					f.equal("what was applied", applied, []string{"0900_fine"})
				} else {
					f.equal("what was applied the second time", applied, []string(nil))
				}
				return nil
			})
			if n := f.number("SELECT count(*) FROM schema_migrations WHERE name >= '0900'"); n != 1 {
				t.Errorf("%d migrations are noted", n)
			}
			if n := f.number("SELECT count(*) FROM fine"); n != 1 {
				t.Errorf("fine has %d rows", n)
			}
		}
		all[len(all)-2].text = "CREATE TABLE broken (id BIGINT PRIMARY KEY NOT NULL); INSERT INTO fine (id) VALUES (2)"
		on(func(conn *sql.Conn) error {
			applied, err := applyMigrations(f.ctx, conn, f.s.dialect, all, noon())
			f.equal("what was applied once it is mended", applied, []string{"0901_broken", "0902_never"})
			return err
		})
		f.must(f.s.Ping(f.ctx, noon()))
	})
}

// TestMigrateTogether opens one new database from several nodes at once: one of them migrates it, and all can use it.
func TestMigrateTogether(t *testing.T) {
	db := newPostgres(t)
	const nodes = 4
	stores := make(chan *Store, nodes)
	atOnce(t, nodes, func(int) error {
		s, err := Open(context.Background(), db.config())
		stores <- s
		return err
	})
	var applied []string
	for range nodes {
		s := <-stores
		if s == nil {
			continue
		}
		applied = append(applied, s.Applied()...)
		if err := errors.Join(s.Ping(t.Context(), noon()), s.Close()); err != nil {
			t.Error(err)
		}
	}
	newFixture(t, nil).equal("what all of them applied", applied, names(t, postgres))
}

// TestCheckComesFirst has a check refuse a database: nothing is migrated, and nothing is put back into the queue.
func TestCheckComesFirst(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		calls, refuse := 0, errors.New("not this one")
		config := db.config()
		config.Check = func(meta Meta) error {
			calls++
			value, err := meta("k")
			if none, noErr := meta("none"); err != nil || noErr != nil || none != nil || string(value) != "kept" {
				t.Errorf("the check reads %q, %v and %q, %v", value, err, none, noErr)
			}
			return refuse
		}
		open := func() *Store {
			s, err := Open(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		f := newFixture(t, open())
		if calls != 0 {
			t.Error("a new database was checked")
		}
		f.must(f.s.SetMeta(f.ctx, "k", []byte("kept")))
		workspace := f.workspace("one")
		f.leased(workspace, noon(), f.webhook(workspace))
		f.exec("DELETE FROM schema_migrations")
		f.must(f.s.Close())
		contains(t, "the refusal", db.refuses(config), "not this one")
		if calls != 1 {
			t.Errorf("it was checked %d times", calls)
		}

		config.ReadOnly = true
		f.s = open()
		if n := f.number("SELECT count(*) FROM schema_migrations"); n != 0 {
			t.Errorf("%d migrations were applied", n)
		}
		if n := f.number("SELECT count(*) FROM deliveries WHERE state = $1", int64(postroom.StateLeased)); n != 1 {
			t.Error("the lease is gone")
		}
		info, err := f.s.Info(f.ctx)
		f.must(err)
		f.equal("what is pending", info.Pending, names(t, f.s.dialect))
		if info.Empty || info.Newest.IsZero() || info.Damage != "" || info.Unknown != nil || info.ClockAhead.Abs() > time.Minute {
			t.Errorf("info: %+v", info)
		}
		f.must(f.s.Close())
	})
}

// TestMigrateFilled migrates a database that an earlier version has filled: what was there is there, and what is new can be used.
func TestMigrateFilled(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		f := newFixture(t, nil)
		d, driver, url := sqlite, "sqlite", db.path()
		if !strings.HasPrefix(db.url, "sqlite:") {
			d, driver, url = postgres, "pgx", db.url
		}
		old, err := sql.Open(driver, url)
		f.must(err)
		conn, err := old.Conn(f.ctx)
		f.must(err)
		all, err := migrations(d)
		f.must(err)
		_, err = applyMigrations(f.ctx, conn, d, all[:1], noon())
		f.must(err)
		workspace, webhook := postroom.NewID[postroom.WorkspaceKind](noon()), postroom.NewID[postroom.WebhookKind](noon())
		zeros := strings.Repeat(", 0", 15)
		for _, text := range []string{
			"INSERT INTO workspaces (id, name, revision, created_at, updated_at) VALUES ($1, 'one', 7, 0, 0)",
			`INSERT INTO webhooks (id, workspace_id, number, dialect, status, status_reason, status_at, settings, key_shown, version, created_at, updated_at)
				VALUES ($2, $1, 1, 'standard', 'active', '', 0, '{"name":"old","events":["*"]}', 0, 1, 0, 0)`,
			`INSERT INTO rollups_open (workspace_id, webhook_id, minute, node, attempts, succeeded, failed, retried, answered, latency_us, status_code, at,
				b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15) VALUES ($1, $2, ` + fmt.Sprint(micros(noon())) + `, $2, 3, 2, 1, 0, 3, 9, 200, 1, 3` + zeros + `)`,
			`INSERT INTO rollups (workspace_id, webhook_id, step, starts_at, attempts, succeeded, failed, retried, answered, latency_us, status_code, at,
				b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15) VALUES ($1, $2, 60, ` + fmt.Sprint(micros(noon())) + `, 4, 4, 0, 0, 4, 9, 200, 1, 4` + zeros + `)`,
		} {
			text = strings.ReplaceAll(strings.ReplaceAll(text, "$1", hexLiteral(d, workspace[:])), "$2", hexLiteral(d, webhook[:]))
			_, err := conn.ExecContext(f.ctx, text)
			f.must(err)
		}
		f.must(errors.Join(conn.Close(), old.Close()))

		f.s = db.open()
		f.equal("what was applied", f.s.Applied(), names(t, d)[1:])
		if w, err := f.s.Webhook(f.ctx, workspace, webhook, noon()); err != nil || w.Name != "old" || !w.SourceID.IsZero() || w.Action != 0 {
			t.Errorf("the webhook is %+v, %v", w, err)
		}
		if subscriptions, _, err := f.s.Subscriptions(f.ctx, workspace); err != nil || len(subscriptions) != 1 {
			t.Errorf("the subscriptions are %+v, %v", subscriptions, err)
		}
		if stats, err := f.s.Stats(f.ctx, workspace, webhook, noon(), at(time.Minute), time.Minute); err != nil || stats.Attempts != 7 || stats.Failed != 1 || stats.Refused != 0 {
			t.Errorf("the statistics are %+v, %v", stats, err)
		}
		source := f.source(workspace)
		c := f.commitOf(workspace, source, noon(), postroom.RequestProcessed, "k")
		c.Publications = []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, webhook)}
		f.commit(c)
		if !f.hasRequest(c.Request) || !f.stored(c.Publications[0]) {
			t.Error("a request was not stored")
		}
	})
}

func hexLiteral(d dialect, b []byte) string {
	if d == postgres {
		return fmt.Sprintf(`'\x%x'::bytea`, b)
	}
	return fmt.Sprintf("x'%x'", b)
}
