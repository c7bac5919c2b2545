package bench

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestChildOfKilledProcess checks that no process of a benchmark outlives it.
func TestChildOfKilledProcess(t *testing.T) {
	for _, program := range []string{"serve", "postgres"} {
		cmd, address := startOrphanage(t, openDir(t), program)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Errorf("%s: its parent ended well, and should have been killed", program)
		}
		waitGone(t, address)
	}
}

// openDir is a temporary directory that PostgreSQL's account can go through, as it cannot through t.TempDir.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postroom-bench-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A server that was killed may write for one more moment.
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := poll(ctx, 20*time.Millisecond, func() (bool, error) { return os.RemoveAll(dir) == nil, nil }); err != nil {
			t.Errorf("remove %s: %v", dir, err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestUsage(t *testing.T) {
	before, peak, err := usageOf(os.Getpid(), false)
	if err != nil {
		t.Fatal(err)
	}
	if peak < 1<<20 || peak > 1<<40 {
		t.Errorf("the peak of memory is %d bytes", peak)
	}
	// Work until the clock of CPU times has advanced; it need not say by how much.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = poll(ctx, time.Millisecond, func() (bool, error) {
		slices.Sort(make([]int, 100_000))
		now, _, err := usageOf(os.Getpid(), false)
		return now > before, err
	})
	if err != nil {
		t.Errorf("working took no CPU time: %v", err)
	}
	if _, _, err := usageOf(1<<30, false); err == nil {
		t.Error("a process that is not there has used something")
	}
}

func TestPrivatePostgres(t *testing.T) {
	dir := openDir(t)
	db, err := database{kind: postgres}.open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), db.url)
	if err != nil {
		t.Fatal(err)
	}
	var fsync string
	if err := conn.QueryRow(t.Context(), "SHOW fsync").Scan(&fsync); err != nil || fsync != "on" {
		t.Errorf("fsync is %q (%v), want on", fsync, err)
	}
	pid := db.server.cmd.Process.Pid
	if len(descendantsOf(pid)) < 2 {
		t.Errorf("PostgreSQL has the descendants %v, and has a process for each connection and more", descendantsOf(pid))
	}
	alone, _, err := usageOf(pid, false)
	if err != nil {
		t.Fatal(err)
	}
	if all, _, err := usageOf(pid, true); err != nil || all < alone {
		t.Errorf("all its processes have used %v (%v), the first one %v", all, err, alone)
	}
	if u, err := url.Parse(db.url); err != nil || u.Hostname() != "127.0.0.1" {
		t.Errorf("it listens on %s (%v)", db.url, err)
	}
	if err := db.close(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "postgres", "postgres.log")); err != nil || !strings.Contains(string(text), "database system is shut down") {
		t.Errorf("it did not end in good order (%v):\n%s", err, text)
	}
	_ = conn.Close(t.Context()) // it was cut
}

func TestPostgresStartFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "postgres"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (database{kind: postgres}).open(t.Context(), dir); err == nil {
		t.Error("it took a directory that is there already")
	}
	_, err := start("sleeper", command("/there/is/no/such/program", nil, dir))
	if err == nil {
		t.Error("a program that is not there was started")
	}
	var none *child
	if err := none.end(syscall.SIGTERM); err != nil {
		t.Errorf("ending what was not started: %v", err)
	}
}
