package store

import (
	"bytes"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// cutter passes connections on to a PostgreSQL server, and cuts the one on which the next COMMIT comes, if it is told to.
type cutter struct {
	to     string
	before atomic.Bool // the COMMIT does not reach the server
	after  atomic.Bool // its answer does not reach the client
	cuts   atomic.Int64
}

func (c *cutter) url(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.to, u.Host = u.Host, l.Addr().String()
	var open sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		open.Wait()
	})
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { c.pass(conn) })
		}
	})
	return u.String()
}

func (c *cutter) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var deaf atomic.Bool // the answers no longer reach the client
	go func() {
		defer func() { _ = client.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if err != nil || deaf.Load() {
				return // the first answer after the COMMIT is that to it
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], []byte("commit\x00")) {
			if c.before.CompareAndSwap(true, false) {
				c.cuts.Add(1)
				return
			}
			if c.after.CompareAndSwap(true, false) {
				c.cuts.Add(1)
				deaf.Store(true)
			}
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// TestPostgresDoubtfulCommit loses the answer to a COMMIT: results that are stored are not counted twice, and results that are
// not stored are.
func TestPostgresDoubtfulCommit(t *testing.T) {
	for what, arm := range map[string]func(*cutter) *atomic.Bool{
		"stored":     func(c *cutter) *atomic.Bool { return &c.after },
		"not stored": func(c *cutter) *atomic.Bool { return &c.before },
	} {
		t.Run(what, func(t *testing.T) {
			db := newPostgres(t)
			cut := &cutter{}
			db.url = cut.url(t, db.url)
			f := newFixture(t, db.open())
			workspace := f.workspace("one")
			webhook := f.webhook(workspace)
			jobs := append(f.leased(workspace, noon(), webhook), f.leased(workspace, noon(), webhook)...)
			caused := f.publication(workspace, noon(), postroom.StateFresh)
			fins := []*postroom.Finish{
				finishOf(jobs[0], noon(), 200, postroom.Outcome{State: postroom.StateSucceeded}),
				finishOf(jobs[1], noon(), 500, postroom.Outcome{State: postroom.StateRetry, NextAt: at(time.Minute)}),
			}
			fins[1].Also = []*postroom.Publication{caused}
			arm(cut).Store(true)
			if err := f.s.Finish(f.ctx, fins); err == nil || cut.cuts.Load() != 1 {
				t.Fatalf("%d connections were cut, and the error is %v", cut.cuts.Load(), err)
			}
			f.must(f.s.Finish(f.ctx, fins))
			for i, fin := range fins {
				if fin.Lost {
					t.Errorf("result %d is said to be lost", i)
				}
			}
			for query, want := range map[string]int64{
				"SELECT count(*) FROM attempts": 2,
				"SELECT sum(attempts) FROM rollups_open WHERE webhook_id IN (SELECT id FROM webhooks)":  2,
				"SELECT sum(succeeded) FROM rollups_open WHERE webhook_id IN (SELECT id FROM webhooks)": 1,
				"SELECT sum(retried) FROM rollups_open WHERE webhook_id IN (SELECT id FROM webhooks)":   1,
				"SELECT sum(attempts) FROM deliveries":                                                  2,
				"SELECT count(*) FROM deliveries WHERE state IN (2, 10)":                                2,
				"SELECT count(*) FROM events":                                                           3,
				"SELECT count(*) FROM deliveries WHERE state = 0":                                       0,
			} {
				if got := f.number(query); got != want {
					t.Errorf("%s: %d, want %d", query, got, want)
				}
			}
			// One that is stored already does not take a new one with it.
			more := append(slices.Clone(fins), finishOf(f.leased(workspace, noon(), webhook)[0], noon(), 200, postroom.Outcome{State: postroom.StateSucceeded}))
			for _, fin := range fins {
				fin.Doubtful = true
			}
			f.must(f.s.Finish(f.ctx, more))
			if got := f.number("SELECT sum(attempts) FROM rollups_open WHERE webhook_id IN (SELECT id FROM webhooks)"); got != 3 {
				t.Errorf("%d attempts are counted, want 3", got)
			}
		})
	}
}
