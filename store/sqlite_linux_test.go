package store

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// asNobody runs f without root's leave to write everywhere; for whoever is not root that changes nothing.
func asNobody(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if os.Geteuid() == 0 {
			_ = syscall.Setfsuid(65534) // of this thread only
		}
		f()
	}()
	<-done
}

// TestSQLiteReadOnlyFolder opens databases in folders that cannot be written.
func TestSQLiteReadOnlyFolder(t *testing.T) {
	f := newFixture(t, nil)
	parent := t.TempDir()
	for dir := parent; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		f.must(os.Chmod(dir, 0o755)) // so that others may look
	}
	open := func(path string) (text string) {
		asNobody(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			s, err := Open(ctx, Config{URL: "sqlite:" + path, Now: noon})
			if err == nil {
				t.Errorf("%s was opened", path)
				err = s.Close()
			}
			if err != nil {
				text = err.Error()
			}
		})
		return text
	}
	f.must(os.Chmod(parent, 0o555))
	t.Cleanup(func() { _ = os.Chmod(parent, 0o700) })
	contains(t, "a folder that cannot be made", open(filepath.Join(parent, "new", "postroom.db")), "the folder of the database cannot be made", "permission denied")
	contains(t, "a folder that cannot be written", open(filepath.Join(parent, "postroom.db")), "the database cannot be locked", parent, "permission denied")
}
