package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testenv"
)

// TestPostgresConnectionsCut cuts all connections again and again under load. Callers may hear an error; what they heard
// was stored is there, once; and afterwards everything works.
func TestPostgresConnectionsCut(t *testing.T) {
	db := newPostgres(t)
	f := newFixture(t, db.open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	killer, err := pgx.Connect(f.ctx, db.url)
	f.must(err)
	defer func() { _ = killer.Close(context.Background()) }()

	var stopped atomic.Bool
	var mu sync.Mutex
	var wait sync.WaitGroup
	published := map[string][]*postroom.Publication{} // by key: those that were reported as stored
	finished := map[postroom.DeliveryID]bool{}
	var failures atomic.Int64
	const publishers = 6
	for i := range publishers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := 0; !stopped.Load(); n++ {
				key := fmt.Sprintf("%d/%d", i%3, n) // each is published twice
				p := f.publication(workspace, noon(), postroom.StateLeased, webhook)
				p.Keys = []string{key}
				if err := f.s.Publish(context.Background(), []*postroom.Publication{p}); err != nil {
					failures.Add(1)
					continue
				}
				if p.Duplicate != nil {
					continue
				}
				mu.Lock()
				published[key] = append(published[key], p)
				mu.Unlock()
				fin := finishOf(jobsOf(p)[0], noon(), 200, postroom.Outcome{State: postroom.StateSucceeded})
				if err := f.s.Finish(context.Background(), []*postroom.Finish{fin}); err != nil {
					failures.Add(1)
					continue
				}
				if fin.Lost {
					t.Error("a result was lost that nobody else had")
				}
				mu.Lock()
				finished[p.Deliveries[0].ID] = true
				mu.Unlock()
			}
		}()
	}
	cut := int64(0)
	for range 8 {
		before := f.s.Metrics().Ops.Value()
		f.eventually(func() error { // let work be under way
			if now := f.s.Metrics().Ops.Value(); now < before+20 {
				return fmt.Errorf("%d of 20 writes since the last cut", now-before)
			}
			return nil
		})
		var n int64
		f.must(killer.QueryRow(f.ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(&n))
		cut += n
	}
	stopped.Store(true)
	wait.Wait()
	if cut < 8 || len(finished) < 8*20/4 {
		t.Fatalf("%d connections were cut under %d results", cut, len(finished))
	}

	f.eventually(func() error { return f.s.Ping(f.ctx, noon()) })
	f.publish(f.publication(workspace, noon(), postroom.StateLeased, webhook))
	stored := f.found("SELECT id FROM events")
	succeeded := f.found("SELECT id FROM deliveries WHERE state = 10")
	logged := f.found("SELECT delivery_id FROM attempts")
	for key, pubs := range published {
		if len(pubs) != 1 {
			t.Errorf("%s was stored %d times", key, len(pubs))
		}
		for _, p := range pubs {
			if !stored[p.Event.ID] {
				t.Errorf("the event of %s was reported as stored and is not there", key)
			}
		}
	}
	for id := range finished {
		if !succeeded[id] || !logged[id] {
			t.Errorf("the result of %s was reported as stored; it is there: %v, and its attempt: %v", id, succeeded[id], logged[id])
		}
	}
	t.Logf("%d connections were cut; %d events, %d results, %d errors", cut, len(published), len(finished), failures.Load())
}

// found are the ids that a query gives.
func (f *fixture) found(query string) map[[16]byte]bool {
	f.t.Helper()
	ids := map[[16]byte]bool{}
	f.must(f.s.read(f.ctx, func(q querier) error {
		return q.eachText(f.ctx, "test", query, func(row func(...any) error) error {
			var id postroom.EventID
			err := row(&id)
			ids[id] = true
			return err
		})
	}))
	return ids
}

// TestPostgresIdleConnectionsCut cuts connections that nobody uses: who writes next does not notice.
func TestPostgresIdleConnectionsCut(t *testing.T) {
	db := newPostgres(t)
	f := newFixture(t, db.open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	killer, err := pgx.Connect(f.ctx, db.url)
	f.must(err)
	defer func() { _ = killer.Close(context.Background()) }()
	for range 5 {
		jobs := f.leased(workspace, noon(), webhook)
		_, err := killer.Exec(f.ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		f.must(err)
		f.finish(jobs[0], noon(), 200)
	}
}

// TestPostgresStopped stops the server, and starts it again.
func TestPostgresStopped(t *testing.T) {
	server := testenv.PostgresServer(t)
	db := database{t, server.URL("postgres")}
	f := newFixture(t, db.open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	job := f.leased(workspace, noon(), webhook)[0]
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	lost := f.publication(workspace, noon(), postroom.StateFresh)
	start := time.Now()
	if err := f.s.Publish(f.ctx, []*postroom.Publication{lost}); err == nil {
		t.Error("an event was stored by a server that has crashed")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the publisher heard so after %s", took)
	}
	f.code("a server that has crashed can store", f.s.Ping(f.ctx, noon()), postroom.CodeUnavailable)
	_, err := f.s.Workspace(f.ctx, workspace)
	f.code("a server that has crashed can be read", err, postroom.CodeUnavailable)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	f.eventually(func() error { return f.s.Ping(f.ctx, noon()) })
	f.finish(job, noon(), 200)
	if f.stored(lost) {
		t.Error("the event that was refused is there")
	}
}
