package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// testSharedCommits hands many writes over while the committers are busy: they share transactions.
func testSharedCommits(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	const n = 90
	held := make([]*postroom.Job, n)
	for i := range held {
		held[i] = f.leased(workspace, noon(), webhook)[0]
	}
	release := f.hold()
	commits, ops := f.commits()
	failed := f.s.Metrics().Failed.Value()
	done := make(chan error, n)
	for i := range n {
		go func() {
			switch i % 3 {
			case 0:
				done <- f.s.Publish(context.Background(), []*postroom.Publication{f.publication(workspace, noon(), postroom.StateLeased, webhook)})
			case 1:
				done <- f.s.Finish(context.Background(), []*postroom.Finish{finishOf(held[i], noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})})
			default:
				done <- f.s.Renew(context.Background(), held[i:i+1], at(2*time.Hour))
			}
		}()
	}
	f.waiting(n)
	release()
	for range n {
		f.must(<-done)
	}
	nowCommits, nowOps := f.commits()
	// Those who held the committers are counted too: one on SQLite, two with a commit each on PostgreSQL.
	if shared := nowCommits - commits; shared > 4 || nowOps-ops < n {
		t.Errorf("%d writes were made in %d transactions", nowOps-ops, shared)
	}
	if now := f.s.Metrics().Failed.Value(); now != failed {
		t.Errorf("%d transactions failed", now-failed)
	}
	if n := f.number("SELECT count(*) FROM deliveries WHERE state = 10 AND webhook_id = $1", webhook); n != 30 {
		t.Errorf("%d deliveries have succeeded", n)
	}
	if n := f.number("SELECT count(*) FROM deliveries WHERE state = 0 AND webhook_id = $1 AND due_at = $2", webhook, micros(at(2*time.Hour))); n != 30 {
		t.Errorf("%d leases were renewed", n)
	}
}

// testLargeBatch hands over more than one transaction may hold.
func testLargeBatch(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	release := f.hold()
	const calls = 12
	done := make(chan error, calls)
	for range calls {
		go func() {
			var pubs []*postroom.Publication
			for range maxRowsPerCommit / 10 {
				pubs = append(pubs, f.publication(workspace, noon(), postroom.StateFresh, webhook))
			}
			done <- f.s.Publish(context.Background(), pubs)
		}()
	}
	f.waiting(calls)
	release()
	for range calls {
		f.must(<-done)
	}
	if n := f.number("SELECT count(*) FROM deliveries WHERE webhook_id = $1", webhook); n != calls*maxRowsPerCommit/10 {
		t.Errorf("%d deliveries are stored", n)
	}
}

