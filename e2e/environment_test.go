package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // to look into the server's file

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/client"
	"github.com/postroom/postroom/internal/testenv"
)

// doctor runs `postroom doctor`, and checks that it finds trouble, or none, and says so.
func doctor(t *testing.T, set settings, unwell bool, parts ...string) string {
	t.Helper()
	if set.binary == "" {
		set.binary = testenv.Binary(t)
	}
	out, err := set.command("doctor", "-o", "table").CombinedOutput()
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	said := string(out)
	if (status == 1) != unwell || status > 1 || strings.Contains(said, "✗") != unwell {
		t.Errorf("the doctor ends with status %d, want trouble: %v. It says:\n%s", status, unwell, said)
	}
	says(t, said, parts...)
	t.Logf("the doctor:\n%s", said)
	return said
}

// stoppedServer is a server with some events in its SQLite database, which does not run.
func stoppedServer(t *testing.T, events int) (s *server, x *tenant, file string) {
	t.Helper()
	s = startServer(t, settings{flags: devFlags()})
	x = newTenant(t, s)
	w := x.webhook("/hook", client.WebhookInput{})
	for i := range events {
		x.publish(fmt.Sprint("e-", i), "email.opened", `{"text":"`+strings.Repeat("x", 4000)+`"}`)
	}
	x.counted(w.ID, map[postroom.DeliveryStatus]int{postroom.DeliverySucceeded: events})
	stop(t, s)
	return s, x, filepath.Join(s.dir, "postroom-data", "postroom.db")
}

func stop(t *testing.T, s *server) {
	t.Helper()
	s.signal(t, syscall.SIGTERM)
	if status := s.exit(t, startTimeout); status != 0 {
		t.Fatalf("it ends with status %d:\n%s", status, s.log.String())
	}
}

// again is how to start a server like another one.
func again(s *server) settings {
	set := s.settings
	set.flags = append([]string{}, s.flags...)
	return set
}

// exec changes a SQLite database behind the back of the server.
func execSQLite(t *testing.T, file, text string, args ...any) {
	t.Helper()
	db := must(sql.Open("sqlite", "file:"+file))(t)
	_, err := db.ExecContext(t.Context(), text, args...)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	empty := settings{dir: t.TempDir()}
	doctor(t, empty, true, "✓ disk", "✗ database", "here is no database postroom-data/postroom.db", "the first start makes it")

	s, x, _ := stoppedServer(t, 3)
	doctor(t, again(s), false, "✓ disk", "✓ files", "✓ database", "sqlite 3.", "✓ clock", "opens all 1 secrets and credentials", "Nothing waits", "Nothing listens")
	s.start(t)
	set := again(s)
	set.flags = append(set.flags, "--listen", strings.TrimPrefix(s.address(), "http://"))
	doctor(t, set, false, "Something listens")
	x.s = s
	if got := must(newClient(t, s, x.key).EventTypes(t.Context()))(t); len(got) == 0 {
		t.Error("the server does not answer any more")
	}
}

// TestWrongSecretKeyChangesNothing starts a server with another key, on a database that a kill has left with leases.
func TestWrongSecretKeyChangesNothing(t *testing.T) {
	t.Parallel()
	s := startServer(t, settings{flags: devFlags()})
	x := newTenant(t, s)
	x.webhook("/hook", client.WebhookInput{})
	x.r.answer("/hook", always(reply{hang: true}))
	x.publish("e", "email.opened", `{}`)
	x.r.wait(t, "/hook", 1)
	s.kill(t)
	file := filepath.Join(s.dir, "postroom-data", "postroom.db")
	// As one process would find what the other has left.
	execSQLite(t, file, "PRAGMA wal_checkpoint(TRUNCATE)")
	execSQLite(t, file, "CREATE TABLE set_aside AS SELECT * FROM schema_migrations")
	execSQLite(t, file, "DELETE FROM schema_migrations") // as of a version before the first, whose migrations would now be applied
	before := must(os.ReadFile(file))(t)
	set := again(s)
	set.env = append(set.env, "POSTROOM_SECRET_KEY="+otherSecretKey)
	says(t, refusesToStart(t, set, 1), file[len(s.dir)+1:], "the secret key is not the one", "POSTROOM_SECRET_KEY", "secret.key")
	if after := must(os.ReadFile(file))(t); !bytes.Equal(before, after) {
		t.Error("the start that was refused has changed the database")
	}
	doctor(t, set, true, "✗ secret key", "not the one")
	set.binary = s.binary
	if out, err := set.command("migrate").CombinedOutput(); err == nil || !strings.Contains(string(out), "not the one") {
		t.Errorf("migrate says %s (%v)", out, err)
	}
	if after := must(os.ReadFile(file))(t); !bytes.Equal(before, after) {
		t.Error("migrate has changed the database")
	}
	execSQLite(t, file, "INSERT INTO schema_migrations SELECT * FROM set_aside")

	// The right key, and all is well.
	x.r.answer("/hook", nil)
	s.start(t)
	x.r.wait(t, "/hook", 2)
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	s, _, file := stoppedServer(t, 1)
	execSQLite(t, file, "INSERT INTO schema_migrations (name, applied_at) VALUES ('9999_future', 0)")
	says(t, refusesToStart(t, again(s), 1), "postroom.db", "9999_future", "newer version")
	doctor(t, again(s), true, "✗ database", "9999_future", "newer version")
}

