package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestSQLitePragmas(t *testing.T) {
	f := newFixture(t, newSQLite(t).open())
	ask := func(q querier, pragma string) string {
		t.Helper()
		var value string
		f.must(q.eachText(f.ctx, pragma, "PRAGMA "+pragma, func(row func(...any) error) error { return row(&value) }))
		return value
	}
	f.must(f.s.write(f.ctx, func(q querier) error {
		for pragma, want := range map[string]string{"page_size": "8192", "journal_mode": "wal", "synchronous": "2", "foreign_keys": "1",
			"busy_timeout": "10000", "wal_autocheckpoint": "40000", "temp_store": "2"} {
			if got := ask(q, pragma); got != want {
				t.Errorf("of the writer, %s is %s, want %s", pragma, got, want)
			}
		}
		return nil
	}))
	f.must(f.s.read(f.ctx, func(q querier) error {
		if got := ask(q, "query_only"); got != "1" {
			t.Errorf("of a reader, query_only is %s", got)
		}
		if _, err := q.exec(f.ctx, "meta_put", "k", []byte("x")); err == nil {
			t.Error("a reader writes")
		}
		return nil
	}))
}

// TestSQLitePermissions looks at who may read what is stored: people's addresses, among other things.
func TestSQLitePermissions(t *testing.T) {
	f := newFixture(t, nil)
	parent := t.TempDir()
	f.must(os.Chmod(parent, 0o755))
	db := database{t, "sqlite:" + filepath.Join(parent, "new", "postroom.db")}
	f.must(db.open().Ping(f.ctx, noon()))
	for path, want := range map[string]os.FileMode{filepath.Dir(db.path()): 0o700, db.path(): 0o600, db.path() + "-wal": 0o600, db.path() + "-shm": 0o600, db.path() + ".lock": 0o600} {
		info, err := os.Stat(path)
		f.must(err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("the permissions of %s are %v, want %v", path, got, want)
		}
	}
}

func TestSQLiteOneOwner(t *testing.T) {
	db := newSQLite(t)
	f := newFixture(t, db.open())
	f.must(f.s.SetMeta(f.ctx, "k", []byte("before")))
	contains(t, "the refusal", db.refuses(db.config()), db.path(), "is in use by another Postroom")

	// To look at it is allowed, beside the one that runs, and sees what that one stores meanwhile.
	looking := db.config()
	looking.ReadOnly = true
	ro := db.openWith(looking)
	f.must(f.s.SetMeta(f.ctx, "k", []byte("after")))
	if value, err := ro.Meta(f.ctx, "k"); err != nil || string(value) != "after" {
		t.Errorf("who looks sees %q, %v", value, err)
	}
	if info, err := ro.Info(f.ctx); err != nil || info.Detail != db.path() || info.SizeBytes == 0 {
		t.Errorf("the database says %+v, %v", info, err)
	}
	if _, err := ro.Backlog(f.ctx, noon(), 10); err != nil {
		t.Error(err)
	}
	if err := ro.SetMeta(f.ctx, "k", []byte("x")); err == nil {
		t.Error("who may only look has written")
	}
	f.must(ro.Close())
	f.must(f.s.Ping(f.ctx, noon()))
	f.must(f.s.Close())

	ro = db.openWith(looking) // nobody else has it open
	if value, err := ro.Meta(f.ctx, "k"); err != nil || string(value) != "after" {
		t.Errorf("who looks later sees %q, %v", value, err)
	}
	f.must(ro.Close())
	f.must(db.open().Ping(f.ctx, noon()))
}

func TestSQLiteReadOnlyMissing(t *testing.T) {
	db := newSQLite(t)
	looking := db.config()
	looking.ReadOnly = true
	contains(t, "the refusal", db.refuses(looking), db.path(), "no such file")
	if left, err := filepath.Glob(filepath.Dir(db.path()) + "/*"); err != nil || len(left) != 0 {
		t.Errorf("to look at what is not there made %q, %v", left, err)
	}
}