// TestSharedFailures puts writes that fail, each in its own way, into one commit with writes that do not.
func TestSharedFailures(t *testing.T) {
	s := newSQLite(t).open()
	f := newFixture(t, s)
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	taken := f.publication(workspace, noon(), postroom.StateFresh, webhook)
	f.publish(taken)

	put := func(key string, then func(ctx context.Context, q querier) error) func() error {
		return func() error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			return s.write(ctx, func(q querier) error {
				if _, err := q.exec(ctx, "meta_put", key, []byte("x")); err != nil {
					return err
				}
				return then(ctx, q)
			})
		}
	}
	var fine []string
	calls := map[string]func() error{
		"an error": put("an error", func(context.Context, querier) error { return errRefused }),
		"a panic":  put("a panic", func(context.Context, querier) error { panic("on purpose") }),
		"a constraint": put("a constraint", func(ctx context.Context, q querier) error {
			_, err := q.exec(ctx, "workspace_insert", workspace, "the same id", int64(0))
			return err
		}),
		"a nested panic": put("a nested panic", func(ctx context.Context, q querier) error {
			return q.each(ctx, "workspace_list", func(func(...any) error) error { panic("while rows are open") })
		}),
		"a publication": func() error {
			bad := f.publication(workspace, noon(), postroom.StateFresh, webhook)
			bad.Deliveries[0].ID = taken.Deliveries[0].ID
			return s.Publish(context.Background(), []*postroom.Publication{bad})
		},
	}
	bad := len(calls)
	for i := range 6 {
		key := fmt.Sprint("fine ", i)
		fine = append(fine, key)
		calls[key] = put(key, func(context.Context, querier) error { return nil })
	}
	calls["a fine publication"] = func() error {
		return s.Publish(context.Background(), []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh, webhook)})
	}
	calls["a claim"] = func() error {
		jobs, err := s.Claim(context.Background(), webhook, postroom.StateFresh, noon(), at(time.Hour), 1)
		if err == nil && len(jobs) != 1 {
			err = fmt.Errorf("%d jobs were claimed", len(jobs))
		}
		return err
	}

	for _, withPublication := range []bool{false, true} { // it fails the transaction, the others only themselves
		f.exec("DELETE FROM meta")
		release := f.hold()
		commits, _ := f.commits()
		type result struct {
			what string
			err  error
		}
		results, n := make(chan result), 0
		for what, call := range calls {
			if what == "a publication" && !withPublication {
				continue
			}
			n++
			go func() { results <- result{what, call()} }()
		}
		f.waiting(n)
		release()
		failed := 0
		for range n {
			r := <-results
			if r.err != nil {
				failed++
			}
			isFine := slices.Contains(fine, r.what) || r.what == "a claim" || r.what == "a fine publication"
			if isFine != (r.err == nil) {
				t.Errorf("%s: %v", r.what, r.err)
			}
			if r.what == "an error" && !errors.Is(r.err, errRefused) {
				t.Errorf("the error is %v", r.err)
			}
			if r.what == "a panic" && r.err != nil {
				contains(t, "the error of a panic", r.err.Error(), "panic", "on purpose")
			}
		}
		now, _ := f.commits()
		if !withPublication && now-commits != 2 { // the one that was held, and one for all
			t.Errorf("there were %d transactions", now-commits)
		}
		if want := bad - 1; !withPublication && failed != want || withPublication && failed != want+1 {
			t.Errorf("%d writes failed", failed)
		}
		if stored := f.number("SELECT count(*) FROM meta"); stored != int64(len(fine)) {
			t.Errorf("%d values are stored, want %d", stored, len(fine))
		}
	}
	f.must(s.Ping(f.ctx, noon()))
}

// testDefectiveCaller hands over what panics when it is looked at, beside what is fine.
func testDefectiveCaller(f *fixture) {
	t := f.t
	workspace := f.workspace("one")
	fine := []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh), f.publication(workspace, noon(), postroom.StateFresh)}
	release := f.hold()
	errs := make(chan error, 2)
	go func() { errs <- f.s.Publish(context.Background(), []*postroom.Publication{{}}) }()
	go func() { errs <- f.s.Finish(context.Background(), []*postroom.Finish{{}}) }()
	done := make(chan error, len(fine))
	for i := range fine {
		go func() { done <- f.s.Publish(context.Background(), fine[i:i+1]) }()
	}
	f.waiting(4)
	release()
	for range cap(errs) {
		if err := <-errs; err == nil {
			t.Error("nothing was stored, and nobody says so")
		} else {
			contains(t, "the error", err.Error(), "panic")
		}
	}
	for i := range fine {
		f.must(<-done)
		if !f.stored(fine[i]) {
			t.Error("a publication beside them was not stored")
		}
	}
}