func TestLostSecretKey(t *testing.T) {
	t.Parallel()
	s, _, _ := stoppedServer(t, 1)
	key := filepath.Join(s.dir, "postroom-data", "secret.key")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	says(t, refusesToStart(t, again(s), 1), "secret.key", "restore that file", "POSTROOM_SECRET_KEY")
	doctor(t, again(s), true, "✗ secret key", "restore that file")
}

// TestDamagedDatabase damages the file in several places. A start notices what it meets; the doctor reads all of it; and damage that
// a running server meets ends a call, and not the server.
func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	const advice = "restore a backup"
	damage := func(t *testing.T, file string, from, to func(size int64) int64) {
		t.Helper()
		f := must(os.OpenFile(file, os.O_RDWR, 0))(t)
		size := must(f.Stat())(t).Size()
		_, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(to(size)-from(size))), from(size))
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	at := func(n int64) func(int64) int64 { return func(int64) int64 { return n } }
	t.Run("its header", func(t *testing.T) {
		s, _, file := stoppedServer(t, 1)
		damage(t, file, at(0), at(64))
		says(t, refusesToStart(t, again(s), 1), "postroom-data/postroom.db", "is damaged", advice, "not a database")
		doctor(t, again(s), true, "✗ database", "is damaged", advice)
	})
	t.Run("its schema", func(t *testing.T) {
		s, _, file := stoppedServer(t, 1)
		damage(t, file, at(100), at(8000))
		says(t, refusesToStart(t, again(s), 1), "postroom-data/postroom.db", "is damaged", advice, "malformed")
		doctor(t, again(s), true, "✗ database", "is damaged", advice)
	})
	t.Run("what was stored", func(t *testing.T) {
		s, x, file := stoppedServer(t, 100)
		damage(t, file, func(size int64) int64 { return size / 2 }, func(size int64) int64 { return size/2 + 200<<10 })
		doctor(t, again(s), true, "✗ database", "damaged", advice)
		s.launch(t)
		if !s.becomesReady(t) {
			says(t, s.log.String(), "is damaged", advice)
			return
		}
		unavailable := 0
		for i := range 100 { // some of these cannot be read any more
			a := s.do(t, call{method: http.MethodGet, path: "/v1/events/e-" + fmt.Sprint(i), key: x.key})
			if a.status == http.StatusServiceUnavailable {
				unavailable++
				says(t, a.problem(t).Detail, "The database file is damaged")
			}
		}
		if unavailable == 0 {
			t.Error("nothing that was damaged was met")
		} else {
			says(t, s.log.String(), "postroom-data/postroom.db", "is damaged", advice)
		}
		s.do(t, call{method: http.MethodGet, path: "/healthz"}).is(t, http.StatusOK)
	})
	t.Run("its end is missing", func(t *testing.T) {
		s, _, file := stoppedServer(t, 100)
		if err := os.Truncate(file, must(os.Stat(file))(t).Size()/2/8192*8192); err != nil {
			t.Fatal(err)
		}
		doctor(t, again(s), true, "✗ database", "damaged", advice)
	})
}

