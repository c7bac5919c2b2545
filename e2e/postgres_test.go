package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/failpoint"
	"github.com/postroom/postroom/internal/testenv"
)

// cluster is some nodes on one PostgreSQL database, under load from publishers and an operator who take turns among them.
type cluster struct {
	nodes    []*server
	x        *tenant
	hooks    map[string]postroom.WebhookID
	load     *load
	operator *operator
	account  account
}

func startCluster(t *testing.T, database string, nodes int) *cluster {
	t.Helper()
	set := settings{database: database, flags: append(devFlags(), "--log-level", "warn", "--lease", shortLease.String(), "--shutdown-timeout", "10s")}
	c := &cluster{}
	for range nodes {
		c.nodes = append(c.nodes, startServer(t, set))
	}
	c.x = newTenant(t, c.nodes[0])
	random := rand.New(rand.NewPCG(1, 2))
	c.hooks = c.x.faultWebhooks()
	c.load = startLoad(c.x, 4, 30*time.Millisecond, random, c.nodes[1:]...)
	c.operator = startOperator(c.x, c.hooks, random, c.nodes[1:]...)
	c.account = account{x: c.x, hooks: c.hooks}
	c.account.s.name = t.Name()
	c.run(t, 100)
	return c
}

// run lets so many events be acknowledged.
func (c *cluster) run(t *testing.T, events int) {
	t.Helper()
	before := c.load.count()
	testenv.Eventually(t, 2*time.Minute, func() error {
		if n := c.load.count() - before; n < events {
			return fmt.Errorf("%d of %d events were acknowledged", n, events)
		}
		return nil
	})
}

// fault does something to the cluster or its database, and notes when.
func (c *cluster) fault(t *testing.T, do func() error) {
	t.Helper()
	from := time.Now()
	if err := do(); err != nil {
		t.Fatal(err)
	}
	c.account.faults = append(c.account.faults, outage{from, time.Now()})
}

// settle ends the load, waits until all is delivered, stops the nodes that run, and checks the account. database is where it is
// read.
func (c *cluster) settle(t *testing.T, database string) summary {
	t.Helper()
	a := &c.account
	a.acknowledged, a.loose, a.s.again = c.load.stop(t), c.load.loose, c.load.again
	a.replayed = c.operator.stop(t)
	c.x.api = newClient(t, c.nodes[0], c.x.key)
	c.x.allEnded(2 * time.Minute)
	for _, node := range c.nodes {
		if node.hasEnded() {
			continue
		}
		node.signal(t, syscall.SIGTERM)
		if status := node.exit(t, 20*time.Second); status != 0 {
			t.Errorf("a node ended with status %d", status)
		}
	}
	s := a.settle(t, settings{database: database})
	t.Logf("\n%s", table(s))
	return s
}

// TestPostgresRestart restarts the database under load, in good order and as a power failure would.
func TestPostgresRestart(t *testing.T) {
	t.Parallel()
	db := testenv.PostgresServer(t)
	c := startCluster(t, db.URL("postgres"), 1)
	for _, end := range []func() error{db.Stop, db.Crash, db.Crash, db.Stop} {
		c.fault(t, func() error {
			if err := end(); err != nil {
				return err
			}
			runFor(c.nodes[0], 300*time.Millisecond) // which notices
			return db.Start()
		})
		c.run(t, 100)
	}
	c.settle(t, db.URL("postgres"))
}

// TestPostgresConnectionsCut cuts all connections of two nodes to the database again and again.
func TestPostgresConnectionsCut(t *testing.T) {
	t.Parallel()
	database := testenv.Postgres(t)
	killer, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = killer.Close(context.WithoutCancel(t.Context())) }()
	c := startCluster(t, database, 2)
	cut := 0
	for range 20 {
		c.fault(t, func() error {
			var n int
			err := killer.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&n)
			cut += n
			return err
		})
		c.run(t, 20)
	}
	if cut < 40 {
		t.Errorf("only %d connections were cut", cut)
	}
	c.settle(t, database)
}

// TestNodes lets one of three nodes die, and another stand still for longer than its lease and then go on: the others do their
// work meanwhile, and what it still does counts for nothing.
func TestNodes(t *testing.T) {
	t.Parallel()
	database := testenv.Postgres(t)
	c := startCluster(t, database, 3)
	dies, stands := c.nodes[1], c.nodes[2]
	for range 2 {
		c.fault(t, func() error {
			dies.kill(t)
			return nil
		})
		c.fault(t, func() error {
			stands.signal(t, syscall.SIGSTOP)
			runFor(c.nodes[0], shortLease+3*time.Second)
			stands.signal(t, syscall.SIGCONT)
			return nil
		})
		dies.start(t)
		c.run(t, 200)
	}
	c.settle(t, database)
	var late int
	for id, d := range c.account.ledger.deliveries {
		if d.webhook != c.hooks[pathReplayed] {
			late += len(c.account.ledger.attempts[id]) - d.attempts
		}
	}
	t.Logf("%d results came too late", late) // how many depends on what was under way when the node was stopped
}

// TestFailover kills the primary of a synchronous pair and promotes the standby, which the nodes find by themselves.
func TestFailover(t *testing.T) {
	t.Parallel()
	primary := testenv.PostgresServer(t)
	standby := testenv.PostgresStandby(t, primary)
	database := bothHosts(t, primary.URL("postgres"), standby.URL("postgres"))
	c := startCluster(t, database, 2)
	c.fault(t, func() error {
		if err := primary.Crash(); err != nil {
			return err
		}
		return standby.Promote()
	})
	c.run(t, 300)
	c.settle(t, standby.URL("postgres"))
}

// bothHosts is the URL of a primary and its standby, whichever is which.
func bothHosts(t *testing.T, one, two string) string {
	t.Helper()
	u, err := url.Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	other, err := url.Parse(two)
	if err != nil {
		t.Fatal(err)
	}
	u.Host += "," + other.Host
	u.RawQuery += "&target_session_attrs=read-write"
	return u.String()
}

// TestKeyOfADeadNode makes a call again, on another node, that a node had begun under an Idempotency-Key when it died.
func TestKeyOfADeadNode(t *testing.T) {
	t.Parallel()
	database := testenv.Postgres(t)
	dies := startServer(t, settings{binary: testenv.FailpointsBinary(t), database: database, flags: devFlags(),
		env: []string{failpointVariable + "=" + string(failpoint.KeyTaken) + ":1"}})
	lives := startServer(t, settings{database: database, flags: devFlags()})
	x := newTenant(t, lives)
	c := call{method: http.MethodPost, path: "/v1/events", key: x.key, body: `{"type":"email.opened","data":{}}`, header: map[string]string{"Idempotency-Key": "k"}}
	if a, err := dies.try(c); err == nil {
		t.Fatalf("the node that should have died answers %d %s", a.status, a.body)
	}
	lives.do(t, c).refused(t, http.StatusConflict, postroom.CodeInFlight, "")
	testenv.Eventually(t, time.Minute, func() error {
		if a := lives.do(t, c); a.status != http.StatusAccepted {
			return fmt.Errorf("the answer is %d %s", a.status, a.body)
		}
		return nil
	})
	if !strings.Contains(string(lives.do(t, c).is(t, http.StatusAccepted).body), `"duplicate":false`) {
		t.Error("the call's answer is not given again")
	}
}