// testCancelledChange cancels a change in the middle of a statement, which makes SQLite roll back all of the transaction.
func testCancelledChange(f *fixture) {
	t := f.t
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	release := func() {}
	if f.s.dialect == sqlite {
		release = f.hold()
	}
	cancelled, beside := make(chan error, 1), make(chan error, 1)
	go func() {
		cancelled <- f.s.write(ctx, func(q querier) error {
			stop := time.AfterFunc(20*time.Millisecond, cancel)
			defer stop.Stop()
			value := map[dialect]string{sqlite: "CAST(n AS BLOB)", postgres: "convert_to(n::text, 'UTF8')"}[f.s.dialect]
			_, err := q.ExecContext(ctx, "INSERT INTO meta (key, value) WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT 'k' || n, "+value+" FROM c LIMIT 1000000000")
			return err
		})
	}()
	go func() { beside <- f.s.SetMeta(context.Background(), "beside", []byte("y")) }()
	if f.s.dialect == sqlite {
		f.waiting(2)
	}
	release()
	if err := <-cancelled; err == nil {
		t.Error("the cancelled change reports success")
	}
	f.must(<-beside)
	f.must(f.s.Ping(f.ctx, noon()))
	f.must(f.s.write(f.ctx, func(q querier) error {
		_, err := q.exec(f.ctx, "meta_put", "after", []byte("x"))
		return err
	}))
	if n := f.number("SELECT count(*) FROM meta WHERE key IN ('beside', 'after')"); n != 2 {
		t.Errorf("%d values are stored, want those beside and after", n)
	}
	if n := f.number("SELECT count(*) FROM meta WHERE key LIKE 'k%'"); n != 0 {
		t.Errorf("%d values of the cancelled change are stored", n)
	}
	before, stop := context.WithCancel(f.ctx)
	stop()
	if err := f.s.SetMeta(before, "never", []byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("a change that was cancelled before: %v", err)
	}
}

// TestClose closes while writes wait: they are stored, and later ones are refused.
func TestClose(t *testing.T) {
	forEachDatabase(t, func(t *testing.T, db database) {
		s := db.open()
		f := newFixture(t, s)
		workspace := f.workspace("one")
		release := f.hold()
		const n = 20
		pubs, done := make([]*postroom.Publication, n), make(chan error, n)
		for i := range pubs {
			pubs[i] = f.publication(workspace, noon(), postroom.StateFresh)
			go func() { done <- s.Publish(context.Background(), pubs[i:i+1]) }()
		}
		f.waiting(n)
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		f.eventually(func() error {
			if !f.isClosing() {
				return errors.New("it is not closing")
			}
			return nil
		})
		err := s.Publish(f.ctx, []*postroom.Publication{f.publication(workspace, noon(), postroom.StateFresh)})
		f.code("a publication while it closes", err, postroom.CodeUnavailable)
		f.code("results while it closes", s.Finish(f.ctx, []*postroom.Finish{{}}), postroom.CodeUnavailable)
		release()
		for range n {
			f.must(<-done)
		}
		f.must(<-closed)
		f.must(s.Close())
		if err := s.SetMeta(f.ctx, "k", nil); err == nil {
			t.Error("a closed database was written")
		}
		if _, err := s.Workspaces(f.ctx); err == nil {
			t.Error("a closed database was read")
		}

		f.s = db.open()
		for _, p := range pubs {
			if !f.stored(p) {
				t.Error("a publication that waited was lost")
			}
		}
	})
}

// isClosing tells whether writes are refused already.
func (f *fixture) isClosing() bool {
	switch b := f.s.backend.(type) {
	case *sqliteStore:
		b.mu.RLock()
		defer b.mu.RUnlock()
		return b.closed
	case *postgresStore:
		b.mu.RLock()
		defer b.mu.RUnlock()
		return b.closed
	}
	return false
}

func testMetaPingInfo(f *fixture) {
	t := f.t
	if value, err := f.s.Meta(f.ctx, "check"); err != nil || value != nil {
		t.Errorf("an unknown value is %q, %v", value, err)
	}
	f.must(f.s.SetMeta(f.ctx, "check", []byte{0, 0xff}))
	f.must(f.s.SetMeta(f.ctx, "check", []byte{1, 0, 0xff}))
	if value, err := f.s.Meta(f.ctx, "check"); err != nil || string(value) != "\x01\x00\xff" {
		t.Errorf("the value is %q, %v", value, err)
	}
	f.must(f.s.Maintain(f.ctx, noon()))
	f.must(f.s.Ping(f.ctx, noon()))
	if value, err := f.s.Meta(f.ctx, "ping"); err != nil || string(value) != "2026-01-15T12:00:00Z" {
		t.Errorf("the ping stored %q, %v", value, err)
	}
	info, err := f.s.Info(f.ctx)
	f.must(err)
	if info.Kind != string(f.s.dialect) || info.Version == "" || info.SizeBytes < 100_000 || info.Detail == "" {
		t.Errorf("the database says %+v", info)
	}
}
