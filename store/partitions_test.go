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

// days lists the partitions of a table by their day, from old to new.
func (f *fixture) days(table string) (days []string) {
	f.t.Helper()
	f.must(f.s.read(f.ctx, func(q querier) error {
		return q.eachText(f.ctx, "test", "SELECT substr(inhrelid::regclass::text, length($1) + 2) FROM pg_inherits WHERE inhparent = $1::regclass ORDER BY 1", func(row func(...any) error) error {
			var day string
			err := row(&day)
			days = append(days, day)
			return err
		}, table)
	}))
	return days
}

func TestPartitions(t *testing.T) {
	f := newFixture(t, newPostgres(t).open())
	want := []string{"20260113", "20260114", "20260115", "20260116", "20260117", "20260118", "20260119", "20260120", "20260121", "20260122"}
	check := func(what string, want []string) {
		t.Helper()
		for _, table := range partitionedTables() {
			f.equal(what+" of "+table, f.days(table), want)
		}
	}
	check("the days at first", want)
	f.must(f.s.Maintain(f.ctx, at(11*time.Hour+59*time.Minute))) // still the same day
	check("the days that were there already", want)

	info, err := f.s.Info(f.ctx)
	f.must(err)
	if info.Detail != "40 partitions" {
		t.Errorf("the database says %q", info.Detail)
	}

	// Rows at a day's edges.
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	midnight := noon().Truncate(24 * time.Hour).Add(24 * time.Hour)
	for day, at := range map[string]time.Time{"20260115": midnight.Add(-time.Millisecond), "20260116": midnight, "20260122": noon().Add(7*24*time.Hour + 11*time.Hour)} {
		job := f.leased(workspace, at, webhook)[0]
		f.finish(job, midnight, 200)
		for table, condition := range map[string]string{"events": "id = $2", "deliveries": "id = $2", "attempts": "delivery_id = $2"} {
			id := job.DeliveryID[:]
			if table == "events" {
				id = job.Event.ID[:]
			}
			if n := f.number("SELECT count(*) FROM "+table+" WHERE tableoid = ($1)::regclass AND "+condition, table+"_"+day, id); n != 1 {
				t.Errorf("what was made at %s is not in %s_%s", at, table, day)
			}
		}
	}

	// A day that has no partition gets one.
	for _, at := range []time.Time{noon().Add(8 * 24 * time.Hour), noon().Add(-3 * 24 * time.Hour)} {
		f.publish(f.publication(workspace, at, postroom.StateLeased, webhook))
	}
	want = append([]string{"20260112"}, append(want, "20260123")...)
	check("the days with those of events far away", want)

	f.must(f.s.Maintain(f.ctx, noon().Add(24*time.Hour)))
	check("the days a day later", want)
	f.must(f.s.Maintain(f.ctx, noon().Add(30*24*time.Hour)))
	if days := f.days("events"); len(days) != 22 || days[21] != "20260221" || slices.Contains(days, "20260201") {
		t.Errorf("after weeks without maintenance there are %q", days)
	}

	// Whole days go, once every row of them is too old.
	f.must(f.s.Expire(f.ctx, midnight.Add(-time.Microsecond), noon(), nil))
	if days := f.days("events"); days[0] != "20260115" {
		t.Errorf("a moment before a day is too old, the oldest is %s", days[0])
	}
	dropped := int64(0)
	f.must(f.s.Expire(f.ctx, midnight, noon(), func(n int64) { dropped += n }))
	for _, table := range partitionedTables() {
		if days := f.days(table); days[0] != "20260116" {
			t.Errorf("the oldest day of %s is %s", table, days[0])
		}
	}
	if dropped != 4 {
		t.Errorf("%d partitions were dropped, want 4", dropped)
	}
	if n := f.number("SELECT count(*) FROM pg_class WHERE relname = 'events_20260115'"); n != 0 {
		t.Error("the partition was detached and not dropped")
	}
}

