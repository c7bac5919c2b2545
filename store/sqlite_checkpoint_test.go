package store

import (
	"bytes"
	"testing"
)

// TestSQLiteLogRestarts writes more than is worth copying back, far less than what SQLite would copy back by itself: the log must begin
// again from its start, while writes go on. It cannot while somebody reads an old state, and does when they have ended.
func TestSQLiteLogRestarts(t *testing.T) {
	f := newFixture(t, newSQLite(t).open())
	s := f.s.backend.(*sqliteStore)
	pages := func() (pages int64) {
		t.Helper()
		var busy, copied int64
		f.must(s.readers.QueryRowContext(f.ctx, "PRAGMA wal_checkpoint(noop)").Scan(&busy, &pages, &copied))
		return pages
	}
	filler := byte(0) // SQLite writes no page that stays as it was
	write := func(size int) {
		filler++
		f.must(f.s.SetMeta(f.ctx, "filler", bytes.Repeat([]byte{filler}, size)))
	}
	fill := func() {
		for range 10 {
			write(checkpointPages / 8 * 8192)
		}
	}
	restarts := func() {
		t.Helper()
		for n := pages(); n >= checkpointPages; n = pages() {
			if n > 5*checkpointPages {
				t.Fatalf("the log has %d pages, and grows", n)
			}
			write(10 * 8192)
		}
	}
	fill()
	restarts()

	reader, err := s.readers.BeginTx(f.ctx, nil)
	f.must(err)
	var n int
	f.must(reader.QueryRowContext(f.ctx, "SELECT count(*) FROM meta").Scan(&n))
	fill()
	if pages() < checkpointPages {
		t.Error("the log began again under somebody who reads its old state")
	}
	f.must(reader.Rollback())
	fill() // what comes next makes it worth copying again
	restarts()
}
