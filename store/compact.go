package store

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"github.com/postroom/postroom"
)

// compactStep is how many rows one transaction of a compaction takes: few enough that a publisher who waits behind it does not
// notice.
const compactStep = 200

// openFor is how long a minute is left to those that add to it. What comes later still counts: it is moved the next time.
const openFor = 2 * time.Minute

// Compact moves the minutes that are over into the rollups of their minute, their hour and their day, and adds up what several
// nodes counted. Each step is one transaction that deletes the rows it adds, so none is counted twice or lost, whenever it is cut
// off and however many nodes do it at once. It says how many rows it moved.
func (s *Store) Compact(ctx context.Context, now time.Time) (total int64, err error) {
	var last openKey
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		n, next := 0, last
		err := s.write(ctx, func(q querier) (err error) {
			var moved []rollups
			if moved, n, next, err = takeRollups(ctx, q, last, now.Add(-openFor).Truncate(time.Minute)); err != nil {
				return err
			}
			return mergeRollups(ctx, q, moved)
		})
		total += int64(n)
		if err != nil || n < compactStep {
			return total, err
		}
		last = next
	}
}

// openKey is a place in rollups_open.
type openKey struct {
	rollupKey
	node postroom.NodeID
}

// behind tells whether the place comes after another.
func (k openKey) behind(o openKey) bool {
	return cmp.Or(k.compare(o.rollupKey), bytes.Compare(k.node[:], o.node[:])) > 0
}

// takeRollups deletes rows that are over, behind a place, and sums them up in each step.
func takeRollups(ctx context.Context, q querier, last openKey, over time.Time) (moved []rollups, n int, next openKey, err error) {
	moved, next = make([]rollups, len(RollupSteps())), last
	for i := range moved {
		moved[i].reset()
	}
	err = q.each(ctx, "rollup_take", func(row func(...any) error) error {
		var k openKey
		var one sums
		if err := row(append([]any{&k.workspace, &k.webhook, &k.node, &k.startsAt}, one.dest()...)...); err != nil {
			return err
		}
		if n++; k.behind(next) {
			next = k
		}
		for i, step := range RollupSteps() {
			to := k.rollupKey
			to.startsAt = micros(fromMicros(k.startsAt).Truncate(step.Length))
			moved[i].sum(to).plus(&one)
		}
		return nil
	}, last.workspace[:], last.webhook[:], last.startsAt, last.node[:], micros(over), compactStep)
	return moved, n, next, err
}

// mergeRollups adds what was taken to the rows of each step.
func mergeRollups(ctx context.Context, q querier, moved []rollups) error {
	for i, step := range RollupSteps() {
		var rows [][]any
		for _, sum := range moved[i].sorted() {
			row := []any{sum.workspace[:], sum.webhook[:], int64(step.Length / time.Second), sum.startsAt}
			for _, value := range sum.values() {
				row = append(row, value)
			}
			rows = append(rows, row)
		}
		if err := q.execEach(ctx, "rollup_merge", rows); err != nil {
			return err
		}
	}
	return nil
}
