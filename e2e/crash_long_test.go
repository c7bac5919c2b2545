//go:build crash

package e2e

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/failpoint"
)

// The arguments of the long form: go test -tags crash ./e2e -run TestCrashLong -timeout 1h -args -kills 100 -seed 1
var (
	kills = flag.Int("kills", 100, "how often the server is killed on SQLite, and half as often on PostgreSQL")
	seed  = flag.Uint64("seed", 0, "of what is drawn at random; 0 for any")
)

// TestCrashLong kills the server at random moments and, in turn with that, at every failpoint, and shows the account.
func TestCrashLong(t *testing.T) {
	if *seed != 0 {
		if err := os.Setenv(seedVariable, strconv.FormatUint(*seed, 10)); err != nil {
			t.Fatal(err)
		}
	}
	var all []summary
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			c := crashes{kills: everyPoint(*kills, database), publishers: 8, quiet: 20 * time.Millisecond, most: 1500 * time.Millisecond}
			if database == "postgres" {
				c.kills, c.quiet = everyPoint((*kills+1)/2, database), 60*time.Millisecond
			}
			all = append(all, c.run(t, database))
		})
	}
	t.Logf("\n%s", table(all...))
}

// everyPoint makes n kills, in turn at a random moment and at the next failpoint.
func everyPoint(n int, database string) (kills []failpoint.Name) {
	var points []failpoint.Name
	for _, p := range failpoint.Names() {
		// On SQLite there is nothing to take over but at a start, by a statement that is its own transaction.
		if database != "sqlite" || p != failpoint.TakeOverInTransaction {
			points = append(points, p)
		}
	}
	for i := range n {
		if i%2 == 0 {
			kills = append(kills, "")
			continue
		}
		kills = append(kills, points[i/2%len(points)])
	}
	return kills
}
