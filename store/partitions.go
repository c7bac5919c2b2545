package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A partition of events, deliveries, attempts and requests holds one day, which is a range of ids. It is called after its table
// and its day: events_20260131.
const (
	partitionDay   = 24 * time.Hour
	partitionAhead = 7 // days that are made before they come
	partitionBack  = 2 // days that are made for clocks that go back
)

func partitionedTables() []string { return []string{"attempts", "deliveries", "events", "requests"} }

func (s *postgresStore) maintain(ctx context.Context, now time.Time) error {
	return s.locked(ctx, func(conn *sql.Conn) error { return makePartitions(ctx, conn, now) })
}

// makePartitions makes those that are needed from now on.
func makePartitions(ctx context.Context, conn *sql.Conn, now time.Time) error {
	return makeDays(ctx, conn, now.Add(-partitionBack*partitionDay), now.Add(partitionAhead*partitionDay))
}

// makeDays makes the partitions of all days from one time to another.
func makeDays(ctx context.Context, conn *sql.Conn, first, last time.Time) error {
	existing, err := partitions(ctx, conn)
	if err != nil {
		return err
	}
	for day := first.UTC().Truncate(partitionDay); !day.After(last); day = day.Add(partitionDay) {
		from, to := postroom.FirstID[postroom.DeliveryKind](day), postroom.FirstID[postroom.DeliveryKind](day.Add(partitionDay))
		for _, table := range partitionedTables() {
			name := table + day.Format("_20060102")
			if existing[name] {
				continue
			}
			// Made first and attached then, it does not wait for those who read the table, nor does anybody wait for it.
			text := fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %[1]s (LIKE %[2]s INCLUDING ALL);
				ALTER TABLE %[2]s ATTACH PARTITION %[1]s FOR VALUES FROM ('\x%[3]x') TO ('\x%[4]x')`, name, table, from[:], to[:])
			if _, err := conn.ExecContext(ctx, text); err != nil {
				return fmt.Errorf("partition %s: %w", name, err)
			}
		}
	}
	return nil
}

// partitions are the names of those that exist, and whether they are attached to their table. One is not when a node died
// while it made or dropped it.
func partitions(ctx context.Context, conn *sql.Conn) (map[string]bool, error) {
	names := map[string]bool{}
	err := querier{conn: conn}.eachText(ctx, "partitions",
		`SELECT c.relname, i.inhrelid IS NOT NULL FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
		WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'events'::regclass)
		AND c.relkind = 'r' AND c.relname ~ '^(attempts|deliveries|events|requests)_[0-9]{8}$'`,
		func(row func(...any) error) error {
			var name string
			var attached bool
			err := row(&name, &attached)
			names[name] = attached
			return err
		})
	return names, err
}

// expire drops the partitions of which every row is older than before. What is in a younger one stays until its whole
// day is old.
func (s *postgresStore) expire(ctx context.Context, before time.Time, progress func(int64)) error {
	return s.locked(ctx, func(conn *sql.Conn) error {
		existing, err := partitions(ctx, conn)
		if err != nil {
			return err
		}
		for _, table := range partitionedTables() { // attempts first: nothing is left that names what is gone
			for _, name := range slices.Sorted(maps.Keys(existing)) { // the oldest first: one that was interrupted stops the others
				day, ok := strings.CutPrefix(name, table+"_")
				if !ok {
					continue
				}
				start, err := time.Parse("20060102", day)
				if err != nil || start.Add(partitionDay).After(before) {
					continue
				}
				if err := dropPartition(ctx, conn, table, name, existing[name]); err != nil {
					return err
				}
				progress(1)
			}
		}
		return nil
	})
}

// dropPartition detaches a partition without stopping those who read or write the table, and drops it. A detaching
// that was interrupted is finished.
func dropPartition(ctx context.Context, conn *sql.Conn, table, name string, attached bool) error {
	if attached {
		_, err := conn.ExecContext(ctx, fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s CONCURRENTLY", table, name))
		if err != nil {
			if _, again := conn.ExecContext(ctx, fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s FINALIZE", table, name)); again != nil {
				return fmt.Errorf("partition %s: %w", name, errors.Join(err, again))
			}
		}
	}
	if _, err := conn.ExecContext(ctx, "DROP TABLE "+name); err != nil {
		return fmt.Errorf("partition %s: %w", name, err)
	}
	return nil
}