// TestSQLiteLeases opens a database that was left with leases: whoever held them is gone, so they are void.
func TestSQLiteLeases(t *testing.T) {
	db := newSQLite(t)
	f := newFixture(t, db.open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	fresh, retried, done := f.leased(workspace, noon(), webhook)[0], f.leased(workspace, noon(), webhook)[0], f.leased(workspace, noon(), webhook)[0]
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{finishOf(retried, noon(), 500, postroom.Outcome{State: postroom.StateRetry, NextAt: noon()})}))
	f.claim(webhook, postroom.StateRetry, at(24*time.Hour), 1)
	f.finish(done, noon(), 200)
	f.must(f.s.Close())

	config := db.config()
	config.Now = func() time.Time { return at(time.Minute) } // before any lease has run out
	f.s = db.openWith(config)
	for id, want := range map[postroom.DeliveryID]postroom.DeliveryState{fresh.DeliveryID: postroom.StateFresh, retried.DeliveryID: postroom.StateRetry} {
		if state, due := f.state(id); state != want || !due.Equal(at(time.Minute)) {
			t.Errorf("a delivery that was leased is in state %d, due %s; want %d, due now", state, due, want)
		}
	}
	if state, _ := f.state(done.DeliveryID); state != postroom.StateSucceeded {
		t.Errorf("what had succeeded is in state %d", state)
	}
	late := finishOf(fresh, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})
	f.must(f.s.Finish(f.ctx, []*postroom.Finish{late}))
	if !late.Lost {
		t.Error("the result of a void lease counts")
	}
}

// TestSQLiteIdempotency opens a database in which a call under an Idempotency-Key had begun and did not end: it can be made
// again, while a stored answer stays.
func TestSQLiteIdempotency(t *testing.T) {
	db := newSQLite(t)
	f := newFixture(t, db.open())
	workspace := f.workspace("one")
	begin := func(key string) *postroom.IdempotencyRecord {
		held, err := f.s.BeginIdempotent(f.ctx, workspace, key, []byte("hash"), noon(), at(time.Hour))
		f.must(err)
		return held
	}
	if begin("cut off") != nil || begin("ended") != nil || begin("cut off") == nil {
		t.Fatal("a key can be begun once")
	}
	f.must(f.s.CompleteIdempotent(f.ctx, workspace, "ended", []byte("answer"), at(time.Hour)))
	f.must(f.s.Close())

	f.s = db.open()
	if held := begin("cut off"); held != nil {
		t.Errorf("a call that did not end holds its key: %+v", held)
	}
	if held := begin("ended"); held == nil || string(held.Answer) != "answer" {
		t.Errorf("the stored answer is %+v", held)
	}
}

// TestSQLiteCrash copies the files of a running database, as they would be found after its process was killed.
func TestSQLiteCrash(t *testing.T) {
	db := newSQLite(t)
	f := newFixture(t, db.open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	var pubs []*postroom.Publication
	for range 50 {
		p := f.publication(workspace, noon(), postroom.StateLeased, webhook)
		f.publish(p)
		pubs = append(pubs, p)
	}
	crashed := newSQLite(t)
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(db.path() + suffix)
		f.must(err)
		if suffix == "-wal" {
			if len(content) == 0 {
				t.Fatal("there is no write-ahead log to recover from")
			}
			content = append(content, bytes.Repeat([]byte("torn"), 3000)...) // the commit that was under way
		}
		f.must(os.WriteFile(crashed.path()+suffix, content, 0o600))
	}
	f.s = crashed.open()
	for _, p := range pubs {
		if !f.stored(p) {
			t.Fatal("an event that was acknowledged is gone")
		}
	}
	if jobs := f.claim(webhook, postroom.StateFresh, noon(), 100); len(jobs) != len(pubs) {
		t.Errorf("%d deliveries wait, want %d", len(jobs), len(pubs))
	}
}