// TestReadOnlyFiles starts servers that may not write what they have to. Root may write everything, so they run as nobody then.
func TestReadOnlyFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode os.FileMode
		file string
		says []string
	}{
		"the database": {0o444, "postroom.db", []string{"postroom.db", "permission denied"}},
		"the lock":     {0o444, "postroom.db.lock", []string{"postroom.db.lock", "permission denied"}},
		"the folder":   {0o555, "", []string{"postroom.db", "cannot be written", "permissions of the file and of its folder"}},
		"the key":      {0o000, "secret.key", []string{"secret.key", "permission denied"}},
		"the log":      {0o000, "postroom.db-wal", []string{"postroom.db", "-wal", "permissions"}},
	} {
		t.Run(name, func(t *testing.T) {
			set := asNobody(t)
			s := startServer(t, set)
			s.kill(t) // so that all files are there
			file := filepath.Join(set.dir, "postroom-data", c.file)
			if err := os.Chmod(file, c.mode); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(file, 0o700) })
			if c.file == "" { // SQLite could do without new files while the old ones are there
				for _, suffix := range []string{"-wal", "-shm"} {
					if err := os.Remove(filepath.Join(file, "postroom.db"+suffix)); err != nil {
						t.Fatal(err)
					}
				}
			}
			says(t, refusesToStart(t, set, 1), c.says...)
			doctor(t, set, true)
		})
	}
}

// asNobody are settings of a server that is not root's, in a folder of its own.
func asNobody(t *testing.T) settings {
	t.Helper()
	dir := t.TempDir()
	set := settings{binary: filepath.Join(dir, "postroom"), dir: dir}
	if err := os.Link(testenv.Binary(t), set.binary); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return set
	}
	const nobody = 65534
	set.as = &syscall.Credential{Uid: nobody, Gid: nobody}
	for parent := dir; parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		if err := os.Chmod(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	return set
}

// TestClockSetBack has a database that was written by a clock that was ahead: all works, and the doctor tells of it.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	s, x, file := stoppedServer(t, 1)
	ahead := postroom.NewID[postroom.EventKind](time.Now().Add(3 * time.Hour))
	execSQLite(t, file, "UPDATE events SET id = ?", ahead[:])
	execSQLite(t, file, "UPDATE deliveries SET event_id = ?", ahead[:])
	doctor(t, again(s), true, "✗ clock", "s from now", "set back")
	s.start(t)
	x.api = newClient(t, s, x.key)
	x.publish("now", "email.opened", `{}`)
	x.r.wait(t, "/hook", 2)
}

// TestDoctorOnPostgres has a server that cannot be reached, and one that does not let the doctor in.
func TestDoctorOnPostgres(t *testing.T) {
	t.Parallel()
	url := testenv.Postgres(t)
	doctor(t, settings{dir: t.TempDir(), database: url}, false, "✓ database", "It is empty")
	s := startServer(t, settings{database: url})
	x := newTenant(t, s)
	doctor(t, again(s), false, "✓ database", "postgres", "partitions", "✓ clock", "✓ secret key")
	set := again(s)
	set.env = []string{"POSTROOM_SECRET_KEY=" + otherSecretKey}
	doctor(t, set, true, "✗ secret key", "not the one")

	set = again(s)
	set.database = "postgres://u:hush@127.0.0.1:1/postroom"
	said := doctor(t, set, true, "✗ database", "cannot be reached", "127.0.0.1")
	set.database = "postgres://nobody-known:hush@" + url[strings.Index(url, "@")+1:]
	said += doctor(t, set, true, "✗ database", "does not let Postroom in", "pg_hba.conf")
	if strings.Contains(said, "hush") {
		t.Errorf("the doctor shows a password:\n%s", said)
	}

	// An event from the future, as by a clock that was ahead.
	x.publish("e", "email.opened", `{}`)
	db := must(pgx.Connect(t.Context(), url))(t)
	defer func() { _ = db.Close(context.Background()) }()
	ahead := postroom.NewID[postroom.EventKind](time.Now().Add(20 * time.Hour)) // of tomorrow, which has a partition
	if _, err := db.Exec(t.Context(), "UPDATE events SET id = $1", ahead[:]); err != nil {
		t.Fatal(err)
	}
	doctor(t, again(s), true, "✗ clock", "20h0m0s from now")
}