// TestPartitionsBesideReaders does maintenance while somebody reads for long, such as an export, and while others write.
func TestPartitionsBesideReaders(t *testing.T) {
	f := newFixture(t, newPostgres(t).open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	f.leased(workspace, noon(), webhook)
	reader, err := f.s.backend.(*postgresStore).pool.Begin(f.ctx)
	f.must(err)
	defer func() { _ = reader.Rollback(context.Background()) }()
	for _, table := range partitionedTables() {
		_, err := reader.Exec(f.ctx, "SELECT count(*) FROM "+table)
		f.must(err)
	}

	ctx, cancel := context.WithTimeout(f.ctx, 20*time.Second)
	defer cancel()
	if err := f.s.Maintain(ctx, noon().Add(24*time.Hour)); err != nil {
		t.Fatalf("while somebody reads: %v", err)
	}

	// Dropping a day waits for those who may read it, and nobody waits behind it.
	expiring, stop := context.WithCancel(context.Background())
	defer stop()
	expired := make(chan error, 1)
	go func() { expired <- f.s.Expire(expiring, noon(), noon(), nil) }()
	f.eventually(func() error {
		if f.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0 {
			return errors.New("nobody waits for the reader")
		}
		return nil
	})
	f.finish(f.leased(workspace, noon(), webhook)[0], noon(), 200)
	// Interrupted meanwhile, it is finished the next time.
	stop()
	if err := <-expired; err == nil {
		t.Error("the interrupted dropping reports no error")
	}
	if n := f.number("SELECT count(*) FROM pg_inherits WHERE inhdetachpending"); n != 1 {
		t.Errorf("%d partitions are half detached, want 1", n)
	}
	f.must(reader.Rollback(f.ctx))
	f.must(f.s.Expire(f.ctx, noon(), noon(), nil))
	if days := f.days("attempts"); days[0] != "20260115" {
		t.Errorf("the oldest day is %s", days[0])
	}
}

// TestPartitionsInterrupted finishes what a node did not that died while it dropped a day.
func TestPartitionsInterrupted(t *testing.T) {
	f := newFixture(t, newPostgres(t).open())
	for _, step := range []string{"ALTER TABLE events DETACH PARTITION events_20260113", "ALTER TABLE attempts DETACH PARTITION attempts_20260114"} {
		_, err := f.s.backend.(*postgresStore).pool.Exec(f.ctx, step)
		f.must(err)
	}
	f.must(f.s.Maintain(f.ctx, noon()))
	workspace := f.workspace("one")
	f.publish(f.publication(workspace, noon().Add(-48*time.Hour), postroom.StateFresh, f.webhook(workspace))) // the day is there again

	_, err := f.s.backend.(*postgresStore).pool.Exec(f.ctx, "ALTER TABLE events DETACH PARTITION events_20260113")
	f.must(err)
	f.must(f.s.Expire(f.ctx, noon(), noon(), nil))
	if n := f.number("SELECT count(*) FROM pg_class WHERE relname IN ('events_20260113', 'attempts_20260113', 'attempts_20260114')"); n != 0 {
		t.Errorf("%d tables of days that are gone are left", n)
	}
}

// TestFinishOfDroppedDay ends an attempt of which the delivery was dropped with its day: there is nothing to store, and
// it must not stop the results that share its commit.
func TestFinishOfDroppedDay(t *testing.T) {
	f := newFixture(t, newPostgres(t).open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	gone, there := f.leased(workspace, noon().Add(-24*time.Hour), webhook)[0], f.leased(workspace, noon(), webhook)[0]
	f.must(f.s.Expire(f.ctx, noon(), noon(), nil))
	fins := []*postroom.Finish{
		finishOf(gone, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded}),
		finishOf(there, noon(), 200, postroom.Outcome{State: postroom.StateSucceeded}),
	}
	f.must(f.s.Finish(f.ctx, fins))
	if !fins[0].Lost || fins[1].Lost {
		t.Errorf("lost are the result of what is gone (%v) and of what is there (%v)", fins[0].Lost, fins[1].Lost)
	}
	if d := f.delivery(workspace, there.DeliveryID); d.Status != postroom.DeliverySucceeded || d.Attempts != 1 {
		t.Errorf("the delivery that is there is %+v", d)
	}
}

// TestPublishOnADayWithoutPartition publishes years ahead, as after a clock was set forward, and years back.
func TestPublishOnADayWithoutPartition(t *testing.T) {
	f := newFixture(t, newPostgres(t).open())
	workspace := f.workspace("one")
	webhook := f.webhook(workspace)
	for _, at := range []time.Time{noon().AddDate(2, 0, 0), noon().AddDate(-1, 0, 0), noon().AddDate(0, 0, 9)} {
		atOnce(t, 4, func(int) error {
			p := f.publication(workspace, at, postroom.StateLeased, webhook)
			if err := f.s.Publish(f.ctx, []*postroom.Publication{p}); err != nil {
				return fmt.Errorf("at %v: %w", at, err)
			}
			fin := finishOf(jobsOf(p)[0], at, 200, postroom.Outcome{State: postroom.StateSucceeded})
			if err := f.s.Finish(f.ctx, []*postroom.Finish{fin}); err != nil || fin.Lost {
				return fmt.Errorf("at %v: %w, lost: %v", at, err, fin.Lost)
			}
			return nil
		})
	}
	if n := f.number("SELECT count(*) FROM deliveries WHERE state = 10"); n != 12 {
		t.Errorf("%d deliveries have succeeded, want 12", n)
	}
}