func TestSQLiteDamaged(t *testing.T) {
	good := newSQLite(t)
	s := good.open()
	f := newFixture(t, s)
	f.must(s.Close())
	whole, err := os.ReadFile(good.path())
	f.must(err)
	broken := bytes.Clone(whole)
	for i := 100; i < len(broken)/2; i++ { // the header is as it was, and what it describes is not
		broken[i] = byte(i * 7)
	}
	for what, content := range map[string][]byte{"no database": []byte(strings.Repeat("hello ", 5000)), "a broken one": broken,
		"half of one": whole[:len(whole)/2-1000], "a text file": []byte("hi\n")} {
		db := newSQLite(t)
		f.must(os.WriteFile(db.path(), content, 0o600))
		contains(t, what, db.refuses(db.config()), db.path(), "restore a backup")
		if now, err := os.ReadFile(db.path()); err != nil || !bytes.Equal(now, content) {
			t.Errorf("%s: the file was changed (%v)", what, err)
		}
		f.must(os.WriteFile(db.path(), whole, 0o600)) // the backup; the failed start holds no lock
		for _, left := range []string{"-wal", "-shm"} {
			if err := os.Remove(db.path() + left); err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
		}
		f.must(db.open().Ping(f.ctx, noon()))
	}
}

func TestSQLitePaths(t *testing.T) {
	for _, name := range []string{"a b.db", "q?mode=memory&x=1#frag.db", "100%25.db", "ü✓.db", "sub/folder/that/is/new.db", "c:d.db", "semi;colon'\".db"} {
		dir := t.TempDir()
		db := database{t, "sqlite:" + dir + "/" + name}
		f := newFixture(t, db.open())
		f.must(f.s.Ping(f.ctx, noon()))
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		f.must(f.s.Close())
		if left, err := filepath.Glob(filepath.Dir(filepath.Join(dir, name)) + "/*"); err != nil || len(left) != 2 {
			t.Errorf("%s: the folder holds %q, %v; want the database and its lock", name, left, err)
		}
	}
}

func TestSQLiteUnusableFolder(t *testing.T) {
	dir := t.TempDir()
	f := newFixture(t, nil)
	f.must(os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	db := database{t, "sqlite:" + filepath.Join(dir, "file", "postroom.db")}
	contains(t, "a folder that is a file", db.refuses(db.config()), filepath.Join(dir, "file"), "the folder of the database cannot be made")
	f.must(os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	db = database{t, "sqlite:" + filepath.Join(dir, "folder")}
	contains(t, "a file that is a folder", db.refuses(db.config()), filepath.Join(dir, "folder"))
}

func TestUnknownDatabase(t *testing.T) {
	for _, url := range []string{"", "mysql://localhost", "postroom.db", "file:x.db"} {
		db := database{t, url}
		contains(t, "the refusal", db.refuses(db.config()), fmt.Sprintf("%q", url), "sqlite:PATH", "postgres://")
	}
}

// TestSQLiteFull lets the disk be full: what was acknowledged stays, the refusal is an error, and it goes on when there
// is room.
func TestSQLiteFull(t *testing.T) {
	f := newFixture(t, newSQLite(t).open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	limit := func(pages int64) {
		t.Helper()
		f.must(f.s.write(f.ctx, func(q querier) error {
			_, err := q.ExecContext(f.ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
			return err
		}))
	}
	limit(f.number("SELECT page_count FROM pragma_page_count()") + 20)
	var stored []*postroom.Publication
	var full error
	for full == nil {
		p := f.publication(workspace, noon(), postroom.StateFresh, webhook)
		p.Event.Data = bytes.Repeat([]byte("x"), 4000)
		if full = f.s.Publish(f.ctx, []*postroom.Publication{p}); full == nil {
			stored = append(stored, p)
		}
	}
	contains(t, "the error", full.Error(), "full")
	if len(stored) == 0 {
		t.Fatal("nothing was stored before the disk was full")
	}
	// A change that fails because of it does not fail the small one beside it.
	release := f.hold()
	errs := make(chan error, 2)
	go func() { errs <- f.s.SetMeta(context.Background(), "big", bytes.Repeat([]byte("x"), 1<<20)) }()
	go func() { errs <- f.s.SetMeta(context.Background(), "small", []byte("x")) }()
	f.waiting(2)
	release()
	if first, second := <-errs, <-errs; (first == nil) == (second == nil) {
		t.Errorf("beside a change for which there is no room: %v, %v", first, second)
	}
	for _, p := range stored {
		if !f.stored(p) {
			t.Error("an event that was acknowledged is gone")
		}
	}
	limit(1 << 30)
	f.publish(f.publication(workspace, noon(), postroom.StateFresh, webhook))
}
