//go:build unix

package testenv_test

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom/internal/testenv"
	"github.com/postroom/postroom/internal/testenv/postgres"
)

// toBeKilled, in the environment of a copy of this test binary, makes TestToBeKilled start a server and wait.
const toBeKilled = "POSTROOM_TESTENV_TO_BE_KILLED"

func TestMain(m *testing.M) { testenv.Main(m) }

func TestPostgres(t *testing.T) {
	for name, create := range map[string]func(testing.TB) string{
		"Postgres": testenv.Postgres, "PostgresFast": testenv.PostgresFast,
	} {
		t.Run(name, func(t *testing.T) {
			one, two := connect(t, create(t)), connect(t, create(t))

			exec1(t, one, "CREATE TABLE things (name text)")
			exec1(t, one, "INSERT INTO things VALUES ('here')")
			if got := query(t, one, "SELECT name FROM things"); got != "here" {
				t.Errorf("read back %q", got)
			}
			if _, err := two.Exec(t.Context(), "SELECT name FROM things"); err == nil {
				t.Error("the second database sees the first one's table")
			}
			if got := query(t, one, "SELECT current_setting('server_encoding') || ' ' || datcollate FROM pg_database WHERE datname = current_database()"); got != "UTF8 C" {
				t.Errorf("encoding and collation are %s, want UTF8 C", got)
			}
		})
	}
}

func TestPostgresDurability(t *testing.T) {
	t.Setenv(postgres.URLVariable, "") // the settings of servers that this process starts
	if got := query(t, connect(t, testenv.Postgres(t)), "SELECT current_setting('fsync') || ' ' || current_setting('synchronous_commit')"); got != "on on" {
		t.Errorf("fsync and synchronous_commit of Postgres are %s, want on on", got)
	}
	if got := query(t, connect(t, testenv.PostgresFast(t)), "SELECT current_setting('fsync') || ' ' || current_setting('synchronous_commit')"); got != "off off" {
		t.Errorf("fsync and synchronous_commit of PostgresFast are %s, want off off", got)
	}
}

func TestPostgresDropsDatabase(t *testing.T) {
	var dropped string
	t.Run("uses it", func(t *testing.T) {
		dropped = testenv.PostgresFast(t)
		connect(t, dropped) // open until after the drop, which must cut it
	})
	conn, err := pgx.Connect(t.Context(), dropped)
	if err == nil {
		t.Fatal("the database of a test that has ended can still be used", conn.Close(t.Context()))
	}
	if !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("connecting to it says: %v", err)
	}
}

func TestPostgresGivenServer(t *testing.T) {
	server := testenv.PostgresServer(t)
	t.Setenv(postgres.URLVariable, server.URL("postgres"))
	for _, create := range []func(testing.TB) string{testenv.Postgres, testenv.PostgresFast} {
		got, want := hostOf(t, create(t)), hostOf(t, server.URL("postgres"))
		if got != want {
			t.Errorf("the database is on %s, want the server that %s names, %s", got, postgres.URLVariable, want)
		}
	}
}

func TestPostgresServerCrash(t *testing.T) {
	server := testenv.PostgresServer(t)
	before := server.URL("postgres")
	conn := connect(t, before)
	exec1(t, conn, "CREATE TABLE things (name text)")
	exec1(t, conn, "INSERT INTO things VALUES ('committed')")

	for name, end := range map[string]func() error{"crash": server.Crash, "stop": server.Stop} {
		if err := end(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if conn, err := pgx.Connect(t.Context(), before); err == nil {
			t.Fatalf("%s: it still answers (%v)", name, conn.Close(t.Context()))
		}
		if err := server.Start(); err != nil {
			t.Fatalf("start after %s: %v", name, err)
		}
		if got := query(t, connect(t, before), "SELECT name FROM things"); got != "committed" {
			t.Errorf("after %s: read back %q", name, got)
		}
	}
	if err := server.Start(); err == nil {
		t.Error("a running server was started again")
	}
}

// TestPostgresStandby commits on a primary, kills it, and finds the commit on the standby that takes its place.
func TestPostgresStandby(t *testing.T) {
	primary := testenv.PostgresServer(t)
	standby := testenv.PostgresStandby(t, primary)
	conn := connect(t, primary.URL("postgres"))
	exec1(t, conn, "CREATE TABLE things (name text)")
	exec1(t, conn, "INSERT INTO things VALUES ('committed')")
	if err := primary.Crash(); err != nil {
		t.Fatal(err)
	}
	following := connect(t, standby.URL("postgres"))
	if _, err := following.Exec(t.Context(), "INSERT INTO things VALUES ('early')"); err == nil {
		t.Error("a standby takes writes")
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	exec1(t, following, "INSERT INTO things VALUES ('later')")
	if got := query(t, following, "SELECT string_agg(name, ' ' ORDER BY name) FROM things"); got != "committed later" {
		t.Errorf("read back %q", got)
	}
}

// TestToBeKilled does its work in a copy of this test binary that TestPostgresOfKilledProcess starts.
func TestToBeKilled(t *testing.T) {
	if os.Getenv(toBeKilled) == "" {
		return
	}
	fmt.Println(testenv.PostgresServer(t).URL("postgres"))
	select {}
}

func TestPostgresOfKilledProcess(t *testing.T) {
	owner := exec.Command(os.Args[0], "-test.run=^TestToBeKilled$")
	owner.Env = append(os.Environ(), toBeKilled+"=1")
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	address := strings.TrimSpace(line)
	if readErr == nil {
		connect(t, address) // it runs
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Wait(); err == nil {
		t.Fatal("the owner ended well, and should have been killed")
	}
	if readErr != nil {
		t.Fatalf("the owner printed %q: %v", line, readErr)
	}
	testenv.Eventually(t, 20*time.Second, func() error {
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			return nil
		}
		return fmt.Errorf("the server of a killed process still answers (%v)", conn.Close(t.Context()))
	})
}

func connect(t *testing.T, databaseURL string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	// Registered after the database's own cleanup, so it comes first; its error says that the server was stopped.
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec1(t *testing.T, conn *pgx.Conn, statement string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, conn *pgx.Conn, statement string) (text string) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), statement).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func hostOf(t *testing.T, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
